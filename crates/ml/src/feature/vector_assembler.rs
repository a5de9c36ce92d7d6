//! `VectorAssembler`: columns side by side become one vector column.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::column::{Attribute, AttributeGroup, AttributeKind};
use ognivo_data::dataset::Dataset;
use ognivo_data::outcome::{Fate, Outcome, RejectCode, Rejection};
use ognivo_data::vector::{
    DenseBlock, VectorBuilder, VectorColumn, dense_column, is_vector, sparse_is_smaller, vector_field,
};
use ognivo_data::version::SparkVersion;

use super::scalar::{is_number, scalar_values};
use super::{HANDLE_INVALID, HandleInvalid};
use crate::columns::{
    INPUT_COLS, OUTPUT_COL, OUTPUT_COL_SPEC, append_columns, input_column, keep_rows, with_columns, wrong_type,
};
use crate::param::{ParamKind, ParamSpec, Params};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Stage, StageError, Transformer};
use crate::stage_map::StageMap;

static PARAMS: &[ParamSpec] = &[
    HandleInvalid::SPEC,
    ParamSpec::new(
        "inputCols",
        ParamKind::StringArray,
        "number, boolean and vector columns, in the order of the slots",
    ),
    OUTPUT_COL_SPEC,
];

/// Puts number, boolean and vector columns side by side into a vector column.
///
/// Booleans are 0 and 1, -0.0 becomes 0.0, each vector has the smaller of both forms. Slots keep the attributes of their
/// columns: a scalar column's slot has its name, a vector column's slots are called `<column>_<slot name or number>`.
///
/// With `handleInvalid` = `error` a row with null or NaN in a scalar column or a null vector is rejected, with `skip` it is
/// dropped, with `keep` null becomes NaN, and a null vector as many NaNs as the column's attributes say it has slots. NaN
/// inside a vector always passes.
///
/// Same as Spark. Differs from Spark: when the attributes do not tell how many slots an input vector has, Spark looks at the
/// first row and fails when there is none; we look where there is a dataset ([`Transformer::transform`]), and else (in a
/// stream) leave the slots of the output without attributes.
#[derive(Debug, Clone)]
pub struct VectorAssembler {
    params: Params,
}

impl Default for VectorAssembler {
    fn default() -> VectorAssembler {
        VectorAssembler::new()
    }
}

impl VectorAssembler {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.VectorAssembler";

    /// An assembler with Spark's defaults; columns must be named.
    pub fn new() -> VectorAssembler {
        VectorAssembler { params: Params::new("VectorAssembler", PARAMS) }
    }

    /// The columns to assemble, in the order of the slots.
    pub fn input_cols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> VectorAssembler {
        self.params.put(INPUT_COLS, names.into_iter().map(Into::into).collect());
        self
    }

