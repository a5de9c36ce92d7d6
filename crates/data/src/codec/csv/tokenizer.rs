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

use memchr::{memchr, memchr2};

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

    // ---- separators of one byte -------------------------------------------------------------------------------

    fn record_with_short_sep(&mut self) -> Step<()> {
        let sep = self.sep;
        let quote = self.rules.quote;
        if self.is_blank() && self.rules.trim_leading {
            self.skip_blanks(sep)?;
        }
        while self.ch != self.rules.new_line {
            if self.is_blank() && self.rules.trim_leading {
                self.skip_blanks(sep)?;
            }
            if self.ch == sep || self.ch == self.rules.new_line {
                self.empty_parsed()?;
            } else {
                self.unescaped = false;
                self.prev = 0;
                if self.ch == quote {
                    if self.simple_quoted(sep)? {
                        if self.ch != self.rules.new_line {
                            self.advance()?;
                            if self.ch == self.rules.new_line {
                                self.empty_parsed()?;
                            }
                        }
                        continue;
                    }
                    self.normalize = self.rules.normalize_in_quotes;
                    self.trim = false;
                    let parsed = self.quoted();
                    if !matches!(parsed, Err(Leave::EndOfInput)) {
                        self.normalize = true;
                    }
                    parsed?;
                    if !self.went_back() {
                        self.value_parsed()?;
                    }
                } else {
                    self.trim = self.rules.trim_trailing;
                    if !self.plain_value(sep)? {
                        self.append_until(sep, self.rules.new_line, sep)?;
                        self.value_parsed()?;
                    }
                }
            }
            if self.ch != self.rules.new_line {
                self.advance()?;
                if self.ch == self.rules.new_line {
                    self.empty_parsed()?;
                }
            }
        }
        Ok(())
    }

    /// BACK_TO_DELIMITER has already handed over all that there was.
    fn went_back(&self) -> bool {
        self.handling_is(UnescapedQuoteHandling::BackToDelimiter) && self.unescaped && self.scratch.len() == self.field
    }

    fn handling_is(&self, handling: UnescapedQuoteHandling) -> bool {
        self.rules.handling == handling
    }

    fn skip_blanks(&mut self, sep: u8) -> Step<()> {
        while self.is_blank() && self.ch != sep && self.ch != self.rules.new_line && self.ch != self.rules.quote {
            self.advance()?;
        }
        Ok(())
    }

    /// An unquoted field that is followed by a separator, taken as a piece of the input.
    ///
    /// False leaves everything as it was. Not only a shortcut: a field of blanks that trimming empties is null here,
    /// and an empty text where the input ends behind it.
    fn plain_value(&mut self, sep: u8) -> Step<bool> {
        if self.scratch.len() != self.field {
            return Ok(false);
        }
        let from = self.at - 1;
        let Some(len) = memchr2(sep, self.line_end[0], &self.input[from..]) else { return Ok(false) };
        let text = &self.input[from..from + len];
        let new_line = self.rules.new_line;
        if self.input[from + len] != sep || len > self.rules.max_chars || memchr(new_line, text).is_some() {
            return Ok(false);
        }
        let blanks = text.iter().rev().take_while(|b| self.trim && **b <= b' ').count();
        self.push(Span::of_input(self.shift + from, len - blanks))?;
        self.at = from + len + 1;
        self.ch = sep;
        Ok(true)
    }

    /// A quoted field without escapes or line ends that is followed by a separator, taken as a piece of the input.
    ///
    /// False leaves everything as it was. Not only a shortcut: what escapes the escape is kept here where nothing
    /// follows it to be escaped.
    fn simple_quoted(&mut self, sep: u8) -> Step<bool> {
        let (quote, escape) = (self.rules.quote, self.rules.escape);
        if self.scratch.len() != self.field {
            return Ok(false);
        }
        let mut close = self.at;
        loop {
            let Some(len) = memchr2(quote, escape, &self.input[close..]) else { return Ok(false) };
            close += len;
            if self.input[close] == quote {
                break;
            }
            match self.input.get(close + 1) {
                None => return Ok(false),
                Some(next) if *next == quote || *next == self.rules.escape_escape => return Ok(false),
                Some(_) => close += 1,
            }
        }
        let text = &self.input[self.at..close];
        if self.input[close - 1] == escape
            || self.input.get(close + 1) != Some(&sep)
            || text.len() > self.rules.max_chars
            || text.iter().any(|b| *b == self.line_end[0] || *b == self.rules.new_line)
        {
            return Ok(false);
        }
        let span = match text.len() {
            0 => Span::EMPTY,
            len => Span::of_input(self.shift + self.at, len),
        };
        self.push(span)?;
        self.at = close + 2;
        self.ch = sep;
        Ok(true)
    }

    /// Appends from the current character up to one of three stops, which becomes the current one.
    ///
    /// When the input ends first, the current character stays what it was, as in the original, where the end is an
    /// exception that flies past the assignment.
    fn append_until(&mut self, stop1: u8, stop2: u8, stop3: u8) -> Step<()> {
        let mut ch = self.ch;
        while ch != stop1 && ch != stop2 && ch != stop3 {
            self.scratch.push(ch);
            ch = self.next()?;
        }
        self.ch = ch;
        Ok(())
    }

    fn quoted(&mut self) -> Step<()> {
        let (sep, quote, escape) = (self.sep, self.rules.quote, self.rules.escape);
        if self.prev != 0 && self.until_delimiter() {
            if self.handling_is(UnescapedQuoteHandling::SkipValue) {
                return self.skip_value();
            }
            self.scratch.insert(self.field, quote);
            self.advance()?;
            self.trim = self.rules.trim_trailing;
            return self.append_until(sep, self.rules.new_line, sep);
        }
        self.advance()?;
        loop {
            if self.prev == quote && (self.is_blank() || self.ch == sep || self.ch == self.rules.new_line) {
                break;
            }
            if self.ch != quote && self.ch != escape {
                if self.prev == quote {
                    match self.unescaped_quote()? {
                        true if self.handling_is(UnescapedQuoteHandling::SkipValue) => break,
                        _ => return Ok(()),
                    }
                }
                if self.prev == escape && escape != 0 {
                    self.scratch.push(escape);
                }
                self.append_until(quote, escape, self.rules.escape_escape)?;
                self.prev = self.ch;
                self.advance()?;
            } else {
                self.quote_escape()?;
                self.prev = self.ch;
                self.advance()?;
                if self.unescaped && (self.ch == sep || self.ch == self.rules.new_line) {
                    return Ok(());
                }
            }
        }
        // Blanks after the closing quote are ignored, unless more text follows.
        if self.ch != sep && self.ch != self.rules.new_line && self.is_blank() {
            let mut blanks = Vec::new();
            loop {
                blanks.push(self.ch);
                self.advance()?;
                if self.ch == self.rules.new_line {
                    return Ok(());
                }
                if !self.is_blank() || self.ch == sep {
                    break;
                }
            }
            if self.ch != sep && self.parse_unescaped() {
                self.scratch.push(quote);
                self.scratch.extend_from_slice(&blanks);
                if self.until_delimiter() || (self.ch != quote && self.ch != escape) {
                    self.scratch.push(self.ch);
                }
                self.prev = self.ch;
                self.quoted()?;
            }
        }
        if self.ch != sep && self.ch != self.rules.new_line {
            return Err(Leave::Odd(Oddity::UnescapedQuote));
        }
        Ok(())
    }

    fn until_delimiter(&self) -> bool {
        matches!(
            self.rules.handling,
            UnescapedQuoteHandling::StopAtDelimiter
                | UnescapedQuoteHandling::SkipValue
                | UnescapedQuoteHandling::BackToDelimiter
        )
    }

    fn parse_unescaped(&self) -> bool {
        !self.handling_is(UnescapedQuoteHandling::RaiseError)
    }

    fn skip_value(&mut self) -> Step<()> {
        self.scratch.truncate(self.field);
        if self.sep != 0 || self.rules.sep.len() == 1 {
            while self.ch != self.sep && self.ch != self.rules.new_line {
                self.advance()?;
            }
            return Ok(());
        }
        while self.matched < self.rules.sep.len() && self.ch != self.rules.new_line {
            match self.rules.sep[self.matched] == self.ch {
                true => self.matched += 1,
                false => self.matched = 0,
            }
            self.advance()?;
        }
        Ok(())
    }

    /// A quote in a quoted field that is neither its end nor escaped. True: the field has been read further.
    fn unescaped_quote(&mut self) -> Step<bool> {
        let sep = self.rules.sep[0];
        self.unescaped = true;
        match self.rules.handling {
            UnescapedQuoteHandling::BackToDelimiter => {
                while let Some(len) =
                    self.scratch[self.field..].iter().position(|b| *b == sep || *b == self.rules.new_line)
                {
                    let rest = self.field + len + 1;
                    // Fields go to the record as they are; univocity would begin a new record at a line end.
                    let span = Span::of_scratch(self.field, len);
                    self.push(span)?;
                    self.field = rest;
                }
                self.scratch.push(self.ch);
                self.prev = 0;
                self.quoted_on()?;
                Ok(true)
            }
            UnescapedQuoteHandling::StopAtClosingQuote | UnescapedQuoteHandling::StopAtDelimiter => {
                self.scratch.push(self.rules.quote);
                self.scratch.push(self.ch);
                self.prev = self.ch;
                self.quoted_on()?;
                Ok(true)
            }
            UnescapedQuoteHandling::SkipValue => {
                self.skip_value()?;
                Ok(false)
            }
            UnescapedQuoteHandling::RaiseError => Err(Leave::Odd(Oddity::UnescapedQuote)),
        }
    }

    /// Reads a quoted field on behind a quote that did not end it.
    fn quoted_on(&mut self) -> Step<()> {
        match self.rules.sep.len() {
            1 => self.quoted(),
            _ => self.quoted_long(),
        }
    }

    /// The current character is a quote or the escape.
    fn quote_escape(&mut self) -> Step<()> {
        let (quote, escape, escape_escape) = (self.rules.quote, self.rules.escape, self.rules.escape_escape);
        if self.ch == escape && self.prev == escape_escape && escape_escape != 0 {
            self.scratch.push(escape);
            self.ch = 0;
        } else if self.prev == escape {
            if self.ch == quote {
                self.scratch.push(quote);
                self.ch = 0;
            } else {
                self.scratch.push(self.prev);
            }
        } else if self.ch == quote && self.prev == quote {
            self.scratch.push(quote);
        } else if self.prev == quote {
            self.unescaped_quote_in_value()?;
        }
        Ok(())
    }

    /// A quote that is neither an end nor escaped, followed by the escape.
    fn unescaped_quote_in_value(&mut self) -> Step<()> {
        match self.rules.handling {
            UnescapedQuoteHandling::SkipValue => self.skip_value(),
            UnescapedQuoteHandling::RaiseError => Err(Leave::Odd(Oddity::UnescapedQuote)),
            _ => {
                self.scratch.push(self.rules.quote);
                self.prev = self.ch;
                match self.rules.sep.len() {
                    1 => self.value_with_escapes(),
                    _ => self.value_with_escapes_long(),
                }
            }
        }
    }

    /// Appends up to the separator, minding escapes.
    fn value_with_escapes(&mut self) -> Step<()> {
        while self.ch != self.sep && self.ch != self.rules.new_line {
            if self.ch != self.rules.quote && self.ch != self.rules.escape {
                if self.prev == self.rules.quote {
                    return self.unescaped_quote_in_value();
                }
                self.scratch.push(self.ch);
            } else {
                self.quote_escape()?;
            }
            self.prev = self.ch;
            self.advance()?;
        }
        Ok(())
    }

    // ---- separators of several bytes --------------------------------------------------------------------------

    fn record_with_long_sep(&mut self) -> Step<()> {
        if self.is_blank() && self.rules.trim_leading {
            self.skip_blanks_long()?;
        }
        while self.ch != self.rules.new_line {
            if self.is_blank() && self.rules.trim_leading {
                self.skip_blanks_long()?;
            }
            if self.ch == self.rules.new_line || self.match_sep()? {
                self.empty_parsed()?;
            } else {
                self.unescaped = false;
                self.prev = 0;
                if self.ch == self.rules.quote && self.scratch.len() == self.field {
                    self.normalize = self.rules.normalize_in_quotes;
                    self.trim = false;
                    self.quoted_long()?;
                    self.normalize = true;
                    if !self.went_back() {
                        self.value_parsed()?;
                    }
                } else {
                    // The original trims at once here; `value_parsed` does it with the same effect.
                    self.append_until_sep()?;
                    self.trim = self.rules.trim_trailing;
                    self.value_parsed()?;
                    self.trim = false;
                }
            }
            if self.ch != self.rules.new_line {
                self.advance()?;
                if self.ch == self.rules.new_line {
                    self.empty_parsed()?;
                }
            }
        }
        Ok(())
    }

    /// Gives back the part of a separator that turned out to be none.
    fn save_matched(&mut self) {
        if self.matched > 0 {
            if self.matched < self.rules.sep.len() {
                self.scratch.extend_from_slice(&self.rules.sep[..self.matched]);
            }
            self.matched = 0;
        }
    }

    /// Reads on while the characters are the separator's; whether they were all of it.
    fn matched_all(&mut self) -> Step<bool> {
        let sep = &self.rules.sep;
        while self.ch == sep[self.matched] {
            self.matched += 1;
            if self.matched == sep.len() {
                self.matched = 0;
                return Ok(true);
            }
            self.advance()?;
        }
        Ok(false)
    }

    fn match_sep(&mut self) -> Step<bool> {
        let all = self.matched_all()?;
        if !all {
            self.save_matched();
        }
        Ok(all)
    }

    fn skip_blanks_long(&mut self) -> Step<()> {
        while self.is_blank() && self.ch != self.rules.new_line && self.ch != self.rules.quote {
            self.advance()?;
            if self.rules.sep[self.matched] == self.ch && self.match_sep()? {
                self.empty_parsed()?;
                self.advance()?;
            }
        }
        self.save_matched();
        Ok(())
    }

    fn append_until_sep(&mut self) -> Step<()> {
        while self.matched < self.rules.sep.len() && self.ch != self.rules.new_line {
            if self.rules.sep[self.matched] == self.ch {
                self.matched += 1;
                if self.matched == self.rules.sep.len() {
                    break;
                }
            } else {
                if self.matched > 0 {
                    self.save_matched();
                    continue;
                }
                self.scratch.push(self.ch);
            }
            self.advance()?;
        }
        self.save_matched();
        Ok(())
    }

    fn quoted_long(&mut self) -> Step<()> {
        let (quote, escape) = (self.rules.quote, self.rules.escape);
        if self.prev != 0 && self.until_delimiter() {
            if self.handling_is(UnescapedQuoteHandling::SkipValue) {
                return self.skip_value();
            }
            self.scratch.insert(self.field, quote);
            self.advance()?;
            self.trim = self.rules.trim_trailing;
            return self.append_until_sep();
        }
        self.advance()?;
        loop {
            if self.prev == quote && (self.is_blank() || self.ch == self.rules.new_line) {
                break;
            }
            if self.prev == quote && self.match_sep()? {
                return Ok(());
            }
            if self.ch != quote && self.ch != escape {
                if self.prev == quote {
                    match self.unescaped_quote()? {
                        true if self.handling_is(UnescapedQuoteHandling::SkipValue) => break,
                        _ => return Ok(()),
                    }
                }
                if self.prev == escape && escape != 0 {
                    self.scratch.push(escape);
                }
                self.append_until(quote, escape, self.rules.escape_escape)?;
                self.prev = self.ch;
                self.advance()?;
            } else {
                self.quote_escape()?;
                self.prev = self.ch;
                self.advance()?;
                if self.unescaped && (self.ch == self.rules.new_line || self.match_sep()?) {
                    return Ok(());
                }
            }
        }
        if self.ch == self.rules.new_line || !self.is_blank() || self.matched_all()? {
            return Ok(());
        }
        let mut blanks = Vec::new();
        loop {
            blanks.push(self.ch);
            self.advance()?;
            if self.ch == self.rules.new_line || self.matched_all()? {
                return Ok(());
            }
            if !self.is_blank() {
                break;
            }
        }
        if self.parse_unescaped() && !self.matched_all()? {
            self.scratch.push(quote);
            self.scratch.extend_from_slice(&blanks);
            if self.until_delimiter() || (self.ch != quote && self.ch != escape) {
                self.scratch.push(self.ch);
            }
            self.prev = self.ch;
            self.quoted_long()?;
        }
        Ok(())
    }

    fn value_with_escapes_long(&mut self) -> Step<()> {
        while self.ch != self.rules.new_line && !self.match_sep()? {
            if self.ch != self.rules.quote && self.ch != self.rules.escape {
                if self.prev == self.rules.quote {
                    return self.unescaped_quote_in_value();
                }
                self.scratch.push(self.ch);
            } else {
                self.quote_escape()?;
            }
            self.prev = self.ch;
            self.advance()?;
        }
        Ok(())
    }
}
