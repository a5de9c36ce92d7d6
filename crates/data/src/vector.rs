//! Dense and sparse vectors: a checked view of Spark's `VectorUDT` struct, and the way to build it.
//!
//! ```text
//! struct { type: int8 not null      0 sparse, 1 dense
//!        , size: int32              sparse only
//!        , indices: list<int32>     sparse only, strictly ascending
//!        , values: list<float64> }
//! ```
//!
//! The common batch has dense vectors of one size and no null. Its `values` child then is one row-major block of
//! `n_rows × n_features` numbers, and kernels work on that block: see [`VectorColumn::dense_block`].

use std::sync::{Arc, LazyLock};

use arrow_array::{Array, ArrayRef, Float64Array, Int8Array, Int32Array, ListArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Fields};
use serde_json::{Value, json};

use crate::version::SparkVersion;

const SPARSE: i8 = 0;
const DENSE: i8 = 1;

static VECTOR_FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("type", DataType::Int8, false),
        Field::new("size", DataType::Int32, true),
        Field::new("indices", DataType::List(element(DataType::Int32)), true),
        Field::new("values", DataType::List(element(DataType::Float64)), true),
    ])
});

fn element(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, false))
}

/// The Arrow type of a vector column.
pub fn vector_type() -> DataType {
    DataType::Struct(VECTOR_FIELDS.clone())
}

/// A nullable vector column called `name`.
pub fn vector_field(name: impl Into<String>) -> Field {
    Field::new(name, vector_type(), true)
}

/// Whether a column of this type is a vector column: the four children of `VectorUDT` by name and type.
///
/// Nullability flags and the names of list elements do not count, since Parquet writers differ in them.
pub fn is_vector(data_type: &DataType) -> bool {
    let DataType::Struct(fields) = data_type else { return false };
    fields.len() == 4
        && fields[0].name() == "type"
        && *fields[0].data_type() == DataType::Int8
        && fields[1].name() == "size"
        && *fields[1].data_type() == DataType::Int32
        && fields[2].name() == "indices"
        && is_list_of(fields[2].data_type(), &DataType::Int32)
        && fields[3].name() == "values"
        && is_list_of(fields[3].data_type(), &DataType::Float64)
}

fn is_list_of(data_type: &DataType, item: &DataType) -> bool {
    matches!(data_type, DataType::List(field) if field.data_type() == item)
}

/// Why an array is not a column of vectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// The type is another one.
    #[error("not a vector column: {0}")]
    NotAVector(DataType),
    /// A row breaks the layout of `VectorUDT`.
    #[error("row {row_idx} is not a valid vector: {reason}")]
    BadRow {
        /// Position in the batch.
        row_idx: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// One vector of a column, borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum VectorRef<'a> {
    /// Every value.
    Dense(&'a [f64]),
    /// The values that are stored, with their positions; the others are 0.
    Sparse {
        /// Number of slots.
        size: usize,
        /// Positions of `values`, strictly ascending, below `size`.
        indices: &'a [i32],
        /// The stored values, as many as `indices`.
        values: &'a [f64],
    },
}

impl VectorRef<'_> {
    /// Number of slots.
    pub fn size(&self) -> usize {
        match self {
            VectorRef::Dense(values) => values.len(),
            VectorRef::Sparse { size, .. } => *size,
        }
    }

    /// Calls `visit(slot, value)` for every stored value, in ascending order of slots.
    pub fn for_each_stored(&self, mut visit: impl FnMut(usize, f64)) {
        match self {
            VectorRef::Dense(values) => values.iter().enumerate().for_each(|(slot, &value)| visit(slot, value)),
            VectorRef::Sparse { indices, values, .. } => {
                indices.iter().zip(*values).for_each(|(&slot, &value)| visit(slot as usize, value));
            }
        }
    }

    /// Writes all slots to `out`.
    ///
    /// # Panics
    /// When `out` is not of the vector's size.
    pub fn write_dense(&self, out: &mut [f64]) {
        assert_eq!(out.len(), self.size(), "the target must have the vector's size");
        match self {
            VectorRef::Dense(values) => out.copy_from_slice(values),
            VectorRef::Sparse { .. } => {
                out.fill(0.0);
                self.for_each_stored(|slot, value| out[slot] = value);
            }
        }
    }

    /// An owned copy.
    pub fn to_owned(&self) -> Vector {
        match *self {
            VectorRef::Dense(values) => Vector::Dense(values.to_vec()),
            VectorRef::Sparse { size, indices, values } => {
                Vector::Sparse { size, indices: indices.to_vec(), values: values.to_vec() }
            }
        }
    }
}

