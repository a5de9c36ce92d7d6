//! Where the fields of some rows lie: positions into the pushed bytes, no copies.

/// The text of one field: a piece of the input, a piece of the scratch buffer, nothing, or a quoted nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
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
    pub(crate) const NULL: Span = Span { start: 0, len: 0 };
    /// A quoted field without text.
    pub(crate) const EMPTY: Span = Span { start: 0, len: EMPTY };

    /// A piece of the input; [`Span::NULL`] when `len` is 0.
    #[inline]
    pub(crate) fn of_input(start: usize, len: usize) -> Span {
        debug_assert!(start < EMPTY as usize && len < EMPTY as usize, "windows are smaller than 1 GiB");
        Span { start: start as u32, len: len as u32 }
    }

    /// What stands between two borders, positions of one byte each in the input.
    #[inline(always)]
    pub(crate) fn between(before: u32, behind: u32) -> Span {
        let start = before.wrapping_add(1);
        Span { start, len: behind.wrapping_sub(start) }
    }

    /// Where the text begins, when there is some in the input.
    #[inline(always)]
    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    /// The length of the text in the input; for all other fields 0 or beyond any length.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        self.len as usize
    }

    /// What stands between quotes in the input: a quoted nothing is not no text.
    #[inline]
    pub(crate) fn of_quoted(start: usize, len: usize) -> Span {
        match len {
            0 => Span::EMPTY,
            _ => Span::of_input(start, len),
        }
    }

    /// A piece of the scratch buffer.
    pub(crate) fn of_scratch(start: usize, len: usize) -> Span {
        debug_assert!(start < EMPTY as usize && len < EMPTY as usize, "windows are smaller than 1 GiB");
        match len {
            0 => Span::EMPTY,
            _ => Span { start: start as u32, len: len as u32 | IN_SCRATCH },
        }
    }

    /// The place in the input of a field that is neither empty nor unescaped; `None` for the others.
    #[inline]
    pub(crate) fn in_input(self) -> Option<(usize, usize)> {
        match self.len.wrapping_sub(1) < EMPTY - 1 {
            true => Some((self.start as usize, self.len as usize)),
            false => None,
        }
    }

    /// The text, where `empty` stands for a quoted nothing and `None` for no text.
    #[inline]
    pub(crate) fn text<'a>(self, input: &'a [u8], scratch: &'a [u8], empty: &'a [u8]) -> Option<&'a [u8]> {
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

/// Rows that are located before their columns are read: few enough that text and spans stay in the cache.
pub(crate) const CAPACITY: usize = 256;

/// One record of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record {
    /// Position in the window.
    pub(crate) start: u32,
    /// Length without the line end.
    pub(crate) len: u32,
    /// Line on which it begins.
    pub(crate) line: u64,
}

/// The fields of up to [`CAPACITY`] rows, `n_cols` spans for each; `O` says what can be wrong with a record before its
/// fields are looked at.
#[derive(Debug)]
pub(crate) struct Block<O> {
    pub(crate) n_cols: usize,
    pub(crate) spans: Vec<Span>,
    pub(crate) records: Vec<Record>,
    pub(crate) odd: Vec<(u32, O)>,
    pub(crate) scratch: Vec<u8>,
}

impl<O> Block<O> {
    pub(crate) fn new(n_cols: usize) -> Self {
        Block {
            n_cols,
            spans: vec![Span::NULL; n_cols * CAPACITY],
            records: Vec::with_capacity(CAPACITY),
            odd: Vec::new(),
            scratch: Vec::new(),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.odd.clear();
        self.scratch.clear();
    }

    pub(crate) fn n_rows(&self) -> usize {
        self.records.len()
    }

    /// The spans of one column, row by row.
    #[inline]
    pub(crate) fn column(&self, column: usize) -> impl ExactSizeIterator<Item = Span> {
        self.spans.chunks_exact(self.n_cols.max(1)).take(self.records.len()).map(move |row| row[column])
    }

    /// The spans of the row that has not been ended yet.
    #[inline]
    pub(crate) fn open_row(&mut self) -> &mut [Span] {
        let slot = self.records.len() * self.n_cols;
        &mut self.spans[slot..slot + self.n_cols]
    }

    /// Makes room for one more row, beyond [`CAPACITY`] too; for records that hold many rows.
    pub(crate) fn make_room(&mut self) {
        let needed = (self.records.len() + 1) * self.n_cols;
        if self.spans.len() < needed {
            self.spans.resize(needed.max(2 * self.spans.len()), Span::NULL);
        }
    }

    /// Forgets the rows from `n_rows` on.
    pub(crate) fn truncate(&mut self, n_rows: usize) {
        self.records.truncate(n_rows);
    }

    /// Ends a row whose spans have been written.
    #[inline]
    pub(crate) fn end_row(&mut self, record: Record) {
        self.records.push(record);
    }

    /// Notes what is wrong with the row that has not been ended yet.
    pub(crate) fn note(&mut self, oddity: O) {
        self.odd.push((self.records.len() as u32, oddity));
    }

    /// Ends a row that could not be taken apart: all fields are null.
    pub(crate) fn end_odd_row(&mut self, record: Record, oddity: O) {
        self.open_row().fill(Span::NULL);
        self.note(oddity);
        self.end_row(record);
    }
}

/// A cell that its column's type could not be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BadCell {
    /// Row of the block.
    pub(crate) row: u32,
    /// Column of the file.
    pub(crate) file_column: u32,
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
