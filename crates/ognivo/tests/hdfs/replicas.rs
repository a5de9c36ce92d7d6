//! Every block is on two DataNodes, of which one fails: nobody has to wait for it.
//!
//! These run one after the other: they share the servers. It is always the second one that fails.

use std::io::Read as _;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::binary::Ran;
use crate::cluster::{Dead, Impatient, Server, Trial, end_of, told, wait_for};
use crate::loans::StreamForm;
use crate::web::Web;

/// Sixteen blocks.
const LARGE_BYTES: usize = 256 << 20;
const BLOCK_BYTES: u64 = 16 << 20;

/// The server that fails. One that a test before this has started again is known to the NameNode within a few seconds.
fn second() -> Server {
    sleep(Duration::from_secs(5));
    Server::of("datanode2")
}

/// Waits until a file that is being written in the folder has more than one block.
fn wait_for_blocks(folder: &str) {
    const DEADLINE: Duration = Duration::from_secs(60);
    let (web, begin) = (Web::of(&told("OGNIVO_HDFS_WEB")), Instant::now());
    // Its last block does not count yet.
    while !web.list(folder).unwrap().iter().any(|found| found.name.ends_with(".tmp") && found.n_bytes >= BLOCK_BYTES) {
        assert!(begin.elapsed() < DEADLINE, "nothing is written in {folder}");
        sleep(Duration::from_millis(10));
    }
}

/// A trial with a large file on the local disk, and what it holds.
fn with_large_file(test: &str) -> (Trial, Vec<u8>) {
    let trial = Trial::awaiting(test, 0, 0);
    let content: Vec<u8> = (0..LARGE_BYTES / 8).flat_map(|position| (position as u64).to_le_bytes()).collect();
    std::fs::write(trial.loans.place.at("large.bin"), &content).unwrap();
    (trial, content)
}

#[test]
fn a_file_is_written_and_read_while_one_of_its_data_nodes_dies() {
    let (trial, content) = with_large_file("put-and-die");
    let (place, there, second) = (&trial.loans.place, format!("{}/large/large.bin", trial.root), second());
    trial.fs(&["mkdir", &format!("{}/large", trial.root)]).ok();
    let mut put = place.start(&["fs", "put", "large.bin", &there]);
    wait_for_blocks(&trial.path_of("large"));
    assert!(put.try_wait().unwrap().is_none(), "it was to be in the middle of the file");
    let dead = Dead::kill(&second);
    let ran = end_of(put);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let read = place.command(&["fs", "cat", &there]).output().unwrap();
    assert!(read.status.success() && read.stdout == content, "{} bytes", read.stdout.len());
    drop(dead);

    trial.fs(&["put", "-f", "large.bin", &there]).ok();
    let mut cat = place.command(&["fs", "cat", &there]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut read = vec![0; 20 << 20];
    let mut output = cat.stdout.take().unwrap();
    output.read_exact(&mut read).unwrap();
    let _dead = Dead::kill(&second);
    output.read_to_end(&mut read).unwrap();
    drop(output);
    let ran = Ran::of_child(cat);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(read == content, "{} bytes", read.len());
}

/// Streams while the second DataNode fails from the second batch on, and holds what is left to the oracle.
fn check(impatient: &Impatient, fail: impl FnOnce()) {
    let trial = &impatient.0;
    let job = trial.write_job("run", StreamForm::default());
    let stream = impatient.start(&["stream", &job, "--progress", "none"]);
    wait_for(trial, "run/checkpoint/offsets/1");
    fail();
    let ran = end_of(stream);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(trial.check("run").batches, trial.loans.n_files, "{}", ran.stderr);
}

#[test]
fn a_stream_goes_on_with_one_of_two_data_nodes() {
    let (impatient, second) = (Impatient::new(Trial::new("one-dies", 12, 3)), second());
    let mut dead = None;
    check(&impatient, || dead = Some(Dead::kill(&second)));
}

#[test]
fn a_stream_goes_on_while_one_of_two_data_nodes_is_frozen() {
    let (impatient, second) = (Impatient::new(Trial::new("one-is-frozen", 6, 3)), second());
    let mut frozen = None;
    check(&impatient, || frozen = Some(second.freeze()));
}

#[test]
fn a_training_reads_from_the_data_node_that_is_left() {
    let impatient = Impatient::new(Trial::new("train-with-one", 1, 3));
    let (job, second) = (impatient.0.write_training("trained"), second());
    for fail in ["KILL", "STOP"] {
        let (dead, frozen) = match fail {
            "KILL" => (Some(Dead::kill(&second)), None),
            _ => (None, Some(second.freeze())),
        };
        let ran = end_of(impatient.start(&["train", job, "--quiet"]));
        assert_eq!(ran.code, Some(0), "{fail}: {}", ran.stderr);
        drop((dead, frozen));
    }
}
