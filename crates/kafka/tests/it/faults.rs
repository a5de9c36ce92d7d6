//! A broker that is killed and started again under a stream.

use std::time::Duration;

use ognivo_stream::stop::stop_pair;
use ognivo_stream::trigger::Trigger;

use crate::broker::Server;
use crate::stream::Trial;

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_dies_and_comes_back_under_a_stream_loses_and_repeats_nothing() {
    let server = Server::of_broker();
    let mut trial = Trial::new("killed-broker", 2).await;
    let (handle, stop) = stop_pair();
    let mut query = trial.start(&[("maxOffsetsPerTrigger", "20")], Trigger::AsRowsArrive);
    let runtime = tokio::runtime::Handle::current();
    let running =
        tokio::task::spawn_blocking(move || runtime.block_on(query.run(&stop)).map(|summary| summary.rows.read));
    for round in 0..4 {
        trial.add(400);
        // In the middle of the batches of these records, later and later.
        tokio::time::sleep(Duration::from_millis(30 + 70 * round)).await;
        server.kill();
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.start();
    }
    trial.wait_until_done(Duration::from_secs(90)).await;
    handle.stop();
    let read = running.await.unwrap().unwrap();
    println!("{read} rows read for 1600");
    trial.check();
}
