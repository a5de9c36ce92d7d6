//! What a fit sees: checked rows of features, label and weight, and their statistics.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError, RowMap};
use ognivo_data::outcome::{RejectCode, Rejection};
use ognivo_data::vector::{VectorColumn, VectorRef, is_vector};
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::params::{FEATURES_COL, LABEL_COL, WEIGHT_COL};
use crate::columns::{input_column, wrong_type};
use crate::numeric::{is_numeric, to_doubles};
use crate::param::Params;
use crate::stage::{FitError, StageError};
use crate::stage_map::RejectedRow;
use crate::stat::{Summarizer, WrongSize};
use crate::uid::Uid;

/// The rows of `data` that a fit with these parameters sees, checked once and kept for many passes.
///
/// Same as Spark: 3.4 and later refuse features that are not finite, labels that are not whole numbers from 0, and weights that
/// are negative or not finite; earlier versions refuse only nulls and negative weights here.
pub(super) fn instances(params: &Params, data: &Dataset) -> Result<Dataset, FitError> {
    let map = Instances::of(params, data.schema())?;
    Ok(data.map(Arc::new(map)).cached()?)
}

/// Checks that the columns which a fit reads are there and of the right types.
pub(super) fn check_columns(params: &Params, schema: &Schema) -> Result<(), StageError> {
    Instances::of(params, schema).map(|_| ())
}

struct Column {
    position: usize,
    name: String,
}

/// The change of a row to an instance: features, label, and the weight where there is a column of it.
struct Instances {
    uid: Uid,
    is_strict: bool,
    features: Column,
    label: Column,
    weight: Option<Column>,
    schema: SchemaRef,
}

impl Instances {
    fn of(params: &Params, schema: &Schema) -> Result<Instances, StageError> {
        let uid = params.uid();
        let column = |name: String, fits: fn(&DataType) -> bool, wanted| {
            let (position, field) = input_column(uid, schema, &name)?;
            match fits(field.data_type()) {
                true => Ok(Column { position, name }),
                false => Err(wrong_type(uid, &name, wanted, field.data_type())),
            }
        };
        let features = column(params.get(FEATURES_COL), is_vector, "a vector")?;
        let label = column(params.get(LABEL_COL), is_numeric, "numeric")?;
        let weight = params.find(WEIGHT_COL).filter(|name| !name.is_empty());
        let weight = weight.map(|name| column(name, is_numeric, "numeric")).transpose()?;
        let mut fields = vec![
            Field::new("features", schema.field(features.position).data_type().clone(), true),
            Field::new("label", DataType::Float64, true),
        ];
        fields.extend(weight.as_ref().map(|_| Field::new("weight", DataType::Float64, true)));
        let is_strict = params.version() >= SparkVersion::V3_5;
        let schema = Arc::new(Schema::new(fields));
        Ok(Instances { uid: uid.clone(), is_strict, features, label, weight, schema })
    }

    fn reject(&self, column: &Column, code: RejectCode, message: String) -> DatasetError {
        let (stage, column) = (self.uid.to_string(), column.name.clone());
        DatasetError::new(RejectedRow(Rejection { stage, column, code, message }))
    }

    fn without_nulls(&self, column: &Column, values: &dyn Array) -> Result<(), DatasetError> {
        match values.null_count() {
            0 => Ok(()),
            _ => Err(self.reject(column, RejectCode::NullValue, "must not be null".to_owned())),
        }
    }

    fn features(&self, rows: &RecordBatch) -> Result<ArrayRef, DatasetError> {
        let column = rows.column(self.features.position);
        self.without_nulls(&self.features, column)?;
        let vectors = VectorColumn::try_new(column).map_err(|cause| {
            let (uid, column) = (self.uid.clone(), self.features.name.clone());
            DatasetError::new(StageError::BadVector { uid, column, cause })
        })?;
        if self.is_strict && !all_finite(&vectors) {
            return Err(self.reject(&self.features, RejectCode::NotFinite, "a value is NaN or infinite".to_owned()));
        }
        Ok(Arc::clone(column))
    }

