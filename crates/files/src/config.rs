//! Options of files as a job writes them, by Spark's names, to typed settings.
//!
//! One mapping holds options of the format (`header`, `sep`) and of the files (`pathGlobFilter`, `maxFilesPerTrigger`); names are
//! taken in any case, as Spark does.

use ognivo_data::codec::OptionError;
use ognivo_data::codec::csv::CsvOptions;
use ognivo_data::codec::json::JsonOptions;
use ognivo_data::fault::{Explain, Fault, nearest};
use ognivo_data::partition_plan::PartitionSettings;
use ognivo_data::quantity::{parse_duration, parse_size};

use crate::listing::ListingOptions;
use crate::open::{Location, OpenError};
use crate::read::FileFormat;
use crate::source::{BatchLimit, CleanSource, FileSourceOptions};

/// What a dataset over files is read with.
#[derive(Debug, Clone)]
pub struct BatchReadOptions {
    /// What the files hold.
    pub format: FileFormat,
    /// Which files count.
    pub listing: ListingOptions,
    /// How they become partitions.
    pub partitions: PartitionSettings,
}

/// What a stream of files is read with.
#[derive(Debug, Clone)]
pub struct StreamReadOptions {
    /// What the files hold.
    pub format: FileFormat,
    /// How files are found and taken.
    pub source: FileSourceOptions,
}

/// An option is unknown, or its value cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The format is none of ours.
    #[error("unknown format (known: csv, json, parquet): {0}")]
    UnknownFormat(String),
    /// Neither the format nor files have such an option.
    #[error("a {what} has no option of this name: {name}")]
    Unknown {
        /// `read of csv files`, `stream of csv files`.
        what: String,
        /// The name as written.
        name: String,
        /// The option that is spelt alike, if one is.
        nearest: Option<String>,
    },
    /// The value of an option of files.
    #[error("option `{name}` must be {expected}: {value}")]
    Value {
        /// The option, in Spark's spelling.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
        /// The value as written.
        value: String,
    },
    /// An option of the format.
    #[error(transparent)]
    Format(OptionError),
    /// The folder of `sourceArchiveDir`.
    #[error("option `sourceArchiveDir`: {0}")]
    Archive(OpenError),
    /// Options contradict each other.
    #[error("{0}")]
    Conflict(&'static str),
}

impl ConfigError {
    /// The option that is wrong, where one is.
    pub fn option(&self) -> Option<&str> {
        match self {
            ConfigError::Unknown { name, .. } => Some(name),
            ConfigError::Value { name, .. } => Some(name),
            ConfigError::Format(cause) => Some(cause.option()),
            ConfigError::Archive(_) => Some("sourceArchiveDir"),
            _ => None,
        }
    }
}

impl Explain for ConfigError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        match self {
            ConfigError::Unknown { nearest, .. } => nearest.as_ref().map(|name| format!("did you mean `{name}`?")),
            ConfigError::Format(cause) => cause.hint(),
            ConfigError::Archive(cause) => cause.hint(),
            _ => None,
        }
    }
}

const LISTING: &[&str] = &["pathGlobFilter", "recursiveFileLookup"];
const PARTITIONS: &[&str] = &["maxPartitionBytes", "openCostInBytes"];
const SOURCE: &[&str] = &[
    "maxFilesPerTrigger",
    "maxBytesPerTrigger",
    "latestFirst",
    "maxFileAge",
    "fileNameOnly",
    "cleanSource",
    "sourceArchiveDir",
    "maxCachedFiles",
    "discardCachedInputRatio",
    "ignoreMissingFiles",
];

type Given = [(String, String)];

/// Options of a read of all files at once.
///
/// # Errors
/// [`ConfigError`] for the first option that cannot be used.
pub fn batch_read_options(format: &str, given: &Given) -> Result<BatchReadOptions, ConfigError> {
    let (of_files, of_format) = split("read", format, given, &[LISTING, PARTITIONS])?;
    let mut listing = ListingOptions::default();
    let mut partitions = PartitionSettings::default();
    for (name, value) in of_files {
        match name {
            "maxPartitionBytes" => partitions.max_partition_bytes = size(name, value)?,
            "openCostInBytes" => partitions.open_cost_bytes = size(name, value)?,
            _ => set_listing(&mut listing, name, value)?,
        }
    }
    Ok(BatchReadOptions { format: parse_format(format, &of_format)?, listing, partitions })
}

