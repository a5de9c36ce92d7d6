//! Which columns predict best.

use std::cmp::Ordering;

use rustc_hash::FxHashMap;

use super::data::quantile;
use crate::content::{Axis, Cell, Chart, Column, Form, Row, RowChart, RowMark, Section, Series, Table, XyChart};
use crate::number::{count, rounded};

/// Every set of columns that was tried.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// How sets were chosen: `exhaustive`, `forward`, `backward`.
    pub strategy: String,
    /// How they were judged: `TrainValidationSplit, trainRatio 0.8, seed 12345`.
    pub validator: String,
    /// The metric.
    pub metric: String,
    /// Whether a larger value is a better one.
    pub is_larger_better: bool,
    /// The columns that sets were made of.
    pub columns: Vec<String>,
    /// Those that are in every set.
    pub required: Vec<String>,
    /// The sets, in the order in which they were tried.
    pub sets: Vec<TriedSet>,
}

/// A set of columns that was tried.
#[derive(Debug, Clone, Default)]
pub struct TriedSet {
    /// Its columns, as positions in [`Search::columns`].
    pub columns: Vec<usize>,
    /// The metric, over all folds.
    pub average: f64,
    /// The metric on each fold.
    pub folds: Vec<f64>,
}

/// Rows of the table of sets.
const MAX_ROWS: usize = 25;
/// Dots of a chart.
const MAX_DOTS: usize = 600;
/// Of so many sets it is told how often a column is among them.
const N_BEST: usize = 20;

/// The section: the best sets, the metric by number of columns, and which column helps how much.
pub fn search(search: &Search) -> Section {
    let mut section = Section::new("search", "Column search");
    section.text(format!(
        "{} sets of {} columns, {}, {}; the {} metric is better, and of equal sets the smaller one.",
        count(search.sets.len() as u64),
        search.columns.len(),
        search.strategy,
        search.validator,
        if search.is_larger_better { "larger" } else { "smaller" },
    ));
    if !search.required.is_empty() {
        section.text(format!("Always in: {}.", search.required.join(", ")));
    }
    let ranked = ranked(search);
    section.figure("by-size", format!("{} by number of columns", search.metric), BY_SIZE, Chart::Xy(by_size(search)));
    let gains = gains(search);
    section.figure("gains", "How much each column helps", GAINS, Chart::Rows(gain_chart(search, &gains)));
    section.table(sets_table(search, &ranked));
    section.table(columns_table(search, &gains, &ranked));
    section
}

const BY_SIZE: &str = "Each dot is a set; the line goes through the best of each size.";
const GAINS: &str = "The mean change of the metric when the column is added to a set, over all pairs of sets that were tried and \
    differ in it alone; to the right it helps. Whiskers span the middle 80 % of the pairs.";

/// The better of two metrics first; a NaN is worse than any number.
pub(super) fn better_first(a: f64, b: f64, is_larger_better: bool) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) if is_larger_better => b.total_cmp(&a),
        (false, false) => a.total_cmp(&b),
        (a_is_nan, b_is_nan) => a_is_nan.cmp(&b_is_nan),
    }
}

fn ranked(search: &Search) -> Vec<&TriedSet> {
    let mut ranked: Vec<&TriedSet> = search.sets.iter().collect();
    ranked.sort_by(|a, b| {
        let by_metric = better_first(a.average, b.average, search.is_larger_better);
        by_metric.then(a.columns.len().cmp(&b.columns.len()))
    });
    ranked
}

fn by_size(search: &Search) -> XyChart {
    let point = |set: &TriedSet| (set.columns.len() as f64, set.average);
    let every = search.sets.len().div_ceil(MAX_DOTS).max(1);
    let dots = search.sets.iter().step_by(every).map(point);
    let mut best: Vec<(f64, f64)> = Vec::new();
    for set in ranked(search) {
        if !best.iter().any(|(size, _)| *size as usize == set.columns.len()) {
            best.push(point(set));
        }
    }
    best.sort_by(|a, b| a.0.total_cmp(&b.0));
    let series = vec![Series::new("sets", Form::Dots, dots), Series::new("best of its size", Form::LineWithDots, best)];
    XyChart { x: Axis::whole("number of columns"), y: Axis::new(search.metric.clone()), series }
}

