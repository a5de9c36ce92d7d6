//! A stream that is killed at every named place, in its first, a middle and its last batch, and started again loses no row and
//! repeats none.
//!
//! The places are those of `ognivo_stream::kill_point`; the process ends itself with SIGKILL when it passes one, in debug
//! builds. Two places are reached by no plain stream and have tests of their own: the tidying of the source, and the purge of
//! old entries.

use std::collections::BTreeMap;

use serde_json::json;

use ognivo_stream::kill_point::KillPoint;

use crate::binary::Ran;
use crate::campaign::counts::tell;
use crate::loans::{Loans, StreamForm};
use crate::stream_oracle::{Counts, LogKind, Score, batch_scores, check, files_below};

/// Loans, and what streams of them must come to.
struct Trial {
    loans: Loans,
    scores: BTreeMap<i64, Score>,
    /// What a stream that nobody kills leaves.
    clean: Counts,
    /// Files that it publishes, dead letters included.
    n_published: u64,
}

impl Trial {
    fn new(n_files: u64, n_rows: usize) -> Trial {
        let loans = Loans::new(n_files, n_rows);
        let scores = batch_scores(&loans);
        let job = loans.write_job("clean", StreamForm::default());
        loans.place.run(&["stream", &job, "--quiet"]).ok();
        let clean = check(&loans, "clean", LogKind::Spark, &scores);
        let n_letter_files = files_below(&loans.place.at("clean/dead")).len();
        let n_published = (clean.files + n_letter_files) as u64;
        Trial { loans, scores, clean, n_published }
    }

    /// How often a stream that nobody kills passes the point; 0 when it does not.
    fn n_passes(&self, point: KillPoint) -> u64 {
        let n_empty = (0..self.loans.n_files).filter(|file| file % 7 == 6).count() as u64;
        match point {
            KillPoint::AfterWrite => self.loans.n_files - n_empty,
            KillPoint::SinkPartVisible => self.n_published,
            KillPoint::SourceAcknowledging | KillPoint::Purging => 0,
            _ => self.loans.n_files,
        }
    }

    /// Runs the job of `run` with the process to die at the `nth` pass of the point.
    fn start_to_die(&self, job: &str, point: KillPoint, nth: u64) -> Ran {
        let mut command = self.loans.place.command(&["stream", job, "--quiet"]);
        command.env("OGNIVO_KILL_POINT", format!("{}@{nth}", point.name()));
        Ran::of(command.output().unwrap())
    }

    /// Kills a stream, starts it again, and compares what it leaves with what the clean one left.
    fn kill_and_start_again(&self, form: StreamForm, point: KillPoint, nths: &[u64]) {
        let kind = if form.write.contains("commitLog: none") { LogKind::Success } else { LogKind::Spark };
        let moments: Vec<String> = nths.iter().map(u64::to_string).collect();
        let run = format!("{}-{}", point.name(), moments.join("-"));
        let job = self.loans.write_job(&run, form);
        for nth in nths {
            let ran = self.start_to_die(&job, point, *nth);
            assert_eq!(ran.code, None, "{run}: the process was to die at pass {nth}\n{}", ran.stderr);
        }
        self.loans.place.run(&["stream", &job, "--quiet"]).ok();
        assert_eq!(check(&self.loans, &run, kind, &self.scores), self.clean, "{run}");
    }

    /// Every point that a plain stream passes; gives how many there are.
    fn at_every_point(&self, when: &str, form: StreamForm, nths_of: impl Fn(u64) -> Vec<u64>) -> usize {
        let passed = KillPoint::OF_BATCHES.iter().map(|point| (*point, self.n_passes(*point))).filter(|(_, n)| *n > 0);
        let passed: Vec<_> = passed.collect();
        let mut n_kills = 0;
        for (point, n_passes) in &passed {
            let nths = nths_of(*n_passes);
            self.kill_and_start_again(form, *point, &nths);
            n_kills += nths.len();
        }
        self.tell(when, n_kills, passed.len());
        passed.len()
    }
}

impl Trial {
    /// Tells the campaign how many kills, in how many lives of the stream, which have all the same rows.
    fn tell(&self, when: &str, n_kills: usize, n_lives: usize) {
        let what = format!("the process of a stream is killed with SIGKILL {when}");
        tell(&what, "kills", n_kills, json!({"rows": n_lives * self.loans.fates.len()}));
    }
}

fn small() -> Trial {
    Trial::new(8, 3)
}

#[test]
fn a_kill_at_any_point_of_the_first_batch_loses_and_repeats_nothing() {
    let n_points =
        small().at_every_point("at every named place of its first batch", StreamForm::default(), |_| vec![1]);
    assert_eq!(n_points, KillPoint::OF_BATCHES.len() - 2);
}

#[test]
fn a_kill_at_any_point_of_a_middle_batch_and_again_of_its_replay_loses_and_repeats_nothing() {
    let when = "at every named place of a middle batch, and there again in the replay";
    small().at_every_point(when, StreamForm::default(), |n_passes| vec![n_passes / 2, 1]);
}

#[test]
fn a_kill_at_any_point_of_the_last_batch_loses_and_repeats_nothing() {
    small().at_every_point("at every named place of its last batch", StreamForm::default(), |n_passes| vec![n_passes]);
}

#[test]
fn a_kill_at_any_point_of_a_middle_batch_for_plain_readers_loses_and_repeats_nothing() {
    let form = StreamForm { write: "    options: {commitLog: none}\n", ..StreamForm::default() };
    let when = "at every named place of a middle batch, and there again in the replay, for plain readers";
    small().at_every_point(when, form, |n_passes| vec![n_passes / 2, 1]);
}

#[test]
fn a_kill_while_files_that_are_done_are_moved_away_loses_nothing() {
    let trial = small();
    for (input, nth) in [("arriving-1", 1), ("arriving-4", 4), ("arriving-8", 8)] {
        for file in files_below(&trial.loans.place.at("incoming")) {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            trial.loans.place.write(&format!("{input}/{name}"), &std::fs::read_to_string(&file).unwrap());
        }
        let read_options = ", cleanSource: delete";
        let form = StreamForm { input, read_options, ..StreamForm::default() };
        trial.kill_and_start_again(form, KillPoint::SourceAcknowledging, &[nth]);
        let left = files_below(&trial.loans.place.at(input)).len();
        assert_eq!(left, 0, "files left in {input}");
    }
    trial.tell("while files that are done are moved away", 3, 3);
}

#[test]
fn a_kill_while_old_entries_are_purged_loses_nothing() {
    let trial = Trial::new(112, 1);
    // The first pass is the purge of plans at batch 110, the second that of the entries that say done.
    for nth in [1, 2] {
        trial.kill_and_start_again(StreamForm::default(), KillPoint::Purging, &[nth]);
    }
    trial.tell("while old entries of its checkpoint are removed", 2, 2);
}
