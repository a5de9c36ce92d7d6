//! Sampling without replacement as Spark's RDDs do it, which is another way than that of data frames.

use super::{JavaRandom, Random, XorShiftRandom};
use crate::version::SparkVersion;

/// Up to this fraction the rows between two kept ones are counted, above it each row is drawn for.
const MAX_GAP_FRACTION: f64 = 0.4;
/// The least draw of a gap, so that its logarithm stays finite.
const LEAST_DRAW: f64 = 5e-11;

/// Whether each row of one partition is kept, row by row.
///
/// Same as Spark: `BernoulliSampler` with a bound of 1 to a fraction, all versions. A fraction of 1 or more keeps all rows and
/// one of 0 or less keeps none, without a draw; up to 0.4 the lengths of gaps are drawn, above it one number a row.
/// Differs from Spark: a logarithm that Java rounds otherwise could move the end of a gap by one row; none is known.
#[derive(Debug, Clone)]
pub struct BernoulliDraws {
    random: XorShiftRandom,
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    All,
    None,
    EachRow { fraction: f64 },
    Gaps { ln_dropped: f64, n_to_drop: i32 },
}

impl BernoulliDraws {
    /// The draws that `version` makes for a partition whose seed is `seed`, see [`partition_seed`].
    pub fn new(fraction: f64, seed: i64, version: SparkVersion) -> BernoulliDraws {
        let mut random = XorShiftRandom::new(seed, version);
        let rule = match fraction {
            fraction if fraction <= 0.0 => Rule::None,
            fraction if fraction >= 1.0 => Rule::All,
            fraction if fraction > MAX_GAP_FRACTION => Rule::EachRow { fraction },
            fraction => {
                let ln_dropped = (-fraction).ln_1p();
                Rule::Gaps { ln_dropped, n_to_drop: gap(&mut random, ln_dropped) }
            }
        };
        BernoulliDraws { random, rule }
    }

    /// Whether the next row is kept.
    pub fn keeps_next(&mut self) -> bool {
        match &mut self.rule {
            Rule::All => true,
            Rule::None => false,
            Rule::EachRow { fraction } => self.random.next_f64() <= *fraction,
            Rule::Gaps { n_to_drop, .. } if *n_to_drop > 0 => {
                *n_to_drop -= 1;
                false
            }
            Rule::Gaps { ln_dropped, n_to_drop } => {
                *n_to_drop = gap(&mut self.random, *ln_dropped);
                true
            }
        }
    }
}

/// How many rows lie before the next one that is kept.
fn gap(random: &mut XorShiftRandom, ln_dropped: f64) -> i32 {
    (random.next_f64().max(LEAST_DRAW).ln() / ln_dropped) as i32
}

/// The seed of a partition where an RDD is sampled: the partitions take `java.util.Random`'s longs in turn.
pub fn partition_seed(seed: i64, partition: usize) -> i64 {
    let mut random = JavaRandom::new(seed);
    for _ in 0..partition {
        random.next_i64();
    }
    random.next_i64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fraction: f64, n_expected: std::ops::RangeInclusive<usize>) {
        let mut draws = BernoulliDraws::new(fraction, partition_seed(7, 1), SparkVersion::V4_3);
        let n_kept = (0..10_000).filter(|_| draws.keeps_next()).count();
        assert!(n_expected.contains(&n_kept), "{n_kept} of 10000 at {fraction}");
    }

    /// What Spark keeps, row for row, is seen where trees take their thresholds: `fixtures/spark/<line>/trees.json`.
    #[test]
    fn about_as_many_rows_are_kept_as_the_fraction_says() {
        check(0.0, 0..=0);
        check(0.05, 440..=560);
        check(0.4, 3850..=4150);
        check(0.7, 6850..=7150);
        check(1.0, 10_000..=10_000);
    }

    #[test]
    fn partitions_have_seeds_of_their_own() {
        let seeds: Vec<i64> = (0..3).map(|partition| partition_seed(7, partition)).collect();
        assert!(
            seeds[0] != seeds[1]
                && seeds[1] != seeds[2]
                && seeds == [0, 1, 2].map(|partition| partition_seed(7, partition))
        );
    }
}
