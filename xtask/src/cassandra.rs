//! `cargo xtask cassandra`: rows into tables of a real Cassandra, with kills and faults.

use crate::program::{self, cargo};
use crate::services::cassandra::{Cluster, Setup};

/// Where these servers keep what they have, below the cache folder: apart from those of a developer.
const FOLDER: &str = "services/cassandra-tests";

/// Each kind of cluster, and the tests that want it: the module of the same name.
const KINDS: [(&str, Setup); 3] = [
    ("alone", Setup { n_nodes: 1, is_encrypted: false, write_timeout_ms: 0 }),
    ("encrypted", Setup { n_nodes: 1, is_encrypted: true, write_timeout_ms: 0 }),
    ("three", Setup { n_nodes: 3, is_encrypted: false, write_timeout_ms: 500 }),
];

/// Starts servers of each kind, or of those that are named, runs the tests that want them, and stops them, whatever came out.
///
/// # Errors
/// What failed first; a server that cannot be started is a failure too.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    if let Some(unknown) = arguments.iter().find(|argument| KINDS.iter().all(|(name, _)| name != argument)) {
        return Err(format!("no such kind of cluster (known: alone, encrypted, three): {unknown}"));
    }
    program::run(cargo().args(["build", "--quiet", "--package", "ognivo"]))?;
    let is_wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    for (name, setup) in KINDS.into_iter().filter(|(name, _)| is_wanted(name)) {
        let done = Cluster::start_empty(FOLDER, setup).and_then(|cluster| test(name, &cluster));
        let stopped = Cluster::stop_all_in(FOLDER);
        done.and(stopped)?;
    }
    Ok(())
}

fn test(name: &str, cluster: &Cluster) -> Result<(), String> {
    println!("== {name}");
    let mut tests = cargo();
    tests.args(["test", "--package", "ognivo-cassandra", "--test", "cassandra", "--", "--test-threads=1"]);
    tests.arg(format!("{name}::"));
    tests.env("OGNIVO_BINARY", program::built("debug", "ognivo"));
    tests.env("OGNIVO_CASSANDRA", cluster.contact_point()).env("OGNIVO_CASSANDRA_SERVERS", cluster.folder());
    program::run(&mut tests)
}
