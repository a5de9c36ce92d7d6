//! `ognivo demo` and `ognivo init`: the whole life of a model on data that the binary brings along.

mod files;

use std::path::Path;

use clap::Parser;
use ognivo::input::Input;
use ognivo::session::Session;
use ognivo_data::codec::json::{JsonEncoder, JsonOptions};
use ognivo_files::encode::EncodeFileError;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::print;

/// Writes the demo's files and prints their paths.
pub(crate) fn init(dir: &Path) -> Result<(), Failure> {
    for path in files::write(dir)? {
        print::line(&path)?;
    }
    Ok(())
}

/// Makes the files, trains, streams, and shows what came out; each step with the command that repeats it.
pub(crate) fn run(dir: &Path) -> Result<(), Failure> {
    let in_dir = |name: &str| dir.join(name).display().to_string();
    let job = in_dir("loans.yaml");
    step("1  Files: loans to learn from, loans that arrive later, and a job", &["init", &dir.display().to_string()])?;
    files::write(dir)?;
    print::line(&format!("  {job}  {}  {}", in_dir("data/loans.csv"), in_dir("incoming/")))?;

    repeat("2  Train: index, assemble, fit, measure on rows kept apart, save in Spark's format", &["train", &job])?;
    repeat("3  Stream: score the files that arrived, one per batch", &["stream", &job, "--progress", "line"])?;

    print::line("4  Scored rows, in Parquet that Spark reads too; the first three:")?;
    for row in first_rows(&in_dir("output"), 3)? {
        print::line(&format!("  {row}"))?;
    }
    print::line("")?;
    repeat(
        "5  Dead letters: two rows that could not be scored are kept, with the reason",
        &["dlq", "list", &in_dir("dead")],
    )?;
    print::line("What to try next")?;
    print::line(&format!(
        "  ognivo inspect {}          what the model holds; Spark opens the same folder",
        in_dir("models/loans")
    ))?;
    print::line(&format!(
        "  ognivo score {} {}     one file at once",
        in_dir("models/loans"),
        in_dir("incoming/loans-1.csv")
    ))?;
    print::line(&format!("  ognivo validate {job} --set train.pipeline.LogisticRegression.regParam=0.1"))?;
    print::line(&format!(
        "  edit {job}, remove `trigger`, run `ognivo stream` again and drop files into {}",
        in_dir("incoming/")
    ))
}

/// Says what comes and which command does it.
fn step(title: &str, arguments: &[&str]) -> Result<(), Failure> {
    print::line(title)?;
    print::line(&format!("  $ ognivo {}", arguments.join(" ")))
}

/// Runs a command of ours as the user would.
fn repeat(title: &str, arguments: &[&str]) -> Result<(), Failure> {
    step(title, arguments)?;
    let command_line = ["ognivo"].iter().chain(arguments);
    let cli = Cli::try_parse_from(command_line).expect("the demo's commands are commands of ours");
    crate::run(&cli)?;
    print::line("")
}

/// The first rows of an output folder, as JSON.
fn first_rows(folder: &str, n: usize) -> Result<Vec<String>, Failure> {
    let session = Session::start(Some(1))?;
    let input = Input {
        format: "parquet".to_owned(),
        paths: vec![folder.to_owned()],
        schema: None,
        options: Vec::new(),
        parallelism: 1,
    };
    let read = input.read(Path::new("."), &session)?;
    let Some(rows) = read.dataset.scan(0)?.next().transpose()? else { return Ok(Vec::new()) };
    let mut bytes = Vec::new();
    let encoded = JsonEncoder::new(&JsonOptions::default()).encode(&rows.slice(0, n.min(rows.num_rows())), &mut bytes);
    encoded.map_err(EncodeFileError::from)?;
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}
