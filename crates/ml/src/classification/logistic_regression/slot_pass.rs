//! The binomial pass over instances that are kept slot by slot.
//!
//! The same loss and gradient as the pass over vectors, summed otherwise: row `i` of a batch belongs to lane `i mod 8` of each sum,
//! and at the end of the batch the lanes are added, each to the one half of them further on. No sum waits for the row before, and a
//! slot's numbers fill a vector register as they lie, so a pass over few features takes two thirds of the time. The last bits differ
//! from those of the other pass, and depend on where batches end.

use std::marker::PhantomData;

use super::loss::{LossPass, loss_of_odds, odds_against};
use crate::linear::tile::{Arithmetic, DivideProduct, Multiply, OfRows, TILE_ROWS, TileRows};
use crate::linear::widest::{Wide, run_widest};
use crate::slot_instances::SlotBatch;

const N_LANES: usize = 8;

type Lanes = [f64; N_LANES];

/// Sums over the rows of a batch.
struct LaneSums {
    loss: Lanes,
    weight: Lanes,
    multiplier: Lanes,
    /// Of each slot.
    gradient: Vec<Lanes>,
}

impl LaneSums {
    fn of(n_slots: usize) -> LaneSums {
        let none = [0.0; N_LANES];
        LaneSums { loss: none, weight: none, multiplier: none, gradient: vec![none; n_slots] }
    }
}

/// A batch on its way into a pass.
struct SumTiles<'a, 'b, A> {
    pass: &'a LossPass,
    batch: &'a SlotBatch<'b>,
    sums: &'a mut LaneSums,
    arithmetic: PhantomData<A>,
}

impl<A: Arithmetic> Wide for SumTiles<'_, '_, A> {
    #[inline(always)]
    fn run(self) {
        self.pass.sum_tiles::<A>(self.batch, self.sums);
    }
}

impl LossPass {
    /// Adds the rows of a batch to a binomial pass.
    pub(super) fn add_slots(&mut self, batch: &SlotBatch<'_>) {
        let mut sums = LaneSums::of(batch.slots.len());
        if self.setting.divides {
            run_widest(SumTiles::<DivideProduct> { pass: self, batch, sums: &mut sums, arithmetic: PhantomData });
        } else {
            run_widest(SumTiles::<Multiply> { pass: self, batch, sums: &mut sums, arithmetic: PhantomData });
        }
        self.sums.loss += total(&sums.loss);
        self.sums.weight += total(&sums.weight);
        self.sums.multipliers[0] += total(&sums.multiplier);
        self.sums.gradient.iter_mut().zip(&sums.gradient).for_each(|(sum, lanes)| *sum += total(lanes));
    }

    #[inline(always)]
    fn sum_tiles<A: Arithmetic>(&self, batch: &SlotBatch<'_>, sums: &mut LaneSums) {
        let n_rows = batch.labels.len();
        let n_in_whole_tiles = n_rows - n_rows % TILE_ROWS;
        for first in (0..n_in_whole_tiles).step_by(TILE_ROWS) {
            let rows = TileRows::of(batch.labels, batch.weights, first, TILE_ROWS);
            let slots = batch.slots.iter().map(|slot| slot[first..].first_chunk().expect("the tile is whole"));
            self.sum_tile::<A>(slots, &rows, sums);
        }
        if n_in_whole_tiles < n_rows {
            let filled_up = |slot: &&[f64]| {
                let mut tile = [0.0; TILE_ROWS];
                tile[..n_rows - n_in_whole_tiles].copy_from_slice(&slot[n_in_whole_tiles..]);
                tile
            };
            let slots: Vec<OfRows> = batch.slots.iter().map(filled_up).collect();
            let rows = TileRows::of(batch.labels, batch.weights, n_in_whole_tiles, n_rows - n_in_whole_tiles);
            self.sum_tile::<A>(slots.iter(), &rows, sums);
        }
    }

    /// Rows beyond the end of a tile weigh nothing, so they add nothing.
    #[inline(always)]
    fn sum_tile<'a, A: Arithmetic>(
        &self,
        slots: impl Iterator<Item = &'a OfRows> + Clone,
        rows: &TileRows,
        sums: &mut LaneSums,
    ) {
        let LossPass { setting, coefficients, offsets, .. } = self;
        let mut margins = [0.0; TILE_ROWS];
        for ((slot, &coefficient), &scale) in slots.clone().zip(coefficients).zip(&setting.scale) {
            for at in 0..TILE_ROWS {
                margins[at] += A::product(coefficient, slot[at], scale);
            }
        }
        // In two loops, the processor works on several exponentials at once before a logarithm waits for one.
        let offset = offsets[0];
        let mut odds = [0.0; TILE_ROWS];
        for at in 0..TILE_ROWS {
            margins[at] += offset;
            odds[at] = odds_against(margins[at]);
        }
        let (mut losses, mut multipliers) = ([0.0; TILE_ROWS], [0.0; TILE_ROWS]);
        for at in 0..TILE_ROWS {
            let (loss, multiplier) = loss_of_odds(margins[at], odds[at], rows.labels[at], rows.weights[at]);
            losses[at] = loss;
            multipliers[at] = multiplier;
        }
        add(&losses, &mut sums.loss);
        add(&rows.weights, &mut sums.weight);
        add(&multipliers, &mut sums.multiplier);
        for ((slot, gradient), &scale) in slots.zip(&mut sums.gradient).zip(&setting.scale) {
            let mut products = [0.0; TILE_ROWS];
            for at in 0..TILE_ROWS {
                products[at] = A::product(multipliers[at], slot[at], scale);
            }
            add(&products, gradient);
        }
    }
}

