//! Three servers that hold every row, LOCAL_QUORUM: what one or two of them do.

use std::time::Duration;

use crate::alone::stream::{Trial, run_through};
use crate::place::Place;
use crate::run;
use crate::server::Server;

async fn check(keyspace: &str, fault: impl FnOnce() + Send + 'static) {
    let place = Place::new(keyspace, 3).await;
    let mut trial = Trial::in_place(place, 6_000, &[("read.timeoutMS", "2000")]);
    trial.make_tables().await;
    trial.world.add(18_000);
    let mut query = trial.start();
    tokio::join!(run_through(&mut query), trial.strike(fault));
    // All servers are back, and the same query goes on.
    trial.world.add(4_000);
    run_through(&mut query).await;
    let times = trial.batch_times_us().await;
    trial.check(Some(&times)).await;
}

#[test]
fn one_of_three_that_is_killed_and_brought_back_is_not_missed() {
    let third = Server::of(3);
    run(check("three_killed", move || {
        third.signal("KILL");
        std::thread::sleep(Duration::from_secs(5));
        third.start();
        third.wait_until_ready();
    }));
}

/// Writes time out on the server: one answer of two that are required.
#[test]
fn two_of_three_that_are_frozen_are_waited_for() {
    let frozen = [Server::of(2), Server::of(3)];
    run(check("three_frozen", move || {
        frozen.iter().for_each(|server| server.signal("STOP"));
        std::thread::sleep(Duration::from_secs(5));
        frozen.iter().for_each(|server| server.signal("CONT"));
    }));
}
