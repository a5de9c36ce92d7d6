//! The columns that an evaluator's pass reads: one check and one wording for all evaluators.

use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use ognivo_data::dataset::DatasetError;
use ognivo_data::outcome::{RejectCode, Rejection};
use ognivo_data::vector::VectorColumn;
use serde::{Deserialize, Serialize};

use crate::columns::{input_column, wrong_type};
use crate::numeric::{is_numeric, to_doubles};
use crate::stage::StageError;
use crate::stage_map::RejectedRow;
use crate::uid::Uid;

/// A column of an evaluator, found in the schema.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Column {
    uid: String,
    name: String,
    position: usize,
}

impl Column {
    /// The column `name` of the evaluator `uid`, when its type `fits`; `wanted` says to a person which types do.
    pub(super) fn find(
        uid: &Uid,
        schema: &Schema,
        name: &str,
        wanted: &'static str,
        fits: impl Fn(&DataType) -> bool,
    ) -> Result<Column, StageError> {
        let (position, field) = input_column(uid, schema, name)?;
        match fits(field.data_type()) {
            true => Ok(Column { uid: uid.to_string(), name: name.to_owned(), position }),
            false => Err(wrong_type(uid, name, wanted, field.data_type())),
        }
    }

    /// The numeric column `name` of the evaluator `uid`.
    pub(super) fn numeric(uid: &Uid, schema: &Schema, name: &str) -> Result<Column, StageError> {
        Column::find(uid, schema, name, "numeric", is_numeric)
    }

    /// The values in a batch, none of them null.
    pub(super) fn values<'a>(&self, rows: &'a RecordBatch) -> Result<&'a ArrayRef, DatasetError> {
        let values = rows.column(self.position);
        match values.null_count() {
            0 => Ok(values),
            _ => Err(self.rejection(RejectCode::NullValue, "must not be null".to_owned())),
        }
    }

    /// The values of a numeric column as doubles, none of them null.
    pub(super) fn numbers(&self, rows: &RecordBatch) -> Result<Float64Array, DatasetError> {
        Ok(to_doubles(self.values(rows)?).expect("the type was checked against the schema"))
    }

    /// The values of a vector column, none of them null.
    pub(super) fn vectors<'a>(&self, rows: &'a RecordBatch) -> Result<VectorColumn<'a>, DatasetError> {
        VectorColumn::try_new(self.values(rows)?).map_err(|cause| {
            let (uid, column) = (Uid::new(self.uid.clone()), self.name.clone());
            DatasetError::new(StageError::BadVector { uid, column, cause })
        })
    }

    /// The error that a row's value in this column cannot be measured.
    pub(super) fn rejection(&self, code: RejectCode, message: String) -> DatasetError {
        let (stage, column) = (self.uid.clone(), self.name.clone());
        DatasetError::new(RejectedRow(Rejection { stage, column, code, message }))
    }
}

/// The column of weights, where there is one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Weights {
    column: Option<Column>,
}

impl Weights {
    /// The weights in the column `name`; without a name, or with an empty one, all rows weigh 1.
    pub(super) fn find(uid: &Uid, schema: &Schema, name: Option<String>) -> Result<Weights, StageError> {
        let name = name.filter(|name| !name.is_empty());
        Ok(Weights { column: name.map(|name| Column::numeric(uid, schema, &name)).transpose()? })
    }

    /// The weight of every row.
    ///
    /// Same as Spark: null, NaN, negative and infinite ones are refused.
    pub(super) fn of(&self, rows: &RecordBatch) -> Result<Float64Array, DatasetError> {
        let Some(column) = &self.column else { return Ok(vec![1.0; rows.num_rows()].into()) };
        let weights = column.numbers(rows)?;
        let refused = |weight: &&f64| !(0.0..f64::INFINITY).contains(*weight);
        match weights.values().iter().find(refused) {
            None => Ok(weights),
            Some(weight) if *weight < 0.0 => {
                Err(column.rejection(RejectCode::OutOfRange, format!("must not be negative: {weight}")))
            }
            Some(weight) => Err(column.rejection(RejectCode::NotFinite, format!("must be finite: {weight}"))),
        }
    }
}
