//! Finds the fields of plain lines, 64 bytes at a time.
//!
//! A plain line holds no quote at the beginning of a field. Its fields are what lies between separators, and separators
//! and line ends are found for 64 bytes at once as the bits of a word. CR and LF both end a line, so CRLF ends one and
//! leaves an empty one behind, which is no record; bare CR costs what LF costs.

use super::options::CsvOptions;
use super::tokenizer::Oddity;
use crate::codec::field::{Block, Record, Span};
use crate::codec::lines::LineCount;
use crate::codec::window::Stop;

/// What a plain line consists of.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    pub(super) sep: u8,
    /// A field that begins with it is not plain; the separator itself when quoting is off.
    pub(super) quote: u8,
    /// The two bytes that end a line; the same one twice when only one does.
    pub(super) line_ends: [u8; 2],
    pub(super) comment: Option<u8>,
    pub(super) trim_leading: bool,
    pub(super) trim_trailing: bool,
}

impl Scanner {
    pub(super) fn new(options: &CsvOptions) -> Self {
        let sep = options.sep.as_bytes()[0];
        Scanner {
            sep,
            quote: options.quote.map_or(sep, |c| c as u8),
            line_ends: if options.line_sep.is_some() { [b'\n'; 2] } else { [b'\n', b'\r'] },
            comment: options.comment.map(|c| c as u8),
            trim_leading: options.ignore_leading_white_space.unwrap_or(false),
            trim_trailing: options.ignore_trailing_white_space.unwrap_or(false),
        }
    }

    /// Adds the rows of whole plain lines in `input[from..]` to `block`, until it has `max_rows`.
    ///
    /// Lines that begin behind `last_start` are left alone. Gives the position of the first line not taken and why.
    pub(super) fn scan(
        &self,
        input: &[u8],
        from: usize,
        last_start: usize,
        max_rows: usize,
        block: &mut Block<Oddity>,
        count: &mut LineCount,
    ) -> (usize, Stop) {
        let n_cols = block.n_cols;
        let mut row_start = from;
        let mut field_start = from;
        let mut slot = block.n_rows() * n_cols;
        let mut row_slot = slot;
        let mut n_fields = 0;
        if from > last_start {
            return (from, Stop::BeyondEnd);
        }
        let mut base = from;
        while base < input.len() {
            let mut marks = self.marks(input, base);
            while marks != 0 {
                let at = base + marks.trailing_zeros() as usize;
                marks &= marks - 1;
                let byte = input[at];
                if byte == self.sep {
                    if n_fields < n_cols {
                        block.spans[slot] = Span::of_input(field_start, at - field_start);
                        slot += 1;
                    }
                    n_fields += 1;
                    field_start = at + 1;
                    continue;
                }
                if byte == self.quote {
                    if at == field_start || self.trim_leading {
                        return (row_start, Stop::Quoted);
                    }
                    continue;
                }
                let line = count.line;
                let crlf = byte == b'\n' && if at > 0 { input[at - 1] == b'\r' } else { count.after_cr };
                count.line += u64::from(!crlf || at != row_start);
                if self.is_record(&input[row_start..at]) {
                    if n_fields < n_cols {
                        block.spans[slot] = Span::of_input(field_start, at - field_start);
                    }
                    if self.trim_leading || self.trim_trailing {
                        let end = (row_slot + n_cols).min(slot + 1);
                        self.trim(input, &mut block.spans[row_slot..end], n_fields);
                    }
                    let record = Record { start: row_start as u32, len: (at - row_start) as u32, line };
                    if n_fields + 1 != n_cols {
                        if n_fields + 1 < n_cols {
                            block.open_row()[n_fields + 1..].fill(Span::NULL);
                        }
                        block.note(Oddity::FieldCount(n_fields + 1));
                    }
                    block.end_row(record);
                    row_slot += n_cols;
                }
                slot = row_slot;
                n_fields = 0;
                row_start = at + 1;
                field_start = row_start;
                if block.n_rows() >= max_rows {
                    return (row_start, Stop::Full);
                }
                if row_start > last_start {
                    return (row_start, Stop::BeyondEnd);
                }
            }
            base += 64;
        }
        (row_start, Stop::NeedMore)
    }

    /// Whether a line is a record: neither blank nor a comment.
    #[inline]
    pub(super) fn is_record(&self, line: &[u8]) -> bool {
        match line.first() {
            None => false,
            Some(first) if Some(*first) == self.comment => false,
            Some(first) if *first <= b' ' => line.iter().any(|byte| *byte > b' '),
            Some(_) => true,
        }
    }

