//! Random parts and samples of a dataset, row for row as Spark draws them.
//!
//! Each row of a partition gets one number between 0 and 1 from an [`XorShiftRandom`] that is seeded with `seed + partition`.
//!
//! - [`random_split`](Dataset::random_split) lays the weights end to end between 0 and 1 and gives a row to the part in whose
//!   range its number falls. Before that it sorts each partition by all its columns, so the order of rows inside a partition
//!   does not matter, while their spread over partitions does: see [`partition_plan`](crate::partition_plan).
//! - [`sample`](Dataset::sample) keeps the rows whose number is below the fraction, in the order in which they stand.
//!
//! Same as Spark: `Dataset.randomSplit` and `Dataset.sample`, checked against 3.5.9 and 4.3.0; 2.4 hashes seeds differently.
//! Differs from Spark: 2.4 sorts -0.0 before 0.0 when the first column is a double, here they are equal.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{BooleanArray, RecordBatch, UInt64Array};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;

use crate::dataset::{CHUNK_ROWS, Dataset, DatasetError, Partitions, RowIter};
use crate::fault::{Explain, Fault};
use crate::order::sorted_positions;
use crate::random::{BernoulliDraws, MAX_POISSON_MEAN, PoissonDraws, Random, XorShiftRandom, partition_seed};
use crate::version::SparkVersion;

/// A dataset cannot be split or sampled in this way.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A weight is negative or not a number.
    #[error("weights must not be negative: {0}")]
    BadWeight(f64),
    /// The weights sum up to zero, or to more than a double holds.
    #[error("the sum of the weights must be above 0 and finite: {0}")]
    BadSum(f64),
    /// A fraction is out of range.
    #[error("the fraction of a sample must lie between 0 and {most}: {fraction}")]
    BadFraction {
        /// What was asked for.
        fraction: f64,
        /// What can be.
        most: f64,
    },
    /// The rows of a partition do not fit into one table.
    #[error("the rows of one partition are too many to be sorted: {0}")]
    TooManyRows(String),
}

impl Explain for SplitError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        match self {
            SplitError::TooManyRows(_) => Some("raise `parallelism`, or read more and smaller files".to_owned()),
            _ => None,
        }
    }
}

impl Dataset {
    /// Splits the rows at random into as many parts as there are weights, as the newest Spark does.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use arrow_array::{Int32Array, RecordBatch};
    /// # use ognivo_data::dataset::{Dataset, LocalExecutor};
    /// # let ids = Arc::new(Int32Array::from_iter_values(0..1000)) as _;
    /// # let rows = RecordBatch::try_from_iter([("id", ids)])?;
    /// # let loans = Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::default()));
    /// let [train, test] = loans.random_split([0.8, 0.2], 12345)?;
    /// assert_eq!(train.count()? + test.count()?, loans.count()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SplitError`] when the weights cannot be weights.
    pub fn random_split<const N: usize>(&self, weights: [f64; N], seed: i64) -> Result<[Dataset; N], SplitError> {
        let parts = self.random_split_weights(&weights, seed, SparkVersion::default())?;
        Ok(parts.try_into().expect("there are as many parts as weights"))
    }

    /// Splits the rows at random into as many parts as there are weights, as `version` of Spark does.
    ///
    /// The weights are divided by their sum. Each part has the partitions of this dataset, with rows in sorted order. Through
    /// the rounding of that division a row may end up in no part, as in Spark; it takes a draw within 2⁻⁵² of 1.
    ///
    /// The first pass over a partition of any part reads and sorts that partition; the rows are then kept in memory, once for
    /// all parts.
    ///
    /// # Errors
    /// [`SplitError`] when a weight is negative or NaN, or their sum is 0 or not finite.
    pub fn random_split_weights(
        &self,
        weights: &[f64],
        seed: i64,
        version: SparkVersion,
    ) -> Result<Vec<Dataset>, SplitError> {
        let bounds = bounds(weights)?;
        let sorted = (0..self.n_partitions()).map(|_| Mutex::new(None)).collect();
        let split = Arc::new(Split { source: self.clone(), bounds, seed, version, sorted });
        let part = |part_idx| {
            let rows = Part { split: Arc::clone(&split), part_idx };
            Dataset::new(Arc::new(rows), Arc::clone(self.executor()))
        };
        Ok((0..weights.len()).map(part).collect())
    }

