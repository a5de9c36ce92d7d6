//! How a regression did on labelled rows, in one pass.

use arrow_array::{Array, RecordBatch};
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use serde::{Deserialize, Serialize};

use super::features::Features;
use super::moments::Moments;
use super::sample::Sampler;
use super::scores::{Found, ScoredColumns, doubles};

/// Rows of the sample.
const N_SAMPLED_ROWS: usize = 10_000;

/// How a regression did: residuals (label less prediction) of all rows, and pairs of label and prediction of a sample.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Residuals {
    found: Found,
    residuals: Moments,
    labels: Moments,
    absolute_sum: f64,
    square_sum: f64,
    sampler: Sampler,
    /// Prediction and label.
    sample: Vec<(f64, f64)>,
    features: Features,
    n_unlabelled: u64,
}

impl Residuals {
    /// Looks at the scored rows of `data`, of which there are `n_rows`: one pass. `None` when label or prediction is no number.
    ///
    /// # Errors
    /// When the pass fails.
    pub fn of(data: &Dataset, n_rows: usize, columns: &ScoredColumns) -> Result<Option<Residuals>, DatasetError> {
        let Some(found) = Found::new(data.schema(), columns) else { return Ok(None) };
        let features = Features::new(found.features);
        let zero = Residuals {
            found,
            residuals: Moments::default(),
            labels: Moments::default(),
            absolute_sum: 0.0,
            square_sum: 0.0,
            sampler: Sampler::new(n_rows, N_SAMPLED_ROWS),
            sample: Vec::new(),
            features,
            n_unlabelled: 0,
        };
        data.aggregate(zero).map(Some)
    }

    /// Residuals of all rows.
    pub fn residuals(&self) -> &Moments {
        &self.residuals
    }

    /// Labels of all rows.
    pub fn labels(&self) -> &Moments {
        &self.labels
    }

    /// Mean of the residuals' sizes; `None` without a row.
    pub fn mean_absolute_error(&self) -> Option<f64> {
        (self.residuals.n_finite > 0).then(|| self.absolute_sum / self.residuals.n_finite as f64)
    }

    /// Root of the mean of the residuals' squares; `None` without a row.
    pub fn root_mean_squared_error(&self) -> Option<f64> {
        (self.residuals.n_finite > 0).then(|| (self.square_sum / self.residuals.n_finite as f64).sqrt())
    }

    /// Prediction and label of a sample of the rows, in their order.
    pub fn sample(&self) -> &[(f64, f64)] {
        &self.sample
    }

    /// Whether the sample is all rows.
    pub fn is_whole(&self) -> bool {
        self.sampler.takes_all()
    }

    /// The standard deviation of each feature over a sample of the rows; empty when it is not known.
    pub fn feature_deviations(&self) -> Vec<f64> {
        self.features.deviations()
    }

    /// Rows that could not count.
    pub fn n_unlabelled(&self) -> u64 {
        self.n_unlabelled
    }
}

impl Aggregate for Residuals {
    const NAME: &'static str = "residuals";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let labels = doubles(rows, self.found.label);
        let predictions = doubles(rows, self.found.prediction);
        let counts = |row: usize| {
            let is_there = labels.is_valid(row) && predictions.is_valid(row);
            is_there && labels.value(row).is_finite() && predictions.value(row).is_finite()
        };
        let counted: Vec<usize> = (0..rows.num_rows()).filter(|&row| counts(row)).collect();
        self.n_unlabelled += (rows.num_rows() - counted.len()) as u64;
        let of_counted = |of: &dyn Fn(usize) -> f64| counted.iter().map(|&row| of(row)).collect::<Vec<f64>>();
        let residuals = of_counted(&|row| labels.value(row) - predictions.value(row));
        self.absolute_sum += residuals.iter().map(|residual| residual.abs()).sum::<f64>();
        self.square_sum += residuals.iter().map(|residual| residual * residual).sum::<f64>();
        self.residuals.add(&residuals);
        self.labels.add(&of_counted(&|row| labels.value(row)));
        let taken = self.sampler.next(rows.num_rows());
        self.features.update(rows, &taken);
        let taken = taken.into_iter().filter(|&row| counts(row));
        self.sample.extend(taken.map(|row| (predictions.value(row), labels.value(row))));
        Ok(())
    }

    fn merge(&mut self, later: Residuals) {
        self.residuals.merge(&later.residuals);
        self.labels.merge(&later.labels);
        self.absolute_sum += later.absolute_sum;
        self.square_sum += later.square_sum;
        self.sample.extend(later.sample);
        self.features.merge(later.features);
        self.n_unlabelled += later.n_unlabelled;
    }
}
