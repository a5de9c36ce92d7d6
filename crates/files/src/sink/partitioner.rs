//! `partitionBy`: which folder a row goes to, and what of it stands in the file.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{DataType, SchemaRef};
use arrow_select::take::take_record_batch;
use ognivo_data::codec::number::double_to_spark_string;
use ognivo_data::column::{ColumnNotFound, find_column};
use ognivo_data::fault::{Explain, Fault};
use ognivo_data::schema::type_name;

use crate::partition::folder_name;

/// `partitionBy` does not fit the rows.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartitionByError {
    /// A column is not there.
    #[error("partitionBy: {0}")]
    Column(ColumnNotFound),
    /// A column's values cannot be names of folders.
    #[error("partitionBy: column `{column}` must be text, a number, a boolean or a date: {found}")]
    WrongType {
        /// The column.
        column: String,
        /// Its type in Spark's words.
        found: String,
    },
    /// Nothing would be left to write.
    #[error("partitionBy: no column is left to be written")]
    NothingLeft,
}

impl Explain for PartitionByError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        match self {
            PartitionByError::Column(cause) => cause.hint(),
            PartitionByError::WrongType { .. } => None,
            PartitionByError::NothingLeft => Some("select more columns, or partition by fewer".to_owned()),
        }
    }
}

/// Resolved partition columns.
#[derive(Debug, Clone)]
pub(crate) struct Partitioner {
    keys: Vec<(String, usize)>,
    kept: Vec<usize>,
    file_schema: SchemaRef,
}

impl Partitioner {
    /// Splits `schema` into partition columns and those that stand in the files.
    pub(crate) fn new(schema: &SchemaRef, partition_by: &[String]) -> Result<Partitioner, PartitionByError> {
        let mut keys = Vec::new();
        for name in partition_by {
            let (position, field) = find_column(schema, name).map_err(PartitionByError::Column)?;
            if !can_name_a_folder(field.data_type()) {
                let found = type_name(field.data_type());
                return Err(PartitionByError::WrongType { column: name.clone(), found });
            }
            keys.push((name.clone(), position));
        }
        let is_key = |position: &usize| keys.iter().any(|(_, key)| key == position);
        let kept: Vec<usize> = (0..schema.fields().len()).filter(|position| !is_key(position)).collect();
        if kept.is_empty() {
            return Err(PartitionByError::NothingLeft);
        }
        let file_schema = Arc::new(schema.project(&kept).expect("positions come from the schema"));
        Ok(Partitioner { keys, kept, file_schema })
    }

