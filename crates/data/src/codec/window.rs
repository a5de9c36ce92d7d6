//! Cuts pushed bytes into windows that begin at a record, for every decoder of records that are lines.

use super::error::DecodeError;
use super::lines::{BYTE_ORDER_MARK, LineCount, find_line};

/// Longest record that is held in memory while its end has not come.
const RECORD_LIMIT_BYTES: usize = 256 << 20;

/// Bytes that are decoded in one go: positions within them fit 30 bits.
const WINDOW_LIMIT_BYTES: usize = 256 << 20;

/// How much is added to a carried-over beginning of a record at once.
const CARRY_PIECE_BYTES: usize = 64 << 10;

/// What has come of the input and what is to come.
#[derive(Debug)]
pub(crate) struct Input {
    /// Position in the file of the next byte that is not done with.
    pub(crate) position: u64,
    /// Position of the last byte at which a record of this range may begin.
    pub(crate) last_start: u64,
    pub(crate) count: LineCount,
    pub(crate) state: State,
    /// The beginning of a record whose end has not come, or of a byte order mark.
    carry: Vec<u8>,
    /// A carry shorter than this was found to be incomplete.
    retry_at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// At the first byte of the file, where a byte order mark may stand.
    Start,
    /// Within the line that belongs to the range before.
    PartialLine,
    Records,
    Done,
}

/// Why the search for records ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The last record has no end yet.
    NeedMore,
    /// The block has the rows that were asked for.
    Full,
    /// The line at the resume position has a quoted field.
    Quoted,
    /// The record at the resume position belongs to the next byte range.
    BeyondEnd,
}

impl Input {
    pub(crate) fn new() -> Self {
        Input {
            position: 0,
            last_start: u64::MAX,
            count: LineCount { line: 1, after_cr: false },
            state: State::Start,
            carry: Vec::new(),
            retry_at: 0,
        }
    }

    /// Restricts the records to those that begin within `[start, end)`; see `CsvDecoder::with_range`.
    pub(crate) fn set_range(&mut self, start: u64, end: u64, line_sep: Option<&[u8]>) {
        self.position = start;
        // The range after this one may begin within a line end; it cannot see that a record begins behind it.
        self.last_start = end + line_sep.map_or(0, |sep| sep.len() as u64 - 1);
        if start > 0 {
            self.state = State::PartialLine;
        }
    }

    /// Finds the first record of the input in `window`; `Err` says how many bytes are done with when it is not there.
    pub(crate) fn first_record(
        &mut self,
        window: &[u8],
        line_sep: Option<&[u8]>,
        at_eof: bool,
    ) -> Result<usize, usize> {
        match self.state {
            State::Start => {
                if window.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(window) && !at_eof {
                    return Err(0);
                }
                self.state = State::Records;
                if !window.starts_with(&BYTE_ORDER_MARK) {
                    return Ok(0);
                }
                // The first record begins at the mark, as far as ranges go.
                self.last_start = self.last_start.max(BYTE_ORDER_MARK.len() as u64);
                Ok(BYTE_ORDER_MARK.len())
            }
            State::PartialLine => match find_line(window, 0, line_sep) {
                Some((_, next)) => {
                    self.count.line += 1;
                    self.state = State::Records;
                    Ok(next)
                }
                // The last bytes may be a part of a line end.
                None => Err(window.len().saturating_sub(line_sep.map_or(0, |sep| sep.len() - 1))),
            },
            State::Records | State::Done => Ok(0),
        }
    }

    /// The last position in the window at which a record of the range may begin; `None` when `at` is behind it.
    pub(crate) fn last_start_in_window(&self, position: u64, at: usize) -> Option<usize> {
        match position + at as u64 > self.last_start {
            true => None,
            false => Some(usize::try_from(self.last_start - position).unwrap_or(usize::MAX)),
        }
    }
}

/// A decoder that is handed windows of the input.
pub(crate) trait WindowDecoder {
    fn input(&mut self) -> &mut Input;

    fn batch_is_full(&self) -> bool;

    /// Decodes records of `window`, whose first byte is at `position` in the file, until the batch is full.
    ///
    /// Gives how many bytes are done with. With `at_eof` the window is all there is, and the batch may grow beyond.
    fn decode(&mut self, window: &[u8], position: u64, at_eof: bool) -> Result<usize, DecodeError>;

    /// Decodes what is pushed, and keeps the beginning of a record whose end has not come.
    fn push_bytes(&mut self, bytes: &[u8]) -> Result<usize, DecodeError> {
        let mut consumed = 0;
        while consumed < bytes.len() && !self.batch_is_full() && self.input().state != State::Done {
            if !self.input().carry.is_empty() {
                consumed += self.push_onto_carry(&bytes[consumed..])?;
                continue;
            }
            let window = &bytes[consumed..bytes.len().min(consumed + WINDOW_LIMIT_BYTES)];
            let position = self.input().position;
            let done = self.decode(window, position, false)?;
            consumed += done;
            self.input().position += done as u64;
            if !self.batch_is_full() && self.input().state != State::Done {
                // What is left of the window is the beginning of a record.
                let rest = &window[done..];
                self.input().carry.extend_from_slice(rest);
                consumed += rest.len();
            }
        }
        Ok(consumed)
    }

    /// Decodes what was carried over, with as much of `bytes` as its last record takes; says how much that was.
    fn push_onto_carry(&mut self, bytes: &[u8]) -> Result<usize, DecodeError> {
        let mut carry = std::mem::take(&mut self.input().carry);
        let mut consumed = 0;
        while !carry.is_empty() && consumed < bytes.len() {
            let before = carry.len();
            let piece = (bytes.len() - consumed).min(before.max(CARRY_PIECE_BYTES));
            carry.extend_from_slice(&bytes[consumed..consumed + piece]);
            if carry.len() < self.input().retry_at {
                consumed += piece;
                continue;
            }
            let position = self.input().position;
            let done = self.decode(&carry, position, false)?;
            self.input().position += done as u64;
            if done >= before {
                consumed += done - before;
                carry.clear();
                self.input().retry_at = 0;
            } else if self.batch_is_full() || self.input().state == State::Done {
                carry.truncate(before);
                carry.drain(..done);
                break;
            } else {
                consumed += piece;
                carry.drain(..done);
                // Whoever pushes a long record in small pieces has it looked at a few times, not at every piece.
                self.input().retry_at = if carry.len() > CARRY_PIECE_BYTES { 2 * carry.len() } else { 0 };
                if carry.len() > RECORD_LIMIT_BYTES {
                    let byte_pos = self.input().position;
                    return Err(DecodeError::RecordTooLong { byte_pos, limit_bytes: RECORD_LIMIT_BYTES });
                }
            }
        }
        self.input().carry = carry;
        Ok(consumed)
    }

    /// Decodes what was carried over and is all there is; `line_end` is put behind a line that lacks it.
    fn finish_bytes(&mut self, line_end: &[u8]) -> Result<(), DecodeError> {
        let mut carry = std::mem::take(&mut self.input().carry);
        if !carry.is_empty() && self.input().state != State::Done {
            carry.extend_from_slice(line_end);
            let position = self.input().position;
            self.decode(&carry, position, true)?;
        }
        self.input().state = State::Done;
        Ok(())
    }
}
