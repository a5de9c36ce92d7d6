//! Spark's sketch of how numbers are distributed, from which medians, ranges and splits are read.
//!
//! Advice to the next reader: results are elements of the data, so one comparison that is `<` in place of `<=`, or one rounding
//! more, gives another element. Every comparison here is Spark's (`QuantileSummaries.scala`), also where the paper has another.

use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

/// So many values are gathered before they are sorted into the samples (Spark's `defaultHeadSize`).
///
/// With so many, the samples are always beyond Spark's `defaultCompressThreshold` of 10,000: it compresses after every head.
const HEAD_SIZE: usize = 50_000;

/// A sketch of numbers that answers quantiles to a relative error: the algorithm of Greenwald and Khanna
/// ("Space-efficient online computation of quantile summaries", 2001) in Spark's variant.
///
/// Life of one: [`insert`](QuantileSummaries::insert) in the order of rows, [`compress`](QuantileSummaries::compress),
/// [`merge`](QuantileSummaries::merge) with those of other partitions, [`query`](QuantileSummaries::query).
///
/// Same as Spark: every answer is the element of the data that Spark answers, whatever the relative error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuantileSummaries {
    relative_error: f64,
    /// In ascending order of their values.
    samples: Vec<Sample>,
    /// How many values the samples stand for.
    count: u64,
    /// Values that are not among the samples yet.
    head: Vec<f64>,
}

/// A value that was kept, and how many others it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Sample {
    value: f64,
    /// By how much the least rank that it can have is above that of the sample before it.
    g: u64,
    /// By how much the greatest rank that it can have is above the least.
    delta: u64,
}

impl QuantileSummaries {
    /// Nothing seen yet; with a relative error of 0 every value is kept.
    pub fn new(relative_error: f64) -> QuantileSummaries {
        QuantileSummaries { relative_error, samples: Vec::new(), count: 0, head: Vec::new() }
    }

    /// Takes in values, in the order of their rows. None of them is NaN.
    pub fn insert(&mut self, mut values: &[f64]) {
        while !values.is_empty() {
            let (fitting, rest) = values.split_at(values.len().min(HEAD_SIZE - self.head.len()));
            self.head.extend_from_slice(fitting);
            values = rest;
            if self.head.len() == HEAD_SIZE {
                self.compress();
            }
        }
    }

    /// Takes all values among the samples, and puts those together that the relative error lets stand for each other.
    pub fn compress(&mut self) {
        self.insert_head();
        compress(&mut self.samples, 2.0 * self.relative_error * self.count as f64);
    }

    /// Merges the sorted head with the samples.
    fn insert_head(&mut self) {
        let Some(last) = self.head.len().checked_sub(1) else { return };
        sort_by_total_order(&mut self.head);
        let mut merged = Vec::with_capacity(self.samples.len() + self.head.len());
        let mut older = self.samples.drain(..).peekable();
        for (position, &value) in self.head.iter().enumerate() {
            // Not by total order: a 0 among the samples comes before a -0 that is new.
            while let Some(sample) = older.next_if(|sample| sample.value <= value) {
                merged.push(sample);
            }
            self.count += 1;
            let is_end = merged.is_empty() || (position == last && older.peek().is_none());
            let delta = if is_end { 0 } else { (2.0 * self.relative_error * self.count as f64) as u64 };
            merged.push(Sample { value, g: 1, delta });
        }
        merged.extend(older);
        self.samples = merged;
        self.head.clear();
    }

