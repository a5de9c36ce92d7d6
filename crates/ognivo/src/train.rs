//! `ognivo train`: read, prepare, split, fit, evaluate, save, report.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ognivo::models::{load_unfitted, save_model};
use ognivo::session::Session;
use ognivo_data::dataset::Dataset;
use ognivo_ml::classification::LogisticRegressionModel;
use ognivo_ml::evaluation::Evaluator;
use ognivo_ml::pipeline::{Pipeline, PipelineModel};
use ognivo_ml::stage::{Configured, Stage};

use crate::cli::{Cli, JobArgs, Output};
use crate::failure::{Failure, Refusal};
use crate::job::job::{Job, PipelineJob, SplitJob, TrainJob};
use crate::job::resolve::{position_of_stage, read_job};
use crate::observed::ObservedExecutor;
use crate::progress_line::ProgressLine;
use crate::stopwatch::Stopwatch;
use crate::{print, report, wire};

/// What a training run came to.
pub(crate) struct Trained {
    /// The job's name.
    pub(crate) name: String,
    /// Whose numbers they are.
    pub(crate) version: String,
    /// Rows at each step.
    pub(crate) rows: RowCounts,
    /// Metric and value, in the order of the job.
    pub(crate) metrics: Vec<(String, f64)>,
    /// Whether the metrics were measured on the rows that trained, for want of others.
    pub(crate) measured_on_training_rows: bool,
    /// The fitted pipeline.
    pub(crate) model: PipelineModel,
    /// Where it was saved.
    pub(crate) model_path: Option<String>,
    /// Objective at the start and after each iteration, of the last stage that was optimised.
    pub(crate) objective_history: Vec<f64>,
    /// Iterations of that stage.
    pub(crate) iterations: Option<usize>,
    /// Seconds of each step, by name.
    pub(crate) seconds: BTreeMap<&'static str, f64>,
}

/// Rows at each step of a training run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct RowCounts {
    /// Records in the files.
    pub(crate) read: usize,
    /// Rows after the steps of `prepare` and `dropna`.
    pub(crate) kept: usize,
    /// Rows that were learned from.
    pub(crate) train: usize,
    /// Rows that were kept apart to measure on.
    pub(crate) test: usize,
}

/// Trains the job and prints what came out.
pub(crate) fn run(args: &JobArgs, seed_uids: Option<u64>, cli: &Cli) -> Result<(), Failure> {
    if let Some(seed) = seed_uids {
        ognivo_ml::uid::seed(seed);
    }
    let job = read_job(&args.file, &args.overrides())?;
    let Some(train) = &job.train else {
        let hint = Some("`ognivo stream` is for the part `stream:`".to_owned());
        return Err(Refusal::of_job("the job has no part `train:`", hint).into());
    };
    let session = Session::start(job.threads)?;
    let line = ProgressLine::new(cli.quiet);
    let trained = train_job(&job, train, &session, &line);
    line.finish();
    let trained = trained?;
    let report_path =
        train.report.as_deref().map(|path| report::write(&trained, path, &job.base, &session)).transpose()?;
    match cli.output {
        Output::Json => print::line(&report::to_json(&trained).to_string()),
        Output::Text => print::bytes(report::to_text(&trained, report_path.as_deref()).as_bytes()),
    }
}

fn train_job(job: &Job, train: &TrainJob, session: &Session, line: &ProgressLine) -> Result<Trained, Failure> {
    let mut watch = Stopwatch::start();
    line.step("reading");
    let read = wire::input(&train.read, job).read(&job.base, session)?;
    for warning in &read.warnings {
        print::say(&format!("warning: {warning}"));
    }
    let observer = line.clone();
    let executor = ObservedExecutor::new(session.executor().clone(), Arc::new(move |pass: &str| observer.pass(pass)));
    let prepared =
        read.dataset.clone().with_executor(Arc::new(executor)).prepared(&train.prepare.steps, job.version)?.cached()?;
    let mut counts = RowCounts { kept: prepared.count()?, ..RowCounts::default() };
    counts.read = read.counts().n_read as usize;
    watch.lap("read");

    line.step("fitting");
    let (pipeline, n_stages_before) = pipeline_of(job, train, session)?;
    let fitted = fit(&pipeline, n_stages_before, train.split.as_ref(), &prepared, job)?;
    counts.train = fitted.train.count()?;
    counts.test = fitted.test.as_ref().map_or(Ok(0), Dataset::count)?;
    watch.lap("fit");

    line.step("evaluating");
    let measured = fitted.test.as_ref().unwrap_or(&fitted.train);
    let mut metrics = Vec::new();
    if !train.evaluate.is_empty() {
        let scored = fitted.after_split.transform(measured)?.cached()?;
        for evaluator in &train.evaluate {
            metrics.push((title_among(&train.evaluate, evaluator.as_ref()), evaluator.evaluate(&scored)?));
        }
    }
    watch.lap("evaluate");

    let measured_on_training_rows = fitted.test.is_none();
    let model = match fitted.before_split {
        Some(before) => before.then(fitted.after_split),
        None => fitted.after_split,
    };
    line.step("saving");
    let save = train.save.as_ref();
    let saved = save.map(|save| {
        let saving = save_model(&model, &save.path, &job.base, job.version, save.overwrite);
        session.runtime().block_on(saving)
    });
    let model_path = saved.transpose()?.map(|location| location.to_string());
    watch.lap("save");
    let (objective_history, iterations) = match last_optimised(&model) {
        Some((history, iterations)) => (history, Some(iterations)),
        None => (Vec::new(), None),
    };
    Ok(Trained {
        name: job.name.clone(),
        version: job.version.to_string(),
        rows: counts,
        metrics,
        measured_on_training_rows,
        model_path,
        objective_history,
        iterations,
        model,
        seconds: watch.seconds(),
    })
}

