//! The column of features that a fitted model scores.

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::Schema;
use arrow_select::filter::filter_record_batch;
use ognivo_data::column::AttributeGroup;
use ognivo_data::outcome::{Fate, Fates, Outcome, RejectCode, Rejection};
use ognivo_data::vector::{VectorColumn, is_vector};

use super::params::FEATURES_COL;
use crate::columns::{input_column, wrong_type};
use crate::param::Params;
use crate::stage::StageError;
use crate::uid::Uid;

/// A vector column that a model is bound to. A row whose vector is null or not of the model's size is rejected.
pub(crate) struct FeaturesColumn {
    uid: Uid,
    name: String,
    position: usize,
    n_features: usize,
}

impl FeaturesColumn {
    /// The column that `params` name, for a model of `n_features` slots.
    ///
    /// # Errors
    /// [`StageError`] when it is missing, no vector, or declared to have another number of slots.
    pub(crate) fn find(params: &Params, n_features: usize, input: &Schema) -> Result<FeaturesColumn, StageError> {
        let (uid, name) = (params.uid().clone(), params.get(FEATURES_COL));
        let (position, field) = input_column(&uid, input, &name)?;
        if !is_vector(field.data_type()) {
            return Err(wrong_type(&uid, &name, "a vector", field.data_type()));
        }
        if let Some(found) = AttributeGroup::of(field).n_slots.filter(|&n_slots| n_slots != n_features) {
            let reason = format!("column `{name}` must have {n_features} slots: {found}");
            return Err(StageError::Unfit { uid, reason, hint: None });
        }
        Ok(FeaturesColumn { uid, name, position, n_features })
    }

    /// The vectors of a batch.
    ///
    /// # Errors
    /// [`StageError::BadVector`] when one breaks the layout.
    pub(crate) fn vectors<'a>(&self, rows: &'a RecordBatch) -> Result<VectorColumn<'a>, StageError> {
        VectorColumn::try_new(rows.column(self.position)).map_err(|cause| StageError::BadVector {
            uid: self.uid.clone(),
            column: self.name.clone(),
            cause,
        })
    }

    /// What `score` makes of the rows whose vectors it can take; the others are rejected.
    ///
    /// # Errors
    /// Those of [`vectors`](FeaturesColumn::vectors) and of `score`.
    pub(crate) fn apply(
        &self,
        rows: RecordBatch,
        score: impl Fn(&RecordBatch) -> Result<RecordBatch, StageError>,
    ) -> Result<Outcome, StageError> {
        let rejections = self.rejections(&self.vectors(&rows)?);
        if rejections.is_empty() {
            return Ok(Outcome::all_kept(score(&rows)?));
        }
        let kept: BooleanArray = rejections.iter().map(|rejection| Some(rejection.is_none())).collect();
        let kept = filter_record_batch(&rows, &kept).expect("the filter has one entry per row");
        let fate = |rejection: Option<Rejection>| rejection.map_or(Fate::Kept, |why| Fate::Rejected(Box::new(why)));
        let fates = Fates::Each(rejections.into_iter().map(fate).collect());
        Ok(Outcome::new(score(&kept)?, fates))
    }

    /// Why each row cannot be scored; empty when all can.
    fn rejections(&self, vectors: &VectorColumn<'_>) -> Vec<Option<Rejection>> {
        let block_fits = vectors.dense_block().is_some_and(|block| block.n_features == self.n_features);
        let fits = |row_idx| vectors.get(row_idx).is_some_and(|vector| vector.size() == self.n_features);
        if block_fits || (0..vectors.len()).all(fits) {
            return Vec::new();
        }
        let rejection = |row_idx| match vectors.get(row_idx).map(|vector| vector.size()) {
            Some(size) if size == self.n_features => None,
            Some(size) => Some((RejectCode::WrongSize, format!("must have {} slots: {size}", self.n_features))),
            None => Some((RejectCode::NullValue, "must not be null".to_owned())),
        };
        let named =
            |(code, message)| Rejection { stage: self.uid.to_string(), column: self.name.clone(), code, message };
        (0..vectors.len()).map(|row_idx| rejection(row_idx).map(named)).collect()
    }
}
