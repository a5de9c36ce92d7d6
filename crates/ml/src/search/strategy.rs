//! Which sets to try: a decision from what is known, without any state of its own.

use std::collections::HashMap;

use super::column_set::ColumnSet;
use super::trial::{Trial, best_first};

/// How sets are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Every set.
    Exhaustive,
    /// From the required columns on, each time with the one column more that does best, until all are in.
    Forward,
    /// From all columns on, each time without the one column that is missed least, until the required ones are left.
    Backward,
}

impl Strategy {
    /// All of them, by the name that a job file has.
    pub const ALL: [(&'static str, Strategy); 3] =
        [("exhaustive", Strategy::Exhaustive), ("forward", Strategy::Forward), ("backward", Strategy::Backward)];

    /// The name that a job file has.
    pub fn name(self) -> &'static str {
        Strategy::ALL.iter().find(|(_, strategy)| *strategy == self).map_or("", |(name, _)| name)
    }
}

/// The sets that can be tried, and how they are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchSpace {
    n_columns: usize,
    required: Vec<usize>,
    strategy: Strategy,
    larger_is_better: bool,
}

impl SearchSpace {
    /// Sets of `n_columns` columns with those at the positions `required` always in.
    ///
    /// # Panics
    /// When a required position is not below `n_columns`, or there is no column.
    pub fn new(n_columns: usize, required: &[usize], strategy: Strategy, larger_is_better: bool) -> SearchSpace {
        let mut required = required.to_vec();
        required.sort_unstable();
        required.dedup();
        assert!(n_columns > 0 && required.iter().all(|&position| position < n_columns), "required columns are columns");
        SearchSpace { n_columns, required, strategy, larger_is_better }
    }

    /// How many sets are tried in all; the largest number there is when they are more.
    pub fn n_sets(&self) -> u64 {
        let n_free = self.n_columns - self.required.len();
        let is_empty_one_in = self.required.is_empty();
        match self.strategy {
            Strategy::Exhaustive => {
                1u64.checked_shl(n_free as u32).map_or(u64::MAX, |n_sets| n_sets - u64::from(is_empty_one_in))
            }
            // n, n - 1, …, 1 sets, and the first one where it has columns.
            Strategy::Forward => (n_free * (n_free + 1) / 2) as u64 + u64::from(!is_empty_one_in),
            // The last step would leave the empty set, which is not tried.
            Strategy::Backward => (n_free * (n_free + 1) / 2) as u64 + 1 - u64::from(is_empty_one_in),
        }
    }

    /// The sets to try next, given `trials`; empty when the search is at its end. Smaller sets first, then by their columns.
    pub fn next_sets(&self, trials: &[Trial]) -> Vec<ColumnSet> {
        let known: HashMap<&ColumnSet, &Trial> = trials.iter().map(|trial| (&trial.set, trial)).collect();
        match self.strategy {
            Strategy::Exhaustive => self.all_sets().into_iter().filter(|set| !known.contains_key(set)).collect(),
            Strategy::Forward => self.walk(&known, ColumnSet::new(self.required.iter().copied()), |set| {
                let free = (0..self.n_columns).filter(|&column| !set.is_some_and(|set| set.contains(column)));
                free.filter_map(|column| match set {
                    Some(set) => Some(set.with(column)),
                    None => ColumnSet::new([column]),
                })
                .collect()
            }),
            Strategy::Backward => self.walk(&known, ColumnSet::new(0..self.n_columns), |set| {
                let set = set.expect("the walk begins with a set");
                let free = set.positions().filter(|column| !self.required.contains(column));
                free.filter_map(|column| set.without(column)).collect()
            }),
        }
    }

    /// Walks from `start` to the best of its neighbours, as long as all of them are known; gives those that are not.
    fn walk(
        &self,
        known: &HashMap<&ColumnSet, &Trial>,
        start: Option<ColumnSet>,
        neighbours: impl Fn(Option<&ColumnSet>) -> Vec<ColumnSet>,
    ) -> Vec<ColumnSet> {
        let mut here = start;
        let mut next: Vec<ColumnSet> = here.iter().cloned().collect();
        loop {
            let unknown: Vec<ColumnSet> = next.iter().filter(|set| !known.contains_key(set)).cloned().collect();
            if !unknown.is_empty() {
                return unknown;
            }
            let tried: Vec<&Trial> = next.iter().map(|set| known[set]).collect();
            here = best_first(tried, self.larger_is_better).first().map(|best| best.set.clone()).or(here);
            next = neighbours(here.as_ref());
            if next.is_empty() {
                return Vec::new();
            }
        }
    }

