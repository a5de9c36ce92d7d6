//! `cargo xtask ci`: everything that must hold before a change is taken.

mod lanes;

use std::time::Instant;

use crate::program::{self, cargo};
use crate::{campaign, report};

/// What a step runs.
enum Work {
    /// Cargo with these arguments.
    Cargo(&'static [&'static str]),
    /// A command of ours with these arguments.
    Ours(fn(&[String]) -> Result<(), String>, &'static [&'static str]),
    /// Commands of ours, in lanes beside each other. Those that use the same servers are in the same lane.
    Lanes(&'static [&'static [lanes::Step]]),
}

/// Name, and what it runs; the quick ones first. The tests of the campaign run once, in its own step.
const STEPS: &[(&str, Work)] = &[
    ("format", Work::Cargo(&["fmt", "--all", "--check"])),
    ("lints", Work::Cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"])),
    (
        // Named by themselves: beside --all-targets cargo passes over tests that `cargo test` does not run.
        "lints of the tests that need servers",
        Work::Cargo(&[
            "clippy",
            "--workspace",
            "--test",
            "it",
            "--test",
            "hdfs",
            "--test",
            "kafka",
            "--test",
            "cassandra",
            "--",
            "--deny",
            "warnings",
        ]),
    ),
    ("rules of the house", Work::Cargo(&["test", "--package", "xtask", "--quiet"])),
    (
        "tests and examples in the docs",
        Work::Cargo(&["test", "--workspace", "--exclude", "xtask", "--", "--skip", campaign::MODULES]),
    ),
    ("reports in a browser", Work::Ours(report::run, &[])),
    ("fault campaign", Work::Ours(campaign::run, &["--quick"])),
    ("jobs on real servers, and with real Spark", Work::Lanes(&[HDFS_AND_SPARK, CASSANDRA_AND_KAFKA])),
];

const HDFS_AND_SPARK: &[lanes::Step] = &[&["hdfs"], &["hdfs", "kerberos"], &["spark"]];
const CASSANDRA_AND_KAFKA: &[lanes::Step] = &[&["cassandra"], &["kafka"], &["kafka", "spark"]];

impl Work {
    fn run(&self) -> Result<(), String> {
        match self {
            Work::Cargo(arguments) => program::run(cargo().args(*arguments)),
            Work::Lanes(lanes) => lanes::run(lanes),
            Work::Ours(run, arguments) => {
                run(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
            }
        }
    }
}

/// Runs the steps in order and stops at the first that fails.
pub(crate) fn run() -> Result<(), String> {
    let begin = Instant::now();
    for (number, (name, work)) in STEPS.iter().enumerate() {
        let begin_step = Instant::now();
        println!("\n== {}/{} {name}", number + 1, STEPS.len());
        work.run().map_err(|e| format!("\nci: FAILED at {name}: {e}"))?;
        println!("== {name}: ok, {} s", begin_step.elapsed().as_secs());
    }
    println!("\nci: ok, {} steps in {} s", STEPS.len(), begin.elapsed().as_secs());
    Ok(())
}
