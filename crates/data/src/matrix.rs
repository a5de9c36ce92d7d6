//! Matrices as models and parameters hold them: dense or sparse, by columns or (transposed) by rows, as Spark's `MatrixUDT`.
//!
//! ```text
//! struct { type: int8 not null              0 sparse, 1 dense
//!        , numRows: int32 not null, numCols: int32 not null
//!        , colPtrs: list<int32>, rowIndices: list<int32>        sparse only: CSC, or CSR when isTransposed
//!        , values: list<float64>                                dense: column-major, or row-major when isTransposed
//!        , isTransposed: boolean not null }
//! ```

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{Float64Builder, Int32Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int8Type, Int32Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Int8Array, Int32Array, StructArray};
use arrow_schema::{DataType, Field, Fields};
use serde_json::{Value, json};

use crate::vector::{number_from_json, number_to_json};

static MATRIX_FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    Fields::from(vec![
        Field::new("type", DataType::Int8, false),
        Field::new("numRows", DataType::Int32, false),
        Field::new("numCols", DataType::Int32, false),
        Field::new("colPtrs", DataType::List(element(DataType::Int32)), true),
        Field::new("rowIndices", DataType::List(element(DataType::Int32)), true),
        Field::new("values", DataType::List(element(DataType::Float64)), true),
        Field::new("isTransposed", DataType::Boolean, false),
    ])
});

fn element(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", data_type, false))
}

/// The Arrow type of a matrix column.
pub fn matrix_type() -> DataType {
    DataType::Struct(MATRIX_FIELDS.clone())
}

/// A nullable matrix column called `name`.
pub fn matrix_field(name: impl Into<String>) -> Field {
    Field::new(name, matrix_type(), true)
}

/// Whether a column of this type is a matrix column: the seven children of `MatrixUDT` by name.
pub fn is_matrix(data_type: &DataType) -> bool {
    let DataType::Struct(fields) = data_type else { return false };
    fields.len() == MATRIX_FIELDS.len() && fields.iter().zip(MATRIX_FIELDS.iter()).all(|(a, b)| a.name() == b.name())
}

/// A matrix of doubles.
///
/// Equality compares the stored form: a sparse and a dense matrix of the same numbers differ. Use [`get`](Matrix::get) or
/// [`to_row_major`](Matrix::to_row_major) for the numbers.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Matrix {
    n_rows: usize,
    n_cols: usize,
    storage: Storage,
    is_transposed: bool,
}

/// The numbers of a matrix: by columns, or by rows when the matrix is stored transposed.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum Storage {
    /// Every number.
    Dense(Vec<f64>),
    /// Compressed columns (rows when transposed).
    Sparse {
        /// Start of each column (row) in `indices`, and the end of the last.
        pointers: Vec<i32>,
        /// Row (column) of each value.
        indices: Vec<i32>,
        /// The stored values.
        values: Vec<f64>,
    },
}

