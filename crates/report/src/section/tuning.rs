//! Which parameters did best, over the folds.

use crate::content::{Axis, Cell, Chart, Column, Form, Mark, Row, RowChart, RowMark, Section, Series, Table, XyChart};
use crate::number::rounded;

/// Every candidate of a grid, with its metric on each fold.
#[derive(Debug, Clone, Default)]
pub struct Tuning {
    /// How they were judged: `CrossValidator, 3 folds, seed 42`.
    pub validator: String,
    /// The metric.
    pub metric: String,
    /// Whether a larger value is a better one.
    pub is_larger_better: bool,
    /// The candidates, in the order of the grid.
    pub candidates: Vec<Candidate>,
}

/// Parameters that were tried.
#[derive(Debug, Clone, Default)]
pub struct Candidate {
    /// Name and value of each parameter of the grid: `LogisticRegression.regParam`, `0.01`.
    pub params: Vec<(String, String)>,
    /// The metric, over all folds.
    pub average: f64,
    /// The metric on each fold.
    pub folds: Vec<f64>,
}

impl Candidate {
    /// From the worst fold to the best.
    fn spread(&self) -> Option<(f64, f64)> {
        let folds = || self.folds.iter().copied().filter(|value| value.is_finite());
        let (least, most) = (folds().fold(f64::INFINITY, f64::min), folds().fold(f64::NEG_INFINITY, f64::max));
        (self.folds.len() > 1 && least <= most).then_some((least, most))
    }

    fn value(&self, param: &str) -> Option<&str> {
        self.params.iter().find(|(name, _)| name == param).map(|(_, value)| value.as_str())
    }
}

/// Rows of the table and of a chart of rows.
const MAX_ROWS: usize = 50;
const MAX_CHART_ROWS: usize = 30;
/// Lines of one chart.
const MAX_LINES: usize = 6;
/// An axis is one of equal ratios when its values reach over more than this.
const LOG_FROM_RATIO: f64 = 50.0;

/// The section: the metric over the grid, and the candidates from the best on.
pub fn tuning(tuning: &Tuning) -> Section {
    let mut section = Section::new("tuning", "Tuning");
    section.text(format!(
        "{} candidates, {}; the {} is better. Whiskers reach from the worst fold to the best.",
        tuning.candidates.len(),
        tuning.validator,
        if tuning.is_larger_better { "larger metric" } else { "smaller metric" },
    ));
    let varied = varied(tuning);
    let ranked = ranked(tuning);
    if let Some(chart) = over_grid(tuning, &varied) {
        section.figure("grid", format!("{} over the grid", tuning.metric), "", Chart::Xy(chart));
    }
    let caption = match ranked.len() > MAX_CHART_ROWS {
        true => format!("The best {MAX_CHART_ROWS} of {}, from the top.", ranked.len()),
        false => "From the best down.".to_owned(),
    };
    section.figure("candidates", "Candidates", caption, Chart::Rows(by_candidate(tuning, &varied, &ranked)));
    section.table(table(tuning, &ranked));
    section
}

/// The parameters whose value is not the same for all, in order of appearance.
fn varied(tuning: &Tuning) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in tuning.candidates.iter().flat_map(|candidate| &candidate.params) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names.retain(|name| values_of(tuning, name).len() > 1);
    names
}

/// The values of a parameter, in order of appearance.
fn values_of(tuning: &Tuning, param: &str) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for value in tuning.candidates.iter().map(|candidate| candidate.value(param).unwrap_or("")) {
        if !values.iter().any(|known| known == value) {
            values.push(value.to_owned());
        }
    }
    values
}

/// The candidates from the best on; those that are equal stay in order, and a NaN is worse than any number.
fn ranked(tuning: &Tuning) -> Vec<&Candidate> {
    let mut ranked: Vec<&Candidate> = tuning.candidates.iter().collect();
    ranked.sort_by(|a, b| super::search::better_first(a.average, b.average, tuning.is_larger_better));
    ranked
}

