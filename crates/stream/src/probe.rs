//! What a look at the world outside found, as `ognivo doctor` prints it: one line for each thing that was asked.
//!
//! A connector's `probe.rs` asks its servers about one configuration and gives back a list of [`Check`]s, in the order in
//! which a person would ask: who is there, who am I, what is there, what may I do, is it enough. It changes nothing that it does
//! not put back. A failed check does not end the list unless nothing after it can be asked; then the rest is left out.
//!
//! ```
//! use ognivo_stream::probe::{Check, Found};
//!
//! let check = Check::fine("input", "3 files, 2.1 MB");
//! assert!(matches!(check.found, Found::Fine { .. }));
//! ```

use ognivo_data::fault::{Explain, Fault, Retry, causes};

/// One thing that was asked, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was asked, as a heading: `NameNode 127.0.0.1:8020`, `topic loans: right to write`.
    pub what: String,
    /// What was found.
    pub found: Found,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// As it should be.
    Fine {
        /// What it is.
        text: String,
    },
    /// The job runs, but somebody should know.
    Warning {
        /// What it is.
        text: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The job cannot run like this.
    Failed {
        /// What happened.
        text: String,
        /// What to do next.
        hint: Option<String>,
        /// Whether the same check may succeed later with nobody doing anything to the job.
        may_pass: bool,
    },
}

impl Check {
    /// As it should be.
    pub fn fine(what: impl Into<String>, text: impl Into<String>) -> Check {
        Check { what: what.into(), found: Found::Fine { text: text.into() } }
    }

    /// The job runs, but somebody should know.
    pub fn warning(what: impl Into<String>, text: impl Into<String>, hint: Option<String>) -> Check {
        Check { what: what.into(), found: Found::Warning { text: text.into(), hint } }
    }

    /// The job cannot run like this, today or later.
    pub fn failed(what: impl Into<String>, text: impl Into<String>, hint: Option<String>) -> Check {
        Check { what: what.into(), found: Found::Failed { text: text.into(), hint, may_pass: false } }
    }

    /// What the error says, with its causes in one line and its hint.
    pub fn of_error(what: impl Into<String>, error: &(dyn Explain + '_)) -> Check {
        let told = std::iter::once(error.to_string()).chain(causes(error));
        let text = told.collect::<Vec<_>>().join(": ");
        let may_pass = error.fault() == Fault::Remote && error.retry() != Retry::Never;
        Check { what: what.into(), found: Found::Failed { text, hint: error.hint(), may_pass } }
    }

    /// Fine with the text of `Ok`, failed with the error.
    pub fn of<E: Explain>(what: impl Into<String>, asked: Result<impl Into<String>, E>) -> Check {
        match asked {
            Ok(text) => Check::fine(what, text),
            Err(error) => Check::of_error(what, &error),
        }
    }

    /// Whether the job cannot run like this.
    pub fn is_failed(&self) -> bool {
        matches!(self.found, Found::Failed { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no answer: broker")]
    struct NoAnswer {
        source: std::io::Error,
        retry: Retry,
    }

    impl Explain for NoAnswer {
        fn fault(&self) -> Fault {
            Fault::Remote
        }
        fn retry(&self) -> Retry {
            self.retry
        }
        fn hint(&self) -> Option<String> {
            Some("start it".to_owned())
        }
    }

    #[test]
    fn an_error_is_told_with_its_causes_in_one_line_and_says_whether_it_may_pass() {
        for (retry, may_pass) in [(Retry::Backoff, true), (Retry::AfterRecreate, true), (Retry::Never, false)] {
            let error = NoAnswer { source: std::io::ErrorKind::ConnectionRefused.into(), retry };
            let check = Check::of("broker", Err::<String, _>(error));
            let (text, hint) = ("no answer: broker: connection refused".to_owned(), Some("start it".to_owned()));
            assert_eq!(check.found, Found::Failed { text, hint, may_pass });
        }
    }
}
