//! Reads numbers of up to sixteen characters at once, by AVX2.
//!
//! The characters that end with the number are loaded as one vector, so that the digits of all numbers stand at the same
//! places, ones last; what stands before the number is made zero. Three multiplications then sum up neighbours: digits
//! to pairs, pairs to fours, fours to eights.
//!
//! `None` means "not for me": longer numbers, signs and blanks, exponents, numbers near the beginning of the input, and
//! all that is no number. The slow paths decide about them, and of all others they would say the same.

use std::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_cvtsi128_si64, _mm_madd_epi16, _mm_maddubs_epi16, _mm_movemask_epi8,
    _mm_packus_epi32, _mm_set_epi64x, _mm_set1_epi8, _mm_set1_epi16, _mm_set1_epi32, _mm_shuffle_epi8, _mm_sub_epi8,
    _mm_subs_epu8, _mm_testz_si128,
};

use super::double::ShortDecimal;

/// What depends on where the digits and the point are; all in one place, so that one address is enough for all.
struct Tables {
    /// The sixteen bytes from byte `n` on keep the last `n` of sixteen characters.
    last: [u8; 32],
    /// Moves what is before the point at this place towards the end by one, over the point; 16 leaves all as it is.
    over_point: [[u8; 16]; 17],
    /// What the digits of a number with its point at this place are divided by; 16 is no point. The second are for
    /// negative numbers.
    divisors: [[f64; 17]; 2],
}

static TABLES: Tables = Tables { last: last(), over_point: over_point(), divisors: divisors() };

const fn last() -> [u8; 32] {
    let mut mask = [0; 32];
    let mut i = 16;
    while i < 32 {
        mask[i] = u8::MAX;
        i += 1;
    }
    mask
}

const fn over_point() -> [[u8; 16]; 17] {
    /// The index that makes a byte zero.
    const ZERO: u8 = 0x80;
    let mut moves = [[0; 16]; 17];
    let mut point = 0;
    while point <= 16 {
        let mut i = 0;
        while i < 16 {
            moves[point][i] = match (point < 16 && i <= point, i) {
                (true, 0) => ZERO,
                (true, _) => i as u8 - 1,
                (false, _) => i as u8,
            };
            i += 1;
        }
        point += 1;
    }
    moves
}

const fn divisors() -> [[f64; 17]; 2] {
    let mut divisors = [[1.0; 17]; 2];
    let mut point = 16;
    let mut power = 1.0;
    while point > 0 {
        point -= 1;
        divisors[0][point] = power;
        power *= 10.0;
    }
    let mut i = 0;
    while i < 17 {
        divisors[1][i] = -divisors[0][i];
        i += 1;
    }
    divisors
}

/// Reads the integer in `input[start..start + len]`.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(crate) fn long(input: &[u8], start: usize, len: usize) -> Option<i64> {
    let characters = characters(input, start, len)?;
    match number_of(digits(characters, len)) {
        Some(value) => Some(value),
        None => negative_long(characters, len),
    }
}

#[cold]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn negative_long(characters: &[u8; 16], len: usize) -> Option<i64> {
    match len > 1 && characters[16 - len] == b'-' {
        true => Some(-number_of(digits(characters, len - 1))?),
        false => None,
    }
}

/// Reads the decimal in `input[start..start + len]`.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(crate) fn short_decimal(input: &[u8], start: usize, len: usize) -> Option<ShortDecimal> {
    let characters = characters(input, start, len)?;
    let is_negative = usize::from(characters[16 - len] == b'-');
    let n = len - is_negative;
    let digits = digits(characters, n);
    let points = _mm_cmpeq_epi8(digits, _mm_set1_epi8(b'.'.wrapping_sub(b'0') as i8));
    let point = (_mm_movemask_epi8(points) as u32 | 1 << 16).trailing_zeros() as usize;
    let (high, low) = eights(_mm_shuffle_epi8(digits, vector(&TABLES.over_point[point])))?;
    let n_digits = n - usize::from(point < 16);
    if n_digits == 0 || high >= ShortDecimal::HIGH_END {
        return None;
    }
    Some(ShortDecimal { high, low, divisor: TABLES.divisors[is_negative][point] })
}

/// The sixteen characters that end with the `len` (1 to 16) from `start` on.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn characters(input: &[u8], start: usize, len: usize) -> Option<&[u8; 16]> {
    if len.wrapping_sub(1) >= 16 {
        return None;
    }
    let end = start + len;
    input.get(end.checked_sub(16)?..end)?.first_chunk()
}

