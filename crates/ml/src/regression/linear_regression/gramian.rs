//! Sums of products of every two of some numbers, over many rows: the matrix of a normal equation.
//!
//! Advice to whoever changes this: a sum sees its rows in order, one product and one addition each, without fused multiply-adds.
//! So it makes no difference to the bits how many rows come at a time, whether they are stored dense or sparse, and which
//! instructions the processor has. What makes it fast is that a block of sums stays in registers while it sees all rows of a tile,
//! and that the compiler finds vector instructions in loops whose bounds it knows.

use serde::{Deserialize, Serialize};

/// Rows that a block of sums sees in one go: its operands stay in the processor's first cache.
pub(super) const TILE_ROWS: usize = 64;

/// Sums of a block: so many rows and columns of the matrix, as many as there are registers for.
const BLOCK_ROWS: usize = 4;
const BLOCK_COLS: usize = 8;

type Block = [[f64; BLOCK_COLS]; BLOCK_ROWS];

/// One row's numbers for the columns of a block.
type Panel = [f64; BLOCK_COLS];

/// `Σ w · zᵢ · zⱼ` for i ≤ j, over rows of numbers z with a weight w.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Gramian {
    n_numbers: usize,
    /// Column of blocks by column of blocks; each goes down to the diagonal, so that it has two blocks more than the one before.
    blocks: Vec<Block>,
}

impl Gramian {
    pub(super) fn new(n_numbers: usize) -> Gramian {
        let n_panels = n_numbers.div_ceil(BLOCK_COLS);
        Gramian { n_numbers, blocks: vec![Block::default(); first_block(n_panels)] }
    }

    /// The sum of products of the numbers `i` and `j`.
    ///
    /// # Panics
    /// When `i` is above `j`, or `j` no number of a row.
    pub(super) fn get(&self, i: usize, j: usize) -> f64 {
        assert!(i <= j && j < self.n_numbers, "the upper half of the matrix is there");
        let block = &self.blocks[first_block(j / BLOCK_COLS) + i / BLOCK_ROWS];
        block[i % BLOCK_ROWS][j % BLOCK_COLS]
    }

    /// Adds the rows of a tile, with the widest instructions that this processor has; the bits are the same with all of them.
    pub(super) fn add(&mut self, tile: &Tile) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            #[allow(unsafe_code, reason = "the processor has just said that it has the instructions")]
            return unsafe { self.add_tile_avx2(tile) };
        }
        self.add_tile(tile);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn add_tile_avx2(&mut self, tile: &Tile) {
        self.add_tile(tile);
    }

    #[inline(always)]
    fn add_tile(&mut self, tile: &Tile) {
        let mut blocks = self.blocks.iter_mut();
        for right in 0..tile.n_panels {
            let weighted = tile.weighted(right);
            for left in 0..=right {
                let plain = tile.plain(left);
                let upper = blocks.next().expect("there are two blocks for every two panels");
                add_to_block::<0>(upper, plain, weighted);
                let lower = blocks.next().expect("there are two blocks for every two panels");
                add_to_block::<BLOCK_ROWS>(lower, plain, weighted);
            }
        }
    }

    /// Adds one row of which only some numbers are not 0: their positions, ascending, and they.
    pub(super) fn add_sparse(&mut self, numbers: &[(usize, f64)], weight: f64) {
        for (at, &(j, right)) in numbers.iter().enumerate() {
            let weighted = weight * right;
            let blocks = &mut self.blocks[first_block(j / BLOCK_COLS)..];
            for &(i, left) in &numbers[..=at] {
                blocks[i / BLOCK_ROWS][i % BLOCK_ROWS][j % BLOCK_COLS] += left * weighted;
            }
        }
    }

    /// Adds sums over rows that come after ours.
    pub(super) fn merge(&mut self, later: &Gramian) {
        let sums = self.blocks.as_flattened_mut().as_flattened_mut();
        sums.iter_mut().zip(later.blocks.as_flattened().as_flattened()).for_each(|(sum, later)| *sum += later);
    }
}

/// Where the blocks of a column of blocks begin.
fn first_block(panel: usize) -> usize {
    panel * (panel + 1)
}

/// Adds products of every row: `BLOCK_ROWS` numbers of the left panel, from `FIRST` on, with those of the right one.
#[inline(always)]
fn add_to_block<const FIRST: usize>(block: &mut Block, left: &[Panel], right: &[Panel]) {
    let mut sums = *block;
    for (left, right) in left.iter().zip(right) {
        for row in 0..BLOCK_ROWS {
            for col in 0..BLOCK_COLS {
                sums[row][col] += left[FIRST + row] * right[col];
            }
        }
    }
    *block = sums;
}

/// Some rows, cut into panels of neighbouring numbers; the last panel has zeros at its end.
pub(super) struct Tile {
    n_panels: usize,
    n_rows: usize,
    /// The rows of the first panel, then those of the second, and so on.
    plain: Vec<Panel>,
    /// The same times the row's weight; empty while no row had one.
    weighted: Vec<Panel>,
}

