//! Exit codes: what a script can tell from how the program ended.

use std::process::ExitCode;

use ognivo_data::fault::{Explain, Fault, Retry, causes};

use crate::print::say;

/// What each code means, as the command line's help shows it.
pub(crate) const CODES: &str = "Exit codes: 0 ok, 1 job failed, 2 usage or job file, 3 model not supported, \
4 parity broken, 5 limit of bad data reached, 75 try again later";

/// The share of bad rows went over `errors.maxBadFraction`.
pub(crate) const BAD_DATA: u8 = 5;

/// A server, a disk or a network is not there for now.
pub(crate) const TRY_AGAIN_LATER: u8 = 75;

/// The code for an error: whose fault it is, and whether a later try can help.
pub(crate) fn code_of(error: &dyn Explain) -> u8 {
    match (error.fault(), error.retry()) {
        (Fault::Job, _) => 2,
        (Fault::Model, _) => 3,
        (Fault::Remote, Retry::Backoff | Retry::AfterRecreate) => TRY_AGAIN_LATER,
        (Fault::Remote, Retry::Never) | (Fault::Data | Fault::Bug, _) => 1,
    }
}

/// Prints an error with its causes and hints to stderr and gives its code.
pub(crate) fn report(error: &dyn Explain, code: u8) -> ExitCode {
    say(&format!("error: {error}"));
    for cause in causes(error) {
        say(&format!("  caused by: {cause}"));
    }
    if let Some(hint) = error.hint() {
        say(&format!("hint: {hint}"));
    }
    ExitCode::from(code)
}
