//! Finds the bytes that divide a text, 64 bytes at a time, as the bits of a word.

use super::options::CsvOptions;

/// The bytes that are looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Needles {
    pub(super) sep: u8,
    /// The separator itself when quoting is off.
    pub(super) quote: u8,
    /// The two bytes that end a line; the same one twice when only one does.
    pub(super) line_ends: [u8; 2],
}

/// Where they are among 64 bytes: bit `i` tells of byte `i`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marks {
    /// Separators and line ends.
    pub(super) borders: u64,
    pub(super) line_ends: u64,
    /// Quotes that are no borders.
    pub(super) quotes: u64,
}

impl Marks {
    fn of(seps: u64, line_ends: u64, quotes: u64) -> Self {
        let borders = seps | line_ends;
        Marks { borders, line_ends, quotes: quotes & !borders }
    }

    /// Without what is not among the first `n` (1 to 64) bytes.
    fn among_first(self, n: usize) -> Self {
        let first = u64::MAX >> (64 - n);
        Marks { borders: self.borders & first, line_ends: self.line_ends & first, quotes: self.quotes & first }
    }
}

/// The marks of the up to 64 bytes from `base` on, by a function for 64 bytes.
#[inline(always)]
pub(super) fn marks_at(input: &[u8], base: usize, marks_of: impl Fn(&[u8; 64]) -> Marks) -> Marks {
    let rest = &input[base..];
    match rest.first_chunk::<64>() {
        Some(chunk) => marks_of(chunk),
        None => {
            let mut chunk = [0u8; 64];
            chunk[..rest.len()].copy_from_slice(rest);
            marks_of(&chunk).among_first(rest.len())
        }
    }
}

impl Needles {
    pub(super) fn new(options: &CsvOptions) -> Self {
        let sep = options.sep.as_bytes()[0];
        Needles {
            sep,
            quote: options.quote.map_or(sep, |c| c as u8),
            line_ends: if options.line_sep.is_some() { [b'\n'; 2] } else { [b'\n', b'\r'] },
        }
    }

    /// For every processor of this kind.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(super) fn find(&self, chunk: &[u8; 64]) -> Marks {
        #[allow(unsafe_code, reason = "every x86_64 has SSE2")]
        unsafe {
            sse2::find(self, chunk)
        }
    }

    /// For every processor of this kind.
    #[cfg(not(target_arch = "x86_64"))]
    #[inline(always)]
    pub(super) fn find(&self, chunk: &[u8; 64]) -> Marks {
        self.find_portably(chunk)
    }

    #[cfg(any(test, not(target_arch = "x86_64")))]
    fn find_portably(&self, chunk: &[u8; 64]) -> Marks {
        let [first, second] = self.line_ends;
        Marks::of(
            gather(chunk.map(|byte| byte == self.sep)),
            gather(chunk.map(|byte| (byte == first) | (byte == second))),
            gather(chunk.map(|byte| byte == self.quote)),
        )
    }
}

/// Compilers make vector instructions of the comparisons; the hits of eight bytes are gathered by a multiplication.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn gather(hits: [bool; 64]) -> u64 {
    let mut marks = 0;
    for (i, eight) in hits.map(u8::from).chunks_exact(8).enumerate() {
        let word = u64::from_le_bytes(eight.try_into().expect("chunks of 8 bytes"));
        marks |= (word.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
    }
    marks
}