/// How the metric changes with a column, in the direction that is better.
struct Gain {
    column: usize,
    /// One for each pair of sets, in ascending order.
    changes: Vec<f64>,
}

impl Gain {
    fn mean(&self) -> f64 {
        self.changes.iter().sum::<f64>() / self.changes.len() as f64
    }
}

/// Of every column that is not in all sets, the most helpful first; columns without a pair of sets come last.
fn gains(search: &Search) -> Vec<Gain> {
    let by_set: FxHashMap<Vec<usize>, f64> =
        search.sets.iter().map(|set| (sorted(&set.columns), set.average)).collect();
    let direction = if search.is_larger_better { 1.0 } else { -1.0 };
    let is_free = |column: &usize| !search.required.contains(&search.columns[*column]);
    let gain = |column: usize| {
        let change = |set: &TriedSet| {
            let without: Vec<usize> = sorted(&set.columns).into_iter().filter(|&other| other != column).collect();
            let is_with = without.len() < set.columns.len();
            let change = direction * (set.average - by_set.get(&without).filter(|_| is_with)?);
            change.is_finite().then_some(change)
        };
        let mut changes: Vec<f64> = search.sets.iter().filter_map(change).collect();
        changes.sort_by(f64::total_cmp);
        Gain { column, changes }
    };
    let mut gains: Vec<Gain> = (0..search.columns.len()).filter(is_free).map(gain).collect();
    gains.sort_by(|a, b| better_first(a.mean(), b.mean(), true));
    gains
}

fn sorted(columns: &[usize]) -> Vec<usize> {
    let mut columns = columns.to_vec();
    columns.sort_unstable();
    columns
}

fn gain_chart(search: &Search, gains: &[Gain]) -> RowChart {
    let row = |gain: &Gain| RowMark {
        name: search.columns[gain.column].clone(),
        value: gain.mean(),
        spread: quantile(&gain.changes, 0.1).zip(quantile(&gain.changes, 0.9)),
        is_marked: false,
    };
    let rows = gains.iter().filter(|gain| !gain.changes.is_empty()).map(row).collect();
    let axis = Axis::new(format!("change of {}", search.metric));
    RowChart { axis, row_label: "column".to_owned(), is_bars: true, rows }
}

fn names(search: &Search, set: &TriedSet) -> String {
    let names: Vec<&str> = sorted(&set.columns).iter().map(|&column| search.columns[column].as_str()).collect();
    names.join(", ")
}

fn sets_table(search: &Search, ranked: &[&TriedSet]) -> Table {
    let titles = [Column::number("rank"), Column::number(search.metric.clone())];
    let has_folds = ranked.iter().any(|set| set.folds.len() > 1);
    let folds = has_folds.then(|| ["worst fold", "best fold"].map(Column::number));
    let more = [Column::number("columns"), Column::text("which")];
    let mut table = Table::new(titles.into_iter().chain(folds.into_iter().flatten()).chain(more));
    table.caption = match ranked.len() > MAX_ROWS {
        true => format!("The best {MAX_ROWS} of {} sets", count(ranked.len() as u64)),
        false => "The sets".to_owned(),
    };
    for (rank, set) in ranked.iter().enumerate().take(MAX_ROWS) {
        let mut cells = vec![Cell::Count(rank as u64 + 1), Cell::Exact(set.average)];
        if has_folds {
            let mut folds = set.folds.clone();
            folds.sort_by(|a, b| better_first(*b, *a, search.is_larger_better));
            let cell = |value: Option<&f64>| value.map_or(Cell::Empty, |&value| Cell::Text(rounded(value, 6)));
            cells.extend([cell(folds.first()), cell(folds.last())]);
        }
        cells.extend([Cell::Count(set.columns.len() as u64), Cell::Code(names(search, set))]);
        table.rows.push(Row::new(cells).marked(rank == 0));
    }
    table
}

