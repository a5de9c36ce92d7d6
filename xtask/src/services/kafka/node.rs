//! One node of Kafka: its folder, its process, and Kafka's own tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::services::packages;
use crate::services::server::Server;

/// On two busy cores a broker needs 12 s.
const READY_DEADLINE: Duration = Duration::from_secs(120);

const BROKER: &str = "broker";

/// Any 22 letters of base64 that stand for 16 bytes.
const CLUSTER_ID: &str = "4L6g3nShT-eMCtK--X86sw";

/// What the broker says when it serves.
const READY: &str = "Kafka Server started";

/// What a node keeps, and the settings that it starts with.
#[derive(Debug)]
pub(super) struct Node {
    folder: PathBuf,
    /// `-Djava.security.krb5.conf=…`, where one logs in with Kerberos.
    krb5_conf: Option<String>,
}

impl Node {
    /// An empty node; what an earlier one of the folder left is removed.
    ///
    /// # Errors
    /// When the folder cannot be made anew.
    pub(super) fn new(folder: &Path) -> Result<Node, String> {
        let failed = |e: std::io::Error| format!("cannot prepare {}: {e}", folder.display());
        match fs::remove_dir_all(folder) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
            _ => fs::create_dir_all(folder).map_err(failed)?,
        }
        let node = Node::of_folder(folder.to_owned());
        let to_file = log_settings("File", &format!("fileName = {}", node.path("server.log").display()), "INFO");
        let to_stderr = log_settings("Console", "target = SYSTEM_ERR", "WARN");
        node.write("log4j2.properties", &to_file)?;
        node.write("tools-log4j2.properties", &to_stderr)?;
        Ok(node)
    }

    /// The node whose folder this is, as an earlier process left it.
    pub(super) fn of_folder(folder: PathBuf) -> Node {
        Node { folder, krb5_conf: None }
    }

    /// The same node, which hears of a KDC from this file.
    pub(super) fn with_kerberos(self, krb5_conf: &Path) -> Node {
        Node { krb5_conf: Some(format!("-Djava.security.krb5.conf={}", krb5_conf.display())), ..self }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), String> {
        let path = self.path(name);
        fs::write(&path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
    }

    pub(super) fn is_running(&self) -> bool {
        Server::find(BROKER, &self.folder).is_some()
    }

    pub(super) fn stop(&self) -> Result<(), String> {
        Server::find(BROKER, &self.folder).map_or(Ok(()), |server| server.stop())
    }

    /// Prepares its data by `server.properties`.
    pub(super) fn format(&self, options: &[&str]) -> Result<(), String> {
        let mut java = self.tool("kafka.tools.StorageTool")?;
        java.args(["format", "-t", CLUSTER_ID, "-c"]).arg(self.path("server.properties")).args(options);
        let done = java.stdout(Stdio::null()).output().map_err(|e| format!("cannot start java: {e}"))?;
        match done.status.success() {
            true => Ok(()),
            false => Err(format!("the broker cannot be formatted:\n{}", String::from_utf8_lossy(&done.stderr))),
        }
    }

    /// Starts its process; [`Starting::wait`] until it serves.
    pub(super) fn start(&self) -> Result<Starting<'_>, String> {
        let n_before = self.n_times_ready();
        let mut java = self.java("log4j2.properties", "kafka.Kafka")?;
        let server = Server::start(BROKER, &self.folder, java.arg(self.path("server.properties")))?;
        Ok(Starting { node: self, server, n_before })
    }

    /// One of Kafka's own tools.
    pub(super) fn tool(&self, class: &str) -> Result<Command, String> {
        self.java("tools-log4j2.properties", class)
    }

    /// The log is appended to, so an earlier start's line is in it too.
    fn n_times_ready(&self) -> usize {
        fs::read_to_string(self.path("server.log")).unwrap_or_default().matches(READY).count()
    }

    /// A class of Kafka's.
    fn java(&self, log: &str, class: &str) -> Result<Command, String> {
        let jars = packages::jars("kafka", include_str!("../kafka.xml"))?;
        let mut java = Command::new("java");
        java.args(["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.arg("-Djava.net.preferIPv4Stack=true").args(&self.krb5_conf);
        java.arg(format!("-Dlog4j2.configurationFile={}", self.path(log).display()));
        java.arg("-cp").arg(format!("{}/*", jars.display())).arg(class);
        Ok(java)
    }
}

/// A node whose process was started.
pub(super) struct Starting<'a> {
    node: &'a Node,
    server: Server,
    n_before: usize,
}

impl Starting<'_> {
    /// # Errors
    /// When it ends, or does not serve in time.
    pub(super) fn wait(&self) -> Result<(), String> {
        let begin = Instant::now();
        while self.node.n_times_ready() == self.n_before {
            if !self.server.is_running() {
                return Err(format!("the broker ended; {}", self.server.last_words()));
            }
            if begin.elapsed() > READY_DEADLINE {
                let seconds = begin.elapsed().as_secs();
                return Err(format!(
                    "Kafka is not ready after {seconds} s: {}",
                    self.node.path("server.log").display()
                ));
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }
}

fn log_settings(kind: &str, target: &str, level: &str) -> String {
    format!(
        "status = error
appender.a.type = {kind}
appender.a.name = A
appender.a.{target}
appender.a.layout.type = PatternLayout
appender.a.layout.pattern = %d{{ISO8601}} %p %m (%c)%n%throwable
rootLogger.level = {level}
rootLogger.appenderRef.a.ref = A
"
    )
}
