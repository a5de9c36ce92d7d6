//! Importances of features, as trees give them.

use crate::content::{Axis, Cell, Chart, Column, Row, RowChart, RowMark, Section, Table};

/// How much each feature mattered; the shares sum up to 1.
#[derive(Debug, Clone, Default)]
pub struct Importances {
    /// The stage's uid.
    pub stage: String,
    /// Name and share of each feature.
    pub features: Vec<(String, f64)>,
}

/// More features than these are not drawn, only listed.
const MAX_BARS: usize = 25;

/// The section.
pub fn importances(importances: &Importances) -> Section {
    let mut section = Section::new("importances", "Feature importances");
    let mut sorted = importances.features.clone();
    // As they come where they are equal.
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    let row =
        |(name, value): &(String, f64)| RowMark { name: name.clone(), value: *value, spread: None, is_marked: false };
    let rows = sorted.iter().take(MAX_BARS).map(row).collect();
    let axis = Axis::new("share of all gain of impurity");
    let chart = Chart::Rows(RowChart { axis, row_label: "feature".to_owned(), is_bars: true, rows });
    let caption = match sorted.len() > MAX_BARS {
        true => format!("The {MAX_BARS} largest of {}.", sorted.len()),
        false => String::new(),
    };
    section.figure("shares", "How much each feature matters", caption, chart);
    let mut table = Table::new([Column::text("feature"), Column::number("importance")]);
    table.caption = importances.stage.clone();
    table.rows = sorted.iter().map(|(name, value)| Row::new([Cell::Code(name.clone()), Cell::Exact(*value)])).collect();
    section.table(table);
    section
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Block;

    #[test]
    fn the_most_important_come_first_and_all_are_listed() {
        let features = (0..40).map(|i| (format!("x{i}"), f64::from(i) / 780.0)).collect();
        let section = importances(&Importances { stage: "tree".to_owned(), features });
        let [Block::Figure(figure), Block::Table(table)] = section.blocks.as_slice() else { panic!() };
        let Chart::Rows(chart) = &figure.chart else { panic!() };
        assert_eq!((chart.rows.len(), chart.rows[0].name.as_str(), table.rows.len()), (MAX_BARS, "x39", 40));
        assert_eq!(figure.caption, "The 25 largest of 40.");
    }
}
