//! The traits that every stage has, and the errors of working with one.
//!
//! Who calls what, in which order:
//!
//! 1. `Pipeline::fit` asks every estimator for its [`output_schema`](Estimator::output_schema) before it touches data;
//! 2. [`Estimator::fit`] makes passes over the dataset and returns a [`Transformer`];
//! 3. [`Transformer::bind`] is called once per schema, before the first row;
//! 4. [`BoundStage::apply`] is called once per batch, from any thread, in any number at a time.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo_data::column::ColumnNotFound;
use ognivo_data::dataset::{Dataset, DatasetError, side_by_side};
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_data::outcome::Outcome;
use ognivo_data::vector::VectorError;
use ognivo_data::version::SparkVersion;

use crate::param::{ParamError, Params};
use crate::param_map::ParamMap;
use crate::saved::{SavedError, SavedStage};
use crate::stage_map::StageMap;
use crate::uid::Uid;

/// Uid, parameters by name, and the saved form: what estimators and transformers have in common.
///
/// It is [`Any`], so that whoever holds a stage in a box can ask for the concrete one (a model's coefficients, say).
pub trait Configured: Any + fmt::Debug + Send + Sync {
    /// The JVM class that Spark saves this stage under.
    fn class(&self) -> &'static str;

    /// Its parameters.
    fn params(&self) -> &Params;

    /// Its parameters, to be set.
    fn params_mut(&mut self) -> &mut Params;

    /// What its directory says in the layout of `version`.
    ///
    /// # Errors
    /// [`SavedError`] when Spark of `version` does not know the stage or a parameter that is set.
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError>;

    /// The stages inside it, in order.
    fn parts(&self) -> Vec<&dyn Configured> {
        Vec::new()
    }

    /// The same, to be changed.
    fn parts_mut(&mut self) -> Vec<&mut dyn Configured> {
        Vec::new()
    }

    /// Its uid.
    fn uid(&self) -> &Uid {
        self.params().uid()
    }

    /// Spark's short name of the class, as job files have it: `StringIndexer`.
    fn name(&self) -> &'static str {
        let class = self.class();
        class.rsplit_once('.').map_or(class, |(_, name)| name)
    }

    /// What was learned, in a few words for a person; `None` for a stage whose parameters and tables tell it.
    fn in_short(&self) -> Option<String> {
        None
    }

    /// Makes this stage, and those inside it, give the numbers of `version`.
    fn set_version(&mut self, version: SparkVersion) {
        self.params_mut().set_version(version);
    }
}

/// A stage that needs no data to be ready. Fitted models are transformers.
pub trait Transformer: Configured {
    /// Resolves columns and parameters against `input`. After this, only row values can be wrong.
    ///
    /// # Errors
    /// [`StageError`] for a missing column, one of the wrong type, an output column that is already there, or parameters
    /// that contradict each other.
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError>;

    /// A copy in a box.
    fn clone_box(&self) -> Box<dyn Transformer>;

    /// The schema of the rows that come out, as far as it can be told from `input`; nothing is read.
    ///
    /// It is asked for while a pipeline is checked before fitting, when `input` may still lack what earlier stages will
    /// have learned (labels, sizes of vectors). A stage whose [`bind`](Transformer::bind) needs such attributes answers
    /// here without them.
    ///
    /// # Errors
    /// As [`bind`](Transformer::bind).
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        Ok(Arc::clone(self.bind(input)?.output_schema()))
    }

    /// The dataset in which every batch went through this stage; batches go through it when a pass asks for them.
    ///
    /// A pass over it fails at the first row that the stage rejects, as Spark's does.
    ///
    /// # Errors
    /// As [`bind`](Transformer::bind).
    fn transform(&self, data: &Dataset) -> Result<Dataset, StageError> {
        Ok(data.map(Arc::new(StageMap::new(self.bind(data.schema())?))))
    }
}

/// A transformer bound to a schema. Pure: same rows in, same rows out. It may drop rows, never reorders them, and keeps no
/// state between calls.
pub trait BoundStage: Send + Sync {
    /// The schema of the rows that come out.
    fn output_schema(&self) -> &SchemaRef;

