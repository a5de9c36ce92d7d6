//! Whole jobs with the binary: files of loans, a model, a table; killed with `kill -9` at every place where a batch may die.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use ognivo_stream::kill_point::KillPoint;
use scylla::value::CqlValue;
use serde_json::Value;

use crate::place::Place;
use crate::run;
use crate::server::{contact_point, told};

/// LendingClub loans: `lending_club` of the R package modeldata 1.1.0 (MIT), written with write.csv.
const LOANS: &str = include_str!("../../../../../fixtures/data/lending_club.csv");

const SCHEMA: &str = "id BIGINT, funded_amnt INT, term STRING, int_rate DOUBLE, sub_grade STRING, \
addr_state STRING, verification_status STRING, annual_inc DOUBLE, emp_length STRING, delinq_2yrs INT, \
inq_last_6mths INT, revol_util DOUBLE, acc_now_delinq INT, open_il_6m INT, open_il_12m INT, open_il_24m INT, \
total_bal_il INT, all_util INT, inq_fi INT, inq_last_12m INT, delinq_amnt INT, num_il_tl INT, \
total_il_high_credit_limit INT, Class STRING";

const TRAIN: &str = r#"version: 1
train:
  read: {format: csv, path: train.csv, schema: "SCHEMA", options: {header: true}}
  pipeline:
    - StringIndexer: {inputCols: [term, Class], outputCols: [term_index, label], stringOrderType: frequencyDesc}
    - VectorAssembler: {inputCols: [funded_amnt, int_rate, annual_inc, term_index], outputCol: features}
    - LogisticRegression: {maxIter: 5, regParam: 0.01}
  save: {path: model, mode: overwrite}
"#;

const STREAM: &str = r#"version: 1
name: RUN
threads: 1
stream:
  readStream:
    format: csv
    path: incoming
    schema: "SCHEMA"
    options: {header: true, maxFilesPerTrigger: 1}
  model: model
  select: [id, probability, prediction, rawPrediction]
  writeStream:
    format: cassandra
    options:
      spark.cassandra.connection.host: CONTACT
      spark.cassandra.auth.username: cassandra
      spark.cassandra.auth.password: cassandra
      keyspace: KEYSPACE
      table: RUN
      progressTable: progress
    columns: {id: id, prediction: prediction, probability: probability, raw: rawPrediction}
    checkpointLocation: RUN/checkpoint
    trigger: {availableNow: true}
  deadLetter: {format: json, path: RUN/dead}
"#;

const N_FILES: usize = 5;
const ROWS_PER_FILE: usize = 12;

/// Bits of the probability's two values, the prediction, and the raw prediction's two.
type Score = [u64; 5];

/// A folder with a model and files that arrive, and what each of their rows must come to.
pub(crate) struct Loans {
    folder: tempfile::TempDir,
    pub(crate) place: Place,
    scores: BTreeMap<i64, Score>,
    n_malformed: usize,
}

impl Loans {
    async fn new(keyspace: &str) -> Loans {
        Loans::in_place(Place::new(keyspace, 1).await).await
    }

    pub(crate) async fn in_place(place: Place) -> Loans {
        let folder = tempfile::tempdir().unwrap();
        let mut loans = Loans { folder, place, scores: BTreeMap::new(), n_malformed: 0 };
        let mut lines = LOANS.lines();
        let header = format!("\"id\",{}\n", lines.next().unwrap());
        let numbered = |id: usize, line: &str| format!("{id},{line}\n");
        let training: String = lines.by_ref().take(300).enumerate().map(|(id, line)| numbered(id, line)).collect();
        loans.write("train.csv", &format!("{header}{training}"));
        let mut good = header.clone();
        let mut ids = 1000..;
        for file in 0..N_FILES {
            let mut text = header.clone();
            for (id, line) in ids.by_ref().zip(lines.by_ref()).take(ROWS_PER_FILE) {
                good.push_str(&numbered(id, line));
                text.push_str(&numbered(id, line));
            }
            writeln!(text, "{},a lot", 9000 + file).unwrap();
            loans.n_malformed += 1;
            loans.write(&format!("incoming/{file}.csv"), &text);
        }
        loans.write("good.csv", &good);
        loans.write("train.yaml", &TRAIN.replace("SCHEMA", SCHEMA));
        loans.ok(&["train", "train.yaml", "--quiet"]);
        let select = "id,probability,prediction,rawPrediction";
        let told = loans
            .ok(&["score", "model", "good.csv", "--schema", SCHEMA, "--select", select, "--output", "json", "--quiet"]);
        loans.scores = told.lines().map(score_of).collect();
        assert_eq!(loans.scores.len(), N_FILES * ROWS_PER_FILE);
        loans
            .place
            .cql(
                &ognivo_cassandra::create_progress_table(&loans.place.config(
                    "t",
                    &[("progressTable", "progress")],
                    &[],
                ))
                .unwrap(),
            )
            .await;
        loans
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PathBuf::from(told("OGNIVO_BINARY")));
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    #[track_caller]
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes the table of a run, and writes its job.
    pub(crate) async fn prepare(&self, run: &str, list: &str) -> String {
        self.place
            .cql(&format!(
                "CREATE TABLE KS.{run} (id bigint PRIMARY KEY, prediction double, probability {list}, raw {list})"
            ))
            .await;
        let text = STREAM.replace("SCHEMA", SCHEMA).replace("CONTACT", &contact_point());
        let name = format!("{run}.yaml");
        self.write(&name, &text.replace("RUN", run).replace("KEYSPACE", &self.place.keyspace));
        name
    }

