//! The order of rows, as Spark's ORDER BY has it.
//!
//! Rows are compared column by column, ascending. A null comes first; NaN comes last, equal to itself; -0.0 equals 0.0; text is
//! compared by its UTF-8 bytes, binary by its unsigned bytes, false comes before true; arrays go element by element, then the
//! shorter one first; structs field by field; vectors as the struct that they are: sparse before dense, then size, indices,
//! values. Maps have no order, and columns with a map in them are passed over.
//!
//! Sorting moves positions, not rows. The first columns of each row are packed into 128 bits that compare as the row does
//! (`Prefixes`), which decides most comparisons; closures that know their column's type (`Compare`) decide the rest.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, GenericListArray, OffsetSizeTrait, PrimitiveArray,
    StringArray, StructArray, downcast_primitive_array,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{DataType, TimeUnit};
use rustc_hash::FxHashMap;

use crate::schema::is_atomic;
use crate::vector::{VectorColumn, VectorRef, is_vector};

/// Whether Spark can sort by a column of this type: not by maps nor by what has a map inside.
///
/// Types of Arrow's that Spark has no word for have no order here.
pub fn is_orderable(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(element) | DataType::LargeList(element) => is_orderable(element.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_orderable(field.data_type())),
        atomic => is_atomic(atomic),
    }
}

/// The positions of rows in ascending order by all orderable `columns`, the first one first; equal rows stay as they stood.
///
/// `None` when no column is orderable: then there is no order to bring the rows into.
///
/// # Panics
/// When the columns differ in length.
pub fn sorted_positions(columns: &[ArrayRef]) -> Option<Vec<usize>> {
    let columns: Vec<&dyn Array> =
        columns.iter().map(AsRef::as_ref).filter(|column| is_orderable(column.data_type())).collect();
    let n_rows = columns.first()?.len();
    assert!(columns.iter().all(|column| column.len() == n_rows), "columns of one table have one length");

    let mut prefixes = Prefixes::new(n_rows);
    let n_decided = columns.iter().take_while(|column| prefixes.push(**column)).count();
    let rest: Vec<Compare<'_>> = columns[n_decided..].iter().map(|column| compare(*column)).collect();

    let mut rows: Vec<(u128, usize)> = prefixes.keys.into_iter().zip(0..).collect();
    rows.sort_unstable_by(|(key_a, a), (key_b, b)| {
        let by_rest = || rest.iter().map(|compare| compare(*a, *b)).find(|order| order.is_ne());
        key_a.cmp(key_b).then_with(|| by_rest().unwrap_or_else(|| a.cmp(b)))
    });
    Some(rows.into_iter().map(|(_, position)| position).collect())
}

/// Compares two rows of a column by their positions.
type Compare<'a> = Box<dyn Fn(usize, usize) -> Ordering + 'a>;

/// How a column of an orderable type compares.
fn compare(column: &dyn Array) -> Compare<'_> {
    if is_vector(column.data_type())
        && let Ok(vectors) = VectorColumn::try_new(column)
    {
        return Box::new(move |a, b| match (vectors.get(a), vectors.get(b)) {
            (Some(a), Some(b)) => compare_vectors(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
    }
    let not_null: Compare<'_> = match column.data_type() {
        DataType::Null => return Box::new(|_, _| Ordering::Equal),
        DataType::Float64 => floats(column.as_primitive::<Float64Type>(), f64::is_nan),
        DataType::Float32 => floats(column.as_primitive::<Float32Type>(), f32::is_nan),
        DataType::List(_) => lists(column.as_list::<i32>()),
        DataType::LargeList(_) => lists(column.as_list::<i64>()),
        DataType::Struct(_) => structs(column.as_struct()),
        DataType::Boolean => {
            let values = column.as_boolean().values();
            Box::new(|a, b| values.value(a).cmp(&values.value(b)))
        }
        DataType::Utf8 => bytes(|row| column.as_string::<i32>().value(row).as_bytes()),
        DataType::LargeUtf8 => bytes(|row| column.as_string::<i64>().value(row).as_bytes()),
        DataType::Utf8View => bytes(|row| column.as_string_view().value(row).as_bytes()),
        DataType::Binary => bytes(|row| column.as_binary::<i32>().value(row)),
        DataType::LargeBinary => bytes(|row| column.as_binary::<i64>().value(row)),
        DataType::BinaryView => bytes(|row| column.as_binary_view().value(row)),
        _ => downcast_primitive_array!(
            column => numbers(column),
            other => unreachable!("a type without order: {other}")
        ),
    };
    nulls_first(column.nulls().filter(|nulls| nulls.null_count() > 0), not_null)
}

fn nulls_first<'a>(nulls: Option<&'a NullBuffer>, not_null: Compare<'a>) -> Compare<'a> {
    let Some(nulls) = nulls else { return not_null };
    Box::new(move |a, b| match (nulls.is_valid(a), nulls.is_valid(b)) {
        (true, true) => not_null(a, b),
        (a, b) => a.cmp(&b),
    })
}

fn numbers<T: ArrowPrimitiveType>(column: &PrimitiveArray<T>) -> Compare<'_> {
    let values = column.values();
    Box::new(|a, b| values[a].compare(values[b]))
}

