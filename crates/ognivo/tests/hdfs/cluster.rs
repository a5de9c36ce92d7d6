//! A folder of one test on the cluster, beside its local folder, and the cluster's servers.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::binary::Ran;
use crate::loans::{Loans, StreamForm};
use crate::stream_oracle::{Counts, LogKind, Score, batch_scores, check, files_below};

/// What `cargo xtask hdfs` says of its servers.
pub(crate) fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: these tests are run by `cargo xtask hdfs`"))
}

/// Loans on the cluster, and what streams of them must come to.
pub(crate) struct Trial {
    pub(crate) loans: Loans,
    /// `hdfs://host:port/<test>`
    pub(crate) root: String,
    scores: BTreeMap<i64, Score>,
}

impl Trial {
    /// Puts `n_files` files to arrive, and the model, below a folder called `test`.
    pub(crate) fn new(test: &str, n_files: u64, n_rows: usize) -> Trial {
        let trial = Trial::awaiting(test, n_files, n_rows);
        trial.fs(&["put", "train.csv", "incoming", &trial.root]).ok();
        trial
    }

    /// As [`new`](Trial::new), with the files still here: none of them has arrived.
    pub(crate) fn awaiting(test: &str, n_files: u64, n_rows: usize) -> Trial {
        let loans = Loans::new(n_files, n_rows);
        let scores = batch_scores(&loans);
        let root = format!("{}/{test}", told("OGNIVO_HDFS"));
        let trial = Trial { loans, root, scores };
        trial.fs(&["mkdir", "-p", &trial.root]).ok();
        trial.fs(&["put", "model", &trial.root]).ok();
        trial
    }

    /// A path below its folder, without the cluster.
    pub(crate) fn path_of(&self, below: &str) -> String {
        let folder = self.root.strip_prefix(&told("OGNIVO_HDFS")).unwrap();
        format!("{folder}/{below}")
    }

    pub(crate) fn fs(&self, arguments: &[&str]) -> Ran {
        self.loans.place.run(&[&["fs"], arguments].concat())
    }

    /// Writes the job of a run whose every path lies on the cluster.
    pub(crate) fn write_job(&self, run: &str, form: StreamForm) -> String {
        let name = self.loans.write_job(run, form);
        let root = &self.root;
        let input = if form.input.is_empty() { "incoming" } else { form.input };
        let text = std::fs::read_to_string(self.loans.place.at(&name)).unwrap();
        let text = text
            .replace(&format!("path: {input}\n"), &format!("path: {root}/{input}\n"))
            .replace("model: model", &format!("model: {root}/model"))
            .replace(&format!("path: {run}/"), &format!("path: {root}/{run}/"))
            .replace(&format!("checkpointLocation: {run}/"), &format!("checkpointLocation: {root}/{run}/"));
        self.loans.place.write(&name, &text);
        name
    }

    /// Writes a job that trains on rows of the cluster, and saves the model there as `model`.
    pub(crate) fn write_training(&self, model: &str) -> &'static str {
        let (root, place) = (&self.root, &self.loans.place);
        let text = std::fs::read_to_string(place.at("train.yaml")).unwrap();
        let text = text.replace("path: train.csv", &format!("path: {root}/train.csv"));
        place.write("train-there.yaml", &text.replace("path: model", &format!("path: {root}/{model}")));
        "train-there.yaml"
    }

    /// What a run left on the cluster, after all of it was fetched, held to the oracle.
    pub(crate) fn check(&self, run: &str) -> Counts {
        self.fs(&["get", &format!("{}/{run}", self.root), run]).ok();
        let here = format!("file://{}", self.loans.place.path().display());
        for entry in files_below(&self.loans.place.at(&format!("{run}/output/_spark_metadata"))) {
            let text = std::fs::read_to_string(&entry).unwrap();
            assert!(text.lines().count() == 1 || text.contains(&self.root), "its files lie on the cluster: {text}");
            std::fs::write(&entry, text.replace(&self.root, &here)).unwrap();
        }
        check(&self.loans, run, LogKind::Spark, &self.scores)
    }
}

/// A server of the cluster, by the file that holds its process id.
pub(crate) struct Server {
    pid_file: PathBuf,
    command_line: Vec<String>,
}

