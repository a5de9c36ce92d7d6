//! Fits on the same rows, each on some slots of the feature vectors: rows are checked and summarised once for all.

use ognivo_data::dataset::Dataset;

use super::{LogisticRegression, Prepared, fit_together};
use crate::instances::{are_dense, of_slots};
use crate::stage::{FitError, SlotFits, Transformer};

#[derive(Debug)]
pub(super) struct LogisticSlotFits {
    estimator: LogisticRegression,
    /// Of all slots.
    prepared: Prepared,
}

impl LogisticSlotFits {
    /// `None` when some vectors have another size, or some are kept sparse.
    pub(super) fn new(estimator: &LogisticRegression, data: &Dataset) -> Result<Option<LogisticSlotFits>, FitError> {
        let prepared = estimator.prepare(data)?;
        let is_one_block = prepared.seen.wrong_size.is_none() && are_dense(&prepared.instances)?;
        Ok(is_one_block.then(|| LogisticSlotFits { estimator: estimator.clone(), prepared }))
    }
}

impl SlotFits for LogisticSlotFits {
    fn fit(&self, slots: &[usize]) -> Result<Box<dyn Transformer>, FitError> {
        let Prepared { instances, seen, n_declared } = &self.prepared;
        let prepared =
            Prepared { instances: of_slots(instances, slots)?, seen: seen.of_slots(slots), n_declared: *n_declared };
        let models = fit_together(&[&self.estimator], &prepared, &|_, error| error)?;
        Ok(Box::new(models.into_iter().next().expect("one estimator has one model")))
    }
}
