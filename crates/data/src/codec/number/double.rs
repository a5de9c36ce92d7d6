//! Doubles and floats as Java reads them.

use super::integer::{eight_digits, left_padded};

/// Exactly representable powers of ten: `10^0` to `10^22`.
const POW10: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Largest integer below which every integer is a double.
const MAX_EXACT: u64 = 1 << 53;

/// A decimal of up to sixteen digits, so that the double is found by arithmetic that needs no decision.
///
/// The digits are a whole number that is a double, the divisor is a power of ten that is a double, positive or
/// negative; so one division rounds correctly.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShortDecimal {
    /// The value of all digits but the last eight, and of the last eight.
    pub(crate) high: u32,
    pub(crate) low: u32,
    pub(crate) divisor: f64,
}

impl ShortDecimal {
    pub(crate) const ZERO: ShortDecimal = ShortDecimal { high: 0, low: 0, divisor: 1.0 };

    /// Below it every number of sixteen digits is a double.
    pub(super) const HIGH_END: u32 = (MAX_EXACT / 100_000_000) as u32;

    /// Makes doubles of some at a time, which processors do as fast as of one.
    #[inline(always)]
    pub(crate) fn to_doubles(decimals: &[ShortDecimal], doubles: &mut [f64]) {
        for (double, decimal) in doubles.iter_mut().zip(decimals) {
            *double = decimal.to_double();
        }
    }

    #[inline(always)]
    fn to_double(self) -> f64 {
        // Both are below 2^31, and processors convert signed numbers.
        (f64::from(self.high as i32) * 1e8 + f64::from(self.low as i32)) / self.divisor
    }
}

/// Reads the decimal in `input[start..start + len]`, as [`parse_double`] would on that slice; `None` when it is no short
/// one.
#[inline]
pub(crate) fn short_decimal_at(input: &[u8], start: usize, len: usize) -> Option<ShortDecimal> {
    let negative = len > 0 && input[start] == b'-';
    let skip = usize::from(negative);
    let mut decimal = short_decimal(input, start + skip, len - skip)?;
    if negative {
        decimal.divisor = -decimal.divisor;
    }
    Some(decimal)
}

/// Digits with at most one point among them, up to sixteen bytes; `None` for anything else.
#[inline]
fn short_decimal(input: &[u8], start: usize, len: usize) -> Option<ShortDecimal> {
    if len == 0 || len > 16 {
        return None;
    }
    if len <= 8 {
        let bytes: [u8; 8] = input.get(start..start + 8)?.try_into().ok()?;
        let word = u64::from_le_bytes(bytes);
        let points = bytes_equal(word, b'.') & low_bytes(len);
        if points == 0 {
            return Some(ShortDecimal { high: 0, low: eight_digits(left_padded(word, len))?, divisor: 1.0 });
        }
        if len == 1 {
            return None;
        }
        let point = points.trailing_zeros() / 8;
        let before = word & ((1u64 << (8 * point)) - 1);
        // Everything after the point moves one byte to the front; a second point fails as a digit.
        let after = (word >> 8) & !((1u64 << (8 * point)) - 1);
        let low = eight_digits(left_padded(before | after, len - 1))?;
        return Some(ShortDecimal { high: 0, low, divisor: POW10[len - 1 - point as usize] });
    }
    let bytes: [u8; 16] = input.get(start..start + 16)?.try_into().ok()?;
    let word = u128::from_le_bytes(bytes);
    let (lower, upper) = (word as u64, (word >> 64) as u64);
    let points =
        u128::from(bytes_equal(lower, b'.')) | (u128::from(bytes_equal(upper, b'.') & low_bytes(len - 8)) << 64);
    let (digits, n_digits, decimals) = if points == 0 {
        (word, len, 0)
    } else {
        let point = points.trailing_zeros() / 8;
        let front = (1u128 << (8 * point)) - 1;
        ((word & front) | ((word >> 8) & !front), len - 1, len - 1 - point as usize)
    };
    const ZEROS: u128 = 0x3030_3030_3030_3030_3030_3030_3030_3030;
    let shift = 128 - 8 * n_digits as u32;
    let padded = (digits << shift) | ((ZEROS >> (8 * (n_digits as u32 - 1))) >> 8);
    let high = eight_digits(padded as u64)?;
    let low = eight_digits((padded >> 64) as u64)?;
    (high < ShortDecimal::HIGH_END).then_some(ShortDecimal { high, low, divisor: POW10[decimals] })
}

