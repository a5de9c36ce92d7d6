//! How a fit went, and how the model does on the rows it was fitted on.

use std::sync::{Arc, OnceLock};

use arrow_array::{Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError, RowMap};
use serde::{Deserialize, Serialize};

use crate::evaluation::RegressionSums;
use crate::instances::InstanceBatch;
use crate::linear::linear_model::LinearModel;
use crate::stat::two_sided_p_value;

/// The course of a fit; the performance on the training rows is measured when it is first asked for.
#[derive(Debug)]
pub struct LinearRegressionTrainingSummary {
    pub(super) objective_history: Vec<f64>,
    pub(super) instances: Dataset,
    pub(super) model: LinearModel,
    pub(super) has_intercept: bool,
    pub(super) is_weighted: bool,
    pub(super) is_2_4: bool,
    pub(super) estimates: Vec<f64>,
    pub(super) intercept: f64,
    pub(super) inverse_diagonal: Option<Vec<f64>>,
    pub(super) performance: OnceLock<Performance>,
}

impl LinearRegressionTrainingSummary {
    /// Loss plus penalty, in the scale of the minimiser, at the start and after every iteration; a failed line search repeats an
    /// entry.
    ///
    /// `[0.0]` when nothing was minimised: when Cholesky's factor solved the normal equation, or all labels are the same.
    pub fn objective_history(&self) -> &[f64] {
        &self.objective_history
    }

    /// Entries of the history after the first.
    pub fn total_iterations(&self) -> usize {
        self.objective_history.len().saturating_sub(1)
    }

    /// How the model does on the rows it was fitted on: one pass, at the first call.
    ///
    /// # Errors
    /// When the pass fails.
    pub fn performance(&self) -> Result<&Performance, DatasetError> {
        if self.performance.get().is_none() {
            let measured = self.measure()?;
            // Another thread may have been first; it measured the same.
            let _ = self.performance.set(measured);
        }
        Ok(self.performance.get().expect("set just above"))
    }

    /// Whether [`performance`](LinearRegressionTrainingSummary::performance) will tell standard errors; no pass is made to say so.
    pub fn has_standard_errors(&self) -> bool {
        self.inverse_diagonal.is_some()
    }

    /// Label minus prediction of each row it was fitted on, in the column `residuals`.
    pub fn residuals(&self) -> Dataset {
        let schema = Arc::new(Schema::new(vec![Field::new("residuals", DataType::Float64, false)]));
        self.instances.map(Arc::new(Residuals { model: self.model.clone(), schema }))
    }

    fn measure(&self) -> Result<Performance, DatasetError> {
        let zero = ErrorPass {
            model: self.model.clone(),
            weighs_metrics: !self.is_2_4,
            sums: RegressionSums::default(),
            squares: 0.0,
            smallest: f64::INFINITY,
            largest: f64::NEG_INFINITY,
            n_weighted: 0,
        };
        let pass = self.instances.aggregate(zero)?;
        let n_instances = if self.is_2_4 { pass.sums.n_rows() } else { pass.n_weighted };
        let n_free = self.estimates.len() as i64 + i64::from(self.has_intercept);
        let mut performance = Performance {
            has_intercept: self.has_intercept,
            n_instances,
            degrees_of_freedom: n_instances as i64 - n_free,
            deviance_residuals: [pass.smallest, pass.largest],
            standard_errors: None,
            estimates: self.estimates.clone(),
            sums: pass.sums,
        };
        performance.estimates.extend(self.has_intercept.then_some(self.intercept));
        let squares = match self.is_weighted {
            true => pass.squares,
            false => performance.mean_squared_error() * n_instances as f64,
        };
        let variance = squares / performance.degrees_of_freedom as f64;
        let error = |entry: &f64| (entry * variance).sqrt();
        performance.standard_errors = self.inverse_diagonal.as_ref().map(|entries| entries.iter().map(error).collect());
        Ok(performance)
    }
}

/// How a model does on labelled rows, and how sure its coefficients are.
///
/// Same as Spark: rows count by their weight (2.4: all the same), and r2 is measured from 0 when no intercept was fitted.
#[derive(Debug, Clone)]
pub struct Performance {
    sums: RegressionSums,
    has_intercept: bool,
    n_instances: u64,
    degrees_of_freedom: i64,
    deviance_residuals: [f64; 2],
    /// Coefficients, then the intercept where one was fitted.
    estimates: Vec<f64>,
    standard_errors: Option<Vec<f64>>,
}

