//! `RobustScaler`: every slot of a vector by the range between two quantiles, and around the median where asked.
//!
//! ```text
//! data/part-….parquet   one row: range vector, median vector
//! ```

use arrow_schema::SchemaRef;
use ognivo_data::dataset::Dataset;
use ognivo_data::vector::{Vector, VectorColumn};
use ognivo_data::version::SparkVersion;
use serde::{Deserialize, Serialize};

use super::shift_and_scale::ShiftAndScale;
use super::vector_map::{self, reciprocals};
use super::vector_pass::{VectorStatistic, gather_into};
use super::vector_row::{read_vector_row, stored, vector_row};
use super::{RELATIVE_ERROR, RELATIVE_ERROR_SPEC};
use crate::columns::{INPUT_COL, INPUT_COL_SPEC, OUTPUT_COL, OUTPUT_COL_SPEC};
use crate::param::{Key, ParamError, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Estimator, FitError, Stage, StageError, Transformer};
use crate::stat::{PartitionSketches, QuantileSummaries, WrongSize};

const LOWER: Key<f64> = Key::new("lower");
const UPPER: Key<f64> = Key::new("upper");
const WITH_CENTERING: Key<bool> = Key::new("withCentering");
const WITH_SCALING: Key<bool> = Key::new("withScaling");

static PARAMS: &[ParamSpec] = &[
    INPUT_COL_SPEC,
    ParamSpec::new("lower", ParamKind::Double, "quantile at which the range begins; below upper")
        .double(0.25)
        .range(Range::Inside(0.0, 1.0)),
    OUTPUT_COL_SPEC,
    RELATIVE_ERROR_SPEC,
    ParamSpec::new("upper", ParamKind::Double, "quantile at which the range ends")
        .double(0.75)
        .range(Range::Inside(0.0, 1.0)),
    ParamSpec::new("withCentering", ParamKind::Boolean, "whether to subtract the median; the vectors become dense")
        .boolean(false),
    ParamSpec::new("withScaling", ParamKind::Boolean, "whether to divide by the range").boolean(true),
];

/// Learns the median of every slot of a vector column, and the range between two quantiles, from approximate quantiles.
///
/// Same as Spark (3.0 and later; 2.4 has no such stage): NaN is passed over, and a zero that is not stored counts.
/// Differs from Spark: with more than 1,000 slots and more than two partitions, those are merged in their order (there by
/// hash codes); with more than 1,000 slots in one partition Spark fails.
#[derive(Debug, Clone)]
pub struct RobustScaler {
    params: Params,
}

impl Default for RobustScaler {
    fn default() -> RobustScaler {
        RobustScaler::new()
    }
}

impl RobustScaler {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.RobustScaler";

    /// A scaler with Spark's defaults: by the range of the middle half, without the median; a column must be named.
    pub fn new() -> RobustScaler {
        RobustScaler { params: Params::new("RobustScaler", PARAMS) }
    }

    /// The vector column to scale.
    pub fn input_col(mut self, name: impl Into<String>) -> RobustScaler {
        self.params.put(INPUT_COL, name.into());
        self
    }

