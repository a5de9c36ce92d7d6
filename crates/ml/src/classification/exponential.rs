//! `exp(x)` and `ln(1 + x)` without a branch, a table or a fused multiply-add.
//!
//! The platform's functions take one number at a time, and its last bits depend on the processor. These are plain products and
//! sums, so that a loop over an array of numbers becomes vector instructions, and the bits are the same on every machine. Both
//! are within 1 ulp of the exact value. The constants are the coefficients of the functions' own series, long enough that what is
//! left out is below 2⁻⁵⁵ of the value.

#![allow(clippy::excessive_precision, reason = "the halves of ln 2 are given with all digits of their source")]

/// Adding it rounds a number below 2⁵¹ to a whole one, which then stands in the lowest bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// ln 2 in two parts: the first has 32 zero bits at its end, so that its multiples up to 2¹¹ are exact (fdlibm, `e_exp.c`).
const LN_2_HIGH: f64 = 6.931_471_803_691_238_164_90e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_700_02e-10;

/// `eˣ`: 0 below -745.2, +∞ above 709.8, NaN for NaN.
///
/// With x = k·ln 2 + r and |r| ≤ ½ ln 2, eˣ is 2ᵏ times the Taylor series of eʳ.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    // Beyond these bounds k would leave the exponents that a double has. Comparisons keep NaN.
    let x = if x < -746.0 { -746.0 } else { x };
    let x = if x > 710.0 { 710.0 } else { x };
    let k = (x * std::f64::consts::LOG2_E + ROUND) - ROUND;
    let (high, low) = (x - k * LN_2_HIGH, k * LN_2_LOW);
    let r = high - low;

    let r2 = r * r;
    let r4 = r2 * r2;
    let a = 1.0 / 2.0 + r * (1.0 / 6.0);
    let b = 1.0 / 24.0 + r * (1.0 / 120.0);
    let c = 1.0 / 720.0 + r * (1.0 / 5_040.0);
    let d = 1.0 / 40_320.0 + r * (1.0 / 362_880.0);
    let e = 1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0);
    let f = 1.0 / 479_001_600.0 + r * (1.0 / 6_227_020_800.0);
    let rest = (a + r2 * b) + r4 * ((c + r2 * d) + r4 * (e + r2 * f));
    let exp_r = 1.0 + (high - (low - r2 * rest));

    // In two steps, since 2ᵏ alone may be smaller or larger than any double; only the last one rounds.
    let half = (k * 0.5 + ROUND) - ROUND;
    exp_r * power_of_2(half) * power_of_2(k - half)
}

/// `2ᵏ` for a whole number k that a double has as its exponent.
#[inline(always)]
fn power_of_2(k: f64) -> f64 {
    const BIAS: u64 = 1023;
    f64::from_bits((k + ROUND).to_bits().wrapping_add(BIAS) << 52)
}

/// `ln(1 + x)` for x from 0 to 1; NaN for NaN.
///
/// With 1 + x = 2ⁿ(1 + f), n from {0, 1} and -¼ ≤ f < ½, and s = f / (2 + f), ln(1 + f) is 2s + 2s³/3 + 2s⁵/5 + …, summed as
/// fdlibm does (`s_log1p.c`).
#[inline(always)]
pub(super) fn ln_1p(x: f64) -> f64 {
    let is_halved = x >= 0.5;
    let f = if is_halved { 0.5 * (x - 1.0) } else { x };
    let (high, low) = if is_halved { (LN_2_HIGH, LN_2_LOW) } else { (0.0, 0.0) };

    let half_square = 0.5 * f * f;
    let s = f / (2.0 + f);
    let z = s * s;
    let z2 = z * z;
    let z4 = z2 * z2;
    let a = 2.0 / 3.0 + z * (2.0 / 5.0);
    let b = 2.0 / 7.0 + z * (2.0 / 9.0);
    let c = 2.0 / 11.0 + z * (2.0 / 13.0);
    let d = 2.0 / 15.0 + z * (2.0 / 17.0);
    let e = 2.0 / 19.0 + z * (2.0 / 21.0);
    let rest = z * ((a + z2 * b) + z4 * ((c + z2 * d) + z4 * e));
    high - ((half_square - (s * (half_square + rest) + low)) - f)
}

#[cfg(test)]
mod tests {
    use super::*;

    const N_STEPS: u32 = 400_000;

    /// Compares with the platform's function, which is within 1 ulp itself, at many places from `from` to `to`.
    #[track_caller]
    fn check(ours: fn(f64) -> f64, platform: fn(f64) -> f64, from: f64, to: f64) {
        for step in 0..=N_STEPS {
            let x = from + (to - from) * (f64::from(step) / f64::from(N_STEPS));
            let (ours, platform) = (ours(x), platform(x));
            assert!(ours.to_bits().abs_diff(platform.to_bits()) <= 1, "{ours:e} against {platform:e} at {x:e}");
        }
    }

    #[test]
    fn exp_is_within_an_ulp_from_the_smallest_to_the_largest_double() {
        check(exp, f64::exp, -746.0, 710.0);
        check(exp, f64::exp, -40.0, 0.0);
        check(exp, f64::exp, -1.0, 1.0);
        check(exp, f64::exp, -1e-9, 1e-9);
        // Both sides of every border between two k.
        for k in -1074..=1023 {
            let border = (f64::from(k) + 0.5) * std::f64::consts::LN_2;
            check_near(border);
        }
    }

    #[track_caller]
    fn check_near(x: f64) {
        for x in [x.next_down().next_down(), x.next_down(), x, x.next_up(), x.next_up().next_up()] {
            assert!(exp(x).to_bits().abs_diff(x.exp().to_bits()) <= 1, "{:e} against {:e} at {x:e}", exp(x), x.exp());
        }
    }

    #[test]
    fn exp_ends_in_zero_and_infinity() {
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let below = [f64::NEG_INFINITY, -1e300, -746.0, -745.2].map(exp);
        assert_eq!(bits(&below), bits(&[0.0; 4]));
        let above = [f64::INFINITY, 1e300, 710.0, 709.79].map(exp);
        assert_eq!(bits(&above), bits(&[f64::INFINITY; 4]));
        assert_eq!(bits(&[exp(0.0), exp(-0.0), exp(5e-324)]), bits(&[1.0; 3]));
        assert!(exp(f64::NAN).is_nan() && exp(-f64::NAN).is_nan());
    }

    #[test]
    fn ln_1p_is_within_an_ulp_from_0_to_1() {
        check(ln_1p, f64::ln_1p, 0.0, 1.0);
        check(ln_1p, f64::ln_1p, 0.4999, 0.5001);
        check(ln_1p, f64::ln_1p, 0.0, 1e-8);
        check(ln_1p, f64::ln_1p, 0.0, f64::MIN_POSITIVE);
        for exponent in 1..=1074 {
            let x = exp(-f64::from(exponent) * std::f64::consts::LN_2);
            assert!(ln_1p(x).to_bits().abs_diff(x.ln_1p().to_bits()) <= 1, "at {x:e}");
        }
        assert!(ln_1p(f64::NAN).is_nan());
    }
}
