//! Random lives of a query: rows come, processes die anywhere and again while they recover, calls fail, partitions move.
//!
//! A failing schedule prints its seed; `OGNIVO_SIMULATION_SEED=<seed>` runs it alone. Put it into [`KEPT_SEEDS`] then.
//! `OGNIVO_CAMPAIGN_SCALE=<n>` runs `n` times as many.

use std::time::Duration;

use ognivo_stream::kill_point::{self, KillPoint};
use ognivo_stream::memory::{MemoryWorld, SourceKind, TargetKind, WorldOptions};
use ognivo_stream::query::StreamingQuery;
use ognivo_stream::stop::stop_pair;
use ognivo_stream::trigger::Trigger;
use serde_json::json;

use crate::campaign::counts::{scale, tell};
use crate::campaign::random::Random;
use crate::run;

const SCHEDULES: u64 = 2000;

/// Seeds of schedules that failed once, with what they found; they run every time.
const KEPT_SEEDS: [u64; 1] = [
    6249, // a member whose partition had been elsewhere in between went on from its old position
];

fn world_options(random: &mut Random) -> WorldOptions {
    let (source, target) = [
        (SourceKind::Logged, TargetKind::Counting),
        (SourceKind::Logged, TargetKind::Upserting),
        (SourceKind::Logged, TargetKind::Positions),
        (SourceKind::Numbered, TargetKind::Counting),
        (SourceKind::Numbered, TargetKind::Upserting),
        (SourceKind::Numbered, TargetKind::Positions),
        (SourceKind::Moving, TargetKind::Positions),
    ][random.below(7) as usize];
    let n_partitions = if source == SourceKind::Logged { 1 } else { 1 + random.below(3) as usize };
    let max_rows = 1 + random.below(9) as usize;
    // Nothing more is drawn, so that the seeds of old keep their schedules.
    let dead_letters_apart = target != TargetKind::Positions && max_rows % 2 == 1;
    WorldOptions { source, target, n_partitions, max_rows, trigger: Trigger::AsRowsArrive, dead_letters_apart }
}

/// Two members where partitions move, else one.
struct Life {
    world: MemoryWorld,
    queries: Vec<StreamingQuery>,
    random: Random,
    n_rows: u64,
    n_kills: u64,
    n_failures: u64,
}

impl Life {
    fn new(seed: u64) -> Life {
        let mut random = Random(seed);
        let world = MemoryWorld::new(world_options(&mut random));
        let n_members = if world.options.source == SourceKind::Moving { 2 } else { 1 };
        let queries = (0..n_members).map(|member| world.start(member)).collect();
        let mut life = Life { world, queries, random, n_rows: 0, n_kills: 0, n_failures: 0 };
        life.move_partitions();
        life
    }

    fn move_partitions(&mut self) {
        for partition in 0..self.world.options.n_partitions {
            let member = self.random.below(self.queries.len() as u64);
            self.world.membership.give(partition, member as usize);
        }
    }

    async fn act(&mut self) {
        let member = self.random.below(self.queries.len() as u64) as usize;
        match self.random.below(100) {
            0..40 => {
                let n_rows = 1 + self.random.below(20);
                self.world.add(n_rows);
                self.n_rows += n_rows;
            }
            40..60 => self.process(member).await,
            60..85 => self.crash(member).await,
            85..93 => self.fail(member).await,
            93..97 => self.move_partitions(),
            _ => self.world.clock.advance(Duration::from_secs(1 + self.random.below(600))),
        }
    }

    async fn process(&mut self, member: usize) {
        if self.random.chance(30) {
            let mut once = self.world.start_with(member, Trigger::AvailableNow, "model");
            let (_handle, stop) = stop_pair();
            once.run(&stop).await.expect("a healthy world lets a query finish");
            self.queries[member] = self.world.start(member);
        } else {
            self.queries[member].process_all_available().await.expect("a healthy world lets a query go on");
        }
    }

