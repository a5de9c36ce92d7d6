//! A checkpoint and an output folder that belong to two different queries: refused with a message, and nothing is changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::campaign::counts::tell;
use crate::loans::{Loans, StreamForm};
use crate::stream_oracle::{LogKind, batch_scores, check, files_below};

const USAGE: i32 = 2;

/// Every file of a run, but for the note of who holds the lock.
fn content_of(loans: &Loans, run: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_below(&loans.place.at(run)).into_iter().filter(|path| !path.ends_with(".ognivo.lock"));
    files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn a_checkpoint_of_another_query_is_refused_and_both_queries_go_on() {
    let mut loans = Loans::new(4, 3);
    for file in files_below(&loans.place.at("incoming")) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        loans.place.write(&format!("other-folder/{name}"), &fs::read_to_string(&file).unwrap());
    }
    for (run, write) in [("one", ""), ("two", ""), ("plain", "    options: {commitLog: none}\n")] {
        let job = loans.write_job(run, StreamForm { write, ..StreamForm::default() });
        loans.place.run(&["stream", &job, "--quiet"]).ok();
    }
    let foreign_input = StreamForm { input: "other-folder", ..StreamForm::default() };
    loans.write_job("elsewhere", foreign_input);
    loans.add_file("later", 2);
    let before: Vec<_> = ["one", "two", "plain"].map(|run| content_of(&loans, run)).into();

    let checkpoint = "stream.writeStream.checkpointLocation=";
    let output = "stream.writeStream.path=";
    let mixed: [(&str, String, &str); 5] = [
        ("one.yaml", format!("{checkpoint}two/checkpoint"), "of another query"),
        ("one.yaml", format!("{output}two/output"), "of another query"),
        ("one.yaml", format!("{output}new/output"), "belongs to another sink"),
        ("one.yaml", format!("{checkpoint}new/checkpoint"), "of another query"),
        ("plain.yaml", format!("{checkpoint}two/checkpoint"), "of another query"),
    ];
    for (job, setting, expected) in &mixed {
        let ran = loans.place.run(&["stream", job, "--quiet", "--set", setting]);
        assert_eq!(ran.code, Some(USAGE), "{job}, {setting}: {ran:?}");
        assert!(ran.stderr.contains(expected) && ran.stderr.contains("hint: "), "{job}, {setting}: {}", ran.stderr);
    }
    // The right output and checkpoint, and another input folder: its files would be read from the start.
    let both = [format!("{checkpoint}one/checkpoint"), format!("{output}one/output")];
    let ran = loans.place.run(&["stream", "elsewhere.yaml", "--quiet", "--set", &both[0], "--set", &both[1]]);
    assert_eq!(ran.code, Some(USAGE), "{ran:?}");
    assert!(ran.stderr.contains("belongs to another source") && ran.stderr.contains("hint: "), "{}", ran.stderr);

    let after: Vec<_> = ["one", "two", "plain"].map(|run| content_of(&loans, run)).into();
    assert!(after == before, "nothing is changed");
    let scores = batch_scores(&loans);
    for (run, kind) in [("one", LogKind::Spark), ("two", LogKind::Spark), ("plain", LogKind::Success)] {
        loans.place.run(&["stream", &format!("{run}.yaml"), "--quiet"]).ok();
        assert_eq!(check(&loans, run, kind, &scores).batches, 5);
    }
    let n = mixed.len() + 1;
    let ended = json!({"refused with a message, nothing changed": n});
    tell(
        "checkpoint, output or input of another query",
        "starts",
        n,
        json!({"rows": 3 * loans.fates.len(), "ended": ended}),
    );
}
