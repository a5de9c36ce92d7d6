//! `ognivo checkpoint`: what a checkpoint says, and how to forget it.

use std::path::Path;

use ognivo::session::Session;
use ognivo_files::checkpoint_lock::lock_checkpoint;
use ognivo_files::open::{Location, open};
use ognivo_stream::checkpoint::{Checkpoint, CheckpointError, OffsetEntry};
use ognivo_stream::plan::BatchId;
use serde_json::{Value, json};

use crate::cli::{CheckpointAction, Output};
use crate::failure::{Failure, Refusal, StoreFailure};
use crate::print;

/// Shows or resets a checkpoint.
pub(crate) fn run(action: &CheckpointAction, output: Output) -> Result<(), Failure> {
    let session = Session::start(Some(1))?;
    match action {
        CheckpointAction::Show { dir } => {
            let state = session.runtime().block_on(read(&open(dir, Path::new("."))?))?;
            show(&state, output)
        }
        CheckpointAction::Reset { dir, yes } => {
            let location = open(dir, Path::new("."))?;
            let state = session.runtime().block_on(read(&location))?;
            // Held to the end: a stream must not run on what is being removed.
            let _lock = lock_checkpoint(&location)?;
            if !yes {
                let hint = Some("run it with --yes; the next start reads everything again".to_owned());
                let message = format!("this forgets {} batches of query {}", state.n_planned(), state.query_id);
                return Err(Refusal::of_job(message, hint).into());
            }
            let removed = session.runtime().block_on(location.folders().remove_folder(location.path()));
            removed.map_err(StoreFailure::of("remove the checkpoint", location.to_string()))?;
            print::line(&format!("removed the checkpoint {location} of query {}", state.query_id))
        }
    }
}

/// What a checkpoint says.
struct State {
    query_id: String,
    planned: Option<(BatchId, OffsetEntry)>,
    committed: Option<BatchId>,
}

impl State {
    fn n_planned(&self) -> u64 {
        self.planned.as_ref().map_or(0, |(id, _)| id.0 + 1)
    }
}

async fn read(location: &Location) -> Result<State, Failure> {
    let checkpoint = Checkpoint::new(location.store().clone(), location.path().clone());
    let Some(query_id) = checkpoint.query_id().await? else {
        return Err(Refusal::of_job(format!("there is no checkpoint: {location}"), None).into());
    };
    let planned = match checkpoint.offsets().newest_id().await? {
        Some(id) => checkpoint.offsets().get(id).await?.map(|entry| (id, entry)),
        None => None,
    };
    let committed = checkpoint.commits().newest_id().await?;
    Ok::<State, CheckpointError>(State { query_id, planned, committed }).map_err(Failure::from)
}

fn show(state: &State, output: Output) -> Result<(), Failure> {
    let ends: Vec<Value> = match &state.planned {
        Some((_, entry)) => entry.ends.iter().map(|end| json!(end)).collect(),
        None => Vec::new(),
    };
    let model = state.planned.as_ref().and_then(|(_, entry)| entry.notes.model.as_ref());
    let time = state.planned.as_ref().and_then(|(_, entry)| chrono::DateTime::from_timestamp_millis(entry.time_ms));
    let planned = state.planned.as_ref().map(|(id, _)| id.0);
    let committed = state.committed.map(|id| id.0);
    if output == Output::Json {
        let object = json!({
            "id": state.query_id, "planned": planned, "committed": committed,
            "time": time.map(|time| time.to_rfc3339()), "offsets": ends, "model": model,
        });
        return print::line(&object.to_string());
    }
    let batch = |id: Option<u64>| id.map_or_else(|| "none".to_owned(), |id| id.to_string());
    let next = match (planned, committed) {
        (Some(planned), committed) if committed != Some(planned) => format!("replays batch {planned}"),
        (planned, _) => format!("plans batch {}", planned.map_or(0, |id| id + 1)),
    };
    let rows = [
        ("query", state.query_id.clone()),
        ("last planned batch", batch(planned)),
        ("last committed batch", batch(committed)),
        ("planned at", time.map_or_else(|| "-".to_owned(), |time| time.to_rfc3339())),
        ("offsets", ends.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")),
        ("model", model.map_or_else(|| "-".to_owned(), ToString::to_string)),
        ("the next start", next),
    ];
    print::bytes(print::table(&rows.map(|(name, value)| vec![name.to_owned(), value])).as_bytes())
}
