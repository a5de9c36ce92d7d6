//! Spark's random numbers: the same draws from the same seed, so that the same rows fall into the same parts.
//!
//! Two generators of 48 and 64 bits stand behind everything that Spark ML draws: [`XorShiftRandom`] for rows, and
//! [`JavaRandom`] for the seeds of partitions and for shuffles. Both answer the questions of `java.util.Random`, which are in
//! the trait [`Random`]. Sampling with replacement has a third one, see [`PoissonDraws`].

mod bernoulli;
mod poisson;

pub use bernoulli::{BernoulliDraws, partition_seed};
pub use poisson::{MAX_POISSON_MEAN, PoissonDraws};

use crate::version::SparkVersion;

/// The questions of `java.util.Random`; a generator answers the first one, the others follow from it.
pub trait Random {
    /// The next `n_bits` random bits (1 to 32), as Java's `next(bits)` returns them.
    fn next_bits(&mut self, n_bits: u32) -> i32;

    /// Any integer.
    fn next_i32(&mut self) -> i32 {
        self.next_bits(32)
    }

    /// An integer from 0 up to, not including, `bound`.
    ///
    /// # Panics
    /// When `bound` is not positive.
    fn next_i32_below(&mut self, bound: i32) -> i32 {
        assert!(bound > 0, "a bound must be positive");
        let mut drawn = self.next_bits(31);
        if bound & (bound - 1) == 0 {
            return ((i64::from(bound) * i64::from(drawn)) >> 31) as i32;
        }
        // The draws above the last whole multiple of the bound would favour small numbers: they are drawn again.
        loop {
            let result = drawn % bound;
            if drawn.wrapping_sub(result).wrapping_add(bound - 1) >= 0 {
                return result;
            }
            drawn = self.next_bits(31);
        }
    }

    /// Any long integer.
    fn next_i64(&mut self) -> i64 {
        let high = i64::from(self.next_bits(32)) << 32;
        high.wrapping_add(i64::from(self.next_bits(32)))
    }

    /// A double from 0 up to, not including, 1, of 53 random bits.
    fn next_f64(&mut self) -> f64 {
        const UNIT: f64 = 1.0 / (1_u64 << 53) as f64;
        let high = i64::from(self.next_bits(26)) << 27;
        (high + i64::from(self.next_bits(27))) as f64 * UNIT
    }
}

/// Normally distributed draws with mean 0 and deviation 1, from a generator of its own.
///
/// Same as Java: the polar method, which gives draws in pairs. Java takes its own logarithm (`StrictMath`), so the last bit
/// of a draw may differ.
#[derive(Debug, Clone)]
pub struct Gaussian<R> {
    random: R,
    second: Option<f64>,
}

impl<R: Random> Gaussian<R> {
    /// Draws from `random`.
    pub fn new(random: R) -> Gaussian<R> {
        Gaussian { random, second: None }
    }

    /// The next draw.
    pub fn next_f64(&mut self) -> f64 {
        if let Some(second) = self.second.take() {
            return second;
        }
        loop {
            let v1 = 2.0 * self.random.next_f64() - 1.0;
            let v2 = 2.0 * self.random.next_f64() - 1.0;
            let s = v1 * v1 + v2 * v2;
            if s < 1.0 && s != 0.0 {
                let multiplier = (-2.0 * s.ln() / s).sqrt();
                self.second = Some(v2 * multiplier);
                return v1 * multiplier;
            }
        }
    }
}

/// Spark's `XORShiftRandom`: Marsaglia's xorshift of 64 bits, seeded through a hash.
///
/// Same as Spark: the seed is hashed as 8 bytes from 3.0 on, and as 64 bytes (the 8 and 56 zeros) in 2.4, so every stream of
/// draws differs between the two. Bits are taken from the low end.
#[derive(Debug, Clone)]
pub struct XorShiftRandom {
    state: u64,
}

impl XorShiftRandom {
    /// The generator that `version` makes of `seed`.
    pub fn new(seed: i64, version: SparkVersion) -> XorShiftRandom {
        XorShiftRandom { state: hash_seed(seed, version) }
    }
}

impl Random for XorShiftRandom {
    fn next_bits(&mut self, n_bits: u32) -> i32 {
        let mut state = self.state;
        state ^= state << 21;
        state ^= state >> 35;
        state ^= state << 4;
        self.state = state;
        (state & ((1_u64 << n_bits) - 1)) as u32 as i32
    }
}

