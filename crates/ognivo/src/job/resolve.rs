//! The job as meant: typed, defaults filled, every complaint at once.
//!
//! [`read_job`] is the way in. It reads nothing but the job file and the files of its `${file:…}`, and writes nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use arrow_schema::{Field, Schema, SchemaRef};
use ognivo_data::schema::{parse_ddl, parse_type};
use ognivo_data::version::SparkVersion;
use ognivo_ml::evaluation::Evaluator;
use ognivo_ml::pipeline::Pipeline;
use ognivo_ml::stage::Stage;

use super::complaint::{Complaint, JobError};
use super::file::JOB;
use super::node::{Node, Position, Value};
use super::prepare::PrepareJob;
use super::route;
use super::shape::{Shape, check};
use super::stages::{read_evaluator, read_stage};
use super::substitute::{Substitution, set_value};
use ognivo_data::quantity::parse_duration;

/// What the command line adds to a job file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Overrides {
    /// `--set path=value`, in order.
    pub(crate) set: Vec<(String, String)>,
    /// `--allow-env`.
    pub(crate) allow_env: bool,
}

/// A checked job.
#[derive(Debug)]
pub(crate) struct Job {
    /// Its name; the file's stem when none is given.
    pub(crate) name: String,
    /// Whose numbers.
    pub(crate) version: SparkVersion,
    /// Spark's default parallelism.
    pub(crate) parallelism: usize,
    /// Threads to work on; all cores when absent.
    pub(crate) threads: Option<usize>,
    /// Folder at which relative paths start.
    pub(crate) base: PathBuf,
    /// What to train.
    pub(crate) train: Option<TrainJob>,
    /// What to score as it arrives.
    pub(crate) stream: Option<StreamJob>,
    /// The document as written, `--set` included, secrets not, for `validate --print`.
    pub(crate) document: Node,
}

/// `train`.
#[derive(Debug)]
pub(crate) struct TrainJob {
    /// The rows to learn from.
    pub(crate) read: ReadJob,
    /// Steps that change them, `dropna` last.
    pub(crate) prepare: PrepareJob,
    /// How they are split.
    pub(crate) split: Option<SplitJob>,
    /// What is fitted.
    pub(crate) pipeline: PipelineJob,
    /// What is measured.
    pub(crate) evaluate: Vec<Box<dyn Evaluator>>,
    /// Where the model goes.
    pub(crate) save: Option<SaveJob>,
    /// Where the report goes.
    pub(crate) report: Option<PathBuf>,
}

/// Files and how to read them.
#[derive(Debug, Clone)]
pub(crate) struct ReadJob {
    /// `csv`, `json`, `parquet`.
    pub(crate) format: String,
    /// Files, folders, globs, as written.
    pub(crate) paths: Vec<String>,
    /// The columns, where they are given.
    pub(crate) schema: Option<SchemaRef>,
    /// The format's options.
    pub(crate) options: Vec<(String, String)>,
}

/// `randomSplit`.
#[derive(Debug, Clone)]
pub(crate) struct SplitJob {
    /// Shares of the training and the test rows.
    pub(crate) weights: [f64; 2],
    /// Seed of the generator.
    pub(crate) seed: i64,
    /// How many stages are fitted and applied before the split; 0 without `after`.
    pub(crate) n_stages_before: usize,
    /// The columns that the split sees.
    pub(crate) select: Option<Vec<String>>,
}

/// Where the stages come from.
#[derive(Debug)]
pub(crate) enum PipelineJob {
    /// They stand in the file.
    Stages(Pipeline),
    /// They were saved; `after` names a stage of theirs.
    Load {
        /// Directory of an unfitted pipeline or estimator.
        path: String,
        /// `randomSplit.after`, to be found in what is loaded.
        after: Option<String>,
    },
}

/// `save`.
#[derive(Debug, Clone)]
pub(crate) struct SaveJob {
    /// Model directory.
    pub(crate) path: String,
    /// Whether an existing directory is replaced.
    pub(crate) overwrite: bool,
}

