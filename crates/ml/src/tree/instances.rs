//! What a fit sees: checked rows of features, label and weight.

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
use crate::uid::Uid;

/// What labels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LabelKind {
    /// Whole numbers from 0.
    Class,
    /// Any number.
    Number,
}

/// The rows of `data` that a fit with these parameters sees, checked once and kept for many passes.
///
/// Same as Spark: classes must be whole numbers from 0 in every version; 3.4 and later refuse features and labels that are not
/// finite, and weights that are negative or not finite. 2.4 knows no weights and lets NaN pass as the largest number.
pub(super) fn instances(params: &Params, labels: LabelKind, data: &Dataset) -> Result<Dataset, FitError> {
    let map = Instances::of(params, labels, data.schema())?;
    Ok(data.map(Arc::new(map)).cached()?)
}

/// Checks that the columns which a fit reads are there and of the right types.
pub(crate) fn check_columns(params: &Params, schema: &Schema) -> Result<(), StageError> {
    Instances::of(params, LabelKind::Number, schema).map(|_| ())
}

struct Column {
    position: usize,
    name: String,
}

/// The change of a row to an instance: features, label, and the weight where there is a column of it.
struct Instances {
    uid: Uid,
    label_kind: LabelKind,
    is_strict: bool,
    features: Column,
    label: Column,
    weight: Option<Column>,
    schema: SchemaRef,
}

impl Instances {
    fn of(params: &Params, label_kind: LabelKind, schema: &Schema) -> Result<Instances, StageError> {
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
        Ok(Instances { uid: uid.clone(), label_kind, is_strict, features, label, weight, schema })
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

    /// The numbers of a column; the first that does not fit ends the fit.
    fn numbers(&self, column: &Column, rows: &RecordBatch, wanted: &Wanted) -> Result<ArrayRef, DatasetError> {
        let numbers: Float64Array =
            to_doubles(rows.column(column.position)).expect("the type was checked against the schema");
        self.without_nulls(column, &numbers)?;
        match numbers.values().iter().find(|&&number| !(wanted.fits)(number)) {
            None => Ok(Arc::new(numbers)),
            Some(number) => {
                Err(self.reject(column, RejectCode::OutOfRange, format!("must be {}: {number}", wanted.what)))
            }
        }
    }

    fn wanted_label(&self) -> Wanted {
        match self.label_kind {
            LabelKind::Class => Wanted {
                what: "a whole number from 0",
                fits: |label| label >= 0.0 && label < f64::from(i32::MAX) && label.fract() == 0.0,
            },
            LabelKind::Number if self.is_strict => Wanted { what: "finite", fits: f64::is_finite },
            LabelKind::Number => Wanted { what: "a number", fits: |_| true },
        }
    }
}

/// What a column of numbers may hold.
struct Wanted {
    what: &'static str,
    fits: fn(f64) -> bool,
}

const WANTED_WEIGHT: Wanted =
    Wanted { what: "finite and not negative", fits: |weight| weight >= 0.0 && weight.is_finite() };

fn all_finite(vectors: &VectorColumn<'_>) -> bool {
    if let Some(block) = vectors.dense_block() {
        return block.values.iter().fold(true, |all, value| all & value.is_finite());
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
        let mut columns = vec![self.features(&rows)?, self.numbers(&self.label, &rows, &self.wanted_label())?];
        if let Some(weight) = &self.weight {
            columns.push(self.numbers(weight, &rows, &WANTED_WEIGHT)?);
        }
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns).expect("the columns have the types of the schema"))
    }
}

/// Rows that are worked on together: their features fit into the nearest cache of a processor.
pub(super) const BLOCK_ROWS: usize = 128;

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

    /// Calls `visit` with the features of up to `n_rows` rows at a time, row by row, all of them written out. `n_features` is the
    /// size of every vector, and not 0.
    pub(super) fn for_each_dense_block(&self, n_features: usize, n_rows: usize, mut visit: impl FnMut(&[f64])) {
        if let Some(block) = self.features.dense_block() {
            return block.values.chunks(n_rows * n_features).for_each(visit);
        }
        let vectors: Vec<VectorRef<'a>> = self.features.iter().flatten().collect();
        for vectors in vectors.chunks(n_rows) {
            let mut rows = vec![0.0; vectors.len() * n_features];
            rows.chunks_exact_mut(n_features).zip(vectors).for_each(|(row, vector)| vector.write_dense(row));
            visit(&rows);
        }
    }
}
