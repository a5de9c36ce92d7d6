//! Small dense matrices for the L-BFGS-B approximation: at most twice the memory wide.

use super::arithmetic::axpy;

/// A dense matrix, column by column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dense {
    n_rows: usize,
    n_cols: usize,
    values: Vec<f64>,
}

/// The matrix has no inverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Singular;

impl Dense {
    pub(super) fn zeros(n_rows: usize, n_cols: usize) -> Dense {
        Dense { n_rows, n_cols, values: vec![0.0; n_rows * n_cols] }
    }

    pub(super) fn from_fn(n_rows: usize, n_cols: usize, entry: impl Fn(usize, usize) -> f64) -> Dense {
        let values = (0..n_cols).flat_map(|col| (0..n_rows).map(move |row| (row, col)));
        Dense { n_rows, n_cols, values: values.map(|(row, col)| entry(row, col)).collect() }
    }

    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    pub(super) fn n_cols(&self) -> usize {
        self.n_cols
    }

    pub(super) fn get(&self, row: usize, col: usize) -> f64 {
        self.values[col * self.n_rows + row]
    }

    pub(super) fn col(&self, col: usize) -> &[f64] {
        &self.values[col * self.n_rows..(col + 1) * self.n_rows]
    }

    pub(super) fn row(&self, row: usize) -> Vec<f64> {
        (0..self.n_cols).map(|col| self.get(row, col)).collect()
    }

    /// `self · x`, column by column.
    pub(super) fn times(&self, x: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.n_rows];
        for (col, &x) in x.iter().enumerate() {
            axpy(x, self.col(col), &mut out);
        }
        out
    }

    /// `selfᵀ · x`.
    pub(super) fn transposed_times(&self, x: &[f64]) -> Vec<f64> {
        (0..self.n_cols).map(|col| sequential_dot(self.col(col), x)).collect()
    }

    /// `self · other`.
    pub(super) fn product(&self, other: &Dense) -> Dense {
        let values = (0..other.n_cols).flat_map(|col| self.times(other.col(col))).collect();
        Dense { n_rows: self.n_rows, n_cols: other.n_cols, values }
    }

    /// `self⁻¹ · b` by elimination with row pivots.
    pub(super) fn solve(&self, b: &[f64]) -> Result<Vec<f64>, Singular> {
        Ok(self.eliminate(Dense { n_rows: b.len(), n_cols: 1, values: b.to_vec() })?.values)
    }

    /// `self⁻¹` by elimination with row pivots.
    pub(super) fn inverse(&self) -> Result<Dense, Singular> {
        self.eliminate(Dense::from_fn(self.n_rows, self.n_rows, |row, col| f64::from(u8::from(row == col))))
    }

    fn eliminate(&self, mut right: Dense) -> Result<Dense, Singular> {
        let n = self.n_rows;
        let mut left = self.clone();
        for step in 0..n {
            let size = |row: usize| left.get(row, step).abs();
            let pivot = (step..n).fold(step, |best, row| if size(row) > size(best) { row } else { best });
            left.swap_rows(step, pivot);
            right.swap_rows(step, pivot);
            let head = left.get(step, step);
            if head == 0.0 || head.is_nan() {
                return Err(Singular);
            }
            for row in step + 1..n {
                let factor = left.get(row, step) / head;
                left.subtract_row(row, step, factor);
                right.subtract_row(row, step, factor);
            }
        }
        for col in 0..right.n_cols {
            for step in (0..n).rev() {
                let value = right.values[col * n + step] / left.get(step, step);
                right.values[col * n + step] = value;
                for row in 0..step {
                    right.values[col * n + row] -= value * left.get(row, step);
                }
            }
        }
        Ok(right)
    }

    fn swap_rows(&mut self, a: usize, b: usize) {
        for col in 0..self.n_cols {
            self.values.swap(col * self.n_rows + a, col * self.n_rows + b);
        }
    }

    fn subtract_row(&mut self, row: usize, of: usize, factor: f64) {
        for col in 0..self.n_cols {
            self.values[col * self.n_rows + row] -= factor * self.values[col * self.n_rows + of];
        }
    }
}

fn sequential_dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[[f64; 3]; 3]) -> Dense {
        Dense::from_fn(3, 3, |row, col| rows[row][col])
    }

    #[test]
    fn a_matrix_times_its_inverse_is_the_identity() {
        let matrix = rows(&[[0.0, 2.0, 1.0], [1.0, -2.0, 0.0], [4.0, 0.0, 3.0]]);
        let product = matrix.product(&matrix.inverse().unwrap());
        for row in 0..3 {
            for col in 0..3 {
                assert!((product.get(row, col) - f64::from(u8::from(row == col))).abs() < 1e-15, "{row} {col}");
            }
        }
    }

    #[test]
    fn solving_needs_row_exchanges() {
        let matrix = rows(&[[0.0, 2.0, 1.0], [1.0, -2.0, 0.0], [4.0, 0.0, 3.0]]);
        assert_eq!(matrix.solve(&[7.0, -3.0, 13.0]).unwrap(), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_singular_matrix_has_no_inverse() {
        let matrix = rows(&[[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 1.0, 1.0]]);
        assert_eq!(matrix.inverse(), Err(Singular));
    }
}
