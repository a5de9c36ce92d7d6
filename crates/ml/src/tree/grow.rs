//! Nodes in a queue, from roots to leaves.

use std::cell::OnceCell;

use ognivo_data::dataset::Executor;

use super::best_split::{Best, Found, Known, Limits, Stats, best_split};
use super::binned::{BinnedRows, Code};
use super::feature::Feature;
use super::histogram::{Bag, Cell, Histogram, Shape, totals};
use super::node::{Branch, Node, Split, Tree};

/// What all trees of a fit have in common.
#[derive(Debug, Clone)]
pub(super) struct Growth {
    pub(super) features: Vec<Feature>,
    pub(super) limits: Limits,
    pub(super) max_depth: usize,
    /// Whether sibling leaves that predict the same become one.
    pub(super) prunes: bool,
}

/// A node while its tree grows. Its position in the list is its number.
struct Growing {
    stats: Stats,
    impurity: f64,
    inner: Option<Inner>,
}

struct Inner {
    split: Split,
    gain: f64,
    left: usize,
    right: usize,
}

/// A node that waits to be split.
struct Open<T> {
    tree: usize,
    node: usize,
    depth: usize,
    rows: Vec<u32>,
    /// Known already where a sibling's was counted.
    histogram: Option<Histogram<T>>,
}

/// Grows one tree on each of the bags.
pub(super) fn grow<T: Cell, C: Code>(
    growth: &Growth,
    binned: &BinnedRows<C>,
    bags: &[Bag],
    executor: &dyn Executor,
) -> Vec<Tree> {
    let mut forest = Forest::<T, C> {
        growth,
        binned,
        bags,
        executor,
        shape: growth.shape(T::BY_CLASS),
        trees: bags.iter().map(|_| Vec::new()).collect(),
        queue: Vec::new(),
    };
    // The last one in is the first one out: a tree is finished before the next one is begun.
    for tree in 0..bags.len() {
        forest.plant(tree);
    }
    while let Some(open) = forest.queue.pop() {
        forest.split(open);
    }
    forest.trees.into_iter().map(|nodes| finished(nodes, growth)).collect()
}

impl Growth {
    fn shape(&self, by_class: bool) -> Shape {
        let n_bins = self.features.iter().map(Feature::n_bins).max().unwrap_or(1);
        let n_classes = if by_class { self.limits.n_classes } else { 1 };
        Shape { n_features: self.features.len(), n_bins, n_classes, n_stats: self.limits.n_stats() }
    }

    /// A leaf needs no histogram: it is as deep as it may be, or all its labels are the same.
    fn is_leaf(&self, depth: usize, impurity: f64) -> bool {
        depth == self.max_depth || impurity.abs() < f64::EPSILON
    }
}

struct Forest<'a, T, C: Code> {
    growth: &'a Growth,
    binned: &'a BinnedRows<C>,
    bags: &'a [Bag],
    executor: &'a dyn Executor,
    shape: Shape,
    trees: Vec<Vec<Growing>>,
    queue: Vec<Open<T>>,
}

