//! `cargo xtask fixtures`: fixtures/spark again, with a real Spark of each version.

use crate::program::{self, at_root};
use crate::spark;

/// Runs make.py with both versions.
///
/// # Errors
/// When an environment cannot be made or Spark fails.
pub(crate) fn run(parts: &[String]) -> Result<(), String> {
    for version in spark::VERSIONS {
        let python = spark::environment(version)?;
        // The layout of 2.4 is made from what 3.5 wrote.
        let wanted: Vec<&String> = parts.iter().filter(|part| *part != "2.4" || version.starts_with("3.5")).collect();
        if !parts.is_empty() && wanted.is_empty() {
            continue;
        }
        println!("== fixtures of Spark {version}");
        program::run(at_root(python).env("PYTHONDONTWRITEBYTECODE", "1").arg("fixtures/spark/make.py").args(wanted))?;
    }
    Ok(())
}
