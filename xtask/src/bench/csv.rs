//! CSV bytes to typed columns, beside arrow-csv.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::rounds::{ratios, rotate, seconds, times};
use super::{Row, loans};
use crate::cache;
use crate::json;
use crate::program::{self, cargo, output, root};

const N_ROWS: usize = 1_300_000;
const PROGRAMS: [&str; 2] = ["csv_ognivo", "csv_arrow"];

/// What a program told about its run.
struct Run {
    rows: u64,
    checksum: String,
    cpu_seconds: f64,
}

/// Builds both programs, checks that they read the same values, and measures.
///
/// # Errors
/// When a program fails, or the values differ.
pub(super) fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    let folder = build()?;
    let file = loans::file(N_ROWS)?;
    let size_bytes = std::fs::metadata(&file).map_err(|e| format!("{}: {e}", file.display()))?.len();
    let run = |program: usize| run(&folder.join(PROGRAMS[program]), &file);

    let (ours, theirs) = (run(0)?, run(1)?);
    if ours.checksum != theirs.checksum || ours.rows != theirs.rows {
        return Err(format!(
            "the values differ: {} rows {}, {} rows {}",
            ours.rows, ours.checksum, theirs.rows, theirs.checksum
        ));
    }
    println!("== csv: {} rows, checksum {} from both", ours.rows, ours.checksum);

    let measured = rotate(n_rounds, PROGRAMS.len(), |program| Ok(run(program)?.cpu_seconds))?;
    let megabytes = size_bytes as f64 / 1e6;
    Ok(vec![Row {
        what: format!("CSV to columns: {N_ROWS} rows, 14 columns, {megabytes:.0} MB, 1 thread, CPU"),
        ours: seconds(&measured[0]),
        theirs: format!("arrow-csv {}", seconds(&measured[1])),
        ratio: times(&ratios(&measured[1], &measured[0])),
    }])
}

/// Builds the peers into the cache folder; they are no part of the workspace.
fn build() -> Result<PathBuf, String> {
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

fn run(program: &Path, file: &Path) -> Result<Run, String> {
    let told = json::parse(&output(Command::new(program).arg(file))?)?;
    let number = |key: &str| told.get(key).number().ok_or_else(|| format!("{} told no {key}", program.display()));
    let checksum = told.get("checksum").text().unwrap_or_default().to_owned();
    Ok(Run { rows: number("rows")? as u64, checksum, cpu_seconds: number("cpu_seconds")? })
}

/// The version of arrow-csv that the peers were built with.
///
/// # Errors
/// When their lock file cannot be read.
pub(super) fn peer_version() -> Result<String, String> {
    let path = root().join("xtask/peers/Cargo.lock");
    let lock = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut lines = lock.lines().skip_while(|line| *line != "name = \"arrow-csv\"");
    let version = lines.nth(1).and_then(|line| line.split('"').nth(1));
    Ok(version.unwrap_or("of an unknown version").to_owned())
}
