//! Three brokers that each keep every record, of which one at a time is killed under a stream.

use std::time::Duration;

use ognivo_stream::stop::stop_pair;
use ognivo_stream::trigger::Trigger;

use crate::broker::{Dice, Server};
use crate::stream::Trial;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_while_one_of_three_brokers_is_dead_and_loses_and_repeats_nothing() {
    let mut dice = Dice::new();
    let servers = Server::of_three();
    let mut trial = Trial::new("three", 3).await;
    let (handle, stop) = stop_pair();
    let mut query = trial.start(&[("maxOffsetsPerTrigger", "20")], Trigger::AsRowsArrive);
    let runtime = tokio::runtime::Handle::current();
    let running = tokio::task::spawn_blocking(move || runtime.block_on(query.run(&stop)).unwrap().rows.read);
    let first = dice.below(3);
    for round in 0..3 {
        let server = &servers[((first + round) % 3) as usize];
        trial.add(400);
        // In the middle of the batches of these records.
        tokio::time::sleep(Duration::from_millis(dice.below(500))).await;
        server.kill();
        trial.add(100);
        // Two of three go on.
        let begin = std::time::Instant::now();
        trial.wait_until_done(Duration::from_secs(240)).await;
        println!("round {round}: all there {} ms after the kill", begin.elapsed().as_millis());
        server.start();
        trial.input.wait_for_replicas();
        trial.output.wait_for_replicas();
    }
    handle.stop();
    println!("{} rows read for 1500", running.await.unwrap());
    trial.check();
}
