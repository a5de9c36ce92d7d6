//! Where lines end.

use memchr::{memchr_iter, memchr2, memmem};

/// What some editors put in front of UTF-8.
pub(crate) const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// End of the line that begins at `at`, and the beginning of the next; `None` when the line goes on.
///
/// Without `line_sep`, CR and LF each end a line; between those of a CRLF lies a line of nothing, which is no record.
pub(crate) fn find_line(window: &[u8], at: usize, line_sep: Option<&[u8]>) -> Option<(usize, usize)> {
    let rest = &window[at..];
    match line_sep {
        None => memchr2(b'\n', b'\r', rest).map(|len| (at + len, at + len + 1)),
        Some(sep) => memmem::find(rest, sep).map(|len| (at + len, at + len + sep.len())),
    }
}

/// The line end of a multi-line file: the first of CR, LF and CRLF, LF when there is none at all.
pub(crate) fn detect_line_end(window: &[u8], at_eof: bool) -> Option<[u8; 2]> {
    match memchr2(b'\n', b'\r', window) {
        Some(at) if window[at] == b'\n' => Some([b'\n', 0]),
        Some(at) => match window.get(at + 1) {
            Some(b'\n') => Some([b'\r', b'\n']),
            Some(_) => Some([b'\r', 0]),
            None if at_eof => Some([b'\r', 0]),
            None => None,
        },
        None if at_eof => Some([b'\n', 0]),
        None => None,
    }
}

pub(crate) fn line_ends_in(text: &[u8], line_end: [u8; 2]) -> u64 {
    memchr_iter(line_end[0], text).count() as u64
}

/// Counts lines across windows: CRLF is one line end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LineCount {
    /// The line that the next byte belongs to, from 1.
    pub(crate) line: u64,
    /// Whether the byte before the window was a CR.
    pub(crate) after_cr: bool,
}

impl LineCount {
    /// Counts the line end at `end` of a line that begins at `start`, unless it is the second half of a CRLF.
    pub(crate) fn line_end(&mut self, window: &[u8], start: usize, end: usize) {
        let after_cr = if start > 0 { window[start - 1] == b'\r' } else { self.after_cr };
        let second_half = start == end && window[end] == b'\n' && after_cr;
        self.line += u64::from(!second_half);
    }
}
