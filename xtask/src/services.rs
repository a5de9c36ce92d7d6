//! `cargo xtask services`: real servers beside us, started from packages.

pub(crate) mod hdfs;
pub(crate) mod kerberos;
mod server;

use hdfs::Cluster;

const USAGE: &str = "usage: cargo xtask services up hdfs | down";

/// Where a developer's servers keep what they have, below the cache folder.
const HDFS: &str = "services/hdfs";

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
        ["down"] => {
            Cluster::stop_all_in(HDFS)?;
            println!("stopped");
            Ok(())
        }
        _ => Err(USAGE.to_owned()),
    }
}
