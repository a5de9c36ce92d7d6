//! Dead letters of a topic: what `ognivo dlq` lists is what was read, and what it sends back comes once.

use ognivo_stream::kill_point::KillPoint;
use serde_json::Value;

use crate::binary::Ran;
use crate::broker::Seen;
use crate::loans::Fate;
use crate::topics::{Rig, Stream};

const AVAILABLE_NOW: &str = "    trigger: {availableNow: true}\n";

/// A stream whose bad records are dead letters; one of them has a key.
fn streamed(rig: &Rig) -> Stream<'_> {
    let stream = rig.stream("letters", 2, "", "", AVAILABLE_NOW);
    stream.add(&rig.records);
    stream.input.add_whole(Some("k"), Some("{"), &[]);
    score(&stream);
    stream
}

fn score(stream: &Stream<'_>) {
    stream.rig.loans.place.run(&["stream", &stream.file, "--quiet"]).ok();
}

fn n_bad(rig: &Rig) -> usize {
    1 + rig.loans.fates.values().filter(|fate| matches!(fate, Fate::Malformed | Fate::Unseen)).count()
}

fn replay(stream: &Stream<'_>) -> Value {
    stream.rig.loans.place.run(&["dlq", "replay", &stream.file, "--output", "json"]).json()
}

/// Partition, key and value of each record, sorted.
fn contents(records: &[Seen]) -> Vec<(i32, Option<String>, Option<String>)> {
    let mut contents: Vec<_> =
        records.iter().map(|seen| (seen.partition, seen.key.clone(), seen.value.clone())).collect();
    contents.sort();
    contents
}

#[test]
fn every_letter_says_which_record_it_was_and_why() {
    let rig = Rig::new(3, 40);
    let stream = streamed(&rig);
    let input = stream.input.committed();
    let listed = rig.loans.place.run(&["dlq", "list", &stream.file, "--output", "json"]).json();
    assert_eq!(listed["deadLetters"], n_bad(&rig));
    let letters = listed["newest"].as_array().unwrap();
    assert_eq!(letters.len(), n_bad(&rig));
    for letter in letters {
        assert_eq!(letter["topic"], stream.input.name, "{letter}");
        let is_it = |seen: &&Seen| letter["partition"] == seen.partition && letter["offset"] == seen.offset;
        let record = input.iter().find(is_it).unwrap();
        assert_eq!(letter["payload"].as_str(), record.value.as_deref(), "{letter}");
        assert_eq!((letter["key"].as_str(), letter["encoding"].as_str()), (record.key.as_deref(), Some("utf8")));
        assert_eq!(letter["stage"].is_null(), letter["code"].as_str().unwrap().starts_with("malformed"), "{letter}");
        for name in ["message", "model", "time"] {
            assert!(letter[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {letter}");
        }
    }
    assert_eq!(letters.iter().filter(|letter| letter["key"] == "k").count(), 1);

    let newest = rig.loans.place.run(&["dlq", "list", &stream.file, "--limit", "2", "--output", "json"]).json();
    assert_eq!(
        (newest["deadLetters"].as_u64(), newest["newest"].as_array().map(Vec::len)),
        (Some(n_bad(&rig) as u64), Some(2))
    );
    let shown = rig.loans.place.run(&["dlq", "list", &stream.file]).ok();
    assert!(shown.contains("malformed_record") && shown.contains(&format!("{} dead letters", n_bad(&rig))), "{shown}");
}

/// Where a stream from topic to topic passes between the first letter and the end of its transaction.
const POINTS: [KillPoint; 4] =
    [KillPoint::AfterWrite, KillPoint::SinkStaged, KillPoint::SinkAllVisible, KillPoint::SinkLogged];

#[test]
fn what_is_sent_back_comes_once_through_a_kill_at_any_point() {
    let rig = Rig::new(2, 20);
    let stream = streamed(&rig);
    let first = stream.input.committed();
    let letters = stream.letters.committed();
    let offsets = |seen: &Seen| -> (i64, i64) {
        let letter: Value = serde_json::from_str(seen.value.as_deref().unwrap()).unwrap();
        (letter["partition"].as_i64().unwrap(), letter["offset"].as_i64().unwrap())
    };
    let bad: Vec<(i64, i64)> = letters.iter().map(offsets).collect();
    let is_bad = |seen: &&Seen| bad.contains(&(i64::from(seen.partition), seen.offset));
    let of_letters: Vec<Seen> = first.iter().filter(is_bad).cloned().collect();
    assert_eq!(of_letters.len(), n_bad(&rig));

    let mut expected = first;
    for point in POINTS {
        let mut command = rig.loans.place.command(&["dlq", "replay", &stream.file]);
        let killed = Ran::of(command.env("OGNIVO_KILL_POINT", format!("{}@1", point.name())).output().unwrap());
        assert_eq!(killed.code, None, "{}: the process was to die\n{}", point.name(), killed.stderr);
        replay(&stream);
        expected.extend(of_letters.iter().cloned());
        assert_eq!(contents(&stream.input.committed()), contents(&expected), "{}", point.name());
        let again = replay(&stream);
        assert_eq!((again["deadLetters"].as_u64(), again["replayed"].as_u64()), (Some(0), Some(0)), "{}", point.name());
        // The records are as bad as they were: there are letters for the next point.
        score(&stream);
    }
}

#[test]
fn letters_that_cannot_be_sent_back_are_refused_with_the_reason() {
    let rig = Rig::new(1, 20);
    let stream = rig.stream("refused", 1, "", "", AVAILABLE_NOW);
    let job = std::fs::read_to_string(rig.loans.place.at(&stream.file)).unwrap();
    let letters = format!("{{format: kafka, options: {{topic: {}}}}}", stream.letters.name);
    let in_files = job.replace(&letters, "{format: json, path: dead}").replace("exactlyOnce", "atLeastOnce");
    let in_files = in_files.replace(AVAILABLE_NOW, "    checkpointLocation: checkpoint\n");
    rig.loans.place.write("files.yaml", &in_files);
    let refused = rig.loans.place.run(&["dlq", "replay", "files.yaml"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("the dead letters of the job are not in a topic: deadLetter"),
        "{}",
        refused.stderr
    );

    stream.letters.add(0, ["no letter"]);
    let refused = rig.loans.place.run(&["dlq", "list", &stream.file]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("not a dead letter: {}-0:0", stream.letters.name)), "{}", refused.stderr);
    let refused = rig.loans.place.run(&["dlq", "replay", &stream.file]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("{}-0:0", stream.letters.name)), "{}", refused.stderr);
}
