//! `DecisionTreeRegressor`: tests one after the other, and a number at the end.
//!
//! ```text
//! metadata              numFeatures
//! data/part-….parquet   one row per node, see `tree/node_table.rs`
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, SchemaRef};
use ognivo_data::column::ML_ATTR;
use ognivo_data::dataset::Dataset;
use ognivo_data::outcome::Outcome;
use ognivo_data::vector::Vector;
use ognivo_data::version::SparkVersion;
use serde_json::{Value, json};

use crate::columns::{append_columns, with_columns};
use crate::param::{Key, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Estimator, FitError, Stage, StageError, Transformer};
use crate::tree::{self, BoundTree, Grown, Impurity, Labels, Tree, grow_tree, node_table, read_node_table};

const VARIANCE_COL: Key<String> = Key::new("varianceCol");

/// Numbers that a node of a regression tree keeps: weight, sum of labels, sum of squared labels.
const N_STATS: usize = 3;

/// Estimator and model have the same parameters.
static PARAMS: &[ParamSpec] = &[
    tree::CACHE_NODE_IDS_SPEC,
    tree::CHECKPOINT_INTERVAL_SPEC,
    tree::FEATURES_COL_SPEC,
    ParamSpec::new("impurity", ParamKind::String, "what a test is to lower: variance")
        .text("variance")
        .range(Range::OneOf(&["variance"])),
    ParamSpec::new("labelCol", ParamKind::String, "label column, any numbers").text("label"),
    tree::LEAF_COL_SPEC,
    tree::MAX_BINS_SPEC,
    tree::MAX_DEPTH_SPEC,
    tree::MAX_MEMORY_IN_MB_SPEC,
    tree::MIN_INFO_GAIN_SPEC,
    tree::MIN_INSTANCES_PER_NODE_SPEC,
    tree::MIN_WEIGHT_FRACTION_PER_NODE_SPEC,
    tree::PREDICTION_COL_SPEC,
    tree::seed_spec(926_680_331),
    ParamSpec::new("varianceCol", ParamKind::String, "column for the variance of labels in the leaf"),
    tree::WEIGHT_COL_SPEC,
];

/// Learns a tree that predicts a number: the mean of the labels in a leaf.
///
/// Same as Spark 2.4, 3.5 and 4.3, node for node, as [`DecisionTreeClassifier`](crate::classification::DecisionTreeClassifier).
/// Differs from Spark: `cacheNodeIds`, `checkpointInterval` and `maxMemoryInMB` are kept and have no effect; sums are added row by
/// row over all partitions, so with several of them the last bits may differ (to about 1e-15, relative to the sums).
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{Float64Array, RecordBatch};
/// # use ognivo_data::dataset::{Dataset, LocalExecutor};
/// # use ognivo_data::vector::dense_column;
/// use ognivo_ml::regression::DecisionTreeRegressor;
/// # let features = dense_column(vec![1.0, 2.0, 3.0, 4.0], 4, 1);
/// # let labels = Arc::new(Float64Array::from(vec![10.0, 12.0, 30.0, 32.0])) as _;
/// # let rows = RecordBatch::try_from_iter([("features", features), ("price", labels)])?;
/// # let houses = Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::default()));
/// let model = DecisionTreeRegressor::new().label_col("price").max_depth(1).fit(&houses)?;
/// assert!(model.to_debug_string().ends_with("  If (feature 0 <= 2.5)\n   Predict: 11.0\n  Else (feature 0 > 2.5)\n   Predict: 31.0\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct DecisionTreeRegressor {
    params: Params,
}

impl Default for DecisionTreeRegressor {
    fn default() -> DecisionTreeRegressor {
        DecisionTreeRegressor { params: Params::new("DecisionTreeRegressor", PARAMS) }
    }
}

impl DecisionTreeRegressor {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.regression.DecisionTreeRegressor";

    /// With Spark's defaults: depth 5, 32 bins, columns `features` and `label`.
    pub fn new() -> DecisionTreeRegressor {
        DecisionTreeRegressor::default()
    }

    /// The column of feature vectors.
    pub fn features_col(mut self, name: &str) -> DecisionTreeRegressor {
        self.params.put(tree::FEATURES_COL, name.to_owned());
        self
    }

    /// The column of labels.
    pub fn label_col(mut self, name: &str) -> DecisionTreeRegressor {
        self.params.put(tree::LABEL_COL, name.to_owned());
        self
    }

    /// The column of weights.
    pub fn weight_col(mut self, name: &str) -> DecisionTreeRegressor {
        self.params.put(tree::WEIGHT_COL, name.to_owned());
        self
    }

    /// The column for predicted numbers; none when empty.
    pub fn prediction_col(mut self, name: &str) -> DecisionTreeRegressor {
        self.params.put(tree::PREDICTION_COL, name.to_owned());
        self
    }

    /// The column for the variance of labels in the leaf.
    pub fn variance_col(mut self, name: &str) -> DecisionTreeRegressor {
        self.params.put(VARIANCE_COL, name.to_owned());
        self
    }

