//! `ognivo dlq`: dead letters, read back from the folder that they were written to.

use std::path::Path;

use object_store::ObjectStoreExt;
use ognivo::session::Session;
use ognivo_files::listing::{ListingOptions, list_files};
use ognivo_files::open::open;
use serde_json::{Value, json};

use crate::cli::{DlqAction, Output};
use crate::failure::{Failure, Refusal, StoreFailure};
use crate::print;

/// Lists the newest dead letters of a folder.
pub(crate) fn run(action: &DlqAction, output: Output) -> Result<(), Failure> {
    let DlqAction::List { dir, limit } = action;
    let session = Session::start(Some(1))?;
    let mut letters = session.runtime().block_on(read(dir))?;
    let n_letters = letters.len();
    letters.sort_by_key(|letter| letter.get("batchId").and_then(Value::as_i64));
    let newest = &letters[n_letters.saturating_sub(*limit)..];
    match output {
        Output::Json => print::line(&json!({"deadLetters": n_letters, "newest": newest}).to_string()),
        Output::Text => {
            let mut rows = vec![COLUMNS.map(str::to_owned).to_vec()];
            rows.extend(newest.iter().map(|letter| COLUMNS.map(|column| cell(letter, column)).to_vec()));
            print::bytes(print::table(&rows).as_bytes())?;
            print::line(&format!("{n_letters} dead letters, {} shown", newest.len()))
        }
    }
}

/// Every letter of every file in the folder.
async fn read(dir: &str) -> Result<Vec<Value>, Failure> {
    let location = open(dir, Path::new("."))?;
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

fn is_dead_letter(letter: &Value) -> bool {
    ["payload", "position", "code"].iter().all(|key| letter.get(key).is_some())
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
