//! How a classifier did: confusion, and for two classes curves, calibration, scores and lift.

use crate::content::{
    Axis, Cell, Chart, Column, Form, HeatMap, Histogram, Mark, Row, Section, Series, Table, XyChart, thinned,
};
use crate::gather::{ClassCounts, ScoreBin, Scores};
use crate::number::{count, percent, rounded, short};

/// What classes and scores are called.
#[derive(Debug, Clone, Default)]
pub struct ClassNames {
    /// The names of the classes 0, 1, 2 …, where they are known.
    pub labels: Vec<String>,
    /// Whether the scores are probabilities, and not raw predictions.
    pub is_probability: bool,
    /// The score above which the positive class is predicted, where there is one such number.
    pub threshold: Option<f64>,
    /// Which rows were looked at: `1,564 test rows`.
    pub measured_on: String,
}

impl ClassNames {
    fn score(&self) -> &'static str {
        if self.is_probability { "probability" } else { "raw prediction" }
    }

    fn of(&self, class: f64) -> String {
        let is_index = class.fract() == 0.0 && class >= 0.0;
        let label = is_index.then(|| self.labels.get(class as usize)).flatten();
        label.cloned().unwrap_or_else(|| class.to_string())
    }
}

/// More classes than these are not drawn.
const MAX_CLASSES: usize = 30;

/// The section.
pub fn classification(scores: &Scores, names: &ClassNames) -> Section {
    let mut section = Section::new("performance", "Performance");
    let counts = scores.counts();
    if counts.n_rows() == 0 {
        section.text(format!("There is nothing to see: none of the {} has a label.", names.measured_on));
        return section;
    }
    let mut words = format!("All of {}.", names.measured_on);
    if scores.n_unlabelled() > 0 {
        words.push_str(&format!(" {} of them have no label and do not count.", count(scores.n_unlabelled())));
    }
    section.text(words);
    let classes = counts.classes();
    let bins = scores.bins();
    let curve = Curve::new(&bins);
    let is_binary = !bins.is_empty() && classes.iter().all(|class| [0.0, 1.0].contains(class));
    if is_binary {
        add_curves(&mut section, &curve, names);
    }
    add_confusion(&mut section, counts, &classes, names);
    if is_binary {
        if names.is_probability {
            section.figure("calibration", "Calibration", CALIBRATION, Chart::Xy(calibration(&bins, names)));
        }
        section.figure("scores", "Scores by class", SCORES, Chart::Histogram(distribution(&bins, names)));
        if curve.has_both() {
            section.figure("lift", "Lift", LIFT, Chart::Xy(lift(&curve)));
            section.figure(
                "thresholds",
                "If the threshold were another",
                THRESHOLDS,
                Chart::Xy(thresholds(&curve, names)),
            );
        }
    }
    section.table(metrics_by_class(counts, &classes, names));
    section
}

const CALIBRATION: &str = "Ten groups of rows, from the lowest scores to the highest. On the diagonal, of rows scored 0.3 three \
    in ten are positive. Whiskers span 95 % intervals.";
const SCORES: &str =
    "Share of each class's rows. The less the outlines overlap, the better the classes are told apart.";
const LIFT: &str = "How many times more positives are found among the rows with the highest scores than among as many rows \
    taken at random.";
const THRESHOLDS: &str =
    "Precision: right ones among those predicted positive. Recall: those found among all positives.";

// ---- curves ---------------------------------------------------------------------------------------------------------

/// What is predicted positive when the threshold goes down, bin by bin.
struct Curve {
    /// Score, true and false positives so far.
    points: Vec<(f64, f64, f64)>,
    n_positive: f64,
    n_negative: f64,
}

impl Curve {
    fn new(bins: &[ScoreBin]) -> Curve {
        let (mut true_positives, mut false_positives) = (0.0, 0.0);
        let mut points = Vec::with_capacity(bins.len());
        for bin in bins {
            true_positives += bin.n_positive as f64;
            false_positives += bin.n_negative as f64;
            points.push((bin.score, true_positives, false_positives));
        }
        Curve { points, n_positive: true_positives, n_negative: false_positives }
    }

    fn has_both(&self) -> bool {
        self.n_positive > 0.0 && self.n_negative > 0.0
    }

