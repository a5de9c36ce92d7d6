//! `MinMaxScaler`: every slot of a vector to one range.
//!
//! ```text
//! data/part-….parquet   one row: originalMin vector, originalMax vector
//! ```

use arrow_array::ArrayRef;
use arrow_schema::SchemaRef;
use ognivo_data::dataset::Dataset;
use ognivo_data::vector::{Vector, VectorBuilder, VectorColumn};
use ognivo_data::version::SparkVersion;

use super::vector_map::{self, VectorMap, changed_dense, map_all_slots};
use super::vector_pass::gather;
use super::vector_row::{read_vector_row, stored, vector_row};
use crate::columns::{INPUT_COL, INPUT_COL_SPEC, OUTPUT_COL, OUTPUT_COL_SPEC};
use crate::param::{Key, ParamError, ParamKind, ParamSpec, Params};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Estimator, FitError, Stage, StageError, Transformer};
use crate::stat::Extremes;

const MIN: Key<f64> = Key::new("min");
const MAX: Key<f64> = Key::new("max");

static PARAMS: &[ParamSpec] = &[
    INPUT_COL_SPEC,
    ParamSpec::new("max", ParamKind::Double, "upper end of the range; above min").double(1.0),
    ParamSpec::new("min", ParamKind::Double, "lower end of the range").double(0.0),
    OUTPUT_COL_SPEC,
];

/// Learns the smallest and the largest value of every slot of a vector column.
///
/// Same as Spark: NaN is passed over. A slot that holds nothing but NaN has the largest double as its smallest value, and
/// the other way round.
#[derive(Debug, Clone)]
pub struct MinMaxScaler {
    params: Params,
}

impl Default for MinMaxScaler {
    fn default() -> MinMaxScaler {
        MinMaxScaler::new()
    }
}

impl MinMaxScaler {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.MinMaxScaler";

    /// A scaler with Spark's defaults: to the range from 0 to 1; a column must be named.
    pub fn new() -> MinMaxScaler {
        MinMaxScaler { params: Params::new("MinMaxScaler", PARAMS) }
    }

    /// The vector column to scale.
    pub fn input_col(mut self, name: impl Into<String>) -> MinMaxScaler {
        self.params.put(INPUT_COL, name.into());
        self
    }

    /// The column of scaled vectors; `<uid>__output` when not named.
    pub fn output_col(mut self, name: impl Into<String>) -> MinMaxScaler {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// The lower end of the range.
    pub fn min(mut self, min: f64) -> MinMaxScaler {
        self.params.put(MIN, min);
        self
    }

    /// The upper end of the range.
    pub fn max(mut self, max: f64) -> MinMaxScaler {
        self.params.put(MAX, max);
        self
    }

    /// Learns from all vectors in one pass.
    ///
    /// # Errors
    /// [`FitError`] for a wrong column or range, a null vector, vectors of different sizes, and no rows.
    pub fn fit(&self, data: &Dataset) -> Result<MinMaxScalerModel, FitError> {
        Estimator::output_schema(self, data.schema())?;
        let seen: Extremes = gather(&self.params, data)?;
        let version = self.params.version();
        let mut model = MinMaxScalerModel::new(stored(&seen.min(), version), stored(&seen.max(), version));
        model.params.inherit(&self.params);
        Ok(model)
    }

    /// A scaler from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have.
    pub fn from_saved(saved: &SavedStage) -> Result<MinMaxScaler, SavedError> {
        let mut stage = MinMaxScaler::new();
        saved.read_params(&mut stage.params)?;
        Ok(stage)
    }
}

/// The ends of the range that `params` ask for.
fn range(params: &Params) -> Result<(f64, f64), ParamError> {
    let (min, max) = (params.get(MIN), params.get(MAX));
    if min < max {
        return Ok((min, max));
    }
    Err(ParamError::Conflict { uid: params.uid().clone(), reason: format!("min must be below max: {min} and {max}") })
}

impl Configured for MinMaxScaler {
    fn class(&self) -> &'static str {
        MinMaxScaler::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(MinMaxScaler::CLASS, &self.params, version)
    }
}

