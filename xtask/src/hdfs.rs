//! `cargo xtask hdfs`: whole jobs on a real NameNode and DataNode, with faults, held to the oracle of local jobs.

mod kerberos;
mod spark;

use std::path::Path;
use std::process::{Command, Stdio};

use crate::campaign::{self, Tally, Trial};
use crate::program::{self, at_root, cargo};
use crate::services::hdfs::Cluster;
use crate::services::hdfs::name_service::NameService;

/// Where these servers keep what they have, below the cache folder: apart from those of a developer.
const FOLDER: &str = "services/hdfs-tests";

/// Where the servers of a name service keep what they have.
const NAME_SERVICE_FOLDER: &str = "services/hdfs-name-service-tests";

const USAGE: &str =
    "usage: cargo xtask hdfs [nemesis [RUNS [SEED]] | ha | replicas | reports | shell | walk | spark FOLDER]";

/// Starts the servers, runs what was asked for, and stops them, whatever came out.
///
/// # Errors
/// What failed first; a server that cannot be started is a failure too.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    if let Some(("kerberos", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return kerberos::run(rest);
    }
    match Asked::parse(arguments)? {
        Asked::Everything => {
            on(Cluster::start_empty, check)?;
            lose_replicas()?;
            read_before_reports()?;
            fail_over()?;
            walk()
        }
        Asked::Nemesis { n_runs, seed } => {
            on(Cluster::start_empty, |cluster| nemesis(cluster, n_runs, seed.as_deref()))
        }
        Asked::FailOver => fail_over(),
        Asked::Replicas => lose_replicas(),
        Asked::Reports => read_before_reports(),
        Asked::Shell => on(Cluster::start_empty, compare_shells),
        Asked::Walk => walk(),
        Asked::Spark(folder) => spark::open(&folder),
    }
}

enum Asked {
    Everything,
    Nemesis {
        n_runs: u64,
        seed: Option<String>,
    },
    FailOver,
    /// Two DataNodes, of which one fails.
    Replicas,
    Reports,
    /// Ours beside Hadoop's.
    Shell,
    /// The example, from its first step to its last.
    Walk,
    /// What a job has left in this folder of a cluster that runs.
    Spark(String),
}

impl Asked {
    fn parse(arguments: &[String]) -> Result<Asked, String> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let number = |word: &str| word.parse::<u64>().map_err(|_| format!("not a number: {word}\n{USAGE}"));
        match words[..] {
            [] => Ok(Asked::Everything),
            ["nemesis"] => Ok(Asked::Nemesis { n_runs: 1, seed: None }),
            ["nemesis", runs] => Ok(Asked::Nemesis { n_runs: number(runs)?, seed: None }),
            ["nemesis", runs, seed] => {
                Ok(Asked::Nemesis { n_runs: number(runs)?, seed: Some(number(seed)?.to_string()) })
            }
            ["ha"] => Ok(Asked::FailOver),
            ["reports"] => Ok(Asked::Reports),
            ["replicas"] => Ok(Asked::Replicas),
            ["shell"] => Ok(Asked::Shell),
            ["walk"] => Ok(Asked::Walk),
            ["spark", folder] => Ok(Asked::Spark(folder.to_owned())),
            _ => Err(USAGE.to_owned()),
        }
    }
}

/// Builds what the checks run.
fn build() -> Result<(), String> {
    const EXAMPLE: [&str; 2] = ["--example", "store_laws"];
    program::run(cargo().args(["build", "--quiet", "--package", "ognivo", "--package", "ognivo-files"]).args(EXAMPLE))?;
    program::run(cargo().args(["build", "--quiet", "--package", "ognivo"]))
}

/// Checks something on a cluster that is started for it, and stops it, whatever came out.
fn on(
    start: impl FnOnce(&str) -> Result<Cluster, String>,
    check: impl FnOnce(&Cluster) -> Result<(), String>,
) -> Result<(), String> {
    build()?;
    let done = check(&start(FOLDER)?);
    let stopped = Cluster::stop_all_in(FOLDER);
    done.and(stopped)
}

/// Modules of tests that want the servers for themselves, or other ones.
const APART: [&str; 5] = ["faults::", "nemesis::", "replicas::", "failover::", "kerberos::"];

