//! Rows as numbers of bins: what a tree grows on.

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Aggregate, DatasetError};
use ognivo_data::outcome::{RejectCode, Rejection};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::feature::Feature;
use crate::instances::InstanceBatch;
use crate::param::Params;
use crate::stage_map::RejectedRow;
use crate::tree::FEATURES_COL;

/// Rows that are worked on together: their features fit into the nearest cache of a processor.
pub(super) const BLOCK_ROWS: usize = 128;

/// The number of a bin, as small as the number of bins allows.
pub(super) trait Code: Copy + Default + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// Bins that it can tell apart.
    const N_BINS: usize;
    fn of(bin: usize) -> Self;
    fn bin(self) -> usize;
}

macro_rules! codes {
    ($($code:ty),*) => {$(
        impl Code for $code {
            const N_BINS: usize = <$code>::MAX as usize + 1;
            fn of(bin: usize) -> $code {
                bin as $code
            }
            fn bin(self) -> usize {
                self as usize
            }
        }
    )*};
}
codes!(u8, u16, u32);

/// All rows of a fit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct BinnedRows<C: Code> {
    pub(super) n_features: usize,
    /// `n_rows × n_features` bins, row by row.
    pub(super) codes: Vec<C>,
    pub(super) labels: Vec<f64>,
    /// One per row; all 1 when absent.
    pub(super) weights: Option<Vec<f64>>,
}

impl<C: Code> BinnedRows<C> {
    pub(super) fn n_rows(&self) -> usize {
        self.labels.len()
    }

    /// The bins of a row.
    pub(super) fn row(&self, row_idx: u32) -> &[C] {
        let start = row_idx as usize * self.n_features;
        &self.codes[start..start + self.n_features]
    }
}

/// The pass that bins rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Binning<C: Code> {
    features: Vec<Feature>,
    /// The stage and its column of features, for complaints about a row.
    stage: String,
    column: String,
    rows: BinnedRows<C>,
}

impl<C: Code> Binning<C> {
    pub(super) fn new(features: &[Feature], params: &Params) -> Binning<C> {
        Binning {
            features: features.to_vec(),
            stage: params.uid().to_string(),
            column: params.get(FEATURES_COL),
            rows: BinnedRows { n_features: features.len(), codes: Vec::new(), labels: Vec::new(), weights: None },
        }
    }

    pub(super) fn into_rows(self) -> BinnedRows<C> {
        self.rows
    }

    fn not_a_category(&self, misfit: Misfit) -> DatasetError {
        let Misfit { slot, value, n_categories } = misfit;
        let message = format!("feature {slot} must be a category below {n_categories}: {value}");
        let rejection =
            Rejection { stage: self.stage.clone(), column: self.column.clone(), code: RejectCode::OutOfRange, message };
        DatasetError::new(RejectedRow(rejection))
    }
}

impl<C: Code> Aggregate for Binning<C> {
    const NAME: &'static str = "bin rows";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let batch = InstanceBatch::of(rows);
        let n_features = self.features.len();
        let bins: Vec<Bins> = self.features.iter().map(Bins::of).collect();
        let mut misfit = None;
        self.rows.codes.reserve(rows.num_rows() * n_features);
        batch.for_each_dense_block(n_features, BLOCK_ROWS, |block| {
            let start = self.rows.codes.len();
            self.rows.codes.resize(start + block.len(), C::default());
            let codes = &mut self.rows.codes[start..];
            for (slot, bins) in bins.iter().enumerate() {
                let found = bins.fill(slot, n_features, block, codes);
                misfit = misfit.or(found);
            }
        });
        if let Some(misfit) = misfit {
            return Err(self.not_a_category(misfit));
        }
        self.rows.labels.extend_from_slice(batch.labels);
        if let Some(weights) = batch.weights {
            self.rows.weights.get_or_insert_default().extend_from_slice(weights);
        }
        Ok(())
    }

    fn merge(&mut self, later: Binning<C>) {
        self.rows.codes.extend_from_slice(&later.rows.codes);
        self.rows.labels.extend_from_slice(&later.rows.labels);
        if let Some(weights) = later.rows.weights {
            self.rows.weights.get_or_insert_default().extend_from_slice(&weights);
        }
    }
}

/// A value that is no category of its feature.
#[derive(Debug, Clone, Copy)]
struct Misfit {
    slot: usize,
    value: f64,
    n_categories: usize,
}