/// `stream`.
#[derive(Debug)]
pub(crate) struct StreamJob {
    /// The rows to score.
    pub(crate) read: ReadJob,
    /// Steps that change them.
    pub(crate) prepare: PrepareJob,
    /// Model directory.
    pub model: String,
    /// The column with the batch's time.
    pub(crate) batch_time: Option<BatchTimeJob>,
    /// Columns to write; all when absent.
    pub(crate) select: Option<Vec<String>>,
    /// Where rows go.
    pub(crate) write: WriteJob,
    /// Folder that holds the progress.
    pub(crate) checkpoint: String,
    /// When a batch starts.
    pub(crate) trigger: TriggerJob,
    /// Where bad rows go.
    pub(crate) dead_letter: Option<WriteJob>,
    /// What happens to bad rows.
    pub(crate) errors: ErrorsJob,
}

/// `batchTimeColumn`.
#[derive(Debug, Clone)]
pub(crate) struct BatchTimeJob {
    /// Name of the column.
    pub(crate) name: String,
    /// Java date pattern.
    pub(crate) format: String,
    /// Time zone.
    pub(crate) time_zone: String,
}

/// A target of rows.
#[derive(Debug, Clone)]
pub(crate) struct WriteJob {
    /// `parquet`, `csv`, `json`.
    pub(crate) format: String,
    /// Output folder, as written.
    pub(crate) path: String,
    /// Columns that become folders.
    pub(crate) partition_by: Vec<String>,
    /// The format's options.
    pub(crate) options: Vec<(String, String)>,
}

/// `trigger`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TriggerJob {
    /// As rows arrive.
    AsRowsArrive,
    /// At every multiple of this duration.
    ProcessingTime(Duration),
    /// All that is there now, then stop.
    AvailableNow,
    /// All that is there now in one batch, then stop.
    Once,
}

/// What happens to bad rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ErrorsJob {
    /// Records that cannot be parsed.
    pub(crate) malformed: OnBadRow,
    /// Rows that a stage rejects; never `Permissive`.
    pub(crate) invalid: OnBadRow,
    /// The largest share of bad rows in a batch of at least 100.
    pub(crate) max_bad_fraction: Option<f64>,
}

/// What happens to one bad row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnBadRow {
    /// It becomes a dead letter.
    DeadLetter,
    /// The job fails.
    Fail,
    /// It is dropped and counted.
    Drop,
    /// It is kept with nulls where it could not be read.
    Permissive,
}

/// More threads than any machine has cores, and fewer than a system gives.
const MAX_THREADS: usize = 1024;

/// Reads, checks and resolves the job file at `path`.
///
/// # Errors
/// [`JobError`] with everything that is wrong with the file.
pub(crate) fn read_job(path: &Path, overrides: &Overrides) -> Result<Job, JobError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let complaint = Complaint::new(Position { line: 1, column: 1 }, format!("cannot read the job file: {error}"));
        JobError::new(&shown, vec![complaint])
    })?;
    parse_job(&text, path, overrides).map_err(|complaints| JobError::new(&shown, complaints))
}

/// Checks and resolves the job in `text`, as if it stood in the file `path`.
pub(crate) fn parse_job(text: &str, path: &Path, overrides: &Overrides) -> Result<Job, Vec<Complaint>> {
    let mut document = Node::parse(text).map_err(|complaint| vec![complaint])?;
    let mut complaints = Vec::new();
    for (at, value) in &overrides.set {
        if let Err(message) = set_value(&mut document, at, value) {
            complaints.push(Complaint::new(Position::default(), message));
        }
    }
    let mut node = document.clone();
    let base = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    Substitution { base: &base, allow_env: overrides.allow_env }.apply(&mut node, &mut complaints);
    check(&node, Shape::Record(JOB), "the job", &mut complaints);
    // Resolving goes on with what has the right shape, so that all complaints come at once.
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let job = resolve(&node, document, base, stem, &mut complaints);
    if complaints.is_empty() { Ok(job) } else { Err(complaints) }
}

