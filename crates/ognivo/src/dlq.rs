//! `ognivo dlq`: dead letters, read back from the folder or the topic that they were written to, and sent back from a topic.

mod replay;
mod topic;

use std::path::Path;
use std::process::ExitCode;

use object_store::ObjectStoreExt;
use ognivo::session::Session;
use ognivo_files::listing::{ListingOptions, list_files};
use ognivo_files::open::open;
use serde_json::{Value, json};

use crate::cli::{Cli, DlqAction, Output};
use crate::failure::{Failure, Refusal, StoreFailure};
use crate::job::job::SinkJob;
use crate::job::resolve::{Overrides, read_job};
use crate::print;
use crate::wire::LetterTopic;

/// Lists the newest dead letters, or sends them back.
pub(crate) fn run(action: &DlqAction, cli: &Cli) -> Result<ExitCode, Failure> {
    match action {
        DlqAction::List { place, limit, allow_env } => {
            let session = Session::start(Some(1))?;
            let letters = session.runtime().block_on(read(place, *allow_env, *limit));
            // A client of a broker may still be ending its threads.
            session.shut_down();
            show(letters?, cli.output)?;
            Ok(ExitCode::SUCCESS)
        }
        DlqAction::Replay { job } => replay::run(&read_job(&job.file, &job.overrides())?, cli),
    }
}

/// The newest letters, and how many there are.
struct Letters {
    n: usize,
    newest: Vec<Value>,
}

impl Letters {
    fn new(mut all: Vec<Value>, limit: usize) -> Letters {
        sort(&mut all);
        let n = all.len();
        Letters { n, newest: all.split_off(n.saturating_sub(limit)) }
    }
}

/// Oldest batch first. The numbers of batches are those of one instance of the job, so the time goes before them.
fn sort(letters: &mut [Value]) {
    let key = |letter: &Value| {
        let time = letter.get("time").and_then(Value::as_str).unwrap_or_default().to_owned();
        (time, letter.get("batchId").and_then(Value::as_i64))
    };
    letters.sort_by_cached_key(key);
}

async fn read(place: &str, allow_env: bool, limit: usize) -> Result<Letters, Failure> {
    if !Path::new(place).is_file() {
        return Ok(Letters::new(read_folder(place, Path::new(".")).await?, limit));
    }
    let job = read_job(Path::new(place), &Overrides { set: Vec::new(), allow_env })?;
    let stream = job.stream.as_ref().ok_or_else(|| no_letters("the job has no part `stream:`"))?;
    match (&stream.dead_letter, LetterTopic::of(stream)) {
        (Some(SinkJob::Files(write)), _) => Ok(Letters::new(read_folder(&write.path, &job.base).await?, limit)),
        (_, Some(topic)) => topic::read(&topic, limit).await,
        (Some(_), None) => Err(no_letters("the dead letters of the job are in a table").into()),
        (None, None) => Err(no_letters("the job keeps no dead letters: deadLetter").into()),
    }
}

fn no_letters(message: &str) -> Refusal {
    Refusal::of_job(message, Some("letters in folders and topics can be read: `deadLetter: {format: …}`".to_owned()))
}

fn show(letters: Letters, output: Output) -> Result<(), Failure> {
    let Letters { n, newest } = letters;
    match output {
        Output::Json => print::line(&json!({"deadLetters": n, "newest": newest}).to_string()),
        Output::Text => {
            let mut rows = vec![COLUMNS.map(str::to_owned).to_vec()];
            rows.extend(newest.iter().map(|letter| COLUMNS.map(|column| cell(letter, column)).to_vec()));
            print::bytes(print::table(&rows).as_bytes())?;
            print::line(&format!("{n} dead letters, {} shown", newest.len()))
        }
    }
}

/// Every letter of every file in the folder.
async fn read_folder(dir: &str, base: &Path) -> Result<Vec<Value>, Failure> {
    let location = open(dir, base)?;
    let mut letters = Vec::new();
    for file in list_files(&location, &ListingOptions::default()).await? {
        let place = location.at(file.path.clone()).to_string();
        let found = location.store().get(&file.path).await.map_err(StoreFailure::of("read", place.clone()))?;
        let bytes = found.bytes().await.map_err(StoreFailure::of("read", place.clone()))?;
        for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let letter: Result<Value, _> = serde_json::from_slice(line);
            match letter {
                Ok(letter) if is_dead_letter(&letter) => letters.push(letter),
                _ => return Err(Refusal::of_job(format!("not a file of dead letters: {place}"), None).into()),
            }
        }
    }
    Ok(letters)
}

/// A record of a topic without a value has no payload.
fn is_dead_letter(letter: &Value) -> bool {
    ["position", "code"].iter().all(|key| letter.get(key).is_some())
}

/// What a person wants to see first; the payload last, since it is the longest.
const COLUMNS: [&str; 7] = ["batchId", "position", "stage", "column", "code", "message", "payload"];

/// The widest cell shown; `--output json` shows everything.
const MAX_CELL: usize = 60;

fn cell(letter: &Value, column: &str) -> String {
    let text = match letter.get(column) {
        None | Some(Value::Null) => "-".to_owned(),
        // A record can hold anything, also what would command the terminal.
        Some(Value::String(text)) => text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        Some(other) => other.to_string(),
    };
    match text.char_indices().nth(MAX_CELL) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
