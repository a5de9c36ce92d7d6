//! Folds: which rows train and which are measured on.
//!
//! Each row of a partition gets one number between 0 and 1, in the order in which the rows stand (nothing is sorted), and falls
//! into the part in whose range its number lies. Whose numbers, and where the ranges end, depends on the language of the program:
//!
//! | | `CrossValidator` | `TrainValidationSplit` |
//! |---|---|---|
//! | PySpark | `rand(seed)`: a generator per partition, seeded with `seed + partition`; fold `i` is `[i · h, (i + 1) · h)`, `h = 1 / n` | the same numbers; rows from `trainRatio` on are measured on |
//! | Scala | `MLUtils.kFold`: a generator per partition, seeded by a chain of Java's; fold `i` is `[i / n, (i + 1) / n)` in single precision | `randomSplit`, which sorts each partition by all columns |
//!
//! So the same seed gives other folds in a PySpark script than in a Scala program, in every version of Spark. All four are
//! here, row for row; [`Sampling`] says which.

use std::fmt;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use arrow_select::filter::filter_record_batch;
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError, Partitions, RowIter, RowMap};
use ognivo_data::fault::{Explain, Fault};
use ognivo_data::random::{Random, XorShiftRandom};
use ognivo_data::split::{SplitError, partition_seed};
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use crate::columns::{input_column, wrong_type};
use crate::stage::{FitError, StageError};
use crate::uid::Uid;

/// The language of the program whose folds are to be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Language {
    /// A PySpark script: `pyspark.ml.tuning`.
    #[default]
    Python,
    /// A program on the JVM: `org.apache.spark.ml.tuning`.
    Scala,
}

/// Whose folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sampling {
    /// The Spark release; 2.4 hashes seeds differently.
    pub version: SparkVersion,
    /// The language of the program.
    pub language: Language,
}

/// Rows to learn from, and rows to measure on.
#[derive(Debug, Clone)]
pub struct Fold {
    /// Rows to learn from.
    pub train: Dataset,
    /// Rows to measure on.
    pub validation: Dataset,
}

/// Deals the rows into `n_folds` parts at random, each of which is measured on once, as Spark's `CrossValidator` does.
///
/// Nothing is computed yet; partitions and the order of rows stay. A pass over a fold draws its rows anew: keep it
/// ([`Dataset::cached`]) for many passes.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{Int32Array, RecordBatch};
/// # use ognivo_data::dataset::{Dataset, LocalExecutor};
/// use ognivo_ml::tuning::{Sampling, k_folds};
/// # let ids = Arc::new(Int32Array::from_iter_values(0..1000)) as _;
/// # let rows = RecordBatch::try_from_iter([("id", ids)])?;
/// # let loans = Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::default()));
/// for fold in k_folds(&loans, 3, 42, Sampling::default()) {
///     assert_eq!(fold.train.count()? + fold.validation.count()?, loans.count()?);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn k_folds(data: &Dataset, n_folds: usize, seed: i64, sampling: Sampling) -> Vec<Fold> {
    (0..n_folds).map(|fold| drawn_fold(data, fold_range(fold, n_folds, sampling.language), seed, sampling)).collect()
}

/// Keeps about `1 - train_ratio` of the rows to measure on, as Spark's `TrainValidationSplit` does.
///
/// # Errors
/// [`SplitError`] when `train_ratio` cannot be a share.
pub fn train_validation_split(
    data: &Dataset,
    train_ratio: f64,
    seed: i64,
    sampling: Sampling,
) -> Result<Fold, SplitError> {
    match sampling.language {
        Language::Python => Ok(drawn_fold(data, (train_ratio, f64::INFINITY), seed, sampling)),
        Language::Scala => {
            let weights = [train_ratio, 1.0 - train_ratio];
            let mut parts = data.random_split_weights(&weights, seed, sampling.version)?.into_iter();
            let (Some(train), Some(validation)) = (parts.next(), parts.next()) else {
                unreachable!("a split by two weights has two parts");
            };
            Ok(Fold { train, validation })
        }
    }
}

/// The folds that the integers of a column tell: a row is measured on in the fold of its number.
///
/// Same as Spark (3.1 and later): the column holds integers from 0 up to, not including, `n_folds`, and no fold may be without rows.
/// Differs from Spark: the column stays in the rows in both languages; Scala drops it. One pass looks at all numbers first.
///
/// # Errors
/// [`FitError`] when the column is missing or not of integers, a number is out of range or null, or a fold has no rows to learn
/// from or to measure on. `uid` is whose folds they are.
pub fn folds_of_column(data: &Dataset, n_folds: usize, column: &str, uid: &Uid) -> Result<Vec<Fold>, FitError> {
    let position = fold_column(data.schema(), column, uid)?;
    let zero = FoldCounts { position, column: column.to_owned(), n_folds, rows: vec![0; n_folds] };
    let counts = data.aggregate(zero)?.rows;
    let n_rows: u64 = counts.iter().sum();
    let unlearnable = |reason: String| {
        let hint = Some(format!("`{column}` must deal rows to every fold from 0 to {}", n_folds - 1));
        FitError::Unlearnable { uid: uid.clone(), reason, hint }
    };
    for (fold, &n_measured) in counts.iter().enumerate() {
        if n_measured == n_rows {
            return Err(unlearnable(format!("the training data of a fold is empty: {fold}")));
        }
        if n_measured == 0 {
            return Err(unlearnable(format!("the validation data of a fold is empty: {fold}")));
        }
    }
    let part = |fold: usize, is_validation: bool| {
        let rows = OfColumn { schema: Arc::clone(data.schema()), position, fold: fold as i32, is_validation };
        data.map(Arc::new(rows))
    };
    Ok((0..n_folds).map(|fold| Fold { train: part(fold, false), validation: part(fold, true) }).collect())
}