    fn numbers(&self, column: &Column, rows: &RecordBatch) -> Result<Float64Array, DatasetError> {
        let numbers = to_doubles(rows.column(column.position)).expect("the type was checked against the schema");
        self.without_nulls(column, &numbers)?;
        Ok(numbers)
    }

    fn labels(&self, rows: &RecordBatch) -> Result<ArrayRef, DatasetError> {
        let labels = self.numbers(&self.label, rows)?;
        let is_label = |label: f64| label >= 0.0 && label < f64::from(i32::MAX) && label.fract() == 0.0;
        match labels.values().iter().find(|&&label| self.is_strict && !is_label(label)) {
            None => Ok(Arc::new(labels)),
            Some(label) => {
                let message = format!("must be a whole number from 0: {label}");
                Err(self.reject(&self.label, RejectCode::OutOfRange, message))
            }
        }
    }

    fn weights(&self, column: &Column, rows: &RecordBatch) -> Result<ArrayRef, DatasetError> {
        let weights = self.numbers(column, rows)?;
        let is_weight = |weight: f64| weight >= 0.0 && (weight.is_finite() || !self.is_strict);
        match weights.values().iter().find(|&&weight| !is_weight(weight)) {
            None => Ok(Arc::new(weights)),
            Some(weight) => {
                let message = format!("must be finite and not negative: {weight}");
                Err(self.reject(column, RejectCode::OutOfRange, message))
            }
        }
    }
}

fn all_finite(vectors: &VectorColumn<'_>) -> bool {
    if let Some(block) = vectors.dense_block() {
        return block.values.iter().all(|value| value.is_finite());
    }
    let mut finite = true;
    for vector in vectors.iter().flatten() {
        vector.for_each_stored(|_, value| finite &= value.is_finite());
    }
    finite
}

impl RowMap for Instances {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn apply(&self, rows: RecordBatch) -> Result<RecordBatch, DatasetError> {
        let mut columns = vec![self.features(&rows)?, self.labels(&rows)?];
        if let Some(weight) = &self.weight {
            columns.push(self.weights(weight, &rows)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns).expect("the columns have the types of the schema"))
    }
}

/// One batch of instances, as a pass sees it.
pub(super) struct InstanceBatch<'a> {
    pub(super) features: VectorColumn<'a>,
    pub(super) labels: &'a [f64],
    /// All 1 when absent.
    pub(super) weights: Option<&'a [f64]>,
}

impl<'a> InstanceBatch<'a> {
    /// A view of a batch that [`Instances`] made.
    pub(super) fn of(rows: &'a RecordBatch) -> InstanceBatch<'a> {
        let numbers = |column: &'a ArrayRef| column.as_primitive::<Float64Type>().values().as_ref();
        InstanceBatch {
            features: VectorColumn::try_new(rows.column(0))
                .expect("the vectors were checked when the instances were made"),
            labels: numbers(rows.column(1)),
            weights: rows.columns().get(2).map(numbers),
        }
    }

    pub(super) fn weight(&self, row_idx: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row_idx])
    }

    /// The vectors of a batch that is not one dense block. Instances have no null.
    pub(super) fn vectors(&self) -> impl Iterator<Item = VectorRef<'a>> + '_ {
        self.features.iter().flatten()
    }
}

/// Labels below this are counted in an array; most columns of labels have no others.
const N_SMALL_LABELS: usize = 16;

/// Mean and deviation of the features, and how much weight each label has: the first pass of a fit.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct InstanceSummary {
    pub(super) features: Summarizer,
    label_weights: BTreeMap<u32, f64>,
    /// Rows whose label is no class (only 2.4 lets them come this far).
    pub(super) n_invalid_labels: u64,
    /// A vector had another size than the ones before it.
    pub(super) wrong_size: Option<WrongSize>,
}

impl InstanceSummary {
    /// The weight of every label from 0 to the largest.
    pub(super) fn histogram(&self) -> Vec<f64> {
        let n_labels = self.label_weights.last_key_value().map_or(0, |(&label, _)| label as usize + 1);
        let mut histogram = vec![0.0; n_labels];
        self.label_weights.iter().for_each(|(&label, &weight)| histogram[label as usize] = weight);
        histogram
    }

