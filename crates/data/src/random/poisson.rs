//! Draws from a Poisson distribution, as Spark's sampling with replacement takes them: commons-math3's distribution over its
//! Well19937c generator (Panneton, L'Ecuyer, Matsumoto: Improved Long-Period Generators Based on Linear Recurrences Modulo 2,
//! ACM TOMS 32, 2006).

/// The largest mean that we draw for; above it the distribution is drawn by another method, which nobody samples rows with.
pub const MAX_POISSON_MEAN: f64 = 40.0;

/// Draws from one Poisson distribution.
#[derive(Debug, Clone)]
pub struct PoissonDraws {
    mean: f64,
    random: Well19937c,
}

impl PoissonDraws {
    /// Draws around `mean`, from `seed`.
    ///
    /// # Panics
    /// When `mean` is not above 0 and below [`MAX_POISSON_MEAN`].
    pub fn new(mean: f64, seed: i64) -> PoissonDraws {
        assert!(mean > 0.0 && mean < MAX_POISSON_MEAN, "the mean must be above 0 and below {MAX_POISSON_MEAN}");
        PoissonDraws { mean, random: Well19937c::new(seed) }
    }

    /// The next draw: how many uniform numbers can be multiplied before the product falls below `exp(-mean)`.
    pub fn next_count(&mut self) -> usize {
        let limit = (-self.mean).exp();
        let (mut count, mut product) = (0, 1.0);
        while (count as f64) < 1000.0 * self.mean {
            product *= self.random.next_f64();
            if product < limit {
                break;
            }
            count += 1;
        }
        count
    }
}

/// Words of state.
const R: usize = 624;

#[derive(Debug, Clone)]
struct Well19937c {
    words: Vec<u32>,
    at: usize,
}

impl Well19937c {
    fn new(seed: i64) -> Well19937c {
        let mut words = vec![0_u32; R];
        words[0] = (seed as u64 >> 32) as u32;
        words[1] = seed as u32;
        for i in 2..R {
            let earlier = i64::from(words[i - 2] as i32);
            words[i] = 1_812_433_253_i64.wrapping_mul(earlier ^ (earlier >> 30)).wrapping_add(i as i64) as u32;
        }
        Well19937c { words, at: 0 }
    }

    /// The next 32 bits, tempered.
    fn next_u32(&mut self) -> u32 {
        let word = |steps: usize| self.words[(self.at + steps) % R];
        let (now, before, before_that) = (self.at, (self.at + R - 1) % R, (self.at + R - 2) % R);
        let z0 = (0x8000_0000 & self.words[before]) ^ (0x7fff_ffff & self.words[before_that]);
        let z1 = (word(0) ^ (word(0) << 25)) ^ (word(70) ^ (word(70) >> 27));
        let z2 = (word(179) >> 9) ^ (word(449) ^ (word(449) >> 1));
        let z3 = z1 ^ z2;
        let z4 = z0 ^ (z1 ^ (z1 << 9)) ^ (z2 ^ (z2 << 21)) ^ (z3 ^ (z3 >> 21));
        self.words[now] = z3;
        self.words[before] = z4;
        self.words[before_that] &= 0x8000_0000;
        self.at = before;
        let tempered = z4 ^ ((z4 << 7) & 0xe46e_1700);
        tempered ^ ((tempered << 15) & 0x9b86_8000)
    }

    /// A double from 0 up to, not including, 1, of 52 random bits.
    fn next_f64(&mut self) -> f64 {
        const UNIT: f64 = 1.0 / (1_u64 << 52) as f64;
        let high = u64::from(self.next_u32() >> 6) << 26;
        (high | u64::from(self.next_u32() >> 6)) as f64 * UNIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::SparkVersion;

    #[test]
    fn draws_are_those_of_commons_math() {
        for version in [SparkVersion::V3_5, SparkVersion::V4_3] {
            for entry in super::super::tests::fixture(version)["poisson"].as_array().unwrap() {
                let mut draws = PoissonDraws::new(entry["mean"].as_f64().unwrap(), entry["seed"].as_i64().unwrap());
                for expected in entry["counts"].as_array().unwrap() {
                    assert_eq!(draws.next_count() as u64, expected.as_u64().unwrap(), "{entry}");
                }
            }
        }
    }
}
