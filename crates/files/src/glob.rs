//! Hadoop's globs.
//!
//! ```text
//! *        any characters of one name, none too
//! ?        one character
//! [a-cx]   one of these; [^…] and [!…] none of these
//! {ab,c}   either; may be nested and may hold slashes
//! \x       x itself
//! ```
//! Same as Spark (Hadoop 3): the characters above; a name that begins with a dot is no exception.

/// A pattern for one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Glob {
    text: String,
    /// The alternatives that the braces give.
    patterns: Vec<Vec<Token>>,
}

/// A glob that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a glob ({reason}): {glob}")]
pub struct GlobError {
    /// What is wrong.
    pub reason: &'static str,
    /// The glob as written.
    pub glob: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    AnyChar,
    AnyChars,
    OneOf { ranges: Vec<(char, char)>, is_negated: bool },
}

impl Glob {
    /// Understands a pattern for one name.
    pub(crate) fn new(text: &str) -> Result<Glob, GlobError> {
        let patterns = expand_braces(text)?.iter().map(|pattern| tokens(pattern)).collect::<Result<_, _>>()?;
        Ok(Glob { text: text.to_owned(), patterns })
    }

    /// Whether `name` fits, as a whole.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        self.patterns.iter().any(|pattern| fits(pattern, &name))
    }

    /// The only name that fits, for a pattern without wildcards.
    pub(crate) fn literal(&self) -> Option<String> {
        let [pattern] = self.patterns.as_slice() else { return None };
        pattern.iter().map(|token| if let Token::Char(c) = token { Some(*c) } else { None }).collect()
    }

    /// Whether hidden names are asked for by name.
    pub(crate) fn asks_for_hidden(&self) -> bool {
        self.text.starts_with(['.', '_', '\\'])
    }
}

/// All patterns without braces that `pattern` stands for, in order.
pub(crate) fn expand_braces(pattern: &str) -> Result<Vec<String>, GlobError> {
    let error = |reason| GlobError { reason, glob: pattern.to_owned() };
    let chars: Vec<char> = pattern.chars().collect();
    let Some(open) = first_open_brace(&chars) else { return Ok(vec![pattern.to_owned()]) };
    let (mut depth, mut alternatives, mut begin, mut close) = (0, Vec::new(), open + 1, None);
    let mut i = open;
    while i < chars.len() && close.is_none() {
        match chars[i] {
            '\\' => i += 1,
            '{' => depth += 1,
            ',' if depth == 1 => {
                alternatives.push(&chars[begin..i]);
                begin = i + 1;
            }
            '}' => {
                depth -= 1;
                if depth == 0 {
                    alternatives.push(&chars[begin..i]);
                    close = Some(i);
                }
            }
            _ => {}
        }
        i += 1;
    }
    let close = close.ok_or_else(|| error("a brace is not closed"))?;
    let mut expanded = Vec::new();
    for alternative in alternatives {
        let one: String = chars[..open].iter().chain(alternative).chain(&chars[close + 1..]).collect();
        expanded.extend(expand_braces(&one)?);
        if expanded.len() > MAX_ALTERNATIVES {
            return Err(error("its braces stand for too many patterns"));
        }
    }
    Ok(expanded)
}

/// How many patterns one glob may stand for, so that nested braces cannot ask for all memory.
const MAX_ALTERNATIVES: usize = 10_000;

/// Position of the first brace outside a character class that is not escaped.
fn first_open_brace(chars: &[char]) -> Option<usize> {
    let (mut i, mut in_class) = (0, false);
    while i < chars.len() {
        match chars[i] {
            '\\' => i += 1,
            '[' => in_class = true,
            ']' => in_class = false,
            '{' if !in_class => return Some(i),
            _ => {}
        }
        i += 1;
    }
    None
}

