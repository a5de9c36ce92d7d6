//! `StandardScaler`: every slot of a vector to unit deviation, and to mean 0 where asked.
//!
//! ```text
//! data/part-….parquet   one row: std vector, mean vector
//! ```

use arrow_schema::SchemaRef;
use ognivo_data::dataset::Dataset;
use ognivo_data::vector::Vector;
use ognivo_data::version::SparkVersion;

use super::shift_and_scale::ShiftAndScale;
use super::vector_map::{self, reciprocals};
use super::vector_pass::gather;
use super::vector_row::{read_vector_row, stored, vector_row};
use crate::columns::{INPUT_COL, INPUT_COL_SPEC, OUTPUT_COL, OUTPUT_COL_SPEC};
use crate::param::{Key, ParamKind, ParamSpec, Params};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Estimator, FitError, Stage, StageError, Transformer};
use crate::stat::Summarizer;

const WITH_MEAN: Key<bool> = Key::new("withMean");
const WITH_STD: Key<bool> = Key::new("withStd");

static PARAMS: &[ParamSpec] = &[
    INPUT_COL_SPEC,
    OUTPUT_COL_SPEC,
    ParamSpec::new("withMean", ParamKind::Boolean, "whether to subtract the mean; the vectors become dense")
        .boolean(false),
    ParamSpec::new("withStd", ParamKind::Boolean, "whether to divide by the standard deviation").boolean(true),
];

/// Learns mean and unbiased standard deviation of every slot of a vector column.
///
/// Same as Spark: zeros are not visited one by one, so that sparse vectors are cheap; NaN in a slot makes both numbers of
/// that slot NaN. Differs from Spark: partitions of more than 16,384 rows are summed in chunks, so the last bits can differ.
#[derive(Debug, Clone)]
pub struct StandardScaler {
    params: Params,
}

impl Default for StandardScaler {
    fn default() -> StandardScaler {
        StandardScaler::new()
    }
}

impl StandardScaler {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.StandardScaler";

    /// A scaler with Spark's defaults: by the deviation, without the mean; a column must be named.
    pub fn new() -> StandardScaler {
        StandardScaler { params: Params::new("StandardScaler", PARAMS) }
    }

    /// The vector column to scale.
    pub fn input_col(mut self, name: impl Into<String>) -> StandardScaler {
        self.params.put(INPUT_COL, name.into());
        self
    }

    /// The column of scaled vectors; `<uid>__output` when not named.
    pub fn output_col(mut self, name: impl Into<String>) -> StandardScaler {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// Whether the model subtracts the mean.
    pub fn with_mean(mut self, with_mean: bool) -> StandardScaler {
        self.params.put(WITH_MEAN, with_mean);
        self
    }

    /// Whether the model divides by the standard deviation.
    pub fn with_std(mut self, with_std: bool) -> StandardScaler {
        self.params.put(WITH_STD, with_std);
        self
    }

    /// Learns from all vectors in one pass.
    ///
    /// # Errors
    /// [`FitError`] for a wrong column, a null vector, vectors of different sizes, and no rows.
    pub fn fit(&self, data: &Dataset) -> Result<StandardScalerModel, FitError> {
        Estimator::output_schema(self, data.schema())?;
        let seen: Summarizer = gather(&self.params, data)?;
        let version = self.params.version();
        let mut model = StandardScalerModel::new(stored(&seen.std(), version), stored(&seen.mean(), version));
        model.params.inherit(&self.params);
        Ok(model)
    }

    /// A scaler from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have.
    pub fn from_saved(saved: &SavedStage) -> Result<StandardScaler, SavedError> {
        let mut stage = StandardScaler::new();
        saved.read_params(&mut stage.params)?;
        Ok(stage)
    }
}

impl Configured for StandardScaler {
    fn class(&self) -> &'static str {
        StandardScaler::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(StandardScaler::CLASS, &self.params, version)
    }
}

impl Estimator for StandardScaler {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        vector_map::output_schema(&self.params, input, None)
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(StandardScaler::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<StandardScaler> for Stage {
    fn from(stage: StandardScaler) -> Stage {
        Stage::Estimator(Box::new(stage))
    }
}

/// Scales every slot: `(x − mean) · (1 / std)`, with 0 in place of the reciprocal of a deviation of 0.
///
/// Sparse vectors stay sparse, unless the mean is subtracted. A row whose vector is null or of another size than the model's
/// is rejected.
///
/// Same as Spark: 2.4 gives 0 in a slot of deviation 0 whatever the value, when mean and deviation are both used; later
/// versions give NaN there for NaN and infinities.
/// Differs from Spark: a vector of another size is rejected (Spark lets shorter ones pass); with neither mean nor deviation
/// null and other sizes are rejected too (Spark passes everything on); a column whose attributes tell another size is
/// refused before the first row.
#[derive(Debug, Clone)]
pub struct StandardScalerModel {
    params: Params,
    std: Vector,
    mean: Vector,
}

impl StandardScalerModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.StandardScalerModel";

    /// The model of these numbers, one of each per slot.
    ///
    /// # Panics
    /// When there are not as many deviations as means.
    pub fn new(std: Vector, mean: Vector) -> StandardScalerModel {
        assert_eq!(std.size(), mean.size(), "every slot has a deviation and a mean");
        StandardScalerModel { params: Params::new("StandardScaler", PARAMS), std, mean }
    }

    /// The unbiased standard deviation of each slot.
    pub fn std(&self) -> &Vector {
        &self.std
    }

    /// The mean of each slot.
    pub fn mean(&self) -> &Vector {
        &self.mean
    }

    /// A model from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have, and for a table that is not one row of two vectors of one size.
    pub fn from_saved(saved: &SavedStage) -> Result<StandardScalerModel, SavedError> {
        let [std, mean] = read_vector_row(saved, ["std", "mean"])?;
        let mut model = StandardScalerModel::new(std, mean);
        saved.read_params(&mut model.params)?;
        Ok(model)
    }
}

impl Configured for StandardScalerModel {
    fn class(&self) -> &'static str {
        StandardScalerModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let saved = SavedStage::of_params(StandardScalerModel::CLASS, &self.params, version)?;
        Ok(saved.with_table("data", vector_row(&[("std", &self.std), ("mean", &self.mean)])))
    }
}