    /// Takes in what another sketch has seen, as Spark of `version` does. Both are compressed.
    ///
    /// Of equal values those of `later` come first (in 2.4 ours), so the order of merging is a part of the result.
    ///
    /// # Panics
    /// When one of them is not compressed.
    pub fn merge(&mut self, mut later: QuantileSummaries, version: SparkVersion) {
        assert!(self.head.is_empty() && later.head.is_empty(), "sketches are compressed before they merge");
        if version == SparkVersion::V2_4 {
            // Every merge of Spark compresses both sides again. Only what 2.4 merged is not at its smallest then.
            self.compress();
            later.compress();
        }
        if later.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = later;
            return;
        }
        let count = self.count + later.count;
        let threshold_count = match version {
            SparkVersion::V2_4 => {
                self.samples.extend(later.samples);
                self.samples.sort_by(|a, b| a.value.total_cmp(&b.value));
                self.count
            }
            _ => {
                self.samples = self.interleaved(&later);
                count
            }
        };
        self.count = count;
        compress(&mut self.samples, 2.0 * self.relative_error * threshold_count as f64);
    }

    /// The samples of both, where those that lie among the other's doubt their rank by what the other does not know.
    fn interleaved(&self, later: &QuantileSummaries) -> Vec<Sample> {
        let our_doubt = (2.0 * later.relative_error * later.count as f64) as u64;
        let their_doubt = (2.0 * self.relative_error * self.count as f64) as u64;
        let (ours, theirs) = (&self.samples, &later.samples);
        let mut merged = Vec::with_capacity(ours.len() + theirs.len());
        let (mut our_idx, mut their_idx) = (0, 0);
        while our_idx < ours.len() && their_idx < theirs.len() {
            let (our, their) = (ours[our_idx], theirs[their_idx]);
            if our.value < their.value {
                merged.push(Sample { delta: our.delta + if their_idx > 0 { our_doubt } else { 0 }, ..our });
                our_idx += 1;
            } else {
                merged.push(Sample { delta: their.delta + if our_idx > 0 { their_doubt } else { 0 }, ..their });
                their_idx += 1;
            }
        }
        merged.extend_from_slice(&ours[our_idx..]);
        merged.extend_from_slice(&theirs[their_idx..]);
        merged
    }

    /// How many values were taken in.
    pub fn count(&self) -> u64 {
        self.count + self.head.len() as u64
    }

    /// The value at each of these shares of the ordered values, 0 to 1; `None` when there are no values.
    ///
    /// Same as Spark: a share is looked for from where the next smaller one was found, so the answer to a list can differ from
    /// those to its shares one by one.
    ///
    /// # Panics
    /// When the sketch is not compressed.
    pub fn query(&self, shares: &[f64]) -> Option<Vec<f64>> {
        assert!(self.head.is_empty(), "a sketch is compressed before it is asked");
        let (first, last) = (self.samples.first()?, self.samples.last()?);
        let doubt = self.samples.iter().map(|sample| sample.g + sample.delta).max()? / 2;
        let mut ascending: Vec<usize> = (0..shares.len()).collect();
        ascending.sort_by(|&a, &b| shares[a].total_cmp(&shares[b]));
        let mut found = vec![0.0; shares.len()];
        let mut position = Position { index: 0, least_rank: first.g };
        for at in ascending {
            let share = shares[at];
            found[at] = if share <= self.relative_error {
                first.value
            } else if share >= 1.0 - self.relative_error {
                last.value
            } else {
                position = self.find(position, (share * self.count as f64).ceil() as u64, doubt);
                self.samples[position.index].value
            };
        }
        Some(found)
    }

    /// The first sample from `position` on whose ranks are as near to `rank` as `doubt` allows, or the last sample.
    fn find(&self, position: Position, rank: u64, doubt: u64) -> Position {
        let Position { mut index, mut least_rank } = position;
        while index < self.samples.len() - 1 {
            if least_rank + self.samples[index].delta <= rank + doubt && rank <= least_rank + doubt {
                return Position { index, least_rank };
            }
            index += 1;
            least_rank += self.samples[index].g;
        }
        Position { index, least_rank: 0 }
    }
}

/// Sorts by the total order, in which -0 is before 0; as whole numbers of the same order, which are compared in one step.
fn sort_by_total_order(values: &mut [f64]) {
    // The bits of a negative number but for its sign are turned round; doing that again gives the number back.
    let turned = |bits: i64| bits ^ ((bits >> 63) as u64 >> 1) as i64;
    let mut keys: Vec<i64> = values.iter().map(|value| turned(value.to_bits() as i64)).collect();
    keys.sort_unstable();
    values.iter_mut().zip(keys).for_each(|(value, key)| *value = f64::from_bits(turned(key) as u64));
}

/// Where a query has come to.
#[derive(Clone, Copy)]
struct Position {
    index: usize,
    /// The least rank that the sample can have.
    least_rank: u64,
}

