//! `Imputer`: numbers for the missing values of columns.
//!
//! ```text
//! data/part-….parquet   one row: a double for each input column, under its name
//! ```

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::dataset::Dataset;
use ognivo_data::outcome::{Fate, Outcome, RejectCode, Rejection};
use ognivo_data::version::SparkVersion;

use super::filler::Filler;
use super::scalar::is_number;
use super::surrogate::Incomplete;
use super::{RELATIVE_ERROR, RELATIVE_ERROR_SPEC};
use crate::columns::{
    INPUT_COL, INPUT_COL_SPEC, INPUT_COLS, INPUT_COLS_SPEC, OUTPUT_COL, OUTPUT_COL_SPEC, OUTPUT_COLS, OUTPUT_COLS_SPEC,
    column_pairs, input_column, keep_rows, wrong_type,
};
use crate::param::{Key, ParamError, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Estimator, FitError, Stage, StageError, Transformer};
use crate::uid::Uid;

pub use super::surrogate::Strategy;

const MISSING_VALUE: Key<f64> = Key::new("missingValue");
const STRATEGY: Key<String> = Key::new("strategy");

static PARAMS: &[ParamSpec] = &[
    INPUT_COL_SPEC.since(SparkVersion::V3_5),
    INPUT_COLS_SPEC,
    ParamSpec::new("missingValue", ParamKind::Double, "value that is missing, as null always is").double(f64::NAN),
    OUTPUT_COL_SPEC.since(SparkVersion::V3_5),
    OUTPUT_COLS_SPEC,
    RELATIVE_ERROR_SPEC.since(SparkVersion::V3_5),
    ParamSpec::new("strategy", ParamKind::String, "what stands in for missing values")
        .text("mean")
        .range(Range::OneOf(&["mean", "median", "mode"])),
];

/// Learns a surrogate for the missing values of one or many columns: their mean, median or mode.
///
/// Null, NaN and `missingValue` are left out.
///
/// Same as Spark: columns are doubles and floats in 2.4, numbers of every type later; the median is approximate
/// ([`relative_error`](Imputer::relative_error)), and an element of the column.
/// Differs from Spark: partitions of more than 16,384 rows are summed in chunks, so the last bits of a mean can differ.
#[derive(Debug, Clone)]
pub struct Imputer {
    params: Params,
}

impl Default for Imputer {
    fn default() -> Imputer {
        Imputer::new()
    }
}

impl Imputer {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.Imputer";

    /// An imputer with Spark's defaults: NaN and null are missing, the mean stands in; a column must be named.
    pub fn new() -> Imputer {
        Imputer { params: Params::new("Imputer", PARAMS) }
    }

    /// The column to complete.
    pub fn input_col(mut self, name: impl Into<String>) -> Imputer {
        self.params.put(INPUT_COL, name.into());
        self
    }