impl Transformer for StandardScalerModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        let is_used = |key, numbers: &Vector| self.params.get::<bool>(key).then(|| numbers.to_dense());
        let map = ShiftAndScale {
            shift: is_used(WITH_MEAN, &self.mean),
            scale: is_used(WITH_STD, &self.std).map(|std| reciprocals(std, 0.0)),
            ignores_constants: self.params.version() == SparkVersion::V2_4,
        };
        vector_map::bind(&self.params, input, Some(self.mean.size()), map)
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl From<StandardScalerModel> for Stage {
    fn from(model: StandardScalerModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::RecordBatch;
    use ognivo_data::column::AttributeGroup;
    use ognivo_data::dataset::LocalExecutor;
    use ognivo_data::vector::{VectorBuilder, VectorColumn, VectorRef};

    fn rows(vectors: &[Option<&[f64]>]) -> RecordBatch {
        let mut builder = VectorBuilder::new();
        for vector in vectors {
            match vector {
                Some(values) => builder.push(VectorRef::Dense(values)),
                None => builder.push_null(),
            }
        }
        RecordBatch::try_from_iter_with_nullable([("v", builder.finish(), true)]).unwrap()
    }

    fn data(rows: RecordBatch) -> Dataset {
        let executor = Arc::new(LocalExecutor::single_threaded());
        Dataset::in_memory(rows.schema(), vec![vec![rows]], executor)
    }

    fn model() -> StandardScalerModel {
        let mut model = StandardScalerModel::new(Vector::Dense(vec![2.0, 0.0]), Vector::Dense(vec![1.0, 5.0]));
        model.params.put(INPUT_COL, "v".to_owned());
        model
    }

    #[test]
    fn a_vector_that_is_null_or_of_another_size_is_rejected() {
        let rows = rows(&[Some(&[4.0, 7.0]), None, Some(&[1.0]), Some(&[1.0, 2.0, 3.0])]);
        let outcome = model().bind(&rows.schema()).unwrap().apply(rows).unwrap();
        let reasons: Vec<_> =
            outcome.fates.rejections().map(|(row_idx, why)| (row_idx, why.message.as_str())).collect();
        let expected = [(1, "must not be null"), (2, "must have 2 slots: 1"), (3, "must have 2 slots: 3")];
        assert_eq!(reasons, expected);
        let column = VectorColumn::try_new(outcome.rows.column(1)).unwrap();
        assert_eq!(column.get(0), Some(VectorRef::Dense(&[2.0, 0.0])));
    }

    #[test]
    fn a_constant_slot_of_nan_is_zero_in_2_4_only() {
        let scaled = |version| {
            let mut model = model();
            model.params.put(WITH_MEAN, true);
            model.params.set_version(version);
            let rows = rows(&[Some(&[3.0, f64::NAN])]);
            let scaled = model.bind(&rows.schema()).unwrap().apply(rows).unwrap().rows;
            VectorColumn::try_new(scaled.column(1)).unwrap().get(0).unwrap().to_owned().to_dense()
        };
        assert_eq!(scaled(SparkVersion::V2_4), [1.0, 0.0]);
        assert!(scaled(SparkVersion::V3_5)[1].is_nan());
    }

    #[track_caller]
    fn check_unlearnable(vectors: &[Option<&[f64]>], expected: &str) {
        let scaler = StandardScaler::new().input_col("v");
        let error = scaler.fit(&data(rows(vectors))).unwrap_err();
        assert_eq!(error.to_string(), format!("stage `{}`: {expected}", scaler.params.uid()));
    }

    #[test]
    fn vectors_that_nothing_can_be_learned_from_are_refused() {
        check_unlearnable(&[], "there are no rows to learn from");
        check_unlearnable(&[Some(&[])], "the vectors of `v` are empty");
        let sizes = "the vectors of `v` have different sizes: a vector of size 1 among vectors of size 2";
        check_unlearnable(&[Some(&[1.0, 2.0]), Some(&[1.0])], sizes);
    }

    #[test]
    fn a_null_vector_stops_the_fit_as_in_spark() {
        let error = StandardScaler::new().input_col("v").fit(&data(rows(&[Some(&[1.0]), None]))).unwrap_err();
        assert!(error.to_string().contains("column `v`: must not be null"), "{error}");
    }

    #[test]
    fn a_column_of_another_size_is_refused_before_the_first_row() {
        let field = AttributeGroup::of_size(3).attach(ognivo_data::vector::vector_field("v"));
        let error = model().bind(&Arc::new(arrow_schema::Schema::new(vec![field]))).err().unwrap();
        assert!(error.to_string().ends_with("column `v` must have 2 slots: 3"), "{error}");
    }
}
