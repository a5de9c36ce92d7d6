//! Finds the fields of lines without any quote: everything between two borders is a field.
//!
//! The borders, separators and line ends, are written down without looking at what they are, and without a branch: that
//! there are more or fewer of them among 64 bytes costs nothing. Then it is asked of each line whether it has as many
//! as it should. That leaves one decision for each line instead of one for each field. A line that has a quote anywhere
//! ends the search; [`super::scan`] goes on there.

use super::marks::{Marks, Needles, marks_at};
use super::options::CsvOptions;
use super::scan::Records;
use super::tokenizer::Oddity;
use crate::codec::cpu::Avx2;
use crate::codec::field::{Block, Record, Span};
use crate::codec::lines::LineCount;
use crate::codec::window::Stop;

/// Where the fields of the rows of a block lie.
#[derive(Debug, Default)]
pub(super) struct Borders {
    /// Positions in the window; a row has one before each of its fields and one behind the last.
    at: Vec<u32>,
    /// Of each row, the place in `at` of the border before its first field.
    firsts: Vec<u32>,
    /// The places in `at` of the border before the first line and of the line ends behind it.
    line_ends: Vec<u32>,
    /// How much of `at` is in use.
    n: usize,
}

impl Borders {
    pub(super) fn span(&self, row: usize, column: usize) -> Span {
        let first = self.firsts[row] as usize + column;
        Span::between(self.at[first], self.at[first + 1])
    }

    /// The spans of one column, row by row.
    #[inline(always)]
    pub(super) fn column(&self, column: usize) -> impl ExactSizeIterator<Item = Span> {
        // Without rows there may be fewer borders than columns.
        let at = self.at.get(column..).unwrap_or_default();
        self.firsts.iter().map(move |first| {
            let first = *first as usize;
            let behind = at[first + 1];
            Span::between(at[first], behind)
        })
    }

    /// Adds a row with the fields between the borders at the places `first` to `last`, and `n_missing` more without text.
    fn push_short_row(&mut self, first: usize, last: usize, n_missing: usize) {
        let (n_copied, end) = (last + 1 - first, self.at[last]);
        make_room(&mut self.at, self.n + n_copied + n_missing);
        self.at.copy_within(first..=last, self.n);
        let missing = &mut self.at[self.n + n_copied..][..n_missing];
        for (place, position) in missing.iter_mut().zip(end + 1..) {
            *place = position;
        }
        self.firsts.push(self.n as u32);
        self.n += n_copied + n_missing;
    }
}

/// Finds the fields of plain lines.
#[derive(Debug, Clone)]
pub(super) struct PlainScanner {
    needles: Needles,
    records: Records,
    avx2: Option<Avx2>,
}

/// A marked line.
struct Line {
    start: usize,
    /// Its line end.
    end: usize,
    /// The places of the border before its first field and of its line end.
    first: usize,
    last: usize,
}

impl Line {
    #[inline(always)]
    fn record(&self, number: u64) -> Record {
        Record { start: self.start as u32, len: (self.end - self.start) as u32, line: number }
    }
}

/// Why marking ended.
enum Marked {
    /// As many lines as were asked for.
    Enough,
    AllInput,
    /// The line behind the last line end has a quote, or far more fields than there are columns.
    NotPlain,
}

/// How many more borders than columns a line may have to be marked to its end.
const MAX_SURPLUS: usize = 64;

/// What is read and what is filled by a scan.
pub(super) struct Task<'a> {
    pub(super) input: &'a [u8],
    /// Where the first line begins.
    pub(super) from: usize,
    /// Lines that begin behind it are left alone.
    pub(super) last_start: usize,
    pub(super) max_rows: usize,
    pub(super) block: &'a mut Block<Oddity>,
    pub(super) borders: &'a mut Borders,
    pub(super) count: &'a mut LineCount,
}

impl PlainScanner {
    /// `None` when borders are not all: when blanks are taken off fields, or a byte means two things.
    pub(super) fn new(options: &CsvOptions, avx2: Option<Avx2>) -> Option<Self> {
        let needles = Needles::new(options);
        let trims = [options.ignore_leading_white_space, options.ignore_trailing_white_space].contains(&Some(true));
        let ambiguous = needles.line_ends.contains(&needles.sep) || needles.line_ends.contains(&needles.quote);
        (!trims && !ambiguous).then(|| PlainScanner { needles, records: Records::new(options), avx2 })
    }

