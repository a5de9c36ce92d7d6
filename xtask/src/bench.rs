//! `cargo xtask bench`: our numbers beside those of others, measured in one run, equal outputs checked first.
//!
//! 1. `csv`: 1.3 million rows of CSV in memory to Arrow columns, beside arrow-csv and Polars.
//! 2. `loss`: one pass of logistic loss and gradient, beside scikit-learn.
//! 3. `row`: one parsed row to its probability.
//! 4. `linear`: linear regression by the normal equation, beside PySpark and scikit-learn.
//! 5. `tree`: one decision tree on rows in memory, beside PySpark and LightGBM.
//! 6. `fit`: reading, indexing, assembling, ten iterations, beside PySpark.
//! 7. `grid`: cross validation of a grid, beside PySpark and scikit-learn.
//! 8. `score`: `ognivo score` as a whole process, beside PySpark; and a large file.
//! 9. `stream`: start to the first row, one trigger, memory, beside PySpark.
//! 10. `search`: every set of nine columns, beside scikit-learn.
//! 11. `report`: what a report adds to a training run.
//!
//! Each round runs all programs once, beginning with another one each time, so that a change of the machine's speed
//! meets all of them. A ratio is taken within a round; what is told is the median of the rounds, and the smallest and
//! largest. The result goes to docs/benchmarks.md when everything was measured.

mod csv;
mod fit;
mod grid;
mod hdfs;
mod linear;
mod loans;
mod loss;
mod peers;
mod report;
mod rounds;
mod row;
mod score;
mod search;
mod stream;
mod tree;

use std::fs;
use std::process::Command;

use crate::program::{at_root, output, root};
use crate::spark;

/// One row of the table.
struct Row {
    what: String,
    ours: String,
    theirs: String,
    ratio: String,
    goal: String,
}

impl Row {
    /// A row that nobody stands beside.
    fn of_ours(what: &str, ours: String) -> Row {
        Row { what: what.to_owned(), ours, theirs: "–".to_owned(), ratio: "–".to_owned(), goal: String::new() }
    }
}

/// Rows of one benchmark, from so many rounds.
type Measure = fn(usize) -> Result<Vec<Row>, String>;

/// By name, in the order of the page.
const ALL: &[(&str, Measure)] = &[
    ("csv", csv::measure),
    ("loss", loss::measure),
    ("row", row::measure),
    ("linear", linear::measure),
    ("tree", tree::measure),
    ("fit", fit::measure),
    ("grid", grid::measure),
    ("score", score::measure),
    ("stream", stream::measure),
    ("search", search::measure),
    ("report", report::measure),
];

const DEFAULT_ROUNDS: usize = 5;

/// Measures what is asked for, and writes docs/benchmarks.md when that is everything.
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
            name if ALL.iter().any(|(known, _)| *known == name) => wanted.push(name),
            other => {
                let known: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
                return Err(format!("unknown benchmark: {other}; there are {}", known.join(", ")));
            }
        }
    }
    let load_before = load();
    let mut rows = Vec::new();
    for (name, measure) in ALL {
        if wanted.is_empty() || wanted.contains(name) {
            println!("== {name}");
            rows.extend(measure(n_rounds)?);
        }
    }
    let page = page(&rows, n_rounds, load_before)?;
    println!("\n{page}");
    if !wanted.is_empty() {
        println!("docs/benchmarks.md is left as it is: only a part was measured");
        return Ok(());
    }
    let path = root().join("docs/benchmarks.md");
    fs::write(&path, page).map_err(|e| format!("{}: {e}", path.display()))
}

