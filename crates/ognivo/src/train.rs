//! `ognivo train`: read, prepare, split, fit, evaluate, save, report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ognivo::models::{load_unfitted, save_model};
use ognivo::session::Session;
use ognivo_data::dataset::Dataset;
use ognivo_files::read::RecordCounts;
use ognivo_ml::classification::LogisticRegressionModel;
use ognivo_ml::evaluation::Evaluator;
use ognivo_ml::pipeline::{Pipeline, PipelineModel};
use ognivo_ml::regression::LinearRegressionModel;
use ognivo_ml::stage::{Estimator, Stage, Transformer};
use ognivo_report::section::{Loss, RowFlow};
use serde_json::{Value, json};

use crate::cli::{Cli, JobArgs, Output};
use crate::failure::{Failure, Refusal};
use crate::job::complaint::Complaint;
use crate::job::job::{Job, PipelineJob, SplitJob, TrainJob};
use crate::job::resolve::{position_of_stage, read_job};
use crate::job::tune::Tuner;
use crate::observed::ObservedExecutor;
use crate::progress_line::ProgressLine;
use crate::report::evidence::{self, Evidence, FeatureNames, Looked};
use crate::row_losses::{self, CountedStep};
use crate::stopwatch::Stopwatch;
use crate::tuned::{self, Tuned};
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
    /// The fitted pipeline; the best one where settings were tried.
    pub(crate) model: PipelineModel,
    /// How each setting did that was tried.
    pub(crate) tuned: Option<Tuned>,
    /// Where it was saved.
    pub(crate) model_path: Option<String>,
    /// Objective at the start and after each iteration, of the last stage that was optimised.
    pub(crate) objective_history: Vec<f64>,
    /// Iterations of that stage.
    pub(crate) iterations: Option<usize>,
    /// Seconds of each step, by name.
    pub(crate) seconds: BTreeMap<&'static str, f64>,
    /// Where the rows came from and how they were split, for the report.
    pub(crate) facts: Vec<(String, String)>,
    /// What took rows away before the fit.
    pub(crate) losses: Vec<Loss>,
    /// What the last predictor predicts from.
    pub(crate) features: FeatureNames,
    /// What only a report needs to know; nothing without one.
    pub(crate) evidence: Option<Evidence>,
}

impl Trained {
    /// Adds the seconds of a step that came after the others.
    fn add_seconds(&mut self, later: BTreeMap<&'static str, f64>) {
        for (step, seconds) in later {
            *self.seconds.entry(step).or_default() += seconds;
        }
    }
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

impl RowCounts {
    /// As `--output json` has them.
    pub(crate) fn to_json(self) -> Value {
        json!({"read": self.read, "kept": self.kept, "train": self.train, "test": self.test})
    }