/// Options of a stream; `open` makes a place of `sourceArchiveDir`.
///
/// # Errors
/// [`ConfigError`] for the first option that cannot be used.
pub fn stream_read_options(
    format: &str,
    given: &Given,
    open: impl Fn(&str) -> Result<Location, OpenError>,
) -> Result<StreamReadOptions, ConfigError> {
    let (of_files, of_format) = split("stream", format, given, &[LISTING, SOURCE])?;
    let value_of = |wanted: &str| of_files.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
    if value_of("maxFilesPerTrigger").is_some() && value_of("maxBytesPerTrigger").is_some() {
        return Err(ConfigError::Conflict("give maxFilesPerTrigger or maxBytesPerTrigger, not both"));
    }
    let mut source = FileSourceOptions::default();
    for &(name, value) in &of_files {
        match name {
            "maxFilesPerTrigger" => source.limit = BatchLimit::Files(positive(name, value)?),
            "maxBytesPerTrigger" => source.limit = BatchLimit::Bytes(size(name, value)?),
            "latestFirst" => source.latest_first = boolean(name, value)?,
            "maxFileAge" => source.max_file_age_ms = age_ms(name, value)?,
            "fileNameOnly" => source.file_name_only = boolean(name, value)?,
            "cleanSource" => source.clean = clean(name, value, value_of("sourceArchiveDir"), &open)?,
            "sourceArchiveDir" => {}
            "maxCachedFiles" => source.max_cached_files = count(name, value)?,
            "discardCachedInputRatio" => source.discard_cached_input_ratio = ratio(name, value)?,
            "ignoreMissingFiles" => source.ignore_missing_files = boolean(name, value)?,
            _ => set_listing(&mut source.listing, name, value)?,
        }
    }
    Ok(StreamReadOptions { format: parse_format(format, &of_format)?, source })
}

type OfFiles<'a> = Vec<(&'static str, &'a str)>;
type OfFormat<'a> = Vec<(&'a str, &'a str)>;

/// Options of files in Spark's spelling, and all others as they were written.
fn split<'a>(
    verb: &str,
    format: &str,
    given: &'a Given,
    known: &[&'static [&'static str]],
) -> Result<(OfFiles<'a>, OfFormat<'a>), ConfigError> {
    let of_format = format_options(format)?;
    let (mut files, mut rest) = (Vec::new(), Vec::new());
    for (name, value) in given {
        let mut of_files = known.iter().copied().flatten();
        if let Some(spelt) = of_files.find(|known| known.eq_ignore_ascii_case(name)) {
            files.push((*spelt, value.as_str()));
        } else if of_format.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            rest.push((name.as_str(), value.as_str()));
        } else {
            let all = known.iter().copied().flatten().chain(of_format).copied();
            let nearest = nearest(name, all).map(str::to_owned);
            let what = format!("{verb} of {format} files");
            return Err(ConfigError::Unknown { what, name: name.clone(), nearest });
        }
    }
    Ok((files, rest))
}

fn format_options(format: &str) -> Result<&'static [&'static str], ConfigError> {
    match format {
        "csv" => Ok(CsvOptions::NAMES),
        "json" => Ok(JsonOptions::NAMES),
        "parquet" => Ok(&[]),
        other => Err(ConfigError::UnknownFormat(other.to_owned())),
    }
}

fn parse_format(format: &str, given: &[(&str, &str)]) -> Result<FileFormat, ConfigError> {
    let given = given.iter().copied();
    match format {
        "csv" => Ok(FileFormat::Csv(CsvOptions::parse(given).map_err(ConfigError::Format)?)),
        "json" => Ok(FileFormat::Json(JsonOptions::parse(given).map_err(ConfigError::Format)?)),
        "parquet" => Ok(FileFormat::Parquet),
        other => Err(ConfigError::UnknownFormat(other.to_owned())),
    }
}