/// An owned vector, as parameters and models hold it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Vector {
    /// Every value.
    Dense(Vec<f64>),
    /// The values that are stored, with their positions, strictly ascending.
    Sparse {
        /// Number of slots.
        size: usize,
        /// Positions of `values`.
        indices: Vec<i32>,
        /// The stored values.
        values: Vec<f64>,
    },
}

impl Vector {
    /// The smaller of both forms of `dense`, as Spark's `Vector.compressed` chooses.
    ///
    /// The rule is [`sparse_is_smaller`].
    pub fn compressed(dense: &[f64], version: SparkVersion) -> Vector {
        let n_stored = dense.iter().filter(|&&value| value != 0.0).count();
        if !sparse_is_smaller(n_stored, dense.len(), version) {
            return Vector::Dense(dense.to_vec());
        }
        let stored = || dense.iter().enumerate().filter(|&(_, &value)| value != 0.0);
        Vector::Sparse {
            size: dense.len(),
            indices: stored().map(|(slot, _)| slot as i32).collect(),
            values: stored().map(|(_, &value)| value).collect(),
        }
    }

    /// A borrowed view.
    pub fn as_ref(&self) -> VectorRef<'_> {
        match self {
            Vector::Dense(values) => VectorRef::Dense(values),
            Vector::Sparse { size, indices, values } => VectorRef::Sparse { size: *size, indices, values },
        }
    }

    /// Number of slots.
    pub fn size(&self) -> usize {
        self.as_ref().size()
    }

    /// All slots.
    pub fn to_dense(&self) -> Vec<f64> {
        let mut out = vec![0.0; self.size()];
        self.as_ref().write_dense(&mut out);
        out
    }

    /// A sparse vector; `None` when it is none, because an index is out of order or outside of the vector.
    pub(crate) fn try_sparse(size: usize, indices: Vec<i32>, values: Vec<f64>) -> Option<Vector> {
        let is_sound = sparse_fault(&VectorRef::Sparse { size, indices: &indices, values: &values }).is_none();
        is_sound.then_some(Vector::Sparse { size, indices, values })
    }

    /// Spark's JSON: `{"type":1,"values":[…]}` or `{"type":0,"size":n,"indices":[…],"values":[…]}`.
    ///
    /// NaN and the infinities are the strings that Spark's parameters use: `"NaN"`, `"Inf"`, `"-Inf"`.
    pub fn to_json(&self) -> Value {
        let numbers = |values: &[f64]| values.iter().map(|&value| number_to_json(value)).collect::<Vec<_>>();
        match self {
            Vector::Dense(values) => json!({"type": 1, "values": numbers(values)}),
            Vector::Sparse { size, indices, values } => {
                json!({"type": 0, "size": size, "indices": indices, "values": numbers(values)})
            }
        }
    }

    /// Reads what [`to_json`](Vector::to_json) writes; `None` for anything else.
    pub fn from_json(value: &Value) -> Option<Vector> {
        let values = value.get("values")?.as_array()?.iter().map(number_from_json).collect::<Option<Vec<_>>>()?;
        match value.get("type")?.as_u64()? {
            1 => Some(Vector::Dense(values)),
            0 => {
                let size = value.get("size")?.as_u64()? as usize;
                let indices = value.get("indices")?.as_array()?;
                let indices = indices
                    .iter()
                    .map(|index| index.as_i64().and_then(|index| i32::try_from(index).ok()))
                    .collect::<Option<Vec<_>>>()?;
                Vector::try_sparse(size, indices, values)
            }
            _ => None,
        }
    }
}

/// A double as Spark's parameters write it: a number, or `"NaN"`, `"Inf"`, `"-Inf"`.
pub fn number_to_json(value: f64) -> Value {
    match value {
        value if value.is_nan() => json!("NaN"),
        f64::INFINITY => json!("Inf"),
        f64::NEG_INFINITY => json!("-Inf"),
        value => json!(value),
    }
}

