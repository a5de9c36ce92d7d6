//! Verbs and flags.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ognivo_data::quantity::parse_duration;

use crate::exit;
use crate::job::resolve::Overrides;

/// Trains Spark ML pipelines, scores files and live streams with them, in Spark's own files, without a JVM.
#[derive(Debug, Parser)]
#[command(name = "ognivo", version, after_help = exit::CODES, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) verb: Verb,

    /// Say more on stderr.
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(crate) verbose: bool,

    /// Say only errors on stderr.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,

    /// Form of the results on stdout.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// Form of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Makes a folder with data and a job, trains, streams a few files through, and shows the scored rows.
    Demo {
        /// Folder to make.
        #[arg(default_value = "ognivo-demo")]
        dir: PathBuf,
    },
    /// Writes the demo's files only.
    Init {
        /// Folder to make.
        #[arg(default_value = "ognivo-demo")]
        dir: PathBuf,
    },
    /// Reads, prepares, splits, fits, evaluates and saves.
    Train {
        /// The job.
        #[command(flatten)]
        job: JobArgs,
        /// Make uids repeatable, from this number on.
        #[arg(long, value_name = "N")]
        seed_uids: Option<u64>,
    },
    /// Tries sets of columns, and fits and saves the one that predicts best.
    Search {
        /// The job.
        #[command(flatten)]
        job: JobArgs,
        /// Make uids repeatable, from this number on.
        #[arg(long, value_name = "N")]
        seed_uids: Option<u64>,
    },
    /// Scores a file with a model.
    Score(ScoreArgs),
    /// Scores rows as they arrive, until SIGTERM, SIGINT or the trigger's end.
    Stream {
        /// The job.
        #[command(flatten)]
        job: JobArgs,
        /// How to show each batch: as JSON with Spark's field names, as a line, or not at all; a line on a terminal, else JSON.
        #[arg(long, value_enum)]
        progress: Option<ProgressForm>,
        /// Print the CREATE TABLE that fits what the job writes into Cassandra, or execute it too, and run nothing.
        #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "print")]
        create_table: Option<TableForm>,
    },
    /// Shows a running stream: rates, lag, last batches, dead letters. It asks at the job's `metrics.listen`.
    Top {
        /// The job.
        #[command(flatten)]
        job: JobArgs,
        /// Show it once; so it is too when stdout is no terminal.
        #[arg(long)]
        once: bool,
        /// Time between two looks, e.g. 500ms.
        #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
        interval: Duration,
    },
    /// Prints the first scored rows of each batch of a running stream as JSON lines, as they are committed.
    ///
    /// A reader that is too slow misses rows, and is told on stderr how many; the stream never waits for it.
    Tap {
        /// The job.
        #[command(flatten)]
        job: JobArgs,
        /// End after so many rows.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        limit: Option<u64>,
    },
    /// Shows what a Spark model directory holds, and whether we can load it.
    Inspect {
        /// Model directory.
        model: String,
    },
    /// Checks a job file as far as that needs no network.
    Validate {
        /// The job.
        #[command(flatten)]
        job: JobArgs,
        /// Print the job as it was understood, without secrets.
        #[arg(long)]
        print: bool,
    },
    /// Checks what a job needs of disks, clusters and servers: reachable, allowed, enough room.
    Doctor {
        /// The job.
        #[command(flatten)]
        job: JobArgs,
    },
    /// Shows or resets the progress of a stream.
    Checkpoint {
        /// What to do with it.
        #[command(subcommand)]
        action: CheckpointAction,
    },
    /// Looks at dead letters.
    Dlq {
        /// What to do with them.
        #[command(subcommand)]
        action: DlqAction,
    },
    /// Files and folders of a cluster or a disk, as `hdfs dfs` handles them.
    Fs {
        /// What to do with them.
        #[command(subcommand)]
        action: FsAction,
    },
    /// Prints the JSON Schema of the job file.
    Schema,
    /// Prints completions for a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
    /// Prints the version, and the Spark versions whose files and numbers it knows.
    Version,
}

/// A job file and what the command line adds to it.
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    /// Job file.
    #[arg(value_name = "JOB")]
    pub(crate) file: PathBuf,
    /// Overrides one value, e.g. train.pipeline.LogisticRegression.regParam=0.1 (repeatable).
    #[arg(long, value_name = "PATH=VALUE", value_parser = key_value)]
    pub(crate) set: Vec<(String, String)>,
    /// Allow ${env:NAME} in the job file.
    #[arg(long)]
    pub(crate) allow_env: bool,
}

impl JobArgs {
    /// What the command line adds.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides { set: self.set.clone(), allow_env: self.allow_env }
    }
}

/// What `score` works on.
#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// Model directory.
    pub(crate) model: String,
    /// CSV (with header), JSON lines or Parquet: a file, folder or glob, or `-` for stdin.
    pub(crate) input: String,
    /// Where to write (.csv, .jsonl, .parquet); stdout when absent.
    #[arg(short = 'o', value_name = "OUT")]
    pub(crate) out: Option<PathBuf>,
    /// Format of the input; by the file's name when absent.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Columns of the input in Spark DDL; inferred when absent.
    #[arg(long, value_name = "DDL")]
    pub(crate) schema: Option<String>,
    /// A Spark reader option (repeatable).
    #[arg(long = "option", value_name = "NAME=VALUE", value_parser = key_value)]
    pub(crate) options: Vec<(String, String)>,
    /// Columns to write, in this order.
    #[arg(long, value_delimiter = ',', value_name = "COLUMNS")]
    pub(crate) select: Vec<String>,
    /// Threads to work on; all cores when absent.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// How long a cluster that does not serve is waited for; 5 minutes when absent.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) retry_deadline: Option<Duration>,
}

