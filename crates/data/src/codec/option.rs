//! Reader and writer options as text, under Spark's names.

use crate::codec::avro::AvroSchemaError;
use crate::codec::datetime::{Pattern, Zone};
use crate::codec::mode::RowMode;
use crate::fault::{Explain, Fault, nearest};

/// An option that does not exist or whose value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// No option has this name.
    #[error("{format} has no option of this name: {name}")]
    Unknown {
        /// `csv`, `json` or `avro`.
        format: &'static str,
        /// The name as written.
        name: String,
        /// The option that is spelt alike, if one is.
        nearest: Option<String>,
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
    /// The value is no schema.
    #[error("option `{name}`: {error}")]
    AvroSchema {
        /// The option.
        name: &'static str,
        /// What is wrong.
        error: AvroSchemaError,
    },
}

impl OptionError {
    /// The option that is wrong.
    pub fn option(&self) -> &str {
        match self {
            OptionError::Unknown { name, .. } => name,
            OptionError::Value { name, .. } | OptionError::AvroSchema { name, .. } => name,
        }
    }
}

impl Explain for OptionError {
    fn fault(&self) -> Fault {
        Fault::Job
    }

    fn hint(&self) -> Option<String> {
        match self {
            OptionError::Unknown { nearest, .. } => nearest.as_ref().map(|name| format!("did you mean `{name}`?")),
            OptionError::Value { .. } => None,
            OptionError::AvroSchema { error, .. } => error.hint(),
        }
    }
}

/// Finds an option's spelling in `known` by its name, whatever the case.
pub(crate) fn spelling(format: &'static str, known: &[&'static str], name: &str) -> Result<&'static str, OptionError> {
    known.iter().find(|k| k.eq_ignore_ascii_case(name)).copied().ok_or_else(|| OptionError::Unknown {
        format,
        name: name.to_owned(),
        nearest: nearest(name, known.iter().copied()).map(str::to_owned),
    })
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

pub(crate) fn pattern(name: &'static str, value: &str) -> Result<Pattern, OptionError> {
    let expected = "a date and time pattern of the letters y u M L d D H h K k m s S a E X x Z V z";
    Pattern::parse(value).ok_or_else(|| wrong(name, expected, value))
}

pub(crate) fn zone(name: &'static str, value: &str) -> Result<Zone, OptionError> {
    Zone::parse(value).ok_or_else(|| wrong(name, "UTC, an offset like +01:00 or a name like Europe/Berlin", value))
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
