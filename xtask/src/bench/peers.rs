//! What we are measured against, made ready in the user's cache folder: programs that are built, packages that are installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::loans;
use crate::cache;
use crate::json::{self, Json};
use crate::program::{self, at_root, cargo, output, root};
use crate::spark;

/// Versions are part of the measurement.
const PACKAGES: [&str; 3] = ["polars==2.1.0", "scikit-learn==1.9.1", "numpy==2.4.6"];

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

/// The Python that has Polars and scikit-learn; made with pip at the first call.
///
/// # Errors
/// When the environment cannot be made.
pub(super) fn python() -> Result<PathBuf, String> {
    let folder = cache::folder("peers-python")?;
    let python = folder.join("bin/python");
    let expected = PACKAGES.join("\n");
    let told = "import importlib.metadata as m; print('\\n'.join(f'{n}=={m.version(n)}' for n in ('polars', 'scikit-learn', 'numpy')))";
    let found = Command::new(&python).args(["-c", told]).stderr(Stdio::null()).output();
    if found.is_ok_and(|found| String::from_utf8_lossy(&found.stdout).trim() == expected) {
        return Ok(python);
    }
    println!("== installing {} into {}", PACKAGES.join(", "), folder.display());
    program::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        .map_err(|e| format!("{e}\non Debian: apt-get install python3-venv"))?;
    program::run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))?;
    Ok(python)
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
    Ok(Taken { wall_seconds: number(&told, "wall_seconds")?, cpu_seconds: number(&told, "cpu_seconds")?, stdout })
}

/// A number that a program told.
///
/// # Errors
/// When it told none of this name.
pub(super) fn number(told: &Json, key: &str) -> Result<f64, String> {
    told.get(key).number().ok_or_else(|| format!("a program told no {key}"))
}

/// A model of the loan data that Spark trained.
///
/// # Errors
/// When Spark cannot.
pub(super) fn spark_model() -> Result<PathBuf, String> {
    let model = cache::folder("bench")?.join("model");
    let python = spark::environment(spark::VERSIONS[0])?;
    let mut train = script(&python, "score_spark.py");
    train.arg("train").arg(&model).arg(loans::file(9_578)?).arg(loans::DDL);
    program::run(&mut train)?;
    Ok(model)
}
