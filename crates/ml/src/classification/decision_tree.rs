//! `DecisionTreeClassifier`: tests one after the other, and a class at the end.
//!
//! ```text
//! metadata              numFeatures, numClasses
//! data/part-….parquet   one row per node, see `tree/node_table.rs`
//! ```

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{Field, SchemaRef};
use ognivo_data::column::AttributeGroup;
use ognivo_data::dataset::Dataset;
use ognivo_data::outcome::Outcome;
use ognivo_data::vector::{Vector, dense_column, vector_field};
use ognivo_data::version::SparkVersion;
use serde_json::{Value, json};

use super::softmax::argmax;
use crate::columns::{PROBABILITY_COL, RAW_PREDICTION_COL};
use crate::columns::{append_columns, with_columns};
use crate::param::{Key, ParamError, ParamKind, ParamSpec, Params, Range};
use crate::saved::{SavedError, SavedStage};
use crate::stage::{BoundStage, Configured, Estimator, FitError, Stage, StageError, Transformer};
use crate::tree::{self, BoundTree, Grown, Labels, Tree, grow_tree, impurity_of, node_table, read_node_table};

const PRUNE_TREE: Key<bool> = Key::new("pruneTree");
const THRESHOLDS: Key<Vec<f64>> = Key::new("thresholds");

/// Estimator and model have the same parameters.
static PARAMS: &[ParamSpec] = &[
    tree::CACHE_NODE_IDS_SPEC,
    tree::CHECKPOINT_INTERVAL_SPEC,
    tree::FEATURES_COL_SPEC,
    ParamSpec::new("impurity", ParamKind::String, "what a test is to lower: gini or entropy")
        .text("gini")
        .range(Range::OneOf(&["gini", "entropy"])),
    ParamSpec::new("labelCol", ParamKind::String, "label column, whole numbers from 0").text("label"),
    tree::LEAF_COL_SPEC,
    tree::MAX_BINS_SPEC,
    tree::MAX_DEPTH_SPEC,
    tree::MAX_MEMORY_IN_MB_SPEC,
    tree::MIN_INFO_GAIN_SPEC,
    tree::MIN_INSTANCES_PER_NODE_SPEC,
    tree::MIN_WEIGHT_FRACTION_PER_NODE_SPEC,
    tree::PREDICTION_COL_SPEC,
    ParamSpec::new("probabilityCol", ParamKind::String, "column for probabilities of classes, none when empty")
        .text("probability"),
    ParamSpec::new("pruneTree", ParamKind::Boolean, "whether sibling leaves of one class become one leaf")
        .boolean(true)
        .since(SparkVersion::V4_3),
    ParamSpec::new(
        "rawPredictionCol",
        ParamKind::String,
        "column for the weights of classes in the leaf, none when empty",
    )
    .text("rawPrediction"),
    tree::seed_spec(159_147_643),
    ParamSpec::new("thresholds", ParamKind::DoubleArray, "the class with the largest probability / threshold wins"),
    tree::WEIGHT_COL_SPEC,
];

/// Learns a tree that predicts one of several classes.
///
/// Same as Spark 2.4, 3.5 and 4.3, node for node: thresholds are taken from a sample of the rows (drawn as Spark draws it),
/// features with nominal or binary attributes are split by categories, of equal gains the first wins, and sibling leaves of one
/// class are merged. 2.4 knows no weights, no `leafCol` and no `minWeightFractionPerNode`; `pruneTree` came with 4.3.
/// Differs from Spark: `cacheNodeIds`, `checkpointInterval` and `maxMemoryInMB` are kept and have no effect; with weights and
/// several partitions the last bits of sums may differ.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{Float64Array, RecordBatch};
/// # use ognivo_data::dataset::{Dataset, LocalExecutor};
/// # use ognivo_data::vector::dense_column;
/// use ognivo_ml::classification::DecisionTreeClassifier;
/// # let features = dense_column(vec![1.0, 2.0, 3.0, 4.0], 4, 1);
/// # let labels = Arc::new(Float64Array::from(vec![0.0, 0.0, 1.0, 1.0])) as _;
/// # let rows = RecordBatch::try_from_iter([("features", features), ("survived", labels)])?;
/// # let passengers = Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::default()));
/// let model = DecisionTreeClassifier::new().label_col("survived").max_depth(3).fit(&passengers)?;
/// assert!(model.to_debug_string().contains("If (feature 0 <= 2.5)"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct DecisionTreeClassifier {
    params: Params,
}

