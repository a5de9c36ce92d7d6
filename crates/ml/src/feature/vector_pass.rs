//! The pass that a scaler makes over its vector column.

use std::sync::Arc;

use arrow_array::RecordBatch;
use ognivo_data::dataset::{Aggregate, Dataset, DatasetError};
use ognivo_data::outcome::{RejectCode, Rejection};
use ognivo_data::vector::VectorColumn;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::vector_map::InputVectors;
use crate::param::Params;
use crate::stage::{FitError, StageError};
use crate::stage_map::RejectedRow;
use crate::stat::{Extremes, Summarizer, WrongSize};
use crate::uid::Uid;

/// What is gathered from the vectors of a column.
pub(super) trait VectorStatistic: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// Takes in every vector of a column without nulls.
    fn add_all(&mut self, vectors: &VectorColumn<'_>) -> Result<(), WrongSize>;
    /// Takes in what another one has seen, of later rows.
    fn merge(&mut self, later: Self) -> Result<(), WrongSize>;
    /// Told that all rows of a partition are in.
    fn finish_partition(&mut self, _partition: usize) {}
    /// Number of vectors and of their slots.
    fn shape(&self) -> (u64, usize);
}

impl VectorStatistic for Summarizer {
    fn add_all(&mut self, vectors: &VectorColumn<'_>) -> Result<(), WrongSize> {
        match vectors.dense_block() {
            Some(block) => self.add_block(&block, None),
            None => vectors.iter().flatten().try_for_each(|vector| self.add(vector, 1.0)),
        }
    }
    fn merge(&mut self, later: Summarizer) -> Result<(), WrongSize> {
        Summarizer::merge(self, later)
    }
    fn shape(&self) -> (u64, usize) {
        (self.n_rows(), self.n_features())
    }
}

impl VectorStatistic for Extremes {
    fn add_all(&mut self, vectors: &VectorColumn<'_>) -> Result<(), WrongSize> {
        vectors.iter().flatten().try_for_each(|vector| self.add(vector))
    }
    fn merge(&mut self, later: Extremes) -> Result<(), WrongSize> {
        Extremes::merge(self, later)
    }
    fn shape(&self) -> (u64, usize) {
        (self.n_rows(), self.n_features())
    }
}

/// The statistic of the column `inputCol`, gathered in one pass.
///
/// # Errors
/// [`FitError`] for a wrong column, a failed pass, a null vector, vectors without slots or of unlike sizes, and no rows.
pub(super) fn gather<S: VectorStatistic + Default>(params: &Params, data: &Dataset) -> Result<S, FitError> {
    gather_into(S::default(), params, data)
}

/// [`gather`] with a statistic that has parameters of its own.
///
/// # Errors
/// Those of [`gather`].
pub(super) fn gather_into<S: VectorStatistic>(statistic: S, params: &Params, data: &Dataset) -> Result<S, FitError> {
    let InputVectors { position, name, .. } = InputVectors::of(params, data.schema())?;
    let zero = VectorPass { uid: params.uid().to_string(), position, name, statistic, wrong_size: None };
    let seen = data.aggregate(zero)?;
    let unlearnable = |reason: String| FitError::Unlearnable { uid: params.uid().clone(), reason, hint: None };
    if let Some(wrong_size) = seen.wrong_size {
        return Err(unlearnable(format!("the vectors of `{}` have different sizes: {wrong_size}", seen.name)));
    }
    match seen.statistic.shape() {
        (0, _) => Err(unlearnable("there are no rows to learn from".to_owned())),
        (_, 0) => Err(unlearnable(format!("the vectors of `{}` are empty", seen.name))),
        _ => Ok(seen.statistic),
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct VectorPass<S> {
    uid: String,
    position: usize,
    name: String,
    statistic: S,
    /// A vector had another size than the ones before it.
    wrong_size: Option<WrongSize>,
}

impl<S: VectorStatistic> Aggregate for VectorPass<S> {
    const NAME: &'static str = "summarise vectors";

    fn update(&mut self, rows: &RecordBatch) -> Result<(), DatasetError> {
        let column = Arc::clone(rows.column(self.position));
        let vectors = VectorColumn::try_new(&column).map_err(|cause| {
            let (uid, column) = (Uid::new(self.uid.clone()), self.name.clone());
            DatasetError::new(StageError::BadVector { uid, column, cause })
        })?;
        if vectors.null_count() > 0 {
            let (stage, column) = (self.uid.clone(), self.name.clone());
            let (code, message) = (RejectCode::NullValue, "must not be null".to_owned());
            return Err(DatasetError::new(RejectedRow(Rejection { stage, column, code, message })));
        }
        if let Err(wrong_size) = self.statistic.add_all(&vectors) {
            self.wrong_size.get_or_insert(wrong_size);
        }
        Ok(())
    }

    fn merge(&mut self, later: VectorPass<S>) {
        if let Err(wrong_size) = self.statistic.merge(later.statistic) {
            self.wrong_size.get_or_insert(wrong_size);
        }
        self.wrong_size = self.wrong_size.or(later.wrong_size);
    }

    fn finish_partition(&mut self, partition: usize) {
        self.statistic.finish_partition(partition);
    }
}
