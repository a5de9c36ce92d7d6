//! Rows into a table of real Cassandra, beside the driver alone and beside Spark's connector; and memory while the server is frozen.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::live::Live;
use super::peers::{self, number, script};
use super::rounds::{Figures, megabytes, rotate, seconds};
use super::staying::Staying;
use super::{Part, Row, loans};
use crate::json;
use crate::program::{self, cargo, output};
use crate::services::cassandra::{Cluster, Setup};
use crate::services::packages;
use crate::{cache, spark};

/// Rows that each program writes in a round.
const N_ROWS: usize = 200_000;

/// Rows under way at once and connections to a server, of all three.
const N_UNDER_WAY: usize = 256;
const N_CONNECTIONS: usize = 2;

/// Where the server keeps what it has, below the cache folder.
const FOLDER: &str = "services/cassandra-bench";

/// How long the stream writes before the server is frozen, how long it stays so, and from when on memory is looked at: what
/// had been asked for is still decoded.
const BEFORE: Duration = Duration::from_secs(3);
const FROZEN: Duration = Duration::from_secs(8);
const SETTLED: Duration = Duration::from_secs(2);

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "cassandra",
    title: "Rows into Cassandra",
    how: "\
One Cassandra 5 on the same machine, LOCAL_QUORUM, 256 rows under way over 2 connections, rows of a bigint, a double and a list of two doubles. \
Theirs: the driver that our sink stands on, in a loop over one prepared statement with constant values, and PySpark 3.5.9 with the Spark \
Cassandra connector 3.5.1 in two tasks, a process that stays and is warm after one round that is not counted. \
CPU is that of the client's processes; the server shares the processors, so the times of all rest on it. The last rows: the resident memory of \
`ognivo stream` between the second and the eighth second of a server that is frozen (SIGSTOP) while 1,300,000 rows wait to be written.",
    measure,
};

/// Starts a server, and writes with all programs, one after the other.
///
/// # Errors
/// When the server or a program fails.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    program::build_ognivo()?;
    let example = ["build", "--release", "--quiet", "--package", "ognivo-cassandra", "--example", "write_rows"];
    program::run(cargo().args(example))?;
    let cluster = Cluster::start_empty(FOLDER, Setup::default())?;
    let measured = compare(&cluster, n_rounds).and_then(|mut rows| {
        rows.extend(memory(&cluster, n_rounds)?);
        Ok(rows)
    });
    Cluster::stop_all_in(FOLDER)?;
    measured
}

/// Seconds of processor time of a client, and seconds.
type Taken = (f64, f64);

fn compare(cluster: &Cluster, n_rounds: usize) -> Result<Vec<Row>, String> {
    let write = |who: &str| {
        let program = program::built("release", "examples/write_rows");
        taken(&json::parse(&output(Command::new(program).args([who, &cluster.contact_point(), &N_ROWS.to_string()]))?)?)
    };
    // A server that has just started compiles while it works, and so does Spark.
    write("driver")?;
    let mut spark = start_spark(cluster)?;
    spark.ask(&N_ROWS.to_string())?;
    let measured = rotate(n_rounds, 3, |at| match at {
        0 => write("sink"),
        1 => write("driver"),
        _ => taken(&spark.ask(&N_ROWS.to_string())?),
    })?;
    let part = |at: usize, which: fn(&Taken) -> f64| measured[at].iter().map(which).collect::<Vec<f64>>();
    let row = |what: &str, which: fn(&Taken) -> f64, at: usize, peer: &str, goal: Option<f64>| {
        let (ours, theirs) = (part(0, which), part(at, which));
        Figures { ours: &ours, theirs: &theirs, shown: seconds }.row(
            &format!("{N_ROWS} rows written, {what}"),
            peer,
            goal,
        )
    };
    let of_spark = "PySpark with the connector";
    Ok(vec![
        row("CPU of the client", |run| run.0, 1, "the driver alone", Some(0.85)),
        row("wall", |run| run.1, 1, "the driver alone", Some(0.95)),
        row("CPU of the client", |run| run.0, 2, of_spark, Some(6.0)),
        row("wall", |run| run.1, 2, of_spark, None),
    ])
}

