//! Datasets: a schema, ordered partitions, and passes over them.
//!
//! A dataset gives the same rows in the same order every time it is scanned, and its partition borders are visible, because
//! Spark's samplers see them. Everything that learns from it is a sequence of **passes**: [`Dataset::aggregate`] folds an
//! [`Aggregate`] over all rows.
//!
//! How a pass runs is the [`Executor`]'s business. The one here, [`LocalExecutor`], works on the threads it was handed:
//!
//! 1. each partition is cut into **chunks** of [`CHUNK_ROWS`] rows, counted from its first row; the borders depend on nothing else;
//! 2. each chunk starts from a copy of the aggregate it was given and sees its rows in order;
//! 3. chunks merge in order into their partition, partitions merge in order into the result.
//!
//! So the same dataset gives the same bits with any number of threads. An aggregate is serialisable: another executor may send
//! it to where the rows are and merge what comes back in the same order.

mod local;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use local::LocalExecutor;

use crate::column::find_column;
use crate::fault::{Explain, Fault, Retry};

/// Rows per chunk: the unit of parallel work inside a partition, and a part of every model's bits.
pub const CHUNK_ROWS: usize = 16_384;

/// A pass over a dataset failed; it carries the error of whoever failed and the partition in which it did.
#[derive(Debug)]
pub struct DatasetError {
    /// The partition that was worked on, where the failure belongs to one.
    pub partition: Option<usize>,
    /// What failed.
    pub cause: Box<dyn Explain + Send + Sync>,
}

impl DatasetError {
    /// A failure that belongs to no partition yet.
    pub fn new(cause: impl Explain + Send + Sync + 'static) -> DatasetError {
        DatasetError { partition: None, cause: Box::new(cause) }
    }

    fn in_partition(mut self, partition: usize) -> DatasetError {
        self.partition.get_or_insert(partition);
        self
    }
}

impl fmt::Display for DatasetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl std::error::Error for DatasetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source()
    }
}

impl Explain for DatasetError {
    fn fault(&self) -> Fault {
        self.cause.fault()
    }
    fn retry(&self) -> Retry {
        self.cause.retry()
    }
    fn hint(&self) -> Option<String> {
        self.cause.hint()
    }
}

/// The rows of one partition, batch by batch.
pub type RowIter<'a> = Box<dyn Iterator<Item = Result<RecordBatch, DatasetError>> + Send + 'a>;

/// Where rows come from: files, memory, a spilled copy.
pub trait Partitions: Send + Sync + fmt::Debug {
    /// The schema of every batch.
    fn schema(&self) -> &SchemaRef;

    /// How many partitions there are.
    fn n_partitions(&self) -> usize;

    /// The rows of a partition; the same rows in the same order at every call.
    ///
    /// # Errors
    /// When the partition cannot be opened; reading errors come from the iterator.
    fn scan(&self, partition: usize) -> Result<RowIter<'_>, DatasetError>;

    /// Into how many parts a partition can be taken apart, for an executor that scans them side by side.
    fn n_parts(&self, _partition: usize) -> usize {
        1
    }

    /// The rows of one part; those of all parts, in order, are the rows of the partition.
    ///
    /// # Errors
    /// As for [`scan`](Partitions::scan).
    fn scan_part(&self, partition: usize, _part: usize) -> Result<RowIter<'_>, DatasetError> {
        self.scan(partition)
    }
}

/// A change to each batch: the same rows in give the same rows out. It may drop rows, it never reorders them.
pub trait RowMap: Send + Sync {
    /// The schema of the rows that come out.
    fn schema(&self) -> &SchemaRef;

    /// Changes one batch.
    ///
    /// # Errors
    /// When a row cannot be processed.
    fn apply(&self, rows: RecordBatch) -> Result<RecordBatch, DatasetError>;
}

/// What a pass computes: a value that sees rows and merges with its like.
///
/// The value given to [`Dataset::aggregate`] holds the parameters of the pass (columns, coefficients) and the neutral result.
pub trait Aggregate: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// Names the computation, for progress and for executors in other processes.
    const NAME: &'static str;

    /// Takes in rows, in order.
    ///
    /// # Errors
    /// When a row makes the result meaningless (a null label, say).
    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError>;

    /// Takes in what another copy has seen: rows that come after ours.
    fn merge(&mut self, later: Self);
}