/// Reads a double that Spark's parameters hold; integers are taken too.
pub fn number_from_json(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(word) => match word.as_str() {
            "NaN" => Some(f64::NAN),
            "Inf" | "Infinity" => Some(f64::INFINITY),
            "-Inf" | "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// Whether Spark's `compressed` makes a vector of `size` slots sparse when `n_stored` of them are not 0.
///
/// Same as Spark: up to 3.5 when `1.5 · (n_stored + 1) < size`, from 4.0 on when `12 · n_stored + 28 < 8 · size + 12`.
pub fn sparse_is_smaller(n_stored: usize, size: usize, version: SparkVersion) -> bool {
    if version >= SparkVersion::V4_3 {
        12 * n_stored + 28 < 8 * size + 12
    } else {
        1.5 * (n_stored as f64 + 1.0) < size as f64
    }
}

/// What is wrong with a sparse vector, if anything is.
fn sparse_fault(vector: &VectorRef<'_>) -> Option<&'static str> {
    let VectorRef::Sparse { size, indices, values } = vector else { return None };
    if indices.len() != values.len() {
        return Some("indices and values differ in number");
    }
    if indices.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Some("indices are not strictly ascending");
    }
    let in_range = indices.first().is_none_or(|&first| first >= 0)
        && indices.last().is_none_or(|&last| (last as i64) < *size as i64);
    (!in_range).then_some("an index is outside the vector")
}

/// A row-major block of dense vectors: row `i` is `values[i * n_features..(i + 1) * n_features]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DenseBlock<'a> {
    /// `n_rows × n_features` numbers, row by row.
    pub values: &'a [f64],
    /// Number of vectors.
    pub n_rows: usize,
    /// Size of each vector.
    pub n_features: usize,
}

/// A checked view of a vector column; construction validates once, access never fails.
#[derive(Debug, Clone)]
pub struct VectorColumn<'a> {
    nulls: Option<&'a NullBuffer>,
    types: &'a [i8],
    sizes: &'a [i32],
    index_offsets: &'a [i32],
    indices: &'a [i32],
    value_offsets: &'a [i32],
    values: &'a [f64],
    /// No vector is null or sparse.
    is_dense: bool,
}

impl<'a> VectorColumn<'a> {
    /// Checks every row of `array` once.
    ///
    /// # Errors
    /// [`VectorError`] when the type is not that of a vector column, or a row that is not null has an unknown type, no
    /// values, or a sparse vector with indices that are out of range, unsorted or of another number than its values.
    pub fn try_new(array: &'a dyn Array) -> Result<VectorColumn<'a>, VectorError> {
        let not_a_vector = || VectorError::NotAVector(array.data_type().clone());
        if !is_vector(array.data_type()) {
            return Err(not_a_vector());
        }
        let rows: &StructArray = array.as_any().downcast_ref().ok_or_else(not_a_vector)?;
        let types: &Int8Array = rows.column(0).as_any().downcast_ref().ok_or_else(not_a_vector)?;
        let sizes: &Int32Array = rows.column(1).as_any().downcast_ref().ok_or_else(not_a_vector)?;
        let index_lists: &ListArray = rows.column(2).as_any().downcast_ref().ok_or_else(not_a_vector)?;
        let value_lists: &ListArray = rows.column(3).as_any().downcast_ref().ok_or_else(not_a_vector)?;
        let indices: &Int32Array = index_lists.values().as_any().downcast_ref().ok_or_else(not_a_vector)?;
        let values: &Float64Array = value_lists.values().as_any().downcast_ref().ok_or_else(not_a_vector)?;
        let is_dense = rows.null_count() == 0 && all(types.values(), |&kind| kind == DENSE);
        let column = VectorColumn {
            is_dense,
            nulls: rows.nulls(),
            types: types.values(),
            sizes: sizes.values(),
            index_offsets: index_lists.offsets(),
            indices: indices.values(),
            value_offsets: value_lists.offsets(),
            values: values.values(),
        };
        let has_null_parts = value_lists.null_count() + values.null_count() + indices.null_count() > 0;
        if is_dense && !has_null_parts {
            return Ok(column);
        }
        let has_no_values = |row_idx| value_lists.is_null(row_idx);
        let has_null = |row_idx| has_null(index_lists, row_idx) || has_null(value_lists, row_idx);
        for row_idx in 0..column.len() {
            if column.is_null(row_idx) {
                continue;
            }
            let fault = match column.types[row_idx] {
                DENSE | SPARSE if has_no_values(row_idx) => Some("values are null"),
                DENSE | SPARSE if has_null(row_idx) => Some("an index or a value is null"),
                DENSE => None,
                SPARSE if column.sizes[row_idx] < 0 || sizes.is_null(row_idx) => Some("a sparse vector without size"),
                SPARSE => sparse_fault(&column.row(row_idx)),
                _ => Some("unknown type"),
            };
            if let Some(reason) = fault {
                return Err(VectorError::BadRow { row_idx, reason });
            }
        }
        Ok(column)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.types.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// Whether the vector of this row is null.
    pub fn is_null(&self, row_idx: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row_idx))
    }