/// The values of the last `n` (0 to 16) characters, if they are digits, behind zeros.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn digits(characters: &[u8; 16], n: usize) -> __m128i {
    let values = _mm_sub_epi8(vector(characters), _mm_set1_epi8(b'0' as i8));
    _mm_and_si128(values, vector(TABLES.last[n..].first_chunk().expect("sixteen bytes behind the first sixteen")))
}

/// The number that sixteen digits write; `None` when one is none.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn number_of(digits: __m128i) -> Option<i64> {
    let (high, low) = eights(digits)?;
    Some(i64::from(high) * 100_000_000 + i64::from(low))
}

/// The numbers that the first and the last eight of sixteen digits write; `None` when one is none.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn eights(digits: __m128i) -> Option<(u32, u32)> {
    let others = _mm_subs_epu8(digits, _mm_set1_epi8(9));
    if _mm_testz_si128(others, others) == 0 {
        return None;
    }
    let pairs = _mm_maddubs_epi16(digits, _mm_set1_epi16(i16::from_le_bytes([10, 1])));
    let fours = _mm_madd_epi16(pairs, _mm_set1_epi32(100 | 1 << 16));
    let eights = _mm_madd_epi16(_mm_packus_epi32(fours, fours), _mm_set1_epi32(10_000 | 1 << 16));
    let both = _mm_cvtsi128_si64(eights) as u64;
    Some((both as u32, (both >> 32) as u32))
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn vector(bytes: &[u8; 16]) -> __m128i {
    let word = u128::from_le_bytes(*bytes);
    _mm_set_epi64x((word >> 64) as i64, word as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::cpu::Avx2;
    use crate::codec::dice::dice;
    use crate::codec::number::{parse_double, parse_long};

    fn to_double(decimal: ShortDecimal) -> f64 {
        let mut doubles = [0.0];
        ShortDecimal::to_doubles(&[decimal], &mut doubles);
        doubles[0]
    }

    #[allow(unsafe_code, reason = "the processor has been asked")]
    #[test]
    fn what_is_read_at_once_is_what_the_slow_paths_read() {
        if Avx2::detect().is_none() {
            return;
        }
        let mut next = dice(1);
        let alphabet = b"0123456789012345678901234567890123456789012345678901234567890123456789..-+e \xD9/:";
        let (mut n_longs, mut n_doubles) = (0, 0);
        for _ in 0..300_000 {
            let before = next(18);
            let len = 1 + next(18);
            let mut random = |n: usize| (0..n).map(|_| alphabet[next(alphabet.len())]).collect();
            let texts: [Vec<u8>; 3] = [random(before), random(len), random(3)];
            let (input, text) = (texts.concat(), &texts[1]);
            let shown = String::from_utf8_lossy(text);
            if let Some(value) = unsafe { long(&input, before, len) } {
                assert_eq!(Some(value), parse_long(text), "{shown}");
                n_longs += 1;
            }
            if let Some(value) = unsafe { short_decimal(&input, before, len) }.map(to_double) {
                assert_eq!(Some(value.to_bits()), parse_double(text).map(f64::to_bits), "{shown}");
                n_doubles += 1;
            }
        }
        assert!(n_longs > 30_000 && n_doubles > 50_000, "{n_longs} {n_doubles}");
    }

    #[allow(unsafe_code, reason = "the processor has been asked")]
    #[test]
    fn borders_of_what_is_read_at_once() {
        if Avx2::detect().is_none() {
            return;
        }
        let read = |text: &str| {
            let input = format!("................{text}");
            let at = (input.as_bytes(), 16, text.len());
            unsafe { (long(at.0, at.1, at.2), short_decimal(at.0, at.1, at.2).map(to_double)) }
        };
        assert_eq!(read("9999999999999999"), (Some(9_999_999_999_999_999), None));
        assert_eq!(read("9007199199999999"), (Some(9_007_199_199_999_999), Some(9_007_199_199_999_999.0)));
        assert_eq!(read("9007199254740993"), (Some(9_007_199_254_740_993), None));
        assert_eq!(read("00000000000000001"), (None, None));
        assert_eq!(read("-123456789012345"), (Some(-123_456_789_012_345), Some(-123_456_789_012_345.0)));
        assert_eq!(read("-1234567890123456"), (None, None));
        assert_eq!(read(".000000000000001"), (None, Some(1e-15)));
        assert_eq!(read("5."), (None, Some(5.0)));
        assert_eq!(read("."), (None, None));
        assert_eq!(read("-"), (None, None));
        assert_eq!(read("-."), (None, None));
        assert_eq!(read("--1"), (None, None));
        assert_eq!(read("1.2.3"), (None, None));
        assert_eq!(read("-0").1.map(f64::to_bits), Some((-0.0f64).to_bits()));
    }
}
