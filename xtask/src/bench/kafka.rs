//! From topic to topic on a real broker, beside librdkafka called as C calls it, and beside PySpark.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::live::Live;
use super::peers::{self, Taken, measured, number, script};
use super::rounds::{Figures, megabytes, milliseconds, nanoseconds, rotate, seconds};
use super::{Part, Row, loans};
use crate::json::{self, Json};
use crate::program::{self, output};
use crate::services::kafka::{Broker, newest_spark_jars, spark_jars};
use crate::{cache, spark};

/// Records that go through in a run.
const N_RECORDS: usize = 500_000;

/// Records of the JSON row, and of the lag that memory is held against.
const N_JSON: usize = 200_000;
const N_LAG: usize = 1_000_000;

/// Records that PySpark's JVM becomes warm on.
const N_WARM_UP: usize = 50_000;

/// Transactions of a run whose commits are measured.
const N_COMMITS: usize = 200;

/// Load of the latency rows, and how long it lasts; what comes in the first seconds is left out.
const RATE: usize = 1_000;
const SECONDS: usize = 32;
const WARM_UP_SECONDS: usize = 2;
const SPARK_SECONDS: usize = 30;
const SPARK_WARM_UP_SECONDS: usize = 20;

/// What goes through in 100 ms or so: the size of a batch, and of a transaction.
const LIMIT: &str = ", maxOffsetsPerTrigger: 50000";

const AVAILABLE_NOW: &str = "    trigger: {availableNow: true}\n";

/// The oldest Spark: the connector for its Scala is there.
const SPARK: &str = spark::VERSIONS[0];

/// The Spark that has a real-time mode.
const NEWEST_SPARK: &str = spark::NEWEST;

/// Where the broker keeps what it has, below the cache folder.
const FOLDER: &str = "services/kafka-bench";

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "kafka",
    title: "From topic to topic",
    how: "\
One Kafka 4.3 broker on the same machine, two partitions; records are JSON objects of 16 fields, 370 bytes. The raw relay calls
librdkafka's own functions as a program in C does (`rd_kafka_consume_batch_queue`, `rd_kafka_produce`) and copies the bytes; with
transactions it commits its offsets in them, with the same settings as we have. Our batches are of 50,000 records, about 100 ms, and in
the rows of latency of what has come. We decode, score (index, assemble, logistic
regression) and encode id, probability and prediction. CPU is that of the whole process, start and end included; the broker shares
the processors, so all times rest on it. Latency is from the moment a record was made to the broker's LogAppendTime of its result, at
1,000 records a second. PySpark: one warm query, at least once, from `start` to its end; its latencies are taken after 20 s of that load.",
    measure,
};

/// Starts a broker and measures everything on it.
///
/// # Errors
/// When a server or a program fails, or what came out of ours and of PySpark differs.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    program::build_ognivo()?;
    let programs = peers::build()?;
    let (model, csv) = (peers::spark_model()?, loans::file(loans::N_ROWS)?);
    let broker = Broker::start_empty(FOLDER)?;
    let bench = Bench {
        server: broker.address().to_owned(),
        folder: cache::folder("bench/kafka")?,
        spark: PySpark { python: spark::environment(SPARK)?, jars: spark_jars()? },
        newest_spark: PySpark { python: spark::environment(NEWEST_SPARK)?, jars: newest_spark_jars()? },
        programs,
        model,
        csv,
    };
    let rows = bench.all(n_rounds);
    Broker::stop_in(FOLDER)?;
    rows
}

struct Bench {
    server: String,
    /// Job files and checkpoints.
    folder: PathBuf,
    spark: PySpark,
    newest_spark: PySpark,
    programs: PathBuf,
    model: PathBuf,
    csv: PathBuf,
}

/// One of the PySparks.
struct PySpark {
    python: PathBuf,
    /// What it needs for topics.
    jars: String,
}

/// Who takes records from topic to topic.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    AtLeastOnce,
    ExactlyOnce,
    Raw,
    RawTransactions,
    Spark,
    SparkRealTime,
}

/// What a run took.
struct Run {
    wall_seconds: f64,
    cpu_seconds: f64,
}

/// Quantiles of a run.
struct Quantiles {
    p50: f64,
    p99: f64,
}

impl Bench {
    fn all(&self, n_rounds: usize) -> Result<Vec<Row>, String> {
        self.topic("filled")?;
        self.raw(&["fill", &self.server, "filled", &self.csv(), &N_RECORDS.to_string()])?;
        let mut rows = self.json(n_rounds)?;
        rows.push(self.consume(n_rounds)?);
        rows.extend(self.through(n_rounds)?);
        rows.extend(self.commits(n_rounds)?);
        rows.extend(self.latencies(n_rounds)?);
        rows.push(self.memory()?);
        Ok(rows)
    }

