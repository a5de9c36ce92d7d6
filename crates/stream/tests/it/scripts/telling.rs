//! What an observer is told: everything that happened to a batch and its rows, in order, and numbers that add up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ognivo_stream::lag::Lag;
use ognivo_stream::latency::LatencyMs;
use ognivo_stream::memory::{MemoryWorld, SourceKind, WorldOptions};
use ognivo_stream::progress::Progress;
use ognivo_stream::query::{QueryEvent, QueryOptions, StreamingQuery};
use ognivo_stream::stop::stop_pair;
use ognivo_stream::trigger::Trigger;
use serde_json::json;

use crate::{run, worlds};

/// What was told, a word for each event, and the progress of each batch.
#[derive(Debug, Default)]
struct Told {
    words: Vec<String>,
    progress: Vec<Progress>,
    n_scored: usize,
}

fn word(event: &QueryEvent<'_>) -> String {
    match event {
        QueryEvent::Prepared { model, .. } => format!("prepared {}", model.0),
        QueryEvent::Started(id) => format!("started {id}"),
        QueryEvent::Scored(_) => "scored".to_owned(),
        QueryEvent::Aborted(id) => format!("aborted {id}"),
        QueryEvent::Progress(progress) => format!("done {}", progress.batch_id),
        QueryEvent::FoundDone(id) => format!("found {id}"),
        QueryEvent::Resting { lag } => format!("resting, lag {lag:?}"),
        QueryEvent::Retrying { n_failures, .. } => format!("failure {n_failures}"),
        other => format!("{other:?}"),
    }
}

/// A query of this world that takes what is there, and what it tells.
fn query(world: &MemoryWorld, trigger: Trigger) -> (StreamingQuery, Arc<Mutex<Told>>) {
    let told = Arc::new(Mutex::new(Told::default()));
    let (parts, options) = world.parts(0, "model");
    let listener = told.clone();
    let observer = Arc::new(move |event: &QueryEvent<'_>| {
        let mut told = listener.lock().unwrap();
        match event {
            QueryEvent::Progress(progress) => told.progress.push((*progress).clone()),
            QueryEvent::Scored(rows) => told.n_scored += rows.num_rows(),
            _ => {}
        }
        let word = word(event);
        if told.words.last() != Some(&word) {
            told.words.push(word);
        }
    });
    (StreamingQuery::new(parts, QueryOptions { observer, trigger, ..options }), told)
}

#[test]
fn dead_letters_are_told_by_stage_and_code_and_add_up_to_the_tally() {
    run(async {
        for options in worlds() {
            let mut world = MemoryWorld::new(WorldOptions { max_rows: 1_000, ..options });
            world.add(100);
            let (mut query, told) = query(&world, Trigger::AsRowsArrive);
            query.process_all_available().await.unwrap();
            let told = told.lock().unwrap();
            let [progress] = told.progress.as_slice() else { panic!("one batch: {told:?}") };
            // Of the ids 0 to 99, 5, 18, 31, … are malformed; of those that end with 7, 57 is among them.
            let observed = serde_json::to_value(&progress.observed_metrics).unwrap();
            assert_eq!(
                observed["deadLetters"],
                json!([
                    {"stage": null, "code": "not_a_number", "rows": 8},
                    {"stage": "memoryScorer_7", "code": "out_of_range", "rows": 9},
                ])
            );
            let rows = progress.observed_metrics.rows;
            assert_eq!((rows.dead_letters, rows.written), (17, told.n_scored as u64));
            // 100 records in blocks of three.
            assert_eq!(progress.scoring.n_counted(), 34);
        }
    });
}

