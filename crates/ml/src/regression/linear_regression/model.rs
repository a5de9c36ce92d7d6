//! The fitted model: predictions of rows, and its saved form.
//!
//! ```text
//! data/part-….parquet   one row: intercept double, coefficients vector, scale double (since 2.3)
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::column::ML_ATTR;
use ognivo_data::outcome::Outcome;
use ognivo_data::vector::{Vector, VectorBuilder, VectorColumn, vector_field};
use ognivo_data::version::SparkVersion;

use super::params::{PARAMS, check};
use super::summary::LinearRegressionTrainingSummary;
use crate::columns::{append_columns, with_columns};
use crate::linear::features_column::FeaturesColumn;
use crate::linear::linear_model::LinearModel;
use crate::linear::params::PREDICTION_COL;
use crate::param::Params;
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Stage, StageError, Transformer};

/// A fitted linear regression. Appends the predicted number; an empty column name leaves it out.
///
/// Features are vectors of [`n_features`](LinearRegressionModel::n_features) slots; a row whose vector is null or of another size
/// is rejected. NaN in a feature gives NaN.
///
/// Same as Spark 2.4, 3.5 and 4.3. Differs from Spark: the last bit of a prediction may differ, since Spark's BLAS sums in another
/// order and may contract products and sums.
#[derive(Debug, Clone)]
pub struct LinearRegressionModel {
    pub(super) params: Params,
    coefficients: Vector,
    intercept: f64,
    scale: f64,
    pub(super) summary: Option<Arc<LinearRegressionTrainingSummary>>,
}

impl LinearRegressionModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.regression.LinearRegressionModel";

    /// A model of these numbers; `scale` is 1 but under the huber loss.
    pub fn new(coefficients: Vector, intercept: f64, scale: f64) -> LinearRegressionModel {
        let params = Params::new("LinearRegression", PARAMS);
        LinearRegressionModel { params, coefficients, intercept, scale, summary: None }
    }

    /// One coefficient per feature.
    pub fn coefficients(&self) -> &Vector {
        &self.coefficients
    }

    /// What a row of zeros is predicted to have.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The scale of errors that the huber loss found; 1 under the squared error.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Size of the feature vectors.
    pub fn n_features(&self) -> usize {
        self.coefficients.size()
    }

    /// How the fit went; `None` for a model that was loaded.
    pub fn summary(&self) -> Option<&LinearRegressionTrainingSummary> {
        self.summary.as_deref()
    }

    pub(super) fn linear_model(&self) -> LinearModel {
        LinearModel::of_vector(&self.coefficients, self.intercept)
    }
}

// ---- transformer ----------------------------------------------------------------------------------------------------

/// The column that a model adds; none when its name is empty.
pub(super) fn output_fields(params: &Params) -> Option<Field> {
    let name = params.get(PREDICTION_COL);
    let field = (!name.is_empty()).then(|| Field::new(name, DataType::Float64, false));
    // Later versions attach attributes that say nothing.
    let attributes = || HashMap::from([(ML_ATTR.to_owned(), "{}".to_owned())]);
    if params.version() > SparkVersion::V2_4 { field.map(|field| field.with_metadata(attributes())) } else { field }
}

struct BoundModel {
    features: FeaturesColumn,
    model: LinearModel,
    has_prediction: bool,
    schema: SchemaRef,
}

impl Transformer for LinearRegressionModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        check(&self.params)?;
        let prediction = output_fields(&self.params);
        Ok(Box::new(BoundModel {
            features: FeaturesColumn::find(&self.params, self.n_features(), input)?,
            model: self.linear_model(),
            has_prediction: prediction.is_some(),
            schema: with_columns(self.params.uid(), input, prediction)?,
        }))
    }

    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl BoundModel {
    /// The rows with the prediction; every vector is there and of the right size.
    fn score(&self, rows: &RecordBatch) -> Result<RecordBatch, StageError> {
        if !self.has_prediction {
            return Ok(append_columns(&self.schema, rows, None));
        }
        let predictions = Float64Array::from(self.model.margins(&self.features.vectors(rows)?));
        Ok(append_columns(&self.schema, rows, [Arc::new(predictions) as ArrayRef]))
    }
}

impl BoundStage for BoundModel {
    fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn apply(&self, rows: RecordBatch) -> Result<Outcome, StageError> {
        self.features.apply(rows, |rows| self.score(rows))
    }
}

impl From<LinearRegressionModel> for Stage {
    fn from(model: LinearRegressionModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

// ---- saved form -----------------------------------------------------------------------------------------------------

impl Configured for LinearRegressionModel {
    fn class(&self) -> &'static str {
        LinearRegressionModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let saved = SavedStage::of_params(LinearRegressionModel::CLASS, &self.params, version)?;
        Ok(saved.with_table("data", self.data_table()))
    }
}

impl LinearRegressionModel {
    /// `intercept, coefficients, scale`, one row.
    fn data_table(&self) -> RecordBatch {
        let number = |name: &str| Field::new(name, DataType::Float64, false);
        let schema = Schema::new(vec![number("intercept"), vector_field("coefficients"), number("scale")]);
        let mut coefficients = VectorBuilder::new();
        coefficients.push(self.coefficients.as_ref());
        let column = |value: f64| Arc::new(Float64Array::from(vec![value])) as ArrayRef;
        let columns = vec![column(self.intercept), coefficients.finish(), column(self.scale)];
        RecordBatch::try_new(Arc::new(schema), columns).expect("the columns have the types of the schema")
    }

    /// The model that `saved` describes. Spark 2.2 and earlier wrote no `scale`, which is 1 then.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter, or a missing or wrong column.
    pub fn from_saved(saved: &SavedStage) -> Result<LinearRegressionModel, SavedError> {
        let table = saved.table("data")?;
        let column = |name: &str| {
            let column = table.column_by_name(name).filter(|column| !column.is_empty());
            column.ok_or_else(|| saved.fault(name, "the column is missing or has no row".to_owned()))
        };
        let number = |name: &str| {
            let numbers = column(name)?.as_primitive_opt::<Float64Type>().filter(|numbers| numbers.is_valid(0));
            let number = numbers.map(|numbers| numbers.value(0));
            number.ok_or_else(|| saved.fault(name, "not a double".to_owned()))
        };
        let name = "coefficients";
        let vectors = VectorColumn::try_new(column(name)?).map_err(|error| saved.fault(name, error.to_string()))?;
        let coefficients = vectors.get(0).ok_or_else(|| saved.fault(name, "the vector is null".to_owned()))?;
        let scale = match table.column_by_name("scale") {
            Some(_) => number("scale")?,
            None => 1.0,
        };
        let mut model = LinearRegressionModel::new(coefficients.to_owned(), number("intercept")?, scale);
        saved.read_params(&mut model.params)?;
        Ok(model)
    }
}