const _: () = assert!(TILE_ROWS == 4 * N_LANES, "`add` adds so many numbers to a lane");

#[inline(always)]
fn add(values: &OfRows, lanes: &mut Lanes) {
    for at in 0..N_LANES {
        let (first, second) = (values[at] + values[at + 2 * N_LANES], values[at + N_LANES] + values[at + 3 * N_LANES]);
        lanes[at] += first + second;
    }
}

fn total(lanes: &Lanes) -> f64 {
    let [a, b, c, d, e, f, g, h] = lanes;
    let [a, b, c, d] = [a + e, b + f, c + g, d + h];
    (a + c) + (b + d)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "the order of summation is fixed, so are the bits")]

    use super::super::loss::Setting;
    use super::*;
    use crate::linear::numbers::numbers;

    use ognivo_data::version::SparkVersion;

    const N_SLOTS: usize = 3;

    fn pass(version: SparkVersion) -> LossPass {
        let is_centred = version > SparkVersion::V2_4;
        let moments: (&[f64], &[f64]) = (&[0.5, -1.0, 2.0], &[1.5, 0.0, 0.7]);
        LossPass::at(&Setting::new(version, (false, 1), true, moments, is_centred), &[0.3, 0.1, -0.8, 0.25])
    }

    /// The sums of loss and gradient, row after row.
    fn row_by_row<A: Arithmetic>(pass: &LossPass, batch: &SlotBatch<'_>) -> (f64, f64, Vec<f64>) {
        let (mut loss, mut multipliers, mut gradient) = (0.0, 0.0, vec![0.0; N_SLOTS]);
        for (row_idx, &label) in batch.labels.iter().enumerate() {
            let row: Vec<f64> = batch.slots.iter().map(|slot| slot[row_idx]).collect();
            let scaled = |slot: usize| A::scaled(row[slot], pass.setting.scale[slot]);
            let margin = (0..N_SLOTS).map(|slot| pass.coefficients[slot] * scaled(slot)).sum::<f64>() + pass.offsets[0];
            let weight = batch.weights.map_or(1.0, |weights| weights[row_idx]);
            loss += weight * ((1.0 + margin.exp()).ln() - label * margin);
            let multiplier = weight * (1.0 / (1.0 + (-margin).exp()) - label);
            multipliers += multiplier;
            (0..N_SLOTS).for_each(|slot| gradient[slot] += multiplier * scaled(slot));
        }
        (loss, multipliers, gradient)
    }

    #[track_caller]
    fn check<A: Arithmetic>(version: SparkVersion, n_rows: usize, weights: Option<&[f64]>) {
        let (labels, features) = (numbers(n_rows, 1), numbers(n_rows * N_SLOTS, 2));
        let labels: Vec<f64> = labels.into_iter().map(|number| f64::from(number > 0.5)).collect();
        let batch = SlotBatch { labels: &labels, weights, slots: features.chunks(n_rows).collect() };
        let mut wide = pass(version);
        wide.add_slots(&batch);

        let (loss, multipliers, gradient) = row_by_row::<A>(&wide, &batch);
        let is_near = |sum: f64, expected: f64| (sum - expected).abs() <= 1e-11 * (1.0 + expected.abs());
        assert!(is_near(wide.sums.loss, loss), "{n_rows} rows: {} and {loss}", wide.sums.loss);
        assert!(is_near(wide.sums.multipliers[0], multipliers));
        let mut slopes = wide.sums.gradient.iter().zip(&gradient);
        assert!(slopes.all(|(&sum, &slope)| is_near(sum, slope)), "{:?} and {gradient:?}", wide.sums.gradient);
        assert_eq!(wide.sums.weight, weights.map_or(n_rows as f64, |weights| weights.iter().sum()));

        let mut narrow = LaneSums::of(N_SLOTS);
        pass(version).sum_tiles::<A>(&batch, &mut narrow);
        assert_eq!(total(&narrow.loss), wide.sums.loss);
        assert_eq!(narrow.gradient.iter().map(total).collect::<Vec<_>>(), wide.sums.gradient);
    }

    #[test]
    fn a_pass_over_slots_sums_what_the_rows_sum_to_with_every_instruction_set() {
        for n_rows in [1, 31, 32, 33, 200] {
            let mut weights: Vec<f64> = (0..n_rows).map(|row_idx| f64::from(1 + row_idx as u32 % 4) / 4.0).collect();
            weights[n_rows / 2] = 0.0;
            for weights in [None, Some(weights.as_slice())] {
                check::<DivideProduct>(SparkVersion::V2_4, n_rows, weights);
                check::<Multiply>(SparkVersion::V3_5, n_rows, weights);
            }
        }
    }
}