/// Spreads a seed over 64 bits.
fn hash_seed(seed: i64, version: SparkVersion) -> u64 {
    /// Scala's `MurmurHash3.arraySeed`.
    const ARRAY_SEED: u32 = 0x3c07_4a61;
    // Spark 2.4 asked for `Long.SIZE` bytes and got 64, where `Long.BYTES` was meant.
    let n_bytes = if version >= SparkVersion::V3_5 { 8 } else { 64 };
    let mut bytes = [0; 64];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let low = murmur3(&bytes[..n_bytes], ARRAY_SEED);
    let high = murmur3(&bytes[..n_bytes], low);
    (u64::from(high) << 32) | u64::from(low)
}

/// MurmurHash3 (x86, 32 bits) of whole words.
fn murmur3(bytes: &[u8], seed: u32) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    debug_assert!(rest.is_empty(), "seeds are hashed in whole words");
    let mut hash = seed;
    for &word in words {
        let mixed = u32::from_le_bytes(word).wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
        hash = (hash ^ mixed).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    hash ^= bytes.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// `java.util.Random`: a linear congruential generator of 48 bits.
#[derive(Debug, Clone)]
pub struct JavaRandom {
    state: u64,
}

impl JavaRandom {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;

    /// The generator that Java makes of `seed`.
    pub fn new(seed: i64) -> JavaRandom {
        JavaRandom { state: (seed as u64 ^ JavaRandom::MULTIPLIER) & JavaRandom::MASK }
    }
}

impl Random for JavaRandom {
    fn next_bits(&mut self, n_bits: u32) -> i32 {
        self.state = self.state.wrapping_mul(JavaRandom::MULTIPLIER).wrapping_add(0xB) & JavaRandom::MASK;
        (self.state >> (48 - n_bits)) as u32 as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Written by `fixtures/spark/random_numbers.py`.
    pub(super) fn fixture(version: SparkVersion) -> Value {
        let path = format!("{}/../../fixtures/spark/{version}/random.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn integers(value: &Value) -> Vec<i64> {
        value.as_array().unwrap().iter().map(|number| number.as_i64().unwrap()).collect()
    }

    /// Asks `random` what the JVM's generator was asked, in the same order.
    #[track_caller]
    fn check(mut random: impl Random, jvm: &Value) {
        for expected in integers(&jvm["ints"]) {
            assert_eq!(i64::from(random.next_i32()), expected, "{jvm}");
        }
        for expected in integers(&jvm["longs"]) {
            assert_eq!(random.next_i64(), expected, "{jvm}");
        }
        for expected in jvm["doubles"].as_array().unwrap() {
            assert_eq!(random.next_f64().to_bits(), expected.as_f64().unwrap().to_bits(), "{jvm}");
        }
        for pair in jvm["intsBelow"].as_array().unwrap() {
            let [bound, expected] = integers(pair)[..] else { panic!("{pair}") };
            assert_eq!(i64::from(random.next_i32_below(bound as i32)), expected, "{jvm}");
        }
        let mut gaussian = Gaussian::new(random);
        for expected in jvm["gaussians"].as_array().unwrap() {
            let (drawn, expected) = (gaussian.next_f64(), expected.as_f64().unwrap());
            assert!((drawn - expected).abs() <= 2.0 * f64::EPSILON * expected.abs(), "{drawn} {expected}");
        }
    }

    #[test]
    fn generators_draw_what_those_of_the_jvm_draw() {
        for version in [SparkVersion::V3_5, SparkVersion::V4_3] {
            let jvm = fixture(version);
            for entry in jvm["xorShift"].as_array().unwrap() {
                check(XorShiftRandom::new(entry["seed"].as_i64().unwrap(), version), entry);
            }
            for entry in jvm["java"].as_array().unwrap() {
                check(JavaRandom::new(entry["seed"].as_i64().unwrap()), entry);
            }
        }
    }

    /// Scala 2.12's `MurmurHash3.bytesHash`, called through py4j of pyspark 3.5.9 on the 64 bytes that 2.4 hashes; printed by
    /// `fixtures/spark/random_numbers.py`.
    #[test]
    fn the_seed_of_2_4_is_hashed_as_64_bytes() {
        for entry in fixture(SparkVersion::V3_5)["seedHash64"].as_array().unwrap() {
            let hash = hash_seed(entry["seed"].as_i64().unwrap(), SparkVersion::V2_4);
            assert_eq!(hash as i64, entry["hash"].as_i64().unwrap(), "{entry}");
        }
    }
}
