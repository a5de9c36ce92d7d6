//! A stream that is killed with SIGKILL at random moments and started again, until it ends by itself, loses no row and repeats
//! none.
//!
//! Readers look at what it writes all the time. The moments come from a seed, which is printed; `OGNIVO_TEST_SEED` sets it. The same seed gives the same moments in time,
//! not the same places in the program: those depend on the machine.

use std::hash::{BuildHasher, Hasher};
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use serde_json::{Value, json};

use crate::binary::{Ran, Workplace};
use crate::campaign::counts::{scale, tell};
use crate::campaign::polling::Polling;
use crate::campaign::random::Random;
use crate::loans::{Fate, Loans, StreamForm};
use crate::stream_oracle::{Counts, LogKind, batch_scores, check, names_in};

/// From `OGNIVO_TEST_SEED`, else another one each time; printed.
fn seed(test: &str) -> u64 {
    let given = std::env::var("OGNIVO_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish());
    println!("{test}: OGNIVO_TEST_SEED={seed}");
    seed
}

/// How the runs of a stream went.
#[derive(Debug, Default)]
struct Runs {
    kills: u32,
    /// Runs that were killed before they reported a batch.
    kills_before_a_batch: u32,
    /// Batches that were reported.
    reported: u64,
    /// Of these, planned by a process that had been killed.
    replayed: u64,
}

/// Runs the job until it ends by itself; each run before is killed after `below` a few batches and a moment more.
fn run_and_kill(place: &Workplace, job: &str, random: &mut Random, most_batches: u64) -> Runs {
    let mut runs = Runs::default();
    loop {
        let n_batches = random.below(most_batches);
        let pause = Duration::from_micros(random.below(40_000));
        let mut child = place.start(&["stream", job, "--progress", "json"]);
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        for _ in 0..n_batches {
            stdout.read_line(&mut text).unwrap();
        }
        std::thread::sleep(pause);
        child.kill().unwrap();
        stdout.read_to_string(&mut text).unwrap();
        let ran = Ran::of_child(child);
        let n_reported = runs.count(&text);
        if ran.code.is_some() {
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            check_summary(&ran.stderr, &text);
            return runs;
        }
        runs.kills += 1;
        runs.kills_before_a_batch += u32::from(n_reported == 0);
        assert!(runs.kills < 1000, "the stream does not get on");
    }
}

impl Runs {
    /// Counts the whole progress lines of a run, and holds that they account for every row.
    fn count(&mut self, text: &str) -> usize {
        let mut n = 0;
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let progress: Value = serde_json::from_str(line).unwrap();
            let rows = &progress["observedMetrics"]["rows"];
            let row = |name: &str| rows[name].as_u64().unwrap();
            assert_eq!(row("read"), row("written") + row("skipped") + row("deadLetters"), "{line}");
            assert_eq!(progress["numInputRows"].as_u64(), Some(row("read")), "{line}");
            self.reported += 1;
            self.replayed += u64::from(progress["observedMetrics"]["batch"]["replayed"] == true);
            n += 1;
        }
        n
    }
}

/// The summary of a run says of all its batches what each progress line says of one.
fn check_summary(stderr: &str, progress: &str) {
    let progress: Vec<Value> = progress.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let rows = |name: &str| -> u64 {
        progress.iter().map(|line| line["observedMetrics"]["rows"][name].as_u64().unwrap()).sum()
    };
    let (read, written, skipped, dead_letters) = (rows("read"), rows("written"), rows("skipped"), rows("deadLetters"));
    let told = format!("{read} rows read = {written} written + {skipped} skipped + {dead_letters} dead letters");
    assert!(stderr.contains(&told), "{told}: {stderr}");
}

/// What must be there at the end, whatever happened on the way.
fn assert_complete(loans: &Loans, counts: &Counts) {
    assert_eq!(counts.scored, loans.count(Fate::Scored));
    assert_eq!(counts.dead_letters, loans.count(Fate::Malformed) + loans.count(Fate::Unseen));
    assert_eq!(counts.batches, loans.n_files, "one file a batch");
}