    /// Number of null rows.
    pub fn null_count(&self) -> usize {
        self.nulls.map_or(0, NullBuffer::null_count)
    }

    /// The vector of this row; `None` when it is null.
    pub fn get(&self, row_idx: usize) -> Option<VectorRef<'a>> {
        (!self.is_null(row_idx)).then(|| self.row(row_idx))
    }

    fn row(&self, row_idx: usize) -> VectorRef<'a> {
        let values = slice(self.values, self.value_offsets, row_idx);
        if self.types[row_idx] == DENSE {
            return VectorRef::Dense(values);
        }
        let indices = slice(self.indices, self.index_offsets, row_idx);
        VectorRef::Sparse { size: self.sizes[row_idx] as usize, indices, values }
    }

    /// All rows, null ones as `None`.
    pub fn iter(&self) -> impl Iterator<Item = Option<VectorRef<'a>>> + '_ {
        (0..self.len()).map(|row_idx| self.get(row_idx))
    }

    /// The whole column as one row-major block, without a copy.
    ///
    /// `None` when there is no row, a vector is null or sparse, or the sizes differ.
    pub fn dense_block(&self) -> Option<DenseBlock<'a>> {
        let n_rows = self.len();
        if n_rows == 0 || !self.is_dense {
            return None;
        }
        let size = self.value_offsets[1] - self.value_offsets[0];
        let sizes = self.value_offsets[1..].iter().zip(self.value_offsets);
        if !sizes.fold(true, |same, (end, start)| same & (end - start == size)) {
            return None;
        }
        let n_features = size as usize;
        let start = self.value_offsets[0] as usize;
        Some(DenseBlock { values: &self.values[start..start + n_rows * n_features], n_rows, n_features })
    }
}

/// Whether all are so; without an early end, so that the processor tests several at a time.
fn all<T>(items: &[T], is_so: impl Fn(&T) -> bool) -> bool {
    items.iter().fold(true, |all, item| all & is_so(item))
}

/// Whether an item of the list in this row is null.
fn has_null(lists: &ListArray, row_idx: usize) -> bool {
    let Some(nulls) = lists.values().nulls().filter(|nulls| nulls.null_count() > 0) else { return false };
    let (start, end) = (lists.value_offsets()[row_idx], lists.value_offsets()[row_idx + 1]);
    (start..end).any(|item| nulls.is_null(item as usize))
}

fn slice<'a, T>(values: &'a [T], offsets: &[i32], row_idx: usize) -> &'a [T] {
    &values[offsets[row_idx] as usize..offsets[row_idx + 1] as usize]
}

/// A column of `n_rows` dense vectors over one row-major block, which is taken as it is.
///
/// # Panics
/// When `values` has not `n_rows × n_features` numbers, or more than an Arrow list can address (2³¹ − 1).
pub fn dense_column(values: Vec<f64>, n_rows: usize, n_features: usize) -> ArrayRef {
    assert_eq!(values.len(), n_rows * n_features, "the block must be n_rows × n_features");
    let n_values = i32::try_from(values.len()).expect("a batch holds fewer than 2³¹ numbers");
    let step = n_features as i32;
    let offsets: Vec<i32> = match step {
        0 => vec![0; n_rows + 1],
        step => (0..=n_values).step_by(step as usize).collect(),
    };
    let values = list(offsets, Arc::new(Float64Array::from(values)), None);
    let indices =
        list(vec![0; n_rows + 1], Arc::new(Int32Array::from(Vec::<i32>::new())), Some(NullBuffer::new_null(n_rows)));
    let types = Int8Array::new(ScalarBuffer::from(vec![DENSE; n_rows]), None);
    let sizes = Int32Array::new(ScalarBuffer::from(vec![0; n_rows]), Some(NullBuffer::new_null(n_rows)));
    struct_of(types, sizes, indices, values, None)
}

