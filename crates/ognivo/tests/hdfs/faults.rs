//! A stream whose servers are frozen, killed and started again goes on by itself, and the oracle is clean.
//!
//! These run one after the other: they share the servers.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::binary::Ran;
use crate::cluster::{Server, Trial};
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

fn wait_for(trial: &Trial, file: &str) {
    const DEADLINE: Duration = Duration::from_secs(60);
    let begin = Instant::now();
    while trial.fs(&["ls", &format!("{}/{file}", trial.root)]).code != Some(0) {
        assert!(begin.elapsed() < DEADLINE, "{file} did not come");
    }
}

#[test]
fn a_frozen_name_node_is_waited_for() {
    let name_node = Server::of("namenode");
    check("frozen-name-node", || {
        name_node.signal("STOP");
        sleep(FAULT);
        name_node.signal("CONT");
    });
}

#[test]
fn a_killed_name_node_is_waited_for() {
    let name_node = Server::of("namenode");
    check("killed-name-node", || {
        name_node.signal("KILL");
        sleep(FAULT);
        name_node.start();
    });
}

#[test]
fn a_frozen_data_node_is_waited_for() {
    let data_node = Server::of("datanode");
    check("frozen-data-node", || {
        data_node.signal("STOP");
        sleep(FAULT);
        data_node.signal("CONT");
    });
}

#[test]
fn a_killed_data_node_is_waited_for() {
    let data_node = Server::of("datanode");
    check("killed-data-node", || {
        data_node.signal("KILL");
        sleep(FAULT);
        data_node.start();
    });
}

#[test]
fn a_put_waits_for_a_data_node_that_is_away() {
    let trial = Trial::awaiting("put-without-data-node", 0, 0);
    let data_node = Server::of("datanode");
    data_node.signal("KILL");
    let target = format!("{}/train.csv", trial.root);
    let put = trial.loans.place.start(&["fs", "put", "train.csv", &target]);
    sleep(FAULT);
    data_node.start();
    let ran = Ran::of_child(put);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let expect = std::fs::read_to_string(trial.loans.place.at("train.csv")).unwrap();
    assert_eq!(trial.fs(&["cat", &target]).ok(), expect);
}
