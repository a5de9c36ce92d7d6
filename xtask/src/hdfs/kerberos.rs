//! `cargo xtask hdfs kerberos`: jobs on a cluster that wants proof of who one is, with tickets that run out while they run.

use std::path::Path;
use std::process::Command;

use crate::program::{self, cargo};
use crate::services::hdfs::Cluster;
use crate::services::kerberos::REALM;

const FOLDER: &str = "services/hdfs-kerberos";

/// How long the tickets of a stream hold, unless said otherwise: the test of them takes about four times as long.
const TICKET_LIFE_S: u32 = 30;

const USAGE: &str = "usage: cargo xtask hdfs kerberos [--ticket-life SECONDS]";

/// What is protected of all that is said: who says it; also that nobody changes it on its way; also, by encryption, that nobody else reads it.
const PROTECTIONS: [&str; 3] = ["authentication", "integrity", "privacy"];

/// Starts a KDC and the cluster, runs the tests, and stops all, for each kind of protection.
///
/// # Errors
/// What failed first; a server that cannot be started is a failure too.
pub(super) fn run(arguments: &[String]) -> Result<(), String> {
    let life_s = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => TICKET_LIFE_S,
        ["--ticket-life", seconds] => seconds.parse().map_err(|_| USAGE.to_owned())?,
        _ => return Err(USAGE.to_owned()),
    };
    program::run(cargo().args(["build", "--quiet", "--package", "ognivo"]))?;
    for protection in PROTECTIONS {
        println!("== Kerberos, protection of what is said: {protection}");
        let cluster = Cluster::start_with_kerberos(FOLDER, protection)?;
        // Tickets are renewed in one way, whatever is said under them; it takes a minute and a half.
        let filters: &[&str] = match protection {
            "privacy" => &["kerberos::messages", "kerberos::tickets"],
            _ => &["kerberos::messages"],
        };
        let done = check(&cluster, life_s, filters);
        let stopped = Cluster::stop_all_in(FOLDER);
        done.and(stopped)?;
    }
    Ok(())
}

fn check(cluster: &Cluster, life_s: u32, filters: &[&str]) -> Result<(), String> {
    let kdc = cluster.kdc_folder().ok_or("the cluster has no KDC")?;
    // Who owns everything lets everybody make folders, but not in his own.
    log_in(kdc, "services", &format!("hdfs/localhost@{REALM}"))?;
    for arguments in [&["-chmod", "777", "/"][..], &["-mkdir", "-p", "/closed/own"], &["-chmod", "700", "/closed/own"]]
    {
        program::run(as_user(&mut cluster.shell()?, kdc, "services").args(arguments))?;
    }
    log_in(kdc, "alice", &format!("alice@{REALM}"))?;
    // One after the other: the tests of tickets restart servers, which the others do not wait for.
    for filter in filters {
        let mut tests = cargo();
        tests.args(["test", "--package", "ognivo", "--test", "hdfs", "--", *filter]);
        as_user(&mut tests, kdc, "alice");
        tests.env("OGNIVO_HDFS", cluster.url()).env("OGNIVO_HDFS_SERVERS", cluster.folder());
        tests.env("OGNIVO_KDC", kdc).env("OGNIVO_TICKET_LIFE_S", life_s.to_string());
        tests.env("HADOOP_CONF_DIR", cluster.conf()).env_remove("HADOOP_HOME").env_remove("HADOOP_USER_NAME");
        program::run(&mut tests)?;
    }
    Ok(())
}

/// Fetches a ticket of the usual life into the cache `<keytab>.cc` of the KDC's folder.
fn log_in(kdc: &Path, keytab: &str, principal: &str) -> Result<(), String> {
    let mut kinit = Command::new("kinit");
    kinit.arg("-k").arg("-t").arg(kdc.join(format!("{keytab}.keytab"))).arg(principal);
    program::run(as_user(&mut kinit, kdc, keytab))
}

fn as_user<'a>(command: &'a mut Command, kdc: &Path, name: &str) -> &'a mut Command {
    let cache = format!("FILE:{}", kdc.join(format!("{name}.cc")).display());
    command.env("KRB5_CONFIG", kdc.join("krb5.conf")).env("KRB5CCNAME", cache)
}
