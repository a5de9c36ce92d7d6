//! Calls to the outside that fail: every single one, once and for good, before its effect and after it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_stream::memory::{MemoryWorld, WorldOptions};
use ognivo_stream::query::{QueryEvent, QueryOptions, RunSummary, StreamingQuery};
use ognivo_stream::query_error::QueryError;
use ognivo_stream::stop::stop_pair;
use ognivo_stream::trigger::Trigger;
use serde_json::json;

use crate::campaign::counts::tell;
use crate::{run, worlds};

async fn run_available(query: &mut StreamingQuery) -> Result<RunSummary, QueryError> {
    let (_handle, stop) = stop_pair();
    query.run(&stop).await
}

#[test]
fn any_call_may_fail_once_and_the_query_goes_on() {
    run(async {
        let mut n_failed = 0;
        for options in worlds() {
            for nth in 1.. {
                let mut world = MemoryWorld::new(options);
                world.add(12);
                world.faults.fail_at(nth, false);
                let summary = run_available(&mut world.start_with(0, Trigger::AvailableNow, "model")).await.unwrap();
                assert_eq!(world.check_at_the_end(), Ok(()), "{options:?}: call {nth}");
                assert_eq!((summary.n_batches, summary.rows.read), (3, 12), "{options:?}: call {nth}");
                if world.faults.heal() {
                    assert!(nth > 40, "three batches make more calls than {nth}");
                    break;
                }
                n_failed += 1;
            }
        }
        tell("the nth call to the outside fails once, for every n", "failed calls", n_failed, json!({}));
    });
}

#[test]
fn rows_that_come_after_a_failed_call_neither_hide_nor_join_the_batch_before() {
    run(async {
        let mut n_failed = 0;
        for options in worlds() {
            for nth in 1.. {
                let mut world = MemoryWorld::new(options);
                let mut query = world.start(0);
                world.add(3);
                world.faults.fail_at(nth, false);
                let ended = query.process_all_available().await;
                assert_eq!(world.faults.heal(), ended.is_ok(), "{options:?}: call {nth}");
                world.add(3);
                query.process_all_available().await.unwrap();
                assert_eq!(world.check_at_the_end(), Ok(()), "{options:?}: call {nth}");
                if ended.is_ok() {
                    break;
                }
                n_failed += 1;
            }
        }
        tell(
            "the nth call fails once, and more rows come before the query looks again",
            "failed calls",
            n_failed,
            json!({}),
        );
    });
}

#[test]
fn after_any_call_fails_for_good_the_query_gives_up_and_a_later_one_finishes() {
    run(async {
        let mut n_failed = 0;
        for options in worlds() {
            for nth in 1.. {
                let mut world = MemoryWorld::new(options);
                world.add(12);
                world.faults.fail_at(nth, true);
                let ended = run_available(&mut world.start_with(0, Trigger::AvailableNow, "model")).await;
                let no_call_failed = world.faults.heal();
                assert_eq!(world.check_at_any_moment().await, Ok(()), "{options:?}: call {nth}");
                if no_call_failed {
                    break;
                }
                let error = ended.unwrap_err();
                assert!(matches!(error, QueryError::GaveUp { .. }), "{error}");
                assert_eq!((error.fault(), error.retry()), (Fault::Remote, Retry::Never));
                run_available(&mut world.start_with(0, Trigger::AvailableNow, "model")).await.unwrap();
                assert_eq!(world.check_at_the_end(), Ok(()), "{options:?}: call {nth}");
                n_failed += 1;
            }
        }
        tell(
            "every call from the nth on fails, for every n; a later process finishes",
            "failed calls",
            n_failed,
            json!({}),
        );
    });
}

#[test]
fn patience_grows_is_told_and_ends() {
    run(async {
        let mut world = MemoryWorld::new(WorldOptions::default());
        world.add(1);
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut query = {
            let told = told.clone();
            let observer = move |event: &QueryEvent<'_>| {
                if let QueryEvent::Retrying { n_failures, pause, .. } = event {
                    told.lock().unwrap().push((*n_failures, pause.as_millis()));
                }
            };
            let (parts, options) = world.parts(0, "model");
            let retry_deadline = Duration::from_secs(1);
            StreamingQuery::new(parts, QueryOptions { observer: Arc::new(observer), retry_deadline, ..options })
        };
        world.faults.fail_at(1, true);
        let error = run_available(&mut query).await.unwrap_err();
        assert_eq!(error.to_string(), "gave up after 5 attempts: sink: a test let this call fail: sink.prepare");
        assert_eq!(*told.lock().unwrap(), [(1, 100), (2, 200), (3, 400), (4, 800)]);
    });
}
