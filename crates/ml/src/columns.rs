//! The columns that a stage reads and adds: one check and one wording for all stages.
//!
//! Stages that take one column or many (`inputCol` or `inputCols`) have one list inside: [`column_pairs`].

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use ognivo_data::column::find_column;
use ognivo_data::outcome::{Fate, Fates, Outcome};
use ognivo_data::schema::type_name;

use crate::param::{Key, ParamError, ParamKind, ParamSpec, Params};
use crate::stage::StageError;
use crate::uid::Uid;

/// Name of the column that is read.
pub const INPUT_COL: Key<String> = Key::new("inputCol");
/// Names of the columns that are read.
pub const INPUT_COLS: Key<Vec<String>> = Key::new("inputCols");
/// Name of the column that is added.
pub const OUTPUT_COL: Key<String> = Key::new("outputCol");
/// Names of the columns that are added.
pub const OUTPUT_COLS: Key<Vec<String>> = Key::new("outputCols");

/// Name of the vector column that is learned and predicted from.
pub const FEATURES_COL: Key<String> = Key::new("featuresCol");
/// Name of the column that is predicted.
pub const LABEL_COL: Key<String> = Key::new("labelCol");
/// Name of the column of weights.
pub const WEIGHT_COL: Key<String> = Key::new("weightCol");
/// Name of the column of what is predicted.
pub const PREDICTION_COL: Key<String> = Key::new("predictionCol");
/// Name of the vector column of margins, one per class.
pub const RAW_PREDICTION_COL: Key<String> = Key::new("rawPredictionCol");
/// Name of the vector column of probabilities, one per class.
pub const PROBABILITY_COL: Key<String> = Key::new("probabilityCol");

/// The declaration of `inputCol`.
pub const INPUT_COL_SPEC: ParamSpec = ParamSpec::new("inputCol", ParamKind::String, "input column");
/// The declaration of `outputCol`.
pub const OUTPUT_COL_SPEC: ParamSpec = ParamSpec::new("outputCol", ParamKind::String, "output column").uid_output();
/// The declaration of `inputCols`, for a stage that takes one column or many.
pub const INPUT_COLS_SPEC: ParamSpec =
    ParamSpec::new("inputCols", ParamKind::StringArray, "input columns, instead of inputCol");
/// The declaration of `outputCols`, for a stage that takes one column or many.
pub const OUTPUT_COLS_SPEC: ParamSpec =
    ParamSpec::new("outputCols", ParamKind::StringArray, "output columns, one for each of inputCols");

/// Input and output column of each thing that a stage of one or many columns does.
///
/// Same as Spark (3.0 and later): either `inputCol` with `outputCol` (which has a default), or `inputCols` with as many
/// `outputCols`.
///
/// # Errors
/// [`ParamError::Conflict`] for both or neither, for names that belong to the other form, and for lists of unlike length.
pub fn column_pairs(params: &Params) -> Result<Vec<(String, String)>, ParamError> {
    let conflict = |reason: String| ParamError::Conflict { uid: params.uid().clone(), reason };
    match (params.find(INPUT_COL), params.find(INPUT_COLS)) {
        (Some(_), Some(_)) => Err(conflict("inputCol and inputCols are both set; one is needed".to_owned())),
        (None, None) => Err(conflict("neither inputCol nor inputCols is set".to_owned())),
        (Some(input), None) => {
            if params.is_set(OUTPUT_COLS) {
                return Err(conflict("outputCols is set, and goes with inputCols, not with inputCol".to_owned()));
            }
            Ok(vec![(input, params.get(OUTPUT_COL))])
        }
        (None, Some(inputs)) => {
            if params.is_set(OUTPUT_COL) {
                return Err(conflict("outputCol is set, and goes with inputCol, not with inputCols".to_owned()));
            }
            let outputs = params.require(OUTPUT_COLS)?;
            if inputs.len() != outputs.len() {
                let reason = format!("{} inputCols and {} outputCols", inputs.len(), outputs.len());
                return Err(conflict(reason));
            }
            Ok(inputs.into_iter().zip(outputs).collect())
        }
    }
}

