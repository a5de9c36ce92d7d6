//! Parameters of logistic regression, and what they mean together.

use ognivo_data::matrix::Matrix;
use ognivo_data::vector::Vector;

pub(super) use crate::columns::{PROBABILITY_COL, RAW_PREDICTION_COL};
use crate::linear::params::{
    AGGREGATION_DEPTH_SPEC, ELASTIC_NET_PARAM_SPEC, FEATURES_COL_SPEC, FIT_INTERCEPT_SPEC, MAX_BLOCK_SIZE_IN_MB_SPEC,
    MAX_ITER_SPEC, REG_PARAM_SPEC, SHARE, STANDARDIZATION_SPEC, TOL_SPEC, WEIGHT_COL_SPEC,
};
pub(super) use crate::linear::params::{
    ELASTIC_NET_PARAM, FEATURES_COL, FIT_INTERCEPT, LABEL_COL, MAX_ITER, PREDICTION_COL, REG_PARAM, STANDARDIZATION,
    TOL, WEIGHT_COL,
};
use crate::param::{Key, ParamError, ParamKind, ParamSpec, Params, Range};

pub(super) const FAMILY: Key<String> = Key::new("family");
pub(super) const LOWER_BOUNDS_ON_COEFFICIENTS: Key<Matrix> = Key::new("lowerBoundsOnCoefficients");
pub(super) const LOWER_BOUNDS_ON_INTERCEPTS: Key<Vector> = Key::new("lowerBoundsOnIntercepts");
pub(super) const THRESHOLD: Key<f64> = Key::new("threshold");
pub(super) const THRESHOLDS: Key<Vec<f64>> = Key::new("thresholds");
pub(super) const UPPER_BOUNDS_ON_COEFFICIENTS: Key<Matrix> = Key::new("upperBoundsOnCoefficients");
pub(super) const UPPER_BOUNDS_ON_INTERCEPTS: Key<Vector> = Key::new("upperBoundsOnIntercepts");

/// Estimator and model have the same parameters.
pub(super) static PARAMS: &[ParamSpec] = &[
    AGGREGATION_DEPTH_SPEC,
    ELASTIC_NET_PARAM_SPEC,
    ParamSpec::new(
        "family",
        ParamKind::String,
        "binomial, multinomial, or auto: multinomial for more than two classes",
    )
    .text("auto")
    .range(Range::OneOf(&["auto", "binomial", "multinomial"])),
    FEATURES_COL_SPEC,
    FIT_INTERCEPT_SPEC,
    ParamSpec::new("labelCol", ParamKind::String, "label column, whole numbers from 0").text("label"),
    ParamSpec::new(
        "lowerBoundsOnCoefficients",
        ParamKind::Matrix,
        "smallest coefficients, one row per set of coefficients",
    ),
    ParamSpec::new("lowerBoundsOnIntercepts", ParamKind::Vector, "smallest intercepts, one per set of coefficients"),
    MAX_BLOCK_SIZE_IN_MB_SPEC,
    MAX_ITER_SPEC,
    ParamSpec::new("predictionCol", ParamKind::String, "column for the predicted label, none when empty")
        .text("prediction"),
    ParamSpec::new("probabilityCol", ParamKind::String, "column for the probability of each label, none when empty")
        .text("probability"),
    ParamSpec::new("rawPredictionCol", ParamKind::String, "column for the margin of each label, none when empty")
        .text("rawPrediction"),
    REG_PARAM_SPEC,
    STANDARDIZATION_SPEC,
    ParamSpec::new("threshold", ParamKind::Double, "label 1 is predicted above this probability")
        .double(0.5)
        .range(SHARE),
    ParamSpec::new(
        "thresholds",
        ParamKind::DoubleArray,
        "the label with the largest probability / threshold is predicted",
    ),
    TOL_SPEC,
    ParamSpec::new(
        "upperBoundsOnCoefficients",
        ParamKind::Matrix,
        "largest coefficients, one row per set of coefficients",
    ),
    ParamSpec::new("upperBoundsOnIntercepts", ParamKind::Vector, "largest intercepts, one per set of coefficients"),
    WEIGHT_COL_SPEC,
];

/// Whether any coefficient or intercept is bounded.
pub(super) fn has_bounds(params: &Params) -> bool {
    has_intercept_bounds(params)
        || params.is_set(LOWER_BOUNDS_ON_COEFFICIENTS)
        || params.is_set(UPPER_BOUNDS_ON_COEFFICIENTS)
}

fn has_intercept_bounds(params: &Params) -> bool {
    params.is_set(LOWER_BOUNDS_ON_INTERCEPTS) || params.is_set(UPPER_BOUNDS_ON_INTERCEPTS)
}

/// The threshold of a binary model: that of `threshold`, or what `thresholds` amount to.
pub(super) fn binary_threshold(params: &Params) -> f64 {
    match params.find(THRESHOLDS) {
        Some(thresholds) => equivalent_threshold(&thresholds),
        None => params.get(THRESHOLD),
    }
}

fn equivalent_threshold(thresholds: &[f64]) -> f64 {
    1.0 / (1.0 + thresholds[0] / thresholds[1])
}

/// Checks every range, and that no two parameters contradict each other.
pub(super) fn check(params: &Params) -> Result<(), ParamError> {
    params.check()?;
    let conflict = |reason: String| Err(ParamError::Conflict { uid: params.uid().clone(), reason });
    if let Some(thresholds) = params.find(THRESHOLDS) {
        let n_zeros = thresholds.iter().filter(|&&threshold| threshold == 0.0).count();
        if !thresholds.iter().all(|&threshold| threshold >= 0.0) || n_zeros > 1 {
            return conflict(format!("`thresholds` must not be negative and hold one 0 at most: {thresholds:?}"));
        }
        if params.is_set(THRESHOLD) {
            let threshold = params.get(THRESHOLD);
            let agree = thresholds.len() == 2 && (threshold - equivalent_threshold(&thresholds)).abs() < 1e-5;
            if !agree {
                return conflict(format!(
                    "`threshold` and `thresholds` are both set and do not agree: {threshold} and {thresholds:?}"
                ));
            }
        }
    }
    let elastic_net = params.get(ELASTIC_NET_PARAM);
    if has_bounds(params) && elastic_net != 0.0 {
        return conflict(format!("`elasticNetParam` must be 0 when there are bounds: {elastic_net}"));
    }
    if has_intercept_bounds(params) && !params.get(FIT_INTERCEPT) {
        return conflict("there are bounds on intercepts, and `fitIntercept` is false".to_owned());
    }
    Ok(())
}

/// Checks that `thresholds`, when set, has one entry per class; a binomial model has two, also when fitted on one label.
pub(super) fn check_n_thresholds(params: &Params, n_classes: usize, is_multinomial: bool) -> Result<(), ParamError> {
    let n_needed = if is_multinomial { n_classes } else { 2 };
    match params.find(THRESHOLDS) {
        Some(thresholds) if thresholds.len() != n_needed => {
            let reason = format!("`thresholds` must have one entry for each of the {n_needed} classes: {thresholds:?}");
            Err(ParamError::Conflict { uid: params.uid().clone(), reason })
        }
        _ => Ok(()),
    }
}