    /// Keeps each row with a probability of `fraction`, as `version` of Spark does; rows stay in order.
    ///
    /// # Errors
    /// [`SplitError::BadFraction`] unless `fraction` lies between 0 and 1 (and the millionth above that Spark allows).
    pub fn sample(&self, fraction: f64, seed: i64, version: SparkVersion) -> Result<Dataset, SplitError> {
        const ROUNDING: f64 = 1e-6;
        if !(0.0..=1.0 + ROUNDING).contains(&fraction) {
            return Err(SplitError::BadFraction { fraction, most: 1.0 });
        }
        Ok(self.resampled(Sampler::Bernoulli { fraction, version }, seed))
    }

    /// Takes each row as many times as a Poisson distribution around `fraction` says; rows stay in order.
    ///
    /// Same as Spark: `Dataset.sample(withReplacement = true, fraction, seed)`, the same in all versions.
    ///
    /// # Errors
    /// [`SplitError::BadFraction`] unless `fraction` lies between 0 and [`MAX_POISSON_MEAN`].
    pub fn sample_with_replacement(&self, fraction: f64, seed: i64) -> Result<Dataset, SplitError> {
        if !(0.0..MAX_POISSON_MEAN).contains(&fraction) {
            return Err(SplitError::BadFraction { fraction, most: MAX_POISSON_MEAN });
        }
        Ok(self.resampled(Sampler::Poisson { mean: fraction }, seed))
    }

    /// Keeps each row with a probability of `fraction`, as `RDD.sample` of `version` does; rows stay in order.
    ///
    /// Spark's algorithms sample in this way, its users in that of [`sample`](Dataset::sample). A fraction of 1 keeps all rows.
    ///
    /// # Errors
    /// [`SplitError::BadFraction`] unless `fraction` lies between 0 and 1.
    pub fn sample_rdd(&self, fraction: f64, seed: i64, version: SparkVersion) -> Result<Dataset, SplitError> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(SplitError::BadFraction { fraction, most: 1.0 });
        }
        Ok(self.resampled(Sampler::Rdd { fraction, version }, seed))
    }

    fn resampled(&self, sampler: Sampler, seed: i64) -> Dataset {
        let rows = Sample { source: self.clone(), sampler, seed };
        Dataset::new(Arc::new(rows), Arc::clone(self.executor()))
    }
}

/// Where the range of each part begins, and where the last one ends: the running sum of the weights over their sum.
fn bounds(weights: &[f64]) -> Result<Vec<f64>, SplitError> {
    if let Some(bad) = weights.iter().find(|weight| weight.is_nan() || **weight < 0.0) {
        return Err(SplitError::BadWeight(*bad));
    }
    let sum = weights.iter().fold(0.0, |sum, weight| sum + weight);
    if !(sum > 0.0 && sum.is_finite()) {
        return Err(SplitError::BadSum(sum));
    }
    let mut bounds = vec![0.0];
    for weight in weights {
        bounds.push(bounds[bounds.len() - 1] + weight / sum);
    }
    Ok(bounds)
}

/// What all parts of a split share.
struct Split {
    source: Dataset,
    bounds: Vec<f64>,
    seed: i64,
    version: SparkVersion,
    /// The rows of each partition by part, once a pass has asked for them.
    sorted: Vec<Mutex<Option<RowsByPart>>>,
}

/// The batches of each part, of one partition.
type RowsByPart = Arc<Vec<Vec<RecordBatch>>>;

impl fmt::Debug for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Split { source, bounds, seed, version, sorted: _ } = self;
        f.debug_struct("Split")
            .field("source", source)
            .field("bounds", bounds)
            .field("seed", seed)
            .field("version", version)
            .finish_non_exhaustive()
    }
}

impl Split {
    /// The rows of a partition by part; whoever asks first does the work, others who ask meanwhile wait for it.
    ///
    /// Nothing under the lock hands work to a thread pool: a thread that waits for a pool may be given another pass over the
    /// same partition, and would wait for itself.
    fn partition(&self, partition: usize) -> Result<RowsByPart, DatasetError> {
        let mut sorted = self.sorted[partition].lock().unwrap_or_else(PoisonError::into_inner);
        match &*sorted {
            Some(rows) => Ok(Arc::clone(rows)),
            None => {
                let rows = Arc::new(self.draw(partition)?);
                *sorted = Some(Arc::clone(&rows));
                Ok(rows)
            }
        }
    }

