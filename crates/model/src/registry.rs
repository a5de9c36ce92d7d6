//! Spark class name → constructor.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use object_store::path::Path;
use ognivo_ml::pipeline::{Pipeline, PipelineModel};
use ognivo_ml::saved::{SavedError, SavedStage};
use ognivo_ml::stage::Stage;

use crate::load_error::{LoadError, Place};

/// Makes a stage from what its directory says; the registry makes the stages inside it.
pub type Constructor = dyn Fn(&SavedStage, &Registry) -> Result<Stage, LoadError> + Send + Sync;

/// The stage classes that can be loaded.
///
/// [`Registry::default`] has those of `ognivo-ml`. Others are added by name:
///
/// ```
/// use ognivo_model::Registry;
/// # use ognivo_ml::pipeline::Pipeline;
/// let mut registry = Registry::default();
/// registry.add("com.example.MyPipeline", |saved, registry| {
///     Ok(Pipeline::from_saved(saved, |child| registry.stage(child))?.into())
/// });
/// assert!(registry.knows("com.example.MyPipeline"));
/// ```
#[derive(Clone)]
pub struct Registry {
    constructors: BTreeMap<&'static str, Arc<Constructor>>,
}

impl Registry {
    /// A registry without any class.
    pub fn empty() -> Registry {
        Registry { constructors: BTreeMap::new() }
    }

    /// Adds a class, or replaces it.
    pub fn add(
        &mut self,
        class: &'static str,
        constructor: impl Fn(&SavedStage, &Registry) -> Result<Stage, LoadError> + Send + Sync + 'static,
    ) {
        self.constructors.insert(class, Arc::new(constructor));
    }

    /// Adds a class without stages inside it.
    pub fn add_simple<S: Into<Stage>>(
        &mut self,
        class: &'static str,
        from_saved: impl Fn(&SavedStage) -> Result<S, SavedError> + Send + Sync + 'static,
    ) {
        self.add(class, move |saved, _| Ok(from_saved(saved)?.into()));
    }

    /// Whether the class can be loaded.
    pub fn knows(&self, class: &str) -> bool {
        self.constructors.contains_key(class)
    }

    /// The classes that can be loaded, in alphabetical order.
    pub fn classes(&self) -> impl Iterator<Item = &'static str> {
        self.constructors.keys().copied()
    }

    /// The stage that `saved` says, with all stages inside it.
    ///
    /// # Errors
    /// [`LoadError::UnknownClass`] and what the stages themselves refuse.
    pub fn stage(&self, saved: &SavedStage) -> Result<Stage, LoadError> {
        match self.constructors.get(saved.class.as_str()) {
            Some(constructor) => constructor(saved, self),
            None => Err(LoadError::UnknownClass {
                place: Place { path: Path::default(), uid: Some(saved.uid.clone()) },
                class: saved.class.clone(),
                known: self.classes().collect(),
            }),
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.classes()).finish()
    }
}

impl Default for Registry {
    fn default() -> Registry {
        let mut registry = Registry::empty();
        for class in [Pipeline::CLASS, "pyspark.ml.pipeline.Pipeline"] {
            registry
                .add(class, |saved, registry| Ok(Pipeline::from_saved(saved, |child| registry.stage(child))?.into()));
        }
        for class in [PipelineModel::CLASS, "pyspark.ml.pipeline.PipelineModel"] {
            registry.add(class, |saved, registry| {
                Ok(PipelineModel::from_saved(saved, |child| registry.stage(child))?.into())
            });
        }
        registry
    }
}
