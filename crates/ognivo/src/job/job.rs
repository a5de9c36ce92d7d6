//! The job as meant: what a job file says, typed, with defaults filled.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use arrow_schema::SchemaRef;
use ognivo_data::version::SparkVersion;
use ognivo_ml::evaluation::Evaluator;
use ognivo_ml::pipeline::Pipeline;
use ognivo_ml::search::Strategy;

use super::node::Node;
use super::prepare::PrepareJob;
use super::tune::{TuneJob, Tuner};

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
    /// Which columns to choose from, and how.
    pub(crate) search: Option<SearchJob>,
    /// What to score as it arrives.
    pub(crate) stream: Option<StreamJob>,
    /// Where a running stream can be watched; absent: nowhere.
    pub(crate) metrics: Option<MetricsJob>,
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
    /// What settings of it are tried.
    pub(crate) tune: Option<TuneJob>,
    /// What is measured.
    pub(crate) evaluate: Vec<Box<dyn Evaluator>>,
    /// Where the model goes.
    pub(crate) save: Option<SaveJob>,
    /// Where the report goes.
    pub(crate) report: Option<PathBuf>,
    /// How long a cluster that does not serve is waited for, by `search` too.
    pub(crate) retry_deadline: Duration,
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

/// `search`.
#[derive(Debug)]
pub(crate) struct SearchJob {
    /// Columns to choose from.
    pub(crate) columns: Vec<String>,
    /// Positions of those that are in every set.
    pub(crate) required: Vec<usize>,
    /// How sets are chosen.
    pub(crate) strategy: Strategy,
    /// The list that is varied.
    pub(crate) into: IntoJob,
    /// What a set is judged on.
    pub(crate) validate: Tuner,
    /// What sets are compared by.
    pub(crate) evaluator: Box<dyn Evaluator>,
    /// The rows that no set sees, to measure the best one on.
    pub(crate) split: Option<SplitJob>,
    /// Where what is known is kept, to go on from.
    pub(crate) results: Option<PathBuf>,
    /// Where the report goes.
    pub(crate) report: Option<PathBuf>,
    /// Where the best model goes.
    pub(crate) save: Option<SaveJob>,
}

/// `search.into`: `stage.param`.
#[derive(Debug, Clone)]
pub(crate) struct IntoJob {
    /// Class or uid of the stage.
    pub(crate) stage: String,
    /// Its list of columns.
    pub(crate) param: String,
}

/// `stream`.
#[derive(Debug)]
pub(crate) struct StreamJob {
    /// The rows to score.
    pub(crate) read: SourceJob,
    /// Steps that change them.
    pub(crate) prepare: PrepareJob,
    /// Model directory.
    pub model: String,
    /// The column with the batch's time.
    pub(crate) batch_time: Option<BatchTimeJob>,
    /// Columns to write; all when absent.
    pub(crate) select: Option<Vec<String>>,
    /// Where rows go.
    pub(crate) write: SinkJob,
    /// Folder that holds the progress.
    pub(crate) checkpoint: Option<String>,
    /// Whether a consumer group holds the progress; else there is a checkpoint.
    pub(crate) progress_in_group: bool,
    /// When a batch starts.
    pub(crate) trigger: TriggerJob,
    /// Where bad rows go.
    pub(crate) dead_letter: Option<SinkJob>,
    /// What happens to bad rows.
    pub(crate) errors: ErrorsJob,
    /// How long failures that may pass are waited for.
    pub(crate) retry_deadline: Duration,
}

/// `metrics`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MetricsJob {
    /// Where the process listens.
    pub(crate) listen: SocketAddr,
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

/// `readStream`.
#[derive(Debug, Clone)]
pub(crate) enum SourceJob {
    /// `csv`, `json`, `parquet`.
    Files(ReadJob),
    /// `kafka`.
    Topics(TopicReadJob),
}

impl SourceJob {
    /// The options of the format of a record, those of files among them.
    pub(crate) fn format_options(&self) -> &[(String, String)] {
        match self {
            SourceJob::Files(read) => &read.options,
            SourceJob::Topics(read) => &read.value.options,
        }
    }
}

/// Topics to read.
#[derive(Debug, Clone)]
pub(crate) struct TopicReadJob {
    /// Spark's options of the source, `kafka.*` among them.
    pub(crate) options: Vec<(String, String)>,
    /// How a record's value is decoded.
    pub(crate) value: DecodedValueJob,
}

/// `readStream.value`.
#[derive(Debug, Clone)]
pub(crate) struct DecodedValueJob {
    /// `json`, `csv` or `avro`.
    pub(crate) format: String,
    /// The columns of the value.
    pub(crate) schema: SchemaRef,
    /// The format's options.
    pub(crate) options: Vec<(String, String)>,
}

/// `writeStream` and `deadLetter`.
#[derive(Debug, Clone)]
pub(crate) enum SinkJob {
    /// `parquet`, `csv`, `json`.
    Files(WriteJob),
    /// `kafka`.
    Topic(TopicWriteJob),
    /// `cassandra`.
    Table(TableWriteJob),
}

/// A topic to write to.
#[derive(Debug, Clone)]
pub(crate) struct TopicWriteJob {
    /// Spark's options of the sink, `kafka.*` among them.
    pub(crate) options: Vec<(String, String)>,
    /// The column that becomes the record's key.
    pub(crate) key: Option<String>,
    /// The column that says which partition the record goes to.
    pub(crate) partition: Option<String>,
    /// How a record's value is encoded.
    pub(crate) value: EncodedValueJob,
    /// What the route promises.
    pub(crate) delivery: DeliveryJob,
}

/// `writeStream.value`.
#[derive(Debug, Clone)]
pub(crate) struct EncodedValueJob {
    /// `json` or `csv`.
    pub(crate) format: String,
    /// The format's options.
    pub(crate) options: Vec<(String, String)>,
}

/// `delivery`, with its default filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryJob {
    /// `exactlyOnce`
    ExactlyOnce,
    /// `atLeastOnce`
    AtLeastOnce,
}

/// A table to write to.
#[derive(Debug, Clone)]
pub(crate) struct TableWriteJob {
    /// The options of Spark's connector.
    pub(crate) options: Vec<(String, String)>,
    /// Table column and our column; by name when empty.
    pub(crate) columns: Vec<(String, String)>,
}

/// A folder to write to.
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
