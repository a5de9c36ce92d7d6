//! Margins of several classes to probabilities, in place.

use super::exponential::exp;

/// Same as Spark 3.x and 4.x (`Utils.softmax`): a margin of +∞ takes all; the largest margin is always subtracted.
pub(super) fn softmax(margins: &mut [f64]) {
    if let Some(winner) = margins.iter().position(|&margin| margin == f64::INFINITY) {
        margins.fill(0.0);
        margins[winner] = 1.0;
        return;
    }
    let largest = margins.iter().fold(f64::MIN, |largest, &margin| if margin > largest { margin } else { largest });
    let mut sum = 0.0;
    for margin in margins.iter_mut() {
        *margin = exp(*margin - largest);
        sum += *margin;
    }
    margins.iter_mut().for_each(|value| *value /= sum);
}

/// Same as Spark 2.4 (`LogisticRegressionModel.raw2probabilityInPlace`): the largest margin is subtracted only above 0, and the
/// exponentials are multiplied by the reciprocal of their sum.
pub(super) fn softmax_2_4(margins: &mut [f64]) {
    let winner = argmax(margins);
    let largest = margins[winner];
    if largest == f64::INFINITY {
        margins.fill(0.0);
        margins[winner] = 1.0;
        return;
    }
    let mut sum = 0.0;
    for margin in margins.iter_mut() {
        *margin = exp(if largest > 0.0 { *margin - largest } else { *margin });
        sum += *margin;
    }
    let reciprocal = 1.0 / sum;
    margins.iter_mut().for_each(|value| *value *= reciprocal);
}

/// Position of the first largest value; a NaN at position 0 stays the largest, as in Spark.
pub(super) fn argmax(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, at| if values[at] > values[best] { at } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(softmax: fn(&mut [f64]), margins: &[f64], expect: &[f64]) {
        let mut values = margins.to_vec();
        softmax(&mut values);
        for (ours, expect) in values.iter().zip(expect) {
            assert!((ours - expect).abs() <= 1e-15, "{values:?} against {expect:?}");
        }
    }

    #[test]
    fn large_margins_do_not_overflow() {
        for softmax in [softmax, softmax_2_4] {
            check(softmax, &[1000.0, 1000.0], &[0.5, 0.5]);
            check(softmax, &[-1.0, f64::INFINITY, 3.0], &[0.0, 1.0, 0.0]);
            check(softmax, &[0.0, -(2.0_f64.ln())], &[2.0 / 3.0, 1.0 / 3.0]);
        }
    }

    #[test]
    fn the_first_of_equal_values_is_the_largest() {
        assert_eq!(argmax(&[1.0, 3.0, 3.0]), 1);
        assert_eq!(argmax(&[f64::NAN, 3.0]), 0);
        assert_eq!(argmax(&[1.0, f64::NAN, 2.0]), 2);
    }
}
