//! What a stream from topic to topic leaves is what the `score` verb says of its rows.

use ognivo_stream::kill_point::KillPoint;

use crate::binary::Ran;
use crate::topics::{Rig, at_once};

pub(crate) const AVAILABLE_NOW: &str = "    trigger: {availableNow: true}\n";

#[test]
fn a_stream_from_topic_to_topic_gives_every_row_once_with_the_bits_of_its_batch_score() {
    let rig = Rig::new(12, 40);
    let stream = rig.stream("plain", 3, "", "", AVAILABLE_NOW);
    let half = rig.records.len() / 2;
    for n in [half, rig.records.len()] {
        stream.add(&rig.records[if n == half { 0 } else { half }..n]);
        rig.loans.place.run(&["validate", &stream.file]).ok();
        rig.loans.place.run(&["stream", &stream.file, "--quiet"]).ok();
        stream.check(n);
    }
}

/// Where this route passes.
pub(crate) const POINTS: [KillPoint; 10] = [
    KillPoint::SourceFound,
    KillPoint::AfterBegin,
    KillPoint::AfterWrite,
    KillPoint::BeforeCommit,
    KillPoint::SinkStaged,
    KillPoint::SinkAllVisible,
    KillPoint::SinkLogged,
    KillPoint::AfterCommit,
    KillPoint::AfterDone,
    KillPoint::AfterAcknowledge,
];

#[test]
fn a_kill_at_any_point_of_the_first_a_middle_and_the_last_batch_loses_and_repeats_nothing() {
    let rig = Rig::new(4, 20);
    let kills: Vec<(KillPoint, u32)> = POINTS.into_iter().flat_map(|point| [1, 4, 8].map(|nth| (point, nth))).collect();
    assert_eq!(kills.len(), 30);
    // Most of a run is waiting for the group to notice that a member died.
    at_once(6, &kills, |(point, nth)| kill_at(&rig, *point, *nth));
}

/// Kills a stream of eight batches when it passes a point for the `nth` time, and lets another process finish.
fn kill_at(rig: &Rig, point: KillPoint, nth: u32) {
    let run = format!("{}-{nth}", point.name().replace('_', "-"));
    // Batches of ten records of eighty.
    let stream = rig.stream(&run, 2, ", maxOffsetsPerTrigger: 10", "", AVAILABLE_NOW);
    stream.add(&rig.records);
    let mut command = rig.loans.place.command(&["stream", &stream.file, "--quiet"]);
    let killed = Ran::of(command.env("OGNIVO_KILL_POINT", format!("{}@{nth}", point.name())).output().unwrap());
    assert_eq!(killed.code, None, "{run}: the process was to die\n{}", killed.stderr);
    rig.loans.place.run(&["stream", &stream.file, "--quiet"]).ok();
    stream.check(rig.records.len());
}
