//! The best test of a node: every feature's candidates, measured by how much they lower the impurity.
//!
//! Same as Spark (`RandomForest.binsToBestSplit`), operation by operation: of equal gains the first candidate wins, of equal
//! features the first one; a candidate is void when a side has too few rows, too little weight, or the gain is too small.

use super::feature::Feature;
use super::histogram::{Cell, Histogram};
use super::impurity::Impurity;
use super::node::Split;

/// What a node must keep to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) impurity: Impurity,
    pub(super) n_classes: usize,
    pub(super) min_rows: f64,
    pub(super) min_weight: f64,
    pub(super) min_gain: f64,
}

/// Statistics of some rows: those of the impurity, then the number of rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stats(pub(super) Vec<f64>);

impl Stats {
    pub(super) fn of_impurity(&self) -> &[f64] {
        of_impurity(&self.0)
    }

    pub(super) fn n_rows(&self) -> f64 {
        n_rows(&self.0)
    }
}

fn of_impurity(stats: &[f64]) -> &[f64] {
    &stats[..stats.len() - 1]
}

fn n_rows(stats: &[f64]) -> f64 {
    stats[stats.len() - 1]
}

/// The best candidate of a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Best {
    pub(super) split: Split,
    pub(super) gain: f64,
    pub(super) left: Stats,
    pub(super) right: Stats,
}

/// What was found out about a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) stats: Stats,
    pub(super) impurity: f64,
    /// `None` when every candidate is void, or there is none.
    pub(super) best: Option<Best>,
}

/// A node's statistics, known from its parent but for a root.
pub(super) enum Known {
    /// They are what the first candidate's sides add up to; or `totals` when there is none.
    Root,
    Child(Stats),
}

/// Looks for the best test among `features`, given by slot in the order in which they are tried.
pub(super) fn best_split<T: Cell>(
    limits: Limits,
    features: &[Feature],
    slots: impl Iterator<Item = usize>,
    histogram: &Histogram<T>,
    known: Known,
    totals: impl Fn() -> Stats,
) -> Found {
    let mut search = Search {
        limits,
        node: match known {
            Known::Root => None,
            Known::Child(stats) => Some(measured(limits, stats)),
        },
    };
    let mut best: Option<Best> = None;
    let mut bins = Vec::new();
    for slot in slots.filter(|&slot| features[slot].n_splits() > 0) {
        let feature = &features[slot];
        histogram.write_stats(slot, feature.n_bins(), &mut bins);
        let candidates = match feature {
            Feature::Continuous { .. } => Candidates::cumulative(&bins, limits.n_stats()),
            Feature::Ordered { .. } => Candidates::by_centroid(&bins, limits),
            Feature::Unordered { n_categories } => {
                Candidates::subsets(&bins, limits.n_stats(), *n_categories, totals())
            }
        };
        let Some(choice) = search.best_of(&candidates) else { continue };
        if best.as_ref().is_none_or(|best| choice.gain > best.gain) {
            best = Some(Best {
                split: candidates.split(slot, feature, choice.candidate),
                gain: choice.gain,
                left: Stats(choice.left),
                right: Stats(choice.right),
            });
        }
    }
    let node = search.node.unwrap_or_else(|| measured(limits, totals()));
    Found { stats: node.stats, impurity: node.impurity, best }
}

impl Limits {
    /// Statistics of a bin: those of the impurity, then the number of rows.
    pub(super) fn n_stats(self) -> usize {
        match self.impurity {
            Impurity::Gini | Impurity::Entropy => self.n_classes + 1,
            Impurity::Variance => 4,
        }
    }
}

struct Measured {
    stats: Stats,
    impurity: f64,
}

fn measured(limits: Limits, stats: Stats) -> Measured {
    let impurity = limits.impurity.of(stats.of_impurity());
    Measured { stats, impurity }
}

/// What goes left, candidate by candidate.
struct Candidates {
    /// Statistics of the left side of each candidate.
    left: Vec<Vec<f64>>,
    /// Statistics of both sides together.
    whole: Vec<f64>,
    /// The categories in the order in which they go left; none for numbers and subsets.
    order: Vec<usize>,
}

impl Candidates {
    /// Bins go left one after the other.
    fn cumulative(bins: &[f64], n_stats: usize) -> Candidates {
        let n_bins = bins.len() / n_stats;
        Candidates::in_order(bins, n_stats, (0..n_bins).collect())
    }

    fn in_order(bins: &[f64], n_stats: usize, order: Vec<usize>) -> Candidates {
        let mut left: Vec<Vec<f64>> = Vec::with_capacity(order.len());
        for &bin in &order {
            let mut stats = bins[bin * n_stats..(bin + 1) * n_stats].to_vec();
            if let Some(before) = left.last() {
                stats.iter_mut().zip(before).for_each(|(sum, before)| *sum += before);
            }
            left.push(stats);
        }
        let whole = left.pop().expect("a feature has a bin");
        Candidates { left, whole, order }
    }