impl Server {
    /// `namenode` or `datanode`.
    pub(crate) fn of(name: &str) -> Server {
        let pid_file = PathBuf::from(told("OGNIVO_HDFS_SERVERS")).join(format!("{name}.pid"));
        let id = std::fs::read_to_string(&pid_file).unwrap();
        let command_line = std::fs::read_to_string(format!("/proc/{}/cmdline", id.trim())).unwrap();
        let command_line: Vec<String> =
            command_line.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        assert!(!command_line.is_empty(), "the {name} runs");
        Server { pid_file, command_line }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = std::fs::read_to_string(&self.pid_file).unwrap();
        let sent = Command::new("kill").args([&format!("-{signal}"), id.trim()]).status().unwrap();
        assert!(sent.success(), "signal {signal} to process {id}");
    }

    /// Freezes it for as long as what comes back lives: whatever a test finds, the next one has a server.
    pub(crate) fn freeze(&self) -> Frozen<'_> {
        self.signal("STOP");
        Frozen(self)
    }

    /// Runs another of Hadoop's classes on the class path of this server, and with its settings, to its end.
    pub(crate) fn run_beside(&self, class: &str, arguments: &[&str]) {
        let (_, java) = self.command_line.split_last().unwrap();
        let done = Command::new(&java[0]).args(&java[1..]).arg(class).args(arguments).output().unwrap();
        assert!(done.status.success(), "{class} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Starts it again, as it was started before, once the one before has let go of its ports.
    pub(crate) fn start(&self) {
        let id = std::fs::read_to_string(&self.pid_file).unwrap();
        // One that is dead and that nobody has asked about has no command line any more.
        while !std::fs::read(format!("/proc/{}/cmdline", id.trim())).unwrap_or_default().is_empty() {
            sleep(Duration::from_millis(1));
        }
        let log = std::fs::File::options().append(true).open(self.pid_file.with_extension("log")).unwrap();
        let mut command = Command::new(&self.command_line[0]);
        command.args(&self.command_line[1..]).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let id = command.spawn().unwrap().id();
        std::fs::write(&self.pid_file, id.to_string()).unwrap();
    }
}

/// A server that takes calls and answers none.
pub(crate) struct Frozen<'a>(&'a Server);

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.signal("CONT");
    }
}

/// Waits until there is a file of that name below the trial's folder.
pub(crate) fn wait_for(trial: &Trial, file: &str) {
    const DEADLINE: Duration = Duration::from_secs(60);
    let begin = Instant::now();
    while trial.fs(&["ls", &format!("{}/{file}", trial.root)]).code != Some(0) {
        assert!(begin.elapsed() < DEADLINE, "{file} did not come");
    }
}

/// A trial whose client has Hadoop's settings of one that waits 3 s for a server.
pub(crate) struct Impatient(pub(crate) Trial);

impl Impatient {
    pub(crate) fn new(trial: Trial) -> Impatient {
        let property = |name: &str| format!("<property><name>{name}</name><value>3000</value></property>");
        let properties = ["ipc.client.rpc-timeout.ms", "dfs.client.socket-timeout"].map(property).concat();
        trial.loans.place.write("conf/core-site.xml", &format!("<configuration>{properties}</configuration>"));
        Impatient(trial)
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.0.loans.place.command(arguments);
        command.env("HADOOP_CONF_DIR", self.0.loans.place.at("conf"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Waits for the end of what is to end by itself; what does not within two minutes is killed.
#[track_caller]
pub(crate) fn end_of(mut child: Child) -> Ran {
    const DEADLINE: Duration = Duration::from_secs(120);
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("it hangs: {:?}", Ran::of_child(child));
        }
        sleep(Duration::from_millis(50));
    }
    Ran::of_child(child)
}

/// A server that is dead, and is started again when this goes out of sight: whatever a test finds, the next one has a server.
pub(crate) struct Dead<'a>(&'a Server);

impl<'a> Dead<'a> {
    pub(crate) fn kill(server: &'a Server) -> Dead<'a> {
        server.signal("KILL");
        Dead(server)
    }
}

impl Drop for Dead<'_> {
    fn drop(&mut self) {
        self.0.start();
    }
}
