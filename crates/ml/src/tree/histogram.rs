//! Statistics of the rows of a node by bin: the one thing that grows with the number of rows.
//!
//! What is added up is a [`Cell`]: whole numbers where rows have no weights and labels are classes, else sums of doubles.
//! A histogram has one cell for each (class, feature, bin); cells of [`Moments`] know no classes.

use std::sync::Mutex;

use ognivo_data::dataset::Executor;

use super::binned::{BinnedRows, Code};

/// The rows that a tree grows on, each as often as it was drawn.
#[derive(Debug, Clone)]
pub(super) struct Bag {
    /// How often each row was drawn; once each when absent.
    pub(super) n_draws: Option<Vec<u32>>,
}

impl Bag {
    /// Every row once.
    pub(super) fn of_all() -> Bag {
        Bag { n_draws: None }
    }

    /// The rows that were drawn, in order.
    pub(super) fn rows(&self, n_rows: usize) -> Vec<u32> {
        let rows = 0..u32::try_from(n_rows).expect("a fit refuses more than 2³² rows");
        match &self.n_draws {
            None => rows.collect(),
            Some(n_draws) => rows.filter(|&row| n_draws[row as usize] > 0).collect(),
        }
    }

    fn n_draws(&self, row_idx: u32) -> u32 {
        self.n_draws.as_ref().map_or(1, |n_draws| n_draws[row_idx as usize])
    }
}

/// What is added up in each bin.
pub(super) trait Cell: Copy + Default + Send + Sync + 'static {
    /// Whether the difference of two sums is the sum of the difference, bit for bit.
    const IS_EXACT: bool;
    /// Whether there is a cell for each class.
    const BY_CLASS: bool;
    /// What one row adds.
    fn of_row(label: f64, weight: f64, n_draws: u32) -> Self;
    fn add(&mut self, other: &Self);
    fn subtract(&mut self, other: &Self);
    /// Adds itself to the statistics of a bin: those of the impurity, then the number of rows.
    fn write(&self, class: usize, stats: &mut [f64]);
}

/// Rows without weights.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Count(u32);

impl Cell for Count {
    const IS_EXACT: bool = true;
    const BY_CLASS: bool = true;

    fn of_row(_label: f64, _weight: f64, n_draws: u32) -> Count {
        Count(n_draws)
    }
    fn add(&mut self, other: &Count) {
        self.0 += other.0;
    }
    fn subtract(&mut self, other: &Count) {
        self.0 -= other.0;
    }
    fn write(&self, class: usize, stats: &mut [f64]) {
        stats[class] += f64::from(self.0);
        stats[stats.len() - 1] += f64::from(self.0);
    }
}

/// Weight and number of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Weight([f64; 2]);

impl Cell for Weight {
    const IS_EXACT: bool = false;
    const BY_CLASS: bool = true;

    fn of_row(_label: f64, weight: f64, n_draws: u32) -> Weight {
        Weight([f64::from(n_draws) * weight, f64::from(n_draws)])
    }
    fn add(&mut self, other: &Weight) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, term)| *sum += term);
    }
    fn subtract(&mut self, other: &Weight) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, term)| *sum -= term);
    }
    fn write(&self, class: usize, stats: &mut [f64]) {
        stats[class] += self.0[0];
        stats[stats.len() - 1] += self.0[1];
    }
}

/// Weight, weighted label, weighted square of the label, and number of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Moments([f64; 4]);

impl Cell for Moments {
    const IS_EXACT: bool = false;
    const BY_CLASS: bool = false;

    fn of_row(label: f64, weight: f64, n_draws: u32) -> Moments {
        let weight = f64::from(n_draws) * weight;
        Moments([weight, weight * label, weight * label * label, f64::from(n_draws)])
    }
    fn add(&mut self, other: &Moments) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, term)| *sum += term);
    }
    fn subtract(&mut self, other: &Moments) {
        self.0.iter_mut().zip(&other.0).for_each(|(sum, term)| *sum -= term);
    }
    fn write(&self, _class: usize, stats: &mut [f64]) {
        stats.iter_mut().zip(&self.0).for_each(|(sum, term)| *sum += term);
    }
}

/// The shape of every histogram of a fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) n_features: usize,
    /// Bins of the feature that has the most.
    pub(super) n_bins: usize,
    /// Classes; 1 for cells that know none.
    pub(super) n_classes: usize,
    /// Statistics of a bin: those of the impurity, then the number of rows.
    pub(super) n_stats: usize,
}

impl Shape {
    fn cells_of_feature(self) -> usize {
        self.n_classes * self.n_bins
    }
}

