//! The options of Spark's JSON reader and writer.

use crate::codec::datetime::{Pattern, Zone};
use crate::codec::mode::RowMode;
use crate::codec::option::{self, OptionError, boolean, fraction, pattern, wrong, zone};

/// The options of Spark's JSON reader and writer, with Spark's names and defaults.
#[derive(Debug, Clone)]
pub struct JsonOptions {
    /// `mode`: what becomes of malformed records; default PERMISSIVE.
    pub mode: RowMode,
    /// `columnNameOfCorruptRecord`: the string column, if the schema has it, that gets the text of malformed records;
    /// default `_corrupt_record`.
    pub column_name_of_corrupt_record: String,
    /// `lineSep`: default LF, CR and CRLF when reading, LF when writing.
    pub line_sep: Option<String>,
    /// `primitivesAsString`: inference takes every value for a string; default false.
    pub primitives_as_string: bool,
    /// `prefersDecimal`: inference takes numbers with decimals for decimals where they fit; default false.
    pub prefers_decimal: bool,
    /// `samplingRatio`: the fraction of rows that inference looks at; default 1.
    pub sampling_ratio: f64,
    /// `allowComments`: comments as in Java and C++ may stand where blanks may; default false.
    pub allow_comments: bool,
    /// `allowSingleQuotes`: default true.
    pub allow_single_quotes: bool,
    /// `allowNonNumericNumbers`: `NaN`, `Infinity` and their like are numbers; default true.
    pub allow_non_numeric_numbers: bool,
    /// `allowNumericLeadingZeros`: `00012` is a number; default false.
    pub allow_numeric_leading_zeros: bool,
    /// `allowUnquotedFieldNames`: default false.
    pub allow_unquoted_field_names: bool,
    /// `allowBackslashEscapingAnyCharacter`: default false.
    pub allow_backslash_escaping_any_character: bool,
    /// `allowUnquotedControlChars`: a string may hold control characters as they are; default false.
    pub allow_unquoted_control_chars: bool,
    /// `ignoreNullFields`: the writer leaves null fields out; default true.
    pub ignore_null_fields: bool,
    /// `dateFormat`: default `yyyy-MM-dd`, and when reading everything that a cast reads.
    pub date_format: Option<Pattern>,
    /// `timestampFormat`: default when reading everything that a cast reads.
    pub timestamp_format: Option<Pattern>,
    /// `timestampNTZFormat`: the same for timestamps without a time zone.
    pub timestamp_ntz_format: Option<Pattern>,
    /// `enableDateTimeParsingFallback`: what a given format cannot read is read as a cast does; default only where no
    /// format is given.
    pub enable_date_time_parsing_fallback: Option<bool>,
    /// `timeZone`: of timestamps that name none; default UTC.
    pub time_zone: Zone,
}

impl Default for JsonOptions {
    fn default() -> Self {
        JsonOptions {
            mode: RowMode::Permissive,
            column_name_of_corrupt_record: "_corrupt_record".to_owned(),
            line_sep: None,
            primitives_as_string: false,
            prefers_decimal: false,
            sampling_ratio: 1.0,
            allow_comments: false,
            allow_single_quotes: true,
            allow_non_numeric_numbers: true,
            allow_numeric_leading_zeros: false,
            allow_unquoted_field_names: false,
            allow_backslash_escaping_any_character: false,
            allow_unquoted_control_chars: false,
            ignore_null_fields: true,
            date_format: None,
            timestamp_format: None,
            timestamp_ntz_format: None,
            enable_date_time_parsing_fallback: None,
            time_zone: Zone::UTC,
        }
    }
}

