//! A stream while it runs: asked to end, started twice, fed with too much that is bad.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::Ran;
use crate::loans::{Fate, Loans, StreamForm};
use crate::stream_oracle::{LogKind, batch_scores, check, check_nothing_is_left_over, newest_id};

/// A stream that runs, and the progress that it prints.
struct Live {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Live {
    fn start(loans: &Loans, job: &str) -> Live {
        let mut child = loans.place.start(&["stream", job, "--progress", "json"]);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Live { child, stdout }
    }

    /// The progress of the next batch.
    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: `{line}`"))
    }

    /// Sends the signal, waits for the end, and gives how it ended and how long that took.
    fn end(mut self, signal: &str) -> (Ran, Duration) {
        let asked = Instant::now();
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        let ran = Ran::of_child(self.child);
        (ran, asked.elapsed())
    }
}

/// Promised are 5 seconds; the rest is for a machine with other work.
const GRACEFUL_END: Duration = Duration::from_secs(10);

fn ends_gracefully(signal: &str) {
    let loans = Loans::new(30, 4);
    let scores = batch_scores(&loans);
    let job = loans.write_job("run", StreamForm { trigger: "{processingTime: 20 ms}", ..StreamForm::default() });
    let mut live = Live::start(&loans, &job);
    for batch in 0..3 {
        assert_eq!(live.next()["batchId"], batch);
    }
    let (ran, took) = live.end(signal);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("stopping") && ran.stderr.contains("stopped after"), "{}", ran.stderr);
    assert!(took < GRACEFUL_END, "{took:?}");

    check_nothing_is_left_over(&loans.place.at("run"));

    // What it did is whole: the next start replays nothing that is there, and leaves nothing out.
    let committed = newest_id(&loans.place.at("run/output/_spark_metadata"));
    assert_eq!(
        newest_id(&loans.place.at("run/checkpoint/commits")),
        committed,
        "no batch is in the target and not done"
    );
    let job = loans.write_job("run", StreamForm::default());
    loans.place.run(&["stream", &job, "--quiet"]).ok();
    assert_eq!(check(&loans, "run", LogKind::Spark, &scores).batches, 30);
}

#[test]
fn sigterm_ends_a_stream_with_every_batch_whole() {
    ends_gracefully("-TERM");
}

#[test]
fn sigint_ends_a_stream_with_every_batch_whole() {
    ends_gracefully("-INT");
}

#[test]
fn an_idle_stream_ends_at_sigterm_too() {
    let loans = Loans::new(1, 3);
    let job = loans.write_job("run", StreamForm { trigger: "{processingTime: 1 hour}", ..StreamForm::default() });
    let mut live = Live::start(&loans, &job);
    assert_eq!(live.next()["batchId"], 0);
    let (ran, took) = live.end("-TERM");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(took < GRACEFUL_END, "{took:?}");
}

#[test]
fn a_second_stream_on_the_same_checkpoint_is_refused_and_the_first_goes_on() {
    let mut loans = Loans::new(3, 4);
    let job = loans.write_job("run", StreamForm { trigger: "{processingTime: 20 ms}", ..StreamForm::default() });
    let mut first = Live::start(&loans, &job);
    for batch in 0..3 {
        assert_eq!(first.next()["batchId"], batch);
    }
    let second = loans.place.run(&["stream", &job]);
    assert_eq!(second.code, Some(2), "{}", second.stderr);
    assert!(second.stderr.contains("runs on this checkpoint"), "{}", second.stderr);

    loans.add_file("later", 5);
    let progress = first.next();
    assert_eq!((&progress["batchId"], &progress["numInputRows"]), (&json!(3), &json!(5)));
    assert_eq!(first.end("-TERM").0.code, Some(0));
    let scores = batch_scores(&loans);
    assert_eq!(check(&loans, "run", LogKind::Spark, &scores).batches, 4);
}

#[test]
fn a_batch_with_too_many_bad_rows_stops_the_job_and_is_not_committed() {
    let loans = Loans::new(3, 120);
    let scores = batch_scores(&loans);
    let stream = "  errors: {malformed: deadLetter, invalid: deadLetter, maxBadFraction: 0.005}\n";
    let job = loans.write_job("run", StreamForm { stream, ..StreamForm::default() });
    let ran = loans.place.run(&["stream", &job]);
    assert_eq!(ran.code, Some(5), "{}", ran.stderr);
    let shown = loans.place.run(&["checkpoint", "show", "run/checkpoint", "--output", "json"]).json();
    assert_eq!((&shown["planned"], &shown["committed"]), (&json!(1), &json!(0)));
    assert_eq!(newest_id(&loans.place.at("run/output/_spark_metadata")), 0);
    let listed = loans.place.run(&["dlq", "list", "run/dead", "--output", "json"]).json();
    assert_eq!(listed["deadLetters"], 0);

    // It stops there again, until somebody allows more.
    assert_eq!(loans.place.run(&["stream", &job]).code, Some(5));
    loans.place.run(&["stream", &job, "--quiet", "--set", "stream.errors.maxBadFraction=0.5"]).ok();
    let counts = check(&loans, "run", LogKind::Spark, &scores);
    assert_eq!((counts.batches, counts.dead_letters), (3, loans.count(Fate::Malformed) + loans.count(Fate::Unseen)));
}

#[test]
fn a_bad_row_fails_the_job_where_the_job_says_so_and_is_dropped_where_it_says_that() {
    let loans = Loans::new(2, 4);
    let fail = "  errors: {malformed: fail}\n";
    let job = loans.write_job("failing", StreamForm { stream: fail, ..StreamForm::default() });
    let ran = loans.place.run(&["stream", &job]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("a lot") && ran.stderr.contains("00001.csv"), "{}", ran.stderr);

    let drop = "  errors: {malformed: drop, invalid: drop}\n";
    let job = loans.write_job("dropping", StreamForm { stream: drop, ..StreamForm::default() });
    let ran = loans.place.run(&["stream", &job]);
    assert!(ran.stderr.contains("8 rows read = 7 written + 1 skipped + 0 dead letters"), "{}", ran.stderr);
    ran.ok();
}

#[test]
fn a_file_in_the_place_of_the_output_folder_is_told_at_once() {
    let loans = Loans::new(1, 3);
    let job = loans.write_job("run", StreamForm::default());
    loans.place.write("run/output", "not a folder");
    let ran = loans.place.run(&["stream", &job]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot prepare the folder") && ran.stderr.contains("File exists"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("waiting"), "{}", ran.stderr);

    // The same for a folder above it.
    let job = loans.write_job("other", StreamForm::default());
    let ran = loans.place.run(&["stream", &job, "--set", "stream.writeStream.path=train.csv/output"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}
