//! HDFS beside Hadoop's own client in Java: bytes, names, and a stream whose every path lies there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::live::Live;
use super::peers::{self, number, script};
use super::rounds::{Figures, milliseconds, rotate, row_of_share, seconds};
use super::staying::Staying;
use super::{Part, Row, loans};
use crate::program::{self, root};
use crate::services::hdfs::Cluster;
use crate::{cache, spark};

/// Where these servers keep what they have, below the cache folder.
const FOLDER: &str = "services/hdfs-bench";

const GIGABYTE: u64 = 1_000_000_000;
const N_FILES: u64 = 10_000;

/// Rows of a file that arrives: 751 KB of the loan data, as in the original project's runs.
const N_ROWS_ARRIVING: usize = 9_578;
/// Files before anything is measured, and those that are.
const N_WARM_UP: u64 = 6;
const N_MEASURED: u64 = 10;

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "hdfs",
    title: "HDFS",
    how: "\
A NameNode and its DataNodes on this machine; both clients are processes that stay, the Java one is Hadoop 3.5.0's own, warm after one
round that is not counted. Blocks are of 128 MiB. We sync what we write to the disks and rename it into place; Java's client does neither
by itself (first row), and both where it is asked to sync each block and to rename (second row). The share of the checksums is the CPU time
of those of a gigabyte, chunk by chunk, in the CPU time of reading one. The last rows: from the rename that makes a file of 9,578 rows visible
until its batch stands in `_spark_metadata`, every path on HDFS.

Where the missed rows go, as profiles told: hdfs-native 0.14.8 sends each packet of 64 KB by five calls, four of them of a few bytes (37,602
for 600 MB), and copies each packet that it reads; for a gigabyte it takes 0.49 to 0.68 s of CPU by itself, Java's client 0.33, and receiving the
same bytes in C 0.23. It checks every 512 bytes by a call of their own: all of them take 37 ms a gigabyte. Of the 0.15 ms of a stat nearly all is the
NameNode's and the way there and back, for both clients.",
    measure,
};

/// Measures bytes and names on one DataNode, then streams on one and on two.
///
/// # Errors
/// When a server or a program fails.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    program::build_ognivo()?;
    let ours = peers::build()?.join("hdfs_ognivo");
    let model = peers::spark_model()?;
    let mut rows = on_a_cluster(1, |cluster| {
        let mut rows = clients(cluster, &ours, n_rounds)?;
        rows.push(trigger(cluster, &model, n_rounds, 1, 2.0)?);
        Ok(rows)
    })?;
    rows.push(on_a_cluster(2, |cluster| trigger(cluster, &model, n_rounds, 2, 6.0))?);
    Ok(rows)
}

fn on_a_cluster<T>(n_data_nodes: usize, work: impl FnOnce(&Cluster) -> Result<T, String>) -> Result<T, String> {
    let cluster = Cluster::start_replicated(FOLDER, n_data_nodes)?;
    let done = work(&cluster);
    Cluster::stop_all_in(FOLDER)?;
    done
}

/// What both clients are told to do; each works on files of its own where it writes.
struct Task {
    what: &'static str,
    goal: f64,
    /// What a client is told: ours is the first one.
    words: fn(usize) -> String,
    /// Goal of the CPU time, where that is shown.
    cpu_goal: Option<Option<f64>>,
}

const TASKS: [Task; 6] = [
    Task {
        what: "write 1 GB",
        goal: 1.0,
        words: |client| format!("write /bench/written-{client} {GIGABYTE}"),
        cpu_goal: Some(None),
    },
    Task {
        what: "write 1 GB, Java's synced and renamed as ours is",
        goal: 1.0,
        words: |client| format!("{} /bench/written-{client} {GIGABYTE}", ["write", "write-synced"][client]),
        cpu_goal: Some(None),
    },
    Task {
        what: "read 1 GB",
        goal: 1.0,
        words: |_| "read /bench/written-1".to_owned(),
        cpu_goal: Some(Some(READ_CPU_GOAL)),
    },
    Task { what: "list 10,000 files", goal: 2.5, words: |_| "list /bench/many".to_owned(), cpu_goal: None },
    Task {
        what: "stat 10,000 files, one after the other",
        goal: 2.5,
        words: |_| format!("stat /bench/many {N_FILES} 1"),
        cpu_goal: Some(None),
    },
    Task {
        what: "stat 10,000 files, 16 in flight",
        goal: 2.5,
        words: |_| format!("stat /bench/many {N_FILES} 16"),
        cpu_goal: Some(None),
    },
];

