//! `cargo xtask cassandra`: rows into tables of a real Cassandra, with kills and faults.

use std::process::Command;

use crate::program::{self, cargo};
use crate::services::cassandra::{Cluster, Setup};
use crate::services::kafka::Broker;

/// Where these servers keep what they have, below the cache folder: apart from those of a developer.
const FOLDER: &str = "services/cassandra-tests";

/// The same of the broker that some of them read from.
const BROKER_FOLDER: &str = "services/kafka-beside-cassandra";

/// A kind of cluster, and the tests that want it: the module of the same name.
struct Kind {
    name: &'static str,
    setup: Setup,
    /// What is left out of the first run of the tests, whose tests run side by side, and comes after it, one by one.
    apart: Option<&'static str>,
}

const ALONE: Setup = Setup { n_nodes: 1, is_encrypted: false, write_timeout_ms: 0, is_short_lived: true };

const KINDS: [Kind; 3] = [
    Kind { name: "alone", setup: ALONE, apart: Some("alone::faults::") },
    Kind { name: "encrypted", setup: Setup { is_encrypted: true, ..ALONE }, apart: None },
    Kind { name: "three", setup: Setup { n_nodes: 3, write_timeout_ms: 500, ..ALONE }, apart: Some("three::") },
];

/// Asks for every kill of the campaigns, not for one at each place.
const FULL: &str = "--full";

/// Starts servers of each kind, or of those that are named, runs the tests that want them, and stops them, whatever came out.
///
/// # Errors
/// What failed first; a server that cannot be started is a failure too.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let is_full = arguments.iter().any(|argument| argument == FULL);
    let wanted: Vec<&String> = arguments.iter().filter(|argument| *argument != FULL).collect();
    if let Some(unknown) = wanted.iter().find(|name| KINDS.iter().all(|kind| kind.name != **name)) {
        return Err(format!("no such kind of cluster (known: alone, encrypted, three): {unknown}"));
    }
    program::run(cargo().args(["build", "--quiet", "--package", "ognivo"]))?;
    for kind in KINDS.iter().filter(|kind| wanted.is_empty() || wanted.iter().any(|name| *name == kind.name)) {
        let done = Cluster::start_empty(FOLDER, kind.setup).and_then(|cluster| {
            test(kind, &cluster, is_full)?;
            if kind.name == "alone" { test_routes(&cluster) } else { Ok(()) }
        });
        let stopped = Cluster::stop_all_in(FOLDER);
        done.and(stopped)?;
    }
    Ok(())
}

/// Streams from topics and files into tables, with a broker beside the servers.
fn test_routes(cluster: &Cluster) -> Result<(), String> {
    println!("== from topics and files into tables");
    let done = Broker::start_empty(BROKER_FOLDER).and_then(|broker| {
        let mut tests = cargo();
        tests.args(["test", "--package", "ognivo", "--test", "kafka", "--", "--test-threads=3", "tables::"]);
        tests.env("OGNIVO_KAFKA", broker.address()).env("OGNIVO_KAFKA_SERVERS", broker.folder());
        program::run(with_servers(&mut tests, cluster))
    });
    let stopped = Broker::stop_in(BROKER_FOLDER);
    done.and(stopped)
}

/// Tells a test where the servers are.
fn with_servers<'a>(tests: &'a mut Command, cluster: &Cluster) -> &'a mut Command {
    tests.env("OGNIVO_CASSANDRA", cluster.contact_point()).env("OGNIVO_CASSANDRA_SERVERS", cluster.folder())
}

fn test(kind: &Kind, cluster: &Cluster, is_full: bool) -> Result<(), String> {
    println!("== {}", kind.name);
    let module = format!("{}::", kind.name);
    // Most of the time they wait for the server.
    let mut side_by_side = vec!["--test-threads=3", &module];
    side_by_side.extend(kind.apart.iter().flat_map(|apart| ["--skip", apart]));
    let one_by_one = kind.apart.map(|apart| vec!["--test-threads=1", "--nocapture", apart]);
    let runs = [(kind.apart != Some(module.as_str())).then_some(side_by_side), one_by_one];
    for filter in runs.into_iter().flatten() {
        let mut tests = cargo();
        tests.args(["test", "--package", "ognivo-cassandra", "--test", "cassandra", "--"]).args(filter);
        tests.env("OGNIVO_BINARY", program::built("debug", "ognivo"));
        tests.env("OGNIVO_CASSANDRA_FULL", if is_full { "1" } else { "" });
        program::run(with_servers(&mut tests, cluster))?;
    }
    Ok(())
}
