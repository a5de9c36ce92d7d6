//! Real Spark beside us: its environments, and `cargo xtask spark`, which lets it open what ognivo wrote.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::program::{self, at_root, cargo};
use crate::python;

/// The versions whose files and numbers we promise.
pub(crate) const VERSIONS: [&str; 2] = ["3.5.9", "4.3.0"];

/// The newest of [`VERSIONS`].
pub(crate) const NEWEST: &str = VERSIONS[1];

/// Opens models and streams of ours in both Sparks and compares the rows.
///
/// # Errors
/// The first difference, or what could not be started.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    program::run(cargo().args(["build", "--package", "ognivo"]))?;
    for version in VERSIONS {
        let python = environment(version)?;
        println!("== Spark {version} opens what ognivo wrote");
        let mut script = at_root(python);
        script
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .arg("fixtures/spark/open_ours.py")
            .arg(program::built("debug", "ognivo"));
        program::run(script.args(arguments))?;
    }
    Ok(())
}

/// The Python of an environment that holds this Spark; made with pip at the first call.
///
/// # Errors
/// When Java is missing or the environment cannot be made; the message says what to install.
pub(crate) fn environment(version: &str) -> Result<PathBuf, String> {
    if !answers(Command::new("java").arg("-version")) {
        return Err(
            "Spark needs Java 17, which is not on PATH; on Debian: apt-get install openjdk-17-jre-headless".to_owned()
        );
    }
    python::environment(&format!("spark-{version}"), &[&format!("pyspark=={version}"), "numpy"])
}

fn answers(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
