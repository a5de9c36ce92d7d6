//! An executor that tells somebody about every pass before it runs: the progress line of `train`.

use std::fmt;
use std::sync::Arc;

use ognivo_data::dataset::{AnyAggregate, DatasetError, Executor, Partitions, Rows};

/// Told the name of each pass.
pub(crate) type Observer = Arc<dyn Fn(&str) + Send + Sync>;

/// Runs passes on another executor and tells an observer about them.
pub(crate) struct ObservedExecutor {
    inner: Arc<dyn Executor>,
    observer: Observer,
}

impl ObservedExecutor {
    /// Passes run on `inner`; `observer` hears of each before it starts.
    pub(crate) fn new(inner: Arc<dyn Executor>, observer: Observer) -> ObservedExecutor {
        ObservedExecutor { inner, observer }
    }
}

impl fmt::Debug for ObservedExecutor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl Executor for ObservedExecutor {
    fn aggregate(&self, rows: &Rows, zero: Box<dyn AnyAggregate>) -> Result<Box<dyn AnyAggregate>, DatasetError> {
        (self.observer)(zero.name());
        self.inner.aggregate(rows, zero)
    }
    fn cache(&self, rows: &Rows) -> Result<Arc<dyn Partitions>, DatasetError> {
        (self.observer)("read and cache rows");
        self.inner.cache(rows)
    }
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        self.inner.for_each(n, work);
    }
}
