//! What a fit of a linear model or of a tree sees: checked rows of features, label and weight.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::dataset::{Dataset, DatasetError, RowMap};
use ognivo_data::outcome::{RejectCode, Rejection};
use ognivo_data::vector::{VectorColumn, VectorRef, dense_column, is_vector};

use crate::columns::{FEATURES_COL, LABEL_COL, WEIGHT_COL, input_column, wrong_type};
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
    /// Numbers.
    Numbers,
}

/// What a column of numbers may hold.
#[derive(Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) what: &'static str,
    pub(crate) fits: fn(f64) -> bool,
    /// What a row is rejected for that does not hold it.
    pub(crate) code: RejectCode,
}

/// A class.
pub(crate) const CLASS: Wanted = Wanted {
    what: "a whole number from 0",
    fits: |label| label >= 0.0 && label < f64::from(i32::MAX) && label.fract() == 0.0,
    code: RejectCode::OutOfRange,
};
/// Anything but null.
pub(crate) const NUMBER: Wanted = Wanted { what: "a number", fits: |_| true, code: RejectCode::OutOfRange };
/// A weight.
pub(crate) const WEIGHT: Wanted = Wanted {
    what: "finite and not negative",
    fits: |weight| weight >= 0.0 && weight.is_finite(),
    code: RejectCode::OutOfRange,
};

/// What a family of models asks of its rows, beyond that nothing is null.
pub(crate) struct Checks {
    /// No feature may be NaN or infinite.
    pub(crate) finite_features: bool,
    pub(crate) label: Wanted,
    pub(crate) weight: Wanted,
}

/// The rows of `data` that a fit with these parameters sees, checked once and kept for many passes.
pub(crate) fn instances(params: &Params, checks: Checks, data: &Dataset) -> Result<Dataset, FitError> {
    let columns = Columns::of(params, data.schema())?;
    Ok(data.map(Arc::new(Instances { uid: params.uid().clone(), checks, columns })).cached()?)
}

/// Checks that the columns which a fit reads are there and of the right types.
pub(crate) fn check_columns(params: &Params, schema: &Schema) -> Result<(), StageError> {
    Columns::of(params, schema).map(|_| ())
}

struct Column {
    position: usize,
    name: String,
}

/// The columns that a fit reads, and the schema of its instances.
struct Columns {
    features: Column,
    label: Column,
    weight: Option<Column>,
    schema: SchemaRef,
}

impl Columns {
    fn of(params: &Params, schema: &Schema) -> Result<Columns, StageError> {
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
        Ok(Columns { features, label, weight, schema: Arc::new(Schema::new(fields)) })
    }
}

/// The change of a row to an instance: features, label, and the weight where there is a column of it.
struct Instances {
    uid: Uid,
    checks: Checks,
    columns: Columns,
}

impl Instances {
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
        let features = &self.columns.features;
        let column = rows.column(features.position);
        self.without_nulls(features, column)?;
        let vectors = VectorColumn::try_new(column).map_err(|cause| {
            let (uid, column) = (self.uid.clone(), features.name.clone());
            DatasetError::new(StageError::BadVector { uid, column, cause })
        })?;
        if self.checks.finite_features && !all_finite(&vectors) {
            return Err(self.reject(features, RejectCode::NotFinite, "a value is NaN or infinite".to_owned()));
        }
        Ok(as_dense(&vectors).unwrap_or_else(|| Arc::clone(column)))
    }

    /// The numbers of a column; the first that does not fit ends the fit.
    fn numbers(&self, column: &Column, rows: &RecordBatch, wanted: Wanted) -> Result<ArrayRef, DatasetError> {
        let numbers: Float64Array =
            to_doubles(rows.column(column.position)).expect("the type was checked against the schema");
        self.without_nulls(column, &numbers)?;
        match numbers.values().iter().find(|&&number| !(wanted.fits)(number)) {
            None => Ok(Arc::new(numbers)),
            Some(number) => Err(self.reject(column, wanted.code, format!("must be {}: {number}", wanted.what))),
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

/// Vectors of at most so many features are kept with all of their zeros: passes over a block are many times faster.
const MAX_FEATURES_OF_DENSE: usize = 64;

/// Short vectors of one size, of which some are sparse, as a block; `None` for others, and where nothing is to be done.
///
/// A zero adds nothing to any sum, so no fit changes by it.
fn as_dense(vectors: &VectorColumn<'_>) -> Option<ArrayRef> {
    let n_features = vectors.iter().next()??.size();
    let is_short = (1..=MAX_FEATURES_OF_DENSE).contains(&n_features);
    if !is_short || vectors.dense_block().is_some() {
        return None;
    }
    let mut values = vec![0.0; vectors.len() * n_features];
    for (vector, row) in vectors.iter().zip(values.chunks_exact_mut(n_features)) {
        let vector = vector.filter(|vector| vector.size() == n_features)?;
        vector.write_dense(row);
    }
    Some(dense_column(values, vectors.len(), n_features))
}

impl RowMap for Instances {
    fn schema(&self) -> &SchemaRef {
        &self.columns.schema
    }

    fn apply(&self, rows: RecordBatch) -> Result<RecordBatch, DatasetError> {
        let Columns { label, weight, schema, .. } = &self.columns;
        let mut columns = vec![self.features(&rows)?, self.numbers(label, &rows, self.checks.label)?];
        if let Some(weight) = weight {
            columns.push(self.numbers(weight, &rows, self.checks.weight)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(schema), columns).expect("the columns have the types of the schema"))
    }
}

/// Instances with some slots of their vectors, in the order of `slots`. Each batch must be one dense block.
pub(crate) fn of_slots(instances: &Dataset, slots: &[usize]) -> Dataset {
    instances.map(Arc::new(OfSlots { schema: Arc::clone(instances.schema()), slots: slots.to_vec() }))
}

/// Whether each batch of the instances is one dense block.
pub(crate) fn are_dense(instances: &Dataset) -> Result<bool, DatasetError> {
    let partitions = instances.collect()?;
    Ok(partitions.iter().flatten().all(|rows| InstanceBatch::of(rows).features.dense_block().is_some()))
}

/// The change of instances to those of some slots.
struct OfSlots {
    schema: SchemaRef,
    slots: Vec<usize>,
}

impl RowMap for OfSlots {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn apply(&self, rows: RecordBatch) -> Result<RecordBatch, DatasetError> {
        let batch = InstanceBatch::of(&rows);
        let block = batch.features.dense_block().expect("whoever chooses slots has looked");
        let mut values = Vec::with_capacity(block.n_rows * self.slots.len());
        for row in block.values.chunks_exact(block.n_features) {
            values.extend(self.slots.iter().map(|&slot| row[slot]));
        }
        let mut columns = rows.columns().to_vec();
        columns[0] = dense_column(values, block.n_rows, self.slots.len());
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

    /// Calls `visit` with the features of up to `n_rows` rows at a time, row by row, all of them written out. `n_features` is the
    /// size of every vector, and not 0.
    pub(crate) fn for_each_dense_block(&self, n_features: usize, n_rows: usize, mut visit: impl FnMut(&[f64])) {
        if let Some(block) = self.features.dense_block() {
            return block.values.chunks(n_rows * n_features).for_each(visit);
        }
        let vectors: Vec<VectorRef<'a>> = self.vectors().collect();
        for vectors in vectors.chunks(n_rows) {
            let mut rows = vec![0.0; vectors.len() * n_features];
            rows.chunks_exact_mut(n_features).zip(vectors).for_each(|(row, vector)| vector.write_dense(row));
            visit(&rows);
        }
    }
}
