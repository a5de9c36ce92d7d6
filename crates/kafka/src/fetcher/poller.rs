//! The thread that polls the consumer, and does what readers ask for in between.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use rdkafka::Offset;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError as ClientError;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::intake::Intake;
use super::rebalance::{assign_more, release};
use super::state::Shared;
use super::{Command, Consumer};
use crate::batch_queue::{BatchQueue, Message};
use crate::error::KafkaError;
use crate::lane::Lane;
use crate::offsets::{Offsets, TopicPartition, list_of};

/// How long the thread waits to be asked for something before it polls the client. So long at most a record stays in the queue when
/// the reader that was told of it has just left off waiting.
const POLL: Duration = Duration::from_millis(5);

/// No more of what the client has to say is heard in one turn, so that nothing keeps the thread from the rest of it.
const MOST_NEWS: usize = 10_000;

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

pub(super) struct Poller {
    queue: Arc<Mutex<BatchQueue>>,
    consumer: Arc<Consumer>,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
}

impl Poller {
    pub(super) fn new(
        consumer: Arc<Consumer>,
        queue: Arc<Mutex<BatchQueue>>,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
    ) -> Poller {
        Poller { queue, consumer, shared, commands }
    }

    pub(super) fn run(self) {
        let mut led = Instant::now();
        loop {
            let asked = self.commands.recv_timeout(POLL).ok();
            // Held for the whole turn: nobody takes from it between the leading and the poll.
            let mut queue = self.queue.lock().expect("nobody panics while holding this lock");
            for command in asked.into_iter().chain(self.commands.try_iter()) {
                self.obey(command, &mut queue);
            }
            if self.shared.state().is_closing {
                return self.leave();
            }
            self.keep_within_bounds();
            self.keep_deadlines();
            // In this order: what the client read before it was told where records go comes by the poll, and before all that
            // comes by the queue, else the lane would take it for records that it has.
            if led.elapsed() >= POLL {
                queue.lead_on();
                led = Instant::now();
            }
            self.poll(&mut queue);
            let mut intake = Intake::new(&self.shared);
            queue.take(|message| intake.take(message));
            intake.end();
        }
    }

    /// Lets the client say what it has to say, and answers; records come past it, but for those that it read before it was
    /// told where they go.
    fn poll(&self, queue: &mut BatchQueue) {
        for _ in 0..MOST_NEWS {
            match self.consumer.poll(Duration::ZERO) {
                // A rebalance was answered, or so: there may be more behind it.
                None if queue.consumer_has_news() => {}
                None => break,
                // Ended at once: the client's next word may be a rebalance, which needs the state.
                Some(Ok(message)) => {
                    let mut intake = Intake::new(&self.shared);
                    intake.take(&Message::of(&message));
                    intake.end();
                }
                Some(Err(ClientError::MessageConsumption(code) | ClientError::MessageConsumptionFatal(code))) => {
                    self.shared.state().note_failure(code, self.shared.uses_group);
                    self.shared.changed.notify_waiters();
                }
                Some(Err(_)) => {}
            }
        }
        self.forget_lost(queue);
    }

    fn forget_lost(&self, queue: &mut BatchQueue) {
        let lost = std::mem::take(&mut self.shared.state().unread);
        queue.let_go(&lost);
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

    fn obey(&self, command: Command, queue: &mut BatchQueue) {
        match command {
            Command::Look => {}
            Command::Start(offsets, answer) => {
                let _ = answer.send(self.start(&offsets, queue));
            }
            Command::Release(answer) => {
                let _ = answer.send(release(&self.consumer, &self.shared));
            }
        }
    }

    fn start(&self, offsets: &Offsets, queue: &mut BatchQueue) -> Result<(), KafkaError> {
        // What was lost before and came back is not lost any more.
        self.forget_lost(queue);
        queue.lead(offsets.0.keys());
        let restarted = if self.shared.uses_group { self.start_shared(offsets)? } else { self.start_alone(offsets)? };
        // A lane that was full is not any more.
        let _ = self.consumer.resume(&restarted.to_list());
        // Nothing that the client read before comes any more: it numbers what it reads of a partition by the calls above, and both
        // ways to a lane leave out what has an older number.
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
        if self.shared.uses_group && self.consumer.close_queue().is_ok() {
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

fn at(partitions: &[TopicPartition], offset: Offset) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for at in partitions {
        let _ = list.add_partition_offset(&at.topic, at.partition, offset);
    }
    list
}
