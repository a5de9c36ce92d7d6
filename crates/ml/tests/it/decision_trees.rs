//! Decision trees against those of real Spark: the tables of `fixtures/spark/<line>/decision_tree_*` and, for the rows that a
//! formula makes, `fixtures/spark/<line>/trees.json`. Their program is `fixtures/spark/trees.py`.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use ognivo_data::column::ML_ATTR;
use ognivo_data::dataset::{Dataset, LocalExecutor};
use ognivo_data::fault::Explain;
use ognivo_data::vector::{Vector, dense_column, vector_field};
use ognivo_data::version::SparkVersion;
use ognivo_ml::classification::{DecisionTreeClassificationModel, DecisionTreeClassifier};
use ognivo_ml::regression::{DecisionTreeRegressionModel, DecisionTreeRegressor};
use ognivo_ml::stage::{Configured, Estimator, FitError, Stage};
use ognivo_ml::tree::{Node, Split, Tree};
use serde_json::{Value, json};

use crate::fixtures::{Case, LINES, dataset, executors, json};

/// How far statistics, impurities and gains may be off, relative to their size: sums over several partitions, and logarithms.
const TOLERANCE: f64 = 1e-12;

/// Spark's nodes and ours: the same tests, thresholds and counts bit for bit; sums, impurities and gains to [`TOLERANCE`].
#[track_caller]
fn check_nodes(what: &str, ours: &Tree, spark: &Value) {
    let spark = spark.as_array().unwrap();
    assert_eq!(ours.n_nodes(), spark.len(), "{what}");
    for (number, (ours, spark)) in ours.nodes().iter().zip(spark).enumerate() {
        let what = format!("{what}: node {number}");
        assert_eq!((split_of(ours), children_of(ours)), (spark["split"].clone(), spark["children"].clone()), "{what}");
        assert_eq!(json!(ours.n_rows), spark["rawCount"], "{what}");
        let gain = ours.branch.as_ref().map_or(-1.0, |branch| branch.gain);
        let numbers = [ours.prediction, ours.impurity, gain].into_iter().chain(ours.stats.iter().copied());
        let expected = [&spark["prediction"], &spark["impurity"], &spark["gain"]];
        let expected: Vec<&Value> = expected.into_iter().chain(spark["stats"].as_array().unwrap()).collect();
        let ours: Vec<f64> = numbers.collect();
        assert_eq!(ours.len(), expected.len(), "{what}");
        for (ours, spark) in ours.iter().zip(&expected) {
            let spark = spark.as_f64().unwrap();
            assert!((ours - spark).abs() <= TOLERANCE * spark.abs().max(1e-3), "{what}: {ours:?} against {expected:?}");
        }
    }
}

/// `[feature, threshold or categories, number of categories]`
fn split_of(node: &Node) -> Value {
    match node.branch.as_ref().map(|branch| &branch.split) {
        None => json!([-1, [], -1]),
        Some(Split::Continuous { feature, threshold }) => json!([feature, [threshold], -1]),
        Some(Split::Categorical { feature, left, n_categories }) => json!([feature, left, n_categories]),
    }
}

fn children_of(node: &Node) -> Value {
    node.branch.as_ref().map_or(json!([-1, -1]), |branch| json!([branch.left, branch.right]))
}

/// What both kinds of models tell of their tree.
struct Facts {
    tree: Tree,
    debug_string: String,
    importances: Vector,
}

fn facts(model: &dyn Configured) -> Facts {
    let any: &dyn std::any::Any = model;
    match (any.downcast_ref::<DecisionTreeClassificationModel>(), any.downcast_ref::<DecisionTreeRegressionModel>()) {
        (Some(model), _) => Facts {
            tree: model.tree().clone(),
            debug_string: model.to_debug_string(),
            importances: model.feature_importances(),
        },
        (_, Some(model)) => Facts {
            tree: model.tree().clone(),
            debug_string: model.to_debug_string(),
            importances: model.feature_importances(),
        },
        _ => panic!("no tree: {model:?}"),
    }
}

