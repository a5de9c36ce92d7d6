//! Values that are as most are, found by looking at many bytes at once: numbers of few digits, strings without escapes,
//! words.
//!
//! None means "not for me", right or wrong: [`Reader`](super::reader::Reader) decides about all else, and of what is found
//! here it would say the same under all options.

use super::reader::Kind;

/// Start and length of the plain value that begins here. What stands behind it is to be looked at by who asks: a word ends
/// only where a mark or a blank follows.
#[inline(always)]
pub(super) fn plain_value(window: &[u8], at: usize) -> Option<(usize, usize)> {
    let text = window.get(at..)?;
    let len = match text.first()? {
        b'-'..=b'9' => plain_number(text)?.0,
        b'"' => plain_string_len(text)?,
        b't' if text.starts_with(b"true") => 4,
        b'f' if text.starts_with(b"false") => 5,
        b'n' if text.starts_with(b"null") => 4,
        _ => return None,
    };
    Some((at, len))
}

/// The length, with its quotes, of a string without escapes and control characters.
#[inline(always)]
fn plain_string_len(text: &[u8]) -> Option<usize> {
    let len = plain_len(&text[1..], b'"');
    (text.get(1 + len) == Some(&b'"')).then_some(len + 2)
}

/// How many bytes stand before the next that a string between these quotes could end or be wrong with.
#[inline]
pub(super) fn plain_len(text: &[u8], quote: u8) -> usize {
    let (words, _) = text.as_chunks::<8>();
    for (n, bytes) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*bytes);
        let found = bytes_equal(word, quote) | bytes_equal(word, b'\\') | bytes_below_blank(word);
        if found != 0 {
            return 8 * n + found.trailing_zeros() as usize / 8;
        }
    }
    // What is left is looked at byte by byte.
    8 * words.len()
}

/// Length and kind of a number of few digits that ends where a number may, and has no exponent.
#[inline(always)]
pub(super) fn plain_number(text: &[u8]) -> Option<(usize, Kind)> {
    let word = u64::from_le_bytes(*text.first_chunk()?);
    let ends = bytes_but_numeric(word);
    // Most have up to seven characters and no sign. The length does not wait for the check of what it holds, so that the
    // next field is looked for meanwhile.
    if ends == 0 || text[0] == b'-' {
        return longer_plain_number(text);
    }
    let len = ends.trailing_zeros() as usize / 8;
    let others = bytes_but_digits(word.into()) as u64 & (lowest_bit(ends) - 1);
    let n_whole = match others {
        0 => len,
        _ => others.trailing_zeros() as usize / 8,
    };
    let has_point = text[n_whole] == b'.' && others == lowest_bit(others) && n_whole + 1 < len;
    let has_leading_zero = n_whole > 1 && text[0] == b'0';
    if n_whole == 0 || (others != 0 && !has_point) || has_leading_zero || !may_follow(text[len]) {
        return None;
    }
    Some((len, if others == 0 { Kind::Integer } else { Kind::Real }))
}

#[inline(always)]
fn lowest_bit(word: u64) -> u64 {
    word & word.wrapping_neg()
}

/// Whether a number ends where this follows.
#[inline(always)]
fn may_follow(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t')
}

/// The same for numbers of up to fifteen characters and negative ones.
#[inline(always)]
fn longer_plain_number(text: &[u8]) -> Option<(usize, Kind)> {
    let characters: &[u8; 16] = text.first_chunk()?;
    let mut others = bytes_but_digits(u128::from_le_bytes(*characters));
    let sign = usize::from(characters[0] == b'-');
    // The first of the marks that are left; 16 when there is none.
    let first = |others: u128| others.trailing_zeros() as usize / 8;
    if sign == 1 {
        others &= others - 1;
    }
    let mut end = first(others);
    let has_leading_zero = characters[sign] == b'0' && end > sign + 1;
    if end == sign || end >= 15 || has_leading_zero {
        return None;
    }
    let mut kind = Kind::Integer;
    if characters[end] == b'.' {
        let point = end;
        others &= others - 1;
        end = first(others);
        if end == point + 1 || end == 16 {
            return None;
        }
        kind = Kind::Real;
    }
    may_follow(characters[end]).then_some((end, kind))
}

/// A word whose bytes have their top bit set where `word` holds something else than an ASCII digit.
#[inline(always)]
fn bytes_but_digits(word: u128) -> u128 {
    const EACH: u128 = u128::MAX / 0xFF;
    let values = word ^ (EACH * 0x30);
    (((values & (EACH * 0x7F)) + EACH * 0x76) | values) & (EACH * 0x80)
}

/// The same for what stands in no number, the `/` apart.
#[inline(always)]
fn bytes_but_numeric(word: u64) -> u64 {
    let low = word & (EACH * 0x7F);
    let from_minus = low + EACH * (0x80 - b'-' as u64);
    let behind_nine = low + EACH * (0x7F - b'9' as u64);
    (!from_minus | behind_nine | word) & (EACH * 0x80)
}

/// A word whose bytes have their top bit set where `word` holds `byte`; exact for the lowest such byte.
#[inline(always)]
fn bytes_equal(word: u64, byte: u8) -> u64 {
    let others = word ^ (EACH * u64::from(byte));
    others.wrapping_sub(EACH) & !others & (EACH * 0x80)
}

/// The same for what is below the blank.
#[inline(always)]
fn bytes_below_blank(word: u64) -> u64 {
    word.wrapping_sub(EACH * 0x20) & !word & (EACH * 0x80)
}

/// A word of eight ones.
const EACH: u64 = u64::MAX / 0xFF;