    fn draw(&self, partition: usize) -> Result<Vec<Vec<RecordBatch>>, DatasetError> {
        let batches = self.source.scan(partition)?.collect::<Result<Vec<_>, _>>()?;
        let rows = concat_batches(self.source.schema(), &batches).map_err(too_many_rows)?;
        drop(batches);
        let sorted = sorted_positions(rows.columns()).unwrap_or_else(|| (0..rows.num_rows()).collect());

        let mut random = XorShiftRandom::new(self.seed.wrapping_add(partition as i64), self.version);
        let mut positions: Vec<Vec<u64>> = vec![Vec::new(); self.bounds.len() - 1];
        for position in sorted {
            let drawn = random.next_f64();
            if let Some(part) = self.bounds.windows(2).position(|range| range[0] <= drawn && drawn < range[1]) {
                positions[part].push(position as u64);
            }
        }
        positions.into_iter().map(|positions| take_all(&rows, positions)).collect()
    }
}

/// The rows at these positions, in batches of a chunk each.
fn take_all(rows: &RecordBatch, positions: Vec<u64>) -> Result<Vec<RecordBatch>, DatasetError> {
    let chunks = positions.chunks(CHUNK_ROWS);
    chunks.map(|chunk| take_record_batch(rows, &UInt64Array::from(chunk.to_vec())).map_err(too_many_rows)).collect()
}

/// Batches of one schema and positions inside them leave one thing that can fail: text longer than its offsets can say.
fn too_many_rows(error: ArrowError) -> DatasetError {
    DatasetError::new(SplitError::TooManyRows(error.to_string()))
}

/// One part of a split.
#[derive(Debug)]
struct Part {
    split: Arc<Split>,
    part_idx: usize,
}

impl Partitions for Part {
    fn schema(&self) -> &SchemaRef {
        self.split.source.schema()
    }
    fn n_partitions(&self) -> usize {
        self.split.source.n_partitions()
    }
    fn scan(&self, partition: usize) -> Result<RowIter<'_>, DatasetError> {
        let rows = self.split.partition(partition)?[self.part_idx].clone();
        Ok(Box::new(rows.into_iter().map(Ok)))
    }
}

/// How often a row is taken.
#[derive(Debug, Clone, Copy)]
enum Sampler {
    /// Once or not at all.
    Bernoulli { fraction: f64, version: SparkVersion },
    /// Once or not at all, by the draws of an RDD.
    Rdd { fraction: f64, version: SparkVersion },
    /// Any number of times.
    Poisson { mean: f64 },
}

/// Some of the rows of a dataset.
#[derive(Debug)]
struct Sample {
    source: Dataset,
    sampler: Sampler,
    seed: i64,
}