    fn csv(&self) -> String {
        self.csv.to_string_lossy().into_owned()
    }

    fn program(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.args(words);
        command
    }

    fn told(&self, name: &str, words: &[&str]) -> Result<Json, String> {
        json::parse(&output(&mut self.program(name, words))?)
    }

    fn raw(&self, words: &[&str]) -> Result<Json, String> {
        self.told("kafka_raw", words)
    }

    fn topic(&self, name: &str) -> Result<(), String> {
        self.raw(&["topic", &self.server, name, "2"]).map(drop)
    }

    fn json(&self, n_rounds: usize) -> Result<Vec<Row>, String> {
        let (csv, n) = (self.csv(), N_JSON.to_string());
        let programs = ["json_ognivo", "json_sonic", "json_arrow"];
        let mut sums = Vec::new();
        let taken = rotate(n_rounds, 3, |at| {
            let told = self.told(programs[at], &[&csv, &n])?;
            sums.push(told.get("checksum").text().unwrap_or_default().to_owned());
            Ok(number(&told, "cpu_seconds")? / N_JSON as f64)
        })?;
        if sums.iter().any(|sum| *sum != sums[0]) {
            return Err(format!("the decoders give different values: {sums:?}"));
        }
        let row = |at: usize, peer: &str, goal: f64| {
            let what = "JSON record of 14 fields to columns, CPU";
            Figures { ours: &taken[0], theirs: &taken[at], shown: nanoseconds }.row(what, peer, Some(goal))
        };
        Ok(vec![row(1, "sonic-rs into a struct", 1.3), row(2, "arrow-json", 3.0)])
    }

    fn consume(&self, n_rounds: usize) -> Result<Row, String> {
        let programs = ["kafka_ognivo", "kafka_raw"];
        let n = N_RECORDS.to_string();
        let taken = rotate(n_rounds, 2, |at| {
            let told = self.told(programs[at], &["consume", &self.server, "filled", &n])?;
            Ok(number(&told, "cpu_seconds")? / N_RECORDS as f64)
        })?;
        let figures = Figures { ours: &taken[0], theirs: &taken[1], shown: nanoseconds };
        Ok(figures.row("consume only, CPU of a record", "raw librdkafka", Some(0.95)))
    }

    /// All records through everybody, and the outputs compared.
    fn through(&self, n_rounds: usize) -> Result<Vec<Row>, String> {
        self.topic("warm-up")?;
        self.raw(&["fill", &self.server, "warm-up", &self.csv(), &N_WARM_UP.to_string()])?;
        // The first transaction on a broker makes the topic that they are kept in.
        self.topic("warm-up-out")?;
        self.raw(&["relay", &self.server, "warm-up", "warm-up-out", &N_WARM_UP.to_string(), "100"])?;
        let everybody = [Who::AtLeastOnce, Who::ExactlyOnce, Who::Raw, Who::RawTransactions, Who::Spark];
        let mut n_runs = 0;
        let mut outputs = [String::new(), String::new()];
        let runs = rotate(n_rounds, everybody.len(), |at| {
            let target = format!("through-{n_runs}");
            n_runs += 1;
            self.topic(&target)?;
            match everybody[at] {
                Who::ExactlyOnce => outputs[0].clone_from(&target),
                Who::Spark => {
                    self.topic(&format!("{target}-warm"))?;
                    outputs[1].clone_from(&target);
                }
                _ => {}
            }
            self.run_through(everybody[at], &target)
        })?;
        self.raw(&["same", &self.server, &outputs[0], &outputs[1], &N_RECORDS.to_string()])?;
        println!("== {N_RECORDS} ids and scores are those of PySpark");
        let wall = |who: usize| runs[who].iter().map(|run| run.wall_seconds).collect::<Vec<f64>>();
        let cpu = |who: usize| runs[who].iter().map(|run| run.cpu_seconds / N_RECORDS as f64).collect::<Vec<f64>>();
        let row = |what: &str, peer: &str, ours: &[f64], theirs: &[f64], shown, goal| {
            Figures { ours, theirs, shown }.row(what, peer, goal)
        };
        let spark = format!("PySpark {SPARK}, warm");
        let through = format!("{N_RECORDS} records, consume, decode, score, produce");
        Ok(vec![
            row(
                "consume, decode, score, produce; CPU of a record, at least once",
                "raw relay",
                &cpu(0),
                &cpu(2),
                nanoseconds,
                Some(0.6),
            ),
            row(
                "the same, exactly once",
                "raw relay with transactions every 100 ms",
                &cpu(1),
                &cpu(3),
                nanoseconds,
                Some(0.6),
            ),
            row(&format!("{through}, exactly once"), &spark, &wall(1), &wall(4), seconds, Some(15.0)),
            row("the same, CPU of a record", &spark, &cpu(1), &cpu(4), nanoseconds, None),
            row(&format!("{through}, exactly once"), "ognivo, at least once,", &wall(1), &wall(0), seconds, Some(0.95)),
            row(&format!("{through}, exactly once"), "raw relay with transactions", &wall(1), &wall(3), seconds, None),
        ])
    }

