//! `ognivo score`: a model over a file, batch by batch, in the order of the file.

use std::cell::Cell;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo::input::Input;
use ognivo::models::load_model;
use ognivo::session::Session;
use ognivo_data::column::find_column;
use ognivo_data::outcome::{Fates, Outcome};
use ognivo_data::schema::parse_ddl;
use ognivo_files::hdfs::wait_for_servers;
use ognivo_files::open::{Location, open};
use ognivo_ml::stage::{BoundStage, StageError, Transformer};
use ognivo_stream::retry::RETRY_DEADLINE;
use rayon::prelude::*;

use crate::cli::{Cli, Format, Output, ScoreArgs};
use crate::exit;
use crate::failure::{Failure, FileFailure, Refusal};
use crate::output_file::{Encoder, OutputFile, OutputFormat};
use crate::print;

/// Scores the input; the exit code says whether every row could be scored.
pub(crate) fn run(args: &ScoreArgs, cli: &Cli) -> Result<ExitCode, Failure> {
    refuse_overwriting_what_is_read(args)?;
    let is_quiet = cli.quiet;
    let deadline = args.retry_deadline.unwrap_or(RETRY_DEADLINE);
    wait_for_servers(deadline, move |words| {
        if !is_quiet {
            print::say(words);
        }
    });
    let session = Session::start(args.threads.map(usize::from))?;
    let model = session.runtime().block_on(load_model(&args.model, Path::new(".")))?.model;
    let standard_input = (args.input == "-").then(StandardInput::keep).transpose()?;
    let path = standard_input.as_ref().map_or_else(|| args.input.clone(), StandardInput::path);
    let input = input_of(args, path)?;
    let (last_write, has_warned) = (Cell::new(Instant::now()), Cell::new(false));
    let tally = Run { args, cli, session, model, input, last_write, has_warned }.to_the_end(deadline)?;
    Ok(tally.tell(cli.quiet))
}

/// An output that breaks off in the middle is begun anew, up to this many times in all; the next one waits for the servers first.
const MAX_BEGINNINGS: usize = 3;

/// What is scored by what.
struct Run<'a> {
    args: &'a ScoreArgs,
    cli: &'a Cli,
    session: Session,
    model: Box<dyn Transformer>,
    input: Input,
    /// When the last write began.
    last_write: Cell<Instant>,
    has_warned: Cell<bool>,
}

impl Run<'_> {
    /// Scores all rows, and all of them once more where a cluster went away under the output and comes back in time.
    fn to_the_end(&self, deadline: Duration) -> Result<Tally, Failure> {
        for _ in 1..MAX_BEGINNINGS {
            match self.score_all() {
                Err(failure) if failure.has_lost_servers() && self.last_write.get().elapsed() < deadline => {
                    self.has_warned.set(true);
                    if !self.cli.quiet {
                        print::say(&format!("begun anew: {}", failure.to_line()));
                    }
                }
                scored => return scored,
            }
        }
        self.score_all()
    }

    fn score_all(&self) -> Result<Tally, Failure> {
        let Run { args, cli, session, model, input, last_write, has_warned } = self;
        let read = input.read(Path::new("."), session)?;
        for warning in read.warnings.iter().filter(|_| !has_warned.get()) {
            print::say(&format!("warning: {warning}"));
        }
        let scoring = Scoring::new(model.bind(read.dataset.schema())?, &args.select)?;
        last_write.set(Instant::now());
        let mut target = open_target(args, cli, &scoring.schema, session)?;
        let mut tally = Tally::default();
        let n_in_flight = 2 * session.n_threads();
        for partition in 0..read.dataset.n_partitions() {
            let mut batches = read.dataset.scan(partition)?;
            loop {
                let group: Vec<RecordBatch> = batches.by_ref().take(n_in_flight).collect::<Result<_, _>>()?;
                if group.is_empty() {
                    break;
                }
                let encoder = target.encoder();
                let scored: Vec<Result<Scored, Failure>> =
                    session.pool().install(|| group.into_par_iter().map(|rows| scoring.score(rows, encoder)).collect());
                for scored in scored {
                    let scored = scored?;
                    tally.add(&scored.fates);
                    last_write.set(Instant::now());
                    target.write(&scored.rows, scored.encoded)?;
                }
            }
        }
        last_write.set(Instant::now());
        target.finish()?;
        tally.n_dropped = read.counts().n_dropped;
        Ok(tally)
    }
}

