//! Records whose separator is several bytes.

use super::{Run, Step};
use crate::codec::csv::options::UnescapedQuoteHandling;

impl Run<'_> {
    pub(super) fn record_with_long_sep(&mut self) -> Step<()> {
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
    pub(super) fn save_matched(&mut self) {
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

    pub(super) fn quoted_long(&mut self) -> Step<()> {
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

    pub(super) fn value_with_escapes_long(&mut self) -> Step<()> {
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