#[test]
fn trees_on_small_tables_are_spark_s_node_for_node() {
    for (line, _) in LINES {
        let cases = Case::all(line, &["decision_tree_"]);
        assert_eq!(cases.len(), 12);
        for case in &cases {
            let Stage::Estimator(estimator) = case.stage() else { panic!("{}: nothing to fit", case.path) };
            let model = estimator.fit(&dataset(case.table("fitOn"))).unwrap();
            let Facts { tree, debug_string, importances } = facts(model.as_ref());
            let spark = &case.expected["model"];
            check_nodes(&case.path, &tree, &spark["nodes"]);
            assert_eq!(json!(debug_string), spark["debugString"], "{}", case.path);
            assert_eq!(
                (json!(tree.depth()), json!(tree.n_nodes())),
                (spark["depth"].clone(), spark["numNodes"].clone())
            );
            let expected = Vector::from_json(&spark["featureImportances"]).unwrap();
            assert_eq!(importances.size(), expected.size());
            for (ours, spark) in importances.to_dense().iter().zip(expected.to_dense()) {
                assert!((ours - spark).abs() <= TOLERANCE, "{}: {importances:?} against {expected:?}", case.path);
            }
        }
    }
}

const ATTRIBUTES: &str =
    r#"{"attrs":{"nominal":[{"idx":3,"num_vals":4},{"idx":4,"num_vals":12}],"binary":[{"idx":5}]},"num_attrs":8}"#;
const N_FEATURES: usize = 8;
const LABELS: [&str; 6] = ["binary", "ternary", "number", "third", "zero", "one"];

/// Features, the labels in the order of [`LABELS`], and the weight.
struct Row {
    features: Vec<f64>,
    labels: [f64; 6],
    weight: f64,
}

fn row(i: usize) -> Row {
    const OF_FOUR: [f64; 4] = [0.0, 6.0, -3.0, 2.0];
    const OF_TWELVE: [f64; 12] = [4.0, -1.0, 0.0, 7.0, 2.0, -6.0, 1.0, 0.0, 3.0, -2.0, 5.0, 8.0];
    let x = vec![
        ((i * 7919 + (i * i % 127) * 3) % 1009) as f64 / 64.0 - 7.0,
        ((i * 104_729 + i / 3) % 4099) as f64 / 128.0,
        if i.is_multiple_of(3) { ((i * 31) % 257) as f64 / 8.0 - 9.0 } else { 0.0 },
        ((i * 5 + i / 11) % 4) as f64,
        ((i * 7 + i / 5) % 12) as f64,
        ((i / 2) % 2) as f64,
        2.5,
        ((i * 6151) % 97) as f64 / 4.0 - 12.0,
    ];
    let noise = ((i * 193) % 257) as f64 / 32.0 - 4.0;
    let of_categories = OF_FOUR[x[3] as usize] + OF_TWELVE[x[4] as usize];
    let number = 2.0 * x[0] - x[1] / 4.0 + of_categories + x[5] * x[7] / 2.0 + noise;
    let is = |yes: bool| f64::from(u8::from(yes));
    let labels = [is(number > 0.0), is(number > -6.0) + is(number > 6.0), number, number / 3.0, 0.0, 1.0];
    Row { features: x, labels, weight: ((i * 37) % 5) as f64 / 2.0 }
}

