//! The thread that polls the consumer: records into buffers of bounded size, rebalances at the driver's pace.
//!
//! ```text
//!   broker ─▶ batch queue ─▶ lane of each partition ─▶ take        paused while a lane is full, polled all the same
//!         └─▶ poll
//!                └─▶ rebalance: gained partitions wait until somebody says where they start,
//!                               lost ones until the open batch is done or is known to be lost
//! ```
//! The group is never kept waiting for longer than [`RELEASE_DEADLINE`]: then the partition goes, and the batch that is
//! open cannot be committed any more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{ClientConfig, Offset};
use tokio::sync::{Notify, oneshot};

use crate::batch_queue::{BatchQueue, Message};
use crate::error::{KafkaError, Reaction};
use crate::lane::Lane;
use crate::offsets::{Offsets, TopicPartition, list_of, partitions_of};
use crate::records::Record;

/// How long the thread waits for a record before it looks at what it was asked to do.
const POLL: Duration = Duration::from_millis(5);

/// How many records come before waiting readers are told.
const TELL_EVERY: usize = 1024;

/// Bytes of all lanes together.
const BUFFER_BYTES: usize = 64 << 20;

/// A lane takes so many bytes, however many lanes there are.
const LEAST_LANE_BYTES: usize = 1 << 20;

/// How long a partition that was taken from us may be held for an open batch; well below `max.poll.interval.ms`.
const RELEASE_DEADLINE: Duration = Duration::from_secs(30);

/// How long a partition that was given to us may go without a word where it starts.
const START_DEADLINE: Duration = Duration::from_secs(20);

/// How long a call to the client may take within the thread.
const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// How long leaving the group may take.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

const CANNOT_START: &str = "cannot start reading";

/// The consumer with our context.
pub(crate) type Consumer = BaseConsumer<Context>;

/// A consumer, its thread, and what the thread has gathered.
pub(crate) struct Fetcher {
    pub(crate) consumer: Arc<Consumer>,
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Notify,
    with_headers: bool,
}

/// What readers and the thread know together.
#[derive(Default)]
pub(crate) struct State {
    /// Partitions that are being read.
    pub(crate) lanes: Vec<Lane>,
    /// Partitions that the group has given us, with a number that is never used again.
    pub(crate) held: BTreeMap<TopicPartition, u64>,
    /// News for the driver.
    pub(crate) gained: BTreeSet<TopicPartition>,
    pub(crate) lost: BTreeSet<TopicPartition>,
    /// Whether the group has told us what is ours, be it nothing.
    pub(crate) has_joined: bool,
    /// Whether rows of a batch are on their way.
    pub(crate) batch_is_open: bool,
    pub(crate) failure: Option<Failure>,
    n_gained: u64,
    /// Given to us, and the client does not read them yet.
    awaiting_start: Option<(Vec<TopicPartition>, Instant)>,
    /// Taken from us, and not let go yet.
    awaiting_release: Option<(Vec<TopicPartition>, Instant)>,
    is_closing: bool,
    /// Let go of, and still in the batch queue.
    unread: Vec<TopicPartition>,
}

impl State {
    fn note_failure(&mut self, code: Code, is_member: bool) {
        match code {
            Code::AutoOffsetReset => self.failure = Some(Failure::OutOfRange),
            // Who only names a group needs no right to it.
            Code::GroupAuthorizationFailed if !is_member => {}
            code if passes_by_itself(code) => {}
            code => self.failure = Some(Failure::Client(code)),
        }
    }
}

/// What the client said that only a reader can act on.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// Some partition has no record at the offset that was asked for.
    OutOfRange,
    /// Anything else, and whether the client is finished.
    Client(Code),
}

enum Command {
    /// Read these partitions from here.
    Start(Offsets, oneshot::Sender<Result<(), KafkaError>>),
    /// No batch is open: let go what was taken from us.
    Release(oneshot::Sender<Result<(), KafkaError>>),
}