/// The parts do not make a matrix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid matrix: {0}")]
pub struct MatrixError(pub &'static str);

impl Matrix {
    /// A dense matrix from its rows laid one after the other, stored row-major (`isTransposed`), as coefficients are.
    ///
    /// # Panics
    /// When `values` has not `n_rows × n_cols` numbers.
    pub fn from_row_major(n_rows: usize, n_cols: usize, values: Vec<f64>) -> Matrix {
        assert_eq!(values.len(), n_rows * n_cols, "the values must be n_rows × n_cols");
        Matrix { n_rows, n_cols, storage: Storage::Dense(values), is_transposed: true }
    }

    /// A dense matrix from its columns laid one after the other.
    ///
    /// # Panics
    /// When `values` has not `n_rows × n_cols` numbers.
    pub fn from_column_major(n_rows: usize, n_cols: usize, values: Vec<f64>) -> Matrix {
        assert_eq!(values.len(), n_rows * n_cols, "the values must be n_rows × n_cols");
        Matrix { n_rows, n_cols, storage: Storage::Dense(values), is_transposed: false }
    }

    /// A matrix from its stored parts.
    ///
    /// # Errors
    /// [`MatrixError`] when numbers are missing or too many, pointers do not ascend from 0, or an index is out of range.
    pub fn try_new(n_rows: usize, n_cols: usize, storage: Storage, is_transposed: bool) -> Result<Matrix, MatrixError> {
        let (n_major, n_minor) = if is_transposed { (n_rows, n_cols) } else { (n_cols, n_rows) };
        match &storage {
            Storage::Dense(values) => {
                if n_rows.checked_mul(n_cols) != Some(values.len()) {
                    return Err(MatrixError("the number of values is not numRows × numCols"));
                }
            }
            Storage::Sparse { pointers, indices, values } => {
                if pointers.len().checked_sub(1) != Some(n_major)
                    || pointers[0] != 0
                    || pointers.windows(2).any(|pair| pair[0] > pair[1])
                {
                    return Err(MatrixError("the pointers do not ascend from 0, one per column and one more"));
                }
                if pointers[n_major] as usize != values.len() || indices.len() != values.len() {
                    return Err(MatrixError("pointers, indices and values differ in number"));
                }
                if indices.iter().any(|&index| index < 0 || index as usize >= n_minor) {
                    return Err(MatrixError("an index is outside the matrix"));
                }
            }
        }
        Ok(Matrix { n_rows, n_cols, storage, is_transposed })
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_cols(&self) -> usize {
        self.n_cols
    }

    /// How the numbers are stored.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Whether the numbers are stored by rows.
    pub fn is_transposed(&self) -> bool {
        self.is_transposed
    }

    /// The number in `row` and `col`.
    ///
    /// # Panics
    /// When the position is outside the matrix.
    pub fn get(&self, row: usize, col: usize) -> f64 {
        assert!(row < self.n_rows && col < self.n_cols, "the position must be inside the matrix");
        let (major, minor) = if self.is_transposed { (row, col) } else { (col, row) };
        match &self.storage {
            Storage::Dense(values) => values[major * self.n_minor() + minor],
            Storage::Sparse { pointers, indices, values } => {
                let stored = pointers[major] as usize..pointers[major + 1] as usize;
                let found = stored.clone().find(|&at| indices[at] as usize == minor);
                found.map_or(0.0, |at| values[at])
            }
        }
    }

    fn n_minor(&self) -> usize {
        if self.is_transposed { self.n_cols } else { self.n_rows }
    }

    /// All numbers, row by row.
    pub fn to_row_major(&self) -> Vec<f64> {
        if let (Storage::Dense(values), true) = (&self.storage, self.is_transposed) {
            return values.clone();
        }
        let mut out = Vec::with_capacity(self.n_rows * self.n_cols);
        for row in 0..self.n_rows {
            out.extend((0..self.n_cols).map(|col| self.get(row, col)));
        }
        out
    }

    /// The smallest stored form, as Spark's `compressed` chooses for a matrix that is stored by rows.
    ///
    /// Same as Spark (`Matrices.scala`): dense when `8·r·c + 21` bytes are not more than either sparse form
    /// (`12·nnz + 4·(cols+1 or rows+1) + 45`), else by columns when that is not more than by rows. The dense form keeps rows.
    pub fn compressed(&self) -> Matrix {
        let dense = self.to_row_major();
        let n_stored = dense.iter().filter(|&&value| value != 0.0).count();
        let dense_bytes = 8 * self.n_rows * self.n_cols + 21;
        let csc_bytes = 12 * n_stored + 4 * (self.n_cols + 1) + 45;
        let csr_bytes = 12 * n_stored + 4 * (self.n_rows + 1) + 45;
        if dense_bytes <= csc_bytes.min(csr_bytes) {
            return Matrix::from_row_major(self.n_rows, self.n_cols, dense);
        }
        self.to_sparse(csr_bytes < csc_bytes)
    }

    /// The same numbers, sparse, by columns or (`by_rows`) by rows.
    pub fn to_sparse(&self, by_rows: bool) -> Matrix {
        let (n_major, n_minor) = if by_rows { (self.n_rows, self.n_cols) } else { (self.n_cols, self.n_rows) };
        let (mut pointers, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
        for major in 0..n_major {
            for minor in 0..n_minor {
                let value = if by_rows { self.get(major, minor) } else { self.get(minor, major) };
                if value != 0.0 {
                    indices.push(minor as i32);
                    values.push(value);
                }
            }
            pointers.push(values.len() as i32);
        }
        let storage = Storage::Sparse { pointers, indices, values };
        Matrix { n_rows: self.n_rows, n_cols: self.n_cols, storage, is_transposed: by_rows }
    }

    /// Spark's JSON of a matrix parameter, with its `class` key.
    pub fn to_json(&self) -> Value {
        let mut object = json!({
            "class": "matrix", "type": 1, "numRows": self.n_rows, "numCols": self.n_cols,
        });
        let numbers = |values: &[f64]| Value::Array(values.iter().map(|&value| number_to_json(value)).collect());
        match &self.storage {
            Storage::Dense(values) => object["values"] = numbers(values),
            Storage::Sparse { pointers, indices, values } => {
                object["type"] = json!(0);
                object["colPtrs"] = json!(pointers);
                object["rowIndices"] = json!(indices);
                object["values"] = numbers(values);
            }
        }
        object["isTransposed"] = json!(self.is_transposed);
        object
    }

    /// Reads what [`to_json`](Matrix::to_json) writes; `None` for anything else.
    pub fn from_json(value: &Value) -> Option<Matrix> {
        let size = |key: &str| value.get(key)?.as_u64().map(|n| n as usize);
        let integers = |key: &str| {
            let items = value.get(key)?.as_array()?;
            items.iter().map(|item| item.as_i64().and_then(|n| i32::try_from(n).ok())).collect::<Option<Vec<_>>>()
        };
        let values = value.get("values")?.as_array()?.iter().map(number_from_json).collect::<Option<Vec<_>>>()?;
        let storage = match value.get("type")?.as_u64()? {
            1 => Storage::Dense(values),
            0 => Storage::Sparse { pointers: integers("colPtrs")?, indices: integers("rowIndices")?, values },
            _ => return None,
        };
        Matrix::try_new(size("numRows")?, size("numCols")?, storage, value.get("isTransposed")?.as_bool()?).ok()
    }
}

/// A matrix column of the given rows.
pub fn matrix_column(matrices: &[Matrix]) -> ArrayRef {
    let mut pointers = ListBuilder::new(Int32Builder::new()).with_field(element(DataType::Int32));
    let mut indices = ListBuilder::new(Int32Builder::new()).with_field(element(DataType::Int32));
    let mut values = ListBuilder::new(Float64Builder::new()).with_field(element(DataType::Float64));
    for matrix in matrices {
        let numbers = match &matrix.storage {
            Storage::Dense(numbers) => {
                pointers.append(false);
                indices.append(false);
                numbers
            }
            Storage::Sparse { pointers: starts, indices: positions, values: numbers } => {
                pointers.values().append_slice(starts);
                pointers.append(true);
                indices.values().append_slice(positions);
                indices.append(true);
                numbers
            }
        };
        values.values().append_slice(numbers);
        values.append(true);
    }
    let kind = |matrix: &Matrix| i8::from(matches!(matrix.storage, Storage::Dense(_)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(matrices.iter().map(kind).collect::<Int8Array>()),
        Arc::new(matrices.iter().map(|matrix| matrix.n_rows as i32).collect::<Int32Array>()),
        Arc::new(matrices.iter().map(|matrix| matrix.n_cols as i32).collect::<Int32Array>()),
        Arc::new(pointers.finish()),
        Arc::new(indices.finish()),
        Arc::new(values.finish()),
        Arc::new(matrices.iter().map(|matrix| Some(matrix.is_transposed)).collect::<BooleanArray>()),
    ];
    Arc::new(StructArray::new(MATRIX_FIELDS.clone(), columns, None))
}

/// The matrix in row `row_idx` of a matrix column.
///
/// # Errors
/// [`MatrixError`] when the column is of another type, the row is null or its parts do not make a matrix.
pub fn matrix_at(array: &dyn Array, row_idx: usize) -> Result<Matrix, MatrixError> {
    let rows = array.as_struct_opt().filter(|rows| is_matrix(rows.data_type()));
    let rows = rows.ok_or(MatrixError("the column is not a matrix column"))?;
    if row_idx >= rows.len() || rows.is_null(row_idx) {
        return Err(MatrixError("the matrix is missing"));
    }
    let wrong_type = MatrixError("a part of the matrix has another type");
    let kind = rows.column(0).as_primitive_opt::<Int8Type>().ok_or(wrong_type.clone())?.value(row_idx);
    let size = |column: usize| {
        let sizes = rows.column(column).as_primitive_opt::<Int32Type>().ok_or(wrong_type.clone())?;
        usize::try_from(sizes.value(row_idx)).map_err(|_| MatrixError("a size is negative"))
    };
    let integers = |column: usize| {
        let items = list_at(rows.column(column), row_idx)?;
        Ok::<_, MatrixError>(items.as_primitive_opt::<Int32Type>().ok_or(wrong_type.clone())?.values().to_vec())
    };
    let values = list_at(rows.column(5), row_idx)?;
    let values = values.as_primitive_opt::<Float64Type>().ok_or(wrong_type.clone())?.values().to_vec();
    let storage = match kind {
        1 => Storage::Dense(values),
        0 => Storage::Sparse { pointers: integers(3)?, indices: integers(4)?, values },
        _ => return Err(MatrixError("unknown type")),
    };
    let is_transposed = rows.column(6).as_boolean_opt().ok_or(wrong_type.clone())?.value(row_idx);
    Matrix::try_new(size(1)?, size(2)?, storage, is_transposed)
}

fn list_at(array: &ArrayRef, row_idx: usize) -> Result<ArrayRef, MatrixError> {
    let lists = array.as_list_opt::<i32>().ok_or(MatrixError("a part of the matrix has another type"))?;
    if lists.is_null(row_idx) {
        return Err(MatrixError("a part of the matrix is missing"));
    }
    let items = lists.value(row_idx);
    if items.null_count() > 0 {
        return Err(MatrixError("a number of the matrix is null"));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stored_form_holds_the_same_numbers() {
        let by_rows = Matrix::from_row_major(2, 3, vec![1.0, 0.0, 2.0, 0.0, 0.0, 3.0]);
        let by_columns = Matrix::from_column_major(2, 3, vec![1.0, 0.0, 0.0, 0.0, 2.0, 3.0]);
        for matrix in [by_columns, by_rows.to_sparse(true), by_rows.to_sparse(false)] {
            assert_eq!(matrix.to_row_major(), by_rows.to_row_major());
            assert_eq!(matrix_at(&matrix_column(std::slice::from_ref(&matrix)), 0), Ok(matrix.clone()));
            assert_eq!(Matrix::from_json(&matrix.to_json()), Some(matrix));
        }
    }

    #[test]
    fn compression_keeps_small_matrices_dense_and_packs_empty_ones() {
        let full = Matrix::from_row_major(1, 3, vec![1.0, 2.0, 3.0]);
        assert_eq!(full.compressed(), full);
        let empty = Matrix::from_row_major(1, 20, vec![0.0; 20]).compressed();
        // 8·20 + 21 = 181; by columns 4·21 + 45 = 129; by rows 4·2 + 45 = 53.
        assert_eq!((empty.is_transposed(), matches!(empty.storage(), Storage::Sparse { .. })), (true, true));
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let pointers = Storage::Sparse { pointers: vec![0, 2], indices: vec![0, 9], values: vec![1.0, 2.0] };
        assert_eq!(Matrix::try_new(2, 1, pointers, false), Err(MatrixError("an index is outside the matrix")));
        let short = Storage::Dense(vec![1.0]);
        assert!(Matrix::try_new(usize::MAX, 2, short, false).is_err());
        let endless = Storage::Sparse { pointers: vec![], indices: vec![], values: vec![] };
        assert!(Matrix::try_new(2, usize::MAX, endless, false).is_err());
    }

    #[test]
    fn a_null_among_the_numbers_is_refused() {
        let column = matrix_column(&[Matrix::from_row_major(1, 2, vec![1.0, 2.0])]);
        let mut parts = column.as_struct().columns().to_vec();
        let numbers: Vec<Option<f64>> = vec![Some(1.0), None];
        let mut values = ListBuilder::new(Float64Builder::new());
        values.append_value(numbers);
        parts[5] = Arc::new(values.finish());
        let fields = MATRIX_FIELDS.iter().zip(&parts);
        let fields: Vec<Field> =
            fields.map(|(field, part)| Field::new(field.name(), part.data_type().clone(), true)).collect();
        let column = StructArray::new(fields.into(), parts, None);
        assert_eq!(matrix_at(&column, 0), Err(MatrixError("a number of the matrix is null")));
    }
}
