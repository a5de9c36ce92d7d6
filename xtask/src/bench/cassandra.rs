//! Rows into a table of real Cassandra, beside the driver alone.

use std::process::Command;

use super::peers::number;
use super::rounds::{Figures, rotate, seconds};
use super::{Part, Row};
use crate::json;
use crate::program::{self, cargo, output};
use crate::services::cassandra::{Cluster, Setup};

/// Rows that each program writes in a round.
const N_ROWS: usize = 200_000;

/// Where the server keeps what it has, below the cache folder.
const FOLDER: &str = "services/cassandra-bench";

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "cassandra",
    title: "Rows into Cassandra",
    how: "\
One Cassandra 5 on the same machine, LOCAL_QUORUM, 256 rows under way over 2 connections, rows of a bigint, a double and a list of two doubles. \
Theirs: the driver that our sink stands on, in a loop over one prepared statement with constant values. \
CPU is that of the client's process; the server shares the processors, so the times of both rest on it.",
    measure,
};

/// Starts a server, and writes with both programs, one after the other.
///
/// # Errors
/// When the server or a program fails.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    program::run(cargo().args([
        "build",
        "--release",
        "--quiet",
        "--package",
        "ognivo-cassandra",
        "--example",
        "write_rows",
    ]))?;
    let cluster = Cluster::start_empty(FOLDER, Setup::default())?;
    let measured = compare(&cluster, n_rounds);
    Cluster::stop_all_in(FOLDER)?;
    measured
}

fn compare(cluster: &Cluster, n_rounds: usize) -> Result<Vec<Row>, String> {
    let write = |who: &str, n_rows: usize| {
        let program = program::built("release", "examples/write_rows");
        let told = output(Command::new(program).args([who, &cluster.contact_point(), &n_rows.to_string()]))?;
        let told = json::parse(&told)?;
        Ok::<_, String>((number(&told, "cpu_seconds")?, number(&told, "wall_seconds")?))
    };
    // A server that has just started compiles while it works.
    write("driver", N_ROWS)?;
    let measured = rotate(n_rounds, 2, |at| write(["sink", "driver"][at], N_ROWS))?;
    let part = |at: usize, which: fn(&(f64, f64)) -> f64| measured[at].iter().map(which).collect::<Vec<f64>>();
    let (our_cpu, their_cpu) = (part(0, |run| run.0), part(1, |run| run.0));
    let (our_wall, their_wall) = (part(0, |run| run.1), part(1, |run| run.1));
    let row = |what: String, ours: &[f64], theirs: &[f64], goal: f64| {
        Figures { ours, theirs, shown: seconds }.row(&what, "the driver alone", Some(goal))
    };
    Ok(vec![
        row(format!("{N_ROWS} rows written, CPU of the client"), &our_cpu, &their_cpu, 0.85),
        row(format!("{N_ROWS} rows written, wall"), &our_wall, &their_wall, 0.95),
    ])
}
