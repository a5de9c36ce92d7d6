//! CSV and JSON files as blocks of rows, and where each row of a block came from.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use ognivo_data::codec::{DecodeError, Decoded, RecordSpan, RowDecoder};

use crate::bytes::FileBytes;
use crate::file_error::FileError;

/// How much of a file is read at once.
const READ_BYTES: u64 = 1 << 20;
/// How much is read at once behind the end of a range, where only the end of one record is missing.
const READ_BEYOND_BYTES: u64 = 1 << 16;
/// Ends of names of compressed files, which Spark would unpack.
const COMPRESSED: [&str; 7] = [".gz", ".bz2", ".zst", ".lz4", ".snappy", ".deflate", ".xz"];

/// The rows of one file, or of a byte range of it, block by block.
pub(crate) struct TextBlocks {
    path: String,
    bytes: FileBytes,
    decoder: Box<dyn RowDecoder>,
    range: Range<u64>,
    /// Position of the next byte to be read.
    position: u64,
    /// What was read and not pushed yet.
    ahead: Bytes,
    is_finished: bool,
    has_failed: bool,
    /// What was pushed and may still be asked for; None when nobody will ask.
    kept: Option<Kept>,
}

/// Rows, and the bytes that they were made of.
pub(crate) struct TextBlock {
    pub(crate) decoded: Decoded,
    pub(crate) raw: Option<RawRecords>,
}

impl TextBlocks {
    /// The blocks that `decoder` makes of the bytes of `range`; it knows that range itself.
    ///
    /// With `keep_raw` each block holds the bytes of its records; the decoder must then keep spans.
    pub(crate) fn new(
        path: String,
        bytes: FileBytes,
        decoder: Box<dyn RowDecoder>,
        range: Range<u64>,
        keep_raw: bool,
    ) -> Result<TextBlocks, FileError> {
        if COMPRESSED.iter().any(|ending| path.ends_with(ending)) {
            return Err(FileError::Compressed { path });
        }
        let position = range.start;
        let kept = keep_raw.then(Kept::default);
        let ahead = Bytes::new();
        Ok(TextBlocks { path, bytes, decoder, range, position, ahead, is_finished: false, has_failed: false, kept })
    }

    fn next_block(&mut self) -> Result<Option<TextBlock>, FileError> {
        while !self.is_finished && !self.decoder.is_full() {
            if self.decoder.is_done() || (self.ahead.is_empty() && self.position >= self.bytes.size_bytes()) {
                self.decoder.finish().map_err(|source| self.decode_error(source))?;
                self.is_finished = true;
                break;
            }
            if self.ahead.is_empty() {
                self.ahead = self.read_on()?;
            }
            let consumed = self.decoder.push(&self.ahead).map_err(|source| self.decode_error(source))?;
            let pushed = self.ahead.split_to(consumed);
            if let Some(kept) = &mut self.kept {
                kept.push(pushed);
            }
        }
        let decoded = self.decoder.take().map_err(|source| self.decode_error(source))?;
        Ok(decoded.map(|decoded| TextBlock { raw: self.kept.as_mut().map(|kept| kept.raw_of(&decoded)), decoded }))
    }

    fn read_on(&mut self) -> Result<Bytes, FileError> {
        let size_bytes = self.bytes.size_bytes();
        let step = match self.range.end.checked_sub(self.position) {
            Some(left) if left > 0 => left.min(READ_BYTES),
            _ => READ_BEYOND_BYTES,
        };
        let end = (self.position + step).min(size_bytes);
        let read = self.bytes.read(self.position..end);
        let bytes = read.map_err(|source| FileError::Read { path: self.path.clone(), source })?;
        if (bytes.len() as u64) < end - self.position {
            let found_bytes = self.position + bytes.len() as u64;
            return Err(FileError::Shorter { path: self.path.clone(), listed_bytes: size_bytes, found_bytes });
        }
        self.position = end;
        Ok(bytes)
    }

    fn decode_error(&self, source: DecodeError) -> FileError {
        FileError::Decode { path: self.path.clone(), source }
    }
}

impl Iterator for TextBlocks {
    type Item = Result<TextBlock, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_failed {
            return None;
        }
        let block = self.next_block();
        self.has_failed = block.is_err();
        block.transpose()
    }
}