impl Default for DecisionTreeClassifier {
    fn default() -> DecisionTreeClassifier {
        DecisionTreeClassifier { params: Params::new("DecisionTreeClassifier", PARAMS) }
    }
}

impl DecisionTreeClassifier {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.classification.DecisionTreeClassifier";

    /// With Spark's defaults: depth 5, 32 bins, gini, columns `features` and `label`.
    pub fn new() -> DecisionTreeClassifier {
        DecisionTreeClassifier::default()
    }

    /// The column of feature vectors.
    pub fn features_col(mut self, name: &str) -> DecisionTreeClassifier {
        self.params.put(tree::FEATURES_COL, name.to_owned());
        self
    }

    /// The column of labels: whole numbers from 0.
    pub fn label_col(mut self, name: &str) -> DecisionTreeClassifier {
        self.params.put(tree::LABEL_COL, name.to_owned());
        self
    }

    /// The column of weights.
    pub fn weight_col(mut self, name: &str) -> DecisionTreeClassifier {
        self.params.put(tree::WEIGHT_COL, name.to_owned());
        self
    }

    /// The column for predicted labels; none when empty.
    pub fn prediction_col(mut self, name: &str) -> DecisionTreeClassifier {
        self.params.put(tree::PREDICTION_COL, name.to_owned());
        self
    }

    /// The column for probabilities; none when empty.
    pub fn probability_col(mut self, name: &str) -> DecisionTreeClassifier {
        self.params.put(PROBABILITY_COL, name.to_owned());
        self
    }

    /// The column for the weights of classes in the leaf; none when empty.
    pub fn raw_prediction_col(mut self, name: &str) -> DecisionTreeClassifier {
        self.params.put(RAW_PREDICTION_COL, name.to_owned());
        self
    }

    /// The column for the number of the leaf; none when empty, which is the default.
    pub fn leaf_col(mut self, name: &str) -> DecisionTreeClassifier {
        self.params.put(tree::LEAF_COL, name.to_owned());
        self
    }

    /// `gini` or `entropy`.
    pub fn impurity(mut self, impurity: &str) -> DecisionTreeClassifier {
        self.params.put(tree::IMPURITY, impurity.to_owned());
        self
    }

    /// The most tests on the way to a leaf, up to 30.
    pub fn max_depth(mut self, n: i32) -> DecisionTreeClassifier {
        self.params.put(tree::MAX_DEPTH, n);
        self
    }

    /// The most bins of a number, and the most categories of a feature.
    pub fn max_bins(mut self, n: i32) -> DecisionTreeClassifier {
        self.params.put(tree::MAX_BINS, n);
        self
    }

    /// The fewest rows on each side of a test.
    pub fn min_instances_per_node(mut self, n: i32) -> DecisionTreeClassifier {
        self.params.put(tree::MIN_INSTANCES_PER_NODE, n);
        self
    }

    /// The least share of all weight on each side of a test.
    pub fn min_weight_fraction_per_node(mut self, share: f64) -> DecisionTreeClassifier {
        self.params.put(tree::MIN_WEIGHT_FRACTION_PER_NODE, share);
        self
    }

    /// The least gain of a test.
    pub fn min_info_gain(mut self, gain: f64) -> DecisionTreeClassifier {
        self.params.put(tree::MIN_INFO_GAIN, gain);
        self
    }

    /// Whether sibling leaves of one class become one leaf.
    pub fn prune_tree(mut self, yes: bool) -> DecisionTreeClassifier {
        self.params.put(PRUNE_TREE, yes);
        self
    }

