//! What the tests of the campaign tried, added up.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::json::{self, Json};

/// One line of a test.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Trial {
    pub(super) package: String,
    pub(super) module: String,
    /// What was tried; lines of one `what` are added up.
    pub(super) what: String,
    /// What is counted: `kills`, `damaged files`.
    pub(super) unit: String,
    pub(super) n: u64,
    /// Rows of which each was found exactly once; 0 where no rows are concerned.
    pub(super) rows: u64,
    /// How often it ended which way.
    pub(super) ended: BTreeMap<String, u64>,
    pub(super) seeds: Vec<String>,
}

impl Trial {
    /// Reads what stands after `campaign: `.
    pub(crate) fn parse(text: &str) -> Result<Trial, String> {
        let json = json::parse(text).map_err(|e| format!("{e}: {text}"))?;
        let word = |key: &str| json.get(key).text().map(str::to_owned).ok_or_else(|| format!("no `{key}` in {text}"));
        let count = |value: &Json| value.number().map(|number| number as u64);
        let ended = match json.get("ended") {
            Json::Object(ended) => ended.iter().filter_map(|(how, n)| Some((how.clone(), count(n)?))).collect(),
            _ => BTreeMap::new(),
        };
        Ok(Trial {
            package: word("package")?,
            module: word("module")?,
            what: word("what")?,
            unit: word("unit")?,
            n: count(json.get("n")).ok_or_else(|| format!("no `n` in {text}"))?,
            rows: count(json.get("rows")).unwrap_or(0),
            ended,
            seeds: json.get("seeds").text().map(str::to_owned).into_iter().collect(),
        })
    }

    fn add(&mut self, other: Trial) {
        self.n += other.n;
        self.rows += other.rows;
        for (how, n) in other.ended {
            *self.ended.entry(how).or_default() += n;
        }
        for seed in other.seeds {
            if !self.seeds.contains(&seed) {
                self.seeds.push(seed);
            }
        }
    }

    /// `28 kills`.
    pub(super) fn how_often(&self) -> String {
        let unit = if self.n == 1 { self.unit.trim_end_matches('s') } else { &self.unit };
        format!("{} {unit}", thousands(self.n))
    }

    /// How it ended, in words. Where a test tells no more, it has compared all rows with those that must be there.
    pub(super) fn endings(&self) -> String {
        if self.ended.is_empty() {
            return "no row lost, none twice".to_owned();
        }
        let told = self.ended.iter().filter(|(_, n)| **n > 0).map(|(how, n)| format!("{}: {how}", thousands(*n)));
        told.collect::<Vec<_>>().join("; ")
    }
}

/// All trials, one for each thing that was tried.
pub(crate) struct Tally {
    pub(super) trials: Vec<Trial>,
    /// What could not be tried on this machine, and why.
    pub(super) unchecked: Vec<String>,
}

impl Tally {
    /// # Errors
    /// When nothing was tried: then the tests were not those of the campaign.
    pub(crate) fn of(told: Vec<Trial>, unchecked: Vec<String>) -> Result<Tally, String> {
        let mut trials: Vec<Trial> = Vec::new();
        for trial in told {
            let same = |known: &&mut Trial| (&known.package, &known.what) == (&trial.package, &trial.what);
            match trials.iter_mut().find(same) {
                Some(known) => known.add(trial),
                None => trials.push(trial),
            }
        }
        match trials.is_empty() {
            true => Err("campaign: no test told what it tried".to_owned()),
            false => Ok(Tally { trials, unchecked }),
        }
    }

    /// How many there are of a unit, in the packages that `is_meant`.
    pub(super) fn sum(&self, unit: &str, is_meant: impl Fn(&str) -> bool) -> u64 {
        self.trials.iter().filter(|trial| trial.unit == unit && is_meant(&trial.package)).map(|trial| trial.n).sum()
    }

    /// Rows that were each found exactly once.
    pub(super) fn rows(&self) -> u64 {
        self.trials.iter().map(|trial| trial.rows).sum()
    }

    /// A table for the terminal.
    pub(crate) fn as_text(&self) -> String {
        let mut text = String::new();
        for Trial { package, what, unit, n, rows, .. } in &self.trials {
            let rows = if *rows > 0 { format!(", {} rows each once", thousands(*rows)) } else { String::new() };
            writeln!(text, "{:>9} {unit:<14} {package}: {what}{rows}", thousands(*n)).expect("a text takes every line");
        }
        for what in &self.unchecked {
            writeln!(text, "NOT CHECKED {what}").expect("a text takes every line");
        }
        write!(text, "0 rows lost and 0 twice of {}", thousands(self.rows())).expect("a text takes every line");
        text
    }
}

/// `1,234,567`.
pub(super) fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_thing_are_added_up() {
        let line = |n: u64, seed: &str| {
            let text = format!(
                r#"{{"package":"p","module":"m","what":"w","unit":"kills","n":{n},"rows":7,"seeds":"{seed}","ended":{{"ok":1}}}}"#
            );
            Trial::parse(&text).unwrap()
        };
        let tally = Tally::of(vec![line(1200, "5"), line(1, "5"), line(2, "6")], Vec::new()).unwrap();
        assert_eq!(tally.trials.len(), 1);
        let trial = &tally.trials[0];
        assert_eq!((trial.n, trial.rows, trial.seeds.join(",").as_str()), (1203, 21, "5,6"));
        assert_eq!((trial.endings().as_str(), trial.how_often().as_str()), ("3: ok", "1,203 kills"));
        assert_eq!((tally.sum("kills", |_| true), tally.sum("kills", |package| package == "q")), (1203, 0));
        assert!(tally.as_text().starts_with("    1,203 kills          p: w, 21 rows each once\n"));
    }

    #[test]
    fn a_campaign_that_tried_nothing_is_none() {
        assert!(Tally::of(Vec::new(), Vec::new()).is_err());
        assert!(Trial::parse(r#"{"what":"w"}"#).is_err());
    }
}