    /// Categories go left in the order of what their rows tell of the label: the weight of label 1 of two, the mean of numbers,
    /// the impurity among several labels. Categories without rows come last.
    fn by_centroid(bins: &[f64], limits: Limits) -> Candidates {
        let n_stats = limits.n_stats();
        let centroid = |bin: &[f64]| {
            let stats = of_impurity(bin);
            if limits.impurity.weight(stats) == 0.0 {
                return f64::MAX;
            }
            match limits.impurity {
                Impurity::Variance => limits.impurity.prediction(stats),
                _ if limits.n_classes > 2 => limits.impurity.of(stats),
                _ if limits.n_classes == 2 => stats[1],
                _ => limits.impurity.prediction(stats),
            }
        };
        let centroids: Vec<f64> = bins.chunks_exact(n_stats).map(centroid).collect();
        let mut order: Vec<usize> = (0..centroids.len()).collect();
        order.sort_by(|&a, &b| centroids[a].total_cmp(&centroids[b]));
        Candidates::in_order(bins, n_stats, order)
    }

    /// Each set of categories goes left that does not hold the last one.
    fn subsets(bins: &[f64], n_stats: usize, n_categories: usize, whole: Stats) -> Candidates {
        let n_subsets = (1_usize << (n_categories - 1)) - 1;
        let left = (1..=n_subsets).map(|subset| {
            let mut stats = vec![0.0; n_stats];
            for category in (0..n_categories).filter(|category| subset >> category & 1 == 1) {
                let bin = &bins[category * n_stats..(category + 1) * n_stats];
                stats.iter_mut().zip(bin).for_each(|(sum, term)| *sum += term);
            }
            stats
        });
        Candidates { left: left.collect(), whole: whole.0, order: Vec::new() }
    }

    fn split(&self, slot: usize, feature: &Feature, candidate: usize) -> Split {
        let categories = |mut left: Vec<usize>, n_categories: &usize| {
            left.sort_unstable();
            let left = left.into_iter().map(|category| category as f64).collect();
            Split::Categorical { feature: slot, left, n_categories: *n_categories }
        };
        match feature {
            Feature::Continuous { thresholds } => Split::Continuous { feature: slot, threshold: thresholds[candidate] },
            Feature::Ordered { n_categories } => categories(self.order[..=candidate].to_vec(), n_categories),
            Feature::Unordered { n_categories } => {
                let subset = candidate + 1;
                categories((0..*n_categories).filter(|category| subset >> category & 1 == 1).collect(), n_categories)
            }
        }
    }
}

/// The best candidate of one feature.
struct Choice {
    candidate: usize,
    gain: f64,
    left: Vec<f64>,
    right: Vec<f64>,
}

struct Search {
    limits: Limits,
    /// Of a root not known before the first candidate.
    node: Option<Measured>,
}

impl Search {
    fn best_of(&mut self, candidates: &Candidates) -> Option<Choice> {
        let mut best: Option<Choice> = None;
        let mut right = candidates.whole.clone();
        for (candidate, left) in candidates.left.iter().enumerate() {
            let sides = candidates.whole.iter().zip(left);
            right.iter_mut().zip(sides).for_each(|(right, (whole, left))| *right = whole - left);
            let Some(gain) = self.gain(left, &right) else { continue };
            if best.as_ref().is_none_or(|best| gain > best.gain) {
                best = Some(Choice { candidate, gain, left: left.clone(), right: right.clone() });
            }
        }
        best
    }

    /// By how much these sides lower the node's impurity; `None` when they are void.
    fn gain(&mut self, left: &[f64], right: &[f64]) -> Option<f64> {
        let Limits { impurity, min_rows, min_weight, min_gain, .. } = self.limits;
        let limits = self.limits;
        let node = self.node.get_or_insert_with(|| {
            measured(limits, Stats(left.iter().zip(right).map(|(left, right)| left + right).collect()))
        });
        let (left_weight, right_weight) = (impurity.weight(of_impurity(left)), impurity.weight(of_impurity(right)));
        let too_few = n_rows(left) < min_rows || n_rows(right) < min_rows;
        if too_few || left_weight < min_weight || right_weight < min_weight {
            return None;
        }
        let weight = left_weight + right_weight;
        let (left_share, right_share) = (left_weight / weight, right_weight / weight);
        let gain =
            node.impurity - left_share * impurity.of(of_impurity(left)) - right_share * impurity.of(of_impurity(right));
        (gain >= min_gain || gain.is_nan()).then_some(gain)
    }
}