    /// Adds the rows of whole plain lines to the block; gives the position of the first line not taken and why.
    pub(super) fn scan(&self, task: Task<'_>) -> (usize, Stop) {
        #[cfg(target_arch = "x86_64")]
        if self.avx2.is_some() {
            #[allow(
                unsafe_code,
                reason = "`Avx2` is the proof that the processor has what the function is compiled for"
            )]
            return unsafe { self.scan_avx2(task) };
        }
        self.scan_by(task, |chunk| self.needles.find(chunk))
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
    fn scan_avx2(&self, task: Task<'_>) -> (usize, Stop) {
        self.scan_by(task, |chunk| super::marks::avx2::find(&self.needles, chunk))
    }
    #[inline(always)]
    fn scan_by(&self, mut task: Task<'_>, marks_of: impl Fn(&[u8; 64]) -> Marks) -> (usize, Stop) {
        if task.from > task.last_start {
            return (task.from, Stop::BeyondEnd);
        }
        let (n_lines, marked) = mark(&mut task, marks_of);
        self.add_lines(task, n_lines, marked)
    }

    /// Makes rows of the marked lines that are records.
    fn add_lines(&self, task: Task<'_>, n_lines: usize, marked: Marked) -> (usize, Stop) {
        let Task { input, from, last_start, max_rows, block, borders, count } = task;
        let n_cols = block.n_cols;
        borders.firsts.clear();
        let mut start = from;
        for i in 0..n_lines {
            let (first, last) = (borders.line_ends[i] as usize, borders.line_ends[i + 1] as usize);
            let line = Line { start, end: borders.at[last] as usize, first, last };
            start = line.end + 1;
            if last - first == n_cols && self.records.is_surely_one(input[line.start]) {
                borders.firsts.push(first as u32);
                block.end_row(line.record(count.line));
                count.line += 1;
            } else {
                self.add_odd_line(input, line, block, borders, count);
            }
            if block.n_rows() >= max_rows {
                return (start, Stop::Full);
            }
            if start > last_start {
                return (start, Stop::BeyondEnd);
            }
        }
        let stop = match marked {
            Marked::Enough => Stop::Full,
            Marked::AllInput => Stop::NeedMore,
            Marked::NotPlain => Stop::Quoted,
        };
        (start, stop)
    }

    /// A line that is perhaps no record, or has too few or too many fields.
    #[inline(never)]
    fn add_odd_line(
        &self,
        input: &[u8],
        line: Line,
        block: &mut Block<Oddity>,
        borders: &mut Borders,
        count: &mut LineCount,
    ) {
        let record = line.record(count.line);
        count.line_end(input, line.start, line.end);
        if !self.records.is_one(&input[line.start..line.end]) {
            return;
        }
        let n_fields = line.last - line.first;
        match block.n_cols.checked_sub(n_fields) {
            None | Some(0) => borders.firsts.push(line.first as u32),
            Some(n_missing) => borders.push_short_row(line.first, line.last, n_missing),
        }
        if n_fields != block.n_cols {
            block.note(Oddity::FieldCount(n_fields));
        }
        block.end_row(record);
    }
}