/// The metric against a parameter of numbers, with a line per value of a second one; `None` for other grids.
fn over_grid(tuning: &Tuning, varied: &[String]) -> Option<XyChart> {
    if varied.len() > 2 {
        return None;
    }
    let numbers = |name: &String| {
        let values: Option<Vec<f64>> = values_of(tuning, name).iter().map(|value| value.parse().ok()).collect();
        values.filter(|values| values.len() > 1 && values.iter().all(|value: &f64| value.is_finite()))
    };
    // The parameter with more values goes along the axis.
    let mut along = varied.iter().filter_map(|name| Some((name, numbers(name)?))).collect::<Vec<_>>();
    along.sort_by_key(|(_, values)| std::cmp::Reverse(values.len()));
    let (along, numbers) = along.into_iter().next()?;
    let other = varied.iter().find(|name| *name != along);
    let groups = other.map_or(vec![String::new()], |name| values_of(tuning, name));
    if groups.len() > MAX_LINES {
        return None;
    }
    let line = |group: &String| {
        let is_in = |candidate: &&Candidate| other.is_none_or(|name| candidate.value(name) == Some(group));
        let mark = |candidate: &Candidate| {
            let x = candidate.value(along)?.parse().ok()?;
            Some(Mark { x, y: candidate.average, spread: candidate.spread() })
        };
        let mut points: Vec<Mark> = tuning.candidates.iter().filter(is_in).filter_map(mark).collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let name = other.map_or(String::new(), |name| format!("{} {group}", short_name(name)));
        Series { name, form: Form::LineWithDots, points }
    };
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let is_log = least > 0.0 && most / least >= LOG_FROM_RATIO;
    let x = Axis::new(short_name(along)).log(is_log);
    Some(XyChart { x, y: Axis::new(tuning.metric.clone()), series: groups.iter().map(line).collect() })
}

fn by_candidate(tuning: &Tuning, varied: &[String], ranked: &[&Candidate]) -> RowChart {
    let row = |(rank, candidate): (usize, &&Candidate)| {
        let values: Vec<&str> = varied.iter().map(|name| candidate.value(name).unwrap_or("–")).collect();
        let name = if values.is_empty() { format!("candidate {}", rank + 1) } else { values.join(" · ") };
        RowMark { name, value: candidate.average, spread: candidate.spread(), is_marked: rank == 0 }
    };
    let rows = ranked.iter().enumerate().take(MAX_CHART_ROWS).map(row).collect();
    let names: Vec<&str> = varied.iter().map(|name| short_name(name)).collect();
    RowChart { axis: Axis::new(tuning.metric.clone()), row_label: names.join(" · "), is_bars: false, rows }
}

/// `regParam` of `LogisticRegression.regParam`.
fn short_name(param: &str) -> &str {
    param.rsplit_once('.').map_or(param, |(_, name)| name)
}