impl Partitions for Sample {
    fn schema(&self) -> &SchemaRef {
        self.source.schema()
    }
    fn n_partitions(&self) -> usize {
        self.source.n_partitions()
    }
    fn scan(&self, partition: usize) -> Result<RowIter<'_>, DatasetError> {
        let mut draw: Box<dyn FnMut(RecordBatch) -> Result<RecordBatch, ArrowError> + Send> = match self.sampler {
            Sampler::Bernoulli { fraction: 0.0, .. } | Sampler::Poisson { mean: 0.0 } => {
                Box::new(|rows| Ok(rows.slice(0, 0)))
            }
            Sampler::Bernoulli { fraction, version } => {
                let mut random = XorShiftRandom::new(self.seed.wrapping_add(partition as i64), version);
                Box::new(move |rows| {
                    let kept = (0..rows.num_rows()).map(|_| Some(random.next_f64() < fraction));
                    filter_record_batch(&rows, &BooleanArray::from_iter(kept))
                })
            }
            Sampler::Rdd { fraction, version } => {
                let mut draws = BernoulliDraws::new(fraction, partition_seed(self.seed, partition), version);
                Box::new(move |rows| {
                    let kept = (0..rows.num_rows()).map(|_| Some(draws.keeps_next()));
                    filter_record_batch(&rows, &BooleanArray::from_iter(kept))
                })
            }
            Sampler::Poisson { mean } => {
                let mut draws = PoissonDraws::new(mean, partition_seed(self.seed, partition));
                Box::new(move |rows| {
                    let taken = (0..rows.num_rows() as u64).flat_map(|row| (0..draws.next_count()).map(move |_| row));
                    take_record_batch(&rows, &UInt64Array::from_iter_values(taken))
                })
            }
        };
        Ok(Box::new(self.source.scan(partition)?.map(move |rows| draw(rows?).map_err(too_many_rows))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::LocalExecutor;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, Int32Array};

    /// Rows with `id` 0..n in each partition, in batches of 7.
    fn ids(partitions: &[usize]) -> Dataset {
        let batch = |ids: &[i32]| {
            let ids: ArrayRef = Arc::new(Int32Array::from(ids.to_vec()));
            RecordBatch::try_from_iter_with_nullable([("id", ids, true)]).unwrap()
        };
        let batches = |n_rows: &usize| {
            let ids: Vec<i32> = (0..*n_rows as i32).collect();
            ids.chunks(7).map(batch).collect()
        };
        let executor = Arc::new(LocalExecutor::single_threaded());
        Dataset::in_memory(batch(&[]).schema(), partitions.iter().map(batches).collect(), executor)
    }

    fn rows_of(data: &Dataset) -> Vec<Vec<i32>> {
        let ids = |rows: &RecordBatch| rows.column(0).as_primitive::<Int32Type>().values().to_vec();
        data.collect().unwrap().iter().map(|batches| batches.iter().flat_map(ids).collect()).collect()
    }

    #[test]
    fn every_row_falls_into_one_part_and_partitions_stay() {
        let data = ids(&[1000, 0, 10]);
        let [a, b, c] = data.random_split([2.0, 1.0, 1.0], -7).unwrap();
        assert_eq!([a.n_partitions(), b.n_partitions(), c.n_partitions()], [3, 3, 3]);
        let mut all: Vec<i32> = [&a, &b, &c].iter().flat_map(|part| rows_of(part)[0].clone()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert!((450..550).contains(&rows_of(&a)[0].len()));
    }

    #[test]
    fn a_part_of_weight_zero_is_empty() {
        let [a, b] = ids(&[100]).random_split([0.0, 3.0], 1).unwrap();
        assert_eq!((a.count().unwrap(), b.count().unwrap()), (0, 100));
    }

    #[test]
    fn weights_that_are_none_are_refused() {
        let refused = |weights: &[f64]| ids(&[1]).random_split_weights(weights, 1, SparkVersion::V4_3).unwrap_err();
        assert_eq!(refused(&[0.5, -0.1]).to_string(), "weights must not be negative: -0.1");
        assert_eq!(refused(&[0.5, f64::NAN]).to_string(), "weights must not be negative: NaN");
        assert_eq!(refused(&[0.0, 0.0]).to_string(), "the sum of the weights must be above 0 and finite: 0");
        assert_eq!(refused(&[]), SplitError::BadSum(0.0));
        assert_eq!(refused(&[f64::INFINITY]), SplitError::BadSum(f64::INFINITY));
    }

    #[test]
    fn fractions_out_of_range_are_refused() {
        let data = ids(&[1]);
        assert!(data.sample(1.1, 1, SparkVersion::V4_3).is_err());
        assert!(data.sample(f64::NAN, 1, SparkVersion::V4_3).is_err());
        assert!(data.sample_rdd(-0.1, 1, SparkVersion::V4_3).is_err());
        let error = data.sample_with_replacement(-0.5, 1).unwrap_err();
        assert_eq!(error.to_string(), "the fraction of a sample must lie between 0 and 40: -0.5");
    }

    #[test]
    fn two_versions_of_spark_split_differently() {
        let rows = |version| rows_of(&ids(&[100]).random_split_weights(&[0.5, 0.5], 1, version).unwrap()[0]);
        assert_eq!(rows(SparkVersion::V3_5), rows(SparkVersion::V4_3));
        assert_ne!(rows(SparkVersion::V2_4), rows(SparkVersion::V3_5));
    }

    #[test]
    fn parts_and_samples_do_not_depend_on_batches_or_threads() {
        let data = ids(&[1000, 300]);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let parallel = data.cached().unwrap().with_executor(Arc::new(LocalExecutor::new(Arc::new(pool))));
        let [a, _] = data.random_split([0.3, 0.7], 5).unwrap();
        let [b, _] = parallel.random_split([0.3, 0.7], 5).unwrap();
        assert_eq!(rows_of(&a), rows_of(&b.cached().unwrap()));
        let sample = |data: &Dataset| rows_of(&data.sample(0.4, 9, SparkVersion::V4_3).unwrap().cached().unwrap());
        assert_eq!(sample(&data), sample(&parallel));
        for fraction in [0.1, 0.7] {
            let sample = |data: &Dataset| {
                let sample = data.sample_rdd(fraction, 9, SparkVersion::V4_3).unwrap();
                rows_of(&sample.cached().unwrap())
            };
            assert_eq!(sample(&data), sample(&parallel));
        }
    }
}
