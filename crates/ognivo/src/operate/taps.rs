//! Scored rows on their way to whoever looks at them.
//!
//! The first [`MAX_ROWS`] rows of a batch are shown once the batch is committed, so nobody sees a row that is not there. They go
//! through a queue of a few batches for each reader; when it is full, the batch is left out for that reader and counted. While
//! nobody looks, nothing is kept.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use ognivo_stream::plan::BatchId;
use ognivo_stream::query::QueryEvent;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// Readers at the same time.
pub(crate) const MAX_READERS: usize = 4;

/// Rows of a batch that are shown.
pub(crate) const MAX_ROWS: usize = 1_000;

/// Batches that wait for a reader. A row keeps its whole block in memory: so many blocks per reader at most.
const QUEUE_BATCHES: usize = 2;

/// Rows of a committed batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct TappedRows {
    /// The first rows of the batch.
    pub(crate) rows: Vec<RecordBatch>,
    /// Rows that came before them and that this reader does not see, since the last that it saw.
    pub(crate) n_missed: u64,
}

/// Everybody who looks at scored rows.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    /// As many as `inner.readers`, to be looked at without a lock.
    n_readers: AtomicUsize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    readers: Vec<Reader>,
    /// The stream is over.
    is_closed: bool,
    /// Batches that began while somebody looked and are not committed, oldest first; rows that are scored are of the newest.
    open: VecDeque<OpenBatch>,
}

#[derive(Debug)]
struct OpenBatch {
    id: BatchId,
    rows: Vec<RecordBatch>,
    n_rows: usize,
    /// Rows of the batch that are not in `rows`.
    n_left_out: u64,
}

#[derive(Debug)]
struct Reader {
    queue: mpsc::Sender<TappedRows>,
    n_missed: u64,
}

impl Taps {
    /// A new reader; None when there are enough.
    pub(crate) fn open(&self) -> Option<mpsc::Receiver<TappedRows>> {
        let mut inner = self.inner();
        inner.readers.retain(|reader| !reader.queue.is_closed());
        let opened = (inner.readers.len() < MAX_READERS && !inner.is_closed).then(|| {
            let (queue, receiver) = mpsc::channel(QUEUE_BATCHES);
            inner.readers.push(Reader { queue, n_missed: 0 });
            receiver
        });
        self.n_readers.store(inner.readers.len(), Ordering::Relaxed);
        opened
    }

    /// How many look.
    pub(crate) fn n_readers(&self) -> usize {
        self.inner().readers.iter().filter(|reader| !reader.queue.is_closed()).count()
    }

    /// Lets every reader come to its end.
    pub(crate) fn close(&self) {
        let mut inner = self.inner();
        inner.is_closed = true;
        inner.readers.clear();
        self.n_readers.store(0, Ordering::Relaxed);
    }

