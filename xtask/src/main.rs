//! What a developer types: `cargo xtask ci | fixtures | spark | hdfs | kafka | cassandra | services | campaign | report | bench | examples`.
//!
//! No dependency, so that it builds in a second; the checks of the house's rules are its tests (`cargo test -p xtask`).

#![allow(clippy::print_stdout, clippy::print_stderr)] // a developer's program speaks on the terminal

mod bench;
mod cache;
mod campaign;
mod cassandra;
mod ci;
mod examples;
mod fixtures;
mod hdfs;
mod json;
mod kafka;
mod program;
mod python;
mod report;
mod services;
mod spark;
#[cfg(test)]
mod tidy;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <command>

  ci                      format, lints, all tests, the house's rules, a short campaign, both Sparks: what CI runs
  fixtures [PART …]       write fixtures/spark again with real Spark 3.5.9 and 4.3.0 (all parts when none is named)
  spark [models] [theirs] [margins] [streams]
                          let both Sparks open models of ognivo and the other way round, and carry on each other's streams
  campaign [--quick | --scale N]
                          inject faults, count, and write docs/reliability.md (not with --quick)
  report                  look at reports in Chromium: charts painted, letters readable, nothing cut, light and dark
  examples                write the data of examples/ again, from fixed seeds
  bench [--rounds N] [PART …]
                          measure against arrow-csv, Polars, scikit-learn and PySpark; all of it: docs/benchmarks.md
  hdfs [nemesis [RUNS [SEED]] | ha | replicas | reports | shell | walk | spark FOLDER]
                          run whole jobs on a real HDFS, with kills and faults; compare our fs with Hadoop's shell
  hdfs kerberos [--ticket-life SECONDS]
                          run jobs on an HDFS with Kerberos, through the end of their tickets; wants Debian's KDC
  cassandra [alone] [encrypted] [three] [--full]
                          write into tables of a real Cassandra, with kills and faults
  kafka [avro | logins | three | spark | campaign [--runs N] [--seed S]]
                          run the tests that need a Kafka broker, with kills and faults; three: only those of three brokers;
                          logins: also by GSSAPI and OIDC, which wants libraries of the system and Debian's KDC;
                          spark: topics and checkpoints to real Spark and back; campaign: hundreds of deaths, for an hour
  services up hdfs [NAME]|kafka|registry|cassandra | down [hdfs NAME]
                          start real servers from Maven's packages, or stop what was started

Real Spark needs Java 17 and Python 3.11 or so; its environments go to the user's cache folder.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let done = match arguments.first().map(String::as_str) {
        Some("ci") => ci::run(),
        Some("fixtures") => fixtures::run(rest),
        Some("spark") => spark::run(rest),
        Some("campaign") => campaign::run(rest),
        Some("report") => report::run(rest),
        Some("bench") => bench::run(rest),
        Some("examples") => examples::run(),
        Some("hdfs") => hdfs::run(rest),
        Some("cassandra") => cassandra::run(rest),
        Some("kafka") => kafka::run(rest),
        Some("services") => services::run(rest),
        Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
