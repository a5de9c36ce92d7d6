//! The table of a model that is one row of vectors.
//!
//! ```text
//! data/part-….parquet   one row: std vector, mean vector
//! ```

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use ognivo_data::vector::{Vector, VectorBuilder, VectorColumn, vector_field};
use ognivo_data::version::SparkVersion;

use crate::saved::{SavedError, SavedStage};

/// The numbers in the form that a model holds: the smaller one from 3.0 on, dense before.
pub(super) fn stored(numbers: &[f64], version: SparkVersion) -> Vector {
    match version {
        SparkVersion::V2_4 => Vector::Dense(numbers.to_vec()),
        _ => Vector::compressed(numbers, version),
    }
}

/// One row with these vectors, by column.
pub(super) fn vector_row(vectors: &[(&str, &Vector)]) -> RecordBatch {
    let fields: Vec<Field> = vectors.iter().map(|(name, _)| vector_field(*name)).collect();
    let column = |(_, vector): &(&str, &Vector)| -> ArrayRef {
        let mut builder = VectorBuilder::new();
        builder.push(vector.as_ref());
        builder.finish()
    };
    let columns = vectors.iter().map(column).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("the columns have the types of the schema")
}

/// The vectors in these columns of the table `data`, which has one row.
///
/// # Errors
/// [`SavedError`] when the table or a column is missing, a value is no vector, or the vectors are of unlike size.
pub(super) fn read_vector_row<const N: usize>(saved: &SavedStage, names: [&str; N]) -> Result<[Vector; N], SavedError> {
    let table = saved.table("data")?;
    let mut vectors = names.map(|_| Vector::Dense(Vec::new()));
    for (vector, name) in vectors.iter_mut().zip(names) {
        let column = table.column_by_name(name).filter(|column| column.len() == 1);
        let column = column.ok_or_else(|| saved.fault(name, "not a column of one row".to_owned()))?;
        let found = VectorColumn::try_new(column).map_err(|error| saved.fault(name, error.to_string()))?;
        let found = found.get(0).ok_or_else(|| saved.fault(name, "the vector is null".to_owned()))?;
        *vector = found.to_owned();
    }
    let size = vectors.first().map_or(0, Vector::size);
    match vectors.iter().position(|vector| vector.size() != size) {
        None => Ok(vectors),
        Some(at) => {
            let reason = format!("of size {}, and `{}` is of size {size}", vectors[at].size(), names[0]);
            Err(saved.fault(names[at], reason))
        }
    }
}