/// A column of sparse vectors of `size` slots that hold a 1 in one slot, or in none when the row's slot is outside of them.
/// A null slot gives a null vector.
///
/// # Panics
/// When there are more slots than a vector can have, or more rows than an Arrow list can address (2³¹ − 1).
pub fn one_hot_column(slots: &Int32Array, size: usize) -> ArrayRef {
    let size = i32::try_from(size).expect("a vector has fewer than 2³¹ slots");
    let n_rows = i32::try_from(slots.len()).expect("a batch has fewer than 2³¹ rows") as usize;
    let nulls = slots.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
    let mut indices = vec![0; n_rows];
    let mut offsets = Vec::with_capacity(n_rows + 1);
    let mut n_stored = 0;
    offsets.push(0);
    for (row_idx, &slot) in slots.values().iter().enumerate() {
        // Written always and kept when it counts: no branch that a processor could guess wrong.
        indices[n_stored] = slot;
        let is_valid = nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row_idx));
        n_stored += usize::from(is_valid && (0..size).contains(&slot));
        offsets.push(n_stored as i32);
    }
    indices.truncate(n_stored);
    let offsets = ScalarBuffer::from(offsets);
    let types = Int8Array::from(vec![SPARSE; n_rows]);
    let sizes = Int32Array::new(vec![size; n_rows].into(), nulls.clone());
    let indices = list(offsets.clone(), Arc::new(Int32Array::from(indices)), nulls.clone());
    let values = list(offsets, Arc::new(Float64Array::from(vec![1.0; n_stored])), nulls.clone());
    struct_of(types, sizes, indices, values, nulls)
}

fn list(offsets: impl Into<ScalarBuffer<i32>>, items: ArrayRef, nulls: Option<NullBuffer>) -> ListArray {
    let field = element(items.data_type().clone());
    ListArray::new(field, OffsetBuffer::new(offsets.into()), items, nulls)
}

fn struct_of(
    types: Int8Array,
    sizes: Int32Array,
    indices: ListArray,
    values: ListArray,
    nulls: Option<NullBuffer>,
) -> ArrayRef {
    let columns: Vec<ArrayRef> = vec![Arc::new(types), Arc::new(sizes), Arc::new(indices), Arc::new(values)];
    Arc::new(StructArray::new(VECTOR_FIELDS.clone(), columns, nulls))
}

/// Builds a vector column row by row.
#[derive(Debug, Default)]
pub struct VectorBuilder {
    types: Vec<i8>,
    sizes: Vec<Option<i32>>,
    index_offsets: Vec<i32>,
    indices: Vec<i32>,
    value_offsets: Vec<i32>,
    values: Vec<f64>,
    valid: Vec<bool>,
}

impl VectorBuilder {
    /// An empty builder.
    pub fn new() -> VectorBuilder {
        VectorBuilder { index_offsets: vec![0], value_offsets: vec![0], ..VectorBuilder::default() }
    }

    /// Appends a vector in the form it has.
    ///
    /// # Panics
    /// When a sparse vector breaks the layout (see [`VectorColumn::try_new`]).
    pub fn push(&mut self, vector: VectorRef<'_>) {
        assert_eq!(sparse_fault(&vector), None, "a sparse vector must be well formed");
        match vector {
            VectorRef::Dense(values) => {
                self.values.extend_from_slice(values);
                self.end_row(DENSE, None, true);
            }
            VectorRef::Sparse { size, indices, values } => {
                self.indices.extend_from_slice(indices);
                self.values.extend_from_slice(values);
                self.end_row(SPARSE, Some(size as i32), true);
            }
        }
    }

    /// Appends `dense` in the smaller form, as [`Vector::compressed`] chooses.
    pub fn push_compressed(&mut self, dense: &[f64], version: SparkVersion) {
        let n_stored = dense.iter().filter(|&&value| value != 0.0).count();
        if !sparse_is_smaller(n_stored, dense.len(), version) {
            return self.push(VectorRef::Dense(dense));
        }
        for (slot, &value) in dense.iter().enumerate().filter(|&(_, &value)| value != 0.0) {
            self.indices.push(slot as i32);
            self.values.push(value);
        }
        self.end_row(SPARSE, Some(dense.len() as i32), true);
    }