    /// Takes note of rows and commits, if anybody looks.
    pub(crate) fn note(&self, event: &QueryEvent<'_>) {
        if self.n_readers.load(Ordering::Relaxed) == 0 {
            return;
        }
        match event {
            QueryEvent::Started(id) => self.inner().begin(*id),
            QueryEvent::Aborted(id) => self.inner().forget(*id),
            QueryEvent::Scored(rows) => self.inner().keep(rows),
            QueryEvent::Progress(progress) => {
                let n_readers = self.inner().send(BatchId(progress.batch_id));
                self.n_readers.store(n_readers, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn begin(&mut self, id: BatchId) {
        // Numbers that come again are of batches that were given up.
        self.open.retain(|batch| batch.id < id);
        self.open.push_back(OpenBatch { id, rows: Vec::new(), n_rows: 0, n_left_out: 0 });
    }

    fn forget(&mut self, id: BatchId) {
        self.open.retain(|batch| batch.id != id);
    }

    fn keep(&mut self, rows: &RecordBatch) {
        let Some(batch) = self.open.back_mut() else { return };
        let n_kept = rows.num_rows().min(MAX_ROWS - batch.n_rows);
        if n_kept > 0 {
            batch.rows.push(rows.slice(0, n_kept));
        }
        batch.n_rows += n_kept;
        batch.n_left_out += (rows.num_rows() - n_kept) as u64;
    }

    /// Shows the rows of the batch that was just committed; how many readers are left.
    fn send(&mut self, id: BatchId) -> usize {
        let Some(at) = self.open.iter().position(|batch| batch.id == id) else { return self.readers.len() };
        // Those before it were committed before somebody looked, or given up.
        let Some(batch) = self.open.drain(..=at).next_back() else { return self.readers.len() };
        self.readers.retain_mut(|reader| {
            let tapped = TappedRows { rows: batch.rows.clone(), n_missed: reader.n_missed };
            match reader.queue.try_send(tapped) {
                Ok(()) => reader.n_missed = batch.n_left_out,
                Err(TrySendError::Full(_)) => reader.n_missed += batch.n_rows as u64 + batch.n_left_out,
                Err(TrySendError::Closed(_)) => return false,
            }
            true
        });
        self.readers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::Int64Array;

    fn rows(n: usize) -> RecordBatch {
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from_iter_values(0..n as i64)) as _)]).unwrap()
    }

    /// Batches of these sizes, each of blocks of 600 rows.
    fn batch(taps: &Taps, n_rows: usize) {
        taps.note(&QueryEvent::Started(BatchId(0)));
        for start in (0..n_rows).step_by(600) {
            taps.note(&QueryEvent::Scored(&rows(600.min(n_rows - start))));
        }
        taps.inner().send(BatchId(0));
    }

    fn take(reader: &mut mpsc::Receiver<TappedRows>) -> (usize, u64) {
        let tapped = reader.try_recv().unwrap();
        (tapped.rows.iter().map(RecordBatch::num_rows).sum(), tapped.n_missed)
    }

    #[test]
    fn the_first_rows_of_a_batch_are_shown_and_the_others_counted() {
        let taps = Taps::default();
        let mut reader = taps.open().unwrap();
        batch(&taps, 700);
        batch(&taps, 2_500);
        assert_eq!((take(&mut reader), take(&mut reader)), ((700, 0), (1_000, 0)));
        batch(&taps, 5);
        assert_eq!(take(&mut reader), (5, 1_500));
    }

    #[test]
    fn a_reader_that_is_slow_misses_whole_batches_and_is_told() {
        let taps = Taps::default();
        let (mut slow, mut quick) = (taps.open().unwrap(), taps.open().unwrap());
        for _ in 0..5 {
            batch(&taps, 10);
            assert_eq!(take(&mut quick), (10, 0));
        }
        assert_eq!((take(&mut slow), take(&mut slow)), ((10, 0), (10, 0)));
        assert!(slow.try_recv().is_err());
        batch(&taps, 1);
        assert_eq!(take(&mut slow), (1, 30));
    }

    #[test]
    fn rows_of_a_batch_that_was_given_up_are_not_shown() {
        let taps = Taps::default();
        let mut reader = taps.open().unwrap();
        taps.note(&QueryEvent::Started(BatchId(0)));
        taps.note(&QueryEvent::Scored(&rows(7)));
        taps.note(&QueryEvent::Aborted(BatchId(0)));
        batch(&taps, 3);
        assert_eq!(take(&mut reader), (3, 0));
    }

    #[test]
    fn rows_of_a_batch_are_shown_when_it_is_committed_though_the_next_has_begun() {
        let taps = Taps::default();
        let mut reader = taps.open().unwrap();
        taps.note(&QueryEvent::Started(BatchId(0)));
        taps.note(&QueryEvent::Scored(&rows(7)));
        taps.note(&QueryEvent::Started(BatchId(1)));
        taps.note(&QueryEvent::Scored(&rows(3)));
        taps.inner().send(BatchId(0));
        assert_eq!(take(&mut reader), (7, 0));
        taps.inner().send(BatchId(1));
        assert_eq!(take(&mut reader), (3, 0));
    }

    #[test]
    fn a_batch_that_was_under_way_when_somebody_began_to_look_is_not_shown() {
        let taps = Taps::default();
        taps.note(&QueryEvent::Started(BatchId(0)));
        let mut reader = taps.open().unwrap();
        taps.note(&QueryEvent::Scored(&rows(7)));
        taps.inner().send(BatchId(0));
        batch(&taps, 3);
        assert_eq!(take(&mut reader), (3, 0));
    }

    #[test]
    fn readers_are_few_and_who_went_away_makes_room() {
        let taps = Taps::default();
        let mut readers: Vec<_> = (0..MAX_READERS).map(|_| taps.open().unwrap()).collect();
        assert!(taps.open().is_none());
        readers.pop();
        assert!(taps.open().is_some());
        taps.close();
        assert!(taps.open().is_none());
        assert!(readers[0].try_recv().is_err_and(|error| error == mpsc::error::TryRecvError::Disconnected));
    }
}
