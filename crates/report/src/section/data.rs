//! The rows and columns that were learned from.

use crate::content::{Bins, Block, Cell, Column, Row, Section, Table};
use crate::gather::{ColumnProfile, Content, Numbers, Profile, Texts, Unit};
use crate::number::{count, percent};

/// How rows became fewer.
#[derive(Debug, Clone, Default)]
pub struct RowFlow {
    /// Records of the files.
    pub n_read: u64,
    /// What took rows away, in order.
    pub losses: Vec<Loss>,
    /// Rows after all steps.
    pub n_kept: u64,
    /// Rows that were learned from.
    pub n_train: u64,
    /// Rows that were kept apart to measure on.
    pub n_test: u64,
}

/// A step that took rows away.
#[derive(Debug, Clone, Default)]
pub struct Loss {
    /// The step: `dropna`.
    pub step: String,
    /// How many rows.
    pub n_rows: u64,
    /// Why, as far as it is known.
    pub reason: String,
}

/// The section: rows read, kept and dropped, and the profile of the columns.
pub fn data(flow: &RowFlow, profile: Option<&Profile>) -> Section {
    let mut section = Section::new("data", "Data");
    section.table(flow_table(flow));
    if let Some(profile) = profile {
        section.table(profile_table(profile));
        section.blocks.extend(sampled(profile).map(Block::Text));
    }
    section
}

/// Which numbers of a profile are of some of the rows only.
fn sampled(profile: &Profile) -> Option<String> {
    let (n_rows, n_looked, n_sampled) = (profile.n_rows(), profile.n_looked(), profile.n_sampled());
    if n_sampled == n_rows {
        return None;
    }
    let mut text = format!(
        "Nulls, mean, min and max are of all {} rows; quantiles and histograms are of {}",
        count(n_rows),
        count(n_sampled)
    );
    if n_looked < n_rows {
        text.push_str(&format!(", distinct values (≥: others may have more) and deviations of {}", count(n_looked)));
    }
    text.push_str(" rows, spread evenly.");
    Some(text)
}

fn flow_table(flow: &RowFlow) -> Table {
    let mut table =
        Table::new([Column::text("rows"), Column::number("count"), Column::number("share"), Column::text("why")]);
    table.caption = "Rows read, dropped and kept".to_owned();
    let share = |n: u64| if flow.n_read == 0 { Cell::Empty } else { Cell::Share(n as f64 / flow.n_read as f64) };
    let row = |name: &str, n: u64, why: &str| {
        Row::new([Cell::Text(name.to_owned()), Cell::Count(n), share(n), Cell::Text(why.to_owned())])
    };
    table.rows.push(row("read", flow.n_read, ""));
    for loss in &flow.losses {
        table.rows.push(row(&format!("dropped by {}", loss.step), loss.n_rows, &loss.reason));
    }
    table.rows.push(row("kept", flow.n_kept, ""));
    if flow.n_test > 0 {
        table.rows.push(row("learned from", flow.n_train, "randomSplit"));
        table.rows.push(row("kept apart", flow.n_test, "randomSplit"));
    }
    table
}

// ---- profile --------------------------------------------------------------------------------------------------------

fn profile_table(profile: &Profile) -> Table {
    let text = ["column", "type"].map(Column::text);
    let numbers =
        ["nulls", "distinct", "mean", "deviation", "min", "25 %", "median", "75 %", "max"].map(Column::number);
    let mut table = Table::new(text.into_iter().chain(numbers).chain([Column::text("spread")]));
    table.caption = format!(
        "{} columns of {} rows, after all steps of preparation",
        profile.columns().len(),
        count(profile.n_rows())
    );
    table.rows = profile.columns().iter().map(|column| profile_row(column, profile)).collect();
    table
}

fn profile_row(column: &ColumnProfile, profile: &Profile) -> Row {
    let n_rows = profile.n_rows();
    let is_whole = profile.n_looked() == n_rows;
    let nulls = match column.n_nulls {
        0 => Cell::Count(0),
        n => Cell::Text(format!("{} ({})", count(n), percent(n as f64 / n_rows.max(1) as f64))),
    };
    let mut cells = vec![Cell::Code(column.name.clone()), Cell::Text(column.type_name.clone()), nulls];
    match &column.content {
        Content::Numbers(numbers) => cells.extend(number_cells(numbers, is_whole)),
        Content::Texts(texts) => cells.extend(text_cells(texts, is_whole)),
        Content::Other => cells.extend(std::iter::repeat_n(Cell::Empty, N_CONTENT_CELLS)),
    }
    Row::new(cells)
}

/// Cells after name, type and nulls.
const N_CONTENT_CELLS: usize = 9;

/// Distinct values, of all rows when `is_whole`.
fn distinct_cell((n, is_counted): (u64, bool), is_whole: bool) -> Cell {
    match (is_whole, is_counted) {
        (true, true) => Cell::Count(n),
        (true, false) => Cell::About(n),
        (false, _) => Cell::AtLeast(n),
    }
}

