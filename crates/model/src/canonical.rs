//! One form for the columns of tables, however their writer named the insides.
//!
//! | in the file | here |
//! |---|---|
//! | list, whatever its item is called | `List` of `element` |
//! | map, whatever its entries are called | `Map` of `key_value { key, value }` |
//! | struct of the four parts of `VectorUDT` | [`vector_type`] |
//! | struct of the seven parts of `MatrixUDT` | [`matrix_type`] |
//! | texts in any Arrow form | `Utf8` |
//! | numbers, booleans, dates, timestamps, decimals | unchanged |
//!
//! Nullability of columns and of list items stays as the file has it; that of a vector's and a matrix's parts is Spark's.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, StructArray};
use arrow_schema::{ArrowError, DataType, Field, Fields};
use ognivo_data::matrix::{is_matrix, matrix_type};
use ognivo_data::schema::{array_type, map_type, type_name};
use ognivo_data::vector::{is_vector, vector_type};

use crate::limits::Budget;
use crate::parquet_guard::Refusal;

/// The canonical form of a type; the reason, when no table of Spark's has it.
pub(crate) fn canonical_type(data_type: &DataType) -> Result<DataType, String> {
    if is_vector(data_type) {
        return Ok(vector_type());
    }
    if is_matrix(data_type) {
        return Ok(matrix_type());
    }
    Ok(match data_type {
        DataType::Utf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary | DataType::BinaryView => DataType::Binary,
        DataType::List(item) => array_type(canonical_type(item.data_type())?, item.is_nullable()),
        DataType::Map(entries, _) => {
            let DataType::Struct(parts) = entries.data_type() else { return Err(not_in_spark(data_type)) };
            let [key, value] = parts.as_ref() else { return Err(not_in_spark(data_type)) };
            map_type(canonical_type(key.data_type())?, canonical_type(value.data_type())?, value.is_nullable())
        }
        DataType::Struct(parts) => {
            let part =
                |part: &Arc<Field>| Ok(Field::new(part.name(), canonical_type(part.data_type())?, part.is_nullable()));
            DataType::Struct(parts.iter().map(part).collect::<Result<Fields, String>>()?)
        }
        DataType::Boolean
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Date32
        | DataType::Timestamp(..)
        | DataType::Decimal128(..) => data_type.clone(),
        other => return Err(not_in_spark(other)),
    })
}

fn not_in_spark(data_type: &DataType) -> String {
    format!("a type that no model has: {}", type_name(data_type))
}

/// The same values in the canonical form of their type; texts are copied and counted against the budget.
pub(crate) fn canonical(array: &ArrayRef, budget: &mut Budget) -> Result<ArrayRef, Refusal> {
    let data_type = canonical_type(array.data_type()).map_err(Refusal::Broken)?;
    let array = rebuild(array, &data_type, budget)?;
    claim_dense(&array, budget)?;
    Ok(array)
}

/// Takes from the budget what the vectors and matrices of a column need when they are made dense: a sparse one of a few
/// bytes may say that it has thousands of millions of slots.
fn claim_dense(array: &ArrayRef, budget: &mut Budget) -> Result<(), Refusal> {
    let dimensions: &[usize] = match array.data_type() {
        vector if is_vector(vector) => &[1],
        matrix if is_matrix(matrix) => &[1, 2],
        _ => return Ok(()),
    };
    let rows = array.as_struct();
    for row_idx in (0..rows.len()).filter(|&row_idx| rows.is_valid(row_idx)) {
        let size = |&dimension: &usize| {
            let sizes = rows.column(dimension).as_primitive::<Int32Type>();
            // A dense vector has no size; its values were counted when they were decoded.
            if sizes.is_valid(row_idx) { sizes.value(row_idx).max(0) as u64 } else { 0 }
        };
        let n_slots = dimensions.iter().map(size).fold(1, u64::saturating_mul);
        budget.take_decoded_bytes(n_slots.saturating_mul(size_of::<f64>() as u64))?;
    }
    Ok(())
}

/// `array` as `target`, which has the same shape.
fn rebuild(array: &ArrayRef, target: &DataType, budget: &mut Budget) -> Result<ArrayRef, Refusal> {
    if array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    let wrong_shape = || Refusal::Broken(format!("not {}: {}", type_name(target), type_name(array.data_type())));
    match (array.data_type(), target) {
        (DataType::Utf8View, DataType::Utf8) => texts(array, budget),
        (DataType::BinaryView, DataType::Binary) => bytes(array, budget),
        (DataType::List(_), DataType::List(item)) => {
            let lists = array.as_list::<i32>();
            let items = rebuild(lists.values(), item.data_type(), budget)?;
            let lists = ListArray::try_new(Arc::clone(item), lists.offsets().clone(), items, lists.nulls().cloned());
            Ok(Arc::new(lists.map_err(unfit)?))
        }
        (DataType::Map(..), DataType::Map(entries, sorted)) => {
            let maps = array.as_map();
            let inner: ArrayRef = Arc::new(maps.entries().clone());
            let inner = rebuild(&inner, entries.data_type(), budget)?.as_struct().clone();
            let maps =
                MapArray::try_new(Arc::clone(entries), maps.offsets().clone(), inner, maps.nulls().cloned(), *sorted);
            Ok(Arc::new(maps.map_err(unfit)?))
        }
        (DataType::Struct(_), DataType::Struct(parts)) => {
            let rows = array.as_struct();
            let columns = rows.columns().iter().zip(parts);
            let columns = columns.map(|(column, part)| rebuild(column, part.data_type(), budget));
            let columns = columns.collect::<Result<Vec<_>, Refusal>>()?;
            let length = rows.len();
            let rows = StructArray::try_new_with_length(parts.clone(), columns, rows.nulls().cloned(), length);
            Ok(Arc::new(rows.map_err(unfit)?))
        }
        _ => Err(wrong_shape()),
    }
}

fn unfit(error: ArrowError) -> Refusal {
    Refusal::Broken(error.to_string())
}

/// Bytes that an array of 32-bit offsets can hold.
const MAX_ARRAY_BYTES: u64 = i32::MAX as u64;

fn claim(lengths: impl Iterator<Item = usize>, budget: &mut Budget) -> Result<usize, Refusal> {
    let n_bytes: u64 = lengths.map(|length| length as u64).sum();
    if n_bytes > MAX_ARRAY_BYTES {
        return Err(Refusal::Broken("more than 2 GiB of text".to_owned()));
    }
    budget.take_decoded_bytes(n_bytes)?;
    Ok(n_bytes as usize)
}

fn texts(array: &ArrayRef, budget: &mut Budget) -> Result<ArrayRef, Refusal> {
    let views = array.as_string_view();
    let n_bytes = claim(views.iter().flatten().map(str::len), budget)?;
    let mut texts = StringBuilder::with_capacity(views.len(), n_bytes);
    views.iter().for_each(|text| texts.append_option(text));
    Ok(Arc::new(texts.finish()))
}

fn bytes(array: &ArrayRef, budget: &mut Budget) -> Result<ArrayRef, Refusal> {
    let views = array.as_binary_view();
    let n_bytes = claim(views.iter().flatten().map(<[u8]>::len), budget)?;
    let mut values = BinaryBuilder::with_capacity(views.len(), n_bytes);
    views.iter().for_each(|value| values.append_option(value));
    Ok(Arc::new(values.finish()))
}
