//! Tests of the driver over a world in memory, and of the laws.

#![cfg(debug_assertions)]
// The campaign reads what was tried and with which seeds.
#![allow(clippy::print_stdout, clippy::print_stderr)]

/// What the fault campaign repeats and counts.
mod campaign {
    mod counts; // how a test tells what it tried
    mod crashes; // every named place at which a process may die, and every two of them
    mod failures; // calls to the outside that fail, every one
    mod random; // random numbers from a seed
    mod simulation; // random lives with crashes and failures
}
/// Scripts of ordinary life: batches, limits, triggers, policies, the end.
mod scripts {
    mod ahead;
    mod life;
    mod limits;
    mod moving_partitions;
    mod ownership;
    mod policies;
    mod quick;
    mod telling;
    mod triggers;
}
/// Kill points that end a real process.
#[cfg(unix)]
mod kill;
/// What every source, sink and store must keep, held against those in memory.
mod laws;
/// The table of the planner.
mod plan;
/// Checkpoints that Spark wrote.
mod spark_checkpoint;

use std::future::Future;

use ognivo_stream::memory::{SourceKind, TargetKind, WorldOptions};

/// Runs a test on one thread, which is the thread that kill points belong to.
fn run<F: Future<Output = ()>>(test: F) {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test);
}

/// All pairs of a source and a target that do not move, and dead letters in a target of their own where that can be.
fn worlds() -> Vec<WorldOptions> {
    let mut worlds = Vec::new();
    for source in [SourceKind::Logged, SourceKind::Numbered] {
        for target in [TargetKind::Counting, TargetKind::Positions, TargetKind::Upserting] {
            let world = WorldOptions { source, target, ..WorldOptions::default() };
            worlds.push(world);
            if target != TargetKind::Positions {
                worlds.push(WorldOptions { dead_letters_apart: true, ..world });
            }
        }
    }
    worlds
}
