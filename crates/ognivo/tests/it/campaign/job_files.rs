//! What is wrong with a job file is said at once, with its place and the next step, before anything is read or written.
//!
//! Each case changes one or a few places of a job that is right, and names everything that `validate` says.

use expect_test::{Expect, expect};
use serde_json::json;

use crate::binary::Workplace;
use crate::campaign::counts::tell;
use crate::stream_oracle::names_in;

/// A job that is right.
const JOB: &str = r#"version: 1
name: loans
sparkVersion: "4.3"
train:
  read:
    format: csv
    path: data/loans.csv
    schema: &loan "id BIGINT, amount DOUBLE, term STRING, bad INT"
    options: {header: true}
  dropna: {subset: [amount, bad]}
  randomSplit: {weights: [0.8, 0.2], seed: 12345, after: VectorAssembler}
  pipeline:
    - StringIndexer: {inputCol: term, outputCol: term_index, handleInvalid: keep}
    - VectorAssembler: {inputCols: [amount, term_index], outputCol: features}
    - LogisticRegression: {labelCol: bad, maxIter: 10, regParam: 0.01}
  evaluate:
    - BinaryClassificationEvaluator: {labelCol: bad, metricName: areaUnderROC}
  save: {path: models/loans, mode: overwrite}
stream:
  readStream:
    format: csv
    path: incoming
    schema: *loan
    options: {header: true, maxFilesPerTrigger: 1}
  model: models/loans
  batchTimeColumn: {name: p_date, format: yyyyMMddHHmmss, timeZone: UTC}
  writeStream:
    format: parquet
    path: output
    partitionBy: [p_date]
    checkpointLocation: checkpoints/loans
    trigger: {processingTime: 10 seconds}
  deadLetter: {format: json, path: dead}
  errors: {malformed: deadLetter, invalid: deadLetter, maxBadFraction: 0.05}
"#;

/// Changes the job, `from` to `to` each, and compares what `validate` prints.
#[track_caller]
fn check(changes: &[(&str, &str)], expected: Expect) {
    check_text(&changed(JOB, changes), expected);
}

/// The job with each `from`, which it has once, changed to `to`.
#[track_caller]
pub(super) fn changed(job: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(job.to_owned(), |job, (from, to)| {
        assert_eq!(job.matches(from).count(), 1, "{from}");
        job.replace(from, to)
    })
}

/// What was printed, with `FOLDER` for the test's folder and `UID` for the digits of a uid.
fn steady(printed: &str, place: &Workplace) -> String {
    let folder = place.path().canonicalize().unwrap();
    let printed = printed.replace(folder.to_str().unwrap(), "FOLDER");
    let mut parts = printed.split("stage `");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        match part.split_once('_').and_then(|(class, rest)| Some((class, rest.split_at_checked(12)?))) {
            Some((class, (digits, rest))) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                format!("{text}stage `{class}_UID{rest}")
            }
            _ => format!("{text}stage `{part}"),
        }
    })
}

#[track_caller]
pub(super) fn check_text(job: &str, expected: Expect) {
    let place = Workplace::new();
    place.write("loans.yaml", job);
    let ran = place.run(&["validate", "loans.yaml"]);
    expected.assert_eq(&steady(&ran.stdout, &place));
    let is_right = ran.stdout == "ok\n";
    assert_eq!(ran.code, Some(if is_right { 0 } else { 2 }), "{}", ran.stderr);
    assert_eq!(names_in(place.path()), ["loans.yaml"], "nothing is made by looking");
    if !is_right {
        tell("a job file is wrong", "job files", 1, json!({"ended": {"refused with the exact message": 1}}));
    }
}