fn floats<T: ArrowPrimitiveType>(
    column: &PrimitiveArray<T>,
    is_nan: impl Fn(T::Native) -> bool + 'static,
) -> Compare<'_> {
    let values = column.values();
    Box::new(move |a, b| compare_floats(values[a], values[b], &is_nan))
}

/// NaN is greater than all else and equal to itself; zeros are equal whatever their sign.
pub(crate) fn compare_floats<T: PartialOrd + Copy>(a: T, b: T, is_nan: impl Fn(T) -> bool) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| is_nan(a).cmp(&is_nan(b)))
}

fn bytes<'a>(value: impl Fn(usize) -> &'a [u8] + 'a) -> Compare<'a> {
    Box::new(move |a, b| value(a).cmp(value(b)))
}

fn lists<O: OffsetSizeTrait>(column: &GenericListArray<O>) -> Compare<'_> {
    let offsets = column.value_offsets();
    let elements = compare(column.values().as_ref());
    let range = |row: usize| offsets[row].as_usize()..offsets[row + 1].as_usize();
    Box::new(move |a, b| {
        let (a, b) = (range(a), range(b));
        let by_length = a.len().cmp(&b.len());
        a.zip(b).map(|(a, b)| elements(a, b)).find(|order| order.is_ne()).unwrap_or(by_length)
    })
}

fn structs(column: &StructArray) -> Compare<'_> {
    let fields: Vec<Compare<'_>> = column.columns().iter().map(|field| compare(field.as_ref())).collect();
    Box::new(move |a, b| {
        let orders = fields.iter().map(|field| field(a, b));
        orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    })
}

/// As the structs of `VectorUDT` compare.
fn compare_vectors(a: VectorRef<'_>, b: VectorRef<'_>) -> Ordering {
    match (a, b) {
        (VectorRef::Dense(a), VectorRef::Dense(b)) => compare_values(a, b),
        (VectorRef::Sparse { .. }, VectorRef::Dense(_)) => Ordering::Less,
        (VectorRef::Dense(_), VectorRef::Sparse { .. }) => Ordering::Greater,
        (
            VectorRef::Sparse { size: size_a, indices: indices_a, values: values_a },
            VectorRef::Sparse { size: size_b, indices: indices_b, values: values_b },
        ) => {
            size_a.cmp(&size_b).then_with(|| indices_a.cmp(indices_b)).then_with(|| compare_values(values_a, values_b))
        }
    }
}

fn compare_values(a: &[f64], b: &[f64]) -> Ordering {
    let orders = a.iter().zip(b).map(|(&a, &b)| compare_floats(a, b, f64::is_nan));
    orders.into_iter().find(|order| order.is_ne()).unwrap_or_else(|| a.len().cmp(&b.len()))
}

/// The first columns of every row as one number that compares as they do.
///
/// Each column takes the bits that its values need, behind one bit that says "not null" where there are nulls. What no longer
/// fits, and the end of long text, is cut off: then equal prefixes decide nothing.
struct Prefixes {
    keys: Vec<u128>,
    /// Bits that are still free, at the low end.
    n_free: u32,
}

impl Prefixes {
    fn new(n_rows: usize) -> Prefixes {
        Prefixes { keys: vec![0; n_rows], n_free: u128::BITS }
    }

