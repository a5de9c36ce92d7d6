//! Areas under the ROC and precision-recall curves.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Float64Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::outcome::RejectCode;
use ognivo_data::vector::is_vector;
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::column::{Column, Weights};
use super::{EvaluateError, Evaluator, ScoreCounts};
use crate::columns::{LABEL_COL, RAW_PREDICTION_COL, WEIGHT_COL};
use crate::param::{Key, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{Configured, StageError};

// ---- parameters -----------------------------------------------------------------------------------------------------

const METRIC_NAME: Key<String> = Key::new("metricName");
const NUM_BINS: Key<i32> = Key::new("numBins");

const AREA_UNDER_ROC: &str = "areaUnderROC";
const AREA_UNDER_PR: &str = "areaUnderPR";

static PARAMS: &[ParamSpec] = &[
    ParamSpec::new("labelCol", ParamKind::String, "label column, above 0.5 is positive").text("label"),
    ParamSpec::new("metricName", ParamKind::String, "which area")
        .text(AREA_UNDER_ROC)
        .range(Range::OneOf(&[AREA_UNDER_ROC, AREA_UNDER_PR])),
    ParamSpec::new("numBins", ParamKind::Int, "number of points that the curves are reduced to, 0 keeps every score")
        .int(1000)
        .range(Range::AtLeast(0.0))
        .since(SparkVersion::V3_5),
    ParamSpec::new(
        "rawPredictionCol",
        ParamKind::String,
        "score column: doubles, or vectors whose second slot is the score",
    )
    .text("rawPrediction"),
    ParamSpec::new("weightCol", ParamKind::String, "weight column, all rows weigh 1 without it")
        .since(SparkVersion::V3_5),
];

// ---- evaluator ------------------------------------------------------------------------------------------------------

/// The area under the ROC or the precision-recall curve of a binary score.
///
/// Same as Spark: points, trapezoids and the reduction to `numBins` points (1000; version 2.4 keeps every score unless
/// `numBins` is set). Differs from Spark: a dataset without rows is an error and not 0.5, and with more than `numBins` points
/// the reduction is that of one partition (see [`BinaryCurve`](super::BinaryCurve)).
#[derive(Debug, Clone)]
pub struct BinaryClassificationEvaluator {
    params: Params,
}

impl Default for BinaryClassificationEvaluator {
    fn default() -> BinaryClassificationEvaluator {
        BinaryClassificationEvaluator { params: Params::new("BinaryClassificationEvaluator", PARAMS) }
    }
}

impl BinaryClassificationEvaluator {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.evaluation.BinaryClassificationEvaluator";

    /// With Spark's defaults: `areaUnderROC` of `rawPrediction` and `label`.
    pub fn new() -> BinaryClassificationEvaluator {
        BinaryClassificationEvaluator::default()
    }

    /// The column of labels; above 0.5 is positive.
    pub fn label_col(mut self, name: &str) -> BinaryClassificationEvaluator {
        self.params.put(LABEL_COL, name.to_owned());
        self
    }

    /// The column of scores: doubles, or vectors whose second slot is the score.
    pub fn raw_prediction_col(mut self, name: &str) -> BinaryClassificationEvaluator {
        self.params.put(RAW_PREDICTION_COL, name.to_owned());
        self
    }

    /// The column of weights.
    pub fn weight_col(mut self, name: &str) -> BinaryClassificationEvaluator {
        self.params.put(WEIGHT_COL, name.to_owned());
        self
    }

    /// `areaUnderROC` or `areaUnderPR`.
    pub fn metric(mut self, name: &str) -> BinaryClassificationEvaluator {
        self.params.put(METRIC_NAME, name.to_owned());
        self
    }

    /// To how many points the curves are reduced; 0 keeps every score.
    pub fn num_bins(mut self, n_bins: i32) -> BinaryClassificationEvaluator {
        self.params.put(NUM_BINS, n_bins);
        self
    }

    /// The metric, in one pass over `data`.
    ///
    /// # Errors
    /// [`EvaluateError`] for wrong columns, a failed pass, a null, a score vector shorter than 2, a weight that is negative or not
    /// finite, or a dataset
    /// without rows.
    pub fn evaluate(&self, data: &Dataset) -> Result<f64, EvaluateError> {
        self.params.check()?;
        let scores = data.aggregate(self.pass(data.schema())?)?.counts;
        if scores.is_empty() {
            return Err(EvaluateError::NoRows { uid: self.params.uid().clone() });
        }
        let curve = scores.into_curve(self.n_bins());
        let is_pr = self.params.get(METRIC_NAME) == AREA_UNDER_PR;
        Ok(if is_pr { curve.area_under_pr() } else { curve.area_under_roc() })
    }

    fn n_bins(&self) -> usize {
        if self.params.version() == SparkVersion::V2_4 && !self.params.is_set(NUM_BINS) {
            return 0;
        }
        self.params.get(NUM_BINS) as usize
    }

    /// The pass that counts scores, with its columns found in `schema`.
    fn pass(&self, schema: &Schema) -> Result<ScorePass, StageError> {
        let (uid, params) = (self.params.uid(), &self.params);
        let is_score = |found: &DataType| *found == DataType::Float64 || is_vector(found);
        Ok(ScorePass {
            score: Column::find(uid, schema, &params.get(RAW_PREDICTION_COL), "a double or a vector", is_score)?,
            label: Column::numeric(uid, schema, &params.get(LABEL_COL))?,
            weights: Weights::find(uid, schema, params.find(WEIGHT_COL))?,
            counts: ScoreCounts::default(),
        })
    }

    // ---- saved form ----

    /// The evaluator that `saved` describes.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter or a value that does not fit.
    pub fn from_saved(saved: &SavedStage) -> Result<BinaryClassificationEvaluator, SavedError> {
        let mut evaluator = BinaryClassificationEvaluator::new();
        saved.read_params(&mut evaluator.params)?;
        Ok(evaluator)
    }
}

impl Configured for BinaryClassificationEvaluator {
    fn class(&self) -> &'static str {
        BinaryClassificationEvaluator::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(BinaryClassificationEvaluator::CLASS, &self.params, version)
    }
}

