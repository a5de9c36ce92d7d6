//! Running other programs from the root of the repository.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the repository: the folder above this package.
pub(crate) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("xtask lies in the root of the repository").to_owned()
}

/// The cargo that started us, or the one on PATH.
pub(crate) fn cargo() -> Command {
    at_root(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
}

/// A program that starts in the root of the repository.
pub(crate) fn at_root(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// Runs to the end; what it prints goes to the terminal.
///
/// # Errors
/// The command line and how it ended.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("cannot start {}: {e}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", shown(command))) }
}

/// Runs to the end and returns what it wrote to stdout; stderr goes to the terminal.
///
/// # Errors
/// The command line and how it ended, or that its output is not UTF-8.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output =
        command.stderr(Stdio::inherit()).output().map_err(|e| format!("cannot start {}: {e}", shown(command)))?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", shown(command), output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{} wrote something that is not UTF-8", shown(command)))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// A program that cargo built for the profile `debug` or `release`.
pub(crate) fn built(profile: &str, name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    root().join(target).join(profile).join(name)
}

/// Builds the binary for release.
///
/// # Errors
/// When cargo fails.
pub(crate) fn build_ognivo() -> Result<(), String> {
    run(cargo().args(["build", "--release", "--quiet", "--package", "ognivo"]))
}