    /// The process dies somewhere, and perhaps again while it recovers.
    async fn crash(&mut self, member: usize) {
        loop {
            let point = KillPoint::OF_BATCHES[self.random.below(KillPoint::OF_BATCHES.len() as u64) as usize];
            kill_point::kill_at(point, 1 + self.random.below(3) as u32);
            let died = self.queries[member].process_all_available().await;
            let spared = kill_point::spare();
            self.n_kills += u64::from(!spared);
            assert!(died.is_ok() == spared, "it dies when it is killed, and only then: {died:?}");
            self.queries[member] = self.world.start(member);
            self.check().await;
            if !self.random.chance(50) {
                return;
            }
        }
    }

    /// A call fails once, or all do from one on for a while.
    async fn fail(&mut self, member: usize) {
        let persistently = self.random.chance(30);
        self.world.faults.fail_at(1 + self.random.below(40), persistently);
        let _ = self.queries[member].process_all_available().await;
        self.n_failures += u64::from(!self.world.faults.heal());
        self.check().await;
        if self.random.chance(30) {
            self.queries[member] = self.world.start(member);
        }
    }

    async fn check(&self) {
        let broken = self.world.check_at_any_moment().await;
        assert!(broken.is_ok(), "{broken:?}");
    }

    async fn live(&mut self) {
        for _ in 0..12 + self.random.below(20) {
            self.act().await;
            self.check().await;
        }
        for member in 0..self.queries.len() {
            self.queries[member] = self.world.start(member);
        }
        for _ in 0..2 {
            for query in &mut self.queries {
                query.process_all_available().await.expect("a healthy world lets a query finish");
            }
        }
        let broken = self.world.check_at_the_end();
        assert!(broken.is_ok(), "{broken:?}");
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// Prints the seed when the schedule panics.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this was OGNIVO_SIMULATION_SEED={}", self.0);
        }
    }
}

#[test]
fn no_random_life_loses_or_repeats_a_row() {
    let seeds: Vec<u64> = match number("OGNIVO_SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => {
            let n_schedules = SCHEDULES * scale();
            KEPT_SEEDS.into_iter().filter(|seed| *seed >= n_schedules).chain(0..n_schedules).collect()
        }
    };
    eprintln!("simulation: {} schedules, seeds up to {}", seeds.len(), seeds[seeds.len() - 1]);
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let counts: Vec<Counts> = std::thread::scope(|scope| {
        let share = seeds.len().div_ceil(n_threads);
        let threads: Vec<_> = seeds.chunks(share).map(|seeds| scope.spawn(|| live_all(seeds))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a schedule failed; its seed is above")).collect()
    });
    for (i, point) in KillPoint::OF_BATCHES.iter().enumerate() {
        eprintln!("passed {} {} times", point.name(), counts.iter().map(|counts| counts.passes[i]).sum::<u64>());
    }
    let sum = |count: fn(&Counts) -> u64| counts.iter().map(count).sum::<u64>();
    let what =
        "random lives: rows come, processes die anywhere and again while they recover, calls fail, partitions move";
    let told = json!({
        "rows": sum(|counts| counts.n_rows),
        "seeds": format!("0 to {}", seeds[seeds.len() - 1]),
        "ended": {"processes killed": sum(|counts| counts.n_kills), "lives with failed calls": sum(|counts| counts.n_failures)},
    });
    tell(what, "schedules", seeds.len(), told);
}

/// What lives came to.
#[derive(Default)]
struct Counts {
    /// How often each kill point was passed.
    passes: Vec<u64>,
    n_rows: u64,
    n_kills: u64,
    n_failures: u64,
}

/// Lives the lives of these seeds.
fn live_all(seeds: &[u64]) -> Counts {
    let mut counts = Counts::default();
    run(async {
        for seed in seeds {
            let _seed = Seed(*seed);
            let mut life = Life::new(*seed);
            life.live().await;
            counts.n_rows += life.n_rows;
            counts.n_kills += life.n_kills;
            counts.n_failures += life.n_failures;
        }
    });
    counts.passes = KillPoint::OF_BATCHES.iter().map(|point| kill_point::passed(*point)).collect();
    counts
}