fn check(cluster: &Cluster) -> Result<(), String> {
    println!("== the laws of stores");
    program::run(at_root(program::built("debug", "examples/store_laws")).arg(format!("{}/laws", cluster.url())))?;
    compare_shells(cluster)?;
    println!("== whole jobs");
    // They mostly wait.
    let apart = APART.iter().flat_map(|module| ["--skip", module]);
    program::run(tests_on(cluster).arg("--test-threads=4").args(apart))?;
    println!("== servers that fail");
    program::run(tests_on(cluster).args(["--test-threads=1", "faults::"]))?;
    nemesis(cluster, 1, None)
}

/// Every block is on two DataNodes, of which one fails.
fn lose_replicas() -> Result<(), String> {
    println!("== one of two DataNodes fails");
    let check = |cluster: &Cluster| program::run(tests_on(cluster).args(["--test-threads=1", "replicas::"]));
    on(Cluster::start_with_two_data_nodes, check)
}

fn tests_on(cluster: &Cluster) -> Command {
    tests(&cluster.url(), &cluster.web(), cluster.folder())
}

/// The tests of whole jobs, which take a filter; the cluster is told by its URL, its web service, and its servers' folder.
fn tests(url: &str, web: &str, folder: &Path) -> Command {
    let mut tests = cargo();
    tests.args(["test", "--package", "ognivo", "--test", "hdfs", "--"]);
    tests.env("OGNIVO_HDFS", url).env("OGNIVO_HDFS_WEB", web).env("OGNIVO_HDFS_SERVERS", folder);
    of_no_cluster(&mut tests);
    tests
}

/// Hits servers and stream at random moments; the seed of each run is printed before it.
fn nemesis(cluster: &Cluster, n_runs: u64, seed: Option<&str>) -> Result<(), String> {
    println!("== the nemesis");
    let mut command = tests_on(cluster);
    command.args(["--nocapture", "nemesis::"]).env("OGNIVO_NEMESIS_RUNS", n_runs.to_string()).stdout(Stdio::piped());
    if let Some(seed) = seed {
        command.env("OGNIVO_TEST_SEED", seed);
    }
    let (lines, is_success) = campaign::lines_of(&mut command, "nemesis: ")?;
    if !is_success {
        lines.iter().filter(|line| !line.starts_with("nemesis: ")).for_each(|line| println!("{line}"));
        return Err("the nemesis won; its seed is told above".to_owned());
    }
    let trials = lines.iter().filter_map(|line| line.strip_prefix("campaign: ")).map(Trial::parse);
    println!("{}", Tally::of(trials.collect::<Result<Vec<Trial>, String>>()?, Vec::new())?.as_text());
    Ok(())
}

/// Reads files whose blocks no DataNode has told the NameNode of, which takes them to be closed and tells of no block.
fn read_before_reports() -> Result<(), String> {
    println!("== files that were closed a moment ago");
    on(Cluster::start_with_late_reports, |cluster| {
        (1..=N_READ_AT_ONCE).try_for_each(|n| read_at_once(cluster, &format!("/closed-{n}")))
    })?;
    println!("{N_READ_AT_ONCE} files are read whole");
    Ok(())
}

const N_READ_AT_ONCE: usize = 3;

fn read_at_once(cluster: &Cluster, path: &str) -> Result<(), String> {
    let written = std::fs::read(program::root().join("Cargo.lock")).map_err(|e| format!("Cargo.lock: {e}"))?;
    program::run(our_shell(cluster).args(["put", "Cargo.lock", path]))?;
    let mut cat = our_shell(cluster);
    let read = cat.args(["cat", path]).output().map_err(|e| format!("cannot start {cat:?}: {e}"))?;
    match read.stdout == written {
        true => Ok(()),
        false => Err(format!("{path} has {} bytes, and {} were read", written.len(), read.stdout.len())),
    }
}

/// Lets one NameNode take over from the other under a stream.
fn fail_over() -> Result<(), String> {
    println!("== failover between two NameNodes");
    build()?;
    let service = NameService::start_empty(NAME_SERVICE_FOLDER)?;
    let mut tests = tests(&service.url(), &service.web(), service.folder());
    tests.env("HADOOP_CONF_DIR", service.conf()).args(["--test-threads=1", "failover::"]);
    let done = program::run(&mut tests);
    let stopped = NameService::stop_all_in(NAME_SERVICE_FOLDER);
    done.and(stopped)
}

/// The example as its reader runs it, but for a binary that is there already; it starts the servers itself, and lets both Sparks open
/// what it leaves.
fn walk() -> Result<(), String> {
    println!("== the example, step by step");
    build()?;
    let mut example = at_root("examples/loans-hdfs/run");
    example.env("OGNIVO_BINARY", program::built("debug", "ognivo"));
    program::run(of_no_cluster(&mut example))
}

