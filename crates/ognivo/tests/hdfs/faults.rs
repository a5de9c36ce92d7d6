//! A stream whose servers are frozen, killed and started again goes on by itself, and the oracle is clean. Where a server stays frozen,
//! whoever waits for it gives up and says so.
//!
//! These run one after the other: they share the servers.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::binary::Ran;
use crate::cluster::{Dead, Impatient, Server, Trial, end_of, wait_for};
use crate::loans::StreamForm;

/// Long enough for the next call of the stream to run into the fault.
const FAULT: Duration = Duration::from_secs(3);

/// Starts a stream, lets a fault happen when its second batch is planned, and holds what it leaves to the oracle.
fn check(name: &str, fault: impl FnOnce()) {
    let trial = Trial::new(name, 12, 3);
    let job = trial.write_job("run", StreamForm::default());
    let stream = trial.loans.place.start(&["stream", &job]);
    wait_for(&trial, "run/checkpoint/offsets/1");
    fault();
    let ran = Ran::of_child(stream);
    assert_eq!(ran.code, Some(0), "it goes on by itself: {}", ran.stderr);
    assert_eq!(trial.check("run").batches, 12, "{}", ran.stderr);
}

#[test]
fn a_frozen_name_node_is_waited_for() {
    let name_node = Server::of("namenode");
    check("frozen-name-node", || {
        let _frozen = name_node.freeze();
        sleep(FAULT);
    });
}

#[test]
fn a_killed_name_node_is_waited_for() {
    let name_node = Server::of("namenode");
    check("killed-name-node", || {
        let _dead = Dead::kill(&name_node);
        sleep(FAULT);
    });
}

#[test]
fn a_frozen_data_node_is_waited_for() {
    let data_node = Server::of("datanode");
    check("frozen-data-node", || {
        let _frozen = data_node.freeze();
        sleep(FAULT);
    });
}

#[test]
fn a_killed_data_node_is_waited_for() {
    let data_node = Server::of("datanode");
    check("killed-data-node", || {
        let _dead = Dead::kill(&data_node);
        sleep(FAULT);
    });
}

/// Safe mode, which ends when this goes out of sight: whatever a test finds, the next one can write.
struct SafeMode<'a>(&'a Server);

impl<'a> SafeMode<'a> {
    fn enter(name_node: &'a Server) -> SafeMode<'a> {
        name_node.run_beside(DFS_ADMIN, &["-safemode", "enter"]);
        SafeMode(name_node)
    }
}

impl Drop for SafeMode<'_> {
    fn drop(&mut self) {
        self.0.run_beside(DFS_ADMIN, &["-safemode", "leave"]);
    }
}

const DFS_ADMIN: &str = "org.apache.hadoop.hdfs.tools.DFSAdmin";

#[test]
fn a_name_node_in_safe_mode_is_waited_for_and_named() {
    // The stream is still in the middle of them when Hadoop's tool, a JVM, has started.
    let trial = Trial::new("safe-mode", 100, 4);
    let job = trial.write_job("run", StreamForm::default());
    let name_node = Server::of("namenode");
    let stream = trial.loans.place.start(&["stream", &job, "--progress", "none"]);
    wait_for(&trial, "run/checkpoint/offsets/1");
    let safe_mode = SafeMode::enter(&name_node);
    // Longer than a call is repeated: the stream itself must wait.
    sleep(Duration::from_secs(20));
    drop(safe_mode);
    let ran = end_of(stream);
    assert_eq!(ran.code, Some(0), "it goes on by itself: {}", ran.stderr);
    for words in ["waiting ", "is in safe mode", "SafeModeException"] {
        assert!(ran.stderr.contains(words), "{words} in {}", ran.stderr);
    }
    assert_eq!(trial.check("run").batches, 100, "{}", ran.stderr);
}

#[test]
fn a_put_waits_for_a_data_node_that_is_away() {
    let trial = Trial::awaiting("put-without-data-node", 0, 0);
    let data_node = Server::of("datanode");
    let dead = Dead::kill(&data_node);
    let target = format!("{}/train.csv", trial.root);
    let put = trial.loans.place.start(&["fs", "put", "train.csv", &target]);
    sleep(FAULT);
    drop(dead);
    let ran = Ran::of_child(put);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let expect = std::fs::read_to_string(trial.loans.place.at("train.csv")).unwrap();
    assert_eq!(trial.fs(&["cat", &target]).ok(), expect);
}

