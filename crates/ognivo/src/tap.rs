//! `ognivo tap`: scored rows of a running stream, as they are committed.

use std::io::BufRead;
use std::process::ExitCode;

use crate::cli::JobArgs;
use crate::failure::Failure;
use crate::operate::client::{AskError, ask};
use crate::print;
use crate::top::listen_of;

/// Prints rows as JSON lines until the stream ends or there were `limit` of them.
pub(crate) fn run(args: &JobArgs, limit: Option<u64>) -> Result<ExitCode, Failure> {
    let listen = listen_of(args)?;
    let mut answer = ask(listen, "/tap")?;
    let mut n_rows = 0;
    let mut line = String::new();
    while limit.is_none_or(|limit| n_rows < limit) {
        line.clear();
        let read = answer.read_line(&mut line).map_err(|source| AskError::NotThere { address: listen, source })?;
        if read == 0 {
            print::say(&format!("the stream ended; {} rows were shown", print::thousands(n_rows)));
            break;
        }
        match line.trim_end().strip_prefix('#') {
            None => {
                print::bytes(line.as_bytes())?;
                n_rows += 1;
            }
            // Only a sign that it is there.
            Some("") => {}
            Some(words) => print::say(words.trim_start()),
        }
    }
    Ok(ExitCode::SUCCESS)
}
