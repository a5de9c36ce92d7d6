//! Errors of predicted numbers.

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::column::{Column, Weights};
use super::{EvaluateError, Evaluator, RegressionSums, saved_with_metric};
use crate::columns::{LABEL_COL, PREDICTION_COL, WEIGHT_COL};
use crate::param::{Key, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{Configured, StageError};

// ---- parameters -----------------------------------------------------------------------------------------------------

const METRIC_NAME: Key<String> = Key::new("metricName");
const THROUGH_ORIGIN: Key<bool> = Key::new("throughOrigin");

const METRICS: &[&str] = &["rmse", "mse", "r2", "mae", "var"];
/// Those that Spark 2.4 knows.
const METRICS_OF_2_4: &[&str] = &["rmse", "mse", "r2", "mae"];

static PARAMS: &[ParamSpec] = &[
    ParamSpec::new("labelCol", ParamKind::String, "label column, numbers").text("label"),
    ParamSpec::new(
        "metricName",
        ParamKind::String,
        "root mean squared error, mean squared error, r2, mean absolute error or explained variance",
    )
    .text("rmse")
    .range(Range::OneOf(METRICS)),
    ParamSpec::new("predictionCol", ParamKind::String, "column of predicted numbers, doubles or floats")
        .text("prediction"),
    ParamSpec::new("throughOrigin", ParamKind::Boolean, "whether r2 compares with 0 instead of the mean label")
        .boolean(false)
        .since(SparkVersion::V3_5),
    ParamSpec::new("weightCol", ParamKind::String, "weight column, all rows weigh 1 without it")
        .since(SparkVersion::V3_5),
];

// ---- evaluator ------------------------------------------------------------------------------------------------------

/// The error of predicted numbers: `rmse`, `mse`, `mae`, or how much they explain: `r2`, `var`.
///
/// Same as Spark: every metric, with weights; see [`RegressionSums`]. A NaN makes the metric NaN, one row alone has no `r2`.
/// Differs from Spark: a weight column must be numeric, and is not cast from text.
#[derive(Debug, Clone)]
pub struct RegressionEvaluator {
    params: Params,
}

impl Default for RegressionEvaluator {
    fn default() -> RegressionEvaluator {
        RegressionEvaluator { params: Params::new("RegressionEvaluator", PARAMS) }
    }
}

impl RegressionEvaluator {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.evaluation.RegressionEvaluator";

    /// With Spark's defaults: `rmse` of `prediction` and `label`.
    pub fn new() -> RegressionEvaluator {
        RegressionEvaluator::default()
    }

    /// The column of labels.
    pub fn label_col(mut self, name: &str) -> RegressionEvaluator {
        self.params.put(LABEL_COL, name.to_owned());
        self
    }

    /// The column of predicted numbers.
    pub fn prediction_col(mut self, name: &str) -> RegressionEvaluator {
        self.params.put(PREDICTION_COL, name.to_owned());
        self
    }

    /// The column of weights.
    pub fn weight_col(mut self, name: &str) -> RegressionEvaluator {
        self.params.put(WEIGHT_COL, name.to_owned());
        self
    }

    /// `rmse`, `mse`, `r2`, `mae` or `var`.
    pub fn metric(mut self, name: &str) -> RegressionEvaluator {
        self.params.put(METRIC_NAME, name.to_owned());
        self
    }

    /// Whether `r2` compares with 0 instead of the mean label.
    pub fn through_origin(mut self, is_through_origin: bool) -> RegressionEvaluator {
        self.params.put(THROUGH_ORIGIN, is_through_origin);
        self
    }

    /// The metric, in one pass over `data`.
    ///
    /// # Errors
    /// [`EvaluateError`] for wrong columns, a failed pass, a null, a weight that is negative or not finite, or a dataset without
    /// rows or without weight.
    pub fn evaluate(&self, data: &Dataset) -> Result<f64, EvaluateError> {
        self.params.check()?;
        let sums = data.aggregate(self.pass(data.schema())?)?.sums;
        if sums.n_rows() == 0 {
            return Err(EvaluateError::NoRows { uid: self.params.uid().clone() });
        }
        if sums.total_weight() == 0.0 {
            return Err(EvaluateError::NoWeight { uid: self.params.uid().clone() });
        }
        Ok(match self.params.get(METRIC_NAME).as_str() {
            "mse" => sums.mean_squared_error(),
            "r2" => sums.r2(self.params.get(THROUGH_ORIGIN)),
            "mae" => sums.mean_absolute_error(),
            "var" => sums.explained_variance(),
            _ => sums.root_mean_squared_error(),
        })
    }

    /// The pass that sums errors, with its columns found in `schema`.
    fn pass(&self, schema: &Schema) -> Result<RegressionPass, StageError> {
        let (uid, params) = (self.params.uid(), &self.params);
        let is_float = |found: &DataType| matches!(found, DataType::Float64 | DataType::Float32);
        let prediction = params.get(PREDICTION_COL);
        Ok(RegressionPass {
            prediction: Column::find(uid, schema, &prediction, "a double or a float", is_float)?,
            label: Column::numeric(uid, schema, &params.get(LABEL_COL))?,
            weights: Weights::find(uid, schema, params.find(WEIGHT_COL))?,
            sums: RegressionSums::default(),
        })
    }

    // ---- saved form ----

    /// The evaluator that `saved` describes.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter or a value that does not fit.
    pub fn from_saved(saved: &SavedStage) -> Result<RegressionEvaluator, SavedError> {
        let mut evaluator = RegressionEvaluator::new();
        saved.read_params(&mut evaluator.params)?;
        Ok(evaluator)
    }
}

impl Configured for RegressionEvaluator {
    fn class(&self) -> &'static str {
        RegressionEvaluator::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        saved_with_metric(self, version, METRICS_OF_2_4)
    }
}

impl Evaluator for RegressionEvaluator {
    fn evaluate(&self, data: &Dataset) -> Result<f64, EvaluateError> {
        RegressionEvaluator::evaluate(self, data)
    }
    fn check(&self, schema: &Schema) -> Result<(), StageError> {
        self.pass(schema).map(drop)
    }
    fn metric_name(&self) -> String {
        self.params.get(METRIC_NAME)
    }
    fn is_larger_better(&self) -> bool {
        matches!(self.metric_name().as_str(), "r2" | "var")
    }
    fn clone_box(&self) -> Box<dyn Evaluator> {
        Box::new(self.clone())
    }
}

// ---- pass -----------------------------------------------------------------------------------------------------------

#[derive(Clone, Serialize, Deserialize)]
struct RegressionPass {
    prediction: Column,
    label: Column,
    weights: Weights,
    sums: RegressionSums,
}

impl Aggregate for RegressionPass {
    const NAME: &'static str = "errors of predicted numbers";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let predictions = self.prediction.numbers(rows)?;
        let labels = self.label.numbers(rows)?;
        let weights = self.weights.of(rows)?;
        for ((&label, &prediction), &weight) in labels.values().iter().zip(predictions.values()).zip(weights.values()) {
            self.sums.add(label, prediction, weight);
        }
        Ok(())
    }

    fn merge(&mut self, later: RegressionPass) {
        self.sums.merge(later.sums);
    }
}