/// Partitions of these sizes; `change` has its way with each row, `attributes` are those of the features.
fn table(sizes: &[usize], attributes: Option<&str>, change: fn(usize, &mut Row)) -> Dataset {
    let changed = |i: usize| {
        let mut row = row(i);
        change(i, &mut row);
        row
    };
    let features = vector_field("features");
    let features = match attributes {
        Some(text) => features.with_metadata([(ML_ATTR.to_owned(), text.to_owned())].into()),
        None => features,
    };
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    let fields: Vec<Field> = [features].into_iter().chain(LABELS.map(number)).chain([number("weight")]).collect();
    let schema = Arc::new(Schema::new(fields));
    let partition = |(start, size): (usize, usize)| {
        let rows: Vec<Row> = (start..start + size).map(changed).collect();
        let n_features = rows.first().map_or(N_FEATURES, |row| row.features.len());
        let numbers = |of: &dyn Fn(&Row) -> f64| Arc::new(rows.iter().map(of).collect::<Float64Array>()) as ArrayRef;
        let features = rows.iter().flat_map(|row| row.features.iter().copied()).collect();
        let mut columns = vec![dense_column(features, size, n_features)];
        columns.extend((0..LABELS.len()).map(|label| numbers(&|row| row.labels[label])));
        columns.push(numbers(&|row| row.weight));
        vec![RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()]
    };
    let starts = sizes.iter().scan(0, |start, &size| {
        *start += size;
        Some((*start - size, size))
    });
    let partitions = starts.map(partition).collect();
    Dataset::in_memory(Arc::clone(&schema), partitions, Arc::new(LocalExecutor::single_threaded()))
}