/// The output may not take the place of the input, nor stand inside the input folder or the model.
fn refuse_overwriting_what_is_read(args: &ScoreArgs) -> Result<(), Failure> {
    let Some(out) = args.out.as_deref() else { return Ok(()) };
    if let Some(out) = remote(out)? {
        return refuse_overwriting_on_a_cluster(args, &out);
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Ok(folder), Some(name)) = (folder.canonicalize(), out.file_name()) else { return Ok(()) };
    let out = folder.join(name).canonicalize().unwrap_or_else(|_| folder.join(name));
    for (what, read) in [("the input", args.input.as_str()), ("the model", args.model.as_str())] {
        if Path::new(read).canonicalize().is_ok_and(|read| out.starts_with(read)) {
            return Err(written_into(what, &out.display().to_string()));
        }
    }
    Ok(())
}

fn refuse_overwriting_on_a_cluster(args: &ScoreArgs, out: &Location) -> Result<(), Failure> {
    let out = out.uri();
    for (what, read) in [("the input", args.input.as_str()), ("the model", args.model.as_str())] {
        let is_above = |read: &str| out.strip_prefix(read).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if open(read, Path::new(".")).is_ok_and(|read| is_above(&read.uri())) {
            return Err(written_into(what, &out));
        }
    }
    Ok(())
}

fn written_into(what: &str, out: &str) -> Failure {
    let message = format!("the output would be written into {what}: {out}");
    Refusal::of_job(message, Some("name another file".to_owned())).into()
}

/// The place on a cluster that the path names; None for a local one.
fn remote(path: &Path) -> Result<Option<Location>, Failure> {
    match path.to_str().filter(|path| path.starts_with("hdfs:/")) {
        Some(uri) => Ok(Some(open(uri, Path::new("."))?)),
        None => Ok(None),
    }
}

/// What is bound to the input's schema, and what of its output is written.
struct Scoring {
    stage: Box<dyn BoundStage>,
    columns: Vec<usize>,
    schema: SchemaRef,
}

/// A scored batch, and its bytes where the format can make them apart from other batches.
struct Scored {
    rows: RecordBatch,
    encoded: Option<Vec<u8>>,
    fates: Fates,
}

impl Scoring {
    fn new(stage: Box<dyn BoundStage>, select: &[String]) -> Result<Scoring, Failure> {
        let all = stage.output_schema().clone();
        let columns: Vec<usize> = match select {
            [] => (0..all.fields().len()).collect(),
            names => names
                .iter()
                .map(|name| find_column(&all, name).map(|(position, _)| position))
                .collect::<Result<_, _>>()?,
        };
        let schema = all.project(&columns).expect("positions come from the schema").into();
        Ok(Scoring { stage, columns, schema })
    }

    fn score(&self, rows: RecordBatch, encoder: &Encoder) -> Result<Scored, Failure> {
        let outcome: Result<Outcome, StageError> = self.stage.apply(rows);
        let Outcome { rows, fates } = outcome?;
        let rows = rows.project(&self.columns).expect("every batch has the bound schema");
        let encoded = encoder.encode(&rows)?;
        Ok(Scored { rows, encoded, fates })
    }
}

fn input_of(args: &ScoreArgs, path: String) -> Result<Input, Failure> {
    let format = match args.format {
        Some(Format::Csv) => "csv",
        Some(Format::Json) => "json",
        Some(Format::Parquet) => "parquet",
        None => format_of_name(&args.input),
    };
    let schema = args.schema.as_deref().map(parse_ddl).transpose()?;
    let options = args.options.clone();
    let schema = schema.map(Into::into);
    let input = Input { format: format.to_owned(), paths: vec![path], schema, options, parallelism: 1 };
    Ok(input.with_csv_header())
}

