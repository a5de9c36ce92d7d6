//! Every state that two logs, a target, a source and a trigger can be in, and the step that each asks for.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use ognivo_stream::offset::{Offset, OffsetRange, Positions, SourcePartition};
use ognivo_stream::plan::{Available, BatchId, BatchPlan, Facts, Logs, ModelId, PlanError, Step, Turn, next_step};
use ognivo_stream::sink::Committed;
use serde_json::json;

fn range(id: u64) -> OffsetRange {
    let offset = |n: u64| Offset::new(json!({ "logOffset": n }));
    OffsetRange { start: id.checked_sub(1).map(offset), end: offset(id) }
}

fn plan(id: u64, model: &str) -> BatchPlan {
    BatchPlan::new(BatchId(id), range(id), 1000 + id as i64, Some(ModelId(model.to_owned())))
}

fn logs(planned: Option<u64>, committed: Option<u64>) -> Logs {
    Logs { planned: planned.map(|id| plan(id, "m")), committed: committed.map(BatchId) }
}

fn target(batch: Option<u64>) -> Committed {
    batch.map_or(Committed::Nothing, |id| Committed::Batch(BatchId(id)))
}

fn positions(at: &[(&str, u64)]) -> Committed {
    let at = at.iter().map(|(name, n)| (SourcePartition((*name).to_owned()), json!(n)));
    Committed::Offsets(Positions(BTreeMap::from_iter(at)))
}

fn step(logs: &Logs, target: &Committed, available: &Available, turn: Turn) -> Result<Step, PlanError> {
    let model = ModelId("m".to_owned());
    next_step(&Facts { logs, target, available, turn, partitions_move: false, model: &model, now_ms: 77 })
}

fn name(step: &Result<Step, PlanError>) -> String {
    match step {
        Ok(Step::MarkDone(id)) => format!("mark {id} done"),
        Ok(Step::Replay(plan)) => format!("replay {}", plan.id),
        Ok(Step::Ask) => "ask".to_owned(),
        Ok(Step::Run(plan)) => format!("run {} {} at {}", plan.id, plan.range, plan.time_ms),
        Ok(Step::Wait) => "wait".to_owned(),
        Ok(Step::Finish) => "finish".to_owned(),
        Err(error) => format!("refused: {error}"),
    }
}

fn or_dash(id: Option<u64>) -> String {
    id.map_or_else(|| "-".to_owned(), |id| id.to_string())
}

const NOW: Turn = Turn::Now { finish_when_empty: false };

fn check(table: String, expect: &Expect) {
    expect.assert_eq(&table);
}

