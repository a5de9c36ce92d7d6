//! Parameters that estimators of trees and their models have in common.

use ognivo_data::version::SparkVersion;

use super::impurity::Impurity;
pub(crate) use crate::columns::{FEATURES_COL, LABEL_COL, PREDICTION_COL, WEIGHT_COL};
use crate::param::{Key, ParamError, ParamKind, ParamSpec, Params, Range};

pub(crate) const IMPURITY: Key<String> = Key::new("impurity");
pub(crate) const LEAF_COL: Key<String> = Key::new("leafCol");
pub(crate) const MAX_BINS: Key<i32> = Key::new("maxBins");
pub(crate) const MAX_DEPTH: Key<i32> = Key::new("maxDepth");
pub(crate) const MIN_INFO_GAIN: Key<f64> = Key::new("minInfoGain");
pub(crate) const MIN_INSTANCES_PER_NODE: Key<i32> = Key::new("minInstancesPerNode");
pub(crate) const MIN_WEIGHT_FRACTION_PER_NODE: Key<f64> = Key::new("minWeightFractionPerNode");
pub(crate) const SEED: Key<i64> = Key::new("seed");

pub(crate) const CACHE_NODE_IDS_SPEC: ParamSpec = ParamSpec::new(
    "cacheNodeIds",
    ParamKind::Boolean,
    "whether Spark remembers each row's node, kept and without effect here: it is always so",
)
.boolean(false);
pub(crate) const CHECKPOINT_INTERVAL_SPEC: ParamSpec = ParamSpec::new(
    "checkpointInterval",
    ParamKind::Int,
    "how often Spark checkpoints remembered nodes (-1: never), kept and without effect here",
)
.int(10)
.range(Range::AtLeast(-1.0));
pub(crate) const FEATURES_COL_SPEC: ParamSpec =
    ParamSpec::new("featuresCol", ParamKind::String, "vector column of features").text("features");
pub(crate) const LEAF_COL_SPEC: ParamSpec =
    ParamSpec::new("leafCol", ParamKind::String, "column for the number of the leaf, none when empty")
        .text("")
        .since(SparkVersion::V3_5);
pub(crate) const MAX_BINS_SPEC: ParamSpec = ParamSpec::new(
    "maxBins",
    ParamKind::Int,
    "most bins of a number, and the most categories of a feature; at least 2",
)
.int(32)
.range(Range::AtLeast(2.0));
pub(crate) const MAX_DEPTH_SPEC: ParamSpec =
    ParamSpec::new("maxDepth", ParamKind::Int, "most tests on the way to a leaf")
        .int(5)
        .range(Range::Between(0.0, 30.0));
pub(crate) const MAX_MEMORY_IN_MB_SPEC: ParamSpec = ParamSpec::new(
    "maxMemoryInMB",
    ParamKind::Int,
    "memory for the nodes that Spark splits in one pass, kept and without effect on a single tree",
)
.int(256)
.range(Range::AtLeast(0.0));
pub(crate) const MIN_INFO_GAIN_SPEC: ParamSpec =
    ParamSpec::new("minInfoGain", ParamKind::Double, "the least gain of a test").double(0.0).range(Range::AtLeast(0.0));
pub(crate) const MIN_INSTANCES_PER_NODE_SPEC: ParamSpec =
    ParamSpec::new("minInstancesPerNode", ParamKind::Int, "the fewest rows on each side of a test")
        .int(1)
        .range(Range::AtLeast(1.0));
pub(crate) const MIN_WEIGHT_FRACTION_PER_NODE_SPEC: ParamSpec = ParamSpec::new(
    "minWeightFractionPerNode",
    ParamKind::Double,
    "the least share of all weight on each side of a test, below 0.5",
)
.double(0.0)
.range(Range::Between(0.0, MOST_WEIGHT_FRACTION))
.since(SparkVersion::V3_5);
pub(crate) const PREDICTION_COL_SPEC: ParamSpec =
    ParamSpec::new("predictionCol", ParamKind::String, "column for what is predicted").text("prediction");
pub(crate) const WEIGHT_COL_SPEC: ParamSpec =
    ParamSpec::new("weightCol", ParamKind::String, "column of weights, all 1 when not set").since(SparkVersion::V3_5);

/// The largest double below a half.
const MOST_WEIGHT_FRACTION: f64 = 0.499_999_999_999_999_94;

/// The seed of the sample from which thresholds are taken; `default` is the class's own.
pub(crate) const fn seed_spec(default: i64) -> ParamSpec {
    ParamSpec::new("seed", ParamKind::Long, "seed of the sample from which thresholds are taken").long(default)
}

/// The measure that is asked for.
pub(crate) fn impurity_of(params: &Params) -> Impurity {
    match params.get(IMPURITY).as_str() {
        "entropy" => Impurity::Entropy,
        "variance" => Impurity::Variance,
        _ => Impurity::Gini,
    }
}

/// Checks every range, and that `thresholds`, where there are any, are not negative and hold one 0 at most.
pub(crate) fn check(params: &Params, thresholds: Option<&[f64]>) -> Result<(), ParamError> {
    params.check()?;
    let Some(thresholds) = thresholds else { return Ok(()) };
    let n_zeros = thresholds.iter().filter(|&&threshold| threshold == 0.0).count();
    if thresholds.iter().all(|&threshold| threshold >= 0.0) && n_zeros <= 1 {
        return Ok(());
    }
    let reason = format!("`thresholds` must not be negative and hold one 0 at most: {thresholds:?}");
    Err(ParamError::Conflict { uid: params.uid().clone(), reason })
}
