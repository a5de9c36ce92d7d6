//! Scored rows on their way to whoever looks at them.
//!
//! The first [`MAX_ROWS`] rows of a batch are shown once the batch is committed, so nobody sees a row that is not there. They go
//! through a queue of a few batches for each reader; when it is full, the batch is left out for that reader and counted. While
//! nobody looks, nothing is kept.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
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
    /// Somebody looked when the open batch began.
    is_open: bool,
    /// Rows of the open batch.
    pending: Arc<Vec<RecordBatch>>,
    n_pending: usize,
    /// Rows of the open batch that are not in `pending`.
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
            QueryEvent::Started(_) => self.inner().forget(true),
            QueryEvent::Aborted(_) => self.inner().forget(false),
            QueryEvent::Scored(rows) => self.inner().keep(rows),
            QueryEvent::Progress(_) => {
                let n_readers = self.inner().send();
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
    fn forget(&mut self, is_open: bool) {
        self.is_open = is_open;
        self.pending = Arc::default();
        (self.n_pending, self.n_left_out) = (0, 0);
    }

    fn keep(&mut self, rows: &RecordBatch) {
        if !self.is_open {
            return;
        }
        let n_kept = rows.num_rows().min(MAX_ROWS - self.n_pending);
        if n_kept > 0 {
            Arc::make_mut(&mut self.pending).push(rows.slice(0, n_kept));
        }
        self.n_pending += n_kept;
        self.n_left_out += (rows.num_rows() - n_kept) as u64;
    }

    /// Shows the rows of the batch that was just committed; how many readers are left.
    fn send(&mut self) -> usize {
        if !self.is_open {
            return self.readers.len();
        }
        let (n_rows, n_left_out) = (self.n_pending as u64, self.n_left_out);
        let rows = std::mem::take(&mut self.pending);
        self.forget(false);
        self.readers.retain_mut(|reader| {
            let tapped = TappedRows { rows: rows.to_vec(), n_missed: reader.n_missed };
            match reader.queue.try_send(tapped) {
                Ok(()) => reader.n_missed = n_left_out,
                Err(TrySendError::Full(_)) => reader.n_missed += n_rows + n_left_out,
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
    use arrow_array::Int64Array;
    use ognivo_stream::plan::BatchId;

    fn rows(n: usize) -> RecordBatch {
        RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from_iter_values(0..n as i64)) as _)]).unwrap()
    }

    /// Batches of these sizes, each of blocks of 600 rows.
    fn batch(taps: &Taps, n_rows: usize) {
        taps.note(&QueryEvent::Started(BatchId(0)));
        for start in (0..n_rows).step_by(600) {
            taps.note(&QueryEvent::Scored(&rows(600.min(n_rows - start))));
        }
        taps.inner().send();
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
    fn a_batch_that_was_under_way_when_somebody_began_to_look_is_not_shown() {
        let taps = Taps::default();
        taps.note(&QueryEvent::Started(BatchId(0)));
        let mut reader = taps.open().unwrap();
        taps.note(&QueryEvent::Scored(&rows(7)));
        taps.inner().send();
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