impl Performance {
    /// The share of the labels' variation that the predictions explain.
    pub fn r2(&self) -> f64 {
        self.sums.r2(!self.has_intercept)
    }

    /// The same, less what as many features explain by chance.
    pub fn r2_adjusted(&self) -> f64 {
        let total = self.n_instances as f64 - if self.has_intercept { 1.0 } else { 0.0 };
        1.0 - (1.0 - self.r2()) * total / self.degrees_of_freedom as f64
    }

    /// Mean square of the distances of predictions from the mean label.
    pub fn explained_variance(&self) -> f64 {
        self.sums.explained_variance()
    }

    /// Mean of the sizes of errors.
    pub fn mean_absolute_error(&self) -> f64 {
        self.sums.mean_absolute_error()
    }

    /// Mean of the squares of errors.
    pub fn mean_squared_error(&self) -> f64 {
        self.sums.mean_squared_error()
    }

    /// Root of [`mean_squared_error`](Performance::mean_squared_error).
    pub fn root_mean_squared_error(&self) -> f64 {
        self.sums.root_mean_squared_error()
    }

    /// The smallest and the largest error (label minus prediction) times the root of its weight.
    pub fn deviance_residuals(&self) -> [f64; 2] {
        self.deviance_residuals
    }

    /// How many rows were learned from: those with a weight (2.4: all).
    pub fn n_instances(&self) -> u64 {
        self.n_instances
    }

    /// Rows less estimated numbers; not above 0 when there are too few rows.
    pub fn degrees_of_freedom(&self) -> i64 {
        self.degrees_of_freedom
    }

    /// The standard error of each coefficient, and of the intercept last where one was fitted.
    ///
    /// `None` when the coefficients were not found by Cholesky's factor of the normal equation.
    pub fn coefficient_standard_errors(&self) -> Option<&[f64]> {
        self.standard_errors.as_deref()
    }

    /// Each estimate by its standard error.
    pub fn t_values(&self) -> Option<Vec<f64>> {
        let pairs = self.estimates.iter().zip(self.standard_errors.as_ref()?);
        Some(pairs.map(|(estimate, error)| estimate / error).collect())
    }

    /// How likely a t-value so far from 0 is when the true coefficient is 0 (Student's t, both sides).
    ///
    /// Same as Spark to about 1e-14. Differs from Spark, which takes one minus the distribution function: p-values below that
    /// have their digits here and are 0 or about 1e-16 there. NaN without degrees of freedom, where Spark has an error.
    pub fn p_values(&self) -> Option<Vec<f64>> {
        let degrees_of_freedom = self.degrees_of_freedom as f64;
        Some(self.t_values()?.into_iter().map(|t| two_sided_p_value(t, degrees_of_freedom)).collect())
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct ErrorPass {
    model: LinearModel,
    /// Spark 2.4 counts every row once.
    weighs_metrics: bool,
    sums: RegressionSums,
    /// Weighted sum of the squares of errors.
    squares: f64,
    smallest: f64,
    largest: f64,
    /// Rows with a weight.
    n_weighted: u64,
}

impl Aggregate for ErrorPass {
    const NAME: &'static str = "errors on the training rows";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let batch = InstanceBatch::of(rows);
        let predictions = self.model.margins(&batch.features);
        for (row_idx, (&label, prediction)) in batch.labels.iter().zip(predictions).enumerate() {
            let weight = batch.weight(row_idx);
            self.sums.add(label, prediction, if self.weighs_metrics { weight } else { 1.0 });
            let error = label - prediction;
            self.squares += error * error * weight;
            self.smallest = self.smallest.min(error * weight.sqrt());
            self.largest = self.largest.max(error * weight.sqrt());
            self.n_weighted += u64::from(weight != 0.0);
        }
        Ok(())
    }

    fn merge(&mut self, later: ErrorPass) {
        self.sums.merge(later.sums);
        self.squares += later.squares;
        self.smallest = self.smallest.min(later.smallest);
        self.largest = self.largest.max(later.largest);
        self.n_weighted += later.n_weighted;
    }
}

/// Instances to their residuals.
struct Residuals {
    model: LinearModel,
    schema: SchemaRef,
}

impl RowMap for Residuals {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn apply(&self, rows: RecordBatch) -> Result<RecordBatch, DatasetError> {
        let batch = InstanceBatch::of(&rows);
        let predictions = self.model.margins(&batch.features);
        let residuals: Float64Array =
            batch.labels.iter().zip(predictions).map(|(label, prediction)| label - prediction).collect();
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), vec![Arc::new(residuals)]);
        Ok(rows.expect("one column of doubles"))
    }
}
