//! Zombies, and instances of one job that are killed at random.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use ognivo_stream::kill_point::KillPoint;

use crate::binary::Ran;
use crate::broker::{Dice, asked};
use crate::topics::{Rig, Stream, at_once};

/// So that what a dead or sleeping instance left open is over soon.
pub(crate) const SHORT_TRANSACTIONS: &str = ", kafka.transaction.timeout.ms: 3000";

/// How long random kills go on, in seconds; a variable may say more.
const SECONDS: u64 = 30;

/// Records that go by while an instance sleeps and wakes.
const N_RECORDS: usize = 400;

/// An instance of a job; it does not outlive a test that fails.
pub(crate) struct Instance(Option<Child>);

impl Instance {
    pub(crate) fn start(stream: &Stream<'_>) -> Instance {
        Instance(Some(stream.rig.loans.place.start(&["stream", &stream.file, "--quiet"])))
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.0.as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap();
        assert!(sent.success(), "signal {signal}");
    }

    /// Kills it, if it has not ended before.
    pub(crate) fn kill(mut self) -> Ran {
        let mut child = self.0.take().unwrap();
        child.kill().unwrap();
        Ran::of_child(child)
    }

    /// Asks it to end, and sees that it ended well.
    #[track_caller]
    fn end(mut self) {
        self.signal("TERM");
        Ran::of_child(self.0.take().unwrap()).ok();
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_process_that_slept_beyond_its_transaction_and_its_membership_does_no_harm_when_it_wakes() {
    let mut dice = Dice::new();
    let rig = Rig::new(24, 20);
    let rounds: Vec<(u64, u64)> = (0..3).map(|round| (round, dice.below(150))).collect();
    at_once(3, &rounds, |(round, moment_ms)| sleep_through(&rig, &format!("zombie-{round}"), *moment_ms));
}

/// Freezes an instance some moment after its first batch, lets another take over, and wakes it again.
pub(crate) fn sleep_through(rig: &Rig, run: &str, moment_ms: u64) {
    let stream = rig.stream(run, 2, ", maxOffsetsPerTrigger: 10", SHORT_TRANSACTIONS, "");
    let records = &rig.records[..N_RECORDS];
    let parts: Vec<_> = records.chunks(records.len() / 3 + 1).collect();
    let sleeper = Instance::start(&stream);
    stream.add(parts[0]);
    stream.wait_for(10, Duration::from_secs(60));
    std::thread::sleep(Duration::from_millis(moment_ms));
    sleeper.signal("STOP");
    let heir = Instance::start(&stream);
    stream.add(parts[1]);
    stream.wait_for(parts[0].len() + parts[1].len(), Duration::from_secs(60));
    sleeper.signal("CONT");
    stream.add(parts[2]);
    stream.wait_for(N_RECORDS, Duration::from_secs(60));
    // Time for the sleeper to do what it must not.
    std::thread::sleep(Duration::from_secs(2));
    sleeper.end();
    heir.end();
    stream.check(N_RECORDS);
}

/// The first process dies at a pass of a point; the other, which came for half of its partitions, finishes.
#[test]
fn a_kill_while_partitions_come_or_go_loses_and_repeats_nothing() {
    let rig = Rig::new(24, 20);
    // Its first partitions; those that are left when the other comes; as it lets the others go.
    let kills = [(KillPoint::SourceMoved, 1), (KillPoint::SourceMoved, 2), (KillPoint::SourceReleasing, 1)];
    at_once(3, &kills, |(point, nth)| kill_as_partitions_move(&rig, *point, *nth));
}

fn kill_as_partitions_move(rig: &Rig, point: KillPoint, nth: u32) {
    let run = format!("{}-{nth}", point.name().replace('_', "-"));
    let stream = rig.stream(&run, 4, ", maxOffsetsPerTrigger: 10", SHORT_TRANSACTIONS, "");
    let mut parts = rig.records.chunks(20);
    let mut command = rig.loans.place.command(&["stream", &stream.file, "--quiet"]);
    command.env("OGNIVO_KILL_POINT", format!("{}@{nth}", point.name()));
    let mut dying = command.spawn().unwrap();
    let (begin, mut heir) = (Instant::now(), None);
    while dying.try_wait().unwrap().is_none() {
        if begin.elapsed() > Duration::from_secs(60) {
            dying.kill().unwrap();
            panic!("{run}: the process was to die");
        }
        parts.next().into_iter().for_each(|part| stream.add(part));
        if nth + u32::from(point == KillPoint::SourceReleasing) > 1 && begin.elapsed() > Duration::from_secs(3) {
            heir.get_or_insert_with(|| Instance::start(&stream));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let heir = heir.unwrap_or_else(|| Instance::start(&stream));
    parts.for_each(|part| stream.add(part));
    stream.wait_for(rig.records.len(), Duration::from_secs(120));
    heir.end();
    stream.check(rig.records.len());
}

#[test]
fn three_instances_that_are_killed_at_random_lose_and_repeat_nothing() {
    let rig = Rig::new(50, 40);
    let stream = rig.stream("three", 6, ", maxOffsetsPerTrigger: 20", SHORT_TRANSACTIONS, "");
    let seconds = asked("OGNIVO_KAFKA_SECONDS").unwrap_or(SECONDS);
    kill_at_random(&stream, Duration::from_secs(seconds), rig.records.len() / (seconds * 4) as usize + 1);
}

/// So many wait for each of three instances that batches are scored beside the commit of the one before.
#[test]
fn three_instances_with_much_to_do_that_are_killed_at_random_lose_and_repeat_nothing() {
    let rig = Rig::new(60, 1000);
    let stream = rig.stream("behind", 6, ", maxOffsetsPerTrigger: 300", SHORT_TRANSACTIONS, "");
    kill_at_random(&stream, Duration::from_secs(10), rig.records.len());
}

/// Records come so many at a time, and now and then one of three instances is killed and replaced, for a while; then all must be there.
fn kill_at_random(stream: &Stream<'_>, during: Duration, n_at_a_time: usize) {
    let mut dice = Dice::new();
    let records = &stream.rig.records;
    let mut instances: Vec<Instance> = (0..3).map(|_| Instance::start(stream)).collect();
    let mut parts = records.chunks(n_at_a_time);
    let (begin, mut n_kills) = (Instant::now(), 0);
    while begin.elapsed() < during || n_kills == 0 {
        parts.next().into_iter().for_each(|part| stream.add(part));
        if dice.below(6) == 0 {
            let idx = dice.below(3) as usize;
            // The old one is killed when the new one takes its place.
            instances[idx] = Instance::start(stream);
            n_kills += 1;
        }
        std::thread::sleep(Duration::from_millis(50 + dice.below(300)));
    }
    parts.for_each(|part| stream.add(part));
    stream.wait_for(records.len(), Duration::from_secs(120));
    println!("{n_kills} kills in {} s", during.as_secs());
    instances.into_iter().for_each(Instance::end);
    stream.check(records.len());
    assert!(n_kills > 0);
}
