//! Dot product and norm, summed in Breeze's order.

/// The inner product of two vectors of one size.
///
/// Same as Breeze (`DenseVectorSupportMethods`, every release named here): below 8 numbers two sums, one over the even and one
/// over the odd positions, both from the last; from 8 on eight sums side by side after the first `n mod 8` products, added from
/// the first sum to the last.
///
/// # Panics
/// When the sizes differ.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "both vectors must have one size");
    if a.len() < 8 { short_dot(a, b) } else { long_dot(a, b) }
}

fn short_dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 2];
    for i in (0..a.len()).rev() {
        sums[i % 2] += a[i] * b[i];
    }
    sums[0] + sums[1]
}

fn long_dot(a: &[f64], b: &[f64]) -> f64 {
    let n_first = a.len() % 8;
    let mut sums = [0.0; 8];
    for i in 0..n_first {
        sums[0] += a[i] * b[i];
    }
    for (a, b) in a[n_first..].chunks_exact(8).zip(b[n_first..].chunks_exact(8)) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums[1..].iter().fold(sums[0], |total, sum| total + sum)
}

/// The Euclidean norm; squares are added from the first to the last.
pub fn norm2(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |sum, value| sum + value * value).sqrt()
}

/// `y += a · x`.
pub(super) fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_dot_adds_odd_and_even_positions_apart_from_the_last() {
        // position 0: 1e16, 2: 1, 4: -1e16 → (−1e16 + 1) + 1e16 = 0 or 1 depending on the order; 1 has no weight beside 1e16.
        assert_eq!(dot(&[1e16, 0.0, 1.0, 0.0, -1e16], &[1.0; 5]), 0.0);
        assert_eq!(dot(&[-1e16, 0.0, 1e16, 0.0, 1.0], &[1.0; 5]), 0.0);
        assert_eq!(dot(&[1.0, 0.0, -1e16, 0.0, 1e16], &[1.0; 5]), 1.0);
    }

    #[test]
    fn a_long_dot_keeps_eight_sums() {
        let mut a = [0.0; 17];
        (a[0], a[1], a[9]) = (1.0, 1e16, -1e16);
        // 17 = 1 + 2·8: position 0 goes to sum 0 first, 1 and 9 meet in sum 0 as well: (1 + 1e16) − 1e16.
        assert_eq!(dot(&a, &[1.0; 17]), 0.0);
        (a[0], a[2], a[10], a[1], a[9]) = (1.0, 1e16, -1e16, 0.0, 0.0);
        assert_eq!(dot(&a, &[1.0; 17]), 1.0);
    }

    #[test]
    fn norm_of_nothing_is_zero() {
        assert_eq!(norm2(&[]), 0.0);
        assert_eq!(norm2(&[3.0, 4.0]), 5.0);
    }
}
