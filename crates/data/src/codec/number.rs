//! Numbers as Java reads and prints them.
//!
//! Spark hands the text of a field to `Integer.parseInt`, `Long.parseLong`, `Double.parseDouble` and their brothers,
//! and prints a double with `Double.toString`. The functions here accept and print the same texts.
//!
//! Advice before changing the parsers: every field of every row passes here. The fast paths read eight or sixteen
//! bytes at once and give up (`None`) on anything unusual; the slow paths are the definition of what is right, and a
//! fast path may only answer what the slow one would.

/// Exactly representable powers of ten: `10^0` to `10^22`.
const POW10: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Largest integer below which every integer is a double.
const MAX_EXACT: u64 = 1 << 53;

/// Zeros of the scripts whose digits Java takes for digits in integers (category Nd, 16-bit characters).
const ZEROS: [u32; 36] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50,
    0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50,
    0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
];

/// Reads a decimal integer as `Long.parseLong` does: an optional sign and digits of any script, nothing else.
///
/// `None` on an empty text, any other character (blanks too) and on overflow of 64 bits.
#[inline]
pub fn parse_long(text: &[u8]) -> Option<i64> {
    match text.is_ascii() {
        true => parse_ascii_long(text),
        false => parse_ascii_long(&ascii_digits(text)?),
    }
}

/// A text of digits of any script in ASCII digits.
#[cold]
fn ascii_digits(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |c: char| match c {
        c if c.is_ascii() => Some(c as u8),
        c => ZEROS
            .iter()
            .find_map(|zero| (c as u32).checked_sub(*zero).filter(|digit| *digit < 10).map(|digit| b'0' + digit as u8)),
    };
    std::str::from_utf8(text).ok()?.chars().map(digit).collect()
}

