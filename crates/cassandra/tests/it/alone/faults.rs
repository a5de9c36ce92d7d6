//! A server that is killed or frozen in the middle of a batch is waited for, and the table ends as it must; meanwhile the process
//! takes no more memory.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::place::Place;
use crate::run;
use crate::server::Server;

use super::jobs::Loans;
use super::stream::{Trial, run_through};

/// Starts a stream of many rows, lets `fault` happen while they are under way, and holds the table to the oracle.
async fn check(keyspace: &str, options: &[(&'static str, &'static str)], fault: impl FnOnce() + Send + 'static) {
    let mut trial = Trial::new(keyspace, 8_000, options).await;
    trial.world.add(16_000);
    let mut query = trial.start();
    tokio::join!(run_through(&mut query), trial.strike(fault));
    // The session of the test may have lost its server.
    let place = Place { session: crate::place::session().await, keyspace: trial.place.keyspace.clone() };
    let times = trial.batch_times_us().await;
    trial.place = place;
    trial.check(Some(&times)).await;
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_a_batch_is_waited_for() {
    let server = Server::of(1);
    run(check("faults_killed", &[("read.timeoutMS", "2000")], move || {
        server.signal("KILL");
        std::thread::sleep(Duration::from_secs(2));
        server.start();
        server.wait_until_ready();
    }));
}

#[test]
fn a_server_that_is_frozen_for_longer_than_the_timeout_is_waited_for() {
    let server = Server::of(1);
    run(check("faults_frozen", &[("read.timeoutMS", "1000"), ("progressTable", "progress")], move || {
        server.signal("STOP");
        std::thread::sleep(Duration::from_secs(6));
        server.signal("CONT");
    }));
}

/// Rows that arrive at once: more than are written before the server is frozen, and far more than may be under way.
const N_ROWS_ARRIVING: usize = 400_000;

/// A process of the size of this one has so much memory, and its malloc gives some of it back when it likes.
const MOST_GROWTH_BYTES: u64 = 16 << 20;

#[test]
fn memory_stays_flat_while_a_frozen_server_is_waited_for() {
    let server = Server::of(1);
    run(async {
        let loans = Loans::in_place(Place::new("faults_memory", 1).await).await;
        loans.add_large_file(N_ROWS_ARRIVING);
        let job = loans.prepare("large", "frozen<list<double>>").await;
        loans.change(&job, "maxFilesPerTrigger: 1", "pathGlobFilter: large.csv");
        loans.change(&job, "      table:", "      read.timeoutMS: 1000\n      table:");
        let mut stream = Stopped(loans.command(&["stream", &job, "--quiet"]).spawn().unwrap());
        while has_fewer_than(&loans, 5_000).await {
            assert_eq!(stream.0.try_wait().unwrap(), None, "the stream runs");
        }
        server.signal("STOP");
        // What had been asked for is still decoded, and the blocks that may wait fill up.
        std::thread::sleep(Duration::from_secs(2));
        let begin = Instant::now();
        let mut seen = Vec::new();
        while begin.elapsed() < Duration::from_secs(6) {
            seen.push(resident_bytes(&stream.0));
            std::thread::sleep(Duration::from_millis(100));
        }
        server.signal("CONT");
        let (least, most) = (*seen.iter().min().unwrap(), *seen.iter().max().unwrap());
        println!("resident while the server was frozen: {least} to {most} bytes");
        assert!(most - least <= MOST_GROWTH_BYTES, "{seen:?}");
        assert_eq!(stream.0.try_wait().unwrap(), None, "the stream still runs");
    });
}

/// A process that is ended when it is let go of.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether fewer rows have been written so far.
async fn has_fewer_than(loans: &Loans, n_rows: usize) -> bool {
    loans.place.rows(&format!("SELECT id FROM KS.large LIMIT {n_rows}")).await.len() < n_rows
}

fn resident_bytes(process: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
