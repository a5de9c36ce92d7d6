//! The parameters that all linear models have, with one wording for each.

use ognivo_data::version::SparkVersion;

pub(crate) use crate::columns::{FEATURES_COL, LABEL_COL, PREDICTION_COL, WEIGHT_COL};
use crate::param::{Key, ParamKind, ParamSpec, Range};

pub(crate) const ELASTIC_NET_PARAM: Key<f64> = Key::new("elasticNetParam");
pub(crate) const FIT_INTERCEPT: Key<bool> = Key::new("fitIntercept");
pub(crate) const MAX_ITER: Key<i32> = Key::new("maxIter");
pub(crate) const REG_PARAM: Key<f64> = Key::new("regParam");
pub(crate) const STANDARDIZATION: Key<bool> = Key::new("standardization");
pub(crate) const TOL: Key<f64> = Key::new("tol");

pub(crate) const NOT_NEGATIVE: Range = Range::AtLeast(0.0);
pub(crate) const SHARE: Range = Range::Between(0.0, 1.0);

pub(crate) const AGGREGATION_DEPTH_SPEC: ParamSpec = ParamSpec::new(
    "aggregationDepth",
    ParamKind::Int,
    "depth of Spark's tree of partial sums, kept and without effect here",
)
.int(2)
.range(Range::AtLeast(2.0));

pub(crate) const ELASTIC_NET_PARAM_SPEC: ParamSpec =
    ParamSpec::new(ELASTIC_NET_PARAM.name, ParamKind::Double, "share of the L1 penalty, the rest is L2")
        .double(0.0)
        .range(SHARE);

pub(crate) const FEATURES_COL_SPEC: ParamSpec =
    ParamSpec::new(FEATURES_COL.name, ParamKind::String, "vector column of features").text("features");

pub(crate) const FIT_INTERCEPT_SPEC: ParamSpec =
    ParamSpec::new(FIT_INTERCEPT.name, ParamKind::Boolean, "whether to fit an intercept").boolean(true);

pub(crate) const MAX_BLOCK_SIZE_IN_MB_SPEC: ParamSpec = ParamSpec::new(
    "maxBlockSizeInMB",
    ParamKind::Double,
    "size of Spark's blocks of rows, kept and without effect here",
)
.double(0.0)
.range(NOT_NEGATIVE)
.since(SparkVersion::V3_5);

pub(crate) const MAX_ITER_SPEC: ParamSpec =
    ParamSpec::new(MAX_ITER.name, ParamKind::Int, "maximum number of iterations").int(100).range(NOT_NEGATIVE);

pub(crate) const REG_PARAM_SPEC: ParamSpec =
    ParamSpec::new(REG_PARAM.name, ParamKind::Double, "weight of the penalty").double(0.0).range(NOT_NEGATIVE);

pub(crate) const STANDARDIZATION_SPEC: ParamSpec =
    ParamSpec::new(STANDARDIZATION.name, ParamKind::Boolean, "whether the penalty sees features of unit deviation")
        .boolean(true);

pub(crate) const TOL_SPEC: ParamSpec =
    ParamSpec::new(TOL.name, ParamKind::Double, "convergence tolerance").double(1e-6).range(NOT_NEGATIVE);

pub(crate) const WEIGHT_COL_SPEC: ParamSpec =
    ParamSpec::new(WEIGHT_COL.name, ParamKind::String, "weight column, all rows weigh 1 without it");