/// The cells of one node, by feature, class and bin.
#[derive(Debug, Clone)]
pub(super) struct Histogram<T> {
    shape: Shape,
    cells: Vec<T>,
}

/// Below so many bins to count, threads have nothing to share.
const LEAST_SHARED: usize = 1 << 16;

impl<T: Cell> Histogram<T> {
    /// The histogram of these rows. Each thread takes a block of features and sees the rows in order.
    pub(super) fn of<C: Code>(
        shape: Shape,
        binned: &BinnedRows<C>,
        bag: &Bag,
        rows: &[u32],
        executor: &dyn Executor,
    ) -> Histogram<T> {
        let mut cells = vec![T::default(); shape.n_features * shape.cells_of_feature()];
        let n_blocks = match rows.len() * shape.n_features {
            few if few < LEAST_SHARED => 1,
            _ => executor.n_threads().clamp(1, shape.n_features),
        };
        if n_blocks == 1 {
            fill(shape, &mut cells, 0, binned, bag, rows);
            return Histogram { shape, cells };
        }
        let block_features = shape.n_features.div_ceil(n_blocks);
        let blocks: Vec<Mutex<&mut [T]>> =
            cells.chunks_mut(block_features * shape.cells_of_feature()).map(Mutex::new).collect();
        executor.run_tasks(blocks.len(), &|block| {
            let mut cells = blocks[block].lock().expect("each block is filled once");
            fill(shape, &mut cells, block * block_features, binned, bag, rows);
        });
        drop(blocks);
        Histogram { shape, cells }
    }

    /// What is left when the rows of `part` are taken away.
    pub(super) fn less(mut self, part: &Histogram<T>) -> Histogram<T> {
        self.cells.iter_mut().zip(&part.cells).for_each(|(cell, part)| cell.subtract(part));
        self
    }

    /// Writes the statistics of the first bins of `feature` to `stats`, bin by bin.
    pub(super) fn write_stats(&self, feature: usize, n_bins: usize, stats: &mut Vec<f64>) {
        let Shape { n_stats, n_classes, .. } = self.shape;
        stats.clear();
        stats.resize(n_bins * n_stats, 0.0);
        for class in 0..n_classes {
            let start = feature * self.shape.cells_of_feature() + class * self.shape.n_bins;
            for (cell, stats) in self.cells[start..].iter().zip(stats.chunks_exact_mut(n_stats)) {
                cell.write(class, stats);
            }
        }
    }
}

/// Adds the rows to the cells of as many features as these are, from `first_feature` on.
///
/// Advice: this loop is most of the time of a fit after the binning. It walks over a row's bins, which lie together, and touches
/// another feature's cells at each step, so that no addition waits for the one before it.
fn fill<T: Cell, C: Code>(
    shape: Shape,
    cells: &mut [T],
    first_feature: usize,
    binned: &BinnedRows<C>,
    bag: &Bag,
    rows: &[u32],
) {
    let n_features = cells.len() / shape.cells_of_feature();
    for &row_idx in rows {
        let RowOf { class, addend } = row_of::<T, C>(binned, bag, row_idx);
        let mut start = class * shape.n_bins;
        for code in &binned.row(row_idx)[first_feature..first_feature + n_features] {
            cells[start + code.bin()].add(&addend);
            start += shape.cells_of_feature();
        }
    }
}

/// What a row adds, and to which class.
struct RowOf<T> {
    class: usize,
    addend: T,
}

fn row_of<T: Cell, C: Code>(binned: &BinnedRows<C>, bag: &Bag, row_idx: u32) -> RowOf<T> {
    let label = binned.labels[row_idx as usize];
    let weight = binned.weights.as_ref().map_or(1.0, |weights| weights[row_idx as usize]);
    let class = if T::BY_CLASS { label as usize } else { 0 };
    RowOf { class, addend: T::of_row(label, weight, bag.n_draws(row_idx)) }
}

/// The statistics of some rows, added up one by one in order.
pub(super) fn totals<T: Cell, C: Code>(shape: Shape, binned: &BinnedRows<C>, bag: &Bag, rows: &[u32]) -> Vec<f64> {
    let mut cells = vec![T::default(); shape.n_classes];
    for &row_idx in rows {
        let RowOf { class, addend } = row_of::<T, C>(binned, bag, row_idx);
        cells[class].add(&addend);
    }
    let mut stats = vec![0.0; shape.n_stats];
    cells.iter().enumerate().for_each(|(class, cell)| cell.write(class, &mut stats));
    stats
}