    fn all_sets(&self) -> Vec<ColumnSet> {
        let free: Vec<usize> = (0..self.n_columns).filter(|column| !self.required.contains(column)).collect();
        let chosen = |bits: u64| (0..free.len()).filter(move |&place| bits >> place & 1 == 1).map(|place| free[place]);
        let set_of = |bits: u64| ColumnSet::new(self.required.iter().copied().chain(chosen(bits)));
        let mut sets: Vec<ColumnSet> = (0..1u64 << free.len()).filter_map(set_of).collect();
        sets.sort_by(|a, b| a.n_columns().cmp(&b.n_columns()).then_with(|| a.cmp(b)));
        sets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a whole search in which `metric` judges; gives the sets in the order in which they were tried.
    fn tried(space: &SearchSpace, metric: impl Fn(&ColumnSet) -> f64) -> Vec<Vec<usize>> {
        let mut trials: Vec<Trial> = Vec::new();
        loop {
            let next = space.next_sets(&trials);
            if next.is_empty() {
                return trials.iter().map(|trial| trial.set.positions().collect()).collect();
            }
            trials.extend(next.into_iter().map(|set| Trial { metrics: Ok(vec![metric(&set)]), set }));
        }
    }

    #[test]
    fn an_exhaustive_search_tries_every_set_once_smaller_ones_first() {
        let space = SearchSpace::new(3, &[], Strategy::Exhaustive, true);
        let expected = [vec![0], vec![1], vec![2], vec![0, 1], vec![0, 2], vec![1, 2], vec![0, 1, 2]];
        assert_eq!(tried(&space, |_| 0.5), expected);
        let required = SearchSpace::new(3, &[1], Strategy::Exhaustive, true);
        assert_eq!(tried(&required, |_| 0.5), [vec![1], vec![0, 1], vec![1, 2], vec![0, 1, 2]]);
    }

    #[test]
    fn forward_adds_the_best_column_each_time() {
        let space = SearchSpace::new(3, &[], Strategy::Forward, true);
        let worth = [0.1, 0.3, 0.2];
        let sets = tried(&space, |set| set.positions().map(|column| worth[column]).sum());
        assert_eq!(sets, [vec![0], vec![1], vec![2], vec![0, 1], vec![1, 2], vec![0, 1, 2]]);
        let required = SearchSpace::new(3, &[0], Strategy::Forward, false);
        let sets = tried(&required, |set| set.positions().map(|column| worth[column]).sum());
        assert_eq!(sets, [vec![0], vec![0, 1], vec![0, 2], vec![0, 1, 2]]);
    }

    #[test]
    fn backward_leaves_out_the_column_that_is_missed_least() {
        let worth = [0.1, 0.3, 0.2];
        let space = SearchSpace::new(3, &[], Strategy::Backward, true);
        let sets = tried(&space, |set| set.positions().map(|column| worth[column]).sum());
        assert_eq!(sets, [vec![0, 1, 2], vec![1, 2], vec![0, 2], vec![0, 1], vec![2], vec![1]]);
        let required = SearchSpace::new(3, &[0], Strategy::Backward, true);
        let sets = tried(&required, |set| set.positions().map(|column| worth[column]).sum());
        assert_eq!(sets, [vec![0, 1, 2], vec![0, 2], vec![0, 1], vec![0]]);
    }

    #[test]
    fn the_number_of_sets_is_known_before_the_first_is_tried() {
        for strategy in Strategy::ALL.map(|(_, strategy)| strategy) {
            for required in [vec![], vec![2], vec![0, 3], vec![0, 1, 2, 3]] {
                let space = SearchSpace::new(4, &required, strategy, true);
                let n_tried = tried(&space, |set| set.positions().map(|column| column as f64).sum()).len();
                assert_eq!(space.n_sets(), n_tried as u64, "{strategy:?} {required:?}");
            }
        }
        assert_eq!(SearchSpace::new(70, &[], Strategy::Exhaustive, true).n_sets(), u64::MAX);
    }

    #[test]
    fn a_search_goes_on_from_the_trials_it_has() {
        let space = SearchSpace::new(3, &[], Strategy::Forward, true);
        let trial = |column: usize| Trial { set: ColumnSet::new([column]).unwrap(), metrics: Ok(vec![column as f64]) };
        assert_eq!(space.next_sets(&[trial(0), trial(2)]), [ColumnSet::new([1]).unwrap()]);
    }
}