impl JsonOptions {
    /// The names of all options, in Spark's spelling.
    ///
    /// `compression` is not among them: bytes come here uncompressed.
    pub const NAMES: &'static [&'static str] = &[
        "mode",
        "columnNameOfCorruptRecord",
        "lineSep",
        "multiLine",
        "encoding",
        "charset",
        "primitivesAsString",
        "prefersDecimal",
        "samplingRatio",
        "allowComments",
        "allowSingleQuotes",
        "allowNonNumericNumbers",
        "allowNumericLeadingZeros",
        "allowUnquotedFieldNames",
        "allowBackslashEscapingAnyCharacter",
        "allowUnquotedControlChars",
        "dropFieldIfAllNull",
        "ignoreNullFields",
        "dateFormat",
        "timestampFormat",
        "timestampNTZFormat",
        "enableDateTimeParsingFallback",
        "timeZone",
        "locale",
    ];

    /// Reads options by name; names in any case, an option that is not given keeps its default.
    ///
    /// # Errors
    /// The first unknown name, with the nearest known one, or the first value that cannot be used. `multiLine`
    /// and `dropFieldIfAllNull` can only be false, `encoding` only UTF-8.
    pub fn parse<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, OptionError> {
        let mut options = JsonOptions::default();
        for (name, value) in given {
            let name = option::spelling("json", Self::NAMES, name)?;
            options.set(name, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &'static str, value: &str) -> Result<(), OptionError> {
        match name {
            "mode" => self.mode = option::mode(value)?,
            "columnNameOfCorruptRecord" => self.column_name_of_corrupt_record = value.to_owned(),
            "lineSep" => match value.is_empty() {
                true => return Err(wrong(name, "at least one character", value)),
                false => self.line_sep = Some(value.to_owned()),
            },
            "encoding" | "charset" => {
                if !["UTF-8", "UTF8"].iter().any(|known| value.eq_ignore_ascii_case(known)) {
                    return Err(wrong(name, "UTF-8", value));
                }
            }
            "multiLine" | "dropFieldIfAllNull" => {
                if boolean(name, value)? {
                    return Err(wrong(name, "false", value));
                }
            }
            "primitivesAsString" => self.primitives_as_string = boolean(name, value)?,
            "prefersDecimal" => self.prefers_decimal = boolean(name, value)?,
            "samplingRatio" => self.sampling_ratio = fraction(name, value)?,
            "allowComments" => self.allow_comments = boolean(name, value)?,
            "allowSingleQuotes" => self.allow_single_quotes = boolean(name, value)?,
            "allowNonNumericNumbers" => self.allow_non_numeric_numbers = boolean(name, value)?,
            "allowNumericLeadingZeros" => self.allow_numeric_leading_zeros = boolean(name, value)?,
            "allowUnquotedFieldNames" => self.allow_unquoted_field_names = boolean(name, value)?,
            "allowBackslashEscapingAnyCharacter" => {
                self.allow_backslash_escaping_any_character = boolean(name, value)?;
            }
            "allowUnquotedControlChars" => self.allow_unquoted_control_chars = boolean(name, value)?,
            "ignoreNullFields" => self.ignore_null_fields = boolean(name, value)?,
            "dateFormat" => self.date_format = Some(pattern(name, value)?),
            "timestampFormat" => self.timestamp_format = Some(pattern(name, value)?),
            "timestampNTZFormat" => self.timestamp_ntz_format = Some(pattern(name, value)?),
            "enableDateTimeParsingFallback" => {
                self.enable_date_time_parsing_fallback = Some(boolean(name, value)?);
            }
            "timeZone" => self.time_zone = zone(name, value)?,
            "locale" => option::locale(value)?,
            _ => unreachable!("every name in NAMES has an arm"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_can_be_set() {
        for name in JsonOptions::NAMES {
            let value = ["false", "1", "x", "en-US", "UTF-8", "FAILFAST", "yyyy", "UTC"]
                .into_iter()
                .find(|value| JsonOptions::parse([(*name, *value)]).is_ok());
            assert!(value.is_some(), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let refused = |name, value| JsonOptions::parse([(name, value)]).unwrap_err().to_string();
        assert_eq!(refused("multiLine", "true"), "option `multiLine` must be false: true");
        assert_eq!(refused("encoding", "UTF-32"), "option `encoding` must be UTF-8: UTF-32");
        assert_eq!(refused("modes", "x"), "json has no option of this name: modes");
    }
}