#[test]
fn a_job_that_is_right_has_no_complaint() {
    check(
        &[],
        expect![[r#"
        ok
    "#]],
    );
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_the_nearest_one() {
    check(
        &[("sparkVersion:", "sparkVerion:")],
        expect![[r#"
        loans.yaml:3:1: unknown key: sparkVerion
          hint: did you mean `sparkVersion`?
    "#]],
    );
    check(
        &[("  randomSplit: {", "  randomsplit: {")],
        expect![[r#"
        loans.yaml:11:3: unknown key: randomsplit
          hint: did you mean `randomSplit`?
    "#]],
    );
    check(
        &[("checkpointLocation: checkpoints/loans", "checkpointLocaton: checkpoints/loans")],
        expect![[r#"
        loans.yaml:28:5: `writeStream` lacks the key: checkpointLocation
          hint: name a folder that stays the same from start to start
        loans.yaml:31:5: unknown key: checkpointLocaton
          hint: did you mean `checkpointLocation`?
    "#]],
    );
    check(
        &[("maxBadFraction: 0.05", "quota: 0.05")],
        expect![[r#"
        loans.yaml:34:56: unknown key: quota
          hint: valid here: malformed, invalid, maxBadFraction
    "#]],
    );
    check(
        &[("name: loans", "title: loans")],
        expect![[r#"
        loans.yaml:2:1: unknown key: title
          hint: valid here: version, name, sparkVersion, parallelism, threads, train, search, stream, metrics
    "#]],
    );
}

#[test]
fn an_unknown_stage_or_evaluator_is_told_with_the_nearest_one() {
    check(
        &[("LogisticRegression: {", "LogisticRegresion: {")],
        expect![[r#"
        loans.yaml:15:7: unknown stage: LogisticRegresion
          hint: did you mean `LogisticRegression`?
    "#]],
    );
    check(
        &[("StringIndexer: {", "KMeans: {")],
        expect![[r#"
            loans.yaml:13:7: unknown stage: KMeans
              hint: valid here: Bucketizer, DecisionTreeClassifier, DecisionTreeRegressor, Imputer, IndexToString, LinearRegression, LogisticRegression, MaxAbsScaler, MinMaxScaler, Normalizer, OneHotEncoder, QuantileDiscretizer, RobustScaler, StandardScaler, StringIndexer, VectorAssembler
        "#]],
    );
    check(
        &[(
            "BinaryClassificationEvaluator: {labelCol: bad, metricName: areaUnderROC}",
            "MulticlassClassificationEvaluator: {labelCol: bad, metricName: logloss, eps: 0.5}",
        )],
        expect![[r#"
            loans.yaml:17:70: stage `MulticlassClassificationEvaluator_UID`: `metricName` must be one of f1, accuracy, weightedPrecision, weightedRecall, weightedTruePositiveRate, weightedFalsePositiveRate, weightedFMeasure, truePositiveRateByLabel, falsePositiveRateByLabel, precisionByLabel, recallByLabel, fMeasureByLabel, hammingLoss, logLoss: logloss
              hint: did you mean `logLoss`?
            loans.yaml:17:84: stage `MulticlassClassificationEvaluator_UID`: `eps` must be above 0 and below 0.5: 0.5
        "#]],
    );
    check(
        &[("    - BinaryClassificationEvaluator: {", "    - BinaryClassifcationEvaluator: {")],
        expect![[r#"
        loans.yaml:17:7: unknown evaluator: BinaryClassifcationEvaluator
          hint: did you mean `BinaryClassificationEvaluator`?
    "#]],
    );
    check(
        &[(
            "    - VectorAssembler: {inputCols: [amount, term_index], outputCol: features}",
            "    - BinaryClassificationEvaluator: {labelCol: bad}",
        )],
        expect![[r#"
        loans.yaml:14:7: an evaluator is not a stage of a pipeline: BinaryClassificationEvaluator
          hint: put it under `train.evaluate`
    "#]],
    );
}

#[test]
fn an_unknown_parameter_or_a_value_that_it_does_not_take_is_told() {
    check(
        &[("maxIter: 10", "maxItre: 10")],
        expect![[r#"
        loans.yaml:15:43: unknown parameter: maxItre
          hint: did you mean `maxIter`?
    "#]],
    );
    check(
        &[("maxIter: 10", "maxIter: ten")],
        expect![[r#"
        loans.yaml:15:52: stage `LogisticRegression_UID`: `maxIter` must be an integer: "ten"
    "#]],
    );
    check(
        &[("maxIter: 10", "maxIter: -1")],
        expect![[r#"
        loans.yaml:15:52: stage `LogisticRegression_UID`: `maxIter` must be at least 0: -1
    "#]],
    );
    check(
        &[("regParam: 0.01", "regParam: -0.01")],
        expect![[r#"
        loans.yaml:15:66: stage `LogisticRegression_UID`: `regParam` must be at least 0: -0.01
    "#]],
    );
    check(
        &[("handleInvalid: keep", "handleInvalid: kepe")],
        expect![[r#"
        loans.yaml:13:77: stage `StringIndexer_UID`: `handleInvalid` must be one of error, skip, keep: kepe
          hint: did you mean `keep`?
    "#]],
    );
    check(
        &[("metricName: areaUnderROC", "metricName: areaUnderRoc")],
        expect![[r#"
        loans.yaml:17:66: stage `BinaryClassificationEvaluator_UID`: `metricName` must be one of areaUnderROC, areaUnderPR: areaUnderRoc
          hint: did you mean `areaUnderROC`?
    "#]],
    );
    check(
        &[("inputCols: [amount, term_index]", "inputCols: amount")],
        expect![[r#"
        loans.yaml:14:36: stage `VectorAssembler_UID`: `inputCols` must be a list of texts: "amount"
    "#]],
    );
    check(
        &[(
            "StringIndexer: {inputCol: term, outputCol: term_index, handleInvalid: keep}",
            "Bucketizer: {inputCol: amount, outputCol: term_index, splits: [-.inf, 10, 5, .inf]}",
        )],
        expect![[r#"
        loans.yaml:13:69: stage `Bucketizer_UID`: `splits` must be of 3 or more numbers, each above the one before: ["-Inf",10.0,5.0,"Inf"]
    "#]],
    );
    check(
        &[
            ("StringIndexer: {inputCol: term,", "OneHotEncoder: {inputCol: amount,"),
            ("handleInvalid: keep", "handleInvalid: skip"),
        ],
        expect![[r#"
        loans.yaml:13:79: stage `OneHotEncoder_UID`: `handleInvalid` must be one of error, keep: skip
    "#]],
    );
    check(
        &[("labelCol: bad, maxIter: 10", "labelCol: bad, uid: ../up, maxIter: 10")],
        expect![[r#"
        loans.yaml:15:48: not a uid: ../up
    "#]],
    );
}

#[test]
fn a_word_that_is_not_among_those_allowed_is_told() {
    check(
        &[("mode: overwrite", "mode: overwirte")],
        expect![[r#"
        loans.yaml:18:36: `mode` must be one of error, overwrite: overwirte
          hint: did you mean `overwrite`?
    "#]],
    );
    check(
        &[("    format: parquet", "    format: orc")],
        expect![[r#"
        loans.yaml:28:5: unknown format (known: parquet, csv, json): orc
        loans.yaml:28:13: `format` must be one of parquet, csv, json, kafka, cassandra: orc
    "#]],
    );
    check(
        &[("malformed: deadLetter", "malformed: deadletter")],
        expect![[r#"
        loans.yaml:34:23: `malformed` must be one of deadLetter, fail, drop, permissive: deadletter
          hint: did you mean `deadLetter`?
    "#]],
    );
    check(
        &[("invalid: deadLetter", "invalid: permissive")],
        expect![[r#"
        loans.yaml:34:44: `invalid` must be one of deadLetter, fail, drop: permissive
    "#]],
    );
    check(
        &[("sparkVersion: \"4.3\"", "sparkVersion: \"3.4\"")],
        expect![[r#"
        loans.yaml:3:15: `sparkVersion` must be one of "2.4", "3.5", "4.3": 3.4
    "#]],
    );
}

#[test]
fn a_value_of_the_wrong_type_is_told() {
    check(
        &[("version: 1\n", "version: one\n")],
        expect![[r#"
        loans.yaml:1:10: `version` must be 1: one
        loans.yaml:1:10: `version` must be an integer from 1 on: one
    "#]],
    );
    check(
        &[("version: 1\n", "version: 2\n")],
        expect![[r#"
        loans.yaml:1:10: `version` must be 1: 2
    "#]],
    );
    check(
        &[("name: loans\n", "name: loans\nparallelism: 0\n")],
        expect![[r#"
        loans.yaml:3:14: `parallelism` must be an integer from 1 on: 0
    "#]],
    );
    check(
        &[("name: loans\n", "name: loans\nthreads: many\n")],
        expect![[r#"
        loans.yaml:3:10: `threads` must be an integer from 1 on: many
    "#]],
    );
    check(
        &[("options: {header: true}\n", "options: header\n")],
        expect![[r#"
        loans.yaml:9:14: `options` must be a mapping of option names to values: header
    "#]],
    );
    check(
        &[(
            "  pipeline:\n    - StringIndexer: {inputCol: term, outputCol: term_index, handleInvalid: keep}\n",
            "  pipeline:\n    - [StringIndexer]\n",
        )],
        expect![[r#"
        loans.yaml:13:7: `pipeline` must be `Name: {parameters}`: a list
        loans.yaml:13:7: stage `VectorAssembler_UID`: column `term_index` not found; input columns: id, amount, term, bad
    "#]],
    );
    check(
        &[("maxBadFraction: 0.05", "maxBadFraction: 5")],
        expect![[r#"
        loans.yaml:34:72: `maxBadFraction` must be a number from 0 to 1: 5
    "#]],
    );
    check(
        &[("{processingTime: 10 seconds}", "{processingTime: soon}")],
        expect![[r#"
        loans.yaml:32:31: `processingTime` must be a duration such as `10 seconds`: soon
    "#]],
    );
    check(
        &[("{processingTime: 10 seconds}", "{processingTime: 10 seconds, once: true}")],
        expect![[r#"
        loans.yaml:32:14: `trigger` takes exactly one of: processingTime, availableNow, once
    "#]],
    );
    check(
        &[("{processingTime: 10 seconds}", "{availableNow: false}")],
        expect![[r#"
        loans.yaml:32:29: `availableNow` must be true: false
          hint: leave `trigger` out to run as rows arrive
    "#]],
    );
    check(
        &[("  dropna: {subset: [amount, bad]}", "  dropna: [amount, bad]")],
        expect![[r#"
        loans.yaml:10:11: `dropna` must be a mapping with the keys how, thresh, subset: a list
    "#]],
    );
}

#[test]
fn a_split_that_cannot_be_made_is_told() {
    check(
        &[("weights: [0.8, 0.2]", "weights: [0.8, -0.2]")],
        expect![[r#"
        loans.yaml:11:26: `weights` must not be negative, and not all zero
    "#]],
    );
    check(
        &[("weights: [0.8, 0.2]", "weights: [0.8, 0.1, 0.1]")],
        expect![[r#"
        loans.yaml:11:26: `weights` must be two numbers, for training and test rows
    "#]],
    );
    check(
        &[("weights: [0.8, 0.2]", "weights: [0, 0]")],
        expect![[r#"
        loans.yaml:11:26: `weights` must not be negative, and not all zero
    "#]],
    );
    check(
        &[("weights: [0.8, 0.2]", "weights: [most, 0.2]")],
        expect![[r#"
        loans.yaml:11:26: `weights` must be a list of numbers: a list
        loans.yaml:11:26: `weights` must be two numbers, for training and test rows
    "#]],
    );
    check(
        &[("seed: 12345, ", "")],
        expect![[r#"
        loans.yaml:11:16: `randomSplit` lacks the key: seed
    "#]],
    );
    check(
        &[("seed: 12345", "seed: 1.5")],
        expect![[r#"
        loans.yaml:11:44: `seed` must be an integer from -9223372036854775808 on: 1.5
    "#]],
    );
    check(
        &[("after: VectorAssembler", "after: OneHotEncoder")],
        expect![[r#"
        loans.yaml:11:58: the pipeline has no stage `OneHotEncoder`; it has: StringIndexer, VectorAssembler, LogisticRegression
    "#]],
    );
    check(
        &[("after: VectorAssembler", "after: VectorAssembler, select: [features, bda]")],
        expect![[r#"
        loans.yaml:11:83: column `bda` not found; input columns: id, amount, term, bad, term_index, features
          hint: did you mean `bad`?
    "#]],
    );
    check(
        &[("after: VectorAssembler", "after: VectorAssembler, select: [features, amount]")],
        expect![[r#"
        loans.yaml:15:7: stage `LogisticRegression_UID`: column `bad` not found; input columns: features, amount
    "#]],
    );
    check(
        &[("after: VectorAssembler", "select: [amount, term]")],
        expect![[r#"
        loans.yaml:15:7: stage `LogisticRegression_UID`: column `bad` not found; input columns: amount, term, term_index, features
    "#]],
    );
}

#[test]
fn a_column_that_is_not_there_is_told_with_those_that_are() {
    check(
        &[("inputCol: term,", "inputCol: trem,")],
        expect![[r#"
        loans.yaml:13:7: stage `StringIndexer_UID`: column `trem` not found; input columns: id, amount, term, bad
          hint: did you mean `term`?
    "#]],
    );
    check(
        &[("inputCols: [amount, term_index]", "inputCols: [amuont, term_index]")],
        expect![[r#"
        loans.yaml:14:7: stage `VectorAssembler_UID`: column `amuont` not found; input columns: id, amount, term, bad, term_index
          hint: did you mean `amount`?
    "#]],
    );
    check(
        &[("labelCol: bad, maxIter: 10", "labelCol: bda, maxIter: 10")],
        expect![[r#"
        loans.yaml:15:7: stage `LogisticRegression_UID`: column `bda` not found; input columns: id, amount, term, bad, term_index, features
          hint: did you mean `bad`?
    "#]],
    );
    check(
        &[("subset: [amount, bad]", "subset: [amount, grade]")],
        expect![[r#"
        loans.yaml:10:11: prepare, step 1 (dropna): column `grade` not found; input columns: id, amount, term, bad
    "#]],
    );
    check(
        &[("outputCol: term_index", "outputCol: amount")],
        expect![[r#"
        loans.yaml:13:7: stage `StringIndexer_UID`: output column already exists: amount
          hint: name another outputCol, or drop the column first
    "#]],
    );
    check(
        &[("labelCol: bad, metricName", "labelCol: bda, metricName")],
        expect![[r#"
        loans.yaml:17:7: stage `BinaryClassificationEvaluator_UID`: column `bda` not found; input columns: id, amount, term, bad, term_index, features, rawPrediction, probability, prediction
          hint: did you mean `bad`?
    "#]],
    );
    check(
        &[("labelCol: bad, metricName", "metricName")],
        expect![[r#"
        loans.yaml:17:7: stage `BinaryClassificationEvaluator_UID`: column `label` not found; input columns: id, amount, term, bad, term_index, features, rawPrediction, probability, prediction
    "#]],
    );
    check(
        &[(
            "    - BinaryClassificationEvaluator: {labelCol: bad, metricName: areaUnderROC}",
            "    - MulticlassClassificationEvaluator: {labelCol: bad}\n    \
             - MulticlassClassificationEvaluator: {labelCol: bad, metricName: logLoss, probabilityCol: p}\n    \
             - RegressionEvaluator: {labelCol: term}",
        )],
        expect![[r#"
            loans.yaml:18:7: stage `MulticlassClassificationEvaluator_UID`: column `p` not found; input columns: id, amount, term, bad, term_index, features, rawPrediction, probability, prediction
            loans.yaml:19:7: stage `RegressionEvaluator_UID`: column `term` must be numeric: string
        "#]],
    );
    check(
        &[("  dropna: {subset: [amount, bad]}", "  prepare:\n    - drop: [term]\n  dropna: {subset: [amount, bad]}")],
        expect![[r#"
        loans.yaml:15:7: stage `StringIndexer_UID`: column `term` not found; input columns: id, amount, bad
    "#]],
    );
}

#[test]
fn a_schema_that_is_none_is_told() {
    check(
        &[("\"id BIGINT, amount DOUBLE, term STRING, bad INT\"", "\"id BIGINT, amount DUOBLE, term STRING, bad INT\"")],
        expect![[r#"
        loans.yaml:8:13: schema, character 19: unknown type: DUOBLE
          hint: did you mean `DOUBLE`?
        loans.yaml:23:13: schema, character 19: unknown type: DUOBLE
          hint: did you mean `DOUBLE`?
    "#]],
    );
    check(
        &[("\"id BIGINT, amount DOUBLE, term STRING, bad INT\"", "\"id BIGINT, amount\"")],
        expect![[r#"
        loans.yaml:8:13: schema, character 18: expected a type, found: the end
          hint: a schema reads like: id BIGINT, purpose STRING NOT NULL
        loans.yaml:23:13: schema, character 18: expected a type, found: the end
          hint: a schema reads like: id BIGINT, purpose STRING NOT NULL
    "#]],
    );
    check(
        &[("\"id BIGINT, amount DOUBLE, term STRING, bad INT\"", "[{name: id, type: BIGNIT}, {name: bad, typ: INT}]")],
        expect![[r#"
        loans.yaml:8:37: schema, character 1: unknown type: BIGNIT
          hint: did you mean `BIGINT`?
        loans.yaml:8:46: `schema` lacks the key: type
        loans.yaml:8:58: unknown key: typ
          hint: did you mean `type`?
    "#]],
    );
    check(
        &[("    schema: *loan\n", "")],
        expect![[r#"
        loans.yaml:21:5: a stream of csv files needs a schema: readStream
    "#]],
    );
}

#[test]
fn an_option_that_the_format_does_not_have_is_told() {
    check(
        &[("options: {header: true}\n", "options: {headr: true}\n")],
        expect![[r#"
        loans.yaml:9:15: a read of csv files has no option of this name: headr
          hint: did you mean `header`?
    "#]],
    );
    check(
        &[("options: {header: true}\n", "options: {header: maybe}\n")],
        expect![[r#"
        loans.yaml:9:15: option `header` must be true or false: maybe
    "#]],
    );
    check(
        &[("maxFilesPerTrigger: 1", "maxFilesPerTriger: 1")],
        expect![[r#"
        loans.yaml:24:29: a stream of csv files has no option of this name: maxFilesPerTriger
          hint: did you mean `maxFilesPerTrigger`?
    "#]],
    );
    check(
        &[("maxFilesPerTrigger: 1", "maxFilesPerTrigger: 0")],
        expect![[r#"
        loans.yaml:24:29: option `maxFilesPerTrigger` must be an integer from 1 on: 0
    "#]],
    );
    check(
        &[("maxFilesPerTrigger: 1", "cleanSource: archive")],
        expect![[r#"
        loans.yaml:24:14: cleanSource archive needs the option sourceArchiveDir
    "#]],
    );
    check(
        &[("    path: output\n", "    path: output\n    options: {compression: zip}\n")],
        expect![[r#"
        loans.yaml:30:15: option `compression` must be snappy, zstd, gzip or none: zip
          hint: did you mean `gzip`?
    "#]],
    );
    check(
        &[("    path: output\n", "    path: output\n    options: {commitLog: maybe}\n")],
        expect![[r#"
        loans.yaml:30:15: option `commitLog` must be spark or none: maybe
    "#]],
    );
}

#[test]
fn a_stream_that_cannot_run_is_told() {
    check(
        &[("    checkpointLocation: checkpoints/loans\n", "")],
        expect![[r#"
        loans.yaml:28:5: `writeStream` lacks the key: checkpointLocation
          hint: name a folder that stays the same from start to start
    "#]],
    );
    check(
        &[("  model: models/loans\n", "")],
        expect![[r#"
        loans.yaml:20:3: `stream` lacks the key: model
    "#]],
    );
    check(
        &[("    path: incoming\n", "")],
        expect![[r#"
        loans.yaml:21:5: a source of csv files lacks the key: path
    "#]],
    );
    check(
        &[("    path: output\n", "")],
        expect![[r#"
        loans.yaml:28:5: a sink of parquet files lacks the key: path
    "#]],
    );
    check(
        &[("  deadLetter: {format: json, path: dead}\n", "")],
        expect![[r#"
        loans.yaml:33:23: `errors.malformed` is deadLetter, and the stream has no: deadLetter
          hint: add `deadLetter: {format: json, path: …}`
        loans.yaml:33:44: `errors.invalid` is deadLetter, and the stream has no: deadLetter
          hint: add `deadLetter: {format: json, path: …}`
    "#]],
    );
    check(
        &[("format: yyyyMMddHHmmss", "format: yyyy-QQQQQQQ")],
        expect![[r#"
        loans.yaml:26:20: not a date pattern: yyyy-QQQQQQQ
          hint: Java's letters, such as yyyyMMddHHmmss; other letters in 'quotes'
    "#]],
    );
    check(
        &[("timeZone: UTC", "timeZone: Europe/Rigaa")],
        expect![[r#"
        loans.yaml:26:20: not a time zone: Europe/Rigaa
          hint: a name such as UTC or Europe/Riga, or an offset such as +02:00
    "#]],
    );
}

#[test]
fn a_stream_that_would_read_what_it_writes_is_refused() {
    check(
        &[("    path: output\n", "    path: incoming/output\n")],
        expect![[r#"
        loans.yaml:29:11: `readStream.path` overlaps `writeStream.path`: FOLDER/incoming and FOLDER/incoming/output
          hint: give each its own folder, beside the others
    "#]],
    );
    check(
        &[("    path: incoming\n", "    path: .\n")],
        expect![[r#"
        loans.yaml:25:10: `readStream.path` overlaps `model`: FOLDER and FOLDER/models/loans
          hint: give each its own folder, beside the others
        loans.yaml:29:11: `readStream.path` overlaps `writeStream.path`: FOLDER and FOLDER/output
          hint: give each its own folder, beside the others
        loans.yaml:31:25: `readStream.path` overlaps `writeStream.checkpointLocation`: FOLDER and FOLDER/checkpoints/loans
          hint: give each its own folder, beside the others
        loans.yaml:33:36: `readStream.path` overlaps `deadLetter.path`: FOLDER and FOLDER/dead
          hint: give each its own folder, beside the others
    "#]],
    );
    check(
        &[("path: dead}", "path: incoming}")],
        expect![[r#"
        loans.yaml:33:36: `readStream.path` overlaps `deadLetter.path`: FOLDER/incoming and FOLDER/incoming
          hint: give each its own folder, beside the others
    "#]],
    );
    check(
        &[("checkpointLocation: checkpoints/loans", "checkpointLocation: incoming/../incoming/checkpoint")],
        expect![[r#"
        loans.yaml:31:25: `readStream.path` overlaps `writeStream.checkpointLocation`: FOLDER/incoming and FOLDER/incoming/checkpoint
          hint: give each its own folder, beside the others
    "#]],
    );
}

/// The job with a grid; the last words are the tuner, the grid and the evaluator.
#[track_caller]
fn check_tune(tuner: &str, grid: &str, evaluator: &str, expected: Expect) {
    let tune = format!("  tune:\n    {tuner}\n    paramGrid: {grid}\n    evaluator: {evaluator}\n  save: {{path");
    check(&[("  save: {path", &tune)], expected);
}

const TUNER: &str = "CrossValidator: {numFolds: 3, seed: 42}";
const GRID: &str = "{LogisticRegression.regParam: [0.01, 0.1]}";
const EVALUATOR: &str = "{BinaryClassificationEvaluator: {labelCol: bad}}";

#[test]
fn a_grid_that_is_right_has_no_complaint() {
    let right = || {
        expect![[r#"
            ok
        "#]]
    };
    check_tune(TUNER, GRID, EVALUATOR, right());
    check_tune("TrainValidationSplit:", "{LogisticRegression.family: [auto]}", EVALUATOR, right());
    check_tune("CrossValidator: {language: scala, uid: mine}", "{}", EVALUATOR, right());
}

#[test]
fn a_grid_of_what_is_not_there_is_told_with_the_nearest_name() {
    check_tune(
        TUNER,
        "{LogisticRegresion.regParam: [0.01], LogisticRegression.regPram: [0.1], regParam: [1]}",
        EVALUATOR,
        expect![[r#"
            loans.yaml:20:17: unknown stage of the pipeline: LogisticRegresion
              hint: did you mean `LogisticRegression`?
            loans.yaml:20:53: unknown parameter of LogisticRegression: regPram
              hint: did you mean `regParam`?
            loans.yaml:20:88: not a stage and a parameter with a dot between them: regParam
              hint: write `LogisticRegression.regParam: [0.01, 0.1]`
        "#]],
    );
    check_tune(
        TUNER,
        "{VectorAssembler.handleInvalid: [keep, skip]}",
        EVALUATOR,
        expect![[r#"
        loans.yaml:20:17: the grid varies a stage that is fitted before the rows are split: VectorAssembler
          hint: leave `randomSplit.after` out, or name an earlier stage there
    "#]],
    );
}

#[test]
fn values_that_a_parameter_does_not_take_are_told_each_with_its_place() {
    check_tune(
        TUNER,
        "{LogisticRegression.regParam: [0.01, -1, much], LogisticRegression.family: [binom]}",
        EVALUATOR,
        expect![[r#"
            loans.yaml:20:53: stage `LogisticRegression_UID`: `regParam` must be at least 0: -1.0
            loans.yaml:20:57: stage `LogisticRegression_UID`: `regParam` must be a number: "much"
            loans.yaml:20:92: stage `LogisticRegression_UID`: `family` must be one of auto, binomial, multinomial: binom
        "#]],
    );
    check_tune(
        TUNER,
        "{LogisticRegression.regParam: [], LogisticRegression.tol: 0.1}",
        EVALUATOR,
        expect![[r#"
        loans.yaml:20:46: the grid has no value for the parameter: LogisticRegression.regParam
        loans.yaml:20:74: `LogisticRegression.tol` must be a list of values: 0.1
    "#]],
    );
    let many: Vec<String> = (1..=101).map(|n| n.to_string()).collect();
    let many = many.join(", ");
    let grid = format!("{{LogisticRegression.regParam: [{many}], LogisticRegression.maxIter: [{many}]}}");
    check_tune(
        TUNER,
        &grid,
        EVALUATOR,
        expect![[r#"
        loans.yaml:20:16: the grid has more than 10000 settings: 10201
          hint: try fewer values at a time
    "#]],
    );
}

#[test]
fn a_tuner_takes_its_parameters_and_is_one() {
    check_tune(
        "CrossValidator: {numFolds: 1, sed: 42, language: java}",
        GRID,
        EVALUATOR,
        expect![[r#"
        loans.yaml:19:32: stage `CrossValidator_UID`: `numFolds` must be at least 2: 1
        loans.yaml:19:35: unknown parameter: sed
          hint: did you mean `seed`?
        loans.yaml:19:54: `language` must be one of python, scala: java
    "#]],
    );
    check_tune(
        "TrainValidationSplit: {trainRatio: 1.5}",
        GRID,
        EVALUATOR,
        expect![[r#"
        loans.yaml:19:40: stage `TrainValidationSplit_UID`: `trainRatio` must be between 0 and 1: 1.5
    "#]],
    );
    check_tune(
        "CrossValidator:\n    TrainValidationSplit:",
        GRID,
        EVALUATOR,
        expect![[r#"
        loans.yaml:19:5: `tune` takes exactly one of: CrossValidator, TrainValidationSplit
    "#]],
    );
    check_tune(
        "CrossValidator: {foldCol: folds}",
        GRID,
        EVALUATOR,
        expect![[r#"
        loans.yaml:19:5: stage `CrossValidator_UID`: column `folds` not found; input columns: id, amount, term, bad, term_index, features
    "#]],
    );
    check_tune(
        TUNER,
        GRID,
        "{BinaryClassificationEvaluator: {labelCol: good}}",
        expect![[r#"
            loans.yaml:21:16: stage `BinaryClassificationEvaluator_UID`: column `good` not found; input columns: id, amount, term, bad, term_index, features, rawPrediction, probability, prediction
        "#]],
    );
    check(
        &[("  save: {path", "  tune: {CrossValidator: {}}\n  save: {path")],
        expect![[r#"
        loans.yaml:18:9: `tune` lacks the key: evaluator
        loans.yaml:18:9: `tune` lacks the key: paramGrid
    "#]],
    );
}

#[test]
fn a_stage_that_occurs_twice_is_named_by_its_uid() {
    let twice = "    - LogisticRegression: {uid: first, labelCol: bad, predictionCol: p, probabilityCol: q, rawPredictionCol: r}\n    - LogisticRegression: {uid: second, labelCol: bad";
    let tune = |name: &str| {
        format!(
            "  tune:\n    {TUNER}\n    paramGrid: {{{name}.regParam: [0.1]}}\n    evaluator: {EVALUATOR}\n  save: {{path"
        )
    };
    let stage = ("    - LogisticRegression: {labelCol: bad", twice);
    check(
        &[stage, ("  save: {path", &tune("LogisticRegression"))],
        expect![[r#"
        loans.yaml:21:17: several stages of the pipeline are called: LogisticRegression
          hint: give one a `uid:` and name that here
    "#]],
    );
    check(
        &[stage, ("  save: {path", &tune("second"))],
        expect![[r#"
        ok
    "#]],
    );
}

#[test]
fn broken_yaml_is_one_complaint() {
    check(
        &[("name: loans\n", "name: loans\nname: again\n")],
        expect![[r#"
        loans.yaml:3:1: not valid YAML: duplicated key in mapping
    "#]],
    );
    check(
        &[("path: models/loans, mode: overwrite}", "path: models/loans, mode: overwrite")],
        expect![[r#"
        loans.yaml:19:7: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
    "#]],
    );
    check(
        &[("name: loans\n", "name: [loans\n")],
        expect![[r#"
        loans.yaml:3:13: not valid YAML: illegal placement of ':' indicator
    "#]],
    );
}

#[test]
fn several_complaints_come_at_once_in_the_order_of_the_file() {
    check(
        &[
            ("metricName: areaUnderROC", "metricName: area"),
            ("sparkVersion:", "sparkVerion:"),
            ("weights: [0.8, 0.2]", "weights: [0.8]"),
            ("maxFilesPerTrigger: 1", "maxFilesPerTriger: 1"),
            ("{processingTime: 10 seconds}", "{processingTime: soon}"),
        ],
        expect![[r#"
        loans.yaml:3:1: unknown key: sparkVerion
          hint: did you mean `sparkVersion`?
        loans.yaml:11:26: `weights` must be two numbers, for training and test rows
        loans.yaml:17:66: stage `BinaryClassificationEvaluator_UID`: `metricName` must be one of areaUnderROC, areaUnderPR: area
        loans.yaml:24:29: a stream of csv files has no option of this name: maxFilesPerTriger
          hint: did you mean `maxFilesPerTrigger`?
        loans.yaml:32:31: `processingTime` must be a duration such as `10 seconds`: soon
    "#]],
    );
    check(
        &[
            ("regParam: 0.01", "regParam: -1, maxIte: 3"),
            ("weights: [0.8, 0.2]", "weights: [0.8]"),
            ("maxFilesPerTrigger: 1", "maxFilesPerTriger: 1"),
            ("    checkpointLocation: checkpoints/loans\n", ""),
            ("path: dead}", "path: incoming}"),
        ],
        expect![[r#"
            loans.yaml:11:26: `weights` must be two numbers, for training and test rows
            loans.yaml:15:66: stage `LogisticRegression_UID`: `regParam` must be at least 0: -1.0
            loans.yaml:15:70: unknown parameter: maxIte
              hint: did you mean `maxIter`?
            loans.yaml:24:29: a stream of csv files has no option of this name: maxFilesPerTriger
              hint: did you mean `maxFilesPerTrigger`?
            loans.yaml:28:5: `writeStream` lacks the key: checkpointLocation
              hint: name a folder that stays the same from start to start
            loans.yaml:32:36: `readStream.path` overlaps `deadLetter.path`: FOLDER/incoming and FOLDER/incoming
              hint: give each its own folder, beside the others
        "#]],
    );
}

#[test]
fn an_empty_file_and_a_job_without_work_are_told() {
    check_text(
        "",
        expect![[r#"
        loans.yaml:1:1: the file is empty
    "#]],
    );
    check_text(
        "version: 1\n",
        expect![[r#"
        loans.yaml:1:1: the job does nothing
          hint: add `train:` or `stream:`
    "#]],
    );
    check_text(
        "name: x\n",
        expect![[r#"
        loans.yaml:1:1: `the job` lacks the key: version
    "#]],
    );
    check_text(
        "[version, 1]\n",
        expect![[r#"
        loans.yaml:1:1: `the job` must be a mapping with the keys version, name, sparkVersion, parallelism, threads, train, search, stream, metrics: a list
    "#]],
    );
}

#[test]
fn a_secret_is_never_shown() {
    let place = Workplace::new();
    place.write("secrets/name", "hunter2-is-the-secret\n");
    let print = |job: &str, arguments: &[&str]| {
        place.write("loans.yaml", job);
        let mut command = place.command(&[&["validate", "loans.yaml"], arguments].concat());
        command.env("OGNIVO_TEST_SECRET", "hunter2-is-the-secret");
        let output = command.output().unwrap();
        let shown = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!shown.contains("hunter2"), "{shown}");
        steady(&shown, &place)
    };
    let wrong = JOB
        .replace("maxIter: 10", "maxIter: \"${file:secrets/name}\"")
        .replace("mode: overwrite", "mode: \"${file:secrets/name}\"");
    expect![[r#"
        loans.yaml:15:52: stage `LogisticRegression_UID`: `maxIter` must be an integer: (a secret)
        loans.yaml:18:36: `mode` must be one of error, overwrite: (a secret)
    "#]]
    .assert_eq(&print(&wrong, &[]));
    let wrong = JOB.replace("handleInvalid: keep", "handleInvalid: \"${file:secrets/name}\"");
    expect![[r#"
        loans.yaml:13:77: stage `StringIndexer_UID`: `handleInvalid` must be one of error, skip, keep: (a secret)
    "#]]
    .assert_eq(&print(&wrong, &[]));
    let wrong = JOB.replace("format: yyyyMMddHHmmss", "format: \"QQQQQQ${file:secrets/name}\"");
    expect![[r#"
        loans.yaml:26:20: not a date pattern: (a secret)
          hint: Java's letters, such as yyyyMMddHHmmss; other letters in 'quotes'
    "#]]
    .assert_eq(&print(&wrong, &[]));
    let wrong = JOB.replace("inputCol: term,", "inputCol: \"${file:secrets/name}\",");
    expect![[r#"
        loans.yaml:13:7: stage `StringIndexer_UID`: column `(a secret)` not found; input columns: id, amount, term, bad
    "#]]
    .assert_eq(&print(&wrong, &[]));
    let wrong =
        JOB.replace("    path: output\n", "    path: output\n    options: {compression: \"${file:secrets/name}\"}\n");
    expect![[r#"
        loans.yaml:30:15: option `compression` must be snappy, zstd, gzip or none: (a secret)
    "#]]
    .assert_eq(&print(&wrong, &[]));

    let right = JOB.replace("name: loans\n", "name: \"${file:secrets/name}\"\n");
    assert!(print(&right, &["--print"]).contains("${file:secrets/name}"));
    let from_env = JOB.replace("name: loans\n", "name: \"${env:OGNIVO_TEST_SECRET}\"\n");
    expect![[r#"
        loans.yaml:2:7: the environment may not be read: ${env:OGNIVO_TEST_SECRET}
          hint: run with --allow-env, or use ${file:…}
    "#]]
    .assert_eq(&print(&from_env, &[]));
    assert_eq!(print(&from_env, &["--allow-env"]), "ok\n");
    let missing = JOB.replace("name: loans\n", "name: \"${file:secrets/none}\"\n");
    expect![[r#"
        loans.yaml:2:7: cannot read the file of `${file:secrets/none}`: No such file or directory (os error 2)
    "#]]
    .assert_eq(&print(&missing, &[]));
}

#[test]
fn complaints_are_an_object_for_programs() {
    let place = Workplace::new();
    place.write("loans.yaml", &JOB.replace("sparkVersion", "sparkVerion"));
    let ran = place.run(&["validate", "loans.yaml", "--output", "json"]);
    assert_eq!(ran.code, Some(2));
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let complaint = json!({
        "file": "loans.yaml", "line": 3, "column": 1,
        "message": "unknown key: sparkVerion", "hint": "did you mean `sparkVersion`?",
    });
    assert_eq!(told, json!({"ok": false, "complaints": [complaint]}));
}

#[test]
fn a_complaint_about_the_command_line_has_no_place_in_the_file() {
    let place = Workplace::new();
    place.write("loans.yaml", JOB);
    let ran = place.run(&["validate", "loans.yaml", "--set", "train.pipeline.KMeans.k=2"]);
    expect![[r#"
        --set train.pipeline.KMeans.k: the list has no item called: KMeans
    "#]]
    .assert_eq(&ran.stdout);
}