/// Turns a document whose shape is right into a job; what only the meaning tells goes to `complaints`.
fn resolve(node: &Node, document: Node, base: PathBuf, stem: String, complaints: &mut Vec<Complaint>) -> Job {
    if let Some(version) = node.get("version").filter(|version| version.text() != Some("1")) {
        complaints.push(Complaint::new(version.at, format!("`version` must be 1: {}", version.describe())));
    }
    let version = text(node, "sparkVersion").and_then(|text| text.parse().ok()).unwrap_or_default();
    let job = Job {
        name: text(node, "name").unwrap_or(stem),
        version,
        parallelism: number(node, "parallelism").unwrap_or(1),
        threads: number(node, "threads"),
        train: node.get("train").and_then(|train| resolve_train(train, version, complaints)),
        stream: node.get("stream").and_then(|stream| resolve_stream(stream, version, complaints)),
        base,
        document,
    };
    if job.train.is_none() && job.stream.is_none() && complaints.is_empty() {
        let hint = Some("add `train:` or `stream:`".to_owned());
        complaints.push(Complaint::new(node.at, "the job does nothing".to_owned()).with_hint(hint));
    }
    if let Some(threads) = node.get("threads").filter(|_| job.threads.is_some_and(|threads| threads > MAX_THREADS)) {
        let message = format!("`threads` must be an integer from 1 to {MAX_THREADS}: {}", threads.describe());
        complaints.push(Complaint::new(threads.at, message));
    }
    route::check_overlaps(&job, node, complaints);
    job
}

fn resolve_train(node: &Node, version: SparkVersion, complaints: &mut Vec<Complaint>) -> Option<TrainJob> {
    if let Some(tune) = node.get("tune") {
        complaints.push(Complaint::new(tune.at, "this version of ognivo cannot tune yet: train.tune"));
    }
    let mut prepare = PrepareJob::read(node.get("prepare"), complaints);
    if let Some(dropna) = node.get("dropna") {
        prepare.push_dropna(dropna);
    }
    // Every part is looked at before the first that is missing ends it: all complaints come at once.
    let read = node.get("read").and_then(|read| resolve_read(read, false, complaints));
    let split_node = node.get("randomSplit");
    let pipeline = node.get("pipeline");
    let pipeline = pipeline.and_then(|pipeline| resolve_pipeline(pipeline, split_node, version, complaints));
    let evaluate = node.get("evaluate").map(Node::items).unwrap_or_default();
    let evaluate = evaluate.iter().filter_map(|item| read_evaluator(item, version, complaints)).collect();
    let split = split_node.and_then(|split| resolve_split(split, complaints));
    let (pipeline, n_stages_before) = pipeline?;
    let train = TrainJob {
        split: split.map(|split| SplitJob { n_stages_before, ..split }),
        save: node.get("save").map(|save| SaveJob {
            path: text(save, "path").unwrap_or_default(),
            overwrite: text(save, "mode").as_deref() == Some("overwrite"),
        }),
        report: text(node, "report").map(PathBuf::from),
        read: read?,
        prepare,
        pipeline,
        evaluate,
    };
    check_columns(&train, node, version, complaints);
    Some(train)
}

/// Binds prepare steps and pipeline to the schema, where it is given, so that a missing column is found before a row is read.
fn check_columns(train: &TrainJob, node: &Node, version: SparkVersion, complaints: &mut Vec<Complaint>) {
    let Some(schema) = &train.read.schema else { return };
    let prepared = match train.prepare.check(schema, version) {
        Ok(prepare) => prepare.output_schema().clone(),
        Err(complaint) => return complaints.push(complaint),
    };
    let PipelineJob::Stages(pipeline) = &train.pipeline else { return };
    let items = node.get("pipeline").map(Node::items).unwrap_or_default();
    let mut columns = prepared;
    for (stage, item) in pipeline.stages().iter().zip(items) {
        match stage.output_schema(&columns) {
            Ok(after) => columns = after,
            Err(error) => return complaints.push(Complaint::of(item.at, &error)),
        }
    }
}

