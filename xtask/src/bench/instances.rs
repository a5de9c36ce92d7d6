//! One job on one, two and four instances that share its topic, each held to what a smaller machine would do.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::live::Live;
use super::peers::{self, number};
use super::rounds::{Figures, rotate, seconds};
use super::{Part, Row, loans};
use crate::program::{self, output};
use crate::services::kafka::Broker;
use crate::{cache, json};

const N_RECORDS: usize = 300_000;
const N_PARTITIONS: usize = 4;

/// How many instances run, one number a program of the rounds.
const N_INSTANCES: [usize; 3] = [1, 2, 4];

/// Until every instance has its partitions.
const JOINED: Duration = Duration::from_secs(10);

/// Where the broker keeps what it has, below the cache folder.
const FOLDER: &str = "services/kafka-instances";

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "instances",
    title: "Several instances of one job",
    how: "\
Instances of one job share the four partitions of its topic; each takes at most 10,000 records every half second, as a machine of its
own would have an end of its strength, so that the two processors of this one are not what is measured. Exactly once, from the first to
the last record of the output by the broker's clock; every id must be there once. The records come when all instances have
their partitions.",
    measure,
};

/// Starts a broker and lets one, two and four instances take the same records.
///
/// # Errors
/// When a server or a program fails, or the output has not every id once.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    program::build_ognivo()?;
    let bench = Bench { programs: peers::build()?, model: peers::spark_model()?, csv: loans::file(loans::N_ROWS)? };
    let broker = Broker::start_empty(FOLDER)?;
    let mut n_runs = 0;
    let taken = rotate(n_rounds, N_INSTANCES.len(), |at| {
        n_runs += 1;
        bench.run(broker.address(), &format!("instances-{n_runs}"), N_INSTANCES[at])
    });
    Broker::stop_in(FOLDER)?;
    let taken = taken?;
    let row = |at: usize| {
        let what = format!("{N_RECORDS} records through {} instances", N_INSTANCES[at]);
        Figures { ours: &taken[at], theirs: &taken[0], shown: seconds }.row(&what, "one instance", None)
    };
    Ok(vec![row(1), row(2)])
}

struct Bench {
    programs: PathBuf,
    model: PathBuf,
    csv: PathBuf,
}

impl Bench {
    /// Seconds from the first to the last record of the output.
    fn run(&self, server: &str, name: &str, n_instances: usize) -> Result<f64, String> {
        let (from, to, n) = (format!("{name}-in"), format!("{name}-out"), N_RECORDS.to_string());
        let n_partitions = N_PARTITIONS.to_string();
        self.raw(&["topic", server, &from, &n_partitions])?;
        // As many as the program that looks at the output reads.
        self.raw(&["topic", server, &to, "2"])?;
        let job = self.job(server, name, &from, &to)?;
        let start = |_| Live::start(&mut instance(&job));
        let instances = (0..n_instances).map(start).collect::<Result<Vec<_>, _>>()?;
        std::thread::sleep(JOINED);
        self.raw(&["fill", server, &from, &self.csv.to_string_lossy(), &n, &n_partitions])?;
        let told = self.raw(&["span", server, &to, &n]);
        drop(instances);
        number(&told?, "seconds")
    }

    fn raw(&self, words: &[&str]) -> Result<json::Json, String> {
        json::parse(&output(Command::new(self.programs.join("kafka_raw")).args(words))?)
    }

    fn job(&self, server: &str, name: &str, from: &str, to: &str) -> Result<PathBuf, String> {
        let job = format!(
            "version: 1
name: {name}
stream:
  readStream:
    format: kafka
    options: {{kafka.bootstrap.servers: '{server}', subscribe: {from}, startingOffsets: earliest, maxOffsetsPerTrigger: 10000}}
    value: {{format: json, schema: 'id BIGINT, {ddl}'}}
  model: {model}
  select: [id, probability, prediction]
  writeStream:
    format: kafka
    options: {{kafka.bootstrap.servers: '{server}', topic: {to}}}
    value: {{format: json}}
    delivery: exactlyOnce
    trigger: {{processingTime: 500 milliseconds}}
",
            ddl = loans::DDL,
            model = self.model.display(),
        );
        let path = cache::folder("bench/kafka")?.join(format!("{name}.yaml"));
        std::fs::write(&path, job).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    }
}

fn instance(job: &Path) -> Command {
    let mut command = Command::new(program::built("release", "ognivo"));
    command.arg("stream").arg(job).arg("--quiet").stdout(Stdio::null()).stderr(Stdio::null());
    command
}
