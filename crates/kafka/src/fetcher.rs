//! The thread that polls the consumer: records into buffers of bounded size, rebalances at the driver's pace.
//!
//! ```text
//!   broker ─▶ batch queue ─▶ lane of each partition ─▶ take        paused while a lane is full, polled all the same
//!         │                  by a reader that waits, where little has come: that saves a wake-up; else by the thread
//!         └─▶ poll
//!                └─▶ rebalance: gained partitions wait until somebody says where they start,
//!                               lost ones until the open batch is done or is known to be lost
//! ```
//! The group is never kept waiting for longer than half a minute: then the partition goes, and the batch that is
//! open cannot be committed any more.

mod failure;
mod intake;
mod poller;
mod rebalance;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, TryLockError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::sync::oneshot;

use crate::batch_queue::BatchQueue;
use crate::error::KafkaError;
use crate::offsets::{Offsets, TopicPartition};
use intake::Intake;
use poller::Poller;
use rebalance::Context;
use state::Shared;

pub(crate) use failure::Failure;
pub(crate) use state::State;

/// The consumer with our context.
pub(crate) type Consumer = BaseConsumer<Context>;

/// Where more is there, a reader that waits leaves it to the thread: it takes its time.
const FEW: usize = 64;

/// How partitions become ours.
pub(crate) enum Given {
    /// Whoever starts to read one has it.
    WhenTheyStart,
    /// These, as soon as there is a consumer; no other instance has them.
    AtOnce(Vec<TopicPartition>),
    /// As a member of a group that shares these topics out, or those that match a pattern.
    ByTheGroup(Vec<String>),
}

/// A consumer, its thread, and what was gathered.
pub(crate) struct Fetcher {
    pub(crate) consumer: Arc<Consumer>,
    queue: Arc<Mutex<BatchQueue>>,
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Command {
    /// Look what there is, at once.
    Look,
    /// Read these partitions from here.
    Start(Offsets, oneshot::Sender<Result<(), KafkaError>>),
    /// No batch is open: let go what was taken from us.
    Release(oneshot::Sender<Result<(), KafkaError>>),
}

impl Fetcher {
    /// Starts a consumer and its thread.
    ///
    /// # Errors
    /// A setting that the client refuses.
    pub(crate) fn start(client: &ClientConfig, given: Given, with_headers: bool) -> Result<Fetcher, KafkaError> {
        let (commands, received) = mpsc::channel();
        let uses_group = !matches!(given, Given::WhenTheyStart);
        let shared = Arc::new(Shared::new(with_headers, uses_group, commands));
        let made = client.create_with_context(Context(Arc::clone(&shared)));
        let consumer: Consumer = made.map_err(|cause| KafkaError::client("cannot make a consumer", &cause))?;
        match given {
            Given::WhenTheyStart => {}
            Given::AtOnce(partitions) => shared.state().gain(partitions),
            Given::ByTheGroup(topics) => {
                let names: Vec<&str> = topics.iter().map(String::as_str).collect();
                let doing = || format!("cannot subscribe to {}", names.join(", "));
                consumer.subscribe(&names).map_err(|cause| KafkaError::client(doing(), &cause))?;
            }
        }
        let consumer = Arc::new(consumer);
        let rung = Arc::clone(&shared);
        let queue = BatchQueue::new(Arc::clone(&consumer), Box::new(move || rung.ring()));
        let queue = Arc::new(Mutex::new(queue));
        let poller = Poller::new(Arc::clone(&consumer), Arc::clone(&queue), Arc::clone(&shared), received);
        let run = move || poller.run();
        let thread = std::thread::Builder::new().name("kafka-fetcher".to_owned()).spawn(run);
        let thread = thread.map_err(|_| KafkaError::FetcherEnded)?;
        Ok(Fetcher { consumer, queue, shared, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// Waits until `look` finds something; None when it has not within `patience`.
    pub(crate) async fn wait<T>(&self, patience: Duration, mut look: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let waiting = async {
            let _waiting = self.shared.waiting();
            loop {
                let mut changed = std::pin::pin!(self.shared.changed.notified());
                changed.as_mut().enable();
                if let Some(found) = look(&mut self.shared.state()) {
                    return found;
                }
                if self.take_few()
                    && let Some(found) = look(&mut self.shared.state())
                {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(patience, waiting).await.ok()
    }

    /// Puts what has come into the lanes, where it is little and the thread is not about to; whether there was any.
    fn take_few(&self) -> bool {
        let queue = match self.queue.try_lock() {
            Ok(queue) => queue,
            // The thread is at it, and may have looked already.
            Err(TryLockError::WouldBlock) => {
                self.shared.wake_thread();
                return false;
            }
            Err(TryLockError::Poisoned(_)) => return false,
        };
        match queue.len() {
            0 => false,
            1..=FEW if !queue.consumer_has_news() => {
                let mut intake = Intake::new(&self.shared);
                queue.take(|message| intake.take(message));
                intake.end();
                true
            }
            _ => {
                self.shared.wake_thread();
                false
            }
        }
    }

    /// Reads these partitions from these offsets; the others as before.
    pub(crate) async fn start_at(&self, offsets: Offsets) -> Result<(), KafkaError> {
        self.ask(|answer| Command::Start(offsets, answer)).await
    }

    /// No batch is open: lets go what was taken from us.
    pub(crate) async fn release(&self) -> Result<(), KafkaError> {
        if self.state().awaiting_release.is_none() {
            return Ok(());
        }
        self.ask(Command::Release).await
    }

    async fn ask(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<(), KafkaError>>) -> Command,
    ) -> Result<(), KafkaError> {
        let (answer, answered) = oneshot::channel();
        self.shared.commands.send(command(answer)).map_err(|_| KafkaError::FetcherEnded)?;
        answered.await.map_err(|_| KafkaError::FetcherEnded)?
    }

    /// Leaves the group and ends the thread.
    pub(crate) fn close(&self) {
        self.state().is_closing = true;
        self.shared.wake_thread();
        let thread = self.thread.lock().expect("nobody panics while holding this lock").take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}
