//! The three questions that every error answers: whose fault, is it worth trying again, what to do next.

/// Who has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The user's job file, command line or paths.
    Job,
    /// The rows or files that were read.
    Data,
    /// A model that this program cannot run.
    Model,
    /// A server, a disk or a network.
    Remote,
    /// This program.
    Bug,
}

/// Whether the same call may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The same call fails the same way.
    Never,
    /// The same call may succeed after a pause.
    Backoff,
    /// The client must be made anew first (a fenced producer, a closed connection).
    AfterRecreate,
}

/// An error that says where it stands, whose fault it is, whether to retry, and what to do next.
///
/// The error's own text says what happened and where. [`hint`](Explain::hint) is a sentence of its own for the next step.
pub trait Explain: std::error::Error {
    /// Who has to act.
    fn fault(&self) -> Fault;

    /// Whether trying again can help; by default it cannot.
    fn retry(&self) -> Retry {
        Retry::Never
    }

    /// What the reader should do next, where we know.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// The causes of an error that it does not tell already: many a message ends with that of its cause.
pub fn causes(error: &dyn std::error::Error) -> Vec<String> {
    let mut causes = Vec::new();
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.ends_with(&text) {
            causes.push(text.clone());
        }
        told = text;
        cause = error.source();
    }
    causes
}

/// The known name nearest to `wrong`, when it is near enough to be what was meant.
///
/// Near enough is an edit distance (insert, delete, replace, swap neighbours) of at most a third of the longer name's
/// length, at least 1; case does not count. The first of several equally near names wins.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: Vec<char> = wrong.to_lowercase().chars().collect();
    let mut best: Option<(usize, &str)> = None;
    for name in known {
        let candidate: Vec<char> = name.to_lowercase().chars().collect();
        let limit = (wrong.len().max(candidate.len()) / 3).max(1);
        let distance = edit_distance(&wrong, &candidate);
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Optimal string alignment distance between two words.
fn edit_distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wrong: &str, known: &[&str], expect: Option<&str>) {
        assert_eq!(nearest(wrong, known.iter().copied()), expect);
    }

    #[test]
    fn the_nearest_name_is_found_across_typos_and_case() {
        check("regParm", &["maxIter", "regParam", "tol"], Some("regParam"));
        check("HEADER", &["header", "sep"], Some("header"));
        check("laebl", &["label", "features"], Some("label"));
    }

    #[test]
    fn a_name_unlike_all_others_gets_no_suggestion() {
        check("colour", &["maxIter", "regParam"], None);
        check("x", &[], None);
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let (text, below) = texts.split_first().unwrap();
        let source = (!below.is_empty()).then(|| Box::new(layers(below)));
        Layer { text, source }
    }

    #[test]
    fn a_cause_that_the_error_ends_with_is_not_told_again() {
        let error =
            layers(&["gave up: sink: cannot write", "sink: cannot write", "cannot write", "disk: full", "full"]);
        assert_eq!(causes(&error), ["disk: full"]);
        assert_eq!(causes(&layers(&["alone"])), [""; 0]);
    }
}