/// By the end of the name; a folder, standard input and names that say nothing are taken for CSV.
fn format_of_name(name: &str) -> &'static str {
    let name = name.to_lowercase();
    if name.ends_with(".parquet") {
        "parquet"
    } else if name.ends_with(".json") || name.ends_with(".jsonl") || name.ends_with(".ndjson") {
        "json"
    } else {
        "csv"
    }
}

fn open_target(args: &ScoreArgs, cli: &Cli, schema: &SchemaRef, session: &Session) -> Result<OutputFile, Failure> {
    let Some(path) = &args.out else {
        let format = if cli.output == Output::Json { OutputFormat::Json } else { OutputFormat::Csv };
        return OutputFile::stdout(format, schema);
    };
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => OutputFormat::Csv,
        Some("jsonl" | "json") => OutputFormat::Json,
        Some("parquet") => OutputFormat::Parquet,
        _ => {
            let hint = Some("end its name in .csv, .jsonl or .parquet".to_owned());
            return Err(Refusal::of_job(format!("no format is known for: {}", path.display()), hint).into());
        }
    };
    match remote(path)? {
        Some(place) => OutputFile::create_on_a_cluster(&place, format, schema, session),
        None => OutputFile::create(path, format, schema),
    }
}

/// Standard input, kept in a file so that its columns can be inferred before its rows are read.
struct StandardInput {
    path: PathBuf,
}

impl StandardInput {
    fn keep() -> Result<StandardInput, Failure> {
        let path = std::env::temp_dir().join(format!("ognivo-stdin-{}", uuid::Uuid::new_v4()));
        let mut file = std::fs::File::create_new(&path).map_err(FileFailure::of("make", &path))?;
        let kept = StandardInput { path };
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = std::io::stdin().lock().read(&mut buffer);
            let n = read.map_err(FileFailure::of("read", Path::new("stdin")))?;
            if n == 0 {
                return Ok(kept);
            }
            file.write_all(&buffer[..n]).map_err(FileFailure::of("write", &kept.path))?;
        }
    }

    fn path(&self) -> String {
        self.path.display().to_string()
    }
}

impl Drop for StandardInput {
    fn drop(&mut self) {
        // Nobody is there to be told; the system tidies its temporary folder too.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What became of the rows.
#[derive(Debug, Default)]
struct Tally {
    n_read: usize,
    n_kept: usize,
    n_skipped: usize,
    n_rejected: usize,
    n_dropped: u64,
    /// The first few reasons.
    reasons: Vec<String>,
}

/// Reasons that are shown.
const MAX_REASONS: usize = 5;

impl Tally {
    fn add(&mut self, fates: &Fates) {
        for (row_idx, rejection) in fates.rejections() {
            if self.reasons.len() < MAX_REASONS {
                let row = self.n_read + row_idx + 1;
                self.reasons.push(format!(
                    "row {row}: {}, column `{}`: {}",
                    rejection.stage, rejection.column, rejection.message
                ));
            }
        }
        self.n_read += fates.n_rows();
        self.n_kept += fates.n_kept();
        self.n_skipped += fates.n_skipped();
        self.n_rejected += fates.n_rejected();
    }

    /// Says what is not in the output; rows that could not be scored make the run one that has bad data.
    fn tell(&self, quiet: bool) -> ExitCode {
        let count = |n: usize| print::thousands(n as u64);
        let n_records = self.n_read as u64 + self.n_dropped;
        if !quiet {
            print::say(&format!(
                "{} rows read = {} written + {} skipped + {} not scored",
                print::thousands(n_records),
                count(self.n_kept),
                print::thousands(self.n_skipped as u64 + self.n_dropped),
                count(self.n_rejected),
            ));
        }
        if self.n_rejected == 0 {
            return ExitCode::SUCCESS;
        }
        self.reasons.iter().for_each(|reason| print::say(&format!("  {reason}")));
        if self.n_rejected > self.reasons.len() {
            print::say(&format!("  and {} more", count(self.n_rejected - self.reasons.len())));
        }
        ExitCode::from(exit::BAD_DATA)
    }
}
