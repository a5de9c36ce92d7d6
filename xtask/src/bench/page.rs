//! docs/benchmarks.md: a section for each part, kept until that part is measured again.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{ALL, Part, Row, csv, peers};
use crate::program::{at_root, output, root};
use crate::spark;

const HEAD: &str = "\
# Benchmarks

Written by `cargo xtask bench`, one section a part; each says when and where it was measured.

Each round runs all programs of a row once, beginning with another one. A figure is the median of the rounds (smallest–largest).
A ratio is theirs ÷ ours within one round, so above 1 we are faster or smaller. The goal is the least that we set out for.
Outputs are compared in the same run, before any figure is told. The programs of others are in xtask/peers.
";

/// One part as it was last measured.
pub(super) struct Section {
    title: String,
    /// Its text, the title included.
    pub(super) text: String,
}

impl Section {
    pub(super) fn new(part: &Part, stamp: &Stamp, rows: &[Row]) -> Section {
        let mut table = String::new();
        for row in rows {
            table += &format!("| {} | {} | {} | {} | {} |\n", row.what, row.ours, row.theirs, row.ratio, row.goal);
        }
        let text = format!(
            "## {title}\n\n{how}\n\n| what | ognivo | beside it | ratio | goal |\n|---|---|---|---|---|\n{table}\n{stamp}\n",
            title = part.title,
            how = part.how.trim(),
            stamp = stamp.0,
        );
        Section { title: part.title.to_owned(), text }
    }
}

/// The page, as it lies in the repository.
pub(super) struct Page {
    sections: Vec<Section>,
}

impl Page {
    /// # Errors
    /// When it is there and cannot be read.
    pub(super) fn read() -> Result<Page, String> {
        let text = match fs::read_to_string(path()) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|e| format!("{}: {e}", path().display()))?,
        };
        Ok(Page::of_text(&text))
    }

    fn of_text(text: &str) -> Page {
        let section = |text: &str| {
            let title = text.lines().next().unwrap_or_default().to_owned();
            Section { title, text: format!("## {}\n", text.trim_end()) }
        };
        Page { sections: text.split("\n## ").skip(1).map(section).collect() }
    }

    /// A section in the place of the one of its title; sections of no part are dropped.
    pub(super) fn put(&mut self, new: Section) {
        self.sections.retain(|old| old.title != new.title);
        self.sections.push(new);
        let place = |section: &Section| ALL.iter().position(|part| part.title == section.title);
        self.sections.retain(|section| place(section).is_some());
        self.sections.sort_by_key(place);
    }

    fn text(&self) -> String {
        let sections: Vec<&str> = self.sections.iter().map(|section| section.text.as_str()).collect();
        format!("{HEAD}\n{}", sections.join("\n"))
    }

    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self) -> Result<(), String> {
        fs::write(path(), self.text()).map_err(|e| format!("{}: {e}", path().display()))
    }
}

fn path() -> PathBuf {
    root().join("docs/benchmarks.md")
}

/// When, where and with what something was measured.
pub(super) struct Stamp(String);

impl Stamp {
    /// Taken before the first program runs, since it tells how busy the machine was.
    ///
    /// # Errors
    /// When a version cannot be told.
    pub(super) fn now(n_rounds: usize) -> Result<Stamp, String> {
        let date = first_line(Command::new("date").args(["-u", "+%F"]))?;
        let commit = first_line(at_root("git").args(["describe", "--always", "--dirty", "--exclude=*"]))?;
        let rustc = first_line(Command::new("rustc").arg("--version"))?;
        Ok(Stamp(format!(
            "Measured on {date} at commit {commit}, {n_rounds} rounds. {machine}; {quietness}. {rustc}; arrow-csv {arrow_csv}; \
             {python}; PySpark {spark} on Java 17.",
            machine = machine()?,
            quietness = quietness(load()),
            arrow_csv = csv::peer_version()?,
            python = peers::python_versions(),
            spark = spark::VERSIONS.join(" and "),
        )))
    }
}

fn first_line(command: &mut Command) -> Result<String, String> {
    Ok(output(command)?.lines().next().unwrap_or_default().to_owned())
}

/// The load over the last minute: one process at work is a load of one.
fn load() -> f64 {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

/// How quiet the machine was when we began, and what that means for the numbers. The part before leaves a load behind.
fn quietness(load_before: f64) -> String {
    if load_before <= 2.0 {
        return format!("load in the minute before {load_before}");
    }
    format!(
        "**busy with other work** (load in the minute before {load_before}): wall times are too long, for programs of many \
         threads most of all; take the rows of CPU time"
    )
}

/// The processor, the cores that we may use, and the system.
fn machine() -> Result<String, String> {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(':').nth(1))
        .unwrap_or(" unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let system = first_line(at_root("uname").arg("-sr"))?;
    Ok(format!("{}, {cores} cores, {system}", model.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_measured_again_takes_its_own_place_and_leaves_the_others() {
        let titles = [ALL[0].title, ALL[1].title, ALL[2].title];
        let section = |title: &str, text: &str| format!("## {title}\n\n{text}\n");
        let before = format!(
            "{HEAD}\n{}\n{}\n{}",
            section(titles[0], "first"),
            section("no part of today", "gone"),
            section(titles[2], "third")
        );
        let mut page = Page::of_text(&before);
        page.put(Section { title: titles[1].to_owned(), text: section(titles[1], "second") });
        page.put(Section { title: titles[0].to_owned(), text: section(titles[0], "first again") });
        let expect = format!(
            "{HEAD}\n{}\n{}\n{}",
            section(titles[0], "first again"),
            section(titles[1], "second"),
            section(titles[2], "third")
        );
        assert_eq!(page.text(), expect);
        assert_eq!(Page::of_text(&expect).text(), expect, "read and written it stays as it is");
    }
}
