//! Real Spark opens on HDFS the model and the output that the job of `examples/loans-hdfs` left there.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{self, at_root, root};
use crate::services::hdfs::Cluster;
use crate::{cache, spark};

const JOB: &str = "examples/loans-hdfs/loans.yaml";
const DATA: &str = "fixtures/data/lending_club.csv";

/// Where the job has everything.
const FOLDER: &str = "hdfs:///loans";

/// Trains and streams on the cluster, puts a file beside the output that belongs to no batch, and lets both Sparks open it all.
pub(super) fn open(cluster: &Cluster) -> Result<(), String> {
    println!("== Spark opens model and output on HDFS");
    let ognivo = Ognivo { binary: program::built("debug", "ognivo"), conf: cluster.conf() };
    ognivo.run(&["fs", "mkdir", "-p", "/loans/data", "/loans/incoming"])?;
    ognivo.run(&["fs", "put", DATA, "/loans/data"])?;
    ognivo.run(&["train", JOB, "--quiet"])?;
    for (first, name) in [(1_000, "loans-1.csv"), (2_000, "loans-2.csv"), (3_000, "loans-3.csv")] {
        let file = cluster.folder().join(name);
        fs::write(&file, rows_from(first, 667)?).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
        ognivo.run(&["fs", "put", &file.to_string_lossy(), "/loans/incoming"])?;
        ognivo.run(&["stream", JOB, "--quiet"])?;
    }
    let scores = ognivo.score(FOLDER)?;
    // A reader that lists the folder would see its rows too.
    ognivo.run(&["fs", "put", &scores.to_string_lossy(), "/loans/output/part-of-no-batch.parquet"])?;
    both_open(FOLDER, &scores, &ognivo.conf)
}

/// Lets both Sparks open what the job has left in `folder` of the cluster that `HADOOP_CONF_DIR` names; for the example, which has
/// built the binary for release.
pub(super) fn open_running(folder: &str) -> Result<(), String> {
    let conf = std::env::var_os("HADOOP_CONF_DIR").ok_or("HADOOP_CONF_DIR says which cluster; it is not set")?;
    program::build_ognivo()?;
    let ognivo = Ognivo { binary: program::built("release", "ognivo"), conf: conf.into() };
    both_open(folder, &ognivo.score(folder)?, &ognivo.conf)
}

fn both_open(folder: &str, scores: &Path, conf: &Path) -> Result<(), String> {
    for version in spark::VERSIONS {
        let mut script = at_root(spark::environment(version)?);
        script.arg("fixtures/spark/open_on_hdfs.py").arg(folder).arg(scores);
        program::run(script.env("PYTHONDONTWRITEBYTECODE", "1").env("HADOOP_CONF_DIR", conf))?;
    }
    Ok(())
}

/// The header of the fixture and so many of its rows.
fn rows_from(first: usize, n_rows: usize) -> Result<String, String> {
    let path = root().join(DATA);
    let text = fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let header = text.lines().next().unwrap_or_default();
    let mut rows = format!("{header}\n");
    for line in text.lines().skip(first).take(n_rows) {
        writeln!(rows, "{line}").expect("a text takes every line");
    }
    Ok(rows)
}

/// The binary, on a cluster.
struct Ognivo {
    binary: PathBuf,
    conf: PathBuf,
}

impl Ognivo {
    fn run(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command: Command = at_root(&self.binary);
        program::run(command.args(arguments).env("HADOOP_CONF_DIR", &self.conf))
    }

    /// The rows that have arrived, scored in one go; a file on a local disk.
    fn score(&self, folder: &str) -> Result<PathBuf, String> {
        let scores = cache::folder("services")?.join("loans-scores.parquet");
        let (model, input) = (format!("{folder}/models/loans"), format!("{folder}/incoming"));
        let select = "funded_amnt,sub_grade,Class,probability,prediction";
        let told = scores.to_string_lossy();
        self.run(&["score", &model, &input, "--format", "csv", "--select", select, "-o", &told, "--quiet"])?;
        Ok(scores)
    }
}
