//! What is to be minimised, from where, within which bounds; and the way back to the features' own scale.

use ognivo_data::matrix::Matrix;
use ognivo_data::vector::Vector;
use ognivo_data::version::SparkVersion;

use super::instance_summary::InstanceSummary;
use super::loss::Setting;
use super::model::LogisticRegressionModel;
use super::params::{
    ELASTIC_NET_PARAM, FAMILY, FIT_INTERCEPT, LOWER_BOUNDS_ON_COEFFICIENTS, LOWER_BOUNDS_ON_INTERCEPTS, REG_PARAM,
    STANDARDIZATION, UPPER_BOUNDS_ON_COEFFICIENTS, UPPER_BOUNDS_ON_INTERCEPTS, check_n_thresholds, has_bounds,
};
use crate::linear::penalty::L2;
use crate::param::{Key, ParamError, Params};
use crate::stage::{FitError, StageError};

/// More classes than this are taken for a column of ids, or a damaged model.
pub(super) const MAX_CLASSES: u64 = 1_000_000;
/// Spark holds the variables in one array of the JVM, which ends here.
const MAX_VARIABLES: usize = i32::MAX as usize;

/// A fit's parameters and what the first pass found.
pub(super) struct Problem<'a> {
    params: &'a Params,
    pub(super) n_classes: usize,
    pub(super) is_multinomial: bool,
    /// Sets of coefficients: one per class, or one.
    n_sets: usize,
    n_features: usize,
    /// Weight of every label from 0 to the largest.
    histogram: Vec<f64>,
    mean: Vec<f64>,
    std: Vec<f64>,
}

/// Which minimiser, and what it needs to know.
pub(super) enum Minimiser {
    Lbfgs,
    Owlqn { l1: Vec<f64> },
    Lbfgsb { lower: Vec<f64>, upper: Vec<f64> },
}

/// The numbers of a model.
pub(super) struct Solution {
    pub(super) coefficients: Matrix,
    pub(super) intercepts: Vector,
}