    /// Appends the vector that is 0 but for these values, in the smaller form, as [`Vector::compressed`] chooses.
    ///
    /// # Panics
    /// When `indices` are not strictly ascending, below `size`, and as many as `values`.
    pub fn push_stored(&mut self, size: usize, indices: &[i32], values: &[f64], version: SparkVersion) {
        if sparse_is_smaller(values.len(), size, version) {
            return self.push(VectorRef::Sparse { size, indices, values });
        }
        let start = self.values.len();
        self.values.resize(start + size, 0.0);
        VectorRef::Sparse { size, indices, values }.for_each_stored(|slot, value| self.values[start + slot] = value);
        self.end_row(DENSE, None, true);
    }

    /// Appends a null.
    pub fn push_null(&mut self) {
        self.end_row(DENSE, None, false);
    }

    fn end_row(&mut self, kind: i8, size: Option<i32>, valid: bool) {
        let n_values = i32::try_from(self.values.len()).expect("a batch holds fewer than 2³¹ numbers");
        self.types.push(kind);
        self.sizes.push(size);
        // There is at most one index per value, so this one fits as well.
        self.index_offsets.push(self.indices.len() as i32);
        self.value_offsets.push(n_values);
        self.valid.push(valid);
    }

    /// The column; indices are null for dense vectors and all children are null for null rows, as Spark writes them.
    pub fn finish(self) -> ArrayRef {
        let is_sparse: Vec<bool> = self.types.iter().map(|&kind| kind == SPARSE).collect();
        let values_nulls = self.valid.contains(&false).then(|| NullBuffer::from(self.valid.clone()));
        let nulls = values_nulls.clone();
        let indices =
            list(self.index_offsets, Arc::new(Int32Array::from(self.indices)), Some(NullBuffer::from(is_sparse)));
        let values = list(self.value_offsets, Arc::new(Float64Array::from(self.values)), values_nulls);
        struct_of(Int8Array::from(self.types), Int32Array::from(self.sizes), indices, values, nulls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(vectors: &[Option<Vector>]) -> ArrayRef {
        let mut builder = VectorBuilder::new();
        for vector in vectors {
            match vector {
                Some(vector) => builder.push(vector.as_ref()),
                None => builder.push_null(),
            }
        }
        builder.finish()
    }

    #[test]
    fn an_all_dense_column_is_one_block_without_a_copy() {
        let array = dense_column(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, 2);
        let values = array.as_any().downcast_ref::<StructArray>().unwrap().column(3).clone();
        let values = values.as_any().downcast_ref::<ListArray>().unwrap();
        let numbers = values.values().as_any().downcast_ref::<Float64Array>().unwrap().values().as_ptr();

        let view = VectorColumn::try_new(&array).unwrap();
        let block = view.dense_block().unwrap();
        assert_eq!((block.n_rows, block.n_features, block.values), (3, 2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][..]));
        assert_eq!(block.values.as_ptr(), numbers);
    }

    #[test]
    fn a_slice_of_a_dense_column_is_still_one_block() {
        let array = dense_column(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, 2).slice(1, 2);
        let view = VectorColumn::try_new(&array).unwrap();
        assert_eq!(view.dense_block().unwrap().values, [3.0, 4.0, 5.0, 6.0]);
        assert_eq!(view.get(0), Some(VectorRef::Dense(&[3.0, 4.0])));
    }

    #[test]
    fn mixed_columns_give_each_row_in_its_own_form() {
        let sparse = Vector::Sparse { size: 4, indices: vec![1, 3], values: vec![5.0, 7.0] };
        let array = column(&[Some(Vector::Dense(vec![1.0])), None, Some(sparse.clone())]);
        let view = VectorColumn::try_new(&array).unwrap();
        assert_eq!((view.len(), view.null_count()), (3, 1));
        assert_eq!(view.get(1), None);
        assert_eq!(view.get(2).unwrap().to_owned(), sparse);
        assert_eq!(sparse.to_dense(), [0.0, 5.0, 0.0, 7.0]);
        assert_eq!(view.dense_block(), None);
    }

    #[test]
    fn a_one_hot_column_is_what_pushing_each_vector_gives() {
        let one = |slot| Some(Vector::Sparse { size: 3, indices: vec![slot], values: vec![1.0] });
        let none = Some(Vector::Sparse { size: 3, indices: vec![], values: vec![] });
        let pushed = column(&[one(2), none.clone(), None, one(0), none.clone()]);
        // Below the null stands a slot that must not count.
        let nulls = NullBuffer::from(vec![true, true, false, true, true]);
        let slots = Int32Array::new(vec![2, 3, 1, 0, -1].into(), Some(nulls));
        let built = one_hot_column(&slots, 3);
        assert_eq!(&built, &pushed);
        assert!(VectorColumn::try_new(&built).is_ok());
        assert_eq!(&one_hot_column(&slots.slice(1, 3), 3), &pushed.slice(1, 3));
        assert_eq!(
            &one_hot_column(&Int32Array::from(vec![7]), 0),
            &column(&[Some(Vector::Sparse { size: 0, indices: vec![], values: vec![] })])
        );
    }

    #[test]
    fn compression_follows_the_version() {
        // 6 slots, 2 stored: 1.5·(2+1) = 4.5 < 6; 12·2+28 = 52 < 60. With 3 stored: 6 < 6 fails; 64 < 60 fails.
        // 5 slots, 2 stored: 4.5 < 5 holds, 52 < 52 fails.
        let is_sparse = |dense: &[f64], version| matches!(Vector::compressed(dense, version), Vector::Sparse { .. });
        assert!(is_sparse(&[1.0, 0.0, 0.0, 0.0, 0.0, 2.0], SparkVersion::V4_3));
        assert!(is_sparse(&[1.0, 0.0, 0.0, 0.0, 2.0], SparkVersion::V3_5));
        assert!(!is_sparse(&[1.0, 0.0, 0.0, 0.0, 2.0], SparkVersion::V4_3));
    }

    #[test]
    fn a_malformed_sparse_row_is_refused() {
        let types = Int8Array::from(vec![0]);
        let sizes = Int32Array::from(vec![Some(2)]);
        let indices = list(vec![0, 1], Arc::new(Int32Array::from(vec![5])), None);
        let values = list(vec![0, 1], Arc::new(Float64Array::from(vec![1.0])), None);
        let array = struct_of(types, sizes, indices, values, None);
        let error = VectorColumn::try_new(&array).unwrap_err();
        assert_eq!(error.to_string(), "row 0 is not a valid vector: an index is outside the vector");
    }

    #[test]
    fn a_null_among_the_values_is_refused_where_it_counts() {
        let types = Int8Array::from(vec![1, 1]);
        let sizes = Int32Array::from(vec![None, None]);
        let indices = list(vec![0, 0, 0], Arc::new(Int32Array::from(Vec::<i32>::new())), None);
        let items = Float64Array::from(vec![Some(1.0), None]);
        let field = Arc::new(Field::new("item", DataType::Float64, true));
        let values = ListArray::new(field, OffsetBuffer::new(vec![0, 1, 2].into()), Arc::new(items), None);
        let parts: Vec<ArrayRef> = vec![Arc::new(types), Arc::new(sizes), Arc::new(indices), Arc::new(values)];
        let fields = VECTOR_FIELDS.iter().zip(&parts);
        let fields: Vec<Field> =
            fields.map(|(field, part)| Field::new(field.name(), part.data_type().clone(), true)).collect();
        let array = StructArray::new(fields.into(), parts, None);
        let error = VectorColumn::try_new(&array).unwrap_err();
        assert_eq!(error.to_string(), "row 1 is not a valid vector: an index or a value is null");
        assert!(VectorColumn::try_new(&array.slice(0, 1)).is_ok());
    }

    #[test]
    fn json_of_both_forms_reads_back() {
        for vector in [
            Vector::Dense(vec![0.1, f64::INFINITY]),
            Vector::Sparse { size: 9, indices: vec![2, 8], values: vec![1.0, -2.5] },
        ] {
            assert_eq!(Vector::from_json(&vector.to_json()), Some(vector));
        }
        assert_eq!(Vector::from_json(&json!({"type":0,"size":1,"indices":[3],"values":[1.0]})), None);
    }
}
