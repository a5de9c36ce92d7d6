//! `cargo xtask kafka`: the source and the sink on a real broker, with kills and faults.

use crate::program::{self, cargo};
use crate::services::kafka::Broker;

/// Where this broker keeps what it has, below the cache folder: apart from that of a developer.
const FOLDER: &str = "services/kafka-tests";

/// Starts a broker, runs everything, and stops it, whatever came out.
///
/// # Errors
/// What failed first; a broker that cannot be started is a failure too.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let broker = Broker::start_empty(FOLDER)?;
    let done = check(&broker, arguments);
    let stopped = Broker::stop_in(FOLDER);
    done.and(stopped)
}

fn check(broker: &Broker, only: &[String]) -> Result<(), String> {
    for (name, filter) in
        [("source and sink", ["--skip", "faults::"]), ("a broker that fails", ["--test-threads=1", "faults::"])]
    {
        println!("== {name}");
        let mut tests = cargo();
        tests.args(["test", "--package", "ognivo-kafka", "--test", "it", "--"]).args(filter).args(only);
        tests.env("OGNIVO_KAFKA", broker.address()).env("OGNIVO_KAFKA_SERVERS", broker.folder());
        program::run(&mut tests)?;
    }
    Ok(())
}
