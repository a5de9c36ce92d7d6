//! The job file as written: every key there is.
//!
//! The words are those of a PySpark script in the order of a PySpark script. This page is the whole surface: `check` refuses
//! what is not here, and `ognivo schema` prints it.

use super::shape::{Field, Shape, optional, required};
use super::tune::TunerKind;

/// The whole file.
pub(crate) const JOB: &[Field] = &[
    required("version", Shape::Integer(1), "version of this file format; 1"),
    optional("name", Shape::Text, "name of the job; it stands in progress reports and file names"),
    optional("sparkVersion", Shape::Version, "whose numbers: \"2.4\", \"3.5\" or \"4.3\"; the newest when absent"),
    optional("parallelism", Shape::Integer(1), "Spark's default parallelism, which decides partitions; default 1"),
    optional("threads", Shape::Integer(1), "threads to work on; default all cores; never changes a result"),
    optional("train", Shape::Record(TRAIN), "what to train"),
    optional("search", Shape::Record(SEARCH), "which set of columns predicts best"),
    optional("stream", Shape::Record(STREAM), "what to score as it arrives"),
    optional("metrics", Shape::Record(METRICS), "where a running stream can be watched"),
];

const TRAIN: &[Field] = &[
    required("read", Shape::Record(READ), "the rows to learn from"),
    optional("prepare", Shape::OneKeyEach(PREPARE), "steps that change the rows, in order"),
    optional("dropna", Shape::Record(DROPNA), "drop rows with nulls or NaN, after `prepare`"),
    optional(
        "randomSplit",
        Shape::Record(RANDOM_SPLIT),
        "split into training and test rows; all rows train when absent",
    ),
    required("pipeline", Shape::Pipeline, "the stages in order, or `{load: path}`"),
    optional("tune", Shape::Record(TUNE), "try settings of the stages, and keep the best"),
    optional("evaluate", Shape::Evaluators, "what to measure on the test rows"),
    optional("save", Shape::Record(SAVE), "where to save the fitted pipeline"),
    optional("report", Shape::Path, "where to write the report (HTML; the numbers as JSON beside it)"),
    optional(
        "retryDeadline",
        Shape::Duration,
        "how long a cluster that does not serve is waited for before the run ends with exit code 75; default 5 minutes",
    ),
];

/// `train.read`.
pub(crate) const READ: &[Field] = &[
    required("format", Shape::Word(&["csv", "json", "parquet"]), "format of the files"),
    required("path", Shape::Texts, "file, folder or glob, or a list of them"),
    optional("schema", Shape::Schema, "columns of the rows; inferred when absent and the format allows it"),
    optional("options", Shape::Options, "Spark's options of the format"),
];

/// The steps of `prepare`.
pub(crate) const PREPARE: &[Field] = &[
    optional("dropna", Shape::Record(DROPNA), "drop rows with nulls or NaN"),
    optional("cast", Shape::Options, "column: Spark SQL type"),
    optional("withColumnRenamed", Shape::Options, "old name: new name"),
    optional("drop", Shape::Texts, "columns to drop"),
    optional("filter", Shape::Text, "keep the rows for which this SQL expression is true"),
    optional("selectExpr", Shape::Texts, "SQL expressions, one per output column"),
    optional("sql", Shape::Text, "a query over the table `rows`"),
];

/// `dropna`.
pub(crate) const DROPNA: &[Field] = &[
    optional("how", Shape::Word(&["any", "all"]), "drop a row when any or all of the columns are null; default any"),
    optional("thresh", Shape::Integer(0), "keep rows with at least so many values that are not null; overrides `how`"),
    optional("subset", Shape::Texts, "columns to look at; default all"),
];

const RANDOM_SPLIT: &[Field] = &[
    required("weights", Shape::Numbers, "shares of the training and the test rows, such as [0.8, 0.2]"),
    required("seed", Shape::Integer(i64::MIN), "seed of the generator"),
    optional("after", Shape::Text, "stage (class or uid) after which the rows are split"),
    optional("select", Shape::Texts, "columns that the split sees, in this order"),
];

const TUNE: &[Field] = &[
    CROSS_VALIDATOR,
    TRAIN_VALIDATION_SPLIT,
    required(
        "paramGrid",
        Shape::Grid,
        "`Stage.parameter: [values]`, all combinations are tried; a stage that occurs twice is named by its uid",
    ),
    required("evaluator", Shape::Evaluator, "what to compare the settings by"),
];

const CROSS_VALIDATOR: Field = optional(
    "CrossValidator",
    Shape::Tuner(TunerKind::CrossValidator),
    "measure on every fold, by a model of the other folds",
);

const TRAIN_VALIDATION_SPLIT: Field = optional(
    "TrainValidationSplit",
    Shape::Tuner(TunerKind::TrainValidationSplit),
    "measure on a share of the rows, by a model of the others",
);

const SAVE: &[Field] = &[
    required("path", Shape::Path, "model directory"),
    optional("mode", Shape::Word(&["error", "overwrite"]), "what to do when it exists; default error"),
];

const SEARCH: &[Field] = &[
    required("columns", Shape::Texts, "columns to choose from"),
    optional("require", Shape::Texts, "columns that are in every set"),
    optional("strategy", Shape::Word(&["exhaustive", "forward", "backward"]), "how to search; default exhaustive"),
    required("into", Shape::Text, "the list parameter that is varied, such as VectorAssembler.inputCols"),
    required("validate", Shape::OneKey(&[CROSS_VALIDATOR, TRAIN_VALIDATION_SPLIT]), "what a set is judged on"),
    required("evaluator", Shape::Evaluator, "what to compare the sets by"),
    optional("maxSets", Shape::Integer(1), "refuse a search that tries more sets than these; default 10000"),
    optional(
        "randomSplit",
        Shape::Record(HELD_OUT),
        "rows that no set sees, to measure the best one on; all rows are searched with when absent",
    ),
    optional(
        "results",
        Shape::Path,
        "file (JSON lines) that keeps what is known; a search that was stopped goes on from it",
    ),
    optional("report", Shape::Path, "where to write the report"),
    optional("save", Shape::Record(SAVE), "where to save the best pipeline"),
];