/// A word whose bytes have their top bit set where `word` holds `byte`.
///
/// Exact for the lowest such byte, which is all that its callers look at first.
#[inline]
fn bytes_equal(word: u64, byte: u8) -> u64 {
    let x = word ^ (0x0101_0101_0101_0101 * u64::from(byte));
    x.wrapping_sub(0x0101_0101_0101_0101) & !x & 0x8080_8080_8080_8080
}

/// A mask of the first `len` (1 to 8) bytes of a little-endian word.
#[inline]
fn low_bytes(len: usize) -> u64 {
    u64::MAX >> (64 - 8 * len as u32)
}

/// A decimal number taken apart: `mantissa × 10^exponent`, and whether the mantissa holds all digits.
struct Decimal {
    negative: bool,
    mantissa: u64,
    exponent: i64,
    exact: bool,
}

/// What Java's grammar of a floating point number found.
enum Number<'a> {
    Nan,
    Infinity {
        negative: bool,
    },
    /// The text without suffix letter, for an exact parser, beside its parts.
    Decimal(Decimal, &'a [u8]),
    Hex(f64),
}

/// Reads a double as `Double.parseDouble` does, correctly rounded.
///
/// Accepted: blanks around (any character up to the space), a sign, digits with a point before, within or after,
/// an exponent, one letter of `fFdD` at the end, hexadecimal numbers with a binary exponent (`0x1.8p3`), `NaN` and
/// `Infinity` in this very case. `None` for everything else.
pub fn parse_double(text: &[u8]) -> Option<f64> {
    match number(text)? {
        Number::Nan => Some(f64::NAN),
        Number::Infinity { negative } => Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY }),
        Number::Hex(value) => Some(value),
        Number::Decimal(decimal, digits) => {
            if let Some(value) = exact_double(&decimal) {
                return Some(value);
            }
            fast_float2::parse(digits).ok()
        }
    }
}

/// Reads a float as `Float.parseFloat` does: rounded once, from the decimal digits to 24 bits.
pub fn parse_float(text: &[u8]) -> Option<f32> {
    match number(text)? {
        Number::Nan => Some(f32::NAN),
        Number::Infinity { negative } => Some(if negative { f32::NEG_INFINITY } else { f32::INFINITY }),
        // A hexadecimal float of more than 24 bits is rounded twice here.
        Number::Hex(value) => Some(value as f32),
        Number::Decimal(_, digits) => fast_float2::parse(digits).ok(),
    }
}

/// The double of a decimal whose mantissa and power of ten are both doubles; `None` when they are not.
fn exact_double(decimal: &Decimal) -> Option<f64> {
    if !decimal.exact || decimal.mantissa > MAX_EXACT {
        return None;
    }
    let mantissa = decimal.mantissa as f64;
    let value = match decimal.exponent {
        0 => mantissa,
        1..=22 => mantissa * POW10[decimal.exponent as usize],
        -22..=-1 => mantissa / POW10[-decimal.exponent as usize],
        _ => return None,
    };
    Some(if decimal.negative { -value } else { value })
}

fn number(text: &[u8]) -> Option<Number<'_>> {
    let text = trim_java(text);
    let (negative, rest) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    match rest {
        b"NaN" => return Some(Number::Nan),
        b"Infinity" => return Some(Number::Infinity { negative }),
        [b'0', b'x' | b'X', hex @ ..] => return hex_double(hex, negative).map(Number::Hex),
        _ => {}
    }
    let digits = match rest.last()? {
        b'f' | b'F' | b'd' | b'D' => &rest[..rest.len() - 1],
        _ => rest,
    };
    let decimal = decimal_parts(digits, negative)?;
    // fast_float2 knows the minus sign, but a plus only in some versions: it is handed the sign it knows.
    let signed = if negative { &text[..digits.len() + 1] } else { digits };
    Some(Number::Decimal(decimal, signed))
}

/// Java's `String.trim`: everything up to the space character goes, at both ends.
pub(crate) fn trim_java(mut text: &[u8]) -> &[u8] {
    while let [0..=b' ', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., 0..=b' '] = text {
        text = rest;
    }
    text
}