/// A pipeline that was fitted in two parts, or in one.
struct Fitted {
    before_split: Option<PipelineModel>,
    after_split: PipelineModel,
    train: Dataset,
    test: Option<Dataset>,
}

/// Fits the stages before the split on all rows and the others on the training rows.
fn fit(
    pipeline: &Pipeline,
    n_stages_before: usize,
    split: Option<&SplitJob>,
    rows: &Dataset,
    job: &Job,
) -> Result<Fitted, Failure> {
    let Some(split) = split else {
        return Ok(Fitted { before_split: None, after_split: pipeline.fit(rows)?, train: rows.clone(), test: None });
    };
    let (before, after) = pipeline.split_at(n_stages_before);
    let (before_split, rows) = match n_stages_before {
        0 => (None, rows.clone()),
        _ => {
            // The rest of the pipeline must fit before anything is read: its columns are checked with the whole.
            pipeline.output_schema(rows.schema())?;
            let model = before.fit(rows)?;
            let rows = model.transform(rows)?;
            (Some(model), rows)
        }
    };
    let rows = match &split.select {
        Some(columns) => rows.select(&columns.iter().map(String::as_str).collect::<Vec<_>>())?,
        None => rows,
    };
    let mut parts = rows.random_split_weights(&split.weights, split.seed, job.version)?.into_iter();
    let (Some(train), Some(test)) = (parts.next(), parts.next()) else {
        unreachable!("a split by two weights has two parts");
    };
    Ok(Fitted { before_split, after_split: after.fit(&train)?, train, test: Some(test) })
}

/// The pipeline of the job, and how many of its stages are fitted before the split.
/// The title of a metric; where several bear the same one, with the uid of its evaluator.
fn title_among(evaluators: &[Box<dyn Evaluator>], evaluator: &dyn Evaluator) -> String {
    let title = evaluator.title();
    let n_alike = evaluators.iter().filter(|other| other.title() == title).count();
    if n_alike > 1 { format!("{title} ({})", evaluator.uid()) } else { title }
}

fn pipeline_of(job: &Job, train: &TrainJob, session: &Session) -> Result<(Pipeline, usize), Failure> {
    let n_stages_before = train.split.as_ref().map_or(0, |split| split.n_stages_before);
    match &train.pipeline {
        PipelineJob::Stages(pipeline) => Ok((pipeline.clone(), n_stages_before)),
        PipelineJob::Load { path, after } => {
            let mut pipeline = load_pipeline(path, &job.base, session)?;
            pipeline.set_version(job.version);
            let position = after.as_deref().map(|after| position_of_stage(pipeline.stages(), after)).transpose();
            let n_stages_before = position.map_err(|message| Refusal::of_job(message, None))?.map_or(0, |at| at + 1);
            Ok((pipeline, n_stages_before))
        }
    }
}

/// An unfitted pipeline that was saved; a lone estimator becomes a pipeline of one stage.
fn load_pipeline(path: &str, base: &Path, session: &Session) -> Result<Pipeline, Failure> {
    let estimator = session.runtime().block_on(load_unfitted(path, base))?;
    let any: &dyn std::any::Any = estimator.as_ref();
    match any.downcast_ref::<Pipeline>() {
        Some(pipeline) => Ok(pipeline.clone()),
        None => Ok(Pipeline::new([Stage::Estimator(estimator)])),
    }
}

/// Objective history and iterations of the last stage that an optimiser fitted.
fn last_optimised(model: &PipelineModel) -> Option<(Vec<f64>, usize)> {
    model.stages().iter().rev().find_map(|stage| {
        let any: &dyn std::any::Any = stage.as_ref();
        let summary = any.downcast_ref::<LogisticRegressionModel>()?.summary()?;
        Some((summary.objective_history().to_vec(), summary.total_iterations()))
    })
}