const HELD_OUT: &[Field] = &[
    required(
        "weights",
        Shape::Numbers,
        "shares of the rows to search with and of those to measure on, such as [0.8, 0.2]",
    ),
    required("seed", Shape::Integer(i64::MIN), "seed of the generator"),
];

const STREAM: &[Field] = &[
    required("readStream", Shape::Record(READ_STREAM), "the rows to score"),
    optional("prepare", Shape::OneKeyEach(PREPARE), "steps that change the rows of each batch, in order"),
    required("model", Shape::Path, "model directory, of a pipeline or of a lone fitted stage"),
    optional("batchTimeColumn", Shape::Record(BATCH_TIME), "a column with the planned time of the batch"),
    optional("select", Shape::Texts, "columns to write; default all"),
    required("writeStream", Shape::Record(WRITE_STREAM), "where the scored rows go"),
    optional("deadLetter", Shape::Record(DEAD_LETTER), "where rows go that cannot be scored"),
    optional("errors", Shape::Record(ERRORS), "what to do with rows that cannot be scored"),
    optional(
        "retryDeadline",
        Shape::Duration,
        "how long servers and disks that fail are waited for before the stream ends with exit code 75; default 5 minutes",
    ),
];

const READ_STREAM: &[Field] = &[
    required("format", Shape::Word(&["csv", "json", "parquet", "kafka"]), "format of the source"),
    optional("path", Shape::Path, "a folder or a glob"),
    optional("schema", Shape::Schema, "columns of the rows"),
    optional("options", Shape::Options, "Spark's options of the source"),
    optional("value", Shape::Record(DECODED_VALUE), "how a Kafka record's value is decoded"),
];

const DECODED_VALUE: &[Field] = &[
    required("format", Shape::Word(&["json", "csv", "avro"]), "format of the value"),
    optional(
        "schema",
        Shape::Schema,
        "columns of the value; only Avro with an `avroSchema` may leave it out: then all of its fields",
    ),
    optional(
        "options",
        Shape::Options,
        "Spark's options of the format; of Avro also the schema registry's, such as `schema.registry.url`",
    ),
];

const BATCH_TIME: &[Field] = &[
    required("name", Shape::Text, "name of the column"),
    optional("format", Shape::Text, "Java date pattern; default yyyyMMddHHmmss"),
    optional("timeZone", Shape::Text, "time zone such as Europe/Riga; default UTC"),
];

const WRITE_STREAM: &[Field] = &[
    required("format", Shape::Word(&["parquet", "csv", "json", "kafka", "cassandra"]), "format of the sink"),
    optional("path", Shape::Path, "output folder"),
    optional("partitionBy", Shape::Texts, "columns that become folders"),
    optional("options", Shape::Options, "Spark's options of the sink"),
    optional("key", Shape::Text, "column that becomes the Kafka record's key"),
    optional(
        "partition",
        Shape::Text,
        "INT column that says which partition a record goes to, and is not in its value; by the key when absent",
    ),
    optional("value", Shape::Record(ENCODED_VALUE), "how a Kafka record's value is encoded; default JSON"),
    optional("columns", Shape::Options, "Cassandra column: our column"),
    optional("delivery", Shape::Word(&["exactlyOnce", "atLeastOnce"]), "what the route must promise"),
    optional("checkpointLocation", Shape::Path, "folder that holds the progress of this stream"),
    optional("trigger", Shape::OneKey(TRIGGER), "when a batch starts; as rows arrive when absent"),
];

const ENCODED_VALUE: &[Field] = &[
    required("format", Shape::Word(&["json", "csv", "avro"]), "format of the value"),
    optional(
        "options",
        Shape::Options,
        "Spark's options of the format; of Avro also the schema registry's, such as `schema.registry.url`",
    ),
];

const TRIGGER: &[Field] = &[
    optional("processingTime", Shape::Duration, "a batch at every multiple of this duration"),
    optional("availableNow", Shape::Boolean, "all that is there now, in batches, then stop"),
    optional("once", Shape::Boolean, "all that is there now, in one batch, then stop"),
];

const DEAD_LETTER: &[Field] = &[
    required("format", Shape::Word(&["json", "kafka", "cassandra"]), "format of the dead letters"),
    optional("path", Shape::Path, "folder of the dead letters"),
    optional(
        "options",
        Shape::Options,
        "options of the target; a topic on the cluster of `writeStream` needs its `topic` only",
    ),
    optional("columns", Shape::Options, "Cassandra column: column of a dead letter"),
];

const ERRORS: &[Field] = &[
    optional(
        "malformed",
        Shape::Word(&["deadLetter", "fail", "drop", "permissive"]),
        "what to do with a record that cannot be parsed; default deadLetter when there is a target for it, else fail",
    ),
    optional(
        "invalid",
        Shape::Word(&["deadLetter", "fail", "drop"]),
        "what to do with a row that a stage rejects; default deadLetter when there is a target for it, else fail",
    ),
    optional(
        "maxBadFraction",
        Shape::Number(0.0, 1.0),
        "stop before a batch of at least 100 rows with a larger share of bad rows is committed",
    ),
];

const METRICS: &[Field] = &[required(
    "listen",
    Shape::Text,
    "address and port of its pages, such as 127.0.0.1:9464; with port 0 the system chooses one",
)];
