//! `cargo xtask kafka`: the source, the sink and whole jobs on a real broker, with kills and faults.

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

/// Name, package, test and filter of each part; those that kill the broker come last and alone.
const PARTS: [(&str, &str, &str, &[&str]); 3] = [
    ("source and sink", "ognivo-kafka", "it", &["--skip", "faults::"]),
    ("whole jobs", "ognivo", "kafka", &["--test-threads=2", "--nocapture", "--skip", "tables::"]),
    ("a broker that fails", "ognivo-kafka", "it", &["--test-threads=1", "faults::"]),
];

fn check(broker: &Broker, only: &[String]) -> Result<(), String> {
    for (name, package, test, filter) in PARTS {
        println!("== {name}");
        let mut tests = cargo();
        tests.args(["test", "--package", package, "--test", test, "--"]).args(filter).args(only);
        tests.env("OGNIVO_KAFKA", broker.address()).env("OGNIVO_KAFKA_SERVERS", broker.folder());
        tests.env("OGNIVO_KAFKA_SASL", broker.sasl_address()).env("OGNIVO_KAFKA_TLS", broker.tls_address());
        program::run(&mut tests)?;
    }
    Ok(())
}
