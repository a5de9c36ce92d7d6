//! Model directories that a job reads: whether they load, and whether the columns of a stream's model are those of its input.

use ognivo::models::load_unfitted;
use ognivo::session::Session;
use ognivo_files::hdfs::advice;
use ognivo_files::open::open;
use ognivo_stream::probe::Check;

use super::places::{Away, not_asked};
use crate::failure::Failure;
use crate::job::job::{Job, PipelineJob, StreamJob};
use crate::wire;

const WHAT: &str = "stream.model";

/// Loads the model and binds it to the columns of the stream.
pub(super) async fn look(job: &Job, stream: &StreamJob, session: &Session, away: &Away) -> Result<Check, Failure> {
    let place = open(&stream.model, &job.base)?;
    if away.has(&place) {
        return Ok(not_asked(WHAT, &place));
    }
    Ok(match wire::bind_model(job, stream, session).await {
        Ok(n_columns) => Check::fine(WHAT, format!("{place}: loads, its columns are there, {n_columns} come out")),
        Err(failure) if is_trained_first(job, stream).await => {
            let hint = "train it: ognivo train";
            let cause = failure.cause();
            Check::warning(WHAT, format!("not there yet, this job trains it: {cause}"), Some(hint.to_owned()))
        }
        Err(failure) => failed(&failure),
    })
}

/// Loads the pipeline that the job trains, where it was saved and does not stand in the job file.
pub(super) async fn look_at_unfitted(job: &Job, away: &Away) -> Result<Option<Check>, Failure> {
    const WHAT: &str = "train.pipeline.load";
    let Some(PipelineJob::Load { path, .. }) = job.train.as_ref().map(|train| &train.pipeline) else { return Ok(None) };
    let place = open(path, &job.base)?;
    if away.has(&place) {
        return Ok(Some(not_asked(WHAT, &place)));
    }
    Ok(Some(match load_unfitted(path, &job.base).await {
        Ok(stage) => Check::fine(WHAT, format!("{place}: loads, {}", stage.uid())),
        Err(error) => Check::of_error(WHAT, &error).with_hint(advice(&error)),
    }))
}

fn failed(failure: &Failure) -> Check {
    Check::of_error(WHAT, failure.cause()).with_hint(advice(failure.cause()))
}

/// Whether there is nothing, at the place where the job's own training puts a model.
async fn is_trained_first(job: &Job, stream: &StreamJob) -> bool {
    let saves = job
        .train
        .iter()
        .filter_map(|train| train.save.as_ref())
        .chain(job.search.iter().filter_map(|search| search.save.as_ref()));
    let Ok(model) = open(&stream.model, &job.base) else { return false };
    let is_model = |path: &str| open(path, &job.base).is_ok_and(|save| save.uri() == model.uri());
    let is_ours = saves.into_iter().any(|save| is_model(&save.path));
    is_ours && matches!(model.folders().entry(model.path()).await, Ok(None))
}