/// How the values of one feature find their bins.
enum Bins {
    Thresholds(Thresholds),
    Categories { n_categories: usize },
}

impl Bins {
    fn of(feature: &Feature) -> Bins {
        match feature {
            Feature::Continuous { thresholds } => Bins::Thresholds(Thresholds::new(thresholds)),
            Feature::Ordered { n_categories } | Feature::Unordered { n_categories } => {
                Bins::Categories { n_categories: *n_categories }
            }
        }
    }

    /// Writes the bin of slot `slot` of each row of `block`, and returns a value that has none.
    fn fill<C: Code>(&self, slot: usize, n_features: usize, block: &[f64], codes: &mut [C]) -> Option<Misfit> {
        let values = block.iter().skip(slot).step_by(n_features);
        let places = values.zip(codes.iter_mut().skip(slot).step_by(n_features));
        match self {
            Bins::Thresholds(thresholds) => {
                thresholds.fill(places);
                None
            }
            Bins::Categories { n_categories } => {
                let mut misfit = None;
                for (&value, code) in places {
                    // The cast takes NaN to 0, as Java's does, and Spark compares it in this way, too.
                    if value < 0.0 || value >= *n_categories as f64 {
                        misfit = Some(Misfit { slot, value, n_categories: *n_categories });
                    } else {
                        *code = C::of(value as usize);
                    }
                }
                misfit
            }
        }
    }
}

/// Ascending thresholds, and the way of a value to the first one that is not below it.
///
/// Advice: most of the time of a fit is spent here. The range between the outer thresholds is cut into equal cells. A value's cell
/// is found without a comparison, and tells the bin but for the thresholds inside the cell, which are few: the value is compared
/// with as many as the fullest cell has. That is exact whatever rounding does, since a value's cell never decreases while the
/// value grows: a threshold in a lower cell lies below the value, one in a higher cell does not. No step has a branch that
/// depends on a value. Where cells would be too full, as with values of very different sizes, thresholds are searched by halves.
struct Thresholds {
    /// Filled up with infinity to a power of two above their number, and by [`MOST_IN_CELL`] more.
    padded: Vec<f64>,
    n_thresholds: usize,
    cells: Option<Cells>,
}

/// Equal parts of the range between the outer thresholds.
struct Cells {
    lowest: f64,
    /// Cells per unit.
    scale: f64,
    /// How many thresholds lie in lower cells.
    n_below: Vec<u16>,
    most_in_cell: usize,
}

/// Cells of a feature of up to 64 bins; 4 for each bin of others.
const N_CELLS: usize = 256;
/// Thresholds of one cell that a value is compared with one by one.
const MOST_IN_CELL: usize = 3;
/// Adding it to a smaller number that is not negative leaves that number, rounded, in the low bits.
const TWO_TO_52: f64 = 4_503_599_627_370_496.0;

impl Cells {
    fn new(thresholds: &[f64]) -> Option<Cells> {
        let (lowest, highest) = (*thresholds.first()?, *thresholds.last()?);
        let n_cells = (4 * thresholds.len()).next_power_of_two().max(N_CELLS);
        let scale = (n_cells - 1) as f64 / (highest - lowest);
        if !(scale.is_normal() && scale > 0.0) || thresholds.len() > usize::from(u16::MAX) {
            return None;
        }
        let mut cells = Cells { lowest, scale, n_below: vec![0; n_cells], most_in_cell: 0 };
        let mut in_cell = vec![0_u16; n_cells];
        thresholds.iter().for_each(|&threshold| in_cell[cells.of(threshold)] += 1);
        cells.most_in_cell = in_cell.iter().copied().max().map_or(0, usize::from);
        let mut n_below = 0;
        for (of_cell, in_cell) in cells.n_below.iter_mut().zip(in_cell) {
            *of_cell = n_below;
            n_below += in_cell;
        }
        (cells.most_in_cell <= MOST_IN_CELL).then_some(cells)
    }

    /// The cell of a value; those beyond the outer thresholds are in the outer cells.
    fn of(&self, value: f64) -> usize {
        let last = (self.n_below.len() - 1) as f64;
        let position = (value - self.lowest) * self.scale;
        let position = if position > 0.0 { position } else { 0.0 };
        let position = if position < last { position } else { last };
        (position + TWO_TO_52).to_bits() as usize & (self.n_below.len() - 1)
    }
}

