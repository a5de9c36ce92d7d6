//! Finds the fields of plain lines, 64 bytes at a time.
//!
//! A plain line holds no quoted field, or only such as hold nothing but their text. Its fields are what lies between separators, and separators
//! and line ends are found for 64 bytes at once as the bits of a word. CR and LF both end a line, so CRLF ends one and
//! leaves an empty one behind, which is no record; bare CR costs what LF costs.

use memchr::memchr;

use super::options::CsvOptions;
use super::tokenizer::Oddity;
use crate::codec::field::{Block, Record, Span};
use crate::codec::lines::LineCount;
use crate::codec::window::Stop;

/// What a plain line consists of.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    pub(super) sep: u8,
    /// A field that begins with it is quoted; the separator itself when quoting is off.
    pub(super) quote: u8,
    /// Makes a quoted field one for the tokenizer; the quote itself when there is none.
    pub(super) escape: u8,
    /// Quoted fields without escapes and line ends may be taken here; else every quoted field is the tokenizer's.
    pub(super) simple_quotes: bool,
    /// The two bytes that end a line; the same one twice when only one does.
    pub(super) line_ends: [u8; 2],
    pub(super) comment: Option<u8>,
    pub(super) trim_leading: bool,
    pub(super) trim_trailing: bool,
}

/// The line being scanned.
struct Row {
    start: usize,
    /// Where the field under way begins.
    field: usize,
    n_fields: usize,
    /// Place of the row's first span in the block.
    slot: usize,
}

impl Row {
    #[inline(always)]
    fn push(&mut self, block: &mut Block<Oddity>, span: Span) {
        if self.n_fields < block.n_cols {
            block.spans[self.slot + self.n_fields] = span;
        }
        self.n_fields += 1;
    }
}

/// Whether the scan ends before the line at `row.start`, and why.
#[inline(always)]
fn stop(row: &Row, block: &Block<Oddity>, max_rows: usize, last_start: usize) -> Option<Stop> {
    if block.n_rows() >= max_rows {
        Some(Stop::Full)
    } else if row.start > last_start {
        Some(Stop::BeyondEnd)
    } else {
        None
    }
}

impl Scanner {
    pub(super) fn new(options: &CsvOptions) -> Self {
        let sep = options.sep.as_bytes()[0];
        let quote = options.quote.map_or(sep, |c| c as u8);
        let trims = [options.ignore_leading_white_space, options.ignore_trailing_white_space].contains(&Some(true));
        Scanner {
            sep,
            quote,
            escape: options.escape.map_or(quote, |c| c as u8),
            simple_quotes: !trims && options.escape.is_some() && options.escape_escape.is_none(),
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
        if from > last_start {
            return (from, Stop::BeyondEnd);
        }
        let mut row = Row { start: from, field: from, n_fields: 0, slot: block.n_rows() * block.n_cols };
        let mut base = from;
        'blocks: while base < input.len() {
            let mut marks = self.marks(input, base);
            while marks != 0 {
                let at = base + marks.trailing_zeros() as usize;
                marks &= marks - 1;
                let byte = input[at];
                if byte == self.sep {
                    row.push(block, Span::of_input(row.field, at - row.field));
                    row.field = at + 1;
                    continue;
                }
                if byte == self.quote {
                    if at != row.field && !self.trim_leading {
                        continue;
                    }
                    let Some(close) = self.simple_close(input, at) else { return (row.start, Stop::Quoted) };
                    row.push(block, Span::of_quoted(at + 1, close - at - 1));
                    // The separator or line end behind the quote is dealt with here, and marks are sought anew.
                    base = close + 2;
                    row.field = base;
                    if input[close + 1] != self.sep {
                        self.end_line(input, close + 1, &mut row, block, count);
                        if let Some(stop) = stop(&row, block, max_rows, last_start) {
                            return (row.start, stop);
                        }
                    }
                    continue 'blocks;
                }
                row.push(block, Span::of_input(row.field, at - row.field));
                self.end_line(input, at, &mut row, block, count);
                if let Some(stop) = stop(&row, block, max_rows, last_start) {
                    return (row.start, stop);
                }
            }
            base += 64;
        }
        (row.start, Stop::NeedMore)
    }

    /// Ends the line at the line end `at`: adds its row when it is a record, and begins the next.
    #[inline(always)]
    fn end_line(&self, input: &[u8], at: usize, row: &mut Row, block: &mut Block<Oddity>, count: &mut LineCount) {
        let line = count.line;
        let crlf = input[at] == b'\n' && if at > 0 { input[at - 1] == b'\r' } else { count.after_cr };
        count.line += u64::from(!crlf || at != row.start);
        if self.is_record(&input[row.start..at]) {
            let n_cols = block.n_cols;
            if self.trim_leading || self.trim_trailing {
                self.trim(input, &mut block.spans[row.slot..row.slot + row.n_fields.min(n_cols)], row.n_fields - 1);
            }
            if row.n_fields != n_cols {
                if row.n_fields < n_cols {
                    block.open_row()[row.n_fields..].fill(Span::NULL);
                }
                block.note(Oddity::FieldCount(row.n_fields));
            }
            block.end_row(Record { start: row.start as u32, len: (at - row.start) as u32, line });
            row.slot += n_cols;
        }
        row.n_fields = 0;
        row.start = at + 1;
        row.field = at + 1;
    }

    /// The closing quote of a field that begins with the quote at `open`; `None` when the field is not a simple one:
    /// no escape, no line end, and a separator or a line end directly behind it.
    #[inline]
    fn simple_close(&self, input: &[u8], open: usize) -> Option<usize> {
        if !self.simple_quotes {
            return None;
        }
        let close = open + 1 + memchr(self.quote, &input[open + 1..])?;
        let text = &input[open + 1..close];
        let next = *input.get(close + 1)?;
        let ends = next == self.sep || next == self.line_ends[0] || next == self.line_ends[1];
        let plain = |byte: &u8| *byte != self.escape && *byte != self.line_ends[0] && *byte != self.line_ends[1];
        (ends && text.iter().all(plain)).then_some(close)
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
            escape: b'\\',
            simple_quotes: true,
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
        check("a\"b,c\nd,\"e\\\"\"\n", 2, "1: a\"b|c\n6 Quoted");
    }

    #[test]
    fn simple_quoted_fields_are_taken_too() {
        check("\"a,b\",\"\"\r\n\"c\",d\n", 2, "1: a,b|\n2: c|d\n16 NeedMore");
        let long = "x".repeat(100);
        check(&format!("1,\"{long}\"\n2,\"{long}\""), 2, &format!("1: 1|{long}\n105 Quoted"));
        check("1,\"a\"b\n", 2, "0 Quoted");
        check("1,\"a\nb\"\n", 2, "0 Quoted");
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
