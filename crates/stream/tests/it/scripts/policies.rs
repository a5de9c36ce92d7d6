//! What becomes of bad rows, and how many of them a batch may have.

use ognivo_data::fault::{Explain, Fault};
use ognivo_stream::dead_letter;
use ognivo_stream::memory::{MemoryWorld, WorldOptions};
use ognivo_stream::query::{QueryOptions, RunSummary, StreamingQuery};
use ognivo_stream::query_error::QueryError;
use ognivo_stream::sink::Lane;
use ognivo_stream::tally::{BadRow, BadRowPolicy, Tally};

use crate::run;

fn world(n_rows: u64) -> MemoryWorld {
    let mut world = MemoryWorld::new(WorldOptions { max_rows: 1000, ..WorldOptions::default() });
    world.add(n_rows);
    world
}

async fn process(world: &MemoryWorld, bad_rows: BadRowPolicy) -> Result<RunSummary, QueryError> {
    let (parts, options) = world.parts(0, "model");
    StreamingQuery::new(parts, QueryOptions { bad_rows, ..options }).process_all_available().await
}

fn policy(malformed: BadRow, invalid: BadRow, max_bad_fraction: Option<f64>) -> BadRowPolicy {
    BadRowPolicy { malformed, invalid, max_bad_fraction }
}

#[test]
fn dropped_rows_count_as_skipped() {
    run(async {
        let world = world(10);
        let summary = process(&world, policy(BadRow::Drop, BadRow::Drop, None)).await.unwrap();
        assert_eq!(summary.rows, Tally { read: 10, written: 7, skipped: 3, dead_letters: 0, bad: 2 });
        assert!(world.target.visible(Lane::DeadLetter).is_empty());
    });
}

#[test]
fn each_kind_of_bad_row_has_its_own_policy() {
    run(async {
        let world = world(10);
        let summary = process(&world, policy(BadRow::Drop, BadRow::DeadLetter, None)).await.unwrap();
        assert_eq!(summary.rows, Tally { read: 10, written: 7, skipped: 2, dead_letters: 1, bad: 2 });
        assert_eq!(world.target.visible(Lane::DeadLetter), ["7"]);
    });
}

#[test]
fn a_malformed_record_stops_the_job_before_its_batch_when_told_so() {
    run(async {
        let world = world(10);
        let error = process(&world, policy(BadRow::Fail, BadRow::DeadLetter, None)).await.unwrap_err();
        assert_eq!(error.to_string(), "batch 0: memory-0:5: the record is not a number");
        assert_eq!(error.fault(), Fault::Data);
        assert!(world.target.visible(Lane::Scored).is_empty());
        process(&world, policy(BadRow::DeadLetter, BadRow::DeadLetter, None)).await.unwrap();
        assert_eq!(world.check_at_the_end(), Ok(()));
    });
}

#[test]
fn a_rejected_row_stops_the_job_when_told_so() {
    run(async {
        let error = process(&world(10), policy(BadRow::Drop, BadRow::Fail, None)).await.unwrap_err();
        assert_eq!(error.to_string(), "batch 0: memory-0:7: stage `memoryScorer_7`: ends with 7: 7");
        assert!(matches!(error, QueryError::BadRow { stage: Some(stage), .. } if stage == "memoryScorer_7"));
    });
}

#[test]
fn too_large_a_share_of_bad_rows_stops_the_job_before_the_batch_is_committed() {
    run(async {
        let world = world(200);
        // Of 200 rows 15 are malformed (5 and every 13th after it) and 20 end with 7, of which 57 and 187 are both.
        for bad_row in [BadRow::DeadLetter, BadRow::Drop] {
            let error = process(&world, policy(bad_row, bad_row, Some(0.16))).await.unwrap_err();
            assert_eq!(error.to_string(), "batch 0: share of bad rows is above 0.16: 33 of 200");
            assert!(world.target.visible(Lane::Scored).is_empty());
        }
        process(&world, policy(BadRow::DeadLetter, BadRow::DeadLetter, Some(0.165))).await.unwrap();
        assert_eq!(world.check_at_the_end(), Ok(()));
    });
}

#[test]
fn a_small_batch_is_not_stopped_for_its_share() {
    run(async {
        let summary = process(&world(10), policy(BadRow::Drop, BadRow::Drop, Some(0.0))).await.unwrap();
        assert_eq!(summary.rows.bad, 2);
    });
}

#[test]
fn dead_letters_have_the_envelope_of_their_schema() {
    let names =
        |schema: arrow_schema::SchemaRef| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let envelope =
        ["payload", "encoding", "position", "stage", "column", "code", "message", "model", "batchId", "time"];
    assert_eq!(names(dead_letter::envelope_schema()), envelope);
    let of_records = ["topic", "partition", "offset", "key", "keyEncoding"];
    assert_eq!(names(dead_letter::schema()), [&envelope[..], &of_records[..]].concat());
    let none = dead_letter::to_rows(&[], &plan());
    assert_eq!(none.num_rows(), 0);
}

fn plan() -> ognivo_stream::plan::BatchPlan {
    let end = ognivo_stream::offset::Offset::new(serde_json::json!(1));
    let range = ognivo_stream::offset::OffsetRange { start: None, end };
    ognivo_stream::plan::BatchPlan::new(ognivo_stream::plan::BatchId(0), range, 0, None)
}

#[test]
fn a_row_that_the_target_refuses_is_an_invalid_row_and_no_row_is_lost() {
    run(async {
        for (invalid, written, skipped, dead_letters) in [(BadRow::DeadLetter, 5, 2, 3), (BadRow::Drop, 5, 5, 0)] {
            let world = world(10);
            world.target.refuse(1);
            world.target.refuse(8);
            let summary = process(&world, policy(BadRow::Drop, invalid, None)).await.unwrap();
            assert_eq!(summary.rows, Tally { read: 10, written, skipped, dead_letters, bad: 4 });
            assert!(!world.target.visible(Lane::Scored).contains(&"8".to_owned()));
            let expect: &[&str] = if dead_letters > 0 { &["1", "7", "8"] } else { &[] };
            assert_eq!(world.target.visible(Lane::DeadLetter), expect);
        }
    });
}

#[test]
fn a_row_that_the_target_refuses_stops_the_job_when_told_so() {
    run(async {
        let world = world(5);
        world.target.refuse(3);
        let error = process(&world, policy(BadRow::Drop, BadRow::Fail, None)).await.unwrap_err();
        assert_eq!(error.to_string(), "batch 0: memory-0:3: the target does not take: 3");
        assert!(world.target.visible(Lane::Scored).is_empty());
    });
}