/// Format of files on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) enum Format {
    Csv,
    Json,
    Parquet,
}

/// How `stream` shows each batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressForm {
    /// One JSON object a batch, on stdout.
    Json,
    /// One line a batch.
    Line,
    /// Nothing.
    None,
}

/// What becomes of the CREATE TABLE of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableForm {
    /// It is printed.
    Print,
    /// It is printed, and executed where there is no table of the name.
    Execute,
}

/// What to do with a checkpoint.
#[derive(Debug, Subcommand)]
pub(crate) enum CheckpointAction {
    /// Last planned and committed batch, offsets, model.
    Show {
        /// checkpointLocation of the stream.
        dir: String,
    },
    /// Forgets all progress: the next start reads everything again.
    Reset {
        /// checkpointLocation of the stream.
        dir: String,
        /// Do it; without this flag the verb only says what would be lost.
        #[arg(long)]
        yes: bool,
    },
}

/// What to do with files and folders.
#[derive(Debug, Subcommand)]
pub(crate) enum FsAction {
    /// Makes folders.
    Mkdir {
        /// Those above too; folders that are there are no error.
        #[arg(short)]
        parents: bool,
        /// Folders.
        #[arg(required = true)]
        paths: Vec<String>,
    },
    /// Copies local files and folders to the cluster.
    Put {
        /// Replace files that are there.
        #[arg(short)]
        force: bool,
        /// Local files and folders, then a new name or the folder to copy into; the user's home when there is only one path.
        #[arg(required = true)]
        paths: Vec<String>,
    },
    /// Copies files and folders of the cluster to a local disk.
    Get {
        /// Replace files that are there.
        #[arg(short)]
        force: bool,
        /// Files and folders, or globs, then a new local name or the folder to copy into; the working directory when there is only one path.
        #[arg(required = true)]
        paths: Vec<String>,
    },
    /// Lists files and what is in folders.
    #[command(disable_help_flag = true)]
    Ls {
        /// What is below folders too.
        #[arg(short = 'R')]
        recursive: bool,
        /// Folders themselves, not what is in them.
        #[arg(short)]
        directory: bool,
        /// Sizes as 71.0 K.
        #[arg(short)]
        human: bool,
        /// Files and folders; globs; the user's home when absent.
        paths: Vec<String>,
    },
    /// Prints files.
    Cat {
        /// Files; globs.
        #[arg(required = true)]
        paths: Vec<String>,
    },
    /// Removes files, to the trash where the cluster has one.
    Rm {
        /// Folders too, with all that is in them.
        #[arg(short, visible_short_alias = 'R')]
        recursive: bool,
        /// What is not there is no error.
        #[arg(short)]
        force: bool,
        /// Past the trash; -skipTrash, as Hadoop writes it, is the same.
        #[arg(long)]
        skip_trash: bool,
        /// Files and folders; globs.
        #[arg(required = true)]
        paths: Vec<String>,
    },
    /// Moves files and folders within a file system.
    Mv {
        /// Files and folders; globs.
        #[arg(required = true)]
        sources: Vec<String>,
        /// A new name, or the folder to move into.
        target: String,
    },
    /// Shows how many bytes files and folders hold, and how many their copies take on all disks.
    #[command(disable_help_flag = true)]
    Du {
        /// One line for each path.
        #[arg(short)]
        summary: bool,
        /// Sizes as 71.0 K.
        #[arg(short)]
        human: bool,
        /// Files and folders; globs.
        #[arg(required = true)]
        paths: Vec<String>,
    },
}

/// The words of a command line, with the one option of `hdfs dfs` that no parser of ours would take as it is written there.
pub(crate) fn as_clap_takes_them(words: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    words.map(|word| if word == "-skipTrash" { "--skip-trash".into() } else { word })
}

impl FsAction {
    /// The word for messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            FsAction::Mkdir { .. } => "mkdir",
            FsAction::Put { .. } => "put",
            FsAction::Get { .. } => "get",
            FsAction::Ls { .. } => "ls",
            FsAction::Cat { .. } => "cat",
            FsAction::Rm { .. } => "rm",
            FsAction::Mv { .. } => "mv",
            FsAction::Du { .. } => "du",
        }
    }
}

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DlqAction {
    /// Lists them, newest batch last.
    List {
        /// Job file, or folder of the dead letters.
        #[arg(value_name = "JOB|DIR")]
        place: String,
        /// How many at most.
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
        /// Allow ${env:NAME} in the job file.
        #[arg(long)]
        allow_env: bool,
    },
    /// Sends the records of a topic of dead letters back to where they were read, each once.
    Replay {
        /// The job.
        #[command(flatten)]
        job: JobArgs,
    },
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("not a duration: {text}"))
}

fn interval(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|interval| match interval.is_zero() {
        true => Err(format!("not a duration: {text}")),
        false => Ok(interval),
    })
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("not of the form name=value: {text}"))?;
    Ok((key.to_owned(), value.to_owned()))
}
