//! What stands in for the missing values of a column: the one pass of `Imputer::fit`.

use arrow_array::{Array, RecordBatch};
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::version::SparkVersion;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::numeric::to_doubles;
use crate::stat::ApproxQuantile;

/// How the surrogate of a column is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// The mean of the values.
    Mean,
    /// Their approximate median.
    Median,
    /// The most frequent one, and of several the smallest; since Spark 3.1.
    Mode,
}

impl Strategy {
    /// Spark's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Strategy::Mean => "mean",
            Strategy::Median => "median",
            Strategy::Mode => "mode",
        }
    }
}

/// Columns for whose missing values surrogates are looked for.
pub(super) struct Incomplete {
    /// Positions of the columns, which are numeric.
    pub(super) columns: Vec<usize>,
    /// Missing, as null and NaN always are.
    pub(super) missing_value: f64,
    /// Of medians.
    pub(super) relative_error: f64,
    pub(super) version: SparkVersion,
}

impl Incomplete {
    /// The surrogate of each column, `None` where all values are missing, in one pass.
    ///
    /// # Errors
    /// When the pass fails.
    pub(super) fn surrogates(self, strategy: Strategy, data: &Dataset) -> Result<Vec<Option<f64>>, DatasetError> {
        let Incomplete { columns, missing_value, relative_error, version } = self;
        match strategy {
            Strategy::Mean => {
                let means = vec![Mean::default(); columns.len()];
                Ok(data.aggregate(Means { columns, missing_value, means })?.means.iter().map(Mean::value).collect())
            }
            Strategy::Median => {
                let asked = ApproxQuantile { columns, relative_error, ignored_value: Some(missing_value), version };
                let medians = asked.answers(data, &[0.5])?;
                Ok(medians.into_iter().map(|median| median?.first().copied()).collect())
            }
            Strategy::Mode => {
                let counts = vec![Counts::default(); columns.len()];
                let modes = data.aggregate(Modes { columns, missing_value, counts })?;
                Ok(modes.counts.iter().map(Counts::most_frequent).collect())
            }
        }
    }
}

/// Every value of a number column that is neither null nor NaN nor `missing_value`.
fn for_each_value(column: &dyn Array, missing_value: f64, mut take: impl FnMut(f64)) {
    let column = to_doubles(column).expect("surrogates are looked for in numeric columns");
    let mut check = |value: f64| {
        // A NaN is not equal to a missing value of NaN; it is always left out.
        #[allow(clippy::float_cmp, reason = "Spark asks whether it is that very value")]
        if !value.is_nan() && value != missing_value {
            take(value);
        }
    };
    match column.null_count() {
        0 => column.values().iter().for_each(|&value| check(value)),
        _ => column.iter().flatten().for_each(check),
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Means {
    columns: Vec<usize>,
    missing_value: f64,
    means: Vec<Mean>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    /// `None` without values, and when infinities of both signs leave no mean: Spark takes both for the same.
    fn value(&self) -> Option<f64> {
        let mean = self.sum / self.count as f64;
        (!mean.is_nan()).then_some(mean)
    }
}

impl Aggregate for Means {
    const NAME: &'static str = "sum columns";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        for (&position, mean) in self.columns.iter().zip(&mut self.means) {
            for_each_value(rows.column(position), self.missing_value, |value| {
                mean.sum += value;
                mean.count += 1;
            });
        }
        Ok(())
    }

    fn merge(&mut self, later: Means) {
        for (ours, theirs) in self.means.iter_mut().zip(later.means) {
            ours.sum += theirs.sum;
            ours.count += theirs.count;
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Modes {
    columns: Vec<usize>,
    missing_value: f64,
    counts: Vec<Counts>,
}

/// How often each value occurs, by its bits.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Counts(FxHashMap<u64, u64>);

impl Counts {
    fn most_frequent(&self) -> Option<f64> {
        let values = self.0.iter().map(|(&bits, &count)| (count, f64::from_bits(bits)));
        let most = values.max_by(|(count, value), (other, another)| count.cmp(other).then(another.total_cmp(value)));
        most.map(|(_, value)| value)
    }
}

impl Aggregate for Modes {
    const NAME: &'static str = "count values";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        for (&position, Counts(counts)) in self.columns.iter().zip(&mut self.counts) {
            for_each_value(rows.column(position), self.missing_value, |value| {
                // A zero of either sign is one value: the positive one, which the sum makes of both.
                *counts.entry((value + 0.0).to_bits()).or_insert(0) += 1;
            });
        }
        Ok(())
    }

    fn merge(&mut self, later: Modes) {
        for (Counts(ours), Counts(theirs)) in self.counts.iter_mut().zip(later.counts) {
            theirs.into_iter().for_each(|(bits, count)| *ours.entry(bits).or_insert(0) += count);
        }
    }
}
