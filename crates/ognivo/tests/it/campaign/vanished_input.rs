//! An input file that is planned and gone when it is to be read: as in Spark the stream stops with the file's name, unless
//! `ignoreMissingFiles` says that such a file has no rows.

use std::fs;

use serde_json::json;

use crate::binary::Ran;
use crate::campaign::counts::tell;
use crate::loans::{Fate, Loans, StreamForm};
use crate::stream_oracle::{Counts, LogKind, batch_scores, check};

/// The file of batch 2, which is gone when it is to be read.
const VANISHING: &str = "incoming/00002.csv";

/// Kills the stream of `run` when batch 2 is planned, and takes its file away.
fn plan_and_take_away(loans: &Loans, run: &str, form: StreamForm) -> (String, String) {
    let job = loans.write_job(run, form);
    let mut command = loans.place.command(&["stream", &job, "--quiet"]);
    assert_eq!(Ran::of(command.env("OGNIVO_KILL_POINT", "after_plan@3").output().unwrap()).code, None);
    let content = fs::read_to_string(loans.place.at(VANISHING)).unwrap();
    fs::remove_file(loans.place.at(VANISHING)).unwrap();
    (job, content)
}

#[test]
fn a_planned_file_that_is_gone_stops_the_stream_by_name_until_it_is_put_back() {
    let loans = Loans::new(5, 4);
    let scores = batch_scores(&loans);
    let (job, content) = plan_and_take_away(&loans, "run", StreamForm::default());
    for _ in 0..2 {
        let ran = loans.place.run(&["stream", &job, "--quiet"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains("file is gone since it was listed: ") && ran.stderr.contains(VANISHING), "{ran:?}");
        assert!(ran.stderr.contains("hint: ") && ran.stderr.contains("ignoreMissingFiles"), "{}", ran.stderr);
    }
    loans.place.write(VANISHING, &content);
    loans.place.run(&["stream", &job, "--quiet"]).ok();
    assert_eq!(check(&loans, "run", LogKind::Spark, &scores).batches, 5);
    let ended = json!({"stopped with the file's name, finished when it was put back": 1});
    let what = "an input file vanishes between its plan and its read";
    tell(what, "vanished files", 1, json!({"rows": loans.fates.len(), "ended": ended}));
}

#[test]
fn a_planned_file_that_is_gone_has_no_rows_where_that_is_asked_for() {
    let mut loans = Loans::new(5, 4);
    let scores = batch_scores(&loans);
    let form = StreamForm { read_options: ", ignoreMissingFiles: true", ..StreamForm::default() };
    let (job, content) = plan_and_take_away(&loans, "run", form);
    for line in content.lines().skip(1) {
        let id = line.split(',').next().unwrap().parse().unwrap();
        loans.fates.remove(&id).expect("a row of the file that vanished");
    }
    loans.place.run(&["stream", &job, "--quiet"]).ok();
    let Counts { batches, scored, .. } = check(&loans, "run", LogKind::Spark, &scores);
    assert_eq!((batches, scored), (5, loans.count(Fate::Scored)));
    let ended = json!({"went on without its rows, as the job asked": 1});
    let what = "an input file vanishes between its plan and its read";
    tell(what, "vanished files", 1, json!({"rows": loans.fates.len(), "ended": ended}));
}