impl<'a> Problem<'a> {
    /// `n_declared` is the number of labels that the label column's attribute tells.
    pub(super) fn new(
        params: &'a Params,
        seen: &InstanceSummary,
        n_declared: Option<usize>,
    ) -> Result<Problem<'a>, FitError> {
        let unlearnable = |reason: String| FitError::Unlearnable { uid: params.uid().clone(), reason, hint: None };
        if let Some(wrong_size) = seen.wrong_size {
            return Err(unlearnable(format!("the features have different sizes: {wrong_size}")));
        }
        if seen.n_invalid_labels > 0 {
            return Err(unlearnable(format!(
                "labels that are no classes (whole numbers from 0): {}",
                seen.n_invalid_labels
            )));
        }
        if seen.features.total_weight() == 0.0 {
            return Err(unlearnable("there are no rows to learn from, or all have the weight 0".to_owned()));
        }
        if seen.features.n_features() == 0 {
            return Err(unlearnable("the feature vectors are empty".to_owned()));
        }
        if seen.n_labels() > MAX_CLASSES {
            return Err(unlearnable(format!("the largest label is no class: {}", seen.n_labels() - 1)));
        }
        let histogram = seen.histogram();
        let n_classes = n_declared.unwrap_or(histogram.len());
        if n_classes < histogram.len() {
            let reason =
                format!("the label column declares {n_classes} labels, the largest is: {}", histogram.len() - 1);
            return Err(unlearnable(reason));
        }
        let is_multinomial = match params.get(FAMILY).as_str() {
            "multinomial" => true,
            "binomial" if n_classes > 2 => {
                return Err(unlearnable(format!("the binomial family takes 2 classes at most: {n_classes}")));
            }
            "binomial" => false,
            _ => n_classes > 2,
        };
        let problem = Problem {
            params,
            n_classes,
            is_multinomial,
            n_sets: if is_multinomial { n_classes } else { 1 },
            n_features: seen.features.n_features(),
            histogram,
            mean: seen.features.mean(),
            std: seen.features.std(),
        };
        if problem.n_sets.saturating_mul(problem.n_features + 1) > MAX_VARIABLES {
            let reason = format!("too many coefficients: {} × {}", problem.n_sets, problem.n_features);
            return Err(unlearnable(reason));
        }
        check_n_thresholds(params, n_classes, is_multinomial).map_err(StageError::Param)?;
        problem.check_bounds().map_err(StageError::Param)?;
        Ok(problem)
    }

    fn has_intercept(&self) -> bool {
        self.params.get(FIT_INTERCEPT)
    }

    fn n_variables(&self) -> usize {
        self.n_sets * (self.n_features + usize::from(self.has_intercept()))
    }

    /// The label of all rows, when there is only one and the answer is known without training.
    pub(super) fn only_label(&self) -> Option<usize> {
        let n_present = self.histogram.iter().filter(|&&weight| weight != 0.0).count();
        let is_known = n_present == 1 && self.has_intercept() && !has_bounds(self.params);
        is_known.then(|| self.histogram.iter().position(|&weight| weight != 0.0).expect("one label is present"))
    }

    /// No coefficients and infinite intercepts: the model that always predicts `label`.
    pub(super) fn without_training(&self, label: usize) -> (Solution, Vec<f64>) {
        let zeros = Matrix::from_row_major(self.n_sets, self.n_features, vec![0.0; self.n_sets * self.n_features]);
        let intercepts = if self.is_multinomial {
            Vector::Sparse { size: self.n_classes, indices: vec![label as i32], values: vec![f64::INFINITY] }
        } else if self.n_classes == 2 {
            Vector::Dense(vec![f64::INFINITY])
        } else {
            Vector::Dense(vec![f64::NEG_INFINITY])
        };
        let history = if self.params.version() == SparkVersion::V2_4 { Vec::new() } else { vec![0.0] };
        (Solution { coefficients: zeros.compressed(), intercepts }, history)
    }

    // ---- bounds ----

    fn check_bounds(&self) -> Result<(), ParamError> {
        let wrong = |name: &'static str, found: String| {
            let (n_sets, n_features) = (self.n_sets, self.n_features);
            let reason = format!("`{name}` must fit {n_sets} sets of {n_features} coefficients: {found}");
            Err(ParamError::Conflict { uid: self.params.uid().clone(), reason })
        };
        for key in [LOWER_BOUNDS_ON_COEFFICIENTS, UPPER_BOUNDS_ON_COEFFICIENTS] {
            match self.params.find(key) {
                Some(bounds) if (bounds.n_rows(), bounds.n_cols()) != (self.n_sets, self.n_features) => {
                    return wrong(key.name, format!("{} × {}", bounds.n_rows(), bounds.n_cols()));
                }
                _ => {}
            }
        }
        for key in [LOWER_BOUNDS_ON_INTERCEPTS, UPPER_BOUNDS_ON_INTERCEPTS] {
            match self.params.find(key) {
                Some(bounds) if bounds.size() != self.n_sets => return wrong(key.name, bounds.size().to_string()),
                _ => {}
            }
        }
        let (lower, upper) = self.bounds_of_model();
        match lower.iter().zip(&upper).find(|(lower, upper)| lower > upper) {
            None => Ok(()),
            Some((lower, upper)) => {
                let reason = format!("a lower bound is above its upper bound: {lower} and {upper}");
                Err(ParamError::Conflict { uid: self.params.uid().clone(), reason })
            }
        }
    }

    /// Bounds of each variable in the features' own scale.
    fn bounds_of_model(&self) -> (Vec<f64>, Vec<f64>) {
        let bounds = |coefficients: Key<Matrix>, intercepts: Key<Vector>, free: f64| {
            let coefficients = self.params.find(coefficients);
            let intercepts = self.params.find(intercepts).map(|bounds| bounds.to_dense());
            let bound = |at: usize| {
                let (feature, set) = (at / self.n_sets, at % self.n_sets);
                if feature < self.n_features {
                    coefficients.as_ref().map_or(free, |bounds| bounds.get(set, feature))
                } else {
                    intercepts.as_ref().map_or(free, |bounds| bounds[set])
                }
            };
            (0..self.n_variables()).map(bound).collect::<Vec<_>>()
        };
        let lower = bounds(LOWER_BOUNDS_ON_COEFFICIENTS, LOWER_BOUNDS_ON_INTERCEPTS, f64::NEG_INFINITY);
        let upper = bounds(UPPER_BOUNDS_ON_COEFFICIENTS, UPPER_BOUNDS_ON_INTERCEPTS, f64::INFINITY);
        (lower, upper)
    }

    /// The same in the scale of the variables. A coefficient that no matrix bounds stays free, also of a constant feature.
    fn bounds(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut lower, mut upper) = self.bounds_of_model();
        let scale = |bounds: &mut [f64], is_set: bool| {
            let n_coefficients = self.n_sets * self.n_features;
            if is_set {
                (0..n_coefficients).for_each(|at| bounds[at] *= self.std[at / self.n_sets]);
            }
        };
        scale(&mut lower, self.params.is_set(LOWER_BOUNDS_ON_COEFFICIENTS));
        scale(&mut upper, self.params.is_set(UPPER_BOUNDS_ON_COEFFICIENTS));
        (lower, upper)
    }

    // ---- the function ----

    /// Whether features are centred: from 3.2 on, when the intercept is free to take up the difference.
    fn is_centred(&self) -> bool {
        let all = |key: Key<Vector>, bound: f64| {
            self.params
                .find(key)
                .is_none_or(|bounds| bounds.to_dense().iter().all(|value| value.total_cmp(&bound).is_eq()))
        };
        self.params.version() > SparkVersion::V2_4
            && self.has_intercept()
            && all(LOWER_BOUNDS_ON_INTERCEPTS, f64::NEG_INFINITY)
            && all(UPPER_BOUNDS_ON_INTERCEPTS, f64::INFINITY)
    }

    pub(super) fn setting(&self) -> Setting {
        Setting::new(
            self.params.version(),
            (self.is_multinomial, self.n_sets),
            self.has_intercept(),
            (&self.mean, &self.std),
            self.is_centred(),
        )
    }

    pub(super) fn l2(&self) -> Option<L2> {
        let weight = (1.0 - self.params.get(ELASTIC_NET_PARAM)) * self.params.get(REG_PARAM);
        let std = (!self.params.get(STANDARDIZATION)).then(|| self.std.clone());
        (weight != 0.0).then_some(L2 { weight, std })
    }

    pub(super) fn minimiser(&self) -> Minimiser {
        let l1 = self.params.get(ELASTIC_NET_PARAM) * self.params.get(REG_PARAM);
        let has_l1 = self.params.get(ELASTIC_NET_PARAM) != 0.0 && self.params.get(REG_PARAM) != 0.0;
        if has_l1 {
            return Minimiser::Owlqn { l1: (0..self.n_variables()).map(|at| self.l1_of(at, l1)).collect() };
        }
        if has_bounds(self.params) {
            let (lower, upper) = self.bounds();
            return Minimiser::Lbfgsb { lower, upper };
        }
        Minimiser::Lbfgs
    }

    /// The L1 weight of one variable: intercepts are free, and without standardization a feature counts as it was.
    fn l1_of(&self, at: usize, l1: f64) -> f64 {
        let feature = at / self.n_sets;
        if feature >= self.n_features {
            0.0
        } else if self.params.get(STANDARDIZATION) {
            l1
        } else if self.std[feature] == 0.0 {
            0.0
        } else {
            l1 / self.std[feature]
        }
    }

    // ---- start and end ----

    /// The variables to start from: those of `initial`, else intercepts that give the labels' shares.
    pub(super) fn start(&self, setting: &Setting, initial: Option<&LogisticRegressionModel>) -> Vec<f64> {
        let mut x = vec![0.0; self.n_variables()];
        let first_intercept = self.n_sets * self.n_features;
        match initial.filter(|model| self.fits(model)) {
            Some(model) => self.scale_model(model, &mut x),
            None if self.has_intercept() => x[first_intercept..].copy_from_slice(&self.intercepts_of_shares()),
            None => {}
        }
        if has_bounds(self.params) {
            let (lower, upper) = self.bounds();
            for ((x, lower), upper) in x.iter_mut().zip(lower).zip(upper) {
                if *x < lower {
                    *x = lower;
                } else if *x > upper {
                    *x = upper;
                }
            }
        }
        let centring = setting.centring(&x);
        x[first_intercept..].iter_mut().zip(centring).for_each(|(intercept, moved)| *intercept += moved);
        x
    }

    fn fits(&self, model: &LogisticRegressionModel) -> bool {
        let matrix = model.coefficient_matrix();
        (matrix.n_rows(), matrix.n_cols()) == (self.n_sets, self.n_features)
            && model.intercept_vector().size() == self.n_sets
            && model.params.get(FIT_INTERCEPT) == self.has_intercept()
    }

    fn scale_model(&self, model: &LogisticRegressionModel, x: &mut [f64]) {
        for feature in 0..self.n_features {
            for set in 0..self.n_sets {
                x[feature * self.n_sets + set] = model.coefficient_matrix().get(set, feature) * self.std[feature];
            }
        }
        if self.has_intercept() {
            x[self.n_sets * self.n_features..].copy_from_slice(&model.intercept_vector().to_dense());
        }
    }

    fn intercepts_of_shares(&self) -> Vec<f64> {
        let weight = |label: usize| self.histogram.get(label).copied().unwrap_or(0.0);
        if !self.is_multinomial {
            return vec![(weight(1) / weight(0)).ln()];
        }
        let logs: Vec<f64> = self.histogram.iter().map(|weight| weight.ln_1p()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        (0..self.n_sets).map(|class| logs.get(class).map_or(0.0, |log| log - mean)).collect()
    }

    /// The model of the variables `x`, in the features' own scale.
    pub(super) fn solution(&self, setting: &Setting, mut x: Vec<f64>) -> Solution {
        let (n_sets, n_features) = (self.n_sets, self.n_features);
        let first_intercept = n_sets * n_features;
        let centring = setting.centring(&x);
        x[first_intercept..].iter_mut().zip(centring).for_each(|(intercept, moved)| *intercept -= moved);

        let mut coefficients = vec![0.0; n_sets * n_features];
        for feature in (0..n_features).filter(|&feature| self.std[feature] != 0.0) {
            for set in 0..n_sets {
                coefficients[set * n_features + feature] = x[feature * n_sets + set] / self.std[feature];
            }
        }
        let is_free = self.is_multinomial && !has_bounds(self.params);
        if is_free && self.params.get(REG_PARAM) == 0.0 {
            // Without a penalty any constant may be added to a feature's coefficients; those with mean 0 are chosen.
            centre_columns(&mut coefficients, n_sets, n_features);
        }
        let mut intercepts = x.split_off(first_intercept);
        if is_free && self.has_intercept() {
            let mean = intercepts.iter().sum::<f64>() / n_sets as f64;
            intercepts.iter_mut().for_each(|intercept| *intercept -= mean);
        }
        intercepts.resize(n_sets, 0.0);
        Solution {
            coefficients: Matrix::from_row_major(n_sets, n_features, coefficients).compressed(),
            intercepts: self.compressed_intercepts(intercepts),
        }
    }

    fn compressed_intercepts(&self, intercepts: Vec<f64>) -> Vector {
        Vector::compressed(&intercepts, self.params.version())
    }
}

fn centre_columns(coefficients: &mut [f64], n_sets: usize, n_features: usize) {
    for feature in 0..n_features {
        let of_feature = || (0..n_sets).map(|set| set * n_features + feature);
        let mean = of_feature().map(|at| coefficients[at]).sum::<f64>() / n_sets as f64;
        of_feature().for_each(|at| coefficients[at] -= mean);
    }
}
