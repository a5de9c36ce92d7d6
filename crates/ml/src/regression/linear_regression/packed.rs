//! The upper half of a symmetric matrix, and its Cholesky factor.
//!
//! Same as LAPACK's reference routines (`dpptrf`, `dpptrs`, `dpptri`), which Spark runs on the JVM: every entry is made by the same
//! operations in the same order, so that a matrix that is singular but for rounding is so here as there. They go column by
//! column, we row by row, which lets the compiler use vector instructions.

/// A symmetric matrix by the rows of its upper half: the entries of row i are those from the diagonal on.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    size: usize,
    entries: Vec<f64>,
}

/// The matrix is not positive definite: some of its columns follow from the others, as near as can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Singular;

impl Packed {
    pub(super) fn from_fn(size: usize, entry: impl Fn(usize, usize) -> f64) -> Packed {
        let entry = &entry;
        let entries = (0..size).flat_map(|i| (i..size).map(move |j| entry(i, j))).collect();
        Packed { size, entries }
    }

    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Row `i` from the diagonal on.
    pub(super) fn row(&self, i: usize) -> &[f64] {
        &self.entries[self.start(i)..self.start(i + 1)]
    }

    fn start(&self, i: usize) -> usize {
        // The rows above have size, size − 1, … entries.
        i * (2 * self.size + 1 - i) / 2
    }

    /// The factor U with UᵀU = this matrix, in its place.
    ///
    /// # Errors
    /// [`Singular`]. A NaN passes, as in LAPACK.
    pub(super) fn cholesky(mut self) -> Result<Cholesky, Singular> {
        // LAPACK adds up the squares above a diagonal entry before it subtracts them, products above others one by one.
        let mut squares = vec![0.0; self.size];
        for i in 0..self.size {
            let next = self.start(i + 1);
            let start = self.start(i);
            let (above, below) = self.entries.split_at_mut(next);
            let row = &mut above[start..];
            let pivot = row[0] - squares[i];
            if pivot <= 0.0 {
                return Err(Singular);
            }
            let diagonal = pivot.sqrt();
            row[0] = diagonal;
            for (entry, sum) in row[1..].iter_mut().zip(&mut squares[i + 1..]) {
                *entry /= diagonal;
                *sum += *entry * *entry;
            }
            subtract_products(&row[1..], below);
        }
        Ok(Cholesky { factor: self })
    }
}

/// Subtracts the products of every two entries of a row from the rows below it, but for the diagonal.
fn subtract_products(row: &[f64], mut below: &mut [f64]) {
    for (i, &left) in row.iter().enumerate() {
        let (entries, rest) = below.split_at_mut(row.len() - i);
        for (entry, right) in entries[1..].iter_mut().zip(&row[i + 1..]) {
            *entry -= left * right;
        }
        below = rest;
    }
}

/// The upper triangular factor of a positive definite matrix.
#[derive(Debug, Clone)]
pub(super) struct Cholesky {
    factor: Packed,
}

impl Cholesky {
    /// The x with matrix · x = b.
    pub(super) fn solve(&self, b: &[f64]) -> Vec<f64> {
        let mut x = b.to_vec();
        for i in 0..x.len() {
            let row = self.factor.row(i);
            x[i] /= row[0];
            let solved = x[i];
            x[i + 1..].iter_mut().zip(&row[1..]).for_each(|(x, entry)| *x -= entry * solved);
        }
        for i in (0..x.len()).rev() {
            let row = self.factor.row(i);
            let known = x[i + 1..].iter().zip(&row[1..]).rev();
            let rest = known.fold(x[i], |rest, (x, entry)| rest - x * entry);
            x[i] = rest / row[0];
        }
        x
    }

    /// The diagonal of the matrix's inverse.
    pub(super) fn inverse_diagonal(&self) -> Vec<f64> {
        (0..self.factor.size).map(|i| self.inverse_entry(i)).collect()
    }

    /// The sum of squares of row `i` of the factor's inverse.
    fn inverse_entry(&self, i: usize) -> f64 {
        let row = self.factor.row(i);
        let diagonal = 1.0 / row[0];
        let mut sums: Vec<f64> = row[1..].iter().map(|entry| entry * diagonal).collect();
        let mut squares = diagonal * diagonal;
        for at in 0..sums.len() {
            let row = self.factor.row(i + 1 + at);
            let inverse = sums[at] * -(1.0 / row[0]);
            squares += inverse * inverse;
            sums[at + 1..].iter_mut().zip(&row[1..]).for_each(|(sum, entry)| *sum += entry * inverse);
        }
        squares
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "small whole numbers are exact")]

    use super::*;

    fn packed(rows: &[&[f64]]) -> Packed {
        Packed::from_fn(rows.len(), |i, j| rows[i][j])
    }

    #[test]
    fn a_matrix_is_factored_solved_and_inverted() {
        // UᵀU with U = [2 1 3; 0 4 5; 0 0 6].
        let matrix = packed(&[&[4.0, 2.0, 6.0], &[2.0, 17.0, 23.0], &[6.0, 23.0, 70.0]]);
        let cholesky = matrix.cholesky().unwrap();
        assert_eq!(cholesky.factor.entries, [2.0, 1.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(cholesky.solve(&[0.0, -16.0, -20.0]), [0.5, -1.0, 0.0]);
        // inverse(U) = [1/2 −1/8 −7/48; 0 1/4 −5/24; 0 0 1/6]
        let expect = [0.25 + 1.0 / 64.0 + 49.0 / 2304.0, 1.0 / 16.0 + 25.0 / 576.0, 1.0 / 36.0];
        for (ours, expect) in cholesky.inverse_diagonal().iter().zip(expect) {
            assert!((ours - expect).abs() < 1e-15, "{ours} against {expect}");
        }
    }

    #[test]
    fn a_column_that_follows_from_others_is_found() {
        let matrix = packed(&[&[4.0, 2.0, 6.0], &[2.0, 1.0, 3.0], &[6.0, 3.0, 9.0]]);
        assert_eq!(matrix.cholesky().map(|_| ()), Err(Singular));
        assert_eq!(packed(&[&[0.0]]).cholesky().map(|_| ()), Err(Singular));
    }

    #[test]
    fn no_equations_have_no_solution() {
        assert_eq!(packed(&[]).cholesky().unwrap().solve(&[]), [0.0; 0]);
    }
}