fn survives_random_kills(test: &str, form: StreamForm, kind: LogKind) {
    let seed = seed(test);
    let mut random = Random(seed);
    let loans = Loans::new(40, 12);
    let expected = batch_scores(&loans);
    for life in 0..scale() {
        let run = format!("killed-{life}");
        let job = loans.write_job(&run, form);
        let polling = Polling::start(&loans.place.at(&run), kind);
        let runs = run_and_kill(&loans.place, &job, &mut random, 4);
        let seen = polling.end();
        let counts = check(&loans, &run, kind, &expected);
        println!("{test}: {runs:?} {seen:?} {counts:?}");
        assert_complete(&loans, &counts);
        assert!(runs.kills > 0, "nothing was killed");
        assert_eq!(seen.n_rows, counts.scored + counts.dead_letters, "a reader saw every row");

        // Once more, with nothing to do: nothing changes.
        loans.place.run(&["stream", &job, "--quiet"]).ok();
        assert_eq!(check(&loans, &run, kind, &expected), counts);

        let rows = json!({"rows": loans.fates.len(), "seeds": seed.to_string()});
        let what = format!("the process of a stream is killed with SIGKILL at random moments, {test}");
        tell(&what, "kills", runs.kills as usize, rows);
        let what = format!("a reader looks all the time while the process is killed at random moments, {test}");
        tell(
            &what,
            "looks",
            seen.n_looks,
            json!({"ended": {"files seen, each whole, unchanged, never gone": seen.n_files}}),
        );
    }
}

#[test]
fn a_stream_that_is_killed_at_random_moments_loses_and_repeats_nothing() {
    survives_random_kills("with Spark's log", StreamForm::default(), LogKind::Spark);
}

#[test]
fn a_stream_for_plain_readers_that_is_killed_at_random_moments_loses_and_repeats_nothing() {
    let form = StreamForm { write: "    options: {commitLog: none}\n", ..StreamForm::default() };
    survives_random_kills("for plain readers", form, LogKind::Success);
}

#[test]
fn the_second_third_and_hundredth_batch_work_and_old_entries_go() {
    let test = "long life";
    let seed = seed(test);
    let loans = Loans::new(125, 4);
    let expected = batch_scores(&loans);
    let job = loans.write_job("long", StreamForm::default());
    let runs = run_and_kill(&loans.place, &job, &mut Random(seed), 25);
    let counts = check(&loans, "long", LogKind::Spark, &expected);
    println!("{test}: {runs:?} {counts:?}");
    assert_complete(&loans, &counts);
    let told = json!({"rows": loans.fates.len(), "seeds": seed.to_string()});
    let what = "the process of a stream of 125 batches is killed with SIGKILL at random moments";
    tell(what, "kills", runs.kills as usize, told);

    let folder = loans.place.at("long");
    // Entries of these logs are removed when they are ten minutes old, as Spark does: all are here.
    for log in ["output/_spark_metadata", "checkpoint/sources/0"] {
        let names = names_in(&folder.join(log));
        let mut compacts: Vec<u64> =
            names.iter().filter_map(|name| name.strip_suffix(".compact")?.parse().ok()).collect();
        compacts.sort_unstable();
        assert_eq!(compacts, (0..12).map(|i| i * 10 + 9).collect::<Vec<u64>>(), "{log}");
    }
    // A hundred batches stay, as with Spark, and those that came since the last tidying, which a kill may have cut short.
    for log in ["offsets", "commits"] {
        let names = names_in(&folder.join("checkpoint").join(log));
        let mut ids: Vec<u64> = names.iter().map(|name| name.parse().unwrap()).collect();
        ids.sort_unstable();
        assert!((10..=25).contains(&ids[0]), "{log}: the oldest is {}", ids[0]);
        assert_eq!(ids, (ids[0]..=124).collect::<Vec<u64>>(), "{log}");
    }
}