impl Tile {
    /// Room for [`TILE_ROWS`] rows of so many numbers.
    pub(super) fn new(n_numbers: usize, has_weights: bool) -> Tile {
        let n_panels = n_numbers.div_ceil(BLOCK_COLS);
        let panels = vec![Panel::default(); n_panels * TILE_ROWS];
        let weighted = if has_weights { panels.clone() } else { Vec::new() };
        Tile { n_panels, n_rows: 0, plain: panels, weighted }
    }

    pub(super) fn is_full(&self) -> bool {
        self.n_rows == TILE_ROWS
    }

    pub(super) fn clear(&mut self) {
        self.n_rows = 0;
    }

    /// Takes in a row: `features`, then two numbers more. A tile without room for weights takes none but 1.
    #[inline(always)]
    pub(super) fn push(&mut self, features: &[f64], [label, one]: [f64; 2], weight: f64) {
        let row = self.n_rows;
        self.n_rows += 1;
        let (whole, rest) = features.as_chunks::<BLOCK_COLS>();
        for (panel, numbers) in whole.iter().enumerate() {
            self.set(panel, row, *numbers, weight);
        }
        let mut last = [0.0; 2 * BLOCK_COLS];
        last[..rest.len()].copy_from_slice(rest);
        last[rest.len()] = label;
        last[rest.len() + 1] = one;
        let (last, _) = last.as_chunks::<BLOCK_COLS>();
        for (panel, numbers) in (whole.len()..self.n_panels).zip(last) {
            self.set(panel, row, *numbers, weight);
        }
    }

    #[inline(always)]
    fn set(&mut self, panel: usize, row: usize, numbers: Panel, weight: f64) {
        let at = panel * TILE_ROWS + row;
        self.plain[at] = numbers;
        if let Some(weighted) = self.weighted.get_mut(at) {
            *weighted = numbers.map(|number| weight * number);
        }
    }

    fn plain(&self, panel: usize) -> &[Panel] {
        &self.plain[panel * TILE_ROWS..][..self.n_rows]
    }

    fn weighted(&self, panel: usize) -> &[Panel] {
        let panels = if self.weighted.is_empty() { &self.plain } else { &self.weighted };
        &panels[panel * TILE_ROWS..][..self.n_rows]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "sums in one order have the same bits")]

    use super::*;

    /// Numbers from -4 to 4 whose sums depend on their order, every seventh one 0.
    fn numbers(n: usize, seed: u64) -> Vec<f64> {
        let mut state = seed;
        let next = |at: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            if at % 7 == 3 { 0.0 } else { (state >> 11) as f64 / (1_u64 << 50) as f64 - 4.0 }
        };
        (0..n).map(next).collect()
    }

    /// Sums in tiles with the widest instructions, in tiles with the narrowest, and row by row, against sums one by one.
    #[track_caller]
    fn check(n_rows: usize, n_features: usize, weights: Option<&[f64]>) {
        let n_numbers = n_features + 2;
        let values = numbers(n_rows * n_features, 1);
        let labels = numbers(n_rows, 2);
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let rows: Vec<Vec<f64>> = (0..n_rows)
            .map(|row| [&values[row * n_features..(row + 1) * n_features], &[labels[row], 1.0]].concat())
            .collect();
        let [mut wide, mut narrow, mut sparse] = [0; 3].map(|_| Gramian::new(n_numbers));
        let mut tile = Tile::new(n_numbers, weights.is_some());
        for (at, row) in rows.iter().enumerate() {
            tile.push(&row[..n_features], [row[n_features], 1.0], weight(at));
            if tile.is_full() || at + 1 == n_rows {
                wide.add(&tile);
                narrow.add_tile(&tile);
                tile.clear();
            }
            let stored: Vec<(usize, f64)> = row.iter().copied().enumerate().filter(|(_, x)| *x != 0.0).collect();
            sparse.add_sparse(&stored, weight(at));
        }
        for i in 0..n_numbers {
            for j in i..n_numbers {
                let expect = rows.iter().enumerate().fold(0.0, |sum, (at, row)| sum + row[i] * (weight(at) * row[j]));
                let what = format!("{i}, {j} of {n_rows} rows, {n_features} features");
                assert_eq!(wide.get(i, j), expect, "wide: {what}");
                assert_eq!(narrow.get(i, j), expect, "narrow: {what}");
                assert_eq!(sparse.get(i, j), expect, "sparse: {what}");
            }
        }
    }

    #[test]
    fn every_sum_sees_its_rows_in_order_whatever_the_shape() {
        for n_rows in [1, 2, 63, 64, 65, 200] {
            let weights: Vec<f64> = numbers(n_rows, 3).into_iter().map(f64::abs).collect();
            for n_features in [1, 5, 6, 7, 8, 13, 14, 15, 16, 20, 37] {
                check(n_rows, n_features, None);
                check(n_rows, n_features, Some(&weights));
            }
        }
    }

    #[test]
    fn merged_sums_are_the_sums_of_both() {
        let mut first = Gramian::new(3);
        first.add_sparse(&[(0, 2.0), (2, 1.0)], 1.0);
        let mut later = Gramian::new(3);
        later.add_sparse(&[(0, 1.0), (1, 4.0), (2, 1.0)], 0.5);
        first.merge(&later);
        assert_eq!((first.get(0, 0), first.get(0, 1), first.get(1, 2), first.get(2, 2)), (4.5, 2.0, 2.0, 1.5));
    }
}
