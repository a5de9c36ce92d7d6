//! `cargo xtask services`: real servers beside us, started from packages.

pub(crate) mod cassandra;
pub(crate) mod hdfs;
pub(crate) mod kafka;
mod packages;
mod server;

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::program;
use hdfs::Cluster;
use kafka::Broker;

<<<<<<< HEAD
const USAGE: &str = "usage: cargo xtask services up hdfs|cassandra | down";

/// Where a developer's servers keep what they have, below the cache folder.
const HDFS: &str = "services/hdfs";
const CASSANDRA: &str = "services/cassandra";
=======
const USAGE: &str = "usage: cargo xtask services up hdfs | up kafka | down";

/// Where a developer's servers keep what they have, below the cache folder.
const HDFS: &str = "services/hdfs";
const KAFKA: &str = "services/kafka";
>>>>>>> kafka

/// Starts or stops servers.
///
/// # Errors
/// What could not be started, and where its log is.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["up", "hdfs"] => {
            let cluster = match Cluster::running(HDFS)? {
                Some(cluster) => cluster,
                None => Cluster::start_empty(HDFS)?,
            };
            println!("{} is ready", cluster.url());
            println!("export HADOOP_CONF_DIR={}", cluster.conf().display());
            Ok(())
        }
<<<<<<< HEAD
        ["up", "cassandra"] => {
            let cluster = match cassandra::Cluster::running(CASSANDRA)? {
                Some(cluster) => cluster,
                None => cassandra::Cluster::start_empty(CASSANDRA, cassandra::Setup::default())?,
            };
            println!("Cassandra is ready at {}; role and password: cassandra", cluster.contact_point());
=======
        ["up", "kafka"] => {
            let broker = match Broker::running(KAFKA)? {
                Some(broker) => broker,
                None => Broker::start_empty(KAFKA)?,
            };
            println!("{} is ready", broker.address());
>>>>>>> kafka
            Ok(())
        }
        ["down"] => {
            Cluster::stop_all_in(HDFS)?;
<<<<<<< HEAD
            cassandra::Cluster::stop_all_in(CASSANDRA)?;
=======
            Broker::stop_in(KAFKA)?;
>>>>>>> kafka
            println!("stopped");
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    }
}

/// Has Maven copy the jars of `pom` into `jars`, which appears whole or not at all.
fn resolve(name: &str, pom: &str, folder: &Path, jars: &Path) -> Result<(), String> {
    println!("== resolving {name}'s packages into {}", folder.display());
    let (pom_file, unfinished) = (folder.join("pom.xml"), folder.join("lib.unfinished"));
    fs::write(&pom_file, pom).map_err(|e| format!("cannot write {}: {e}", pom_file.display()))?;
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--quiet", "dependency:copy-dependencies", "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", unfinished.display())).arg("--file").arg(&pom_file);
    program::run(&mut maven).map_err(|e| format!("{e}\non Debian: apt-get install maven openjdk-17-jre-headless"))?;
    fs::rename(&unfinished, jars).map_err(|e| format!("cannot move {}: {e}", unfinished.display()))
}