    /// The seed of the sample from which thresholds are taken.
    pub fn seed(mut self, seed: i64) -> DecisionTreeClassifier {
        self.params.put(tree::SEED, seed);
        self
    }

    /// The label with the largest probability / threshold is predicted.
    pub fn thresholds(mut self, thresholds: impl Into<Vec<f64>>) -> DecisionTreeClassifier {
        self.params.put(THRESHOLDS, thresholds.into());
        self
    }

    /// Gives the numbers of this Spark version.
    pub fn spark_version(mut self, version: SparkVersion) -> DecisionTreeClassifier {
        self.params.set_version(version);
        self
    }

    /// Learns the tree: a pass that counts, one over a sample, and one that bins the rows.
    ///
    /// # Errors
    /// [`FitError`]: wrong columns or parameters, a row that cannot be used, labels that are not classes, a category of more
    /// values than `maxBins`, thresholds of another number than there are classes, no rows.
    pub fn fit(&self, data: &Dataset) -> Result<DecisionTreeClassificationModel, FitError> {
        check(&self.params)?;
        let Grown { tree, n_features, n_classes } =
            grow_tree(&self.params, Labels::Classes, self.params.get(PRUNE_TREE), data)?;
        check_n_thresholds(&self.params, n_classes)?;
        let mut params = Params::new("DecisionTreeClassifier", PARAMS);
        params.inherit(&self.params);
        Ok(DecisionTreeClassificationModel { params, tree: Arc::new(tree), n_features, n_classes })
    }

    /// The estimator that `saved` describes.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter or a value that does not fit.
    pub fn from_saved(saved: &SavedStage) -> Result<DecisionTreeClassifier, SavedError> {
        let mut estimator = DecisionTreeClassifier::new();
        saved.read_params(&mut estimator.params)?;
        Ok(estimator)
    }
}

fn check(params: &Params) -> Result<(), ParamError> {
    tree::check(params, params.find(THRESHOLDS).as_deref())
}

fn check_n_thresholds(params: &Params, n_classes: usize) -> Result<(), ParamError> {
    match params.find(THRESHOLDS) {
        Some(thresholds) if thresholds.len() != n_classes => {
            let reason =
                format!("`thresholds` must have one entry for each of the {n_classes} classes: {thresholds:?}");
            Err(ParamError::Conflict { uid: params.uid().clone(), reason })
        }
        _ => Ok(()),
    }
}

impl Configured for DecisionTreeClassifier {
    fn class(&self) -> &'static str {
        DecisionTreeClassifier::CLASS
    }
    fn params(&self) -> &Params {
        &self.params
    }
    fn params_mut(&mut self) -> &mut Params {
        &mut self.params
    }
    fn to_saved(&self, version: SparkVersion) -> Result<SavedStage, SavedError> {
        SavedStage::of_params(DecisionTreeClassifier::CLASS, &self.params, version)
    }
}

impl Estimator for DecisionTreeClassifier {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef, StageError> {
        check(&self.params)?;
        tree::check_columns(&self.params, input)?;
        with_columns(self.params.uid(), input, output_fields(&self.params, None))
    }
    fn fit(&self, data: &Dataset) -> Result<Box<dyn Transformer>, FitError> {
        Ok(Box::new(DecisionTreeClassifier::fit(self, data)?))
    }
    fn clone_box(&self) -> Box<dyn Estimator> {
        Box::new(self.clone())
    }
}

impl From<DecisionTreeClassifier> for Stage {
    fn from(estimator: DecisionTreeClassifier) -> Stage {
        Stage::Estimator(Box::new(estimator))
    }
}

/// A fitted tree. Appends the weights of classes in the row's leaf, their shares, the predicted label, and the leaf's number where
/// asked, in this order; an empty column name leaves a column out.
///
/// Features are vectors of [`n_features`](DecisionTreeClassificationModel::n_features) slots; a row whose vector is null or of
/// another size is rejected. NaN goes right at a threshold.
///
/// Same as Spark 2.4, 3.5 and 4.3, bit for bit: where neither raw predictions nor probabilities are asked for, the leaf's own
/// label is predicted, whatever the thresholds.
#[derive(Debug, Clone)]
pub struct DecisionTreeClassificationModel {
    params: Params,
    tree: Arc<Tree>,
    n_features: usize,
    n_classes: usize,
}

