//! Sketches of several series of numbers while one pass runs, and the order in which those of partitions merge.
//!
//! A sketch depends on where a partition ends and on the order of merging; so a pass keeps the sketches of partitions apart,
//! and they merge when all are there, as Spark merges them.

use std::iter;

use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::QuantileSummaries;

/// For each series of numbers (columns, or slots of a vector) its values, and the sketches of finished partitions.
///
/// It is the state of an aggregate: [`add`](PartitionSketches::add) in `update`, [`merge`](PartitionSketches::merge) and
/// [`finish_partition`](PartitionSketches::finish_partition) in the methods of these names, then one of the two orders.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PartitionSketches {
    relative_error: f64,
    /// Of the partition that is worked on.
    series: Vec<Series>,
    /// Number of each finished partition, and its sketches by series.
    finished: Vec<(usize, Vec<QuantileSummaries>)>,
}

/// The values of one series in a partition.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Series {
    sketch: QuantileSummaries,
    /// Values of a chunk. They are sketched when the chunk merges: only then is known which values are before them.
    values: Vec<f64>,
}

impl PartitionSketches {
    /// Nothing seen yet of so many series.
    pub fn new(n_series: usize, relative_error: f64) -> PartitionSketches {
        let mut sketches = PartitionSketches { relative_error, series: Vec::new(), finished: Vec::new() };
        sketches.grow(n_series);
        sketches
    }

    /// Adds series until there are `n_series`.
    pub fn grow(&mut self, n_series: usize) {
        let relative_error = self.relative_error;
        let nothing = || Series { sketch: QuantileSummaries::new(relative_error), values: Vec::new() };
        self.series.extend(iter::repeat_with(nothing).take(n_series.saturating_sub(self.series.len())));
    }

    /// Takes in values of a series, in the order of their rows; NaN is passed over.
    pub fn add(&mut self, series: usize, values: impl Iterator<Item = f64>) {
        let kept = &mut self.series[series].values;
        kept.reserve(values.size_hint().1.unwrap_or(0));
        kept.extend(values.filter(|value| !value.is_nan()));
    }

    /// Takes in a later chunk of the partition, or later partitions.
    pub fn merge(&mut self, later: PartitionSketches) {
        self.grow(later.series.len());
        for (ours, theirs) in self.series.iter_mut().zip(later.series) {
            assert_eq!(theirs.sketch.count(), 0, "chunks merge in order into their partition");
            ours.settle();
            ours.sketch.insert(&theirs.values);
        }
        self.finished.extend(later.finished);
    }

    /// Ends the partition.
    pub fn finish_partition(&mut self, partition: usize) {
        let n_series = self.series.len();
        let sketches = self.series.drain(..).map(Series::into_sketch).collect();
        self.finished.push((partition, sketches));
        self.grow(n_series);
    }

    /// The sketch of each series, merged partition after partition, as Spark's `reduceByKey` does on one executor.
    pub fn merged_in_line(self, version: SparkVersion) -> Vec<QuantileSummaries> {
        let nothing = self.nothing();
        self.finished.into_iter().fold(nothing, |merged, (_, later)| merged_pairs(merged, later, version))
    }

    /// The sketch of each series of a dataset of so many partitions, merged as Spark's `treeAggregate` of depth 2 does on
    /// one executor: from six partitions on, groups of partitions first.
    pub fn merged_as_tree(self, n_partitions: usize, version: SparkVersion) -> Vec<QuantileSummaries> {
        let nothing = self.nothing();
        let mut level = vec![nothing.clone(); n_partitions];
        for (partition, sketches) in self.finished {
            level[partition] = sketches;
        }
        let scale = ((n_partitions as f64).sqrt().ceil() as usize).max(2);
        let fold = |sketches: &mut dyn Iterator<Item = Vec<QuantileSummaries>>| {
            sketches.fold(nothing.clone(), |merged, later| merged_pairs(merged, later, version))
        };
        while level.len() > scale + level.len().div_ceil(scale) {
            let n_groups = level.len() / scale;
            let mut groups = vec![Vec::new(); n_groups];
            level.into_iter().enumerate().for_each(|(position, sketches)| groups[position % n_groups].push(sketches));
            level = groups.into_iter().map(|group| fold(&mut group.into_iter())).collect();
        }
        fold(&mut level.into_iter())
    }

    /// A sketch of nothing for each series.
    fn nothing(&self) -> Vec<QuantileSummaries> {
        vec![QuantileSummaries::new(self.relative_error); self.series.len()]
    }
}

impl Series {
    fn settle(&mut self) {
        self.sketch.insert(&self.values);
        self.values.clear();
    }

    fn into_sketch(mut self) -> QuantileSummaries {
        self.settle();
        self.sketch.compress();
        self.sketch
    }
}

/// The sketches of each series after those of later rows. Where there were no rows, there may be no series.
fn merged_pairs(
    mut merged: Vec<QuantileSummaries>,
    later: Vec<QuantileSummaries>,
    version: SparkVersion,
) -> Vec<QuantileSummaries> {
    merged.iter_mut().zip(later).for_each(|(merged, later)| merged.merge(later, version));
    merged
}