impl Thresholds {
    fn new(thresholds: &[f64]) -> Thresholds {
        let mut padded = thresholds.to_vec();
        padded.resize((thresholds.len() + 1).next_power_of_two() + MOST_IN_CELL, f64::INFINITY);
        Thresholds { padded, n_thresholds: thresholds.len(), cells: Cells::new(thresholds) }
    }

    fn fill<'a, C: Code>(&self, places: impl Iterator<Item = (&'a f64, &'a mut C)>) {
        match &self.cells {
            Some(cells) => match cells.most_in_cell {
                1 => self.fill_by_cells::<C, 1>(cells, places),
                2 => self.fill_by_cells::<C, 2>(cells, places),
                _ => self.fill_by_cells::<C, MOST_IN_CELL>(cells, places),
            },
            None => places.for_each(|(&value, code)| *code = C::of(self.bin_by_halves(value))),
        }
    }

    fn fill_by_cells<'a, C: Code, const MOST: usize>(
        &self,
        cells: &Cells,
        places: impl Iterator<Item = (&'a f64, &'a mut C)>,
    ) {
        for (&value, code) in places {
            let mut bin = usize::from(cells.n_below[cells.of(value)]);
            for _ in 0..MOST {
                bin += usize::from(self.padded[bin] < value);
            }
            // Only 2.4 lets NaN come this far.
            *code = C::of(if value.is_nan() { self.n_thresholds } else { bin });
        }
    }

    /// How many thresholds are below `value`; all of them are below NaN. Same as Java's binary search among distinct numbers.
    fn bin_by_halves(&self, value: f64) -> usize {
        let (mut at, mut step) = (0, (self.padded.len() - MOST_IN_CELL) / 2);
        while step > 0 {
            #[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN is above all thresholds")]
            let is_below = !(self.padded[at + step - 1] >= value);
            at += usize::from(is_below) * step;
            step /= 2;
        }
        at.min(self.n_thresholds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(thresholds: &[f64], values: &[f64]) {
        let found = Thresholds::new(thresholds);
        let mut codes = vec![0_u16; values.len()];
        found.fill(values.iter().zip(&mut codes));
        for (value, code) in values.iter().zip(codes) {
            let expected = match value.is_nan() {
                true => thresholds.len(),
                false => thresholds.iter().filter(|&threshold| threshold < value).count(),
            };
            assert_eq!((code.bin(), found.bin_by_halves(*value)), (expected, expected), "{value} among {thresholds:?}");
        }
    }

    #[test]
    fn a_value_is_in_the_bin_of_the_first_threshold_that_is_not_below_it() {
        let few = [-1.5, 0.0, 0.5, 7.0, 9.0];
        let even: Vec<f64> = (0..31).map(|i| f64::from(i) / 8.0 - 1.0).collect();
        let skewed: Vec<f64> = (0..31).map(|i| 1.5_f64.powi(i) - 2.0).collect();
        let of_all_sizes: Vec<f64> = (-150_i32..150).map(|i| f64::from(i).signum() * 10_f64.powi(i.abs())).collect();
        let close: Vec<f64> = (0..20).map(|i| f64::from_bits(1.0_f64.to_bits() + i)).collect();
        let many: Vec<f64> = (0..300).map(|i| f64::from(i).sqrt()).collect();
        for thresholds in [&[][..], &[2.5], &few, &even, &skewed, &of_all_sizes, &close, &many] {
            let edges = [f64::NEG_INFINITY, f64::MIN, -0.0, 0.0, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY, f64::NAN];
            let near = thresholds.iter().flat_map(|t: &f64| [t.next_down(), *t, t.next_up(), t + 0.3]);
            check(thresholds, &edges.into_iter().chain(near).collect::<Vec<f64>>());
        }
        assert!(Thresholds::new(&even).cells.is_some() && Thresholds::new(&of_all_sizes).cells.is_none());
    }

    #[test]
    fn a_value_that_is_no_category_is_told() {
        let bins = Bins::of(&Feature::Ordered { n_categories: 3 });
        let mut codes = [0_u16; 4];
        assert!(bins.fill(1, 2, &[9.0, 2.0, 9.0, 0.7], &mut codes).is_none());
        assert_eq!(codes, [0, 2, 0, 0]);
        assert_eq!(bins.fill(1, 2, &[9.0, 2.0, 9.0, 3.0], &mut codes).unwrap().value.to_bits(), 3.0_f64.to_bits());
    }
}
