//! `docs/reliability.md`: the promise, what was tried, what was found, and how to try it again.

use std::process::Command;

use super::tally::{Tally, thousands};
use crate::program::{at_root, output, root};

/// What earlier campaigns found, and what they taught; written by hand.
const FOUND: &str = include_str!("found.md");

/// What is tried beside real Spark, by another command; written by hand.
const SPARK: &str = include_str!("spark.md");

/// What is tried on real HDFS, by another command; written by hand.
const HDFS: &str = include_str!("hdfs.md");

/// What is tried on a real Kafka, by another command; written by hand.
const KAFKA: &str = include_str!("kafka.md");

/// What a campaign cannot show; written by hand.
const LIMITS: &str = include_str!("limits.md");

/// Each crate with what its trials run through.
const PACKAGES: [(&str, &str); 4] = [
    ("ognivo-stream", "The driver in memory: sources, sinks and a checkpoint whose every call can fail"),
    ("ognivo-files", "Folders as source and sink, on a real file system whose every call can fail"),
    ("ognivo-model", "Model directories"),
    ("ognivo", "The program, as processes of its own that are really killed, on real files"),
];

/// The whole page.
///
/// # Errors
/// When the README lacks its table of promises, or a program that tells a version cannot be run.
pub(super) fn text(tally: &Tally, scale: u64, seconds: u64) -> Result<String, String> {
    let sections: Vec<String> = PACKAGES.iter().map(|(package, title)| section(tally, package, title)).collect();
    Ok(format!(
        "# Reliability\n\n{}\n\n## What is promised\n\n{}\n\n## What was tried\n\n{}\n\n{}{}\n\n{}\n\n{}\n\n{}\n\n{}\n\n{}\n\n{}",
        written(scale, seconds)?,
        promises()?,
        summary(tally),
        sections.join("\n\n"),
        unchecked(tally),
        SPARK.trim_end(),
        HDFS.trim_end(),
        KAFKA.trim_end(),
        LIMITS.trim_end(),
        FOUND.trim_end(),
        again(tally),
    ))
}

fn written(scale: u64, seconds: u64) -> Result<String, String> {
    Ok(format!(
        "Written by `cargo xtask campaign --scale {scale}` on {date}, in {minutes} minutes. Machine: {n_cores} cores, {system}. \
         {rustc}. Sources: {commit}.",
        date = first_line(Command::new("date").args(["-u", "+%F"]))?,
        minutes = seconds.div_ceil(60),
        n_cores = std::thread::available_parallelism().map_or(1, usize::from),
        system = first_line(Command::new("uname").arg("-sr"))?,
        rustc = first_line(Command::new("rustc").arg("--version"))?,
        commit = first_line(at_root("git").args(["describe", "--always", "--dirty"]))?,
    ))
}

fn first_line(command: &mut Command) -> Result<String, String> {
    Ok(output(command)?.lines().next().unwrap_or_default().to_owned())
}

/// The README's own words, so that there is one wording.
fn promises() -> Result<String, String> {
    const HEADING: &str = "## What a stream promises\n";
    let path = root().join("README.md");
    let readme = std::fs::read_to_string(&path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let (_, after) = readme.split_once(HEADING).ok_or_else(|| format!("the README has no heading {HEADING:?}"))?;
    let section = after.split("\n## ").next().unwrap_or_default();
    // A link to this page would lead from here to here.
    let paragraphs = section.split("\n\n").filter(|paragraph| !paragraph.contains("docs/reliability.md"));
    // The page lies where the README's links lead.
    Ok(paragraphs.collect::<Vec<_>>().join("\n\n").trim().replace("](docs/", "]("))
}

fn summary(tally: &Tally) -> String {
    let of = |unit: &str, package: &str| thousands(tally.sum(unit, |name| name == package));
    let everywhere = |unit: &str| thousands(tally.sum(unit, |_| true));
    format!(
        "{} random schedules in memory, {} processes killed with SIGKILL, {} deaths at named places within a process, {} failed \
         calls, {} damaged files, {} full disks, {} wrong job files, {} looks of readers at running streams: \
         **0 rows lost, 0 rows twice** of {} that were counted one by one. A line below stands only where every check behind it \
         has passed: the first row that is lost, repeated, or scored otherwise than in one go ends the campaign, and no page is \
         written.",
        everywhere("schedules"),
        of("kills", "ognivo"),
        thousands(tally.sum("kills", |name| name != "ognivo")),
        everywhere("failed calls"),
        everywhere("damaged files"),
        everywhere("full disks"),
        everywhere("job files"),
        everywhere("looks"),
        thousands(tally.rows()),
    )
}

fn section(tally: &Tally, package: &str, title: &str) -> String {
    let mut text = format!("### {title}\n\n| what | how often | rows, each once | how it ended |\n|---|---|---|---|");
    for trial in tally.trials.iter().filter(|trial| trial.package == package) {
        let rows = if trial.rows > 0 { thousands(trial.rows) } else { String::new() };
        text.push_str(&format!("\n| {} | {} | {rows} | {} |", trial.what, trial.how_often(), trial.endings()));
    }
    text
}

/// What this machine, or this user, did not let us try.
fn unchecked(tally: &Tally) -> String {
    let told: Vec<String> = tally.unchecked.iter().map(|what| format!("\n- {what}")).collect();
    if told.is_empty() { String::new() } else { format!("\n\n### Not checked on this machine\n{}", told.join("")) }
}

/// How each is tried again.
fn again(tally: &Tally) -> String {
    let mut text = "## Again\n\n`cargo xtask campaign` runs all of it and writes this page; `cargo xtask campaign --quick`, a part of \
                    `cargo xtask ci`, tries 10,000 schedules and writes nothing. One part of it, with the seeds of this run:\n\n\
                    | command | seeds |\n|---|---|"
        .to_owned();
    let mut told: Vec<(&str, &str)> = Vec::new();
    for trial in &tally.trials {
        let part = (trial.package.as_str(), trial.module.as_str());
        if told.contains(&part) {
            continue;
        }
        told.push(part);
        let of_part = tally.trials.iter().filter(|other| (other.package.as_str(), other.module.as_str()) == part);
        let mut seeds: Vec<&str> = of_part.flat_map(|other| &other.seeds).map(String::as_str).collect();
        seeds.dedup();
        text.push_str(&format!("\n| `cargo test -p {} --test it {}` | {} |", part.0, part.1, seeds.join(", ")));
    }
    text.push_str(
        "\n\n`OGNIVO_SIMULATION_SEED=<seed>` lives one schedule of `simulation` again, the same in every step; a seed that failed goes \
         into `KEPT_SEEDS` there and is lived in every run from then on. `OGNIVO_TEST_SEED=<seed>` gives `random_kills` the same \
         moments in time. `OGNIVO_CAMPAIGN_SCALE=<n>` tries the random ones `n` times as often.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_what_is_written_by_hand_word_for_word() {
        let page = std::fs::read_to_string(root().join("docs/reliability.md")).unwrap();
        assert!(page.contains(&promises().unwrap()), "the README promises something else");
        for (name, part) in [("found", FOUND), ("spark", SPARK), ("hdfs", HDFS), ("kafka", KAFKA), ("limits", LIMITS)] {
            assert!(
                page.contains(part.trim_end()),
                "{name}.md differs: the next campaign would write that, and lose this"
            );
        }
    }
}
