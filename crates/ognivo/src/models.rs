//! Model directories by the path that a user wrote: load, save, describe.

use std::path::Path;

use async_trait::async_trait;
use object_store::path::Path as StorePath;
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_data::version::SparkVersion;
use ognivo_files::open::{Folders, Location, OpenError, open};
use ognivo_ml::stage::{Configured, Estimator, Transformer};
use ognivo_model::{
    Description, Directories, LoadError, Registry, SaveError, SaveMode, SaveOptions, build, describe, load_estimator,
    model_id, read_saved, save,
};

use crate::read::shared_session;
use crate::session::SessionError;

/// A model directory could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The path names no place that we can reach.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Reading failed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Writing failed.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The directory holds a stage that has not learned yet.
    #[error("the model has to be fitted first: {class}")]
    NotFitted {
        /// The JVM class.
        class: String,
    },
}

impl Explain for ModelError {
    fn fault(&self) -> Fault {
        match self {
            ModelError::Open(cause) => cause.fault(),
            ModelError::Load(cause) => cause.fault(),
            ModelError::Save(cause) => cause.fault(),
            ModelError::NotFitted { .. } => Fault::Job,
        }
    }
    fn retry(&self) -> Retry {
        match self {
            ModelError::Load(cause) => cause.retry(),
            ModelError::Save(cause) => cause.retry(),
            ModelError::Open(_) | ModelError::NotFitted { .. } => Retry::Never,
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            ModelError::Open(cause) => cause.hint(),
            ModelError::Load(cause) => cause.hint(),
            ModelError::Save(cause) => cause.hint(),
            ModelError::NotFitted { .. } => {
                Some("train it: `pipeline: {load: …}` in a job, then `ognivo train`".to_owned())
            }
        }
    }
}

/// A fitted stage or pipeline from a directory.
#[derive(Debug)]
pub struct LoadedModel {
    /// The model.
    pub model: Box<dyn Transformer>,
    /// Fingerprint of the directory's content; equal for equal scores.
    pub id: String,
}

/// Loads the fitted model at `path`; relative paths start in `base`.
///
/// # Errors
/// [`ModelError`].
pub async fn load_model(path: &str, base: &Path) -> Result<LoadedModel, ModelError> {
    let location = open(path, base)?;
    let saved = read_saved(location.store().as_ref(), location.path()).await?;
    match build(&saved, location.path(), &Registry::default())? {
        ognivo_ml::stage::Stage::Transformer(model) => Ok(LoadedModel { model, id: model_id(&saved) }),
        ognivo_ml::stage::Stage::Estimator(_) => Err(ModelError::NotFitted { class: saved.class }),
    }
}

/// Loads the unfitted pipeline or estimator at `path`.
///
/// # Errors
/// [`ModelError`].
pub async fn load_unfitted(path: &str, base: &Path) -> Result<Box<dyn Estimator>, ModelError> {
    let location = open(path, base)?;
    Ok(load_estimator(location.store().as_ref(), location.path(), &Registry::default()).await?)
}

/// Describes what the directory at `path` holds, loadable or not.
///
/// # Errors
/// [`ModelError`] when it is no model directory at all.
pub async fn describe_model(path: &str, base: &Path) -> Result<Description, ModelError> {
    let location = open(path, base)?;
    let saved = read_saved(location.store().as_ref(), location.path()).await?;
    Ok(describe(&saved, &Registry::default()))
}

/// Saves `stage` at `path` in the layout of `version`, as a whole or not at all.
///
/// # Errors
/// [`ModelError`].
pub async fn save_model(
    stage: &dyn Configured,
    path: &str,
    base: &Path,
    version: SparkVersion,
    overwrite: bool,
) -> Result<Location, ModelError> {
    let location = open(path, base)?;
    let mode = if overwrite { SaveMode::Overwrite } else { SaveMode::ErrorIfExists };
    let options = SaveOptions { version, mode, timestamp_ms: chrono::Utc::now().timestamp_millis() };
    let folders = FoldersOf(&location);
    save(location.store().as_ref(), &folders, location.path(), stage, &options).await?;
    Ok(location)
}

/// The file system's folders, as saving a model wants them.
#[derive(Debug)]
struct FoldersOf<'a>(&'a Location);

impl FoldersOf<'_> {
    fn folders(&self) -> &dyn Folders {
        self.0.folders().as_ref()
    }
}

#[async_trait]
impl Directories for FoldersOf<'_> {
    async fn rename_folder(&self, from: &StorePath, to: &StorePath) -> object_store::Result<()> {
        self.folders().rename_folder(from, to).await
    }
    async fn remove_folder(&self, folder: &StorePath) -> object_store::Result<()> {
        self.folders().remove_folder(folder).await
    }
}

/// A stage, pipeline or model that can be saved as Spark saves it.
pub trait Save: Configured + Sized {
    /// Saves to a directory that does not exist yet, in the layout of the stage's Spark version.
    ///
    /// # Errors
    /// [`ModelFailure`]; nothing of the directory is there then.
    fn save(&self, path: impl AsRef<Path>) -> Result<(), ModelFailure> {
        save_here(self, path.as_ref(), false)
    }

    /// Saves in the place of a model that is there; a reader finds the old one or the new one, whole.
    ///
    /// # Errors
    /// [`ModelFailure`]; the old model stands then.
    fn overwrite(&self, path: impl AsRef<Path>) -> Result<(), ModelFailure> {
        save_here(self, path.as_ref(), true)
    }
}

impl<S: Configured> Save for S {}

fn save_here(stage: &dyn Configured, path: &Path, overwrite: bool) -> Result<(), ModelFailure> {
    let session = shared_session()?;
    let version = stage.params().version();
    let path = path.to_string_lossy();
    session.runtime().block_on(save_model(stage, &path, Path::new("."), version, overwrite))?;
    Ok(())
}

/// Loads the fitted pipeline or stage in a Spark model directory.
///
/// # Errors
/// [`ModelFailure`] when there is none, or one that we cannot run.
pub fn load(path: impl AsRef<Path>) -> Result<Box<dyn Transformer>, ModelFailure> {
    let session = shared_session()?;
    let loaded = session.runtime().block_on(load_model(&path.as_ref().to_string_lossy(), Path::new(".")))?;
    Ok(loaded.model)
}

/// A model could not be saved or loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelFailure {
    /// The directory.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The threads.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl Explain for ModelFailure {
    fn fault(&self) -> Fault {
        match self {
            ModelFailure::Model(cause) => cause.fault(),
            ModelFailure::Session(cause) => cause.fault(),
        }
    }
    fn retry(&self) -> Retry {
        match self {
            ModelFailure::Model(cause) => cause.retry(),
            ModelFailure::Session(cause) => cause.retry(),
        }
    }
    fn hint(&self) -> Option<String> {
        match self {
            ModelFailure::Model(cause) => cause.hint(),
            ModelFailure::Session(cause) => cause.hint(),
        }
    }
}
