//! CSV bytes to typed columns, beside arrow-csv and Polars; and lines that end in CR beside lines that end in LF.

use std::path::PathBuf;
use std::process::Command;

use super::loans::N_ROWS_LARGE;
use super::peers::{self, number};
use super::rounds::{Figures, rotate, seconds};
use super::{Part, Row, loans};
use crate::json;
use crate::program::{output, root};

/// What a program told about its run.
struct Run {
    rows: u64,
    checksum: Option<String>,
    cpu_seconds: f64,
}

/// A program on a file.
struct Contender {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
}

impl Contender {
    fn run(&self, more: &[&str]) -> Result<Run, String> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).args(more);
        let told = json::parse(&output(peers::without_processor_settings(&mut command))?)?;
        let checksum = told.get("checksum").text().map(str::to_owned);
        Ok(Run { rows: number(&told, "rows")? as u64, checksum, cpu_seconds: number(&told, "cpu_seconds")? })
    }
}

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "csv",
    title: "CSV to columns",
    how: "\
The file is read into memory, then the CPU time of one thread turning bytes into columns is taken; every value of every column is compared.
Polars: `read_csv` of bytes with a schema and POLARS_MAX_THREADS=1.",
    measure,
};

/// Builds the programs, checks that they read the same values, and measures.
///
/// # Errors
/// When a program fails, or the values differ.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    let (folder, python) = (peers::build()?, peers::python()?);
    let file = loans::file(N_ROWS_LARGE)?;
    let size_bytes = std::fs::metadata(&file).map_err(|e| format!("{}: {e}", file.display()))?.len();
    let script = root().join("xtask/peers/csv_polars.py");
    let contenders = [
        Contender { name: "ognivo", program: folder.join("csv_ognivo"), arguments: vec![file.clone()] },
        Contender { name: "ognivo, CR", program: folder.join("csv_ognivo"), arguments: vec![loans::with_cr(&file)?] },
        Contender { name: "arrow-csv", program: folder.join("csv_arrow"), arguments: vec![file.clone()] },
        Contender { name: "Polars", program: python, arguments: vec![script, file] },
    ];
    check_equal(&contenders)?;

    let measured = rotate(n_rounds, contenders.len(), |at| Ok(contenders[at].run(&[])?.cpu_seconds))?;
    let what =
        format!("CSV to columns: {N_ROWS_LARGE} rows, 14 columns, {:.0} MB, 1 thread, CPU", size_bytes as f64 / 1e6);
    let row = |what: &str, (ours, theirs): (usize, usize), goal: f64| {
        let figures = Figures { ours: &measured[ours], theirs: &measured[theirs], shown: seconds };
        figures.row(what, contenders[theirs].name, Some(goal))
    };
    Ok(vec![
        row(&what, (0, 2), 2.5),
        row(&what, (0, 3), 2.5),
        row("the same file, lines ending in CR (beside it: in LF)", (1, 0), 0.97),
    ])
}

/// Every value of every column, once.
fn check_equal(contenders: &[Contender]) -> Result<(), String> {
    let ours = contenders[0].run(&[])?;
    for other in &contenders[1..] {
        let theirs = other.run(&["checksum"])?;
        if theirs.checksum != ours.checksum || theirs.rows != ours.rows {
            return Err(format!(
                "the values differ: {:?}, {} rows and those of {}",
                ours.checksum, ours.rows, other.name
            ));
        }
    }
    println!("== csv: {} rows, checksum {:?} from all", ours.rows, ours.checksum);
    Ok(())
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
