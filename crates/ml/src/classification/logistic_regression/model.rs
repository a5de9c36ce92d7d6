//! The fitted model: margins, probabilities and predictions of rows, and its saved form.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, Int32Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::column::{AttributeGroup, ML_ATTR};
use ognivo_data::matrix::{Matrix, matrix_at, matrix_column, matrix_field};
use ognivo_data::outcome::Outcome;
use ognivo_data::vector::{Vector, VectorBuilder, VectorColumn, dense_column, vector_field};
use ognivo_data::version::SparkVersion;

use super::params::{
    PARAMS, PREDICTION_COL, PROBABILITY_COL, RAW_PREDICTION_COL, THRESHOLDS, binary_threshold, check,
    check_n_thresholds,
};
use super::problem::MAX_CLASSES;
use super::scorer::Decision;
use super::summary::{LogisticRegressionTrainingSummary, Scoring};
use crate::columns::{append_columns, with_columns};
use crate::linear::features_column::FeaturesColumn;
use crate::linear::linear_model::LinearModel;
use crate::param::{Key, Params};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Stage, StageError, Transformer};

/// A fitted logistic regression. Appends raw predictions, probabilities and the predicted label, in this order; an empty
/// column name leaves a column out.
///
/// Features are vectors of [`n_features`](LogisticRegressionModel::n_features) slots; a row whose vector is null or of another
/// size is rejected. NaN in a feature gives NaN margins and label 0.
///
/// Same as Spark 2.4, 3.5 and 4.3, where 2.4 computes both probabilities of a binary model apart (they may miss 1 by an ulp).
/// Differs from Spark: the last bit of a margin may differ, since Spark's BLAS may contract products and sums.
#[derive(Debug, Clone)]
pub struct LogisticRegressionModel {
    pub(super) params: Params,
    coefficients: Matrix,
    intercepts: Vector,
    n_classes: usize,
    is_multinomial: bool,
    pub(super) summary: Option<Arc<LogisticRegressionTrainingSummary>>,
}

impl LogisticRegressionModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.classification.LogisticRegressionModel";

    /// A model of these numbers: a binomial one has 1 row of coefficients and 1 intercept, a multinomial one of each per class.
    ///
    /// `None` when the shapes do not fit each other.
    pub fn new(
        coefficients: Matrix,
        intercepts: Vector,
        n_classes: usize,
        is_multinomial: bool,
    ) -> Option<LogisticRegressionModel> {
        let n_sets = if is_multinomial { n_classes } else { 1 };
        let fits = coefficients.n_rows() == n_sets && intercepts.size() == n_sets && n_sets > 0;
        let params = Params::new("LogisticRegression", PARAMS);
        fits.then_some(LogisticRegressionModel {
            params,
            coefficients,
            intercepts,
            n_classes,
            is_multinomial,
            summary: None,
        })
    }

    /// Coefficients by rows: `n_sets × n_features`, stored dense or sparse as Spark's `compressed` chooses.
    pub fn coefficient_matrix(&self) -> &Matrix {
        &self.coefficients
    }

    /// One intercept per set of coefficients.
    pub fn intercept_vector(&self) -> &Vector {
        &self.intercepts
    }

    /// The coefficients of a binomial model; `None` for a multinomial one.
    pub fn coefficients(&self) -> Option<Vec<f64>> {
        (!self.is_multinomial).then(|| self.coefficients.to_row_major())
    }

    /// The intercept of a binomial model; `None` for a multinomial one.
    pub fn intercept(&self) -> Option<f64> {
        (!self.is_multinomial).then(|| self.intercepts.to_dense()[0])
    }

    /// Size of the feature vectors.
    pub fn n_features(&self) -> usize {
        self.coefficients.n_cols()
    }

    /// How many labels there are.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Whether there is a set of coefficients per class.
    pub fn is_multinomial(&self) -> bool {
        self.is_multinomial
    }

    /// How the fit went; `None` for a model that was loaded.
    pub fn summary(&self) -> Option<&LogisticRegressionTrainingSummary> {
        self.summary.as_deref()
    }

    pub(super) fn scoring(&self) -> Scoring {
        let model = LinearModel::new(&self.coefficients, &self.intercepts.to_dense());
        Scoring::new(self.params.version(), model, self.decision())
    }

    fn decision(&self) -> Decision {
        let version = self.params.version();
        if self.is_multinomial {
            Decision::multinomial(version, self.n_classes, self.params.find(THRESHOLDS))
        } else {
            Decision::binomial(version, binary_threshold(&self.params))
        }
    }
}