    /// Appends what fits of a column; whether that is all of it.
    fn push(&mut self, column: &dyn Array) -> bool {
        match column.data_type() {
            DataType::Null => true,
            DataType::Boolean => {
                let values = column.as_boolean().values();
                self.pack(column, 1, |row| u64::from(values.value(row)))
            }
            DataType::Int8 => self.pack_integers::<Int8Type>(column),
            DataType::Int16 => self.pack_integers::<Int16Type>(column),
            DataType::Int32 => self.pack_integers::<Int32Type>(column),
            DataType::Int64 => self.pack_integers::<Int64Type>(column),
            DataType::Date32 => self.pack_integers::<Date32Type>(column),
            DataType::Timestamp(TimeUnit::Microsecond, _) => self.pack_integers::<TimestampMicrosecondType>(column),
            DataType::Float64 => {
                let values = column.as_primitive::<Float64Type>().values();
                self.pack(column, 64, |row| ordered_bits(values[row]))
            }
            DataType::Float32 => {
                let values = column.as_primitive::<Float32Type>().values();
                self.pack(column, 64, |row| ordered_bits(f64::from(values[row])))
            }
            DataType::Utf8 => self.pack_text(column),
            _ => {
                if let Ok(vectors) = VectorColumn::try_new(column) {
                    self.pack(column, 1, |row| u64::from(matches!(vectors.get(row), Some(VectorRef::Dense(_)))));
                    self.pack_bits(64, |row| match vectors.get(row) {
                        Some(VectorRef::Dense([first, ..])) => u128::from(ordered_bits(*first)),
                        _ => 0,
                    });
                }
                false
            }
        }
    }

    /// Integers as their distance from the smallest one, in as many bits as the largest distance has.
    fn pack_integers<T: ArrowPrimitiveType<Native: Into<i64>>>(&mut self, column: &dyn Array) -> bool {
        let column = column.as_primitive::<T>();
        let known = || column.iter().flatten().map(Into::<i64>::into);
        let (least, most) = (known().min().unwrap_or(0), known().max().unwrap_or(0));
        let distance = |value: i64| value.wrapping_sub(least) as u64;
        let n_bits = u64::BITS - distance(most).leading_zeros();
        let values = column.values();
        self.pack(column, n_bits, |row| distance(values[row].into()))
    }

    /// Text that repeats itself as the rank of each value among all, other text as its first eight bytes.
    fn pack_text(&mut self, column: &dyn Array) -> bool {
        let text = column.as_string::<i32>();
        let Some(ranks) = ranks(text) else {
            self.pack(column, 64, |row| first_bytes(text.value(row).as_bytes()));
            return false;
        };
        let n_bits = usize::BITS - ranks.len().leading_zeros();
        self.pack(column, n_bits, |row| ranks[text.value(row)])
    }

    /// Appends `n_bits` (at most 64) of each row that is not null.
    fn pack(&mut self, column: &dyn Array, n_bits: u32, bits: impl Fn(usize) -> u64) -> bool {
        match column.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => self.pack_bits(n_bits, |row| u128::from(bits(row))),
            Some(nulls) => self.pack_bits(n_bits + 1, |row| match nulls.is_valid(row) {
                true => (1 << n_bits) | u128::from(bits(row)),
                false => 0,
            }),
        }
    }

    fn pack_bits(&mut self, n_bits: u32, bits: impl Fn(usize) -> u128) -> bool {
        let n_taken = n_bits.min(self.n_free);
        if n_taken > 0 {
            self.n_free -= n_taken;
            for (row, key) in self.keys.iter_mut().enumerate() {
                *key |= (bits(row) >> (n_bits - n_taken)) << self.n_free;
            }
        }
        n_taken == n_bits
    }
}

/// The position of each value among all values in order; `None` when the values are many.
fn ranks(text: &StringArray) -> Option<FxHashMap<&str, u64>> {
    const MOST: usize = 4096;
    let mut ranks = FxHashMap::default();
    for value in text.iter().flatten() {
        ranks.insert(value, 0);
        if ranks.len() > MOST {
            return None;
        }
    }
    let mut values: Vec<&str> = ranks.keys().copied().collect();
    values.sort_unstable();
    ranks.extend(values.into_iter().zip(0..));
    Some(ranks)
}

/// A double as an unsigned integer of the same order; zeros and NaNs each have one form.
fn ordered_bits(value: f64) -> u64 {
    let bits = if value.is_nan() { f64::NAN.to_bits() & (u64::MAX >> 1) } else { (value + 0.0).to_bits() };
    if bits >> 63 == 1 { !bits } else { bits | (1 << 63) }
}

