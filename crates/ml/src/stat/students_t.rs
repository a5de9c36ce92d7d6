//! The tails of Student's t-distribution.

/// How likely a value at least as far from 0 as `t` is, on either side: the p-value of a t-statistic.
///
/// NaN when the degrees of freedom are not above 0 or `t` is NaN. Relative accuracy is about 1e-13, also far out, where one
/// minus the distribution function has no digits left; of our own, since it needs no more of a library than this.
///
/// ```
/// let p = ognivo_ml::stat::two_sided_p_value(12.706_204_736_174_7, 1.0);
/// assert!((p - 0.05).abs() < 1e-12);
/// ```
pub fn two_sided_p_value(t: f64, degrees_of_freedom: f64) -> f64 {
    if t.is_nan() || degrees_of_freedom.is_nan() || degrees_of_freedom <= 0.0 {
        return f64::NAN;
    }
    if t.is_infinite() {
        return 0.0;
    }
    // p = I_x(a, ½), the regularised incomplete beta function, with a = ν/2 and x = ν / (ν + t²).
    let a = degrees_of_freedom / 2.0;
    let odds = t / degrees_of_freedom * t;
    let (x, rest) = (1.0 / (1.0 + odds), odds / (1.0 + odds));
    // x^a · √(1 − x) / B(a, ½)
    let front = (-a * odds.ln_1p()).exp() * rest.sqrt() * gamma_ratio(a) / std::f64::consts::PI.sqrt();
    // The fraction is for x below the mean of the beta distribution; beyond it the other side is taken.
    let below_mean = (a + 0.5) * rest - 0.5;
    if below_mean > 0.0 {
        front * fraction((a, 0.5), (x, rest), below_mean)
    } else {
        1.0 - front * fraction((0.5, a), (rest, x), -below_mean)
    }
}

/// `Γ(a + ½) / Γ(a)` for a above 0.
fn gamma_ratio(a: f64) -> f64 {
    // The ratio at a is that at a + 1 times a / (a + ½): up to where the series is exact to the last bit.
    let (mut at, mut factor) = (a, 1.0);
    while at < 32.0 {
        factor *= at / (at + 0.5);
        at += 1.0;
    }
    // √a (1 − 1/8a + 1/128a² + 5/1024a³ − 21/32768a⁴ − 399/262144a⁵ + 869/4194304a⁶ + 39325/33554432a⁷ − …)
    let r = 1.0 / at;
    let series = (39_325.0 / 33_554_432.0 * r + 869.0 / 4_194_304.0) * r - 399.0 / 262_144.0;
    let series = ((series * r - 21.0 / 32_768.0) * r + 5.0 / 1024.0) * r + 1.0 / 128.0;
    factor * at.sqrt() * ((series * r - 1.0 / 8.0) * r + 1.0)
}

/// The fraction converges in some tens of steps; more than this means that it does not.
const MAX_STEPS: u32 = 10_000;

/// `I_x(a, b)` without its front factor, for x below the mean; `y` is 1 − x and `lambda` is `a − (a + b)·x`.
///
/// The continued fraction of Didonato and Morris (1992, ACM Algorithm 708, `BFRAC`), which loses no digits to cancellation.
fn fraction((a, b): (f64, f64), (x, y): (f64, f64), lambda: f64) -> f64 {
    let (c, c0, c1) = (1.0 + lambda, b / a, 1.0 + 1.0 / a);
    let (mut p, mut s) = (1.0, a + 1.0);
    let (mut numerators, mut denominators) = ((0.0, 1.0), (1.0, c / c1));
    let mut value = c1 / c;
    for step in 1..MAX_STEPS {
        let n = f64::from(step);
        let t = n / a;
        let w = n * (b - n) * x;
        let e = a / s;
        let alpha = p * (p + c0) * e * e * (w * x);
        let e = (1.0 + t) / (c1 + t + t);
        let beta = n + w / s + e * (c + n * (1.0 + y));
        (p, s) = (1.0 + t, s + 2.0);
        numerators = (numerators.1, alpha * numerators.0 + beta * numerators.1);
        denominators = (denominators.1, alpha * denominators.0 + beta * denominators.1);
        let last = value;
        value = numerators.1 / denominators.1;
        if (value - last).abs() <= 1e-16 * value {
            break;
        }
        // Only quotients matter: this keeps both from overflowing.
        numerators = (numerators.0 / denominators.1, value);
        denominators = (denominators.0 / denominators.1, 1.0);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against `2 * scipy.stats.t.sf(t, degrees_of_freedom)` of SciPy 1.17.1.
    #[test]
    fn p_values_are_those_of_scipy() {
        for (t, degrees_of_freedom, expect) in SCIPY {
            let ours = two_sided_p_value(t, degrees_of_freedom);
            assert!((ours - expect).abs() <= 2e-13 * expect, "t = {t}, {degrees_of_freedom} degrees: {ours}, {expect}");
        }
    }

    const SCIPY: [(f64, f64, f64); 17] = [
        (0.5, 1.0, 0.7048327646991335),
        (12.0, 1.0, 0.052929352119179755),
        (1e6, 1.0, 6.366197723673691e-07),
        (2.0, 2.0, 0.18350341907227397),
        (0.01, 3.0, 0.992649111412852),
        (3.25, 5.0, 0.022695885811915596),
        (40.0, 5.0, 1.8411962171772954e-07),
        (1.0, 17.0, 0.33133276203867884),
        (8.5, 35.0, 4.969370099097831e-10),
        (60.0, 35.0, 6.936729810108208e-37),
        (2.0, 64.0, 0.049747891393725305),
        (0.003, 200.0, 0.9976093401069007),
        (4.5, 993.0, 7.598936831230102e-06),
        (37.0, 9000.0, 4.360278175516399e-279),
        (1.96, 1e6, 0.04999606758526985),
        (6.0, 1e6, 1.97384981235443e-09),
        (2.5, 7.5, 0.03882025827362553),
    ];

    #[test]
    fn the_sign_makes_no_difference_and_the_ends_are_known() {
        assert_eq!(two_sided_p_value(-2.5, 7.0).to_bits(), two_sided_p_value(2.5, 7.0).to_bits());
        assert_eq!(two_sided_p_value(f64::INFINITY, 3.0).to_bits(), 0);
        assert!((two_sided_p_value(0.0, 3.0) - 1.0).abs() < 1e-15);
        for (t, degrees_of_freedom) in [(f64::NAN, 3.0), (1.0, 0.0), (1.0, -2.0), (1.0, f64::NAN)] {
            assert!(two_sided_p_value(t, degrees_of_freedom).is_nan());
        }
    }
}
