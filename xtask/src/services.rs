//! `cargo xtask services`: real servers beside us, started from packages.

pub(crate) mod cassandra;
pub(crate) mod hdfs;
pub(crate) mod kafka;
pub(crate) mod kerberos;
pub(crate) mod packages;
pub(crate) mod registry;
mod server;

use hdfs::Cluster;
use kafka::Broker;
use registry::Registry;

const USAGE: &str = "usage: cargo xtask services up hdfs [NAME]|kafka|registry|cassandra | down [hdfs NAME]";

/// Where a developer's servers keep what they have, below the cache folder.
const HDFS: &str = "services/hdfs";
const KAFKA: &str = "services/kafka";
const REGISTRY: &str = "services/registry";
const CASSANDRA: &str = "services/cassandra";

/// Starts or stops servers.
///
/// # Errors
/// What could not be started, and where its log is.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["up", "hdfs", ref folder @ ..] if folder.len() < 2 => {
            let folder = folder.first().map_or(HDFS.to_owned(), |name| format!("services/{name}"));
            let cluster = match Cluster::running(&folder)? {
                Some(cluster) => cluster,
                None => Cluster::start_empty(&folder)?,
            };
            println!("{} is ready", cluster.url());
            println!("export HADOOP_CONF_DIR={}", cluster.conf().display());
            Ok(())
        }
        ["up", "cassandra"] => {
            let cluster = match cassandra::Cluster::running(CASSANDRA)? {
                Some(cluster) => cluster,
                None => cassandra::Cluster::start_empty(CASSANDRA, cassandra::Setup::default())?,
            };
            println!("Cassandra is ready at {}; role and password: cassandra", cluster.contact_point());
            Ok(())
        }
        ["up", "kafka"] => {
            let broker = match Broker::running(KAFKA)? {
                Some(broker) => broker,
                None => Broker::start_empty(KAFKA)?,
            };
            println!("{} is ready", broker.address());
            Ok(())
        }
        ["up", "registry"] => {
            let registry = match Registry::running(REGISTRY)? {
                Some(registry) => registry,
                None => Registry::start_empty(REGISTRY, None)?,
            };
            println!("{} is ready", registry.url());
            Ok(())
        }
        ["down", "hdfs", name] => {
            Cluster::stop_all_in(&format!("services/{name}"))?;
            println!("stopped");
            Ok(())
        }
        ["down"] => {
            Cluster::stop_all_in(HDFS)?;
            cassandra::Cluster::stop_all_in(CASSANDRA)?;
            Broker::stop_in(KAFKA)?;
            Registry::stop_in(REGISTRY)?;
            println!("stopped");
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    }
}
