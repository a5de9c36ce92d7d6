//! Linear regression: squared error or Huber loss, with L2, L1 or mixed penalty.
//!
//! A fit in order:
//!
//! 1. `linear::instances`: the rows are checked, reduced to features, label and weight, and kept for the passes to come;
//! 2. with the normal equation, `normal_sums` takes the sums of products of every two features in one pass (`gramian` is what
//!    makes it fast), and `normal_equation` solves it: by Cholesky's factor (`packed`), or by minimising `quadratic`;
//! 3. else `moments` takes mean and deviation of features and label in one pass, and `descent` minimises `squared_error` or
//!    `huber`, a `loss_pass` per evaluation.
//!
//! `model` applies the result, `summary` measures it.

mod descent;
mod gramian;
mod huber;
mod loss_pass;
mod model;
mod moments;
mod normal_equation;
mod normal_sums;
mod packed;
mod params;
mod quadratic;
mod scaling;
mod squared_error;
mod summary;

pub use model::LinearRegressionModel;
pub use summary::{LinearRegressionTrainingSummary, Performance};

use std::sync::{Arc, OnceLock};

use arrow_schema::SchemaRef;
use ognivo_data::dataset::Dataset;
use ognivo_data::vector::Vector;
use ognivo_data::version::SparkVersion;

use self::descent::Problem;
use self::model::output_fields;
use self::moments::Moments;
use self::normal_equation::{NormalEquation, label_moments, stored};
use self::normal_sums::{MAX_FEATURES, NormalSums};
use self::params::{EPSILON, LOSS, PARAMS, SOLVER, Solver, solver};
use crate::columns::with_columns;
use crate::instances::{Labels, check_columns, instances};
use crate::linear::checks::checks;
use crate::linear::params::{
    ELASTIC_NET_PARAM, FEATURES_COL, FIT_INTERCEPT, LABEL_COL, MAX_ITER, PREDICTION_COL, REG_PARAM, STANDARDIZATION,
    TOL, WEIGHT_COL,
};
use crate::param::Params;
use crate::saved::{SavedError, SavedStage};
use crate::stage::{Configured, Estimator, FitError, Stage, StageError, Transformer};
use crate::stat::WrongSize;

/// Linear regression by the normal equation, or step by step.
///
/// `solver` says which: `normal` (one pass, up to 4096 features, squared error only), `l-bfgs`, or `auto`, which takes the normal
/// equation where it can. With an L1 penalty, or when some features follow from others, the normal equation is minimised by a
/// quasi-Newton method, without further passes.
///
/// Same as Spark 2.4, 3.5 and 4.3: scaling, penalty, start, steps and stop of both solvers. `normal` scales by the deviation of the
/// population and `l-bfgs` by that of a sample, so that with a penalty they give different models, here as there. Labels that are
/// all the same give a model that predicts them, without training. 2.4 divides by deviations where later versions multiply, and
/// does not centre features for the huber loss.
/// Differs from Spark: `aggregationDepth` and `maxBlockSizeInMB` are kept and have no effect; sums run over chunks of rows of
/// fixed size, so the last bits differ; a fit that ends in NaN or an infinity is an error (Spark 2.4, which takes rows with NaN,
/// makes a model of it); empty vectors are refused.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Float64Array, RecordBatch};
/// # use ognivo_data::dataset::{Dataset, LocalExecutor};
/// # use ognivo_data::vector::dense_column;
/// use ognivo_ml::regression::LinearRegression;
/// # let features = dense_column(vec![50.0, 70.0, 90.0, 120.0], 4, 1);
/// # let prices = Arc::new(Float64Array::from(vec![101.0, 139.0, 181.0, 239.0])) as ArrayRef;
/// # let rows = RecordBatch::try_from_iter([("features", features), ("price", prices)])?;
/// # let houses = Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::default()));
/// let model = LinearRegression::new().label_col("price").fit(&houses)?;
/// println!("{:?} and {}", model.coefficients().to_dense(), model.intercept());
///
/// let performance = model.summary().expect("a fitted model has a summary").performance()?;
/// println!("r2 {}, p-values {:?}", performance.r2(), performance.p_values());
/// # assert!(performance.r2() > 0.99);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct LinearRegression {
    params: Params,
}

/// What a solver found.
struct Fitted {
    coefficients: Vector,
    intercept: f64,
    /// The scale of errors under the huber loss, else 1.
    scale: f64,
    objective_history: Vec<f64>,
    /// The diagonal of the inverse of `Σ w·x·xᵀ`, the intercept last; only Cholesky's factor gives it.
    inverse_diagonal: Option<Vec<f64>>,
}

impl Default for LinearRegression {
    fn default() -> LinearRegression {
        LinearRegression { params: Params::new("LinearRegression", PARAMS) }
    }
}

impl LinearRegression {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.regression.LinearRegression";