fn resolve_pipeline(
    node: &Node,
    split: Option<&Node>,
    version: SparkVersion,
    complaints: &mut Vec<Complaint>,
) -> Option<(PipelineJob, usize)> {
    let after = split.and_then(|split| split.get("after"));
    if let Some(path) = text(node, "load") {
        let after = after.and_then(Node::text).map(str::to_owned);
        return Some((PipelineJob::Load { path, after }, 0));
    }
    let n_before = complaints.len();
    let stages: Vec<Stage> = node.items().iter().filter_map(|item| read_stage(item, version, complaints)).collect();
    if complaints.len() > n_before {
        return None;
    }
    if stages.is_empty() {
        complaints.push(Complaint::new(node.at, "the pipeline has no stage: pipeline"));
    }
    let n_stages_before = match after {
        Some(after) => n_stages_until(&stages, after, complaints)?,
        None => 0,
    };
    Some((PipelineJob::Stages(Pipeline::new(stages)), n_stages_before))
}

fn n_stages_until(stages: &[Stage], after: &Node, complaints: &mut Vec<Complaint>) -> Option<usize> {
    match position_of_stage(stages, after.text().unwrap_or_default()) {
        Ok(position) => Some(position + 1),
        Err(message) => {
            complaints.push(Complaint::new(after.at, message));
            None
        }
    }
}

/// Position of the stage that `name` (its class or its uid) names.
///
/// # Errors
/// A message when there is none, or several of that class.
pub(crate) fn position_of_stage(stages: &[Stage], name: &str) -> Result<usize, String> {
    let class_of = |stage: &Stage| stage.configured().class().rsplit('.').next().unwrap_or_default();
    let is_called = |stage: &Stage| stage.configured().uid().as_str() == name || class_of(stage) == name;
    let mut positions = (0..stages.len()).filter(|&position| is_called(&stages[position]));
    match (positions.next(), positions.next()) {
        (Some(position), None) => Ok(position),
        (None, _) => {
            let known: Vec<&str> = stages.iter().map(class_of).collect();
            Err(format!("the pipeline has no stage `{name}`; it has: {}", known.join(", ")))
        }
        (Some(_), Some(_)) => Err(format!("several stages are called `{name}`; give one a uid and name that")),
    }
}

fn resolve_split(node: &Node, complaints: &mut Vec<Complaint>) -> Option<SplitJob> {
    let weights = node.get("weights")?;
    let shares: Vec<f64> = weights.items().iter().filter_map(|item| item.text()?.parse().ok()).collect();
    let all_fine = shares.iter().all(|&share| share.is_finite() && share >= 0.0) && shares.iter().sum::<f64>() > 0.0;
    let &[train, test] = shares.as_slice() else {
        complaints.push(Complaint::new(weights.at, "`weights` must be two numbers, for training and test rows"));
        return None;
    };
    if !all_fine {
        complaints.push(Complaint::new(weights.at, "`weights` must not be negative, and not all zero"));
    }
    let seed = text(node, "seed")?.parse().ok()?;
    let select = node.get("select").map(Node::texts);
    Some(SplitJob { weights: [train, test], seed, n_stages_before: 0, select })
}

fn resolve_stream(node: &Node, version: SparkVersion, complaints: &mut Vec<Complaint>) -> Option<StreamJob> {
    let write = node.get("writeStream")?;
    let dead_letter = node.get("deadLetter");
    let checkpoint = text(write, "checkpointLocation");
    if checkpoint.is_none() {
        let hint = Some("name a folder that stays the same from start to start".to_owned());
        complaints.push(Complaint::new(write.at, "`writeStream` lacks the key: checkpointLocation").with_hint(hint));
    }
    let prepare = PrepareJob::read(node.get("prepare"), complaints);
    let read = resolve_read(node.get("readStream")?, true, complaints);
    let has_schema = node.at_path(&["readStream", "schema"]).is_some();
    if let Some(read) = read.as_ref().filter(|read| !has_schema && read.format != "parquet") {
        let at = node.get("readStream")?.at;
        complaints.push(Complaint::new(at, format!("a stream of {} files needs a schema: readStream", read.format)));
    }
    if let Some(schema) = read.as_ref().and_then(|read| read.schema.as_ref()) {
        complaints.extend(prepare.check(schema, version).err());
    }
    let write_job = resolve_write(write, complaints);
    let dead_letter_job = dead_letter.map(|dead_letter| resolve_write(dead_letter, complaints));
    let stream = StreamJob {
        prepare,
        model: text(node, "model")?,
        batch_time: node.get("batchTimeColumn").and_then(|column| resolve_batch_time(column, complaints)),
        select: node.get("select").map(Node::texts),
        trigger: resolve_trigger(write.get("trigger"), complaints),
        errors: resolve_errors(node.get("errors"), read.as_ref(), dead_letter.is_some(), complaints),
        read: read?,
        write: write_job?,
        checkpoint: checkpoint?,
        dead_letter: match dead_letter_job {
            Some(job) => Some(job?),
            None => None,
        },
    };
    check_written_columns(&stream, node, complaints);
    Some(stream)
}

