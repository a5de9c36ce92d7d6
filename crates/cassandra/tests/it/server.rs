//! A server of the cluster, by the file that holds its process id.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What `cargo xtask cassandra` says of its servers.
pub(crate) fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: these tests are run by `cargo xtask cassandra`"))
}

/// `127.0.0.1:port`
pub(crate) fn contact_point() -> String {
    told("OGNIVO_CASSANDRA")
}

pub(crate) struct Server {
    number: usize,
    pid_file: PathBuf,
    command_line: Vec<String>,
}

impl Server {
    /// The first is 1.
    pub(crate) fn of(number: usize) -> Server {
        let pid_file = PathBuf::from(told("OGNIVO_CASSANDRA_SERVERS")).join(format!("node{number}.pid"));
        let id = std::fs::read_to_string(&pid_file).unwrap();
        let command_line = std::fs::read_to_string(format!("/proc/{}/cmdline", id.trim())).unwrap();
        let command_line: Vec<String> =
            command_line.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        assert!(!command_line.is_empty(), "server {number} runs");
        Server { number, pid_file, command_line }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = std::fs::read_to_string(&self.pid_file).unwrap();
        let sent = Command::new("kill").args([&format!("-{signal}"), id.trim()]).status().unwrap();
        assert!(sent.success(), "signal {signal} to process {id}");
    }

    /// Starts it again, as it was started before, over what it has.
    pub(crate) fn start(&self) {
        let log = std::fs::File::options().append(true).open(self.pid_file.with_extension("log")).unwrap();
        let mut command = Command::new(&self.command_line[0]);
        command.args(&self.command_line[1..]).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let id = command.spawn().unwrap().id();
        std::fs::write(&self.pid_file, id.to_string()).unwrap();
    }

    /// Waits until clients may connect.
    pub(crate) fn wait_until_ready(&self) {
        const DEADLINE: Duration = Duration::from_secs(180);
        let contact_point = contact_point();
        let (_, port) = contact_point.rsplit_once(':').unwrap();
        let begin = Instant::now();
        while TcpStream::connect(format!("127.0.0.{}:{port}", self.number)).is_err() {
            assert!(begin.elapsed() < DEADLINE, "server {} does not come back", self.number);
            sleep(Duration::from_millis(100));
        }
    }
}
