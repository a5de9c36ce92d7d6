//! How many different whole numbers there are, exactly, as long as they lie close together.

use serde::{Deserialize, Serialize};

use super::distinct::{Distinct, mixed};

/// The numbers lie within a window of so many; a set of bits holds their lowest 16.
const WINDOW: u64 = 1 << 16;
const N_WORDS: usize = WINDOW as usize / 64;

/// The different numbers that were seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum DistinctNumbers {
    /// Whole ones, close together.
    Close(Close),
    /// Others.
    Any(Distinct),
}

/// Whole numbers in a window.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Close {
    /// The smallest and the largest.
    range: Option<(i64, i64)>,
    /// A bit for each remainder of a division by [`WINDOW`]; empty at first.
    bits: Vec<u64>,
}

impl DistinctNumbers {
    /// For a column that holds whole numbers only, or for any.
    pub(super) fn new(is_whole: bool) -> DistinctNumbers {
        match is_whole {
            true => DistinctNumbers::Close(Close::default()),
            false => DistinctNumbers::Any(Distinct::default()),
        }
    }

    /// Takes in numbers, of which the smallest and the largest finite one are known.
    pub(super) fn add(&mut self, values: &[f64], (min, max): (f64, f64)) {
        if let DistinctNumbers::Close(close) = self {
            if close.widen(min, max) {
                return values.iter().for_each(|value| close.set(*value as i64));
            }
            *self = DistinctNumbers::Any(close.to_distinct());
        }
        let DistinctNumbers::Any(distinct) = self else { return };
        distinct.add_all(values);
    }

    /// Takes in what another one has seen.
    pub(super) fn merge(&mut self, later: DistinctNumbers) {
        match (&mut *self, later) {
            (DistinctNumbers::Close(close), DistinctNumbers::Close(later)) => {
                let Some((min, max)) = later.range else { return };
                if close.widen(min as f64, max as f64) {
                    close.bits.iter_mut().zip(&later.bits).for_each(|(ours, theirs)| *ours |= theirs);
                    return;
                }
                let mut distinct = close.to_distinct();
                distinct.merge(&later.to_distinct());
                *self = DistinctNumbers::Any(distinct);
            }
            (DistinctNumbers::Close(close), DistinctNumbers::Any(later)) => {
                let mut distinct = close.to_distinct();
                distinct.merge(&later);
                *self = DistinctNumbers::Any(distinct);
            }
            (DistinctNumbers::Any(distinct), DistinctNumbers::Close(later)) => distinct.merge(&later.to_distinct()),
            (DistinctNumbers::Any(distinct), DistinctNumbers::Any(later)) => distinct.merge(&later),
        }
    }

    /// How many there are, and whether that is exact.
    pub(super) fn count(&self) -> (u64, bool) {
        match self {
            DistinctNumbers::Close(close) => (close.bits.iter().map(|word| u64::from(word.count_ones())).sum(), true),
            DistinctNumbers::Any(distinct) => (distinct.count(), distinct.is_exact()),
        }
    }
}

impl Close {
    /// Whether all numbers, with those from `min` to `max`, still lie in a window; what is no whole number does not.
    fn widen(&mut self, min: f64, max: f64) -> bool {
        const LARGEST: f64 = 9e15;
        if !(min.abs() < LARGEST && max.abs() < LARGEST && min <= max) {
            return false;
        }
        let (min, max) = (min as i64, max as i64);
        let (min, max) = self.range.map_or((min, max), |(a, b)| (a.min(min), b.max(max)));
        if max.abs_diff(min) >= WINDOW {
            return false;
        }
        self.range = Some((min, max));
        self.bits.resize(N_WORDS, 0);
        true
    }

    fn set(&mut self, value: i64) {
        let bit = value as u64 % WINDOW;
        self.bits[(bit / 64) as usize] |= 1 << (bit % 64);
    }

    /// The numbers by their hashes.
    fn to_distinct(&self) -> Distinct {
        let mut distinct = Distinct::default();
        let Some((min, max)) = self.range else { return distinct };
        for value in min..=max {
            let bit = value as u64 % WINDOW;
            if self.bits[(bit / 64) as usize] >> (bit % 64) & 1 == 1 {
                distinct.add(mixed((value as f64).to_bits()));
            }
        }
        distinct
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64], is_whole: bool) -> DistinctNumbers {
        let mut numbers = DistinctNumbers::new(is_whole);
        let range = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
        numbers.add(values, range);
        numbers
    }

    #[test]
    fn numbers_close_together_are_counted_exactly_however_many() {
        let values: Vec<f64> = (-20_000..40_000).map(f64::from).collect();
        assert_eq!(of(&values, true).count(), (60_000, true));
    }

    #[test]
    fn whole_numbers_count_as_any_others_once_they_lie_far_apart() {
        let near = [1.0, 2.0, -3.0, 2.0];
        let far = [5e9, 2.0, 1e300];
        let mut merged = of(&near, true);
        assert_eq!(merged.count(), (3, true));
        merged.add(&far[..2], (2.0, 5e9));
        assert_eq!(merged.count(), (4, true));
        for (a, b) in [(&near[..], &far[..]), (&far[..], &near[..]), (&near[..], &[70_000.0][..]), (&[][..], &near[..])]
        {
            let mut merged = of(a, true);
            merged.merge(of(b, true));
            let all: Vec<f64> = a.iter().chain(b).copied().collect();
            assert_eq!(merged.count(), of(&all, false).count(), "{a:?} {b:?}");
        }
    }

    #[test]
    fn nothing_seen_is_nothing() {
        assert_eq!(of(&[], true).count(), (0, true));
        assert_eq!(of(&[f64::NAN], false).count(), (1, true));
    }
}
