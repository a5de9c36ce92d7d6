//! One server process: its log, the file that holds its id, and signals to it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a server may take to end by itself.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// How long a process may take until its command line can be seen.
const SEEN_DEADLINE: Duration = Duration::from_secs(10);

/// A server that was started, by this process or by an earlier one.
#[derive(Debug)]
pub(crate) struct Server {
    name: String,
    folder: PathBuf,
    id: u32,
}

impl Server {
    /// Starts `command` in the background: `<name>.log` and `<name>.pid` lie in `folder`, which its command line must name.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(name: &str, folder: &Path, command: &mut Command) -> Result<Server, String> {
        let at = |ending: &str| folder.join(format!("{name}.{ending}"));
        let failed = |e: std::io::Error| format!("cannot start {name}: {e}");
        let log = File::options().create(true).append(true).open(at("log")).map_err(failed)?;
        command.stdin(Stdio::null()).stdout(log.try_clone().map_err(failed)?).stderr(log);
        // A key that stops us does not stop it.
        command.process_group(0);
        let id = command.spawn().map_err(failed)?.id();
        fs::write(at("pid"), id.to_string()).map_err(failed)?;
        let server = Server { name: name.to_owned(), folder: folder.to_owned(), id };
        server.wait_until_seen();
        Ok(server)
    }

    /// The kernel lets `spawn` return a moment before the new process has its command line: until then it looks like one that ended.
    fn wait_until_seen(&self) {
        let begin = Instant::now();
        while !self.is_running() && !self.is_zombie() && begin.elapsed() < SEEN_DEADLINE {
            sleep(Duration::from_millis(1));
        }
    }

    /// The server of that name in `folder`, when its process is there.
    pub(crate) fn find(name: &str, folder: &Path) -> Option<Server> {
        let id = fs::read_to_string(folder.join(format!("{name}.pid"))).ok()?.trim().parse().ok()?;
        let server = Server { name: name.to_owned(), folder: folder.to_owned(), id };
        server.is_running().then_some(server)
    }

    /// Whether the process is there. An id that went to somebody else's process is not taken for ours.
    pub(crate) fn is_running(&self) -> bool {
        let of_process = |file: &str| fs::read(format!("/proc/{}/{file}", self.id)).unwrap_or_default();
        let command_line = String::from_utf8_lossy(&of_process("cmdline")).into_owned();
        // Nobody waits for a child of ours that ended: it is a zombie, whose command line is empty.
        command_line.contains(&*self.folder.to_string_lossy())
    }

    /// Whether it ended and nobody has asked how.
    fn is_zombie(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id)).unwrap_or_default();
        status.lines().any(|line| line.starts_with("State:\tZ"))
    }

    /// Sends a signal: `STOP`, `CONT`, `KILL`, `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let _ = Command::new("kill").args([&format!("-{signal}"), &self.id.to_string()]).stderr(Stdio::null()).status();
    }

    /// Ends it, and returns when it is gone.
    ///
    /// # Errors
    /// When it does not end.
    pub(crate) fn stop(&self) -> Result<(), String> {
        for signal in ["TERM", "KILL"] {
            // One that is frozen hears nothing before it goes on.
            self.signal(signal);
            self.signal("CONT");
            let begin = Instant::now();
            while begin.elapsed() < STOP_DEADLINE {
                if !self.is_running() {
                    let _ = fs::remove_file(self.folder.join(format!("{}.pid", self.name)));
                    return Ok(());
                }
                sleep(Duration::from_millis(50));
            }
        }
        Err(format!("{} does not end: process {}", self.name, self.id))
    }

    /// Whether its log holds `words`.
    pub(crate) fn has_said(&self, words: &str) -> bool {
        fs::read_to_string(log_of(&self.name, &self.folder)).is_ok_and(|log| log.contains(words))
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        last_words(&self.name, &self.folder)
    }
}

/// The end of the log of the server of that name in `folder`, also of one that is gone.
pub(crate) fn last_words(name: &str, folder: &Path) -> String {
    const N_LINES: usize = 15;
    let path = log_of(name, folder);
    let log = fs::read_to_string(&path).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    format!("{}:\n{}", path.display(), lines[lines.len().saturating_sub(N_LINES)..].join("\n"))
}

fn log_of(name: &str, folder: &Path) -> PathBuf {
    folder.join(format!("{name}.log"))
}

/// Ports of the loopback that nobody listens on, all different.
pub(crate) fn free_ports<const N: usize>() -> std::io::Result<[u16; N]> {
    let mut ports = [0; N];
    let mut held = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_as_soon_as_it_was_started_and_gone_when_it_was_stopped() {
        let folder = std::env::temp_dir().join(format!("ognivo-server-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for _ in 0..100 {
            let mut command = Command::new("tail");
            command.arg("-f").arg(folder.join("follower.log"));
            let started = Server::start("follower", &folder, &mut command).unwrap();
            assert!(Server::find("follower", &folder).is_some());
            started.signal("KILL");
            started.stop().unwrap();
            assert!(Server::find("follower", &folder).is_none());
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_server_that_ends_at_once_is_not_waited_for() {
        let folder = std::env::temp_dir().join(format!("ognivo-ended-server-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let begin = Instant::now();
        let started = Server::start("short", &folder, Command::new("true").arg(&folder)).unwrap();
        assert!(begin.elapsed() < SEEN_DEADLINE);
        while !started.is_zombie() {}
        assert!(Server::find("short", &folder).is_none());
        fs::remove_dir_all(&folder).unwrap();
    }
}
