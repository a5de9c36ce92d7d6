//! ROC and precision-recall curves of a binary score, and what is read from them.
//!
//! Same as Spark (`BinaryClassificationMetrics`): rows of equal score share a point, points go from the highest score down, a
//! label above 0.5 is positive. With bins, consecutive points are joined `points / bins` at a time (when that is 2 or more),
//! the joined point bearing the first score. Differs from Spark: Spark joins within each partition of its sorted scores, so its
//! binned areas depend on the partitioning; ours are what Spark gives with one partition.

use serde::{Deserialize, Serialize};

/// Weight of positive and negative rows for every score that occurs: the state of a pass.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ScoreCounts {
    /// Rows, or sums of rows of one score, in order of appearance.
    scores: Vec<f64>,
    /// As many weights of positives.
    positives: Vec<f64>,
    /// As many weights of negatives.
    negatives: Vec<f64>,
    /// How many entries were left when equal scores were last joined.
    n_distinct: usize,
}

/// Entries are joined when there are this many more than twice the distinct scores known.
const JOIN_SLACK: usize = 1 << 16;

impl ScoreCounts {
    /// Makes room for so many more rows.
    pub fn reserve(&mut self, n_rows: usize) {
        // More than this are joined on the way.
        let n_rows = n_rows.min(JOIN_SLACK);
        self.scores.reserve(n_rows);
        self.positives.reserve(n_rows);
        self.negatives.reserve(n_rows);
    }

    /// Takes in one row.
    pub fn add(&mut self, score: f64, label: f64, weight: f64) {
        let is_positive = label > 0.5;
        self.push(score, if is_positive { weight } else { 0.0 }, if is_positive { 0.0 } else { weight });
    }

    fn push(&mut self, score: f64, positive: f64, negative: f64) {
        self.scores.push(score);
        self.positives.push(positive);
        self.negatives.push(negative);
        self.join_when_many();
    }

    fn join_when_many(&mut self) {
        if self.scores.len() > 2 * self.n_distinct + JOIN_SLACK {
            self.join_equal_scores();
        }
    }

    /// Takes in what another one has seen.
    pub fn merge(&mut self, later: ScoreCounts) {
        self.scores.extend(later.scores);
        self.positives.extend(later.positives);
        self.negatives.extend(later.negatives);
        self.join_when_many();
    }

    /// Whether no row was seen.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// One entry per score, the highest first.
    fn join_equal_scores(&mut self) {
        // Keys and places side by side: the sort looks nothing up. Equal scores stay in the order in which they came.
        // One number of both is compared without a branch.
        let key_and_place = |(entry, &score): (usize, &f64)| u128::from(descending(score)) << 64 | entry as u128;
        let mut order: Vec<u128> = self.scores.iter().enumerate().map(key_and_place).collect();
        order.sort_unstable();
        let mut joined = ScoreCounts::default();
        joined.reserve(order.len());
        let mut newest = None;
        for key_and_place in order {
            let (key, entry) = ((key_and_place >> 64) as u64, key_and_place as u64 as usize);
            if newest.replace(key) != Some(key) {
                let score = self.scores[entry];
                joined.scores.push(if score.is_nan() { f64::NAN } else { score });
                joined.positives.push(0.0);
                joined.negatives.push(0.0);
            }
            let last = joined.scores.len() - 1;
            joined.positives[last] += self.positives[entry];
            joined.negatives[last] += self.negatives[entry];
        }
        joined.n_distinct = joined.scores.len();
        *self = joined;
    }

    /// The curve of all rows seen, with about `n_bins` points; 0 keeps every score.
    pub fn into_curve(mut self, n_bins: usize) -> BinaryCurve {
        self.join_equal_scores();
        let per_point = match n_bins {
            0 => 1,
            n_bins => (self.scores.len() / n_bins).max(1),
        };
        let mut points = Vec::with_capacity(self.scores.len().div_ceil(per_point));
        let (mut positives, mut negatives) = (0.0, 0.0);
        for start in (0..self.scores.len()).step_by(per_point) {
            let group = start..self.scores.len().min(start + per_point);
            positives += self.positives[group.clone()].iter().sum::<f64>();
            negatives += self.negatives[group].iter().sum::<f64>();
            points.push(Point { threshold: self.scores[start], positives, negatives });
        }
        BinaryCurve { points }
    }
}

/// A number that is smaller the higher the score is: NaN is above all numbers and 0 above −0, as the JVM orders doubles.
fn descending(score: f64) -> u64 {
    const SIGN: u64 = 1 << 63;
    let bits = if score.is_nan() { f64::NAN.to_bits() } else { score.to_bits() };
    let ascending = if bits & SIGN == 0 { bits | SIGN } else { !bits };
    !ascending
}

/// What is predicted positive when the threshold is at a score.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    threshold: f64,
    /// Weight of the true positives: positive rows with this score or a higher one.
    positives: f64,
    /// Weight of the false positives.
    negatives: f64,
}

impl Point {
    fn precision(self) -> f64 {
        let predicted = self.positives + self.negatives;
        if predicted == 0.0 { 1.0 } else { self.positives / predicted }
    }
}

/// How a binary classifier does at every threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct BinaryCurve {
    points: Vec<Point>,
}

impl BinaryCurve {
    fn recall(&self, point: Point) -> f64 {
        share(point.positives, self.points.last().map_or(0.0, |last| last.positives))
    }

    fn false_positive_rate(&self, point: Point) -> f64 {
        share(point.negatives, self.points.last().map_or(0.0, |last| last.negatives))
    }

