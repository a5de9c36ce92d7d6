//! The options of Spark's CSV reader and writer.

use crate::codec::datetime::{Pattern, Zone};
use crate::codec::mode::RowMode;
use crate::codec::option::{self, OptionError, boolean, fraction, integer, pattern, wrong, zone};

/// The options of Spark's CSV reader and writer, with Spark's names and defaults.
///
/// Options that mean one thing when reading and another when writing (`emptyValue`, the two `ignore…WhiteSpace`) are
/// kept as given; `None` stands for the default of the direction.
#[derive(Debug, Clone)]
pub struct CsvOptions {
    /// `sep` (alias `delimiter`): text between fields, one character or more; default `,`.
    pub sep: String,
    /// `quote`: default `"`; `None` when switched off by an empty text.
    pub quote: Option<char>,
    /// `escape`: makes a quote within quotes an ordinary character; default `\`.
    pub escape: Option<char>,
    /// `charToEscapeQuoteEscaping`: escapes the escape; default the escape itself unless it equals the quote.
    pub escape_escape: Option<char>,
    /// `comment`: a line that begins with it is no record; default none.
    pub comment: Option<char>,
    /// `header`: the first line of each file names the columns; default false.
    pub header: bool,
    /// `inferSchema`: columns get types from their values; default false, all strings.
    pub infer_schema: bool,
    /// `samplingRatio`: the fraction of rows that inference looks at; default 1.
    pub sampling_ratio: f64,
    /// `enforceSchema`: the header is not compared with the schema; default true.
    pub enforce_schema: bool,
    /// `multiLine`: a quoted field may hold line ends; default false.
    pub multi_line: bool,
    /// `lineSep`: one or two characters; default LF, CR and CRLF, mixed as they come.
    pub line_sep: Option<String>,
    /// `encoding` (alias `charset`): default UTF-8.
    pub encoding: Encoding,
    /// `mode`: what becomes of malformed records; default PERMISSIVE.
    pub mode: RowMode,
    /// `nullValue`: text that stands for null, quoted or not; default empty.
    pub null_value: String,
    /// `emptyValue`: what `""` is read as, default empty; what an empty string is written as, default `""`.
    pub empty_value: Option<String>,
    /// `nanValue`: default `NaN`.
    pub nan_value: String,
    /// `positiveInf`: default `Inf`.
    pub positive_inf: String,
    /// `negativeInf`: default `-Inf`.
    pub negative_inf: String,
    /// `ignoreLeadingWhiteSpace`: default false when reading, true when writing.
    pub ignore_leading_white_space: Option<bool>,
    /// `ignoreTrailingWhiteSpace`: default false when reading, true when writing.
    pub ignore_trailing_white_space: Option<bool>,
    /// `columnNameOfCorruptRecord`: the string column, if the schema has it, that gets the text of malformed records;
    /// default `_corrupt_record`.
    pub column_name_of_corrupt_record: String,
    /// `maxColumns`: a record with more is malformed; default 20480.
    pub max_columns: usize,
    /// `maxCharsPerColumn`: a longer field makes its record malformed; default −1, no limit.
    pub max_chars_per_column: Option<usize>,
    /// `unescapedQuoteHandling`: default STOP_AT_DELIMITER.
    pub unescaped_quote_handling: UnescapedQuoteHandling,
    /// `preferDate`: inference tries dates before timestamps; default true.
    pub prefer_date: bool,
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
    /// `quoteAll`: the writer quotes every field; default false.
    pub quote_all: bool,
    /// `escapeQuotes`: the writer quotes a field because a quote is in it; default true.
    pub escape_quotes: bool,
}

/// Encodings that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8; what is no UTF-8 becomes U+FFFD, as in Java.
    #[default]
    Utf8,
    /// ISO-8859-1, every byte the character of its number.
    Latin1,
}

/// What the reader does when a quoted field goes on after its closing quote: `"a"b,`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)] // the names are univocity's, whose manual explains them
pub enum UnescapedQuoteHandling {
    StopAtClosingQuote,
    #[default]
    StopAtDelimiter,
    BackToDelimiter,
    SkipValue,
    RaiseError,
}

impl Default for CsvOptions {
    fn default() -> Self {
        CsvOptions {
            sep: ",".to_owned(),
            quote: Some('"'),
            escape: Some('\\'),
            escape_escape: None,
            comment: None,
            header: false,
            infer_schema: false,
            sampling_ratio: 1.0,
            enforce_schema: true,
            multi_line: false,
            line_sep: None,
            encoding: Encoding::Utf8,
            mode: RowMode::Permissive,
            null_value: String::new(),
            empty_value: None,
            nan_value: "NaN".to_owned(),
            positive_inf: "Inf".to_owned(),
            negative_inf: "-Inf".to_owned(),
            ignore_leading_white_space: None,
            ignore_trailing_white_space: None,
            column_name_of_corrupt_record: "_corrupt_record".to_owned(),
            max_columns: 20480,
            max_chars_per_column: None,
            unescaped_quote_handling: UnescapedQuoteHandling::default(),
            prefer_date: true,
            date_format: None,
            timestamp_format: None,
            timestamp_ntz_format: None,
            enable_date_time_parsing_fallback: None,
            time_zone: Zone::UTC,
            quote_all: false,
            escape_quotes: true,
        }
    }
}