    /// Whether rows say which folder they go to.
    pub(crate) fn has_folders(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The columns of the files.
    pub(crate) fn file_schema(&self) -> &SchemaRef {
        &self.file_schema
    }

    /// The rows by folder (`p_date=2026/city=Riga`, empty without partition columns), folders in order of their first row.
    pub(crate) fn split(&self, rows: &RecordBatch) -> Vec<(String, RecordBatch)> {
        let in_file = rows.project(&self.kept).expect("every batch has the schema that was told");
        if self.keys.is_empty() {
            return vec![(String::new(), in_file)];
        }
        // Rows of one folder mostly follow each other: a batch's time is the same for all. Only where a value changes is
        // the folder's name made.
        let mut groups: Vec<(String, Vec<Range<usize>>)> = Vec::new();
        let mut positions: HashMap<String, usize> = HashMap::new();
        for run in runs(rows, &self.keys) {
            let folder = folder(rows, &self.keys, run.start);
            let position = *positions.entry(folder).or_insert_with_key(|folder| {
                groups.push((folder.clone(), Vec::new()));
                groups.len() - 1
            });
            groups[position].1.push(run);
        }
        let take = |runs: Vec<Range<usize>>| match runs.as_slice() {
            [run] => in_file.slice(run.start, run.len()),
            runs => {
                let members = runs.iter().flat_map(|run| run.clone()).map(|row_idx| row_idx as u32);
                take_record_batch(&in_file, &UInt32Array::from_iter_values(members))
                    .expect("row numbers are within the batch")
            }
        };
        groups.into_iter().map(|(folder, runs)| (folder, take(runs))).collect()
    }
}

/// The longest ranges of rows within which no key changes.
fn runs(rows: &RecordBatch, keys: &[(String, usize)]) -> Vec<Range<usize>> {
    let n_rows = rows.num_rows();
    let mut is_start = vec![false; n_rows];
    if let Some(first) = is_start.first_mut() {
        *first = true;
    }
    for (_, position) in keys {
        mark_changes(rows.column(*position), &mut is_start);
    }
    let starts: Vec<usize> = (0..n_rows).filter(|&row_idx| is_start[row_idx]).collect();
    let ends = starts.iter().skip(1).copied().chain([n_rows]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

/// Marks the rows whose value is not that of the row before; doubles by their bits, since 0.0 and -0.0 have two names.
fn mark_changes(array: &ArrayRef, is_start: &mut [bool]) {
    macro_rules! mark {
        ($values:expr) => {
            mark!($values, |value| value)
        };
        ($values:expr, $key:expr) => {{
            let values = $values;
            for row_idx in 1..is_start.len() {
                let is_same = match (array.is_null(row_idx - 1), array.is_null(row_idx)) {
                    (false, false) => $key(values.value(row_idx - 1)) == $key(values.value(row_idx)),
                    (before, here) => before == here,
                };
                is_start[row_idx] |= !is_same;
            }
        }};
    }
    match array.data_type() {
        DataType::Utf8 => mark!(array.as_string::<i32>()),
        DataType::Boolean => mark!(array.as_boolean()),
        DataType::Int8 => mark!(array.as_primitive::<Int8Type>()),
        DataType::Int16 => mark!(array.as_primitive::<Int16Type>()),
        DataType::Int32 => mark!(array.as_primitive::<Int32Type>()),
        DataType::Int64 => mark!(array.as_primitive::<Int64Type>()),
        DataType::Float64 => mark!(array.as_primitive::<Float64Type>(), f64::to_bits),
        DataType::Date32 => mark!(array.as_primitive::<Date32Type>()),
        other => unreachable!("a partition column's type was checked: {other}"),
    }
}

fn can_name_a_folder(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8
            | DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Float64
            | DataType::Date32
    )
}

fn folder(rows: &RecordBatch, keys: &[(String, usize)], row_idx: usize) -> String {
    let names = keys.iter().map(|(name, position)| folder_name(name, text(rows.column(*position), row_idx).as_deref()));
    names.collect::<Vec<_>>().join("/")
}

/// The value as Spark casts it to a string; `None` for null.
fn text(array: &ArrayRef, row_idx: usize) -> Option<String> {
    if array.is_null(row_idx) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row_idx).to_owned(),
        DataType::Boolean => array.as_boolean().value(row_idx).to_string(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row_idx).to_string(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row_idx).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row_idx).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row_idx).to_string(),
        DataType::Float64 => double_to_spark_string(array.as_primitive::<Float64Type>().value(row_idx)),
        DataType::Date32 => array.as_primitive::<Date32Type>().value_as_date(row_idx).map(|date| date.to_string())?,
        other => unreachable!("a partition column's type was checked: {other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{BooleanArray, Float64Array, Int32Array, StringArray};

    fn rows() -> RecordBatch {
        let days: ArrayRef = Arc::new(StringArray::from(vec![Some("a:b"), None, Some("a:b")]));
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        RecordBatch::try_from_iter_with_nullable([("day", days, true), ("id", ids, true)]).unwrap()
    }

    #[test]
    fn rows_go_to_the_folder_of_their_values_in_order() {
        let partitioner = Partitioner::new(&rows().schema(), &["day".to_owned()]).unwrap();
        let split = partitioner.split(&rows());
        let shown: Vec<(&str, &[i32])> = split
            .iter()
            .map(|(folder, rows)| (folder.as_str(), &rows.column(0).as_primitive::<Int32Type>().values()[..]))
            .collect();
        assert_eq!(shown, [("day=a%3Ab", &[1, 3][..]), ("day=__HIVE_DEFAULT_PARTITION__", &[2][..])]);
    }

    #[test]
    fn every_kind_of_key_cuts_rows_where_it_changes() {
        let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(0..6));
        let doubles: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, f64::NAN, 1.5, 1.5]));
        let flags: ArrayRef =
            Arc::new(BooleanArray::from(vec![Some(true), Some(true), Some(true), Some(true), None, Some(false)]));
        let rows =
            RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("x", doubles, true), ("b", flags, true)]);
        let rows = rows.unwrap();
        let partitioner = Partitioner::new(&rows.schema(), &["b".to_owned(), "x".to_owned()]).unwrap();
        let split = partitioner.split(&rows);
        let shown: Vec<(&str, usize)> = split.iter().map(|(folder, rows)| (folder.as_str(), rows.num_rows())).collect();
        assert_eq!(
            shown,
            [
                ("b=true/x=0.0", 1),
                ("b=true/x=-0.0", 1),
                ("b=true/x=NaN", 2),
                ("b=__HIVE_DEFAULT_PARTITION__/x=1.5", 1),
                ("b=false/x=1.5", 1)
            ]
        );
        assert!(partitioner.split(&rows.slice(0, 0)).is_empty());
    }

    #[test]
    fn columns_that_cannot_name_folders_are_refused() {
        let schema = rows().schema();
        let error = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Partitioner::new(&schema, &names).unwrap_err().to_string()
        };
        assert_eq!(error(&["dya"]), "partitionBy: column `dya` not found; input columns: day, id");
        assert_eq!(error(&["day", "id"]), "partitionBy: no column is left to be written");
    }
}