/// What the client tells us in between.
pub(crate) struct Context(Arc<Shared>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics while holding this lock")
    }
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
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Notify::new(), with_headers });
        let made = client.create_with_context(Context(Arc::clone(&shared)));
        let consumer: Consumer = made.map_err(|cause| KafkaError::client("cannot make a consumer", &cause))?;
        if let Some(topics) = topics {
            let doing = || format!("cannot subscribe to {}", topics.join(", "));
            consumer.subscribe(topics).map_err(|cause| KafkaError::client(doing(), &cause))?;
        }
        let consumer = Arc::new(consumer);
        let (commands, received) = mpsc::channel();
        let (is_member, polled, told) = (topics.is_some(), Arc::clone(&consumer), Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("kafka-fetcher".to_owned()).spawn(move || {
            let queue = BatchQueue::new(Arc::clone(&polled));
            Poller { queue, consumer: polled, shared: told, commands: received, is_member }.run();
        });
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

struct Poller {
    queue: BatchQueue,
    consumer: Arc<Consumer>,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    is_member: bool,
}

impl Poller {
    fn run(mut self) {
        let mut led = Instant::now();
        loop {
            while let Ok(command) = self.commands.try_recv() {
                self.obey(command);
            }
            if self.shared.state().is_closing {
                return self.leave();
            }
            self.keep_within_bounds();
            self.keep_deadlines();
            // In this order: what the client read before it was told where records go comes by the poll, and before all that
            // comes by the queue, else the lane would take it for records that it has.
            if led.elapsed() >= POLL {
                self.queue.lead_on();
                led = Instant::now();
            }
            self.poll();
            let mut intake = Intake { shared: &self.shared, is_member: self.is_member, n_taken: 0, open: None };
            self.queue.take(POLL, |message| intake.take(message));
            intake.end();
        }
    }

    /// Lets the client say what it has to say, and answers; records come past it.
    fn poll(&mut self) {
        while let Some(said) = self.consumer.poll(Duration::ZERO) {
            let mut state = self.shared.state();
            match said {
                // One that it read before it was told where records go.
                Ok(message) => {
                    let lane = state.lanes.iter_mut().find(|lane| lane.is_of(message.topic(), message.partition()));
                    if let Some(lane) = lane {
                        lane.push(Record::of(&message, self.shared.with_headers), self.shared.with_headers);
                    }
                }
                Err(ClientError::MessageConsumption(code) | ClientError::MessageConsumptionFatal(code)) => {
                    state.note_failure(code, self.is_member);
                }
                Err(_) => {}
            }
            drop(state);
            self.shared.changed.notify_waiters();
        }
        self.forget_lost();
    }

    fn forget_lost(&mut self) {
        let lost = std::mem::take(&mut self.shared.state().unread);
        self.queue.let_go(&lost);
    }

    /// Pauses lanes that are full, and resumes those that have room again.
    fn keep_within_bounds(&self) {
        let mut state = self.shared.state();
        let limit = (BUFFER_BYTES / state.lanes.len().max(1)).max(LEAST_LANE_BYTES);
        let (mut full, mut free) = (Vec::new(), Vec::new());
        for lane in &mut state.lanes {
            if !lane.is_paused && lane.n_bytes() > limit {
                lane.is_paused = true;
                full.push(lane.at.clone());
            } else if lane.is_paused && lane.n_bytes() < limit / 2 {
                lane.is_paused = false;
                free.push(lane.at.clone());
            }
        }
        drop(state);
        // Both can only fail for a partition that is not ours any more.
        if !full.is_empty() {
            let _ = self.consumer.pause(&list_of(&full));
        }
        if !free.is_empty() {
            let _ = self.consumer.resume(&list_of(&free));
        }
    }

    fn keep_deadlines(&self) {
        let mut state = self.shared.state();
        if state.awaiting_release.as_ref().is_some_and(|(_, since)| since.elapsed() > RELEASE_DEADLINE) {
            drop(state);
            let _ = release(&self.consumer, &self.shared);
            self.shared.changed.notify_waiters();
        } else if let Some((partitions, _)) =
            state.awaiting_start.take_if(|(_, since)| since.elapsed() > START_DEADLINE)
        {
            // Nobody has come for them, and the group waits: they are ours, and what the client reads is not looked at.
            drop(state);
            let _ = assign_more(&self.consumer, &at(&partitions, Offset::End));
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Start(offsets, answer) => {
                let _ = answer.send(self.start(&offsets));
            }
            Command::Release(answer) => {
                let _ = answer.send(release(&self.consumer, &self.shared));
            }
        }
    }

    fn start(&mut self, offsets: &Offsets) -> Result<(), KafkaError> {
        // What was lost before and came back is not lost any more.
        self.forget_lost();
        self.queue.lead(offsets.0.keys());
        let restarted = if self.is_member { self.start_shared(offsets)? } else { self.start_alone(offsets)? };
        // A lane that was full is not any more.
        let _ = self.consumer.resume(&restarted.to_list());
        self.wait_for_fresh_positions(&restarted);
        self.begin_lanes(&restarted, offsets);
        Ok(())
    }

    /// All partitions are told to the client again, those that are not asked for from where their lanes end.
    fn start_alone(&self, offsets: &Offsets) -> Result<Offsets, KafkaError> {
        let mut all = offsets.clone();
        for lane in &self.shared.state().lanes {
            all.0.entry(lane.at.clone()).or_insert(lane.reached);
        }
        self.consumer.assign(&all.to_list()).map_err(|cause| KafkaError::client(CANNOT_START, &cause))?;
        Ok(all)
    }

    /// Partitions that the group has just given us are assigned, those that we read already are moved.
    ///
    /// Nothing else is ever assigned: a partition that was lost since somebody asked for it would be the client's without
    /// being the group's, and the group's next word about it would be refused as a contradiction.
    fn start_shared(&self, offsets: &Offsets) -> Result<Offsets, KafkaError> {
        let mut state = self.shared.state();
        if let Some(lost) = offsets.0.keys().find(|at| !state.held.contains_key(at)) {
            return Err(KafkaError::PartitionLost { partition: lost.to_string() });
        }
        let waiting = state.awaiting_start.take().map(|(partitions, _)| partitions).unwrap_or_default();
        drop(state);
        // Given to us and not asked for yet: its records are not looked at until it is moved.
        let first = |at: &TopicPartition| offsets.get(at).map_or(Offset::End, Offset::Offset);
        let mut list = TopicPartitionList::new();
        for at in &waiting {
            let _ = list.add_partition_offset(&at.topic, at.partition, first(at));
        }
        if !waiting.is_empty()
            && let Err(cause) = assign_more(&self.consumer, &list)
        {
            self.shared.state().awaiting_start = Some((waiting, Instant::now()));
            return Err(KafkaError::client(CANNOT_START, &cause));
        }
        let moved = offsets.0.iter().filter(|(at, _)| !waiting.contains(at));
        let moved = Offsets(moved.map(|(at, from)| (at.clone(), *from)).collect());
        if !moved.0.is_empty() {
            self.seek(moved.to_list())?;
        }
        Ok(offsets.clone())
    }

    /// A partition that was only just assigned cannot be moved yet.
    fn seek(&self, list: TopicPartitionList) -> Result<(), KafkaError> {
        let begin = Instant::now();
        loop {
            let sought = self.consumer.seek_partitions(list.clone(), CALL_DEADLINE);
            let error = match sought {
                Ok(list) => list.elements().iter().find_map(|element| element.error().err()),
                Err(error) => Some(error),
            };
            match error {
                None => break,
                Some(error) if begin.elapsed() > CALL_DEADLINE => {
                    return Err(KafkaError::client("cannot go back to what was committed", &error));
                }
                Some(_) => std::thread::sleep(POLL),
            }
        }
        Ok(())
    }

    /// Until the client has forgotten its old position, an end that it tells of another partition could be taken for
    /// this one's. Nobody polls meanwhile, so no new position comes.
    fn wait_for_fresh_positions(&self, started: &Offsets) {
        let begin = Instant::now();
        while begin.elapsed() < CALL_DEADLINE {
            let Ok(positions) = self.consumer.position() else { return };
            let is_fresh = |at: &TopicPartition| {
                let found = positions.find_partition(&at.topic, at.partition);
                found.is_none_or(|element| !matches!(element.offset(), Offset::Offset(_)))
            };
            if started.0.keys().all(is_fresh) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn begin_lanes(&self, restarted: &Offsets, asked: &Offsets) {
        let mut state = self.shared.state();
        state.failure = None;
        for (at, from) in &restarted.0 {
            let lane = Lane::new(at.clone(), *from);
            match state.lanes.iter_mut().find(|lane| lane.at == *at) {
                // Re-read from where its buffer ends: what is in it stays.
                Some(old) if asked.get(at).is_none() => (old.is_at_end, old.is_paused) = (false, false),
                Some(old) => *old = lane,
                None => state.lanes.push(lane),
            }
        }
        drop(state);
        self.shared.changed.notify_waiters();
    }

    fn leave(&self) {
        let waiting = self.shared.state().awaiting_start.take();
        if let Some((partitions, _)) = waiting {
            let _ = assign_more(&self.consumer, &at(&partitions, Offset::End));
        }
        let _ = release(&self.consumer, &self.shared);
        if self.is_member && self.consumer.close_queue().is_ok() {
            let begin = Instant::now();
            while !self.consumer.closed() && begin.elapsed() < CLOSE_DEADLINE {
                let _ = self.consumer.poll(Duration::from_millis(10));
            }
        }
        let mut state = self.shared.state();
        state.lanes.clear();
        state.held.clear();
        drop(state);
        self.shared.changed.notify_waiters();
    }
}

/// Puts records into their lanes, those of partitions that are not ours nowhere.
struct Intake<'s> {
    shared: &'s Shared,
    is_member: bool,
    n_taken: usize,
    open: Option<OpenLane<'s>>,
}

/// The state, held from the first message on, and the lane of the message before: records come in long runs of one partition.
struct OpenLane<'s> {
    state: MutexGuard<'s, State>,
    origin: (usize, i32),
    lane_idx: Option<usize>,
}

impl<'s> OpenLane<'s> {
    fn new(state: MutexGuard<'s, State>, message: &Message<'_>) -> OpenLane<'s> {
        let mut open = OpenLane { state, origin: message.origin(), lane_idx: None };
        open.find(message);
        open
    }

    fn find(&mut self, message: &Message<'_>) {
        let is_its = |lane: &Lane| lane.is_of(message.topic(), message.partition());
        self.lane_idx = self.state.lanes.iter().position(is_its);
        self.origin = message.origin();
    }

    fn lane(&mut self) -> Option<&mut Lane> {
        self.lane_idx.map(|idx| &mut self.state.lanes[idx])
    }
}

