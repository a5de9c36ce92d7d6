//! Deaths at places and moments from a seed: a few in CI, as many as are asked for by `cargo xtask kafka campaign`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::binary::Ran;
use crate::broker::{Dice, asked};
use crate::instances::{Instance, SHORT_TRANSACTIONS, sleep_through};
use crate::stream::{AVAILABLE_NOW, POINTS};
use crate::topics::{Rig, at_once};

/// How many runs there are outside of a campaign.
const N_RUNS: u64 = 8;

/// Records of a run with deaths.
const N_RECORDS: usize = 100;

/// Records of a run in which so many wait that batches are scored beside the commit of the one before.
const N_RECORDS_OF_LARGE: usize = 20_000;

/// Longer than the session of a member of [`Rig::stream`].
const SESSION_IS_OVER: Duration = Duration::from_secs(3);

/// How an instance ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Death {
    AtKillPoint,
    AtRandomMoment,
    WhileShuttingDown,
    /// It had done everything before.
    CameTooLate,
    Frozen,
}

#[test]
fn deaths_at_places_and_moments_of_a_seed_lose_and_repeat_nothing() {
    let mut dice = Dice::new();
    let n_runs = asked("OGNIVO_KAFKA_RUNS").unwrap_or(N_RUNS);
    let first = asked("OGNIVO_KAFKA_SEED").unwrap_or_else(|| dice.below(1 << 40));
    println!("{n_runs} runs, of seeds {first} to {}", first + n_runs - 1);
    let rig = Rig::new(24, 1000);
    let counts: Mutex<BTreeMap<Death, u64>> = Mutex::default();
    let seeds: Vec<u64> = (first..first + n_runs).collect();
    at_once(8, &seeds, |seed| {
        for death in live(&rig, *seed) {
            *counts.lock().unwrap().entry(death).or_default() += 1;
        }
    });
    println!("{n_runs} runs: {:?}", counts.into_inner().unwrap());
}

/// One run, from a seed alone.
fn live(rig: &Rig, seed: u64) -> Vec<Death> {
    let mut dice = Dice::of_seed(seed);
    let run = format!("seed-{seed}");
    if dice.below(4) == 0 {
        sleep_through(rig, &run, dice.below(400));
        return vec![Death::Frozen];
    }
    let is_large = dice.below(3) == 0;
    let (n_records, limit) =
        if is_large { (N_RECORDS_OF_LARGE, 1_000 + dice.below(2_000)) } else { (N_RECORDS, 5 + dice.below(20)) };
    let limit = format!(", maxOffsetsPerTrigger: {limit}");
    let stream = rig.stream(&run, 1 + dice.below(3) as i32, &limit, SHORT_TRANSACTIONS, AVAILABLE_NOW);
    let n_deaths = 1 + dice.below(3) as usize;
    let mut deaths = Vec::new();
    for part in rig.records[..n_records].chunks(n_records.div_ceil(n_deaths)) {
        stream.add(part);
        deaths.push(match dice.below(3) {
            0 => {
                let (point, nth) = (POINTS[dice.below(10) as usize], 1 + dice.below(6));
                let mut command = rig.loans.place.command(&["stream", &stream.file, "--quiet"]);
                let ran = command.env("OGNIVO_KILL_POINT", format!("{}@{nth}", point.name())).output().unwrap();
                died(Ran::of(ran), Death::AtKillPoint, &run)
            }
            1 => {
                let instance = Instance::start(&stream);
                std::thread::sleep(Duration::from_millis(dice.below(1_500)));
                died(instance.kill(), Death::AtRandomMoment, &run)
            }
            _ => {
                let instance = Instance::start(&stream);
                std::thread::sleep(Duration::from_millis(300 + dice.below(1_200)));
                instance.signal("TERM");
                std::thread::sleep(Duration::from_micros(dice.below(60_000)));
                died(instance.kill(), Death::WhileShuttingDown, &run)
            }
        });
    }
    // An instance takes what is there of its own partitions. One that died while it joined holds some until its session is over.
    std::thread::sleep(SESSION_IS_OVER);
    rig.loans.place.run(&["stream", &stream.file, "--quiet"]).ok();
    stream.check(n_records);
    deaths
}

/// What became of an instance that was to be killed: it may have been faster.
#[track_caller]
fn died(ran: Ran, death: Death, run: &str) -> Death {
    match ran.code {
        None => death,
        Some(0) => Death::CameTooLate,
        code => panic!("{run}: {death:?}: exit code {code:?}\n{}", ran.stderr),
    }
}
