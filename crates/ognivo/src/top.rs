//! `ognivo top`: a running stream in a terminal.

use std::fmt::Write as _;
use std::io::{IsTerminal, Read};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use terminal_size::{Height, Width, terminal_size};

use crate::cli::{Cli, JobArgs, Output};
use crate::failure::{Failure, Refusal};
use crate::job::resolve::read_job;
use crate::operate::client::{AskError, ask};
use crate::operate::status::{State, Status, duration_words, rate_words};
use crate::print::{self, table, thousands};

/// Shows the stream, again and again on a terminal, once elsewhere.
pub(crate) fn run(args: &JobArgs, once: bool, interval: Duration, cli: &Cli) -> Result<ExitCode, Failure> {
    let listen = listen_of(args)?;
    if once || cli.output == Output::Json || !std::io::stdout().is_terminal() {
        let text = status_text(listen)?;
        match cli.output {
            Output::Json => print::line(text.trim_end())?,
            Output::Text => print::bytes(shown(&parsed(&text, listen)?).as_bytes())?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    loop {
        let screen = match status_text(listen).and_then(|text| parsed(&text, listen)) {
            Ok(status) => shown(&status),
            // The stream may be started anew while we look.
            Err(error) => format!("{error}\n"),
        };
        let size = terminal_size().map_or((80, 24), |(Width(columns), Height(lines))| (columns, lines));
        print::bytes(redrawn(&screen, size).as_bytes())?;
        std::thread::sleep(interval);
    }
}

/// Where the stream of this job can be asked.
pub(crate) fn listen_of(args: &JobArgs) -> Result<SocketAddr, Failure> {
    let job = read_job(&args.file, &args.overrides())?;
    let hint =
        || Some("add `metrics: {listen: \"127.0.0.1:9464\"}` to the job, and start the stream with it".to_owned());
    match job.metrics {
        None => Err(Refusal::of_job("the job has no part `metrics:`", hint()).into()),
        Some(metrics) if metrics.listen.port() == 0 => {
            let message = format!("the port of this job is chosen when it starts: {}", metrics.listen);
            let hint = "the stream said which; give it with `--set metrics.listen=…`".to_owned();
            Err(Refusal::of_job(message, Some(hint)).into())
        }
        Some(metrics) => Ok(metrics.listen),
    }
}

fn status_text(listen: SocketAddr) -> Result<String, AskError> {
    let mut text = String::new();
    let read = ask(listen, "/status")?.read_to_string(&mut text);
    read.map_err(|source| AskError::NotThere { address: listen, source })?;
    Ok(text)
}

fn parsed(text: &str, listen: SocketAddr) -> Result<Status, AskError> {
    serde_json::from_str(text).map_err(|error| AskError::Refused {
        address: listen,
        path: "/status".to_owned(),
        answer: format!("not the status of this version of ognivo: {error}"),
    })
}

/// The same place of the terminal, written over: home, each line to its end, what is below cleared. What a terminal of so many
/// columns and lines does not hold is cut, since it would scroll.
fn redrawn(screen: &str, (n_columns, n_lines): (u16, u16)) -> String {
    let cut = |line: &str| line.chars().take(usize::from(n_columns)).collect::<String>();
    let lines = screen.lines().take(usize::from(n_lines)).map(|line| format!("{}\x1b[K", cut(line)));
    format!("\x1b[H{}\x1b[J", lines.collect::<Vec<_>>().join("\r\n"))
}

/// The stream in words.
fn shown(status: &Status) -> String {
    let Status { rows, rates, batches, .. } = status;
    let mut out = format!("{}  {}  for {}\n", status.name, status.state.as_str(), duration_words(status.uptime_ms));
    match (status.state, &status.reason, &status.open_batch) {
        (State::Waiting, Some(reason), _) => {
            let _ = writeln!(out, "  {reason}");
        }
        (State::Running, _, Some(batch)) => {
            let _ = writeln!(out, "  works on batch {} since {}", batch.batch_id, duration_words(batch.since_ms));
        }
        _ => {}
    }
    let age =
        status.checkpoint_age_ms.map_or_else(|| "none yet".to_owned(), |ms| format!("{} ago", duration_words(ms)));
    let mut facts = vec![
        row(
            "rows",
            format!(
                "{} read = {} written + {} skipped + {} dead letters",
                thousands(rows.read),
                thousands(rows.written),
                thousands(rows.skipped),
                thousands(rows.dead_letters)
            ),
        ),
        row("rate", format!("{} rows/s, {} over a minute", rate_words(rates.ten_seconds), rate_words(rates.minute))),
        row(
            "batches",
            format!(
                "{} committed, {} replayed; {} attempts given up, {} failures",
                thousands(batches.committed),
                batches.replayed,
                batches.aborted,
                batches.failures
            ),
        ),
        row("last commit", age),
    ];
    if let Some(latency) = &status.latency_ms {
        let words = [latency.p50, latency.p99, latency.max].map(duration_words);
        facts.push(row("record to commit", format!("p50 {}, p99 {}, max {}", words[0], words[1], words[2])));
    }
    if let Some(lag) = &status.lag {
        let furthest = lag.partitions.iter().take(4).map(|(partition, n)| format!("{partition} {}", thousands(*n)));
        let furthest = furthest.collect::<Vec<_>>().join(", ");
        let furthest = if furthest.is_empty() { furthest } else { format!(": {furthest}") };
        facts.push(row("behind", format!("{} {}{furthest}", thousands(lag.total), lag.unit)));
    }
    if let Some(query) = &status.query {
        facts.push(row("source", query.source.clone()));
        facts.push(row("sink", query.sink.clone()));
        facts.push(row("model", query.model.clone()));
    }
    out.push_str(&table(&facts));
    out.push_str(&tables(status));
    out
}

/// The last batches, dead letters by reason, warnings.
fn tables(status: &Status) -> String {
    let mut out = String::new();
    if !status.last_batches.is_empty() {
        let names = ["batch", "read", "written", "skipped", "dead letters", "took", "started"].map(str::to_owned);
        let batches = status.last_batches.iter().map(|batch| {
            let rows = &batch.rows;
            let counts = [batch.batch_id, rows.read, rows.written, rows.skipped, rows.dead_letters].map(thousands);
            let replayed = if batch.replayed { " replayed" } else { "" };
            let started = format!("{}{replayed}", batch.timestamp);
            counts.into_iter().chain([duration_words(batch.duration_ms), started]).collect()
        });
        out.push_str(&format!("\n{}", table(&std::iter::once(names.to_vec()).chain(batches).collect::<Vec<_>>())));
    }
    if !status.dead_letters.is_empty() {
        let names = ["dead letters", "code", "stage"].map(str::to_owned);
        let letters = status.dead_letters.iter().map(|letter| {
            vec![
                thousands(letter.rows),
                letter.code.clone(),
                letter.stage.clone().unwrap_or_else(|| "no stage".to_owned()),
            ]
        });
        out.push_str(&format!("\n{}", table(&std::iter::once(names.to_vec()).chain(letters).collect::<Vec<_>>())));
    }
    for warning in &status.warnings {
        let _ = writeln!(out, "\nwarning: {warning}");
    }
    out
}

fn row(name: &str, value: String) -> Vec<String> {
    vec![name.to_owned(), value]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_is_written_over_the_one_before() {
        assert_eq!(redrawn("a\nb\n", (80, 24)), "\x1b[Ha\x1b[K\r\nb\x1b[K\x1b[J");
    }

    #[test]
    fn what_a_terminal_does_not_hold_is_cut() {
        assert_eq!(redrawn("abc\nö→x\nd\n", (2, 2)), "\x1b[Hab\x1b[K\r\nö→\x1b[K\x1b[J");
    }
}