// ---- transformer ----------------------------------------------------------------------------------------------------

/// The columns that a model adds, those with an empty name left out.
pub(super) fn output_fields(params: &Params, n_classes: Option<usize>) -> Vec<Field> {
    let has_attributes = params.version() > SparkVersion::V2_4;
    let n_classes = n_classes.filter(|_| has_attributes);
    let of_vector = |key: Key<String>| {
        let field = vector_field(params.get(key));
        n_classes.map_or(field.clone(), |n_classes| AttributeGroup::of_size(n_classes).attach(field))
    };
    let prediction = Field::new(params.get(PREDICTION_COL), DataType::Float64, false);
    let prediction = match n_classes {
        None => prediction,
        Some(n_classes) => {
            let attribute = format!(r#"{{"num_vals":{n_classes},"type":"nominal"}}"#);
            prediction.with_metadata(HashMap::from([(ML_ATTR.to_owned(), attribute)]))
        }
    };
    let fields = [of_vector(RAW_PREDICTION_COL), of_vector(PROBABILITY_COL), prediction];
    fields.into_iter().filter(|field| !field.name().is_empty()).collect()
}

struct BoundModel {
    features: FeaturesColumn,
    model: LinearModel,
    decision: Decision,
    outputs: Outputs,
    schema: SchemaRef,
}

/// Which columns are asked for.
struct Outputs {
    raw: bool,
    probability: bool,
    prediction: bool,
}

impl Transformer for LogisticRegressionModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        let params = &self.params;
        check(params)?;
        check_n_thresholds(params, self.n_classes, self.is_multinomial)?;
        let features = FeaturesColumn::find(params, self.n_features(), input)?;
        let is_named = |key| !params.get::<String>(key).is_empty();
        Ok(Box::new(BoundModel {
            features,
            model: LinearModel::new(&self.coefficients, &self.intercepts.to_dense()),
            decision: self.decision(),
            outputs: Outputs {
                raw: is_named(RAW_PREDICTION_COL),
                probability: is_named(PROBABILITY_COL),
                prediction: is_named(PREDICTION_COL),
            },
            schema: with_columns(params.uid(), input, output_fields(params, Some(self.n_classes)))?,
        }))
    }

    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl BoundModel {
    /// The rows with the model's columns; every vector is there and of the right size.
    fn score(&self, rows: &RecordBatch) -> Result<RecordBatch, StageError> {
        let Outputs { raw, probability, prediction } = self.outputs;
        let (decision, n_rows) = (&self.decision, rows.num_rows());
        let margins = self.model.margins(&self.features.vectors(rows)?);
        let probabilities = probability.then(|| decision.probabilities(&margins));
        let labels = prediction.then(|| match &probabilities {
            _ if raw => decision.labels_of_margins(&margins),
            Some(probabilities) => decision.labels_of_probabilities(probabilities),
            None => decision.labels_alone(&margins),
        });
        let vector = |values| dense_column(values, n_rows, decision.n_classes());
        let raw = raw.then(|| vector(decision.raw(&margins)));
        let labels = labels.map(|labels| Arc::new(Float64Array::from(labels)) as ArrayRef);
        let added = [raw, probabilities.map(vector), labels];
        Ok(append_columns(&self.schema, rows, added.into_iter().flatten()))
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

impl From<LogisticRegressionModel> for Stage {
    fn from(model: LogisticRegressionModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

// ---- saved form -----------------------------------------------------------------------------------------------------

impl Configured for LogisticRegressionModel {
    fn class(&self) -> &'static str {
        LogisticRegressionModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let saved = SavedStage::of_params(LogisticRegressionModel::CLASS, &self.params, version)?;
        Ok(saved.with_table("data", self.data_table()))
    }
}

impl LogisticRegressionModel {
    /// `numClasses, numFeatures, interceptVector, coefficientMatrix, isMultinomial`, one row.
    fn data_table(&self) -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("numClasses", DataType::Int32, false),
            Field::new("numFeatures", DataType::Int32, false),
            vector_field("interceptVector"),
            matrix_field("coefficientMatrix"),
            Field::new("isMultinomial", DataType::Boolean, false),
        ]);
        let count = |n: usize| Arc::new(Int32Array::from(vec![n as i32])) as ArrayRef;
        let mut intercepts = VectorBuilder::new();
        intercepts.push(self.intercepts.as_ref());
        let columns = vec![
            count(self.n_classes),
            count(self.n_features()),
            intercepts.finish(),
            matrix_column(std::slice::from_ref(&self.coefficients)),
            Arc::new(BooleanArray::from(vec![self.is_multinomial])),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).expect("the columns have the types of the schema")
    }

    /// The model that `saved` describes.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter, a missing column, or numbers that do not fit each other.
    pub fn from_saved(saved: &SavedStage) -> Result<LogisticRegressionModel, SavedError> {
        let table = saved.table("data")?;
        let column = |name: &str| {
            let column = table.column_by_name(name).filter(|column| !column.is_empty());
            column.ok_or_else(|| saved.fault(name, "the column is missing or has no row".to_owned()))
        };
        let count = |name: &str| {
            let counts = column(name)?.as_primitive_opt::<Int32Type>().filter(|counts| counts.is_valid(0));
            let count = counts.and_then(|counts| usize::try_from(counts.value(0)).ok());
            count.ok_or_else(|| saved.fault(name, "not a count".to_owned()))
        };
        let vector = |name: &str| {
            let rows = column(name)?;
            let vectors = VectorColumn::try_new(rows).map_err(|error| saved.fault(name, error.to_string()))?;
            let vector = vectors.get(0).ok_or_else(|| saved.fault(name, "the vector is null".to_owned()))?;
            Ok::<_, SavedError>(vector.to_owned())
        };
        let (n_classes, n_features) = (count("numClasses")?, count("numFeatures")?);
        if n_classes as u64 > MAX_CLASSES {
            return Err(saved.fault("numClasses", format!("more than {MAX_CLASSES} classes: {n_classes}")));
        }
        let is_of_2_0 = table.column_by_name("coefficientMatrix").is_none();
        let (coefficients, intercepts, is_multinomial) = if is_of_2_0 {
            // Spark 2.0 and earlier: one vector of coefficients and one number.
            let coefficients = vector("coefficients")?.to_dense();
            let intercept = column("intercept")?.as_primitive_opt::<Float64Type>().map(|numbers| numbers.value(0));
            let intercept = intercept.ok_or_else(|| saved.fault("intercept", "not a double".to_owned()))?;
            (Matrix::from_row_major(1, coefficients.len(), coefficients), Vector::Dense(vec![intercept]), false)
        } else {
            let name = "coefficientMatrix";
            let matrix = matrix_at(column(name)?, 0).map_err(|error| saved.fault(name, error.to_string()))?;
            let flags = column("isMultinomial")?.as_boolean_opt().filter(|flags| flags.is_valid(0));
            let flags = flags.ok_or_else(|| saved.fault("isMultinomial", "not a boolean".to_owned()))?;
            (matrix, vector("interceptVector")?, flags.value(0))
        };
        if coefficients.n_cols() != n_features {
            let reason = format!("{} columns for {n_features} features", coefficients.n_cols());
            return Err(saved.fault("coefficientMatrix", reason));
        }
        let shape = format!("{} × {}", coefficients.n_rows(), coefficients.n_cols());
        let model = LogisticRegressionModel::new(coefficients, intercepts, n_classes, is_multinomial);
        let mut model = model.ok_or_else(|| {
            saved.fault("coefficientMatrix", format!("does not fit {n_classes} classes and the intercepts: {shape}"))
        })?;
        saved.read_params(&mut model.params)?;
        Ok(model)
    }
}
