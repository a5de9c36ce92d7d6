//! What came out for one set of columns, and what all of them together say.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::column_set::ColumnSet;

/// A set of columns and how well it did.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The columns.
    pub set: ColumnSet,
    /// The metric on each fold, or why there is none: the message of what failed.
    pub metrics: Result<Vec<f64>, String>,
}

impl Trial {
    /// The mean of the metric over the folds; NaN when it could not be measured.
    pub fn metric(&self) -> f64 {
        match &self.metrics {
            Ok(metrics) => metrics.iter().sum::<f64>() / metrics.len() as f64,
            Err(_) => f64::NAN,
        }
    }

    /// Standard deviation of the metric over the folds, as PySpark's `stdMetrics` has it (of the whole population); `None` for
    /// fewer than two folds.
    pub fn spread(&self) -> Option<f64> {
        let metrics = self.metrics.as_ref().ok().filter(|metrics| metrics.len() > 1)?;
        let mean = self.metric();
        let squares: f64 = metrics.iter().map(|metric| (metric - mean).powi(2)).sum();
        Some((squares / metrics.len() as f64).sqrt())
    }

    /// Which of two trials comes first: the better metric, of equals the smaller set, of those the one whose columns come
    /// first. A trial without a metric comes after all others.
    fn order(&self, other: &Trial, larger_is_better: bool) -> Ordering {
        let (mine, theirs) = (self.metric(), other.metric());
        let by_metric = match (mine.is_nan(), theirs.is_nan()) {
            (false, false) if larger_is_better => theirs.partial_cmp(&mine).unwrap_or(Ordering::Equal),
            (false, false) => mine.partial_cmp(&theirs).unwrap_or(Ordering::Equal),
            (mine, theirs) => mine.cmp(&theirs),
        };
        by_metric.then_with(|| self.set.n_columns().cmp(&other.set.n_columns())).then_with(|| self.set.cmp(&other.set))
    }
}

/// The trials, best first. Equal metrics: the smaller set, then the set whose columns come first. NaN and failures last.
pub fn best_first<'a>(trials: impl IntoIterator<Item = &'a Trial>, larger_is_better: bool) -> Vec<&'a Trial> {
    let mut sorted: Vec<&Trial> = trials.into_iter().collect();
    sorted.sort_by(|a, b| a.order(b, larger_is_better));
    sorted
}

/// What one column was good for, as far as the trials tell.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnGain {
    /// Position of the column.
    pub column: usize,
    /// Mean change of the metric from a set without the column to the same set with it; positive is an increase of the
    /// metric, whether or not larger is better. `None` when no such pair was tried.
    pub mean_change: Option<f64>,
    /// How many such pairs there are.
    pub n_pairs: usize,
    /// The best metric of the sets with the column; NaN when there is none.
    pub best_with: f64,
    /// The best metric of the sets without it; NaN when there is none.
    pub best_without: f64,
}

/// What each of `n_columns` columns was good for.
pub fn column_gains(trials: &[Trial], n_columns: usize, larger_is_better: bool) -> Vec<ColumnGain> {
    let metrics: HashMap<&ColumnSet, f64> = trials.iter().map(|trial| (&trial.set, trial.metric())).collect();
    let best = |has: bool, column: usize| {
        let of_kind = trials.iter().filter(|trial| trial.set.contains(column) == has);
        best_first(of_kind, larger_is_better).first().map_or(f64::NAN, |trial| trial.metric())
    };
    let gain_of = |column: usize| {
        let with = trials.iter().filter(|trial| trial.set.contains(column));
        let pairs = with.filter_map(|trial| Some(trial.metric() - metrics.get(&trial.set.without(column)?)?));
        let changes: Vec<f64> = pairs.filter(|change| !change.is_nan()).collect();
        let mean_change = (!changes.is_empty()).then(|| changes.iter().sum::<f64>() / changes.len() as f64);
        let (best_with, best_without) = (best(true, column), best(false, column));
        ColumnGain { column, mean_change, n_pairs: changes.len(), best_with, best_without }
    };
    (0..n_columns).map(gain_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(positions: &[usize], metric: f64) -> Trial {
        Trial { set: ColumnSet::new(positions.iter().copied()).unwrap(), metrics: Ok(vec![metric]) }
    }

    fn sets(sorted: &[&Trial]) -> Vec<Vec<usize>> {
        sorted.iter().map(|trial| trial.set.positions().collect()).collect()
    }

    #[test]
    fn a_tie_goes_to_the_smaller_set_and_then_to_the_earlier_columns() {
        let trials = [trial(&[0, 1], 0.7), trial(&[2], 0.7), trial(&[1], 0.7), trial(&[0], 0.6)];
        assert_eq!(sets(&best_first(&trials, true)), [vec![1], vec![2], vec![0, 1], vec![0]]);
        assert_eq!(sets(&best_first(&trials, false)), [vec![0], vec![1], vec![2], vec![0, 1]]);
    }

    #[test]
    fn what_could_not_be_measured_is_never_best() {
        let failed = Trial { set: ColumnSet::new([3]).unwrap(), metrics: Err("no rows".to_owned()) };
        let trials = [failed, trial(&[4], f64::NAN), trial(&[5, 6], 0.1)];
        for larger_is_better in [true, false] {
            assert_eq!(sets(&best_first(&trials, larger_is_better)), [vec![5, 6], vec![3], vec![4]]);
        }
    }

    #[test]
    fn metric_and_spread_are_mean_and_deviation_of_the_folds() {
        let of_three = Trial { set: ColumnSet::new([0]).unwrap(), metrics: Ok(vec![1.0, 2.0, 6.0]) };
        assert_eq!((of_three.metric(), of_three.spread()), (3.0, Some((14.0f64 / 3.0).sqrt())));
        assert_eq!(trial(&[0], 1.0).spread(), None);
    }

    #[test]
    fn a_column_is_good_for_the_mean_change_over_pairs_of_sets() {
        let trials = [trial(&[0], 0.5), trial(&[1], 0.6), trial(&[0, 1], 0.8), trial(&[2], 0.9)];
        let gains = column_gains(&trials, 3, true);
        let close = |found: Option<f64>, wanted: f64| (found.unwrap() - wanted).abs() < 1e-12;
        assert!(close(gains[0].mean_change, 0.2) && close(gains[1].mean_change, 0.3), "{gains:?}");
        assert_eq!((gains[0].best_with, gains[0].best_without), (0.8, 0.9));
        assert_eq!((gains[2].mean_change, gains[2].n_pairs), (None, 0));
    }
}
