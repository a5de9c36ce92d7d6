//! What we are measured against, made ready in the user's cache folder: programs that are built, packages that are installed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::loans;
use crate::cache;
use crate::json::{self, Json};
use crate::program::{self, at_root, cargo, output, root};
use crate::{python, spark};

/// Versions are part of the measurement.
const PACKAGES: [&str; 4] = ["polars==2.1.0", "scikit-learn==1.9.1", "numpy==2.4.6", "lightgbm==4.7.0"];

/// Builds the programs of xtask/peers; they are no part of the workspace. Returns their folder.
///
/// # Errors
/// When cargo fails.
pub(super) fn build() -> Result<PathBuf, String> {
    let target = cache::folder("peers")?;
    println!("== building the peers into {}", target.display());
    let manifest = root().join("xtask/peers/Cargo.toml");
    program::run(
        cargo()
            .args(["build", "--release", "--quiet", "--manifest-path"])
            .arg(manifest)
            .env("CARGO_TARGET_DIR", &target),
    )?;
    Ok(target.join("release"))
}

/// The Python that has Polars, scikit-learn and LightGBM; made with pip at the first call.
///
/// # Errors
/// When the environment cannot be made.
pub(super) fn python() -> Result<PathBuf, String> {
    python::environment("peers-python", &PACKAGES)
}

/// The names and versions of [`python`], for the page.
pub(super) fn python_versions() -> String {
    PACKAGES.map(|package| package.replace("==", " ")).join(", ")
}

/// A command whose numeric libraries choose their kernels by the processor that is there, whatever the environment says.
pub(super) fn without_processor_settings(command: &mut Command) -> &mut Command {
    command.env_remove("OPENBLAS_CORETYPE").env_remove("OPENBLAS_L2_SIZE")
}

/// A script of xtask/peers.
pub(super) fn script(python: &Path, name: &str) -> Command {
    let mut command = at_root(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(format!("xtask/peers/{name}"));
    command
}

/// What a whole command took, with everything that it started.
pub(super) struct Taken {
    pub(super) wall_seconds: f64,
    pub(super) cpu_seconds: f64,
    /// The largest resident set of one of its processes.
    pub(super) peak_bytes: f64,
    /// What the command wrote.
    pub(super) stdout: String,
}

/// Runs a command with measure.py, which waits for everything that the command starts.
///
/// # Errors
/// When it fails.
pub(super) fn measured(python: &Path, command: &Command) -> Result<Taken, String> {
    let mut outer = script(python, "measure.py");
    outer.arg(command.get_program()).args(command.get_args());
    let told = json::parse(&output(&mut outer)?)?;
    let stdout = told.get("stdout").text().unwrap_or_default().to_owned();
    Ok(Taken {
        wall_seconds: number(&told, "wall_seconds")?,
        cpu_seconds: number(&told, "cpu_seconds")?,
        peak_bytes: number(&told, "peak_bytes")?,
        stdout,
    })
}

/// A number that a program told.
///
/// # Errors
/// When it told none of this name.
pub(super) fn number(told: &Json, key: &str) -> Result<f64, String> {
    told.get(key).number().ok_or_else(|| format!("a program told no {key}"))
}

/// A model of the loan data that Spark trained, once in a run of the benchmarks.
///
/// # Errors
/// When Spark cannot.
pub(super) fn spark_model() -> Result<PathBuf, String> {
    static MODEL: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    MODEL.get_or_init(train_model).clone()
}

fn train_model() -> Result<PathBuf, String> {
    let model = cache::folder("bench")?.join("model");
    let python = spark::environment(spark::VERSIONS[0])?;
    let mut train = script(&python, "score_spark.py");
    train.arg("train").arg(&model).arg(loans::file(loans::N_ROWS)?).arg(loans::DDL);
    program::run(&mut train)?;
    Ok(model)
}

/// Rows of two outputs, compared by Spark: equal, scores to 1e-12.
///
/// # Errors
/// The first difference.
pub(super) fn check_scored(ours: &Path, theirs: &Path) -> Result<(), String> {
    let python = spark::environment(spark::NEWEST)?;
    let told = output(script(&python, "score_spark.py").arg("compare").arg(ours).arg(theirs))?;
    println!("== ognivo and {}: {}", theirs.display(), told.trim());
    Ok(())
}