/// In the target `-` holds nothing and `?` remembers nothing. Batch numbers below 2 stand for "long ago", 2 is the batch before, 3 the newest plan, 4 the future.
#[test]
fn what_an_earlier_process_left_behind_a_written_plan_decides_before_anything_new() {
    let mut table = String::from("plan done target\n");
    for planned in [None, Some(0), Some(3)] {
        for committed in [None, Some(0), Some(1), Some(2), Some(3), Some(4)] {
            for batch in [None, Some(0), Some(1), Some(2), Some(3), Some(4)] {
                let step = step(&logs(planned, committed), &target(batch), &Available::Unknown, NOW);
                let [planned, committed, batch] = [planned, committed, batch].map(or_dash);
                table += &format!("{planned:>4} {committed:>4} {batch:>6}  {}\n", name(&step));
            }
            let step = step(&logs(planned, committed), &Committed::Unknown, &Available::Unknown, NOW);
            let [planned, committed] = [planned, committed].map(or_dash);
            table += &format!("{planned:>4} {committed:>4} {:>6}  {}\n", "?", name(&step));
        }
    }
    check(
        table,
        &expect![[r#"
            plan done target
               -    -      -  ask
               -    -      0  refused: the target is ahead of the checkpoint: target is at batch 0, newest plan is absent
               -    -      1  refused: the target is ahead of the checkpoint: target is at batch 1, newest plan is absent
               -    -      2  refused: the target is ahead of the checkpoint: target is at batch 2, newest plan is absent
               -    -      3  refused: the target is ahead of the checkpoint: target is at batch 3, newest plan is absent
               -    -      4  refused: the target is ahead of the checkpoint: target is at batch 4, newest plan is absent
               -    -      ?  ask
               -    0      -  refused: batch 0 is in commits, but the newest entry of offsets is absent
               -    0      0  refused: batch 0 is in commits, but the newest entry of offsets is absent
               -    0      1  refused: batch 0 is in commits, but the newest entry of offsets is absent
               -    0      2  refused: batch 0 is in commits, but the newest entry of offsets is absent
               -    0      3  refused: batch 0 is in commits, but the newest entry of offsets is absent
               -    0      4  refused: batch 0 is in commits, but the newest entry of offsets is absent
               -    0      ?  refused: batch 0 is in commits, but the newest entry of offsets is absent
               -    1      -  refused: batch 1 is in commits, but the newest entry of offsets is absent
               -    1      0  refused: batch 1 is in commits, but the newest entry of offsets is absent
               -    1      1  refused: batch 1 is in commits, but the newest entry of offsets is absent
               -    1      2  refused: batch 1 is in commits, but the newest entry of offsets is absent
               -    1      3  refused: batch 1 is in commits, but the newest entry of offsets is absent
               -    1      4  refused: batch 1 is in commits, but the newest entry of offsets is absent
               -    1      ?  refused: batch 1 is in commits, but the newest entry of offsets is absent
               -    2      -  refused: batch 2 is in commits, but the newest entry of offsets is absent
               -    2      0  refused: batch 2 is in commits, but the newest entry of offsets is absent
               -    2      1  refused: batch 2 is in commits, but the newest entry of offsets is absent
               -    2      2  refused: batch 2 is in commits, but the newest entry of offsets is absent
               -    2      3  refused: batch 2 is in commits, but the newest entry of offsets is absent
               -    2      4  refused: batch 2 is in commits, but the newest entry of offsets is absent
               -    2      ?  refused: batch 2 is in commits, but the newest entry of offsets is absent
               -    3      -  refused: batch 3 is in commits, but the newest entry of offsets is absent
               -    3      0  refused: batch 3 is in commits, but the newest entry of offsets is absent
               -    3      1  refused: batch 3 is in commits, but the newest entry of offsets is absent
               -    3      2  refused: batch 3 is in commits, but the newest entry of offsets is absent
               -    3      3  refused: batch 3 is in commits, but the newest entry of offsets is absent
               -    3      4  refused: batch 3 is in commits, but the newest entry of offsets is absent
               -    3      ?  refused: batch 3 is in commits, but the newest entry of offsets is absent
               -    4      -  refused: batch 4 is in commits, but the newest entry of offsets is absent
               -    4      0  refused: batch 4 is in commits, but the newest entry of offsets is absent
               -    4      1  refused: batch 4 is in commits, but the newest entry of offsets is absent
               -    4      2  refused: batch 4 is in commits, but the newest entry of offsets is absent
               -    4      3  refused: batch 4 is in commits, but the newest entry of offsets is absent
               -    4      4  refused: batch 4 is in commits, but the newest entry of offsets is absent
               -    4      ?  refused: batch 4 is in commits, but the newest entry of offsets is absent
               0    -      -  replay 0
               0    -      0  mark 0 done
               0    -      1  refused: the target is ahead of the checkpoint: target is at batch 1, newest plan is 0
               0    -      2  refused: the target is ahead of the checkpoint: target is at batch 2, newest plan is 0
               0    -      3  refused: the target is ahead of the checkpoint: target is at batch 3, newest plan is 0
               0    -      4  refused: the target is ahead of the checkpoint: target is at batch 4, newest plan is 0
               0    -      ?  replay 0
               0    0      -  refused: the target holds nothing, but the checkpoint has finished batch 0
               0    0      0  ask
               0    0      1  refused: the target is ahead of the checkpoint: target is at batch 1, newest plan is 0
               0    0      2  refused: the target is ahead of the checkpoint: target is at batch 2, newest plan is 0
               0    0      3  refused: the target is ahead of the checkpoint: target is at batch 3, newest plan is 0
               0    0      4  refused: the target is ahead of the checkpoint: target is at batch 4, newest plan is 0
               0    0      ?  ask
               0    1      -  refused: batch 1 is in commits, but the newest entry of offsets is 0
               0    1      0  refused: batch 1 is in commits, but the newest entry of offsets is 0
               0    1      1  refused: batch 1 is in commits, but the newest entry of offsets is 0
               0    1      2  refused: batch 1 is in commits, but the newest entry of offsets is 0
               0    1      3  refused: batch 1 is in commits, but the newest entry of offsets is 0
               0    1      4  refused: batch 1 is in commits, but the newest entry of offsets is 0
               0    1      ?  refused: batch 1 is in commits, but the newest entry of offsets is 0
               0    2      -  refused: batch 2 is in commits, but the newest entry of offsets is 0
               0    2      0  refused: batch 2 is in commits, but the newest entry of offsets is 0
               0    2      1  refused: batch 2 is in commits, but the newest entry of offsets is 0
               0    2      2  refused: batch 2 is in commits, but the newest entry of offsets is 0
               0    2      3  refused: batch 2 is in commits, but the newest entry of offsets is 0
               0    2      4  refused: batch 2 is in commits, but the newest entry of offsets is 0
               0    2      ?  refused: batch 2 is in commits, but the newest entry of offsets is 0
               0    3      -  refused: batch 3 is in commits, but the newest entry of offsets is 0
               0    3      0  refused: batch 3 is in commits, but the newest entry of offsets is 0
               0    3      1  refused: batch 3 is in commits, but the newest entry of offsets is 0
               0    3      2  refused: batch 3 is in commits, but the newest entry of offsets is 0
               0    3      3  refused: batch 3 is in commits, but the newest entry of offsets is 0
               0    3      4  refused: batch 3 is in commits, but the newest entry of offsets is 0
               0    3      ?  refused: batch 3 is in commits, but the newest entry of offsets is 0
               0    4      -  refused: batch 4 is in commits, but the newest entry of offsets is 0
               0    4      0  refused: batch 4 is in commits, but the newest entry of offsets is 0
               0    4      1  refused: batch 4 is in commits, but the newest entry of offsets is 0
               0    4      2  refused: batch 4 is in commits, but the newest entry of offsets is 0
               0    4      3  refused: batch 4 is in commits, but the newest entry of offsets is 0
               0    4      4  refused: batch 4 is in commits, but the newest entry of offsets is 0
               0    4      ?  refused: batch 4 is in commits, but the newest entry of offsets is 0
               3    -      -  refused: the target holds nothing, but the checkpoint has finished batch 2
               3    -      0  refused: the target is behind the checkpoint: target is at batch 0, finished is batch 2
               3    -      1  refused: the target is behind the checkpoint: target is at batch 1, finished is batch 2
               3    -      2  replay 3
               3    -      3  mark 3 done
               3    -      4  refused: the target is ahead of the checkpoint: target is at batch 4, newest plan is 3
               3    -      ?  replay 3
               3    0      -  refused: the target holds nothing, but the checkpoint has finished batch 2
               3    0      0  refused: the target is behind the checkpoint: target is at batch 0, finished is batch 2
               3    0      1  refused: the target is behind the checkpoint: target is at batch 1, finished is batch 2
               3    0      2  replay 3
               3    0      3  mark 3 done
               3    0      4  refused: the target is ahead of the checkpoint: target is at batch 4, newest plan is 3
               3    0      ?  replay 3
               3    1      -  refused: the target holds nothing, but the checkpoint has finished batch 2
               3    1      0  refused: the target is behind the checkpoint: target is at batch 0, finished is batch 2
               3    1      1  refused: the target is behind the checkpoint: target is at batch 1, finished is batch 2
               3    1      2  replay 3
               3    1      3  mark 3 done
               3    1      4  refused: the target is ahead of the checkpoint: target is at batch 4, newest plan is 3
               3    1      ?  replay 3
               3    2      -  refused: the target holds nothing, but the checkpoint has finished batch 2
               3    2      0  refused: the target is behind the checkpoint: target is at batch 0, finished is batch 2
               3    2      1  refused: the target is behind the checkpoint: target is at batch 1, finished is batch 2
               3    2      2  replay 3
               3    2      3  mark 3 done
               3    2      4  refused: the target is ahead of the checkpoint: target is at batch 4, newest plan is 3
               3    2      ?  replay 3
               3    3      -  refused: the target holds nothing, but the checkpoint has finished batch 3
               3    3      0  refused: the target is behind the checkpoint: target is at batch 0, finished is batch 3
               3    3      1  refused: the target is behind the checkpoint: target is at batch 1, finished is batch 3
               3    3      2  refused: the target is behind the checkpoint: target is at batch 2, finished is batch 3
               3    3      3  ask
               3    3      4  refused: the target is ahead of the checkpoint: target is at batch 4, newest plan is 3
               3    3      ?  ask
               3    4      -  refused: batch 4 is in commits, but the newest entry of offsets is 3
               3    4      0  refused: batch 4 is in commits, but the newest entry of offsets is 3
               3    4      1  refused: batch 4 is in commits, but the newest entry of offsets is 3
               3    4      2  refused: batch 4 is in commits, but the newest entry of offsets is 3
               3    4      3  refused: batch 4 is in commits, but the newest entry of offsets is 3
               3    4      4  refused: batch 4 is in commits, but the newest entry of offsets is 3
               3    4      ?  refused: batch 4 is in commits, but the newest entry of offsets is 3
        "#]],
    );
}

#[test]
fn a_target_that_holds_positions_is_asked_and_never_replayed_to() {
    let mut table = String::from("plan done target\n");
    for (planned, committed) in [(None, None), (Some(3), Some(2)), (Some(3), Some(3)), (None, Some(3))] {
        for at in [&[][..], &[("all", 7)]] {
            let step = step(&logs(planned, committed), &positions(at), &Available::Unknown, NOW);
            let [planned, committed] = [planned, committed].map(or_dash);
            table += &format!("{planned:>4} {committed:>4} {:>6}  {}\n", at.len(), name(&step));
        }
    }
    check(
        table,
        &expect![[r#"
            plan done target
               -    -      0  ask
               -    -      1  ask
               3    2      0  refused: the target holds nothing, but the checkpoint has finished batch 2
               3    2      1  ask
               3    3      0  refused: the target holds nothing, but the checkpoint has finished batch 3
               3    3      1  ask
               -    3      0  refused: the target holds nothing, but the checkpoint has finished batch 3
               -    3      1  ask
        "#]],
    );
}

#[test]
fn a_new_batch_waits_for_its_turn_and_for_rows() {
    let rows = Available::Rows(range(4), Positions::of_whole(&range(4).end));
    let mut table = String::new();
    for logs in [logs(None, None), logs(Some(3), Some(3))] {
        for turn in [NOW, Turn::Now { finish_when_empty: true }, Turn::Later, Turn::Never] {
            for available in [&Available::Unknown, &Available::Nothing, &rows] {
                let step = step(&logs, &Committed::Unknown, available, turn);
                let available = match available {
                    Available::Unknown => "unknown",
                    Available::Nothing => "nothing",
                    Available::Rows(..) => "rows",
                };
                table += &format!("{turn:?}, {available}: {}\n", name(&step));
            }
        }
    }
    check(
        table,
        &expect![[r#"
        Now { finish_when_empty: false }, unknown: ask
        Now { finish_when_empty: false }, nothing: wait
        Now { finish_when_empty: false }, rows: run 0 ({"logOffset":3}..{"logOffset":4}] at 77
        Now { finish_when_empty: true }, unknown: ask
        Now { finish_when_empty: true }, nothing: finish
        Now { finish_when_empty: true }, rows: run 0 ({"logOffset":3}..{"logOffset":4}] at 77
        Later, unknown: wait
        Later, nothing: wait
        Later, rows: wait
        Never, unknown: finish
        Never, nothing: finish
        Never, rows: finish
        Now { finish_when_empty: false }, unknown: ask
        Now { finish_when_empty: false }, nothing: wait
        Now { finish_when_empty: false }, rows: run 4 ({"logOffset":3}..{"logOffset":4}] at 1004
        Now { finish_when_empty: true }, unknown: ask
        Now { finish_when_empty: true }, nothing: finish
        Now { finish_when_empty: true }, rows: run 4 ({"logOffset":3}..{"logOffset":4}] at 1004
        Later, unknown: wait
        Later, nothing: wait
        Later, rows: wait
        Never, unknown: finish
        Never, nothing: finish
        Never, rows: finish
    "#]],
    );
}

#[test]
fn an_open_batch_is_run_before_a_trigger_may_say_no() {
    for turn in [Turn::Later, Turn::Never, Turn::Now { finish_when_empty: true }] {
        let step = step(&logs(Some(3), Some(2)), &target(Some(2)), &Available::Unknown, turn);
        assert_eq!(step, Ok(Step::Replay(plan(3, "m"))));
    }
}

#[test]
fn an_open_batch_is_never_scored_with_another_model() {
    let open = Logs { planned: Some(plan(3, "old")), committed: Some(BatchId(2)) };
    let error = step(&open, &target(Some(2)), &Available::Unknown, NOW).unwrap_err();
    assert_eq!(error.to_string(), "batch 3 was planned with another model: planned old, present m");
    // In the target already: nothing is scored, so the model does not matter.
    assert_eq!(step(&open, &target(Some(3)), &Available::Unknown, NOW), Ok(Step::MarkDone(BatchId(3))));
    // Done: the next batch takes the new model.
    let done = Logs { committed: Some(BatchId(3)), ..open };
    assert_eq!(step(&done, &target(Some(3)), &Available::Unknown, NOW), Ok(Step::Ask));
}

#[test]
fn a_plan_that_spark_wrote_names_no_model_and_takes_ours() {
    let mut sparks = plan(3, "m");
    sparks.model = None;
    let open = Logs { planned: Some(sparks.clone()), committed: Some(BatchId(2)) };
    assert_eq!(step(&open, &target(Some(2)), &Available::Unknown, NOW), Ok(Step::Replay(sparks)));
}

#[test]
fn a_member_of_a_group_may_have_new_partitions_only() {
    let logs = logs(Some(3), Some(3));
    let model = ModelId("m".to_owned());
    let target = positions(&[]);
    let facts = Facts {
        logs: &logs,
        target: &target,
        available: &Available::Unknown,
        turn: NOW,
        partitions_move: true,
        model: &model,
        now_ms: 0,
    };
    assert_eq!(next_step(&facts), Ok(Step::Ask));
}