    /// As a screen has them, each line under its name.
    pub(crate) fn facts(self) -> [(&'static str, String); 2] {
        let count = |n: usize| print::thousands(n as u64);
        let split = match self.test {
            0 => ("rows", format!("{} train", count(self.train))),
            test => ("rows split", format!("{} train, {} test", count(self.train), count(test))),
        };
        [("rows read", format!("{}, {} kept", count(self.read), count(self.kept))), split]
    }

    /// As a report has them, with what took rows away.
    pub(crate) fn flow(self, losses: &[Loss]) -> RowFlow {
        RowFlow {
            n_read: self.read as u64,
            losses: losses.to_vec(),
            n_kept: (self.train + self.test) as u64,
            n_train: self.train as u64,
            n_test: self.test as u64,
        }
    }
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
    train.report.as_deref().map_or(Ok(()), |path| report::check_place(path, &job.base))?;
    let session = Session::start(job.threads)?;
    let line = ProgressLine::new(cli.quiet);
    line.wait_for_servers(train.retry_deadline);
    let trained = train_job(&job, train, &session, &line);
    line.finish();
    let mut trained = trained?;
    let report_path =
        train.report.as_deref().map(|path| write_report(&mut trained, path, &job, &session)).transpose()?;
    match cli.output {
        Output::Json => print::line(&report::to_json(&trained).to_string()),
        Output::Text => print::bytes(report::to_text(&trained, report_path.as_deref()).as_bytes()),
    }
}

/// Writes the report; its place. What that took counts as a step.
fn write_report(trained: &mut Trained, path: &Path, job: &Job, session: &Session) -> Result<PathBuf, Failure> {
    let mut watch = Stopwatch::start();
    let place = report::write(trained, path, &job.base, session)?;
    watch.lap("report");
    trained.add_seconds(watch.seconds());
    Ok(place)
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
    let rows = read.dataset.clone().with_executor(Arc::new(executor));
    let (prepared, steps) = row_losses::prepared(&rows, &train.prepare.steps, job.version)?;
    let prepared = prepared.cached()?;
    let mut counts = RowCounts { kept: prepared.count()?, ..RowCounts::default() };
    counts.read = read.counts().n_read as usize;
    watch.lap("read");

    line.step("fitting");
    let what = what_to_fit(job, train, session)?;
    let fitted = fit(what, train, &prepared, job, line)?;
    if let Some(warning) = fitted.tuned.as_ref().and_then(|(_, tuned)| tuned.warning()) {
        print::say(&format!("warning: {warning}"));
    }
    counts.train = fitted.train.count()?;
    counts.test = fitted.test.as_ref().map_or(Ok(0), Dataset::count)?;
    watch.lap("fit");

    line.step("evaluating");
    let measured = fitted.test.as_ref().unwrap_or(&fitted.train);
    let mut scored = fitted.pipeline.transform(measured);
    let mut metrics = Vec::new();
    if !train.evaluate.is_empty() {
        let kept = scored?.cached()?;
        metrics = measure(&train.evaluate, &kept)?;
        scored = Ok(kept);
    }
    watch.lap("evaluate");

    let measured_on_training_rows = fitted.test.is_none();
    let whole = fitted.whole();
    let model = match fitted.before_split {
        Some(before) => before.then(fitted.pipeline),
        None => fitted.pipeline,
    };
    let features = scored.as_ref().map(|scored| evidence::features_of(&model, scored.schema())).unwrap_or_default();
    let evidence = match &train.report {
        None => None,
        Some(_) => {
            line.step("looking at the rows for the report");
            let looked = Looked {
                prepared: &prepared,
                n_prepared: counts.kept,
                scored,
                n_scored: if measured_on_training_rows { counts.train } else { counts.test },
                kind: if measured_on_training_rows { "training" } else { "test" },
            };
            let evidence = evidence::gather(&looked, &model)?;
            watch.lap("report");
            Some(evidence)
        }
    };
    line.step("saving");
    let save = train.save.as_ref();
    let saved = save.map(|save| {
        let saving = save_model(whole.as_ref(), &save.path, &job.base, job.version, save.overwrite);
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
        tuned: fitted.tuned.map(|(_, tuned)| tuned),
        seconds: watch.seconds(),
        facts: facts(job, train, session),
        losses: losses(&read.counts(), &steps, &counts),
        features,
        evidence,
    })
}

/// Where the rows came from and how they were split. Paths stand as they are written: what they stand for may be secret.
fn facts(job: &Job, train: &TrainJob, session: &Session) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut tell = |name: &str, value: String| facts.push((name.to_owned(), value));
    if let Some(path) = job.document.at_path(&["train", "read", "path"]) {
        tell("read", path.text().map_or_else(|| path.texts().join(", "), str::to_owned));
    }
    tell("format", train.read.format.clone());
    if let Some(split) = &train.split {
        let [first, second] = split.weights;
        tell("randomSplit", format!("weights {first} and {second}, seed {}", split.seed));
    }
    tell("parallelism", job.parallelism.to_string());
    tell("threads", session.n_threads().to_string());
    facts
}

/// What took rows away: the reader, the steps of `prepare`, and stages before the split that skip rows.
pub(crate) fn losses(read: &RecordCounts, steps: &[Arc<CountedStep>], counts: &RowCounts) -> Vec<Loss> {
    let loss = |step: &str, n_rows: u64, reason: String| Loss { step: step.to_owned(), n_rows, reason };
    let malformed = loss("mode DROPMALFORMED", read.n_dropped, "records that do not fit the schema".to_owned());
    let mut losses = vec![malformed];
    losses.extend(steps.iter().map(|step| loss(step.name(), step.n_lost(), step.reason())));
    let n_skipped = counts.kept.saturating_sub(counts.train + counts.test) as u64;
    losses.push(loss("stages before the split", n_skipped, "handleInvalid: skip".to_owned()));
    losses.retain(|loss| loss.n_rows > 0);
    losses
}

/// What is fitted.
enum ToFit {
    /// A pipeline, of which so many stages are fitted before the rows are split.
    Pipeline(Pipeline, usize),
    /// A tuner that was saved.
    Tuner(Tuner),
}

/// What was fitted in two parts, or in one.
struct Fitted {
    before_split: Option<PipelineModel>,
    /// What was fitted on the training rows: the pipeline, or the best one that a tuner found.
    pipeline: PipelineModel,
    /// The tuner's model, and how each setting did.
    tuned: Option<(Box<dyn Transformer>, Tuned)>,
    train: Dataset,
    test: Option<Dataset>,
}

impl Fitted {
    /// What is saved: what a PySpark script would have in its hands after the same fits.
    ///
    /// A pipeline gives a PipelineModel and a tuner its own model; where stages were fitted before the split they come first, and
    /// the tuner's model is the last stage.
    fn whole(&self) -> Box<dyn Transformer> {
        let last = self.tuned.as_ref().map(|(model, _)| model.clone_box());
        match (&self.before_split, last) {
            (None, None) => Box::new(self.pipeline.clone()),
            (None, Some(tuner)) => tuner,
            (Some(before), None) => Box::new(before.clone().then(self.pipeline.clone())),
            (Some(before), Some(tuner)) => {
                let uid = tuner.uid().clone();
                Box::new(before.clone().then(PipelineModel::new(uid, vec![tuner])))
            }
        }
    }
}

/// Fits the stages before the split on all rows and the others on the training rows.
fn fit(what: ToFit, train: &TrainJob, rows: &Dataset, job: &Job, line: &ProgressLine) -> Result<Fitted, Failure> {
    let (before_split, after, rows) = match what {
        ToFit::Tuner(tuner) => (None, ToFit::Tuner(tuner), rows.clone()),
        ToFit::Pipeline(pipeline, n_stages_before) => {
            let (before_split, rows) = fit_before_split(&pipeline, n_stages_before, rows)?;
            let (_, after) = pipeline.split_at(n_stages_before);
            let after = match &train.tune {
                Some(tune) => ToFit::Tuner(tune.tuner(&after, job.version).map_err(refused)?),
                None => ToFit::Pipeline(after, 0),
            };
            (before_split, after, rows)
        }
    };
    let (train, test) = split(train.split.as_ref(), &rows, job)?;
    let (pipeline, tuned) = match after {
        ToFit::Pipeline(pipeline, _) => (pipeline.fit(&train)?, None),
        ToFit::Tuner(tuner) => {
            let (model, best, tuned) = tuned::fit(&tuner, &train, &|progress| line.tuning(progress))?;
            (best, Some((model, tuned)))
        }
    };
    Ok(Fitted { before_split, pipeline, tuned, train, test })
}

/// The model of the first stages, fitted on all rows, and the rows after it.
fn fit_before_split(
    pipeline: &Pipeline,
    n_stages: usize,
    rows: &Dataset,
) -> Result<(Option<PipelineModel>, Dataset), Failure> {
    if n_stages == 0 {
        return Ok((None, rows.clone()));
    }
    // The rest of the pipeline must fit before anything is read: its columns are checked with the whole.
    pipeline.output_schema(rows.schema())?;
    let (before, _) = pipeline.split_at(n_stages);
    let model = before.fit(rows)?;
    let rows = model.transform(rows)?;
    Ok((Some(model), rows))
}

/// The training rows, which are all rows without a split, and the test rows.
fn split(split: Option<&SplitJob>, rows: &Dataset, job: &Job) -> Result<(Dataset, Option<Dataset>), Failure> {
    let Some(split) = split else { return Ok((rows.clone(), None)) };
    let rows = match &split.select {
        Some(columns) => rows.select(&columns.iter().map(String::as_str).collect::<Vec<_>>())?,
        None => rows.clone(),
    };
    let mut parts = rows.random_split_weights(&split.weights, split.seed, job.version)?.into_iter();
    let (Some(train), Some(test)) = (parts.next(), parts.next()) else {
        unreachable!("a split by two weights has two parts");
    };
    Ok((train, Some(test)))
}

/// Metric and value of each evaluator, of rows that were scored.
pub(crate) fn measure(evaluators: &[Box<dyn Evaluator>], scored: &Dataset) -> Result<Vec<(String, f64)>, Failure> {
    let measured = evaluators.iter().map(|evaluator| {
        let title = title_among(evaluators, evaluator.as_ref());
        Ok((title, evaluator.evaluate(scored)?))
    });
    measured.collect()
}

/// The title of a metric; where several bear the same one, with the uid of its evaluator.
fn title_among(evaluators: &[Box<dyn Evaluator>], evaluator: &dyn Evaluator) -> String {
    let title = evaluator.title();
    let n_alike = evaluators.iter().filter(|other| other.title() == title).count();
    if n_alike > 1 { format!("{title} ({})", evaluator.uid()) } else { title }
}

/// What the job asks to fit.
fn what_to_fit(job: &Job, train: &TrainJob, session: &Session) -> Result<ToFit, Failure> {
    let n_stages_before = train.split.as_ref().map_or(0, |split| split.n_stages_before);
    match &train.pipeline {
        PipelineJob::Stages(pipeline) => Ok(ToFit::Pipeline(pipeline.clone(), n_stages_before)),
        PipelineJob::Load { path, after } => {
            let mut estimator = session.runtime().block_on(load_unfitted(path, &job.base))?;
            estimator.set_version(job.version);
            match Tuner::of(estimator.as_ref()) {
                Some(tuner) => tuner_of(tuner, train, after.as_deref()),
                None => pipeline_of(estimator, train, after.as_deref()),
            }
        }
    }
}

/// The pipeline of the job, for a search that varies it.
pub(crate) fn pipeline_to_vary(job: &Job, train: &TrainJob, session: &Session) -> Result<Pipeline, Failure> {
    match what_to_fit(job, train, session)? {
        ToFit::Pipeline(pipeline, _) => Ok(pipeline),
        ToFit::Tuner(_) => {
            let hint = Some("load the pipeline that it tunes".to_owned());
            Err(Refusal::of_job("what is loaded is a tuner, and a search varies a pipeline", hint).into())
        }
    }
}

/// A tuner that was saved is fitted as it is.
fn tuner_of(tuner: Tuner, train: &TrainJob, after: Option<&str>) -> Result<ToFit, Failure> {
    if train.tune.is_some() {
        let hint = Some("leave `train.tune` out, or load the pipeline that it tunes".to_owned());
        return Err(Refusal::of_job("what is loaded tunes already, and the job has a `train.tune` too", hint).into());
    }
    match after {
        Some(_) => {
            let hint = Some("leave `randomSplit.after` out".to_owned());
            Err(Refusal::of_job("what is loaded is a tuner, whose stages cannot be split", hint).into())
        }
        None => Ok(ToFit::Tuner(tuner)),
    }
}

/// A pipeline that was saved; a lone estimator becomes a pipeline of one stage.
fn pipeline_of(estimator: Box<dyn Estimator>, train: &TrainJob, after: Option<&str>) -> Result<ToFit, Failure> {
    let any: &dyn std::any::Any = estimator.as_ref();
    let pipeline = match any.downcast_ref::<Pipeline>() {
        Some(pipeline) => pipeline.clone(),
        None => Pipeline::new([Stage::Estimator(estimator)]),
    };
    let position = after.map(|after| position_of_stage(pipeline.stages(), after)).transpose();
    let n_stages_before = position.map_err(|message| Refusal::of_job(message, None))?.map_or(0, |at| at + 1);
    if let Some(complaint) = train.tune.as_ref().and_then(|tune| tune.check(pipeline.stages(), n_stages_before).pop()) {
        return Err(refused(complaint).into());
    }
    Ok(ToFit::Pipeline(pipeline, n_stages_before))
}

/// A complaint that only what was loaded could tell.
fn refused(complaint: Complaint) -> Refusal {
    let place = format!("line {}, column {}", complaint.at.line, complaint.at.column);
    Refusal::of_job(format!("{place}: {}", complaint.message), complaint.hint)
}

/// Objective history and iterations of the last stage that an optimiser fitted.
fn last_optimised(model: &PipelineModel) -> Option<(Vec<f64>, usize)> {
    model.stages().iter().rev().find_map(|stage| {
        let any: &dyn std::any::Any = stage.as_ref();
        if let Some(model) = any.downcast_ref::<LinearRegressionModel>() {
            // The normal equation is solved without an iteration.
            let summary = model.summary().filter(|summary| summary.total_iterations() > 0)?;
            return Some((summary.objective_history().to_vec(), summary.total_iterations()));
        }
        let summary = any.downcast_ref::<LogisticRegressionModel>()?.summary()?;
        Some((summary.objective_history().to_vec(), summary.total_iterations()))
    })
}
