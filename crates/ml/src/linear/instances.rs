//! What a fit of a linear model sees: checked rows of features, label and weight.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::dataset::{Dataset, DatasetError, RowMap};
use ognivo_data::outcome::{RejectCode, Rejection};
use ognivo_data::vector::{VectorColumn, VectorRef, is_vector};
use ognivo_data::version::SparkVersion;

use super::params::{FEATURES_COL, LABEL_COL, WEIGHT_COL};
use crate::columns::{input_column, wrong_type};
use crate::numeric::{is_numeric, to_doubles};
use crate::param::Params;
use crate::stage::{FitError, StageError};
use crate::stage_map::RejectedRow;
use crate::stat::{Summarizer, WrongSize};
use crate::uid::Uid;

/// What a model learns to predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Labels {
    /// Whole numbers from 0.
    Classes,
    /// Finite numbers.
    Numbers,
}

/// The rows of `data` that a fit with these parameters sees, checked once and kept for many passes.
///
/// Same as Spark: 3.4 and later refuse features that are not finite, labels that are not what the model predicts, and weights
/// that are negative or not finite; earlier versions refuse only nulls and negative weights here.
pub(crate) fn instances(params: &Params, labels: Labels, data: &Dataset) -> Result<Dataset, FitError> {
    let map = Instances::of(params, labels, data.schema())?;
    Ok(data.map(Arc::new(map)).cached()?)
}

/// Checks that the columns which a fit reads are there and of the right types.
pub(crate) fn check_columns(params: &Params, schema: &Schema) -> Result<(), StageError> {
    // What the labels stand for makes no difference to their type.
    Instances::of(params, Labels::Numbers, schema).map(|_| ())
}

struct Column {
    position: usize,
    name: String,
}

/// The change of a row to an instance: features, label, and the weight where there is a column of it.
struct Instances {
    uid: Uid,
    is_strict: bool,
    labels: Labels,
    features: Column,
    label: Column,
    weight: Option<Column>,
    schema: SchemaRef,
}

impl Instances {
    fn of(params: &Params, labels: Labels, schema: &Schema) -> Result<Instances, StageError> {
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
        Ok(Instances { uid: uid.clone(), is_strict, labels, features, label, weight, schema })
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
        if !self.is_strict {
            return Ok(Arc::new(labels));
        }
        let is_class = |label: f64| label >= 0.0 && label < f64::from(i32::MAX) && label.fract() == 0.0;
        let (wrong, code, wanted) = match self.labels {
            Labels::Classes => {
                let wrong = labels.values().iter().find(|&&label| !is_class(label));
                (wrong, RejectCode::OutOfRange, "a whole number from 0")
            }
            Labels::Numbers => {
                let wrong = labels.values().iter().find(|label| !label.is_finite());
                (wrong, RejectCode::NotFinite, "a finite number")
            }
        };
        match wrong {
            None => Ok(Arc::new(labels)),
            Some(label) => Err(self.reject(&self.label, code, format!("must be {wanted}: {label}"))),
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
        // Some at a time without looking at each result, so that the compiler finds vector instructions.
        let all_of = |values: &[f64]| values.iter().fold(true, |finite, value| finite & value.is_finite());
        return block.values.chunks(256).all(all_of);
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
pub(crate) struct InstanceBatch<'a> {
    pub(crate) features: VectorColumn<'a>,
    pub(crate) labels: &'a [f64],
    /// All 1 when absent.
    pub(crate) weights: Option<&'a [f64]>,
}

impl<'a> InstanceBatch<'a> {
    /// A view of a batch that [`Instances`] made.
    pub(crate) fn of(rows: &'a RecordBatch) -> InstanceBatch<'a> {
        let numbers = |column: &'a ArrayRef| column.as_primitive::<Float64Type>().values().as_ref();
        InstanceBatch {
            features: VectorColumn::try_new(rows.column(0))
                .expect("the vectors were checked when the instances were made"),
            labels: numbers(rows.column(1)),
            weights: rows.columns().get(2).map(numbers),
        }
    }

    pub(crate) fn weight(&self, row_idx: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row_idx])
    }

    /// The vectors of a batch that is not one dense block. Instances have no null.
    pub(crate) fn vectors(&self) -> impl Iterator<Item = VectorRef<'a>> + '_ {
        self.features.iter().flatten()
    }

    /// Takes the features into `seen`.
    pub(crate) fn summarize_features(&self, seen: &mut Summarizer) -> Result<(), WrongSize> {
        if let Some(block) = self.features.dense_block() {
            return seen.add_block(&block, self.weights);
        }
        for (row_idx, vector) in self.vectors().enumerate() {
            seen.add(vector, self.weight(row_idx))?;
        }
        Ok(())
    }
}
