//! Quantiles of numeric columns, as Spark's `approxQuantile` gives them.

use arrow_array::{Array, RecordBatch};
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::{PartitionSketches, QuantileSummaries};
use crate::numeric::to_doubles;

/// Sketches of columns, in one pass: what quantiles are read from by [`QuantileSummaries::query`].
///
/// Null and NaN are passed over.
///
/// Same as Spark (`StatFunctions.multipleApproxQuantiles`) on one executor, whose partitions come in order. Since 4.1 it is a
/// query with SQL's `approx_percentile`, before an aggregation of an RDD, which merges in another order.
/// Differs from Spark 4.3: more than 128 columns are sketched as fewer are (there, in a way that falls back to sorting).
#[derive(Debug, Clone)]
pub struct ApproxQuantile {
    /// Positions of the columns, which are numeric.
    pub columns: Vec<usize>,
    /// How far from the rank that is asked for an answer's rank may be, as a share of all values; 0 for exact answers.
    pub relative_error: f64,
    /// Passed over too.
    pub ignored_value: Option<f64>,
    /// Whose numbers.
    pub version: SparkVersion,
}

impl ApproxQuantile {
    /// For each column the value at each of these shares of its values, as [`QuantileSummaries::query`] answers; `None` for a
    /// column without values.
    ///
    /// Same as Spark: 2.4 asks for one share after the other, later versions for all at once.
    ///
    /// # Errors
    /// When the pass fails.
    pub fn answers(self, data: &Dataset, shares: &[f64]) -> Result<Vec<Option<Vec<f64>>>, DatasetError> {
        let version = self.version;
        let sketches = self.sketches(data)?;
        let one_by_one =
            |sketch: &QuantileSummaries| shares.iter().map(|&share| Some(sketch.query(&[share])?[0])).collect();
        let answers = sketches.iter().map(|sketch| match version {
            SparkVersion::V2_4 => one_by_one(sketch),
            _ => sketch.query(shares),
        });
        Ok(answers.collect())
    }

    /// The sketch of each column.
    ///
    /// # Errors
    /// When the pass fails.
    pub fn sketches(self, data: &Dataset) -> Result<Vec<QuantileSummaries>, DatasetError> {
        let ApproxQuantile { columns, relative_error, ignored_value, version } = self;
        let is_one_of_sql = version >= SparkVersion::V4_3;
        let relative_error = if is_one_of_sql { whole_accuracy(relative_error) } else { relative_error };
        let sketches = PartitionSketches::new(columns.len(), relative_error);
        let seen = data.aggregate(ColumnSketches { columns, ignored_value, sketches })?.sketches;
        Ok(match is_one_of_sql {
            true => seen.merged_in_line(version),
            false => seen.merged_as_tree(data.n_partitions(), version),
        })
    }
}

/// The relative error that SQL's `approx_percentile` has when it is asked for this one: one part of a whole number.
///
/// 0.3 becomes 1/4, and 0 the reciprocal of the greatest int, with which every value is kept too.
fn whole_accuracy(relative_error: f64) -> f64 {
    1.0 / (1.0 / relative_error).ceil().min(f64::from(i32::MAX))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ColumnSketches {
    columns: Vec<usize>,
    ignored_value: Option<f64>,
    sketches: PartitionSketches,
}

impl Aggregate for ColumnSketches {
    const NAME: &'static str = "sketch columns";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        for (series, &position) in self.columns.iter().enumerate() {
            let column = to_doubles(rows.column(position)).expect("quantiles are asked of numeric columns");
            let is_counted = |value: &f64| self.ignored_value != Some(*value);
            match column.null_count() {
                0 => self.sketches.add(series, column.values().iter().copied().filter(is_counted)),
                _ => self.sketches.add(series, column.iter().flatten().filter(is_counted)),
            }
        }
        Ok(())
    }

    fn merge(&mut self, later: ColumnSketches) {
        self.sketches.merge(later.sketches);
    }

    fn finish_partition(&mut self, partition: usize) {
        self.sketches.finish_partition(partition);
    }
}
