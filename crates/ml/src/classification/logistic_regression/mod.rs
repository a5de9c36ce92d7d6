//! Logistic regression, binomial and multinomial.
//!
//! A fit in order:
//!
//! 1. `instances`: the rows are checked, reduced to features, label and weight, and kept for the passes to come;
//! 2. one pass gives mean and deviation of the features and the weight of each label;
//! 3. `problem` makes of them the start, the bounds and the `loss` to minimise, in scaled variables;
//! 4. [`optim`](crate::optim) minimises, a pass per evaluation; fits that differ in parameters only share their passes;
//! 5. `problem` takes the variables back to the scale of the features.
//!
//! `model` and `scorer` apply the result, `summary` measures it. `slot_fits` shares the first two steps between fits on different
//! slots, and `slot_pass` is their pass.

mod instance_summary;
mod loss;
mod model;
mod params;
mod problem;
mod scorer;
mod shared_pass;
mod slot_fits;
mod slot_pass;
mod summary;

pub use loss::Objective;
pub use model::LogisticRegressionModel;
pub use summary::{LogisticRegressionTrainingSummary, Performance};

use std::sync::{Arc, OnceLock};

use arrow_schema::SchemaRef;
use ognivo_data::column::Attribute;
use ognivo_data::dataset::{Dataset, DatasetError};
use ognivo_data::matrix::Matrix;
use ognivo_data::vector::Vector;
use ognivo_data::version::SparkVersion;

use self::instance_summary::InstanceSummary;
use self::loss::evaluate_together;
use self::model::output_fields;
use self::params::{
    ELASTIC_NET_PARAM, FAMILY, FEATURES_COL, FIT_INTERCEPT, LABEL_COL, LOWER_BOUNDS_ON_COEFFICIENTS,
    LOWER_BOUNDS_ON_INTERCEPTS, MAX_ITER, PARAMS, PREDICTION_COL, PROBABILITY_COL, RAW_PREDICTION_COL, REG_PARAM,
    STANDARDIZATION, THRESHOLD, THRESHOLDS, TOL, UPPER_BOUNDS_ON_COEFFICIENTS, UPPER_BOUNDS_ON_INTERCEPTS, WEIGHT_COL,
};
use self::problem::{Minimiser, Problem, Solution};
use self::slot_fits::LogisticSlotFits;
use crate::columns::{input_column, with_columns};
use crate::instances::{Labels, check_columns, instances};
use crate::linear::checks::checks;
use crate::linear::descent::stopping;
use crate::optim::{Asking, Lbfgs, Lbfgsb, Owlqn, asking};
use crate::param::{ParamError, Params};
use crate::param_map::ParamMap;
use crate::saved::{SavedError, SavedStage};
use crate::stage::{Configured, Estimator, FitError, SlotFits, Stage, StageError, Transformer};

/// Logistic regression with L2, L1 or mixed penalty, or within bounds.
///
/// Same as Spark 2.4, 3.5 and 4.3: scaling, penalty, start, steps and stop of the minimiser, so that the numbers agree after
/// every iteration (to about 1e-12 in the objective, 1e-9 in the coefficients). 2.4 does not centre the features and trains on
/// NaN; later versions centre (unless intercepts are bounded) and refuse rows that are not finite.
/// Differs from Spark: `aggregationDepth` and `maxBlockSizeInMB` are kept and have no effect; sums run over chunks of rows of
/// fixed size, so the last bits differ from Spark's (see the module `loss`); more than a million classes are refused.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{Float64Array, RecordBatch};
/// # use ognivo_data::dataset::{Dataset, LocalExecutor};
/// # use ognivo_data::vector::dense_column;
/// use ognivo_ml::classification::LogisticRegression;
/// # let features = dense_column(vec![1.0, 2.0, 3.0, 4.0], 4, 1);
/// # let labels = Arc::new(Float64Array::from(vec![0.0, 1.0, 0.0, 1.0])) as _;
/// # let rows = RecordBatch::try_from_iter([("features", features), ("paid", labels)])?;
/// # let loans = Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::default()));
/// let model = LogisticRegression::new().label_col("paid").max_iter(10).reg_param(0.01).fit(&loans)?;
/// println!("{:?} and {:?}", model.coefficients(), model.intercept());
///
/// let summary = model.summary().expect("a fitted model has a summary");
/// println!("{} iterations, accuracy {}", summary.total_iterations(), summary.performance()?.confusion.accuracy());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct LogisticRegression {
    params: Params,
    initial_model: Option<LogisticRegressionModel>,
}

