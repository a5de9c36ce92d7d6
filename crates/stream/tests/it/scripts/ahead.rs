//! Targets that let batches go ahead: the next begins while those before are being committed.

use std::sync::{Arc, Mutex, MutexGuard};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use ognivo_stream::clock::ManualClock;
use ognivo_stream::memory::{MemoryFault, MemoryWorld, SourceKind, TargetKind, WorldOptions};
use ognivo_stream::offset::{Positions, SourcePartition};
use ognivo_stream::plan::BatchPlan;
use ognivo_stream::query::{QueryEvent, QueryOptions, QueryParts, StreamingQuery};
use ognivo_stream::sink::{Ahead, BatchWriter, Committed, Delivery, Lane, Sink, SinkError, Written};
use ognivo_stream::stop::stop_pair;

use crate::run;

/// A topic to which batches go.
#[derive(Debug, Default)]
struct Target {
    ids: Vec<i64>,
    positions: Positions,
    /// `begin`, `stored` and `done`, each with the number of a batch.
    told: Vec<String>,
    n_begun: u64,
    n_committing: u64,
    n_stored: u64,
    /// Commits wait until so many batches were begun.
    waits_for: u64,
    /// The commit of this batch fails once.
    fails: Option<u64>,
    /// Rows of the batch behind it are refused when that has happened.
    writes_fail_behind_it: bool,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Target>>);

impl Shared {
    fn target(&self) -> MutexGuard<'_, Target> {
        self.0.lock().unwrap()
    }

    async fn wait_until(&self, is_so: impl Fn(&Target) -> bool) {
        while !is_so(&self.target()) {
            tokio::task::yield_now().await;
        }
    }
}

struct AheadSink(Shared, Ahead);

struct AheadWriter {
    shared: Shared,
    /// How many were begun before it.
    place: u64,
    plan: BatchPlan,
    written: Written,
}

#[async_trait]
impl Sink for AheadSink {
    fn description(&self) -> String {
        "AheadSink".to_owned()
    }

    fn delivery(&self) -> Delivery {
        Delivery::AtLeastOnce { condition: "after a failure".to_owned() }
    }

    fn ahead(&self) -> Ahead {
        self.1
    }

    async fn prepare(&mut self, _scored: &SchemaRef) -> Result<(), SinkError> {
        Ok(())
    }

    async fn last_committed(&mut self, _partitions: &[SourcePartition]) -> Result<Committed, SinkError> {
        let mut target = self.0.target();
        // Whatever was begun before is over.
        (target.n_begun, target.n_stored) = (0, 0);
        Ok(Committed::Offsets(target.positions.clone()))
    }

    async fn begin(&mut self, plan: &BatchPlan) -> Result<Box<dyn BatchWriter>, SinkError> {
        let mut target = self.0.target();
        let place = target.n_begun;
        target.n_begun += 1;
        target.told.push(format!("begin {}", plan.id));
        Ok(Box::new(AheadWriter { shared: self.0.clone(), place, plan: plan.clone(), written: Written::default() }))
    }
}

#[async_trait]
impl BatchWriter for AheadWriter {
    async fn write(&mut self, lane: Lane, rows: RecordBatch) -> Result<(), SinkError> {
        if self.place > 0 && self.shared.target().writes_fail_behind_it {
            self.shared.wait_until(|target| target.fails.is_none()).await;
            return Err(SinkError::new(MemoryFault { call: "write".to_owned() }));
        }
        match lane {
            Lane::Scored => self.written.n_scored += rows.num_rows(),
            Lane::DeadLetter => self.written.n_dead_letters += rows.num_rows(),
        }
        if lane == Lane::Scored {
            self.shared.target().ids.extend(rows.column(0).as_primitive::<Int64Type>().values());
        }
        Ok(())
    }

    async fn commit(self: Box<Self>) -> Result<Written, SinkError> {
        let AheadWriter { shared, place, plan, written } = *self;
        shared.target().n_committing += 1;
        shared.wait_until(|target| target.n_begun >= target.waits_for).await;
        if shared.target().fails.take_if(|fails| *fails == place).is_some() {
            return Err(SinkError::new(MemoryFault { call: "commit".to_owned() }));
        }
        shared.wait_until(|target| target.n_stored >= place).await;
        let mut target = shared.target();
        target.n_stored += 1;
        target.positions = plan.positions.clone();
        target.told.push(format!("stored {}", plan.id));
        Ok(written)
    }

    async fn abort(self: Box<Self>) {}
}

fn world() -> MemoryWorld {
    let options =
        WorldOptions { source: SourceKind::Numbered, target: TargetKind::Positions, ..WorldOptions::default() };
    let mut world = MemoryWorld::new(options);
    world.add(15);
    world
}

/// A query of three batches of five records, all of which may be on their way at once.
fn query(world: &MemoryWorld, shared: &Shared) -> StreamingQuery {
    query_into(world, shared, Ahead::Sent { n_batches: 2 })
}