fn columns_table(search: &Search, gains: &[Gain], ranked: &[&TriedSet]) -> Table {
    let best = &ranked[..ranked.len().min(N_BEST)];
    let titles =
        ["mean change".to_owned(), "helps in".to_owned(), "pairs".to_owned(), format!("in the best {}", best.len())];
    let mut table = Table::new([Column::text("column")].into_iter().chain(titles.map(Column::number)));
    table.caption = "Which column helps how much".to_owned();
    for gain in gains {
        let n = gain.changes.len();
        let n_helped = gain.changes.iter().filter(|&&change| change > 0.0).count();
        let n_in_best = best.iter().filter(|set| set.columns.contains(&gain.column)).count();
        table.rows.push(Row::new([
            Cell::Code(search.columns[gain.column].clone()),
            if n == 0 { Cell::Empty } else { Cell::Number(gain.mean()) },
            if n == 0 { Cell::Empty } else { Cell::Share(n_helped as f64 / n as f64) },
            Cell::Count(n as u64),
            Cell::Count(n_in_best as u64),
        ]));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Block;

    /// All sets of three columns, of which `a` adds 0.1, `b` 0.02 and `c` nothing.
    fn exhaustive() -> Search {
        let worth = [0.1, 0.02, 0.0];
        let set = |mask: usize| {
            let columns: Vec<usize> = (0..3).filter(|column| mask >> column & 1 == 1).collect();
            let average = 0.5 + columns.iter().map(|&column| worth[column]).sum::<f64>();
            TriedSet { average, folds: vec![average - 0.01, average + 0.01], columns }
        };
        Search {
            strategy: "exhaustive".to_owned(),
            validator: "CrossValidator, 2 folds".to_owned(),
            metric: "areaUnderROC".to_owned(),
            is_larger_better: true,
            columns: ["a", "b", "c"].map(str::to_owned).to_vec(),
            required: Vec::new(),
            sets: (1..8).map(set).collect(),
        }
    }

    #[test]
    fn the_smaller_of_equal_sets_is_the_better_one() {
        let found = exhaustive();
        let names: Vec<String> = ranked(&found).into_iter().map(|set| names(&found, set)).collect();
        assert_eq!(names, ["a, b", "a, b, c", "a", "a, c", "b", "b, c", "c"]);
    }

    #[test]
    fn a_column_helps_by_what_it_adds() {
        let found = gains(&exhaustive());
        let told: Vec<(usize, usize)> = found.iter().map(|gain| (gain.column, gain.changes.len())).collect();
        // The empty set was not tried, so that each column has three pairs.
        assert_eq!(told, [(0, 3), (1, 3), (2, 3)]);
        for (gain, expect) in found.iter().zip([0.1, 0.02, 0.0]) {
            assert!((gain.mean() - expect).abs() < 1e-12);
        }
    }

    #[test]
    fn a_required_column_is_not_judged_and_smaller_can_be_better() {
        let mut found = exhaustive();
        found.required = vec!["a".to_owned()];
        found.is_larger_better = false;
        let told: Vec<usize> = gains(&found).iter().map(|gain| gain.column).collect();
        assert_eq!(told, [2, 1]);
        assert!(gains(&found)[1].mean() < 0.0);
    }

    #[test]
    fn a_walk_forward_judges_what_it_tried() {
        let mut found = exhaustive();
        found.sets.retain(|set| [vec![0], vec![0, 1], vec![0, 1, 2]].contains(&set.columns));
        let section = search(&found);
        let figures = section.blocks.iter().filter(|block| matches!(block, Block::Figure(_))).count();
        assert_eq!(figures, 2);
        let pairs: Vec<usize> = gains(&found).iter().map(|gain| gain.changes.len()).collect();
        assert_eq!(pairs, [1, 1, 0], "nothing was tried without `a`");
    }

    #[test]
    fn nothing_tried_is_no_failure() {
        assert!(!search(&Search::default()).is_empty());
    }
}
