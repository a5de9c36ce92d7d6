//! `StringIndexer`: labels to indices.
//!
//! ```text
//! data/part-….parquet   one row: labelsArray list<list<string>>, one list per column      (Spark 3.0 and later)
//!                                labels list<string>                                       (Spark 2.4)
//! ```

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Float64Array, ListArray, RecordBatch, StringArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::column::{Attribute, AttributeKind};
use ognivo_data::dataset::Dataset;
use ognivo_data::outcome::{Fate, Outcome};
use ognivo_data::version::SparkVersion;

use super::label::{self, LabelType};
use super::label_counts::LabelCounts;
use super::label_index::LabelIndex;
use super::{HANDLE_INVALID, HandleInvalid};
use crate::columns::{
    INPUT_COL, INPUT_COL_SPEC, INPUT_COLS, INPUT_COLS_SPEC, OUTPUT_COL, OUTPUT_COL_SPEC, OUTPUT_COLS, OUTPUT_COLS_SPEC,
    append_columns, column_pairs, input_column, keep_rows, with_columns, wrong_type,
};
use crate::param::{Key, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Estimator, FitError, Stage, StageError, Transformer};

pub use super::label_counts::StringOrder;

const STRING_ORDER_TYPE: Key<String> = Key::new("stringOrderType");

static PARAMS: &[ParamSpec] = &[
    HandleInvalid::SPEC,
    INPUT_COL_SPEC,
    INPUT_COLS_SPEC.since(SparkVersion::V3_5),
    OUTPUT_COL_SPEC,
    OUTPUT_COLS_SPEC.since(SparkVersion::V3_5),
    ParamSpec::new("stringOrderType", ParamKind::String, "which label gets index 0")
        .text("frequencyDesc")
        .range(Range::OneOf(&["frequencyDesc", "frequencyAsc", "alphabetDesc", "alphabetAsc"])),
];

/// The label that an attribute names for rows that are kept although they have none of the labels.
const UNKNOWN: &str = "__unknown";

/// Learns the labels of one or many columns and gives each an index: 0 for the first in `stringOrderType`.
///
/// Text columns are taken as they are, numbers by their text (`1.0` for the double 1). Null and NaN are not counted; the
/// empty text is a label.
///
/// Same as Spark: booleans are refused; labels of equal counts are in ascending alphabetical order, by UTF-16 units in 3.x
/// and by UTF-8 bytes in 4.x; in 2.4 they are in the order of the Scala map that counts them.
/// Differs from Spark: the text of a floating point number is that of a JVM of 19 and later; in 2.4, labels that share a
/// place in the map (a hash code, or one of 64 slots when there are four labels or fewer) are in alphabetical order, not in
/// the order in which they were first seen.
#[derive(Debug, Clone)]
pub struct StringIndexer {
    params: Params,
}

impl Default for StringIndexer {
    fn default() -> StringIndexer {
        StringIndexer::new()
    }
}

impl StringIndexer {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.StringIndexer";

    /// An indexer with Spark's defaults; a column must be named.
    pub fn new() -> StringIndexer {
        StringIndexer { params: Params::new("StringIndexer", PARAMS) }
    }

    /// The column to index.
    pub fn input_col(mut self, name: impl Into<String>) -> StringIndexer {
        self.params.put(INPUT_COL, name.into());
        self
    }

