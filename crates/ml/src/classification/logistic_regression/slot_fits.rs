//! Fits on the same rows, each on some slots of the feature vectors: rows are checked, summarised and turned round once for all.

use ognivo_data::dataset::{Dataset, DatasetError};

use super::problem::Problem;
use super::{LogisticRegression, Prepared, fit_together};
use crate::instances::{are_dense, of_slots};
use crate::slot_instances::{slot_by_slot, with_slots};
use crate::stage::{Configured, FitError, SlotFits, Transformer};

#[derive(Debug)]
pub(super) struct LogisticSlotFits {
    estimator: LogisticRegression,
    /// Of all slots.
    prepared: Prepared,
}

impl LogisticSlotFits {
    /// `None` when some vectors have another size, or some are kept sparse.
    pub(super) fn new(estimator: &LogisticRegression, data: &Dataset) -> Result<Option<LogisticSlotFits>, FitError> {
        let mut prepared = estimator.prepare(data)?;
        if prepared.seen.wrong_size.is_some() || !are_dense(&prepared.instances)? {
            return Ok(None);
        }
        let problem = Problem::new(estimator.params(), &prepared.seen, prepared.n_declared);
        if problem.is_ok_and(|problem| !problem.is_multinomial) {
            let n_slots = prepared.seen.features.n_features();
            prepared.slot_by_slot = Some(slot_by_slot(&prepared.instances, n_slots)?);
        }
        Ok(Some(LogisticSlotFits { estimator: estimator.clone(), prepared }))
    }

    fn prepared(&self, slots: &[usize]) -> Result<Prepared, DatasetError> {
        let all = &self.prepared;
        let vectors = of_slots(&all.instances, slots);
        let slot_by_slot = all.slot_by_slot.as_ref().map(|all| with_slots(all, slots)).transpose()?;
        Ok(Prepared {
            // Passes go over the one or the other; vectors that only the model's summary may ask for are not kept.
            instances: if slot_by_slot.is_some() { vectors } else { vectors.cached()? },
            slot_by_slot,
            seen: all.seen.of_slots(slots),
            n_declared: all.n_declared,
        })
    }
}

impl SlotFits for LogisticSlotFits {
    fn fit(&self, slots: &[usize]) -> Result<Box<dyn Transformer>, FitError> {
        let models = fit_together(&[&self.estimator], &self.prepared(slots)?, &|_, error| error)?;
        Ok(Box::new(models.into_iter().next().expect("one estimator has one model")))
    }
}
