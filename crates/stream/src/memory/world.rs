//! Everything that outlives a query, and the queries over it.

use std::sync::Arc;

use object_store::path::Path;

use super::{
    MemoryFaults, MemoryLoggedSource, MemoryMembership, MemoryScorer, MemorySink, MemorySource, MemoryStore,
    MemoryTarget, MemoryTopic, TargetKind,
};
use crate::checkpoint::Checkpoint;
use crate::clock::ManualClock;
use crate::invariants::{self, Broken};
use crate::query::{QueryOptions, QueryParts, StreamingQuery};
use crate::sink::{Lane, Sink};
use crate::source::Source;
use crate::split_sink::SplitSink;
use crate::tally::{BadRow, BadRowPolicy};
use crate::trigger::Trigger;
use ognivo_data::outcome::Fate;

/// How the source of a world names its positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// By record numbers.
    Numbered,
    /// By entries of a log of its own in the checkpoint.
    Logged,
    /// By record numbers of partitions that move between the members of a group. Needs [`TargetKind::Positions`].
    Moving,
}

/// What kind of world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorldOptions {
    /// The source.
    pub source: SourceKind,
    /// The target.
    pub target: TargetKind,
    /// Partitions of the topic.
    pub n_partitions: usize,
    /// Records per partition that a batch takes at most.
    pub max_rows: usize,
    /// What starts batches.
    pub trigger: Trigger,
    /// Whether dead letters go to a counting target of their own. Not with [`TargetKind::Positions`].
    pub dead_letters_apart: bool,
}

impl Default for WorldOptions {
    /// A logged source of five records a batch, a counting target, batches as rows arrive.
    fn default() -> WorldOptions {
        WorldOptions {
            source: SourceKind::Logged,
            target: TargetKind::Counting,
            n_partitions: 1,
            max_rows: 5,
            trigger: Trigger::AsRowsArrive,
            dead_letters_apart: false,
        }
    }
}

/// A topic, a target and a checkpoint that outlive the queries which work on them.
#[derive(Debug)]
pub struct MemoryWorld {
    /// What kind of world.
    pub options: WorldOptions,
    /// Failures of everything outside the driver.
    pub faults: MemoryFaults,
    /// The time.
    pub clock: Arc<ManualClock>,
    /// Where rows come from.
    pub topic: MemoryTopic,
    /// Where they go.
    pub target: MemoryTarget,
    dead_letter_target: MemoryTarget,
    /// What holds the checkpoints.
    pub store: MemoryStore,
    /// Which member has which partition, where they move.
    pub membership: MemoryMembership,
    n_added: u64,
    expected_scored: Vec<String>,
    expected_dead_letters: Vec<String>,
}

/// 2026-11-22T13:24:10Z, to have some time.
const START_MS: i64 = 1_795_353_850_000;

impl MemoryWorld {
    /// An empty world.
    pub fn new(options: WorldOptions) -> MemoryWorld {
        let faults = MemoryFaults::default();
        MemoryWorld {
            options,
            clock: Arc::new(ManualClock::jumping(START_MS)),
            topic: MemoryTopic::new(options.n_partitions),
            target: MemoryTarget::new(options.target),
            dead_letter_target: MemoryTarget::new(TargetKind::Counting),
            store: MemoryStore::new(faults.clone()),
            membership: MemoryMembership::default(),
            faults,
            n_added: 0,
            expected_scored: Vec::new(),
            expected_dead_letters: Vec::new(),
        }
    }

    /// Adds records: numbers that follow each other, every thirteenth malformed, partition after partition.
    pub fn add(&mut self, n_rows: u64) {
        for _ in 0..n_rows {
            let id = self.n_added as i64;
            let partition = self.n_added as usize % self.options.n_partitions;
            self.n_added += 1;
            if id % 13 == 5 {
                let record = format!("x{id}");
                self.expected_dead_letters.push(record.clone());
                self.topic.add(partition, record);
                continue;
            }
            match MemoryScorer::fate(id) {
                Fate::Kept => self.expected_scored.push(id.to_string()),
                Fate::Skipped => {}
                Fate::Rejected(_) => self.expected_dead_letters.push(id.to_string()),
            }
            self.topic.add(partition, id.to_string());
        }
    }

