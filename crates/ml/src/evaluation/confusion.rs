//! Which label was predicted as which, and the metrics per label that follow.

use serde::{Deserialize, Serialize};

use super::curve::f_measure;

/// The weight of rows by label and prediction: the state of a pass.
///
/// Same as Spark (`MulticlassMetrics`): metrics go over the labels that occur, in ascending order, and weighted ones by how much
/// of the total weight each label has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Sorted by label, then by prediction.
    cells: Vec<Cell>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Cell {
    label: f64,
    prediction: f64,
    weight: f64,
}

impl Confusion {
    /// Takes in one row. As labels, 0 and −0 are the same, and so are all NaNs.
    pub fn add(&mut self, label: f64, prediction: f64, weight: f64) {
        let (label, prediction) = (name(label), name(prediction));
        let order = |cell: &Cell| cell.label.total_cmp(&label).then(cell.prediction.total_cmp(&prediction));
        match self.cells.binary_search_by(order) {
            Ok(at) => self.cells[at].weight += weight,
            Err(at) => self.cells.insert(at, Cell { label, prediction, weight }),
        }
    }

    /// Takes in what another one has seen.
    pub fn merge(&mut self, later: Confusion) {
        later.cells.into_iter().for_each(|cell| self.add(cell.label, cell.prediction, cell.weight));
    }

    /// Whether no row was seen.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    fn sum(&self, counts: impl Fn(&Cell) -> bool) -> f64 {
        self.cells.iter().filter(|cell| counts(cell)).map(|cell| cell.weight).sum()
    }

    fn total(&self) -> f64 {
        self.sum(|_| true)
    }

    fn true_positives(&self, label: f64) -> f64 {
        self.sum(|cell| is(cell.label, label) && is(cell.prediction, label))
    }

    fn false_positives(&self, label: f64) -> f64 {
        self.sum(|cell| is(cell.prediction, label) && !is(cell.label, label))
    }

    fn label_weight(&self, label: f64) -> f64 {
        self.sum(|cell| is(cell.label, label))
    }

    /// The labels that occur, in ascending order.
    pub fn labels(&self) -> Vec<f64> {
        let mut labels: Vec<f64> = self.cells.iter().map(|cell| cell.label).collect();
        labels.dedup_by(|a, b| is(*a, *b));
        labels
    }

    /// Share of the weight of rows that were predicted right.
    pub fn accuracy(&self) -> f64 {
        self.sum(|cell| is(cell.label, cell.prediction)) / self.total()
    }

    /// Share of the weight of rows that were predicted wrong.
    pub fn hamming_loss(&self) -> f64 {
        self.sum(|cell| !is(cell.label, cell.prediction)) / self.total()
    }

    /// Right ones among the rows predicted as `label`; 0 when there are none.
    pub fn precision(&self, label: f64) -> f64 {
        let right = self.true_positives(label);
        let predicted = right + self.false_positives(label);
        if predicted == 0.0 { 0.0 } else { right / predicted }
    }

    /// Right ones among the rows of `label`; also its true positive rate.
    pub fn recall(&self, label: f64) -> f64 {
        self.true_positives(label) / self.label_weight(label)
    }

    /// Wrongly predicted as `label` among the rows of all others; NaN when there are no others.
    pub fn false_positive_rate(&self, label: f64) -> f64 {
        self.false_positives(label) / (self.total() - self.label_weight(label))
    }

    /// F-measure of `label`; `beta` above 1 favours recall.
    pub fn f_measure(&self, label: f64, beta: f64) -> f64 {
        f_measure(self.precision(label), self.recall(label), beta)
    }

    /// The mean of a metric over the labels, each by its share of the weight.
    pub fn weighted(&self, metric: impl Fn(f64) -> f64) -> f64 {
        let total = self.total();
        self.labels().into_iter().map(|label| metric(label) * self.label_weight(label) / total).sum()
    }
}

/// A label with one form only: not −0, and one NaN.
fn name(label: f64) -> f64 {
    if label.is_nan() { f64::NAN } else { label + 0.0 }
}

/// Whether two labels are the same one.
fn is(a: f64, b: f64) -> bool {
    a.total_cmp(&b).is_eq()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "counts of rows are exact")]

    use super::*;

    /// The example of Spark's MulticlassMetricsSuite: label, prediction.
    fn spark() -> Confusion {
        let rows = [(0, 0), (1, 0), (0, 0), (0, 1), (1, 1), (1, 1), (1, 1), (2, 2), (0, 2)];
        let mut confusion = Confusion::default();
        rows.iter().for_each(|&(label, prediction)| confusion.add(f64::from(label), f64::from(prediction), 1.0));
        confusion
    }

    #[test]
    fn metrics_per_label_are_shares_of_rows() {
        let confusion = spark();
        assert_eq!(confusion.labels(), [0.0, 1.0, 2.0]);
        assert_eq!(confusion.accuracy(), 6.0 / 9.0);
        assert_eq!(confusion.precision(0.0), 2.0 / 3.0);
        assert_eq!(confusion.hamming_loss(), 3.0 / 9.0);
        assert_eq!(confusion.recall(1.0), 3.0 / 4.0);
        assert_eq!(confusion.false_positive_rate(2.0), 1.0 / 8.0);
        let weighted_recall = confusion.weighted(|label| confusion.recall(label));
        assert!((weighted_recall - confusion.accuracy()).abs() < 1e-15);
    }

    #[test]
    fn a_label_alone_has_no_false_positive_rate() {
        let mut confusion = Confusion::default();
        confusion.add(1.0, 1.0, 2.0);
        assert!(confusion.false_positive_rate(1.0).is_nan());
        assert_eq!(confusion.precision(0.0), 0.0);
    }

    #[test]
    fn a_zero_is_the_same_label_with_either_sign() {
        let mut confusion = Confusion::default();
        confusion.add(-0.0, 0.0, 1.0);
        confusion.add(0.0, -0.0, 2.0);
        assert_eq!((confusion.labels(), confusion.accuracy()), (vec![0.0], 1.0));
    }

    #[test]
    fn merging_adds_cells() {
        let mut twice = spark();
        twice.merge(spark());
        assert_eq!(twice.accuracy(), spark().accuracy());
        assert_eq!(twice.total(), 18.0);
    }
}
