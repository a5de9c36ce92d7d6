//! Areas under the ROC and precision-recall curves.

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::outcome::{RejectCode, Rejection};
use ognivo_data::vector::{VectorColumn, is_vector};
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::{EvaluateError, Evaluator, ScoreCounts};
use crate::columns::{input_column, wrong_type};
use crate::numeric::{is_numeric, to_doubles};
use crate::param::{Key, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{Configured, StageError};
use crate::stage_map::RejectedRow;

// ---- parameters -----------------------------------------------------------------------------------------------------

const LABEL_COL: Key<String> = Key::new("labelCol");
const METRIC_NAME: Key<String> = Key::new("metricName");
const NUM_BINS: Key<i32> = Key::new("numBins");
const RAW_PREDICTION_COL: Key<String> = Key::new("rawPredictionCol");
const WEIGHT_COL: Key<String> = Key::new("weightCol");

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
    /// [`EvaluateError`] for wrong columns, a failed pass, a null, a score vector shorter than 2, a negative weight, or a dataset
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
        let uid = self.params.uid();
        let numeric = |name: String| -> Result<Column, StageError> {
            let (position, field) = input_column(uid, schema, &name)?;
            if !is_numeric(field.data_type()) {
                return Err(wrong_type(uid, &name, "numeric", field.data_type()));
            }
            Ok(Column { position, name })
        };
        let score = self.params.get(RAW_PREDICTION_COL);
        let (position, field) = input_column(uid, schema, &score)?;
        if *field.data_type() != DataType::Float64 && !is_vector(field.data_type()) {
            return Err(wrong_type(uid, &score, "a double or a vector", field.data_type()));
        }
        let weight = self.params.find(WEIGHT_COL).filter(|name| !name.is_empty());
        Ok(ScorePass {
            uid: uid.to_string(),
            score: Column { position, name: score },
            label: numeric(self.params.get(LABEL_COL))?,
            weight: weight.map(numeric).transpose()?,
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

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Column {
    position: usize,
    name: String,
}

#[derive(Clone, Serialize, Deserialize)]
struct ScorePass {
    uid: String,
    score: Column,
    label: Column,
    weight: Option<Column>,
    counts: ScoreCounts,
}

impl ScorePass {
    fn reject(&self, column: &Column, code: RejectCode, message: String) -> DatasetError {
        let (stage, column) = (self.uid.clone(), column.name.clone());
        DatasetError::new(RejectedRow(Rejection { stage, column, code, message }))
    }

    fn without_nulls(&self, column: &Column, values: &dyn Array) -> Result<(), DatasetError> {
        match values.null_count() {
            0 => Ok(()),
            _ => Err(self.reject(column, RejectCode::NullValue, "must not be null".to_owned())),
        }
    }

    fn numbers(&self, column: &Column, rows: &RecordBatch) -> Result<Float64Array, DatasetError> {
        let numbers = to_doubles(rows.column(column.position)).expect("the type was checked against the schema");
        self.without_nulls(column, &numbers)?;
        Ok(numbers)
    }

    fn scores(&self, column: &ArrayRef) -> Result<Float64Array, DatasetError> {
        self.without_nulls(&self.score, column)?;
        if let Some(scores) = column.as_primitive_opt::<Float64Type>() {
            return Ok(scores.clone());
        }
        let vectors = VectorColumn::try_new(column).map_err(|cause| {
            let uid = crate::uid::Uid::new(self.uid.clone());
            DatasetError::new(StageError::BadVector { uid, column: self.score.name.clone(), cause })
        })?;
        if let Some(block) = vectors.dense_block().filter(|block| block.n_features >= 2) {
            return Ok(block.values.chunks_exact(block.n_features).map(|row| row[1]).collect::<Vec<_>>().into());
        }
        let mut slots = Vec::new();
        let mut scores = Vec::with_capacity(vectors.len());
        for vector in vectors.iter().flatten() {
            if vector.size() < 2 {
                let message = format!("must have two slots or more: {}", vector.size());
                return Err(self.reject(&self.score, RejectCode::WrongSize, message));
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
        let scores = self.scores(rows.column(self.score.position))?;
        let labels = self.numbers(&self.label, rows)?;
        let weights = self.weight.as_ref().map(|weight| self.numbers(weight, rows)).transpose()?;
        for row_idx in 0..rows.num_rows() {
            let weight = weights.as_ref().map_or(1.0, |weights| weights.value(row_idx));
            if weight.is_nan() || weight < 0.0 {
                let column = self.weight.as_ref().expect("only a weight column gives another weight than 1");
                return Err(self.reject(column, RejectCode::OutOfRange, format!("must not be negative: {weight}")));
            }
            self.counts.add(scores.value(row_idx), labels.value(row_idx), weight);
        }
        Ok(())
    }

    fn merge(&mut self, later: ScorePass) {
        self.counts.merge(later.counts);
    }
}