    /// Works on one batch of the schema it was bound to.
    ///
    /// A row value that cannot be processed is a rejection inside the [`Outcome`].
    ///
    /// # Errors
    /// [`StageError`] when the batch as a whole cannot be worked on: another schema, or a vector column that breaks its layout.
    fn apply(&self, rows: RecordBatch) -> Result<Outcome, StageError>;
}

/// A stage that learns. `fit` depends on the dataset, the parameters and the seed, on nothing else.
pub trait Estimator: Configured {
    /// The schema after the fitted model, as far as it can be told before fitting; nothing is read.
    ///
    /// # Errors
    /// As [`Transformer::bind`].
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError>;

    /// Learns from `data` in one or more passes.
    ///
    /// # Errors
    /// [`FitError`] for wrong columns, failed passes, or data that nothing can be learned from.
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError>;

    /// A copy in a box.
    fn clone_box(&self) -> Box<dyn Estimator>;

    /// What fits on `data` share when each sees some of the slots of the feature vectors; `None` where nothing can be shared.
    ///
    /// # Errors
    /// As [`fit`](Estimator::fit) of all slots.
    fn slot_fits(&self, data: &Dataset) -> Result<Option<Box<dyn SlotFits>>, FitError> {
        let _ = data;
        Ok(None)
    }

    /// Learns once for each of `maps`, with its values: the models of fitting copies one by one, in the same order.
    ///
    /// An estimator overrides this to share work between fits that differ in some parameters only; the models have the same bits
    /// as those that are fitted alone. Here the fits run side by side on the executor of `data`.
    ///
    /// # Errors
    /// As [`fit`](Estimator::fit), the first map's in order; a map with a parameter or value that its stage does not take.
    fn fit_many(&self, data: &Dataset, maps: &[ParamMap]) -> Result<Vec<Box<dyn Transformer>>, FitError> {
        let with_values = |map: &ParamMap| {
            let mut copy = self.clone_box();
            map.apply(copy.as_mut())?;
            Ok::<_, ParamError>(copy)
        };
        let copies = maps.iter().map(with_values).collect::<Result<Vec<_>, _>>()?;
        side_by_side(data.executor().as_ref(), copies.len(), |at| {
            copies[at].fit(data).map_err(|error| error.with(maps[at].to_string()))
        })
    }
}

/// Fits of one estimator on the same rows, each on some slots of the feature vectors.
pub trait SlotFits: fmt::Debug + Send + Sync {
    /// The model of fitting on vectors of these slots only, in this order, bit for bit.
    ///
    /// # Errors
    /// As [`Estimator::fit`] of such vectors.
    ///
    /// # Panics
    /// When the vectors have fewer slots.
    fn fit(&self, slots: &[usize]) -> Result<Box<dyn Transformer>, FitError>;
}

/// One element of a pipeline.
#[derive(Debug)]
pub enum Stage {
    /// It learns first.
    Estimator(Box<dyn Estimator>),
    /// It is ready.
    Transformer(Box<dyn Transformer>),
}

impl Stage {
    /// What it has in common with every stage.
    pub fn configured(&self) -> &dyn Configured {
        match self {
            Stage::Estimator(estimator) => estimator.as_ref(),
            Stage::Transformer(transformer) => transformer.as_ref(),
        }
    }

    /// The same, to be changed.
    pub fn configured_mut(&mut self) -> &mut dyn Configured {
        match self {
            Stage::Estimator(estimator) => estimator.as_mut(),
            Stage::Transformer(transformer) => transformer.as_mut(),
        }
    }

    /// The schema after this stage, as far as it can be told before fitting.
    ///
    /// # Errors
    /// As [`Transformer::bind`].
    pub fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        match self {
            Stage::Estimator(estimator) => estimator.output_schema(input),
            Stage::Transformer(transformer) => transformer.output_schema(input),
        }
    }
}

