//! The options of Spark's `from_avro` and `to_avro`.

use super::schema::AvroSchema;
use crate::codec::mode::RowMode;
use crate::codec::option::{self, OptionError, wrong};

/// The options of Spark's `from_avro` and `to_avro`, with Spark's names.
#[derive(Debug, Clone, Default)]
pub struct AvroOptions {
    /// `mode`: what becomes of malformed records; default PERMISSIVE.
    pub mode: RowMode,
    /// `avroSchema`: the schema that records are written by, as JSON. When reading it must be given, unless each record names
    /// its own; when writing the default is made of the columns, as Spark makes it.
    pub schema: Option<AvroSchema>,
}

impl AvroOptions {
    /// The names of all options, in Spark's spelling.
    pub const NAMES: &'static [&'static str] = &["mode", "avroSchema", "datetimeRebaseMode", "recursiveFieldMaxDepth"];

    /// Reads options by name; names in any case, an option that is not given keeps its default.
    ///
    /// # Errors
    /// The first unknown name, with the nearest known one, or the first value that cannot be used. `datetimeRebaseMode` can only
    /// be CORRECTED, `recursiveFieldMaxDepth` only -1.
    pub fn parse<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, OptionError> {
        let mut options = AvroOptions::default();
        for (name, value) in given {
            let name = option::spelling("avro", Self::NAMES, name)?;
            options.set(name, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &'static str, value: &str) -> Result<(), OptionError> {
        match name {
            "mode" => self.mode = option::mode(value)?,
            "avroSchema" => match AvroSchema::parse(value) {
                Ok(schema) => self.schema = Some(schema),
                Err(error) => return Err(OptionError::AvroSchema { name, error }),
            },
            "datetimeRebaseMode" if !value.eq_ignore_ascii_case("CORRECTED") => {
                return Err(wrong(name, "CORRECTED, dates as they stand", value));
            }
            "recursiveFieldMaxDepth" if value != "-1" => {
                return Err(wrong(name, "-1, no schema that holds itself", value));
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Explain as _;

    #[test]
    fn every_option_can_be_set() {
        let record = r#"{"type":"record","name":"R","fields":[]}"#;
        for name in AvroOptions::NAMES {
            let value =
                ["FAILFAST", record, "corrected", "-1"].into_iter().find(|v| AvroOptions::parse([(*name, *v)]).is_ok());
            assert!(value.is_some(), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let refused = |name, value| AvroOptions::parse([(name, value)]).unwrap_err();
        assert_eq!(refused("avroScheme", "x").hint().as_deref(), Some("did you mean `avroSchema`?"));
        let text = refused("avroSchema", r#"{"type":"record","name":"R"}"#).to_string();
        assert!(text.starts_with("option `avroSchema`: not an Avro schema: "), "{text}");
    }
}