    /// The vector column; `<uid>__output` when not named.
    pub fn output_col(mut self, name: impl Into<String>) -> VectorAssembler {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// What happens to rows with null or NaN.
    pub fn handle_invalid(mut self, handle_invalid: HandleInvalid) -> VectorAssembler {
        self.params.put(HANDLE_INVALID, handle_invalid.as_str().to_owned());
        self
    }

    /// An assembler from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have.
    pub fn from_saved(saved: &SavedStage) -> Result<VectorAssembler, SavedError> {
        let mut stage = VectorAssembler::new();
        saved.read_params(&mut stage.params)?;
        Ok(stage)
    }

    /// The input columns, and the schema with the output column. `size_of` tells what attributes do not: the number of
    /// slots of a vector column.
    fn resolve(
        &self,
        input: &Schema,
        size_of: &dyn Fn(&str) -> Option<usize>,
    ) -> Result<(Vec<Part>, SchemaRef), StageError> {
        self.params.check()?;
        let names = self.params.require(INPUT_COLS)?;
        let mut parts = Vec::with_capacity(names.len());
        let mut slots = Some(Vec::new());
        for name in names {
            let (position, field) = input_column(self.uid(), input, &name)?;
            let attributes = slot_attributes(field, size_of)
                .map_err(|()| wrong_type(self.uid(), &name, "a number, boolean or vector column", field.data_type()))?;
            let n_slots = attributes.as_ref().map(Vec::len);
            slots = slots.zip(attributes).map(|(slots, more)| [slots, more].concat());
            parts.push(Part { position, name, is_vector: is_vector(field.data_type()), n_slots });
        }
        let group = slots.map_or_else(AttributeGroup::default, AttributeGroup::new);
        let output = group.attach(vector_field(self.params.get(OUTPUT_COL)));
        Ok((parts, with_columns(self.uid(), input, [output])?))
    }

    fn bind_with(
        &self,
        input: &Schema,
        size_of: &dyn Fn(&str) -> Option<usize>,
    ) -> Result<Box<dyn BoundStage>, StageError> {
        let (parts, schema) = self.resolve(input, size_of)?;
        let handle_invalid = HandleInvalid::of(&self.params);
        let unsized_part = parts.iter().find(|part| part.n_slots.is_none());
        if let Some(part) = unsized_part.filter(|_| handle_invalid == HandleInvalid::Keep) {
            return Err(StageError::Unfit {
                uid: self.uid().clone(),
                reason: format!("the size of vectors is not known, and handleInvalid is keep: {}", part.name),
                hint: Some("let VectorSizeHint say the size, or set handleInvalid to error or skip".to_owned()),
            });
        }
        Ok(Box::new(BoundVectorAssembler { params: self.params.clone(), handle_invalid, parts, schema }))
    }
}

/// One input column.
#[derive(Debug)]
struct Part {
    position: usize,
    name: String,
    is_vector: bool,
    /// Number of slots, where it is known before rows are seen.
    n_slots: Option<usize>,
}

/// The attributes that an input column gives to its slots; `None` when their number is not known, an error when the column
/// is not one that can be assembled.
fn slot_attributes(field: &Field, size_of: &dyn Fn(&str) -> Option<usize>) -> Result<Option<Vec<Attribute>>, ()> {
    let name = field.name();
    match field.data_type() {
        DataType::Float64 => {
            let kind = Attribute::of(field).map_or(AttributeKind::Numeric, |attribute| attribute.kind);
            Ok(Some(vec![Attribute { name: Some(name.clone()), kind }]))
        }
        // Spark takes an attribute's word only for doubles.
        data_type if is_number(data_type) || *data_type == DataType::Boolean => {
            Ok(Some(vec![Attribute::numeric(name)]))
        }
        data_type if is_vector(data_type) => {
            let group = AttributeGroup::of(field);
            let nameless = |n_slots| vec![Attribute::default(); n_slots];
            let n_slots = group.n_slots.or_else(|| group.attributes.is_none().then(|| size_of(name)).flatten());
            let attributes = group.attributes.or_else(|| n_slots.map(nameless));
            Ok(attributes
                .map(|attributes| attributes.into_iter().enumerate().map(|slot| prefixed(name, slot)).collect()))
        }
        _ => Err(()),
    }
}

/// The size of the first vector of a column. `None` also where rows cannot be read: the pass that needs them will say so.
fn size_of_first(data: &Dataset, name: &str) -> Option<usize> {
    let rows = (0..data.n_partitions()).filter_map(|partition| data.scan(partition).ok()).flatten();
    let mut columns = rows.map_while(Result::ok).filter_map(|rows| rows.column_by_name(name).cloned());
    columns.find_map(|column| VectorColumn::try_new(&column).ok()?.iter().flatten().next().map(|vector| vector.size()))
}

fn prefixed(column: &str, (slot, attribute): (usize, Attribute)) -> Attribute {
    let name = match attribute.name {
        Some(name) => format!("{column}_{name}"),
        None => format!("{column}_{slot}"),
    };
    Attribute { name: Some(name), kind: attribute.kind }
}

impl Configured for VectorAssembler {
    fn class(&self) -> &'static str {
        VectorAssembler::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(VectorAssembler::CLASS, &self.params, version)
    }
}

impl Transformer for VectorAssembler {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        self.bind_with(input, &|_| None)
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
    /// Also when the size of a vector is not known yet: the stages that make it may have to be fitted first.
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        Ok(self.resolve(input, &|_| None)?.1)
    }
    /// Looks at the first row where attributes do not tell the size of a vector, so that slots have names all the same.
    fn transform(&self, data: &Dataset) -> Result<Dataset, StageError> {
        let is_kept = HandleInvalid::of(&self.params) == HandleInvalid::Keep;
        let size_of = |name: &str| if is_kept { None } else { size_of_first(data, name) };
        let bound = self.bind_with(data.schema(), &size_of)?;
        Ok(data.map(Arc::new(StageMap::new(bound))))
    }
}

