//! How a regression did: predictions against labels, residuals against predictions.

use super::data::quantile;
use crate::content::{Axis, Cell, Chart, Form, Histogram, Section, Series, Table, XyChart};
use crate::gather::Residuals;
use crate::number::count;

/// Points of a cloud.
const MAX_DOTS: usize = 600;
const N_GROUPS: usize = 10;
const N_BINS: usize = 40;

/// The section; `label` is the name of the label's column, `measured_on` which rows were looked at: `1,564 test rows`.
pub fn regression(residuals: &Residuals, label: &str, measured_on: &str) -> Section {
    let mut section = Section::new("performance", "Performance");
    if residuals.residuals().n_finite == 0 {
        section.text(format!("There is nothing to see: none of the {measured_on} has a label."));
        return section;
    }
    let mut words = format!("All of {measured_on}.");
    if residuals.n_unlabelled() > 0 {
        let n = count(residuals.n_unlabelled());
        words.push_str(&format!(" {n} of them have no finite label or prediction and do not count."));
    }
    section.text(words);
    let sample = residuals.sample();
    let dots = spread_evenly(sample, MAX_DOTS);
    let of_sample = match residuals.is_whole() && dots.len() == sample.len() {
        true => String::new(),
        false => format!(" {} rows, spread evenly.", count(dots.len() as u64)),
    };
    let fitted = format!("On the diagonal, a prediction is right.{of_sample}");
    section.figure("fitted", "Labels against predictions", fitted, Chart::Xy(against_labels(&dots, label)));
    let caption = format!(
        "A residual is the label less the prediction. Where the means of tenths leave 0, the model misses something.{of_sample}"
    );
    section.figure(
        "residuals",
        "Residuals against predictions",
        caption,
        Chart::Xy(against_predictions(&dots, sample)),
    );
    let caption = "The narrower and the more even around 0, the better.";
    section.figure("distribution", "Residuals", caption, Chart::Histogram(distribution(sample)));
    section.table(facts(residuals));
    section
}

/// At most `n` of the rows, one of each so many.
fn spread_evenly(sample: &[(f64, f64)], n: usize) -> Vec<(f64, f64)> {
    let every = sample.len().div_ceil(n).max(1);
    sample.iter().step_by(every).copied().collect()
}

fn against_labels(dots: &[(f64, f64)], label: &str) -> XyChart {
    let values = || dots.iter().flat_map(|&(prediction, label)| [prediction, label]);
    let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let series = vec![
        Series::new("rows", Form::Dots, dots.iter().copied()),
        Series::new("right", Form::Reference, [(least, least), (most, most)]),
    ];
    XyChart { x: Axis::new(format!("predicted {label}")), y: Axis::new(label), series }
}

fn against_predictions(dots: &[(f64, f64)], sample: &[(f64, f64)]) -> XyChart {
    let mut sorted = sample.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = |rows: &[(f64, f64)], of: fn(&(f64, f64)) -> f64| rows.iter().map(of).sum::<f64>() / rows.len() as f64;
    let groups = sorted.chunks(sorted.len().div_ceil(N_GROUPS).max(1));
    let means = groups.map(|rows| (mean(rows, |row| row.0), mean(rows, |row| row.1 - row.0)));
    let ends = [sorted.first(), sorted.last()].map(|row| row.map_or(0.0, |row| row.0));
    let series = vec![
        Series::new("rows", Form::Dots, dots.iter().map(|&(prediction, label)| (prediction, label - prediction))),
        Series::new("means of tenths", Form::LineWithDots, means),
        Series::new("", Form::Reference, ends.map(|end| (end, 0.0))),
    ];
    XyChart { x: Axis::new("prediction"), y: Axis::new("residual"), series }
}

