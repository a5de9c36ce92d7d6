//! What a job leaves on HDFS is what the oracle of local jobs expects.

use ognivo_stream::kill_point::KillPoint;

use crate::binary::Ran;
use crate::cluster::Trial;
use crate::loans::{Fate, StreamForm};
use crate::stream_oracle::{Counts, files_below};

#[test]
fn a_job_whose_every_path_is_on_hdfs_trains_scores_and_streams() {
    let trial = Trial::new("whole", 8, 3);
    let (root, place) = (&trial.root, &trial.loans.place);
    let train = trial.write_training("trained/model");
    place.run(&["validate", train]).ok();
    let told = place.run(&["train", train, "--quiet"]).ok();
    assert!(told.contains(&format!("{root}/trained/model")), "{told}");
    let shown = place.run(&["inspect", &format!("{root}/trained/model")]).ok();
    assert!(shown.contains("loadable: yes"), "{shown}");

    let score = |model: &str, input: &str| {
        let select = "id,rawPrediction,probability,prediction";
        place.run(&["score", model, input, "--select", select, "--output", "json", "--quiet"]).ok()
    };
    let scores_here = score("model", "good.csv");
    trial.fs(&["put", "good.csv", root]).ok();
    assert_eq!(score(&format!("{root}/trained/model"), &format!("{root}/good.csv")), scores_here);

    let job = trial.write_job("run", StreamForm::default());
    place.run(&["validate", &job]).ok();
    place.run(&["stream", &job, "--quiet"]).ok();
    assert_eq!(trial.check("run").batches, 8);
    let state = place.run(&["checkpoint", "show", &format!("{root}/run/checkpoint"), "--output", "json"]).json();
    assert_eq!(state.to_string().matches("hdfs").count(), 0, "offsets are numbers: {state}");
    let letters = place.run(&["dlq", "list", &format!("{root}/run/dead"), "--output", "json"]).json();
    assert!(letters["deadLetters"].as_u64() > Some(0), "{letters}");
    place.run(&["stream", &job, "--quiet"]).ok();
}

#[test]
fn scores_written_there_are_those_written_here_in_every_format() {
    let trial = Trial::new("scored", 4, 30);
    let (root, place) = (&trial.root, &trial.loans.place);
    trial.fs(&["put", "good.csv", root]).ok();
    let select = ["--select", "id,rawPrediction,probability,prediction", "--quiet"];
    for name in ["scored.csv", "scored.jsonl", "scored.parquet"] {
        let there = format!("{root}/{name}");
        place.run(&[&["score", "model", "good.csv", "-o", name], &select[..]].concat()).ok();
        // The second time, it takes the place of the first.
        for input in ["good.csv", &format!("{root}/good.csv")] {
            place.run(&[&["score", &format!("{root}/model"), input, "-o", &there], &select[..]].concat()).ok();
        }
        trial.fs(&["get", &there, &format!("back-{name}")]).ok();
        let bytes = |name: &str| std::fs::read(place.at(name)).unwrap();
        assert!(bytes(name) == bytes(&format!("back-{name}")), "{name} differs");
    }
    let listed = trial.fs(&["ls", root]).ok();
    assert!(!listed.contains(".ognivo-"), "nothing is left half-written: {listed}");
}

/// Trains on the rows of `folder`, here or on the cluster, and scores its other rows; the model is called `name`.
fn trained_and_scored(trial: &Trial, format: &str, folder: &str, name: &str) -> String {
    const SCHEMA: &str = "id BIGINT, funded_amnt INT, term STRING, int_rate DOUBLE, annual_inc DOUBLE, Class STRING";
    let place = &trial.loans.place;
    let train = std::fs::read_to_string(place.at("train.yaml")).unwrap();
    let train = train
        .replace("format: csv, path: train.csv", &format!("format: {format}, path: {folder}/train"))
        .replace(crate::loans::SCHEMA, SCHEMA)
        .replace("path: model", &format!("path: {name}"));
    // Only CSV has a header.
    let train = if format == "csv" { train } else { train.replace(", options: {header: true}", "") };
    place.write("format.yaml", &train);
    place.run(&["train", "format.yaml", "--quiet"]).ok();
    let select = "id,rawPrediction,probability,prediction";
    let good = format!("{folder}/good");
    let arguments = ["score", name, &good, "--format", format, "--select", select, "--output", "json", "--quiet"];
    place.run(&arguments).ok()
}

