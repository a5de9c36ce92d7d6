//! `OneHotEncoder`: indices of categories to vectors with at most one 1.
//!
//! ```text
//! data/part-….parquet   one row: categorySizes list<int>, the number of categories of each column
//! ```

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, Float64Array, Int32Array, ListArray, RecordBatch};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::column::{Attribute, AttributeGroup, AttributeKind};
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::outcome::{Fate, Outcome, RejectCode, Rejection};
use ognivo_data::vector::{one_hot_column, vector_field};
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::scalar::is_number;
use super::{HANDLE_INVALID, HandleInvalid};
use crate::columns::{
    INPUT_COL, INPUT_COL_SPEC, INPUT_COLS, INPUT_COLS_SPEC, OUTPUT_COL, OUTPUT_COL_SPEC, OUTPUT_COLS, OUTPUT_COLS_SPEC,
    append_columns, column_pairs, input_column, keep_rows, with_columns, wrong_type,
};
use crate::numeric::to_doubles;
use crate::param::{Key, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Estimator, FitError, Stage, StageError, Transformer};
use crate::stage_map::RejectedRow;

const DROP_LAST: Key<bool> = Key::new("dropLast");

static PARAMS: &[ParamSpec] = &[
    ParamSpec::new("dropLast", ParamKind::Boolean, "whether the last category has no slot of its own").boolean(true),
    ParamSpec::new(HANDLE_INVALID.name, ParamKind::String, "what the model does with an index that is no category")
        .text("error")
        .range(Range::OneOf(&["error", "keep"])),
    INPUT_COL_SPEC.since(SparkVersion::V3_5),
    INPUT_COLS_SPEC,
    OUTPUT_COL_SPEC.since(SparkVersion::V3_5),
    OUTPUT_COLS_SPEC,
];

/// Categories that a column may have: each has a slot with a name in the schema, and one wild index must not take all memory.
const MAX_CATEGORIES: usize = 1 << 20;

/// Name of the slot of indices that are no category.
const INVALID: &str = "invalidValues";

/// Learns how many categories each column has: as many as its attribute says, or else the largest index and one more.
///
/// Indices are whole numbers from 0 on, as StringIndexer makes them. A column whose attribute says that it is a number on a
/// scale is refused.
///
/// Same as Spark: `handleInvalid` matters to the model only, so an invalid index or null stops the pass over a column whose
/// attribute tells no number; no rows give one category; a column that is declared to have one category is refused with
/// `dropLast` and `error`, and one with an empty label always. In the layout of Spark 2.4 it is a `OneHotEncoderEstimator`, and one column is a list of one.
/// Differs from Spark: more than 1,048,576 categories are refused; 2.x's own `OneHotEncoder`, which needed no fit, is not read.
#[derive(Debug, Clone)]
pub struct OneHotEncoder {
    params: Params,
}

impl Default for OneHotEncoder {
    fn default() -> OneHotEncoder {
        OneHotEncoder::new()
    }
}

impl OneHotEncoder {
    /// The JVM class that Spark saves it under, from 3.0 on.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.OneHotEncoder";

    /// The JVM class that Spark 2.3 and 2.4 save it under.
    pub const NAME_BEFORE_3_0: &'static str = "org.apache.spark.ml.feature.OneHotEncoderEstimator";

    /// An encoder with Spark's defaults; a column must be named.
    pub fn new() -> OneHotEncoder {
        OneHotEncoder { params: Params::new("OneHotEncoder", PARAMS) }
    }

    /// The column of indices.
    pub fn input_col(mut self, name: impl Into<String>) -> OneHotEncoder {
        self.params.put(INPUT_COL, name.into());
        self
    }

