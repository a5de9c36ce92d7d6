//! A dataset through a stage: the way from [`BoundStage`] to [`RowMap`].

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo_data::dataset::{DatasetError, RowMap};
use ognivo_data::fault::{Explain, Fault};
use ognivo_data::outcome::Rejection;

use crate::stage::BoundStage;

/// Applies a bound stage to each batch of a dataset. Skipped rows are dropped; a rejected row fails the pass, as in Spark.
///
/// Whoever wants rejected rows as outcomes (a stream does) applies the [`BoundStage`] itself.
pub struct StageMap {
    stage: Box<dyn BoundStage>,
}

impl StageMap {
    /// The change that `stage` makes to each batch.
    pub fn new(stage: Box<dyn BoundStage>) -> StageMap {
        StageMap { stage }
    }
}

impl RowMap for StageMap {
    fn schema(&self) -> &SchemaRef {
        self.stage.output_schema()
    }

    fn apply(&self, rows: RecordBatch) -> Result<RecordBatch, DatasetError> {
        let outcome = self.stage.apply(rows).map_err(DatasetError::new)?;
        match outcome.fates.rejections().next() {
            Some((_, rejection)) => Err(DatasetError::new(RejectedRow(rejection.clone()))),
            None => Ok(outcome.rows),
        }
    }
}

/// A row that a stage rejects was met where every row must pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stage `{}`: column `{}`: {}", .0.stage, .0.column, .0.message)]
pub struct RejectedRow(pub Rejection);

impl Explain for RejectedRow {
    fn fault(&self) -> Fault {
        Fault::Data
    }
    fn hint(&self) -> Option<String> {
        Some("clean the rows first (dropna), or set handleInvalid to skip or keep where the stage has it".to_owned())
    }
}
