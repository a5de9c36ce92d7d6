//! `ognivo search`: which set of columns predicts best.
//!
//! 1. the rows are read and prepared as `train` does it, those of `search.randomSplit` set apart, the folds drawn;
//! 2. sets are tried, several at a time, each on the same folds; what is known goes to the results file at once;
//! 3. the best set is fitted on all training rows, measured on those set apart, and saved.

mod identity;
mod outcome;
mod page;
mod results_file;

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use ognivo::models::save_model;
use ognivo::session::Session;
use ognivo_data::dataset::Dataset;
use ognivo_data::fault::{Explain, Fault};
use ognivo_ml::pipeline::{Pipeline, PipelineModel};
use ognivo_ml::search::{ColumnSearch, ColumnSet, SearchSpace, Trial, VariedPipeline, best_first};
use ognivo_report::section::Loss;
use rayon::prelude::*;

use self::identity::identity;
use self::outcome::{Found, Searched};
use self::results_file::ResultsFile;
use crate::cli::{Cli, JobArgs, Output};
use crate::failure::{Failure, Refusal};
use crate::job::job::{Job, SearchJob, TrainJob};
use crate::job::resolve::{position_of_stage, read_job};
use crate::progress_line::ProgressLine;
use crate::report::evidence::{self, Looked};
use crate::stop_signals::asked_to_stop;
use crate::stopwatch::Stopwatch;
use crate::train::{self, RowCounts};
use crate::{exit, print, report, row_losses, wire};

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
    search.report.as_deref().map_or(Ok(()), |path| report::check_place(path, &job.base))?;
    let session = Session::start(job.threads)?;
    let line = ProgressLine::new(cli.quiet);
    line.wait_for_servers(train.retry_deadline);
    let searched = search_job(&job, train, search, &session, &line);
    line.finish();
    let searched = searched?;
    let written = |path| report::write_page(&page::page(&searched), searched.to_json(), path, &job.base, &session);
    let report = search.report.as_deref().map(written).transpose()?;
    match cli.output {
        Output::Json => print::line(&searched.to_json().to_string())?,
        Output::Text => print::bytes(searched.to_text(report.as_deref()).as_bytes())?,
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
    let rows = Rows::read(job, train, search, session)?;
    watch.lap("read");

    line.step("searching");
    let varied = varied_pipeline(job, train, search, session)?;
    let larger_is_better = search.evaluator.is_larger_better();
    let space = SearchSpace::new(search.columns.len(), &search.required, search.strategy, larger_is_better);
    let mut results = Results::open(job, search, &varied, &rows.training)?;
    let folds = search.validate.folds(&rows.training)?;
    let n_folds = folds.len();
    let columns = ColumnSearch::new(varied, search.evaluator.clone_box(), folds)?;
    let stop = stop_on_interrupt(session)?;
    let is_complete = try_sets(&space, &columns, session, &mut results, &stop, line)?;
    watch.lap("search");

    let found = match is_complete {
        true => {
            line.step("fitting");
            let pipeline = columns.pipeline().with(&best_set(&results.trials, search)?);
            Some(find(job, train, search, &pipeline, &rows, session)?)
        }
        false => None,
    };
    watch.lap("fit");
    Ok(Searched {
        name: job.name.clone(),
        version: job.version.to_string(),
        rows: rows.counts,
        losses: rows.losses,
        metric: search.evaluator.title(),
        larger_is_better,
        columns: search.columns.clone(),
        required: search.required.iter().map(|&position| search.columns[position].clone()).collect(),
        strategy: search.strategy.name(),
        validator: validator_in_words(search),
        n_sets: space.n_sets(),
        n_folds,
        trials: results.trials,
        found,
        seconds: watch.seconds(),
    })
}

/// The rows to search with, and those that no set sees.
struct Rows {
    /// All of them.
    prepared: Dataset,
    training: Dataset,
    held_out: Option<Dataset>,
    counts: RowCounts,
    losses: Vec<Loss>,
}

impl Rows {
    fn read(job: &Job, train: &TrainJob, search: &SearchJob, session: &Session) -> Result<Rows, Failure> {
        let read = wire::input(&train.read, job).read(&job.base, session)?;
        for warning in &read.warnings {
            print::say(&format!("warning: {warning}"));
        }
        let (prepared, steps) = row_losses::prepared(&read.dataset, &train.prepare.steps, job.version)?;
        let prepared = prepared.cached()?;
        let (training, held_out) = match &search.split {
            Some(split) => {
                let mut parts = prepared.random_split_weights(&split.weights, split.seed, job.version)?.into_iter();
                let (Some(training), held_out) = (parts.next(), parts.next()) else {
                    unreachable!("a split by two weights has two parts");
                };
                (training.cached()?, held_out)
            }
            None => (prepared.clone(), None),
        };
        let counts = RowCounts {
            read: read.counts().n_read as usize,
            kept: prepared.count()?,
            train: training.count()?,
            test: held_out.as_ref().map_or(Ok(0), Dataset::count)?,
        };
        let losses = train::losses(&read.counts(), &steps, &counts);
        Ok(Rows { prepared, training, held_out, counts, losses })
    }
}

/// Fits the best pipeline on all training rows, measures it on those that no set saw, looks at them for the report, and saves it.
fn find(
    job: &Job,
    train: &TrainJob,
    search: &SearchJob,
    pipeline: &Pipeline,
    rows: &Rows,
    session: &Session,
) -> Result<Found, Failure> {
    let model = pipeline.fit(&rows.training)?;
    let scored = rows.held_out.as_ref().map(|rows| Ok::<_, Failure>(model.transform(rows)?.cached()?)).transpose()?;
    let metrics = scored.as_ref().map(|scored| train::measure(&train.evaluate, scored)).transpose()?;
    let (kind, n_scored) = match scored {
        Some(_) => ("test", rows.counts.test),
        None => ("training", rows.counts.train),
    };
    let evidence = match search.report {
        Some(_) => {
            let looked = Looked {
                prepared: &rows.prepared,
                n_prepared: rows.counts.kept,
                scored: scored.map_or_else(|| model.transform(&rows.training), Ok),
                n_scored,
                kind,
            };
            Some(evidence::gather(&looked, &model)?)
        }
        None => None,
    };
    Ok(Found {
        metrics: metrics.unwrap_or_default(),
        model_path: save(job, search, &model, session)?,
        measured_on: format!("{} {kind} rows", print::thousands(n_scored as u64)),
        evidence,
        model,
    })
}

/// `TrainValidationSplit, seed 12345, trainRatio 0.8`.
fn validator_in_words(search: &SearchJob) -> String {
    let validator = search.validate.estimator();
    let params = validator.params().explicit().map(|(name, value)| format!("{name} {value}"));
    std::iter::once(validator.name().to_owned()).chain(params).collect::<Vec<_>>().join(", ")
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
        results.trials.extend(tried.into_iter().flatten());
        if stop.load(Ordering::Relaxed) {
            return Ok(space.next_sets(&results.trials).is_empty());
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
