//! Coefficients of a linear model.

use crate::content::{Axis, Cell, Chart, Column, Row, RowChart, RowMark, Section, Table};

/// Coefficients by feature, one set of them or one per class.
#[derive(Debug, Clone, Default)]
pub struct Weights {
    /// The stage's uid.
    pub stage: String,
    /// The names of the features.
    pub features: Vec<String>,
    /// The standard deviation of each feature; empty when they are not known.
    pub deviations: Vec<f64>,
    /// The sets.
    pub sets: Vec<WeightSet>,
    /// What a coefficient adds to: `log-odds of bad`, `price`.
    pub adds_to: String,
}

/// One set of coefficients.
#[derive(Debug, Clone, Default)]
pub struct WeightSet {
    /// The class that it is for; empty for the only set.
    pub name: String,
    /// The intercept.
    pub intercept: f64,
    /// A coefficient per feature.
    pub coefficients: Vec<f64>,
    /// Their standard errors, where they are known, else empty; the intercept's may follow.
    pub errors: Vec<f64>,
    /// Their p-values, where they are known, else empty; the intercept's may follow.
    pub p_values: Vec<f64>,
}

/// More sets than these do not get a chart each.
const MAX_CHARTS: usize = 6;
/// More sets than these do not get a column each.
const MAX_SETS: usize = 12;
/// More features than these are not drawn, only listed.
const MAX_BARS: usize = 25;
/// Half the width of a 95 % interval, in standard errors, for many rows.
const ERRORS_OF_95_PERCENT: f64 = 1.96;

/// The section.
pub fn weights(weights: &Weights) -> Section {
    let mut section = Section::new("coefficients", "Coefficients");
    let has_deviations = weights.deviations.len() == weights.features.len() && !weights.features.is_empty();
    section.text(match has_deviations {
        true => {
            "The bars show what one standard deviation more of a feature adds, so that features of unlike units can be \
             compared; the table has the coefficients themselves."
        }
        false => "A coefficient depends on its feature's unit: a long bar need not be a strong feature.",
    });
    for set in weights.sets.iter().take(MAX_CHARTS) {
        let title = match set.name.as_str() {
            "" => "What each feature adds".to_owned(),
            name => format!("What each feature adds to {name}"),
        };
        section.figure("effects", title, caption(weights, set), Chart::Rows(chart(weights, set, has_deviations)));
    }
    match weights.sets.as_slice() {
        [set] => section.table(table_of_one(weights, set, has_deviations)),
        sets => section.table(table_of_many(weights, &sets[..sets.len().min(MAX_SETS)])),
    }
    section
}

fn caption(weights: &Weights, set: &WeightSet) -> String {
    let mut words = Vec::new();
    if weights.features.len() > MAX_BARS {
        words.push(format!("The {MAX_BARS} largest of {}.", weights.features.len()));
    }
    if !set.errors.is_empty() {
        words.push("Whiskers span 95 % intervals.".to_owned());
    }
    words.join(" ")
}

fn chart(weights: &Weights, set: &WeightSet, has_deviations: bool) -> RowChart {
    let scale = |slot: usize| if has_deviations { weights.deviations[slot] } else { 1.0 };
    let row = |(slot, (name, coefficient)): (usize, (&String, &f64))| {
        let value = coefficient * scale(slot);
        let error = set.errors.get(slot).map(|error| ERRORS_OF_95_PERCENT * error * scale(slot));
        let spread = error.map(|error| (value - error, value + error));
        RowMark { name: name.clone(), value, spread, is_marked: false }
    };
    let mut rows: Vec<RowMark> = weights.features.iter().zip(&set.coefficients).enumerate().map(row).collect();
    rows.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
    // A feature that does not vary has a deviation of NaN or 0; NaN sorts first and is nothing to see.
    rows.retain(|row| row.value.is_finite());
    rows.truncate(MAX_BARS);
    let added = if weights.adds_to.is_empty() { "prediction" } else { &weights.adds_to };
    let label = if has_deviations { format!("{added}, per deviation") } else { format!("{added}, per unit") };
    RowChart { axis: Axis::new(label), row_label: "feature".to_owned(), is_bars: true, rows }
}

