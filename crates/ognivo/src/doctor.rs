//! `ognivo doctor`: every check that needs the network or the disks, one line each.
//!
//! ```text
//! ok    NameNode 127.0.0.1:8020: active; lets in by kerberos
//! ok    stream.writeStream.path: hdfs:///loans/output: writable as alice
//! warn  DataNodes: 2 live, 0 dead; dfs.replication is 3 here
//!       hint: files get fewer copies than asked for; start DataNodes, or set dfs.replication
//! FAIL  stream.model: no model directory: hdfs:///loans/model
//! ```
//! Nothing is changed but for hidden files that are removed again. The connectors look ([`Check`]s come from their `probe.rs`);
//! here stands what a job needs of them, and in which order.

mod model;
mod places;
mod progress;
mod servers;

use std::process::ExitCode;

use ognivo::session::Session;
use ognivo_stream::probe::{Check, Found};
use serde_json::{Value, json};

use crate::cli::{JobArgs, Output};
use crate::exit;
use crate::failure::Failure;
use crate::job::job::Job;
use crate::job::resolve::read_job;
use crate::print;

/// Checks everything that the job needs; the exit code says whether it can run, and whether it may later.
pub(crate) fn run(args: &JobArgs, output: Output) -> Result<ExitCode, Failure> {
    let job = read_job(&args.file, &args.overrides())?;
    let session = Session::start(Some(1))?;
    let mut findings = Findings { checks: Vec::new(), output };
    session.runtime().block_on(look(&job, &session, &mut findings))?;
    // A server that hangs must not keep us.
    session.shut_down();
    if output == Output::Json {
        print::line(&to_json(&findings.checks).to_string())?;
    }
    Ok(ExitCode::from(code_of(&findings.checks)))
}

/// Clusters first, then every place of the job, the model, and the progress of the stream.
async fn look(job: &Job, session: &Session, findings: &mut Findings) -> Result<(), Failure> {
    let away = places::look(job, findings).await?;
    findings.add_all(model::look_at_unfitted(job, &away).await?)?;
    if let Some(stream) = &job.stream {
        findings.add(model::look(job, stream, session, &away).await?)?;
        findings.add_all(progress::look(job, stream, &away).await?)?;
        findings.add_all(servers::look(job, stream, session).await?)?;
    }
    Ok(())
}

/// What was found so far; lines are printed as they come, since some take their time.
pub(crate) struct Findings {
    checks: Vec<Check>,
    output: Output,
}

impl Findings {
    fn add(&mut self, check: Check) -> Result<(), Failure> {
        if self.output == Output::Text {
            print::bytes(lines(&check).as_bytes())?;
        }
        self.checks.push(check);
        Ok(())
    }

    fn add_all(&mut self, checks: impl IntoIterator<Item = Check>) -> Result<(), Failure> {
        checks.into_iter().try_for_each(|check| self.add(check))
    }
}

fn lines(check: &Check) -> String {
    let (mark, text, hint) = match &check.found {
        Found::Fine { text } => ("ok  ", text, &None),
        Found::Warning { text, hint } => ("warn", text, hint),
        Found::Failed { text, hint, .. } => ("FAIL", text, hint),
    };
    let hint = hint.as_ref().map_or_else(String::new, |hint| format!("      hint: {hint}\n"));
    format!("{mark}  {}: {text}\n{hint}", check.what)
}

fn to_json(checks: &[Check]) -> Value {
    let object = |check: &Check| match &check.found {
        Found::Fine { text } => json!({"what": check.what, "found": "ok", "text": text}),
        Found::Warning { text, hint } => json!({"what": check.what, "found": "warning", "text": text, "hint": hint}),
        Found::Failed { text, hint, may_pass } => {
            json!({"what": check.what, "found": "failed", "text": text, "hint": hint, "mayPass": may_pass})
        }
    };
    json!({"ok": code_of(checks) == 0, "checks": checks.iter().map(object).collect::<Vec<_>>()})
}

/// 0 when nothing failed; 75 when all that failed may pass by itself; else 1.
fn code_of(checks: &[Check]) -> u8 {
    const FAILED: u8 = 1;
    let mut failed = checks.iter().filter_map(|check| match check.found {
        Found::Failed { may_pass, .. } => Some(may_pass),
        _ => None,
    });
    match failed.next() {
        None => 0,
        Some(may_pass) if may_pass && failed.all(|may_pass| may_pass) => exit::TRY_AGAIN_LATER,
        Some(_) => FAILED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_says_whether_all_that_failed_may_pass() {
        let fine = Check::fine("a", "b");
        let warning = Check::warning("a", "b", None);
        let (failed, later) = (Check::failed("a", "b", None), Check::may_pass("a", "b", None));
        assert_eq!(code_of(&[fine.clone(), warning.clone()]), 0);
        assert_eq!(code_of(&[later.clone(), fine, later.clone(), warning]), 75);
        assert_eq!(code_of(&[later.clone(), failed.clone()]), 1);
        assert_eq!(code_of(&[failed, later]), 1);
    }

    #[test]
    fn a_check_is_a_line_and_its_hint_another() {
        let hint = Some("do this".to_owned());
        assert_eq!(lines(&Check::failed("topic", "none: x", hint)), "FAIL  topic: none: x\n      hint: do this\n");
        assert_eq!(lines(&Check::fine("topic", "3 partitions")), "ok    topic: 3 partitions\n");
    }
}
