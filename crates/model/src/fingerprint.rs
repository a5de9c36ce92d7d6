//! The identity of a model: a hash of what its directory says.
//!
//! It does not depend on where the directory lies, when it was written, how its files are named, compressed or cut into parts,
//! or in which order keys stand in the metadata. It does depend on everything else: classes, uids, Spark release, parameters,
//! every value of every table with its type.

use std::fmt::Write;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, RecordBatch};
use arrow_buffer::ToByteSlice;
use arrow_schema::{DataType, TimeUnit};
use ognivo_data::schema::type_name;
use ognivo_ml::saved::SavedStage;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// What every fingerprint begins from; a change to the way it is computed changes this line.
const FORM: &str = "ognivo model 1";

/// The SHA-256 of what `saved` says, as 64 hexadecimal digits.
///
/// Equal for equal [`SavedStage`]s; -0.0 and 0.0 differ, and so do NaNs of different bits.
pub fn model_id(saved: &SavedStage) -> String {
    let mut fingerprint = Fingerprint { hash: Sha256::new() };
    fingerprint.text(FORM);
    fingerprint.stage(saved);
    let digest = fingerprint.hash.finalize();
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string succeeds");
        text
    })
}

/// Every item goes in with its length or count before it, so that no two contents give the same bytes.
struct Fingerprint {
    hash: Sha256,
}