impl DecisionTreeClassificationModel {
    /// The JVM class that Spark saves it under.
    pub const CLASS: &'static str = "org.apache.spark.ml.classification.DecisionTreeClassificationModel";

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Size of the feature vectors.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// How many labels there are.
    pub fn n_classes(&self) -> usize {
        self.n_classes
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
        self.tree.importances(self.n_features, impurity_of(&self.params))
    }

    /// The tree as text, as Spark prints it.
    pub fn to_debug_string(&self) -> String {
        let (uid, depth, n_nodes) = (self.params.uid(), self.depth(), self.n_nodes());
        let header = match self.params.version() {
            SparkVersion::V2_4 => {
                format!("DecisionTreeClassificationModel (uid={uid}) of depth {depth} with {n_nodes} nodes")
            }
            _ => format!(
                "DecisionTreeClassificationModel: uid={uid}, depth={depth}, numNodes={n_nodes}, numClasses={}, numFeatures={}",
                self.n_classes, self.n_features
            ),
        };
        format!("{header}\n{}", self.tree.describe())
    }

    /// What each leaf gives, leaves from the left.
    fn leaves(&self, is_raw: bool, is_probability: bool) -> Vec<LeafOutput> {
        let thresholds = self.params.find(THRESHOLDS);
        let leaf = |position: usize| {
            let node = &self.tree.nodes()[position];
            let raw = node.stats.clone();
            let weight = raw.iter().fold(0.0, |sum, of_class| sum + of_class);
            let share = |&of_class: &f64| if weight == 0.0 { of_class } else { of_class / weight };
            let probability: Vec<f64> = raw.iter().map(share).collect();
            let label = match &thresholds {
                _ if !is_raw && !is_probability => node.prediction,
                Some(thresholds) => largest_share(&probability, thresholds) as f64,
                None if is_raw => argmax(&raw) as f64,
                None => argmax(&probability) as f64,
            };
            LeafOutput { raw, probability, label }
        };
        self.tree.leaves().into_iter().map(leaf).collect()
    }

    /// The model that `saved` describes.
    ///
    /// # Errors
    /// [`SavedError`] for an unknown parameter, a missing key or column, or nodes that are no tree.
    pub fn from_saved(saved: &SavedStage) -> Result<DecisionTreeClassificationModel, SavedError> {
        let count = |key: &str| {
            let count = saved.extra.get(key).and_then(Value::as_u64).and_then(|count| i32::try_from(count).ok());
            count.map(|count| count as usize).ok_or_else(|| saved.fault(key, "not a count".to_owned()))
        };
        let (n_features, n_classes) = (count("numFeatures")?, count("numClasses")?);
        let tree = Arc::new(read_node_table(saved, n_features, n_classes)?);
        let mut params = Params::new("DecisionTreeClassifier", PARAMS);
        saved.read_params(&mut params)?;
        Ok(DecisionTreeClassificationModel { params, tree, n_features, n_classes })
    }
}

/// The class with the largest probability / threshold; the first of equal ones. 0 / 0 never wins.
fn largest_share(probability: &[f64], thresholds: &[f64]) -> usize {
    let mut best = (0, f64::NEG_INFINITY);
    for (class, (probability, threshold)) in probability.iter().zip(thresholds).enumerate() {
        let share = probability / threshold;
        if share > best.1 {
            best = (class, share);
        }
    }
    best.0
}

impl Configured for DecisionTreeClassificationModel {
    fn class(&self) -> &'static str {
        DecisionTreeClassificationModel::CLASS
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
        let mut saved = SavedStage::of_params(DecisionTreeClassificationModel::CLASS, &self.params, version)?;
        saved.extra.insert("numFeatures".to_owned(), json!(self.n_features));
        saved.extra.insert("numClasses".to_owned(), json!(self.n_classes));
        Ok(saved.with_table("data", node_table(&self.tree, version)))
    }
}

