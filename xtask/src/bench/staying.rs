//! A program that stays and does what it is told, line by line, so that what it needs to start is measured by nobody.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::json::{self, Json};

/// It is ended when it is let go of.
pub(super) struct Staying {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Staying {
    /// Starts a program that answers each line of its input with a line of JSON.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(command: &mut Command) -> Result<Staying, String> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.map_err(|e| format!("cannot start {}: {e}", command.get_program().display()))?;
        let (orders, answers) = (child.stdin.take().expect("it is piped"), child.stdout.take().expect("it is piped"));
        Ok(Staying { child, orders, answers: BufReader::new(answers) })
    }

    /// Tells it what to do, and waits for its answer.
    ///
    /// # Errors
    /// When it has ended.
    pub(super) fn ask(&mut self, words: &str) -> Result<Json, String> {
        let failed = |e: std::io::Error| format!("{words}: {e}");
        writeln!(self.orders, "{words}").and_then(|()| self.orders.flush()).map_err(failed)?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer).map_err(failed)?;
        json::parse(&answer).map_err(|e| format!("a program ended at: {words}: {e}"))
    }
}

impl Drop for Staying {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
