//! `dropna`: rows without nulls.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use super::{BoundStep, PrepareProblem, kept_only, resolve};
use crate::outcome::{Fate, Outcome};

/// Drops rows in which values are missing: nulls, and NaN in columns of doubles and floats.
///
/// Same as Spark: `DataFrame.dropna` in all versions, with its parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct DropNa {
    /// Whether one missing value is enough.
    pub how: How,
    /// Keep rows with at least so many values; takes the place of `how`.
    pub thresh: Option<usize>,
    /// The columns that are looked at; all when absent.
    pub subset: Option<Vec<String>>,
}

/// Which rows [`DropNa`] drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum How {
    /// Those in which any value is missing.
    #[default]
    Any,
    /// Those in which all values are missing.
    All,
}

impl DropNa {
    pub(super) fn bind(&self, input: &SchemaRef) -> Result<BoundDropNa, PrepareProblem> {
        let columns = match &self.subset {
            Some(names) => names.iter().map(|name| resolve(input, name)).collect::<Result<Vec<_>, _>>()?,
            None => (0..input.fields().len()).collect(),
        };
        let n_needed = self.thresh.unwrap_or(match self.how {
            How::Any => columns.len(),
            How::All => 1,
        });
        Ok(BoundDropNa { columns, n_needed, schema: Arc::clone(input) })
    }
}

pub(super) struct BoundDropNa {
    columns: Vec<usize>,
    n_needed: usize,
    schema: SchemaRef,
}

impl BoundStep for BoundDropNa {
    fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn apply(&self, rows: RecordBatch) -> Outcome {
        let mut n_missing = vec![0_u32; rows.num_rows()];
        for &column in &self.columns {
            count_missing(rows.column(column), &mut n_missing);
        }
        let is_kept = |n_missing: &u32| self.columns.len() - *n_missing as usize >= self.n_needed;
        if n_missing.iter().all(is_kept) {
            return Outcome::all_kept(rows);
        }
        let fate = |n_missing: &u32| if is_kept(n_missing) { Fate::Kept } else { Fate::Skipped };
        kept_only(rows, n_missing.iter().map(fate).collect())
    }
}

/// Adds 1 to each row in which `column` has no value.
fn count_missing(column: &dyn Array, n_missing: &mut [u32]) {
    let nulls = column.logical_nulls().filter(|nulls| nulls.null_count() > 0);
    let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    match column.data_type() {
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().values();
            count(n_missing, |row| values[row].is_nan() || is_null(row));
        }
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>().values();
            count(n_missing, |row| values[row].is_nan() || is_null(row));
        }
        _ if nulls.is_none() => {}
        _ => count(n_missing, is_null),
    }
}

fn count(n_missing: &mut [u32], is_missing: impl Fn(usize) -> bool) {
    for (row, n_missing) in n_missing.iter_mut().enumerate() {
        *n_missing += u32::from(is_missing(row));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, Float32Array, Float64Array, Int32Array, StringArray};

    /// Rows 0 to 4: all there; NaN; null text; all missing but the id; all missing.
    fn rows() -> RecordBatch {
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![Some(0), Some(1), Some(2), Some(3), None]));
        let x: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), Some(f64::NAN), Some(2.0), None, None]));
        let y: ArrayRef = Arc::new(Float32Array::from(vec![Some(1.0), Some(1.0), Some(2.0), Some(f32::NAN), None]));
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some(""), Some("a"), None, None, None]));
        let columns = [("id", ids, true), ("x", x, true), ("y", y, true), ("text", text, true)];
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    #[track_caller]
    fn check(how: How, thresh: Option<usize>, subset: Option<&[&str]>, kept: &[usize]) {
        let subset = subset.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let step = DropNa { how, thresh, subset }.bind(rows().schema_ref()).unwrap();
        let outcome = step.apply(rows());
        assert_eq!(outcome.fates.kept_rows(), kept);
        assert_eq!(outcome.fates.n_skipped(), 5 - kept.len());
        let ids: Vec<Option<i32>> = outcome.rows.column(0).as_primitive::<Int32Type>().iter().collect();
        let expect: Vec<Option<i32>> = kept.iter().map(|&row| (row < 4).then_some(row as i32)).collect();
        assert_eq!(ids, expect);
    }

    #[test]
    fn a_null_over_nan_is_one_missing_value() {
        let x = Float64Array::new(vec![f64::NAN, 1.0].into(), Some(vec![false, true].into()));
        let y: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let rows = RecordBatch::try_from_iter_with_nullable([("x", Arc::new(x) as ArrayRef, true), ("y", y, true)]);
        let rows = rows.unwrap();
        let step = DropNa { how: How::All, thresh: None, subset: None }.bind(rows.schema_ref()).unwrap();
        assert_eq!(step.apply(rows).fates.n_kept(), 2);
    }

    /// The rows were the same with pyspark 3.5.9 and 4.3.0: `frame.dropna(how, thresh, subset)` on this table.
    #[test]
    fn rows_go_as_in_spark() {
        check(How::Any, None, None, &[0]);
        check(How::All, None, None, &[0, 1, 2, 3]);
        check(How::All, None, Some(&["x", "text"]), &[0, 1, 2]);
        check(How::Any, None, Some(&["x"]), &[0, 2]);
        check(How::Any, None, Some(&["y", "ID"]), &[0, 1, 2]);
        check(How::Any, Some(3), None, &[0, 1, 2]);
        check(How::Any, Some(0), None, &[0, 1, 2, 3, 4]);
        check(How::Any, None, Some(&[]), &[0, 1, 2, 3, 4]);
    }
}
