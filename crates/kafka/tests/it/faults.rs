//! A broker that is killed and started again under a stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use ognivo_kafka::{Delivery as Promise, KafkaSink};
use ognivo_stream::offset::SourcePartition;
use ognivo_stream::plan::BatchPlan;
use ognivo_stream::query::{RunSummary, StreamingQuery};
use ognivo_stream::query_error::QueryError;
use ognivo_stream::sink::{Ahead, BatchWriter, Committed, Delivery, Lane, Sink, SinkError, Written};
use ognivo_stream::stop::{StopHandle, stop_pair};
use ognivo_stream::trigger::Trigger;
use tokio::task::JoinHandle;

use crate::broker::{Dice, Server, asked};
use crate::stream::Trial;

/// How long everything may take to come out, with a broker that needs half a minute to come back.
const PATIENCE: Duration = Duration::from_secs(90);

/// A query that runs until it is told to stop.
struct Running {
    handle: StopHandle,
    ended: JoinHandle<Result<RunSummary, QueryError>>,
}

impl Running {
    /// A query of an exactly-once sink behind which the broker is struck.
    fn start_struck(trial: &Trial, strike: &Arc<Strike>, limit: &str, trigger: Trigger) -> Running {
        let behind = |sink| -> Box<dyn Sink> { Box::new(StruckSink { sink, strike: Arc::clone(strike) }) };
        let limit = [("maxOffsetsPerTrigger", limit)];
        Running::start(trial.start_with(&limit, trigger, Promise::ExactlyOnce, behind))
    }

    fn start(mut query: StreamingQuery) -> Running {
        let (handle, stop) = stop_pair();
        let runtime = tokio::runtime::Handle::current();
        let ended = tokio::task::spawn_blocking(move || runtime.block_on(query.run(&stop)));
        Running { handle, ended }
    }

    /// Checks that everything came out once; false when that cannot be told, because the broker broke a transaction of the job.
    async fn come_to(self, trial: &Trial, server: &Server, what: &str) -> bool {
        let is_done = trial.is_done_within(PATIENCE).await;
        self.handle.stop();
        let ended = self.ended.await.unwrap();
        if !is_done && server.left_out_markers_of(&trial.job) {
            println!("{what}: not judged, the broker left out the markers of a transaction that it had committed");
            return false;
        }
        let read = ended.unwrap().rows.read;
        trial.check();
        println!("{what}: {read} rows read");
        true
    }
}