impl Fingerprint {
    fn count(&mut self, n: usize) {
        self.hash.update((n as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.hash.update(text.as_bytes());
    }

    fn stage(&mut self, saved: &SavedStage) {
        self.text(&saved.class);
        self.text(saved.uid.as_str());
        self.text(&saved.spark_version);
        self.object(&saved.param_map);
        self.object(&saved.default_param_map);
        self.object(&saved.extra);
        self.count(saved.tables.len());
        for (name, rows) in &saved.tables {
            self.text(name);
            self.table(rows);
        }
        self.count(saved.children.len());
        for (name, child) in &saved.children {
            self.text(name);
            self.stage(child);
        }
    }

    fn object(&mut self, object: &Map<String, Value>) {
        let mut entries: Vec<(&String, &Value)> = object.iter().collect();
        entries.sort_by_key(|(name, _)| *name);
        self.count(entries.len());
        for (name, value) in entries {
            self.text(name);
            self.json(value);
        }
    }

    fn json(&mut self, value: &Value) {
        match value {
            Value::Object(object) => {
                self.text("object");
                self.object(object);
            }
            Value::Array(items) => {
                self.text("array");
                self.count(items.len());
                items.iter().for_each(|item| self.json(item));
            }
            // A text in its quotes, a number in its shortest digits: each differs from all other values.
            other => self.text(&other.to_string()),
        }
    }

    fn table(&mut self, rows: &RecordBatch) {
        self.count(rows.num_rows());
        self.count(rows.num_columns());
        for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
            self.text(field.name());
            self.text(&type_name(field.data_type()));
            self.values(column);
        }
    }

    fn values(&mut self, array: &ArrayRef) {
        let validity: Vec<u8> = (0..array.len()).map(|row_idx| u8::from(array.is_valid(row_idx))).collect();
        self.hash.update(&validity);
        match array.data_type() {
            DataType::Int8 => self.numbers::<Int8Type>(array),
            DataType::Int16 => self.numbers::<Int16Type>(array),
            DataType::Int32 => self.numbers::<Int32Type>(array),
            DataType::Int64 => self.numbers::<Int64Type>(array),
            DataType::Float32 => self.numbers::<Float32Type>(array),
            DataType::Float64 => self.numbers::<Float64Type>(array),
            DataType::Date32 => self.numbers::<Date32Type>(array),
            DataType::Decimal128(..) => self.numbers::<Decimal128Type>(array),
            DataType::Timestamp(TimeUnit::Microsecond, _) => self.numbers::<TimestampMicrosecondType>(array),
            DataType::Boolean => {
                array.as_boolean().iter().flatten().for_each(|value| self.hash.update([u8::from(value)]));
            }
            DataType::Utf8 => array.as_string::<i32>().iter().flatten().for_each(|text| self.text(text)),
            DataType::List(_) => array.as_list::<i32>().iter().flatten().for_each(|items| self.items(&items)),
            DataType::Map(..) => {
                array.as_map().iter().flatten().for_each(|entries| self.items(&(std::sync::Arc::new(entries) as _)));
            }
            DataType::Struct(_) => array.as_struct().columns().iter().for_each(|part| self.values(part)),
            // No other type comes out of a table's canonical form; its text is a hash as good as any.
            _ => self.text(&format!("{array:?}")),
        }
    }

    fn items(&mut self, items: &ArrayRef) {
        self.count(items.len());
        self.values(items);
    }

    fn numbers<T: ArrowPrimitiveType>(&mut self, array: &ArrayRef) {
        let numbers = array.as_primitive::<T>();
        if numbers.null_count() == 0 {
            return self.hash.update(numbers.values().inner().as_slice());
        }
        numbers.iter().flatten().for_each(|number| self.hash.update(number.to_byte_slice()));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Float64Array;
    use ognivo_data::vector::{Vector, VectorBuilder};
    use ognivo_ml::uid::Uid;
    use serde_json::json;

    use super::*;

    fn saved(values: &[f64]) -> SavedStage {
        let mut vectors = VectorBuilder::new();
        vectors.push(Vector::Dense(vec![1.0, 2.0]).as_ref());
        vectors.push_null();
        let columns: Vec<(&str, ArrayRef)> =
            vec![("weight", Arc::new(Float64Array::from(values.to_vec()))), ("vector", vectors.finish())];
        let mut stage = SavedStage {
            class: "a.B".to_owned(),
            uid: Uid::new("B_1"),
            spark_version: "3.5.9".to_owned(),
            param_map: Map::new(),
            default_param_map: Map::new(),
            extra: Map::new(),
            tables: Default::default(),
            children: Vec::new(),
        };
        stage.param_map = json!({"a": 1, "b": [1.0, "x"]}).as_object().cloned().unwrap();
        stage.with_table(
            "data",
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap(),
        )
    }

    #[test]
    fn the_fingerprint_is_the_same_in_every_build() {
        // A checkpoint holds it: when this test fails, FORM must change.
        assert_eq!(model_id(&saved(&[1.0, 2.0])), "5107e7c87a0f1a1c082d078bc0d2cf8bd9e62f586b413170a3d100157ad06440");
    }

    #[test]
    fn order_of_keys_and_slices_of_tables_do_not_count() {
        let mut other = saved(&[1.0, 2.0]);
        other.param_map = json!({"b": [1.0, "x"], "a": 1}).as_object().cloned().unwrap();
        let rows = other.tables.remove("data").unwrap();
        let twice = arrow_select::concat::concat_batches(&rows.schema(), [&rows, &rows]).unwrap();
        other.tables.insert("data".to_owned(), twice.slice(2, 2));
        assert_eq!(model_id(&other), model_id(&saved(&[1.0, 2.0])));
    }

    #[test]
    fn every_change_of_content_counts() {
        let original = saved(&[1.0, 2.0]);
        let mut others = vec![saved(&[1.0, 2.5]), saved(&[1.0, 2.0]).with_child("x".to_owned(), saved(&[1.0, 2.0]))];
        others.push(SavedStage { spark_version: "4.3.0".to_owned(), ..original.clone() });
        others.push(SavedStage { uid: Uid::new("B_2"), ..original.clone() });
        others.push(SavedStage {
            param_map: Map::new(),
            default_param_map: original.param_map.clone(),
            ..original.clone()
        });
        for other in others {
            assert_ne!(model_id(&other), model_id(&original));
        }
    }
}