    /// With Spark's defaults: squared error, no penalty, the normal equation where it can be, columns `features` and `label`.
    pub fn new() -> LinearRegression {
        LinearRegression::default()
    }

    /// The column of feature vectors.
    pub fn features_col(mut self, name: &str) -> LinearRegression {
        self.params.put(FEATURES_COL, name.to_owned());
        self
    }

    /// The column of labels.
    pub fn label_col(mut self, name: &str) -> LinearRegression {
        self.params.put(LABEL_COL, name.to_owned());
        self
    }

    /// The column of weights.
    pub fn weight_col(mut self, name: &str) -> LinearRegression {
        self.params.put(WEIGHT_COL, name.to_owned());
        self
    }

    /// The column for predicted numbers; none when empty.
    pub fn prediction_col(mut self, name: &str) -> LinearRegression {
        self.params.put(PREDICTION_COL, name.to_owned());
        self
    }

    /// `auto`, `normal` or `l-bfgs`.
    pub fn solver(mut self, solver: &str) -> LinearRegression {
        self.params.put(SOLVER, solver.to_owned());
        self
    }

    /// `squaredError` or `huber`.
    pub fn loss(mut self, loss: &str) -> LinearRegression {
        self.params.put(LOSS, loss.to_owned());
        self
    }

    /// The huber loss counts errors beyond so many scales by their size; above 1.
    pub fn epsilon(mut self, epsilon: f64) -> LinearRegression {
        self.params.put(EPSILON, epsilon);
        self
    }

    /// The most iterations.
    pub fn max_iter(mut self, n: i32) -> LinearRegression {
        self.params.put(MAX_ITER, n);
        self
    }

    /// The weight of the penalty.
    pub fn reg_param(mut self, weight: f64) -> LinearRegression {
        self.params.put(REG_PARAM, weight);
        self
    }

    /// The share of L1 in the penalty; the rest is L2.
    pub fn elastic_net_param(mut self, share: f64) -> LinearRegression {
        self.params.put(ELASTIC_NET_PARAM, share);
        self
    }

    /// The convergence tolerance.
    pub fn tol(mut self, tolerance: f64) -> LinearRegression {
        self.params.put(TOL, tolerance);
        self
    }

    /// Whether to fit an intercept.
    pub fn fit_intercept(mut self, yes: bool) -> LinearRegression {
        self.params.put(FIT_INTERCEPT, yes);
        self
    }

    /// Whether the penalty sees features of unit deviation.
    pub fn standardization(mut self, yes: bool) -> LinearRegression {
        self.params.put(STANDARDIZATION, yes);
        self
    }

    /// Gives the numbers of this Spark version.
    pub fn spark_version(mut self, version: SparkVersion) -> LinearRegression {
        self.params.set_version(version);
        self
    }

    /// Learns the coefficients: in one pass by the normal equation, else in a pass per evaluation of the loss.
    ///
    /// # Errors
    /// [`FitError`]: wrong columns or parameters, a row that cannot be used, no rows, labels that are all the same where a penalty
    /// makes no sense of them, more features than `normal` takes, a fit that ends in NaN or an infinity.
    pub fn fit(&self, data: &Dataset) -> Result<LinearRegressionModel, FitError> {
        params::check(&self.params)?;
        let instances = instances(&self.params, checks(Labels::Numbers, self.params.version()), data)?;
        let fitted = self.solve(&instances)?;
        self.check_finite(&fitted)?;
        Ok(self.model(fitted, instances))
    }

    fn solve(&self, instances: &Dataset) -> Result<Fitted, FitError> {
        let Solver::Normal { or_descent } = solver(&self.params) else { return self.descend(instances) };
        let sums = instances.aggregate(NormalSums::default())?;
        if !sums.is_too_wide() {
            return self.solve_equation(&sums);
        }
        if or_descent {
            return self.descend(instances);
        }
        let reason = format!("the normal equation takes up to {MAX_FEATURES} features: {}", sums.n_features());
        Err(self.unlearnable(reason, Some("set `solver` to l-bfgs, or leave it at auto")))
    }

    fn solve_equation(&self, sums: &NormalSums) -> Result<Fitted, FitError> {
        params::check_iterations_of_equation(&self.params)?;
        self.check_rows(sums.wrong_size, sums.weight(), sums.n_features())?;
        let (mean, std) = label_moments(sums);
        match self.label_scale(mean, std)? {
            Some(label_std) => Ok(NormalEquation::new(&self.params, sums, label_std).solve()),
            None => {
                let none = stored(vec![0.0; sums.n_features()], self.params.version());
                Ok(Fitted::of_constant(none, mean))
            }
        }
    }