    /// The column of vectors; `<uid>__output` when not named.
    pub fn output_col(mut self, name: impl Into<String>) -> OneHotEncoder {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// The columns of indices, instead of [`input_col`](OneHotEncoder::input_col).
    pub fn input_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> OneHotEncoder {
        self.params.put(INPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// The columns of vectors, one for each of [`input_cols`](OneHotEncoder::input_cols).
    pub fn output_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> OneHotEncoder {
        self.params.put(OUTPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// Whether the last category has no slot of its own, so that slots do not depend on each other.
    pub fn drop_last(mut self, drop_last: bool) -> OneHotEncoder {
        self.params.put(DROP_LAST, drop_last);
        self
    }

    /// What the model does with an index that is no category: [`Error`](HandleInvalid::Error) or [`Keep`](HandleInvalid::Keep).
    pub fn handle_invalid(mut self, handle_invalid: HandleInvalid) -> OneHotEncoder {
        self.params.put(HANDLE_INVALID, handle_invalid.as_str().to_owned());
        self
    }

    /// Counts the categories, in one pass when attributes do not tell them.
    ///
    /// # Errors
    /// [`FitError`] for wrong columns, more categories than an encoder takes, and where it looks at the rows, null and
    /// numbers that are no index.
    pub fn fit(&self, data: &Dataset) -> Result<OneHotEncoderModel, FitError> {
        Estimator::output_schema(self, data.schema())?;
        let columns = encoded_columns(&self.params, data.schema())?;
        let unknown = columns.iter().filter(|column| column.categories.is_none());
        let mut counted =
            self.count(unknown.map(|column| (column.position, column.name.clone())).collect(), data)?.into_iter();
        let size = |column: &EncodedColumn| match &column.categories {
            Some(categories) => categories.len(),
            None => counted.next().expect("every column that does not tell its categories was counted"),
        };
        let mut model = OneHotEncoderModel::new(columns.iter().map(size).collect());
        model.params.inherit(&self.params);
        Ok(model)
    }

    /// The largest index and one more, of each of these columns.
    fn count(&self, columns: Vec<(usize, String)>, data: &Dataset) -> Result<Vec<usize>, FitError> {
        if columns.is_empty() {
            return Ok(Vec::new());
        }
        let seen = data.aggregate(LargestIndices::new(self.uid().to_string(), columns))?;
        let count = |((_, name), index): (&(usize, String), &f64)| match *index as usize + 1 {
            n_categories if n_categories <= MAX_CATEGORIES => Ok(n_categories),
            _ => Err(FitError::Unlearnable {
                uid: self.uid().clone(),
                reason: format!(
                    "an encoder takes {MAX_CATEGORIES} categories, and column `{name}` has the index: {index}"
                ),
                hint: Some("let StringIndexer number the values that occur".to_owned()),
            }),
        };
        seen.columns.iter().zip(&seen.largest).map(count).collect()
    }

    /// An encoder from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have, and for what Spark 2.x called `OneHotEncoder`.
    pub fn from_saved(saved: &SavedStage) -> Result<OneHotEncoder, SavedError> {
        if saved.class == OneHotEncoder::CLASS && saved.version()? == SparkVersion::V2_4 {
            let reason = "Spark 2.x's OneHotEncoder, which needs no fit and which Spark 3.0 dropped, is not supported; \
                          a OneHotEncoderEstimator is";
            return Err(saved.fault("class", reason.to_owned()));
        }
        let mut stage = OneHotEncoder::new();
        saved.read_params(&mut stage.params)?;
        Ok(stage)
    }
}

/// What the layout of `version` holds of the parameters: 2.4 only knows lists of columns.
fn params_in_layout(params: &Params, version: SparkVersion) -> Params {
    let mut params = params.clone();
    let one_column = params.find(INPUT_COL).filter(|_| !params.is_set(INPUT_COLS) && !params.is_set(OUTPUT_COLS));
    if let Some(input) = one_column.filter(|_| version == SparkVersion::V2_4) {
        let output = params.get(OUTPUT_COL);
        params.clear(INPUT_COL);
        params.clear(OUTPUT_COL);
        params.put(INPUT_COLS, vec![input]);
        params.put(OUTPUT_COLS, vec![output]);
    }
    params
}

/// One input column, resolved against a schema.
struct EncodedColumn {
    position: usize,
    name: String,
    output: String,
    /// The names of the categories by index, where the column's attribute tells them or their number.
    categories: Option<Vec<String>>,
}

fn encoded_columns(params: &Params, input: &Schema) -> Result<Vec<EncodedColumn>, StageError> {
    params.check()?;
    let resolve = |(name, output): (String, String)| {
        let (position, field) = input_column(params.uid(), input, &name)?;
        if !is_number(field.data_type()) {
            return Err(wrong_type(params.uid(), &name, "a number column", field.data_type()));
        }
        let categories = categories_of(params, field)?;
        Ok(EncodedColumn { position, name, output, categories })
    };
    column_pairs(params)?.into_iter().map(resolve).collect()
}

/// The names of the categories of a column whose attribute tells them: its labels, or else the indices as text.
fn categories_of(params: &Params, field: &Field) -> Result<Option<Vec<String>>, StageError> {
    let unfit = |reason: String, hint: &str| {
        Err(StageError::Unfit { uid: params.uid().clone(), reason, hint: Some(hint.to_owned()) })
    };
    let Some(attribute) = Attribute::of(field) else { return Ok(None) };
    let name = field.name();
    if attribute.kind == AttributeKind::Numeric {
        let reason =
            format!("column `{name}` holds numbers on a scale, by its attribute, and no indices of categories");
        return unfit(reason, "make indices of it with StringIndexer or Bucketizer");
    }
    let n_categories = attribute.labels().map(<[String]>::len).or(attribute.n_values());
    if let Some(n_categories) = n_categories.filter(|&n_categories| n_categories > MAX_CATEGORIES) {
        let reason = format!(
            "an encoder takes {MAX_CATEGORIES} categories, and column `{name}` has by its attribute: {n_categories}"
        );
        return unfit(reason, "put rare categories together before");
    }
    if n_categories.is_some_and(|n_categories| n_categories < 2) && Slots::of(params).drops_last() {
        let reason = format!("column `{name}` has fewer than two categories, and the last one is dropped");
        return unfit(reason, "set dropLast to false or handleInvalid to keep, or leave the column out");
    }
    Ok(match (attribute.labels(), n_categories) {
        (Some(labels), _) => Some(labels.to_vec()),
        (None, n_categories) => n_categories.map(numbered),
    })
}

/// Slots are called by labels, and Spark takes no empty name.
fn check_names(params: &Params, column: &str, names: &[String]) -> Result<(), StageError> {
    if names.iter().all(|name| !name.is_empty()) {
        return Ok(());
    }
    Err(StageError::Unfit {
        uid: params.uid().clone(),
        reason: format!("a label of column `{column}` is empty, and a slot needs a name"),
        hint: Some("give empty values a text before they are indexed, or drop them".to_owned()),
    })
}

fn numbered(n_categories: usize) -> Vec<String> {
    (0..n_categories).map(|index| index.to_string()).collect()
}

/// Which slots a vector has, by `dropLast` and `handleInvalid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slots {
    /// One for each category.
    Categories,
    /// One for each category but the last.
    AllButLast,
    /// One for each category, and one for whatever is no category.
    AndInvalid,
}

impl Slots {
    fn of(params: &Params) -> Slots {
        match (params.get(DROP_LAST), HandleInvalid::of(params) == HandleInvalid::Keep) {
            (true, false) => Slots::AllButLast,
            (false, true) => Slots::AndInvalid,
            // What is invalid would be the last of all, and is dropped; or else nothing is added and nothing dropped.
            (true, true) | (false, false) => Slots::Categories,
        }
    }

    fn drops_last(self) -> bool {
        self == Slots::AllButLast
    }

    /// How many they are; no categories leave none to drop.
    fn count(self, n_categories: usize) -> usize {
        match self {
            Slots::Categories => n_categories,
            Slots::AllButLast => n_categories.saturating_sub(1),
            Slots::AndInvalid => n_categories + 1,
        }
    }

    /// A vector column whose slots bear the names of `categories`, where these are known.
    fn field(self, name: &str, categories: Option<Vec<String>>) -> Field {
        let group = categories.map_or_else(AttributeGroup::default, |mut names| {
            match self {
                Slots::Categories => {}
                Slots::AllButLast => drop(names.pop()),
                Slots::AndInvalid => names.push(INVALID.to_owned()),
            }
            let slot = |name| Attribute { name: Some(name), kind: AttributeKind::Binary { values: None } };
            AttributeGroup::new(names.into_iter().map(slot).collect())
        });
        group.attach(vector_field(name))
    }
}

/// The largest index of each of some columns, 0 where there are no rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LargestIndices {
    uid: String,
    /// Position and name.
    columns: Vec<(usize, String)>,
    largest: Vec<f64>,
}

impl LargestIndices {
    fn new(uid: String, columns: Vec<(usize, String)>) -> LargestIndices {
        let largest = vec![0.0; columns.len()];
        LargestIndices { uid, columns, largest }
    }

    fn reject(&self, column: &str, code: RejectCode, message: String) -> DatasetError {
        let (stage, column) = (self.uid.clone(), column.to_owned());
        DatasetError::new(RejectedRow(Rejection { stage, column, code, message }))
    }
}

impl Aggregate for LargestIndices {
    const NAME: &'static str = "find largest indices";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        for (column_idx, (position, name)) in self.columns.iter().enumerate() {
            let indices = to_doubles(rows.column(*position).as_ref()).expect("columns were checked to hold numbers");
            if indices.null_count() > 0 {
                return Err(self.reject(name, RejectCode::NullValue, "must not be null".to_owned()));
            }
            let indices = indices.values();
            if !indices.iter().fold(true, |all, &index| all & is_index(index)) {
                let value = indices.iter().find(|&&index| !is_index(index)).unwrap_or(&f64::NAN);
                let message = format!("must be an index, which is a whole number from 0 on: {value}");
                return Err(self.reject(name, RejectCode::OutOfRange, message));
            }
            self.largest[column_idx] = indices.iter().copied().fold(self.largest[column_idx], f64::max);
        }
        Ok(())
    }

    fn merge(&mut self, later: LargestIndices) {
        self.largest.iter_mut().zip(later.largest).for_each(|(largest, other)| *largest = largest.max(other));
    }
}

/// Whether a number is a whole one that Spark's 32-bit integers hold, from 0 on.
#[allow(clippy::float_cmp, reason = "a whole number is its own integer")]
fn is_index(value: f64) -> bool {
    value >= 0.0 && f64::from(value as i32) == value
}

impl Configured for OneHotEncoder {
    fn class(&self) -> &'static str {
        OneHotEncoder::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let class = if version == SparkVersion::V2_4 { OneHotEncoder::NAME_BEFORE_3_0 } else { OneHotEncoder::CLASS };
        SavedStage::of_params(class, &params_in_layout(&self.params, version), version)
    }
}