fn number_cells(numbers: &Numbers, is_whole: bool) -> Vec<Cell> {
    let extent = numbers.extent();
    let sample = numbers.sorted_sample();
    let value = |value: Option<f64>| value.map_or(Cell::Empty, |value| value_cell(value, numbers.unit));
    let is_there = extent.n_finite > 0;
    let mut cells = vec![distinct_cell(numbers.distinct(), is_whole), value(extent.mean())];
    let is_number = numbers.unit == Unit::Number;
    cells.push(numbers.deviation().filter(|_| is_number).map_or(Cell::Empty, Cell::Number));
    cells.push(value(is_there.then_some(extent.min)));
    cells.extend([0.25, 0.5, 0.75].map(|share| value(quantile(&sample, share))));
    cells.push(value(is_there.then_some(extent.max)));
    cells.push(bins(&sample, extent.min, extent.max).map_or(Cell::Empty, Cell::Bins));
    if extent.n_nan + extent.n_infinite > 0 {
        let n = extent.n_nan + extent.n_infinite;
        cells[0] = Cell::Text(format!("{}, {} NaN or ∞", count(numbers.distinct().0), count(n)));
    }
    cells
}

fn value_cell(value: f64, unit: Unit) -> Cell {
    let micros = match unit {
        Unit::Number => return Cell::Number(value),
        Unit::Days => value * 86_400e6,
        Unit::Micros => value,
    };
    let Some(time) = chrono::DateTime::from_timestamp_micros(micros as i64) else { return Cell::Number(value) };
    let format = if unit == Unit::Days { "%Y-%m-%d" } else { "%Y-%m-%d %H:%M:%S" };
    Cell::Text(time.format(format).to_string())
}

fn text_cells(texts: &Texts, is_whole: bool) -> Vec<Cell> {
    let mut cells = vec![distinct_cell(texts.distinct(), is_whole)];
    cells.extend(std::iter::repeat_n(Cell::Empty, N_CONTENT_CELLS - 2));
    let categories = texts.categories();
    if categories.is_empty() {
        cells.push(Cell::Empty);
        return cells;
    }
    let total: u64 = categories.iter().map(|category| category.n).sum();
    let shown = categories.iter().take(3).map(|category| {
        let text = crate::html::shortened(&category.text, 30);
        let text = if text.is_empty() { "(empty)".to_owned() } else { text };
        format!("{text} {}", percent(category.n as f64 / total as f64))
    });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if categories.len() > 3 {
        text.push_str(", …");
    }
    cells.push(Cell::Text(text));
    cells
}

/// The value below which `share` of the values lie, between neighbours as a line goes; `None` without values.
pub(super) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share * last as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

const N_BINS: usize = 24;
/// More distinct values than these do not get a bar each.
const MAX_BARS: usize = 24;

/// Bins over the range of the values; a few values far out are counted in the last bin, so that the others are seen apart.
fn bins(sorted: &[f64], min: f64, max: f64) -> Option<Bins> {
    let (low, high) = (quantile(sorted, 0.01)?, quantile(sorted, 0.99)?);
    let spread = high - low;
    let (mut from, mut to) = (min, max);
    if spread > 0.0 {
        from = if low - min > spread { low } else { min };
        to = if max - high > spread { high } else { max };
    }
    let is_whole = sorted.iter().all(|value| value.fract() == 0.0);
    let (from, to, n) = match to - from {
        width if is_whole && width < MAX_BARS as f64 => (from - 0.5, to + 0.5, width as usize + 1),
        width if width > 0.0 && width.is_finite() => (from, to, N_BINS),
        _ => (from, to, 1),
    };
    let mut counts = vec![0; n];
    for value in sorted {
        let share = (value - from) / (to - from);
        let bin = if share.is_finite() { (share * n as f64).clamp(0.0, n as f64 - 1.0) as usize } else { 0 };
        counts[bin] += 1;
    }
    Some(Bins { from, to, counts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        for (share, expect) in [(0.0, 1.0), (0.5, 3.0), (1.0, 8.0), (0.25, 1.75)] {
            assert!((quantile(&sorted, share).unwrap() - expect).abs() < 1e-12, "{share}");
        }
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn few_whole_numbers_get_a_bar_each() {
        assert_eq!(bins(&[0.0, 0.0, 1.0, 3.0], 0.0, 3.0).unwrap().counts, [2, 1, 0, 1]);
    }

    #[test]
    fn a_value_far_out_does_not_hide_the_others() {
        let mut values: Vec<f64> = (0..1000).map(|i| f64::from(i) / 100.0).collect();
        values.push(1e9);
        let bins = bins(&values, 0.0, 1e9).unwrap();
        assert!(bins.to < 11.0, "{bins:?}");
        assert_eq!(bins.counts.iter().sum::<u64>(), 1001);
    }

    #[test]
    fn one_value_and_the_widest_range_are_no_failure() {
        assert_eq!(bins(&[0.3, 0.3], 0.3, 0.3).unwrap().counts, [2]);
        assert_eq!(bins(&[-f64::MAX, f64::MAX], -f64::MAX, f64::MAX).unwrap().counts.iter().sum::<u64>(), 2);
        assert_eq!(bins(&[], f64::INFINITY, f64::NEG_INFINITY), None);
    }

    #[test]
    fn rows_lost_stand_with_their_reason() {
        let loss = Loss { step: "dropna".to_owned(), n_rows: 20, reason: "nulls: dti 12, fico 9".to_owned() };
        let flow = RowFlow { n_read: 100, losses: vec![loss], n_kept: 80, n_train: 60, n_test: 20 };
        let names: Vec<String> = flow_table(&flow).rows.iter().map(|row| format!("{:?}", row.cells[0])).collect();
        let expect = ["read", "dropped by dropna", "kept", "learned from", "kept apart"];
        assert_eq!(names, expect.map(|name| format!("Text({name:?})")));
    }
}
