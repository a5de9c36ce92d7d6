//! Parameter maps: other values for some parameters of a stage and of the stages inside it.

use std::fmt;

use crate::param::{ParamError, ParamValue};
use crate::stage::{Configured, Estimator};
use crate::uid::Uid;

/// Values for parameters, each named by the uid of its stage and its own name, in the order in which they were put in.
///
/// ```
/// use ognivo_ml::classification::LogisticRegression;
/// use ognivo_ml::param_map::ParamMap;
/// use ognivo_ml::stage::{Configured, Estimator};
/// let regression = LogisticRegression::new();
/// let map = ParamMap::new().with(&regression, "regParam", 0.1);
/// let other = map.applied_to(&regression)?;
/// assert_eq!(other.params().explicit().count(), 1);
/// # Ok::<(), ognivo_ml::param::ParamError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParamMap {
    entries: Vec<ParamEntry>,
}

/// One parameter of one stage, and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamEntry {
    /// The stage.
    pub stage: Uid,
    /// The parameter.
    pub name: String,
    /// The value.
    pub value: ParamValue,
}

impl ParamMap {
    /// A map that changes nothing.
    pub fn new() -> ParamMap {
        ParamMap::default()
    }

    /// With `value` for the parameter `name` of `stage`.
    pub fn with(mut self, stage: &dyn Configured, name: &str, value: impl Into<ParamValue>) -> ParamMap {
        self.put(stage.uid(), name, value.into());
        self
    }

    /// Puts in a value, in the place of the one that is there.
    pub fn put(&mut self, stage: &Uid, name: &str, value: ParamValue) {
        match self.entries.iter_mut().find(|entry| entry.stage == *stage && entry.name == name) {
            Some(entry) => entry.value = value,
            None => self.entries.push(ParamEntry { stage: stage.clone(), name: name.to_owned(), value }),
        }
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[ParamEntry] {
        &self.entries
    }

    /// The entries of one stage, in order.
    pub fn of_stage(&self, stage: &Uid) -> impl Iterator<Item = &ParamEntry> {
        self.entries.iter().filter(move |entry| entry.stage == *stage)
    }

    /// The map with the entries of these stages only.
    pub fn of_stages(&self, stages: &[&Uid]) -> ParamMap {
        let entries = self.entries.iter().filter(|entry| stages.contains(&&entry.stage));
        ParamMap { entries: entries.cloned().collect() }
    }

    /// A copy of `estimator` with these values.
    ///
    /// Same as Spark (`copy(extra)`): an entry whose stage is not in `estimator` changes nothing.
    ///
    /// # Errors
    /// [`ParamError`] for a parameter that its stage has not, or a value that it does not take.
    pub fn applied_to(&self, estimator: &dyn Estimator) -> Result<Box<dyn Estimator>, ParamError> {
        let mut copy = estimator.clone_box();
        self.apply(copy.as_mut())?;
        Ok(copy)
    }

    /// Sets these values in `stage` and in the stages inside it.
    ///
    /// # Errors
    /// As [`applied_to`](ParamMap::applied_to).
    pub fn apply(&self, stage: &mut dyn Configured) -> Result<(), ParamError> {
        let uid = stage.uid().clone();
        for entry in self.of_stage(&uid) {
            stage.params_mut().set(&entry.name, entry.value.clone())?;
        }
        stage.parts_mut().into_iter().try_for_each(|part| self.apply(part))
    }
}

impl fmt::Display for ParamMap {
    /// `regParam 0.1, elasticNetParam 0.5`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, entry) in self.entries.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", entry.name, entry.value)?;
        }
        Ok(())
    }
}

/// The stage of this uid: `root`, or one inside it.
pub fn find_stage<'a>(root: &'a dyn Configured, uid: &Uid) -> Option<&'a dyn Configured> {
    if root.uid() == uid {
        return Some(root);
    }
    root.parts().into_iter().find_map(|part| find_stage(part, uid))
}

/// Calls `visit` with `root` and with every stage inside it, outer before inner.
pub fn each_stage<'a>(root: &'a dyn Configured, visit: &mut dyn FnMut(&'a dyn Configured)) {
    visit(root);
    root.parts().into_iter().for_each(|part| each_stage(part, visit));
}