impl<T: Cell, C: Code> Forest<'_, T, C> {
    /// A root is always looked at, also when it may have no children.
    fn plant(&mut self, tree: usize) {
        let nothing = Stats(vec![0.0; self.shape.n_stats]);
        self.trees[tree].push(Growing { stats: nothing, impurity: 0.0, inner: None });
        let rows = self.bags[tree].rows(self.binned.n_rows());
        self.queue.push(Open { tree, node: 0, depth: 0, rows, histogram: None });
    }

    fn split(&mut self, mut open: Open<T>) {
        let histogram = match open.histogram.take() {
            Some(histogram) => histogram,
            None => self.count(open.tree, &open.rows),
        };
        let Found { stats, impurity, best } = self.search(&open, &histogram);
        let node = &mut self.trees[open.tree][open.node];
        node.stats = stats;
        let Some(best) = best else {
            // Same as Spark: what could not be split has an impurity of its own.
            node.impurity = -1.0;
            return;
        };
        node.impurity = impurity;
        let is_leaf = best.gain <= 0.0 || open.depth == self.growth.max_depth;
        if !is_leaf {
            self.branch(open, histogram, best);
        }
    }

    fn search(&self, open: &Open<T>, histogram: &Histogram<T>) -> Found {
        let known = match open.depth {
            0 => Known::Root,
            _ => Known::Child(self.trees[open.tree][open.node].stats.clone()),
        };
        let once = OnceCell::new();
        let sum = || Stats(totals::<T, C>(self.shape, self.binned, &self.bags[open.tree], &open.rows));
        let totals = || once.get_or_init(sum).clone();
        let Growth { features, limits, .. } = self.growth;
        best_split(*limits, features, 0..features.len(), histogram, known, totals)
    }

    fn count(&self, tree: usize, rows: &[u32]) -> Histogram<T> {
        Histogram::of(self.shape, self.binned, &self.bags[tree], rows, self.executor)
    }

    /// Gives the node its children and lets those wait that are no leaves.
    fn branch(&mut self, open: Open<T>, histogram: Histogram<T>, best: Best) {
        let Open { tree, node, depth, rows, .. } = open;
        let Best { split, gain, left, right } = best;
        let child = |stats: Stats| {
            let impurity = self.growth.limits.impurity.of(stats.of_impurity());
            Growing { stats, impurity, inner: None }
        };
        let children = [child(left), child(right)];
        let waits = [0, 1].map(|side: usize| !self.growth.is_leaf(depth + 1, children[side].impurity));
        let first = self.trees[tree].len();
        if waits != [false, false] {
            let goes_left = self.growth.features[split.feature()].bins_that_go_left(&split);
            let rows = partition(self.binned, &rows, split.feature(), &goes_left);
            self.enqueue(tree, first, depth + 1, rows, waits, histogram);
        }
        self.trees[tree].extend(children);
        self.trees[tree][node].inner = Some(Inner { split, gain, left: first, right: first + 1 });
    }

    /// The left child first and the right one after it, which is then the next to be split.
    fn enqueue(
        &mut self,
        tree: usize,
        first: usize,
        depth: usize,
        rows: [Vec<u32>; 2],
        waits: [bool; 2],
        of_parent: Histogram<T>,
    ) {
        let histograms = if T::IS_EXACT { self.share(tree, &rows, waits, of_parent) } else { [None, None] };
        for (side, (rows, histogram)) in rows.into_iter().zip(histograms).enumerate().filter(|(side, _)| waits[*side]) {
            self.queue.push(Open { tree, node: first + side, depth, rows, histogram });
        }
    }

    /// The histograms of two siblings from their parent's: the smaller one is counted, the other one is what is left.
    fn share(
        &self,
        tree: usize,
        rows: &[Vec<u32>; 2],
        waits: [bool; 2],
        of_parent: Histogram<T>,
    ) -> [Option<Histogram<T>>; 2] {
        let smaller = usize::from(rows[1].len() < rows[0].len());
        if !waits[1 - smaller] {
            return [None, None];
        }
        let counted = self.count(tree, &rows[smaller]);
        let left_over = of_parent.less(&counted);
        let mut histograms = [None, None];
        histograms[1 - smaller] = Some(left_over);
        histograms[smaller] = Some(counted);
        histograms
    }
}

/// The rows that go left and those that go right, in order.
fn partition<C: Code>(binned: &BinnedRows<C>, rows: &[u32], slot: usize, goes_left: &[bool]) -> [Vec<u32>; 2] {
    let (mut left, mut right) = (vec![0; rows.len()], vec![0; rows.len()]);
    let (mut n_left, mut n_right) = (0, 0);
    // Each row is written to both sides and counted on one: no branch has to be guessed.
    for &row_idx in rows {
        let is_left = goes_left[binned.codes[row_idx as usize * binned.n_features + slot].bin()];
        left[n_left] = row_idx;
        right[n_right] = row_idx;
        n_left += usize::from(is_left);
        n_right += usize::from(!is_left);
    }
    left.truncate(n_left);
    right.truncate(n_right);
    [left, right]
}

/// The nodes as a tree: leaves that say the same merged, numbered from the root, a left subtree before the right one.
///
/// Same as Spark (`LearningNode.toNode`): a node whose children are leaves that predict the same is a leaf with its own
/// statistics. It goes from the leaves up, so that whole subtrees can become one leaf.
fn finished(nodes: Vec<Growing>, growth: &Growth) -> Tree {
    let impurity = growth.limits.impurity;
    // What a node predicts as a leaf; `None` for an inner node. Children stand behind their parents.
    let mut as_leaf: Vec<Option<f64>> = vec![None; nodes.len()];
    for (position, node) in nodes.iter().enumerate().rev() {
        as_leaf[position] = match &node.inner {
            None => Some(impurity.prediction(node.stats.of_impurity())),
            Some(inner) => match (as_leaf[inner.left], as_leaf[inner.right]) {
                (Some(left), Some(right)) if growth.prunes && says_the_same(left, right) => Some(left),
                _ => None,
            },
        };
    }
    let mut finished: Vec<Node> = Vec::new();
    // A node, and where its parent waits for the number of its right child.
    let mut open: Vec<(usize, Option<usize>)> = vec![(0, None)];
    while let Some((position, parent)) = open.pop() {
        let (node, number) = (&nodes[position], finished.len());
        if let Some(parent) = parent.and_then(|parent: usize| finished[parent].branch.as_mut()) {
            parent.right = number;
        }
        let stats = node.stats.of_impurity();
        let branch = node.inner.as_ref().filter(|_| as_leaf[position].is_none()).map(|inner| {
            open.push((inner.right, Some(number)));
            open.push((inner.left, None));
            Branch { split: inner.split.clone(), gain: inner.gain, left: number + 1, right: 0 }
        });
        finished.push(Node {
            prediction: as_leaf[position].unwrap_or_else(|| impurity.prediction(stats)),
            impurity: node.impurity,
            stats: stats.to_vec(),
            n_rows: node.stats.n_rows() as i64,
            branch,
        });
    }
    Tree::new(finished).expect("children were numbered after their parents")
}