    /// The largest label plus one.
    pub(super) fn n_labels(&self) -> u64 {
        self.label_weights.last_key_value().map_or(0, |(&label, _)| u64::from(label) + 1)
    }

    /// Adds the weights of a batch's labels, each to what was there, row by row; small labels without a look-up per row.
    fn add_labels(&mut self, batch: &InstanceBatch<'_>) {
        let mut weights = [0.0; N_SMALL_LABELS];
        for (&label, &weight) in self.label_weights.range(..N_SMALL_LABELS as u32) {
            weights[label as usize] = weight;
        }
        for (row_idx, &label) in batch.labels.iter().enumerate() {
            let weight = batch.weight(row_idx);
            // The cast takes what is negative, NaN or too large to an end of its range: then it is another number.
            let small = label as u8 as usize;
            if small < N_SMALL_LABELS && label - small as f64 == 0.0 {
                weights[small] += weight;
            } else {
                self.add_label(label, weight);
            }
        }
        let small = weights.iter().zip(0..).filter(|&(&weight, _)| weight != 0.0);
        self.label_weights.extend(small.map(|(&weight, label)| (label, weight)));
    }

    fn add_label(&mut self, label: f64, weight: f64) {
        if weight == 0.0 {
            return;
        }
        if label < 0.0 || label.fract() != 0.0 || label > f64::from(i32::MAX) {
            self.n_invalid_labels += 1;
            return;
        }
        *self.label_weights.entry(label as u32).or_insert(0.0) += weight;
    }

    fn add_features(&mut self, batch: &InstanceBatch<'_>) -> Result<(), WrongSize> {
        if let Some(block) = batch.features.dense_block() {
            return self.features.add_block(&block, batch.weights);
        }
        for (row_idx, vector) in batch.vectors().enumerate() {
            self.features.add(vector, batch.weight(row_idx))?;
        }
        Ok(())
    }
}

impl Aggregate for InstanceSummary {
    const NAME: &'static str = "statistics of features and labels";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let batch = InstanceBatch::of(rows);
        if let Err(wrong_size) = self.add_features(&batch) {
            self.wrong_size.get_or_insert(wrong_size);
        }
        self.add_labels(&batch);
        Ok(())
    }

    fn merge(&mut self, later: InstanceSummary) {
        if let Err(wrong_size) = self.features.merge(later.features) {
            self.wrong_size.get_or_insert(wrong_size);
        }
        self.wrong_size = self.wrong_size.or(later.wrong_size);
        self.n_invalid_labels += later.n_invalid_labels;
        for (label, weight) in later.label_weights {
            *self.label_weights.entry(label).or_insert(0.0) += weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use ognivo_data::vector::dense_column;

    #[test]
    fn small_and_large_labels_get_their_weights_and_what_is_no_class_is_counted() {
        let labels = vec![1.0, -0.0, 15.0, 16.0, 300.0, 1.0, 0.5, -1.0, f64::NAN, 1e300, 2.0];
        let weights = vec![0.5, 1.0, 2.0, 3.0, 4.0, 0.25, 1.0, 1.0, 1.0, 1.0, 0.0];
        let n_rows = labels.len();
        let number = |values: Vec<f64>| Arc::new(Float64Array::from(values)) as ArrayRef;
        let columns = [
            ("features", dense_column(vec![1.0; n_rows], n_rows, 1)),
            ("label", number(labels)),
            ("weight", number(weights)),
        ];
        let mut summary = InstanceSummary::default();
        for _ in 0..2 {
            summary.update(&RecordBatch::try_from_iter(columns.clone()).unwrap()).unwrap();
        }
        let expected = BTreeMap::from([(0, 2.0), (1, 1.5), (15, 4.0), (16, 6.0), (300, 8.0)]);
        assert_eq!(summary.label_weights, expected);
        assert_eq!(summary.n_invalid_labels, 8);
    }
}