    /// False positive rate and true positive rate.
    fn roc(&self) -> Vec<(f64, f64)> {
        let point = |&(_, tp, fp): &(f64, f64, f64)| (fp / self.n_negative, tp / self.n_positive);
        std::iter::once((0.0, 0.0)).chain(self.points.iter().map(point)).collect()
    }

    /// Recall and precision, from the first point's precision at recall 0.
    fn precision_recall(&self) -> Vec<(f64, f64)> {
        let point = |&(_, tp, fp): &(f64, f64, f64)| (tp / self.n_positive, tp / (tp + fp));
        let start = self.points.first().map(|first| (0.0, point(first).1));
        start.into_iter().chain(self.points.iter().map(point)).collect()
    }
}

/// The area under a curve, by trapezoids.
fn area(curve: &[(f64, f64)]) -> f64 {
    curve.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[1].1 + pair[0].1) / 2.0).sum()
}

fn add_curves(section: &mut Section, curve: &Curve, names: &ClassNames) {
    if !curve.has_both() {
        let class = names.of(if curve.n_positive > 0.0 { 1.0 } else { 0.0 });
        section.text(format!("All rows are of the class {class}: curves need both classes."));
        return;
    }
    let (roc, pr) = (curve.roc(), curve.precision_recall());
    let share = curve.n_positive / (curve.n_positive + curve.n_negative);
    let positive = names.of(1.0);
    let series = vec![
        Series::new("chance", Form::Reference, [(0.0, 0.0), (1.0, 1.0)]),
        Series::new(format!("area {}", rounded(area(&roc), 4)), Form::Line, thinned(&roc)),
    ];
    let chart = XyChart { x: Axis::share("false positive rate"), y: Axis::share("true positive rate"), series };
    section.figure("roc", "ROC curve", format!("Positive is {positive}."), Chart::Xy(chart));
    let series = vec![
        Series::new("chance", Form::Reference, [(0.0, share), (1.0, share)]),
        Series::new(format!("area {}", rounded(area(&pr), 4)), Form::Line, thinned(&pr)),
    ];
    let chart = XyChart { x: Axis::share("recall"), y: Axis::share("precision"), series };
    let caption = format!("{} of the rows are {positive}: the precision of chance.", percent(share));
    section.figure("precision-recall", "Precision and recall", caption, Chart::Xy(chart));
}

fn lift(curve: &Curve) -> XyChart {
    /// Fewer rows than this share are too few to tell.
    const MIN_SHARE: f64 = 0.01;
    let n_rows = curve.n_positive + curve.n_negative;
    let point = |&(_, tp, fp): &(f64, f64, f64)| {
        let share = (tp + fp) / n_rows;
        (share, tp / curve.n_positive / share)
    };
    let points: Vec<(f64, f64)> = curve.points.iter().map(point).filter(|point| point.0 >= MIN_SHARE).collect();
    let series = vec![
        Series::new("chance", Form::Reference, [(0.0, 1.0), (1.0, 1.0)]),
        Series::new("this model", Form::Line, thinned(&points)),
    ];
    let most = points.iter().map(|point| point.1).fold(1.0, f64::max);
    let y = Axis { range: Some((0.0, most.ceil())), ..Axis::new("lift") };
    XyChart { x: Axis::share("share of rows, highest scores first"), y, series }
}

fn thresholds(curve: &Curve, names: &ClassNames) -> XyChart {
    let by_threshold = |of: fn(f64, f64) -> f64| -> Vec<(f64, f64)> {
        let point = |&(score, tp, fp): &(f64, f64, f64)| (score, of(tp / (tp + fp), tp / curve.n_positive));
        thinned(&curve.points.iter().map(point).collect::<Vec<_>>())
    };
    let f1 = |precision: f64, recall: f64| match precision + recall {
        0.0 => 0.0,
        sum => 2.0 * precision * recall / sum,
    };
    let mut series = vec![
        Series::new("precision", Form::Line, by_threshold(|precision, _| precision)),
        Series::new("recall", Form::Line, by_threshold(|_, recall| recall)),
        Series::new("F1", Form::Line, by_threshold(f1)),
    ];
    let (least, most) = score_range(&curve.points);
    if let Some(threshold) = names.threshold.filter(|threshold| (least..=most).contains(threshold)) {
        series.push(Series::new("threshold", Form::Reference, [(threshold, 0.0), (threshold, 1.0)]));
    }
    XyChart { x: Axis::new(format!("{} of {}", names.score(), names.of(1.0))), y: Axis::share("share"), series }
}