impl Estimator for OneHotEncoder {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        let slots = Slots::of(&self.params);
        let columns = encoded_columns(&self.params, input)?;
        for column in &columns {
            check_names(&self.params, &column.name, column.categories.as_deref().unwrap_or_default())?;
        }
        let fields = columns.into_iter().map(|column| slots.field(&column.output, column.categories));
        with_columns(self.uid(), input, fields)
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(OneHotEncoder::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<OneHotEncoder> for Stage {
    fn from(stage: OneHotEncoder) -> Stage {
        Stage::Estimator(Box::new(stage))
    }
}

/// Adds a column of sparse vectors for each column of indices: 1 in the slot of the category, 0 elsewhere.
///
/// The slots are the categories, with `dropLast` without the last one, which then has no 1 at all. An index that is no
/// category (negative, NaN, beyond the last) is rejected with `handleInvalid` = `error`; with `keep` it counts as one more
/// category behind the last, whose slot is called `invalidValues`, or which is the one that `dropLast` drops. Null gives a
/// null vector. The fraction of an index is cut off.
///
/// Slots bear the labels of the column's attribute where it has some, and else the indices. A column whose attribute tells
/// another number of categories than the model has is refused.
///
/// Same as Spark. Differs from Spark: a model with more than 1,048,576 categories is refused.
#[derive(Debug, Clone)]
pub struct OneHotEncoderModel {
    params: Params,
    category_sizes: Vec<usize>,
}

impl OneHotEncoderModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.OneHotEncoderModel";

    /// A model of columns with these numbers of categories.
    ///
    /// # Panics
    /// When there are more than 1,048,576 of one column.
    pub fn new(category_sizes: Vec<usize>) -> OneHotEncoderModel {
        assert!(
            category_sizes.iter().all(|&size| size <= MAX_CATEGORIES),
            "an encoder takes {MAX_CATEGORIES} categories"
        );
        OneHotEncoderModel { params: Params::new("OneHotEncoder", PARAMS), category_sizes }
    }

    /// The number of categories of each column.
    pub fn category_sizes(&self) -> &[usize] {
        &self.category_sizes
    }

    /// A model from its directory, in the layout of any version.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have, and for a table that is not one row of numbers of categories.
    pub fn from_saved(saved: &SavedStage) -> Result<OneHotEncoderModel, SavedError> {
        let table = saved.table("data")?;
        let column = table.column_by_name(SIZES).filter(|_| table.num_rows() == 1);
        let sizes = column.and_then(|column| sizes_of(column.as_ref()));
        let sizes = sizes.ok_or_else(|| {
            let reason = format!("not one row with a list of numbers of categories, up to {MAX_CATEGORIES} each");
            saved.fault(SIZES, reason)
        })?;
        let mut model = OneHotEncoderModel::new(sizes);
        saved.read_params(&mut model.params)?;
        Ok(model)
    }
}

const SIZES: &str = "categorySizes";

fn sizes_of(column: &dyn Array) -> Option<Vec<usize>> {
    let sizes = column.as_list_opt::<i32>().filter(|lists| lists.null_count() == 0)?.value(0);
    let sizes = sizes.as_primitive_opt::<Int32Type>().filter(|sizes| sizes.null_count() == 0)?;
    let size = |&size: &i32| usize::try_from(size).ok().filter(|&size| size <= MAX_CATEGORIES);
    sizes.values().iter().map(size).collect()
}

fn sizes_table(sizes: &[usize]) -> RecordBatch {
    let items: Int32Array = sizes.iter().map(|&size| size as i32).collect();
    let element = Arc::new(Field::new("element", DataType::Int32, false));
    let lists = ListArray::new(element, OffsetBuffer::from_lengths([sizes.len()]), Arc::new(items), None);
    let schema = Schema::new(vec![Field::new(SIZES, lists.data_type().clone(), true)]);
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(lists)]).expect("the schema is made from the column")
}

