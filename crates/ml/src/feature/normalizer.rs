//! `Normalizer`: every vector to norm 1.

use arrow_array::ArrayRef;
use arrow_schema::SchemaRef;
use ognivo_data::vector::{VectorBuilder, VectorColumn, VectorRef};
use ognivo_data::version::SparkVersion;

use super::vector_map::{self, VectorMap};
use crate::columns::{INPUT_COL, INPUT_COL_SPEC, OUTPUT_COL, OUTPUT_COL_SPEC};
use crate::param::{Key, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Stage, StageError, Transformer};

const P: Key<f64> = Key::new("p");

static PARAMS: &[ParamSpec] = &[
    INPUT_COL_SPEC,
    OUTPUT_COL_SPEC,
    ParamSpec::new("p", ParamKind::Double, "which norm: (Σ|x|^p)^(1/p), or the largest |x| for Inf")
        .double(2.0)
        .range(Range::AtLeast(1.0)),
];

/// Divides every vector by its norm; a vector of norm 0 stays as it is.
///
/// Sparse vectors stay sparse, vectors may differ in size. A row whose vector is null is rejected.
///
/// Same as Spark: a NaN makes the whole vector NaN, except with `p` = Inf, where NaN is passed over. Differs from Spark: for
/// `p` other than 1, 2 and Inf the last bit may differ, since powers are not rounded in the same way everywhere.
#[derive(Debug, Clone)]
pub struct Normalizer {
    params: Params,
}

impl Default for Normalizer {
    fn default() -> Normalizer {
        Normalizer::new()
    }
}

impl Normalizer {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.feature.Normalizer";

    /// A stage with Spark's default, the Euclidean norm; a column must be named.
    pub fn new() -> Normalizer {
        Normalizer { params: Params::new("Normalizer", PARAMS) }
    }

    /// The vector column to normalise.
    pub fn input_col(mut self, name: impl Into<String>) -> Normalizer {
        self.params.put(INPUT_COL, name.into());
        self
    }

    /// The column of vectors of norm 1; `<uid>__output` when not named.
    pub fn output_col(mut self, name: impl Into<String>) -> Normalizer {
        self.params.put(OUTPUT_COL, name.into());
        self
    }

    /// Which norm: at least 1, and infinity for the largest absolute value.
    pub fn p(mut self, p: f64) -> Normalizer {
        self.params.put(P, p);
        self
    }

    /// A stage from its directory.
    ///
    /// # Errors
    /// [`SavedError`] for parameters that it does not have.
    pub fn from_saved(saved: &SavedStage) -> Result<Normalizer, SavedError> {
        let mut stage = Normalizer::new();
        saved.read_params(&mut stage.params)?;
        Ok(stage)
    }
}

impl Configured for Normalizer {
    fn class(&self) -> &'static str {
        Normalizer::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(Normalizer::CLASS, &self.params, version)
    }
}

impl Transformer for Normalizer {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        vector_map::bind(&self.params, input, None, Normalised { p: self.params.get(P) })
    }
    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl From<Normalizer> for Stage {
    fn from(stage: Normalizer) -> Stage {
        Stage::Transformer(Box::new(stage))
    }
}

struct Normalised {
    p: f64,
}

impl VectorMap for Normalised {
    fn apply(&self, vectors: &VectorColumn<'_>) -> ArrayRef {
        let mut normalised = VectorBuilder::new();
        let mut values = Vec::new();
        for vector in vectors.iter().flatten() {
            let stored = match vector {
                VectorRef::Dense(stored) => stored,
                VectorRef::Sparse { values: stored, .. } => stored,
            };
            let norm = norm(stored, self.p);
            let divisor = if norm == 0.0 { 1.0 } else { norm };
            values.clear();
            values.extend(stored.iter().map(|value| value / divisor));
            normalised.push(match vector {
                VectorRef::Dense(_) => VectorRef::Dense(&values),
                VectorRef::Sparse { size, indices, .. } => VectorRef::Sparse { size, indices, values: &values },
            });
        }
        normalised.finish()
    }
}

/// The `p`-norm, summed in the order of the slots, as Spark's `Vectors.norm` sums it.
fn norm(values: &[f64], p: f64) -> f64 {
    let sum = |term: fn(f64) -> f64| values.iter().fold(0.0, |sum, &value| sum + term(value));
    match p {
        1.0 => sum(f64::abs),
        2.0 => sum(|value| value * value).sqrt(),
        // A comparison with NaN is false, so that NaN is passed over.
        f64::INFINITY => {
            values.iter().fold(0.0, |largest, value| if value.abs() > largest { value.abs() } else { largest })
        }
        p => values.iter().fold(0.0, |sum, value| sum + value.abs().powf(p)).powf(1.0 / p),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::RecordBatch;
    use ognivo_data::fault::Explain;

    #[test]
    fn vectors_may_differ_in_size_and_keep_their_form() {
        let mut vectors = VectorBuilder::new();
        vectors.push(VectorRef::Dense(&[3.0, -4.0]));
        vectors.push(VectorRef::Sparse { size: 100, indices: &[7, 8], values: &[0.0, -2.0] });
        vectors.push(VectorRef::Dense(&[]));
        let rows = RecordBatch::try_from_iter([("v", vectors.finish())]).unwrap();
        let stage = Normalizer::new().input_col("v");
        let rows = stage.bind(&rows.schema()).unwrap().apply(rows).unwrap().rows;
        let vectors = VectorColumn::try_new(rows.column(1)).unwrap();
        assert_eq!(vectors.get(0), Some(VectorRef::Dense(&[0.6, -0.8])));
        assert_eq!(vectors.get(1), Some(VectorRef::Sparse { size: 100, indices: &[7, 8], values: &[0.0, -1.0] }));
        assert_eq!(vectors.get(2), Some(VectorRef::Dense(&[])));
    }

    #[test]
    fn a_norm_below_one_is_refused() {
        let stage = Normalizer::new().input_col("v").p(0.5);
        let schema = arrow_schema::Schema::new(vec![ognivo_data::vector::vector_field("v")]);
        let error = stage.bind(&schema.into()).err().unwrap();
        assert_eq!(error.to_string(), format!("stage `{}`: `p` must be at least 1: 0.5", stage.uid()));
        assert_eq!(error.fault(), ognivo_data::fault::Fault::Job);
    }
}