impl Estimator for MinMaxScaler {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        range(&self.params)?;
        vector_map::output_schema(&self.params, input, None)
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(MinMaxScaler::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<MinMaxScaler> for Stage {
    fn from(stage: MinMaxScaler) -> Stage {
        Stage::Estimator(Box::new(stage))
    }
}

/// Scales every slot: `(x − originalMin) · ((max − min) / (originalMax − originalMin)) + min`, or `(min + max) / 2` where a
/// slot was constant. Values beyond those of the fit come out beyond the range, NaN stays NaN.
///
/// Each vector has the smaller of both forms. A row whose vector is null or of another size than the model's is rejected.
///
/// Same as Spark: 2.4 divides first, `(x − originalMin) / (originalMax − originalMin) · (max − min) + min`, and gives dense
/// vectors. Differs from Spark: a column whose attributes tell another size is refused before the first row.
#[derive(Debug, Clone)]
pub struct MinMaxScalerModel {
    params: Params,
    original_min: Vector,
    original_max: Vector,
}

impl MinMaxScalerModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.MinMaxScalerModel";

    /// The model of these numbers, one of each per slot.
    ///
    /// # Panics
    /// When there are not as many smallest as largest values.
    pub fn new(original_min: Vector, original_max: Vector) -> MinMaxScalerModel {
        assert_eq!(original_min.size(), original_max.size(), "every slot has a smallest and a largest value");
        MinMaxScalerModel { params: Params::new("MinMaxScaler", PARAMS), original_min, original_max }
    }

    /// The smallest value of each slot that the fit saw.
    pub fn original_min(&self) -> &Vector {
        &self.original_min
    }

    /// The largest value of each slot that the fit saw.
    pub fn original_max(&self) -> &Vector {
        &self.original_max
    }

    /// A model from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have, and for a table that is not one row of two vectors of one size.
    pub fn from_saved(saved: &SavedStage) -> Result<MinMaxScalerModel, SavedError> {
        let [original_min, original_max] = read_vector_row(saved, ["originalMin", "originalMax"])?;
        let mut model = MinMaxScalerModel::new(original_min, original_max);
        saved.read_params(&mut model.params)?;
        Ok(model)
    }
}

impl Configured for MinMaxScalerModel {
    fn class(&self) -> &'static str {
        MinMaxScalerModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let saved = SavedStage::of_params(MinMaxScalerModel::CLASS, &self.params, version)?;
        let vectors = [("originalMin", &self.original_min), ("originalMax", &self.original_max)];
        Ok(saved.with_table("data", vector_row(&vectors)))
    }
}

impl Transformer for MinMaxScalerModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        let (min, max) = range(&self.params)?;
        let original_min = self.original_min.to_dense();
        let slots = original_min.iter().zip(self.original_max.to_dense());
        let map = Rescaled {
            original_range: slots.map(|(min, max)| max - min).collect(),
            original_min,
            min,
            max,
            version: self.params.version(),
        };
        vector_map::bind(&self.params, input, Some(self.original_min.size()), map)
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl From<MinMaxScalerModel> for Stage {
    fn from(model: MinMaxScalerModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

/// The numbers of a bound model.
struct Rescaled {
    original_min: Vec<f64>,
    original_range: Vec<f64>,
    min: f64,
    max: f64,
    version: SparkVersion,
}

impl VectorMap for Rescaled {
    fn apply(&self, vectors: &VectorColumn<'_>) -> ArrayRef {
        let Rescaled { original_min, original_range, min, max, version } = self;
        let width = max - min;
        if *version == SparkVersion::V2_4 {
            return map_all_slots(vectors, |slot, value| {
                let share = (value - original_min[slot]) / original_range[slot];
                let share = if original_range[slot] == 0.0 { 0.5 } else { share };
                if value.is_nan() { value } else { share * width + min }
            });
        }
        // A scale of 0 stands for a constant slot; it is 0 for an infinite range too, as in Spark.
        let scale_of = |&range: &f64| if range == 0.0 { 0.0 } else { width / range };
        let scale: Vec<f64> = original_range.iter().map(scale_of).collect();
        let middle = (min + max) / 2.0;
        let rescale = |slot: usize, value: f64| {
            let moved = (value - original_min[slot]) * scale[slot] + min;
            let moved = if scale[slot] == 0.0 { middle } else { moved };
            if value.is_nan() { value } else { moved }
        };
        let mut rescaled = VectorBuilder::new();
        for vector in vectors.iter().flatten() {
            rescaled.push_compressed(&changed_dense(vector, rescale), *version);
        }
        rescaled.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::RecordBatch;
    use ognivo_data::vector::VectorRef;

    fn rescaled(version: SparkVersion, values: &[f64]) -> Vec<f64> {
        let mut model = MinMaxScalerModel::new(Vector::Dense(vec![0.0, 7.0]), Vector::Dense(vec![3.0, 7.0]));
        model.params.put(INPUT_COL, "v".to_owned());
        model.params.set_version(version);
        let mut vectors = VectorBuilder::new();
        vectors.push(VectorRef::Dense(values));
        let rows = RecordBatch::try_from_iter([("v", vectors.finish())]).unwrap();
        let rows = model.bind(&rows.schema()).unwrap().apply(rows).unwrap().rows;
        VectorColumn::try_new(rows.column(1)).unwrap().get(0).unwrap().to_owned().to_dense()
    }

    #[test]
    fn the_scale_is_made_before_the_product_from_3_0_on() {
        // 5 · (1 / 3) and 5 / 3 differ in the last bit.
        assert_eq!(rescaled(SparkVersion::V2_4, &[5.0, 1.0]), [5.0 / 3.0, 0.5]);
        assert_eq!(rescaled(SparkVersion::V3_5, &[5.0, 1.0]), [5.0 * (1.0 / 3.0), 0.5]);
        assert_ne!((5.0_f64 / 3.0).to_bits(), (5.0_f64 * (1.0 / 3.0)).to_bits());
    }

    #[test]
    fn an_empty_range_is_refused() {
        let scaler = MinMaxScaler::new().input_col("v").min(1.0).max(1.0);
        let schema = arrow_schema::Schema::new(vec![ognivo_data::vector::vector_field("v")]);
        let error = Estimator::output_schema(&scaler, &schema.into()).unwrap_err();
        assert!(error.to_string().ends_with("min must be below max: 1 and 1"), "{error}");
    }
}
