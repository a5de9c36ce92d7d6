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
        let mut n_present = vec![0; rows.num_rows()];
        for &column in &self.columns {
            count_present(rows.column(column), &mut n_present);
        }
        let fate = |n: &usize| if *n >= self.n_needed { Fate::Kept } else { Fate::Skipped };
        kept_only(rows, n_present.iter().map(fate).collect())
    }
}

/// Adds 1 to each row in which `column` has a value.
fn count_present(column: &dyn Array, n_present: &mut [usize]) {
    let nulls = column.logical_nulls();
    let is_valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let mut count = |is_number: &dyn Fn(usize) -> bool| {
        for (row, n) in n_present.iter_mut().enumerate() {
            *n += usize::from(is_valid(row) && is_number(row));
        }
    };
    match column.data_type() {
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().values();
            count(&|row| !values[row].is_nan());
        }
        DataType::Float32 => {
            let values = column.as_primitive::<Float32Type>().values();
            count(&|row| !values[row].is_nan());
        }
        _ => count(&|_| true),
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
