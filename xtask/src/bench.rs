//! `cargo xtask bench`: our numbers beside those of others, measured in one run, equal outputs checked first.
//!
//! 1. `csv`: 1.3 million rows of CSV in memory to Arrow columns, one thread, CPU time, beside arrow-csv.
//! 2. `score`: `ognivo score MODEL INPUT -o OUTPUT` as a whole process, wall and CPU time, beside PySpark.
//!
//! Each round runs all programs once, beginning with another one each time, so that a change of the machine's speed
//! meets all of them. A ratio is taken within a round; what is told is the median of the rounds, and the smallest and
//! largest. The result goes to docs/benchmarks.md.

mod csv;
mod loans;
mod rounds;
mod score;

use std::fs;
use std::process::Command;

use crate::program::{at_root, output, root};

/// One row of the table.
struct Row {
    what: String,
    ours: String,
    theirs: String,
    ratio: String,
}

const DEFAULT_ROUNDS: usize = 5;

/// Measures what is asked for (both when nothing is) and writes docs/benchmarks.md.
///
/// # Errors
/// When a program cannot be built or run, or when the outputs are not equal.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let mut n_rounds = DEFAULT_ROUNDS;
    let mut wanted = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rounds" => n_rounds = words.next().and_then(|n| n.parse().ok()).ok_or("--rounds wants a number")?,
            "csv" | "score" => wanted.push(word.as_str()),
            other => return Err(format!("unknown benchmark: {other}; there are csv and score")),
        }
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.contains(&name);
    let mut rows = Vec::new();
    if is_wanted("csv") {
        rows.extend(csv::measure(n_rounds)?);
    }
    if is_wanted("score") {
        rows.extend(score::measure(n_rounds)?);
    }
    let page = page(&rows, n_rounds)?;
    println!("\n{page}");
    let path = root().join("docs/benchmarks.md");
    fs::create_dir_all(root().join("docs"))
        .and_then(|()| fs::write(&path, page))
        .map_err(|e| format!("{}: {e}", path.display()))
}

fn page(rows: &[Row], n_rounds: usize) -> Result<String, String> {
    let mut table = String::new();
    for row in rows {
        table += &format!("| {} | {} | {} | {} |\n", row.what, row.ours, row.theirs, row.ratio);
    }
    Ok(format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench` on {date}. Machine: {machine}. {rustc}; arrow-csv {arrow_csv}; PySpark 3.5.9 and 4.3.0 on Java 17.\n\
         {quietness}\n\n\
         Median of {n_rounds} rounds (smallest–largest). A ratio is theirs ÷ ours within one round, so above 1 we are faster.\n\
         Before anything is measured the outputs are compared: every value of every column (CSV), all rows and all scores to 1e-12 (score).\n\n\
         | what | ognivo | beside it | ratio |\n|---|---|---|---|\n{table}\n\
         How: `csv` reads the file into memory, then measures the CPU time of one thread turning bytes into Arrow columns,\n\
         {batch} rows a batch (xtask/peers). `score` measures the whole process tree from start to end, Python and JVM included\n\
         (xtask/peers/measure.py); model and schema are given, the model was trained by Spark 3.5.9, output is Parquet with\n\
         all input columns and all that the stages add.\n",
        date = first_line(Command::new("date").args(["-u", "+%F"]))?,
        machine = machine()?,
        quietness = quietness(),
        rustc = first_line(Command::new("rustc").arg("--version"))?,
        arrow_csv = csv::peer_version()?,
        batch = 8192,
    ))
}

fn first_line(command: &mut Command) -> Result<String, String> {
    Ok(output(command)?.lines().next().unwrap_or_default().to_owned())
}

/// How quiet the machine was, and what that means for the numbers: one process at work is a load of one or, for Spark, of
/// all cores and a little.
fn quietness() -> String {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut words = told.split_whitespace().map(|word| word.parse::<f64>().unwrap_or(0.0));
    let (load, cores) = (words.nth(2).unwrap_or(0.0), std::thread::available_parallelism().map_or(1, usize::from));
    if load <= cores as f64 * 1.5 {
        return format!("Load over the last fifteen minutes: {load}.");
    }
    format!(
        "The machine was busy with other work (load over the last fifteen minutes: {load} on {cores} cores): wall times are \
         too long, for programs of many threads most of all. Take the rows of CPU time, and measure again on a quiet machine."
    )
}

/// The processor, the cores that we may use, and the system.
fn machine() -> Result<String, String> {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(':').nth(1))
        .unwrap_or(" unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let system = first_line(at_root("uname").arg("-sr"))?;
    Ok(format!("{}, {cores} cores, {system}", model.trim()))
}
