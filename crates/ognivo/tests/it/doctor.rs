//! `ognivo doctor`: what it finds on local disks, how it says so, and that it leaves nothing behind.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::binary::Ran;
use crate::loans::{Loans, StreamForm};

/// What was found of `what`: `ok`, `warning` or `failed`, and the text.
#[track_caller]
fn found<'a>(told: &'a Value, what: &str) -> (&'a str, &'a str) {
    let checks = told["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["what"] == what).unwrap_or_else(|| panic!("{what} in {told:#}"));
    (check["found"].as_str().unwrap(), check["text"].as_str().unwrap())
}

fn doctor(loans: &Loans, job: &str) -> (Option<i32>, Value) {
    let Ran { code, stdout, stderr } = loans.place.run(&["doctor", job, "--output", "json"]);
    assert_eq!(stderr, "");
    (code, serde_json::from_str(&stdout).unwrap())
}

fn everything_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(everything_below(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

#[test]
fn a_job_that_can_run_is_found_fine_and_nothing_is_left_behind() {
    let loans = Loans::new(2, 3);
    let job = loans.write_job("run", StreamForm::default());
    let before = everything_below(loans.place.path());
    let told = loans.place.run(&["doctor", &job]).ok();
    assert_eq!(everything_below(loans.place.path()), before);
    let places = ["readStream.path", "writeStream.path", "writeStream.checkpointLocation", "deadLetter.path", "model"];
    for place in places {
        assert!(told.contains(&format!("ok    stream.{place}: ")), "{place} in\n{told}");
    }
    for words in ["2 files, ", "not there yet; can be made in ", "loads, its columns are there", "none yet: the first"]
    {
        assert!(told.contains(words), "{words} in\n{told}");
    }
    assert!(told.contains("ok    clock of the disk: agrees with ours to a second\n"), "{told}");
}

#[test]
fn what_would_stop_the_job_fails_with_what_to_do_and_exit_1() {
    let loans = Loans::new(1, 3);
    let job = loans.write_job("run", StreamForm { input: "nowhere", ..StreamForm::default() });
    loans.place.write("run/output", "a file");
    std::fs::remove_dir_all(loans.place.at("model")).unwrap();
    let (code, told) = doctor(&loans, &job);
    assert_eq!((code, &told["ok"]), (Some(1), &Value::Bool(false)));
    let at = |name: &str| loans.place.at(name).display().to_string();
    assert_eq!(
        found(&told, "stream.readStream.path"),
        ("failed", &*format!("no such file or folder: {}", at("nowhere")))
    );
    assert_eq!(found(&told, "stream.writeStream.path"), ("failed", &*format!("not a folder: {}", at("run/output"))));
    assert_eq!(found(&told, "stream.model").0, "failed");
    assert_eq!(found(&told, "stream.deadLetter.path").0, "ok");
    let text = loans.place.run(&["doctor", &job]);
    assert!(text.stdout.contains("\n      hint: move the file away, or name another folder\n"), "{}", text.stdout);
}

#[test]
fn a_model_that_the_job_itself_trains_is_only_missed() {
    let loans = Loans::new(1, 3);
    let job = loans.write_job("run", StreamForm::default());
    let train = std::fs::read_to_string(loans.place.at("train.yaml")).unwrap();
    let stream = std::fs::read_to_string(loans.place.at(&job)).unwrap();
    loans.place.write("both.yaml", &(train + stream.split_once("threads: 1\n").unwrap().1));
    let (code, told) = doctor(&loans, "both.yaml");
    assert_eq!((code, found(&told, "stream.model").0), (Some(0), "ok"));
    assert_eq!(found(&told, "train.save.path").0, "ok", "it may be replaced");
    std::fs::remove_dir_all(loans.place.at("model")).unwrap();
    let (code, told) = doctor(&loans, "both.yaml");
    assert_eq!((code, found(&told, "stream.model").0), (Some(0), "warning"));
    assert!(found(&told, "train.read.path").1.contains("1 file, "), "{told:#}");
}

#[test]
fn a_pipeline_that_was_saved_unfitted_is_loaded() {
    let loans = Loans::new(1, 3);
    let fixture = "../../fixtures/spark/3.5/cross_validator_sub_models/estimator";
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(fixture);
    let train = std::fs::read_to_string(loans.place.at("train.yaml")).unwrap();
    let (before, after) = (train.split_once("  pipeline:").unwrap().0, train.split_once("  save:").unwrap().1);
    let job = format!("{before}  pipeline: {{load: {}}}\n  save:{after}", fixture.display());
    loans.place.write("load.yaml", &job);
    let (code, told) = doctor(&loans, "load.yaml");
    assert_eq!((code, found(&told, "train.pipeline.load").0), (Some(0), "ok"), "{told:#}");
    loans.place.write("load.yaml", &job.replace("sub_models/estimator", "sub_models/nothing"));
    let (code, told) = doctor(&loans, "load.yaml");
    assert_eq!((code, found(&told, "train.pipeline.load").0), (Some(1), "failed"), "{told:#}");
}

#[test]
fn a_column_that_the_model_misses_is_named() {
    let loans = Loans::new(1, 3);
    let job = loans.write_job("run", StreamForm::default());
    let text = std::fs::read_to_string(loans.place.at(&job)).unwrap();
    loans.place.write(&job, &text.replace("annual_inc DOUBLE, ", ""));
    let (code, told) = doctor(&loans, &job);
    assert_eq!(code, Some(1));
    let (state, text) = found(&told, "stream.model");
    assert!(state == "failed" && text.contains("annual_inc"), "{text}");
}

#[test]
fn the_progress_is_told_and_a_checkpoint_of_another_target_fails() {
    let loans = Loans::new(3, 3);
    let job = loans.write_job("run", StreamForm::default());
    loans.place.run(&["stream", &job, "--quiet"]).ok();
    let (code, told) = doctor(&loans, &job);
    assert_eq!(code, Some(0), "{told:#}");
    let (_, progress) = found(&told, "progress");
    assert!(progress.ends_with(": batch 2 is the last, and committed"), "{progress}");

    let text = std::fs::read_to_string(loans.place.at(&job)).unwrap();
    loans.place.write(&job, &text.replace("path: run/output", "path: run/elsewhere"));
    let (code, told) = doctor(&loans, &job);
    assert_eq!(code, Some(1));
    let checks = told["checks"].as_array().unwrap();
    let foreign = checks.iter().find(|check| check["found"] == "failed").unwrap();
    assert_eq!(foreign["what"], "progress");
    assert!(foreign["text"].as_str().unwrap().starts_with("it belongs to another target: "), "{foreign}");
    // What doctor says is what stream does.
    assert_eq!(loans.place.run(&["stream", &job, "--quiet"]).code, Some(2));
}

#[test]
fn a_cluster_that_is_not_there_may_come_and_its_places_are_not_asked_one_by_one() {
    let loans = Loans::new(1, 3);
    let job = loans.write_job("run", StreamForm::default());
    let text = std::fs::read_to_string(loans.place.at(&job)).unwrap();
    // Port 1 of the loopback: nobody listens there, and nobody may without being root.
    loans.place.write(&job, &text.replace("path: run/", "path: hdfs://127.0.0.1:1/run/"));
    let (code, told) = doctor(&loans, &job);
    assert_eq!(code, Some(75), "{told:#}");
    let (state, text) = found(&told, "NameNode 127.0.0.1:1");
    assert!(state == "failed" && text.contains("refused"), "{text}");
    assert_eq!(found(&told, "stream.writeStream.path"), ("failed", "not asked: hdfs://127.0.0.1:1/run/output"));
    assert_eq!(found(&told, "stream.readStream.path").0, "ok");
}

#[test]
fn a_job_file_with_mistakes_is_not_looked_at() {
    let loans = Loans::new(1, 3);
    loans.place.write("wrong.yaml", "version: 1\nstraem: {}\n");
    let ran = loans.place.run(&["doctor", "wrong.yaml"]);
    assert_eq!((ran.code, &*ran.stdout), (Some(2), ""));
    assert!(ran.stderr.contains("stream"), "{}", ran.stderr);
}