impl From<VectorAssembler> for Stage {
    fn from(stage: VectorAssembler) -> Stage {
        Stage::Transformer(Box::new(stage))
    }
}

struct BoundVectorAssembler {
    params: Params,
    handle_invalid: HandleInvalid,
    parts: Vec<Part>,
    schema: SchemaRef,
}

/// The values of one input column in one batch.
enum Values<'a> {
    /// One number a row, null as NaN.
    Scalars(ScalarBuffer<f64>),
    /// Vectors that are all dense and of one size.
    Dense(DenseBlock<'a>),
    /// Other vectors, and the size of null ones.
    Vectors(VectorColumn<'a>, usize),
}

impl BoundStage for BoundVectorAssembler {
    fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn apply(&self, rows: RecordBatch) -> Result<Outcome, StageError> {
        let values = self.values(&rows)?;
        let Some(fates) = self.fates(&rows, &values) else {
            let vectors = assemble(&values, rows.num_rows(), self.params.version());
            return Ok(Outcome::all_kept(append_columns(&self.schema, &rows, [vectors])));
        };
        let Outcome { rows, fates } = keep_rows(&rows, fates);
        let vectors = assemble(&self.values(&rows)?, rows.num_rows(), self.params.version());
        Ok(Outcome::new(append_columns(&self.schema, &rows, [vectors]), fates))
    }
}

impl BoundVectorAssembler {
    fn values<'a>(&self, rows: &'a RecordBatch) -> Result<Vec<Values<'a>>, StageError> {
        self.parts.iter().map(|part| self.values_of(part, rows.column(part.position).as_ref())).collect()
    }

    fn values_of<'a>(&self, part: &Part, column: &'a dyn Array) -> Result<Values<'a>, StageError> {
        if !part.is_vector {
            return Ok(Values::Scalars(scalar_values(column)));
        }
        let vectors = VectorColumn::try_new(column).map_err(|cause| StageError::BadVector {
            uid: self.params.uid().clone(),
            column: part.name.clone(),
            cause,
        })?;
        Ok(match vectors.dense_block() {
            Some(block) => Values::Dense(block),
            None => Values::Vectors(vectors, part.n_slots.unwrap_or(0)),
        })
    }

    /// What becomes of each row; `None` when every row is kept.
    fn fates(&self, rows: &RecordBatch, values: &[Values<'_>]) -> Option<Vec<Fate>> {
        let suspects: Vec<(&Part, &Values<'_>)> = match self.handle_invalid {
            HandleInvalid::Keep => Vec::new(),
            _ => self.parts.iter().zip(values).filter(|(_, values)| values.has_invalid()).collect(),
        };
        let may_be_long = values.iter().any(|values| matches!(values, Values::Vectors(..)));
        let is_too_long = |row_idx| values.iter().map(|values| values.size(row_idx)).sum::<usize>() > MAX_SLOTS;
        let has_too_long = may_be_long && (0..rows.num_rows()).any(is_too_long);
        if suspects.is_empty() && !has_too_long {
            return None;
        }
        let fate = |row_idx| match suspects.iter().find(|(_, values)| values.is_invalid(row_idx)) {
            Some(_) if self.handle_invalid == HandleInvalid::Skip => Fate::Skipped,
            Some((part, _)) if rows.column(part.position).is_null(row_idx) => {
                self.reject(&part.name, RejectCode::NullValue, "not assembled, since handleInvalid is error: null")
            }
            Some((part, _)) => {
                self.reject(&part.name, RejectCode::NotFinite, "not assembled, since handleInvalid is error: NaN")
            }
            None if has_too_long && is_too_long(row_idx) => {
                let output = self.params.get(OUTPUT_COL);
                self.reject(&output, RejectCode::WrongSize, &format!("more slots than a vector can have: {MAX_SLOTS}"))
            }
            None => Fate::Kept,
        };
        Some((0..rows.num_rows()).map(fate).collect())
    }

    fn reject(&self, column: &str, code: RejectCode, message: &str) -> Fate {
        let (stage, column) = (self.params.uid().to_string(), column.to_owned());
        Fate::Rejected(Box::new(Rejection { stage, column, code, message: message.to_owned() }))
    }
}