/// The bytes that were pushed since the last record of the block before.
#[derive(Default)]
struct Kept {
    pieces: Vec<Bytes>,
    /// Position in the file of the first byte of `pieces`.
    start: u64,
    /// The lines that end before `start`.
    lines: LineEnds,
}

impl Kept {
    fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.pieces.push(piece);
        }
    }

    /// What belongs to the records of a block; pieces that lie before its last record's end are let go.
    fn raw_of(&mut self, decoded: &Decoded) -> RawRecords {
        let raw = RawRecords {
            spans: decoded.spans.clone().unwrap_or_default(),
            pieces: self.pieces.clone(),
            start: self.start,
            lines: self.lines,
            lines_of_rows: OnceLock::new(),
        };
        let last_row = raw.spans.last().map_or(0, |span| span.start + u64::from(span.len));
        let last_bad = decoded.malformed.last().map_or(0, |bad| bad.byte_pos + bad.raw.len() as u64);
        let done = last_row.max(last_bad);
        while let Some(piece) = self.pieces.first().filter(|piece| self.start + piece.len() as u64 <= done) {
            self.start += piece.len() as u64;
            self.lines.pass(piece);
            self.pieces.remove(0);
        }
        raw
    }
}

/// The bytes of a block's records, found by row or by position.
pub(crate) struct RawRecords {
    spans: Vec<RecordSpan>,
    pieces: Vec<Bytes>,
    start: u64,
    lines: LineEnds,
    lines_of_rows: OnceLock<Vec<u64>>,
}

impl RawRecords {
    /// The record of a row, without its line end.
    pub(crate) fn payload(&self, row_idx: usize) -> Cow<'_, [u8]> {
        let Some(span) = self.spans.get(row_idx) else { return Cow::Borrowed(&[]) };
        self.slice(span.start, span.start + u64::from(span.len))
    }

    /// The line on which the record of a row begins, counted from 1.
    pub(crate) fn line_of_row(&self, row_idx: usize) -> u64 {
        let lines = self.lines_of_rows.get_or_init(|| self.lines_at(self.spans.iter().map(|span| span.start)));
        lines.get(row_idx).copied().unwrap_or(0)
    }

    /// The lines on which bytes stand, counted from 1; positions ascend.
    pub(crate) fn lines_at(&self, positions: impl Iterator<Item = u64>) -> Vec<u64> {
        let mut lines = self.lines;
        let mut pieces = self.pieces.iter();
        let mut piece: &[u8] = &[];
        let mut at = self.start;
        let line_of = |position: u64| {
            while at < position {
                if piece.is_empty() {
                    let Some(next) = pieces.next() else { break };
                    piece = next;
                }
                let (passed, rest) = piece.split_at(piece.len().min((position - at) as usize));
                lines.pass(passed);
                at += passed.len() as u64;
                piece = rest;
            }
            lines.n_ended + 1
        };
        positions.map(line_of).collect()
    }

    /// The bytes of a range; borrowed when they lie in one piece.
    fn slice(&self, from: u64, to: u64) -> Cow<'_, [u8]> {
        let mut joined: Cow<'_, [u8]> = Cow::Borrowed(&[]);
        let mut piece_start = self.start;
        for piece in &self.pieces {
            let piece_end = piece_start + piece.len() as u64;
            if from < piece_end && to > piece_start {
                let part =
                    &piece[from.saturating_sub(piece_start) as usize..(to.min(piece_end) - piece_start) as usize];
                match joined.is_empty() {
                    true => joined = Cow::Borrowed(part),
                    false => joined.to_mut().extend_from_slice(part),
                }
            }
            piece_start = piece_end;
        }
        joined
    }
}

/// Counts lines that end with LF, CR or CRLF, over pieces that may cut a CRLF in two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct LineEnds {
    n_ended: u64,
    after_cr: bool,
}

impl LineEnds {
    fn pass(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        let n_lf = bytes.iter().filter(|&&byte| byte == b'\n').count();
        let n_cr = bytes.iter().filter(|&&byte| byte == b'\r').count();
        let n_crlf = match n_cr {
            0 => 0,
            _ => bytes.windows(2).filter(|pair| pair == b"\r\n").count(),
        };
        let closes_crlf = self.after_cr && bytes.first() == Some(&b'\n');
        self.n_ended += (n_lf + n_cr - n_crlf - usize::from(closes_crlf)) as u64;
        self.after_cr = *last == b'\r';
    }
}