    /// The column of scaled vectors; `<uid>__output` when not named.
    pub fn output_col(mut self, name: impl Into<String>) -> RobustScaler {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// The quantile at which the range begins.
    pub fn lower(mut self, lower: f64) -> RobustScaler {
        self.params.put(LOWER, lower);
        self
    }

    /// The quantile at which the range ends.
    pub fn upper(mut self, upper: f64) -> RobustScaler {
        self.params.put(UPPER, upper);
        self
    }

    /// Whether the model subtracts the median.
    pub fn with_centering(mut self, with_centering: bool) -> RobustScaler {
        self.params.put(WITH_CENTERING, with_centering);
        self
    }

    /// Whether the model divides by the range.
    pub fn with_scaling(mut self, with_scaling: bool) -> RobustScaler {
        self.params.put(WITH_SCALING, with_scaling);
        self
    }

    /// How far from the rank that is asked for a quantile's rank may be, as a share of the rows.
    pub fn relative_error(mut self, relative_error: f64) -> RobustScaler {
        self.params.put(RELATIVE_ERROR, relative_error);
        self
    }

    /// Learns from all vectors in one pass.
    ///
    /// # Errors
    /// [`FitError`] for a wrong column or range, a null vector, vectors of different sizes, a slot that is NaN in all rows,
    /// and no rows.
    pub fn fit(&self, data: &Dataset) -> Result<RobustScalerModel, FitError> {
        Estimator::output_schema(self, data.schema())?;
        let seen = gather_into(SlotSketches::new(self.params.get(RELATIVE_ERROR)), &self.params, data)?;
        let version = self.params.version();
        let (mut ranges, mut medians) = (Vec::new(), Vec::new());
        for (slot, sketch) in seen.sketches.merged_in_line(version).iter().enumerate() {
            let (range, median) = self.range_and_median(sketch).ok_or_else(|| self.no_numbers(slot))?;
            ranges.push(range);
            medians.push(median);
        }
        let mut model = RobustScalerModel::new(stored(&ranges, version), stored(&medians, version));
        model.params.inherit(&self.params);
        Ok(model)
    }

    /// What one slot is scaled by, and its median; `None` without numbers.
    fn range_and_median(&self, sketch: &QuantileSummaries) -> Option<(f64, f64)> {
        // One by one, as Spark asks: a list of shares can be answered otherwise.
        let quantile = |share: f64| Some(sketch.query(&[share])?[0]);
        Some((quantile(self.params.get(UPPER))? - quantile(self.params.get(LOWER))?, quantile(0.5)?))
    }

    fn no_numbers(&self, slot: usize) -> FitError {
        let column = self.params.find(INPUT_COL).unwrap_or_default();
        let reason = format!("slot {slot} of `{column}` is NaN in every row");
        FitError::Unlearnable { uid: self.uid().clone(), reason, hint: None }
    }

    /// A scaler from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have.
    pub fn from_saved(saved: &SavedStage) -> Result<RobustScaler, SavedError> {
        let mut stage = RobustScaler::new();
        saved.read_params(&mut stage.params)?;
        Ok(stage)
    }
}

/// That the range of quantiles that `params` ask for is one.
fn check_range(params: &Params) -> Result<(), ParamError> {
    let (lower, upper) = (params.get(LOWER), params.get(UPPER));
    if lower < upper {
        return Ok(());
    }
    let reason = format!("lower must be below upper: {lower} and {upper}");
    Err(ParamError::Conflict { uid: params.uid().clone(), reason })
}

/// What the directory says, but for tables: there is none in 2.4.
fn saved_as(class: &str, params: &Params, version: SparkVersion) -> Result<SavedStage, SavedError> {
    let saved = SavedStage::of_params(class, params, version)?;
    match version {
        SparkVersion::V2_4 => Err(saved.fault("class", format!("Spark {version} has no RobustScaler"))),
        _ => Ok(saved),
    }
}

impl Configured for RobustScaler {
    fn class(&self) -> &'static str {
        RobustScaler::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        saved_as(RobustScaler::CLASS, &self.params, version)
    }
}

impl Estimator for RobustScaler {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        check_range(&self.params)?;
        vector_map::output_schema(&self.params, input, None)
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(RobustScaler::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<RobustScaler> for Stage {
    fn from(stage: RobustScaler) -> Stage {
        Stage::Estimator(Box::new(stage))
    }
}

/// A sketch of every slot of vectors.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct SlotSketches {
    n_rows: u64,
    /// Size of the vectors, once one was seen.
    n_slots: Option<usize>,
    sketches: PartitionSketches,
}

impl SlotSketches {
    fn new(relative_error: f64) -> SlotSketches {
        SlotSketches { n_rows: 0, n_slots: None, sketches: PartitionSketches::new(0, relative_error) }
    }

    fn expect_size(&mut self, found: usize) -> Result<(), WrongSize> {
        match self.n_slots {
            Some(expected) if expected != found => Err(WrongSize { expected, found }),
            Some(_) => Ok(()),
            None => {
                self.n_slots = Some(found);
                self.sketches.grow(found);
                Ok(())
            }
        }
    }
}

impl VectorStatistic for SlotSketches {
    fn add_all(&mut self, vectors: &VectorColumn<'_>) -> Result<(), WrongSize> {
        if let Some(block) = vectors.dense_block() {
            let n_slots = block.n_features;
            self.expect_size(n_slots)?;
            self.n_rows += block.n_rows as u64;
            for slot in 0..n_slots {
                self.sketches.add(slot, block.values.iter().skip(slot).step_by(n_slots).copied());
            }
            return Ok(());
        }
        let mut row = Vec::new();
        for vector in vectors.iter().flatten() {
            self.expect_size(vector.size())?;
            self.n_rows += 1;
            row.clear();
            row.resize(vector.size(), 0.0);
            vector.write_dense(&mut row);
            row.iter().enumerate().for_each(|(slot, &value)| self.sketches.add(slot, [value].into_iter()));
        }
        Ok(())
    }

    fn merge(&mut self, later: SlotSketches) -> Result<(), WrongSize> {
        if let Some(n_slots) = later.n_slots {
            self.expect_size(n_slots)?;
        }
        self.n_rows += later.n_rows;
        self.sketches.merge(later.sketches);
        Ok(())
    }

    fn finish_partition(&mut self, partition: usize) {
        self.sketches.finish_partition(partition);
    }

