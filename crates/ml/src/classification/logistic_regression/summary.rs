//! How a fit went, and how the model does on the rows it was fitted on.

use std::sync::OnceLock;

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::scorer::Decision;
use crate::evaluation::{BinaryCurve, Confusion, ScoreCounts};
use crate::instances::InstanceBatch;
use crate::linear::linear_model::LinearModel;

/// How a model does on labelled rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Performance {
    /// Labels against predictions: accuracy, and the metrics per label.
    pub confusion: Confusion,
    /// Thresholds against what they give: ROC, precision and recall; absent with more than two classes.
    pub curve: Option<BinaryCurve>,
}

/// The course of a fit; the performance on the training rows is measured when it is first asked for.
///
/// Same as Spark: curves are reduced to 1000 points (100 in 2.4), rows count by their weight (2.4: all the same). Differs from
/// Spark: without `weightCol`, Spark 3.1 and later weighs the metrics by a column that happens to be called `weightCol`.
#[derive(Debug)]
pub struct LogisticRegressionTrainingSummary {
    pub(super) objective_history: Vec<f64>,
    pub(super) instances: Dataset,
    pub(super) scoring: Scoring,
    pub(super) performance: OnceLock<Performance>,
}

impl LogisticRegressionTrainingSummary {
    /// Loss plus penalty at the start and after every iteration; a failed line search repeats an entry.
    ///
    /// With one label only nothing is minimised: `[0.0]`, in 2.4 nothing.
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
            let measured = self.scoring.measure(&self.instances)?;
            // Another thread may have been first; it measured the same.
            let _ = self.performance.set(measured);
        }
        Ok(self.performance.get().expect("set just above"))
    }
}

/// A model as a pass needs it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Scoring {
    pub(super) model: LinearModel,
    pub(super) decision: Decision,
    pub(super) is_2_4: bool,
}

impl Scoring {
    pub(super) fn new(version: SparkVersion, model: LinearModel, decision: Decision) -> Scoring {
        Scoring { model, decision, is_2_4: version == SparkVersion::V2_4 }
    }

    fn measure(&self, instances: &Dataset) -> Result<Performance, DatasetError> {
        let zero =
            PerformancePass { scoring: self.clone(), confusion: Confusion::default(), scores: ScoreCounts::default() };
        let pass = instances.aggregate(zero)?;
        let n_bins = if self.is_2_4 { 100 } else { 1000 };
        let curve = (self.decision.n_classes() == 2).then(|| pass.scores.into_curve(n_bins));
        Ok(Performance { confusion: pass.confusion, curve })
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct PerformancePass {
    scoring: Scoring,
    confusion: Confusion,
    scores: ScoreCounts,
}

impl Aggregate for PerformancePass {
    const NAME: &'static str = "performance on the training rows";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let Scoring { model, decision, is_2_4 } = &self.scoring;
        let batch = InstanceBatch::of(rows);
        let margins = model.margins(&batch.features);
        let probabilities = decision.probabilities(&margins);
        let predictions = decision.labels_of_margins(&margins);
        let n_classes = decision.n_classes();
        for (row_idx, (&label, &prediction)) in batch.labels.iter().zip(&predictions).enumerate() {
            let weight = if *is_2_4 { 1.0 } else { batch.weight(row_idx) };
            self.confusion.add(label, prediction, weight);
            if n_classes == 2 {
                self.scores.add(probabilities[row_idx * 2 + 1], label, weight);
            }
        }
        Ok(())
    }

    fn merge(&mut self, later: PerformancePass) {
        self.confusion.merge(later.confusion);
        self.scores.merge(later.scores);
    }
}
