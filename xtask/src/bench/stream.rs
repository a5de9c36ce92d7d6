//! Streams from a folder of CSV files into Parquet, beside PySpark: start to the first row, one trigger, memory.
//!
//! A batch is visible when its entry stands in `_spark_metadata`: then, and not before, readers take its rows.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::live::Live;
use super::loans::N_ROWS;
use super::peers::{self, check_scored, script};
use super::rounds::{Figures, megabytes, milliseconds, rotate, seconds};
use super::{Part, Row, loans};
use crate::cache;
use crate::program;
use crate::spark;

/// Rows of a small file.
const N_ROWS_SMALL: usize = 100;
/// Files before anything is measured, and those that are.
const N_WARM_UP: u64 = 20;
const N_MEASURED: u64 = 20;
/// Batches of a long life, and when memory is first looked at.
const N_LONG: u64 = 2_000;
const N_EARLY: u64 = 200;
/// Nothing here takes longer.
const DEADLINE: Duration = Duration::from_secs(180);
/// How often somebody looks whether a batch is visible.
const LOOK_EVERY: Duration = Duration::from_micros(250);

/// The section of the page.
pub(super) const PART: Part = Part {
    name: "stream",
    title: "Stream",
    how: "\
Files appear by rename; a batch is visible when its entry stands in `_spark_metadata`; all rows and scores equal to 1e-12. Memory is the
largest resident set of each process, JVM and Python together.",
    measure,
};

/// Measures all three; the rows of the first batch are compared.
///
/// # Errors
/// When a program fails, the rows differ, or a batch does not come.
fn measure(n_rounds: usize) -> Result<Vec<Row>, String> {
    program::build_ognivo()?;
    let setting = Setting { model: peers::spark_model()?, python: spark::environment(spark::NEWEST)? };
    let peer = format!("PySpark {}", spark::NEWEST);
    let first = rotate(n_rounds, 2, |program| setting.start_to_first_row(program))?;
    let places = cache::folder("bench")?;
    check_scored(&places.join("first-0/output"), &places.join("first-1/output"))?;
    let mut rows = vec![Figures { ours: &first[0], theirs: &first[1], shown: seconds }.row(
        &format!("stream: start of the process to {N_ROWS} scored rows visible"),
        &peer,
        Some(200.0),
    )];
    let lives = rotate(n_rounds, 2, |program| setting.live(program))?;
    let values = |program: usize, of: fn(&Life) -> f64| lives[program].iter().map(of).collect::<Vec<f64>>();
    let mut add = |what: &str, of: fn(&Life) -> f64, shown: fn(&[f64]) -> String, goal: f64| {
        let (ours, theirs) = (values(0, of), values(1, of));
        rows.push(Figures { ours: &ours, theirs: &theirs, shown }.row(what, &format!("{peer}, warm"), Some(goal)));
    };
    let what = format!("stream: a file of {N_ROWS_SMALL} rows visible to its scored rows visible");
    add(&what, |life| life.trigger_seconds, milliseconds, 15.0);
    let what = format!("stream: peak memory after {} batches", N_WARM_UP + N_MEASURED);
    add(&what, |life| life.peak_bytes, megabytes, 15.0);
    rows.push(setting.long_life()?);
    Ok(rows)
}

/// What all streams here share.
struct Setting {
    model: PathBuf,
    python: PathBuf,
}

/// A stream that ran for a while.
struct Life {
    /// Median over the measured files.
    trigger_seconds: f64,
    peak_bytes: f64,
}

impl Setting {
    fn start_to_first_row(&self, program: usize) -> Result<f64, String> {
        let place = Place::new(&format!("first-{program}"))?;
        place.add(0, &loans::file(N_ROWS)?)?;
        let begin = Instant::now();
        let mut stream = self.start(program, &place, "once")?;
        place.wait_for_batch(0, &mut stream)?;
        let elapsed = begin.elapsed().as_secs_f64();
        end_by_itself(&mut stream)?;
        Ok(elapsed)
    }

    fn live(&self, program: usize) -> Result<Life, String> {
        let place = Place::new(&format!("live-{program}"))?;
        let file = loans::file(N_ROWS_SMALL)?;
        let mut stream = self.start(program, &place, "live")?;
        let mut taken = Vec::new();
        for n in 0..N_WARM_UP + N_MEASURED {
            let begin = place.add(n, &file)?;
            place.wait_for_batch(n, &mut stream)?;
            taken.push(begin.elapsed().as_secs_f64());
            // Both look for files again after a pause; the next one comes at no fixed moment of it.
            std::thread::sleep(Duration::from_millis(20 + n * 7 % 13));
        }
        let peak_bytes = peak_bytes(stream.0.id())? as f64;
        let mut measured = taken.split_off(N_WARM_UP as usize);
        measured.sort_by(f64::total_cmp);
        Ok(Life { trigger_seconds: measured[measured.len() / 2], peak_bytes })
    }