/// Tries until so many runs could be judged. The broker breaks a transaction only where its death falls into the milliseconds
/// between the commit and its markers.
async fn judged(n_runs: u64, mut run: impl AsyncFnMut(u64) -> bool) -> u64 {
    let (mut n_judged, mut n_tried) = (0, 0);
    while n_judged < n_runs {
        assert!(n_tried < 2 * n_runs + 3, "the broker broke {} of {n_tried} transactions", n_tried - n_judged);
        n_judged += u64::from(run(n_tried).await);
        n_tried += 1;
    }
    n_tried - n_judged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_and_comes_back_under_a_stream_loses_and_repeats_nothing() {
    let server = Server::of_broker();
    judged(1, async |_| {
        let mut trial = Trial::new("killed-broker", 2).await;
        let running = Running::start(trial.start(&[("maxOffsetsPerTrigger", "20")], Trigger::AsRowsArrive));
        for round in 0..2 {
            trial.add(800);
            // In the middle of the batches of these records, later and later.
            tokio::time::sleep(Duration::from_millis(30 + 200 * round)).await;
            server.kill();
            tokio::time::sleep(Duration::from_secs(1)).await;
            server.start();
        }
        running.come_to(&trial, &server, "killed twice under 1600").await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_for_long_is_waited_for() {
    let server = Server::of_broker();
    let seconds = asked("OGNIVO_KAFKA_AWAY_SECONDS").unwrap_or(15);
    judged(1, async |_| {
        let mut trial = Trial::new("away", 2).await;
        trial.retry_deadline = Duration::from_secs(300);
        let running = Running::start(trial.start(&[("maxOffsetsPerTrigger", "20")], Trigger::AsRowsArrive));
        trial.add(800);
        tokio::time::sleep(Duration::from_millis(200)).await;
        server.kill();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        server.start();
        running.come_to(&trial, &server, &format!("{seconds} s without a broker")).await
    })
    .await;
}

/// Where in a batch the broker dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    BeforeBegin,
    BeforeFirstSend,
    BetweenSends,
    BeforeCommit,
    DuringCommit,
    AfterCommit,
}

const PHASES: [Phase; 6] = [
    Phase::BeforeBegin,
    Phase::BeforeFirstSend,
    Phase::BetweenSends,
    Phase::BeforeCommit,
    Phase::DuringCommit,
    Phase::AfterCommit,
];

/// How long the broker is away.
const AWAY: Duration = Duration::from_millis(500);

/// Kills the broker once, when a phase is passed for the nth time.
struct Strike {
    phase: Phase,
    /// How often the phase is still to be passed.
    n_left: AtomicU64,
    /// How long after that.
    delay: Duration,
    server: Server,
}

impl Strike {
    fn pass(self: &Arc<Strike>, phase: Phase) {
        if phase != self.phase || self.n_left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        let strike = Arc::clone(self);
        let kill = move || {
            std::thread::sleep(strike.delay);
            strike.server.kill();
            std::thread::spawn(move || {
                std::thread::sleep(AWAY);
                strike.server.start();
            });
        };
        // A commit goes on meanwhile; everything else finds the broker dead.
        match phase {
            Phase::DuringCommit => drop(std::thread::spawn(kill)),
            _ => kill(),
        }
    }

    fn is_over(&self) -> bool {
        // It goes below zero, which is a large number.
        !(1..1_000_000).contains(&self.n_left.load(Ordering::SeqCst))
    }
}

struct StruckSink {
    sink: KafkaSink,
    strike: Arc<Strike>,
}

struct StruckWriter {
    writer: Box<dyn BatchWriter>,
    strike: Arc<Strike>,
    has_sent: bool,
}

#[async_trait]
impl Sink for StruckSink {
    fn description(&self) -> String {
        self.sink.description()
    }

    fn delivery(&self) -> Delivery {
        self.sink.delivery()
    }

    fn ahead(&self) -> Ahead {
        self.sink.ahead()
    }

    async fn prepare(&mut self, scored: &SchemaRef) -> Result<(), SinkError> {
        self.sink.prepare(scored).await
    }

    async fn last_committed(&mut self, partitions: &[SourcePartition]) -> Result<Committed, SinkError> {
        self.sink.last_committed(partitions).await
    }

    async fn begin(&mut self, plan: &BatchPlan) -> Result<Box<dyn BatchWriter>, SinkError> {
        self.strike.pass(Phase::BeforeBegin);
        let writer = self.sink.begin(plan).await?;
        Ok(Box::new(StruckWriter { writer, strike: Arc::clone(&self.strike), has_sent: false }))
    }

    async fn reset(&mut self) -> Result<(), SinkError> {
        self.sink.reset().await
    }
}

#[async_trait]
impl BatchWriter for StruckWriter {
    async fn write(&mut self, lane: Lane, rows: RecordBatch) -> Result<(), SinkError> {
        self.strike.pass(if self.has_sent { Phase::BetweenSends } else { Phase::BeforeFirstSend });
        self.has_sent = true;
        self.writer.write(lane, rows).await
    }

    async fn commit(self: Box<Self>) -> Result<Written, SinkError> {
        self.strike.pass(Phase::BeforeCommit);
        self.strike.pass(Phase::DuringCommit);
        let written = self.writer.commit().await?;
        self.strike.pass(Phase::AfterCommit);
        Ok(written)
    }

    async fn abort(self: Box<Self>) {
        self.writer.abort().await;
    }
}

/// How often this is tried outside of a campaign.
const N_RUNS: u64 = 1;

/// Rows that wait, and how many make a batch.
#[derive(Debug, Clone, Copy)]
struct Load {
    n_rows: i64,
    limit: &'static str,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_in_any_phase_of_a_batch_loses_and_repeats_nothing() {
    strike_in_phases(Load { n_rows: 200, limit: "20" }).await;
}

/// So many rows wait that each batch is scored while the one before is committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_beside_the_commit_of_the_batch_before_loses_and_repeats_nothing() {
    strike_in_phases(Load { n_rows: 20_000, limit: "1000" }).await;
}

async fn strike_in_phases(load: Load) {
    let mut dice = Dice::new();
    let n_runs = asked("OGNIVO_KAFKA_BROKER_RUNS").unwrap_or(N_RUNS);
    let first = dice.below(PHASES.len() as u64);
    let n_broken = judged(n_runs, async |run| {
        let phase = PHASES[((first + run) % PHASES.len() as u64) as usize];
        let delay = Duration::from_micros(if phase == Phase::DuringCommit { dice.below(6_000) } else { 0 });
        strike(load, phase, 1 + dice.below(8), delay).await
    })
    .await;
    println!("{n_runs} runs, in each the broker was killed once; {n_broken} more could not be judged");
}

/// A stream of ten batches or more, in one of which the broker dies.
async fn strike(load: Load, phase: Phase, nth: u64, delay: Duration) -> bool {
    let strike = Arc::new(Strike { phase, n_left: AtomicU64::new(nth), delay, server: Server::of_broker() });
    let mut trial = Trial::new("struck", 2).await;
    trial.add(load.n_rows);
    let running = Running::start_struck(&trial, &strike, load.limit, Trigger::AsRowsArrive);
    let begin = Instant::now();
    while !strike.is_over() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{phase:?} was not passed {nth} times");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    trial.add(50);
    let what = format!("{phase:?}, pass {nth}, {} us later, {} rows", delay.as_micros(), load.n_rows + 50);
    running.come_to(&trial, &strike.server, &what).await
}

/// The group takes all partitions back meanwhile, and for a moment none is ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_to_end_does_not_end_before_its_end_when_a_broker_dies_under_it() {
    judged(1, async |_| {
        let (phase, delay, server) = (Phase::BeforeFirstSend, Duration::ZERO, Server::of_broker());
        let strike = Arc::new(Strike { phase, n_left: AtomicU64::new(3), delay, server });
        let mut trial = Trial::new("struck-at-its-end", 2).await;
        trial.add(200);
        let running = Running::start_struck(&trial, &strike, "20", Trigger::AvailableNow);
        let is_judged = running.come_to(&trial, &strike.server, "struck once before its end").await;
        assert!(strike.is_over());
        is_judged
    })
    .await;
}
