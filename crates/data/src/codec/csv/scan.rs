//! Finds the fields of simple lines.
//!
//! A simple line holds no quoted field, or only such as hold nothing but their text. Its fields are what lies between
//! separators. CR and LF both end a line, so CRLF ends one and leaves an empty one behind, which is no record; bare CR
//! costs what LF costs. Lines without any quote are found faster by [`super::plain`], unless blanks are taken off fields.

use memchr::memchr;

use super::marks::{Needles, marks_at};
use super::options::CsvOptions;
use super::tokenizer::Oddity;
use crate::codec::field::{Block, Record, Span};
use crate::codec::lines::LineCount;
use crate::codec::window::Stop;

/// Which lines are records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Records {
    comment: Option<u8>,
}

impl Records {
    pub(super) fn new(options: &CsvOptions) -> Self {
        Records { comment: options.comment.map(|c| c as u8) }
    }

    /// Whether a line is a record: neither blank nor a comment.
    #[inline]
    pub(super) fn is_one(&self, line: &[u8]) -> bool {
        match line.first() {
            None => false,
            Some(first) if Some(*first) == self.comment => false,
            Some(first) if *first <= b' ' => line.iter().any(|byte| *byte > b' '),
            Some(_) => true,
        }
    }

    /// Whether a line is a record whatever comes behind its first byte, which may be its line end.
    #[inline(always)]
    pub(super) fn is_surely_one(&self, first: u8) -> bool {
        first > b' ' && Some(first) != self.comment
    }
}

/// What a simple line consists of.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    needles: Needles,
    records: Records,
    /// Makes a quoted field one for the tokenizer; the quote itself when there is none.
    escape: u8,
    /// Quoted fields without escapes and line ends may be taken here; else every quoted field is the tokenizer's.
    simple_quotes: bool,
    trim_leading: bool,
    trim_trailing: bool,
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
        let needles = Needles::new(options);
        let trims = [options.ignore_leading_white_space, options.ignore_trailing_white_space].contains(&Some(true));
        Scanner {
            needles,
            records: Records::new(options),
            escape: options.escape.map_or(needles.quote, |c| c as u8),
            simple_quotes: !trims && options.escape.is_some() && options.escape_escape.is_none(),
            trim_leading: options.ignore_leading_white_space.unwrap_or(false),
            trim_trailing: options.ignore_trailing_white_space.unwrap_or(false),
        }
    }

    /// Adds the rows of whole simple lines in `input[from..]` to `block`, until it has `max_rows`.
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
        let needles = self.needles;
        'blocks: while base < input.len() {
            let found = marks_at(input, base, |chunk| needles.find(chunk));
            let mut marks = found.borders | found.quotes;
            while marks != 0 {
                let at = base + marks.trailing_zeros() as usize;
                marks &= marks - 1;
                let byte = input[at];
                if byte == needles.sep {
                    row.push(block, Span::of_input(row.field, at - row.field));
                    row.field = at + 1;
                    continue;
                }
                if byte == needles.quote {
                    if at != row.field && !self.trim_leading {
                        continue;
                    }
                    let Some(close) = self.simple_close(input, at) else { return (row.start, Stop::Quoted) };
                    row.push(block, Span::of_quoted(at + 1, close - at - 1));
                    // The separator or line end behind the quote is dealt with here, and marks are sought anew.
                    base = close + 2;
                    row.field = base;
                    if input[close + 1] != needles.sep {
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
        if self.records.is_one(&input[row.start..at]) {
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
        let Needles { sep, quote, line_ends } = self.needles;
        let close = open + 1 + memchr(quote, &input[open + 1..])?;
        let text = &input[open + 1..close];
        let next = *input.get(close + 1)?;
        let ends = next == sep || line_ends.contains(&next);
        let plain = |byte: &u8| *byte != self.escape && !line_ends.contains(byte);
        (ends && text.iter().all(plain)).then_some(close)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanner() -> Scanner {
        Scanner {
            needles: Needles { sep: b',', quote: b'"', line_ends: [b'\n', b'\r'] },
            records: Records { comment: Some(b'#') },
            escape: b'\\',
            simple_quotes: true,
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
}
