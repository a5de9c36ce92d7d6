//! From a scored row to a written one: the batch's time is added, then the job's `select` is taken.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef};
use ognivo_data::codec::datetime::{Pattern, Zone};
use ognivo_data::fault::{Explain, Fault, nearest};

/// A string column with the time of the batch's plan, so that a replay writes the same value.
///
/// The pattern is of Java's letters, `yyyyMMddHHmmss`.
#[derive(Debug, Clone)]
pub struct BatchTimeColumn {
    /// Name of the column.
    pub name: String,
    /// How the time is written.
    pub pattern: Pattern,
    /// What clocks it is read from.
    pub zone: Zone,
}

impl BatchTimeColumn {
    /// The text of this time.
    fn text(&self, time_ms: i64) -> String {
        let mut text = Vec::new();
        self.pattern.write_micros(&mut text, time_ms.saturating_mul(1000), self.zone);
        String::from_utf8(text).expect("a pattern's texts, digits and English names are UTF-8")
    }
}

/// The columns of written rows: those of `scored`, the batch's time behind them, then what `select` takes of all.
///
/// # Errors
/// When `select` names a column that is not there, or the batch's time has the name of one that is.
pub fn written_schema(
    scored: &SchemaRef,
    batch_time: Option<BatchTimeColumn>,
    select: Option<&[String]>,
) -> Result<SchemaRef, ShapeError> {
    Ok(OutputShape::new(scored, batch_time, select)?.schema)
}

/// The columns that are written, worked out once from the schema of scored rows.
#[derive(Debug)]
pub(crate) struct OutputShape {
    schema: SchemaRef,
    columns: Vec<Column>,
    batch_time: Option<BatchTimeColumn>,
}

#[derive(Debug, Clone, Copy)]
enum Column {
    Scored(usize),
    BatchTime,
}

impl OutputShape {
    /// # Errors
    /// When `select` names a column that is not there, or the batch's time has the name of one that is.
    pub(crate) fn new(
        scored: &SchemaRef,
        batch_time: Option<BatchTimeColumn>,
        select: Option<&[String]>,
    ) -> Result<OutputShape, ShapeError> {
        let mut all: Vec<(FieldRef, Column)> =
            scored.fields().iter().enumerate().map(|(i, field)| (field.clone(), Column::Scored(i))).collect();
        if let Some(column) = &batch_time {
            if all.iter().any(|(field, _)| field.name() == &column.name) {
                return Err(ShapeError::BatchTimeTaken { column: column.name.clone() });
            }
            all.push((Arc::new(Field::new(&column.name, DataType::Utf8, false)), Column::BatchTime));
        }
        let chosen = match select {
            None => all,
            Some(names) => names.iter().map(|name| find(&all, name)).collect::<Result<_, _>>()?,
        };
        let (fields, columns): (Vec<FieldRef>, Vec<Column>) = chosen.into_iter().unzip();
        Ok(OutputShape { schema: Arc::new(Schema::new(fields)), columns, batch_time })
    }

    /// The schema of written rows.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Scored rows as they are written in a batch of this time.
    pub(crate) fn apply(&self, scored: &RecordBatch, time_ms: i64) -> RecordBatch {
        let columns = self.columns.iter().map(|column| match column {
            Column::Scored(i) => scored.column(*i).clone(),
            Column::BatchTime => self.times(time_ms, scored.num_rows()),
        });
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(scored.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns.collect(), &options)
            .expect("the scorer gives the schema that it told, from which this shape was worked out")
    }

    fn times(&self, time_ms: i64, n_rows: usize) -> ArrayRef {
        let text = self.batch_time.as_ref().map_or_else(String::new, |column| column.text(time_ms));
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, n_rows)))
    }
}

fn find(all: &[(FieldRef, Column)], name: &str) -> Result<(FieldRef, Column), ShapeError> {
    let missing = || {
        let nearest = nearest(name, all.iter().map(|(field, _)| field.name().as_str())).map(str::to_owned);
        ShapeError::NoSuchColumn { column: name.to_owned(), nearest }
    };
    all.iter().find(|(field, _)| field.name() == name).cloned().ok_or_else(missing)
}

/// The job's `select` or `batchTimeColumn` does not fit the scored rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// `select` names a column that is not there.
    #[error("select: column not found: {column}")]
    NoSuchColumn {
        /// The name.
        column: String,
        /// The name that was probably meant.
        nearest: Option<String>,
    },
    /// The batch's time has the name of a column that is there.
    #[error("batchTimeColumn: the scored rows have a column of this name already: {column}")]
    BatchTimeTaken {
        /// The name.
        column: String,
    },
}

impl Explain for ShapeError {
    fn fault(&self) -> Fault {
        Fault::Job
    }

    fn hint(&self) -> Option<String> {
        match self {
            ShapeError::NoSuchColumn { nearest, .. } => nearest.as_ref().map(|name| format!("did you mean `{name}`?")),
            ShapeError::BatchTimeTaken { .. } => Some("give batchTimeColumn another name".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;

    fn scored() -> RecordBatch {
        let schema =
            Schema::new(vec![Field::new("a", DataType::Int64, false), Field::new("b", DataType::Int64, false)]);
        let column = |values: [i64; 2]| -> ArrayRef { Arc::new(Int64Array::from_iter_values(values)) };
        RecordBatch::try_new(Arc::new(schema), vec![column([1, 2]), column([3, 4])]).unwrap()
    }

    fn time(name: &str, pattern: &str, zone: &str) -> BatchTimeColumn {
        let pattern = Pattern::parse(pattern).unwrap();
        BatchTimeColumn { name: name.to_owned(), pattern, zone: Zone::parse(zone).unwrap() }
    }

    #[test]
    fn the_batch_time_can_be_selected_among_the_columns() {
        let select = ["p_date", "b"].map(str::to_owned);
        let shape =
            OutputShape::new(&scored().schema(), Some(time("p_date", "yyyyMMddHHmmss", "UTC")), Some(&select)).unwrap();
        let rows = shape.apply(&scored(), 1_795_353_850_713);
        assert_eq!(rows.schema(), *shape.schema());
        assert_eq!(rows.column(0).as_string::<i32>().value(1), "20261122132410");
        assert_eq!(rows.column(1).as_ref(), scored().column(1).as_ref());
    }

    #[test]
    fn without_a_selection_everything_is_written() {
        let shape = OutputShape::new(&scored().schema(), Some(time("t", "d.M.yy h:mm a", "+01:00")), None).unwrap();
        let rows = shape.apply(&scored(), 1_795_353_850_713);
        assert_eq!(rows.num_columns(), 3);
        assert_eq!(rows.column(2).as_string::<i32>().value(0), "22.11.26 2:24 PM");
    }

    #[test]
    fn a_wrong_name_is_refused_with_the_nearest() {
        let select = ["aa".to_owned()];
        let error = OutputShape::new(&scored().schema(), None, Some(&select)).unwrap_err();
        assert_eq!(error.to_string(), "select: column not found: aa");
        let error = OutputShape::new(&scored().schema(), Some(time("a", "yyyy", "UTC")), None).unwrap_err();
        assert_eq!(error.to_string(), "batchTimeColumn: the scored rows have a column of this name already: a");
    }
}