#[test]
fn rows_that_are_read_there_in_every_format_are_those_that_are_read_here() {
    let trial = Trial::new("formats", 4, 30);
    let (root, place) = (&trial.root, &trial.loans.place);
    for (format, ending) in [("csv", "csv"), ("json", "jsonl"), ("parquet", "parquet")] {
        for rows in ["train", "good"] {
            std::fs::create_dir_all(place.at(&format!("{format}/{rows}"))).unwrap();
            let (input, out) = (format!("{rows}.csv"), format!("{format}/{rows}/rows.{ending}"));
            let select = "id,funded_amnt,term,int_rate,annual_inc,Class";
            let schema = crate::loans::SCHEMA;
            place.run(&["score", "model", &input, "--schema", schema, "--select", select, "-o", &out, "--quiet"]).ok();
        }
        trial.fs(&["put", format, root]).ok();
        let here = trained_and_scored(&trial, format, format, &format!("{format}-here"));
        assert_eq!(here.lines().count(), trial.loans.count(Fate::Scored), "{format}");
        let there = trained_and_scored(&trial, format, &format!("{root}/{format}"), &format!("{format}-there"));
        assert_eq!(there, here, "{format}");
    }
}

#[test]
fn scores_are_not_written_into_what_is_read_nor_half() {
    let trial = Trial::new("unscored", 1, 3);
    let (root, place) = (&trial.root, &trial.loans.place);
    for (input, out, words) in [
        (format!("{root}/incoming"), format!("{root}/incoming/scored.csv"), "written into the input"),
        (format!("{root}/train.csv"), format!("{root}/train.csv"), "written into the input"),
        ("good.csv".to_owned(), format!("{root}/model/scored.csv"), "written into the model"),
        ("good.csv".to_owned(), format!("{root}/scored"), "no format is known"),
    ] {
        let ran = place.run(&["score", &format!("{root}/model"), &input, "-o", &out]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(words), "{words} in {}", ran.stderr);
    }
    trial.fs(&["mkdir", &format!("{root}/folder.csv")]).ok();
    let ran = place.run(&["score", "model", "good.csv", "-o", &format!("{root}/folder.csv")]);
    assert!(ran.code == Some(2) && ran.stderr.contains("the output is a folder"), "{ran:?}");
    // A file that stops to make sense after its first rows: what was written of it goes away.
    let half = std::fs::read_to_string(place.at("good.csv")).unwrap() + "1,a lot\n";
    place.write("half.csv", &half);
    let schema = crate::loans::SCHEMA;
    let out = format!("{root}/half.csv");
    let ran = place.run(&["score", "model", "half.csv", "-o", &out, "--schema", schema, "--option", "mode=FAILFAST"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let listed = trial.fs(&["ls", root]).ok();
    assert!(!listed.contains("half") && !listed.contains(".ognivo-"), "{listed}");
}

#[test]
fn a_report_is_written_there() {
    let trial = Trial::new("reported", 1, 3);
    let (root, place) = (&trial.root, &trial.loans.place);
    let train = std::fs::read_to_string(place.at("train.yaml")).unwrap();
    place.write("report.yaml", &format!("{train}  report: {root}/reports/loans.html\n"));
    let told = place.run(&["train", "report.yaml"]).ok();
    assert!(told.contains(&format!("{root}/reports/loans.html")), "{told}");
    let page = trial.fs(&["cat", &format!("{root}/reports/loans.html")]).ok();
    let numbers = trial.fs(&["cat", &format!("{root}/reports/loans.json")]).json();
    assert!(page.starts_with("<!") && numbers["ognivoReport"].is_string());
}

/// A trial, and what a stream of it that nobody kills leaves.
struct Clean {
    trial: Trial,
    counts: Counts,
}

impl Clean {
    fn of(trial: Trial) -> Clean {
        let job = trial.write_job("clean", StreamForm::default());
        trial.loans.place.run(&["stream", &job, "--quiet"]).ok();
        let counts = trial.check("clean");
        Clean { trial, counts }
    }

    /// How often a stream passes the point; none when a plain one does not.
    fn n_passes(&self, point: KillPoint) -> Option<u64> {
        match point {
            KillPoint::SourceAcknowledging | KillPoint::Purging => None,
            KillPoint::SinkPartVisible => {
                let letters = files_below(&self.trial.loans.place.at("clean/dead")).len();
                Some((self.counts.files + letters) as u64)
            }
            _ => Some(self.trial.loans.n_files),
        }
    }

    /// Kills a stream at the `nth` pass of the point, starts it again, and holds what it leaves to the clean one.
    fn kill_and_start_again(&self, form: StreamForm, point: KillPoint, nth: u64) {
        let place = &self.trial.loans.place;
        let run = format!("{}-{nth}", point.name());
        let job = self.trial.write_job(&run, form);
        let mut command = place.command(&["stream", &job, "--quiet"]);
        let ran = Ran::of(command.env("OGNIVO_KILL_POINT", format!("{}@{nth}", point.name())).output().unwrap());
        assert_eq!(ran.code, None, "{run}: the process was to die\n{}", ran.stderr);
        place.run(&["stream", &job, "--quiet"]).ok();
        assert_eq!(self.trial.check(&run), self.counts, "{run}");
    }

    /// At every point that a plain stream passes.
    fn kill_at_every_point(&self, nth_of: impl Fn(u64) -> u64) {
        let passed = KillPoint::OF_BATCHES.iter().filter_map(|point| Some((*point, self.n_passes(*point)?)));
        let n_points =
            passed.map(|(point, n)| self.kill_and_start_again(StreamForm::default(), point, nth_of(n))).count();
        assert_eq!(n_points, KillPoint::OF_BATCHES.len() - 2);
    }
}

#[test]
fn a_kill_at_any_point_of_the_first_batch_loses_and_repeats_nothing() {
    Clean::of(Trial::new("killed-first", 4, 3)).kill_at_every_point(|_| 1);
}

#[test]
fn a_kill_at_any_point_of_a_batch_loses_and_repeats_nothing() {
    Clean::of(Trial::new("killed", 4, 3)).kill_at_every_point(|_| 2);
}

#[test]
fn a_kill_at_any_point_of_the_last_batch_loses_and_repeats_nothing() {
    Clean::of(Trial::new("killed-last", 4, 3)).kill_at_every_point(|n_passes| n_passes);
}

#[test]
fn a_kill_while_files_that_are_done_are_removed_loses_nothing() {
    let clean = Clean::of(Trial::new("killed-tidying", 4, 3));
    for (input, nth) in [("arriving-1", 1), ("arriving-4", 4)] {
        let arriving = format!("{}/{input}", clean.trial.root);
        clean.trial.fs(&["put", "incoming", &arriving]).ok();
        let form = StreamForm { input, read_options: ", cleanSource: delete", ..StreamForm::default() };
        clean.kill_and_start_again(form, KillPoint::SourceAcknowledging, nth);
        assert_eq!(clean.trial.fs(&["ls", &arriving]).ok(), "", "files are left in {arriving}");
    }
}

#[test]
fn a_kill_while_old_entries_are_purged_loses_nothing() {
    // The first pass is the purge of plans at batch 110, the second that of the entries that say done.
    let clean = Clean::of(Trial::new("killed-purging", 112, 1));
    for nth in [1, 2] {
        clean.kill_and_start_again(StreamForm::default(), KillPoint::Purging, nth);
    }
}

#[test]
fn of_two_streams_on_one_checkpoint_the_loser_ends_with_a_clear_refusal_and_no_row_is_lost_or_repeated() {
    let trial = Trial::new("drivers", 8, 3);
    let mut n_refused = 0;
    for round in 0..3 {
        let run = format!("run-{round}");
        let job = trial.write_job(&run, StreamForm::default());
        let both = [0, 1].map(|_| trial.loans.place.start(&["stream", &job, "--quiet"])).map(Ran::of_child);
        for ran in both.iter().filter(|ran| ran.code != Some(0)) {
            assert_eq!(ran.code, Some(2), "{ran:?}");
            let clear = [
                "somebody else has written to this checkpoint",
                "somebody removed it while it was written",
                "is already in",
            ];
            assert!(
                clear.iter().any(|words| ran.stderr.contains(words)) && ran.stderr.contains("hint: "),
                "{}",
                ran.stderr
            );
            n_refused += 1;
        }
        trial.loans.place.run(&["stream", &job, "--quiet"]).ok();
        assert_eq!(trial.check(&run).batches, 8);
    }
    assert!(n_refused > 0, "no two were there at the same time");
}

#[test]
fn without_a_right_the_path_the_user_and_the_right_are_named() {
    let trial = Trial::new("rights", 1, 3);
    let mut put = trial.loans.place.command(&["fs", "put", "good.csv", &format!("{}/mine.csv", trial.root)]);
    let ran = Ran::of(put.env("HADOOP_USER_NAME", "mallory").output().unwrap());
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for part in ["put: Permission denied: user=mallory, access=WRITE", "/rights\""] {
        assert!(ran.stderr.contains(part), "{part} in {}", ran.stderr);
    }
    assert_eq!(ran.stderr.lines().count(), 1, "no stack of Java's: {}", ran.stderr);

    let job = trial.write_job("run", StreamForm::default());
    let mut stream = trial.loans.place.command(&["stream", &job, "--quiet"]);
    let ran = Ran::of(stream.env("HADOOP_USER_NAME", "mallory").output().unwrap());
    assert!(ran.stderr.contains("user=mallory, access=WRITE"), "{ran:?}");
    assert_eq!(trial.fs(&["ls", &format!("{}/run", trial.root)]).code, Some(1), "nothing was made");
}

#[test]
fn where_nobody_listens_the_exit_code_says_try_again_later() {
    let trial = Trial::new("nobody", 1, 3);
    let job = trial.write_job("run", StreamForm::default());
    let text = std::fs::read_to_string(trial.loans.place.at(&job)).unwrap();
    // Port 1 of the loopback: nobody listens there.
    trial.loans.place.write(&job, &text.replace(&trial.root, "hdfs://127.0.0.1:1"));
    trial.loans.place.run(&["validate", &job]).ok();
    let ran = trial.loans.place.run(&["stream", &job, "--quiet"]);
    assert_eq!(ran.code, Some(75), "{ran:?}");
    assert!(ran.stderr.to_lowercase().contains("connection refused"), "{}", ran.stderr);
}
