//! Paths of one job that must not lie within each other.
//!
//! A stream that reads what it writes never ends, and one that writes over its model or its checkpoint destroys them. So
//! these are compared before anything is opened, symbolic links resolved as far as they exist.
//!
//! | | may hold the other |
//! |---|---|
//! | the input, and any other path of the job | never, in neither direction |
//! | two other paths | only under a hidden name, as in `output/_checkpoint` |

use std::path::{Path as DiskPath, PathBuf};

use ognivo_data::fault::{Explain, Fault};

use crate::glob::{Glob, GlobError, expand_braces};
use crate::listing::is_hidden;
use crate::open::Location;

/// A path of a job, and what it is for.
#[derive(Debug, Clone)]
pub struct NamedLocation {
    /// Its key in the job file, such as `writeStream.path`.
    pub name: String,
    /// Where it is.
    pub location: Location,
}

/// Two paths of a job that must not lie within each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{first}` overlaps `{second}`: {first_path} and {second_path}")]
pub struct Overlap {
    /// Key of the one.
    pub first: String,
    /// Key of the other.
    pub second: String,
    /// The one as written.
    pub first_path: String,
    /// The other as written.
    pub second_path: String,
}

impl Explain for Overlap {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        Some("give each its own folder, beside the others".to_owned())
    }
}

/// All pairs that overlap: `inputs`, folders or globs, with any of `others`, and these among themselves.
///
/// # Errors
/// A glob that cannot be understood.
pub fn find_overlaps(inputs: &[NamedLocation], others: &[NamedLocation]) -> Result<Vec<Overlap>, GlobError> {
    let pair = |a: &NamedLocation, b: &NamedLocation| Overlap {
        first: a.name.clone(),
        second: b.name.clone(),
        first_path: a.location.to_string(),
        second_path: b.location.to_string(),
    };
    let mut found = Vec::new();
    for input in inputs {
        let patterns = Pattern::of(&input.location)?;
        for other in others {
            let is_within = |pattern: &Pattern| Pattern::literal(&other.location).relation(pattern) != Relation::Apart;
            if patterns.iter().any(is_within) {
                found.push(pair(input, other));
            }
        }
    }
    for (i, first) in others.iter().enumerate() {
        for second in &others[i + 1..] {
            let (a, b) = (Pattern::literal(&first.location), Pattern::literal(&second.location));
            let is_hidden_within = |inner: &Pattern, outer: &Pattern| {
                inner.parts[outer.parts.len()..].iter().any(|part| part.literal().is_some_and(|name| is_hidden(&name)))
            };
            let overlaps = match a.relation(&b) {
                Relation::Apart => false,
                Relation::Same => true,
                Relation::Holds => !is_hidden_within(&b, &a),
                Relation::Within => !is_hidden_within(&a, &b),
            };
            if overlaps {
                found.push(pair(first, second));
            }
        }
    }
    Ok(found)
}

/// A resolved path, or one of the patterns that a glob stands for, name by name.
#[derive(Debug)]
struct Pattern {
    /// What URIs of its store begin with.
    root: String,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Name(String),
    Glob(Glob),
}

impl Part {
    fn literal(&self) -> Option<String> {
        match self {
            Part::Name(name) => Some(name.clone()),
            Part::Glob(glob) => glob.literal(),
        }
    }

    /// Whether some name can be both.
    fn may_be(&self, other: &Part) -> bool {
        match (self.literal(), other.literal()) {
            (Some(a), Some(b)) => a == b,
            (Some(name), None) => other.fits(&name),
            (None, Some(name)) => self.fits(&name),
            // Two patterns are taken to have a name in common: refused in doubt.
            (None, None) => true,
        }
    }

    fn fits(&self, name: &str) -> bool {
        match self {
            Part::Name(own) => own == name,
            Part::Glob(glob) => glob.matches(name),
        }
    }
}

/// How one path lies to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Apart,
    Same,
    Holds,
    Within,
}

impl Pattern {
    /// The patterns of a location; one that is no glob has one.
    fn of(location: &Location) -> Result<Vec<Pattern>, GlobError> {
        if !location.is_glob() {
            return Ok(vec![Pattern::literal(location)]);
        }
        let pattern = |text: &String| -> Result<Pattern, GlobError> {
            let globs: Vec<Glob> =
                text.split('/').filter(|part| !part.is_empty()).map(Glob::new).collect::<Result<_, _>>()?;
            // Links can be resolved only in front of the first wildcard.
            let n_literal = globs.iter().position(|glob| glob.literal().is_none()).unwrap_or(globs.len());
            let above: Vec<String> = globs[..n_literal].iter().filter_map(Glob::literal).collect();
            let mut parts = resolved(location, &above);
            parts.extend(globs.into_iter().skip(n_literal).map(Part::Glob));
            Ok(Pattern { root: location.root().to_owned(), parts })
        };
        expand_braces(location.path().as_ref())?.iter().map(pattern).collect()
    }