/// The position of the column of fold numbers.
///
/// # Errors
/// [`StageError`] when it is missing or not of integers.
pub(super) fn fold_column(schema: &SchemaRef, column: &str, uid: &Uid) -> Result<usize, StageError> {
    let (position, field) = input_column(uid, schema, column)?;
    match field.data_type() {
        DataType::Int32 => Ok(position),
        found => Err(wrong_type(uid, column, "an integer (int)", found)),
    }
}

/// The range of numbers of fold `fold` of `n_folds`.
fn fold_range(fold: usize, n_folds: usize, language: Language) -> (f64, f64) {
    match language {
        Language::Python => {
            let share = 1.0 / n_folds as f64;
            (fold as f64 * share, (fold + 1) as f64 * share)
        }
        // Spark divides an integer by a float here, and widens the result.
        Language::Scala => {
            let border = |at: usize| f64::from(at as f32 / n_folds as f32);
            (border(fold), border(fold + 1))
        }
    }
}

fn drawn_fold(data: &Dataset, range: (f64, f64), seed: i64, sampling: Sampling) -> Fold {
    let part = |is_validation: bool| {
        let rows = Drawn { source: data.clone(), range, is_validation, seed, sampling };
        Dataset::new(Arc::new(rows), Arc::clone(data.executor()))
    };
    Fold { train: part(false), validation: part(true) }
}

/// The rows whose number falls into a range, or all others.
#[derive(Debug)]
struct Drawn {
    source: Dataset,
    range: (f64, f64),
    is_validation: bool,
    seed: i64,
    sampling: Sampling,
}

impl Partitions for Drawn {
    fn schema(&self) -> &SchemaRef {
        self.source.schema()
    }
    fn n_partitions(&self) -> usize {
        self.source.n_partitions()
    }
    fn scan(&self, partition: usize) -> Result<RowIter<'_>, DatasetError> {
        let seed = match self.sampling.language {
            Language::Python => self.seed.wrapping_add(partition as i64),
            Language::Scala => partition_seed(self.seed, partition),
        };
        let mut random = XorShiftRandom::new(seed, self.sampling.version);
        let (low, high) = self.range;
        let mut is_wanted = move || {
            let drawn = random.next_f64();
            (low <= drawn && drawn < high) == self.is_validation
        };
        let rows = self.source.scan(partition)?;
        Ok(Box::new(rows.map(move |rows| {
            let rows = rows?;
            let wanted: BooleanArray = (0..rows.num_rows()).map(|_| Some(is_wanted())).collect();
            Ok(kept(&rows, &wanted))
        })))
    }
}

fn kept(rows: &RecordBatch, wanted: &BooleanArray) -> RecordBatch {
    filter_record_batch(rows, wanted).expect("there is one answer for each row")
}

/// The rows of one number of a column, or all others.
struct OfColumn {
    schema: SchemaRef,
    position: usize,
    fold: i32,
    is_validation: bool,
}

impl RowMap for OfColumn {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn apply(&self, rows: RecordBatch) -> Result<RecordBatch, DatasetError> {
        let folds = rows.column(self.position).as_primitive::<Int32Type>();
        let is_wanted = |fold: &i32| Some((*fold == self.fold) == self.is_validation);
        let wanted: BooleanArray = folds.values().iter().map(is_wanted).collect();
        Ok(kept(&rows, &wanted))
    }
}

/// Rows of each fold, of a column of fold numbers.
#[derive(Clone, Serialize, Deserialize)]
struct FoldCounts {
    position: usize,
    column: String,
    n_folds: usize,
    rows: Vec<u64>,
}

impl Aggregate for FoldCounts {
    const NAME: &'static str = "rows of each fold";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        for fold in rows.column(self.position).as_primitive::<Int32Type>() {
            let count = fold.and_then(|fold| self.rows.get_mut(usize::try_from(fold).ok()?));
            let Some(count) = count else {
                let (column, n_folds) = (self.column.clone(), self.n_folds);
                return Err(DatasetError::new(NoSuchFold { column, n_folds, fold }));
            };
            *count += 1;
        }
        Ok(())
    }

    fn merge(&mut self, later: FoldCounts) {
        self.rows.iter_mut().zip(later.rows).for_each(|(count, later)| *count += later);
    }
}

/// A row's fold number is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchFold {
    /// The column of fold numbers.
    pub column: String,
    /// How many folds there are.
    pub n_folds: usize,
    /// The number.
    pub fold: Option<i32>,
}

impl fmt::Display for NoSuchFold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fold = self.fold.map_or("null".to_owned(), |fold| fold.to_string());
        write!(f, "column `{}`: fold number must be in the range [0, {}): {fold}", self.column, self.n_folds)
    }
}

impl std::error::Error for NoSuchFold {}

impl Explain for NoSuchFold {
    fn fault(&self) -> Fault {
        Fault::Data
    }
    fn hint(&self) -> Option<String> {
        Some("set `numFolds` to the number of folds in the column, or correct the column".to_owned())
    }
}
