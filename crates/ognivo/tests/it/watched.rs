//! A stream that can be watched, over plain TCP.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStdout, Command};
use std::time::Duration;

use serde_json::Value;

use crate::binary::Ran;
use crate::loans::{Loans, StreamForm};

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Writes a job that can be watched at this port, and gives the file's name.
pub(crate) fn watched_job(loans: &Loans, run: &str, form: StreamForm, port: u16) -> String {
    let name = loans.write_job(run, form);
    let text = std::fs::read_to_string(loans.place.at(&name)).unwrap();
    loans.place.write(&name, &format!("{text}metrics: {{listen: \"127.0.0.1:{port}\"}}\n"));
    name
}

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    /// Names in small letters, as they were sent.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The body of an answer that went well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 200, "{self:?}");
        self.body
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.ok()).unwrap()
    }
}

/// Nobody may wait for ever; no test is about how long it takes.
const LONG: Duration = Duration::from_secs(60);

/// A connection on which a request was sent.
pub(crate) fn request(port: u16, method: &str, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

/// Sends a request and reads the whole answer.
pub(crate) fn ask(port: u16, method: &str, path: &str) -> Answer {
    let mut text = String::new();
    request(port, method, path).read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { code, head: head.to_owned(), body: body.to_owned() }
}

/// Asks for a page.
pub(crate) fn get(port: u16, path: &str) -> Answer {
    ask(port, "GET", path)
}

/// A stream that runs, and the progress that it prints.
pub(crate) struct Running {
    pub(crate) child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    /// Starts it, and waits until its pages answer.
    pub(crate) fn start(loans: &Loans, job: &str, port: u16) -> Running {
        let mut child = loans.place.start(&["stream", job, "--progress", "json"]);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert_eq!(child.try_wait().unwrap(), None, "it ended: {}", told(&mut child));
            std::thread::sleep(Duration::from_millis(10));
        }
        Running { child, stdout }
    }

    /// The progress of the next `n` batches.
    pub(crate) fn progress(&mut self, n: usize) -> Vec<Value> {
        let mut line = || {
            let mut line = String::new();
            self.stdout.read_line(&mut line).unwrap();
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: `{line}`"))
        };
        (0..n).map(|_| line()).collect()
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn end(mut self) -> Ran {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        Ran::of_child(self.child)
    }
}

fn told(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

/// Asks for a page until the answer is as wanted.
pub(crate) fn wait_for(port: u16, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
    loop {
        let answer = get(port, path);
        if wanted(&answer) {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
