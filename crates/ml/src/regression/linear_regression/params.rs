//! Parameters of linear regression, and what they mean together.

use ognivo_data::version::SparkVersion;

use crate::linear::params::{
    AGGREGATION_DEPTH_SPEC, ELASTIC_NET_PARAM, ELASTIC_NET_PARAM_SPEC, FEATURES_COL_SPEC, FIT_INTERCEPT_SPEC,
    LABEL_COL, MAX_BLOCK_SIZE_IN_MB_SPEC, MAX_ITER, MAX_ITER_SPEC, PREDICTION_COL, REG_PARAM_SPEC,
    STANDARDIZATION_SPEC, TOL_SPEC, WEIGHT_COL_SPEC,
};
use crate::param::{Key, ParamError, ParamKind, ParamSpec, Params, Range};

pub(super) const EPSILON: Key<f64> = Key::new("epsilon");
pub(super) const LOSS: Key<String> = Key::new("loss");
pub(super) const SOLVER: Key<String> = Key::new("solver");

/// Estimator and model have the same parameters.
pub(super) static PARAMS: &[ParamSpec] = &[
    AGGREGATION_DEPTH_SPEC,
    ELASTIC_NET_PARAM_SPEC,
    ParamSpec::new(
        EPSILON.name,
        ParamKind::Double,
        "the huber loss counts errors beyond so many scales by their size, smaller ones by their square",
    )
    .double(1.35)
    .range(Range::Above(1.0)),
    FEATURES_COL_SPEC,
    FIT_INTERCEPT_SPEC,
    ParamSpec::new(LABEL_COL.name, ParamKind::String, "label column, numbers").text("label"),
    ParamSpec::new(LOSS.name, ParamKind::String, "squaredError, or huber, which outliers pull less")
        .text("squaredError")
        .range(Range::OneOf(&["squaredError", "huber"])),
    MAX_BLOCK_SIZE_IN_MB_SPEC,
    MAX_ITER_SPEC,
    ParamSpec::new(PREDICTION_COL.name, ParamKind::String, "column for the predicted number, none when empty")
        .text("prediction"),
    REG_PARAM_SPEC,
    ParamSpec::new(
        SOLVER.name,
        ParamKind::String,
        "normal equation, l-bfgs, or auto: the normal equation for the squared error of up to 4096 features",
    )
    .text("auto")
    .range(Range::OneOf(&["auto", "normal", "l-bfgs"])),
    STANDARDIZATION_SPEC,
    TOL_SPEC,
    WEIGHT_COL_SPEC,
];

/// How the coefficients are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Solver {
    /// From sums over pairs of features, in one pass.
    Normal {
        /// Whether more features than sums are made for are left to the descent.
        or_descent: bool,
    },
    /// Step by step, with a pass for each.
    Descent,
}

pub(super) fn is_huber(params: &Params) -> bool {
    params.get(LOSS) == "huber"
}

/// The solver that the parameters ask for.
pub(super) fn solver(params: &Params) -> Solver {
    match params.get(SOLVER).as_str() {
        _ if is_huber(params) => Solver::Descent,
        "l-bfgs" => Solver::Descent,
        "normal" => Solver::Normal { or_descent: false },
        _ => Solver::Normal { or_descent: true },
    }
}

/// Checks every range, and that no two parameters contradict each other.
pub(super) fn check(params: &Params) -> Result<(), ParamError> {
    params.check()?;
    let conflict = |reason: String| Err(ParamError::Conflict { uid: params.uid().clone(), reason });
    if is_huber(params) && params.get(SOLVER) == "normal" {
        return conflict("the huber loss has no normal equation: `solver` must be auto or l-bfgs".to_owned());
    }
    let elastic_net = params.get(ELASTIC_NET_PARAM);
    if is_huber(params) && elastic_net != 0.0 {
        return conflict(format!("`elasticNetParam` must be 0 with the huber loss: {elastic_net}"));
    }
    Ok(())
}

/// Checks `maxIter` for the normal equation: Spark 3.5 and later refuse 0 even where nothing is iterated.
pub(super) fn check_iterations_of_equation(params: &Params) -> Result<(), ParamError> {
    if params.version() == SparkVersion::V2_4 || params.get(MAX_ITER) > 0 {
        return Ok(());
    }
    let reason = "the normal equation needs `maxIter` to be at least 1: 0".to_owned();
    Err(ParamError::Conflict { uid: params.uid().clone(), reason })
}
