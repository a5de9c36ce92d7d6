//! Real Spark opens on HDFS the model and the output that the job of `examples/loans-hdfs` left there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{self, at_root, root};
use crate::{cache, spark};

/// Lets both Sparks open what the job has left in `folder` of the cluster that `HADOOP_CONF_DIR` names, with a file beside the output
/// that belongs to no batch: a reader that lists the folder would see its rows too. `OGNIVO_BINARY` is the binary that the job ran with.
pub(super) fn open(folder: &str) -> Result<(), String> {
    let told = |name: &str| std::env::var_os(name).map(PathBuf::from).ok_or_else(|| format!("{name} is not set"));
    // As the script has it, it may begin at the root.
    let ognivo = Ognivo { binary: root().join(told("OGNIVO_BINARY")?), conf: told("HADOOP_CONF_DIR")? };
    let scores = ognivo.score(folder)?;
    let beside = format!("{folder}/output/part-of-no-batch.parquet");
    ognivo.run(&["fs", "put", &scores.to_string_lossy(), &beside])?;
    let opened = both_open(folder, &scores, &ognivo.conf);
    opened.and(ognivo.run(&["fs", "rm", "--skip-trash", &beside]))
}

fn both_open(folder: &str, scores: &Path, conf: &Path) -> Result<(), String> {
    for version in spark::VERSIONS {
        let mut script = at_root(spark::environment(version)?);
        script.arg("fixtures/spark/open_on_hdfs.py").arg(folder).arg(scores);
        program::run(script.env("PYTHONDONTWRITEBYTECODE", "1").env("HADOOP_CONF_DIR", conf))?;
    }
    Ok(())
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
