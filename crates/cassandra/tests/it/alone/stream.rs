//! Whole queries into a table, killed at every place where a process may die: the table ends as if nothing had happened.

use std::collections::BTreeMap;
use std::time::Duration;

use ognivo_data::fault::{Explain, Retry};
use ognivo_data::outcome::Fate;
use ognivo_stream::kill_point::{KillPoint, kill_at, passed, spare};
use ognivo_stream::memory::{MemoryScorer, MemoryWorld, SourceKind, TargetKind, WorldOptions};
use ognivo_stream::query::{QueryOptions, StreamingQuery};
use ognivo_stream::sink::Sink;
use ognivo_stream::split_sink::SplitSink;
use ognivo_stream::tally::Tally;
use scylla::value::CqlValue;

use crate::place::Place;
use crate::run;

/// Places that a batch into a table passes.
const POINTS: [KillPoint; 15] = [
    KillPoint::SourceFound,
    KillPoint::SourceLogged,
    KillPoint::BeforePlan,
    KillPoint::AfterPlan,
    KillPoint::AfterBegin,
    KillPoint::SinkPartVisible,
    KillPoint::AfterWrite,
    KillPoint::BeforeCommit,
    KillPoint::SinkAllVisible,
    KillPoint::SinkLogged,
    KillPoint::AfterCommit,
    KillPoint::AfterDone,
    KillPoint::SourceAcknowledging,
    KillPoint::AfterAcknowledge,
    KillPoint::Purging,
];

const PROGRESS: [(&str, &str); 1] = [("progressTable", "progress")];

/// Numbers that look like chance and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A stream of numbers into the tables `scored` and `dead` of a keyspace.
pub(crate) struct Trial {
    pub(crate) place: Place,
    pub(crate) world: MemoryWorld,
    options: Vec<(&'static str, &'static str)>,
}

impl Trial {
    pub(crate) async fn new(keyspace: &str, max_rows: usize, options: &[(&'static str, &'static str)]) -> Trial {
        let place = Place::new(keyspace, 1).await;
        let trial = Trial::in_place(place, max_rows, options);
        trial.make_tables().await;
        trial
    }

    pub(crate) fn in_place(place: Place, max_rows: usize, options: &[(&'static str, &'static str)]) -> Trial {
        let world = WorldOptions {
            source: SourceKind::Logged,
            target: TargetKind::Upserting,
            max_rows,
            ..WorldOptions::default()
        };
        Trial { place, world: MemoryWorld::new(world), options: options.to_vec() }
    }

    pub(crate) async fn make_tables(&self) {
        self.place.cql("CREATE TABLE KS.scored (id bigint PRIMARY KEY, score double)").await;
        self.place
            .cql(
                "CREATE TABLE KS.dead (payload text, encoding text, position text, stage text, column text, code text, \
                 message text, model text, batchid bigint, time text, PRIMARY KEY (position))",
            )
            .await;
        if let Some(create) = ognivo_cassandra::create_progress_table(&self.place.config("scored", &PROGRESS, &[])) {
            self.place.cql(&create).await;
        }
    }

    fn sink(&self) -> Box<dyn Sink> {
        let scored = self.place.sink("scored", &self.options, &[]);
        let dead = self.place.sink("dead", &self.options, &[]);
        Box::new(SplitSink::new(Box::new(scored), Box::new(dead)).with_envelopes_only())
    }

    /// A newly started process.
    pub(crate) fn start(&self) -> StreamingQuery {
        let (mut parts, options) = self.world.parts(0, "model");
        parts.sink = self.sink();
        StreamingQuery::new(
            parts,
            QueryOptions { clock: std::sync::Arc::new(ognivo_stream::clock::SystemClock), ..options },
        )
    }