impl Configured for OneHotEncoderModel {
    fn class(&self) -> &'static str {
        OneHotEncoderModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let params = params_in_layout(&self.params, version);
        let saved = SavedStage::of_params(OneHotEncoderModel::CLASS, &params, version)?;
        Ok(saved.with_table("data", sizes_table(&self.category_sizes)))
    }
}

impl Transformer for OneHotEncoderModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        let unfit = |reason: String| StageError::Unfit { uid: self.uid().clone(), reason, hint: None };
        let slots = Slots::of(&self.params);
        let columns = encoded_columns(&self.params, input)?;
        if columns.len() != self.category_sizes.len() {
            let n_fitted = self.category_sizes.len();
            return Err(unfit(format!("fitted on {n_fitted} columns, and there are {} input columns", columns.len())));
        }
        let mut fields = Vec::with_capacity(columns.len());
        let mut encoded = Vec::with_capacity(columns.len());
        for (column, &n_categories) in columns.into_iter().zip(&self.category_sizes) {
            let EncodedColumn { position, name, output, categories } = column;
            let categories = categories.unwrap_or_else(|| numbered(n_categories));
            if categories.len() != n_categories {
                let n_told = categories.len();
                let reason =
                    format!("column `{name}` must have {n_categories} categories, and has by its attribute: {n_told}");
                return Err(unfit(reason));
            }
            let n_slots = slots.count(n_categories);
            check_names(&self.params, &name, &categories[..n_slots.min(n_categories)])?;
            fields.push(slots.field(&output, Some(categories)));
            encoded.push(Encoding { position, name, n_categories: n_categories as i32, n_slots });
        }
        let schema = with_columns(self.uid(), input, fields)?;
        let keeps_invalid = HandleInvalid::of(&self.params) == HandleInvalid::Keep;
        Ok(Box::new(BoundOneHotEncoder { uid: self.uid().to_string(), keeps_invalid, columns: encoded, schema }))
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl From<OneHotEncoderModel> for Stage {
    fn from(model: OneHotEncoderModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

/// One input column of a bound model.
struct Encoding {
    position: usize,
    name: String,
    n_categories: i32,
    n_slots: usize,
}

impl Encoding {
    /// The category of each row, the number of categories for whatever is none; null stays null.
    fn categories(&self, indices: &Float64Array) -> Int32Array {
        let end = f64::from(self.n_categories);
        let category = |&index: &f64| if index >= 0.0 && index < end { index as i32 } else { self.n_categories };
        Int32Array::new(indices.values().iter().map(category).collect(), indices.nulls().cloned())
    }
}

/// The values of one input column in one batch.
struct Encoded<'a> {
    column: &'a Encoding,
    indices: Float64Array,
    categories: Int32Array,
}

impl Encoded<'_> {
    fn is_invalid(&self, row_idx: usize) -> bool {
        self.categories.value(row_idx) == self.column.n_categories && self.categories.is_valid(row_idx)
    }

    fn has_invalid(&self) -> bool {
        let is_extra = |&category: &i32| category == self.column.n_categories;
        // Without an early end: the processor then tests several categories at a time.
        let has_extra = self.categories.values().iter().fold(false, |found, category| found | is_extra(category));
        has_extra && (0..self.categories.len()).any(|row_idx| self.is_invalid(row_idx))
    }

    /// Why the index of this row, which is no category, is rejected by the stage `uid`.
    fn rejection(&self, uid: &str, row_idx: usize) -> Rejection {
        let (code, message) = match self.indices.value(row_idx) {
            index if index.is_nan() => (RejectCode::NotFinite, "no index of a category: NaN".to_owned()),
            index if index < 0.0 => (RejectCode::OutOfRange, format!("negative index: {index:?}")),
            index => (RejectCode::OutOfRange, format!("unseen index: {index:?}")),
        };
        Rejection { stage: uid.to_owned(), column: self.column.name.clone(), code, message }
    }
}