impl Clone for Stage {
    fn clone(&self) -> Stage {
        match self {
            Stage::Estimator(estimator) => Stage::Estimator(estimator.clone_box()),
            Stage::Transformer(transformer) => Stage::Transformer(transformer.clone_box()),
        }
    }
}

/// A stage does not fit the schema, or a batch is not what it was bound to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// An input column is not there.
    #[error("stage `{uid}`: {cause}")]
    ColumnNotFound {
        /// The stage.
        uid: Uid,
        /// Which column, and which there are.
        cause: ColumnNotFound,
    },
    /// An input column is of a type that the stage does not take.
    #[error("stage `{uid}`: column `{column}` must be {wanted}: {found}")]
    WrongType {
        /// The stage.
        uid: Uid,
        /// The column.
        column: String,
        /// What it takes.
        wanted: &'static str,
        /// What is there, in Spark's words.
        found: String,
    },
    /// An output column is already there.
    #[error("stage `{uid}`: output column already exists: {column}")]
    OutputExists {
        /// The stage.
        uid: Uid,
        /// The column.
        column: String,
    },
    /// A parameter is wrong.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// A vector column of a batch breaks the layout of vectors.
    #[error("stage `{uid}`: column `{column}`: {cause}")]
    BadVector {
        /// The stage.
        uid: Uid,
        /// The column.
        column: String,
        /// The row and what is wrong with it.
        cause: VectorError,
    },
    /// The stage and its input do not fit in a way that only the stage can say.
    #[error("stage `{uid}`: {reason}")]
    Unfit {
        /// The stage.
        uid: Uid,
        /// What does not fit.
        reason: String,
        /// The next step, where we know it.
        hint: Option<String>,
    },
}

impl Explain for StageError {
    fn fault(&self) -> Fault {
        match self {
            StageError::BadVector { .. } => Fault::Data,
            _ => Fault::Job,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            StageError::ColumnNotFound { cause, .. } => cause.hint(),
            StageError::OutputExists { .. } => Some("name another outputCol, or drop the column first".to_owned()),
            StageError::Param(cause) => cause.hint(),
            StageError::Unfit { hint, .. } => hint.clone(),
            _ => None,
        }
    }
}

/// Fitting failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// A stage does not fit the schema, or its parameters are wrong.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// A pass over the rows failed.
    #[error(transparent)]
    Data(#[from] DatasetError),
    /// The rows are readable, and nothing can be learned from them.
    #[error("stage `{uid}`: {reason}")]
    Unlearnable {
        /// The stage.
        uid: Uid,
        /// Why not.
        reason: String,
        /// The next step, where we know it.
        hint: Option<String>,
    },
    /// One of several fits failed.
    #[error("{which}: {cause}")]
    OneOf {
        /// What sets it apart: parameters, a fold.
        which: String,
        /// Why it failed.
        cause: Box<FitError>,
    },
}

impl FitError {
    /// The error, of one of several fits; `which` is what sets that one apart, and may be empty.
    pub fn with(self, which: String) -> FitError {
        if which.is_empty() { self } else { FitError::OneOf { which, cause: Box::new(self) } }
    }
}

impl From<ParamError> for FitError {
    fn from(error: ParamError) -> FitError {
        FitError::Stage(StageError::Param(error))
    }
}

impl Explain for FitError {
    fn fault(&self) -> Fault {
        match self {
            FitError::Stage(cause) => cause.fault(),
            FitError::Data(cause) => cause.fault(),
            FitError::Unlearnable { .. } => Fault::Data,
            FitError::OneOf { cause, .. } => cause.fault(),
        }
    }
    fn retry(&self) -> Retry {
        match self {
            FitError::Data(cause) => cause.retry(),
            FitError::OneOf { cause, .. } => cause.retry(),
            _ => Retry::Never,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            FitError::Stage(cause) => cause.hint(),
            FitError::Data(cause) => cause.hint(),
            FitError::Unlearnable { hint, .. } => hint.clone(),
            FitError::OneOf { cause, .. } => cause.hint(),
        }
    }
}