    /// Ours alone: memory must not grow with the number of batches.
    fn long_life(&self) -> Result<Row, String> {
        let place = Place::new("long")?;
        let file = loans::file(N_ROWS_SMALL)?;
        for n in 0..N_LONG {
            place.add(n, &file)?;
        }
        let mut stream = self.start(0, &place, "live")?;
        place.wait_for_batch(N_EARLY - 1, &mut stream)?;
        let early = peak_bytes(stream.0.id())? as f64;
        place.wait_for_batch(N_LONG - 1, &mut stream)?;
        let late = peak_bytes(stream.0.id())? as f64;
        let what = format!("stream: peak memory after {N_LONG} batches (beside it: after {N_EARLY})");
        Ok(Figures { ours: &[late], theirs: &[early], shown: megabytes }.row(&what, "ognivo", None))
    }

    fn start(&self, program: usize, place: &Place, trigger: &str) -> Result<Live, String> {
        let mut command;
        if program == 0 {
            let job = place.folder.join("job.yaml");
            std::fs::write(&job, self.job(place, trigger)).map_err(|e| format!("{}: {e}", job.display()))?;
            command = Command::new(program::built("release", "ognivo"));
            command.arg("stream").arg(job).arg("--quiet");
        } else {
            command = script(&self.python, "stream_spark.py");
            command.arg(&self.model).arg(&place.folder).arg(loans::DDL).arg(trigger);
        }
        // Spark's warnings about the machine would fill the page.
        Live::start(command.stdout(Stdio::null()).stderr(Stdio::null()))
    }

    fn job(&self, place: &Place, trigger: &str) -> String {
        let trigger = if trigger == "once" { "\n    trigger: {availableNow: true}" } else { "" };
        format!(
            "version: 1
name: bench
stream:
  readStream:
    format: csv
    path: {folder}/incoming
    schema: '{schema}'
    options: {{header: true, maxFilesPerTrigger: 1}}
  model: {model}
  select: [features, rawPrediction, probability, prediction]
  errors: {{malformed: permissive}}
  writeStream:
    format: parquet
    path: {folder}/output
    checkpointLocation: {folder}/checkpoint{trigger}
",
            folder = place.folder.display(),
            schema = loans::DDL,
            model = self.model.display()
        )
    }
}

fn end_by_itself(stream: &mut Live) -> Result<(), String> {
    let status = stream.0.wait().map_err(|e| format!("a stream cannot be waited for: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("a stream ended with {status}")) }
}

/// `incoming`, `output` and `checkpoint` of one stream.
struct Place {
    folder: PathBuf,
}

impl Place {
    fn new(name: &str) -> Result<Place, String> {
        let folder = cache::folder("bench")?.join(name);
        let made = match std::fs::remove_dir_all(&folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
            _ => std::fs::create_dir_all(folder.join("incoming")),
        };
        made.map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Place { folder })
    }

    /// Puts a copy of a file into `incoming`, whole; tells when.
    fn add(&self, n: u64, file: &Path) -> Result<Instant, String> {
        let (hidden, path) =
            (self.folder.join(format!("incoming/.{n}.csv")), self.folder.join(format!("incoming/{n:06}.csv")));
        std::fs::copy(file, &hidden).map_err(|e| format!("{}: {e}", hidden.display()))?;
        let begin = Instant::now();
        std::fs::rename(&hidden, &path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(begin)
    }

    fn wait_for_batch(&self, batch: u64, stream: &mut Live) -> Result<(), String> {
        let suffix = if batch % 10 == 9 { ".compact" } else { "" };
        let entry = self.folder.join(format!("output/_spark_metadata/{batch}{suffix}"));
        let begin = Instant::now();
        while !entry.exists() {
            if begin.elapsed() > DEADLINE {
                return Err(format!("{} has not come for {DEADLINE:?}", entry.display()));
            }
            if let Ok(Some(status)) = stream.0.try_wait()
                && !entry.exists()
            {
                return Err(format!("a stream ended with {status} before {}", entry.display()));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }
}

/// The largest memory so far of a process and of those that it started, each at its own largest.
fn peak_bytes(pid: u32) -> Result<u64, String> {
    let mut sum = 0;
    let mut open = vec![pid];
    let all = processes();
    while let Some(pid) = open.pop() {
        let status =
            std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(|e| format!("process {pid}: {e}"))?;
        let peak =
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok());
        // A process that has ended and is not waited for yet tells none.
        sum += peak.unwrap_or(0) * 1024;
        open.extend(all.iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| *child));
    }
    Ok(sum)
}

/// Every process and who started it.
fn processes() -> Vec<(u32, u32)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let parent_of = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()
    };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, parent_of(pid)?))).collect()
}
