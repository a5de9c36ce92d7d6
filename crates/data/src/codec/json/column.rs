//! Reads one column of a block: runs of plain values in one loop for each type, all else cell by cell.
//!
//! A run ends where a cell is not plain: null, wrong, long, escaped, or anything that is not quite easy. [`push_cell`] is
//! the definition of what is right; a run takes only what it would take, with the same value.

use super::cell::{CellRules, push_cell, push_null};
use super::reader::Syntax;
use crate::codec::builder::{ColumnBuilder, Values};
use crate::codec::cpu::Avx2;
use crate::codec::field::Span;
#[cfg(target_arch = "x86_64")]
use crate::codec::number::sixteen;
use crate::codec::number::{ShortDecimal, parse_long_at, short_decimal_at};

/// Where the cells of one column lie, row by row.
#[derive(Clone, Copy)]
pub(super) struct Spans<'a> {
    /// `n_cols` for each row.
    pub(super) of_rows: &'a [Span],
    pub(super) n_cols: usize,
    pub(super) column: usize,
    pub(super) n_rows: usize,
}

impl<'a> Spans<'a> {
    fn get(&self, row: usize) -> Span {
        self.of_rows[row * self.n_cols + self.column]
    }

    /// Those from a row on.
    fn from(self, row: usize) -> impl Iterator<Item = Span> + 'a {
        let first = (row * self.n_cols + self.column).min(self.of_rows.len());
        self.of_rows[first..].iter().step_by(self.n_cols).take(self.n_rows - row).copied()
    }
}

/// Appends the cells of a column; `wrong` is told the row of each that is of another type than the column.
pub(super) fn push_column(
    column: &mut ColumnBuilder,
    spans: Spans<'_>,
    window: &[u8],
    rules: &CellRules,
    syntax: &Syntax,
    mut wrong: impl FnMut(usize),
) {
    let mut row = 0;
    while row < spans.n_rows {
        let n = push_run(&mut column.values, spans, row, window, rules.avx2);
        column.n_rows += n;
        row += n;
        if row == spans.n_rows {
            return;
        }
        match spans.get(row).in_input() {
            None => push_null(column),
            Some((start, len)) => {
                if push_cell(column, &window[start..start + len], rules, syntax).is_err() {
                    wrong(row);
                }
            }
        }
        row += 1;
    }
}