impl Default for LogisticRegression {
    fn default() -> LogisticRegression {
        LogisticRegression { params: Params::new("LogisticRegression", PARAMS), initial_model: None }
    }
}

impl LogisticRegression {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.classification.LogisticRegression";

    /// With Spark's defaults: 100 iterations, no penalty, columns `features` and `label`.
    pub fn new() -> LogisticRegression {
        LogisticRegression::default()
    }

    /// The column of feature vectors.
    pub fn features_col(mut self, name: &str) -> LogisticRegression {
        self.params.put(FEATURES_COL, name.to_owned());
        self
    }

    /// The column of labels: whole numbers from 0.
    pub fn label_col(mut self, name: &str) -> LogisticRegression {
        self.params.put(LABEL_COL, name.to_owned());
        self
    }

    /// The column of weights.
    pub fn weight_col(mut self, name: &str) -> LogisticRegression {
        self.params.put(WEIGHT_COL, name.to_owned());
        self
    }

    /// The column for predicted labels; none when empty.
    pub fn prediction_col(mut self, name: &str) -> LogisticRegression {
        self.params.put(PREDICTION_COL, name.to_owned());
        self
    }

    /// The column for probabilities; none when empty.
    pub fn probability_col(mut self, name: &str) -> LogisticRegression {
        self.params.put(PROBABILITY_COL, name.to_owned());
        self
    }

    /// The column for margins; none when empty.
    pub fn raw_prediction_col(mut self, name: &str) -> LogisticRegression {
        self.params.put(RAW_PREDICTION_COL, name.to_owned());
        self
    }

    /// `auto`, `binomial` or `multinomial`.
    pub fn family(mut self, family: &str) -> LogisticRegression {
        self.params.put(FAMILY, family.to_owned());
        self
    }

    /// The most iterations.
    pub fn max_iter(mut self, n: i32) -> LogisticRegression {
        self.params.put(MAX_ITER, n);
        self
    }

    /// The weight of the penalty.
    pub fn reg_param(mut self, weight: f64) -> LogisticRegression {
        self.params.put(REG_PARAM, weight);
        self
    }

    /// The share of L1 in the penalty; the rest is L2.
    pub fn elastic_net_param(mut self, share: f64) -> LogisticRegression {
        self.params.put(ELASTIC_NET_PARAM, share);
        self
    }

    /// The convergence tolerance.
    pub fn tol(mut self, tolerance: f64) -> LogisticRegression {
        self.params.put(TOL, tolerance);
        self
    }

    /// Whether to fit an intercept.
    pub fn fit_intercept(mut self, yes: bool) -> LogisticRegression {
        self.params.put(FIT_INTERCEPT, yes);
        self
    }

    /// Whether the penalty sees features of unit deviation.
    pub fn standardization(mut self, yes: bool) -> LogisticRegression {
        self.params.put(STANDARDIZATION, yes);
        self
    }

    /// Label 1 is predicted above this probability; forgets `thresholds`.
    pub fn threshold(mut self, threshold: f64) -> LogisticRegression {
        self.params.clear(THRESHOLDS);
        self.params.put(THRESHOLD, threshold);
        self
    }