    /// The column for the number of the leaf; none when empty, which is the default.
    pub fn leaf_col(mut self, name: &str) -> DecisionTreeRegressor {
        self.params.put(tree::LEAF_COL, name.to_owned());
        self
    }

    /// The most tests on the way to a leaf, up to 30.
    pub fn max_depth(mut self, n: i32) -> DecisionTreeRegressor {
        self.params.put(tree::MAX_DEPTH, n);
        self
    }

    /// The most bins of a number, and the most categories of a feature.
    pub fn max_bins(mut self, n: i32) -> DecisionTreeRegressor {
        self.params.put(tree::MAX_BINS, n);
        self
    }

    /// The fewest rows on each side of a test.
    pub fn min_instances_per_node(mut self, n: i32) -> DecisionTreeRegressor {
        self.params.put(tree::MIN_INSTANCES_PER_NODE, n);
        self
    }

    /// The least share of all weight on each side of a test.
    pub fn min_weight_fraction_per_node(mut self, share: f64) -> DecisionTreeRegressor {
        self.params.put(tree::MIN_WEIGHT_FRACTION_PER_NODE, share);
        self
    }

    /// The least gain of a test.
    pub fn min_info_gain(mut self, gain: f64) -> DecisionTreeRegressor {
        self.params.put(tree::MIN_INFO_GAIN, gain);
        self
    }

    /// The seed of the sample from which thresholds are taken.
    pub fn seed(mut self, seed: i64) -> DecisionTreeRegressor {
        self.params.put(tree::SEED, seed);
        self
    }

    /// Gives the numbers of this Spark version.
    pub fn spark_version(mut self, version: SparkVersion) -> DecisionTreeRegressor {
        self.params.set_version(version);
        self
    }

    /// Learns the tree: a pass that counts, one over a sample, and one that bins the rows.
    ///
    /// # Errors
    /// [`FitError`]: wrong columns or parameters, a row that cannot be used, a category of more values than `maxBins`, no rows.
    pub fn fit(&self, data: &Dataset) -> Result<DecisionTreeRegressionModel, FitError> {
        tree::check(&self.params, None)?;
        let Grown { tree, n_features, .. } = grow_tree(&self.params, Labels::Numbers, true, data)?;
        let mut params = Params::new("DecisionTreeRegressor", PARAMS);
        params.inherit(&self.params);
        Ok(DecisionTreeRegressionModel { params, tree: Arc::new(tree), n_features })
    }

    /// The estimator that `saved` describes.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter or a value that does not fit.
    pub fn from_saved(saved: &SavedStage) -> Result<DecisionTreeRegressor, SavedError> {
        let mut estimator = DecisionTreeRegressor::new();
        saved.read_params(&mut estimator.params)?;
        Ok(estimator)
    }
}

impl Configured for DecisionTreeRegressor {
    fn class(&self) -> &'static str {
        DecisionTreeRegressor::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(DecisionTreeRegressor::CLASS, &self.params, version)
    }
}