    /// The column of indices; `<uid>__output` when not named.
    pub fn output_col(mut self, name: impl Into<String>) -> StringIndexer {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// The columns to index, instead of [`input_col`](StringIndexer::input_col).
    pub fn input_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> StringIndexer {
        self.params.put(INPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// The columns of indices, one for each of [`input_cols`](StringIndexer::input_cols).
    pub fn output_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> StringIndexer {
        self.params.put(OUTPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// What the model does with null and with values that are none of its labels.
    pub fn handle_invalid(mut self, handle_invalid: HandleInvalid) -> StringIndexer {
        self.params.put(HANDLE_INVALID, handle_invalid.as_str().to_owned());
        self
    }

    /// Which label gets index 0.
    pub fn string_order_type(mut self, order: StringOrder) -> StringIndexer {
        self.params.put(STRING_ORDER_TYPE, order.as_str().to_owned());
        self
    }

    /// Counts the labels in one pass.
    ///
    /// # Errors
    /// [`FitError`] for wrong columns or parameters, and when the pass fails.
    pub fn fit(&self, data: &Dataset) -> Result<StringIndexerModel, FitError> {
        Estimator::output_schema(self, data.schema())?;
        let columns = indexed_columns(&self.params, data.schema())?;
        let counts = data.aggregate(LabelCounts::new(columns.iter().map(|column| column.position)))?;
        let label_types: Vec<LabelType> = columns.iter().map(|column| column.label_type).collect();
        let labels = counts.into_labels(&label_types, self.order(), self.params.version(), data.n_partitions());
        let mut model = StringIndexerModel::from_arrays_of_labels(labels);
        model.params.inherit(&self.params);
        Ok(model)
    }

    fn order(&self) -> StringOrder {
        match self.params.get(STRING_ORDER_TYPE).as_str() {
            "frequencyAsc" => StringOrder::FrequencyAsc,
            "alphabetDesc" => StringOrder::AlphabetDesc,
            "alphabetAsc" => StringOrder::AlphabetAsc,
            _ => StringOrder::FrequencyDesc,
        }
    }

    /// An indexer from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have.
    pub fn from_saved(saved: &SavedStage) -> Result<StringIndexer, SavedError> {
        let mut stage = StringIndexer::new();
        saved.read_params(&mut stage.params)?;
        Ok(stage)
    }
}

/// One input column, resolved against a schema.
struct IndexedColumn {
    position: usize,
    input: String,
    output: String,
    label_type: LabelType,
}

fn indexed_columns(params: &Params, input: &Schema) -> Result<Vec<IndexedColumn>, StageError> {
    params.check()?;
    let resolve = |(name, output): (String, String)| {
        let (position, field) = input_column(params.uid(), input, &name)?;
        let label_type = LabelType::of(field.data_type())
            .ok_or_else(|| wrong_type(params.uid(), &name, label::WANTED, field.data_type()))?;
        Ok(IndexedColumn { position, input: name, output, label_type })
    };
    column_pairs(params)?.into_iter().map(resolve).collect()
}

fn index_field(name: &str, labels: Option<Vec<String>>) -> Field {
    let kind = AttributeKind::Nominal { values: labels, n_values: None, is_ordinal: None };
    Attribute { name: None, kind }.attach(Field::new(name, DataType::Float64, false))
}

impl Configured for StringIndexer {
    fn class(&self) -> &'static str {
        StringIndexer::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(StringIndexer::CLASS, &self.params, version)
    }
}

impl Estimator for StringIndexer {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        let columns = indexed_columns(&self.params, input)?;
        with_columns(self.uid(), input, columns.iter().map(|column| index_field(&column.output, None)))
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(StringIndexer::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<StringIndexer> for Stage {
    fn from(stage: StringIndexer) -> Stage {
        Stage::Estimator(Box::new(stage))
    }
}

/// Replaces labels by their indices: adds a column of doubles, never null, for each input column.
///
/// Null, NaN and values that are none of the labels are invalid. With `handleInvalid` = `error` such a row is rejected, with
/// `skip` it is dropped when any of the columns is invalid, with `keep` the index is the number of labels, and the
/// column's attribute names it `__unknown`.
///
/// Same as Spark. Differs from Spark: an input column that is missing is an error (Spark leaves the output column out).
#[derive(Debug, Clone)]
pub struct StringIndexerModel {
    params: Params,
    labels: Vec<Vec<String>>,
}

impl StringIndexerModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.StringIndexerModel";

    /// A model of one column that was not fitted here.
    pub fn from_labels<S: Into<String>>(labels: impl IntoIterator<Item = S>) -> StringIndexerModel {
        StringIndexerModel::from_arrays_of_labels(vec![labels.into_iter().map(Into::into).collect()])
    }

    /// A model of one column for each list of labels.
    pub fn from_arrays_of_labels(labels: Vec<Vec<String>>) -> StringIndexerModel {
        StringIndexerModel { params: Params::new("StringIndexerModel", PARAMS), labels }
    }

    /// The column to index.
    pub fn input_col(mut self, name: impl Into<String>) -> StringIndexerModel {
        self.params.put(INPUT_COL, name.into());
        self
    }

    /// The column of indices; `<uid>__output` when not named.
    pub fn output_col(mut self, name: impl Into<String>) -> StringIndexerModel {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// The columns to index, instead of [`input_col`](StringIndexerModel::input_col).
    pub fn input_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> StringIndexerModel {
        self.params.put(INPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// The columns of indices, one for each of [`input_cols`](StringIndexerModel::input_cols).
    pub fn output_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> StringIndexerModel {
        self.params.put(OUTPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// What happens to rows with null or a value that is none of the labels.
    pub fn handle_invalid(mut self, handle_invalid: HandleInvalid) -> StringIndexerModel {
        self.params.put(HANDLE_INVALID, handle_invalid.as_str().to_owned());
        self
    }

    /// The labels of each column, by index.
    pub fn labels_array(&self) -> &[Vec<String>] {
        &self.labels
    }

    /// A model from its directory, in the layout of any version.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have, and for a table that is not one row of labels.
    pub fn from_saved(saved: &SavedStage) -> Result<StringIndexerModel, SavedError> {
        let table = saved.table("data")?;
        let row = |name| table.column_by_name(name).filter(|_| table.num_rows() == 1);
        let labels = match (row("labelsArray"), row("labels")) {
            (Some(lists), _) => lists_of_labels(lists),
            (None, Some(list)) => list_of_labels(list).map(|labels| vec![labels]),
            (None, None) => None,
        };
        let labels = labels.ok_or_else(|| saved.fault("data", "not one row with the lists of labels".to_owned()))?;
        let mut model = StringIndexerModel::from_arrays_of_labels(labels);
        saved.read_params(&mut model.params)?;
        Ok(model)
    }
}

impl Configured for StringIndexerModel {
    fn class(&self) -> &'static str {
        StringIndexerModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let saved = SavedStage::of_params(StringIndexerModel::CLASS, &self.params, version)?;
        if version >= SparkVersion::V3_5 {
            return Ok(saved.with_table("data", one_row("labelsArray", labels_array_column(&self.labels))));
        }
        match self.labels.as_slice() {
            [labels] => Ok(saved.with_table("data", one_row("labels", labels_column(std::slice::from_ref(labels))))),
            several => {
                let reason = format!("Spark {version} indexes one column, and there are labels of {}", several.len());
                Err(saved.fault("labels", reason))
            }
        }
    }
}

fn one_row(name: &str, column: ArrayRef) -> RecordBatch {
    let schema = Schema::new(vec![Field::new(name, column.data_type().clone(), true)]);
    RecordBatch::try_new(Arc::new(schema), vec![column]).expect("the schema is made from the column")
}

/// One list of texts for each list of labels.
fn labels_column(labels: &[Vec<String>]) -> ArrayRef {
    let texts: StringArray = labels.iter().flatten().map(Some).collect();
    list_column(labels.iter().map(Vec::len), Arc::new(texts))
}

/// One row, with a list of lists of texts.
fn labels_array_column(labels: &[Vec<String>]) -> ArrayRef {
    list_column([labels.len()], labels_column(labels))
}

fn list_column(lengths: impl IntoIterator<Item = usize>, items: ArrayRef) -> ArrayRef {
    let element = Arc::new(Field::new("element", items.data_type().clone(), true));
    Arc::new(ListArray::new(element, OffsetBuffer::from_lengths(lengths), items, None))
}

fn lists_of_labels(column: &dyn Array) -> Option<Vec<Vec<String>>> {
    let lists = column.as_list_opt::<i32>().filter(|lists| lists.null_count() == 0)?.value(0);
    let lists = lists.as_list_opt::<i32>().filter(|lists| lists.null_count() == 0)?;
    lists.iter().map(|labels| texts(labels?.as_ref())).collect()
}

fn list_of_labels(column: &dyn Array) -> Option<Vec<String>> {
    let labels = column.as_list_opt::<i32>().filter(|lists| lists.null_count() == 0)?.value(0);
    texts(labels.as_ref())
}

/// The texts of a column that has no nulls.
fn texts(column: &dyn Array) -> Option<Vec<String>> {
    if LabelType::of(column.data_type()) != Some(LabelType::Text)
        || matches!(column.data_type(), DataType::Dictionary(..))
    {
        return None;
    }
    let mut texts = Some(Vec::with_capacity(column.len()));
    label::for_each_text(column, |text| match (text, &mut texts) {
        (Some(text), Some(texts)) => texts.push(text.to_owned()),
        _ => texts = None,
    });
    texts
}

impl Transformer for StringIndexerModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        let columns = indexed_columns(&self.params, input)?;
        if columns.len() != self.labels.len() {
            let reason =
                format!("there are labels of {} columns, and {} input columns", self.labels.len(), columns.len());
            return Err(StageError::Unfit { uid: self.uid().clone(), reason, hint: None });
        }
        let handle_invalid = HandleInvalid::of(&self.params);
        let fields = columns.iter().zip(&self.labels).map(|(column, labels)| {
            let unknown = (handle_invalid == HandleInvalid::Keep).then(|| UNKNOWN.to_owned());
            index_field(&column.output, Some(labels.iter().cloned().chain(unknown).collect()))
        });
        let schema = with_columns(self.uid(), input, fields)?;
        let indices = columns.iter().zip(&self.labels).map(|(column, labels)| {
            let index = LabelIndex::new(labels, column.label_type, self.params.version());
            if handle_invalid == HandleInvalid::Skip { index.without_nan() } else { index }
        });
        let indices = indices.collect();
        Ok(Box::new(BoundStringIndexer { params: self.params.clone(), schema, handle_invalid, columns, indices }))
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl From<StringIndexerModel> for Stage {
    fn from(model: StringIndexerModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

struct BoundStringIndexer {
    params: Params,
    schema: SchemaRef,
    handle_invalid: HandleInvalid,
    columns: Vec<IndexedColumn>,
    indices: Vec<LabelIndex>,
}

impl BoundStringIndexer {
    /// What becomes of each row; `None` when every row is kept.
    fn fates(&self, rows: &RecordBatch, indexed: &[Vec<f64>]) -> Option<Vec<Fate>> {
        let is_invalid = |column: usize, row_idx: usize| indexed[column][row_idx] >= self.indices[column].extra();
        let has_invalid = |column: usize| (0..rows.num_rows()).any(|row_idx| is_invalid(column, row_idx));
        let suspects: Vec<usize> = (0..indexed.len()).filter(|&column| has_invalid(column)).collect();
        if suspects.is_empty() || self.handle_invalid == HandleInvalid::Keep {
            return None;
        }
        let fate = |row_idx| match suspects.iter().find(|&&column| is_invalid(column, row_idx)) {
            None => Fate::Kept,
            Some(_) if self.handle_invalid == HandleInvalid::Skip => Fate::Skipped,
            Some(&column) => {
                let IndexedColumn { position, input, .. } = &self.columns[column];
                let values = rows.column(*position).as_ref();
                Fate::Rejected(Box::new(self.indices[column].rejection(self.params.uid(), input, values, row_idx)))
            }
        };
        Some((0..rows.num_rows()).map(fate).collect())
    }
}

impl BoundStage for BoundStringIndexer {
    fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn apply(&self, rows: RecordBatch) -> Result<Outcome, StageError> {
        let values = self.columns.iter().map(|column| rows.column(column.position));
        let indexed: Vec<Vec<f64>> =
            self.indices.iter().zip(values).map(|(index, values)| index.look_up(values)).collect();
        let fates = self.fates(&rows, &indexed);
        let added = indexed.into_iter().map(|indices| Arc::new(Float64Array::from(indices)) as ArrayRef);
        let rows = append_columns(&self.schema, &rows, added);
        Ok(match fates {
            None => Outcome::all_kept(rows),
            Some(fates) => keep_rows(&rows, fates),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::BooleanArray;
    use ognivo_data::dataset::LocalExecutor;
    use ognivo_data::fault::Explain;
    use ognivo_data::outcome::RejectCode;

    fn rows(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn texts<'a>(values: impl IntoIterator<Item = Option<&'a str>>) -> ArrayRef {
        Arc::new(values.into_iter().collect::<StringArray>())
    }

    fn apply(model: StringIndexerModel, rows: RecordBatch) -> Outcome {
        model.bind(&rows.schema()).unwrap().apply(rows).unwrap()
    }

    fn indices(outcome: &Outcome) -> Vec<f64> {
        use arrow_array::types::Float64Type;
        outcome.rows.columns().last().unwrap().as_primitive::<Float64Type>().values().to_vec()
    }

    #[test]
    fn an_unseen_label_gets_the_extra_index_when_kept() {
        let model = StringIndexerModel::from_labels(["a", "b"]).input_col("c").handle_invalid(HandleInvalid::Keep);
        let outcome = apply(model, rows(vec![("c", texts([Some("b"), Some("z"), None, Some("a")]))]));
        assert_eq!(indices(&outcome), [1.0, 2.0, 2.0, 0.0]);
        let schema = outcome.rows.schema();
        let attribute = Attribute::of(schema.fields().last().unwrap()).unwrap();
        assert_eq!(attribute.labels().unwrap(), ["a", "b", "__unknown"]);
    }

    #[test]
    fn a_row_with_an_unseen_label_or_null_is_rejected_by_default() {
        let model = StringIndexerModel::from_labels(["a"]).input_col("c").output_col("i");
        let uid = model.uid().clone();
        let outcome = apply(model, rows(vec![("c", texts([Some("z"), Some("a"), None]))]));
        assert_eq!(indices(&outcome), [0.0]);
        let rejections: Vec<_> = outcome.fates.rejections().map(|(row_idx, why)| (row_idx, why.clone())).collect();
        let why = |code, message: &str| ognivo_data::outcome::Rejection {
            stage: uid.to_string(),
            column: "c".to_owned(),
            code,
            message: message.to_owned(),
        };
        let unseen = why(RejectCode::UnseenLabel, "unseen label: z");
        assert_eq!(rejections, [(0, unseen), (2, why(RejectCode::NullValue, "no label: null"))]);
    }

    #[test]
    fn a_row_is_skipped_when_any_column_is_invalid() {
        let model = StringIndexerModel::from_arrays_of_labels(vec![vec!["a".to_owned()], vec!["x".to_owned()]]);
        let model = model.input_cols(["c", "d"]).output_cols(["i", "j"]).handle_invalid(HandleInvalid::Skip);
        let c = texts([Some("a"), Some("a"), Some("z"), Some("a")]);
        let outcome = apply(model, rows(vec![("c", c), ("d", texts([Some("x"), None, Some("x"), Some("x")]))]));
        assert_eq!(outcome.fates.kept_rows(), [0, 3]);
        assert_eq!(outcome.fates.n_skipped(), 2);
    }

    #[test]
    fn a_nan_is_skipped_even_where_a_label_is_called_nan() {
        // As Spark 3.5.9 and 4.3.0: skip drops NaN, error and keep find the label.
        let index_of_nan = |handle_invalid| {
            let model = StringIndexerModel::from_labels(["NaN"]).input_col("x").handle_invalid(handle_invalid);
            indices(&apply(model, rows(vec![("x", Arc::new(Float64Array::from(vec![f64::NAN])))])))
        };
        assert_eq!(index_of_nan(HandleInvalid::Skip), Vec::<f64>::new());
        assert_eq!(index_of_nan(HandleInvalid::Error), [0.0]);
        assert_eq!(index_of_nan(HandleInvalid::Keep), [0.0]);
    }

    #[test]
    fn of_a_label_that_occurs_twice_the_last_index_holds() {
        // As Spark 3.5.9 and 4.3.0 with from_labels.
        let model = StringIndexerModel::from_labels(["a", "b", "a"]).input_col("c");
        assert_eq!(indices(&apply(model, rows(vec![("c", texts([Some("a"), Some("b")]))]))), [2.0, 1.0]);
    }

    #[test]
    fn a_column_without_labels_is_learned_as_none() {
        let nothing = rows(vec![("c", texts([None, None]))]);
        let executor = Arc::new(LocalExecutor::single_threaded());
        let data = Dataset::in_memory(nothing.schema(), vec![vec![nothing.clone()], vec![]], executor);
        let model = StringIndexer::new().input_col("c").handle_invalid(HandleInvalid::Keep).fit(&data).unwrap();
        assert_eq!(model.labels_array(), [Vec::<String>::new()]);
        assert_eq!(indices(&apply(model, nothing)), [0.0, 0.0]);
    }

    #[test]
    fn labels_of_one_count_are_in_the_order_of_each_version() {
        // 2.4 as `countByValue` of Spark 3.5.9 has them, see scala_map.rs; 3.5 and 4.3 alphabetically, after the counts.
        let purposes = ["all_other", "credit_card", "debt_consolidation", "educational", "home_improvement"];
        let column = texts(purposes.into_iter().chain(["small_business", "major_purchase", "credit_card"]).map(Some));
        let rows = rows(vec![("c", column)]);
        let executor = Arc::new(LocalExecutor::single_threaded());
        let data = Dataset::in_memory(rows.schema(), vec![vec![rows]], executor);
        let labels = |version, order| {
            let mut indexer = StringIndexer::new().input_col("c").string_order_type(order);
            indexer.set_version(version);
            indexer.fit(&data).unwrap().labels.remove(0)
        };
        let desc = |version| labels(version, StringOrder::FrequencyDesc)[..3].to_vec();
        assert_eq!(desc(SparkVersion::V2_4), ["credit_card", "major_purchase", "debt_consolidation"]);
        assert_eq!(desc(SparkVersion::V3_5), ["credit_card", "all_other", "debt_consolidation"]);
        let asc = labels(SparkVersion::V2_4, StringOrder::FrequencyAsc);
        assert_eq!(asc[0], "major_purchase");
        assert_eq!(asc[6], "credit_card");
        assert_eq!(labels(SparkVersion::V2_4, StringOrder::AlphabetAsc)[0], "all_other");
    }

    #[track_caller]
    fn check_refused(indexer: StringIndexer, expected: &str) {
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        let rows = rows(vec![("c", texts([Some("a")])), ("flag", flags)]);
        let error = Estimator::output_schema(&indexer, &rows.schema()).unwrap_err();
        assert_eq!(error.to_string(), format!("stage `{}`: {expected}", indexer.uid()));
        assert_eq!(error.fault(), ognivo_data::fault::Fault::Job);
    }

    #[test]
    fn columns_that_cannot_be_indexed_are_refused() {
        let indexer = StringIndexer::new;
        check_refused(indexer(), "neither inputCol nor inputCols is set");
        check_refused(indexer().input_col("d"), "column `d` not found; input columns: c, flag");
        check_refused(indexer().input_col("flag"), "column `flag` must be a text or number column: boolean");
        check_refused(indexer().input_col("c").output_col("flag"), "output column already exists: flag");
        check_refused(indexer().input_col("c").input_cols(["c"]), "inputCol and inputCols are both set; one is needed");
        check_refused(indexer().input_cols(["c"]), "`outputCols` is not set");
        check_refused(indexer().input_cols(["c"]).output_cols(["a", "b"]), "1 inputCols and 2 outputCols");
        check_refused(indexer().input_cols(["c", "c"]).output_cols(["a", "a"]), "output column already exists: a");
        check_refused(
            indexer().input_cols(["c"]).output_cols(["a"]).output_col("b"),
            "outputCol is set, and goes with inputCol, not with inputCols",
        );
    }

    #[test]
    fn a_model_says_one_column_s_labels_as_2_4_and_as_3_0_and_later_do() {
        let model = StringIndexerModel::from_labels(["a", ""]).input_col("c");
        for (version, column) in [(SparkVersion::V2_4, "labels"), (SparkVersion::V3_5, "labelsArray")] {
            let saved = model.to_saved(version).unwrap();
            assert_eq!(saved.table("data").unwrap().schema().field(0).name(), column);
            assert_eq!(StringIndexerModel::from_saved(&saved).unwrap().labels_array(), model.labels_array());
        }
        let two = StringIndexerModel::from_arrays_of_labels(vec![Vec::new(), Vec::new()]);
        let error = two.to_saved(SparkVersion::V2_4).unwrap_err();
        assert_eq!(error.reason, "Spark 2.4 indexes one column, and there are labels of 2");
    }
}
