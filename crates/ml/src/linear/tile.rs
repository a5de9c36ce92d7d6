//! Some rows of a dense block, and the two sums that a pass over them needs: margins along the rows, a gradient down the columns.
//!
//! Advice to whoever changes this: the loops are shaped so that the compiler finds vector instructions (several rows side by
//! side in [`Tile::margins`], several features in [`Tile::add_to_gradient`]) without any sum changing its order, and without fused
//! multiply-adds. So the bits are the same with every instruction set, and the same as row by row. Loops have bounds known to the
//! compiler, and nothing is called that is not inlined, because an inlined function is compiled for the caller's instructions.

/// Rows of a tile: enough to hide the latency of additions, few enough to stay in the processor's first cache.
pub(crate) const TILE_ROWS: usize = 32;

/// Rows whose margins are summed side by side, over as many features at a time.
const N_SIDE_BY_SIDE: usize = 4;

/// How a feature is scaled, and in which order it is multiplied.
pub(crate) trait Arithmetic {
    /// The scaled feature.
    fn scaled(x: f64, scale: f64) -> f64;
    /// A factor times the scaled feature.
    fn product(factor: f64, x: f64, scale: f64) -> f64;
}

/// Spark 2.4, binomial: `scale` is the deviation, +∞ for a constant feature, and divides the product.
pub(crate) struct DivideProduct;

impl Arithmetic for DivideProduct {
    #[inline(always)]
    fn scaled(x: f64, scale: f64) -> f64 {
        x / scale
    }
    #[inline(always)]
    fn product(factor: f64, x: f64, scale: f64) -> f64 {
        factor * x / scale
    }
}

/// Spark 2.4, multinomial: `scale` is the deviation, +∞ for a constant feature, and divides the feature.
pub(crate) struct DivideFeature;

impl Arithmetic for DivideFeature {
    #[inline(always)]
    fn scaled(x: f64, scale: f64) -> f64 {
        x / scale
    }
    #[inline(always)]
    fn product(factor: f64, x: f64, scale: f64) -> f64 {
        factor * (x / scale)
    }
}

/// Spark 3.1 and later: `scale` is the reciprocal of the deviation, 0 for a constant feature.
pub(crate) struct Multiply;

impl Arithmetic for Multiply {
    #[inline(always)]
    fn scaled(x: f64, scale: f64) -> f64 {
        x * scale
    }
    #[inline(always)]
    fn product(factor: f64, x: f64, scale: f64) -> f64 {
        factor * (x * scale)
    }
}

/// Features that are scaled already; `scale` is not looked at.
pub(crate) struct AlreadyScaled;

impl Arithmetic for AlreadyScaled {
    #[inline(always)]
    fn scaled(x: f64, _scale: f64) -> f64 {
        x
    }
    #[inline(always)]
    fn product(factor: f64, x: f64, _scale: f64) -> f64 {
        factor * x
    }
}

/// One number for each row of a tile; those beyond its end are there and mean nothing.
pub(crate) type OfRows = [f64; TILE_ROWS];

/// Labels and weights of the rows of a tile; rows beyond its end weigh nothing.
pub(crate) struct TileRows {
    pub(crate) n_rows: usize,
    pub(crate) labels: OfRows,
    pub(crate) weights: OfRows,
}

impl TileRows {
    #[inline(always)]
    pub(crate) fn of(labels: &[f64], weights: Option<&[f64]>, first_row: usize, n_rows: usize) -> TileRows {
        // A whole tile is copied without a loop, and nearly all are whole.
        if let Some(labels) = labels[first_row..].first_chunk().filter(|_| n_rows == TILE_ROWS) {
            let weights = weights.map(|weights| &weights[first_row..]);
            let weights = weights.and_then(|weights| weights.first_chunk()).copied().unwrap_or([1.0; TILE_ROWS]);
            return TileRows { n_rows, labels: *labels, weights };
        }
        let rows = first_row..first_row + n_rows;
        let mut tile = TileRows { n_rows, labels: [0.0; TILE_ROWS], weights: [0.0; TILE_ROWS] };
        tile.labels[..n_rows].copy_from_slice(&labels[rows.clone()]);
        match weights {
            Some(weights) => tile.weights[..n_rows].copy_from_slice(&weights[rows]),
            None => tile.weights[..n_rows].fill(1.0),
        }
        tile
    }

    pub(crate) fn has_weightless(&self) -> bool {
        self.weights[..self.n_rows].contains(&0.0)
    }
}