impl CsvOptions {
    /// The names of all options, in Spark's spelling.
    ///
    /// `compression` and `codec` are not among them: bytes come here uncompressed.
    pub const NAMES: &'static [&'static str] = &[
        "sep",
        "delimiter",
        "quote",
        "escape",
        "charToEscapeQuoteEscaping",
        "comment",
        "header",
        "inferSchema",
        "samplingRatio",
        "enforceSchema",
        "multiLine",
        "lineSep",
        "encoding",
        "charset",
        "mode",
        "nullValue",
        "emptyValue",
        "nanValue",
        "positiveInf",
        "negativeInf",
        "ignoreLeadingWhiteSpace",
        "ignoreTrailingWhiteSpace",
        "columnNameOfCorruptRecord",
        "maxColumns",
        "maxCharsPerColumn",
        "unescapedQuoteHandling",
        "preferDate",
        "dateFormat",
        "timestampFormat",
        "timestampNTZFormat",
        "enableDateTimeParsingFallback",
        "timeZone",
        "locale",
        "quoteAll",
        "escapeQuotes",
        "inputBufferSize",
    ];

    /// Reads options by name; names in any case, an option that is not given keeps its default.
    ///
    /// # Errors
    /// The first unknown name, with the nearest known one, or the first value that cannot be used.
    pub fn parse<'a>(given: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, OptionError> {
        let mut options = CsvOptions::default();
        for (name, value) in given {
            let name = option::spelling("csv", Self::NAMES, name)?;
            options.set(name, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &'static str, value: &str) -> Result<(), OptionError> {
        match name {
            "sep" | "delimiter" => self.sep = separator(name, value)?,
            "quote" => self.quote = one_char(name, value)?,
            "escape" => self.escape = one_char(name, value)?,
            "charToEscapeQuoteEscaping" => self.escape_escape = one_char(name, value)?,
            "comment" => self.comment = one_char(name, value)?,
            "header" => self.header = boolean(name, value)?,
            "inferSchema" => self.infer_schema = boolean(name, value)?,
            "samplingRatio" => self.sampling_ratio = fraction(name, value)?,
            "enforceSchema" => self.enforce_schema = boolean(name, value)?,
            "multiLine" => self.multi_line = boolean(name, value)?,
            "lineSep" => match value.chars().count() {
                1 | 2 => self.line_sep = Some(value.to_owned()),
                _ => return Err(wrong(name, "one or two characters", value)),
            },
            "encoding" | "charset" => self.encoding = encoding(name, value)?,
            "mode" => self.mode = option::mode(value)?,
            "nullValue" => self.null_value = value.to_owned(),
            "emptyValue" => self.empty_value = Some(value.to_owned()),
            "nanValue" => self.nan_value = value.to_owned(),
            "positiveInf" => self.positive_inf = value.to_owned(),
            "negativeInf" => self.negative_inf = value.to_owned(),
            "ignoreLeadingWhiteSpace" => self.ignore_leading_white_space = Some(boolean(name, value)?),
            "ignoreTrailingWhiteSpace" => self.ignore_trailing_white_space = Some(boolean(name, value)?),
            "columnNameOfCorruptRecord" => self.column_name_of_corrupt_record = value.to_owned(),
            "maxColumns" => {
                self.max_columns = usize::try_from(integer(name, value)?)
                    .ok()
                    .filter(|n| *n > 0)
                    .ok_or_else(|| wrong(name, "a number above 0", value))?;
            }
            "maxCharsPerColumn" => {
                self.max_chars_per_column = match integer(name, value)? {
                    -1 => None,
                    n => Some(usize::try_from(n).map_err(|_| wrong(name, "-1 or a number above 0", value))?),
                };
            }
            "unescapedQuoteHandling" => {
                self.unescaped_quote_handling = UnescapedQuoteHandling::parse(name, value)?;
            }
            "preferDate" => self.prefer_date = boolean(name, value)?,
            "dateFormat" => self.date_format = Some(pattern(name, value)?),
            "timestampFormat" => self.timestamp_format = Some(pattern(name, value)?),
            "timestampNTZFormat" => self.timestamp_ntz_format = Some(pattern(name, value)?),
            "enableDateTimeParsingFallback" => {
                self.enable_date_time_parsing_fallback = Some(boolean(name, value)?);
            }
            "timeZone" => self.time_zone = zone(name, value)?,
            "locale" => option::locale(value)?,
            "quoteAll" => self.quote_all = boolean(name, value)?,
            "escapeQuotes" => self.escape_quotes = boolean(name, value)?,
            // A tuning knob of Spark's parser; it changes no row.
            "inputBufferSize" => drop(integer(name, value)?),
            _ => unreachable!("every name in NAMES has an arm"),
        }
        Ok(())
    }

    /// What `""` is read as.
    pub(crate) fn empty_value_in_read(&self) -> &str {
        self.empty_value.as_deref().unwrap_or("")
    }

    /// The character that escapes the escape character.
    pub(crate) fn escape_escape(&self) -> Option<char> {
        self.escape_escape.or(if self.escape == self.quote { None } else { self.escape })
    }
}