/// The origin of the rows of a block, for dead letters.
pub(crate) struct TextOrigin {
    pub(crate) uri: Arc<str>,
    pub(crate) raw: RawRecords,
}

impl ognivo_stream::source::Origin for TextOrigin {
    fn position(&self, row_idx: usize) -> String {
        format!("{}:{}", self.uri, self.raw.line_of_row(row_idx))
    }

    fn payload(&self, row_idx: usize) -> Cow<'_, [u8]> {
        self.raw.payload(row_idx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::open;
    use arrow_schema::{DataType, Field, Schema};
    use ognivo_data::codec::csv::{CsvDecoder, CsvOptions};

    fn blocks(text: &str, block_rows: usize, range: Option<Range<u64>>) -> Vec<TextBlock> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f.csv"), text).unwrap();
        let location = open("f.csv", folder.path()).unwrap();
        let schema = Schema::new(vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Utf8, true)]);
        let options = CsvOptions::parse([("mode", "REJECT")]).unwrap();
        let mut decoder = CsvDecoder::new(Arc::new(schema), &options, None, block_rows).unwrap().with_spans();
        let range = match range {
            Some(range) => {
                decoder = decoder.with_range(range.start, range.end);
                range
            }
            None => 0..text.len() as u64,
        };
        let bytes = FileBytes::open(&location, location.path(), text.len() as u64).unwrap();
        let blocks = TextBlocks::new("f.csv".to_owned(), bytes, Box::new(decoder), range, true).unwrap();
        blocks.map(|block| block.unwrap()).collect()
    }

    #[test]
    fn each_row_gives_its_record_and_line() {
        let blocks = blocks("1,a\r\n\r\n2,b\rx,c\n3,d", 2, None);
        let raws: Vec<&RawRecords> = blocks.iter().map(|block| block.raw.as_ref().unwrap()).collect();
        assert_eq!((raws[0].payload(0).as_ref(), raws[0].line_of_row(0)), (&b"1,a"[..], 1));
        assert_eq!((raws[0].payload(1).as_ref(), raws[0].line_of_row(1)), (&b"2,b"[..], 3));
        let last = blocks.last().unwrap();
        let n = last.decoded.rows.num_rows();
        assert_eq!(last.raw.as_ref().unwrap().payload(n - 1).as_ref(), b"3,d");
        assert_eq!(last.raw.as_ref().unwrap().line_of_row(n - 1), 5);
        let bad: Vec<_> = blocks.iter().flat_map(|block| &block.decoded.malformed).collect();
        assert_eq!((bad[0].raw.as_slice(), bad[0].line), (&b"x,c"[..], 4));
    }

    #[test]
    fn ranges_of_a_file_add_up_to_its_rows() {
        let text: String = (0..1000).map(|i| format!("{i},row {i}\n")).collect();
        let n = text.len() as u64;
        for cuts in [vec![0, n], vec![0, 1, 2, n / 3, n - 1, n]] {
            let rows: usize = (cuts.windows(2))
                .flat_map(|cut| blocks(&text, 64, Some(cut[0]..cut[1])))
                .map(|block| block.decoded.rows.num_rows())
                .sum();
            assert_eq!(rows, 1000, "{cuts:?}");
        }
    }

    #[test]
    fn raw_bytes_come_back_over_the_borders_of_what_was_read_at_once() {
        // Longer than two reads, so that records lie across their border.
        let text: String = (0..200_000).map(|i| format!("{i},row {i}\n")).collect();
        assert!(text.len() as u64 > 2 * READ_BYTES);
        let mut row = 0;
        for block in blocks(&text, 10_000, None) {
            let raw = block.raw.unwrap();
            for row_idx in 0..block.decoded.rows.num_rows() {
                if row_idx % 997 == 0 || raw.payload(row_idx).len() != format!("{row},row {row}").len() {
                    assert_eq!(raw.payload(row_idx).as_ref(), format!("{row},row {row}").as_bytes());
                    assert_eq!(raw.line_of_row(row_idx), row + 1);
                }
                row += 1;
            }
        }
        assert_eq!(row, 200_000);
    }

    #[test]
    fn line_ends_are_counted_over_a_cut_crlf() {
        let mut lines = LineEnds::default();
        for piece in [&b"a\r"[..], b"\nb\n", b"\r", b"\r\n", b""] {
            lines.pass(piece);
        }
        assert_eq!(lines.n_ended, 4);
    }
}
