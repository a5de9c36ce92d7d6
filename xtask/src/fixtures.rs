//! `cargo xtask fixtures`: fixtures/spark again, with a real Spark of each version.

use std::fs;
use std::path::PathBuf;

use crate::program::{self, at_root};
use crate::services::packages;
use crate::spark;

/// Parts that are made once: the layout of 2.4 from what 3.5 wrote, Avro with the package that is there for 3.5.
const OF_3_5: [&str; 2] = ["avro", "2.4"];

/// Runs make.py with both versions.
///
/// # Errors
/// When an environment cannot be made or Spark fails.
pub(crate) fn run(parts: &[String]) -> Result<(), String> {
    for version in spark::VERSIONS {
        let python = spark::environment(version)?;
        let is_3_5 = version.starts_with("3.5");
        let wanted: Vec<&String> = parts.iter().filter(|part| is_3_5 || !OF_3_5.contains(&part.as_str())).collect();
        if !parts.is_empty() && wanted.is_empty() {
            continue;
        }
        println!("== fixtures of Spark {version}");
        let mut script = at_root(python);
        if is_3_5 {
            script.env("PYSPARK_SUBMIT_ARGS", format!("--jars {} pyspark-shell", avro_jar()?.display()));
        }
        program::run(script.env("PYTHONDONTWRITEBYTECODE", "1").arg("fixtures/spark/make.py").args(wanted))?;
    }
    Ok(())
}

/// What PySpark 3.5 lacks to read and write Avro.
///
/// # Errors
/// When Maven cannot resolve it.
pub(crate) fn avro_jar() -> Result<PathBuf, String> {
    let folder = packages::jars("spark-avro", include_str!("fixtures/spark_avro.xml"))?;
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let jar = entries.flatten().map(|entry| entry.path()).next();
    jar.ok_or_else(|| format!("{} is empty", folder.display()))
}
