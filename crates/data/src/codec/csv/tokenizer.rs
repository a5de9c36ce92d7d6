//! Takes a record apart character by character, as univocity does.
//!
//! This is the slow path: records with quoted fields, separators of several characters, records over several lines.
//! What a quote means outside the textbook (`"a"b`, `"a" b"`, an unterminated quote) was never designed, it is what
//! univocity's loops happen to do, and Spark's rows depend on it. So the loops here are arranged as there
//! (univocity-parsers 2.9.1, `CsvParser`), with the same state: the current character `ch`, the one before it `prev`,
//! and whether an unescaped quote was met. Change nothing here without running the comparison with real Spark rows.
//!
//! Characters are bytes: everything that has a meaning is ASCII or, in a separator, compared byte by byte. The byte 0
//! stands for "none" in `quote` and `escape`, as it does there.

mod long_separator;
mod short_separator;

use super::options::{CsvOptions, UnescapedQuoteHandling};
use crate::codec::field::Span;

/// How records are taken apart.
#[derive(Debug, Clone)]
pub(super) struct Tokenizer {
    sep: Vec<u8>,
    quote: u8,
    escape: u8,
    escape_escape: u8,
    comment: Option<u8>,
    trim_leading: bool,
    trim_trailing: bool,
    handling: UnescapedQuoteHandling,
    /// What a line end of any kind is turned into, and what therefore ends a record: LF, or 0 when there is a `lineSep`.
    new_line: u8,
    /// Line ends within quotes are turned into it too.
    normalize_in_quotes: bool,
    max_columns: usize,
    max_chars: usize,
}

/// What is wrong with a record before its fields are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Oddity {
    /// Too few or too many fields; how many there are.
    FieldCount(usize),
    /// More fields than `maxColumns`.
    TooManyColumns,
    /// A field longer than `maxCharsPerColumn`.
    FieldTooLong,
    /// Text after a closing quote, and the options say that this is an error.
    UnescapedQuote,
    /// The line holds no record at all.
    NoFields,
}

/// How a record ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its text ends at `end`, the next one begins at `next`.
    Record { next: usize, end: usize },
    /// There were only blank lines and comments up to the position where the record should begin.
    Nothing,
    /// The input ends within the record.
    NeedMore,
    /// It cannot be taken apart; the next one begins behind what was read of it.
    Odd { next: usize, end: usize, oddity: Oddity },
}

/// Why a loop was left: the exceptions of the original.
enum Leave {
    EndOfInput,
    Odd(Oddity),
}

type Step<T> = Result<T, Leave>;

impl Tokenizer {
    pub(super) fn new(options: &CsvOptions) -> Self {
        let byte = |c: Option<char>| c.map_or(0, |c| c as u8);
        Tokenizer {
            sep: options.sep.clone().into_bytes(),
            quote: byte(options.quote),
            escape: byte(options.escape),
            escape_escape: byte(options.escape_escape()),
            comment: options.comment.map(|c| c as u8),
            trim_leading: options.ignore_leading_white_space.unwrap_or(false),
            trim_trailing: options.ignore_trailing_white_space.unwrap_or(false),
            handling: options.unescaped_quote_handling,
            new_line: if options.line_sep.is_some() { 0 } else { b'\n' },
            normalize_in_quotes: options.line_sep.is_none() || !options.multi_line,
            max_columns: options.max_columns,
            max_chars: options.max_chars_per_column.unwrap_or(usize::MAX),
        }
    }

    /// Takes a whole line apart, given without its line end; its spans point into `line` shifted by `at`.
    pub(super) fn line(
        &self,
        line: &[u8],
        at: usize,
        fields: &mut Vec<Span>,
        scratch: &mut Vec<u8>,
    ) -> Result<(), Oddity> {
        fields.clear();
        let mut run = Run::new(self, line, 0, [self.new_line, 0], at, fields, scratch);
        let ended = run.record();
        run.close(ended)?;
        match fields.is_empty() {
            true => Err(Oddity::NoFields),
            false => Ok(()),
        }
    }

    /// Takes the record that begins at `from` apart, skipping blank lines and comments; records may span lines.
    ///
    /// `line_end` is one byte and 0, or two. At the end of `input` the record is complete only when `at_eof`.
    /// Gives where the record began and how it ended.
    pub(super) fn record(
        &self,
        input: &[u8],
        from: usize,
        line_end: [u8; 2],
        at_eof: bool,
        fields: &mut Vec<Span>,
        scratch: &mut Vec<u8>,
    ) -> (usize, Ended) {
        let mut start = from;
        loop {
            fields.clear();
            let scratch_before = scratch.len();
            if start >= input.len() {
                return (start, Ended::Nothing);
            }
            let mut run = Run::new(self, input, start, line_end, 0, fields, scratch);
            if self.comment == Some(input[start]) {
                let line = run.skip_line();
                match (line, at_eof) {
                    (true, _) => start = run.at,
                    (false, true) => return (input.len(), Ended::Nothing),
                    (false, false) => return (start, Ended::Nothing),
                }
                continue;
            }
            let ended = run.record();
            // A one-byte look ahead decides whether a CR at the very end is half a CRLF.
            let starved = run.at >= input.len() && !at_eof && (ended.is_err() || line_end[1] != 0);
            if starved {
                scratch.truncate(scratch_before);
                return (start, Ended::NeedMore);
            }
            let (next, end) = (run.at, run.record_end());
            match run.close(ended) {
                Err(oddity) => return (start, Ended::Odd { next, end, oddity }),
                Ok(()) if fields.is_empty() => start = next,
                Ok(()) => return (start, Ended::Record { next, end }),
            }
        }
    }
}

