//! `VectorAssembler`: columns side by side become one vector column.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
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
    Scalars(Cow<'a, [f64]>),
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
        if self.handle_invalid == HandleInvalid::Keep {
            return None;
        }
        let suspects: Vec<(&Part, &Values<'_>)> =
            self.parts.iter().zip(values).filter(|(_, values)| values.has_invalid()).collect();
        if suspects.is_empty() {
            return None;
        }
        let fate = |row_idx| match suspects.iter().find(|(_, values)| values.is_invalid(row_idx)) {
            None => Fate::Kept,
            Some(_) if self.handle_invalid == HandleInvalid::Skip => Fate::Skipped,
            Some((part, _)) => {
                let is_null = rows.column(part.position).is_null(row_idx);
                let (code, word) =
                    if is_null { (RejectCode::NullValue, "null") } else { (RejectCode::NotFinite, "NaN") };
                let message = format!("{word} cannot be assembled with handleInvalid = error");
                let stage = self.params.uid().to_string();
                Fate::Rejected(Box::new(Rejection { stage, column: part.name.clone(), code, message }))
            }
        };
        Some((0..rows.num_rows()).map(fate).collect())
    }
}

impl Values<'_> {
    fn has_invalid(&self) -> bool {
        match self {
            // Without an early end: the processor then tests several values at a time.
            Values::Scalars(values) => values.iter().fold(false, |found, value| found | value.is_nan()),
            Values::Dense(_) => false,
            Values::Vectors(vectors, _) => vectors.null_count() > 0,
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