    /// The label with the largest probability / threshold is predicted; forgets `threshold`.
    pub fn thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> LogisticRegression {
        self.params.clear(THRESHOLD);
        self.params.put(THRESHOLDS, thresholds.into());
        self
    }

    /// The smallest coefficients, one row per set.
    pub fn lower_bounds_on_coefficients(mut self, bounds: Matrix) -> LogisticRegression {
        self.params.put(LOWER_BOUNDS_ON_COEFFICIENTS, bounds);
        self
    }

    /// The largest coefficients, one row per set.
    pub fn upper_bounds_on_coefficients(mut self, bounds: Matrix) -> LogisticRegression {
        self.params.put(UPPER_BOUNDS_ON_COEFFICIENTS, bounds);
        self
    }

    /// The smallest intercepts, one per set.
    pub fn lower_bounds_on_intercepts(mut self, bounds: impl Into<Vec<f64>>) -> LogisticRegression {
        self.params.put(LOWER_BOUNDS_ON_INTERCEPTS, Vector::Dense(bounds.into()));
        self
    }

    /// The largest intercepts, one per set.
    pub fn upper_bounds_on_intercepts(mut self, bounds: impl Into<Vec<f64>>) -> LogisticRegression {
        self.params.put(UPPER_BOUNDS_ON_INTERCEPTS, Vector::Dense(bounds.into()));
        self
    }

    /// Starts from the coefficients of `model`, when their shape and the choice of an intercept are those of the fit.
    pub fn initial_model(mut self, model: LogisticRegressionModel) -> LogisticRegression {
        self.initial_model = Some(model);
        self
    }

    /// Gives the numbers of this Spark version.
    pub fn spark_version(mut self, version: SparkVersion) -> LogisticRegression {
        self.params.set_version(version);
        self
    }

    /// The function that [`fit`](LogisticRegression::fit) minimises over these rows, for whoever minimises or measures it otherwise.
    ///
    /// Two passes: the rows are checked and kept in memory, their statistics taken.
    ///
    /// # Errors
    /// Those of [`fit`](LogisticRegression::fit).
    pub fn objective(&self, data: &Dataset) -> Result<Objective, FitError> {
        let Prepared { instances, seen, n_declared, .. } = self.prepare(data)?;
        Ok(self.objective_of(&Problem::new(&self.params, &seen, n_declared)?, &instances))
    }

    /// Learns the coefficients, in a pass per evaluation of the loss.
    ///
    /// # Errors
    /// [`FitError`]: wrong columns or parameters, a row that cannot be used, labels that are not classes, bounds or thresholds of
    /// the wrong shape, no rows.
    pub fn fit(&self, data: &Dataset) -> Result<LogisticRegressionModel, FitError> {
        let models = fit_together(&[self], &self.prepare(data)?, &|_, error| error)?;
        Ok(models.into_iter().next().expect("one estimator has one model"))
    }

    /// [`fit`](LogisticRegression::fit) once for each of `maps`, with its values; in the same order.
    ///
    /// Rows are checked, kept in memory and summarised once for all maps that name the same columns, and a pass over them evaluates the
    /// loss of every fit that still goes on. The models have the bits of those that are fitted alone.
    ///
    /// # Errors
    /// As [`fit`](LogisticRegression::fit), and a map with a parameter or value that it does not take.
    pub fn fit_many(&self, data: &Dataset, maps: &[ParamMap]) -> Result<Vec<LogisticRegressionModel>, FitError> {
        let with_values = |map: &ParamMap| {
            let mut copy = self.clone();
            map.apply(&mut copy)?;
            params::check(&copy.params)?;
            Ok(copy)
        };
        let estimators = maps.iter().map(with_values).collect::<Result<Vec<_>, ParamError>>()?;
        let mut models: Vec<Option<LogisticRegressionModel>> = maps.iter().map(|_| None).collect();
        while let Some(first) = models.iter().position(Option::is_none) {
            let reads_the_same = |&at: &usize| models[at].is_none() && estimators[at].reads_as(&estimators[first]);
            let alike: Vec<usize> = (0..maps.len()).filter(reads_the_same).collect();
            let group: Vec<&LogisticRegression> = alike.iter().map(|&at| &estimators[at]).collect();
            let prepared = group[0].prepare(data)?;
            let fitted = fit_together(&group, &prepared, &|at, error| error.with(maps[alike[at]].to_string()))?;
            alike.iter().zip(fitted).for_each(|(&at, model)| models[at] = Some(model));
        }
        Ok(models.into_iter().map(|model| model.expect("every map was fitted")).collect())
    }