/// An [`Aggregate`] whose type an executor need not know.
pub trait AnyAggregate: Send + Sync {
    /// [`Aggregate::NAME`].
    fn name(&self) -> &'static str;
    /// A copy.
    fn copy(&self) -> Box<dyn AnyAggregate>;
    /// [`Aggregate::update`].
    ///
    /// # Errors
    /// Those of the aggregate.
    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError>;
    /// [`Aggregate::merge`].
    ///
    /// # Panics
    /// When `later` is of another type: an executor mixed up two passes.
    fn merge(&mut self, later: Box<dyn AnyAggregate>);
    /// The value as bytes, for an executor that sends it elsewhere; every double keeps its bits.
    ///
    /// # Errors
    /// When the value cannot be serialised.
    fn to_bytes(&self) -> Result<Vec<u8>, postcard::Error>;
    /// A value of the same type from bytes.
    ///
    /// # Errors
    /// When the bytes are not of this type.
    fn read_bytes(&self, bytes: &[u8]) -> Result<Box<dyn AnyAggregate>, postcard::Error>;
    /// The value itself.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<A: Aggregate> AnyAggregate for A {
    fn name(&self) -> &'static str {
        A::NAME
    }
    fn copy(&self) -> Box<dyn AnyAggregate> {
        Box::new(self.clone())
    }
    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        Aggregate::update(self, rows)
    }
    fn merge(&mut self, later: Box<dyn AnyAggregate>) {
        let later = later.into_any().downcast::<A>().expect("one pass merges values of one type");
        Aggregate::merge(self, *later);
    }
    fn to_bytes(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }
    fn read_bytes(&self, bytes: &[u8]) -> Result<Box<dyn AnyAggregate>, postcard::Error> {
        Ok(Box::new(postcard::from_bytes::<A>(bytes)?))
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Rows as they are stored, and the changes that every pass applies to them.
#[derive(Clone)]
pub struct Rows {
    /// Where they come from.
    pub partitions: Arc<dyn Partitions>,
    /// Applied in order to each batch.
    pub maps: Vec<Arc<dyn RowMap>>,
}

impl Rows {
    /// The schema after all changes.
    pub fn schema(&self) -> &SchemaRef {
        self.maps.last().map_or_else(|| self.partitions.schema(), |map| map.schema())
    }

    /// One stored batch after all changes.
    ///
    /// # Errors
    /// Those of the changes.
    pub fn mapped(&self, rows: RecordBatch) -> Result<RecordBatch, DatasetError> {
        self.maps.iter().try_fold(rows, |rows, map| map.apply(rows))
    }
}

/// Runs passes: on threads here, in other processes elsewhere.
pub trait Executor: Send + Sync + fmt::Debug {
    /// Folds `zero` over all rows; chunks and partitions merge in order.
    ///
    /// # Errors
    /// The first failure in order of partitions.
    fn aggregate(&self, rows: &Rows, zero: Box<dyn AnyAggregate>) -> Result<Box<dyn AnyAggregate>, DatasetError>;

    /// Keeps the changed rows near where they are worked on, for many passes.
    ///
    /// # Errors
    /// The first failure in order of partitions.
    fn cache(&self, rows: &Rows) -> Result<Arc<dyn Partitions>, DatasetError>;

    /// Does a piece of work for every number below `n`, in any order, side by side where there are threads for it.
    ///
    /// The work may run passes on this executor.
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..n).for_each(work);
    }
}

/// What `work` gives for every number below `n`, in order; the work is done side by side where `executor` has threads for it.
///
/// # Errors
/// The first in order; what comes after it may have been done too.
pub fn side_by_side<T: Send, E: Send>(
    executor: &dyn Executor,
    n: usize,
    work: impl Fn(usize) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    let results: Vec<Mutex<Option<Result<T, E>>>> = (0..n).map(|_| Mutex::new(None)).collect();
    executor.for_each(n, &|at| {
        let result = work(at);
        *results[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
    });
    let done = results.into_iter().map(|result| result.into_inner().unwrap_or_else(PoisonError::into_inner));
    done.map(|result| result.expect("an executor does the work for every number")).collect()
}

/// A schema and ordered partitions; cheap to clone.
#[derive(Clone)]
pub struct Dataset {
    rows: Rows,
    executor: Arc<dyn Executor>,
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("partitions", &self.rows.partitions)
            .field("n_maps", &self.rows.maps.len())
            .field("executor", &self.executor)
            .finish()
    }
}