impl Estimator for DecisionTreeRegressor {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        tree::check(&self.params, None)?;
        tree::check_columns(&self.params, input)?;
        with_columns(self.params.uid(), input, output_fields(&self.params, None))
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(DecisionTreeRegressor::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<DecisionTreeRegressor> for Stage {
    fn from(estimator: DecisionTreeRegressor) -> Stage {
        Stage::Estimator(Box::new(estimator))
    }
}

/// A fitted tree. Appends the mean of the labels in the row's leaf, their variance and the leaf's number where asked, in this order;
/// an empty column name leaves a column out.
///
/// Features are vectors of [`n_features`](DecisionTreeRegressionModel::n_features) slots; a row whose vector is null or of
/// another size is rejected. NaN goes right at a threshold.
///
/// Same as Spark 2.4, 3.5 and 4.3, bit for bit.
#[derive(Debug, Clone)]
pub struct DecisionTreeRegressionModel {
    params: Params,
    tree: Arc<Tree>,
    n_features: usize,
}

impl DecisionTreeRegressionModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.regression.DecisionTreeRegressionModel";

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Size of the feature vectors.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// How many tests lie on the longest way to a leaf.
    pub fn depth(&self) -> usize {
        self.tree.depth()
    }

    /// How many nodes there are, leaves included.
    pub fn n_nodes(&self) -> usize {
        self.tree.n_nodes()
    }

    /// How much each feature lowers the impurity; all add up to 1.
    pub fn feature_importances(&self) -> Vector {
        self.tree.importances(self.n_features, Impurity::Variance)
    }

    /// The tree as text, as Spark prints it.
    pub fn to_debug_string(&self) -> String {
        let (uid, depth, n_nodes) = (self.params.uid(), self.depth(), self.n_nodes());
        let header = match self.params.version() {
            SparkVersion::V2_4 => {
                format!("DecisionTreeRegressionModel (uid={uid}) of depth {depth} with {n_nodes} nodes")
            }
            _ => format!(
                "DecisionTreeRegressionModel: uid={uid}, depth={depth}, numNodes={n_nodes}, numFeatures={}",
                self.n_features
            ),
        };
        format!("{header}\n{}", self.tree.describe())
    }

    /// What each leaf gives, leaves from the left.
    fn leaves(&self) -> Vec<LeafOutput> {
        let leaf = |position: usize| {
            let node = &self.tree.nodes()[position];
            LeafOutput { mean: node.prediction, variance: Impurity::Variance.of(&node.stats) }
        };
        self.tree.leaves().into_iter().map(leaf).collect()
    }

    /// The model that `saved` describes.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter, a missing key or column, or nodes that are no tree.
    pub fn from_saved(saved: &SavedStage) -> Result<DecisionTreeRegressionModel, SavedError> {
        let n_features = saved.extra.get("numFeatures").and_then(Value::as_u64).and_then(|n| i32::try_from(n).ok());
        let n_features = n_features.ok_or_else(|| saved.fault("numFeatures", "not a count".to_owned()))? as usize;
        let tree = Arc::new(read_node_table(saved, n_features, N_STATS)?);
        let mut params = Params::new("DecisionTreeRegressor", PARAMS);
        saved.read_params(&mut params)?;
        Ok(DecisionTreeRegressionModel { params, tree, n_features })
    }
}

impl Configured for DecisionTreeRegressionModel {
    fn class(&self) -> &'static str {
        DecisionTreeRegressionModel::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn in_short(&self) -> Option<String> {
        Some(self.tree.in_short(&self.feature_importances()))
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        let mut saved = SavedStage::of_params(DecisionTreeRegressionModel::CLASS, &self.params, version)?;
        saved.extra.insert("numFeatures".to_owned(), json!(self.n_features));
        Ok(saved.with_table("data", node_table(&self.tree, version)))
    }
}

impl From<DecisionTreeRegressionModel> for Stage {
    fn from(model: DecisionTreeRegressionModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

/// The columns that a model adds, those with an empty name left out; without the number of leaves before a fit.
///
/// Same as Spark: 2.4 says nothing of the values, later versions attach an attribute without content to numbers.
fn output_fields(params: &Params, n_leaves: Option<usize>) -> Vec<Field> {
    let n_leaves = n_leaves.filter(|_| params.version() > SparkVersion::V2_4);
    let number = |name: String| {
        let field = Field::new(name, DataType::Float64, false);
        match n_leaves {
            Some(_) => field.with_metadata(HashMap::from([(ML_ATTR.to_owned(), "{}".to_owned())])),
            None => field,
        }
    };
    let prediction = number(params.get(tree::PREDICTION_COL));
    let variance = number(params.find(VARIANCE_COL).unwrap_or_default());
    let leaf = tree::nominal_field(params.get(tree::LEAF_COL), n_leaves);
    [prediction, variance, leaf].into_iter().filter(|field| !field.name().is_empty()).collect()
}

/// What a row of a leaf gets.
struct LeafOutput {
    mean: f64,
    variance: f64,
}

struct BoundModel {
    tree: BoundTree,
    leaves: Vec<LeafOutput>,
    outputs: Outputs,
    schema: SchemaRef,
}

/// Which columns are asked for.
struct Outputs {
    prediction: bool,
    variance: bool,
    leaf: bool,
}

impl Transformer for DecisionTreeRegressionModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        let params = &self.params;
        tree::check(params, None)?;
        let is_named = |key| params.find::<String>(key).is_some_and(|name| !name.is_empty());
        let leaves = self.leaves();
        let fields = output_fields(params, Some(leaves.len()));
        Ok(Box::new(BoundModel {
            tree: BoundTree::new(params, &self.tree, self.n_features, input)?,
            leaves,
            outputs: Outputs {
                prediction: is_named(tree::PREDICTION_COL),
                variance: is_named(VARIANCE_COL),
                leaf: is_named(tree::LEAF_COL),
            },
            schema: with_columns(params.uid(), input, fields)?,
        }))
    }

    fn clone_box(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}

impl BoundStage for BoundModel {
    fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn apply(&self, rows: RecordBatch) -> Result<Outcome, StageError> {
        let scored = self.tree.apply(rows)?;
        let Outputs { prediction, variance, leaf } = self.outputs;
        let numbers = |number: &dyn Fn(u32) -> f64| {
            Arc::new(scored.leaves.iter().map(|&leaf| number(leaf)).collect::<Float64Array>()) as ArrayRef
        };
        let added = [
            prediction.then(|| numbers(&|leaf| self.leaves[leaf as usize].mean)),
            variance.then(|| numbers(&|leaf| self.leaves[leaf as usize].variance)),
            leaf.then(|| numbers(&f64::from)),
        ];
        let rows = append_columns(&self.schema, &scored.rows, added.into_iter().flatten());
        Ok(scored.outcome(rows))
    }
}
