//! When batches start, and how a query ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo_data::outcome::Outcome;
use ognivo_stream::clock::{Clock as _, SystemClock};
use ognivo_stream::kill_point::KillPoint;
use ognivo_stream::memory::{MemoryScorer, MemoryWorld, SourceKind, TargetKind, WorldOptions};
use ognivo_stream::plan::ModelId;
use ognivo_stream::query::{QueryEvent, QueryOptions, QueryParts, StreamingQuery};
use ognivo_stream::score::{ScoreError, Scorer};
use ognivo_stream::script::Action::{Add, Crash};
use ognivo_stream::script::StreamScript;
use ognivo_stream::sink::Lane;
use ognivo_stream::stop::{StopHandle, stop_pair};
use ognivo_stream::trigger::Trigger;

use crate::run;

#[test]
fn available_now_takes_what_is_there_in_batches_and_ends() {
    run(async {
        for source in [SourceKind::Logged, SourceKind::Numbered] {
            let mut world = MemoryWorld::new(WorldOptions { source, ..WorldOptions::default() });
            world.add(12);
            let (_handle, stop) = stop_pair();
            let summary = world.start_with(0, Trigger::AvailableNow, "model").run(&stop).await.unwrap();
            assert_eq!((summary.n_batches, summary.stopped), (3, false));
            let again = world.start_with(0, Trigger::AvailableNow, "model").run(&stop).await.unwrap();
            assert_eq!(again.n_batches, 0);
        }
    });
}

#[test]
fn once_takes_everything_in_one_batch_and_ends() {
    run(async {
        for source in [SourceKind::Logged, SourceKind::Numbered] {
            let mut world = MemoryWorld::new(WorldOptions { source, ..WorldOptions::default() });
            world.add(12);
            let (_handle, stop) = stop_pair();
            let summary = world.start_with(0, Trigger::Once, "model").run(&stop).await.unwrap();
            assert_eq!((summary.n_batches, summary.rows.read), (1, 12));
        }
    });
}

#[test]
fn once_after_a_crash_finishes_the_open_batch_and_ends() {
    run(async {
        let mut script = StreamScript::new(WorldOptions::default());
        script.run(&[Add(12), Crash(KillPoint::AfterPlan)]).await;
        let (_handle, stop) = stop_pair();
        let summary = script.world.start_with(0, Trigger::Once, "model").run(&stop).await.unwrap();
        assert_eq!((summary.n_batches, summary.rows.read), (1, 5));
    });
}

/// Stops the query after so many batches.
fn stop_after(n_batches: u64, handle: StopHandle) -> impl Fn(&QueryEvent<'_>) + Send + Sync {
    let n_done = AtomicU64::new(0);
    move |event| {
        if let QueryEvent::Progress(_) = event
            && n_done.fetch_add(1, Ordering::SeqCst) + 1 == n_batches
        {
            handle.stop();
        }
    }
}

#[test]
fn processing_time_starts_a_batch_at_each_tick_of_the_clock() {
    run(async {
        let trigger = Trigger::ProcessingTime(Duration::from_secs(10));
        let mut world = MemoryWorld::new(WorldOptions { trigger, ..WorldOptions::default() });
        world.add(14);
        let (handle, stop) = stop_pair();
        let (parts, options) = world.parts(0, "model");
        let times = Arc::new(std::sync::Mutex::new(Vec::new()));
        let observer = {
            let (times, stopper) = (times.clone(), stop_after(3, handle));
            move |event: &QueryEvent<'_>| {
                if let QueryEvent::Progress(progress) = event {
                    times.lock().unwrap().push(progress.timestamp.clone());
                }
                stopper(event);
            }
        };
        let options = QueryOptions { trigger, observer: Arc::new(observer), ..options };
        let summary = StreamingQuery::new(parts, options).run(&stop).await.unwrap();
        assert_eq!((summary.n_batches, summary.stopped), (3, true));
        // The world begins at 13:24:10.
        let expect = ["2026-11-22T13:24:10.000Z", "2026-11-22T13:24:20.000Z", "2026-11-22T13:24:30.000Z"];
        assert_eq!(*times.lock().unwrap(), expect);
    });
}

#[test]
fn a_query_without_rows_rests_until_it_is_asked_to_end() {
    run(async {
        let world = MemoryWorld::new(WorldOptions::default());
        let (handle, stop) = stop_pair();
        let (parts, options) = world.parts(0, "model");
        let mut query = StreamingQuery::new(parts, QueryOptions { clock: Arc::new(SystemClock), ..options });
        let (summary, ()) = tokio::join!(query.run(&stop), async {
            SystemClock.sleep(Duration::from_millis(30)).await;
            handle.stop();
        });
        let summary = summary.unwrap();
        assert_eq!((summary.n_batches, summary.stopped), (0, true));
    });
}

/// A pipeline whose blocks wait until the test opens the gate.
struct Slow {
    inner: MemoryScorer,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    is_open: std::sync::Mutex<bool>,
    opened: std::sync::Condvar,
}

impl Gate {
    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn wait(&self) {
        let is_open = self.is_open.lock().unwrap();
        drop(self.opened.wait_while(is_open, |is_open| !*is_open).unwrap());
    }
}

impl Scorer for Slow {
    fn model_id(&self) -> &ModelId {
        self.inner.model_id()
    }
    fn output_schema(&self) -> SchemaRef {
        self.inner.output_schema()
    }
    fn score(&self, rows: RecordBatch) -> Result<Outcome, ScoreError> {
        self.gate.wait();
        self.inner.score(rows)
    }
}

#[test]
fn a_batch_that_does_not_end_in_time_is_given_up_and_run_again() {
    run(async {
        for target in [TargetKind::Counting, TargetKind::Positions] {
            let mut world = MemoryWorld::new(WorldOptions { target, ..WorldOptions::default() });
            world.add(4);
            let gate = Arc::new(Gate::default());
            let (parts, options) = world.parts(0, "model");
            let scorer = Arc::new(Slow { inner: MemoryScorer::new("model"), gate: gate.clone() });
            // The world's clock jumps over the grace.
            let mut query = StreamingQuery::new(QueryParts { scorer, ..parts }, options);
            let (handle, stop) = stop_pair();
            let (summary, ()) = tokio::join!(query.run(&stop), async { handle.stop() });
            assert!(summary.unwrap().stopped);
            assert!(world.target.visible(Lane::Scored).is_empty(), "never half a batch");
            gate.open();

            world.start(0).process_all_available().await.unwrap();
            assert_eq!(world.check_at_the_end(), Ok(()));
        }
    });
}

#[test]
fn an_open_batch_is_finished_when_there_is_time() {
    run(async {
        let mut world = MemoryWorld::new(WorldOptions::default());
        world.add(12);
        let (handle, stop) = stop_pair();
        let (parts, options) = world.parts(0, "model");
        let clock = Arc::new(SystemClock);
        let observer = Arc::new(stop_after(1, handle));
        let mut query = StreamingQuery::new(parts, QueryOptions { clock, observer, ..options });
        let summary = query.run(&stop).await.unwrap();
        assert_eq!((summary.n_batches, summary.stopped), (1, true));
        assert_eq!(world.target.visible(Lane::Scored).len(), 4);
    });
}