/// Writes down all borders of as many lines as rows are wanted, and which of them are line ends; gives how many lines
/// there are, and why there are not more.
#[inline(always)]
fn mark(task: &mut Task<'_>, marks_of: impl Fn(&[u8; 64]) -> Marks) -> (usize, Marked) {
    let Task { input, from, max_rows, .. } = *task;
    let Borders { at, line_ends, n: n_borders, .. } = &mut *task.borders;
    let max_fields = task.block.n_cols + MAX_SURPLUS;
    make_room(at, 1);
    make_room(line_ends, 1);
    // Before the first byte of the window lies nothing; positions are counted round the end of the numbers there.
    at[0] = (from as u32).wrapping_sub(1);
    line_ends[0] = 0;
    let (mut n, mut n_lines) = (1, 0);
    let mut base = from;
    let marked = loop {
        if base >= input.len() {
            break Marked::AllInput;
        }
        if n_lines >= max_rows {
            break Marked::Enough;
        }
        let found = marks_at(input, base, &marks_of);
        let plain = below_lowest(found.quotes);
        let (borders, ends) = (found.borders & plain, found.line_ends & plain);
        make_room(at, n + ROOM);
        let room = at[n..].first_chunk_mut().expect("room was made");
        write_positions(room, base as u32, borders);
        make_room(line_ends, n_lines + 1 + ROOM);
        let room = line_ends[n_lines + 1..].first_chunk_mut().expect("room was made");
        write_places(room, n as u32, borders, ends);
        n += borders.count_ones() as usize;
        n_lines += ends.count_ones() as usize;
        if found.quotes != 0 || n - line_ends[n_lines] as usize > max_fields {
            break Marked::NotPlain;
        }
        base += 64;
    };
    *n_borders = n;
    (n_lines, marked)
}

/// What may be written at once: 64 places, and behind the last the rest of those that are written together.
const ROOM: usize = 64 + 8;

#[inline(always)]
fn make_room(places: &mut Vec<u32>, n: usize) {
    if places.len() < n {
        grow(places, n);
    }
}

#[cold]
fn grow(places: &mut Vec<u32>, n: usize) {
    places.resize(n.max(2 * places.len()), 0);
}

/// The positions of the bits of each byte, in order; wide, because these are widened faster than bytes.
static BITS: [[u16; 8]; 256] = {
    let mut bits = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut n, mut bit) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                bits[byte][n] = bit as u16;
                n += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    bits
};

/// Writes the positions of the bits of `marks`, counted from `base`; always eight for each byte, the next byte's over
/// those that were too many.
#[inline(always)]
fn write_positions(room: &mut [u32; ROOM], base: u32, marks: u64) {
    let mut n = 0;
    for (i, byte) in marks.to_le_bytes().into_iter().enumerate() {
        let base = base.wrapping_add(8 * i as u32);
        // There are 64 bits: the mask changes nothing, but shows that there is room.
        let eight: &mut [u32; 8] = room[n & 63..].first_chunk_mut().expect("room for eight");
        *eight = BITS[usize::from(byte)].map(|bit| base.wrapping_add(u32::from(bit)));
        n += byte.count_ones() as usize;
    }
}

/// Writes the places among the borders, from place `n` on, of those that are line ends.
#[inline(always)]
fn write_places(room: &mut [u32; ROOM], n: u32, borders: u64, mut line_ends: u64) {
    for two in room.as_chunks_mut::<2>().0 {
        for place in two {
            *place = n + (borders & below_lowest(line_ends)).count_ones();
            line_ends &= line_ends.wrapping_sub(1);
        }
        if line_ends == 0 {
            return;
        }
    }
}

/// The bits below the lowest one of `word`; all of them when it has none.
#[inline(always)]
fn below_lowest(word: u64) -> u64 {
    word.wrapping_sub(1) & !word
}

#[cfg(test)]
mod tests {
    use super::super::scan::Scanner;
    use super::*;
    use crate::codec::dice::dice;

    const N_COLS: usize = 3;

    /// The rows found, then where and why the search stopped.
    type Found = (Vec<String>, Vec<(u32, Oddity)>, (usize, Stop));

    fn found(block: &Block<Oddity>, span: impl Fn(usize, usize) -> Span, input: &[u8], stop: (usize, Stop)) -> Found {
        let text = |span: Span| span.text(input, b"", b"").map_or("-".into(), String::from_utf8_lossy);
        let rows = block.records.iter().enumerate().map(|(row, record)| {
            let fields: Vec<_> = (0..N_COLS).map(|column| text(span(row, column))).collect();
            format!("{record:?} {}", fields.join("|"))
        });
        (rows.collect(), block.odd.clone(), stop)
    }

