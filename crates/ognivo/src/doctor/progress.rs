//! The progress of a stream: whose it is, how far it is, and whether somebody runs on it.

use ognivo_files::checkpoint_lock::who_holds;
use ognivo_files::hdfs::advice;
use ognivo_files::open::open;
use ognivo_stream::checkpoint::{Checkpoint, CheckpointError, OffsetEntry};
use ognivo_stream::plan::BatchId;
use ognivo_stream::probe::Check;

use super::places::{Away, not_asked};
use crate::failure::Failure;
use crate::job::job::{Job, StreamJob};
use crate::wire::{self, KeptProgress};

const WHAT: &str = "progress";

/// Looks at the checkpoint; nothing in it is changed.
pub(super) async fn look(job: &Job, stream: &StreamJob, away: &Away) -> Result<Vec<Check>, Failure> {
    let Some(checkpoint) = &stream.checkpoint else {
        return Ok(vec![Check::fine(WHAT, "kept in the consumer group, with the rows")]);
    };
    let place = open(checkpoint, &job.base)?;
    if away.has(&place) {
        return Ok(vec![not_asked(WHAT, &place)]);
    }
    let checkpoint = Checkpoint::new(place.store().clone(), place.path().clone());
    let state = match read(&checkpoint).await {
        Ok(state) => state,
        Err(error) => return Ok(vec![Check::of_error(WHAT, &error).with_hint(advice(&error))]),
    };
    let mut checks = vec![match &state {
        None => Check::fine(WHAT, "none yet: the first start begins with batch 0"),
        Some(state) => state.check(),
    }];
    if let Some(state) = &state {
        let kept = KeptProgress::of_others(place.clone(), checkpoint.clone(), state.query_id.clone());
        checks.extend(ends(job, stream, kept, state)?);
    }
    match who_holds(&place) {
        None => {}
        Some(holder) => checks.push(Check::warning(
            "other process",
            holder.to_string(),
            Some("a second one is refused while it runs".to_owned()),
        )),
    }
    Ok(checks)
}

struct State {
    query_id: String,
    planned: Option<(BatchId, OffsetEntry)>,
    committed: Option<BatchId>,
}

async fn read(checkpoint: &Checkpoint) -> Result<Option<State>, CheckpointError> {
    let Some(query_id) = checkpoint.query_id().await? else { return Ok(None) };
    let planned = match checkpoint.offsets().newest_id().await? {
        Some(id) => checkpoint.offsets().get(id).await?.map(|entry| (id, entry)),
        None => None,
    };
    let committed = checkpoint.commits().newest_id().await?;
    Ok(Some(State { query_id, planned, committed }))
}

impl State {
    fn check(&self) -> Check {
        let query = format!("of query {}", self.query_id);
        let Some((planned, _)) = &self.planned else { return Check::fine(WHAT, format!("{query}: no batch yet")) };
        let text = match self.committed {
            Some(committed) if committed == *planned => {
                format!("{query}: batch {committed} is the last, and committed")
            }
            committed => {
                let last = committed.map_or_else(|| "none".to_owned(), |id| id.to_string());
                format!("{query}: batch {planned} is planned, {last} committed; the next start replays batch {planned}")
            }
        };
        Check::fine(WHAT, text)
    }
}

/// Whether the checkpoint was written for this source and this target.
fn ends(job: &Job, stream: &StreamJob, kept: KeptProgress, state: &State) -> Result<Option<Check>, Failure> {
    let Some((_, entry)) = &state.planned else { return Ok(None) };
    let (source, sink) = wire::identities(job, stream, kept)?;
    let differs = |end: &str, noted: &Option<String>, ours: Option<&str>| {
        let noted = noted.as_deref().filter(|noted| ours.is_some_and(|ours| *noted != ours))?;
        Some(format!("it belongs to another {end}: {noted}"))
    };
    let other = differs("source", &entry.notes.source, source.as_deref())
        .or_else(|| differs("target", &entry.notes.sink, Some(&sink)));
    let hint = Some("give this job a checkpointLocation of its own".to_owned());
    Ok(other.map(|text| Check::failed(WHAT, text, hint)))
}