/// Checks `digits [. digits] [e [sign] digits]` and takes it apart.
fn decimal_parts(text: &[u8], negative: bool) -> Option<Decimal> {
    let mut mantissa: u64 = 0;
    let mut exponent: i64 = 0;
    let mut exact = true;
    let mut n_digits = 0;
    let mut seen_point = false;
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            n_digits += 1;
            match mantissa.checked_mul(10).and_then(|m| m.checked_add(u64::from(digit))) {
                Some(next) if exact => {
                    mantissa = next;
                    exponent -= i64::from(seen_point);
                }
                _ => exact = false,
            }
        } else if byte == b'.' && !seen_point {
            seen_point = true;
        } else {
            break;
        }
        at += 1;
    }
    if n_digits == 0 {
        return None;
    }
    if at < text.len() {
        if !matches!(text[at], b'e' | b'E') {
            return None;
        }
        exponent = exponent.saturating_add(exponent_digits(&text[at + 1..])?);
    }
    Some(Decimal { negative, mantissa, exponent, exact })
}

/// An exponent with its optional sign, saturating far outside the range of a double.
pub(super) fn exponent_digits(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0i64, |value, byte| (value * 10 + i64::from(byte - b'0')).min(1_000_000_000));
    Some(if negative { -value } else { value })
}

/// `digits[.digits]p[sign]digits[fFdD]` after the `0x`: the binary exponent is mandatory.
fn hex_double(text: &[u8], negative: bool) -> Option<f64> {
    let split = text.iter().position(|b| matches!(b, b'p' | b'P'))?;
    let (significand, mut exponent) = (&text[..split], &text[split + 1..]);
    if let [rest @ .., b'f' | b'F' | b'd' | b'D'] = exponent {
        exponent = rest;
    }
    let mut exponent = exponent_digits(exponent)?;
    let mut mantissa: u64 = 0;
    let mut lost_bits = false;
    let mut n_digits = 0;
    let mut seen_point = false;
    for byte in significand {
        if *byte == b'.' && !seen_point {
            seen_point = true;
            continue;
        }
        let digit = char::from(*byte).to_digit(16)?;
        n_digits += 1;
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | u64::from(digit);
            exponent -= if seen_point { 4 } else { 0 };
        } else {
            lost_bits |= digit != 0;
            exponent += if seen_point { 0 } else { 4 };
        }
    }
    if n_digits == 0 {
        return None;
    }
    let value = rounded_binary(mantissa, lost_bits, exponent);
    Some(if negative { -value } else { value })
}

