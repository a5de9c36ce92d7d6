//! The newest record of a stream's progress is gone, cut, emptied or there twice: the stream either goes on rightly or refuses
//! with a message that names the place, and once the record is put back it finishes. Never is a row lost or repeated.
//!
//! The records are damaged in states in which a killed process leaves them. What cannot be told is not tried here: an entry of
//! `_spark_metadata` or `sources/0` that lost some of its lines, exactly at a line's end, looks like an entry of fewer files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::binary::Ran;
use crate::campaign::counts::tell;
use crate::loans::{Fate, Loans, StreamForm};
use crate::stream_oracle::{LogKind, batch_scores, check, names_in};

/// The logs of a stream with Spark's log, and of one for plain readers.
const WITH_SPARKS_LOG: [&str; 4] =
    ["checkpoint/offsets", "checkpoint/commits", "checkpoint/sources/0", "output/_spark_metadata"];
const FOR_PLAIN_READERS: [&str; 4] = ["checkpoint/offsets", "checkpoint/commits", "checkpoint/sources/0", "output"];

#[derive(Debug, Clone, Copy)]
enum Damage {
    Removed,
    Emptied,
    CutInHalf,
    CutByOneByte,
    /// What is left says `v1`, as an entry without lines does.
    CutToItsVersion,
    /// Its copy bears the next number.
    Twice,
}

const DAMAGES: [Damage; 6] =
    [Damage::Removed, Damage::Emptied, Damage::CutInHalf, Damage::CutByOneByte, Damage::CutToItsVersion, Damage::Twice];

/// The newest record of a log, and what takes the damage back.
struct Record {
    path: PathBuf,
    content: Vec<u8>,
    /// Where a copy of it would be the next entry.
    next: Option<PathBuf>,
}

impl Record {
    /// The newest entry of a log; `_SUCCESS`, which is the only one, where there is no other.
    fn newest(log: &Path) -> Record {
        let number = |name: &str| name.strip_suffix(".compact").unwrap_or(name).parse::<u64>().ok();
        let newest = names_in(log).into_iter().filter_map(|name| Some((number(&name)?, name))).max();
        let (name, next) = newest.map_or_else(|| ("_SUCCESS".to_owned(), None), |(id, name)| (name, Some(id + 1)));
        let path = log.join(name);
        Record { content: fs::read(&path).unwrap(), path, next: next.map(|id| log.join(id.to_string())) }
    }

    fn damage(&self, damage: Damage) {
        let cut = |n_bytes: usize| fs::write(&self.path, &self.content[..n_bytes]).unwrap();
        match damage {
            Damage::Removed => fs::remove_file(&self.path).unwrap(),
            Damage::Emptied => cut(0),
            Damage::CutInHalf => cut(self.content.len() / 2),
            Damage::CutByOneByte => cut(self.content.len() - 1),
            Damage::CutToItsVersion => cut(2),
            Damage::Twice => fs::write(self.next.as_ref().unwrap(), &self.content).unwrap(),
        }
    }

    fn mend(&self, damage: Damage) {
        match damage {
            Damage::Twice => fs::remove_file(self.next.as_ref().unwrap()).unwrap(),
            _ => fs::write(&self.path, &self.content).unwrap(),
        }
    }
}

/// A refusal says which record, by its log or by its batch, and what to do.
fn check_refusal(ran: &Ran, log: &str, what: &str) {
    assert!(matches!(ran.code, Some(1 | 2)), "{what}: {ran:?}");
    let name = log.rsplit('/').next().unwrap();
    let name = if name == "0" { "sources" } else { name };
    let told = &ran.stderr;
    assert!(told.contains(name) || told.contains("batch") || told.contains("the target is"), "{what}: {told}");
    assert!(told.contains("hint: ") && !told.contains("panicked"), "{what}: {told}");
}

/// Kills a stream at `kill_point`, damages the newest record of a log, and starts it again: each record in each way.
fn damage_every_record(kill_point: &str, state: &str, form: StreamForm) {
    let loans = Loans::new(12, 3);
    let scores = batch_scores(&loans);
    let (logs, kind) = match form.write.contains("commitLog: none") {
        false => (WITH_SPARKS_LOG, LogKind::Spark),
        true => (FOR_PLAIN_READERS, LogKind::Success),
    };
    let (mut n, mut n_refused) = (0, 0);
    for log in logs {
        for damage in DAMAGES {
            let what = format!("{state}, newest of {log}: {damage:?}");
            let run = format!("run-{n}");
            let job = loans.write_job(&run, form);
            let mut command = loans.place.command(&["stream", &job, "--quiet"]);
            assert_eq!(Ran::of(command.env("OGNIVO_KILL_POINT", kill_point).output().unwrap()).code, None, "{what}");

            let record = Record::newest(&loans.place.at(&run).join(log));
            if matches!(damage, Damage::Twice) && record.next.is_none() {
                continue;
            }
            record.damage(damage);
            let ran = loans.place.run(&["stream", &job, "--quiet"]);
            println!("{what}: {}", ran.stderr.lines().next().unwrap_or("went on"));
            if ran.code != Some(0) {
                check_refusal(&ran, log, &what);
                record.mend(damage);
                loans.place.run(&["stream", &job, "--quiet"]).ok();
                n_refused += 1;
            }
            let counts = check(&loans, &run, kind, &scores);
            assert_eq!(counts.scored, loans.count(Fate::Scored), "{what}");
            n += 1;
        }
    }
    let what =
        "the newest record of a stream's progress is removed, emptied, cut or there twice, in each log and five states";
    let ended = json!({"refused, and finished once it was put back": n_refused, "went on": n - n_refused});
    tell(what, "damaged files", n, json!({"rows": n * loans.fates.len(), "ended": ended}));
}

#[test]
fn no_row_is_lost_or_repeated_when_the_newest_record_is_damaged_at_rest() {
    damage_every_record("after_acknowledge@5", "at rest", StreamForm::default());
}

#[test]
fn no_row_is_lost_or_repeated_when_the_newest_record_is_damaged_while_a_batch_is_planned() {
    damage_every_record("after_plan@6", "planned", StreamForm::default());
}

#[test]
fn no_row_is_lost_or_repeated_when_the_newest_record_is_damaged_while_a_batch_is_in_the_output_and_not_noted() {
    damage_every_record("after_commit@6", "not noted", StreamForm::default());
}

#[test]
fn no_row_is_lost_or_repeated_when_the_newest_record_is_damaged_and_compacted() {
    damage_every_record("after_acknowledge@10", "compacted", StreamForm::default());
}

#[test]
fn no_row_is_lost_or_repeated_when_the_newest_record_is_damaged_and_readers_are_plain() {
    let form = StreamForm { write: "    options: {commitLog: none}\n", ..StreamForm::default() };
    damage_every_record("after_commit@6", "for plain readers", form);
}