    /// Takes the blanks off unquoted fields.
    ///
    /// Same as univocity: a field of blanks is no text, but the last of a line is an empty text when only trailing
    /// blanks are skipped.
    fn trim(&self, input: &[u8], spans: &mut [Span], last: usize) {
        for (index, span) in spans.iter_mut().enumerate() {
            let Some((mut start, mut len)) = span.in_input() else { continue };
            while self.trim_leading && len > 0 && input[start] <= b' ' {
                start += 1;
                len -= 1;
            }
            let had_text = len > 0;
            while self.trim_trailing && len > 0 && input[start + len - 1] <= b' ' {
                len -= 1;
            }
            *span = match len {
                0 if had_text && index == last => Span::EMPTY,
                _ => Span::of_input(start, len),
            };
        }
    }

    /// The bits of those of the 64 bytes from `base` on that are a separator, a quote or a line end.
    #[inline]
    fn marks(&self, input: &[u8], base: usize) -> u64 {
        if let Some(chunk) = input.get(base..base + 64) {
            return self.marks_of(chunk.try_into().expect("the slice has 64 bytes"));
        }
        let rest = &input[base..];
        let mut chunk = [0u8; 64];
        chunk[..rest.len()].copy_from_slice(rest);
        self.marks_of(&chunk) & (u64::MAX >> (64 - rest.len()))
    }

    /// Compilers make vector instructions of the comparisons; the hits of eight bytes are gathered by a multiplication.
    #[inline]
    fn marks_of(&self, chunk: &[u8; 64]) -> u64 {
        let mut hits = [0u8; 64];
        for (hit, byte) in hits.iter_mut().zip(chunk) {
            *hit = u8::from(
                (*byte == self.sep)
                    | (*byte == self.quote)
                    | (*byte == self.line_ends[0])
                    | (*byte == self.line_ends[1]),
            );
        }
        let mut marks = 0;
        for (i, eight) in hits.chunks_exact(8).enumerate() {
            let word = u64::from_le_bytes(eight.try_into().expect("chunks of 8 bytes"));
            marks |= (word.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
        }
        marks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanner() -> Scanner {
        Scanner {
            sep: b',',
            quote: b'"',
            line_ends: [b'\n', b'\r'],
            comment: Some(b'#'),
            trim_leading: false,
            trim_trailing: false,
        }
    }

    /// Scans and shows rows as `line: field|field`, then where and why the scan stopped.
    #[track_caller]
    fn check(input: &str, n_cols: usize, expected: &str) {
        let mut block = Block::new(n_cols);
        let mut count = LineCount { line: 1, after_cr: false };
        let input = input.as_bytes();
        let stop = scanner().scan(input, 0, usize::MAX, 100, &mut block, &mut count);
        let mut shown = String::new();
        for (row, record) in block.records.iter().enumerate() {
            let fields: Vec<_> = block.spans[row * n_cols..(row + 1) * n_cols]
                .iter()
                .map(|s| s.text(input, b"", b"").map_or("-".into(), String::from_utf8_lossy))
                .collect();
            shown += &format!("{}: {}\n", record.line, fields.join("|"));
        }
        shown += &format!("{} {:?}", stop.0, stop.1);
        assert_eq!(shown, expected);
    }

    #[test]
    fn lf_cr_and_crlf_end_lines_even_mixed() {
        check("1,a\n2,b\r\n3,c\r4,d\n\n\r\n5,", 2, "1: 1|a\n2: 2|b\n3: 3|c\n4: 4|d\n20 NeedMore");
    }

    #[test]
    fn blank_lines_and_comments_are_no_records() {
        check("#c,d\n  \n ,\n #d\n", 2, "3:  |-\n4:  #d|-\n15 NeedMore");
    }

    #[test]
    fn short_rows_are_filled_and_long_rows_cut() {
        check("1\n1,2,3\n1,2\n", 2, "1: 1|-\n2: 1|2\n3: 1|2\n12 NeedMore");
    }

    #[test]
    fn a_quote_matters_only_where_a_field_begins() {
        check("a\"b,c\nd,\"e\"\n", 2, "1: a\"b|c\n6 Quoted");
    }

    #[test]
    fn marks_are_the_bits_of_separators_quotes_and_line_ends() {
        let mut chunk = [b'x'; 64];
        for (i, byte) in [(0, b','), (7, b'\n'), (8, b'\r'), (31, b'"'), (63, b',')] {
            chunk[i] = byte;
        }
        let expected = 1 | 1 << 7 | 1 << 8 | 1 << 31 | 1 << 63;
        assert_eq!(scanner().marks_of(&chunk), expected);
    }
}