/// The double nearest to `mantissa × 2^exponent` (ties to even), where `lost_bits` says that more was cut off.
fn rounded_binary(mantissa: u64, lost_bits: bool, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let leading = i64::from(63 - mantissa.leading_zeros());
    let top = leading + exponent; // the value lies in [2^top, 2^(top+1))
    if top > 1023 {
        return f64::INFINITY;
    }
    if top < -1075 {
        return 0.0;
    }
    // Bits that stay: 53, fewer for subnormals.
    let keep = if top >= -1022 { 53 } else { 53 - (-1022 - top) };
    let drop = leading + 1 - keep;
    let kept = if drop <= 0 {
        mantissa << -drop
    } else {
        let whole = if drop >= 64 { 0 } else { mantissa >> drop };
        let rest = if drop >= 64 { mantissa } else { mantissa & ((1u64 << drop) - 1) };
        let half = 1u64 << (drop - 1);
        let up = rest > half || (rest == half && (lost_bits || whole & 1 == 1));
        whole + u64::from(up)
    };
    // `kept` has at most 54 bits and the scale is a power of two in two steps, so both products are exact.
    let scale = exponent + drop.min(0) + drop.max(0);
    let half_scale = scale / 2;
    kept as f64 * 2f64.powi(half_scale as i32) * 2f64.powi((scale - half_scale) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::dice::dice;
    use crate::codec::number::{parse_long, parse_long_at};

    /// Texts and the bits that `java.lang.Double.parseDouble` (JDK 17) gives; `None` where it throws.
    #[test]
    fn doubles_are_read_as_java_reads_them() {
        let cases: &[(&str, Option<f64>)] = &[
            ("1", Some(1.0)),
            ("-0.1189", Some(-0.1189)),
            ("+.5", Some(0.5)),
            ("5.", Some(5.0)),
            (".", None),
            ("", None),
            (" ", None),
            ("1e3", Some(1e3)),
            ("1E-3", Some(1e-3)),
            ("1e", None),
            ("e5", None),
            ("1f", Some(1.0)),
            ("1D", Some(1.0)),
            ("1ff", None),
            ("f", None),
            ("0x10p0", Some(16.0)),
            ("0x1.8p1", Some(3.0)),
            ("-0X.1P4d", Some(-1.0)),
            ("0x10", None),
            ("0x1p-1074", Some(f64::from_bits(1))),
            ("0x1p-1075", Some(0.0)),
            ("0x1.8p-1075", Some(f64::from_bits(1))),
            ("0x1.fffffffffffffp1023", Some(f64::MAX)),
            ("0x1.fffffffffffff8p1023", Some(f64::INFINITY)),
            ("0x1.00000000000008p0", Some(1.0)),
            ("0x1.000000000000080000000001p0", Some(f64::from_bits(0x3ff0_0000_0000_0001))),
            (" NaN", Some(f64::NAN)),
            ("\tInfinity\n", Some(f64::INFINITY)),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("infinity", None),
            ("Inf", None),
            ("nan", None),
            ("1_0", None),
            ("1,5", None),
            ("1 2", None),
            ("--1", None),
            ("1..2", None),
            ("1.2.3", None),
            ("12345678.87654321", Some(12345678.87654321)),
            ("9007199254740993", Some(9007199254740992.0)),
            ("1e400", Some(f64::INFINITY)),
            ("1e-400", Some(0.0)),
            ("1e99999999999999999999", Some(f64::INFINITY)),
            ("123456789012345678901234567890", Some(123456789012345678901234567890.0)),
            ("2.2250738585072012e-308", Some(2.2250738585072014e-308)),
            ("11.350406535", Some(11.350406535)),
        ];
        for (text, expected) in cases {
            check_double(text, *expected);
        }
    }

    fn read_at(input: &[u8], start: usize, len: usize) -> Option<f64> {
        match short_decimal_at(input, start, len) {
            Some(decimal) => Some(decimal.to_double()),
            None => parse_double(&input[start..start + len]),
        }
    }

    /// Reads through both entrances, the slice and the position within a longer input.
    #[track_caller]
    fn check_double(text: &str, expected: Option<f64>) {
        let same = |got: Option<f64>| got.map(f64::to_bits) == expected.map(f64::to_bits);
        let alone = parse_double(text.as_bytes());
        assert!(same(alone), "{text:?}: expected {expected:?}, got {alone:?}");
        for tail in ["", ",", ".5,678901234567890", "99999999999999999999"] {
            let input = format!("7.{text}{tail}");
            let within = read_at(input.as_bytes(), 2, text.len());
            assert!(same(within), "{text:?} before {tail:?}: expected {expected:?}, got {within:?}");
        }
    }

    #[test]
    fn the_fast_path_reads_every_short_decimal_like_the_slow_one() {
        let mut next = dice(1);
        let alphabet = b"0123456789012345678901234567890123456789..-+eE";
        for _ in 0..200_000 {
            let len = 1 + next(18);
            let mut text: Vec<u8> = (0..len).map(|_| alphabet[next(alphabet.len())]).collect();
            let expected = parse_double(&text).map(f64::to_bits);
            let strict = decimal_parts(text.strip_prefix(b"-").unwrap_or(&text), false)
                .and_then(|_| fast_float2::parse::<f64, _>(&text).ok())
                .map(f64::to_bits);
            assert!(strict.is_none() || strict == expected, "{}", String::from_utf8_lossy(&text));
            text.extend_from_slice(b",1234567890123456");
            let got = read_at(&text, 0, len).map(f64::to_bits);
            assert_eq!(got, expected, "{}", String::from_utf8_lossy(&text[..len]));
            assert_eq!(
                parse_long_at(&text, 0, len),
                parse_long(&text[..len]),
                "{}",
                String::from_utf8_lossy(&text[..len])
            );
        }
    }
}