impl UnescapedQuoteHandling {
    fn parse(name: &'static str, value: &str) -> Result<Self, OptionError> {
        Ok(match value.to_ascii_uppercase().as_str() {
            "STOP_AT_CLOSING_QUOTE" => Self::StopAtClosingQuote,
            "STOP_AT_DELIMITER" => Self::StopAtDelimiter,
            "BACK_TO_DELIMITER" => Self::BackToDelimiter,
            "SKIP_VALUE" => Self::SkipValue,
            "RAISE_ERROR" => Self::RaiseError,
            _ => {
                let expected = "STOP_AT_CLOSING_QUOTE, STOP_AT_DELIMITER, BACK_TO_DELIMITER, SKIP_VALUE or RAISE_ERROR";
                return Err(wrong(name, expected, value));
            }
        })
    }
}

/// A character, or none for an empty text, as Spark takes `quote` and its like.
fn one_char(name: &'static str, value: &str) -> Result<Option<char>, OptionError> {
    let mut chars = value.chars();
    match (chars.next(), chars.next()) {
        (None, _) | (Some('\0'), None) => Ok(None),
        (Some(c), None) if c.is_ascii() => Ok(Some(c)),
        _ => Err(wrong(name, "one ASCII character, or empty for none", value)),
    }
}

/// A separator with Spark's escapes: `\t`, `\\`, `\"`, `\'`, `\u0000`.
fn separator(name: &'static str, value: &str) -> Result<String, OptionError> {
    const EXPECTED: &str = "one or more characters; of escapes there are \\t \\r \\b \\f \\\\ \\\" \\' \\u0000";
    let mut sep = String::new();
    let mut chars = value.chars().peekable();
    let mut rest = value;
    while let Some(c) = chars.next() {
        rest = &rest[c.len_utf8()..];
        if c != '\\' {
            sep.push(c);
            continue;
        }
        if rest.starts_with("u0000") {
            sep.push('\0');
            rest = &rest[5..];
            chars = rest.chars().peekable();
            continue;
        }
        sep.push(match chars.next() {
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(c @ ('\\' | '"' | '\'')) => c,
            _ => return Err(wrong(name, EXPECTED, value)),
        });
        rest = &rest[1..];
    }
    match sep.is_empty() {
        true => Err(wrong(name, EXPECTED, value)),
        false => Ok(sep),
    }
}

fn encoding(name: &'static str, value: &str) -> Result<Encoding, OptionError> {
    match value.to_ascii_uppercase().as_str() {
        "UTF-8" | "UTF8" | "US-ASCII" | "ASCII" => Ok(Encoding::Utf8),
        "ISO-8859-1" | "ISO8859-1" | "ISO_8859_1" | "LATIN1" => Ok(Encoding::Latin1),
        _ => Err(wrong(name, "UTF-8 or ISO-8859-1", value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_defaults_are_sparks() {
        let options = CsvOptions::parse([("HEADER", "true"), ("Sep", "\\t"), ("quote", "")]).unwrap();
        assert!(options.header);
        assert_eq!(options.sep, "\t");
        assert_eq!(options.quote, None);
        assert_eq!(options.escape, Some('\\'));
        assert_eq!(options.mode, RowMode::Permissive);
    }

    #[test]
    fn an_unknown_name_or_a_wrong_value_is_refused() {
        let refused = |name, value| CsvOptions::parse([(name, value)]).unwrap_err().to_string();
        assert_eq!(refused("nulValue", "x"), "csv has no option of this name: nulValue");
        assert_eq!(refused("header", "yes"), "option `header` must be true or false: yes");
        assert_eq!(refused("quote", "ab"), "option `quote` must be one ASCII character, or empty for none: ab");
        assert_eq!(refused("encoding", "UTF-16"), "option `encoding` must be UTF-8 or ISO-8859-1: UTF-16");
        assert_eq!(
            refused("locale", "de-DE"),
            "option `locale` must be en-US, the only locale whose numbers and month names are known: de-DE"
        );
    }

    #[test]
    fn every_option_can_be_set() {
        for name in CsvOptions::NAMES {
            let value = ["true", "1", "x", "en-US", "UTF-8", "FAILFAST", "RAISE_ERROR", "yyyy", "UTC"]
                .into_iter()
                .find(|value| CsvOptions::parse([(*name, *value)]).is_ok());
            assert!(value.is_some(), "{name}");
        }
    }
}