fn set_listing(listing: &mut ListingOptions, name: &'static str, value: &str) -> Result<(), ConfigError> {
    match name {
        "pathGlobFilter" => listing.path_glob_filter = Some(value.to_owned()),
        _ => listing.recursive_file_lookup = boolean(name, value)?,
    }
    Ok(())
}

fn clean(
    name: &'static str,
    value: &str,
    archive: Option<&str>,
    open: impl Fn(&str) -> Result<Location, OpenError>,
) -> Result<CleanSource, ConfigError> {
    match value.to_ascii_lowercase().as_str() {
        "off" => Ok(CleanSource::Off),
        "delete" => Ok(CleanSource::Delete),
        "archive" => {
            let archive =
                archive.ok_or(ConfigError::Conflict("cleanSource archive needs the option sourceArchiveDir"))?;
            Ok(CleanSource::Archive(open(archive).map_err(ConfigError::Archive)?))
        }
        _ => Err(wrong(name, "off, delete or archive", value)),
    }
}

fn wrong(name: &'static str, expected: &'static str, value: &str) -> ConfigError {
    ConfigError::Value { name, expected, value: value.to_owned() }
}

fn boolean(name: &'static str, value: &str) -> Result<bool, ConfigError> {
    value.to_ascii_lowercase().parse().map_err(|_| wrong(name, "true or false", value))
}

fn count(name: &'static str, value: &str) -> Result<usize, ConfigError> {
    value.parse().map_err(|_| wrong(name, "an integer from 0 on", value))
}

fn positive(name: &'static str, value: &str) -> Result<usize, ConfigError> {
    value.parse().ok().filter(|&n| n > 0).ok_or_else(|| wrong(name, "an integer from 1 on", value))
}

fn ratio(name: &'static str, value: &str) -> Result<f64, ConfigError> {
    value.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).ok_or_else(|| wrong(name, "from 0 to 1", value))
}

fn size(name: &'static str, value: &str) -> Result<u64, ConfigError> {
    parse_size(value).filter(|&bytes| bytes > 0).ok_or_else(|| wrong(name, "a size such as `64m`", value))
}

/// A duration, or Spark's bare number of milliseconds.
fn age_ms(name: &'static str, value: &str) -> Result<i64, ConfigError> {
    let age = value.parse::<i64>().ok().filter(|&ms| ms >= 0);
    let age = age.or_else(|| i64::try_from(parse_duration(value)?.as_millis()).ok());
    age.ok_or_else(|| wrong(name, "a duration such as `7d`", value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(options: &[(&str, &str)]) -> Vec<(String, String)> {
        options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn open_here(path: &str) -> Result<Location, OpenError> {
        crate::open::open(path, std::path::Path::new("/jobs"))
    }

    #[test]
    fn options_of_files_and_of_the_format_are_told_apart_in_any_case() {
        let options = given(&[("HEADER", "true"), ("maxfilespertrigger", "1"), ("maxFileAge", "1d")]);
        let parsed = stream_read_options("csv", &options, open_here).unwrap();
        assert_eq!((parsed.source.limit, parsed.source.max_file_age_ms), (BatchLimit::Files(1), 86_400_000));
        assert!(matches!(parsed.format, FileFormat::Csv(options) if options.header));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (options, expect) in [
            (&[("maxFilePerTrigger", "1")][..], "a stream of csv files has no option of this name: maxFilePerTrigger"),
            (&[("maxFilesPerTrigger", "0")], "option `maxFilesPerTrigger` must be an integer from 1 on: 0"),
            (&[("latestFirst", "maybe")], "option `latestFirst` must be true or false: maybe"),
            (&[("cleanSource", "archive")], "cleanSource archive needs the option sourceArchiveDir"),
            (&[("maxPartitionBytes", "1m")], "a stream of csv files has no option of this name: maxPartitionBytes"),
        ] {
            let error = stream_read_options("csv", &given(options), open_here).unwrap_err();
            assert_eq!(error.to_string(), expect);
        }
    }
}