/// The names of the columns that a stage with these parameters reads, as far as parameters name them.
pub fn columns_read(params: &Params) -> Vec<String> {
    named_columns(params, |name| !names_output(name))
}

/// The names of the columns that a stage with these parameters adds.
pub fn columns_written(params: &Params) -> Vec<String> {
    named_columns(params, names_output)
}

/// Spark calls a column that is added an output, or by what is predicted.
fn names_output(param: &str) -> bool {
    param.starts_with("output")
        || ["predictionCol", "rawPredictionCol", "probabilityCol", "leafCol", "varianceCol"].contains(&param)
}

/// The values of the parameters that name columns (`…Col`, `…Cols`) and of whose names `is_meant` holds.
fn named_columns(params: &Params, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
    let mut columns = Vec::new();
    for spec in params.specs().iter().filter(|spec| is_meant(spec.name)) {
        match spec.kind {
            ParamKind::String if spec.name.ends_with("Col") => {
                columns.extend(params.find(Key::<String>::new(spec.name)))
            }
            ParamKind::StringArray if spec.name.ends_with("Cols") => {
                columns.extend(params.find(Key::<Vec<String>>::new(spec.name)).unwrap_or_default());
            }
            _ => {}
        }
    }
    columns
}

/// Position and field of the input column `name` of the stage `uid`.
///
/// # Errors
/// [`StageError::ColumnNotFound`].
pub fn input_column<'a>(uid: &Uid, input: &'a Schema, name: &str) -> Result<(usize, &'a Field), StageError> {
    find_column(input, name).map_err(|cause| StageError::ColumnNotFound { uid: uid.clone(), cause })
}

/// `input` with the output columns of the stage `uid` at its end.
///
/// # Errors
/// [`StageError::OutputExists`] for a name that is there already, or that is among the new ones twice.
pub fn with_columns(
    uid: &Uid,
    input: &Schema,
    added: impl IntoIterator<Item = Field>,
) -> Result<SchemaRef, StageError> {
    let mut fields: Vec<Arc<Field>> = input.fields().iter().cloned().collect();
    for field in added {
        if fields.iter().any(|known| known.name() == field.name()) {
            return Err(StageError::OutputExists { uid: uid.clone(), column: field.name().clone() });
        }
        fields.push(Arc::new(field));
    }
    Ok(Arc::new(Schema::new_with_metadata(fields, input.metadata().clone())))
}

/// `rows` with further columns at its end; `schema` is what [`with_columns`] gave. No column is copied.
///
/// # Panics
/// When a column has not the type or length that the schema and the rows ask for: the stage made it wrong.
pub fn append_columns(
    schema: &SchemaRef,
    rows: &RecordBatch,
    added: impl IntoIterator<Item = ArrayRef>,
) -> RecordBatch {
    let columns = rows.columns().iter().cloned().chain(added).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let extended = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
    extended.expect("a stage adds the columns that it announced")
}

/// The error that `column` of the stage `uid` is of type `found` and not `wanted`.
pub fn wrong_type(uid: &Uid, column: &str, wanted: &'static str, found: &DataType) -> StageError {
    StageError::WrongType { uid: uid.clone(), column: column.to_owned(), wanted, found: type_name(found) }
}

/// The outcome in which only the rows of `rows` whose fate is [`Fate::Kept`] go on.
///
/// # Panics
/// When there is not one fate for each row.
pub fn keep_rows(rows: &RecordBatch, fates: Vec<Fate>) -> Outcome {
    let is_kept: BooleanArray = fates.iter().map(|fate| Some(*fate == Fate::Kept)).collect();
    let kept = filter_record_batch(rows, &is_kept).expect("there is one fate for each row");
    Outcome::new(kept, Fates::Each(fates))
}
