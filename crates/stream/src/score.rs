//! The function that turns rows into scored rows. This crate does not know what is behind it.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo_data::outcome::Outcome;

use crate::connector_error::connector_error;
use crate::plan::ModelId;

/// A bound pipeline, as the stream sees it. Pure: the same rows give the same outcome, in whatever blocks they come.
///
/// The driver calls it from threads that may block, several blocks at a time, and puts the outcomes back in order; where it
/// [is quick](Scorer::is_quick), from its own.
pub trait Scorer: Send + Sync {
    /// Fingerprint of the model; a planned batch is only ever scored with the model that it was planned with.
    fn model_id(&self) -> &ModelId;

    /// The columns of the rows that come out.
    fn output_schema(&self) -> SchemaRef;

    /// Scores rows of the source's schema.
    ///
    /// # Errors
    /// Only for what is wrong with the pipeline; a bad row is an entry of the outcome.
    fn score(&self, rows: RecordBatch) -> Result<Outcome, ScoreError>;

    /// Whether so few rows are scored so soon, within a few milliseconds at most, that waking another thread is not worth it.
    /// Nothing else goes on in the stream meanwhile, and a query that is asked to end waits for it.
    fn is_quick(&self, _n_rows: usize) -> bool {
        false
    }
}

connector_error! {
    /// The pipeline failed as such; it carries the stage's own error.
    ScoreError
}