fn table(tuning: &Tuning, ranked: &[&Candidate]) -> Table {
    let names: Vec<&String> =
        tuning.candidates.first().map(|first| first.params.iter().map(|(name, _)| name).collect()).unwrap_or_default();
    let n_folds = ranked.iter().map(|candidate| candidate.folds.len()).max().unwrap_or(0);
    let mut columns = vec![Column::number("rank")];
    columns.extend(names.iter().map(|name| Column::text(name.as_str())));
    columns.push(Column::number(tuning.metric.clone()));
    columns.extend((0..n_folds).map(|fold| Column::number(format!("fold {}", fold + 1))));
    let mut table = Table::new(columns);
    if ranked.len() > MAX_ROWS {
        table.caption = format!("The best {MAX_ROWS} of {}", ranked.len());
    }
    for (rank, candidate) in ranked.iter().enumerate().take(MAX_ROWS) {
        let mut cells = vec![Cell::Count(rank as u64 + 1)];
        cells.extend(
            names.iter().map(|name| candidate.value(name).map_or(Cell::Empty, |value| Cell::Code(value.to_owned()))),
        );
        cells.push(Cell::Exact(candidate.average));
        let fold = |fold: usize| candidate.folds.get(fold).map_or(Cell::Empty, |&value| Cell::Text(rounded(value, 6)));
        cells.extend((0..n_folds).map(fold));
        table.rows.push(Row::new(cells).marked(rank == 0));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Block;

    fn grid(params: &[(&str, &[&str])]) -> Tuning {
        let mut candidates = vec![Candidate::default()];
        for (name, values) in params {
            let with = |candidate: &Candidate, value: &str| {
                let mut more = candidate.clone();
                more.params.push(((*name).to_owned(), value.to_owned()));
                more
            };
            candidates =
                candidates.iter().flat_map(|candidate| values.iter().map(|value| with(candidate, value))).collect();
        }
        for (i, candidate) in candidates.iter_mut().enumerate() {
            candidate.average = 0.7 + 0.01 * (i % 5) as f64;
            candidate.folds = vec![candidate.average - 0.02, candidate.average + 0.02];
        }
        Tuning {
            validator: "CrossValidator, 2 folds, seed 1".to_owned(),
            metric: "areaUnderROC".to_owned(),
            is_larger_better: true,
            candidates,
        }
    }

    fn figures(section: &Section) -> Vec<(&'static str, &Chart)> {
        let blocks = section.blocks.iter();
        blocks.filter_map(|block| if let Block::Figure(it) = block { Some((it.id, &it.chart)) } else { None }).collect()
    }

    #[test]
    fn one_parameter_of_numbers_is_a_line_on_an_axis_of_ratios() {
        let section = tuning(&grid(&[("LogisticRegression.regParam", &["0.001", "0.01", "0.1", "1.0"])]));
        let [("grid", Chart::Xy(chart)), ("candidates", _)] = figures(&section)[..] else { panic!() };
        assert_eq!((chart.x.label.as_str(), chart.x.is_log, chart.series.len()), ("regParam", true, 1));
        assert_eq!(chart.series[0].points.len(), 4);
    }

    #[test]
    fn a_second_parameter_gives_a_line_for_each_of_its_values() {
        let tuned = grid(&[("a.solver", &["normal", "l-bfgs"]), ("a.regParam", &["0.0", "0.1", "0.3"])]);
        let section = tuning(&tuned);
        let [("grid", Chart::Xy(chart)), ("candidates", Chart::Rows(rows))] = figures(&section)[..] else { panic!() };
        let names: Vec<&str> = chart.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["solver normal", "solver l-bfgs"]);
        assert!(!chart.x.is_log, "0 has no place on an axis of ratios");
        assert_eq!((rows.row_label.as_str(), rows.rows[0].name.as_str()), ("solver · regParam", "l-bfgs · 0.1"));
    }

    #[test]
    fn a_large_grid_is_listed_from_the_best_on() {
        let ten: Vec<String> = (0..10).map(|i| i.to_string()).collect();
        let ten: Vec<&str> = ten.iter().map(String::as_str).collect();
        let section = tuning(&grid(&[("a.x", &ten), ("a.y", &ten), ("a.z", &["1", "2"])]));
        let [("candidates", Chart::Rows(rows))] = figures(&section)[..] else { panic!() };
        assert_eq!(rows.rows.len(), MAX_CHART_ROWS);
        let Some(Block::Table(table)) = section.blocks.last() else { panic!() };
        assert_eq!(table.rows.len(), MAX_ROWS);
        let marked: Vec<usize> = (0..MAX_ROWS).filter(|&row| table.rows[row].is_marked).collect();
        assert_eq!(marked, [0]);
    }

    #[test]
    fn a_candidate_without_a_number_is_the_last() {
        let mut tuned = grid(&[("a.x", &["1", "2", "3"])]);
        tuned.is_larger_better = false;
        tuned.candidates[0].average = f64::NAN;
        let values: Vec<&str> = ranked(&tuned).iter().map(|candidate| candidate.params[0].1.as_str()).collect();
        assert_eq!(values, ["2", "3", "1"]);
    }

    #[test]
    fn nothing_tried_is_no_failure() {
        assert_eq!(tuning(&Tuning::default()).blocks.len(), 3);
    }
}