    fn literal(location: &Location) -> Pattern {
        let names: Vec<String> =
            location.path().as_ref().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Pattern { root: location.root().to_owned(), parts: resolved(location, &names) }
    }

    fn relation(&self, other: &Pattern) -> Relation {
        let is_apart = self.root != other.root || self.parts.iter().zip(&other.parts).any(|(a, b)| !a.may_be(b));
        match self.parts.len().cmp(&other.parts.len()) {
            _ if is_apart => Relation::Apart,
            std::cmp::Ordering::Equal => Relation::Same,
            std::cmp::Ordering::Less => Relation::Holds,
            std::cmp::Ordering::Greater => Relation::Within,
        }
    }
}

/// The names of a path after its links are followed; on disk the longest part that exists, elsewhere none.
fn resolved(location: &Location, names: &[String]) -> Vec<Part> {
    let names = match location.is_local() {
        true => follow_links(names),
        false => names.to_vec(),
    };
    names.into_iter().map(Part::Name).collect()
}

fn follow_links(names: &[String]) -> Vec<String> {
    for n_existing in (0..=names.len()).rev() {
        let path: PathBuf = DiskPath::new("/").join(names[..n_existing].join("/"));
        if let Ok(real) = path.canonicalize() {
            let real = real.to_string_lossy().into_owned();
            let existing = real.split('/').filter(|part| !part.is_empty()).map(str::to_owned);
            return existing.chain(names[n_existing..].iter().cloned()).collect();
        }
    }
    names.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::open;

    fn named(base: &DiskPath, paths: &[&str]) -> Vec<NamedLocation> {
        let named = |path: &&str| NamedLocation { name: path.to_string(), location: open(path, base).unwrap() };
        paths.iter().map(named).collect()
    }

    #[track_caller]
    fn check(inputs: &[&str], others: &[&str], expect: &[(&str, &str)]) {
        let base = DiskPath::new("/nowhere");
        let found = find_overlaps(&named(base, inputs), &named(base, others)).unwrap();
        let pairs: Vec<(&str, &str)> = found.iter().map(|pair| (pair.first.as_str(), pair.second.as_str())).collect();
        assert_eq!(pairs, expect, "{inputs:?} {others:?}");
    }

    #[test]
    fn an_input_overlaps_what_lies_in_it_and_what_it_lies_in() {
        check(&["in"], &["in"], &[("in", "in")]);
        check(&["in"], &["in/out"], &[("in", "in/out")]);
        check(&["data/in"], &["data"], &[("data/in", "data")]);
        check(&["in"], &["in/_checkpoint"], &[("in", "in/_checkpoint")]);
        check(&["in"], &["input", "out"], &[]);
    }

    #[test]
    fn a_glob_overlaps_what_it_can_match() {
        check(&["data/*"], &["data/out"], &[("data/*", "data/out")]);
        check(&["data/*/x"], &["data/out"], &[("data/*/x", "data/out")]);
        check(&["data/*.csv"], &["data/out"], &[]);
        check(&["data/{a,b}/*"], &["data/b", "data/c"], &[("data/{a,b}/*", "data/b")]);
        check(&["data/in-*"], &["data/out", "data/in-1/deep"], &[("data/in-*", "data/in-1/deep")]);
        check(&["data/*.csv"], &["data"], &[("data/*.csv", "data")]);
    }

    #[test]
    fn other_paths_may_hold_each_other_under_a_hidden_name_only() {
        check(&[], &["out", "out/_checkpoint"], &[]);
        check(&[], &["out", "out/dead"], &[("out", "out/dead")]);
        check(&[], &["models/a", "models/b", "models"], &[("models/a", "models"), ("models/b", "models")]);
        check(&[], &["out", "out"], &[("out", "out")]);
    }

    #[test]
    fn links_are_followed_as_far_as_they_exist() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("real")).unwrap();
        std::os::unix::fs::symlink(folder.path().join("real"), folder.path().join("link")).unwrap();
        let found = |input: &str, other: &str| {
            find_overlaps(&named(folder.path(), &[input]), &named(folder.path(), &[other])).unwrap().len()
        };
        assert_eq!(found("real", "link/not/yet/there"), 1);
        assert_eq!(found("link/*.csv", "real"), 1);
        assert_eq!(found("link", "other"), 0);
    }

    #[test]
    fn the_message_names_both_keys_and_paths() {
        let base = DiskPath::new("/jobs");
        let error = &find_overlaps(&named(base, &["in"]), &named(base, &["in/x"])).unwrap()[0];
        assert_eq!(error.to_string(), "`in` overlaps `in/x`: /jobs/in and /jobs/in/x");
    }
}
