//! How a classifier did on labelled rows, in one pass.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::vector::{VectorColumn, is_vector};
use ognivo_ml::numeric::{is_numeric, to_doubles};
use serde::{Deserialize, Serialize};

use super::classes::{ClassCounts, ScoreBin, ScoreBins};
use super::features::Features;
use super::sample::Sampler;

/// Names of the columns of scored rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScoredColumns {
    /// The label.
    pub label: String,
    /// The predicted label or number.
    pub prediction: String,
    /// Probabilities, or else raw predictions, or a double; a binary classifier's score is the second of two.
    pub score: Option<String>,
    /// The vector of features.
    pub features: Option<String>,
}

/// How a classifier did: labels against predictions, and scores against labels where there are two classes.
///
/// Rows count once each, whatever their weight. Rows without a label, and those whose label is NaN, do not count.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Scores {
    found: Found,
    counts: ClassCounts,
    bins: ScoreBins,
    sampler: Sampler,
    features: Features,
    n_unlabelled: u64,
}

/// Positions of the columns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) label: usize,
    pub(super) prediction: usize,
    score: Option<usize>,
    pub(super) features: Option<usize>,
}

impl Found {
    /// The columns in `schema`; `None` when label or prediction is missing or no number.
    pub(super) fn new(schema: &Schema, columns: &ScoredColumns) -> Option<Found> {
        let find = |name: &str, fits: fn(&DataType) -> bool| {
            let (position, field) = schema.column_with_name(name)?;
            fits(field.data_type()).then_some(position)
        };
        let is_score: fn(&DataType) -> bool = |found| *found == DataType::Float64 || is_vector(found);
        Some(Found {
            label: find(&columns.label, is_numeric)?,
            prediction: find(&columns.prediction, is_numeric)?,
            score: columns.score.as_deref().and_then(|name| find(name, is_score)),
            features: columns.features.as_deref().and_then(|name| find(name, is_vector)),
        })
    }
}

/// Rows whose features are looked at.
const N_SAMPLED_ROWS: usize = 10_000;

impl Scores {
    /// Looks at the scored rows of `data`, of which there are `n_rows`: one pass. `None` when label or prediction is no number.
    ///
    /// # Errors
    /// When the pass fails.
    pub fn of(data: &Dataset, n_rows: usize, columns: &ScoredColumns) -> Result<Option<Scores>, DatasetError> {
        let Some(found) = Found::new(data.schema(), columns) else { return Ok(None) };
        let features = Features::new(found.features);
        let zero = Scores {
            found,
            counts: ClassCounts::default(),
            bins: ScoreBins::default(),
            sampler: Sampler::new(n_rows, N_SAMPLED_ROWS),
            features,
            n_unlabelled: 0,
        };
        data.aggregate(zero).map(Some)
    }

    /// Labels against predictions.
    pub fn counts(&self) -> &ClassCounts {
        &self.counts
    }

    /// Scores against labels, the highest scores first; empty when there are not two classes, or no scores.
    pub fn bins(&self) -> Vec<ScoreBin> {
        self.bins.descending()
    }

    /// Rows that could not count.
    pub fn n_unlabelled(&self) -> u64 {
        self.n_unlabelled
    }

    /// The standard deviation of each feature over a sample of the rows; empty when it is not known.
    pub fn feature_deviations(&self) -> Vec<f64> {
        self.features.deviations()
    }
}

impl Aggregate for Scores {
    const NAME: &'static str = "scores against labels";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let labels = doubles(rows, self.found.label);
        let predictions = doubles(rows, self.found.prediction);
        let scores = self.found.score.and_then(|position| positive_scores(rows.column(position)));
        for row in 0..rows.num_rows() {
            if labels.is_null(row) || predictions.is_null(row) || labels.value(row).is_nan() {
                self.n_unlabelled += 1;
                continue;
            }
            let label = labels.value(row);
            self.counts.add(label, predictions.value(row), 1);
            if let Some(scores) = &scores {
                self.bins.add(scores[row], label > 0.5);
            }
        }
        let taken = self.sampler.next(rows.num_rows());
        self.features.update(rows, &taken);
        Ok(())
    }

    fn merge(&mut self, later: Scores) {
        self.counts.merge(&later.counts);
        self.bins.merge(later.bins);
        self.n_unlabelled += later.n_unlabelled;
        self.features.merge(later.features);
    }
}

/// A numeric column as doubles.
pub(super) fn doubles(rows: &RecordBatch, position: usize) -> Float64Array {
    to_doubles(rows.column(position)).expect("the type was checked against the schema")
}

/// The score of the positive class of every row, NaN where it is null; `None` when there are not two classes.
fn positive_scores(column: &ArrayRef) -> Option<Vec<f64>> {
    if let Some(scores) = column.as_primitive_opt::<Float64Type>() {
        return Some(scores.iter().map(|score| score.unwrap_or(f64::NAN)).collect());
    }
    let vectors = VectorColumn::try_new(column).ok()?;
    if let Some(block) = vectors.dense_block() {
        let pairs = || block.values.chunks_exact(2).map(|pair| pair[1]).collect();
        return (block.n_features == 2).then(pairs);
    }
    let mut pair = [0.0; 2];
    let mut scores = Vec::with_capacity(vectors.len());
    for row in 0..vectors.len() {
        match vectors.get(row) {
            Some(vector) if vector.size() == 2 => vector.write_dense(&mut pair),
            Some(_) => return None,
            None => pair[1] = f64::NAN,
        }
        scores.push(pair[1]);
    }
    Some(scores)
}