    /// Whether the fit of `other` sees the same instances.
    fn reads_as(&self, other: &LogisticRegression) -> bool {
        let columns = |params: &Params| (params.get(FEATURES_COL), params.get(LABEL_COL), params.find(WEIGHT_COL));
        columns(&self.params) == columns(&other.params)
    }

    /// The instances, their statistics, and how many labels the label column's attribute tells.
    fn prepare(&self, data: &Dataset) -> Result<Prepared, FitError> {
        params::check(&self.params).map_err(StageError::Param)?;
        let instances = instances(&self.params, checks(Labels::Classes, self.params.version()), data)?;
        let seen = instances.aggregate(InstanceSummary::default())?;
        let (_, label) = input_column(self.params.uid(), data.schema(), &self.params.get(LABEL_COL))?;
        let n_declared = Attribute::of(label).and_then(|label| label.n_values());
        Ok(Prepared { instances, slot_by_slot: None, seen, n_declared })
    }

    fn objective_of(&self, problem: &Problem<'_>, instances: &Dataset) -> Objective {
        let setting = problem.setting();
        let start = problem.start(&setting, self.initial_model.as_ref());
        Objective { instances: instances.clone(), l2: problem.l2(), setting, start }
    }

    /// The minimisation that ends at the solution.
    fn minimisation(&self, problem: &Problem<'_>, start: Vec<f64>) -> Box<dyn Asking> {
        let stopping = stopping(&self.params);
        match problem.minimiser() {
            Minimiser::Lbfgs => asking(Lbfgs::default(), start, stopping),
            Minimiser::Owlqn { l1 } => asking(Owlqn::new(l1), start, stopping),
            Minimiser::Lbfgsb { lower, upper } => asking(Lbfgsb::new(lower, upper), start, stopping),
        }
    }

    fn model(
        &self,
        problem: Problem<'_>,
        solution: Solution,
        objective_history: Vec<f64>,
        instances: Dataset,
    ) -> LogisticRegressionModel {
        let Solution { coefficients, intercepts } = solution;
        let model = LogisticRegressionModel::new(coefficients, intercepts, problem.n_classes, problem.is_multinomial);
        let mut model = model.expect("a problem gives a solution of its own shape");
        model.params.inherit(&self.params);
        let summary = LogisticRegressionTrainingSummary {
            objective_history,
            instances,
            scoring: model.scoring(),
            performance: OnceLock::new(),
        };
        model.summary = Some(Arc::new(summary));
        model
    }

    /// The estimator that `saved` describes.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter or a value that does not fit.
    pub fn from_saved(saved: &SavedStage) -> Result<LogisticRegression, SavedError> {
        let mut estimator = LogisticRegression::new();
        saved.read_params(&mut estimator.params)?;
        Ok(estimator)
    }
}

/// What a fit has learned before it minimises.
#[derive(Debug)]
struct Prepared {
    instances: Dataset,
    /// The same slot by slot, where passes go over these: only those of the binomial loss can.
    slot_by_slot: Option<Dataset>,
    seen: InstanceSummary,
    /// How many labels the label column's attribute tells.
    n_declared: Option<usize>,
}

/// A fit that minimises.
struct Fit {
    objective: Objective,
    minimisation: Box<dyn Asking>,
}

