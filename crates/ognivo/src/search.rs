//! `ognivo search`: which set of columns predicts best.
//!
//! 1. the rows are read and prepared as `train` does it, those of `search.randomSplit` set apart, the folds drawn;
//! 2. sets are tried, several at a time, each on the same folds; what is known goes to the results file at once;
//! 3. the best set is fitted on all training rows, measured on those set apart, and saved.

mod identity;
mod outcome;
mod results_file;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use ognivo::models::save_model;
use ognivo::session::Session;
use ognivo_data::dataset::Dataset;
use ognivo_data::fault::{Explain, Fault};
use ognivo_ml::pipeline::PipelineModel;
use ognivo_ml::search::{ColumnSearch, ColumnSet, SearchSpace, Trial, VariedPipeline, best_first};
use rayon::prelude::*;

use self::identity::identity;
use self::outcome::{Found, Searched};
use self::results_file::ResultsFile;
use crate::cli::{Cli, JobArgs, Output};
use crate::failure::{Failure, Refusal};
use crate::job::job::{Job, SearchJob, TrainJob};
use crate::job::resolve::{position_of_stage, read_job};
use crate::progress_line::ProgressLine;
use crate::stop_signals::asked_to_stop;
use crate::stopwatch::Stopwatch;
use crate::train::{self, RowCounts};
use crate::{exit, print, wire};

/// Searches and prints what came out.
pub(crate) fn run(args: &JobArgs, seed_uids: Option<u64>, cli: &Cli) -> Result<ExitCode, Failure> {
    if let Some(seed) = seed_uids {
        ognivo_ml::uid::seed(seed);
    }
    let job = read_job(&args.file, &args.overrides())?;
    let (Some(train), Some(search)) = (&job.train, &job.search) else {
        let hint = Some("it needs `search:`, and `train:` with the rows and the pipeline".to_owned());
        return Err(Refusal::of_job("the job has no part `search:`", hint).into());
    };
    let session = Session::start(job.threads)?;
    let line = ProgressLine::new(cli.quiet);
    let searched = search_job(&job, train, search, &session, &line);
    line.finish();
    let searched = searched?;
    match cli.output {
        Output::Json => print::line(&searched.to_json().to_string())?,
        Output::Text => print::bytes(searched.to_text().as_bytes())?,
    }
    if searched.is_finished() {
        return Ok(ExitCode::SUCCESS);
    }
    print::say(&match &search.results {
        Some(path) => format!("stopped; the same command goes on with what is in {}", path.display()),
        None => "stopped; nothing was kept, since the job has no `search.results`".to_owned(),
    });
    Ok(ExitCode::from(exit::TRY_AGAIN_LATER))
}

fn search_job(
    job: &Job,
    train: &TrainJob,
    search: &SearchJob,
    session: &Session,
    line: &ProgressLine,
) -> Result<Searched, Failure> {
    let mut watch = Stopwatch::start();
    line.step("reading");
    let read = wire::input(&train.read, job).read(&job.base, session)?;
    for warning in &read.warnings {
        print::say(&format!("warning: {warning}"));
    }
    let prepared = read.dataset.prepared(&train.prepare.steps, job.version)?.cached()?;
    let mut rows = RowCounts { read: read.counts().n_read as usize, kept: prepared.count()?, ..RowCounts::default() };
    let (training, held_out) = match &search.split {
        Some(split) => {
            let mut parts = prepared.random_split_weights(&split.weights, split.seed, job.version)?.into_iter();
            let (Some(training), held_out) = (parts.next(), parts.next()) else {
                unreachable!("a split has two parts")
            };
            (training.cached()?, held_out)
        }
        None => (prepared, None),
    };
    rows.train = training.count()?;
    rows.test = held_out.as_ref().map_or(Ok(0), Dataset::count)?;
    watch.lap("read");

    line.step("searching");
    let varied = varied_pipeline(job, train, search, session)?;
    let space =
        SearchSpace::new(search.columns.len(), &search.required, search.strategy, search.evaluator.is_larger_better());
    let mut results = Results::open(job, search, &varied, &training)?;
    let folds = search.validate.folds(&training)?;
    let n_folds = folds.len();
    let columns = ColumnSearch::new(varied, search.evaluator.clone_box(), folds)?;
    let stop = stop_on_interrupt(session)?;
    let is_complete = try_sets(&space, &columns, session, &mut results, &stop, line)?;
    watch.lap("search");

    let found = if is_complete {
        line.step("fitting");
        let best = best_set(&results.trials, search)?;
        let model = columns.pipeline().with(&best).fit(&training)?;
        let metrics = match &held_out {
            Some(rows) => train::measure(&train.evaluate, &model.transform(rows)?.cached()?)?,
            None => Vec::new(),
        };
        let found = Found { metrics, model_path: save(job, search, &model, session)?, model };
        watch.lap("fit");
        Some(found)
    } else {
        None
    };
    Ok(Searched {
        name: job.name.clone(),
        version: job.version.to_string(),
        rows,
        metric: search.evaluator.title(),
        larger_is_better: search.evaluator.is_larger_better(),
        columns: search.columns.clone(),
        n_sets: space.n_sets(),
        n_folds,
        trials: results.trials,
        found,
        seconds: watch.seconds(),
    })
}