#[test]
fn while_the_name_node_stays_frozen_who_waits_for_it_gives_up_and_says_so() {
    let impatient = Impatient::new(Trial::new("stays-frozen-name-node", 60, 3));
    let trial = &impatient.0;
    let form = StreamForm { stream: "  retryDeadline: 5 seconds\n", ..StreamForm::default() };
    let job = trial.write_job("run", form);
    let name_node = Server::of("namenode");
    let stream = impatient.start(&["stream", &job, "--progress", "none"]);
    wait_for(trial, "run/checkpoint/offsets/1");

    let frozen = name_node.freeze();
    let begin = Instant::now();
    let patient = trial.loans.place.start(&["fs", "ls", &trial.root]);
    let started_late = impatient.start(&["stream", &job, "--progress", "none"]);
    let listed = end_of(impatient.start(&["fs", "ls", &trial.root]));
    assert_eq!(listed.code, Some(1), "{listed:?}");
    assert!(listed.stderr.contains("ls: ") && listed.stderr.contains("no answer within 3 s"), "{}", listed.stderr);
    for ran in [stream, started_late].map(end_of) {
        assert_eq!(ran.code, Some(75), "{}", ran.stderr);
        assert!(ran.stderr.contains("no answer within 3 s"), "it says what it waited for: {}", ran.stderr);
    }
    // Without settings of the cluster's.
    let listed = end_of(patient);
    assert_eq!(listed.code, Some(1), "{listed:?}");
    assert!(listed.stderr.contains("no answer within 30 s"), "{}", listed.stderr);
    println!("a NameNode that stays frozen was given up after {} s", begin.elapsed().as_secs());
    drop(frozen);

    trial.loans.place.run(&["stream", &job, "--quiet"]).ok();
    assert_eq!(trial.check("run").batches, 60);
}

#[test]
fn while_the_data_node_stays_frozen_who_waits_for_it_gives_up_and_says_so() {
    let impatient = Impatient::new(Trial::new("stays-frozen-data-node", 1, 3));
    let trial = &impatient.0;
    let (there, new) = (format!("{}/train.csv", trial.root), format!("{}/good.csv", trial.root));
    let data_node = Server::of("datanode");
    let frozen = data_node.freeze();
    let begin = Instant::now();
    let put = impatient.start(&["fs", "put", "good.csv", &new]);
    let shown = end_of(impatient.start(&["fs", "cat", &there]));
    assert_eq!(shown.code, Some(1), "{shown:?}");
    assert!(shown.stderr.contains("cat: ") && shown.stderr.contains("DataNode"), "{}", shown.stderr);
    assert_eq!(shown.stderr.lines().count(), 1, "nothing of the client's inner life: {}", shown.stderr);
    let put = end_of(put);
    assert_eq!(put.code, Some(1), "{put:?}");
    assert!(put.stderr.contains("put: ") && put.stderr.contains("could only be written to 0"), "{}", put.stderr);
    println!("a DataNode that stays frozen was given up after {} s", begin.elapsed().as_secs());
    drop(frozen);

    assert_eq!(trial.fs(&["ls", &new]).code, Some(1), "nothing of it is there");
    trial.fs(&["put", "good.csv", &new]).ok();
    let expect = std::fs::read_to_string(trial.loans.place.at("good.csv")).unwrap();
    assert_eq!(trial.fs(&["cat", &new]).ok(), expect);
}

#[test]
fn a_training_and_a_scoring_wait_for_servers_that_are_away_and_say_so() {
    let trial = Trial::new("training-waits", 1, 3);
    let (job, place) = (trial.write_training("trained"), &trial.loans.place);
    for name in ["namenode", "datanode"] {
        let server = Server::of(name);
        let dead = Dead::kill(&server);
        let there = format!("{}/train.csv", trial.root);
        let train = place.start(&["train", job]);
        let score = place.start(&["score", "model", &there, "--select", "id,prediction", "-o", "scored.csv"]);
        // Longer than a call is repeated by those who can wait in another way.
        sleep(Duration::from_secs(20));
        drop(dead);
        for child in [train, score] {
            let ran = end_of(child);
            assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
            assert!(ran.stderr.contains("waiting for hdfs://"), "{name}: {}", ran.stderr);
        }
    }
}

#[test]
fn a_training_and_a_scoring_wait_no_longer_than_they_are_told_to() {
    let trial = Trial::new("training-gives-up", 1, 3);
    let job = trial.write_training("trained");
    let (place, there) = (&trial.loans.place, format!("{}/train.csv", trial.root));
    let name_node = Server::of("namenode");
    let dead = Dead::kill(&name_node);
    let train = place.start(&["train", job, "--quiet", "--set", "train.retryDeadline=2s"]);
    let score = place.start(&["score", "model", &there, "--retry-deadline", "2s", "--quiet"]);
    let ended = [train, score].map(end_of);
    drop(dead);
    for ran in ended {
        assert_eq!(ran.code, Some(75), "{}", ran.stderr);
        assert!(!ran.stderr.contains("waiting") && ran.stderr.contains("refused"), "{}", ran.stderr);
    }
}