/// One number per feature out of several sets: that of feature `j` is `values[j · n_sets + set]`.
#[derive(Clone, Copy)]
pub(crate) struct Set {
    pub(crate) n_sets: usize,
    pub(crate) set: usize,
}

/// The set of a model that has one.
pub(crate) const ONLY: Set = Set { n_sets: 1, set: 0 };

impl Set {
    #[inline(always)]
    fn at(self, feature: usize) -> usize {
        feature * self.n_sets + self.set
    }
}

/// Up to [`TILE_ROWS`] rows of a dense block.
#[derive(Clone, Copy)]
pub(crate) struct Tile<'a> {
    /// Row by row.
    pub(crate) values: &'a [f64],
    /// At least 1.
    pub(crate) n_features: usize,
}

impl Tile<'_> {
    /// The sum of products of each row with the coefficients, feature by feature from 0.0 on.
    #[inline(always)]
    pub(crate) fn margins<A: Arithmetic>(&self, coefficients: &[f64], scale: &[f64], margins: &mut OfRows) {
        let groups = self.values.chunks_exact(N_SIDE_BY_SIDE * self.n_features);
        let rest = groups.remainder().chunks_exact(self.n_features);
        let (side_by_side, _) = margins.as_chunks_mut();
        for (margins, group) in side_by_side.iter_mut().zip(groups) {
            *margins = group_margins::<A>(group, coefficients, scale);
        }
        let n_alone = rest.len();
        let first_alone = self.values.len() / self.n_features - n_alone;
        for (margin, row) in margins[first_alone..].iter_mut().zip(rest) {
            let products = row.iter().zip(coefficients).zip(scale);
            *margin = products.fold(0.0, |sum, ((&x, &coefficient), &scale)| sum + A::product(coefficient, x, scale));
        }
    }

    /// Adds each row, times its multiplier, to the gradient of a set, row by row.
    #[inline(always)]
    pub(crate) fn add_to_gradient<A: Arithmetic>(
        &self,
        multipliers: &OfRows,
        scale: &[f64],
        gradient: &mut [f64],
        set: Set,
    ) {
        let mut feature = 0;
        while feature + 16 <= self.n_features {
            self.add_to_slopes::<A, 16>(feature, multipliers, scale, gradient, set);
            feature += 16;
        }
        while feature + 8 <= self.n_features {
            self.add_to_slopes::<A, 8>(feature, multipliers, scale, gradient, set);
            feature += 8;
        }
        // One loop over the rows for all that is left: each is a chain of additions that waits for itself.
        match self.n_features - feature {
            0 => {}
            1 => self.add_to_slopes::<A, 1>(feature, multipliers, scale, gradient, set),
            2 => self.add_to_slopes::<A, 2>(feature, multipliers, scale, gradient, set),
            3 => self.add_to_slopes::<A, 3>(feature, multipliers, scale, gradient, set),
            4 => self.add_to_slopes::<A, 4>(feature, multipliers, scale, gradient, set),
            5 => self.add_to_slopes::<A, 5>(feature, multipliers, scale, gradient, set),
            6 => self.add_to_slopes::<A, 6>(feature, multipliers, scale, gradient, set),
            _ => self.add_to_slopes::<A, 7>(feature, multipliers, scale, gradient, set),
        }
    }

    /// The same for the `N` features from `first` on.
    #[inline(always)]
    fn add_to_slopes<A: Arithmetic, const N: usize>(
        &self,
        first: usize,
        multipliers: &OfRows,
        scale: &[f64],
        gradient: &mut [f64],
        set: Set,
    ) {
        let mut slopes = [0.0; N];
        for at in 0..N {
            slopes[at] = gradient[set.at(first + at)];
        }
        let scale: &[f64; N] = scale[first..].first_chunk().expect("there is a scale for every feature");
        let mut add = |row: &[f64; N], multiplier: f64| {
            for at in 0..N {
                slopes[at] += A::product(multiplier, row[at], scale[at]);
            }
        };
        if self.n_features == N {
            let (rows, _) = self.values.as_chunks::<N>();
            rows.iter().zip(multipliers).for_each(|(row, &multiplier)| add(row, multiplier));
        } else {
            for (row, &multiplier) in self.values.chunks_exact(self.n_features).zip(multipliers) {
                add(row[first..].first_chunk().expect("a row has every feature"), multiplier);
            }
        }
        for at in 0..N {
            gradient[set.at(first + at)] = slopes[at];
        }
    }
}