    /// Records so far.
    pub fn n_added(&self) -> u64 {
        self.n_added
    }

    /// The checkpoint of member `member`; all members but the first matter to moving sources only.
    pub fn checkpoint(&self, member: usize) -> Checkpoint {
        Checkpoint::new(Arc::new(self.store.clone()), Path::from(format!("checkpoint-{member}")))
    }

    /// A newly started process: nothing is remembered but what the world holds.
    pub fn start(&self, member: usize) -> StreamingQuery {
        self.start_with(member, self.options.trigger, "model")
    }

    /// A newly started process with another trigger or model.
    pub fn start_with(&self, member: usize, trigger: Trigger, model: &str) -> StreamingQuery {
        let (parts, options) = self.parts(member, model);
        StreamingQuery::new(parts, QueryOptions { trigger, ..options })
    }

    /// What [`start`](MemoryWorld::start) makes a query of, for tests that exchange a part.
    pub fn parts(&self, member: usize, model: &str) -> (QueryParts, QueryOptions) {
        let parts = QueryParts {
            source: self.source(member),
            scorer: Arc::new(MemoryScorer::new(model)),
            sink: self.sink(),
            checkpoint: Some(self.checkpoint(member)),
        };
        let bad_rows =
            BadRowPolicy { malformed: BadRow::DeadLetter, invalid: BadRow::DeadLetter, max_bad_fraction: None };
        let trigger = self.options.trigger;
        (parts, QueryOptions { trigger, bad_rows, clock: self.clock.clone(), ..QueryOptions::default() })
    }

    fn sink(&self) -> Box<dyn Sink> {
        let sink = |target: &MemoryTarget| Box::new(MemorySink::new(target.clone(), self.faults.clone()));
        match self.options.dead_letters_apart {
            true => Box::new(SplitSink::new(sink(&self.target), sink(&self.dead_letter_target))),
            false => sink(&self.target),
        }
    }

    fn source(&self, member: usize) -> Box<dyn Source> {
        let (topic, max_rows, faults) = (self.topic.clone(), self.options.max_rows, self.faults.clone());
        match self.options.source {
            SourceKind::Numbered => Box::new(MemorySource::new(topic, max_rows, faults)),
            SourceKind::Moving => {
                Box::new(MemorySource::member(topic, max_rows, faults, self.membership.clone(), member))
            }
            SourceKind::Logged => {
                let folder = self.checkpoint(member).source_folder(0);
                Box::new(MemoryLoggedSource::new(topic, max_rows, faults, Arc::new(self.store.clone()), folder))
            }
        }
    }

    /// What must hold at every moment.
    ///
    /// # Errors
    /// With the invariant that does not hold.
    pub async fn check_at_any_moment(&self) -> Result<(), Broken> {
        for (lane, expected) in self.lanes() {
            let visible = self.visible(lane);
            invariants::no_row_repeats(expected.iter().map(String::as_str), visible.iter().map(String::as_str))?;
        }
        if self.options.source != SourceKind::Moving
            && let Ok(logs) = self.checkpoint(0).logs().await
        {
            let target = self.target.committed(&[crate::offset::SourcePartition::all()]);
            invariants::progress_is_not_ahead(&logs, &target)?;
        }
        Ok(())
    }

    /// What must hold when nothing is left to do.
    ///
    /// # Errors
    /// With the invariant that does not hold.
    pub fn check_at_the_end(&self) -> Result<(), Broken> {
        for (lane, expected) in self.lanes() {
            let visible = self.visible(lane);
            invariants::every_row_once(expected.iter().map(String::as_str), visible.iter().map(String::as_str))?;
        }
        Ok(())
    }

    /// What readers of all targets see in this lane.
    pub fn visible(&self, lane: Lane) -> Vec<String> {
        match lane {
            Lane::DeadLetter if self.options.dead_letters_apart => self.dead_letter_target.visible(Lane::Scored),
            lane => self.target.visible(lane),
        }
    }

    fn lanes(&self) -> [(Lane, &[String]); 2] {
        [(Lane::Scored, &self.expected_scored), (Lane::DeadLetter, &self.expected_dead_letters)]
    }
}