/// Slots are numbered by 32-bit integers.
const MAX_SLOTS: usize = i32::MAX as usize;

impl Values<'_> {
    fn has_invalid(&self) -> bool {
        match self {
            // Without an early end: the processor then tests several values at a time.
            Values::Scalars(values) => values.iter().fold(false, |found, value| found | value.is_nan()),
            Values::Dense(_) => false,
            Values::Vectors(vectors, _) => vectors.null_count() > 0,
        }
    }

    /// Number of slots that this row's value takes.
    fn size(&self, row_idx: usize) -> usize {
        match self {
            Values::Scalars(_) => 1,
            Values::Dense(block) => block.n_features,
            Values::Vectors(vectors, null_size) => vectors.get(row_idx).map_or(*null_size, |vector| vector.size()),
        }
    }

    /// Null, or NaN in a scalar column.
    fn is_invalid(&self, row_idx: usize) -> bool {
        match self {
            Values::Scalars(values) => values[row_idx].is_nan(),
            Values::Dense(_) => false,
            Values::Vectors(vectors, _) => vectors.is_null(row_idx),
        }
    }
}

/// The vector column of these parts, side by side.
fn assemble(values: &[Values<'_>], n_rows: usize, version: SparkVersion) -> ArrayRef {
    match dense_rows(values, n_rows) {
        Some(block) => compressed(block, n_rows, version),
        None => assemble_by_row(values, n_rows, version),
    }
}

/// Rows that are worked on together, so that the part of the block that is written stays in the processor's cache.
const TILE_ROWS: usize = 256;

/// One row-major block of all parts; `None` when a vector part is not dense and of one size itself.
fn dense_rows(values: &[Values<'_>], n_rows: usize) -> Option<Vec<f64>> {
    let widths = values.iter().map(|values| match values {
        Values::Scalars(_) => Some(1),
        Values::Dense(block) => Some(block.n_features),
        Values::Vectors(..) => None,
    });
    let widths = widths.collect::<Option<Vec<usize>>>()?;
    let n_features: usize = widths.iter().sum();
    let mut block = vec![0.0; n_rows * n_features];
    if n_features == 0 {
        return Some(block);
    }
    for (tile_idx, tile) in block.chunks_mut(TILE_ROWS * n_features).enumerate() {
        let start = tile_idx * TILE_ROWS;
        let mut slot = 0;
        for (values, &width) in values.iter().zip(&widths) {
            let rows = tile.chunks_exact_mut(n_features).map(|row| &mut row[slot..slot + width]);
            match values {
                Values::Scalars(values) => {
                    rows.zip(&values[start..]).for_each(|(row, &value)| row[0] = plain_zero(value))
                }
                Values::Dense(part) if width > 0 => {
                    let part = part.values[start * width..].chunks_exact(width);
                    rows.zip(part).for_each(|(row, part)| copy_plain(row, part));
                }
                Values::Dense(_) | Values::Vectors(..) => {}
            }
            slot += width;
        }
    }
    Some(block)
}

fn copy_plain(row: &mut [f64], part: &[f64]) {
    row.iter_mut().zip(part).for_each(|(slot, &value)| *slot = plain_zero(value));
}

/// The value, with -0.0 as 0.0: Spark only carries over what differs from 0.
fn plain_zero(value: f64) -> f64 {
    value + 0.0
}

/// The vectors of a block, as the block itself when none of them is smaller as a sparse one.
fn compressed(block: Vec<f64>, n_rows: usize, version: SparkVersion) -> ArrayRef {
    let n_features = block.len().checked_div(n_rows).unwrap_or(0);
    let row = |row_idx: usize| &block[row_idx * n_features..(row_idx + 1) * n_features];
    let n_stored = |row: &[f64]| row.iter().filter(|&&value| value != 0.0).count();
    let is_sparse = |row: &[f64]| sparse_is_smaller(n_stored(row), n_features, version);
    if !sparse_is_smaller(0, n_features, version) || !(0..n_rows).any(|row_idx| is_sparse(row(row_idx))) {
        return dense_column(block, n_rows, n_features);
    }
    let mut vectors = VectorBuilder::new();
    (0..n_rows).for_each(|row_idx| vectors.push_compressed(row(row_idx), version));
    vectors.finish()
}

/// Row by row, in time and space of what differs from 0: vectors may be sparse and very long.
fn assemble_by_row(values: &[Values<'_>], n_rows: usize, version: SparkVersion) -> ArrayRef {
    let mut vectors = VectorBuilder::new();
    let (mut indices, mut stored) = (Vec::new(), Vec::new());
    for row_idx in 0..n_rows {
        indices.clear();
        stored.clear();
        let mut start = 0;
        let mut store = |slot: usize, value: f64| {
            if value != 0.0 {
                indices.push(slot as i32);
                stored.push(value);
            }
        };
        for values in values {
            start += match values {
                Values::Scalars(values) => {
                    store(start, values[row_idx]);
                    1
                }
                Values::Dense(block) => {
                    let row = &block.values[row_idx * block.n_features..(row_idx + 1) * block.n_features];
                    row.iter().enumerate().for_each(|(slot, &value)| store(start + slot, value));
                    block.n_features
                }
                Values::Vectors(vectors, null_size) => match vectors.get(row_idx) {
                    Some(vector) => {
                        vector.for_each_stored(|slot, value| store(start + slot, value));
                        vector.size()
                    }
                    None => {
                        (start..start + null_size).for_each(|slot| store(slot, f64::NAN));
                        *null_size
                    }
                },
            };
        }
        vectors.push_stored(start, &indices, &stored, version);
    }
    vectors.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{ArrayRef, Float64Array};
    use ognivo_data::fault::Explain;
    use ognivo_data::vector::{Vector, VectorRef};

    fn rows(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn numbers(values: impl IntoIterator<Item = f64>) -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(values))
    }

    fn vectors(values: &[Vector]) -> ArrayRef {
        let mut builder = VectorBuilder::new();
        values.iter().for_each(|vector| builder.push(vector.as_ref()));
        builder.finish()
    }

    fn assembled(stage: &VectorAssembler, rows: RecordBatch) -> ArrayRef {
        let bound = stage.bind(&rows.schema()).unwrap();
        Arc::clone(bound.apply(rows).unwrap().rows.columns().last().unwrap())
    }

    #[test]
    fn dense_parts_become_one_block_row_by_row() {
        // More rows than one tile, and a part of two slots between scalars.
        let n_rows = TILE_ROWS + 3;
        let number = |row_idx: usize| row_idx as f64 + 1.0;
        let pairs = (0..n_rows).flat_map(|row_idx| [10.0 * number(row_idx), -0.0]).collect();
        let rows = rows(vec![
            ("a", numbers((0..n_rows).map(number))),
            ("v", dense_column(pairs, n_rows, 2)),
            ("b", numbers((0..n_rows).map(|row_idx| -number(row_idx)))),
        ]);
        let column = assembled(&VectorAssembler::new().input_cols(["b", "v", "a"]), rows);
        let column = VectorColumn::try_new(&column).unwrap();
        let block = column.dense_block().unwrap();
        assert_eq!((block.n_rows, block.n_features), (n_rows, 4));
        for row_idx in [0, 1, TILE_ROWS - 1, TILE_ROWS, n_rows - 1] {
            let x = number(row_idx);
            assert_eq!(block.values[4 * row_idx..4 * row_idx + 4], [-x, 10.0 * x, 0.0, x]);
        }
    }

    #[test]
    fn a_negative_zero_becomes_zero_as_in_spark() {
        // Spark 3.5.9 and 4.3.0: [-0.0, 1.0] and the vector [-0.0, 2.0] give [0.0, 1.0, 0.0, 2.0].
        let parts =
            [Vector::Dense(vec![-0.0, 2.0]), Vector::Sparse { size: 2, indices: vec![0, 1], values: vec![-0.0, 2.0] }];
        for part in parts {
            let rows = rows(vec![("x", numbers([-0.0])), ("y", numbers([1.0])), ("v", vectors(&[part]))]);
            let column = assembled(&VectorAssembler::new().input_cols(["x", "y", "v"]), rows);
            let Some(VectorRef::Dense(values)) = VectorColumn::try_new(&column).unwrap().get(0) else {
                panic!("not dense")
            };
            let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
            assert_eq!(bits, [0.0, 1.0, 0.0, 2.0_f64].map(f64::to_bits));
        }
    }

    #[test]
    fn only_rows_that_are_smaller_as_sparse_ones_become_sparse() {
        // Two slots, none stored: 1.5 < 2 makes it sparse up to 3.5; 28 < 28 does not from 4.0 on.
        for (version, is_sparse) in [(SparkVersion::V3_5, true), (SparkVersion::V4_3, false)] {
            let mut stage = VectorAssembler::new().input_cols(["x", "y"]);
            stage.set_version(version);
            let column = assembled(&stage, rows(vec![("x", numbers([0.0, 1.0])), ("y", numbers([0.0, 0.0]))]));
            let column = VectorColumn::try_new(&column).unwrap();
            assert_eq!(matches!(column.get(0), Some(VectorRef::Sparse { .. })), is_sparse, "{version}");
            assert_eq!(column.get(1), Some(VectorRef::Dense(&[1.0, 0.0])));
        }
    }

    #[test]
    fn long_sparse_vectors_stay_sparse_and_may_differ_in_size() {
        let long = |size, slot| Vector::Sparse { size, indices: vec![slot], values: vec![1.0] };
        let parts = [long(1 << 30, 7), long(100, 99), long(MAX_SLOTS, 0)];
        let column = assembled(
            &VectorAssembler::new().input_cols(["v", "x"]),
            rows(vec![("v", vectors(&parts)), ("x", numbers([5.0, f64::INFINITY, 1.0]))]),
        );
        let column = VectorColumn::try_new(&column).unwrap();
        let sparse = |size, slot, last| VectorRef::Sparse { size, indices: slot, values: last };
        assert_eq!(column.get(0), Some(sparse((1 << 30) + 1, &[7, 1 << 30], &[1.0, 5.0])));
        assert_eq!(column.get(1), Some(sparse(101, &[99, 100], &[1.0, f64::INFINITY])));
        assert_eq!(column.len(), 2, "a row with more slots than fit is rejected");
    }

    #[test]
    fn keeping_null_vectors_needs_their_size() {
        let rows = rows(vec![("v", vectors(&[Vector::Dense(vec![1.0])]))]);
        let stage = VectorAssembler::new().input_cols(["v"]).handle_invalid(HandleInvalid::Keep);
        let error = stage.bind(&rows.schema()).err().unwrap();
        let expected = "the size of vectors is not known, and handleInvalid is keep: v";
        assert_eq!(error.to_string(), format!("stage `{}`: {expected}", stage.uid()));
        assert!(error.hint().unwrap().contains("VectorSizeHint"));
        assert!(Transformer::output_schema(&stage, &rows.schema()).is_ok());
    }

    #[test]
    fn slots_keep_the_attributes_of_doubles_and_vectors_only() {
        // As Spark 3.5.9 and 4.3.0: an attribute of an integer column is not looked at.
        let labels = || vec!["u".to_owned(), "w".to_owned()];
        let slots = vec![Attribute::default(), Attribute::nominal("q", labels())];
        let schema = Arc::new(Schema::new(vec![
            AttributeGroup::new(slots).attach(vector_field("v")),
            AttributeGroup::of_size(1).attach(vector_field("w")),
            Attribute::nominal("x", labels()).attach(Field::new("x", DataType::Float64, true)),
            Attribute::nominal("n", labels()).attach(Field::new("n", DataType::Int32, true)),
        ]));
        let stage = VectorAssembler::new().input_cols(["v", "w", "x", "n"]).output_col("f");
        let group = AttributeGroup::of(stage.bind(&schema).unwrap().output_schema().field_with_name("f").unwrap());
        let expected = [
            Attribute::numeric("v_0"),
            Attribute::nominal("v_q", labels()),
            Attribute::numeric("w_0"),
            Attribute::nominal("x", labels()),
            Attribute::numeric("n"),
        ];
        assert_eq!(group.attributes.unwrap(), expected);
    }
}