/// Lets a sample stand for those before it while their doubt stays below `threshold`. First and last value are kept.
///
/// From the end to the beginning, and in place: the samples that stay gather at the end of the list.
fn compress(samples: &mut Vec<Sample>, threshold: f64) {
    let Some(mut head) = samples.last().copied() else { return };
    let mut n_free = samples.len();
    for position in (1..samples.len() - 1).rev() {
        let sample = samples[position];
        if ((sample.g + head.g + head.delta) as f64) < threshold {
            head.g += sample.g;
        } else {
            n_free -= 1;
            samples[n_free] = head;
            head = sample;
        }
    }
    n_free -= 1;
    samples[n_free] = head;
    if n_free > 0 {
        n_free -= 1;
        samples[n_free] = samples[0];
    }
    samples.drain(..n_free);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64], relative_error: f64) -> QuantileSummaries {
        let mut sketch = QuantileSummaries::new(relative_error);
        sketch.insert(values);
        sketch.compress();
        sketch
    }

    #[test]
    fn few_values_are_answered_exactly_by_elements_of_the_data() {
        // Spark 3.5.9 and 4.3.0: approxQuantile of 1 to 10.
        let values: Vec<f64> = (1..=10).rev().map(f64::from).collect();
        assert_eq!(of(&values, 0.001).query(&[0.75, 0.0, 0.25, 1.0, 0.5]).unwrap(), [8.0, 1.0, 3.0, 10.0, 5.0]);
    }

    #[test]
    fn values_are_sorted_as_java_sorts_doubles() {
        let mut values = [0.0, 3.5, -1e300, -0.0, f64::INFINITY, -2.0, 1e-300, f64::NEG_INFINITY, -1e-300, 0.0];
        let mut expected = values;
        expected.sort_by(f64::total_cmp);
        sort_by_total_order(&mut values);
        assert_eq!(values.map(f64::to_bits), expected.map(f64::to_bits));
    }

    #[test]
    fn nothing_has_no_quantiles_and_changes_nothing() {
        let mut sketch = of(&[], 0.1);
        assert_eq!(sketch.query(&[0.5]), None);
        let one = of(&[7.0], 0.1);
        sketch.merge(one.clone(), SparkVersion::V4_3);
        sketch.merge(of(&[], 0.1), SparkVersion::V4_3);
        assert_eq!((sketch.query(&[0.0, 0.5, 1.0]), sketch.count()), (Some(vec![7.0; 3]), 1));
        assert_eq!(sketch, one);
    }

    #[test]
    fn inserting_in_pieces_is_inserting_at_once() {
        let values: Vec<f64> = (0..120_001_u64).map(|i| (i * 7919 % 104_729) as f64).collect();
        let whole = of(&values, 0.01);
        let mut pieces = QuantileSummaries::new(0.01);
        values.chunks(16_384).for_each(|piece| pieces.insert(piece));
        pieces.compress();
        assert_eq!(pieces, whole);
        pieces.compress();
        assert_eq!(pieces, whole, "a compressed sketch stays as it is");
        assert!(whole.samples.len() < 2_000, "{} samples", whole.samples.len());
    }

    /// The share of `values` that are at most the answer is as near to the share that was asked as was promised.
    #[track_caller]
    fn check_error(values: &[f64], sketch: &QuantileSummaries, relative_error: f64) {
        let n = values.len() as f64;
        for share in (0..=100).map(|percent| f64::from(percent) / 100.0) {
            let answer = sketch.query(&[share]).unwrap()[0];
            let least = values.iter().filter(|value| **value < answer).count() as f64 / n;
            let most = values.iter().filter(|value| **value <= answer).count() as f64 / n;
            let holds = least <= share + relative_error + 1.0 / n && most >= share - relative_error - 1.0 / n;
            assert!(holds, "{share}: {answer} has shares from {least} to {most}");
        }
    }

    #[test]
    fn every_answer_is_as_near_as_promised() {
        let scattered: Vec<f64> = (0..60_000_u64).map(|i| (i * i * 31 % 7919) as f64).collect();
        let ascending: Vec<f64> = (0..60_000).map(f64::from).collect();
        for values in [&scattered, &ascending] {
            for relative_error in [0.1, 0.01, 0.001] {
                check_error(values, &of(values, relative_error), relative_error);
                let mut parts = values.chunks(9_000).map(|part| of(part, relative_error));
                let mut merged = parts.next().unwrap();
                parts.for_each(|part| merged.merge(part, SparkVersion::V4_3));
                check_error(values, &merged, relative_error);
            }
        }
    }
}
