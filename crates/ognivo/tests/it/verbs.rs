//! Each verb does what its help says, prints results on stdout and nothing else there, and ends with the code that was promised.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::binary::{Ran, Workplace};
use crate::loans::{Fate, Loans, SCHEMA, StreamForm};
use crate::stream_oracle::{batch_scores, names_in};

/// A file or folder of the repository's fixtures.
fn fixture(name: &str) -> String {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures")).join(name);
    path.canonicalize().unwrap().to_str().unwrap().to_owned()
}

#[track_caller]
fn assert_refused(ran: &Ran, code: i32, words: &str) {
    assert_eq!(ran.code, Some(code), "stdout:\n{}\nstderr:\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains(words), "`{words}` is not in:\n{}", ran.stderr);
    assert_eq!(ran.stdout, "");
}

// demo, init

#[test]
fn the_demo_trains_streams_and_shows_scored_rows_and_dead_letters() {
    let place = Workplace::new();
    let shown = place.run(&["demo"]).ok();
    for words in ["areaUnderROC 0.7", "probability", "unseen label: term_48", "malformed_value", "What to try next"] {
        assert!(shown.contains(words), "`{words}` is not in:\n{shown}");
    }
    // Each step shows the command that does it again; so do the suggestions, and they work.
    let again: Vec<&str> = shown.lines().filter_map(|line| line.trim().strip_prefix("$ ognivo ")).collect();
    let verbs: Vec<&str> = again.iter().map(|command| command.split(' ').next().unwrap()).collect();
    assert_eq!(verbs, ["init", "train", "stream", "dlq"]);
    for command in again.iter().filter(|command| !command.starts_with("init")) {
        place.run(&command.split(' ').collect::<Vec<_>>()).ok();
    }
    let next: Vec<&str> = shown.lines().filter_map(|line| line.trim().strip_prefix("ognivo ")).collect();
    assert_eq!(next.len(), 3, "{next:?}");
    for command in next {
        let (command, _) = command.split_once("   ").unwrap_or((command, ""));
        place.run(&command.split(' ').collect::<Vec<_>>()).ok();
    }
}

#[test]
fn init_writes_files_only_and_refuses_a_folder_that_is_used() {
    let place = Workplace::new();
    let listed = place.run(&["init", "mine"]).ok();
    assert_eq!(listed.lines().count(), 5);
    assert!(listed.lines().all(|path| place.at(path).is_file()), "{listed}");
    assert!(!place.at("mine/models").exists());
    for verb in ["init", "demo"] {
        let ran = place.run(&[verb, "mine"]);
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("the folder is not empty: mine"), "{}", ran.stderr);
    }
    std::fs::create_dir(place.at("empty")).unwrap();
    place.run(&["init", "empty"]).ok();
}

// train

#[test]
fn train_prints_one_object_with_the_keys_of_the_documentation() {
    let loans = Loans::new(1, 3);
    let trained = loans.place.run(&["train", "train.yaml", "--output", "json", "--seed-uids", "7"]).json();
    assert_eq!(trained["rows"], json!({"read": 400, "kept": 400, "train": 400, "test": 0}));
    assert_eq!(trained["metrics"], json!({}));
    assert_eq!(trained["model"].as_str(), loans.place.at("model").canonicalize().unwrap().to_str());
    assert_eq!(trained["stages"].as_array().unwrap().len(), 3);
    assert_eq!(trained["iterations"], 5);
    assert!(trained["seconds"]["total"].is_number());

    // The same seed gives the same uids and, of the same rows, the same model.
    let again = loans.place.run(&["train", "train.yaml", "--output", "json", "--seed-uids", "7"]).json();
    assert_eq!(again["stages"], trained["stages"]);
    let other = loans.place.run(&["train", "train.yaml", "--output", "json", "--seed-uids", "8"]).json();
    assert_ne!(other["stages"][0]["uid"], trained["stages"][0]["uid"]);
}

