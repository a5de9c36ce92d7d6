//! What a stage's directory says, without a path.
//!
//! A stage turns itself into a [`SavedStage`] and is made from one again; the `model` crate alone knows folders and Parquet.
//! Equal values mean equal directories, up to the timestamp and the names of part files.
//!
//! ```text
//! <stage>/metadata/part-00000          class, uid, sparkVersion, paramMap, defaultParamMap, extra keys
//! <stage>/<table>/part-….parquet       tables by name, mostly `data`
//! <stage>/<child>/…                    nested stages, e.g. stages/0_StringIndexer_4a1b…
//! ```

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use ognivo_data::fault::{Explain, Fault};
use ognivo_data::version::SparkVersion;
use serde_json::{Map, Value};

use crate::param::Params;
use crate::uid::Uid;

/// The content of a stage's directory.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedStage {
    /// The JVM class, such as `org.apache.spark.ml.feature.StringIndexerModel`.
    pub class: String,
    /// The stage's uid.
    pub uid: Uid,
    /// The full Spark release, such as `3.5.9`.
    pub spark_version: String,
    /// What the user set.
    pub param_map: Map<String, Value>,
    /// What held otherwise; empty before Spark 2.4.
    pub default_param_map: Map<String, Value>,
    /// Keys of the metadata that only this class has.
    pub extra: Map<String, Value>,
    /// Tables by the name of their folder.
    pub tables: BTreeMap<String, RecordBatch>,
    /// Nested stages by their path below this directory, in order.
    pub children: Vec<(String, SavedStage)>,
}

impl SavedStage {
    /// A stage of class `class` with these parameters, in the layout of `version`, without tables or children.
    ///
    /// # Errors
    /// [`SavedError`] for a parameter that is set and that Spark of `version` does not know: without it the stage that is
    /// read back would be another one.
    pub fn of_params(class: &str, params: &Params, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let saved = SavedStage {
            class: class.to_owned(),
            uid: params.uid().clone(),
            spark_version: version.release().to_owned(),
            param_map: params.param_map(version),
            default_param_map: params.default_param_map(version),
            extra: Map::new(),
            tables: BTreeMap::new(),
            children: Vec::new(),
        };
        let known = |name: &str| params.spec(name).is_ok_and(|spec| spec.since <= version);
        match params.given().find(|name| !known(name)) {
            Some(name) => Err(saved.fault(name, format!("Spark {version} does not know this parameter"))),
            None => Ok(saved),
        }
    }

    /// With the table `name`.
    pub fn with_table(mut self, name: &str, rows: RecordBatch) -> SavedStage {
        self.tables.insert(name.to_owned(), rows);
        self
    }

    /// With `stage` in the folder `path`.
    pub fn with_child(mut self, path: String, stage: SavedStage) -> SavedStage {
        self.children.push((path, stage));
        self
    }

    /// Whose numbers the stage gives: the version of ours that is nearest to the release that wrote it.
    ///
    /// 2.x gives 2.4's, 3.x gives 3.5's, 4.0 and later 4.3's.
    ///
    /// # Errors
    /// [`SavedError`] when `sparkVersion` does not begin with a number.
    pub fn version(&self) -> Result<SparkVersion, SavedError> {
        match self.spark_version.split('.').next().map(str::parse::<u32>) {
            Some(Ok(0..=2)) => Ok(SparkVersion::V2_4),
            Some(Ok(3)) => Ok(SparkVersion::V3_5),
            Some(Ok(_)) => Ok(SparkVersion::V4_3),
            _ => Err(self.fault("sparkVersion", format!("not a release: {}", self.spark_version))),
        }
    }

    /// Puts uid, version and parameters of this directory into `params`.
    ///
    /// Values in `defaultParamMap` that differ from our default become defaults here too: PySpark gives a model the default
    /// `outputCol` of its estimator, say. A name that the stage does not know is refused, since leaving it out could change
    /// the numbers.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown name or a value that does not fit.
    pub fn read_params(&self, params: &mut Params) -> Result<(), SavedError> {
        self.read_params_but(params, &[])
    }

    /// [`read_params`](SavedStage::read_params) without the names in `others`, which the stage reads itself.
    ///
    /// # Errors
    /// As [`read_params`](SavedStage::read_params).
    pub fn read_params_but(&self, params: &mut Params, others: &[&str]) -> Result<(), SavedError> {
        params.set_uid(self.uid.clone());
        params.set_version(self.version()?);
        let defaults = params.default_param_map(SparkVersion::default());
        let is_own = |(name, _): &(&String, &Value)| !others.contains(&name.as_str());
        for (name, value) in self.default_param_map.iter().filter(is_own) {
            if defaults.get(name) != Some(value) {
                params.set_default_json(name, value).map_err(|error| self.fault(name, error.to_string()))?;
            }
        }
        for (name, value) in self.param_map.iter().filter(is_own) {
            params.set_json(name, value).map_err(|error| self.fault(name, error.to_string()))?;
        }
        Ok(())
    }

    /// The table `name`.
    ///
    /// # Errors
    /// [`SavedError`] when the directory has none.
    pub fn table(&self, name: &str) -> Result<&RecordBatch, SavedError> {
        self.tables.get(name).ok_or_else(|| self.fault(name, "the table is missing".to_owned()))
    }

    /// The stage in the folder `path`.
    ///
    /// # Errors
    /// [`SavedError`] when the directory has none.
    pub fn child(&self, path: &str) -> Result<&SavedStage, SavedError> {
        let child = self.children.iter().find(|(known, _)| known == path);
        child.map(|(_, stage)| stage).ok_or_else(|| self.fault(path, "the folder is missing".to_owned()))
    }

    /// The error that `field` of this stage is wrong because of `reason`.
    pub fn fault(&self, field: &str, reason: String) -> SavedError {
        SavedError { class: self.class.clone(), uid: self.uid.clone(), field: field.to_owned(), reason }
    }
}

/// A directory that was read says something that its stage cannot be made from, or a stage is something that the layout of
/// the Spark version asked for cannot say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stage `{uid}` ({class}), field `{field}`: {reason}")]
pub struct SavedError {
    /// The JVM class.
    pub class: String,
    /// The stage.
    pub uid: Uid,
    /// The parameter, table, column or metadata key.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Explain for SavedError {
    fn fault(&self) -> Fault {
        Fault::Model
    }
}