fn score_range(points: &[(f64, f64, f64)]) -> (f64, f64) {
    let scores = || points.iter().map(|point| point.0);
    (scores().fold(f64::INFINITY, f64::min), scores().fold(f64::NEG_INFINITY, f64::max))
}

// ---- calibration, distribution --------------------------------------------------------------------------------------

const N_GROUPS: u64 = 10;

/// Mean score against the share of positives, in groups of about as many rows.
fn calibration(bins: &[ScoreBin], names: &ClassNames) -> XyChart {
    let n_rows: u64 = bins.iter().map(ScoreBin::n_rows).sum();
    let mut marks = Vec::new();
    let (mut n_seen, mut group) = (0, (0.0, 0, 0));
    for bin in bins.iter().rev() {
        group = (group.0 + bin.score * bin.n_rows() as f64, group.1 + bin.n_positive, group.2 + bin.n_rows());
        n_seen += bin.n_rows();
        // A group ends with the row that reaches its tenth.
        if n_seen * N_GROUPS >= n_rows * (marks.len() as u64 + 1) || n_seen == n_rows {
            let (score_sum, n_positive, n) = group;
            let share = n_positive as f64 / n as f64;
            marks.push(Mark { x: score_sum / n as f64, y: share, spread: Some(interval(share, n as f64)) });
            group = (0.0, 0, 0);
        }
    }
    let most = marks.iter().map(|mark| mark.x.max(mark.y)).fold(0.0, f64::max);
    let groups = Series { name: "rows".to_owned(), form: Form::LineWithDots, points: marks };
    let diagonal = Series::new("perfect", Form::Reference, [(0.0, 0.0), (most, most)]);
    let x = Axis::new(format!("mean {}", names.score()));
    XyChart { x, y: Axis::new(format!("share of {}", names.of(1.0))), series: vec![diagonal, groups] }
}

