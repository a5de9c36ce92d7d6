//! `cargo xtask hdfs`: whole jobs on a real NameNode and DataNode, with faults, held to the oracle of local jobs.

mod kerberos;

use std::process::Command;

use crate::program::{self, at_root, cargo};
use crate::services::hdfs::Cluster;

/// Where these servers keep what they have, below the cache folder: apart from those of a developer.
const FOLDER: &str = "services/hdfs-tests";

/// Starts the servers, runs everything, and stops them, whatever came out.
///
/// # Errors
/// What failed first; a server that cannot be started is a failure too.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    match arguments.split_first() {
        None => {}
        Some((first, rest)) if first == "kerberos" => return kerberos::run(rest),
        Some(_) => return Err("usage: cargo xtask hdfs [kerberos [--ticket-life SECONDS]]".to_owned()),
    }
    program::run(cargo().args(["build", "--quiet", "--package", "ognivo", "--package", "ognivo-files"]).args(EXAMPLE))?;
    program::run(cargo().args(["build", "--quiet", "--package", "ognivo"]))?;
    let cluster = Cluster::start_empty(FOLDER)?;
    let done = check(&cluster);
    let stopped = Cluster::stop_all_in(FOLDER);
    done.and(stopped)
}

const EXAMPLE: [&str; 2] = ["--example", "store_laws"];

fn check(cluster: &Cluster) -> Result<(), String> {
    println!("== the laws of stores");
    program::run(at_root(program::built("debug", "examples/store_laws")).arg(format!("{}/laws", cluster.url())))?;
    println!("== `ognivo fs` beside Hadoop's own shell");
    compare_shells(cluster)?;
    for (name, filter) in [
        ("whole jobs", &["--skip", "faults::", "--skip", "kerberos::"][..]),
        ("servers that fail", &["--test-threads=1", "faults::"]),
    ] {
        println!("== {name}");
        let mut tests = cargo();
        tests.args(["test", "--package", "ognivo", "--test", "hdfs", "--"]).args(filter);
        tests.env("OGNIVO_HDFS", cluster.url()).env("OGNIVO_HDFS_SERVERS", cluster.folder());
        // A developer's own cluster is not meant.
        tests.env_remove("HADOOP_CONF_DIR").env_remove("HADOOP_HOME").env_remove("HADOOP_USER_NAME");
        program::run(&mut tests)?;
    }
    Ok(())
}

/// Commands that both shells are given, after the first line was done with ours.
const PREPARED: [&[&str]; 3] = [
    &["mkdir", "-p", "/shell/deep/er"],
    &["put", "README.md", "Cargo.toml", "/shell"],
    &["put", "fixtures/data", "/shell/deep"],
];
const COMPARED: [&[&str]; 9] = [
    &["ls", "/shell", "/nowhere"],
    &["ls", "-R", "/shell"],
    &["ls", "-h", "/shell/*.md"],
    &["du", "/shell"],
    &["du", "-s", "-h", "/shell/deep"],
    &["cat", "/shell/Cargo.toml", "/shell/deep"],
    &["mkdir", "/shell", "/shell/a/b"],
    &["put", "README.md", "/shell"],
    &["mv", "/shell/README.md", "/shell/no/where"],
];

fn compare_shells(cluster: &Cluster) -> Result<(), String> {
    let ours = || {
        let mut ours = at_root(program::built("debug", "ognivo"));
        ours.arg("fs").env("HADOOP_CONF_DIR", cluster.conf());
        ours
    };
    for arguments in PREPARED {
        program::run(ours().args(arguments))?;
    }
    for arguments in COMPARED {
        let mut theirs = cluster.shell()?;
        theirs.current_dir(program::root()).arg(format!("-{}", arguments[0])).args(&arguments[1..]);
        let (theirs, ours) = (Answer::of(&mut theirs)?, Answer::of(ours().args(arguments))?);
        if theirs != ours {
            return Err(format!(
                "{} is answered otherwise than by Hadoop:\n{theirs:#?}\n{ours:#?}",
                arguments.join(" ")
            ));
        }
    }
    println!("{} commands are answered alike", COMPARED.len());
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    code: Option<i32>,
    stdout: String,
    errors: Vec<String>,
}

impl Answer {
    fn of(command: &mut Command) -> Result<Answer, String> {
        let output = command.output().map_err(|e| format!("cannot start {command:?}: {e}"))?;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        // Hadoop's shell complains that it has no native library.
        let errors = errors.lines().filter(|line| !line.contains("NativeCodeLoader")).map(str::to_owned).collect();
        Ok(Answer { code: output.status.code(), stdout: String::from_utf8_lossy(&output.stdout).into_owned(), errors })
    }
}
