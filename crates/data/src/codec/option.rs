//! Reader and writer options as text, under Spark's names.

use crate::codec::mode::RowMode;

/// An option that does not exist or whose value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// No option has this name.
    #[error("{format} has no option of this name: {name}")]
    Unknown {
        /// `csv` or `json`.
        format: &'static str,
        /// The name as written.
        name: String,
        /// The option that is spelt most alike.
        nearest: &'static str,
    },
    /// The value is not one of those allowed.
    #[error("option `{name}` must be {expected}: {value}")]
    Value {
        /// The option, in Spark's spelling.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
        /// The value as written.
        value: String,
    },
}

impl OptionError {
    /// The next step for whoever wrote the option.
    pub fn hint(&self) -> Option<String> {
        match self {
            OptionError::Unknown { nearest, .. } => Some(format!("did you mean `{nearest}`?")),
            OptionError::Value { .. } => None,
        }
    }
}

/// Finds an option's spelling in `known` by its name, whatever the case.
pub(crate) fn spelling(format: &'static str, known: &[&'static str], name: &str) -> Result<&'static str, OptionError> {
    known.iter().find(|k| k.eq_ignore_ascii_case(name)).copied().ok_or_else(|| OptionError::Unknown {
        format,
        name: name.to_owned(),
        nearest: nearest(known, name),
    })
}

/// The known name with the smallest edit distance, the first of equals.
fn nearest(known: &[&'static str], name: &str) -> &'static str {
    let name = name.to_ascii_lowercase();
    known
        .iter()
        .min_by_key(|candidate| edit_distance(&candidate.to_ascii_lowercase(), &name))
        .expect("every format has options")
}

/// How many characters must be inserted, removed or replaced to make `b` of `a`.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replace = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

pub(crate) fn boolean(name: &'static str, value: &str) -> Result<bool, OptionError> {
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong(name, "true or false", value)),
    }
}

pub(crate) fn integer(name: &'static str, value: &str) -> Result<i64, OptionError> {
    value.parse().map_err(|_| wrong(name, "an integer", value))
}

pub(crate) fn fraction(name: &'static str, value: &str) -> Result<f64, OptionError> {
    match value.parse::<f64>() {
        Ok(ratio) if ratio > 0.0 && ratio <= 1.0 => Ok(ratio),
        _ => Err(wrong(name, "a number above 0 and at most 1", value)),
    }
}

pub(crate) fn mode(value: &str) -> Result<RowMode, OptionError> {
    value.parse().map_err(|_| wrong("mode", "PERMISSIVE, DROPMALFORMED, FAILFAST or REJECT", value))
}

pub(crate) fn locale(value: &str) -> Result<(), OptionError> {
    match value.eq_ignore_ascii_case("en-US") {
        true => Ok(()),
        false => Err(wrong("locale", "en-US, the only locale whose numbers and month names are known", value)),
    }
}

pub(crate) fn wrong(name: &'static str, expected: &'static str, value: &str) -> OptionError {
    OptionError::Value { name, expected, value: value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_option_names_the_nearest_one() {
        let known = ["header", "inferSchema", "nullValue", "sep"];
        let found = spelling("csv", &known, "headr").unwrap_err();
        assert_eq!(found.to_string(), "csv has no option of this name: headr");
        assert_eq!(found.hint().as_deref(), Some("did you mean `header`?"));
        assert_eq!(spelling("csv", &known, "NULLVALUE"), Ok("nullValue"));
    }
}
