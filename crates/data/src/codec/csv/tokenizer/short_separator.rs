//! Records whose separator is one byte, and what a quote means in all.

use memchr::{memchr, memchr2};

use super::{Leave, Oddity, Run, Step};
use crate::codec::csv::options::UnescapedQuoteHandling;
use crate::codec::field::Span;

impl Run<'_> {
    pub(super) fn record_with_short_sep(&mut self) -> Step<()> {
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
    pub(super) fn went_back(&self) -> bool {
        self.handling_is(UnescapedQuoteHandling::BackToDelimiter) && self.unescaped && self.scratch.len() == self.field
    }

    pub(super) fn handling_is(&self, handling: UnescapedQuoteHandling) -> bool {
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
    pub(super) fn append_until(&mut self, stop1: u8, stop2: u8, stop3: u8) -> Step<()> {
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

    pub(super) fn until_delimiter(&self) -> bool {
        matches!(
            self.rules.handling,
            UnescapedQuoteHandling::StopAtDelimiter
                | UnescapedQuoteHandling::SkipValue
                | UnescapedQuoteHandling::BackToDelimiter
        )
    }

    pub(super) fn parse_unescaped(&self) -> bool {
        !self.handling_is(UnescapedQuoteHandling::RaiseError)
    }

    pub(super) fn skip_value(&mut self) -> Step<()> {
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
    pub(super) fn unescaped_quote(&mut self) -> Step<bool> {
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
    pub(super) fn quote_escape(&mut self) -> Step<()> {
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
    pub(super) fn unescaped_quote_in_value(&mut self) -> Step<()> {
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
}