fn table_of_one(weights: &Weights, set: &WeightSet, has_deviations: bool) -> Table {
    let n_features = weights.features.len();
    let has = |values: &[f64]| values.len() >= n_features && n_features > 0;
    let optional = [
        ("standard error", has(&set.errors).then_some(set.errors.as_slice())),
        ("p-value", has(&set.p_values).then_some(set.p_values.as_slice())),
        ("deviation of the feature", has_deviations.then_some(weights.deviations.as_slice())),
    ];
    let optional: Vec<(&str, &[f64])> =
        optional.into_iter().filter_map(|(title, values)| Some((title, values?))).collect();
    let mut columns = vec![Column::text("feature"), Column::number("coefficient")];
    columns.extend(optional.iter().map(|(title, _)| Column::number(*title)));
    let mut table = Table::new(columns);
    table.caption = weights.stage.clone();
    let cells = |slot: usize| {
        optional.iter().map(move |(_, values)| values.get(slot).map_or(Cell::Empty, |&v| Cell::Number(v)))
    };
    let intercept = [Cell::Text("(intercept)".to_owned()), Cell::Exact(set.intercept)];
    table.rows.push(Row::new(intercept.into_iter().chain(cells(n_features))));
    for (slot, (name, &coefficient)) in weights.features.iter().zip(&set.coefficients).enumerate() {
        let first = [Cell::Code(name.clone()), Cell::Exact(coefficient)];
        table.rows.push(Row::new(first.into_iter().chain(cells(slot))));
    }
    table
}

fn table_of_many(weights: &Weights, sets: &[WeightSet]) -> Table {
    let columns = sets.iter().map(|set| Column::number(set.name.clone()));
    let mut table = Table::new([Column::text("feature")].into_iter().chain(columns));
    table.caption = match weights.sets.len() > sets.len() {
        true => format!("{}, the first {} of {} classes", weights.stage, sets.len(), weights.sets.len()),
        false => weights.stage.clone(),
    };
    let row = |name: Cell, of: &dyn Fn(&WeightSet) -> Option<f64>| {
        Row::new([name].into_iter().chain(sets.iter().map(|set| of(set).map_or(Cell::Empty, Cell::Number))))
    };
    table.rows.push(row(Cell::Text("(intercept)".to_owned()), &|set| Some(set.intercept)));
    for (slot, name) in weights.features.iter().enumerate() {
        table.rows.push(row(Cell::Code(name.clone()), &|set| set.coefficients.get(slot).copied()));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Block;

    fn example() -> Weights {
        let set = WeightSet {
            intercept: -1.5,
            coefficients: vec![7.0, -0.001, 0.0],
            errors: vec![0.5, 0.0001, 0.2, 0.3],
            ..WeightSet::default()
        };
        Weights {
            features: ["rate", "income", "constant"].map(str::to_owned).to_vec(),
            deviations: vec![0.02, 5000.0, f64::NAN],
            sets: vec![set],
            ..Weights::default()
        }
    }

    fn rows_of(section: &Section) -> Vec<(String, f64)> {
        let chart = section.blocks.iter().find_map(|block| match block {
            Block::Figure(figure) => Some(&figure.chart),
            _ => None,
        });
        let Some(Chart::Rows(chart)) = chart else { panic!("{section:?}") };
        chart.rows.iter().map(|row| (row.name.clone(), row.value)).collect()
    }

    #[test]
    fn the_strongest_feature_comes_first_whatever_its_unit() {
        let rows = rows_of(&weights(&example()));
        assert_eq!(rows.iter().map(|row| row.0.as_str()).collect::<Vec<_>>(), ["income", "rate"]);
        assert!((rows[0].1 + 5.0).abs() < 1e-12 && (rows[1].1 - 0.14).abs() < 1e-12, "{rows:?}");
    }

    #[test]
    fn the_table_has_what_is_known_and_the_intercepts_error() {
        let section = weights(&example());
        let Some(Block::Table(table)) = section.blocks.last() else { panic!() };
        let titles: Vec<&str> = table.columns.iter().map(|column| column.title.as_str()).collect();
        assert_eq!(titles, ["feature", "coefficient", "standard error", "deviation of the feature"]);
        assert_eq!(table.rows[0].cells[1..], [Cell::Exact(-1.5), Cell::Number(0.3), Cell::Empty]);
        assert_eq!(table.rows.len(), 4);
    }

    #[test]
    fn classes_stand_side_by_side() {
        let mut many = example();
        many.sets = (0..20).map(|i| WeightSet { name: format!("class {i}"), ..many.sets[0].clone() }).collect();
        let section = weights(&many);
        assert_eq!(section.blocks.iter().filter(|block| matches!(block, Block::Figure(_))).count(), MAX_CHARTS);
        let Some(Block::Table(table)) = section.blocks.last() else { panic!() };
        assert_eq!(table.columns.len(), MAX_SETS + 1);
    }
}