fn page(rows: &[Row], n_rounds: usize, load_before: f64) -> Result<String, String> {
    let mut table = String::new();
    for row in rows {
        table += &format!("| {} | {} | {} | {} | {} |\n", row.what, row.ours, row.theirs, row.ratio, row.goal);
    }
    Ok(format!(
        "# Benchmarks\n\n\
         Written by `cargo xtask bench` on {date}. Machine: {machine}. {rustc}; arrow-csv {arrow_csv}; {python}; \
         PySpark {spark} on Java 17.\n\
         {quietness}\n\n\
         Median of {n_rounds} rounds (smallest–largest); each round runs all programs of a row once, beginning with another \
         one.\nA ratio is theirs ÷ ours within one round, so above 1 we are faster or smaller. The goal is the least that \
         we set out for.\n\
         Outputs are compared in the same run: every value of every column (CSV), loss and gradient to 1e-12, coefficients \
         to 1e-9, all rows and all scores to 1e-12 (score, stream), all nodes of a tree.\n\n\
         and metrics of a grid to 1e-9 (scikit-learn's: 1e-4), all rows and all scores to 1e-12 (score, stream).\n\n\
         | what | ognivo | beside it | ratio | goal |\n|---|---|---|---|---|\n{table}\n{HOW}",
        date = first_line(Command::new("date").args(["-u", "+%F"]))?,
        machine = machine()?,
        quietness = quietness(load_before),
        rustc = first_line(Command::new("rustc").arg("--version"))?,
        arrow_csv = csv::peer_version()?,
        python = peers::python_versions(),
        spark = spark::VERSIONS.join(" and "),
    ))
}

const HOW: &str = "\
How, row by row (the programs are in xtask/peers):
- **CSV**: the file is read into memory, then the CPU time of one thread turning bytes into columns is taken. Polars: `read_csv`
  of bytes with a schema and POLARS_MAX_THREADS=1.
- **loss and gradient**: both compute on the same numbers in memory, binomial loss with intercept, no penalty, one thread, CPU.
  scikit-learn: `LinearModelLoss.loss_gradient`, with the kernels that OpenBLAS chooses for this processor.
- **one row**: index, assemble and score rows that are parsed already, on one thread, wall.
- **linear regression**: all fit the same rows in memory, on two threads. PySpark: solver `normal`, vectors cached, the third fit of
  a session and later ones, which always compute the metrics of the training rows, so ours do too in those rows. scikit-learn:
  `LinearRegression().fit`.
- **fit**: ours is `ognivo train` from start to end, saving included; theirs is `Pipeline.fit` over the CSV file within a started
  session, the first time and the second.
- **grid**: rows of vectors are in memory, of two partitions; each fits twice and the second time is taken. The folds are the same rows for
  all three. scikit-learn: StandardScaler and LogisticRegression in a pipeline, scored by `roc_auc`, as Spark standardises inside.
- **score**: the whole process tree from start to end, Python and JVM included (measure.py); model and schema are given, the
  model was trained by Spark, output is Parquet with all input columns and all that the stages add. The large file: theirs is
  the second run of a session of one core, without start and end.
- **stream**: files appear by rename; a batch is visible when its entry stands in `_spark_metadata`. Memory is the largest
  resident set of each process, JVM and Python together.
- **tree**: all three grow one tree on the same numbers in memory. Ours and LightGBM's time is that of finding thresholds, binning
  and growing, on one thread, after a run that is not measured; LightGBM: `Dataset` of a numpy matrix and `train` with one round.
  PySpark: the second fit of a session over one cached partition, Python and JVM together. The tree must be Spark's node for node.
- **report**: one job reads, splits, fits, measures and saves with a report; its own seconds over those of all other steps of the
  same process.
";

fn first_line(command: &mut Command) -> Result<String, String> {
    Ok(output(command)?.lines().next().unwrap_or_default().to_owned())
}

/// The load over the last minute: one process at work is a load of one.
fn load() -> f64 {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// How quiet the machine was when we began, and what that means for the numbers.
fn quietness(load_before: f64) -> String {
    if load_before <= 1.0 {
        return format!("Load of the machine in the minute before: {load_before}.");
    }
    format!(
        "The machine was busy with other work (load in the minute before: {load_before}): wall times are too long, for \
         programs of many threads most of all. Take the rows of CPU time, and measure again on a quiet machine."
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