fn query_into(world: &MemoryWorld, shared: &Shared, ahead: Ahead) -> StreamingQuery {
    let (parts, options) = world.parts(0, "model");
    let parts = QueryParts { sink: Box::new(AheadSink(shared.clone(), ahead)), ..parts };
    let told = shared.clone();
    let observer = Arc::new(move |event: &QueryEvent<'_>| {
        if let QueryEvent::Progress(progress) = event {
            told.target().told.push(format!("done {}", progress.batch_id));
        }
    });
    // It stands still: nobody loses patience with a commit.
    let clock = Arc::new(ManualClock::at(options.clock.now_ms()));
    StreamingQuery::new(parts, QueryOptions { observer, clock, ..options })
}

fn words(target: &Target, word: &str) -> Vec<String> {
    target.told.iter().filter(|told| told.starts_with(word)).cloned().collect()
}

#[test]
fn batches_begin_while_those_before_are_committed_and_are_done_in_their_order() {
    run(async {
        let (world, shared) = (world(), Shared::default());
        // All three, or the first would wait for ever.
        shared.target().waits_for = 3;
        let summary = query(&world, &shared).process_all_available().await.unwrap();
        assert_eq!((summary.n_batches, summary.rows.read), (3, 15));
        let target = shared.target();
        assert_eq!(target.told[..3], ["begin 0", "begin 1", "begin 2"]);
        assert_eq!(words(&target, "done"), ["done 0", "done 1", "done 2"]);
    });
}

#[test]
fn a_query_that_is_asked_to_end_waits_for_batches_on_their_way() {
    run(async {
        let (world, shared) = (world(), Shared::default());
        // None ends before the query is asked to.
        shared.target().waits_for = u64::MAX;
        let (handle, stop) = stop_pair();
        let mut query = query(&world, &shared);
        let stopped = async {
            shared.wait_until(|target| target.n_committing == 3).await;
            handle.stop();
            shared.target().waits_for = 0;
        };
        let (summary, ()) = futures::future::join(query.run(&stop), stopped).await;
        assert_eq!(summary.unwrap().rows.read, 15);
        assert_eq!(words(&shared.target(), "done"), ["done 0", "done 1", "done 2"]);
    });
}

#[test]
fn what_is_behind_a_batch_that_failed_comes_again_and_is_counted_once() {
    run(async {
        for fails in 0..3 {
            let (world, shared) = (world(), Shared::default());
            (shared.target().waits_for, shared.target().fails) = (3, Some(fails));
            let mut query = query(&world, &shared);
            query.process_all_available().await.unwrap_err();
            shared.target().waits_for = 0;
            let summary = query.process_all_available().await.unwrap();
            assert_eq!(summary.rows.read, 15, "commit {fails} failed");
            let mut ids = shared.target().ids.clone();
            ids.sort_unstable();
            ids.dedup();
            let expected: Vec<i64> = (0..15).filter(|id| ![4, 5, 7, 14].contains(id)).collect();
            assert_eq!(ids, expected, "commit {fails} failed");
        }
    });
}

/// Every batch but the last leaves this many rows waiting: those of many batches, or of few.
fn told_of_batches(n_rows: usize, max_rows: usize) -> Vec<String> {
    let options = WorldOptions {
        source: SourceKind::Numbered,
        target: TargetKind::Positions,
        max_rows,
        ..WorldOptions::default()
    };
    let (mut world, shared) = (MemoryWorld::new(options), Shared::default());
    world.add(n_rows as u64);
    run(async {
        let summary = query_into(&world, &shared, Ahead::Scored).process_all_available().await.unwrap();
        assert_eq!(summary.rows.read, n_rows as u64);
    });
    let target = shared.target();
    target.told.clone()
}

#[test]
fn a_batch_whose_rows_are_kept_back_begins_beside_the_commit_before_only_while_many_rows_wait() {
    let few = told_of_batches(15, 5);
    assert_eq!(few[..4], ["begin 0", "stored 0", "done 0", "begin 1"]);
    let many = told_of_batches(30_000, 10_000);
    assert_eq!(many[..2], ["begin 0", "begin 1"], "20,000 rows wait");
    let at = |word: &str| many.iter().position(|told| told == word).unwrap();
    assert!(at("done 0") < at("begin 2"), "one commit goes on beside it, not two: {many:?}");
    assert_eq!(many.iter().filter(|told| told.starts_with("done")).count(), 3);
}

#[test]
fn the_failure_that_is_told_is_that_of_the_oldest_batch() {
    run(async {
        let (world, shared) = (world(), Shared::default());
        (shared.target().waits_for, shared.target().fails) = (2, Some(0));
        shared.target().writes_fail_behind_it = true;
        let error = query(&world, &shared).process_all_available().await.unwrap_err();
        assert!(error.to_string().contains("commit"), "{error}");
    });
}