#[test]
fn each_metric_has_a_name_of_its_own() {
    let loans = Loans::new(1, 3);
    let job = std::fs::read_to_string(loans.place.at("train.yaml")).unwrap();
    let evaluate = "
  evaluate:
    - BinaryClassificationEvaluator
    - MulticlassClassificationEvaluator: {metricName: accuracy}
    - MulticlassClassificationEvaluator: {metricName: hammingLoss}
    - MulticlassClassificationEvaluator: {metricName: recallByLabel, metricLabel: 0}
    - MulticlassClassificationEvaluator: {metricName: recallByLabel, metricLabel: 1}
    - MulticlassClassificationEvaluator: {metricName: weightedFMeasure, beta: 0.5}
    - MulticlassClassificationEvaluator: {metricName: logLoss}
    - RegressionEvaluator: {metricName: mse}
    - RegressionEvaluator: {uid: of_index, labelCol: term_index, metricName: mae}
    - RegressionEvaluator: {uid: of_label, metricName: mae}
";
    loans.place.write("measured.yaml", &format!("{}{evaluate}", job.trim_end()));
    let metrics = &loans.place.run(&["train", "measured.yaml", "--output", "json"]).json()["metrics"];
    let mut names: Vec<&str> = metrics.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expect = "accuracy areaUnderROC hammingLoss logLoss mae (of_index) mae (of_label) mse recallByLabel(0) recallByLabel(1) \
                  weightedFMeasure(beta 0.5)";
    assert_eq!(names.join(" "), expect);
    // Labels 0 and 1: what is wrong is off by one.
    let value = |name: &str| metrics[name].as_f64().unwrap();
    for (name, expect) in
        [("mse", value("hammingLoss")), ("mae (of_label)", value("mse")), ("accuracy", 1.0 - value("mse"))]
    {
        assert!((value(name) - expect).abs() < 1e-12, "{name}: {metrics}");
    }
}

#[test]
fn set_changes_one_value_and_an_existing_model_stays_unless_the_job_overwrites() {
    let loans = Loans::new(1, 3);
    let set = ["--set", "train.pipeline.LogisticRegression.maxIter=2", "--set", "train.save.mode=error"];
    let train = |more: &[&str]| {
        let arguments: Vec<&str> = ["train", "train.yaml", "--output", "json"].iter().chain(more).copied().collect();
        loans.place.run(&arguments)
    };
    assert_refused(&train(&set), 2, "model");
    let elsewhere = [&set[..], &["--set", "train.save.path=other"]].concat();
    let trained = train(&elsewhere).json();
    assert_eq!((&trained["iterations"], &trained["stages"][2]["params"]["maxIter"]), (&json!(2), &json!(2)));
    loans.place.run(&["inspect", "other"]).ok();
    assert_refused(&train(&["--set", "train.pipeline.LogisticRegression.maxItre=2"]), 2, "unknown parameter: maxItre");
    assert_refused(&train(&["--set", "maxIter"]), 2, "not of the form name=value: maxIter");
}

/// Expected: `fixtures/spark/<line>/pipeline/expected.json`, which Spark wrote when it fitted the same directory.
#[test]
fn a_pipeline_that_spark_saved_unfitted_trains_to_sparks_coefficients() {
    for line in ["3.5", "4.3"] {
        let folder = fixture(&format!("spark/{line}/pipeline"));
        let expected = std::fs::read(Path::new(&folder).join("expected.json")).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let place = Workplace::new();
        let job = format!(
            "version: 1\nsparkVersion: \"{line}\"\ntrain:\n  read:\n    format: json\n    path: {}\n    \
             schema: \"grade STRING, term STRING, int_rate DOUBLE, annual_inc DOUBLE, revol_util DOUBLE, label DOUBLE\"\n  \
             pipeline: {{load: {folder}/estimator}}\n  save: {{path: model}}\n",
            fixture("spark/inputs/loans.jsonl")
        );
        place.write("job.yaml", &job);
        let trained = place.run(&["train", "job.yaml", "--output", "json"]).json();
        let found = &trained["stages"][3];
        let pairs = [
            (&found["coefficients"], &expected["model"]["coefficientMatrix"]["values"]),
            (&found["intercepts"], &expected["model"]["interceptVector"]["values"]),
        ];
        for (found, expected) in pairs {
            assert_eq!(found.as_array().unwrap().len(), expected.as_array().unwrap().len());
            for (found, expected) in found.as_array().unwrap().iter().zip(expected.as_array().unwrap()) {
                let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
                assert!(
                    (found - expected).abs() <= 1e-9 * expected.abs().max(1e-3),
                    "{line}: {found}, Spark: {expected}"
                );
            }
        }
        assert_eq!(trained["iterations"], expected["model"]["totalIterations"]);
    }
}

// score