    fn plain(input: &[u8], max_rows: usize, last_start: usize, avx2: Option<Avx2>) -> Found {
        let options = CsvOptions::parse([("comment", "#")]).unwrap();
        let scanner = PlainScanner::new(&options, avx2).unwrap();
        let (mut block, mut borders) = (Block::new(N_COLS), Borders::default());
        let (block_, borders_, count) = (&mut block, &mut borders, &mut LineCount { line: 1, after_cr: false });
        let task = Task { input, from: 0, last_start, max_rows, block: block_, borders: borders_, count };
        let stop = scanner.scan(task);
        for column in 0..N_COLS {
            let expected: Vec<_> = (0..block.n_rows()).map(|row| borders.span(row, column)).collect();
            assert_eq!(borders.column(column).collect::<Vec<_>>(), expected);
        }
        found(&block, |row, column| borders.span(row, column), input, stop)
    }

    fn simple(input: &[u8]) -> Found {
        let options = CsvOptions::parse([("comment", "#")]).unwrap();
        let (mut block, mut count) = (Block::new(N_COLS), LineCount { line: 1, after_cr: false });
        let stop = Scanner::new(&options).scan(input, 0, usize::MAX, 200, &mut block, &mut count);
        found(&block, |row, column| block.spans[row * N_COLS + column], input, stop)
    }

    #[track_caller]
    fn check(input: &str, expected_rows: &[&str], expected_stop: (usize, Stop)) {
        let (rows, _, stop) = plain(input.as_bytes(), 100, usize::MAX, Avx2::detect());
        let fields: Vec<_> = rows.iter().map(|row| row.rsplit_once("} ").unwrap().1).collect();
        assert_eq!((&fields[..], stop), (expected_rows, expected_stop));
    }

    #[test]
    fn short_rows_are_filled_and_long_rows_cut() {
        check("1\n1,2,3,4\n1,2\n1,2,3\n1,", &["1|-|-", "1|2|3", "1|2|-", "1|2|3"], (20, Stop::NeedMore));
    }

    #[test]
    fn a_line_with_a_quote_anywhere_ends_the_search() {
        check("1,2,3\n4,5,6\n7,x\"y,8\n9,9,9\n", &["1|2|3", "4|5|6"], (12, Stop::Quoted));
    }

    #[test]
    fn a_line_of_far_too_many_fields_ends_the_search() {
        check(&format!("1,2,3\n{}\n4,5,6\n", ",".repeat(200)), &["1|2|3"], (6, Stop::Quoted));
    }

    #[test]
    fn the_lines_are_those_that_the_other_scanner_finds() {
        let mut next = dice(1);
        let mut n_rows = 0;
        for round in 0..20_000 {
            let alphabet: &[u8] = if round % 4 == 0 { b",,,,xx1\n\r #\"" } else { b",,,,,xxxxxxxx111\n\r #" };
            let input: Vec<u8> = (0..next(400)).map(|_| alphabet[next(alphabet.len())]).collect();
            let shown = String::from_utf8_lossy(&input);
            let by_all = plain(&input, 200, usize::MAX, None);
            let (rows, odd, stop) = plain(&input, 200, usize::MAX, Avx2::detect());
            assert_eq!((&rows, &odd, &stop), (&by_all.0, &by_all.1, &by_all.2), "{shown:?}");
            let (expected, expected_odd, expected_stop) = simple(&input);
            assert_eq!(rows[..], expected[..rows.len()], "{shown:?}");
            let expected_odd: Vec<_> = expected_odd.into_iter().filter(|(row, _)| *row < rows.len() as u32).collect();
            assert_eq!(odd, expected_odd, "{shown:?}");
            n_rows += rows.len();
            if stop.1 == Stop::NeedMore {
                assert_eq!(stop, expected_stop, "{shown:?}");
                assert_eq!(rows.len(), expected.len(), "{shown:?}");
            }
        }
        assert!(n_rows > 100_000, "{n_rows}");
    }

    #[test]
    fn the_search_ends_with_the_rows_and_the_bytes_asked_for() {
        let input = b"1,2,3\n4,5,6\n7,8,9\n";
        assert_eq!(plain(input, 2, usize::MAX, Avx2::detect()).2, (12, Stop::Full));
        assert_eq!(plain(input, 9, 5, Avx2::detect()).2, (6, Stop::BeyondEnd));
        assert_eq!(plain(input, 9, 6, Avx2::detect()).2, (12, Stop::BeyondEnd));
    }
}