impl From<DecisionTreeClassificationModel> for Stage {
    fn from(model: DecisionTreeClassificationModel) -> Stage {
        Stage::Transformer(Box::new(model))
    }
}

/// What a fitted tree knows of the values in its columns.
struct Counts {
    n_classes: usize,
    n_leaves: usize,
}

/// The columns that a model adds, those with an empty name left out; without counts before a fit.
///
/// Same as Spark: 2.4 says nothing of the values.
fn output_fields(params: &Params, counts: Option<Counts>) -> Vec<Field> {
    let counts = counts.filter(|_| params.version() > SparkVersion::V2_4);
    let (n_classes, n_leaves) =
        (counts.as_ref().map(|counts| counts.n_classes), counts.as_ref().map(|counts| counts.n_leaves));
    let of_vector = |key: Key<String>| {
        let field = vector_field(params.get(key));
        n_classes.map_or(field.clone(), |n_classes| AttributeGroup::of_size(n_classes).attach(field))
    };
    let prediction = tree::nominal_field(params.get(tree::PREDICTION_COL), n_classes);
    let leaf = tree::nominal_field(params.get(tree::LEAF_COL), n_leaves);
    let fields = [of_vector(RAW_PREDICTION_COL), of_vector(PROBABILITY_COL), prediction, leaf];
    fields.into_iter().filter(|field| !field.name().is_empty()).collect()
}

/// What a row of a leaf gets.
struct LeafOutput {
    raw: Vec<f64>,
    probability: Vec<f64>,
    label: f64,
}

struct BoundModel {
    tree: BoundTree,
    leaves: Vec<LeafOutput>,
    n_classes: usize,
    outputs: Outputs,
    schema: SchemaRef,
}

/// Which columns are asked for.
struct Outputs {
    raw: bool,
    probability: bool,
    prediction: bool,
    leaf: bool,
}

impl Transformer for DecisionTreeClassificationModel {
    fn bind(&self, input: &SchemaRef) -> Result<Box<dyn BoundStage>, StageError> {
        let params = &self.params;
        check(params)?;
        check_n_thresholds(params, self.n_classes)?;
        let is_named = |key| !params.get::<String>(key).is_empty();
        let outputs = Outputs {
            raw: is_named(RAW_PREDICTION_COL),
            probability: is_named(PROBABILITY_COL),
            prediction: is_named(tree::PREDICTION_COL),
            leaf: is_named(tree::LEAF_COL),
        };
        let leaves = self.leaves(outputs.raw, outputs.probability);
        let counts = Counts { n_classes: self.n_classes, n_leaves: leaves.len() };
        Ok(Box::new(BoundModel {
            tree: BoundTree::new(params, &self.tree, self.n_features, input)?,
            leaves,
            n_classes: self.n_classes,
            outputs,
            schema: with_columns(params.uid(), input, output_fields(params, Some(counts)))?,
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
        let Outputs { raw, probability, prediction, leaf } = self.outputs;
        let leaves = || scored.leaves.iter().map(|&number| &self.leaves[number as usize]);
        let vectors = |values: fn(&LeafOutput) -> &[f64]| {
            let numbers = leaves().flat_map(|leaf| values(leaf).iter().copied()).collect();
            dense_column(numbers, scored.leaves.len(), self.n_classes)
        };
        let added = [
            raw.then(|| vectors(|leaf| &leaf.raw)),
            probability.then(|| vectors(|leaf| &leaf.probability)),
            prediction.then(|| Arc::new(leaves().map(|leaf| leaf.label).collect::<Float64Array>()) as ArrayRef),
            leaf.then(|| {
                Arc::new(scored.leaves.iter().map(|&number| f64::from(number)).collect::<Float64Array>()) as ArrayRef
            }),
        ];
        let rows = append_columns(&self.schema, &scored.rows, added.into_iter().flatten());
        Ok(scored.outcome(rows))
    }
}