/// Appends the plain cells from `row` on, and says how many.
fn push_run(values: &mut Values, spans: Spans<'_>, row: usize, window: &[u8], avx2: Option<Avx2>) -> usize {
    #[cfg(target_arch = "x86_64")]
    if avx2.is_some() {
        #[allow(unsafe_code, reason = "`Avx2` is the proof that the processor has what the function is compiled for")]
        return unsafe { push_run_by_avx2(values, spans, row, window) };
    }
    let _ = avx2;
    push_any_run(values, spans, row, window)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn push_run_by_avx2(values: &mut Values, spans: Spans<'_>, row: usize, window: &[u8]) -> usize {
    let long = |start: usize, len: usize| sixteen::long(window, start, len);
    match values {
        Values::Int32(out) => push_integers(out, spans, row, long),
        Values::Int64(out) => push_integers(out, spans, row, long),
        Values::Float64(out) => push_doubles(out, spans, row, |start, len| sixteen::short_decimal(window, start, len)),
        others => push_any_run(others, spans, row, window),
    }
}

fn push_any_run(values: &mut Values, spans: Spans<'_>, row: usize, window: &[u8]) -> usize {
    let long = |start: usize, len: usize| parse_long_at(window, start, len);
    match values {
        Values::Int16(out) => push_integers(out, spans, row, long),
        Values::Int32(out) => push_integers(out, spans, row, long),
        Values::Int64(out) => push_integers(out, spans, row, long),
        Values::Float64(out) => push_doubles(out, spans, row, |start, len| short_decimal_at(window, start, len)),
        Values::Text { offsets, bytes, binary: false } => push_texts(offsets, bytes, spans, row, window),
        _ => 0,
    }
}

#[inline(always)]
fn push_integers<T: TryFrom<i64>>(
    out: &mut Vec<T>,
    spans: Spans<'_>,
    row: usize,
    long: impl Fn(usize, usize) -> Option<i64>,
) -> usize {
    let n_before = out.len();
    out.reserve(spans.n_rows - row);
    // A plain loop: chains of iterators are not inlined into code for more than the oldest processors.
    for span in spans.from(row) {
        let Some((start, len)) = span.in_input() else { break };
        let Some(value) = long(start, len) else { break };
        let Ok(value) = T::try_from(value) else { break };
        out.push(value);
    }
    out.len() - n_before
}

#[inline(always)]
fn push_doubles(
    out: &mut Vec<f64>,
    spans: Spans<'_>,
    row: usize,
    short: impl Fn(usize, usize) -> Option<ShortDecimal>,
) -> usize {
    let n_before = out.len();
    let mut decimals = [ShortDecimal::ZERO; 64];
    let mut cells = spans.from(row);
    loop {
        let mut n = 0;
        for decimal in &mut decimals {
            let Some(span) = cells.next() else { break };
            let Some((start, len)) = span.in_input() else { break };
            let Some(short) = short(start, len) else { break };
            *decimal = short;
            n += 1;
        }
        let at = out.len();
        out.resize(at + n, 0.0);
        ShortDecimal::to_doubles(&decimals[..n], &mut out[at..]);
        if n < decimals.len() {
            return out.len() - n_before;
        }
    }
}

fn push_texts(offsets: &mut Vec<i32>, bytes: &mut Vec<u8>, spans: Spans<'_>, row: usize, window: &[u8]) -> usize {
    let n_before = offsets.len();
    offsets.reserve(spans.n_rows - row);
    for span in spans.from(row) {
        let Some((start, len)) = span.in_input() else { break };
        let [b'"', text @ .., b'"'] = &window[start..start + len] else { break };
        if !is_plain(text) {
            break;
        }
        bytes.extend_from_slice(text);
        offsets.push(bytes.len() as i32);
    }
    offsets.len() - n_before
}

/// Whether a text means itself: ASCII without escapes.
fn is_plain(text: &[u8]) -> bool {
    const EACH: u64 = u64::MAX / 0xFF;
    let (words, last) = text.as_chunks::<8>();
    let odd = |word: u64| {
        let others = word ^ (EACH * u64::from(b'\\'));
        (others.wrapping_sub(EACH) & !others) | word
    };
    let found = words.iter().fold(0, |found, bytes| found | odd(u64::from_le_bytes(*bytes)));
    found & (EACH * 0x80) == 0 && last.iter().all(|byte| byte.is_ascii() && *byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::dice::dice;
    use crate::codec::json::options::JsonOptions;
    use crate::schema::parse_ddl;

    #[test]
    fn a_column_in_runs_is_the_column_cell_by_cell() {
        let values = [
            "0",
            "7",
            "-7",
            "00",
            "12345678",
            "-123456789012",
            "99999999999999999999",
            "32768",
            "2147483648",
            "0.5",
            "-0",
            "-0.0",
            "13.79007186",
            "262.36",
            "17566.869552",
            "1e3",
            "-1.5E-7",
            "123456789.12345678901",
            "true",
            "null",
            "[1]",
            "{}",
            "NaN",
            "\"\"",
            "\"x\"",
            "\"debt_consolidation\"",
            "\"é\"",
            "\"a\\nb\"",
            "'it'",
            "\"NaN\"",
            "\"1\"",
            "\"long and \\u0041\"",
            "\"twelve bytes\"",
        ];
        let options = JsonOptions::default();
        let (rules, syntax) = (CellRules::new(&options), Syntax::new(&options));
        let schema = parse_ddl("s SMALLINT, i INT, l BIGINT, d DOUBLE, t STRING, f FLOAT, b TINYINT").unwrap();
        let mut next = dice(1);
        for round in 0..2000 {
            // Mostly of one kind, as columns are.
            let (first, spread) = (next(values.len()), 1 + next(6));
            let n_rows = next(200);
            let (mut window, mut of_rows) = (Vec::new(), Vec::new());
            for _ in 0..n_rows {
                let value = match next(40) {
                    0 => values[next(values.len())],
                    _ => values[(first + next(spread)) % values.len()],
                };
                let span = match next(30) {
                    0 => Span::NULL,
                    _ => Span::of_input(window.len(), value.len()),
                };
                window.extend_from_slice(value.as_bytes());
                of_rows.extend([Span::NULL, span]);
            }
            for field in schema.fields() {
                let mut in_runs = ColumnBuilder::new("JSON", field.name(), field).unwrap();
                let mut one_by_one = ColumnBuilder::new("JSON", field.name(), field).unwrap();
                let spans = Spans { of_rows: &of_rows, n_cols: 2, column: 1, n_rows };
                let mut wrong = Vec::new();
                push_column(&mut in_runs, spans, &window, &rules, &syntax, |row| wrong.push(row));
                let mut expected = Vec::new();
                for row in 0..n_rows {
                    match spans.get(row).in_input() {
                        None => push_null(&mut one_by_one),
                        Some((start, len)) => {
                            if push_cell(&mut one_by_one, &window[start..start + len], &rules, &syntax).is_err() {
                                expected.push(row);
                            }
                        }
                    }
                }
                assert_eq!(wrong, expected, "{field}, round {round}");
                let (ours, theirs) = (in_runs.finish().unwrap().to_data(), one_by_one.finish().unwrap().to_data());
                // Not by value: -0.0 and 0.0 are two.
                assert_eq!(ours.buffers(), theirs.buffers(), "{field}, round {round}");
                assert_eq!(ours.nulls(), theirs.nulls(), "{field}, round {round}");
            }
        }
    }
}