fn tokens(pattern: &str) -> Result<Vec<Token>, GlobError> {
    let error = |reason| GlobError { reason, glob: pattern.to_owned() };
    let mut tokens = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '\\' => Token::Char(chars.next().ok_or_else(|| error("it ends with an escape"))?),
            '?' => Token::AnyChar,
            '*' => Token::AnyChars,
            '[' => {
                let is_negated = chars.next_if(|&c| c == '^' || c == '!').is_some();
                let mut ranges = Vec::new();
                loop {
                    let class_char = |c: Option<char>, rest: &mut std::iter::Peekable<std::str::Chars<'_>>| match c {
                        Some('\\') => rest.next(),
                        c => c,
                    };
                    let first = chars.next();
                    if first == Some(']') && !ranges.is_empty() {
                        break;
                    }
                    let low = class_char(first, &mut chars).ok_or_else(|| error("a bracket is not closed"))?;
                    let mut high = low;
                    let mut ahead = chars.clone();
                    if ahead.next() == Some('-') && ahead.peek().is_some_and(|&c| c != ']') {
                        chars.next();
                        let last = chars.next();
                        high = class_char(last, &mut chars).ok_or_else(|| error("a bracket is not closed"))?;
                    }
                    ranges.push((low, high));
                }
                Token::OneOf { ranges, is_negated }
            }
            c => Token::Char(c),
        });
    }
    Ok(tokens)
}

/// Greedy matching with one place to come back to: the newest `*`.
fn fits(pattern: &[Token], name: &[char]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(Token::AnyChars) => {
                star = Some((p, n));
                p += 1;
            }
            Some(token) if fits_one(token, name[n]) => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                p = star_at + 1;
                n = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|token| *token == Token::AnyChars)
}

fn fits_one(token: &Token, c: char) -> bool {
    match token {
        Token::Char(wanted) => *wanted == c,
        Token::AnyChar => true,
        Token::AnyChars => false,
        Token::OneOf { ranges, is_negated } => {
            ranges.iter().any(|&(low, high)| (low..=high).contains(&c)) != *is_negated
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(glob: &str, fitting: &[&str], others: &[&str]) {
        let glob = Glob::new(glob).unwrap();
        for name in fitting {
            assert!(glob.matches(name), "{name} should fit {}", glob.text);
        }
        for name in others {
            assert!(!glob.matches(name), "{name} should not fit {}", glob.text);
        }
    }

    #[test]
    fn stars_and_question_marks() {
        check("*.csv", &["a.csv", ".csv"], &["a.csv2", "csv"]);
        check("a*b*c", &["abc", "aXbbXc"], &["abcd", "acb"]);
        check("f?.csv", &["f1.csv", "fé.csv"], &["f.csv", "f12.csv"]);
    }

    #[test]
    fn brackets_hold_characters_ranges_and_their_opposite() {
        check("[a-cx]1", &["a1", "x1"], &["d1", "-1"]);
        check("[^ab]", &["c"], &["a", ""]);
        check("[!ab]", &["c"], &["b"]);
        check("[a-]", &["a", "-"], &["b"]);
    }

    #[test]
    fn braces_hold_alternatives_even_nested() {
        check("{a,b{1,2}}.csv", &["a.csv", "b1.csv", "b2.csv"], &["b.csv", "a1.csv"]);
        assert_eq!(expand_braces("in/{a/x,b}/*").unwrap(), ["in/a/x/*", "in/b/*"]);
    }

    #[test]
    fn an_escaped_character_is_itself() {
        check(r"a\*\{", &["a*{"], &["ab{"]);
        assert_eq!(Glob::new(r"a\*").unwrap().literal().as_deref(), Some("a*"));
        assert_eq!(Glob::new("a*").unwrap().literal(), None);
    }

    #[test]
    fn unclosed_globs_are_refused() {
        for glob in ["a{b", "[a", "a\\", "[]"] {
            assert!(Glob::new(glob).is_err(), "{glob}");
        }
    }
}
