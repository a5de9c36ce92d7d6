//! Shares of right predictions among any number of classes, and the loss of their probabilities.

use arrow_array::{Float64Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::outcome::RejectCode;
use ognivo_data::vector::is_vector;
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::column::{Column, Weights};
use super::{Confusion, EvaluateError, Evaluator, LogLoss, NoProbability, saved_with_metric};
use crate::columns::{LABEL_COL, PREDICTION_COL, PROBABILITY_COL, WEIGHT_COL};
use crate::param::{Key, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{Configured, StageError};

// ---- parameters -----------------------------------------------------------------------------------------------------

const BETA: Key<f64> = Key::new("beta");
const EPS: Key<f64> = Key::new("eps");
const METRIC_LABEL: Key<f64> = Key::new("metricLabel");
const METRIC_NAME: Key<String> = Key::new("metricName");

const METRICS: &[&str] = &[
    "f1",
    "accuracy",
    "weightedPrecision",
    "weightedRecall",
    "weightedTruePositiveRate",
    "weightedFalsePositiveRate",
    "weightedFMeasure",
    "truePositiveRateByLabel",
    "falsePositiveRateByLabel",
    "precisionByLabel",
    "recallByLabel",
    "fMeasureByLabel",
    HAMMING_LOSS,
    LOG_LOSS,
];
const HAMMING_LOSS: &str = "hammingLoss";
const LOG_LOSS: &str = "logLoss";
/// Those that Spark 2.4 knows.
const METRICS_OF_2_4: &[&str] = &["f1", "accuracy", "weightedPrecision", "weightedRecall"];

static PARAMS: &[ParamSpec] = &[
    ParamSpec::new("beta", ParamKind::Double, "above 1 favours recall in weightedFMeasure and fMeasureByLabel")
        .double(1.0)
        .range(Range::Above(0.0))
        .since(SparkVersion::V3_5),
    ParamSpec::new("eps", ParamKind::Double, "logLoss takes probabilities below eps as eps, and above 1 - eps as that")
        .double(1e-15)
        .range(Range::Inside(0.0, 0.5))
        .since(SparkVersion::V3_5),
    ParamSpec::new("labelCol", ParamKind::String, "label column, numbers").text("label"),
    ParamSpec::new("metricLabel", ParamKind::Double, "the label that metrics by label are of")
        .double(0.0)
        .range(Range::AtLeast(0.0))
        .since(SparkVersion::V3_5),
    ParamSpec::new("metricName", ParamKind::String, "what to measure").text("f1").range(Range::OneOf(METRICS)),
    ParamSpec::new("predictionCol", ParamKind::String, "column of predicted labels, doubles").text("prediction"),
    ParamSpec::new("probabilityCol", ParamKind::String, "column of probabilities of all classes, read by logLoss only")
        .text("probability")
        .since(SparkVersion::V3_5),
    ParamSpec::new("weightCol", ParamKind::String, "weight column, all rows weigh 1 without it")
        .since(SparkVersion::V3_5),
];

// ---- evaluator ------------------------------------------------------------------------------------------------------

/// How well labels of any number of classes are predicted.
///
/// Same as Spark: every metric of 4.3, with weights; labels are the ones that occur (see [`Confusion`]), and only `logLoss` asks
/// that they are 0, 1, 2, … Differs from Spark: a dataset without rows is an error and not 0 or NaN; a label of NaN is refused by
/// every metric, where Spark refuses it in most; `probabilityCol` must be of vectors (Spark takes arrays too), and
/// metrics other than `logLoss` do not look at it (Spark fails at a null there).
#[derive(Debug, Clone)]
pub struct MulticlassClassificationEvaluator {
    params: Params,
}

impl Default for MulticlassClassificationEvaluator {
    fn default() -> MulticlassClassificationEvaluator {
        MulticlassClassificationEvaluator { params: Params::new("MulticlassClassificationEvaluator", PARAMS) }
    }
}

impl MulticlassClassificationEvaluator {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.evaluation.MulticlassClassificationEvaluator";

    /// With Spark's defaults: `f1` of `prediction` and `label`.
    pub fn new() -> MulticlassClassificationEvaluator {
        MulticlassClassificationEvaluator::default()
    }

    /// The column of labels.
    pub fn label_col(mut self, name: &str) -> MulticlassClassificationEvaluator {
        self.params.put(LABEL_COL, name.to_owned());
        self
    }

    /// The column of predicted labels.
    pub fn prediction_col(mut self, name: &str) -> MulticlassClassificationEvaluator {
        self.params.put(PREDICTION_COL, name.to_owned());
        self
    }

    /// The column of probabilities, which `logLoss` reads.
    pub fn probability_col(mut self, name: &str) -> MulticlassClassificationEvaluator {
        self.params.put(PROBABILITY_COL, name.to_owned());
        self
    }

    /// The column of weights.
    pub fn weight_col(mut self, name: &str) -> MulticlassClassificationEvaluator {
        self.params.put(WEIGHT_COL, name.to_owned());
        self
    }

    /// One of Spark's names, such as `f1`, `accuracy`, `recallByLabel`, `logLoss`.
    pub fn metric(mut self, name: &str) -> MulticlassClassificationEvaluator {
        self.params.put(METRIC_NAME, name.to_owned());
        self
    }

    /// The label that metrics by label are of.
    pub fn metric_label(mut self, label: f64) -> MulticlassClassificationEvaluator {
        self.params.put(METRIC_LABEL, label);
        self
    }

    /// Above 1 favours recall in `weightedFMeasure` and `fMeasureByLabel`.
    pub fn beta(mut self, beta: f64) -> MulticlassClassificationEvaluator {
        self.params.put(BETA, beta);
        self
    }

    /// How near to 0 and 1 probabilities may come in `logLoss`.
    pub fn eps(mut self, eps: f64) -> MulticlassClassificationEvaluator {
        self.params.put(EPS, eps);
        self
    }

    /// The metric, in one pass over `data`.
    ///
    /// # Errors
    /// [`EvaluateError`] for wrong columns, a failed pass, a null, a label that is NaN or (for `logLoss`) has no probability, a
    /// weight that is negative or not finite, a `metricLabel` that no row has, or a dataset without rows.
    pub fn evaluate(&self, data: &Dataset) -> Result<f64, EvaluateError> {
        self.params.check()?;
        let pass = data.aggregate(self.pass(data.schema())?)?;
        if pass.confusion.is_empty() {
            return Err(EvaluateError::NoRows { uid: self.params.uid().clone() });
        }
        match pass.probability {
            Some(_) => Ok(pass.log_loss.mean()),
            None => self.read_off(&pass.confusion),
        }
    }

    fn read_off(&self, confusion: &Confusion) -> Result<f64, EvaluateError> {
        let beta = self.params.get(BETA);
        let by_label = |metric: &dyn Fn(f64) -> f64| self.measured_label(confusion).map(metric);
        match self.metric_name().as_str() {
            "accuracy" => Ok(confusion.accuracy()),
            HAMMING_LOSS => Ok(confusion.hamming_loss()),
            "weightedPrecision" => Ok(confusion.weighted(|label| confusion.precision(label))),
            "weightedRecall" | "weightedTruePositiveRate" => Ok(confusion.weighted(|label| confusion.recall(label))),
            "weightedFalsePositiveRate" => Ok(confusion.weighted(|label| confusion.false_positive_rate(label))),
            "weightedFMeasure" => Ok(confusion.weighted(|label| confusion.f_measure(label, beta))),
            "truePositiveRateByLabel" | "recallByLabel" => by_label(&|label| confusion.recall(label)),
            "falsePositiveRateByLabel" => by_label(&|label| confusion.false_positive_rate(label)),
            "precisionByLabel" => by_label(&|label| confusion.precision(label)),
            "fMeasureByLabel" => by_label(&|label| confusion.f_measure(label, beta)),
            _ => Ok(confusion.weighted(|label| confusion.f_measure(label, 1.0))),
        }
    }

    /// `metricLabel`, which must be the label of some row.
    #[allow(clippy::float_cmp, reason = "labels are names")]
    fn measured_label(&self, confusion: &Confusion) -> Result<f64, EvaluateError> {
        let (label, known) = (self.params.get(METRIC_LABEL), confusion.labels());
        match known.contains(&label) {
            true => Ok(label),
            false => Err(EvaluateError::NoSuchLabel { uid: self.params.uid().clone(), label, known }),
        }
    }

    /// The pass that counts labels and predictions, with its columns found in `schema`.
    fn pass(&self, schema: &Schema) -> Result<LabelPass, StageError> {
        let (uid, params) = (self.params.uid(), &self.params);
        let is_double = |found: &DataType| *found == DataType::Float64;
        let probability = || Column::find(uid, schema, &params.get(PROBABILITY_COL), "a vector", is_vector);
        Ok(LabelPass {
            probability: (self.metric_name() == LOG_LOSS).then(probability).transpose()?,
            prediction: Column::find(uid, schema, &params.get(PREDICTION_COL), "a double", is_double)?,
            label: Column::numeric(uid, schema, &params.get(LABEL_COL))?,
            weights: Weights::find(uid, schema, params.find(WEIGHT_COL))?,
            confusion: Confusion::default(),
            log_loss: LogLoss::new(params.get(EPS)),
        })
    }

    // ---- saved form ----

    /// The evaluator that `saved` describes.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter or a value that does not fit.
    pub fn from_saved(saved: &SavedStage) -> Result<MulticlassClassificationEvaluator, SavedError> {
        let mut evaluator = MulticlassClassificationEvaluator::new();
        saved.read_params(&mut evaluator.params)?;
        Ok(evaluator)
    }
}

impl Configured for MulticlassClassificationEvaluator {
    fn class(&self) -> &'static str {
        MulticlassClassificationEvaluator::CLASS
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

impl Evaluator for MulticlassClassificationEvaluator {
    fn evaluate(&self, data: &Dataset) -> Result<f64, EvaluateError> {
        MulticlassClassificationEvaluator::evaluate(self, data)
    }
    fn check(&self, schema: &Schema) -> Result<(), StageError> {
        self.pass(schema).map(drop)
    }
    fn metric_name(&self) -> String {
        self.params.get(METRIC_NAME)
    }
    fn title(&self) -> String {
        let (metric, label, beta) = (self.metric_name(), self.params.get(METRIC_LABEL), self.params.get(BETA));
        match metric.as_str() {
            "fMeasureByLabel" if self.params.is_set(BETA) => format!("{metric}({label}, beta {beta})"),
            "weightedFMeasure" if self.params.is_set(BETA) => format!("{metric}(beta {beta})"),
            by_label if by_label.ends_with("ByLabel") => format!("{metric}({label})"),
            _ => metric,
        }
    }
    fn is_larger_better(&self) -> bool {
        let metric = self.metric_name();
        let counts_errors = ["weightedFalsePositiveRate", "falsePositiveRateByLabel", HAMMING_LOSS, LOG_LOSS];
        !counts_errors.contains(&metric.as_str())
    }
    fn clone_box(&self) -> Box<dyn Evaluator> {
        Box::new(self.clone())
    }
}

// ---- pass -----------------------------------------------------------------------------------------------------------

#[derive(Clone, Serialize, Deserialize)]
struct LabelPass {
    prediction: Column,
    label: Column,
    weights: Weights,
    /// Only where they are measured.
    probability: Option<Column>,
    confusion: Confusion,
    log_loss: LogLoss,
}

impl LabelPass {
    fn add_probabilities(
        &mut self,
        rows: &RecordBatch,
        labels: &Float64Array,
        weights: &Float64Array,
    ) -> Result<(), DatasetError> {
        let Some(column) = &self.probability else { return Ok(()) };
        let probabilities = column.vectors(rows)?;
        for ((&label, &weight), row) in labels.values().iter().zip(weights.values()).zip(probabilities.iter().flatten())
        {
            self.log_loss.add(label, row, weight).map_err(|cause| match cause {
                NoProbability::NotAClass => {
                    let message = format!("must be 0, 1, 2 and so on for logLoss: {label}");
                    self.label.rejection(RejectCode::OutOfRange, message)
                }
                NoProbability::Beyond => {
                    let message = format!("must have a slot for the label {label}: {} slots", row.size());
                    column.rejection(RejectCode::WrongSize, message)
                }
            })?;
        }
        Ok(())
    }
}

impl Aggregate for LabelPass {
    const NAME: &'static str = "labels against predictions";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let predictions = self.prediction.numbers(rows)?;
        let labels = self.label.numbers(rows)?;
        let weights = self.weights.of(rows)?;
        if labels.values().iter().any(|label| label.is_nan()) {
            return Err(self.label.rejection(RejectCode::NotFinite, "must not be NaN".to_owned()));
        }
        for ((&label, &prediction), &weight) in labels.values().iter().zip(predictions.values()).zip(weights.values()) {
            self.confusion.add(label, prediction, weight);
        }
        self.add_probabilities(rows, &labels, &weights)
    }

    fn merge(&mut self, later: LabelPass) {
        self.confusion.merge(later.confusion);
        self.log_loss.merge(later.log_loss);
    }
}