#[expect(clippy::float_cmp, reason = "labels and means are compared as Spark compares them")]
fn says_the_same(left: f64, right: f64) -> bool {
    left == right
}

#[cfg(test)]
mod tests {
    use super::*;

    use ognivo_data::dataset::LocalExecutor;

    use crate::tree::histogram::{Count, Moments, Weight};
    use crate::tree::impurity::Impurity;

    const N_CLASSES: usize = 3;

    /// A number of 8 bins and a category of 5, labels that follow both and some noise.
    fn binned(n_rows: usize) -> BinnedRows<u8> {
        let bins = |i: usize| [(i * 7 + i / 3) % 8, (i * 3 + i / 5) % 5].map(|bin| bin as u8);
        let label = |i: usize| {
            let [number, category] = bins(i).map(usize::from);
            ((number / 3 + usize::from(category % 2 == 0) + i % 7 / 6) % N_CLASSES) as f64
        };
        BinnedRows {
            n_features: 2,
            codes: (0..n_rows).flat_map(bins).collect(),
            labels: (0..n_rows).map(label).collect(),
            weights: None,
        }
    }

    /// The rows of a bag, written out as often as they were drawn.
    fn repeated(rows: &BinnedRows<u8>, n_draws: &[u32]) -> BinnedRows<u8> {
        let drawn: Vec<u32> = (0..).zip(n_draws).flat_map(|(row, &n)| (0..n).map(move |_| row)).collect();
        BinnedRows {
            n_features: 2,
            codes: drawn.iter().flat_map(|&row| rows.row(row).to_vec()).collect(),
            labels: drawn.iter().map(|&row| rows.labels[row as usize]).collect(),
            weights: None,
        }
    }

    fn growth(impurity: Impurity) -> Growth {
        let thresholds = (0..7).map(f64::from).collect();
        Growth {
            features: vec![Feature::Continuous { thresholds }, Feature::Ordered { n_categories: 5 }],
            limits: Limits { impurity, n_classes: N_CLASSES, min_rows: 2.0, min_weight: 0.0, min_gain: 0.0 },
            max_depth: 4,
            prunes: true,
        }
    }

    fn trees<T: Cell>(impurity: Impurity, rows: &BinnedRows<u8>, bags: &[Bag]) -> Vec<Tree> {
        grow::<T, u8>(&growth(impurity), rows, bags, &LocalExecutor::single_threaded())
    }

    #[track_caller]
    fn check_bags<T: Cell>(impurity: Impurity) {
        let rows = binned(200);
        let n_draws = |tree: usize| (0..200).map(|i| ((i * 5 + tree) % 4) as u32).collect::<Vec<_>>();
        let bags = [0, 1].map(|tree| Bag { n_draws: Some(n_draws(tree)) });
        let grown = trees::<T>(impurity, &rows, &bags);
        for (tree, grown) in grown.iter().enumerate() {
            let alone = trees::<T>(impurity, &repeated(&rows, &n_draws(tree)), &[Bag::of_all()]);
            assert_eq!(&alone[0], grown);
            assert!(grown.n_nodes() > 7, "{grown:?}");
        }
        assert_ne!(grown[0], grown[1]);
    }

    #[test]
    fn trees_of_one_queue_grow_on_their_bags_as_on_rows_written_out() {
        check_bags::<Count>(Impurity::Gini);
        check_bags::<Weight>(Impurity::Entropy);
        check_bags::<Moments>(Impurity::Variance);
    }

    #[test]
    fn a_histogram_left_over_gives_the_tree_that_counting_gives() {
        let rows = binned(500);
        let bags = [Bag::of_all()];
        // Weights of 1 are counted for each child, rows are counted for the smaller one.
        assert_eq!(trees::<Count>(Impurity::Gini, &rows, &bags), trees::<Weight>(Impurity::Gini, &rows, &bags));
    }
}
