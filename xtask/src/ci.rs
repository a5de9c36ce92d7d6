//! `cargo xtask ci`: everything that must hold before a change is taken.

use std::time::Instant;

use crate::program::{self, cargo};
use crate::{campaign, cassandra, hdfs, kafka, report, spark};

/// What a step runs.
enum Work {
    /// Cargo with these arguments.
    Cargo(&'static [&'static str]),
    /// A command of ours with these arguments.
    Ours(fn(&[String]) -> Result<(), String>, &'static [&'static str]),
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
    ("jobs on real HDFS", Work::Ours(hdfs::run, &[])),
    ("streams on a real Kafka", Work::Ours(kafka::run, &[])),
    ("topics to Spark and back", Work::Ours(kafka::run, &["spark"])),
    ("tables of real Cassandra", Work::Ours(cassandra::run, &[])),
    ("jobs on HDFS with Kerberos", Work::Ours(hdfs::run, &["kerberos"])),
    ("both ways with real Spark", Work::Ours(spark::run, &[])),
];

impl Work {
    fn run(&self) -> Result<(), String> {
        match self {
            Work::Cargo(arguments) => program::run(cargo().args(*arguments)),
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