    /// The completed column; `<uid>__output` when not named. A column of that name is replaced.
    pub fn output_col(mut self, name: impl Into<String>) -> Imputer {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// The columns to complete, instead of [`input_col`](Imputer::input_col).
    pub fn input_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Imputer {
        self.params.put(INPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// The completed columns, one for each of [`input_cols`](Imputer::input_cols). Columns of these names are replaced.
    pub fn output_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Imputer {
        self.params.put(OUTPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// What stands in for missing values.
    pub fn strategy(mut self, strategy: Strategy) -> Imputer {
        self.params.put(STRATEGY, strategy.as_str().to_owned());
        self
    }

    /// The value that is missing, as null always is; NaN when not set.
    pub fn missing_value(mut self, missing_value: f64) -> Imputer {
        self.params.put(MISSING_VALUE, missing_value);
        self
    }

    /// How far from the middle rank a median's rank may be, as a share of the values.
    pub fn relative_error(mut self, relative_error: f64) -> Imputer {
        self.params.put(RELATIVE_ERROR, relative_error);
        self
    }

    /// Learns the surrogates in one pass.
    ///
    /// # Errors
    /// [`FitError`] for wrong columns or parameters, when the pass fails, and for a column whose values are all missing.
    pub fn fit(&self, data: &Dataset) -> Result<ImputerModel, FitError> {
        Estimator::output_schema(self, data.schema())?;
        let columns = completed_columns(&self.params, data.schema())?;
        let incomplete = Incomplete {
            columns: columns.iter().map(|column| column.position).collect(),
            missing_value: self.params.get(MISSING_VALUE),
            relative_error: self.params.get(RELATIVE_ERROR),
            version: self.params.version(),
        };
        let surrogates = incomplete.surrogates(strategy(&self.params), data)?;
        let learned = columns.into_iter().map(|column| column.input).zip(surrogates);
        let mut model = ImputerModel::new(self.all_known(learned.collect())?);
        model.params.inherit(&self.params);
        Ok(model)
    }

    /// The surrogates, when every column has one.
    fn all_known(&self, learned: Vec<(String, Option<f64>)>) -> Result<Vec<(String, f64)>, FitError> {
        let unknown = learned.iter().filter(|(_, surrogate)| surrogate.is_none());
        let unknown: Vec<String> = unknown.map(|(column, _)| format!("`{column}`")).collect();
        if unknown.is_empty() {
            return Ok(learned.into_iter().filter_map(|(column, surrogate)| Some((column, surrogate?))).collect());
        }
        let (columns, missing_value) = (unknown.join(", "), self.params.get(MISSING_VALUE));
        let reason = format!(
            "no surrogate can be computed: all values of {columns} are null, NaN or missingValue ({missing_value:?})"
        );
        let hint = "leave the columns out of inputCols, or fill them before".to_owned();
        Err(FitError::Unlearnable { uid: self.uid().clone(), reason, hint: Some(hint) })
    }

    /// An imputer from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have.
    pub fn from_saved(saved: &SavedStage) -> Result<Imputer, SavedError> {
        let mut stage = Imputer::new();
        saved.read_params(&mut stage.params)?;
        Ok(stage)
    }
}

fn strategy(params: &Params) -> Strategy {
    match params.get(STRATEGY).as_str() {
        "median" => Strategy::Median,
        "mode" => Strategy::Mode,
        _ => Strategy::Mean,
    }
}

/// One column, resolved against a schema.
struct CompletedColumn {
    position: usize,
    input: String,
    output: Field,
}

fn completed_columns(params: &Params, input: &Schema) -> Result<Vec<CompletedColumn>, StageError> {
    params.check()?;
    let pairs = column_pairs(params)?;
    check_names(params, &pairs)?;
    let resolve = |(name, output): (String, String)| {
        let (position, field) = input_column(params.uid(), input, &name)?;
        let data_type = field.data_type();
        let (is_taken, wanted) = match params.version() {
            SparkVersion::V2_4 => {
                (matches!(data_type, DataType::Float32 | DataType::Float64), "a column of doubles or floats")
            }
            _ => (is_number(data_type), "a number column"),
        };
        if !is_taken {
            return Err(wrong_type(params.uid(), &name, wanted, data_type));
        }
        // A decimal becomes null when a double does not fit into it.
        let is_nullable = field.is_nullable() || matches!(data_type, DataType::Decimal128(..));
        Ok(CompletedColumn { position, input: name, output: Field::new(output, data_type.clone(), is_nullable) })
    };
    pairs.into_iter().map(resolve).collect()
}

/// That there are columns, and that none is named twice.
fn check_names(params: &Params, pairs: &[(String, String)]) -> Result<(), ParamError> {
    let conflict = |reason: String| Err(ParamError::Conflict { uid: params.uid().clone(), reason });
    if pairs.is_empty() {
        return conflict("inputCols is empty".to_owned());
    }
    for (position, (input, output)) in pairs.iter().enumerate() {
        if pairs[..position].iter().any(|(known, _)| known == input) {
            return conflict(format!("inputCols has a column twice: {input}"));
        }
        if pairs[..position].iter().any(|(_, known)| known == output) {
            return conflict(format!("outputCols has a column twice: {output}"));
        }
    }
    Ok(())
}

/// Where a column of each name goes: in the place of one that is there, else to the end.
fn places(input: &Schema, columns: &[CompletedColumn]) -> Vec<usize> {
    let mut n_columns = input.fields().len();
    let place = |column: &CompletedColumn| match input.index_of(column.output.name()) {
        Ok(position) => position,
        Err(_) => {
            n_columns += 1;
            n_columns - 1
        }
    };
    columns.iter().map(place).collect()
}

/// `items`, and the new ones at their [`places`].
fn placed<T: Clone>(items: &[T], places: &[usize], new: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items = items.to_vec();
    for (&place, item) in places.iter().zip(new) {
        match items.get_mut(place) {
            Some(old) => *old = item,
            None => items.push(item),
        }
    }
    items
}

fn output_schema(input: &Schema, columns: &[CompletedColumn]) -> SchemaRef {
    let new = columns.iter().map(|column| Arc::new(column.output.clone()));
    let fields = placed(input.fields(), &places(input, columns), new);
    Arc::new(Schema::new_with_metadata(fields, input.metadata().clone()))
}

/// What the directory says, but for tables.
fn saved_as(class: &str, params: &Params, version: SparkVersion) -> Result<SavedStage, SavedError> {
    let saved = SavedStage::of_params(class, params, version)?;
    if version == SparkVersion::V2_4 && strategy(params) == Strategy::Mode {
        return Err(saved.fault("strategy", format!("Spark {version} does not know this value: mode")));
    }
    Ok(saved)
}

impl Configured for Imputer {
    fn class(&self) -> &'static str {
        Imputer::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        saved_as(Imputer::CLASS, &self.params, version)
    }
}

impl Estimator for Imputer {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        Ok(output_schema(input, &completed_columns(&self.params, input)?))
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(Imputer::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<Imputer> for Stage {
    fn from(stage: Imputer) -> Stage {
        Stage::Estimator(Box::new(stage))
    }
}

/// Puts surrogates in the place of null and of `missingValue`, into a column of the input column's type.
///
/// An output column that is there already is replaced, so that a column can be completed in its place.
///
/// Same as Spark: a NaN is replaced only when `missingValue` is NaN; all values go through doubles, so that longs beyond 2⁵³
/// are rounded; the fraction of a surrogate is cut off for a column of integers. A surrogate that does not fit into the
/// column's type wraps around up to 3.5, or becomes null in decimals; in 4.3 the row is rejected.
#[derive(Debug, Clone)]
pub struct ImputerModel {
    params: Params,
    surrogates: Vec<(String, f64)>,
}

impl ImputerModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.ImputerModel";

    /// The model of these surrogates, by input column.
    pub fn new(surrogates: Vec<(String, f64)>) -> ImputerModel {
        ImputerModel { params: Params::new("Imputer", PARAMS), surrogates }
    }

    /// Input columns, and what stands in for their missing values.
    pub fn surrogates(&self) -> &[(String, f64)] {
        &self.surrogates
    }

    /// A model from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have, and for a table that is not one row of doubles.
    pub fn from_saved(saved: &SavedStage) -> Result<ImputerModel, SavedError> {
        let table = saved.table("data")?;
        if table.num_rows() != 1 {
            return Err(saved.fault("data", format!("not one row of surrogates: {}", table.num_rows())));
        }
        let surrogate = |(field, column): (&Arc<Field>, &ArrayRef)| {
            let number = column.as_primitive_opt::<Float64Type>().filter(|column| column.null_count() == 0);
            let number = number.ok_or_else(|| saved.fault(field.name(), "not a double".to_owned()))?;
            Ok((field.name().clone(), number.value(0)))
        };
        let surrogates = table.schema_ref().fields().iter().zip(table.columns()).map(surrogate);
        let mut model = ImputerModel::new(surrogates.collect::<Result<_, SavedError>>()?);
        saved.read_params(&mut model.params)?;
        Ok(model)
    }

    fn surrogate_of(&self, column: &str) -> Result<f64, StageError> {
        let known = self.surrogates.iter().find(|(name, _)| name == column);
        known.map(|(_, surrogate)| *surrogate).ok_or_else(|| {
            let reason = format!("no surrogate was learned for column `{column}`");
            StageError::Unfit { uid: self.uid().clone(), reason, hint: None }
        })
    }
}

impl Configured for ImputerModel {
    fn class(&self) -> &'static str {
        ImputerModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let saved = saved_as(ImputerModel::CLASS, &self.params, version)?;
        let fields = self.surrogates.iter().map(|(name, _)| Field::new(name, DataType::Float64, false));
        let columns = self.surrogates.iter().map(|&(_, number)| Arc::new(Float64Array::from(vec![number])) as ArrayRef);
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let row = RecordBatch::try_new(schema, columns.collect());
        let row = row.map_err(|error| saved.fault("data", error.to_string()))?;
        Ok(saved.with_table("data", row))
    }
}

impl Transformer for ImputerModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        let columns = completed_columns(&self.params, input)?;
        let missing_value = self.params.get(MISSING_VALUE);
        let fill = |column: &CompletedColumn| {
            let surrogate = self.surrogate_of(&column.input)?;
            Ok(Filler::new(column.output.data_type(), surrogate, missing_value, self.params.version()))
        };
        let fillers = columns.iter().map(fill).collect::<Result<Vec<_>, StageError>>()?;
        let (schema, places) = (output_schema(input, &columns), places(input, &columns));
        Ok(Box::new(BoundImputer { uid: self.uid().clone(), columns, fillers, schema, places }))
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl From<ImputerModel> for Stage {
    fn from(model: ImputerModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

struct BoundImputer {
    uid: Uid,
    columns: Vec<CompletedColumn>,
    fillers: Vec<Filler>,
    schema: SchemaRef,
    /// Of each completed column among those that come out.
    places: Vec<usize>,
}

impl BoundStage for BoundImputer {
    fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn apply(&self, rows: RecordBatch) -> Result<Outcome, StageError> {
        let mut fates = Vec::new();
        let mut completed = Vec::with_capacity(self.columns.len());
        for (column, filler) in self.columns.iter().zip(&self.fillers) {
            let filled = filler.fill(rows.column(column.position));
            if !filled.misfits.is_empty() && fates.is_empty() {
                fates = vec![Fate::Kept; rows.num_rows()];
            }
            for (row_idx, value) in filled.misfits {
                if fates[row_idx] == Fate::Kept {
                    let (stage, column) = (self.uid.to_string(), column.input.clone());
                    let (code, message) = (RejectCode::CastFailed, filler.complaint(value));
                    fates[row_idx] = Fate::Rejected(Box::new(Rejection { stage, column, code, message }));
                }
            }
            completed.push(filled.column);
        }
        let columns = placed(rows.columns(), &self.places, completed);
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        let rows = rows.expect("an imputer gives the columns that it announced");
        Ok(if fates.is_empty() { Outcome::all_kept(rows) } else { keep_rows(&rows, fates) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::{Decimal128Type, Int8Type, Int64Type};
    use arrow_array::{Decimal128Array, Int8Array, Int64Array, StringArray};
    use ognivo_data::dataset::LocalExecutor;
    use ognivo_data::fault::Explain;

    fn rows(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
            .unwrap()
    }

    fn doubles(values: &[Option<f64>]) -> ArrayRef {
        Arc::new(Float64Array::from(values.to_vec()))
    }

    fn data(rows: RecordBatch) -> Dataset {
        Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::single_threaded()))
    }

    /// A model with the surrogate for the column `x`, which it completes in its place.
    fn model(surrogate: f64, version: SparkVersion) -> ImputerModel {
        let mut model = ImputerModel::new(vec![("x".to_owned(), surrogate)]);
        model.params.put(INPUT_COL, "x".to_owned());
        model.params.put(OUTPUT_COL, "x".to_owned());
        model.set_version(version);
        model
    }

    fn apply(model: &ImputerModel, rows: RecordBatch) -> Outcome {
        model.bind(&rows.schema()).unwrap().apply(rows).unwrap()
    }

    #[test]
    fn a_column_that_is_named_as_output_is_replaced_in_its_place() {
        let imputer = Imputer::new().input_cols(["x", "y"]).output_cols(["y", "x"]).strategy(Strategy::Median);
        let rows = rows(vec![
            ("x", doubles(&[Some(1.0), None])),
            ("z", doubles(&[None, None])),
            ("y", doubles(&[Some(f64::NAN), Some(5.0)])),
        ]);
        let completed = apply(&imputer.fit(&data(rows.clone())).unwrap(), rows).rows;
        let names: Vec<_> = completed.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["x", "z", "y"]);
        assert_eq!(completed.column(0).as_primitive::<Float64Type>().values(), &[5.0, 5.0]);
        assert_eq!(completed.column(2).as_primitive::<Float64Type>().values(), &[1.0, 1.0]);
    }

    #[test]
    fn a_surrogate_that_does_not_fit_wraps_around_in_3_5_and_rejects_the_row_in_4_3() {
        let rows = rows(vec![("x", Arc::new(Int8Array::from(vec![Some(3), None, Some(-7)])))]);
        let wrapped = apply(&model(300.9, SparkVersion::V3_5), rows.clone());
        assert_eq!(wrapped.rows.column(0).as_primitive::<Int8Type>().values(), &[3, 44, -7]);
        let outcome = apply(&model(300.9, SparkVersion::V4_3), rows);
        let rejected: Vec<_> = outcome.fates.rejections().map(|(row, why)| (row, why.message.as_str())).collect();
        assert_eq!(rejected, [(1, "cannot be cast to tinyint: 300.9")]);
        assert_eq!(outcome.rows.column(0).as_primitive::<Int8Type>().values(), &[3, -7]);
    }

    #[test]
    fn a_decimal_without_room_is_null_in_3_5_and_rejects_the_row_in_4_3() {
        let decimals = Decimal128Array::from(vec![Some(150), None]).with_precision_and_scale(4, 2).unwrap();
        let rows = rows(vec![("x", Arc::new(decimals))]);
        let old = apply(&model(100.0, SparkVersion::V3_5), rows.clone()).rows;
        assert_eq!(old.column(0).as_primitive::<Decimal128Type>().iter().collect::<Vec<_>>(), [Some(150), None]);
        assert_eq!(apply(&model(100.0, SparkVersion::V4_3), rows.clone()).fates.n_rejected(), 1);
        let rounded = apply(&model(2.0 / 3.0, SparkVersion::V4_3), rows).rows;
        assert_eq!(rounded.column(0).as_primitive::<Decimal128Type>().values(), &[150, 67]);
    }

    #[test]
    fn longs_go_through_doubles_as_in_spark() {
        let rows =
            rows(vec![("x", Arc::new(Int64Array::from(vec![Some(9_007_199_254_740_993), Some(i64::MAX), None])))]);
        let completed = apply(&model(-2.9, SparkVersion::V4_3), rows).rows;
        let expected = [9_007_199_254_740_992, i64::MAX, -2];
        assert_eq!(completed.column(0).as_primitive::<Int64Type>().values(), &expected);
    }

    #[test]
    fn columns_whose_values_are_all_missing_are_named() {
        let rows = rows(vec![
            ("x", doubles(&[None, Some(f64::NAN), Some(0.0)])),
            ("y", doubles(&[Some(1.0), None, None])),
            ("z", doubles(&[None, None, None])),
        ]);
        for strategy in [Strategy::Mean, Strategy::Median, Strategy::Mode] {
            let imputer = Imputer::new().input_cols(["x", "y", "z"]).output_cols(["a", "b", "c"]).strategy(strategy);
            let error = imputer.missing_value(0.0).fit(&data(rows.clone())).unwrap_err();
            let expected = "no surrogate can be computed: all values of `x`, `z` are null, NaN or missingValue (0.0)";
            assert!(error.to_string().ends_with(expected), "{error}");
            assert!(error.hint().is_some());
        }
    }

    #[track_caller]
    fn check_refused(mut imputer: Imputer, version: SparkVersion, expected: &str) {
        let columns = rows(vec![
            ("x", doubles(&[Some(1.0)])),
            ("n", Arc::new(Int64Array::from(vec![1]))),
            ("text", Arc::new(StringArray::from(vec!["a"]))),
        ]);
        imputer.set_version(version);
        let error = imputer.fit(&data(columns)).unwrap_err();
        assert_eq!(error.to_string(), format!("stage `{}`: {expected}", imputer.uid()));
    }

    #[test]
    fn columns_that_cannot_be_completed_are_refused() {
        let (one, many) =
            (|name: &str| Imputer::new().input_col(name), |names: [&str; 2]| Imputer::new().input_cols(names));
        let newest = SparkVersion::default();
        check_refused(one("text"), newest, "column `text` must be a number column: string");
        check_refused(one("n"), SparkVersion::V2_4, "column `n` must be a column of doubles or floats: bigint");
        check_refused(many(["x", "x"]).output_cols(["a", "b"]), newest, "inputCols has a column twice: x");
        check_refused(many(["x", "n"]).output_cols(["a", "a"]), newest, "outputCols has a column twice: a");
        let none: [&str; 0] = [];
        check_refused(Imputer::new().input_cols(none).output_cols(none), newest, "inputCols is empty");
        check_refused(one("y"), newest, "column `y` not found; input columns: x, n, text");
    }

    #[test]
    fn a_model_without_a_surrogate_for_its_column_is_refused_before_the_first_row() {
        let mut model = model(1.0, SparkVersion::V4_3);
        model.params.put(INPUT_COL, "y".to_owned());
        let error = model.bind(&rows(vec![("y", doubles(&[]))]).schema()).err().unwrap();
        assert!(error.to_string().ends_with("no surrogate was learned for column `y`"), "{error}");
    }

    #[test]
    fn the_layout_of_2_4_has_many_columns_and_no_mode() {
        let many = Imputer::new().input_cols(["x"]).output_cols(["y"]);
        assert_eq!(many.to_saved(SparkVersion::V2_4).unwrap().default_param_map.len(), 2);
        let mode = many.strategy(Strategy::Mode).to_saved(SparkVersion::V2_4).unwrap_err();
        assert_eq!(mode.reason, "Spark 2.4 does not know this value: mode");
        let one = Imputer::new().input_col("x").to_saved(SparkVersion::V2_4).unwrap_err();
        assert_eq!(one.field, "inputCol");
    }
}