    fn run_through(&self, who: Who, target: &str) -> Result<Run, String> {
        let command = match who {
            Who::AtLeastOnce | Who::ExactlyOnce => self.ognivo(who, "filled", target, LIMIT, AVAILABLE_NOW)?,
            Who::Raw => self.relay("filled", target, N_RECORDS, "plain"),
            Who::RawTransactions => self.relay("filled", target, N_RECORDS, "100"),
            Who::SparkRealTime => return Err("only its latency is taken".to_owned()),
            Who::Spark => {
                let mut command = self.spark(&self.spark, "filled", target, "once")?;
                let told = json::parse(&output(command.arg("warm-up"))?)?;
                return Ok(Run {
                    wall_seconds: number(&told, "wall_seconds")?,
                    cpu_seconds: number(&told, "cpu_seconds")?,
                });
            }
        };
        let Taken { wall_seconds, cpu_seconds, .. } = measured(&self.spark.python, &command)?;
        Ok(Run { wall_seconds, cpu_seconds })
    }

    fn relay(&self, from: &str, to: &str, n: usize, mode: &str) -> Command {
        self.program("kafka_raw", &["relay", &self.server, from, to, &n.to_string(), mode])
    }

    fn ognivo(&self, who: Who, from: &str, to: &str, limit: &str, trigger: &str) -> Result<Command, String> {
        let delivery = if who == Who::ExactlyOnce { "exactlyOnce" } else { "atLeastOnce" };
        let job = format!(
            "version: 1
name: {to}
stream:
  readStream:
    format: kafka
    options: {{kafka.bootstrap.servers: '{server}', subscribe: {from}, startingOffsets: earliest{limit}}}
    value: {{format: json, schema: 'id BIGINT, sent_us BIGINT, {ddl}'}}
  model: {model}
  select: [id, sent_us, probability, prediction]
  writeStream:
    format: kafka
    options: {{kafka.bootstrap.servers: '{server}', topic: {to}}}
    value: {{format: json}}
    delivery: {delivery}
{trigger}",
            server = self.server,
            ddl = loans::DDL,
            model = self.model.display(),
        );
        let path = self.folder.join(format!("{to}.yaml"));
        std::fs::write(&path, job).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut command = Command::new(program::built("release", "ognivo"));
        command.arg("stream").arg(path).arg("--quiet");
        Ok(command)
    }

    fn spark(&self, spark: &PySpark, from: &str, to: &str, trigger: &str) -> Result<Command, String> {
        // The broker is new, and so are its topics.
        let checkpoints = self.folder.join("checkpoints");
        let _ = std::fs::remove_dir_all(&checkpoints);
        let mut command = script(&spark.python, "kafka_spark.py");
        command.arg(&self.model).arg(&self.server).args([from, to]).arg(&checkpoints);
        command.args([&format!("id BIGINT, sent_us BIGINT, {}", loans::DDL), trigger, &spark.jars]);
        Ok(command)
    }

    fn commits(&self, n_rounds: usize) -> Result<Vec<Row>, String> {
        self.topic("commits")?;
        let programs = ["kafka_ognivo", "kafka_raw"];
        let n = N_COMMITS.to_string();
        let taken = rotate(n_rounds, 2, |at| {
            quantiles(&self.told(programs[at], &["commits", &self.server, "filled", "commits", &n])?)
        })?;
        Ok(vec![quantile_row(
            "commit of 20 records with their offsets, p50",
            &taken,
            |q| q.p50,
            "raw librdkafka",
            Some(0.9),
        )])
    }