#[test]
fn latency_is_from_the_records_time_to_the_commit_where_records_carry_one() {
    run(async {
        let world = MemoryWorld::new(WorldOptions { source: SourceKind::Numbered, ..WorldOptions::default() });
        let now_ms = ognivo_stream::clock::Clock::now_ms(world.clock.as_ref());
        for age_ms in [40, 30, 20, 10] {
            world.topic.add_at(now_ms - age_ms, 0, "1");
        }
        world.topic.add(0, "2");
        let (mut query, told) = query(&world, Trigger::AsRowsArrive);
        query.process_all_available().await.unwrap();
        world.topic.add(0, "3");
        query.process_all_available().await.unwrap();

        let told = told.lock().unwrap();
        let [with, without] = told.progress.as_slice() else { panic!("two batches: {told:?}") };
        let expect = LatencyMs { records: 4, p50: 20, p99: 40, max: 40 };
        assert_eq!(with.observed_metrics.latency_ms, Some(expect));
        let histogram = with.latency.unwrap();
        assert_eq!((histogram.n_counted(), histogram.sum()), (4, Duration::from_millis(100)));
        assert_eq!((without.observed_metrics.latency_ms, without.latency), (None, None));
    });
}

#[test]
fn the_lag_is_what_no_batch_has_taken() {
    run(async {
        let options =
            WorldOptions { source: SourceKind::Numbered, n_partitions: 2, max_rows: 3, ..WorldOptions::default() };
        let mut world = MemoryWorld::new(options);
        world.add(9);
        let (mut query, told) = query(&world, Trigger::AsRowsArrive);
        query.process_all_available().await.unwrap();
        let told = told.lock().unwrap();
        let lags = told.progress.iter().map(|progress| serde_json::to_value(&progress.observed_metrics.lag).unwrap());
        assert_eq!(
            lags.collect::<Vec<_>>(),
            [json!({"records": {"0": 2, "1": 1}}), json!({"records": {"0": 0, "1": 0}})]
        );
        let metrics = serde_json::to_value(&told.progress[0].sources[0].metrics).unwrap();
        assert_eq!(metrics["maxOffsetsBehindLatest"], "2");
        assert!(told.words.last().unwrap().starts_with("resting"), "{:?}", told.words);
    });
}

#[test]
fn a_source_that_does_not_know_its_lag_tells_none() {
    run(async {
        let mut world = MemoryWorld::new(WorldOptions::default());
        world.add(1);
        let (mut query, told) = query(&world, Trigger::AsRowsArrive);
        query.process_all_available().await.unwrap();
        let told = told.lock().unwrap();
        assert_eq!(told.progress[0].observed_metrics.lag, Lag::Unknown);
        assert!(!serde_json::to_string(&told.progress[0]).unwrap().contains("lag"));
    });
}

#[test]
fn a_batch_that_fails_is_told_as_given_up_and_as_done_when_it_came_again() {
    run(async {
        for options in worlds() {
            // Every call to the outside fails once, one after the other.
            for nth in 1..=40 {
                let mut world = MemoryWorld::new(options);
                world.add(4);
                let (mut query, told) = query(&world, Trigger::AvailableNow);
                world.faults.fail_at(nth, false);
                let (_handle, stop) = stop_pair();
                query.run(&stop).await.unwrap();
                world.faults.heal();

                let told = told.lock().unwrap();
                let words = told.words.join("\n");
                let at = |word: &str| told.words.iter().position(|told| told == word);
                let last_start = told.words.iter().rposition(|told| told == "started 0");
                let first_end = at("done 0").or(at("found 0")).unwrap_or_else(|| panic!("{nth}: {words}"));
                assert!(at("prepared model") < last_start && last_start < Some(first_end), "{nth}: {words}");
                let count = |word: &str| told.words.iter().filter(|told| *told == word).count();
                assert!(count("started 0") - 1 <= count("failure 1"), "{nth}: {words}");
                assert!(count("aborted 0") < count("started 0"), "{nth}: {words}");
                if let Some(aborted) = at("aborted 0") {
                    assert_eq!(told.words[aborted + 1], "failure 1", "{nth}: {words}");
                }
                if let Some(progress) = told.progress.first() {
                    assert_eq!(progress.observed_metrics.rows.read, 4, "{nth}: {words}");
                }
            }
        }
    });
}