fn taken(told: &json::Json) -> Result<Taken, String> {
    Ok((number(told, "cpu_seconds")?, number(told, "wall_seconds")?))
}

/// PySpark with the connector's packages, waiting to be told how many rows to write.
fn start_spark(cluster: &Cluster) -> Result<Staying, String> {
    let python = spark::environment(spark::VERSIONS[0])?;
    let jars = packages::jars("spark-cassandra-connector", include_str!("../services/spark-cassandra.xml"))?;
    let files = fs::read_dir(&jars).map_err(|e| format!("cannot list {}: {e}", jars.display()))?;
    let files: Vec<String> = files.filter_map(|entry| Some(entry.ok()?.path().display().to_string())).collect();
    let mut command = script(&python, "cassandra_spark.py");
    command.args([cluster.contact_point(), files.join(","), N_UNDER_WAY.to_string(), N_CONNECTIONS.to_string()]);
    Staying::start(&mut command)
}

/// The most memory of our process while the server is frozen, and by how much it grows.
fn memory(cluster: &Cluster, n_rounds: usize) -> Result<Vec<Row>, String> {
    let job = write_job(cluster)?;
    let ognivo = program::built("release", "ognivo");
    program::run(
        Command::new(&ognivo).args(["stream", "--create-table=execute", "--quiet"]).arg(&job).stdout(Stdio::null()),
    )?;
    let (mut most, mut growth) = (Vec::new(), Vec::new());
    for _ in 0..n_rounds {
        let checkpoint = job.with_file_name("checkpoint");
        if checkpoint.exists() {
            fs::remove_dir_all(&checkpoint).map_err(|e| format!("{}: {e}", checkpoint.display()))?;
        }
        let stream = Live::start(Command::new(&ognivo).args(["stream", "--quiet"]).arg(&job))?;
        sleep(BEFORE);
        cluster.signal("STOP");
        let seen = resident_while_frozen(&stream.0);
        cluster.signal("CONT");
        let (low, high) = seen?;
        most.push(high);
        growth.push(high - low);
    }
    Ok(vec![
        Row::of_ours("a frozen server: most memory of the stream", megabytes(&most)),
        Row::of_ours("the same: most less least", megabytes(&growth)),
    ])
}

/// The least and the most bytes.
fn resident_while_frozen(stream: &Child) -> Result<(f64, f64), String> {
    let (mut low, mut high) = (f64::INFINITY, 0.0f64);
    let begin = Instant::now();
    while begin.elapsed() < FROZEN {
        sleep(Duration::from_millis(100));
        if begin.elapsed() >= SETTLED {
            let path = format!("/proc/{}/status", stream.id());
            let status = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let kilobytes: f64 = line
                .and_then(|line| line.split_whitespace().next()?.parse().ok())
                .ok_or("the stream ended before the server was frozen")?;
            (low, high) = (low.min(kilobytes * 1024.0), high.max(kilobytes * 1024.0));
        }
    }
    Ok((low, high))
}

/// A job of many rows, named by file and line.
fn write_job(cluster: &Cluster) -> Result<PathBuf, String> {
    let rows = loans::file(loans::N_ROWS_LARGE)?;
    let folder = cache::folder("bench")?.join("cassandra");
    let text = format!(
        "version: 1
name: bench
stream:
  readStream:
    format: csv
    path: {rows}
    schema: '{schema}'
    options: {{header: true}}
  model: {model}
  select: [prediction, probability]
  errors: {{malformed: permissive}}
  writeStream:
    format: cassandra
    options:
      spark.cassandra.connection.host: {contact_point}
      spark.cassandra.auth.username: cassandra
      spark.cassandra.auth.password: cassandra
      keyspace: bench
      table: by_line
    checkpointLocation: checkpoint
",
        rows = rows.display(),
        schema = loans::DDL,
        model = peers::spark_model()?.display(),
        contact_point = cluster.contact_point(),
    );
    let job = folder.join("job.yaml");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&job, text))
        .map_err(|e| format!("cannot write {}: {e}", job.display()))?;
    Ok(job)
}
