//! How many different values there are: exactly while they are few, nearly when they are many.
//!
//! 1. Up to [`MAX_EXACT`] values, their hashes stand in an open table.
//! 2. Beyond, 4096 registers keep the longest run of zeros among the hashes that fall to each of them (HyperLogLog, Flajolet and
//!    others 2007); the count is then off by 1.6 % in the mean.

use serde::{Deserialize, Serialize};

/// So many values are counted exactly. A pass begins its table anew with each chunk of rows, so a larger one costs time.
const MAX_EXACT: usize = 256;
/// log2 of the number of registers.
const INDEX_BITS: u32 = 12;
const N_REGISTERS: usize = 1 << INDEX_BITS;
/// What the harmonic mean of registers is to be multiplied by (Flajolet and others, for many registers).
const ALPHA: f64 = 0.7213 / (1.0 + 1.079 / N_REGISTERS as f64);

/// 64 random-looking bits for each value (the last steps of MurmurHash3); never 0, which stands for no value in the table.
pub(super) fn mixed(value: u64) -> u64 {
    let mut bits = value ^ 0x9e37_79b9_7f4a_7c15;
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ (bits >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    (bits ^ (bits >> 33)).max(1)
}

/// The different values that were seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Distinct {
    /// Hash and number of each value; 0 where there is none. Empty once there are too many.
    table: Vec<(u64, u32)>,
    n_known: usize,
    registers: Vec<u8>,
}

impl Distinct {
    /// Takes in a value by its hash; its number in order of appearance, while values are numbered.
    pub(super) fn add(&mut self, hash: u64) -> Option<usize> {
        if !self.registers.is_empty() {
            self.register(hash);
            return None;
        }
        if self.n_known * 2 >= self.table.len() {
            self.grow();
        }
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            match self.table[at] {
                (0, _) => break,
                (known, number) if known == hash => return Some(number as usize),
                _ => at = (at + 1) & mask,
            }
        }
        if self.n_known == MAX_EXACT {
            self.give_up_numbers();
            self.register(hash);
            return None;
        }
        self.table[at] = (hash, self.n_known as u32);
        self.n_known += 1;
        Some(self.n_known - 1)
    }

    /// Takes in numbers; 0 and −0 are one.
    pub(super) fn add_all(&mut self, values: &[f64]) {
        let mut rest = values.iter();
        if self.registers.is_empty() {
            for value in rest.by_ref() {
                if self.add(mixed((value + 0.0).to_bits())).is_none() {
                    break;
                }
            }
        }
        rest.for_each(|value| self.register(mixed((value + 0.0).to_bits())));
    }

    fn grow(&mut self) {
        let n_slots = (self.table.len() * 2).max(16);
        let old = std::mem::replace(&mut self.table, vec![(0, 0); n_slots]);
        for entry in old.into_iter().filter(|(hash, _)| *hash != 0) {
            let mut at = entry.0 as usize & (n_slots - 1);
            while self.table[at].0 != 0 {
                at = (at + 1) & (n_slots - 1);
            }
            self.table[at] = entry;
        }
    }

    fn give_up_numbers(&mut self) {
        self.registers = vec![0; N_REGISTERS];
        for (hash, _) in std::mem::take(&mut self.table) {
            if hash != 0 {
                self.register(hash);
            }
        }
    }

    fn register(&mut self, hash: u64) {
        let register = &mut self.registers[(hash >> (64 - INDEX_BITS)) as usize];
        let run = (hash << INDEX_BITS | 1 << (INDEX_BITS - 1)).leading_zeros() as u8 + 1;
        // Nearly all runs are known; a store for each would wait for the one before.
        if *register < run {
            *register = run;
        }
    }

    /// Takes in what another one has seen.
    pub(super) fn merge(&mut self, later: &Distinct) {
        if !later.registers.is_empty() {
            if self.registers.is_empty() {
                self.give_up_numbers();
            }
            for (register, run) in self.registers.iter_mut().zip(&later.registers) {
                *register = (*register).max(*run);
            }
            return;
        }
        for hash in later.in_order() {
            self.add(hash);
        }
    }

    /// The hashes of the values that are numbered, by their number.
    pub(super) fn in_order(&self) -> Vec<u64> {
        let mut hashes = vec![0; self.n_known];
        for (hash, number) in self.table.iter().filter(|(hash, _)| *hash != 0) {
            hashes[*number as usize] = *hash;
        }
        if self.table.is_empty() { Vec::new() } else { hashes }
    }

    /// Whether [`count`](Distinct::count) is exact.
    pub(super) fn is_exact(&self) -> bool {
        self.registers.is_empty()
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        if self.is_exact() {
            return self.n_known as u64;
        }
        let sum: f64 = self.registers.iter().map(|&run| 0.5f64.powi(i32::from(run))).sum();
        let n = N_REGISTERS as f64;
        let estimate = ALPHA * n * n / sum;
        let n_empty = self.registers.iter().filter(|&&run| run == 0).count();
        let estimate = if estimate <= 2.5 * n && n_empty > 0 { n * (n / n_empty as f64).ln() } else { estimate };
        (estimate.round() as u64).max(MAX_EXACT as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl Iterator<Item = u64>) -> Distinct {
        let mut distinct = Distinct::default();
        for value in values {
            distinct.add(mixed(value));
        }
        distinct
    }

    #[test]
    fn few_values_are_counted_exactly_and_numbered_as_they_come() {
        let mut distinct = Distinct::default();
        let numbers: Vec<_> = [7, 9, 7, 8, 9].iter().map(|&value| distinct.add(mixed(value))).collect();
        assert_eq!(numbers, [Some(0), Some(1), Some(0), Some(2), Some(1)]);
        let many = of((0..100_000).map(|i| i % 256));
        assert_eq!((many.count(), many.is_exact()), (256, true));
    }

    #[test]
    fn many_values_are_counted_nearly() {
        for n in [257, 1_025, 5_000, 40_000, 1_000_000] {
            for step in [1, 1 << 20, 0x3ff0_0000_0000] {
                let found = of((0..n).map(|i: u64| i.wrapping_mul(step))).count();
                let error = (found as f64 / n as f64 - 1.0).abs();
                assert!(error < 0.06, "{n} times {step}: {found}");
            }
        }
    }

    #[test]
    fn doubles_are_told_apart_by_their_bits() {
        let found = of((0..300_000).map(|i| (f64::from(i) / 7.0).to_bits())).count();
        assert!((found as f64 / 300_000.0 - 1.0).abs() < 0.06, "{found}");
    }

    #[test]
    fn merging_is_seeing_both() {
        for (a, b) in [(0..100, 50..200), (0..200, 100..5_000), (0..5_000, 0..3), (0..5_000, 4_000..9_000)] {
            let mut merged = of(a.clone());
            merged.merge(&of(b.clone()));
            assert_eq!(merged.count(), of(a.chain(b)).count());
        }
    }
}
