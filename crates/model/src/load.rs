//! A directory → stages.

use object_store::ObjectStore;
use object_store::path::Path;
use ognivo_ml::saved::SavedStage;
use ognivo_ml::stage::{Estimator, Stage, Transformer};

use crate::listing::join;
use crate::load_error::{LoadError, Place};
use crate::read::{each_stage, read_saved};
use crate::registry::Registry;

/// The stage that Spark or we saved at `path`: a fitted one is a [`Stage::Transformer`], an unfitted one a
/// [`Stage::Estimator`]. A lone stage's directory loads as well as a pipeline's.
///
/// Loading executes nothing and reads within the default [`Limits`](crate::Limits).
///
/// # Errors
/// [`LoadError`]; a class that `registry` lacks is [`LoadError::UnknownClass`].
pub async fn load(store: &dyn ObjectStore, path: &Path, registry: &Registry) -> Result<Stage, LoadError> {
    let saved = read_saved(store, path).await?;
    build(&saved, path, registry)
}

/// [`load`] for those who need a fitted model.
///
/// # Errors
/// As [`load`], and [`LoadError::WrongKind`] for an estimator.
pub async fn load_transformer(
    store: &dyn ObjectStore,
    path: &Path,
    registry: &Registry,
) -> Result<Box<dyn Transformer>, LoadError> {
    match load(store, path, registry).await? {
        Stage::Transformer(transformer) => Ok(transformer),
        Stage::Estimator(estimator) => Err(LoadError::WrongKind {
            place: Place { path: path.clone(), uid: Some(estimator.uid().clone()) },
            wanted: "a fitted model",
            found: format!("an unfitted {}", short(estimator.class())),
        }),
    }
}

/// [`load`] for those who need something to fit.
///
/// # Errors
/// As [`load`], and [`LoadError::WrongKind`] for a fitted model.
pub async fn load_estimator(
    store: &dyn ObjectStore,
    path: &Path,
    registry: &Registry,
) -> Result<Box<dyn Estimator>, LoadError> {
    match load(store, path, registry).await? {
        Stage::Estimator(estimator) => Ok(estimator),
        Stage::Transformer(transformer) => Err(LoadError::WrongKind {
            place: Place { path: path.clone(), uid: Some(transformer.uid().clone()) },
            wanted: "an estimator",
            found: format!("a {}, which needs no fit", short(transformer.class())),
        }),
    }
}

fn short(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

/// The stage that `saved`, read from `path`, says; errors name the stage's folder.
///
/// # Errors
/// As [`Registry::stage`].
pub fn build(saved: &SavedStage, path: &Path, registry: &Registry) -> Result<Stage, LoadError> {
    registry.stage(saved).map_err(|error| match error {
        LoadError::Stage { directory: None, cause } => {
            let folder = folder_of(saved, |stage| stage.uid == cause.uid && stage.class == cause.class);
            LoadError::Stage { directory: Some(join(path, &folder).to_string()), cause }
        }
        LoadError::UnknownClass { place, class, known } => {
            let place = placed(saved, path, place);
            LoadError::UnknownClass { place, class, known }
        }
        LoadError::WrongKind { place, wanted, found } => {
            let place = placed(saved, path, place);
            LoadError::WrongKind { place, wanted, found }
        }
        other => other,
    })
}

/// `place`, whose stage is known, with the stage's folder.
fn placed(saved: &SavedStage, path: &Path, place: Place) -> Place {
    let folder = folder_of(saved, |stage| Some(&stage.uid) == place.uid.as_ref());
    Place { path: join(path, &folder), ..place }
}

fn folder_of(saved: &SavedStage, is_meant: impl Fn(&SavedStage) -> bool) -> String {
    let mut found = None;
    each_stage(saved, "", &mut |folder, stage| {
        if found.is_none() && is_meant(stage) {
            found = Some(folder.to_owned());
        }
    });
    found.unwrap_or_default()
}
