//! `IndexToString`: indices back to labels.

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::take::take;
use ognivo_data::column::{Attribute, AttributeKind};
use ognivo_data::outcome::{Fate, Outcome, RejectCode, Rejection};
use ognivo_data::version::SparkVersion;

use super::scalar::{is_number, scalar_values};
use crate::columns::{
    INPUT_COL, INPUT_COL_SPEC, OUTPUT_COL, OUTPUT_COL_SPEC, append_columns, input_column, keep_rows, with_columns,
    wrong_type,
};
use crate::param::{Key, ParamKind, ParamSpec, Params};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Stage, StageError, Transformer};

const LABELS: Key<Vec<String>> = Key::new("labels");

static PARAMS: &[ParamSpec] = &[
    INPUT_COL_SPEC,
    ParamSpec::new(
        "labels",
        ParamKind::StringArray,
        "label of each index; those of the column's attribute when not given",
    ),
    OUTPUT_COL_SPEC,
];

/// Adds the label of each index: from `labels`, or else from the nominal attribute of the input column.
///
/// The input is a number column; the fraction of an index is cut off. A row whose index has no label is rejected.
///
/// Same as Spark: null gives null up to 3.5 and is rejected from 4.0 on; NaN counts as index 0 up to 3.5 and is rejected
/// from 4.0 on.
#[derive(Debug, Clone)]
pub struct IndexToString {
    params: Params,
}

impl Default for IndexToString {
    fn default() -> IndexToString {
        IndexToString::new()
    }
}

impl IndexToString {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.IndexToString";

    /// A stage with Spark's defaults; a column must be named.
    pub fn new() -> IndexToString {
        IndexToString { params: Params::new("IndexToString", PARAMS) }
    }

    /// The column of indices.
    pub fn input_col(mut self, name: impl Into<String>) -> IndexToString {
        self.params.put(INPUT_COL, name.into());
        self
    }

    /// The column of labels; `<uid>__output` when not named.
    pub fn output_col(mut self, name: impl Into<String>) -> IndexToString {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// The label of each index; an empty list asks for those of the column's attribute.
    pub fn labels<S: Into<String>>(mut self, labels: impl IntoIterator<Item = S>) -> IndexToString {
        self.params.put(LABELS, labels.into_iter().map(Into::into).collect());
        self
    }

    /// A stage from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have.
    pub fn from_saved(saved: &SavedStage) -> Result<IndexToString, SavedError> {
        let mut stage = IndexToString::new();
        saved.read_params(&mut stage.params)?;
        Ok(stage)
    }

    /// Position and name of the input column, and the schema with the output column.
    fn resolve(&self, input: &Schema) -> Result<(usize, String, SchemaRef), StageError> {
        self.params.check()?;
        let name = self.params.require(INPUT_COL)?;
        let (position, field) = input_column(self.uid(), input, &name)?;
        if !is_number(field.data_type()) {
            return Err(wrong_type(self.uid(), &name, "a number column", field.data_type()));
        }
        let output = Field::new(self.params.get(OUTPUT_COL), DataType::Utf8, true);
        Ok((position, name, with_columns(self.uid(), input, [output])?))
    }

    fn labels_for(&self, input: &Field) -> Result<Vec<String>, StageError> {
        if let Some(labels) = self.params.find(LABELS).filter(|labels| !labels.is_empty()) {
            return Ok(labels);
        }
        match Attribute::of(input).map(|attribute| attribute.kind) {
            Some(AttributeKind::Nominal { values: Some(labels), .. }) => Ok(labels),
            _ => Err(StageError::Unfit {
                uid: self.uid().clone(),
                reason: format!("column `{}` carries no labels, and `labels` is not set", input.name()),
                hint: Some("set `labels`, or take a column that StringIndexer wrote".to_owned()),
            }),
        }
    }
}

impl Configured for IndexToString {
    fn class(&self) -> &'static str {
        IndexToString::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(IndexToString::CLASS, &self.params, version)
    }
}

impl Transformer for IndexToString {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        let (position, name, schema) = self.resolve(input)?;
        let labels = StringArray::from_iter_values(self.labels_for(input.field(position))?);
        Ok(Box::new(BoundIndexToString { params: self.params.clone(), position, name, schema, labels }))
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
    /// Without the labels, which the column may only carry once the stages before are fitted.
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        Ok(self.resolve(input)?.2)
    }
}

impl From<IndexToString> for Stage {
    fn from(stage: IndexToString) -> Stage {
        Stage::Transformer(Box::new(stage))
    }
}

struct BoundIndexToString {
    params: Params,
    position: usize,
    name: String,
    schema: SchemaRef,
    labels: StringArray,
}