#[inline]
fn parse_ascii_long(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value: i64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Counting downwards, because the smallest long has no positive brother.
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// Reads a decimal integer as `Integer.parseInt` does; see [`parse_long`].
#[inline]
pub fn parse_int(text: &[u8]) -> Option<i32> {
    parse_long(text)?.try_into().ok()
}

/// Reads up to eight ASCII digits at `start` of `input` at once.
///
/// `None` when there are none or more than eight, when one is not a digit, or too near the end of `input` to read
/// eight bytes; the caller then takes the slow path.
#[inline]
fn short_digits(input: &[u8], start: usize, len: usize) -> Option<u32> {
    if len == 0 || len > 8 {
        return None;
    }
    let bytes: [u8; 8] = input.get(start..start + 8)?.try_into().ok()?;
    eight_digits(left_padded(u64::from_le_bytes(bytes), len))
}

/// Moves the first `len` (1 to 8) bytes of `word` to its end and fills the front with the digit zero.
#[inline]
fn left_padded(word: u64, len: usize) -> u64 {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let shift = 64 - 8 * len as u32;
    (word << shift) | ((ZEROS >> (8 * (len as u32 - 1))) >> 8)
}

/// The number that eight ASCII digits in a little-endian word write; `None` when one is not a digit.
#[inline]
fn eight_digits(word: u64) -> Option<u32> {
    let digits = word.wrapping_sub(0x3030_3030_3030_3030);
    // A byte below '0' borrows into its top bit, one above '9' is carried into it.
    let others = (word.wrapping_add(0x4646_4646_4646_4646) | digits) & 0x8080_8080_8080_8080;
    if others != 0 {
        return None;
    }
    let pairs = (digits.wrapping_mul(10)).wrapping_add(digits >> 8);
    let low = (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(100 + (1_000_000 << 32));
    let high = ((pairs >> 16) & 0x0000_00FF_0000_00FF).wrapping_mul(1 + (10_000 << 32));
    Some((low.wrapping_add(high) >> 32) as u32)
}

/// Reads the integer in `input[start..start + len]`; the same answer as [`parse_long`] on that slice.
#[inline(always)]
pub(crate) fn parse_long_at(input: &[u8], start: usize, len: usize) -> Option<i64> {
    match short_digits(input, start, len) {
        Some(value) => Some(i64::from(value)),
        None => parse_long_slowly(input, start, len),
    }
}

#[inline(never)]
fn parse_long_slowly(input: &[u8], start: usize, len: usize) -> Option<i64> {
    if len > 1 && input[start] == b'-' {
        if let Some(value) = short_digits(input, start + 1, len - 1) {
            return Some(-i64::from(value));
        }
    }
    parse_long(&input[start..start + len])
}

/// Reads the double in `input[start..start + len]`; the same answer as [`parse_double`] on that slice.
#[inline]
pub(crate) fn parse_double_at(input: &[u8], start: usize, len: usize) -> Option<f64> {
    if len == 0 {
        return None;
    }
    let negative = input[start] == b'-';
    let skip = usize::from(negative);
    if let Some(value) = short_decimal(input, start + skip, len - skip) {
        return Some(if negative { -value } else { value });
    }
    parse_double(&input[start..start + len])
}

/// Digits with at most one point among them, up to sixteen bytes; `None` for anything else.
///
/// The digits without the point are an integer below 10^16, checked to be exact; the power of ten is exact as well;
/// so one division rounds correctly.
#[inline]
fn short_decimal(input: &[u8], start: usize, len: usize) -> Option<f64> {
    if len == 0 || len > 16 {
        return None;
    }
    if len <= 8 {
        let bytes: [u8; 8] = input.get(start..start + 8)?.try_into().ok()?;
        let word = u64::from_le_bytes(bytes);
        let points = bytes_equal(word, b'.') & low_bytes(len);
        if points == 0 {
            return eight_digits(left_padded(word, len)).map(f64::from);
        }
        if len == 1 {
            return None;
        }
        let point = points.trailing_zeros() / 8;
        let before = word & ((1u64 << (8 * point)) - 1);
        // Everything after the point moves one byte to the front; a second point fails as a digit.
        let after = (word >> 8) & !((1u64 << (8 * point)) - 1);
        let mantissa = eight_digits(left_padded(before | after, len - 1))?;
        let decimals = len - 1 - point as usize;
        return Some(f64::from(mantissa) / POW10[decimals]);
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
    let mantissa = u64::from(high) * 100_000_000 + u64::from(low);
    if mantissa > MAX_EXACT {
        return None;
    }
    Some(mantissa as f64 / POW10[decimals])
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
fn exponent_digits(text: &[u8]) -> Option<i64> {
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

/// Appends the shortest text that reads back to the same double, in Java's form.
///
/// `1.0`, `0.001`, `1.0E7`, `1.0E-4`, `NaN`, `Infinity`, `-Infinity`, `-0.0`. Same as `Double.toString` since JDK 19.
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else {
        let mut buffer = ryu::Buffer::new();
        let shortest = buffer.format_finite(value);
        // Java prints two digits at least, and of the last subnormals the nearest two: 4.9E-324, not 5.0E-324.
        match value.is_subnormal() && !shortest.contains('.') {
            true => write_java_form(out, &format!("{value:.1e}")),
            false => write_java_form(out, shortest),
        }
    }
}

/// Appends the shortest text that reads back to the same float, in Java's form; see [`write_double`].
pub fn write_float(out: &mut Vec<u8>, value: f32) {
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    } else {
        let mut buffer = ryu::Buffer::new();
        let shortest = buffer.format_finite(value);
        match value.is_subnormal() && !shortest.contains('.') {
            true => write_java_form(out, &format!("{value:.1e}")),
            false => write_java_form(out, shortest),
        }
    }
}

/// The double as Spark's `CAST(x AS STRING)` prints it; StringIndexer's label of a number.
///
/// Spark prints with the `Double.toString` of the JVM it runs on. Same as a JVM of 19 and later, and as older ones
/// wherever those print the shortest digits; they print a few doubles with a digit too many (`2.0E-3` as `0.0020` is
/// the famous one of the very old).
pub fn double_to_spark_string(value: f64) -> String {
    let mut out = Vec::with_capacity(24);
    write_double(&mut out, value);
    String::from_utf8(out).expect("digits, signs and letters are ASCII")
}

/// Rewrites a plain or scientific shortest text in Java's form: plain from 10^-3 up to below 10^7, `d.dddE±x` else.
fn write_java_form(out: &mut Vec<u8>, shortest: &str) {
    let shortest = shortest.as_bytes();
    let (negative, unsigned) = match shortest {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, shortest),
    };
    let (plain, exponent) = match unsigned.iter().position(|b| *b == b'e') {
        Some(split) => (&unsigned[..split], exponent_digits(&unsigned[split + 1..]).unwrap_or(0)),
        None => (unsigned, 0),
    };
    // Seventeen digits at most, and up to a few zeros around them.
    let mut digits = [0u8; 40];
    let mut n_digits = 0;
    let mut point = None;
    for byte in plain {
        if *byte == b'.' {
            point = Some(n_digits as i64);
        } else {
            digits[n_digits] = *byte;
            n_digits += 1;
        }
    }
    let mut magnitude = point.unwrap_or(n_digits as i64) + exponent; // digits before the point
    let leading_zeros = digits[..n_digits].iter().take_while(|b| **b == b'0').count();
    let mut digits = &digits[leading_zeros..n_digits];
    magnitude -= leading_zeros as i64;
    while let [rest @ .., b'0'] = digits {
        digits = rest;
    }
    if negative {
        out.push(b'-');
    }
    if digits.is_empty() {
        out.extend_from_slice(b"0.0");
        return;
    }
    match magnitude {
        1..=7 => {
            let whole = magnitude as usize;
            if digits.len() <= whole {
                out.extend_from_slice(digits);
                out.extend(std::iter::repeat_n(b'0', whole - digits.len()));
                out.extend_from_slice(b".0");
            } else {
                out.extend_from_slice(&digits[..whole]);
                out.push(b'.');
                out.extend_from_slice(&digits[whole..]);
            }
        }
        -2..=0 => {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', -magnitude as usize));
            out.extend_from_slice(digits);
        }
        _ => {
            out.push(digits[0]);
            out.push(b'.');
            out.extend_from_slice(if digits.len() > 1 { &digits[1..] } else { b"0" });
            out.push(b'E');
            write_long(out, magnitude - 1);
        }
    }
}

/// Appends a decimal integer.
pub fn write_long(out: &mut Vec<u8>, value: i64) {
    let mut buffer = [0u8; 20];
    let mut at = buffer.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&buffer[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Reads through both entrances, the slice and the position within a longer input.
    #[track_caller]
    fn check_double(text: &str, expected: Option<f64>) {
        let same = |got: Option<f64>| got.map(f64::to_bits) == expected.map(f64::to_bits);
        let alone = parse_double(text.as_bytes());
        assert!(same(alone), "{text:?}: expected {expected:?}, got {alone:?}");
        for tail in ["", ",", ".5,678901234567890", "99999999999999999999"] {
            let input = format!("7.{text}{tail}");
            let within = parse_double_at(input.as_bytes(), 2, text.len());
            assert!(same(within), "{text:?} before {tail:?}: expected {expected:?}, got {within:?}");
        }
    }

    #[test]
    fn the_fast_path_reads_every_short_decimal_like_the_slow_one() {
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        let mut next = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let alphabet = b"0123456789012345678901234567890123456789..-+eE";
        for _ in 0..200_000 {
            let len = 1 + next(18) as usize;
            let mut text: Vec<u8> = (0..len).map(|_| alphabet[next(alphabet.len() as u64) as usize]).collect();
            let expected = parse_double(&text).map(f64::to_bits);
            let strict = decimal_parts(text.strip_prefix(b"-").unwrap_or(&text), false)
                .and_then(|_| fast_float2::parse::<f64, _>(&text).ok())
                .map(f64::to_bits);
            assert!(strict.is_none() || strict == expected, "{}", String::from_utf8_lossy(&text));
            text.extend_from_slice(b",1234567890123456");
            let got = parse_double_at(&text, 0, len).map(f64::to_bits);
            assert_eq!(got, expected, "{}", String::from_utf8_lossy(&text[..len]));
            assert_eq!(
                parse_long_at(&text, 0, len),
                parse_long(&text[..len]),
                "{}",
                String::from_utf8_lossy(&text[..len])
            );
        }
    }

    #[test]
    fn integers_are_read_as_java_reads_them() {
        let cases: &[(&str, Option<i64>)] = &[
            ("0", Some(0)),
            ("-0", Some(0)),
            ("+1", Some(1)),
            ("01", Some(1)),
            ("", None),
            ("-", None),
            ("+", None),
            (" 1", None),
            ("1 ", None),
            ("1.0", None),
            ("1e3", None),
            ("0x1", None),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("-9223372036854775808", Some(i64::MIN)),
            ("-9223372036854775809", None),
            ("12345678", Some(12345678)),
            ("-87654321", Some(-87654321)),
            ("123456789", Some(123456789)),
            ("١٢", Some(12)),
            ("-１", Some(-1)),
            ("Ⅷ", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_long(text.as_bytes()), *expected, "{text:?}");
            let input = format!("{text},99999999");
            assert_eq!(parse_long_at(input.as_bytes(), 0, text.len()), *expected, "{text:?} within");
        }
        assert_eq!(parse_int(b"2147483647"), Some(i32::MAX));
        assert_eq!(parse_int(b"2147483648"), None);
        assert_eq!(parse_int(b"-2147483648"), Some(i32::MIN));
    }

    #[test]
    fn doubles_are_printed_in_javas_form() {
        let cases: &[(f64, &str)] = &[
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (1e-6, "1.0E-6"),
            (123.456, "123.456"),
            (9999999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1e10, "1.0E10"),
            (12345678.9, "1.23456789E7"),
            (-1.5e300, "-1.5E300"),
            (5e-324, "4.9E-324"),
            (1.7976931348623157e308, "1.7976931348623157E308"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, expected) in cases {
            assert_eq!(double_to_spark_string(*value), *expected);
        }
    }
}
