//! What became of the records that were sent, batch by batch: several batches may be on their way at a time.
//!
//! Each record carries the number of its batch's account through the client, so that a batch counts as arrived by its own records
//! alone, in whatever order partitions answer.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ognivo_stream::clock::{Clock as _, SystemClock};
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::producer::{DeliveryResult, NoCustomPartitioner, ProducerContext};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::error::KafkaError;

/// Batches of one producer whose records may be on their way.
const MOST_ACCOUNTS: usize = 128;

/// How long the records of a batch may take to arrive; the client gives each up before.
const DELIVERY_DEADLINE: Duration = Duration::from_secs(330);

/// The accounts of a producer.
#[derive(Clone)]
pub(crate) struct Deliveries(Arc<[Counts]>);

/// The records of one batch.
#[derive(Default)]
struct Counts {
    is_taken: AtomicBool,
    n_sent: AtomicU64,
    n_done: AtomicU64,
    /// When there was last none on its way, in milliseconds since 1970.
    done_ms: AtomicI64,
    failure: Mutex<Option<Code>>,
    changed: Notify,
}

impl Counts {
    fn all_are_done(&self) -> bool {
        self.n_done.load(Ordering::SeqCst) >= self.n_sent.load(Ordering::SeqCst)
    }

    fn note_failure(&self, code: Code) {
        let mut failure = self.failure.lock().expect("nobody panics while holding this lock");
        // What was purged failed because of something before it.
        if failure.is_none_or(|known| matches!(known, Code::PurgeQueue | Code::PurgeInflight)) {
            *failure = Some(code);
        }
    }

    fn take_failure(&self) -> Option<Code> {
        self.failure.lock().expect("nobody panics while holding this lock").take()
    }
}

impl Deliveries {
    pub(crate) fn new() -> Deliveries {
        Deliveries((0..MOST_ACCOUNTS).map(|_| Counts::default()).collect())
    }

    /// An account for a new batch.
    ///
    /// # Errors
    /// When too many batches have records on their way.
    pub(crate) fn open(&self) -> Result<Account, KafkaError> {
        let is_free = |counts: &Counts| {
            let is_ours = !counts.is_taken.swap(true, Ordering::SeqCst);
            if is_ours && !counts.all_are_done() {
                // Records of a batch that was given up are still on their way.
                counts.is_taken.store(false, Ordering::SeqCst);
                return false;
            }
            is_ours
        };
        let idx = self.0.iter().position(is_free).ok_or_else(|| KafkaError::code("cannot write", Code::QueueFull))?;
        self.0[idx].n_sent.store(0, Ordering::SeqCst);
        self.0[idx].n_done.store(0, Ordering::SeqCst);
        self.0[idx].done_ms.store(0, Ordering::SeqCst);
        self.0[idx].take_failure();
        Ok(Account { deliveries: self.clone(), idx })
    }
}

impl ClientContext for Deliveries {
    fn error(&self, _error: ClientError, _reason: &str) {
        // What matters comes back from the calls and with the deliveries.
    }
}

impl ProducerContext<NoCustomPartitioner> for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, idx: usize) {
        let counts = &self.0[idx];
        if let Err((error, _)) = result {
            counts.note_failure(error.rdkafka_error_code().unwrap_or(Code::Fail));
        }
        counts.n_done.fetch_add(1, Ordering::SeqCst);
        if counts.all_are_done() {
            counts.done_ms.store(SystemClock.now_ms(), Ordering::SeqCst);
            counts.changed.notify_waiters();
        }
    }
}

/// The account of one batch; another batch may have it once this one is dropped and its records are done.
pub(crate) struct Account {
    deliveries: Deliveries,
    idx: usize,
}

impl Account {
    fn counts(&self) -> &Counts {
        &self.deliveries.0[self.idx]
    }

    /// What each record carries through the client.
    pub(crate) fn number(&self) -> usize {
        self.idx
    }

    /// So many records are about to be handed over: their deliveries may come before the call returns.
    pub(crate) fn expect(&self, n_records: usize) {
        self.counts().n_sent.fetch_add(n_records as u64, Ordering::SeqCst);
    }

    /// So many of them were not taken.
    pub(crate) fn expect_less(&self, n_records: usize) {
        self.counts().n_sent.fetch_sub(n_records as u64, Ordering::SeqCst);
    }

    /// Why a record did not arrive, told once.
    pub(crate) fn take_failure(&self) -> Option<Code> {
        self.counts().take_failure()
    }

    /// Waits until all records of the batch have arrived, and gives the time when the last of them had, in milliseconds since 1970; now,
    /// when there were none.
    ///
    /// # Errors
    /// With the first that did not.
    pub(crate) async fn arrived(&self) -> Result<i64, KafkaError> {
        let counts = self.counts();
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(counts.changed.notified());
                changed.as_mut().enable();
                if counts.all_are_done() {
                    return;
                }
                changed.await;
            }
        };
        if timeout(DELIVERY_DEADLINE, waiting).await.is_err() {
            return Err(KafkaError::code("cannot write", Code::MessageTimedOut));
        }
        if let Some(code) = self.take_failure() {
            return Err(KafkaError::code("cannot write", code));
        }
        // Noted a moment after they are counted, so that it may not be there yet.
        let noted_ms = counts.done_ms.load(Ordering::SeqCst);
        Ok(if noted_ms > 0 { noted_ms } else { SystemClock.now_ms() })
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.counts().is_taken.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_another_batchs_only_when_it_is_dropped_and_its_records_are_done() {
        let deliveries = Deliveries::new();
        let (first, second) = (deliveries.open().unwrap(), deliveries.open().unwrap());
        assert_eq!((first.number(), second.number()), (0, 1));
        first.expect(3);
        first.expect_less(1);
        drop(first);
        assert_eq!(deliveries.open().unwrap().number(), 2, "two records of the first are on their way");
        deliveries.0[0].n_done.fetch_add(2, Ordering::SeqCst);
        let third = deliveries.open().unwrap();
        assert_eq!(third.number(), 0);
        assert!(third.counts().all_are_done(), "nothing was sent yet");
    }

    #[test]
    fn what_failed_before_says_more_than_what_was_purged_after_it() {
        let account = Deliveries::new().open().unwrap();
        account.counts().note_failure(Code::PurgeQueue);
        account.counts().note_failure(Code::MessageSizeTooLarge);
        account.counts().note_failure(Code::PurgeInflight);
        assert_eq!(account.take_failure(), Some(Code::MessageSizeTooLarge));
        assert_eq!(account.take_failure(), None);
    }
}