/// The first eight bytes, with zeros behind a shorter text.
fn first_bytes(text: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let n_bytes = text.len().min(8);
    bytes[..n_bytes].copy_from_slice(&text[..n_bytes]);
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{JavaRandom, Random};
    use crate::vector::{Vector, VectorBuilder};
    use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow_array::{
        BinaryArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int8Array, Int32Array, Int64Array,
        NullArray, StringViewArray,
    };
    use std::sync::Arc;

    #[track_caller]
    fn check(column: impl Array + 'static, expect: &[usize]) {
        let n_rows = column.len();
        let column: ArrayRef = Arc::new(column);
        assert_eq!(sorted_positions(&[Arc::clone(&column)]).unwrap(), expect);
        // The same behind 128 bits of other columns, where prefixes decide nothing.
        let zeros: ArrayRef = Arc::new(Float64Array::from(vec![0.0; n_rows]));
        assert_eq!(sorted_positions(&[Arc::clone(&zeros), zeros, column]).unwrap(), expect, "without prefixes");
    }

    #[test]
    fn nulls_come_first_and_numbers_ascend() {
        check(Int32Array::from(vec![Some(3), None, Some(-3), Some(i32::MIN), None]), &[1, 4, 3, 2, 0]);
        check(Int8Array::from(vec![5, -5, i8::MAX, i8::MIN]), &[3, 1, 0, 2]);
        check(Int64Array::from(vec![i64::MAX, 0, i64::MIN]), &[2, 1, 0]);
        check(BooleanArray::from(vec![Some(true), Some(false), None]), &[2, 1, 0]);
        check(Decimal128Array::from(vec![Some(1), Some(-1), None, Some(i128::MAX), Some(i128::MIN)]), &[2, 4, 1, 0, 3]);
    }

    #[test]
    fn nan_comes_last_and_zeros_are_equal() {
        let values = [1.0, -f64::NAN, f64::INFINITY, -0.0, 0.0, f64::NAN, f64::NEG_INFINITY, -1e-300, -0.0];
        check(Float64Array::from(values.to_vec()), &[6, 7, 3, 4, 8, 0, 2, 1, 5]);
        check(Float32Array::from(vec![f32::NAN, 1.0, -0.0, 0.0, f32::NEG_INFINITY]), &[4, 2, 3, 1, 0]);
    }

    #[test]
    fn text_and_binary_go_by_unsigned_bytes() {
        let text = vec![Some("b"), None, Some(""), Some("\u{1F600}"), Some("\u{FF5E}"), Some("a\0"), Some("a")];
        check(StringArray::from(text.clone()), &[1, 2, 6, 5, 0, 4, 3]);
        check(StringViewArray::from(text), &[1, 2, 6, 5, 0, 4, 3]);
        check(StringArray::from(vec!["longer than eight b", "longer than eight a", "longer t"]), &[2, 1, 0]);
        check(BinaryArray::from(vec![&[0xff_u8][..], &[0x7f], &[0x7f, 0], &[]]), &[3, 1, 2, 0]);
    }

    #[test]
    fn text_of_many_values_goes_by_all_of_its_bytes() {
        let n_rows = 10_000;
        let text = |row: usize| format!("a long beginning {:05}", n_rows - row);
        let expect: Vec<usize> = (0..n_rows).rev().collect();
        check(StringArray::from_iter_values((0..n_rows).map(text)), &expect);
    }

    #[test]
    fn arrays_go_by_element_and_then_by_length() {
        let mut lists = ListBuilder::new(Int32Builder::new());
        lists.append_value([Some(1), Some(2)]);
        lists.append_value([Some(1)]);
        lists.append_value([None]);
        lists.append_null();
        lists.append_value([]);
        lists.append_value([Some(0), Some(9), Some(9)]);
        check(lists.finish(), &[3, 4, 2, 5, 1, 0]);
    }

    #[test]
    fn structs_go_field_by_field() {
        let a: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), Some(1), None, Some(0)]));
        let b: ArrayRef = Arc::new(StringArray::from(vec!["y", "x", "z", "z"]));
        let fields = vec![
            Arc::new(arrow_schema::Field::new("a", DataType::Int32, true)),
            Arc::new(arrow_schema::Field::new("b", DataType::Utf8, true)),
        ];
        let nulls = NullBuffer::from(vec![true, true, true, false]);
        check(StructArray::new(fields.into(), vec![a, b], Some(nulls)), &[3, 2, 1, 0]);
    }

    #[test]
    fn vectors_go_sparse_first_then_by_size_indices_and_values() {
        let sparse = |size, indices: &[i32], values: &[f64]| {
            Some(Vector::Sparse { size, indices: indices.to_vec(), values: values.to_vec() })
        };
        let dense = |values: &[f64]| Some(Vector::Dense(values.to_vec()));
        let mut builder = VectorBuilder::new();
        for vector in [
            dense(&[1.0, 2.0]),
            sparse(3, &[0], &[1.0]),
            None,
            dense(&[f64::NAN]),
            sparse(2, &[1], &[2.0]),
            dense(&[1.0]),
            sparse(2, &[], &[]),
            sparse(2, &[1], &[-2.0]),
            dense(&[]),
        ] {
            match vector {
                Some(vector) => builder.push(vector.as_ref()),
                None => builder.push_null(),
            }
        }
        check(builder.finish(), &[2, 6, 7, 4, 1, 8, 5, 0, 3]);
    }

    #[test]
    fn later_columns_decide_what_earlier_ones_leave_open() {
        let flag: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, Some(true), Some(true), None]));
        let number: ArrayRef = Arc::new(Int32Array::from(vec![Some(2), Some(9), None, Some(2), Some(-9)]));
        let text: ArrayRef = Arc::new(StringArray::from(vec!["longer than 8 b", "", "", "longer than 8 a", ""]));
        let wide: ArrayRef = Arc::new(Float64Array::from(vec![0.0; 5]));
        assert_eq!(sorted_positions(&[flag, wide, number, text]).unwrap(), [4, 1, 2, 3, 0]);
    }

    /// Random tables of all kinds of columns with many equal values, sorted with and without prefixes.
    #[test]
    fn prefixes_decide_as_whole_columns_do() {
        let mut random = JavaRandom::new(5);
        for _ in 0..200 {
            let n_rows = 1 + random.next_i32_below(60) as usize;
            let columns: Vec<ArrayRef> =
                (0..1 + random.next_i32_below(5)).map(|_| random_column(&mut random, n_rows)).collect();
            let compares: Vec<Compare<'_>> = columns.iter().map(|column| compare(column.as_ref())).collect();
            let mut expect: Vec<usize> = (0..n_rows).collect();
            expect.sort_by(|&a, &b| {
                let orders = compares.iter().map(|compare| compare(a, b));
                orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            });
            assert_eq!(sorted_positions(&columns).unwrap(), expect, "{columns:?}");
        }
    }

    fn random_column(random: &mut JavaRandom, n_rows: usize) -> ArrayRef {
        let kind = random.next_i32_below(7);
        let null_share = if random.next_i32_below(2) == 0 { 0.0 } else { 0.2 };
        let mut cells: Vec<Option<i32>> = Vec::new();
        for _ in 0..n_rows {
            let is_null = random.next_f64() < null_share;
            cells.push((!is_null).then(|| random.next_i32_below(7) - 3));
        }
        let doubles = [f64::NAN, f64::NEG_INFINITY, -1.5, -0.0, 0.0, 1e-300, f64::INFINITY];
        let words = ["", "a", "a\0", "longer than 8 a", "longer than 8 b", "é", "\u{1F600}"];
        let pick = |cell: i32| (cell + 3) as usize;
        match kind {
            0 => Arc::new(cells.into_iter().collect::<Int32Array>()),
            1 => Arc::new(
                cells.into_iter().map(|cell| cell.map(|c| i64::from(c) * (i64::MAX / 3))).collect::<Int64Array>(),
            ),
            2 => Arc::new(cells.into_iter().map(|cell| cell.map(|c| doubles[pick(c)])).collect::<Float64Array>()),
            3 => {
                Arc::new(cells.into_iter().map(|cell| cell.map(|c| doubles[pick(c)] as f32)).collect::<Float32Array>())
            }
            4 => Arc::new(cells.into_iter().map(|cell| cell.map(|c| words[pick(c)])).collect::<StringArray>()),
            5 => Arc::new(cells.into_iter().map(|cell| cell.map(|c| c > 0)).collect::<BooleanArray>()),
            _ => {
                let mut vectors = VectorBuilder::new();
                for cell in cells {
                    match cell {
                        None => vectors.push_null(),
                        Some(cell) if cell > 1 => {
                            vectors.push(VectorRef::Sparse { size: 3, indices: &[cell - 1], values: &[1.0] });
                        }
                        Some(cell) => vectors.push(VectorRef::Dense(&doubles[..pick(cell)])),
                    }
                }
                vectors.finish()
            }
        }
    }

    #[test]
    fn maps_are_passed_over() {
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        for key in ["b", "a"] {
            maps.keys().append_value(key);
            maps.values().append_value(1);
            maps.append(true).unwrap();
        }
        let maps: ArrayRef = Arc::new(maps.finish());
        assert_eq!(sorted_positions(&[Arc::clone(&maps)]), None);
        let nothing: ArrayRef = Arc::new(NullArray::new(2));
        assert_eq!(sorted_positions(&[maps, nothing]), Some(vec![0, 1]));
        assert_eq!(sorted_positions(&[]), None);
    }
}
