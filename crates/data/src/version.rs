//! Whose numbers: the Spark release that results, files and random draws are to equal.

use std::fmt;
use std::str::FromStr;

/// A Spark release line whose arithmetic, samplers and files we repeat.
///
/// The order of the variants is the order of the releases, so `version >= SparkVersion::V3_5` reads as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum SparkVersion {
    /// Spark 2.4 (Breeze 0.13.2, 64-byte seed hash, no centring in linear models).
    V2_4,
    /// Spark 3.5 (Breeze 2.1, 8-byte seed hash, centred linear models).
    V3_5,
    /// Spark 4.3, the newest and the default.
    #[default]
    V4_3,
}

impl SparkVersion {
    /// All versions, oldest first.
    pub const ALL: [SparkVersion; 3] = [SparkVersion::V2_4, SparkVersion::V3_5, SparkVersion::V4_3];

    /// The full release number that is written into a model's metadata.
    pub fn release(self) -> &'static str {
        match self {
            SparkVersion::V2_4 => "2.4.8",
            SparkVersion::V3_5 => "3.5.9",
            SparkVersion::V4_3 => "4.3.0",
        }
    }

    /// The release line as a job file names it.
    pub fn as_str(self) -> &'static str {
        match self {
            SparkVersion::V2_4 => "2.4",
            SparkVersion::V3_5 => "3.5",
            SparkVersion::V4_3 => "4.3",
        }
    }
}

impl fmt::Display for SparkVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text named no Spark version that we know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown Spark version (known: 2.4, 3.5, 4.3): {0}")]
pub struct UnknownVersion(pub String);

impl FromStr for SparkVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        SparkVersion::ALL
            .into_iter()
            .find(|version| version.as_str() == text)
            .ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}