/// The 95 % interval of a share of `n` rows (Wilson 1927).
fn interval(share: f64, n: f64) -> (f64, f64) {
    const Z: f64 = 1.96;
    let squared = Z * Z / n;
    let middle = (share + squared / 2.0) / (1.0 + squared);
    let half = Z / (1.0 + squared) * (share * (1.0 - share) / n + squared / n / 4.0).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

const N_SCORE_BINS: usize = 40;

/// The scores of each class.
fn distribution(bins: &[ScoreBin], names: &ClassNames) -> Histogram {
    let n_rows: u64 = bins.iter().map(ScoreBin::n_rows).sum();
    let (from, to) = (score_at(bins, n_rows, 0.998), score_at(bins, n_rows, 0.002));
    let (from, to) = if to > from { (from, to) } else { (from - 0.5, from + 0.5) };
    let width = (to - from) / N_SCORE_BINS as f64;
    let (mut negative, mut positive) = (vec![0.0; N_SCORE_BINS], vec![0.0; N_SCORE_BINS]);
    for bin in bins {
        let at = (((bin.score - from) / width).clamp(0.0, N_SCORE_BINS as f64 - 1.0)) as usize;
        negative[at] += bin.n_negative as f64;
        positive[at] += bin.n_positive as f64;
    }
    let mut groups = Vec::new();
    for (class, mut counts) in [(0.0, negative), (1.0, positive)] {
        let total: f64 = counts.iter().sum();
        if total > 0.0 {
            counts.iter_mut().for_each(|count| *count /= total);
            groups.push((names.of(class), counts));
        }
    }
    let edges = (0..=N_SCORE_BINS).map(|edge| from + edge as f64 * width).collect();
    let x = Axis { range: Some((from, to)), ..Axis::new(format!("{} of {}", names.score(), names.of(1.0))) };
    Histogram { x, y: Axis::new("share of the class"), edges, groups }
}

/// The score above which `share` of the rows lie.
fn score_at(bins: &[ScoreBin], n_rows: u64, share: f64) -> f64 {
    let mut n_seen = 0;
    for bin in bins {
        n_seen += bin.n_rows();
        if n_seen as f64 >= share * n_rows as f64 {
            return bin.score;
        }
    }
    bins.last().map_or(0.0, |bin| bin.score)
}

// ---- confusion ------------------------------------------------------------------------------------------------------

fn add_confusion(section: &mut Section, counts: &ClassCounts, classes: &[f64], names: &ClassNames) {
    if classes.len() > MAX_CLASSES {
        section.text(format!("{} classes are too many to draw their confusion.", classes.len()));
        return;
    }
    let labels: Vec<String> = classes.iter().map(|&class| names.of(class)).collect();
    let row = |&label: &f64| classes.iter().map(|&prediction| counts.n(label, prediction)).collect();
    let chart = HeatMap {
        row_label: "label".to_owned(),
        column_label: "prediction".to_owned(),
        rows: labels.clone(),
        columns: labels,
        counts: classes.iter().map(row).collect(),
    };
    let caption = match (names.threshold, classes.len()) {
        (Some(threshold), 1 | 2) => {
            format!(
                "Predicted {} above a {} of {}. Shares are of a label's rows.",
                names.of(1.0),
                names.score(),
                short(threshold)
            )
        }
        _ => "Shares are of a label's rows.".to_owned(),
    };
    section.figure("confusion", "Confusion matrix", caption, Chart::Heat(chart));
}

fn metrics_by_class(counts: &ClassCounts, classes: &[f64], names: &ClassNames) -> Table {
    let titles = ["rows", "predicted", "precision", "recall", "F1"].map(Column::number);
    let mut table = Table::new([Column::text("class")].into_iter().chain(titles));
    let n_right: u64 = classes.iter().map(|&class| counts.n(class, class)).sum();
    let accuracy = n_right as f64 / counts.n_rows() as f64;
    table.caption = format!("By class; {} of all rows were predicted right", percent(accuracy));
    let share = |part: u64, whole: u64| if whole == 0 { Cell::Empty } else { Cell::Number(part as f64 / whole as f64) };
    for &class in classes {
        let n_label: u64 = classes.iter().map(|&other| counts.n(class, other)).sum();
        let n_predicted: u64 = classes.iter().map(|&other| counts.n(other, class)).sum();
        let right = counts.n(class, class);
        let f1 = share(2 * right, n_label + n_predicted);
        table.rows.push(Row::new([
            Cell::Text(names.of(class)),
            Cell::Count(n_label),
            Cell::Count(n_predicted),
            share(right, n_predicted),
            share(right, n_label),
            f1,
        ]));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Block;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, RecordBatch};
    use ognivo_data::dataset::{Dataset, LocalExecutor};

    use crate::gather::ScoredColumns;

    /// Label, prediction and score.
    fn scores(rows: &[(f64, f64, f64)]) -> Scores {
        let column =
            |of: fn(&(f64, f64, f64)) -> f64| Arc::new(rows.iter().map(of).collect::<Float64Array>()) as ArrayRef;
        let columns =
            [("label", column(|row| row.0)), ("prediction", column(|row| row.1)), ("score", column(|row| row.2))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let data = Dataset::in_memory(batch.schema(), vec![vec![batch]], Arc::new(LocalExecutor::default()));
        let columns = ScoredColumns {
            label: "label".to_owned(),
            prediction: "prediction".to_owned(),
            score: Some("score".to_owned()),
            features: None,
        };
        Scores::of(&data, rows.len(), &columns).unwrap().unwrap()
    }

    fn names() -> ClassNames {
        ClassNames {
            labels: vec!["good".to_owned(), "bad".to_owned()],
            is_probability: true,
            threshold: Some(0.5),
            measured_on: "7 test rows".to_owned(),
        }
    }

    fn figures(section: &Section) -> Vec<&'static str> {
        let id = |block: &Block| if let Block::Figure(figure) = block { Some(figure.id) } else { None };
        section.blocks.iter().filter_map(id).collect()
    }

    /// The example of Spark's BinaryClassificationMetricsSuite.
    const SPARK: [(f64, f64, f64); 7] = [
        (0.0, 0.0, 0.1),
        (1.0, 0.0, 0.1),
        (0.0, 0.0, 0.4),
        (0.0, 1.0, 0.6),
        (1.0, 1.0, 0.6),
        (1.0, 1.0, 0.6),
        (1.0, 1.0, 0.8),
    ];

    #[test]
    fn curves_and_areas_are_those_of_sparks_example() {
        let bins = scores(&SPARK).bins();
        let curve = Curve::new(&bins);
        let third = 1.0 / 3.0;
        let roc = [(0.0, 0.0), (0.0, 0.25), (third, 0.75), (2.0 * third, 0.75), (1.0, 1.0)];
        for (found, expect) in curve.roc().iter().zip(roc) {
            assert!((found.0 - expect.0).abs() + (found.1 - expect.1).abs() < 1e-12, "{found:?} {expect:?}");
        }
        // areas of those trapezoids: 1/3·(0.25+0.75)/2 + 1/3·0.75 + 1/3·(0.75+1)/2 = 0.7083…
        assert!((area(&curve.roc()) - 17.0 / 24.0).abs() < 1e-12);
        assert_eq!(curve.precision_recall().len(), 5);
    }

    #[test]
    fn two_classes_get_every_chart() {
        let section = classification(&scores(&SPARK), &names());
        let expect = ["roc", "precision-recall", "confusion", "calibration", "scores", "lift", "thresholds"];
        assert_eq!(figures(&section), expect);
    }

    #[test]
    fn one_class_only_gets_what_makes_sense() {
        let section = classification(&scores(&SPARK.map(|(_, prediction, score)| (1.0, prediction, score))), &names());
        assert_eq!(figures(&section), ["confusion", "calibration", "scores"]);
        assert!(
            section
                .blocks
                .contains(&Block::Text("All rows are of the class bad: curves need both classes.".to_owned()))
        );
    }

    #[test]
    fn raw_predictions_are_not_calibrated() {
        let section = classification(&scores(&SPARK), &ClassNames { is_probability: false, ..names() });
        assert_eq!(figures(&section), ["roc", "precision-recall", "confusion", "scores", "lift", "thresholds"]);
    }

    #[test]
    fn no_row_is_said_and_not_drawn() {
        assert_eq!(figures(&classification(&scores(&[]), &names())), [""; 0]);
        let section = classification(&scores(&[(f64::NAN, 0.0, 0.5)]), &names());
        assert_eq!(figures(&section), [""; 0]);
    }

    #[test]
    fn more_than_two_classes_get_their_confusion() {
        let rows = [(0.0, 0.0, 0.1), (1.0, 2.0, 0.2), (2.0, 2.0, 0.3)];
        let section = classification(&scores(&rows), &names());
        assert_eq!(figures(&section), ["confusion"]);
        let Some(Block::Table(table)) = section.blocks.last() else { panic!() };
        assert_eq!(table.rows[1].cells[..2], [Cell::Text("bad".to_owned()), Cell::Count(1)]);
        assert_eq!(table.rows[2].cells[0], Cell::Text("2".to_owned()));
        let many: Vec<_> = (0..100).map(|i| (f64::from(i), 0.0, 0.5)).collect();
        assert_eq!(figures(&classification(&scores(&many), &names())), [""; 0]);
    }

    #[test]
    fn groups_of_calibration_hold_every_row_once() {
        let rows: Vec<_> = (0..1000).map(|i| (f64::from(i % 2), 0.0, f64::from(i) / 1000.0)).collect();
        let chart = calibration(&scores(&rows).bins(), &names());
        let groups = &chart.series[1].points;
        assert_eq!(groups.len(), 10);
        assert!(groups.iter().all(|mark| (mark.y - 0.5).abs() < 0.02));
        assert!((groups[0].x - 0.0495).abs() < 1e-3 && (groups[9].x - 0.9495).abs() < 1e-3, "{groups:?}");
        let same: Vec<_> = (0..50).map(|i| (f64::from(i % 2), 0.0, 0.25)).collect();
        assert_eq!(calibration(&scores(&same).bins(), &names()).series[1].points.len(), 1);
    }

    #[test]
    fn an_interval_holds_its_share() {
        // R: binom::binom.confint(3, 10, methods = "wilson"): 0.1077913 0.6032219
        let (low, high) = interval(0.3, 10.0);
        assert!((low - 0.107_8).abs() < 1e-3 && (high - 0.603_2).abs() < 1e-3, "{low} {high}");
        assert!(interval(0.0, 5.0).0.abs() < 1e-12);
    }
}
