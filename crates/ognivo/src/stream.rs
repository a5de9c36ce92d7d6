//! `ognivo stream`: the live job.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use ognivo::session::Session;
use ognivo_stream::query::{QueryEvent, RunSummary, StreamingQuery};
use ognivo_stream::query_error::QueryError;
use ognivo_stream::stop::{StopHandle, stop_pair};

use crate::cli::{Cli, JobArgs, ProgressForm, TableForm};
use crate::failure::{Failure, Refusal};
use crate::job::job::{Job, StreamJob};
use crate::job::resolve::read_job;
use crate::operate::{Server, Watched, with_causes};
use crate::stop_signals::asked_to_stop;
use crate::{exit, print, wire};

/// Runs the stream until its trigger or a signal ends it.
pub(crate) fn run(args: &JobArgs, progress: Option<ProgressForm>, cli: &Cli) -> Result<ExitCode, Failure> {
    let job = read_job(&args.file, &args.overrides())?;
    let stream = stream_of(&job)?;
    let session = Session::start(job.threads)?;
    let form = progress.unwrap_or_else(|| default_form(cli));
    let ended = session.runtime().block_on(async {
        let pages = Pages::open(&job, cli.quiet)?;
        let mut wired = wire::stream(&job, stream, &session).await?;
        let watched = pages.as_ref().map(|pages| pages.watched.clone());
        wired.options.observer = Arc::new(move |event: &QueryEvent<'_>| {
            if let Some(watched) = &watched {
                watched.observe(event);
            }
            tell(event, form);
        });
        let (handle, signal) = stop_pair();
        stop_on_signals(handle)?;
        let ended = StreamingQuery::new(wired.parts, wired.options).run(&signal).await;
        drop(wired.lock);
        if let Some(pages) = pages {
            pages.server.end().await;
        }
        Ok::<_, Failure>(ended)
    })?;
    // A scoring thread that hangs must not keep a stopped process alive.
    session.shut_down();
    match ended {
        Ok(summary) => {
            if !cli.quiet {
                tell_summary(&summary);
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Ok(exit::report(&error, code_of(&error))),
    }
}

/// Prints the CQL that makes the tables of the stream, and executes it when that is asked for.
pub(crate) fn make_tables(args: &JobArgs, form: TableForm) -> Result<(), Failure> {
    let job = read_job(&args.file, &args.overrides())?;
    let session = Session::start(job.threads)?;
    session.runtime().block_on(async {
        for table in wire::new_tables(&job, stream_of(&job)?, &session).await? {
            print::line(&table.statement)?;
            if form == TableForm::Execute {
                let is_new = table.create().await?;
                let what = if is_new { "was made" } else { "is there already, and was left as it is" };
                print::say(&format!("{} {what}", table.name));
            }
        }
        Ok(())
    })
}

pub(crate) fn stream_of(job: &Job) -> Result<&StreamJob, Failure> {
    job.stream.as_ref().ok_or_else(|| {
        let hint = Some("`ognivo train` is for the part `train:`".to_owned());
        Refusal::of_job("the job has no part `stream:`", hint).into()
    })
}

/// Where the stream can be watched, when the job wants it to be.
struct Pages {
    watched: Arc<Watched>,
    server: Server,
}

impl Pages {
    /// Listens before anything else is opened: a port that is taken ends the verb at once.
    fn open(job: &Job, quiet: bool) -> Result<Option<Pages>, Failure> {
        let Some(metrics) = &job.metrics else { return Ok(None) };
        let watched = Watched::new(&job.name);
        let server = Server::start(metrics.listen, watched.clone())?;
        if !quiet {
            print::say(&format!("watch it at http://{}/", server.address()));
        }
        Ok(Some(Pages { watched, server }))
    }
}

fn default_form(cli: &Cli) -> ProgressForm {
    match (cli.quiet, std::io::stdout().is_terminal()) {
        (true, _) => ProgressForm::None,
        (false, true) => ProgressForm::Line,
        (false, false) => ProgressForm::Json,
    }
}

/// A batch over the limit of bad rows has a code of its own; what gave up after retries may succeed later.
pub(crate) fn code_of(error: &QueryError) -> u8 {
    match error {
        QueryError::TooManyBadRows { .. } => exit::BAD_DATA,
        QueryError::GaveUp { .. } => exit::TRY_AGAIN_LATER,
        error => exit::code_of(error),
    }
}

pub(crate) fn stop_on_signals(handle: StopHandle) -> Result<(), Failure> {
    let asked = asked_to_stop()?;
    tokio::spawn(async move {
        asked.await;
        handle.stop();
        // A handle that is dropped never asks; this one stays until the process ends.
        std::future::pending::<()>().await;
    });
    Ok(())
}

/// Tells what happens. The query does not end because nobody reads it.
fn tell(event: &QueryEvent<'_>, form: ProgressForm) {
    match (event, form) {
        (QueryEvent::Progress(progress), ProgressForm::Json) => {
            let text = serde_json::to_string(progress).expect("a progress is plain data");
            print::line_if_read(&text);
        }
        (QueryEvent::Progress(progress), ProgressForm::Line) => {
            let rows = &progress.observed_metrics.rows;
            print::line_if_read(&format!(
                "batch {:>4}  {:>9} rows read  {:>9} written  {:>6} skipped  {:>6} dead letters  {:>6} ms",
                progress.batch_id,
                print::thousands(rows.read),
                print::thousands(rows.written),
                print::thousands(rows.skipped),
                print::thousands(rows.dead_letters),
                progress.batch_duration,
            ));
        }
        (QueryEvent::Retrying { error, n_failures, pause }, _) => {
            print::say(&format!("waiting {} ms after failure {n_failures}: {}", pause.as_millis(), with_causes(error)));
        }
        (QueryEvent::Warning(text), _) => print::say(&format!("warning: {text}")),
        (QueryEvent::Stopping, _) => print::say("stopping"),
        (QueryEvent::FoundDone(id), _) => print::say(&format!("batch {id} was committed by an earlier process")),
        _ => {}
    }
}

fn tell_summary(summary: &RunSummary) {
    let rows = &summary.rows;
    let how = if summary.stopped { "stopped" } else { "finished" };
    print::say(&format!(
        "{how} after {} {}: {} rows read = {} written + {} skipped + {} dead letters",
        print::thousands(summary.n_batches),
        if summary.n_batches == 1 { "batch" } else { "batches" },
        print::thousands(rows.read),
        print::thousands(rows.written),
        print::thousands(rows.skipped),
        print::thousands(rows.dead_letters),
    ));
}
