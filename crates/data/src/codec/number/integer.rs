//! Integers as Java reads them.

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
    if len > 1
        && input[start] == b'-'
        && let Some(value) = short_digits(input, start + 1, len - 1)
    {
        return Some(-i64::from(value));
    }
    parse_long(&input[start..start + len])
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
pub(super) fn left_padded(word: u64, len: usize) -> u64 {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let shift = 64 - 8 * len as u32;
    (word << shift) | ((ZEROS >> (8 * (len as u32 - 1))) >> 8)
}

/// The number that eight ASCII digits in a little-endian word write; `None` when one is not a digit.
#[inline]
pub(super) fn eight_digits(word: u64) -> Option<u32> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
