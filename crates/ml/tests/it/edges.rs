//! `fixtures/spark/<line>/edges`, as categories.py wrote them: one value, and what Spark made of it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::Schema;
use ognivo_data::column::{Attribute, AttributeGroup};
use ognivo_data::vector::{VectorColumn, number_from_json};
use ognivo_data::version::SparkVersion;
use ognivo_ml::feature::bucketizer::Bucketizer;
use ognivo_ml::feature::one_hot_encoder::{OneHotEncoder, OneHotEncoderModel};
use ognivo_ml::stage::{Configured, Transformer};
use serde_json::{Value, json};

use crate::fixtures::{LINES, dataset, json as fixture};

/// A table of one row with the column `x`, or of none.
fn rows(values: &[Option<f64>]) -> RecordBatch {
    let column: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
    RecordBatch::try_from_iter_with_nullable([("x", column, true)]).unwrap()
}

fn row(entry: &Value) -> RecordBatch {
    rows(&[number_from_json(&entry["x"])])
}

/// The last column of what a stage gives, by `read`; `None` when it rejects a row.
fn given(stage: &dyn Transformer, rows: RecordBatch, read: fn(&ArrayRef) -> Value) -> Option<Value> {
    let outcome = stage.bind(&rows.schema()).unwrap().apply(rows).unwrap();
    (outcome.fates.n_rejected() == 0).then(|| read(outcome.rows.columns().last().unwrap()))
}

/// Spark's value where it gave one, and otherwise its error is there.
fn expected(entry: &Value) -> Option<Value> {
    assert!(entry["value"].is_null() == entry["error"].is_string(), "a value or an error: {entry}");
    entry.get("value").cloned()
}

fn numbers(column: &ArrayRef) -> Value {
    column.as_primitive::<Float64Type>().iter().map(|value| json!(value)).collect()
}

fn vectors(column: &ArrayRef) -> Value {
    let column = VectorColumn::try_new(column).unwrap();
    column.iter().map(|vector| vector.map_or(Value::Null, |vector| vector.to_owned().to_json())).collect()
}

/// The entries of a list of a fixture, of which there are at least so many.
fn entries(fixture: &Value, key: &str, least: usize) -> Vec<Value> {
    let entries = fixture[key].as_array().unwrap().clone();
    assert!(entries.len() >= least, "only {} entries", entries.len());
    entries
}

#[test]
fn bucketizers_place_every_value_as_spark_does() {
    for (line, version) in LINES {
        for entry in entries(&fixture(&format!("{line}/edges/bucketizer.json")), "rows", 100) {
            let mut stage = Bucketizer::new().input_col("x");
            stage.set_version(version);
            for name in ["splits", "handleInvalid"] {
                stage.params_mut().set_json(name, &entry[name]).unwrap();
            }
            assert_eq!(given(&stage, row(&entry), numbers), expected(&entry), "{line}: {entry}");
        }
    }
}

/// Sets what the entry's `params` say.
fn set_params(stage: &mut dyn Configured, entry: &Value) {
    for (name, value) in entry["params"].as_object().unwrap() {
        stage.params_mut().set_json(name, value).unwrap();
    }
}

/// A model of three categories with the entry's parameters.
fn three_categories(version: SparkVersion, entry: &Value) -> OneHotEncoderModel {
    let mut model = OneHotEncoderModel::new(vec![3]);
    model.set_version(version);
    model.params_mut().set_json("inputCol", &json!("x")).unwrap();
    set_params(&mut model, entry);
    model
}

#[test]
fn one_hot_encoders_encode_every_value_as_spark_does() {
    for (line, version) in LINES {
        for entry in entries(&fixture(&format!("{line}/edges/one_hot_encoder.json")), "rows", 60) {
            let model = three_categories(version, &entry);
            assert_eq!(given(&model, row(&entry), vectors), expected(&entry), "{line}: {entry}");
        }
    }
}

/// A table of one row whose column `x` has labels.
fn labelled(entry: &Value) -> RecordBatch {
    let labels = entry["labels"].as_array().unwrap().iter().map(|label| label.as_str().unwrap().to_owned());
    let rows = rows(&[Some(0.0)]);
    let field = Attribute::nominal("x", labels.collect()).attach(rows.schema().field(0).clone());
    RecordBatch::try_new(Arc::new(Schema::new(vec![field])), rows.columns().to_vec()).unwrap()
}

#[test]
fn one_hot_encoders_take_the_labels_that_spark_takes() {
    for (line, version) in LINES {
        let fixture = fixture(&format!("{line}/edges/one_hot_encoder.json"));
        for entry in entries(&fixture, "labelled", 24) {
            let mut encoder = OneHotEncoder::new().input_col("x");
            encoder.set_version(version);
            set_params(&mut encoder, &entry);
            let fitted = encoder.fit(&dataset(labelled(&entry)));
            let sizes = fitted.ok().map(|model| json!(model.category_sizes()));
            assert_eq!(sizes, expected(&entry), "{line}: {entry}");
        }
        for entry in entries(&fixture, "bound", 24) {
            let bound = three_categories(version, &entry).bind(&labelled(&entry).schema());
            let names = bound.ok().map(|bound| {
                let group = AttributeGroup::of(bound.output_schema().field(1));
                group.attributes.unwrap().into_iter().map(|slot| json!(slot.name)).collect::<Value>()
            });
            assert_eq!(names, expected(&entry), "{line}: {entry}");
        }
    }
}

#[test]
fn one_hot_encoders_learn_from_the_values_from_which_spark_does() {
    for (line, version) in LINES {
        for entry in entries(&fixture(&format!("{line}/edges/one_hot_encoder.json")), "fits", 15) {
            let mut encoder = OneHotEncoder::new().input_col("x");
            encoder.set_version(version);
            let rows = if entry["empty"] == true { rows(&[]) } else { row(&entry) };
            let fitted = encoder.fit(&dataset(rows));
            let sizes = fitted.ok().map(|model| json!(model.category_sizes()));
            assert_eq!(sizes, expected(&entry), "{line}: {entry}");
        }
    }
}