/// The margins of [`N_SIDE_BY_SIDE`] rows.
#[inline(always)]
fn group_margins<A: Arithmetic>(group: &[f64], coefficients: &[f64], scale: &[f64]) -> [f64; N_SIDE_BY_SIDE] {
    let n_features = group.len() / N_SIDE_BY_SIDE;
    let (first_two, last_two) = group.split_at(2 * n_features);
    let (a, b) = first_two.split_at(n_features);
    let (c, d) = last_two.split_at(n_features);
    let mut sums = [0.0; N_SIDE_BY_SIDE];

    // Blocks of so many rows and as many features: the compiler turns rows into columns in registers.
    let (a, rest_of_a) = a.as_chunks();
    let (b, rest_of_b) = b.as_chunks();
    let (c, rest_of_c) = c.as_chunks();
    let (d, rest_of_d) = d.as_chunks();
    let (coefficients, rest_of_coefficients) = coefficients.as_chunks::<N_SIDE_BY_SIDE>();
    let (scale, rest_of_scale) = scale.as_chunks::<N_SIDE_BY_SIDE>();
    let blocks = a.iter().zip(b).zip(c).zip(d).zip(coefficients).zip(scale);
    for (((((a, b), c), d), coefficients), scale) in blocks {
        let rows: [&[f64; N_SIDE_BY_SIDE]; N_SIDE_BY_SIDE] = [a, b, c, d];
        for feature in 0..N_SIDE_BY_SIDE {
            for row in 0..N_SIDE_BY_SIDE {
                sums[row] += A::product(coefficients[feature], rows[row][feature], scale[feature]);
            }
        }
    }
    let rest = rest_of_a.iter().zip(rest_of_b).zip(rest_of_c).zip(rest_of_d);
    for ((((a, b), c), d), (&coefficient, &scale)) in rest.zip(rest_of_coefficients.iter().zip(rest_of_scale)) {
        let column = [*a, *b, *c, *d];
        for row in 0..N_SIDE_BY_SIDE {
            sums[row] += A::product(coefficient, column[row], scale);
        }
    }
    sums
}

/// Asks the processor to bring these numbers near while it computes with others; it may ignore that.
///
/// A tile is fetched from memory in a burst, then computed with for longer than that takes: without this the one would wait for
/// the other.
#[inline(always)]
pub(crate) fn prefetch(values: &[f64]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(CACHE_LINE_BYTES / size_of::<f64>()) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        #[allow(unsafe_code, reason = "a hint about an address that a slice owns; nothing is read")]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

#[cfg(target_arch = "x86_64")]
const CACHE_LINE_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "the order of summation is fixed, so are the bits")]

    use super::*;
    use crate::linear::numbers::numbers;

    /// Margins and gradient against sums that are written down row by row and feature by feature.
    fn check<A: Arithmetic>(n_rows: usize, n_features: usize) {
        let values = numbers(n_rows * n_features, 1);
        let (coefficients, scale) = (numbers(2 * n_features, 2), numbers(n_features, 3));
        let set = Set { n_sets: 2, set: 1 };
        let tile = Tile { values: &values, n_features };

        let of_set: Vec<f64> = coefficients.chunks_exact(2).map(|of_feature| of_feature[1]).collect();
        let mut margins = [f64::NAN; TILE_ROWS];
        tile.margins::<A>(&of_set, &scale, &mut margins);
        let multipliers: OfRows = numbers(TILE_ROWS, 4).try_into().unwrap();
        let mut gradient = numbers(2 * n_features, 5);
        let mut expected_gradient = gradient.clone();
        tile.add_to_gradient::<A>(&multipliers, &scale, &mut gradient, set);

        for (row_idx, row) in values.chunks_exact(n_features).enumerate() {
            let mut margin = 0.0;
            for feature in 0..n_features {
                let at = 2 * feature + 1;
                margin += A::product(coefficients[at], row[feature], scale[feature]);
                expected_gradient[at] += A::product(multipliers[row_idx], row[feature], scale[feature]);
            }
            assert_eq!(margins[row_idx], margin, "row {row_idx} of {n_rows}, {n_features} features");
        }
        assert_eq!(gradient, expected_gradient, "{n_rows} rows, {n_features} features");
    }

    #[test]
    fn a_tile_sums_in_the_order_of_rows_and_features_whatever_its_shape() {
        for n_rows in [1, 3, 4, 5, 31, TILE_ROWS] {
            for n_features in [1, 2, 3, 4, 5, 6, 7, 8, 16, 20, 29, 37] {
                check::<Multiply>(n_rows, n_features);
                check::<DivideProduct>(n_rows, n_features);
                check::<DivideFeature>(n_rows, n_features);
            }
        }
    }
}
