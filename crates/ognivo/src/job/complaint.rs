//! What is wrong with a job file: all of it at once, each with its place and, where we know it, the next step.

use std::fmt;

use ognivo_data::fault::{Explain, Fault};

use super::node::Position;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// Where in the file.
    pub(crate) at: Position,
    /// What is wrong: lower case, no full stop, the value last.
    pub(crate) message: String,
    /// The next step.
    pub(crate) hint: Option<String>,
}

impl Complaint {
    /// A complaint without a hint.
    pub(crate) fn new(at: Position, message: impl Into<String>) -> Complaint {
        Complaint { at, message: message.into(), hint: None }
    }

    /// With a hint, where there is one.
    pub(crate) fn with_hint(mut self, hint: Option<String>) -> Complaint {
        self.hint = hint;
        self
    }

    /// A complaint made of another crate's error.
    pub(crate) fn of(at: Position, error: &dyn Explain) -> Complaint {
        Complaint { at, message: error.to_string(), hint: error.hint() }
    }
}

/// A job file that cannot be run, with every complaint about it, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobError {
    /// The file as the user named it.
    pub(crate) file: String,
    /// What is wrong.
    pub(crate) complaints: Vec<Complaint>,
}

impl JobError {
    /// The complaints sorted by place, each said once.
    pub(crate) fn new(file: &str, mut complaints: Vec<Complaint>) -> JobError {
        complaints.sort_by(|a, b| (a.at, &a.message).cmp(&(b.at, &b.message)));
        complaints.dedup();
        JobError { file: file.to_owned(), complaints }
    }
}

impl JobError {
    /// The complaints as an editor or a person reads them: `file:line:column: message`, hints below.
    pub(crate) fn lines(&self) -> String {
        let mut out = String::new();
        for complaint in &self.complaints {
            let Position { line, column } = complaint.at;
            // A complaint about the command line has no place in the file.
            let place = if line == 0 { String::new() } else { format!("{}:{line}:{column}: ", self.file) };
            out.push_str(&format!("{place}{}\n", complaint.message));
            if let Some(hint) = &complaint.hint {
                out.push_str(&format!("  hint: {hint}\n"));
            }
        }
        out
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.complaints.len() == 1 { "complaint" } else { "complaints" };
        write!(f, "the job cannot run, {} {plural}\n{}", self.complaints.len(), self.lines().trim_end())
    }
}

impl std::error::Error for JobError {}

impl Explain for JobError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
}