impl Dataset {
    /// A dataset over `partitions` whose passes run on `executor`.
    pub fn new(partitions: Arc<dyn Partitions>, executor: Arc<dyn Executor>) -> Dataset {
        Dataset { rows: Rows { partitions, maps: Vec::new() }, executor }
    }

    /// A dataset of rows in memory: the batches of each partition.
    ///
    /// # Panics
    /// When a batch has another schema.
    pub fn in_memory(schema: SchemaRef, partitions: Vec<Vec<RecordBatch>>, executor: Arc<dyn Executor>) -> Dataset {
        Dataset::new(Arc::new(MemoryPartitions::new(schema, partitions)), executor)
    }

    /// The schema of the rows.
    pub fn schema(&self) -> &SchemaRef {
        self.rows.schema()
    }

    /// How many partitions there are.
    pub fn n_partitions(&self) -> usize {
        self.rows.partitions.n_partitions()
    }

    /// What runs the passes.
    pub fn executor(&self) -> &Arc<dyn Executor> {
        &self.executor
    }

    /// The same rows, worked on by another executor.
    pub fn with_executor(mut self, executor: Arc<dyn Executor>) -> Dataset {
        self.executor = executor;
        self
    }

    /// The dataset in which each batch is changed by `map`; nothing is computed yet.
    pub fn map(&self, map: Arc<dyn RowMap>) -> Dataset {
        let mut changed = self.clone();
        changed.rows.maps.push(map);
        changed
    }

    /// The dataset with only these columns, in this order.
    ///
    /// # Errors
    /// [`ColumnNotFound`](crate::column::ColumnNotFound) for a name that is not there.
    pub fn select(&self, columns: &[&str]) -> Result<Dataset, DatasetError> {
        let positions = columns.iter().map(|name| find_column(self.schema(), name).map(|(position, _)| position));
        let positions = positions.collect::<Result<Vec<_>, _>>().map_err(DatasetError::new)?;
        let schema = self.schema().project(&positions).expect("positions come from the schema");
        Ok(self.map(Arc::new(Select { schema: Arc::new(schema), positions })))
    }

    /// Folds `zero` over all rows: one pass.
    ///
    /// # Errors
    /// The first failure in order of partitions: reading, a change, or the aggregate's own.
    pub fn aggregate<A: Aggregate>(&self, zero: A) -> Result<A, DatasetError> {
        let result = self.executor.aggregate(&self.rows, Box::new(zero))?;
        Ok(*result.into_any().downcast::<A>().expect("an executor returns the type it was given"))
    }

    /// The same rows kept in memory after all changes, for many passes.
    ///
    /// # Errors
    /// The first failure in order of partitions.
    pub fn cached(&self) -> Result<Dataset, DatasetError> {
        Ok(Dataset::new(self.executor.cache(&self.rows)?, Arc::clone(&self.executor)))
    }

    /// Number of rows: one pass.
    ///
    /// # Errors
    /// The first failure in order of partitions.
    pub fn count(&self) -> Result<usize, DatasetError> {
        Ok(self.aggregate(Count { n_rows: 0 })?.n_rows)
    }

    /// The rows of one partition after all changes, batch by batch, for somebody who must see them in order.
    ///
    /// # Errors
    /// When the partition cannot be opened; the iterator gives the errors of reading and changing.
    pub fn scan(&self, partition: usize) -> Result<RowIter<'_>, DatasetError> {
        let stored = self.rows.partitions.scan(partition)?;
        Ok(Box::new(stored.map(move |rows| {
            rows.and_then(|rows| self.rows.mapped(rows)).map_err(|error| error.in_partition(partition))
        })))
    }

    /// All rows, partition by partition. For results and tests; learning goes through [`aggregate`](Dataset::aggregate).
    ///
    /// # Errors
    /// The first failure in order of partitions.
    pub fn collect(&self) -> Result<Vec<Vec<RecordBatch>>, DatasetError> {
        (0..self.n_partitions()).map(|partition| self.scan(partition)?.collect()).collect()
    }
}

struct Select {
    schema: SchemaRef,
    positions: Vec<usize>,
}

impl RowMap for Select {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn apply(&self, rows: RecordBatch) -> Result<RecordBatch, DatasetError> {
        Ok(rows.project(&self.positions).expect("every batch has the dataset's schema"))
    }
}

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Count {
    n_rows: usize,
}

impl Aggregate for Count {
    const NAME: &'static str = "count";
    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        self.n_rows += rows.num_rows();
        Ok(())
    }
    fn merge(&mut self, later: Count) {
        self.n_rows += later.n_rows;
    }
}