/// The rows of a case of `trees.json`.
fn rows_of(name: &str, case: &Value) -> Dataset {
    let small = [300];
    let one_category = r#"{"attrs":{"nominal":[{"idx":0,"num_vals":4}]},"num_attrs":1}"#;
    match name {
        "constant features" => table(&small, None, |_, row| row.features = vec![0.0, 2.5]),
        "no category" => {
            table(&small, Some(one_category), |i, row| row.features = vec![if i == 7 { 4.0 } else { 1.0 }])
        }
        "a category of unknown size" => {
            table(&small, Some(r#"{"attrs":{"nominal":[{"idx":0}]},"num_attrs":8}"#), |_, _| {})
        }
        "too many classes" => table(&small, Some(ATTRIBUTES), |i, row| row.labels[0] = (i % 101) as f64),
        "not a number" => table(&small, Some(ATTRIBUTES), |_, row| row.features[0] = f64::NAN),
        "a negative weight" => table(&small, Some(ATTRIBUTES), |i, row| row.weight = if i == 3 { -1.0 } else { 1.0 }),
        "no weight at all" => table(&small, Some(ATTRIBUTES), |_, row| row.weight = 0.0),
        _ => {
            let sizes: &[usize] = match case["table"].as_str().unwrap() {
                "middle" => &[5000, 0, 4000, 3001],
                "large" => &[25_000, 15_000],
                "small" => &small,
                "one" => &[1],
                other => panic!("no table of these tests: {other}"),
            };
            table(sizes, Some(ATTRIBUTES), |_, _| {})
        }
    }
}

fn estimator(case: &Value, version: SparkVersion) -> Box<dyn Estimator> {
    let mut estimator: Box<dyn Estimator> = match case["stage"].as_str().unwrap() {
        "DecisionTreeClassifier" => Box::new(DecisionTreeClassifier::new()),
        _ => Box::new(DecisionTreeRegressor::new()),
    };
    estimator.set_version(version);
    for (name, value) in case["params"].as_object().unwrap() {
        estimator.params_mut().set_json(name, value).unwrap();
    }
    estimator
}

fn fit(name: &str, line: &str, version: SparkVersion) -> Result<Tree, FitError> {
    let case = &json(&format!("{line}/trees.json"))[name];
    estimator(case, version).fit(&rows_of(name, case)).map(|model| facts(model.as_ref()).tree)
}

#[test]
fn trees_on_rows_of_a_formula_are_spark_s_node_for_node() {
    for (line, version) in LINES {
        let cases = json(&format!("{line}/trees.json"));
        let grown = cases.as_object().unwrap().iter().filter(|(_, case)| case["nodes"].is_array());
        let mut n_grown = 0;
        for (name, case) in grown {
            let tree = fit(name, line, version).unwrap_or_else(|error| panic!("{line}: {name}: {error}"));
            check_nodes(&format!("{line}: {name}"), &tree, &case["nodes"]);
            n_grown += 1;
        }
        assert_eq!(n_grown, if line == "3.5" { 17 } else { 18 });
    }
}

#[test]
fn a_tree_does_not_depend_on_the_number_of_threads() {
    let (line, version) = LINES[1];
    let cases = json(&format!("{line}/trees.json"));
    for name in ["sampled by gaps", "numbers that do not add up exactly", "sampled with weights"] {
        let rows = rows_of(name, &cases[name]);
        let estimator = estimator(&cases[name], version);
        let tree_on = |data: &Dataset| facts(estimator.fit(data).unwrap().as_ref()).tree;
        let expected = tree_on(&rows);
        for executor in executors().into_iter().take(3) {
            assert_eq!(tree_on(&rows.clone().with_executor(executor)), expected, "{name}");
        }
    }
}

#[track_caller]
fn check_refused(name: &str, message: &str, hint: Option<&str>) {
    for (line, version) in LINES {
        assert!(json(&format!("{line}/trees.json"))[name]["error"].is_string(), "Spark grows a tree: {name}");
        let error = fit(name, line, version).unwrap_err();
        let text = error.to_string();
        assert!(text.ends_with(message), "{text}");
        assert_eq!(error.hint().as_deref(), hint, "{text}");
    }
}

#[test]
fn what_spark_refuses_is_refused_and_named() {
    let raise = Some("raise maxBins (it is at most the number of rows), or leave the feature out");
    let too_many =
        "feature 4 of column `features` has 12 categories, and `maxBins`, which is 11, must be at least as large";
    check_refused("too many categories", too_many, raise);
    check_refused("one row", &too_many.replace("11", "1"), raise);
    let clean = Some("clean the rows first (dropna), or set handleInvalid to skip or keep where the stage has it");
    check_refused("no category", "column `features`: feature 0 must be a category below 4: 4", clean);
    let unknown = "feature 0 of column `features` is a category, and nothing tells how many values it has";
    check_refused("a category of unknown size", unknown, None);
    let index = Some("index the labels with a StringIndexer, which tells how many there are");
    let many = "column `binary`: 101 classes, where at most 100 are taken from the labels alone";
    check_refused("too many classes", many, index);
    let thresholds = "`thresholds` must have one entry for each of the 2 classes: [0.5, 0.25, 0.25]";
    check_refused("thresholds of another number", thresholds, None);
    check_refused("not a number", "column `features`: a value is NaN or infinite", clean);
    check_refused("a negative weight", "column `weight`: must be finite and not negative: -1", clean);
}

#[test]
fn rows_without_features_labels_or_any_row_end_the_fit() {
    let refused = |data: &Dataset, label: &str| {
        let classifier = DecisionTreeClassifier::new().label_col(label);
        let error = Estimator::fit(&classifier, data).unwrap_err().to_string();
        error.strip_prefix(&format!("stage `{}`: ", classifier.uid())).unwrap().to_owned()
    };
    assert_eq!(refused(&table(&[0], None, |_, _| {}), "binary"), "there are no rows to learn from");
    let empty = table(&[3], None, |_, row| row.features.clear());
    assert_eq!(refused(&empty, "binary"), "the vectors of `features` are empty");
    let halves = table(&[3], None, |_, _| {});
    assert_eq!(refused(&halves, "number"), "column `number`: must be a whole number from 0: -14");
    assert_eq!(
        refused(&halves, "label"),
        "column `label` not found; input columns: features, binary, ternary, number, third, zero, one, weight"
    );
}

#[test]
fn spark_2_4_takes_nan_as_the_largest_number_and_prints_a_header_of_its_own() {
    let with_nan = table(&[300], None, |i, row| row.features[0] = if i % 10 == 0 { f64::NAN } else { row.features[0] });
    let classifier = DecisionTreeClassifier::new().label_col("binary").max_depth(2);
    assert!(classifier.fit(&with_nan).is_err());
    let model = classifier.spark_version(SparkVersion::V2_4).fit(&with_nan).unwrap();
    let (uid, depth, n_nodes) = (model.uid(), model.depth(), model.n_nodes());
    let header = format!("DecisionTreeClassificationModel (uid={uid}) of depth {depth} with {n_nodes} nodes\n  If (");
    assert!(model.to_debug_string().starts_with(&header), "{}", model.to_debug_string());
}
