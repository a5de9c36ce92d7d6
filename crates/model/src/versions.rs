//! What changed in which Spark release, one row per difference.
//!
//! Code that writes or reads a directory asks for a difference by name ([`Release::has`]); nowhere else is a release compared
//! with a number. Differences inside one class are that class's own business (`ognivo-ml`, see its `to_saved` and
//! `from_saved`) and stand here for the reader.

use std::fmt;
use std::str::FromStr;

/// The major and minor number of a Spark release: `3.5` of `3.5.9`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// `3` of `3.5.9`.
    pub major: u16,
    /// `5` of `3.5.9`.
    pub minor: u16,
}

impl Release {
    /// The release `major.minor`.
    pub const fn new(major: u16, minor: u16) -> Release {
        Release { major, minor }
    }

    /// Whether directories of this release are made with `change`.
    pub fn has(self, change: Change) -> bool {
        self >= change.since()
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Release {
    type Err = NotARelease;

    /// Reads `3.5.9`, `4.0.0-SNAPSHOT`, `2.4`: two numbers with a dot between them, then anything after another dot.
    ///
    /// Same as Spark (`VersionUtils.majorMinorVersion`, all versions).
    fn from_str(text: &str) -> Result<Release, NotARelease> {
        let number = |text: &str| text.parse::<u16>().ok().filter(|_| !text.starts_with('+'));
        let parse = || {
            let (major, rest) = text.split_once('.')?;
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (minor, suffix) = rest.split_at(end);
            let ends_well = suffix.is_empty() || suffix.starts_with('.');
            ends_well.then_some(Release::new(number(major)?, number(minor)?))
        };
        parse().ok_or_else(|| NotARelease(text.chars().take(60).collect()))
    }
}

/// The text is not the number of a Spark release.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Spark release: {0}")]
pub struct NotARelease(pub String);

/// One row of [`DIFFERENCES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub change: Change,
    /// The first release with it.
    pub since: Release,
    /// What is different, before and after.
    pub what: &'static str,
}

macro_rules! differences {
    ($($name:ident $major:literal . $minor:literal $what:literal)*) => {
        /// A difference between releases, by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Change {
            $(#[doc = $what] $name,)*
        }

        impl Change {
            /// The first release with it.
            pub const fn since(self) -> Release {
                match self {
                    $(Change::$name => Release::new($major, $minor),)*
                }
            }
        }

        /// Every difference that matters to the stages we have, oldest first.
        pub const DIFFERENCES: &[Difference] = &[$(
            Difference { change: Change::$name, since: Release::new($major, $minor), what: $what },
        )*];
    };
}

differences! {
    CoefficientMatrix 2 . 1 "LogisticRegressionModel: `coefficientMatrix`, `interceptVector`, `isMultinomial` in place of `coefficients` and `intercept`."
    DefaultParamMap 2 . 4 "Metadata: `defaultParamMap` beside `paramMap`; a reader of these releases requires it."
    LabelsArray 3 . 0 "StringIndexerModel: `labelsArray` (a list per column) in place of `labels`; `inputCols` and `outputCols`."
    RobustScaler 3 . 0 "RobustScaler, which earlier releases have not."
    ImputerColumn 3 . 0 "Imputer: `inputCol`, `outputCol`, `relativeError`, and numbers of every type; from 3.1 on the strategy `mode`."
    EncoderOfOneColumn 3 . 0 "OneHotEncoder: the class, of one column or many; before, `OneHotEncoderEstimator`, of many. `OneHotEncoder` was a transformer."
    EvaluatorWeight 3 . 0 "Evaluators: `weightCol`; BinaryClassificationEvaluator: `numBins`; MulticlassClassificationEvaluator: `beta`, `eps`, `metricLabel`, `probabilityCol` and ten more metrics; RegressionEvaluator: `throughOrigin` and the metric `var`."
    MaxBlockSizeInMb 3 . 1 "LogisticRegression: `maxBlockSizeInMB`."
    TextMetadata 4 . 0 "Metadata: written by the text writer, `part-00000-<uuid>-c000.txt` in place of `part-00000`."
    SortedParams 4 . 0 "Metadata: parameters in the order of their names; before, in the order of a hash table."
    NumberedTreeColumns 4 . 1 "Tree ensembles: the columns of `treesMetadata` are `_1`, `_2`, `_3` in place of `treeID`, `metadata`, `weights`."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_read_as_spark_reads_them() {
        for (text, expect) in [
            ("3.5.9", Some(Release::new(3, 5))),
            ("2.4", Some(Release::new(2, 4))),
            ("4.0.0-SNAPSHOT", Some(Release::new(4, 0))),
            ("ours-1", None),
            ("3", None),
            ("3.x", None),
            ("3.5-rc1", None),
            ("+3.5", None),
            ("99999.1", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Release>().ok(), expect, "{text}");
        }
    }

    #[test]
    fn the_table_is_in_the_order_of_releases() {
        assert!(DIFFERENCES.windows(2).all(|pair| pair[0].since <= pair[1].since));
        assert!(Release::new(3, 5).has(Change::LabelsArray) && !Release::new(3, 5).has(Change::TextMetadata));
    }
}