    fn shape(&self) -> (u64, usize) {
        (self.n_rows, self.n_slots.unwrap_or(0))
    }
}

/// Scales every slot: `(x − median) · (1 / range)`, with 0 in place of the reciprocal of a range of 0.
///
/// Sparse vectors stay sparse, unless the median is subtracted. A row whose vector is null or of another size than the
/// model's is rejected.
///
/// Same as Spark. Differs from Spark: a vector of another size is rejected (Spark lets shorter ones pass); with neither
/// median nor range null and other sizes are rejected too (Spark passes everything on); a column whose attributes tell
/// another size is refused before the first row.
#[derive(Debug, Clone)]
pub struct RobustScalerModel {
    params: Params,
    range: Vector,
    median: Vector,
}

impl RobustScalerModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.RobustScalerModel";

    /// The model of these numbers, one of each per slot.
    ///
    /// # Panics
    /// When there are not as many ranges as medians.
    pub fn new(range: Vector, median: Vector) -> RobustScalerModel {
        assert_eq!(range.size(), median.size(), "every slot has a range and a median");
        RobustScalerModel { params: Params::new("RobustScaler", PARAMS), range, median }
    }

    /// The upper quantile less the lower one, of each slot.
    pub fn range(&self) -> &Vector {
        &self.range
    }

    /// The median of each slot.
    pub fn median(&self) -> &Vector {
        &self.median
    }

    /// A model from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have, and for a table that is not one row of two vectors of one size.
    pub fn from_saved(saved: &SavedStage) -> Result<RobustScalerModel, SavedError> {
        let [range, median] = read_vector_row(saved, ["range", "median"])?;
        let mut model = RobustScalerModel::new(range, median);
        saved.read_params(&mut model.params)?;
        Ok(model)
    }
}

impl Configured for RobustScalerModel {
    fn class(&self) -> &'static str {
        RobustScalerModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let saved = saved_as(RobustScalerModel::CLASS, &self.params, version)?;
        Ok(saved.with_table("data", vector_row(&[("range", &self.range), ("median", &self.median)])))
    }
}

impl Transformer for RobustScalerModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        check_range(&self.params)?;
        let is_used = |key, numbers: &Vector| self.params.get::<bool>(key).then(|| numbers.to_dense());
        let map = ShiftAndScale {
            shift: is_used(WITH_CENTERING, &self.median),
            scale: is_used(WITH_SCALING, &self.range).map(|range| reciprocals(range, 0.0)),
            ignores_constants: false,
        };
        vector_map::bind(&self.params, input, Some(self.median.size()), map)
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl From<RobustScalerModel> for Stage {
    fn from(model: RobustScalerModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::RecordBatch;
    use ognivo_data::dataset::LocalExecutor;
    use ognivo_data::vector::{VectorBuilder, VectorRef};

    fn data(vectors: &[&[f64]]) -> Dataset {
        let mut builder = VectorBuilder::new();
        vectors.iter().for_each(|values| builder.push(VectorRef::Dense(values)));
        let rows = RecordBatch::try_from_iter_with_nullable([("v", builder.finish(), true)]).unwrap();
        Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::single_threaded()))
    }

    fn scaler() -> RobustScaler {
        RobustScaler::new().input_col("v")
    }

    #[test]
    fn nan_is_passed_over_and_infinities_are_numbers() {
        let rows: &[&[f64]] =
            &[&[f64::NAN, 1.0], &[3.0, f64::INFINITY], &[1.0, -f64::INFINITY], &[2.0, 2.0], &[9.0, 3.0]];
        let model = scaler().lower(0.1).upper(0.9).fit(&data(rows)).unwrap();
        assert_eq!((model.range().to_dense(), model.median().to_dense()), (vec![8.0, f64::INFINITY], vec![2.0, 2.0]));
    }

    #[track_caller]
    fn check_refused(scaler: RobustScaler, vectors: &[&[f64]], expected: &str) {
        let error = scaler.fit(&data(vectors)).unwrap_err();
        assert_eq!(error.to_string(), format!("stage `{}`: {expected}", scaler.uid()));
    }

    #[test]
    fn what_has_no_range_or_no_median_is_refused() {
        check_refused(scaler().lower(0.6).upper(0.6), &[&[1.0]], "lower must be below upper: 0.6 and 0.6");
        check_refused(scaler().lower(0.0), &[&[1.0]], "`lower` must be above 0 and below 1: 0.0");
        check_refused(scaler(), &[&[1.0, f64::NAN]], "slot 1 of `v` is NaN in every row");
        check_refused(scaler(), &[], "there are no rows to learn from");
        let sizes = "the vectors of `v` have different sizes: a vector of size 1 among vectors of size 2";
        check_refused(scaler(), &[&[1.0, 2.0], &[1.0]], sizes);
    }

    #[test]
    fn the_layout_of_2_4_has_no_such_stage() {
        let error = scaler().to_saved(SparkVersion::V2_4).unwrap_err();
        assert_eq!((error.field.as_str(), error.reason.as_str()), ("class", "Spark 2.4 has no RobustScaler"));
        assert!(scaler().fit(&data(&[&[1.0]])).unwrap().to_saved(SparkVersion::V2_4).is_err());
    }
}