/// Partitions held in memory.
pub struct MemoryPartitions {
    schema: SchemaRef,
    partitions: Vec<Vec<RecordBatch>>,
}

impl fmt::Debug for MemoryPartitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_rows = |batches: &Vec<RecordBatch>| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        let n_rows: Vec<usize> = self.partitions.iter().map(n_rows).collect();
        f.debug_struct("MemoryPartitions").field("n_rows", &n_rows).finish_non_exhaustive()
    }
}

impl MemoryPartitions {
    /// Partitions of these batches.
    ///
    /// # Panics
    /// When a batch has another schema.
    pub fn new(schema: SchemaRef, partitions: Vec<Vec<RecordBatch>>) -> MemoryPartitions {
        let fits = |rows: &RecordBatch| rows.schema_ref().fields() == schema.fields();
        assert!(partitions.iter().flatten().all(fits), "every batch must have the dataset's schema");
        MemoryPartitions { schema, partitions }
    }
}

impl Partitions for MemoryPartitions {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn n_partitions(&self) -> usize {
        self.partitions.len()
    }
    fn scan(&self, partition: usize) -> Result<RowIter<'_>, DatasetError> {
        Ok(Box::new(self.partitions[partition].iter().cloned().map(Ok)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float64Type;
    use arrow_array::{ArrayRef, Float64Array};
    use arrow_schema::{DataType, Field, Schema};

    /// A sum whose bits depend on the order of additions.
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Sum {
        total: f64,
    }

    impl Aggregate for Sum {
        const NAME: &'static str = "sum";
        fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
            self.total += rows.column(0).as_primitive::<Float64Type>().values().iter().sum::<f64>();
            Ok(())
        }
        fn merge(&mut self, later: Sum) {
            self.total += later.total;
        }
    }

    fn executor(n_threads: usize) -> Arc<dyn Executor> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        Arc::new(LocalExecutor::new(Arc::new(pool)))
    }

    /// 3 partitions of 100,000, 0 and 40,001 numbers in batches of `batch_rows`.
    pub(super) fn numbers(batch_rows: usize) -> Dataset {
        let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Float64, false)]));
        let partitions = [100_000, 0, 40_001].map(|n_rows| {
            let values: Vec<f64> = (0..n_rows).map(|i| 1.0 / (1.0 + i as f64)).collect();
            let batch = |part: &[f64]| {
                let column: ArrayRef = Arc::new(Float64Array::from(part.to_vec()));
                RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap()
            };
            values.chunks(batch_rows).map(batch).collect()
        });
        Dataset::in_memory(Arc::clone(&schema), partitions.into(), Arc::new(LocalExecutor::single_threaded()))
    }

    #[test]
    fn a_pass_gives_the_same_bits_with_1_2_and_7_threads() {
        let data = numbers(1000);
        let expected = data.aggregate(Sum { total: 0.0 }).unwrap().total;
        for n_threads in [1, 2, 7] {
            let total = data.clone().with_executor(executor(n_threads)).aggregate(Sum { total: 0.0 }).unwrap().total;
            assert_eq!(total.to_bits(), expected.to_bits(), "{n_threads} threads");
        }
    }

    #[test]
    fn an_aggregate_travels_as_bytes_between_update_and_merge() {
        let mut here: Box<dyn AnyAggregate> = Box::new(Sum { total: 1.5 });
        let elsewhere = Sum { total: f64::NAN };
        let arrived = here.read_bytes(&elsewhere.to_bytes().unwrap()).unwrap();
        here.merge(arrived);
        assert!(here.into_any().downcast::<Sum>().unwrap().total.is_nan());
    }

    #[test]
    fn counting_selecting_and_caching_keep_partitions() {
        let data = numbers(1000);
        assert_eq!(data.count().unwrap(), 140_001);
        let cached = data.select(&["x"]).unwrap().cached().unwrap();
        let per_partition = cached.collect().unwrap();
        let n_rows = |batches: &Vec<RecordBatch>| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        assert_eq!(per_partition.iter().map(n_rows).collect::<Vec<_>>(), [100_000, 0, 40_001]);
    }

    #[test]
    fn selecting_a_missing_column_names_the_nearest() {
        let error = numbers(1000).select(&["xx"]).unwrap_err();
        assert_eq!(error.to_string(), "column `xx` not found; input columns: x");
        assert_eq!(error.fault(), Fault::Job);
    }
}