impl Intake<'_> {
    fn take(&mut self, message: &Message<'_>) {
        if self.n_taken > 0 && self.n_taken.is_multiple_of(TELL_EVERY) {
            self.end();
        }
        self.n_taken += 1;
        let open = self.open.get_or_insert_with(|| OpenLane::new(self.shared.state(), message));
        if open.origin != message.origin() {
            open.find(message);
        }
        let with_headers = self.shared.with_headers;
        match (message.failure(), open.lane()) {
            (None, Some(lane)) => lane.push(message.record(with_headers), with_headers),
            (Some(Code::PartitionEOF), Some(lane)) => lane.note_end(message.offset()),
            (None | Some(Code::PartitionEOF), None) => {}
            (Some(code), _) => open.state.note_failure(code, self.is_member),
        }
    }

    /// Lets readers have what has been taken.
    fn end(&mut self) {
        if self.open.take().is_some() {
            self.shared.changed.notify_waiters();
        }
    }
}

fn at(partitions: &[TopicPartition], offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for at in partitions {
        let _ = list.add_partition_offset(&at.topic, at.partition, offset);
    }
    list
}

/// Adds partitions to what the client reads, by the protocol of the group.
fn assign_more(consumer: &Consumer, list: &TopicPartitionList) -> Result<(), ClientError> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
        // Eager: everything was let go before, so this is all there is.
        _ => consumer.assign(list),
    }
}

