//! `MaxAbsScaler`: every slot of a vector to the range from -1 to 1, with 0 kept in its place.
//!
//! ```text
//! data/part-….parquet   one row: maxAbs vector
//! ```

use arrow_array::ArrayRef;
use arrow_schema::SchemaRef;
use ognivo_data::dataset::Dataset;
use ognivo_data::vector::{Vector, VectorColumn};
use ognivo_data::version::SparkVersion;

use super::vector_map::{self, VectorMap, map_stored_slots, reciprocals};
use super::vector_pass::gather;
use super::vector_row::{read_vector_row, stored, vector_row};
use crate::columns::{INPUT_COL, INPUT_COL_SPEC, OUTPUT_COL, OUTPUT_COL_SPEC};
use crate::param::{ParamSpec, Params};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Estimator, FitError, Stage, StageError, Transformer};
use crate::stat::Extremes;

static PARAMS: &[ParamSpec] = &[INPUT_COL_SPEC, OUTPUT_COL_SPEC];

/// Learns the largest absolute value of every slot of a vector column.
///
/// Same as Spark: NaN is passed over; a slot that holds nothing but NaN has the largest double.
#[derive(Debug, Clone)]
pub struct MaxAbsScaler {
    params: Params,
}

impl Default for MaxAbsScaler {
    fn default() -> MaxAbsScaler {
        MaxAbsScaler::new()
    }
}

impl MaxAbsScaler {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.MaxAbsScaler";

    /// A scaler; a column must be named.
    pub fn new() -> MaxAbsScaler {
        MaxAbsScaler { params: Params::new("MaxAbsScaler", PARAMS) }
    }

    /// The vector column to scale.
    pub fn input_col(mut self, name: impl Into<String>) -> MaxAbsScaler {
        self.params.put(INPUT_COL, name.into());
        self
    }

    /// The column of scaled vectors; `<uid>__output` when not named.
    pub fn output_col(mut self, name: impl Into<String>) -> MaxAbsScaler {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// Learns from all vectors in one pass.
    ///
    /// # Errors
    /// [`FitError`] for a wrong column, a null vector, vectors of different sizes, and no rows.
    pub fn fit(&self, data: &Dataset) -> Result<MaxAbsScalerModel, FitError> {
        Estimator::output_schema(self, data.schema())?;
        let seen: Extremes = gather(&self.params, data)?;
        let slots = seen.min().into_iter().zip(seen.max());
        let max_abs: Vec<f64> = slots.map(|(min, max)| min.abs().max(max.abs())).collect();
        let mut model = MaxAbsScalerModel::new(stored(&max_abs, self.params.version()));
        model.params.inherit(&self.params);
        Ok(model)
    }

    /// A scaler from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have.
    pub fn from_saved(saved: &SavedStage) -> Result<MaxAbsScaler, SavedError> {
        let mut stage = MaxAbsScaler::new();
        saved.read_params(&mut stage.params)?;
        Ok(stage)
    }
}

impl Configured for MaxAbsScaler {
    fn class(&self) -> &'static str {
        MaxAbsScaler::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(MaxAbsScaler::CLASS, &self.params, version)
    }
}

impl Estimator for MaxAbsScaler {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        vector_map::output_schema(&self.params, input, None)
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(MaxAbsScaler::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<MaxAbsScaler> for Stage {
    fn from(stage: MaxAbsScaler) -> Stage {
        Stage::Estimator(Box::new(stage))
    }
}

/// Scales every slot by the reciprocal of its largest absolute value; a slot that was always 0 stays as it is.
///
/// Sparse vectors stay sparse. A row whose vector is null or of another size than the model's is rejected.
///
/// Same as Spark: 2.4 divides in place of multiplying by the reciprocal. Differs from Spark: a vector of another size is
/// rejected (Spark lets shorter ones pass), and a column whose attributes tell another size is refused before the first row.
#[derive(Debug, Clone)]
pub struct MaxAbsScalerModel {
    params: Params,
    max_abs: Vector,
}

impl MaxAbsScalerModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.MaxAbsScalerModel";

    /// The model of these numbers, one per slot.
    pub fn new(max_abs: Vector) -> MaxAbsScalerModel {
        MaxAbsScalerModel { params: Params::new("MaxAbsScaler", PARAMS), max_abs }
    }

    /// The largest absolute value of each slot that the fit saw.
    pub fn max_abs(&self) -> &Vector {
        &self.max_abs
    }

    /// A model from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have, and for a table that is not one row with a vector.
    pub fn from_saved(saved: &SavedStage) -> Result<MaxAbsScalerModel, SavedError> {
        let [max_abs] = read_vector_row(saved, ["maxAbs"])?;
        let mut model = MaxAbsScalerModel::new(max_abs);
        saved.read_params(&mut model.params)?;
        Ok(model)
    }
}

impl Configured for MaxAbsScalerModel {
    fn class(&self) -> &'static str {
        MaxAbsScalerModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let saved = SavedStage::of_params(MaxAbsScalerModel::CLASS, &self.params, version)?;
        Ok(saved.with_table("data", vector_row(&[("maxAbs", &self.max_abs)])))
    }
}

impl Transformer for MaxAbsScalerModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        let max_abs = self.max_abs.to_dense();
        let map = match self.params.version() {
            SparkVersion::V2_4 => {
                Scaled::Divided(max_abs.iter().map(|&max| if max == 0.0 { 1.0 } else { max }).collect())
            }
            _ => Scaled::Multiplied(reciprocals(max_abs, 1.0)),
        };
        vector_map::bind(&self.params, input, Some(self.max_abs.size()), map)
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl From<MaxAbsScalerModel> for Stage {
    fn from(model: MaxAbsScalerModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

/// What is done with each slot.
enum Scaled {
    Divided(Vec<f64>),
    Multiplied(Vec<f64>),
}

impl VectorMap for Scaled {
    fn apply(&self, vectors: &VectorColumn<'_>) -> ArrayRef {
        match self {
            Scaled::Divided(by) => map_stored_slots(vectors, |slot, value| value / by[slot]),
            Scaled::Multiplied(by) => map_stored_slots(vectors, |slot, value| value * by[slot]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::RecordBatch;
    use ognivo_data::vector::{VectorBuilder, VectorRef};

    #[test]
    fn the_largest_value_divides_in_2_4_and_its_reciprocal_multiplies_later() {
        let mut vectors = VectorBuilder::new();
        vectors.push(VectorRef::Sparse { size: 4, indices: &[1, 3], values: &[5.0, 8.0] });
        let rows = RecordBatch::try_from_iter([("v", vectors.finish())]).unwrap();
        let mut model = MaxAbsScalerModel::new(Vector::Dense(vec![0.0, 3.0, 0.0, 0.0]));
        model.params.put(INPUT_COL, "v".to_owned());
        for (version, expected) in [(SparkVersion::V2_4, 5.0 / 3.0), (SparkVersion::V3_5, 5.0 * (1.0 / 3.0))] {
            model.params.set_version(version);
            let scaled = model.bind(&rows.schema()).unwrap().apply(rows.clone()).unwrap().rows;
            let scaled = VectorColumn::try_new(scaled.column(1)).unwrap().get(0).unwrap().to_owned();
            let expected = VectorRef::Sparse { size: 4, indices: &[1, 3], values: &[expected, 8.0] };
            assert_eq!(scaled.as_ref(), expected, "{version}");
        }
    }
}
