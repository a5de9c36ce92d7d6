//! A server that is killed or frozen in the middle of a batch is waited for, and the table ends as it must.

use std::time::Duration;

use crate::place::Place;
use crate::run;
use crate::server::Server;

use super::stream::Trial;

/// Starts a stream of many rows, lets `fault` happen while they are under way, and holds the table to the oracle.
async fn check(keyspace: &str, options: &[(&'static str, &'static str)], fault: impl FnOnce() + Send + 'static) {
    let mut trial = Trial::new(keyspace, 20_000, options).await;
    trial.world.add(40_000);
    let times = {
        let mut query = trial.start();
        let (_handle, never) = ognivo_stream::stop::stop_pair();
        let _ = &never;
        let faults = tokio::task::spawn_blocking(|| {
            std::thread::sleep(Duration::from_millis(1500));
            fault();
        });
        let summary = loop {
            // The driver's own patience lies in `run`; what it does after a failure is to look again.
            match query.process_all_available().await {
                Ok(summary) => break summary,
                Err(error) => {
                    println!("once more after: {error}");
                    assert_eq!(
                        ognivo_data::fault::Explain::retry(&error),
                        ognivo_data::fault::Retry::Backoff,
                        "{error}"
                    );
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        };
        faults.await.unwrap();
        println!("{:?}", summary.rows);
        trial.batch_times_us().await
    };
    // The session of the test may have lost its server.
    let place = Place { session: crate::place::session().await, keyspace: trial.place.keyspace.clone() };
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
