//! Which of several settings is the best.

use ognivo_data::version::SparkVersion;

use super::folds::{Language, Sampling};

/// The position of the best of `metrics`; of equally good ones the first.
///
/// Same as Spark, NaN included: PySpark (numpy's `argmax` and `argmin`) takes the first NaN for the best, whichever way is better.
/// Scala before 2.13 (Spark up to 3.5) leaves a NaN aside unless it comes first, from 2.13 on (Spark 4) NaN is larger than every number.
///
/// # Panics
/// When there are no metrics.
pub fn best_index(metrics: &[f64], is_larger_better: bool, sampling: Sampling) -> usize {
    assert!(!metrics.is_empty(), "somebody must be the best");
    let is_before = |a: f64, b: f64| if is_larger_better { a > b } else { a < b };
    let is_better = |a: f64, b: f64| match (sampling.language, sampling.version) {
        (Language::Python, _) => !b.is_nan() && (a.is_nan() || is_before(a, b)),
        (Language::Scala, SparkVersion::V2_4 | SparkVersion::V3_5) => is_before(a, b),
        (Language::Scala, SparkVersion::V4_3) => {
            let order = java_compare(a, b);
            if is_larger_better { order.is_gt() } else { order.is_lt() }
        }
    };
    (1..metrics.len()).fold(0, |best, at| if is_better(metrics[at], metrics[best]) { at } else { best })
}

/// `Double.compare`: NaN above all, -0.0 below 0.0.
fn java_compare(a: f64, b: f64) -> std::cmp::Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => a.total_cmp(&b),
        (a, b) => a.cmp(&b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAN: f64 = f64::NAN;

    #[track_caller]
    fn check(metrics: &[f64], language: Language, version: SparkVersion, largest: usize, smallest: usize) {
        let best = |is_larger_better| best_index(metrics, is_larger_better, Sampling { version, language });
        assert_eq!((best(true), best(false)), (largest, smallest), "{metrics:?} {language:?} {version}");
    }

    #[test]
    fn the_first_of_equals_wins() {
        for version in SparkVersion::ALL {
            for language in [Language::Python, Language::Scala] {
                check(&[0.5, 0.7, 0.2, 0.7, 0.2], language, version, 1, 2);
                check(&[0.5], language, version, 0, 0);
            }
        }
    }

    #[test]
    fn not_a_number_is_treated_as_by_whom_we_repeat() {
        check(&[0.5, NAN, 0.7, NAN], Language::Python, SparkVersion::V4_3, 1, 1);
        check(&[0.5, NAN, 0.7, NAN], Language::Scala, SparkVersion::V4_3, 1, 0);
        check(&[0.5, NAN, 0.7, NAN], Language::Scala, SparkVersion::V3_5, 2, 0);
        check(&[NAN, 0.5], Language::Scala, SparkVersion::V3_5, 0, 0);
        check(&[NAN, 0.5], Language::Scala, SparkVersion::V4_3, 0, 1);
    }
}
