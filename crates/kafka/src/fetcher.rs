//! The thread that polls the consumer: records into buffers of bounded size, rebalances at the driver's pace.
//!
//! ```text
//!   broker ─▶ batch queue ─▶ lane of each partition ─▶ take        paused while a lane is full, polled all the same
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

use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use tokio::sync::oneshot;

use crate::error::KafkaError;
use crate::offsets::Offsets;
use poller::Poller;
use rebalance::Context;
use state::Shared;

pub(crate) use failure::Failure;
pub(crate) use state::State;

/// The consumer with our context.
pub(crate) type Consumer = BaseConsumer<Context>;

/// A consumer, its thread, and what the thread has gathered.
pub(crate) struct Fetcher {
    pub(crate) consumer: Arc<Consumer>,
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Command {
    /// Read these partitions from here.
    Start(Offsets, oneshot::Sender<Result<(), KafkaError>>),
    /// No batch is open: let go what was taken from us.
    Release(oneshot::Sender<Result<(), KafkaError>>),
}

impl Fetcher {
    /// Starts a consumer and its thread; with `topics`, as a member of its group.
    ///
    /// # Errors
    /// A setting that the client refuses.
    pub(crate) fn start(
        client: &ClientConfig,
        topics: Option<&[&str]>,
        with_headers: bool,
    ) -> Result<Fetcher, KafkaError> {
        let shared = Arc::new(Shared::new(with_headers, topics.is_some()));
        let made = client.create_with_context(Context(Arc::clone(&shared)));
        let consumer: Consumer = made.map_err(|cause| KafkaError::client("cannot make a consumer", &cause))?;
        if let Some(topics) = topics {
            let doing = || format!("cannot subscribe to {}", topics.join(", "));
            consumer.subscribe(topics).map_err(|cause| KafkaError::client(doing(), &cause))?;
        }
        let consumer = Arc::new(consumer);
        let (commands, received) = mpsc::channel();
        let (polled, told) = (Arc::clone(&consumer), Arc::clone(&shared));
        let run = move || Poller::new(polled, told, received).run();
        let thread = std::thread::Builder::new().name("kafka-fetcher".to_owned()).spawn(run);
        let thread = thread.map_err(|_| KafkaError::FetcherEnded)?;
        Ok(Fetcher { consumer, shared, commands, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// Waits until `look` finds something; None when it has not within `patience`.
    pub(crate) async fn wait<T>(&self, patience: Duration, mut look: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let waiting = async {
            loop {
                let mut changed = std::pin::pin!(self.shared.changed.notified());
                changed.as_mut().enable();
                if let Some(found) = look(&mut self.shared.state()) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(patience, waiting).await.ok()
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
        self.commands.send(command(answer)).map_err(|_| KafkaError::FetcherEnded)?;
        answered.await.map_err(|_| KafkaError::FetcherEnded)?
    }

    /// Leaves the group and ends the thread.
    pub(crate) fn close(&self) {
        self.state().is_closing = true;
        let thread = self.thread.lock().expect("nobody panics while holding this lock").take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}
