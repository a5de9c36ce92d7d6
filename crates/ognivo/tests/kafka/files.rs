//! Streams from a topic into a folder, and from a folder into a topic: a checkpoint holds their plans.

use std::collections::BTreeSet;

use ognivo_stream::kill_point::KillPoint;
use serde_json::Value;

use crate::binary::Ran;
use crate::broker::{Topic, address, unique};
use crate::loans::{Fate, SCHEMA};
use crate::stream_oracle::{
    Score, check_ids, check_nothing_is_left_over, files_below, is_parquet, read_scores, spark_log,
};
use crate::topics::{Rig, at_once, fate_of, score_of};

/// Every stream here has so many batches, each with rows.
const N_BATCHES: usize = 6;

/// Where one of the two does not pass in each of its batches.
const APART: [KillPoint; 4] =
    [KillPoint::SourceLogged, KillPoint::SinkPartVisible, KillPoint::SourceAcknowledging, KillPoint::Purging];

/// For each point and for the first, a middle and the last batch: lays out a stream, kills it there, lets another process finish, and
/// checks what is left.
fn kill_at_every_point<S>(rig: &Rig, lay_out: impl Fn(&str) -> S + Sync, check: impl Fn(&S, &str) + Sync) {
    let points = KillPoint::OF_BATCHES.iter().filter(|point| !APART.contains(point));
    let kills: Vec<(KillPoint, usize)> =
        points.flat_map(|point| [1, N_BATCHES / 2, N_BATCHES].map(|nth| (*point, nth))).collect();
    assert_eq!(kills.len(), 36);
    at_once(4, &kills, |(point, nth)| {
        let run = format!("{}-{nth}", point.name().replace('_', "-"));
        let stream = lay_out(&run);
        let mut command = rig.loans.place.command(&["stream", &format!("{run}.yaml"), "--quiet"]);
        let killed = Ran::of(command.env("OGNIVO_KILL_POINT", format!("{}@{nth}", point.name())).output().unwrap());
        assert_eq!(killed.code, None, "{run}: the process was to die\n{}", killed.stderr);
        rig.loans.place.run(&["stream", &format!("{run}.yaml"), "--quiet"]).ok();
        check(&stream, &run);
    });
}

/// What all jobs here have in common.
fn write_job(rig: &Rig, run: &str, read: &str, write: &str, letters: &str) {
    let text = format!(
        "version: 1\nname: {job}\nthreads: 1\nstream:\n  readStream: {{{read}}}\n  model: model\n  \
         select: [id, rawPrediction, probability, prediction]\n  writeStream: {{{write}, \
         checkpointLocation: {run}/checkpoint, trigger: {{availableNow: true}}}}\n  deadLetter: {letters}\n",
        job = unique(run),
    );
    rig.loans.place.write(&format!("{run}.yaml"), &text);
}

#[test]
fn a_stream_from_a_topic_into_a_folder_that_is_killed_at_any_point_loses_and_repeats_nothing() {
    let rig = Rig::new(3, 20);
    assert_eq!(rig.records.len(), N_BATCHES * 10);
    let lay_out = |run: &str| {
        let input = rig.topic("in", 2);
        for (id, record) in &rig.records {
            input.add((id % 2) as i32, [record]);
        }
        let read = format!(
            "format: kafka, options: {{kafka.bootstrap.servers: \"{}\", subscribe: {}, startingOffsets: earliest, \
             maxOffsetsPerTrigger: 10}}, value: {{format: json, schema: \"{SCHEMA}\"}}",
            address(),
            input.name
        );
        let write = format!("format: parquet, path: {run}/output");
        write_job(&rig, run, &read, &write, &format!("{{format: json, path: {run}/dead}}"));
        input
    };
    kill_at_every_point(&rig, lay_out, |input, run| check_folder(&rig, input, run));
}

/// Every record of the topic came into the folder once, or is a dead letter.
fn check_folder(rig: &Rig, input: &Topic, run: &str) {
    let folder = rig.loans.place.at(run);
    let (newest, logged) = spark_log(&folder.join("output"));
    assert_eq!(newest + 1, N_BATCHES as u64, "{run}");
    let logged: BTreeSet<_> = logged.into_iter().collect();
    let there: BTreeSet<_> = files_below(&folder.join("output")).into_iter().filter(|file| is_parquet(file)).collect();
    assert_eq!(logged, there, "{run}: the log names exactly the files that are there");
    let scored: Vec<(i64, Score)> = there.iter().flat_map(|file| read_scores(file)).collect();
    let mut letters = Vec::new();
    for file in files_below(&folder.join("dead")) {
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            let letter: Value = serde_json::from_str(line).unwrap();
            let record: Value = serde_json::from_str(letter["payload"].as_str().unwrap()).unwrap();
            assert!(letter["position"].as_str().unwrap().starts_with(&format!("{}-", input.name)), "{line}");
            letters.push((record["id"].as_i64().unwrap(), fate_of(&letter)));
        }
    }
    check_scores(rig, &scored, &letters);
    check_nothing_is_left_over(&folder);
}

fn check_scores(rig: &Rig, scored: &[(i64, Score)], letters: &[(i64, Fate)]) {
    check_ids(&rig.loans, scored, letters);
    for (id, score) in scored {
        assert_eq!(Some(score), rig.scores.get(id), "score of row {id}");
    }
}

#[test]
fn a_stream_from_a_folder_into_a_topic_that_is_killed_at_any_point_loses_and_repeats_nothing() {
    let rig = Rig::new(N_BATCHES as u64, 20);
    let lay_out = |run: &str| {
        let (output, letters) = (rig.topic("out", 3), rig.topic("bad", 1));
        let read = format!(
            "format: csv, path: incoming, schema: \"{SCHEMA}\", options: {{header: true, maxFilesPerTrigger: 1}}"
        );
        let write = format!(
            "format: kafka, options: {{kafka.bootstrap.servers: \"{}\", topic: {}}}, key: id, value: {{format: json}}, \
             delivery: exactlyOnce",
            address(),
            output.name
        );
        write_job(&rig, run, &read, &write, &format!("{{format: kafka, options: {{topic: {}}}}}", letters.name));
        (output, letters)
    };
    kill_at_every_point(&rig, lay_out, |(output, letters), _| {
        let json = |text: Option<String>| -> Value { serde_json::from_str(&text.unwrap()).unwrap() };
        let scored = output.committed().into_iter().map(|seen| {
            let row = json(seen.value);
            (row["id"].as_i64().unwrap(), score_of(row.as_object().unwrap()))
        });
        let letters = letters.committed().into_iter().map(|seen| {
            let letter = json(seen.value);
            let (id, _) = letter["payload"].as_str().unwrap().split_once(',').unwrap();
            (id.parse().unwrap(), fate_of(&letter))
        });
        check_scores(&rig, &scored.collect::<Vec<_>>(), &letters.collect::<Vec<_>>());
    });
}