/// The pipeline of `train`, with what `into` names as the list that is varied.
fn varied_pipeline(
    job: &Job,
    train: &TrainJob,
    search: &SearchJob,
    session: &Session,
) -> Result<VariedPipeline, Failure> {
    let pipeline = train::pipeline_to_vary(job, train, session)?;
    let position = position_of_stage(pipeline.stages(), &search.into.stage);
    let position = position.map_err(|message| Refusal::of_job(message, None))?;
    Ok(VariedPipeline::new(pipeline, position, &search.into.param, search.columns.clone())?)
}

/// The trials so far, in memory and in the file where there is one.
struct Results {
    trials: Vec<Trial>,
    file: Option<ResultsFile>,
}

impl Results {
    fn open(job: &Job, search: &SearchJob, varied: &VariedPipeline, training: &Dataset) -> Result<Results, Failure> {
        let Some(path) = &search.results else { return Ok(Results { trials: Vec::new(), file: None }) };
        let identity = identity(varied, training, search.evaluator.as_ref(), search.validate.estimator())?;
        let (file, trials) = ResultsFile::open(&job.base.join(path), &identity, &search.columns)?;
        Ok(Results { trials, file: Some(file) })
    }
}

/// Tries sets until there is none left to try, or somebody asks to stop; says whether all were tried.
///
/// Sets are judged side by side, each on one thread, when there are enough of them; the numbers are the same.
fn try_sets(
    space: &SearchSpace,
    search: &ColumnSearch,
    session: &Session,
    results: &mut Results,
    stop: &AtomicBool,
    line: &ProgressLine,
) -> Result<bool, Failure> {
    let on_one_thread = search.on_one_thread();
    line.count("sets", space.n_sets(), results.trials.len() as u64);
    loop {
        let sets = space.next_sets(&results.trials);
        if sets.is_empty() {
            return Ok(true);
        }
        let judge = if sets.len() < session.n_threads() { search } else { &on_one_thread };
        let file = Mutex::new(&mut results.file);
        let try_set = |set: ColumnSet| {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let trial = judge.judge(set);
            if let Some(file) = file.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
                file.add(&trial)?;
            }
            line.advance();
            Ok(Some(trial))
        };
        let tried =
            || sets.into_par_iter().with_max_len(1).map(try_set).collect::<Vec<Result<Option<Trial>, Failure>>>();
        let tried: Vec<Option<Trial>> = session.pool().install(tried).into_iter().collect::<Result<_, Failure>>()?;
        let n_tried = tried.len();
        results.trials.extend(tried.into_iter().flatten());
        if stop.load(Ordering::Relaxed) {
            return Ok(n_tried > 0 && space.next_sets(&results.trials).is_empty());
        }
    }
}

/// The best set that could be judged.
fn best_set(trials: &[Trial], search: &SearchJob) -> Result<ColumnSet, Failure> {
    let sorted = best_first(trials, search.evaluator.is_larger_better());
    let best = sorted.first().filter(|best| !best.metric().is_nan());
    best.map(|best| best.set.clone()).ok_or_else(|| {
        let why = sorted.iter().find_map(|trial| trial.metrics.as_ref().err());
        let why = why.map_or_else(|| "the metric is not a number".to_owned(), Clone::clone);
        Unsuccessful { n_sets: trials.len(), why }.into()
    })
}

/// No set could be judged.
#[derive(Debug, thiserror::Error)]
#[error("none of {n_sets} sets of columns could be judged: {why}")]
struct Unsuccessful {
    n_sets: usize,
    why: String,
}

impl Explain for Unsuccessful {
    fn fault(&self) -> Fault {
        Fault::Data
    }
}

fn save(job: &Job, search: &SearchJob, model: &PipelineModel, session: &Session) -> Result<Option<String>, Failure> {
    let Some(save) = &search.save else { return Ok(None) };
    let saving = save_model(model, &save.path, &job.base, job.version, save.overwrite);
    Ok(Some(session.runtime().block_on(saving)?.to_string()))
}

/// Set by SIGINT or SIGTERM. The sets that are being judged then are finished.
fn stop_on_interrupt(session: &Session) -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let (handle, _runtime) = (Arc::clone(&stop), session.runtime().enter());
    let asked = asked_to_stop()?;
    tokio::spawn(async move {
        asked.await;
        handle.store(true, Ordering::Relaxed);
    });
    Ok(stop)
}