    /// Runs queries, each started anew, until one gets through; how many died.
    async fn run_through(&self) -> (Tally, u32) {
        let mut n_dead = 0;
        loop {
            match self.start().process_all_available().await {
                Ok(summary) => return (summary.rows, n_dead),
                Err(error) if error.is_killed() => n_dead += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Lets `fault` happen as soon as some rows are in the table.
    pub(crate) async fn strike(&self, fault: impl FnOnce() + Send + 'static) {
        while self.place.rows("SELECT id FROM KS.scored LIMIT 500").await.len() < 500 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::task::spawn_blocking(fault).await.unwrap();
    }

    /// The tables hold each row that they must, with its value and a time of its own batch, and no other.
    pub(crate) async fn check(&self, batch_times_us: Option<&[i64]>) -> usize {
        let n_added = self.world.n_added() as i64;
        let is_malformed = |id: &i64| id % 13 == 5;
        let expect: BTreeMap<i64, f64> = (0..n_added)
            .filter(|id| !is_malformed(id) && MemoryScorer::fate(*id) == Fate::Kept)
            .map(|id| (id, id as f64 / 2.0))
            .collect();
        let rows = self.place.rows("SELECT id, score, writetime(score) FROM KS.scored").await;
        let found: BTreeMap<i64, f64> = rows.iter().map(|row| (bigint(&row[0]), double(&row[1]))).collect();
        assert_eq!(found.len(), rows.len(), "no row is there twice");
        let differs = |one: &BTreeMap<i64, f64>, other: &BTreeMap<i64, f64>| -> Vec<i64> {
            let is_other = |(id, value): &(&i64, &f64)| other.get(id).map(|v| v.to_bits()) != Some(value.to_bits());
            one.iter().filter(is_other).map(|(id, _)| *id).collect()
        };
        let (missing, surplus) = (differs(&expect, &found), differs(&found, &expect));
        let n_wrong = (missing.len(), surplus.len());
        assert_eq!(n_wrong, (0, 0), "missing or other than expected: {missing:?}; surplus: {surplus:?}");
        if let Some(times) = batch_times_us {
            for row in &rows {
                assert!(times.contains(&bigint(&row[2])), "a cell has the time of a plan: {row:?} of {times:?}");
            }
        }
        let n_dead =
            (0..n_added).filter(|id| is_malformed(id) || matches!(MemoryScorer::fate(*id), Fate::Rejected(_))).count();
        assert_eq!(
            self.place.rows("SELECT position FROM KS.dead").await.len(),
            n_dead,
            "every dead letter is there once"
        );
        rows.len()
    }

    /// Times of all plans in the checkpoint, in microseconds.
    pub(crate) async fn batch_times_us(&self) -> Vec<i64> {
        let checkpoint = self.world.checkpoint(0);
        let newest = checkpoint.logs().await.unwrap().planned.map_or(0, |plan| plan.id.0 + 1);
        let mut times = Vec::new();
        for id in 0..newest {
            let entry = checkpoint.offsets().get(ognivo_stream::plan::BatchId(id)).await.unwrap();
            times.extend(entry.map(|entry| entry.time_ms * 1000));
        }
        times
    }
}

/// Runs a query until it has done all there is, whatever may be tried again on the way.
pub(crate) async fn run_through(query: &mut StreamingQuery) {
    loop {
        match query.process_all_available().await {
            Ok(summary) => return println!("{:?}", summary.rows),
            Err(error) => {
                println!("once more after: {error}");
                assert_eq!(error.retry(), Retry::Backoff, "{error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

fn bigint(value: &Option<CqlValue>) -> i64 {
    value.as_ref().and_then(CqlValue::as_bigint).unwrap()
}

fn double(value: &Option<CqlValue>) -> f64 {
    value.as_ref().and_then(CqlValue::as_double).unwrap()
}

/// Runs of a campaign: the last ones only when all are asked for.
fn seeds(first: u64) -> std::ops::Range<u64> {
    first..first + if crate::is_full() { 40 } else { 12 }
}

async fn campaign(keyspace: &str, options: &[(&'static str, &'static str)], seeds: std::ops::Range<u64>) {
    let mut trial = Trial::new(keyspace, 40, options).await;
    let mut n_kills = 0;
    let n_runs = seeds.end - seeds.start;
    let before: Vec<u64> = POINTS.iter().map(|point| passed(*point)).collect();
    for seed in seeds {
        let mut dice = Dice(seed);
        trial.world.add(30 + dice.below(90));
        let kill =
            |dice: &mut Dice| kill_at(POINTS[dice.below(POINTS.len() as u64) as usize], 1 + dice.below(3) as u32);
        kill(&mut dice);
        let first = trial.start().process_all_available().await;
        let mut n_died = u32::from(first.is_err());
        if let Err(error) = first {
            assert!(error.is_killed(), "seed {seed}: {error}");
            // A second death, while what the first left is put right.
            kill(&mut dice);
            n_died += trial.run_through().await.1;
        }
        spare();
        let n_rows = trial.check(Some(&trial.batch_times_us().await)).await;
        println!("seed {seed}: died {n_died} times, {n_rows} rows");
        n_kills += n_died;
    }
    println!("{n_runs} runs, {n_kills} deaths");
    for (point, before) in POINTS.iter().zip(before) {
        assert!(*point == KillPoint::Purging || passed(*point) > before, "{} is passed", point.name());
    }
    assert!(u64::from(n_kills) > n_runs / 2);
}

#[test]
fn a_table_ends_as_if_nothing_had_been_killed() {
    run(campaign("stream_killed", &[], seeds(0)));
}

#[test]
fn a_table_with_a_progress_table_ends_as_if_nothing_had_been_killed() {
    run(campaign("stream_progress", &PROGRESS, seeds(100)));
}

#[test]
fn a_batch_that_the_progress_table_has_is_not_written_again() {
    run(async {
        let mut trial = Trial::new("stream_marked", 1000, &PROGRESS).await;
        trial.world.add(10);
        kill_at(KillPoint::AfterCommit, 1);
        assert!(trial.start().process_all_available().await.unwrap_err().is_killed());
        // Whoever wrote the batch again would bring this row back.
        trial.place.cql("DELETE FROM KS.scored WHERE id = 0").await;
        let summary = trial.start().process_all_available().await.unwrap();
        assert_eq!(summary.n_batches, 0);
        assert!(trial.place.rows("SELECT id FROM KS.scored WHERE id = 0").await.is_empty());
    });
}

#[test]
fn a_progress_table_that_was_emptied_is_noticed() {
    run(async {
        let mut trial = Trial::new("stream_emptied", 1000, &PROGRESS).await;
        trial.world.add(10);
        trial.start().process_all_available().await.unwrap();
        trial.place.cql("TRUNCATE KS.progress").await;
        let error = trial.start().process_all_available().await.unwrap_err();
        assert_eq!(error.retry(), Retry::Never, "{error}");
    });
}