    fn latencies(&self, n_rounds: usize) -> Result<Vec<Row>, String> {
        let everybody =
            [Who::AtLeastOnce, Who::Raw, Who::ExactlyOnce, Who::RawTransactions, Who::Spark, Who::SparkRealTime];
        let mut n_runs = 0;
        let taken = rotate(n_rounds, everybody.len(), |at| {
            n_runs += 1;
            self.latency(everybody[at], &format!("live-{n_runs}"))
        })?;
        let mut rows = Vec::new();
        for (promise, at, peer) in
            [("at least once", 0, "raw relay"), ("exactly once", 2, "raw relay with transactions")]
        {
            // Raw ÷ ours: 1 ÷ 1.15.
            for (name, of) in [("p50", (|q| q.p50) as fn(&Quantiles) -> f64), ("p99", |q| q.p99)] {
                let what = format!("latency at {RATE} records/s, {promise}, {name}");
                rows.push(quantile_row(&what, &taken[at..], of, peer, Some(0.87)));
            }
        }
        let sparks = [
            (4, format!("PySpark {SPARK}, micro-batches, at least once,"), 50.0),
            (5, format!("PySpark {NEWEST_SPARK}, real-time mode, at least once,"), 10.0),
        ];
        for (at, peer, goal) in sparks {
            for (promise, ours) in [("at least once", 0), ("exactly once", 2)] {
                let [ours, theirs] = [ours, at].map(|at| taken[at].iter().map(|q| q.p99).collect::<Vec<f64>>());
                let figures = Figures { ours: &ours, theirs: &theirs, shown: milliseconds };
                rows.push(figures.row(&format!("latency at {RATE} records/s, {promise}, p99"), &peer, Some(goal)));
            }
        }
        Ok(rows)
    }

    fn latency(&self, who: Who, run: &str) -> Result<Quantiles, String> {
        let (from, to) = (format!("{run}-in"), format!("{run}-out"));
        self.topic(&from)?;
        self.topic(&to)?;
        let mut command = match who {
            Who::AtLeastOnce | Who::ExactlyOnce => self.ognivo(who, &from, &to, "", "")?,
            Who::Raw => self.relay(&from, &to, 0, "plain"),
            Who::RawTransactions => self.relay(&from, &to, 0, "0"),
            Who::Spark => self.spark(&self.spark, &from, &to, "live")?,
            Who::SparkRealTime => self.spark(&self.newest_spark, &from, &to, "real-time")?,
        };
        let live = Live::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
        let is_spark = matches!(who, Who::Spark | Who::SparkRealTime);
        std::thread::sleep(Duration::from_secs(if is_spark { 20 } else { 3 }));
        let (seconds, warm_up) =
            if is_spark { (SPARK_SECONDS, SPARK_WARM_UP_SECONDS) } else { (SECONDS, WARM_UP_SECONDS) };
        let [rate, seconds, n, skip] = [RATE, seconds, RATE * seconds, RATE * warm_up].map(|n| n.to_string());
        self.raw(&["load", &self.server, &from, &self.csv(), &rate, &seconds])?;
        let told = self.raw(&["latency", &self.server, &to, &n, &skip]);
        drop(live);
        quantiles(&told?)
    }

    /// Ours alone: memory must not grow with the lag.
    fn memory(&self) -> Result<Row, String> {
        let mut peaks = Vec::new();
        for (topic, n) in [("lag-small", N_LAG / 2), ("lag", N_LAG)] {
            self.topic(topic)?;
            self.raw(&["fill", &self.server, topic, &self.csv(), &n.to_string()])?;
            let target = format!("{topic}-out");
            self.topic(&target)?;
            let command = self.ognivo(Who::ExactlyOnce, topic, &target, "", AVAILABLE_NOW)?;
            peaks.push(measured(&self.spark.python, &command)?.peak_bytes);
        }
        let what = format!("peak memory at {N_LAG} records of lag (beside it: at {})", N_LAG / 2);
        Ok(Figures { ours: &[peaks[1]], theirs: &[peaks[0]], shown: megabytes }.row(&what, "ognivo", None))
    }
}

fn quantiles(told: &Json) -> Result<Quantiles, String> {
    Ok(Quantiles { p50: number(told, "p50_seconds")?, p99: number(told, "p99_seconds")? })
}

/// The first of `taken` beside the second.
fn quantile_row(what: &str, taken: &[Vec<Quantiles>], of: fn(&Quantiles) -> f64, peer: &str, goal: Option<f64>) -> Row {
    let [ours, theirs] = [0, 1].map(|at| taken[at].iter().map(of).collect::<Vec<f64>>());
    Figures { ours: &ours, theirs: &theirs, shown: milliseconds }.row(what, peer, goal)
}