impl Evaluator for BinaryClassificationEvaluator {
    fn evaluate(&self, data: &Dataset) -> Result<f64, EvaluateError> {
        BinaryClassificationEvaluator::evaluate(self, data)
    }
    fn check(&self, schema: &Schema) -> Result<(), StageError> {
        self.pass(schema).map(drop)
    }
    fn metric_name(&self) -> String {
        self.params.get(METRIC_NAME)
    }
    fn is_larger_better(&self) -> bool {
        true
    }
    fn clone_box(&self) -> Box<dyn Evaluator> {
        Box::new(self.clone())
    }
}

// ---- pass -----------------------------------------------------------------------------------------------------------

#[derive(Clone, Serialize, Deserialize)]
struct ScorePass {
    score: Column,
    label: Column,
    weights: Weights,
    counts: ScoreCounts,
}

impl ScorePass {
    fn scores(&self, rows: &RecordBatch) -> Result<Float64Array, DatasetError> {
        if let Some(scores) = self.score.values(rows)?.as_primitive_opt::<Float64Type>() {
            return Ok(scores.clone());
        }
        let vectors = self.score.vectors(rows)?;
        if let Some(block) = vectors.dense_block().filter(|block| block.n_features >= 2) {
            return Ok(block.values.chunks_exact(block.n_features).map(|row| row[1]).collect::<Vec<_>>().into());
        }
        let mut slots = Vec::new();
        let mut scores = Vec::with_capacity(vectors.len());
        for vector in vectors.iter().flatten() {
            if vector.size() < 2 {
                let message = format!("must have two slots or more: {}", vector.size());
                return Err(self.score.rejection(RejectCode::WrongSize, message));
            }
            slots.resize(vector.size(), 0.0);
            vector.write_dense(&mut slots);
            scores.push(slots[1]);
        }
        Ok(scores.into())
    }
}

impl Aggregate for ScorePass {
    const NAME: &'static str = "counts of binary scores";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let scores = self.scores(rows)?;
        let labels = self.label.numbers(rows)?;
        let weights = self.weights.of(rows)?;
        self.counts.reserve(rows.num_rows());
        for ((&score, &label), &weight) in scores.values().iter().zip(labels.values()).zip(weights.values()) {
            self.counts.add(score, label, weight);
        }
        Ok(())
    }

    fn merge(&mut self, later: ScorePass) {
        self.counts.merge(later.counts);
    }
}