struct BoundOneHotEncoder {
    uid: String,
    keeps_invalid: bool,
    columns: Vec<Encoding>,
    schema: SchemaRef,
}

impl BoundOneHotEncoder {
    fn encode<'a>(&self, column: &'a Encoding, rows: &RecordBatch) -> Encoded<'a> {
        let indices = to_doubles(rows.column(column.position).as_ref()).expect("an encoder is bound to number columns");
        let categories = column.categories(&indices);
        Encoded { column, indices, categories }
    }

    /// What becomes of each row; `None` when every row is kept.
    fn fates(&self, encoded: &[Encoded<'_>], n_rows: usize) -> Option<Vec<Fate>> {
        if self.keeps_invalid {
            return None;
        }
        let suspects: Vec<&Encoded<'_>> = encoded.iter().filter(|column| column.has_invalid()).collect();
        let fate = |row_idx| match suspects.iter().find(|column| column.is_invalid(row_idx)) {
            None => Fate::Kept,
            Some(column) => Fate::Rejected(Box::new(column.rejection(&self.uid, row_idx))),
        };
        (!suspects.is_empty()).then(|| (0..n_rows).map(fate).collect())
    }
}

impl BoundStage for BoundOneHotEncoder {
    fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn apply(&self, rows: RecordBatch) -> Result<Outcome, StageError> {
        let encoded: Vec<Encoded<'_>> = self.columns.iter().map(|column| self.encode(column, &rows)).collect();
        let fates = self.fates(&encoded, rows.num_rows());
        let added = encoded.iter().map(|encoded| one_hot_column(&encoded.categories, encoded.column.n_slots));
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
    use arrow_array::ArrayRef;
    use ognivo_data::dataset::LocalExecutor;
    use ognivo_data::fault::Explain;
    use ognivo_data::vector::{Vector, VectorColumn};

    fn numbers(values: &[Option<f64>]) -> RecordBatch {
        let column: ArrayRef = Arc::new(Float64Array::from(values.to_vec()));
        RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap()
    }

    /// The same rows with an attribute on the column.
    fn with_attribute(rows: &RecordBatch, kind: AttributeKind) -> RecordBatch {
        let field = Attribute { name: None, kind }.attach(rows.schema().field(0).clone());
        RecordBatch::try_new(Arc::new(Schema::new(vec![field])), rows.columns().to_vec()).unwrap()
    }

    fn nominal(labels: &[&str]) -> AttributeKind {
        let values = Some(labels.iter().map(|&label| label.to_owned()).collect());
        AttributeKind::Nominal { values, n_values: None, is_ordinal: None }
    }

    fn data(rows: RecordBatch) -> Dataset {
        Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::single_threaded()))
    }

    fn encoder(drop_last: bool, handle_invalid: HandleInvalid) -> OneHotEncoder {
        OneHotEncoder::new().input_col("c").output_col("v").drop_last(drop_last).handle_invalid(handle_invalid)
    }

    fn model(encoder: &OneHotEncoder, n_categories: usize) -> OneHotEncoderModel {
        let mut model = OneHotEncoderModel::new(vec![n_categories]);
        model.params.inherit(&encoder.params);
        model
    }

    /// The slot with the 1 in each vector that came out, `None` where there is none; and the size of all of them.
    fn slots(outcome: &Outcome) -> (Vec<Option<i32>>, usize) {
        let column = VectorColumn::try_new(outcome.rows.column(1)).unwrap();
        let mut sizes: Vec<usize> = column.iter().flatten().map(|vector| vector.size()).collect();
        sizes.dedup();
        let slot = |vector: Vector| match vector {
            Vector::Sparse { indices, values, .. } => {
                assert_eq!(values, vec![1.0; indices.len()]);
                indices.first().copied()
            }
            Vector::Dense(values) => panic!("not sparse: {values:?}"),
        };
        let slots = column.iter().flatten().map(|vector| slot(vector.to_owned())).collect();
        assert_eq!(sizes.len(), 1, "{sizes:?}");
        (slots, sizes[0])
    }

    fn slot_names(schema: &Schema) -> Vec<String> {
        let group = AttributeGroup::of(schema.field_with_name("v").unwrap());
        group.attributes.unwrap().into_iter().filter_map(|slot| slot.name).collect()
    }

    /// The encoding of the indices 0, 1.5, 2, -0.0 and, where they are kept, -1, 3, NaN and infinity; three categories.
    #[track_caller]
    fn check(drop_last: bool, keep: bool, valid: [Option<i32>; 4], invalid: Option<i32>, names: &[&str]) {
        let handle_invalid = if keep { HandleInvalid::Keep } else { HandleInvalid::Error };
        let model = model(&encoder(drop_last, handle_invalid), 3);
        let rows = numbers(&[0.0, 1.5, 2.0, -0.0, -1.0, 3.0, f64::NAN, f64::INFINITY].map(Some));
        let outcome = model.bind(&rows.schema()).unwrap().apply(rows).unwrap();
        let mut expected = valid.to_vec();
        expected.extend(if keep { vec![invalid; 4] } else { Vec::new() });
        assert_eq!(slots(&outcome), (expected, names.len()));
        assert_eq!(outcome.fates.n_rejected(), if keep { 0 } else { 4 });
        assert_eq!(slot_names(&outcome.rows.schema()), names);
    }

    #[test]
    fn each_category_has_its_slot_but_one_that_is_dropped() {
        // Spark 3.5.9 and 4.3.0.
        check(false, false, [Some(0), Some(1), Some(2), Some(0)], None, &["0", "1", "2"]);
        check(true, false, [Some(0), Some(1), None, Some(0)], None, &["0", "1"]);
        check(false, true, [Some(0), Some(1), Some(2), Some(0)], Some(3), &["0", "1", "2", "invalidValues"]);
        check(true, true, [Some(0), Some(1), Some(2), Some(0)], None, &["0", "1", "2"]);
    }

    #[test]
    fn an_index_that_is_no_category_is_rejected_with_its_value() {
        let model = model(&encoder(true, HandleInvalid::Error), 2);
        let rows = numbers(&[Some(-1.0), None, Some(2.0), Some(f64::NAN), Some(1.0)]);
        let outcome = model.bind(&rows.schema()).unwrap().apply(rows).unwrap();
        let reasons: Vec<_> =
            outcome.fates.rejections().map(|(row_idx, why)| (row_idx, why.message.as_str())).collect();
        let expected = [(0, "negative index: -1.0"), (2, "unseen index: 2.0"), (3, "no index of a category: NaN")];
        assert_eq!(reasons, expected);
        let column = VectorColumn::try_new(outcome.rows.column(1)).unwrap();
        assert!(column.is_null(0), "a null index gives a null vector");
        assert_eq!(column.len(), 2);
    }

    #[test]
    fn a_fit_believes_attributes_and_else_looks_for_the_largest_index() {
        let sizes = |rows| encoder(true, HandleInvalid::Error).fit(&data(rows)).unwrap().category_sizes().to_vec();
        let rows = || numbers(&[Some(1.0), Some(4.0), Some(0.0)]);
        assert_eq!(sizes(rows()), [5]);
        assert_eq!(sizes(numbers(&[])), [1]);
        assert_eq!(sizes(with_attribute(&rows(), nominal(&["a", "b"]))), [2]);
        assert_eq!(sizes(with_attribute(&rows(), AttributeKind::Binary { values: None })), [2]);
        let of_number = AttributeKind::Nominal { values: None, n_values: Some(9), is_ordinal: None };
        assert_eq!(sizes(with_attribute(&rows(), of_number)), [9]);
        let of_nothing = AttributeKind::Nominal { values: None, n_values: None, is_ordinal: None };
        assert_eq!(sizes(with_attribute(&rows(), of_nothing)), [5]);
        // Where an attribute tells the categories, no row is looked at.
        assert_eq!(sizes(with_attribute(&numbers(&[Some(-1.0), None]), nominal(&["a", "b"]))), [2]);
    }

    #[test]
    fn slots_bear_the_labels_of_the_column() {
        let rows = with_attribute(&numbers(&[Some(0.0)]), nominal(&["red", "blue", "0"]));
        let names = |drop_last, handle_invalid| {
            let encoder = encoder(drop_last, handle_invalid);
            let model = encoder.fit(&data(rows.clone())).unwrap();
            let names = slot_names(model.bind(&rows.schema()).unwrap().output_schema());
            assert_eq!(slot_names(&Estimator::output_schema(&encoder, &rows.schema()).unwrap()), names);
            names
        };
        assert_eq!(names(true, HandleInvalid::Error), ["red", "blue"]);
        assert_eq!(names(true, HandleInvalid::Keep), ["red", "blue", "0"]);
        assert_eq!(names(false, HandleInvalid::Keep), ["red", "blue", "0", "invalidValues"]);
    }

    #[track_caller]
    fn check_unfit(result: Result<impl Sized, StageError>, expected: &str) {
        let error = result.err().unwrap().to_string();
        assert!(error.ends_with(expected), "{error}");
    }

    #[test]
    fn columns_that_are_no_categories_are_refused_before_the_first_row() {
        let rows = numbers(&[]);
        let announce = |encoder: OneHotEncoder, rows: &RecordBatch| Estimator::output_schema(&encoder, &rows.schema());
        let (dropping, keeping) = (|| encoder(true, HandleInvalid::Error), || encoder(true, HandleInvalid::Keep));
        let scale = with_attribute(&rows, AttributeKind::Numeric);
        check_unfit(
            announce(keeping(), &scale),
            "column `c` holds numbers on a scale, by its attribute, and no indices of categories",
        );
        let single = with_attribute(&rows, nominal(&["a"]));
        check_unfit(
            announce(dropping(), &single),
            "column `c` has fewer than two categories, and the last one is dropped",
        );
        assert!(announce(keeping(), &single).is_ok());
        let other = model(&dropping(), 4).bind(&with_attribute(&rows, nominal(&["a", "b"])).schema());
        check_unfit(other.map(drop), "column `c` must have 4 categories, and has by its attribute: 2");
        let two = OneHotEncoderModel::new(vec![2, 2]);
        let mut two = two;
        two.params.inherit(&dropping().params);
        check_unfit(two.bind(&rows.schema()).map(drop), "fitted on 2 columns, and there are 1 input columns");
        let skipping = encoder(true, HandleInvalid::Skip);
        check_unfit(announce(skipping, &rows), "`handleInvalid` must be one of error, keep: skip");
        let text: ArrayRef = Arc::new(arrow_array::BooleanArray::from(vec![true]));
        let text = RecordBatch::try_from_iter([("c", text)]).unwrap();
        check_unfit(announce(dropping(), &text), "column `c` must be a number column: boolean");
    }

    #[track_caller]
    fn check_fit_fails(rows: RecordBatch, expected: &str) {
        let error = encoder(true, HandleInvalid::Keep).fit(&data(rows)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn numbers_that_are_no_index_stop_a_fit_also_when_the_model_would_keep_them() {
        // As Spark 3.5.9 and 4.3.0.
        check_fit_fails(numbers(&[Some(1.0), None]), "column `c`: must not be null");
        for value in [1.5, -1.0, f64::NAN, f64::INFINITY, 2_147_483_648.0] {
            let expected = format!("column `c`: must be an index, which is a whole number from 0 on: {value}");
            check_fit_fails(numbers(&[Some(1.0), Some(value)]), &expected);
        }
    }

    #[test]
    fn more_categories_than_a_schema_can_name_are_refused_and_not_allocated() {
        let wild = numbers(&[Some(0.0), Some(2_147_483_647.0)]);
        check_fit_fails(wild.clone(), "an encoder takes 1048576 categories, and column `c` has the index: 2147483647");
        let error = encoder(true, HandleInvalid::Error).fit(&data(wild)).unwrap_err();
        assert_eq!(error.hint().unwrap(), "let StringIndexer number the values that occur");
        let told = AttributeKind::Nominal { values: None, n_values: Some(1 << 40), is_ordinal: None };
        let expected = "an encoder takes 1048576 categories, and column `c` has by its attribute: 1099511627776";
        check_fit_fails(with_attribute(&numbers(&[]), told), expected);
        let mut saved = model(&encoder(true, HandleInvalid::Error), 3).to_saved(SparkVersion::V4_3).unwrap();
        saved.tables.insert("data".to_owned(), sizes_table(&[MAX_CATEGORIES + 1]));
        assert!(OneHotEncoderModel::from_saved(&saved).is_err());
    }

    #[test]
    fn the_layout_of_2_4_has_another_class_and_lists_of_columns() {
        let encoder = encoder(true, HandleInvalid::Keep);
        let saved = encoder.to_saved(SparkVersion::V2_4).unwrap();
        assert_eq!(saved.class, "org.apache.spark.ml.feature.OneHotEncoderEstimator");
        let params =
            serde_json::json!({"dropLast": true, "handleInvalid": "keep", "inputCols": ["c"], "outputCols": ["v"]});
        assert_eq!(serde_json::Value::Object(saved.param_map), params);
        let defaults = serde_json::json!({"dropLast": true, "handleInvalid": "error"});
        assert_eq!(serde_json::Value::Object(saved.default_param_map), defaults);
        let model = model(&encoder, 3).to_saved(SparkVersion::V2_4).unwrap();
        assert_eq!(
            (model.class.as_str(), &model.param_map["inputCols"]),
            (OneHotEncoderModel::CLASS, &serde_json::json!(["c"]))
        );
    }

    #[test]
    fn the_transformer_of_spark_2_that_bears_the_same_name_is_refused() {
        let mut saved = encoder(true, HandleInvalid::Error).to_saved(SparkVersion::V2_4).unwrap();
        saved.class = OneHotEncoder::CLASS.to_owned();
        let error = OneHotEncoder::from_saved(&saved).unwrap_err().to_string();
        assert!(error.contains("which needs no fit") && error.ends_with("a OneHotEncoderEstimator is"), "{error}");
    }
}