/// A developer's own cluster is not meant.
fn of_no_cluster(command: &mut Command) -> &mut Command {
    command.env_remove("HADOOP_CONF_DIR").env_remove("HADOOP_HOME").env_remove("HADOOP_USER_NAME")
}

/// Commands that both shells are given, after these were done with ours. What a command changes is each shell's own: `{there}` on the
/// cluster, `{here}` on the local disk.
const PREPARED: [&[&str]; 3] = [
    &["mkdir", "-p", "/shell/deep/er", "/user"],
    &["put", "README.md", "Cargo.toml", "/shell"],
    &["put", "fixtures/data", "/shell/deep"],
];
const PREPARED_FOR_EACH: [&[&str]; 2] =
    [&["mkdir", "{there}"], &["put", "README.md", "fixtures/data", "docs", "{there}"]];
const COMPARED: [&[&str]; 26] = [
    // There is no home yet, only the folder of all homes.
    &["ls"],
    &["put", "README.md"],
    &["mkdir", "-p", "."],
    &["put", "-f", "README.md"],
    &["put", "README.md"],
    &["ls"],
    &["ls", "README.md", "./README.md", "nothing"],
    &["du", "README.md"],
    &["ls", "/shell", "/nowhere"],
    &["ls", "-R", "/shell"],
    &["ls", "-d", "/shell"],
    &["ls", "-h", "/shell/*.md"],
    &["du", "/shell"],
    &["du", "-s", "-h", "/shell/deep"],
    &["cat", "/shell/Cargo.toml", "/shell/deep"],
    &["mkdir", "/shell", "/shell/a/b"],
    &["put", "README.md", "/shell"],
    &["put", "-f", "README.md", "{there}"],
    &["get", "/shell/Cargo.toml", "{here}"],
    // The working directory has one.
    &["get", "/shell/README.md"],
    &["mv", "/shell/README.md", "/shell/no/where"],
    &["mv", "{there}/README.md", "{there}/moved.md"],
    &["rm", "{there}/moved.md", "{there}/data"],
    &["rm", "-r", "{there}/data"],
    &["rm", "-r", "-skipTrash", "{there}/docs"],
    &["ls", "{there}"],
];

/// What is each shell's own, by its name.
const OWN: [&str; 2] = ["A", "B"];

/// The words of a command for the shell that owns what is called `own`.
fn words(cluster: &Cluster, own: &str, command: &[&str]) -> Vec<String> {
    let here = cluster.folder().join(own);
    let word = |word: &&str| word.replace("{there}", &there(own)).replace("{here}", &here.to_string_lossy());
    command.iter().map(word).collect()
}

fn there(own: &str) -> String {
    format!("/own-{own}")
}

fn our_shell(cluster: &Cluster) -> Command {
    let mut ours = at_root(program::built("debug", "ognivo"));
    ours.arg("fs").env("HADOOP_CONF_DIR", cluster.conf());
    ours
}

fn compare_shells(cluster: &Cluster) -> Result<(), String> {
    println!("== `ognivo fs` beside Hadoop's own shell");
    let ours = || our_shell(cluster);
    for arguments in PREPARED {
        program::run(ours().args(arguments))?;
    }
    for own in OWN {
        for arguments in PREPARED_FOR_EACH {
            program::run(ours().args(words(cluster, own, arguments)))?;
        }
    }
    for command in COMPARED {
        let [their_words, our_words] = OWN.map(|own| words(cluster, own, command));
        let mut theirs = cluster.shell()?;
        theirs.current_dir(program::root()).arg(format!("-{}", their_words[0])).args(&their_words[1..]);
        let theirs = Answer::of(&mut theirs)?;
        let ours = Answer::of(ours().args(our_words))?.renamed(&there(OWN[1]), &there(OWN[0]));
        if theirs != ours {
            return Err(format!("{} is answered otherwise than by Hadoop:\n{theirs:#?}\n{ours:#?}", command.join(" ")));
        }
    }
    let fetched = OWN.map(|own| std::fs::read(cluster.folder().join(own)).ok());
    if fetched[0].is_none() || fetched[0] != fetched[1] {
        return Err("what was fetched differs".to_owned());
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

    /// As it would be had the other shell been asked about its own.
    fn renamed(mut self, from: &str, to: &str) -> Answer {
        self.stdout = self.stdout.replace(from, to);
        self.errors.iter_mut().for_each(|line| *line = line.replace(from, to));
        self
    }
}
