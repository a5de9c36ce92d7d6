//! `cargo xtask examples`: the data of the folder `examples/`, from fixed seeds.

mod house_prices;
mod survival;

use std::fs;
use std::path::PathBuf;

use crate::program::root;

/// A generated file: its place in the repository, and what it holds.
struct Generated {
    path: &'static str,
    content: fn() -> String,
}

const ALL: [Generated; 2] = [
    Generated { path: "examples/house_prices/houses.csv", content: house_prices::csv },
    Generated { path: "examples/survival/passengers.csv", content: survival::csv },
];

impl Generated {
    fn place(&self) -> PathBuf {
        root().join(self.path)
    }
}

/// Writes every generated file.
///
/// # Errors
/// When one cannot be written.
pub(crate) fn run() -> Result<(), String> {
    for file in ALL {
        let place = file.place();
        fs::write(&place, (file.content)()).map_err(|e| format!("{}: {e}", place.display()))?;
        println!("written {}", file.path);
    }
    Ok(())
}

/// Random numbers from a seed (SplitMix64).
struct Random {
    state: u64,
}

impl Random {
    fn new(seed: u64) -> Random {
        Random { state: seed }
    }

    /// From 0 up to 1.
    fn share(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From `low` up to `high`.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + self.share() * (high - low)
    }

    /// A whole number from `low` to `high`, both included.
    fn whole(&mut self, low: i64, high: i64) -> i64 {
        low + (self.share() * (high - low + 1) as f64) as i64
    }

    /// Around 0 with deviation 1: the sum of twelve shares is nearly normal.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_in_the_repository_are_those_that_are_generated() {
        for file in ALL {
            let found = fs::read_to_string(file.place()).unwrap_or_default();
            assert!(found == (file.content)(), "{}: run cargo xtask examples", file.path);
        }
    }
}