/// Fits estimators that see the same instances; `of` says of an error which estimator's it is.
fn fit_together(
    estimators: &[&LogisticRegression],
    prepared: &Prepared,
    of: &dyn Fn(usize, FitError) -> FitError,
) -> Result<Vec<LogisticRegressionModel>, FitError> {
    let Prepared { instances, slot_by_slot, seen, n_declared } = prepared;
    let passed_over = slot_by_slot.as_ref().unwrap_or(instances);
    let mut problems = Vec::with_capacity(estimators.len());
    for (at, estimator) in estimators.iter().enumerate() {
        problems.push(Problem::new(&estimator.params, seen, *n_declared).map_err(|error| of(at, error))?);
    }
    let fit = |(estimator, problem): (&&LogisticRegression, &Problem<'_>)| {
        if problem.only_label().is_some() {
            return None;
        }
        let objective = estimator.objective_of(problem, passed_over);
        let minimisation = estimator.minimisation(problem, objective.start.clone());
        Some(Fit { objective, minimisation })
    };
    let mut fits: Vec<Option<Fit>> = estimators.iter().zip(&problems).map(fit).collect();
    minimise_together(passed_over, fits.iter_mut().flatten().collect())?;
    let fitted = estimators.iter().zip(problems).zip(fits);
    let model = |((estimator, problem), fit): ((&&LogisticRegression, Problem<'_>), Option<Fit>)| {
        let (solution, history) = match (fit, problem.only_label()) {
            (Some(fit), _) => {
                let last = fit.minimisation.state().expect("the start is a state");
                (problem.solution(&fit.objective.setting, last.x.clone()), fit.minimisation.history().to_vec())
            }
            (None, label) => problem.without_training(label.expect("who does not train has one label")),
        };
        estimator.model(problem, solution, history, instances.clone())
    };
    Ok(fitted.map(model).collect())
}

/// Minimises all; a pass over the instances evaluates what every minimisation wants that still goes on.
fn minimise_together(instances: &Dataset, mut fits: Vec<&mut Fit>) -> Result<(), DatasetError> {
    loop {
        let wanted: Vec<Option<Vec<f64>>> = fits.iter_mut().map(|fit| fit.minimisation.wanted()).collect();
        let points: Vec<(&Objective, &[f64])> =
            fits.iter().zip(&wanted).filter_map(|(fit, x)| Some((&fit.objective, x.as_deref()?))).collect();
        if points.is_empty() {
            return Ok(());
        }
        let mut told = evaluate_together(instances, &points)?.into_iter();
        for (fit, _) in fits.iter_mut().zip(&wanted).filter(|(_, x)| x.is_some()) {
            let (value, gradient) = told.next().expect("every point has a value");
            fit.minimisation.tell(value, gradient);
        }
    }
}

impl Configured for LogisticRegression {
    fn class(&self) -> &'static str {
        LogisticRegression::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(LogisticRegression::CLASS, &self.params, version)
    }
}

impl Estimator for LogisticRegression {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        params::check(&self.params)?;
        check_columns(&self.params, input)?;
        with_columns(self.params.uid(), input, output_fields(&self.params, None))
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(LogisticRegression::fit(self, data)?))
    }
    fn fit_many(&self, data: &Dataset, maps: &[ParamMap]) -> Result<Vec<Box<dyn Transformer>>, FitError> {
        let models = LogisticRegression::fit_many(self, data, maps)?;
        Ok(models.into_iter().map(|model| Box::new(model) as Box<dyn Transformer>).collect())
    }
    fn slot_fits(&self, data: &Dataset) -> Result<Option<Box<dyn SlotFits>>, FitError> {
        Ok(LogisticSlotFits::new(self, data)?.map(|fits| Box::new(fits) as Box<dyn SlotFits>))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<LogisticRegression> for Stage {
    fn from(estimator: LogisticRegression) -> Stage {
        Stage::Estimator(Box::new(estimator))
    }
}
