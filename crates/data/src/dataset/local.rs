//! Passes in this process: partitions and chunks on the threads of a pool, merged in order.

use std::sync::Arc;

use arrow_array::RecordBatch;
use rayon::prelude::*;

use super::{AnyAggregate, CHUNK_ROWS, DatasetError, Executor, MemoryPartitions, Partitions, RowIter, Rows};

/// Runs passes in this process, on the threads of a pool that it was handed, or on the caller's own.
#[derive(Debug, Clone, Default)]
pub struct LocalExecutor {
    pool: Option<Arc<rayon::ThreadPool>>,
}

impl LocalExecutor {
    /// Passes run on `pool`.
    pub fn new(pool: Arc<rayon::ThreadPool>) -> LocalExecutor {
        LocalExecutor { pool: Some(pool) }
    }

    /// Passes run on the thread that asks for them.
    pub fn single_threaded() -> LocalExecutor {
        LocalExecutor { pool: None }
    }

    fn n_threads(&self) -> usize {
        self.pool.as_ref().map_or(1, |pool| pool.current_num_threads())
    }

    /// `work` on every item, in parallel where there is a pool; results in order, the first failure in order wins.
    fn for_all<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        work: impl Fn(T) -> Result<R, DatasetError> + Sync + Send,
    ) -> Result<Vec<R>, DatasetError> {
        let results: Vec<Result<R, DatasetError>> = match &self.pool {
            Some(pool) => pool.install(|| items.into_par_iter().map(work).collect()),
            None => items.into_iter().map(work).collect(),
        };
        results.into_iter().collect()
    }

    /// Folds one partition: chunks in parallel, a bounded number at a time, merged in order.
    fn aggregate_partition(
        &self,
        rows: &Rows,
        partition: usize,
        zero: &dyn AnyAggregate,
    ) -> Result<Option<Box<dyn AnyAggregate>>, DatasetError> {
        let fold_chunk = |chunk: Vec<RecordBatch>| {
            let mut state = zero.copy();
            for piece in chunk {
                state.update(&rows.mapped(piece)?)?;
            }
            Ok(state)
        };
        let mut chunks = Chunks::new(rows.partitions.scan(partition)?);
        let mut result: Option<Box<dyn AnyAggregate>> = None;
        loop {
            let group = chunks.next_group(4 * self.n_threads())?;
            if group.is_empty() {
                return Ok(result);
            }
            for state in self.for_all(group, fold_chunk)? {
                match &mut result {
                    Some(result) => result.merge(state),
                    None => result = Some(state),
                }
            }
        }
    }
}

impl Executor for LocalExecutor {
    fn aggregate(&self, rows: &Rows, zero: Box<dyn AnyAggregate>) -> Result<Box<dyn AnyAggregate>, DatasetError> {
        let partitions: Vec<usize> = (0..rows.partitions.n_partitions()).collect();
        let states = self.for_all(partitions, |partition| {
            let state = self.aggregate_partition(rows, partition, zero.as_ref());
            state.map_err(|error| error.in_partition(partition))
        })?;
        let mut states = states.into_iter().flatten();
        let Some(mut result) = states.next() else { return Ok(zero) };
        states.for_each(|state| result.merge(state));
        Ok(result)
    }

    fn cache(&self, rows: &Rows) -> Result<Arc<dyn Partitions>, DatasetError> {
        let n_partitions = rows.partitions.n_partitions();
        let parts_of = |partition| (0..rows.partitions.n_parts(partition)).map(move |part| (partition, part));
        let parts = (0..n_partitions).flat_map(parts_of).collect();
        let kept = self.for_all(parts, |(partition, part)| {
            let batches = rows.partitions.scan_part(partition, part)?.map(|stored| rows.mapped(stored?));
            let batches = batches.collect::<Result<Vec<_>, _>>();
            Ok((partition, batches.map_err(|error: DatasetError| error.in_partition(partition))?))
        })?;
        let mut partitions = vec![Vec::new(); n_partitions];
        for (partition, batches) in kept {
            partitions[partition].extend(batches);
        }
        Ok(Arc::new(MemoryPartitions::new(Arc::clone(rows.schema()), partitions)))
    }

    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        match &self.pool {
            Some(pool) => pool.install(|| (0..n).into_par_iter().with_max_len(1).for_each(work)),
            None => (0..n).for_each(work),
        }
    }
}

/// Cuts the batches of a partition into chunks of [`CHUNK_ROWS`] rows, each a list of slices.
struct Chunks<'a> {
    batches: RowIter<'a>,
    rest: Option<RecordBatch>,
}

impl<'a> Chunks<'a> {
    fn new(batches: RowIter<'a>) -> Chunks<'a> {
        Chunks { batches, rest: None }
    }

    /// Up to `n` chunks; fewer only at the end of the partition.
    fn next_group(&mut self, n: usize) -> Result<Vec<Vec<RecordBatch>>, DatasetError> {
        let mut group = Vec::new();
        while group.len() < n {
            let chunk = self.next_chunk()?;
            if chunk.is_empty() {
                break;
            }
            group.push(chunk);
        }
        Ok(group)
    }

    fn next_chunk(&mut self) -> Result<Vec<RecordBatch>, DatasetError> {
        let (mut chunk, mut n_missing) = (Vec::new(), CHUNK_ROWS);
        while n_missing > 0 {
            let Some(rows) = self.rest.take().map(Ok).or_else(|| self.batches.next()).transpose()? else { break };
            let n_taken = rows.num_rows().min(n_missing);
            if n_taken < rows.num_rows() {
                self.rest = Some(rows.slice(n_taken, rows.num_rows() - n_taken));
            }
            if n_taken > 0 {
                chunk.push(rows.slice(0, n_taken));
            }
            n_missing -= n_taken;
        }
        Ok(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::tests::numbers;

    #[test]
    fn chunks_end_at_the_same_rows_whatever_the_batches() {
        for batch_rows in [7, 16_384, 50_000] {
            let data = numbers(batch_rows);
            let mut chunks = Chunks::new(data.rows.partitions.scan(0).unwrap());
            let n_rows = |chunk: &Vec<RecordBatch>| chunk.iter().map(RecordBatch::num_rows).sum::<usize>();
            let sizes: Vec<usize> = chunks.next_group(100).unwrap().iter().map(n_rows).collect();
            assert_eq!(sizes, [16_384, 16_384, 16_384, 16_384, 16_384, 16_384, 1_696], "batches of {batch_rows}");
        }
    }
}