#[cfg(target_arch = "x86_64")]
mod sse2 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_or_si128, _mm_set_epi64x, _mm_set1_epi8};

    use super::{Marks, Needles};

    #[inline]
    #[target_feature(enable = "sse2")]
    pub(super) fn find(needles: &Needles, chunk: &[u8; 64]) -> Marks {
        let sep = _mm_set1_epi8(needles.sep as i8);
        let quote = _mm_set1_epi8(needles.quote as i8);
        let [first, second] = needles.line_ends.map(|byte| _mm_set1_epi8(byte as i8));
        let (mut seps, mut line_ends, mut quotes) = (0, 0, 0);
        for i in 0..4 {
            let word = u128::from_le_bytes(*chunk[16 * i..].first_chunk().expect("sixteen bytes of the 64"));
            let bytes = _mm_set_epi64x((word >> 64) as i64, word as i64);
            let bits = |hits| u64::from(_mm_movemask_epi8(hits) as u32) << (16 * i);
            seps |= bits(_mm_cmpeq_epi8(bytes, sep));
            line_ends |= bits(_mm_or_si128(_mm_cmpeq_epi8(bytes, first), _mm_cmpeq_epi8(bytes, second)));
            quotes |= bits(_mm_cmpeq_epi8(bytes, quote));
        }
        Marks::of(seps, line_ends, quotes)
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod avx2 {
    use std::arch::x86_64::{
        _MM_HINT_T0, _mm_prefetch, _mm_set_epi64x, _mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set_m128i, _mm256_set1_epi8,
    };

    use super::{Marks, Needles};

    /// How far ahead memory is asked for.
    const AHEAD_BYTES: usize = 2048;

    /// Asks for what comes a few lines of text later: the scan waits for memory otherwise, at every page above all.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn prefetch(chunk: &[u8; 64]) {
        _mm_prefetch::<_MM_HINT_T0>(chunk.as_ptr().wrapping_add(AHEAD_BYTES).cast());
    }

    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    pub(in super::super) fn find(needles: &Needles, chunk: &[u8; 64]) -> Marks {
        prefetch(chunk);
        let sep = _mm256_set1_epi8(needles.sep as i8);
        let quote = _mm256_set1_epi8(needles.quote as i8);
        let first = _mm256_set1_epi8(needles.line_ends[0] as i8);
        let second = _mm256_set1_epi8(needles.line_ends[1] as i8);
        let (mut seps, mut line_ends, mut quotes) = (0, 0, 0);
        for i in 0..2 {
            let half = |at: usize| {
                let word = u128::from_le_bytes(*chunk[at..].first_chunk().expect("sixteen bytes of the 64"));
                _mm_set_epi64x((word >> 64) as i64, word as i64)
            };
            let bytes = _mm256_set_m128i(half(32 * i + 16), half(32 * i));
            let bits = |hits| u64::from(_mm256_movemask_epi8(hits) as u32) << (32 * i);
            seps |= bits(_mm256_cmpeq_epi8(bytes, sep));
            line_ends |= bits(_mm256_or_si256(_mm256_cmpeq_epi8(bytes, first), _mm256_cmpeq_epi8(bytes, second)));
            quotes |= bits(_mm256_cmpeq_epi8(bytes, quote));
        }
        Marks::of(seps, line_ends, quotes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::dice::dice;

    const NEEDLES: Needles = Needles { sep: b',', quote: b'"', line_ends: [b'\n', b'\r'] };

    #[test]
    fn marks_are_the_bits_of_borders_line_ends_and_quotes() {
        let mut chunk = [b'x'; 64];
        for (i, byte) in [(0, b','), (7, b'\n'), (8, b'\r'), (31, b'"'), (63, b',')] {
            chunk[i] = byte;
        }
        let line_ends = 1 << 7 | 1 << 8;
        let expected = Marks { borders: 1 | line_ends | 1 << 63, line_ends, quotes: 1 << 31 };
        assert_eq!(NEEDLES.find(&chunk), expected);
        assert_eq!(marks_at(&chunk, 1, |c| NEEDLES.find(c)).borders, line_ends >> 1 | 1 << 62);
        assert_eq!(marks_at(&chunk[..63], 0, |c| NEEDLES.find(c)).borders, 1 | line_ends);
    }

    #[test]
    fn without_quoting_there_are_no_quotes() {
        let found = Needles { quote: b',', ..NEEDLES }.find(&[b','; 64]);
        assert_eq!(found, Marks { borders: u64::MAX, line_ends: 0, quotes: 0 });
    }

    #[test]
    fn every_processor_finds_the_same() {
        let mut next = dice(1);
        for _ in 0..10_000 {
            let chunk = [0u8; 64].map(|_| b",\"\n\r-x\0\xFF"[next(8)]);
            let expected = NEEDLES.find_portably(&chunk);
            assert_eq!(NEEDLES.find(&chunk), expected);
            #[cfg(target_arch = "x86_64")]
            if crate::codec::cpu::Avx2::detect().is_some() {
                #[allow(unsafe_code, reason = "the processor has been asked")]
                let found = unsafe { avx2::find(&NEEDLES, &chunk) };
                assert_eq!(found, expected);
            }
        }
    }
}
