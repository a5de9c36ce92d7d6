//! One NameNode of a name service takes over from the other under a stream, whose paths name the service and no host.
//!
//! `HADOOP_CONF_DIR` says who the NameNodes are; at the start of each test the first one is active.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::binary::Ran;
use crate::cluster::{Server, Trial, told};
use crate::loans::StreamForm;
use crate::polling::Polling;
use crate::web::Web;

const FIRST: &str = "nn1";
const SECOND: &str = "nn2";

/// A stream is still in the middle of them when Hadoop's tool, a JVM, has started and the NameNodes have obeyed.
const N_BATCHES: u64 = 100;

/// Hadoop's own tool, which says who is active.
fn haadmin(arguments: &[&str]) {
    let done = Command::new(format!("{}/haadmin", told("OGNIVO_HDFS_SERVERS"))).args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// Until the batch is planned: then the stream is in the middle of it.
fn wait_for_batch(trial: &Trial, batch: u64) {
    const DEADLINE: Duration = Duration::from_secs(60);
    let web = Web::of(&told("OGNIVO_HDFS_WEB"));
    let file = trial.path_of(&format!("run/checkpoint/offsets/{batch}"));
    let begin = Instant::now();
    while !matches!(web.read(&file), Ok(Some(_))) {
        assert!(begin.elapsed() < DEADLINE, "{file} did not come");
    }
}

#[test]
fn a_failover_that_was_asked_for_and_one_after_the_death_of_the_active_lose_nothing() {
    let trial = Trial::new("failover", N_BATCHES, 4);
    assert!(trial.root.starts_with("hdfs://labns/"), "no host and no port: {}", trial.root);
    let job = trial.write_job("run", StreamForm::default());
    let polling = Polling::start(&Web::of(&told("OGNIVO_HDFS_WEB")), &trial.path_of("run"));
    let stream = trial.loans.place.start(&["stream", &job]);

    wait_for_batch(&trial, 2);
    haadmin(&["-failover", FIRST, SECOND]);
    wait_for_batch(&trial, 6);
    let second = Server::of("namenode2");
    second.signal("KILL");
    haadmin(&["-failover", SECOND, FIRST]);

    let ran = Ran::of_child(stream);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let counts = trial.check("run");
    assert_eq!(counts.batches, N_BATCHES, "{}", ran.stderr);
    assert_eq!(polling.end().n_rows, counts.scored + counts.dead_letters, "a reader saw every row");
    second.start();
}

#[test]
fn while_no_name_node_is_active_a_stream_waits_and_goes_on() {
    let trial = Trial::new("no-active", N_BATCHES, 4);
    let job = trial.write_job("run", StreamForm::default());
    let stream = trial.loans.place.start(&["stream", &job]);
    wait_for_batch(&trial, 2);
    haadmin(&["-transitionToStandby", FIRST]);
    // Longer than a call is repeated: the stream itself must wait.
    sleep(Duration::from_secs(20));
    haadmin(&["-transitionToActive", FIRST]);
    let ran = Ran::of_child(stream);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("waiting ") && ran.stderr.contains("StandbyException"), "{}", ran.stderr);
    assert_eq!(trial.check("run").batches, N_BATCHES, "{}", ran.stderr);
}

#[test]
fn without_an_active_name_node_for_longer_than_the_deadline_the_exit_code_says_try_again_later() {
    let trial = Trial::new("deadline", N_BATCHES, 4);
    let form = StreamForm { stream: "  retryDeadline: 5 seconds\n", ..StreamForm::default() };
    let job = trial.write_job("run", form);
    let stream = trial.loans.place.start(&["stream", &job]);
    wait_for_batch(&trial, 2);
    haadmin(&["-transitionToStandby", FIRST]);
    let ran = Ran::of_child(stream);
    let at_the_start = trial.loans.place.run(&["stream", &job]);
    haadmin(&["-transitionToActive", FIRST]);
    for ran in [ran, at_the_start] {
        assert_eq!(ran.code, Some(75), "{}", ran.stderr);
        assert!(ran.stderr.contains("StandbyException"), "it says what it waits for: {}", ran.stderr);
    }
    trial.loans.place.run(&["stream", &job, "--quiet"]).ok();
    assert_eq!(trial.check("run").batches, N_BATCHES);
}