#[test]
fn score_writes_the_same_rows_in_every_format() {
    let loans = Loans::new(2, 6);
    let place = &loans.place;
    let expected = batch_scores(&loans);
    let score = ["score", "model", "good.csv", "--schema", SCHEMA];
    let with = |more: &[&'static str]| place.run(&[&score[..], more].concat()).ok();

    let csv = with(&["--select", "id,prediction"]);
    assert_eq!(csv.lines().next(), Some("id,prediction"));
    let json_lines = with(&["--output", "json"]);
    let rows: Vec<Value> = json_lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, expected.keys().copied().collect::<Vec<_>>(), "the order of the file");
    for (row, line) in rows.iter().zip(csv.lines().skip(1)) {
        let vector = |name: &str| row[name]["values"].as_array().unwrap().clone();
        let values = [vector("rawPrediction"), vector("probability"), vec![row["prediction"].clone()]].concat();
        let bits: Vec<u64> = values.iter().map(|value| value.as_f64().unwrap().to_bits()).collect();
        assert_eq!(expected.get(&row["id"].as_i64().unwrap()), Some(&bits));
        assert_eq!(line, format!("{},{:?}", row["id"], row["prediction"].as_f64().unwrap()));
    }
    with(&["-o", "out.jsonl"]);
    assert_eq!(std::fs::read_to_string(place.at("out.jsonl")).unwrap(), json_lines);
    with(&["--select", "id,prediction", "-o", "out.csv"]);
    assert_eq!(std::fs::read_to_string(place.at("out.csv")).unwrap(), csv);

    // Our own output is an input again, and standard input is one too.
    with(&["--select", "id,funded_amnt,int_rate,annual_inc,term,Class", "-o", "in.parquet"]);
    assert_eq!(place.run(&["score", "model", "in.parquet", "--select", "id,prediction"]).ok(), csv);
    let mut child = place
        .command(&["score", "model", "-", "--schema", SCHEMA, "--select", "id,prediction"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&std::fs::read(place.at("good.csv")).unwrap()).unwrap();
    assert_eq!(Ran::of_child(child).ok(), csv);
}

#[test]
fn score_says_which_rows_it_could_not_score_and_exits_with_5() {
    let loans = Loans::new(3, 6);
    let ran = loans.place.run(&["score", "model", "incoming/00002.csv", "--schema", SCHEMA, "--select", "id"]);
    assert_eq!(ran.code, Some(5), "{}", ran.stderr);
    assert_eq!(ran.stdout.lines().count(), 1 + 5, "a header and the rows that were scored");
    assert!(ran.stderr.contains("6 rows read = 5 written + 0 skipped + 1 not scored"), "{}", ran.stderr);
    assert!(ran.stderr.contains("column `term`: unseen label: term_48"), "{}", ran.stderr);
}

#[test]
fn score_refuses_what_it_cannot_do_before_it_writes() {
    let loans = Loans::new(1, 3);
    let score = |arguments: &[&str]| loans.place.run(&[&["score"], arguments].concat());
    assert_refused(&score(&["model", "good.csv", "-o", "out.xml"]), 2, "no format is known for: out.xml");
    assert_refused(&score(&["model", "good.csv", "--select", "id,predicton"]), 2, "predicton");
    assert_refused(&score(&["model", "none.csv"]), 2, "none.csv");
    assert_refused(&score(&["none", "good.csv"]), 2, "model directory not found");
    assert_refused(&score(&["model", "good.csv", "--schema", "a NOTYPE"]), 2, "NOTYPE");
    assert_refused(&score(&["model", "good.csv", "--option", "headr=true"]), 2, "headr");
    assert_refused(&score(&["model", "train.yaml", "--format", "csv"]), 2, "column");
    assert_refused(&score(&[&fixture("spark/3.5/unsupported/model"), "good.csv"]), 3, "RandomForest");
    assert!(names_in(loans.place.path()).iter().all(|name| !name.starts_with("out") && !name.starts_with(".out")));
}

// inspect

#[test]
fn inspect_tells_stages_and_columns_and_whether_the_model_loads() {
    let loans = Loans::new(1, 3);
    let shown = loans.place.run(&["inspect", "model"]).ok();
    for words in ["StringIndexerModel", "VectorAssembler", "LogisticRegressionModel", "term_36", "loadable: yes"] {
        assert!(shown.contains(words), "`{words}` is not in:\n{shown}");
    }
    let told = loans.place.run(&["inspect", "model", "--output", "json"]).json();
    assert_eq!(told["class"], "org.apache.spark.ml.PipelineModel");
    assert_eq!((&told["loadable"], told["stages"].as_array().unwrap().len()), (&json!(true), 3));
    assert_eq!(told["stages"][0]["inputs"], json!(["term", "Class"]));

    let unknown = loans.place.run(&["inspect", &fixture("spark/3.5/unsupported/model")]);
    assert_eq!(unknown.code, Some(3), "{}", unknown.stderr);
    assert!(unknown.stdout.contains("loadable: no"), "{}", unknown.stdout);
    assert!(unknown.stdout.contains("RandomForestClassificationModel"), "{}", unknown.stdout);
    assert_refused(&loans.place.run(&["inspect", "incoming"]), 2, "incoming");
}

#[test]
fn a_tree_is_told_in_short_by_train_and_inspect() {
    let place = Workplace::new();
    let loans = fixture("spark/inputs/loans.jsonl");
    let job = format!(
        "version: 1\ntrain:\n  read: {{format: json, path: {loans}, schema: \"grade STRING, int_rate DOUBLE, label DOUBLE\"}}\n  \
         pipeline:\n    - StringIndexer: {{inputCol: grade, outputCol: grade_index}}\n    \
         - VectorAssembler: {{inputCols: [int_rate, grade_index], outputCol: features}}\n    \
         - DecisionTreeClassifier: {{maxDepth: 2, minInstancesPerNode: 10, seed: 1}}\n  save: {{path: model, mode: overwrite}}\n"
    );
    place.write("job.yaml", &job);
    let told = place.run(&["train", "job.yaml", "--output", "json"]).json();
    let tree = &told["stages"][2];
    let in_short = format!("tree of depth {} with {} nodes; importances: feature ", tree["depth"], tree["numNodes"]);
    assert!(tree["debugString"].as_str().unwrap().contains("   If (feature "), "{tree}");
    assert_eq!(tree["featureImportances"]["size"], 2);
    for shown in [place.run(&["train", "job.yaml"]).ok(), place.run(&["inspect", "model"]).ok()] {
        assert!(shown.contains(&in_short), "`{in_short}` is not in:\n{shown}");
    }
    let told = place.run(&["inspect", "model", "--output", "json"]).json();
    assert!(told["stages"][2]["inShort"].as_str().unwrap().starts_with(&in_short), "{told}");
    assert_eq!(told["stages"][0]["inShort"], Value::Null);
}

// checkpoint, dlq

#[test]
fn the_progress_of_a_stream_is_shown_and_forgotten_only_when_asked_twice() {
    let loans = Loans::new(4, 3);
    let job = loans.write_job("run", StreamForm::default());
    let place = &loans.place;
    place.run(&["stream", &job, "--quiet"]).ok();
    let shown = place.run(&["checkpoint", "show", "run/checkpoint", "--output", "json"]).json();
    assert_eq!((&shown["planned"], &shown["committed"]), (&json!(3), &json!(3)));
    assert_eq!(shown["offsets"], json!([{"logOffset": 3}]));
    assert!(place.run(&["checkpoint", "show", "run/checkpoint"]).ok().contains("plans batch 4"));

    assert_refused(&place.run(&["checkpoint", "reset", "run/checkpoint"]), 2, "this forgets 4 batches of query");
    place.run(&["checkpoint", "show", "run/checkpoint"]).ok();
    place.run(&["checkpoint", "reset", "run/checkpoint", "--yes"]).ok();
    assert_refused(&place.run(&["checkpoint", "show", "run/checkpoint"]), 2, "there is no checkpoint");
    assert_refused(&place.run(&["checkpoint", "reset", "model", "--yes"]), 2, "there is no checkpoint");
    assert!(place.at("model").is_dir());

    // A stream that forgot its progress does not write everything a second time into the same folder.
    assert_refused(&place.run(&["stream", &job]), 2, "of another query");
}

#[test]
fn a_table_for_rows_of_files_is_keyed_by_file_and_line_unless_the_pipeline_makes_such_a_column() {
    let loans = Loans::new(1, 3);
    let job = |step: &str, key: &str| {
        format!(
            "version: 1\nstream:\n  readStream: {{format: csv, path: incoming, schema: \"{SCHEMA}, note STRING\"}}\n  \
             prepare:\n    - {step}\n  model: model\n  writeStream:\n    format: cassandra\n    options: \
             {{connection.host: 127.0.0.1, keyspace: k, table: t{key}}}\n    checkpointLocation: c\n"
        )
    };
    let printed = |step: &str, key: &str| {
        loans.place.write("table.yaml", &job(step, key));
        loans.place.run(&["stream", "table.yaml", "--create-table"]).ok()
    };
    let keyed = printed("drop: [note]", "");
    assert!(keyed.contains("PRIMARY KEY ((\"file\"), \"line\")"), "{keyed}");
    let own = printed("withColumnRenamed: {note: file}", ", partitionKey: id");
    assert!(own.contains("\"file\"") && own.contains("PRIMARY KEY ((\"id\"))") && !own.contains("\"line\""), "{own}");
}

#[test]
fn dead_letters_are_listed_newest_last() {
    let loans = Loans::new(6, 3);
    let job = loans.write_job("run", StreamForm::default());
    loans.place.run(&["stream", &job, "--quiet"]).ok();
    let n = loans.count(Fate::Malformed) + loans.count(Fate::Unseen);
    let listed = loans.place.run(&["dlq", "list", "run/dead", "--output", "json"]).json();
    assert_eq!((&listed["deadLetters"], listed["newest"].as_array().unwrap().len()), (&json!(n), n));
    let ids: Vec<i64> = listed["newest"].as_array().unwrap().iter().map(|l| l["batchId"].as_i64().unwrap()).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    let newest = loans.place.run(&["dlq", "list", "run/dead", "--limit", "1", "--output", "json"]).json();
    assert_eq!(newest["newest"][0], listed["newest"][n - 1]);
    let shown = loans.place.run(&["dlq", "list", "run/dead"]).ok();
    assert!(shown.contains("unseen label: term_48") && shown.contains(&format!("{n} dead letters, {n} shown")));
    assert_refused(&loans.place.run(&["dlq", "list", "incoming"]), 2, "not a file of dead letters");
    assert_refused(&loans.place.run(&["dlq", "list", "nowhere"]), 2, "nowhere");
}

// schema, completion, version, usage

#[test]
fn the_schema_accepts_the_demos_job_and_refuses_a_key_that_is_none() {
    let place = Workplace::new();
    let schema = place.run(&["schema"]).json();
    place.run(&["init", "demo"]).ok();
    let keys = keys_of(&std::fs::read_to_string(place.at("demo/loans.yaml")).unwrap());
    assert!(keys.len() > 20, "{keys:?}");
    for key in &keys {
        assert!(property(&schema, key).is_some(), "the schema does not know: {}", key.join("."));
    }
    let misspelt = ["stream", "writeStream", "checkpointLocaton"].map(str::to_owned);
    assert_eq!(property(&schema, &misspelt), None);
    assert_eq!(schema["properties"]["stream"]["properties"]["writeStream"]["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["version"]));
}

#[test]
fn the_schema_says_how_many_borders_buckets_need() {
    let schema = Workplace::new().run(&["schema"]).json();
    let stages = &schema["properties"]["train"]["properties"]["pipeline"]["anyOf"][1]["items"]["anyOf"][1];
    let bucketizer = &stages["properties"]["Bucketizer"]["properties"];
    assert_eq!(bucketizer["splits"]["minItems"], 3, "{bucketizer}");
    assert_eq!(bucketizer["splitsArray"]["items"]["minItems"], 3, "{bucketizer}");
}

/// The schema of the value at a path of keys.
fn property<'a>(schema: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(schema, |schema, key| schema.get("properties")?.get(key))
}

/// The paths of all keys that stand on a line of their own, but for those within lists and `options`.
fn keys_of(yaml: &str) -> Vec<Vec<String>> {
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut keys = Vec::new();
    for line in yaml.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        let Some((key, _)) = text.split_once(':').filter(|(key, _)| key.chars().all(char::is_alphanumeric)) else {
            continue;
        };
        path.retain(|(above, _)| *above < indent);
        path.push((indent, key.to_owned()));
        let keys_above: Vec<String> = path.iter().map(|(_, key)| key.clone()).collect();
        if !keys_above.iter().any(|key| key == "pipeline") || key == "pipeline" {
            keys.push(keys_above);
        }
    }
    keys
}

#[test]
fn completions_and_version_are_printed() {
    let place = Workplace::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.run(&["completion", shell]).ok().contains("checkpoint"), "{shell}");
    }
    let version = place.run(&["version"]).ok();
    assert_eq!(version, format!("ognivo {} (Spark 2.4, 3.5, 4.3)\n", env!("CARGO_PKG_VERSION")));
    assert!(place.run(&["--help"]).ok().contains("Exit codes: 0 ok, 1 job failed, 2 usage or job file"));
}

#[test]
fn usage_that_is_none_exits_with_2() {
    let place = Workplace::new();
    assert_refused(&place.run(&["trian"]), 2, "unrecognized subcommand");
    assert_refused(&place.run(&["train"]), 2, "JOB");
    assert_refused(&place.run(&["train", "none.yaml"]), 2, "none.yaml:1:1: cannot read the job file");
    assert_refused(&place.run(&["stream", "none.yaml", "--progress", "xml"]), 2, "xml");
    let loans = Loans::new(1, 3);
    let job = loans.write_job("run", StreamForm::default());
    assert_refused(&loans.place.run(&["train", &job]), 2, "the job has no part `train:`");
    assert_refused(&loans.place.run(&["stream", "train.yaml"]), 2, "the job has no part `stream:`");
}
