//! The newest record of a stream's progress on the cluster is emptied or cut while no stream runs: the stream either goes on rightly or
//! refuses with a message that names the place, and once the record is put back it finishes. Never is a row lost or repeated.
//!
//! On local disks more is tried: `tests/it/campaign/damaged_progress.rs`.

use std::path::PathBuf;

use crate::binary::Ran;
use crate::cluster::Trial;
use crate::loans::{Fate, StreamForm};
use crate::stream_oracle::newest_id;

const LOGS: [&str; 3] = ["checkpoint/offsets", "checkpoint/commits", "output/_spark_metadata"];

/// The share of the record that is left.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Emptied,
    CutInHalf,
}

/// The newest record of a log on the cluster, and what it held.
struct Record<'a> {
    trial: &'a Trial,
    /// `hdfs://…/checkpoint/offsets/5`
    place: String,
    content: Vec<u8>,
    /// Where it is changed before it is put, a file for each.
    here: PathBuf,
}

impl<'a> Record<'a> {
    fn newest(trial: &'a Trial, run: &str, log: &str) -> Record<'a> {
        let there = format!("{}/{run}/{log}", trial.root);
        let fetched = format!("{run}-log");
        trial.fs(&["get", &there, &fetched]).ok();
        let folder = trial.loans.place.at(&fetched);
        let id = newest_id(&folder);
        let name =
            [id.to_string(), format!("{id}.compact")].into_iter().find(|name| folder.join(name).exists()).unwrap();
        let content = std::fs::read(folder.join(&name)).unwrap();
        Record {
            trial,
            place: format!("{there}/{name}"),
            content,
            here: trial.loans.place.at(&format!("{run}-record")),
        }
    }

    fn damage(&self, damage: Damage) {
        self.put(match damage {
            Damage::Emptied => &[],
            Damage::CutInHalf => &self.content[..self.content.len() / 2],
        });
    }

    fn mend(&self) {
        self.put(&self.content);
    }

    fn put(&self, content: &[u8]) {
        std::fs::write(&self.here, content).unwrap();
        self.trial.fs(&["put", "-f", self.here.to_str().unwrap(), &self.place]).ok();
        let there = self.trial.fs(&["cat", &self.place]).ok();
        assert!(there.as_bytes() == content, "{} is what was put there", self.place);
    }
}

/// Kills a stream at `kill_point`, damages the newest record of a log, and starts it again: each log in each way.
fn damage_every_record(test: &str, kill_point: &str) {
    let trial = Trial::new(test, 7, 3);
    let (mut n_refused, mut n_gone_on) = (0, 0);
    for log in LOGS {
        for damage in [Damage::Emptied, Damage::CutInHalf] {
            let what = format!("newest of {log}: {damage:?}");
            let run = format!("run-{}", n_refused + n_gone_on);
            let job = trial.write_job(&run, StreamForm::default());
            let mut command = trial.loans.place.command(&["stream", &job, "--quiet"]);
            let ran = Ran::of(command.env("OGNIVO_KILL_POINT", kill_point).output().unwrap());
            assert_eq!(ran.code, None, "{what}: {}", ran.stderr);

            let record = Record::newest(&trial, &run, log);
            record.damage(damage);
            let ran = trial.loans.place.run(&["stream", &job, "--quiet"]);
            if ran.code == Some(0) {
                n_gone_on += 1;
            } else {
                check_refusal(&ran, &record, log, &what);
                record.mend();
                trial.loans.place.run(&["stream", &job, "--quiet"]).ok();
                n_refused += 1;
            }
            assert_eq!(trial.check(&run).scored, trial.loans.count(Fate::Scored), "{what}");
        }
    }
    println!("{test}: {n_refused} refused and finished once the record was put back, {n_gone_on} went on");
    assert!(n_refused > 0, "a record that is cut is noticed");
}

/// A refusal says which record, by its log or by its batch, and what to do.
fn check_refusal(ran: &Ran, record: &Record<'_>, log: &str, what: &str) {
    assert!(matches!(ran.code, Some(1 | 2)), "{what}: {ran:?}");
    let told = &ran.stderr;
    let name = log.rsplit('/').next().unwrap();
    assert!(told.contains(name) || told.contains("batch") || told.contains("the target is"), "{what}: {told}");
    assert!(told.contains("hint: ") && !told.contains("panicked"), "{what}: {told}");
    assert!(!told.contains("waiting "), "{what}: {} is not waited for: {told}", record.place);
}

#[test]
fn no_row_is_lost_or_repeated_when_the_newest_record_is_damaged_at_rest() {
    damage_every_record("damaged-at-rest", "after_acknowledge@4");
}

#[test]
fn no_row_is_lost_or_repeated_when_the_newest_record_is_damaged_while_a_batch_is_in_the_output_and_not_noted() {
    damage_every_record("damaged-not-noted", "after_commit@5");
}