impl BoundIndexToString {
    /// The position of a value's label; `None` for a null label.
    fn label_at(&self, index: Option<f64>) -> Result<Option<u32>, Rejection> {
        let rejects_unusual = self.params.version() >= SparkVersion::V4_3;
        let Some(index) = index else {
            return if rejects_unusual {
                Err(self.rejection(RejectCode::NullValue, "unseen index: null"))
            } else {
                Ok(None)
            };
        };
        if index.is_nan() && rejects_unusual {
            return Err(self.rejection(RejectCode::NotFinite, "unseen index: NaN"));
        }
        // A cast cuts the fraction off and makes NaN 0, as Scala's `toInt` does.
        let position = index as i32;
        match u32::try_from(position) {
            Ok(position) if (position as usize) < self.labels.len() => Ok(Some(position)),
            _ => Err(self.rejection(RejectCode::OutOfRange, &format!("unseen index: {index:?}"))),
        }
    }

    fn rejection(&self, code: RejectCode, message: &str) -> Rejection {
        let message = message.to_owned();
        Rejection { stage: self.params.uid().to_string(), column: self.name.clone(), code, message }
    }
}

impl BoundStage for BoundIndexToString {
    fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn apply(&self, rows: RecordBatch) -> Result<Outcome, StageError> {
        let column = rows.column(self.position);
        let indices = scalar_values(column.as_ref());
        let found: Vec<Result<Option<u32>, Rejection>> = indices
            .iter()
            .enumerate()
            .map(|(row_idx, &index)| self.label_at(column.is_valid(row_idx).then_some(index)))
            .collect();
        let positions: UInt32Array = found.iter().map(|position| position.as_ref().ok().copied().flatten()).collect();
        let labels: ArrayRef = take(&self.labels, &positions, None).expect("positions were checked against the labels");
        let rows = append_columns(&self.schema, &rows, [labels]);
        if found.iter().all(Result::is_ok) {
            return Ok(Outcome::all_kept(rows));
        }
        let fate = |found: Result<Option<u32>, Rejection>| match found {
            Ok(_) => Fate::Kept,
            Err(rejection) => Fate::Rejected(Box::new(rejection)),
        };
        Ok(keep_rows(&rows, found.into_iter().map(fate).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use SparkVersion::{V3_5, V4_3};
    use arrow_array::Float64Array;
    use arrow_array::cast::AsArray;

    fn apply(version: SparkVersion, index: Option<f64>) -> Outcome {
        let mut stage = IndexToString::new().input_col("i").output_col("text").labels(["x", "y"]);
        stage.set_version(version);
        let column: ArrayRef = Arc::new(Float64Array::from(vec![index]));
        let rows = RecordBatch::try_from_iter_with_nullable([("i", column, true)]).unwrap();
        stage.bind(&rows.schema()).unwrap().apply(rows).unwrap()
    }

    /// As Spark 3.5.9 and 4.3.0 do: the label, `null`, or the reason of the rejection.
    #[track_caller]
    fn check(version: SparkVersion, index: Option<f64>, expected: &str) {
        let Outcome { rows, fates } = apply(version, index);
        let found = match fates.rejections().next() {
            Some((_, rejection)) => rejection.message.clone(),
            None => rows["text"].as_string::<i32>().iter().next().unwrap().unwrap_or("null").to_owned(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn the_fraction_of_an_index_is_cut_off() {
        for version in [V3_5, V4_3] {
            check(version, Some(1.9), "y");
            check(version, Some(-0.5), "x");
        }
    }

    #[test]
    fn an_index_without_label_is_rejected() {
        for version in [V3_5, V4_3] {
            check(version, Some(2.0), "unseen index: 2.0");
            check(version, Some(-1.0), "unseen index: -1.0");
            check(version, Some(1e300), "unseen index: 1e300");
        }
    }

    #[test]
    fn null_and_nan_are_rejected_from_spark_4_on() {
        check(V3_5, None, "null");
        check(V4_3, None, "unseen index: null");
        check(V3_5, Some(f64::NAN), "x");
        check(V4_3, Some(f64::NAN), "unseen index: NaN");
    }

    #[test]
    fn a_column_without_labels_is_refused() {
        let rows = Schema::new(vec![Field::new("i", DataType::Float64, true)]);
        let stage = IndexToString::new().input_col("i");
        let error = stage.bind(&Arc::new(rows)).err().unwrap();
        let expected = "column `i` carries no labels, and `labels` is not set";
        assert_eq!(error.to_string(), format!("stage `{}`: {expected}", stage.uid()));
    }
}