fn distribution(sample: &[(f64, f64)]) -> Histogram {
    let mut sorted: Vec<f64> = sample.iter().map(|&(prediction, label)| label - prediction).collect();
    sorted.sort_by(f64::total_cmp);
    let (from, to) = (quantile(&sorted, 0.002).unwrap_or(0.0), quantile(&sorted, 0.998).unwrap_or(0.0));
    let (from, to) = if to > from { (from, to) } else { (from - 0.5, from + 0.5) };
    let width = (to - from) / N_BINS as f64;
    let mut shares = vec![0.0; N_BINS];
    for residual in &sorted {
        let at = (((residual - from) / width).clamp(0.0, N_BINS as f64 - 1.0)) as usize;
        shares[at] += 1.0 / sorted.len() as f64;
    }
    let edges = (0..=N_BINS).map(|edge| from + edge as f64 * width).collect();
    let x = Axis { range: Some((from, to)), ..Axis::new("residual") };
    Histogram { x, y: Axis::new("share of rows"), edges, groups: vec![("residuals".to_owned(), shares)] }
}

fn facts(residuals: &Residuals) -> Table {
    let mut sorted: Vec<f64> = residuals.sample().iter().map(|&(prediction, label)| label - prediction).collect();
    sorted.sort_by(f64::total_cmp);
    let number = |value: Option<f64>| value.map_or(Cell::Empty, Cell::Number);
    let facts = [
        ("root mean squared error", number(residuals.root_mean_squared_error())),
        ("mean absolute error", number(residuals.mean_absolute_error())),
        ("mean residual", number(residuals.residuals().mean())),
        ("deviation of the labels", number(residuals.labels().deviation())),
        ("residuals: min", Cell::Number(residuals.residuals().min)),
        ("residuals: 25 %", number(quantile(&sorted, 0.25))),
        ("residuals: median", number(quantile(&sorted, 0.5))),
        ("residuals: 75 %", number(quantile(&sorted, 0.75))),
        ("residuals: max", Cell::Number(residuals.residuals().max)),
    ];
    Table::of_facts(facts.into_iter().map(|(name, value)| (name.to_owned(), value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Block;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch};
    use ognivo_data::dataset::{Dataset, LocalExecutor};

    use crate::gather::ScoredColumns;

    fn residuals(rows: &[(f64, f64)]) -> Residuals {
        let column = |of: fn(&(f64, f64)) -> f64| Arc::new(rows.iter().map(of).collect::<Float64Array>()) as ArrayRef;
        let columns = [("label", column(|row| row.0)), ("prediction", column(|row| row.1))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let data = Dataset::in_memory(batch.schema(), vec![vec![batch]], Arc::new(LocalExecutor::default()));
        let (label, prediction) = ("label".to_owned(), "prediction".to_owned());
        let columns = ScoredColumns { label, prediction, ..ScoredColumns::default() };
        Residuals::of(&data, rows.len(), &columns).unwrap().unwrap()
    }

    #[test]
    fn errors_are_those_of_sparks_example() {
        // RegressionMetricsSuite of Spark: label, prediction
        let found = residuals(&[(3.0, 2.5), (-0.5, 0.0), (2.0, 2.0), (7.0, 8.0), (f64::NAN, 1.0)]);
        assert!((found.mean_absolute_error().unwrap() - 0.5).abs() < 1e-14);
        assert!((found.root_mean_squared_error().unwrap() - 0.375_f64.sqrt()).abs() < 1e-14);
        assert_eq!((found.n_unlabelled(), found.sample().len()), (1, 4));
    }

    #[test]
    fn a_regression_gets_three_charts_and_a_table() {
        let rows: Vec<_> = (0..5000).map(|i| (f64::from(i), f64::from(i) + f64::from(i % 7))).collect();
        let section = regression(&residuals(&rows), "price", "5,000 test rows");
        let kinds: Vec<bool> = section.blocks.iter().map(|block| matches!(block, Block::Figure(_))).collect();
        assert_eq!(kinds, [false, true, true, true, false]);
        let Block::Figure(figure) = &section.blocks[1] else { panic!() };
        let Chart::Xy(chart) = &figure.chart else { panic!() };
        assert!(chart.series[0].points.len() <= MAX_DOTS && chart.series[0].points.len() > MAX_DOTS / 2);
    }

    #[test]
    fn no_row_and_one_row_are_no_failure() {
        assert_eq!(regression(&residuals(&[]), "y", "0 test rows").blocks.len(), 1);
        assert_eq!(regression(&residuals(&[(1.0, 1.0)]), "y", "1 test row").blocks.len(), 5);
    }
}
