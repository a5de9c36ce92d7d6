//! Missing values of one column, filled by a surrogate in the column's own type: what an `ImputerModel` does to each column.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, PrimitiveArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use ognivo_data::prepare::{self, Cast, Prepare, Step};
use ognivo_data::schema::type_name;
use ognivo_data::version::SparkVersion;

use crate::numeric::to_doubles;

/// Fills the missing values of columns of one type.
pub(super) struct Filler {
    data_type: DataType,
    surrogate: f64,
    /// The surrogate as a column of one row; `None` when it does not fit into the type.
    fitting: Option<ArrayRef>,
    missing_value: f64,
    /// Doubles to the type, for decimals.
    cast: Prepare,
    is_ansi: bool,
}

/// A filled column.
pub(super) struct Filled {
    pub(super) column: ArrayRef,
    /// Rows whose value does not fit into the type, with the value.
    pub(super) misfits: Vec<(usize, f64)>,
}

impl Filler {
    /// Puts `surrogate` in the place of null and `missing_value` into columns of a number type, by the casts of `version`.
    pub(super) fn new(data_type: &DataType, surrogate: f64, missing_value: f64, version: SparkVersion) -> Filler {
        let alone = Arc::new(Float64Array::from(vec![surrogate]));
        let cast_alone = cast_of_doubles(data_type, version).apply(doubles(alone)).rows;
        let fitting = (cast_alone.num_rows() == 1).then(|| Arc::clone(cast_alone.column(0)));
        // Without ANSI rules a decimal that does not fit is null, and stays in its row.
        let cast = cast_of_doubles(data_type, SparkVersion::V3_5);
        let is_ansi = version >= SparkVersion::V4_3;
        Filler { data_type: data_type.clone(), surrogate, fitting, missing_value, cast, is_ansi }
    }

    /// The column with its missing values filled.
    ///
    /// # Panics
    /// When the column is of another type.
    pub(super) fn fill(&self, column: &ArrayRef) -> Filled {
        match self.data_type {
            DataType::Float64 => self.fill_primitive::<Float64Type>(column, |value| value),
            DataType::Float32 => self.fill_primitive::<Float32Type>(column, |value| value),
            DataType::Int8 => self.fill_primitive::<Int8Type>(column, |value| value),
            DataType::Int16 => self.fill_primitive::<Int16Type>(column, |value| value),
            DataType::Int32 => self.fill_primitive::<Int32Type>(column, |value| value),
            // As Spark: through a double, there and back.
            DataType::Int64 => self.fill_primitive::<Int64Type>(column, |value| value as f64 as i64),
            _ => self.fill_decimals(column),
        }
    }

    fn fill_primitive<T: ArrowPrimitiveType>(
        &self,
        column: &ArrayRef,
        keep: impl Fn(T::Native) -> T::Native,
    ) -> Filled {
        let values = column.as_primitive::<T>();
        let is_missing = self.missing(column);
        let fitting = self.fitting.as_ref().map(|fitting| fitting.as_primitive::<T>().value(0));
        let surrogate = fitting.unwrap_or_default();
        let filled = is_missing.iter().zip(values.values());
        let filled = filled.map(|(&is_missing, &value)| if is_missing { surrogate } else { keep(value) });
        let filled = PrimitiveArray::<T>::from_iter_values(filled);
        let misfits = match fitting {
            Some(_) => Vec::new(),
            None => positions(&is_missing).map(|row_idx| (row_idx, self.surrogate)).collect(),
        };
        Filled { column: Arc::new(filled), misfits }
    }

    fn fill_decimals(&self, column: &ArrayRef) -> Filled {
        let values = to_doubles(column).expect("an imputer is bound to number columns");
        let filled = self.missing(column).into_iter().zip(values.values());
        let filled = filled.map(|(is_missing, &value)| if is_missing { self.surrogate } else { value });
        let filled: Arc<Float64Array> = Arc::new(filled.map(Some).collect());
        let column = Arc::clone(self.cast.apply(doubles(Arc::clone(&filled))).rows.column(0));
        let misfits = match self.is_ansi {
            false => Vec::new(),
            true => (0..column.len()).filter(|&row| column.is_null(row)).map(|row| (row, filled.value(row))).collect(),
        };
        Filled { column, misfits }
    }

    /// Which values are missing. As in SQL, NaN is equal to NaN.
    fn missing(&self, column: &ArrayRef) -> Vec<bool> {
        let values = to_doubles(column).expect("an imputer is bound to number columns");
        let is_value: fn(f64, f64) -> bool = match self.missing_value.is_nan() {
            true => |value, _| value.is_nan(),
            #[allow(clippy::float_cmp, reason = "Spark asks whether it is that very value")]
            false => |value, missing| value == missing,
        };
        match values.nulls() {
            None => values.values().iter().map(|&value| is_value(value, self.missing_value)).collect(),
            Some(_) => {
                values.iter().map(|value| value.is_none_or(|value| is_value(value, self.missing_value))).collect()
            }
        }
    }

    /// What is wrong with a value that does not fit.
    pub(super) fn complaint(&self, value: f64) -> String {
        format!("cannot be cast to {}: {value:?}", type_name(&self.data_type))
    }
}

fn positions(flags: &[bool]) -> impl Iterator<Item = usize> + '_ {
    flags.iter().enumerate().filter(|(_, flag)| **flag).map(|(position, _)| position)
}

/// The step that casts the column of [`doubles`].
fn cast_of_doubles(data_type: &DataType, version: SparkVersion) -> Prepare {
    let schema = doubles(Arc::new(Float64Array::from(Vec::<f64>::new()))).schema();
    let cast = Step::Cast(Cast { columns: vec![("value".to_owned(), data_type.clone())] });
    prepare::bind(&[cast], &schema, version).expect("a double can be cast to every number type")
}

/// One column of doubles.
fn doubles(values: Arc<Float64Array>) -> RecordBatch {
    let schema = Arc::new(Schema::new(vec![Field::new("value", DataType::Float64, true)]));
    RecordBatch::try_new(schema, vec![values]).expect("the column has the type of the schema")
}
