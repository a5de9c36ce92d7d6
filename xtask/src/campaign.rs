//! `cargo xtask campaign`: the tests that inject faults, as often as was asked for, and the page of what they tried.
//!
//! 1. the tests of the modules `campaign` of every crate run, with `OGNIVO_CAMPAIGN_SCALE` set;
//! 2. each prints lines `campaign: {…}` once its checks have passed (`crates/stream/tests/it/campaign/counts.rs`);
//! 3. the lines are added up, printed as a table, and, but for `--quick`, written to `docs/reliability.md`.
//!
//! A test that fails ends the campaign: no page is written.

mod page;
mod tally;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::program::{cargo, root};
pub(crate) use tally::{Tally, Trial};

/// How many times more than `cargo test` the random tests try: 10,000 schedules.
const QUICK_SCALE: u64 = 5;

/// The same for the long campaign: 50,000 schedules.
const LONG_SCALE: u64 = 25;

/// The modules that the campaign runs and that `cargo test` of CI leaves to it.
pub(crate) const MODULES: &str = "campaign::";

/// Runs the campaign.
///
/// # Errors
/// The test that failed, or a wrong argument.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let asked = Asked::parse(arguments)?;
    let begin = Instant::now();
    let tally = try_all(asked.scale)?;
    let seconds = begin.elapsed().as_secs();
    println!("\n{}\ncampaign: ok, scale {}, {seconds} s", tally.as_text(), asked.scale);
    if asked.is_quick {
        return Ok(());
    }
    let page = page::text(&tally, asked.scale, seconds)?;
    let path = root().join("docs/reliability.md");
    std::fs::write(&path, page).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    println!("campaign: wrote docs/reliability.md");
    Ok(())
}

struct Asked {
    is_quick: bool,
    scale: u64,
}

impl Asked {
    fn parse(arguments: &[String]) -> Result<Asked, String> {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match words[..] {
            [] => Ok(Asked { is_quick: false, scale: LONG_SCALE }),
            ["--quick"] => Ok(Asked { is_quick: true, scale: QUICK_SCALE }),
            ["--scale", scale] => match scale.parse() {
                Ok(scale @ 1..) => Ok(Asked { is_quick: false, scale }),
                _ => Err(format!("--scale wants a number from 1 on: {scale}")),
            },
            _ => Err("usage: cargo xtask campaign [--quick | --scale N]".to_owned()),
        }
    }
}

/// Runs the tests; what each of them tried.
///
/// The packages are those of CI's other tests, so that nothing is built twice.
fn try_all(scale: u64) -> Result<Tally, String> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--exclude", "xtask", "--test", "it", MODULES, "--", "--show-output"]);
    command.env("OGNIVO_CAMPAIGN_SCALE", scale.to_string()).stdout(Stdio::piped());
    println!("== OGNIVO_CAMPAIGN_SCALE={scale} cargo test --test it {MODULES}");
    let (lines, is_success) = lines_of(&mut command, "test ")?;
    if !is_success {
        // Everything, since what is not a line of a trial says what failed, with its seed.
        let told: Vec<&String> = lines.iter().filter(|line| !line.starts_with("campaign: ")).collect();
        told.iter().for_each(|line| println!("{line}"));
        return Err(
            "campaign: a test FAILED; a seed that is told above is kept in KEPT_SEEDS of simulation.rs".to_owned()
        );
    }
    let after = |prefix: &'static str| lines.iter().filter_map(move |line| line.strip_prefix(prefix));
    let trials = after("campaign: ").map(Trial::parse).collect::<Result<Vec<Trial>, String>>()?;
    Tally::of(trials, after("NOT CHECKED ").map(str::to_owned).collect())
}

/// What the tests print; lines that begin with `shown`, which tell how they get on, go to the terminal at once.
pub(crate) fn lines_of(command: &mut Command, shown: &str) -> Result<(Vec<String>, bool), String> {
    let failed = |e: std::io::Error| format!("cannot run the tests: {e}");
    let mut child = command.spawn().map_err(failed)?;
    let stdout = child.stdout.take().expect("it is piped");
    let mut lines = Vec::new();
    for line in BufReader::new(stdout).lines() {
        let line = line.map_err(failed)?;
        if line.starts_with(shown) {
            println!("{line}");
        }
        lines.push(line);
    }
    Ok((lines, child.wait().map_err(failed)?.success()))
}