/// One record being taken apart.
struct Run<'a> {
    rules: &'a Tokenizer,
    input: &'a [u8],
    start: usize,
    at: usize,
    /// Where the text of the current field may still be a piece of the input.
    line_end: [u8; 2],
    shift: usize,
    fields: &'a mut Vec<Span>,
    scratch: &'a mut Vec<u8>,
    /// Where the field being built begins in the scratch buffer.
    field: usize,
    ch: u8,
    prev: u8,
    unescaped: bool,
    normalize: bool,
    trim: bool,
    /// The separator where it is one byte, else 0.
    sep: u8,
    /// How many bytes of a longer separator have been read.
    matched: usize,
}

impl<'a> Run<'a> {
    #[allow(clippy::too_many_arguments)]
    fn new(
        rules: &'a Tokenizer,
        input: &'a [u8],
        start: usize,
        line_end: [u8; 2],
        shift: usize,
        fields: &'a mut Vec<Span>,
        scratch: &'a mut Vec<u8>,
    ) -> Self {
        let field = scratch.len();
        Run {
            rules,
            input,
            start,
            at: start,
            line_end,
            shift,
            fields,
            scratch,
            field,
            ch: 0,
            prev: 0,
            unescaped: false,
            normalize: true,
            trim: false,
            sep: if rules.sep.len() == 1 { rules.sep[0] } else { 0 },
            matched: 0,
        }
    }

    /// The next character; a line end counts as one.
    #[inline]
    fn next(&mut self) -> Step<u8> {
        let Some(byte) = self.input.get(self.at) else { return Err(Leave::EndOfInput) };
        self.at += 1;
        if *byte == self.line_end[0] {
            if self.line_end[1] == 0 {
                if self.normalize {
                    return Ok(self.rules.new_line);
                }
            } else if self.input.get(self.at) == Some(&self.line_end[1]) && self.normalize {
                self.at += 1;
                return Ok(self.rules.new_line);
            }
        }
        Ok(*byte)
    }

    fn advance(&mut self) -> Step<()> {
        self.ch = self.next()?;
        Ok(())
    }

    /// Skips a comment line; false when the input ends before it does.
    fn skip_line(&mut self) -> bool {
        loop {
            match self.next() {
                Ok(byte) if byte == self.rules.new_line => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    /// End of the record's text, without the line end that was just read.
    fn record_end(&self) -> usize {
        let text = &self.input[self.start..self.at];
        let ended = match self.line_end {
            [one, 0] => text.strip_suffix(&[one]),
            two => text.strip_suffix(&two),
        };
        self.start + ended.or_else(|| text.strip_suffix(&[self.rules.new_line])).unwrap_or(text).len()
    }

    fn record(&mut self) -> Step<()> {
        self.advance()?;
        match self.rules.sep.len() {
            1 => self.record_with_short_sep(),
            _ => self.record_with_long_sep(),
        }
    }

    /// What is left to do when a record ended, by a line end or because the input did.
    fn close(&mut self, ended: Step<()>) -> Result<(), Oddity> {
        match ended {
            Ok(()) => Ok(()),
            Err(Leave::Odd(oddity)) => Err(oddity),
            Err(Leave::EndOfInput) => {
                let consume = self.consume_value_on_end();
                let pending = self.scratch.len() > self.field;
                let some_input = self.at > self.start;
                let result = if !self.fields.is_empty() || consume {
                    if pending || consume {
                        self.value_parsed()
                    } else if some_input {
                        self.empty_parsed()
                    } else {
                        Ok(())
                    }
                } else if pending {
                    self.value_parsed()
                } else if some_input {
                    self.empty_parsed()
                } else {
                    Ok(())
                };
                match result {
                    Err(Leave::Odd(oddity)) => Err(oddity),
                    _ => Ok(()),
                }
            }
        }
    }

    /// Whether the field under way is a value though it may hold nothing, as after `""`.
    fn consume_value_on_end(&mut self) -> bool {
        if self.ch == self.rules.quote && self.rules.quote != 0 {
            if self.prev == self.rules.quote {
                return true;
            }
            if !self.unescaped {
                self.scratch.push(self.rules.quote);
            }
        }
        let consume = self.prev != 0 && self.ch != self.sep && self.ch != self.rules.new_line;
        self.ch = 0;
        self.prev = 0;
        if self.matched > 0 {
            self.save_matched();
            return true;
        }
        consume
    }

    /// Ends the field that was built in the scratch buffer.
    fn value_parsed(&mut self) -> Step<()> {
        let mut len = self.scratch.len() - self.field;
        if len > self.rules.max_chars {
            return Err(Leave::Odd(Oddity::FieldTooLong));
        }
        if self.trim {
            while len > 0 && self.scratch[self.field + len - 1] <= b' ' {
                len -= 1;
            }
        }
        let span = Span::of_scratch(self.field, len);
        self.field = self.scratch.len();
        self.push(span)
    }

    fn empty_parsed(&mut self) -> Step<()> {
        self.push(Span::NULL)
    }

    fn push(&mut self, span: Span) -> Step<()> {
        if self.fields.len() == self.rules.max_columns {
            return Err(Leave::Odd(Oddity::TooManyColumns));
        }
        self.fields.push(span);
        Ok(())
    }

    fn is_blank(&self) -> bool {
        self.ch <= b' '
    }
}