fn resolve_read(node: &Node, is_stream: bool, complaints: &mut Vec<Complaint>) -> Option<ReadJob> {
    let format = text(node, "format")?;
    if format == "kafka" {
        let at = node.get("format").map_or(node.at, |format| format.at);
        complaints.push(Complaint::new(at, "this version of ognivo cannot read: kafka"));
        return None;
    }
    let paths = node.get("path").map(Node::texts).unwrap_or_default();
    if paths.is_empty() {
        complaints.push(Complaint::new(node.at, format!("a source of {format} files lacks the key: path")));
    }
    let read = ReadJob {
        schema: node.get("schema").and_then(|schema| read_schema(schema, complaints)),
        options: options(node),
        format,
        paths,
    };
    route::check_read_options(&read, is_stream, node, complaints);
    Some(read)
}

/// The schema in DDL or as a list of columns.
fn read_schema(node: &Node, complaints: &mut Vec<Complaint>) -> Option<SchemaRef> {
    if let Some(ddl) = node.text() {
        return match parse_ddl(ddl) {
            Ok(schema) => Some(schema.into()),
            Err(error) => {
                complaints.push(Complaint::of(node.at, &error));
                None
            }
        };
    }
    let mut fields = Vec::new();
    for item in node.items() {
        let (name, data_type) = (text(item, "name")?, item.get("type")?);
        match parse_type(data_type.text()?) {
            Ok(data_type) => {
                let nullable = item.get("nullable").and_then(Node::boolean).unwrap_or(true);
                fields.push(Field::new(name, data_type, nullable));
            }
            Err(error) => complaints.push(Complaint::of(data_type.at, &error)),
        }
    }
    Some(Schema::new(fields).into())
}

fn resolve_write(node: &Node, complaints: &mut Vec<Complaint>) -> Option<WriteJob> {
    let format = text(node, "format")?;
    let at = node.get("format").map_or(node.at, |format| format.at);
    if matches!(format.as_str(), "kafka" | "cassandra") {
        complaints.push(Complaint::new(at, format!("this version of ognivo cannot write: {format}")));
        return None;
    }
    for key in ["key", "value", "columns", "delivery"] {
        if let Some(entry) = node.entries().iter().find(|entry| entry.key == key) {
            complaints.push(Complaint::new(entry.at, format!("a sink of {format} files does not take the key: {key}")));
        }
    }
    let Some(path) = text(node, "path") else {
        complaints.push(Complaint::new(node.at, format!("a sink of {format} files lacks the key: path")));
        return None;
    };
    let partition_by = node.get("partitionBy").map(Node::texts).unwrap_or_default();
    let write = WriteJob { options: options(node), format, path, partition_by };
    route::check_write_options(&write, node, complaints);
    Some(write)
}

fn resolve_trigger(node: Option<&Node>, complaints: &mut Vec<Complaint>) -> TriggerJob {
    let Some(entry) = node.and_then(|node| node.entries().first()) else { return TriggerJob::AsRowsArrive };
    match entry.key.as_str() {
        "processingTime" => match entry.node.text().and_then(parse_duration) {
            Some(interval) if !interval.is_zero() => TriggerJob::ProcessingTime(interval),
            _ => TriggerJob::AsRowsArrive,
        },
        key => {
            if entry.node.boolean() == Some(false) {
                let hint = Some("leave `trigger` out to run as rows arrive".to_owned());
                complaints.push(Complaint::new(entry.node.at, format!("`{key}` must be true: false")).with_hint(hint));
            }
            if key == "once" { TriggerJob::Once } else { TriggerJob::AvailableNow }
        }
    }
}