/// Lets go what was taken from us.
fn release(consumer: &Consumer, shared: &Shared) -> Result<(), KafkaError> {
    let Some((partitions, _)) = shared.state().awaiting_release.take() else { return Ok(()) };
    let_go(consumer, shared, &partitions)
}

fn let_go(consumer: &Consumer, shared: &Shared, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
    // Noted as lost before the group is told: whoever sees the next generation sees this too.
    let mut state = shared.state();
    for at in partitions {
        state.held.remove(at);
        state.gained.remove(at);
        state.lost.insert(at.clone());
    }
    state.lanes.retain(|lane| !partitions.contains(&lane.at));
    state.unread.extend_from_slice(partitions);
    if let Some((waiting, _)) = &mut state.awaiting_start {
        waiting.retain(|at| !partitions.contains(at));
    }
    drop(state);
    let done = match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(&list_of(partitions)),
        _ => consumer.unassign(),
    };
    done.map_err(|cause| KafkaError::client("cannot let partitions go", &cause))
}

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &Consumer, kind: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let Context(shared) = self;
        let partitions = partitions_of(list);
        match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => gain(consumer, shared, list, partitions),
            _ => lose(consumer, shared, partitions),
        }
        shared.changed.notify_waiters();
    }
}

fn gain(consumer: &Consumer, shared: &Shared, list: &TopicPartitionList, partitions: Vec<TopicPartition>) {
    let mut state = shared.state();
    state.has_joined = true;
    for at in &partitions {
        state.n_gained += 1;
        let number = state.n_gained;
        state.held.insert(at.clone(), number);
        state.gained.insert(at.clone());
    }
    if partitions.is_empty() || state.is_closing {
        drop(state);
        let _ = assign_more(consumer, list);
        return;
    }
    state.awaiting_start = Some((partitions, Instant::now()));
}

fn lose(consumer: &Consumer, shared: &Shared, partitions: Vec<TopicPartition>) {
    let mut state = shared.state();
    if state.batch_is_open && !state.is_closing && !consumer.assignment_lost() {
        state.awaiting_release = Some((partitions, Instant::now()));
        return;
    }
    state.awaiting_release = None;
    drop(state);
    let _ = let_go(consumer, shared, &partitions);
}

/// The client goes on trying by itself, and tells nothing that a reader could act on.
fn passes_by_itself(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator
            | Code::RebalanceInProgress
            | Code::UnknownMemberId
            | Code::IllegalGeneration
    )
}

impl Failure {
    pub(crate) fn to_error(&self) -> Option<KafkaError> {
        match self {
            Failure::OutOfRange => None,
            Failure::Client(code) => Some(KafkaError::code("cannot read", *code)),
        }
    }

    /// Whether it may be forgotten when everybody starts anew. That records are gone may not: who starts next finds out
    /// which.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.to_error(), Some(KafkaError::Client { reaction: Reaction::Wait, .. }))
    }
}