    /// Writes so many rows into one more file that arrives, and gives them ids from 100,000 on.
    pub(crate) fn add_large_file(&self, n_rows: usize) {
        let mut lines = LOANS.lines();
        let mut text = format!("\"id\",{}\n", lines.next().unwrap());
        for (id, line) in (100_000..).zip(lines.cycle()).take(n_rows) {
            writeln!(text, "{id},{line}").unwrap();
        }
        self.write("incoming/large.csv", &text);
    }

    /// Changes the text of a job.
    #[track_caller]
    pub(crate) fn change(&self, job: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.folder.path().join(job)).unwrap();
        assert!(text.contains(from), "{job} has no: {from}");
        self.write(job, &text.replace(from, to));
    }

    /// The table holds every row that it must, bit for bit, with the time of a plan, and no other; dead letters are there once.
    pub(crate) async fn check(&self, run: &str, has_plan_times: bool) {
        let rows = self
            .place
            .rows(&format!("SELECT id, probability, prediction, raw, writetime(prediction) FROM KS.{run}"))
            .await;
        let found: BTreeMap<i64, Score> = rows.iter().map(|row| score_in_table(row)).collect();
        assert_eq!(rows.len(), self.scores.len(), "{run}: rows");
        assert!(found == self.scores, "{run}: every score has the bits of the batch score");
        let times: Vec<i64> = (0..N_FILES).map(|batch| self.plan_time_us(run, batch)).collect();
        for row in &rows {
            let time = row[4].as_ref().and_then(CqlValue::as_bigint).unwrap();
            assert!(!has_plan_times || times.contains(&time), "{run}: a cell of time {time}, plans of {times:?}");
            assert!(time >= times[0]);
        }
        let mut letters = Vec::new();
        for entry in std::fs::read_dir(self.folder.path().join(run).join("dead")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "json") {
                letters.extend(std::fs::read_to_string(path).unwrap().lines().map(str::to_owned));
            }
        }
        assert_eq!(letters.len(), self.n_malformed, "{run}: dead letters");
    }

    fn plan_time_us(&self, run: &str, batch: usize) -> i64 {
        let path = self.folder.path().join(run).join(format!("checkpoint/offsets/{batch}"));
        let text = std::fs::read_to_string(path).unwrap();
        let metadata: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
        metadata["batchTimestampMs"].as_i64().unwrap() * 1000
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn score_of(line: &str) -> (i64, Score) {
    let row: Value = serde_json::from_str(line).unwrap();
    let bits = |value: &Value| value.as_f64().unwrap().to_bits();
    let vector = |name: &str, i: usize| bits(&row[name]["values"][i]);
    let score = [
        vector("probability", 0),
        vector("probability", 1),
        bits(&row["prediction"]),
        vector("rawPrediction", 0),
        vector("rawPrediction", 1),
    ];
    (row["id"].as_i64().unwrap(), score)
}

fn score_in_table(row: &[Option<CqlValue>]) -> (i64, Score) {
    let list = |value: &Option<CqlValue>| -> Vec<u64> {
        let elements = value.as_ref().and_then(CqlValue::as_list).unwrap();
        elements.iter().map(|element| element.as_double().unwrap().to_bits()).collect()
    };
    let (probability, raw) = (list(&row[1]), list(&row[3]));
    assert_eq!((probability.len(), raw.len()), (2, 2), "a list that is there once: {row:?}");
    let prediction = row[2].as_ref().and_then(CqlValue::as_double).unwrap().to_bits();
    let id = row[0].as_ref().and_then(CqlValue::as_bigint).unwrap();
    (id, [probability[0], probability[1], prediction, raw[0], raw[1]])
}

#[test]
fn a_stream_into_a_table_equals_the_batch_score() {
    run(async {
        let loans = Loans::new("jobs_clean").await;
        let job = loans.prepare("clean", "frozen<list<double>>").await;
        loans.ok(&["validate", &job]);
        loans.ok(&["stream", &job, "--quiet"]);
        loans.check("clean", true).await;
        loans.ok(&["stream", &job, "--quiet"]);
        loans.check("clean", true).await;
    });
}

/// Places that a batch of files into a table, with dead letters in files, passes at least twice in five batches.
fn points() -> Vec<KillPoint> {
    let rare = [KillPoint::SourceAcknowledging, KillPoint::Purging];
    KillPoint::OF_BATCHES.iter().copied().filter(|point| !rare.contains(point)).collect()
}

#[test]
fn a_kill_at_any_point_of_any_batch_loses_and_doubles_nothing() {
    run(async {
        let loans = Loans::new("jobs_killed").await;
        let mut n_runs = 0;
        let points = points();
        for (number, point) in points.iter().enumerate() {
            // Every place dies once; of every batch only when all is asked for.
            let batches = if crate::is_full() { 1..=5 } else { 1 + number % 2..=1 + number % 2 };
            for nth in batches {
                let run = format!("run_{}_{nth}", point.name());
                // Every third table has lists whose elements Cassandra keeps one by one.
                let is_frozen = (number + nth) % 3 != 0;
                let job = loans.prepare(&run, if is_frozen { "frozen<list<double>>" } else { "list<double>" }).await;
                let mut stream = loans.command(&["stream", &job, "--quiet"]);
                let output = stream.env("OGNIVO_KILL_POINT", format!("{}@{nth}", point.name())).output().unwrap();
                let died = output.status.code().is_none();
                assert!(died || output.status.success(), "{run}: {}", said(&output));
                loans.ok(&["stream", &job, "--quiet"]);
                loans.check(&run, is_frozen).await;
                assert!(died || nth > 2, "{run}: the process was to die");
                println!("{run}: {}", if died { "died, came back" } else { "never got there" });
                n_runs += u32::from(died);
            }
        }
        println!("{n_runs} runs that were killed");
        assert!(n_runs as usize >= if crate::is_full() { 60 } else { points.len() });
    });
}
