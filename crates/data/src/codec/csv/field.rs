//! Where the fields of some rows lie: positions into the pushed bytes, no copies.

/// The text of one field: a piece of the input, a piece of the scratch buffer, nothing, or a quoted nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    /// Length; the two top bits tell the kind.
    len: u32,
}

/// The text lies in the scratch buffer, because unescaping changed it.
const IN_SCRATCH: u32 = 1 << 31;
/// The field is empty but not absent: `""`.
const EMPTY: u32 = 1 << 30;

impl Span {
    /// A field without text: two separators side by side, or a field that the record does not have.
    pub(super) const NULL: Span = Span { start: 0, len: 0 };
    /// A quoted field without text.
    pub(super) const EMPTY: Span = Span { start: 0, len: EMPTY };

    /// A piece of the input; [`Span::NULL`] when `len` is 0.
    #[inline]
    pub(super) fn of_input(start: usize, len: usize) -> Span {
        debug_assert!(start < EMPTY as usize && len < EMPTY as usize, "windows are smaller than 1 GiB");
        Span { start: start as u32, len: len as u32 }
    }

    /// A piece of the scratch buffer.
    pub(super) fn of_scratch(start: usize, len: usize) -> Span {
        debug_assert!(start < EMPTY as usize && len < EMPTY as usize, "windows are smaller than 1 GiB");
        match len {
            0 => Span::EMPTY,
            _ => Span { start: start as u32, len: len as u32 | IN_SCRATCH },
        }
    }

    /// The place in the input of a field that is neither empty nor unescaped; `None` for the others.
    #[inline]
    pub(super) fn in_input(self) -> Option<(usize, usize)> {
        match self.len.wrapping_sub(1) < EMPTY - 1 {
            true => Some((self.start as usize, self.len as usize)),
            false => None,
        }
    }

    /// The text, where `empty` stands for a quoted nothing and `None` for no text.
    #[inline]
    pub(super) fn text<'a>(self, input: &'a [u8], scratch: &'a [u8], empty: &'a [u8]) -> Option<&'a [u8]> {
        if let Some((start, len)) = self.in_input() {
            return Some(&input[start..start + len]);
        }
        match self.len {
            0 => None,
            EMPTY => Some(empty),
            _ => {
                let start = self.start as usize;
                Some(&scratch[start..start + (self.len & !IN_SCRATCH) as usize])
            }
        }
    }
}

/// One record of a block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    /// Position in the window.
    pub(super) start: u32,
    /// Length without the line end.
    pub(super) len: u32,
    /// Line on which it begins.
    pub(super) line: u64,
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

/// The fields of up to [`Block::CAPACITY`] rows, `n_cols` spans for each.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) n_cols: usize,
    pub(super) spans: Vec<Span>,
    pub(super) records: Vec<Record>,
    pub(super) odd: Vec<(u32, Oddity)>,
    pub(super) scratch: Vec<u8>,
}

impl Block {
    /// Rows that are located before their columns are read: few enough that text and spans stay in the cache.
    pub(super) const CAPACITY: usize = 512;

    pub(super) fn new(n_cols: usize) -> Self {
        Block {
            n_cols,
            spans: vec![Span::NULL; n_cols * Self::CAPACITY],
            records: Vec::with_capacity(Self::CAPACITY),
            odd: Vec::new(),
            scratch: Vec::new(),
        }
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.odd.clear();
        self.scratch.clear();
    }

    pub(super) fn n_rows(&self) -> usize {
        self.records.len()
    }

    /// Ends a row of which `n_fields` spans have been written; more than `n_cols` were not.
    pub(super) fn end_row(&mut self, record: Record, n_fields: usize) {
        if n_fields != self.n_cols {
            let row = self.records.len();
            if n_fields < self.n_cols {
                self.spans[row * self.n_cols + n_fields..(row + 1) * self.n_cols].fill(Span::NULL);
            }
            self.odd.push((row as u32, Oddity::FieldCount(n_fields)));
        }
        self.records.push(record);
    }

    /// Ends a row that could not be taken apart: all fields are null.
    pub(super) fn end_odd_row(&mut self, record: Record, oddity: Oddity) {
        let row = self.records.len();
        self.spans[row * self.n_cols..(row + 1) * self.n_cols].fill(Span::NULL);
        self.odd.push((row as u32, oddity));
        self.records.push(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_knows_where_its_text_lies() {
        let text = |span: Span| span.text(b"input", b"scratch", b"E");
        assert_eq!(text(Span::of_input(1, 3)), Some(&b"npu"[..]));
        assert_eq!(text(Span::of_input(1, 0)), None);
        assert_eq!(text(Span::of_scratch(1, 3)), Some(&b"cra"[..]));
        assert_eq!(text(Span::of_scratch(1, 0)), Some(&b"E"[..]));
        assert_eq!(Span::of_scratch(1, 3).in_input(), None);
        assert_eq!(Span::EMPTY.in_input(), None);
        assert_eq!(Span::NULL.in_input(), None);
    }
}