    fn points_of(&self, x: impl Fn(Point) -> f64, y: impl Fn(Point) -> f64) -> Vec<(f64, f64)> {
        self.points.iter().map(|&point| (x(point), y(point))).collect()
    }

    /// False positive rate and true positive rate, from (0, 0) to (1, 1). A rate of nothing is 0.
    pub fn roc(&self) -> Vec<(f64, f64)> {
        let mut curve = vec![(0.0, 0.0)];
        curve.extend(self.points_of(|point| self.false_positive_rate(point), |point| self.recall(point)));
        curve.push((1.0, 1.0));
        curve
    }

    /// Recall and precision, from recall 0 with the first point's precision; empty without rows.
    pub fn precision_recall(&self) -> Vec<(f64, f64)> {
        let Some(first) = self.points.first() else { return Vec::new() };
        let mut curve = vec![(0.0, first.precision())];
        curve.extend(self.points_of(|point| self.recall(point), Point::precision));
        curve
    }

    /// The area under [`roc`](BinaryCurve::roc), by trapezoids.
    pub fn area_under_roc(&self) -> f64 {
        area(&self.roc())
    }

    /// The area under [`precision_recall`](BinaryCurve::precision_recall), by trapezoids.
    pub fn area_under_pr(&self) -> f64 {
        area(&self.precision_recall())
    }

    /// Threshold and precision.
    pub fn precision_by_threshold(&self) -> Vec<(f64, f64)> {
        self.points_of(|point| point.threshold, Point::precision)
    }

    /// Threshold and recall.
    pub fn recall_by_threshold(&self) -> Vec<(f64, f64)> {
        self.points_of(|point| point.threshold, |point| self.recall(point))
    }

    /// Threshold and F-measure; `beta` above 1 favours recall.
    pub fn f_measure_by_threshold(&self, beta: f64) -> Vec<(f64, f64)> {
        self.points_of(|point| point.threshold, |point| f_measure(point.precision(), self.recall(point), beta))
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// The weighted harmonic mean of precision and recall; 0 when both are.
pub(super) fn f_measure(precision: f64, recall: f64, beta: f64) -> f64 {
    let squared = beta * beta;
    if precision + recall == 0.0 {
        return 0.0;
    }
    (1.0 + squared) * (precision * recall) / (squared * precision + recall)
}

fn area(curve: &[(f64, f64)]) -> f64 {
    curve.windows(2).fold(0.0, |area, pair| {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        area + (x1 - x0) * (y1 + y0) / 2.0
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "counts of rows are exact")]

    use super::*;

    fn counts(rows: &[(f64, f64)]) -> ScoreCounts {
        let mut counts = ScoreCounts::default();
        rows.iter().for_each(|&(score, label)| counts.add(score, label, 1.0));
        counts
    }

    /// The example of Spark's BinaryClassificationMetricsSuite.
    const SPARK: [(f64, f64); 7] = [(0.1, 0.0), (0.1, 1.0), (0.4, 0.0), (0.6, 0.0), (0.6, 1.0), (0.6, 1.0), (0.8, 1.0)];

    #[test]
    fn equal_scores_share_a_point() {
        let curve = counts(&SPARK).into_curve(0);
        let third = 1.0 / 3.0;
        assert_eq!(curve.roc(), [(0.0, 0.0), (0.0, 0.25), (third, 0.75), (2.0 / 3.0, 0.75), (1.0, 1.0), (1.0, 1.0)]);
        assert_eq!(curve.precision_recall(), [(0.0, 1.0), (0.25, 1.0), (0.75, 0.75), (0.75, 0.6), (1.0, 4.0 / 7.0)]);
        assert_eq!(curve.recall_by_threshold()[1], (0.6, 0.75));
        assert_eq!(curve.f_measure_by_threshold(1.0)[1], (0.6, 0.75));
    }

    #[test]
    fn merged_counts_give_the_same_curve_in_any_cut() {
        let mut merged = counts(&SPARK[..3]);
        merged.merge(counts(&SPARK[3..]));
        assert_eq!(merged.into_curve(0), counts(&SPARK).into_curve(0));
    }

    #[test]
    fn joining_on_the_way_changes_nothing() {
        let rows: Vec<(f64, f64)> = (0..200_000).map(|i| (f64::from(i % 100), f64::from(i % 3 % 2))).collect();
        let all = counts(&rows);
        assert!(all.scores.len() < 100_000);
        let mut expect: Vec<(f64, f64)> = (0..100).rev().map(|score| (f64::from(score), 0.0)).collect();
        rows.iter().for_each(|&(score, label)| expect[99 - score as usize].1 += label);
        let curve = all.into_curve(0);
        let mut total = 0.0;
        for (point, (score, positives)) in curve.points.iter().zip(expect) {
            total += positives;
            assert_eq!((point.threshold, point.positives), (score, total));
        }
    }

    #[test]
    fn bins_join_consecutive_points_under_the_first_score() {
        // 4 scores in 2 bins: two points of two scores; in 3 bins: 4 / 3 = 1, nothing is joined
        let curve = counts(&SPARK).into_curve(2);
        let thresholds: Vec<f64> = curve.recall_by_threshold().iter().map(|point| point.0).collect();
        assert_eq!(thresholds, [0.8, 0.4]);
        assert_eq!(counts(&SPARK).into_curve(3).points.len(), 4);
    }

    #[test]
    fn rates_of_nothing_are_zero() {
        let curve = counts(&[(0.5, 1.0), (0.2, 1.0)]).into_curve(0);
        assert_eq!(curve.roc(), [(0.0, 0.0), (0.0, 0.5), (0.0, 1.0), (1.0, 1.0)]);
        assert_eq!(curve.area_under_roc(), 1.0);
    }
}