/// Goal of the CPU time of a read.
const READ_CPU_GOAL: f64 = 1.5;

/// The CPU time of a process is told in hundredths of a second: so many gigabytes have their checksums computed.
const N_TIMES: u64 = 10;

/// Goal of the share of the checksums in it.
const CHECKSUMS_GOAL: f64 = 0.05;

fn clients(cluster: &Cluster, ours: &Path, n_rounds: usize) -> Result<Vec<Row>, String> {
    let mut ognivo = Command::new(ours);
    ognivo.env("HADOOP_CONF_DIR", cluster.conf());
    let mut clients = [Client::start(&mut ognivo, &cluster.url())?, java(cluster)?];
    clients[1].ask(&format!("make /bench/many {N_FILES}"))?;
    let mut rows = Vec::new();
    for task in &TASKS {
        // The JVM compiles what is hot, and both open their connections; the answers are compared.
        let n = [clients[0].ask(&(task.words)(0))?.n, clients[1].ask(&(task.words)(1))?.n];
        if n[0] != n[1] {
            return Err(format!("{}: {} here, {} there", task.what, n[0], n[1]));
        }
        let taken = rotate(n_rounds, 2, |client| clients[client].ask(&(task.words)(client)))?;
        let mut add = |what: String, of: fn(&Taken) -> f64, goal: Option<f64>| {
            let [ours, theirs] = [0, 1].map(|client| taken[client].iter().map(of).collect::<Vec<f64>>());
            let row = Figures { ours: &ours, theirs: &theirs, shown: seconds }.row(&what, "Java", goal);
            println!("{}: {}, {}", row.what, row.ours, row.theirs);
            rows.push(row);
        };
        add(format!("HDFS: {}", task.what), |taken| taken.wall_seconds, Some(task.goal));
        if let Some(goal) = task.cpu_goal {
            add(format!("HDFS: {}, CPU of the client", task.what), |taken| taken.cpu_seconds, goal);
        }
        if task.what.starts_with("read") {
            let shares = taken[0].iter().map(|read| {
                let checksums = clients[0].ask(&format!("checksum /bench/written-1 {}", N_TIMES * GIGABYTE))?;
                Ok(checksums.cpu_seconds / N_TIMES as f64 / read.cpu_seconds)
            });
            let shares = shares.collect::<Result<Vec<f64>, String>>()?;
            let row = row_of_share("HDFS: checksums in the CPU time of that read", &shares, CHECKSUMS_GOAL);
            println!("{}: {}", row.what, row.ours);
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Hadoop's own client.
fn java(cluster: &Cluster) -> Result<Client, String> {
    Client::start(&mut cluster.java_source(&root().join("xtask/peers/HdfsClient.java"))?, &cluster.url())
        .map_err(|e| format!("{e}\non Debian: apt-get install openjdk-17-jdk-headless"))
}

/// A client of HDFS, ours or Java's.
struct Client {
    program: Staying,
    /// What paths begin with.
    url: String,
}

struct Taken {
    n: u64,
    wall_seconds: f64,
    cpu_seconds: f64,
}

impl Client {
    fn start(command: &mut Command, url: &str) -> Result<Client, String> {
        Ok(Client { program: Staying::start(command)?, url: url.to_owned() })
    }

    /// Tells it what to do, waits for the end, and says what it took.
    fn ask(&mut self, words: &str) -> Result<Taken, String> {
        let told = self.program.ask(&words.replace(" /", &format!(" {}/", self.url)))?;
        Ok(Taken {
            n: number(&told, "n")? as u64,
            wall_seconds: number(&told, "wall_seconds")?,
            cpu_seconds: number(&told, "cpu_seconds")?,
        })
    }
}

/// The median time of a trigger, of our stream and of PySpark's, in each round.
fn trigger(cluster: &Cluster, model: &Path, n_rounds: usize, replication: usize, goal: f64) -> Result<Row, String> {
    let python = spark::environment(spark::NEWEST)?;
    let folder = cache::folder("bench")?.join("hdfs");
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    ognivo_fs(cluster, &["mkdir", "-p", "/bench"])?;
    put(cluster, model, "/bench/model")?;
    put(cluster, &loans::file(N_ROWS_ARRIVING)?, "/bench/arriving.csv")?;
    let mut watcher = java(cluster)?;
    let mut lives = 0;
    let taken = rotate(n_rounds, 2, |program| {
        lives += 1;
        let place = format!("/bench/stream-{replication}-{lives}");
        ognivo_fs(cluster, &["mkdir", "-p", &format!("{place}/incoming"), &format!("{place}/waiting")])?;
        let stream = match program {
            0 => start_ours(cluster, &folder, &place)?,
            _ => start_spark(cluster, &python, &place)?,
        };
        live(cluster, &mut watcher, &place, stream)
    })?;
    let what = format!(
        "HDFS: stream, a file of {N_ROWS_ARRIVING} rows visible to its scored rows visible, replication {replication}"
    );
    let peer = format!("PySpark {}, warm", spark::NEWEST);
    let row = Figures { ours: &taken[0], theirs: &taken[1], shown: milliseconds }.row(&what, &peer, Some(goal));
    println!("{}: {}, {}", row.what, row.ours, row.theirs);
    Ok(row)
}

/// Lets files arrive one by one; the median of the time until their batches are there.
fn live(cluster: &Cluster, watcher: &mut Client, place: &str, mut stream: Live) -> Result<f64, String> {
    let mut taken = Vec::new();
    for n in 0..N_WARM_UP + N_MEASURED {
        let waiting = format!("{place}/waiting/{n:06}.csv");
        put(cluster, &loans::file(N_ROWS_ARRIVING)?, &waiting)?;
        let suffix = if n % 10 == 9 { ".compact" } else { "" };
        let awaited = format!("{place}/output/_spark_metadata/{n}{suffix}");
        let arrived = watcher.ask(&format!("arrive {waiting} {place}/incoming/{n:06}.csv {awaited}"));
        if let Ok(Some(status)) = stream.0.try_wait() {
            return Err(format!("a stream ended with {status} before {awaited}"));
        }
        taken.push(arrived?.wall_seconds);
        // Both look for files again after a pause; the next one comes at no fixed moment of it.
        sleep(Duration::from_millis(20 + n * 7 % 13));
    }
    let mut measured = taken.split_off(N_WARM_UP as usize);
    measured.sort_by(f64::total_cmp);
    Ok(measured[measured.len() / 2])
}

fn start_ours(cluster: &Cluster, folder: &Path, place: &str) -> Result<Live, String> {
    let text = format!(
        "version: 1
name: bench
stream:
  readStream:
    format: csv
    path: {url}{place}/incoming
    schema: '{schema}'
    options: {{header: true, maxFilesPerTrigger: 1}}
  model: {url}/bench/model
  select: [features, rawPrediction, probability, prediction]
  errors: {{malformed: permissive}}
  writeStream:
    format: parquet
    path: {url}{place}/output
    checkpointLocation: {url}{place}/checkpoint
",
        url = cluster.url(),
        schema = loans::DDL,
    );
    let job = folder.join("job.yaml");
    fs::write(&job, text).map_err(|e| format!("{}: {e}", job.display()))?;
    let mut command = Command::new(program::built("release", "ognivo"));
    command.arg("stream").arg(job).arg("--quiet");
    start(cluster, command)
}

fn start_spark(cluster: &Cluster, python: &Path, place: &str) -> Result<Live, String> {
    let url = cluster.url();
    let mut command = script(python, "stream_spark.py");
    command.arg(format!("{url}/bench/model")).arg(format!("{url}{place}")).arg(loans::DDL).arg("live");
    start(cluster, command)
}

fn start(cluster: &Cluster, mut command: Command) -> Result<Live, String> {
    Live::start(command.env("HADOOP_CONF_DIR", cluster.conf()).stdout(Stdio::null()).stderr(Stdio::null()))
}

fn put(cluster: &Cluster, from: &Path, to: &str) -> Result<(), String> {
    ognivo_fs(cluster, &["rm", "-r", "-f", "--skip-trash", to])?;
    ognivo_fs(cluster, &["put", &from.to_string_lossy(), to])
}

fn ognivo_fs(cluster: &Cluster, arguments: &[&str]) -> Result<(), String> {
    let mut command = Command::new(built());
    command.arg("fs").args(arguments).env("HADOOP_CONF_DIR", cluster.conf()).stdout(Stdio::null());
    program::run(&mut command)
}

fn built() -> PathBuf {
    program::built("release", "ognivo")
}
