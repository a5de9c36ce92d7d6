//! Decimals as Spark reads them.

use super::double::exponent_digits;

/// Reads a decimal of the given precision and scale as Spark does, as the unscaled number.
///
/// `java.math.BigDecimal`'s grammar after all commas have been removed (the grouping of en-US), rounded half up to
/// `scale`. `None` when the text is no number or needs more than `precision` digits.
pub fn parse_decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let text: Vec<u8> = text.iter().copied().filter(|b| *b != b',').collect();
    let (negative, rest) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, &text[..]),
    };
    let mut digits = Vec::with_capacity(rest.len());
    let mut exponent: i64 = 0;
    let mut seen_point = false;
    let mut at = 0;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'0'..=b'9' => {
                digits.push(byte - b'0');
                exponent -= i64::from(seen_point);
            }
            b'.' if !seen_point => seen_point = true,
            _ => break,
        }
        at += 1;
    }
    if digits.is_empty() {
        return None;
    }
    match rest.get(at) {
        None => {}
        Some(b'e' | b'E') => exponent += exponent_digits(&rest[at + 1..])?,
        Some(_) => return None,
    }
    // The number is digits × 10^exponent; wanted is unscaled × 10^-scale.
    let shift = exponent + i64::from(scale);
    let kept = match usize::try_from(-shift) {
        Ok(dropped) => digits.len().checked_sub(dropped),
        Err(_) => Some(digits.len()),
    };
    let mut unscaled: i128 = 0;
    for digit in &digits[..kept.unwrap_or(0)] {
        unscaled = unscaled.checked_mul(10)?.checked_add(i128::from(*digit))?;
    }
    if unscaled != 0 && shift > 0 {
        unscaled = unscaled.checked_mul(10i128.checked_pow(u32::try_from(shift).ok()?)?)?;
    }
    if kept.is_some_and(|kept| digits.get(kept).is_some_and(|next| *next >= 5)) {
        unscaled += 1;
    }
    if unscaled >= 10i128.pow(u32::from(precision)) {
        return None;
    }
    Some(if negative { -unscaled } else { unscaled })
}

/// How many digits a whole number in `java.math.BigDecimal`'s grammar has, leading zeros aside; `None` for a number
/// with decimals or a positive exponent, and for what is no number.
pub(crate) fn decimal_digits(text: &[u8]) -> Option<u8> {
    let (digits, scale) = decimal_parts_of(text)?;
    (scale == 0).then_some(digits)
}

/// The number of digits, leading zeros aside, and the scale of a number in `java.math.BigDecimal`'s grammar.
pub(crate) fn decimal_parts_of(text: &[u8]) -> Option<(u8, i64)> {
    let unsigned = match text.first()? {
        b'-' | b'+' => &text[1..],
        _ => text,
    };
    let (mantissa, exponent) = match unsigned.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => (&unsigned[..at], exponent_digits(&unsigned[at + 1..])?),
        None => (unsigned, 0),
    };
    let point = mantissa.iter().position(|b| *b == b'.');
    let digits: Vec<u8> = mantissa.iter().enumerate().filter(|(i, _)| Some(*i) != point).map(|(_, b)| *b).collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let scale = point.map_or(0, |at| mantissa.len() - 1 - at) as i64 - exponent;
    let leading_zeros = digits.iter().take_while(|b| **b == b'0').count();
    Some((u8::try_from((digits.len() - leading_zeros).max(1)).ok()?, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_rounded_half_up_to_their_scale() {
        let read = |text: &str| parse_decimal(text.as_bytes(), 10, 2);
        assert_eq!(read("1.555"), Some(156));
        assert_eq!(read("-1.005"), Some(-101));
        assert_eq!(read("1,000.5"), Some(100_050));
        assert_eq!(read("1e3"), Some(100_000));
        assert_eq!(read("5e-3"), Some(1));
        assert_eq!(read("4e-3"), Some(0));
        assert_eq!(read("0.001e99999999999"), None);
        assert_eq!(read("0e99999999999"), Some(0));
        assert_eq!(read("99999999.99"), Some(9_999_999_999));
        assert_eq!(read("99999999.995"), None);
        assert_eq!(read(" 1"), None);
        assert_eq!(read("."), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_decimal_without_decimals_tells_its_digits() {
        let digits = |text: &str| decimal_digits(text.as_bytes());
        assert_eq!(digits("0012"), Some(2));
        assert_eq!(digits("0"), Some(1));
        assert_eq!(digits("1."), Some(1));
        assert_eq!(digits("1.5e1"), Some(2));
        assert_eq!(digits("1e3"), None);
        assert_eq!(digits("1.5"), None);
        assert_eq!(digits("x"), None);
    }
}