fn resolve_batch_time(node: &Node, complaints: &mut Vec<Complaint>) -> Option<BatchTimeJob> {
    let job = BatchTimeJob {
        name: text(node, "name")?,
        format: text(node, "format").unwrap_or_else(|| "yyyyMMddHHmmss".to_owned()),
        time_zone: text(node, "timeZone").unwrap_or_else(|| "UTC".to_owned()),
    };
    if let Err(error) = route::batch_time(&job) {
        complaints.push(Complaint::of(node.at, &error));
    }
    Some(job)
}

/// What becomes of bad rows: as `errors` says; for malformed records else as Spark's option `mode` of the source says.
fn resolve_errors(
    node: Option<&Node>,
    read: Option<&ReadJob>,
    has_dead_letter: bool,
    complaints: &mut Vec<Complaint>,
) -> ErrorsJob {
    let default = if has_dead_letter { OnBadRow::DeadLetter } else { OnBadRow::Fail };
    let mut policy = |key: &str, default: OnBadRow| {
        let Some(value) = node.and_then(|node| node.get(key)) else { return default };
        match value.text() {
            Some("fail") => OnBadRow::Fail,
            Some("drop") => OnBadRow::Drop,
            Some("permissive") => OnBadRow::Permissive,
            _ => {
                if !has_dead_letter {
                    let hint = Some("add `deadLetter: {format: json, path: …}`".to_owned());
                    let message = format!("`errors.{key}` is deadLetter, and the stream has no: deadLetter");
                    complaints.push(Complaint::new(value.at, message).with_hint(hint));
                }
                OnBadRow::DeadLetter
            }
        }
    };
    let of_mode = read.and_then(|read| on_malformed_of_mode(&read.options));
    let (malformed, invalid) = (policy("malformed", of_mode.unwrap_or(default)), policy("invalid", default));
    let max_bad_fraction = node.and_then(|node| text(node, "maxBadFraction")?.parse().ok());
    ErrorsJob { malformed, invalid, max_bad_fraction }
}

fn on_malformed_of_mode(options: &[(String, String)]) -> Option<OnBadRow> {
    let (_, mode) = options.iter().find(|(name, _)| name.eq_ignore_ascii_case("mode"))?;
    match mode.to_ascii_uppercase().as_str() {
        "PERMISSIVE" => Some(OnBadRow::Permissive),
        "DROPMALFORMED" => Some(OnBadRow::Drop),
        "FAILFAST" => Some(OnBadRow::Fail),
        _ => None,
    }
}

/// Checks what the names of written columns tell without the model.
fn check_written_columns(stream: &StreamJob, node: &Node, complaints: &mut Vec<Complaint>) {
    if let (Some(time), Some(schema)) = (&stream.batch_time, &stream.read.schema)
        && schema.column_with_name(&time.name).is_some()
    {
        let at = node.at_path(&["batchTimeColumn", "name"]).map_or(node.at, |name| name.at);
        let message = format!("the rows have a column of this name already: {}", time.name);
        complaints.push(Complaint::new(at, message).with_hint(Some("give batchTimeColumn another name".to_owned())));
    }
    let Some(select) = &stream.select else { return };
    let at = node.get("select").map_or(node.at, |select| select.at);
    for (i, name) in select.iter().enumerate() {
        if select[..i].contains(name) {
            complaints.push(Complaint::new(at, format!("`select` names a column twice: {name}")));
        }
    }
    for name in stream.write.partition_by.iter().filter(|name| !select.contains(name)) {
        let at = node.at_path(&["writeStream", "partitionBy"]).map_or(node.at, |names| names.at);
        let hint = Some("add it to `select`".to_owned());
        complaints.push(
            Complaint::new(at, format!("`partitionBy` names a column that is not selected: {name}")).with_hint(hint),
        );
    }
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key)?.text().map(str::to_owned)
}

fn number(node: &Node, key: &str) -> Option<usize> {
    text(node, key)?.parse().ok()
}

fn options(node: &Node) -> Vec<(String, String)> {
    let entries = node.get("options").map(Node::entries).unwrap_or_default();
    let with_text = entries.iter().filter_map(|entry| match &entry.node.value {
        Value::Scalar { text, .. } => Some((entry.key.clone(), text.clone())),
        _ => None,
    });
    with_text.collect()
}