    fn descend(&self, instances: &Dataset) -> Result<Fitted, FitError> {
        let seen = instances.aggregate(Moments::default())?;
        let n_features = seen.features.n_features();
        self.check_rows(seen.wrong_size, seen.features.total_weight(), n_features)?;
        let (mean, std) = (seen.label.mean()[0], seen.label.std()[0]);
        match self.label_scale(mean, std)? {
            Some(label_std) => Problem::new(&self.params, &seen, mean, label_std).solve(instances),
            None => {
                let none = Vector::Sparse { size: n_features, indices: Vec::new(), values: Vec::new() };
                Ok(Fitted::of_constant(none, mean))
            }
        }
    }

    fn check_rows(&self, wrong_size: Option<WrongSize>, weight: f64, n_features: usize) -> Result<(), FitError> {
        if let Some(wrong_size) = wrong_size {
            return Err(self.unlearnable(format!("the features have different sizes: {wrong_size}"), None));
        }
        if weight == 0.0 {
            let reason = "there are no rows to learn from, or all have the weight 0";
            return Err(self.unlearnable(reason.to_owned(), None));
        }
        if n_features == 0 {
            return Err(self.unlearnable("the feature vectors are empty".to_owned(), None));
        }
        Ok(())
    }

    /// What labels are divided by; `None` when they are all the same and the model is known without training.
    fn label_scale(&self, mean: f64, std: f64) -> Result<Option<f64>, FitError> {
        if std != 0.0 {
            return Ok(Some(std));
        }
        if self.params.get(FIT_INTERCEPT) || mean == 0.0 {
            return Ok(None);
        }
        let reg_param = self.params.get(REG_PARAM);
        if reg_param > 0.0 {
            let reason = format!("all labels are {mean} and there is no intercept: `regParam` must be 0: {reg_param}");
            return Err(self.unlearnable(reason, Some("set `fitIntercept` to true, or look at the label column")));
        }
        Ok(Some(mean.abs()))
    }

    /// Says where a fit went astray that has no finite result.
    fn check_finite(&self, fitted: &Fitted) -> Result<(), FitError> {
        let hint = match self.params.version() {
            SparkVersion::V2_4 => "Spark 2.4 takes rows with NaN and infinities: drop them first (dropna)",
            _ => "features or labels are so large that their squares overflow: scale them first",
        };
        if let Some(iteration) = fitted.objective_history.iter().position(|value| !value.is_finite()) {
            let value = fitted.objective_history[iteration];
            let reason = format!("the fit diverged: the objective is {value} at iteration {iteration}");
            return Err(self.unlearnable(reason, Some(hint)));
        }
        let mut numbers = fitted.coefficients.to_dense().into_iter().chain([fitted.intercept, fitted.scale]);
        match numbers.find(|number| !number.is_finite()) {
            Some(found) => {
                let reason = format!("the fit diverged: a coefficient or the intercept is {found}");
                Err(self.unlearnable(reason, Some(hint)))
            }
            None => Ok(()),
        }
    }

    fn unlearnable(&self, reason: String, hint: Option<&str>) -> FitError {
        FitError::Unlearnable { uid: self.params.uid().clone(), reason, hint: hint.map(str::to_owned) }
    }

    fn model(&self, fitted: Fitted, instances: Dataset) -> LinearRegressionModel {
        let Fitted { coefficients, intercept, scale, objective_history, inverse_diagonal } = fitted;
        let mut model = LinearRegressionModel::new(coefficients, intercept, scale);
        model.params.inherit(&self.params);
        model.summary = Some(Arc::new(LinearRegressionTrainingSummary {
            objective_history,
            instances,
            model: model.linear_model(),
            has_intercept: self.params.get(FIT_INTERCEPT),
            is_weighted: self.params.find(WEIGHT_COL).is_some_and(|name| !name.is_empty()),
            is_2_4: self.params.version() == SparkVersion::V2_4,
            estimates: model.coefficients().to_dense(),
            intercept,
            inverse_diagonal,
            performance: OnceLock::new(),
        }));
        model
    }

    /// The estimator that `saved` describes.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter or a value that does not fit.
    pub fn from_saved(saved: &SavedStage) -> Result<LinearRegression, SavedError> {
        let mut estimator = LinearRegression::new();
        saved.read_params(&mut estimator.params)?;
        Ok(estimator)
    }
}

impl Fitted {
    /// The model that always predicts `label`.
    fn of_constant(coefficients: Vector, label: f64) -> Fitted {
        Fitted { coefficients, intercept: label, scale: 1.0, objective_history: vec![0.0], inverse_diagonal: None }
    }
}

impl Configured for LinearRegression {
    fn class(&self) -> &'static str {
        LinearRegression::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(LinearRegression::CLASS, &self.params, version)
    }
}

impl Estimator for LinearRegression {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        params::check(&self.params)?;
        check_columns(&self.params, input)?;
        with_columns(self.params.uid(), input, output_fields(&self.params))
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(LinearRegression::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<LinearRegression> for Stage {
    fn from(estimator: LinearRegression) -> Stage {
        Stage::Estimator(Box::new(estimator))
    }
}
