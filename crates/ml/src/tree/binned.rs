//! Rows as numbers of bins: what a tree grows on.

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Aggregate, DatasetError};
use ognivo_data::outcome::{RejectCode, Rejection};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::feature::Feature;
use super::instances::{BLOCK_ROWS, InstanceBatch};
use crate::param::Params;
use crate::stage_map::RejectedRow;
use crate::tree::FEATURES_COL;

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
    /// Thresholds, filled up with infinity to a power of two above their number.
    Thresholds {
        padded: Vec<f64>,
        n_thresholds: usize,
    },
    Categories {
        n_categories: usize,
    },
}

impl Bins {
    fn of(feature: &Feature) -> Bins {
        match feature {
            Feature::Continuous { thresholds } => {
                let mut padded = thresholds.clone();
                padded.resize((thresholds.len() + 1).next_power_of_two(), f64::INFINITY);
                Bins::Thresholds { padded, n_thresholds: thresholds.len() }
            }
            Feature::Ordered { n_categories } | Feature::Unordered { n_categories } => {
                Bins::Categories { n_categories: *n_categories }
            }
        }
    }

    /// Writes the bin of slot `slot` of each row of `block`, and returns a value that has none.
    fn fill<C: Code>(&self, slot: usize, n_features: usize, block: &[f64], codes: &mut [C]) -> Option<Misfit> {
        let values = block.iter().skip(slot).step_by(n_features);
        let codes = codes.iter_mut().skip(slot).step_by(n_features);
        match self {
            Bins::Thresholds { padded, n_thresholds } => {
                for (&value, code) in values.zip(codes) {
                    *code = C::of(n_below(padded, value).min(*n_thresholds));
                }
                None
            }
            Bins::Categories { n_categories } => {
                let mut misfit = None;
                for (&value, code) in values.zip(codes) {
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

/// How many of the ascending numbers are below `value`; all of them are below NaN. Their number is a power of two, and the last
/// one does not count.
///
/// Same as Java's binary search among distinct numbers. The loop has no branch that depends on a value.
fn n_below(padded: &[f64], value: f64) -> usize {
    let (mut at, mut step) = (0, padded.len() / 2);
    while step > 0 {
        #[expect(clippy::neg_cmp_op_on_partial_ord, reason = "NaN is above all thresholds")]
        let is_below = !(padded[at + step - 1] >= value);
        at += if is_below { step } else { 0 };
        step /= 2;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_bin_of_the_first_threshold_that_is_not_below_it() {
        let thresholds = vec![-1.5, 0.0, 0.5, 7.0, 9.0];
        let bins = Bins::of(&Feature::Continuous { thresholds: thresholds.clone() });
        let values = [f64::NEG_INFINITY, -1.5, -1.0, -0.0, 0.0, 0.1, 0.5, 8.0, 9.0, 9.5, f64::INFINITY, f64::NAN];
        let mut codes = vec![0_u8; values.len()];
        assert!(bins.fill(0, 1, &values, &mut codes).is_none());
        assert_eq!(codes, [0, 0, 1, 1, 1, 2, 2, 4, 4, 5, 5, 5]);
        let constant = Bins::of(&Feature::Continuous { thresholds: Vec::new() });
        assert!(constant.fill(0, 1, &values, &mut codes).is_none());
        assert_eq!(codes, [0; 12]);
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
