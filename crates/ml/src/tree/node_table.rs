//! The nodes of a tree as the table that Spark saves.
//!
//! ```text
//! id: int                 from 0, the root, each before its children, a left subtree before the right one
//! prediction: double
//! impurity: double
//! impurityStats: array<double>
//! rawCount: bigint        since 3.0
//! gain: double            -1 of a leaf
//! leftChild: int          -1 of a leaf
//! rightChild: int         -1 of a leaf
//! split: struct<featureIndex: int                          -1 of a leaf
//!             , leftCategoriesOrThreshold: array<double>   categories that go left, or one threshold; none of a leaf
//!             , numCategories: int>                        -1 for a threshold and of a leaf
//! ```

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Fields, Schema};
use ognivo_data::version::SparkVersion;

use super::node::{Branch, Node, Split, Tree};
use crate::saved::{SavedError, SavedStage};

/// The table of a tree in the layout of `version`.
pub(crate) fn node_table(tree: &Tree, version: SparkVersion) -> RecordBatch {
    let nodes = tree.nodes();
    let doubles = |value: fn(&Node) -> f64| Arc::new(nodes.iter().map(value).collect::<Float64Array>()) as ArrayRef;
    let child = |position: fn(&Branch) -> usize| {
        let position = |node: &Node| node.branch.as_ref().map_or(-1, |branch| position(branch) as i32);
        Arc::new(nodes.iter().map(position).collect::<Int32Array>()) as ArrayRef
    };
    let raw_counts: ArrayRef = Arc::new(nodes.iter().map(|node| node.n_rows).collect::<Int64Array>());
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new((0..nodes.len() as i32).collect::<Int32Array>())),
        ("prediction", doubles(|node| node.prediction)),
        ("impurity", doubles(|node| node.impurity)),
        ("impurityStats", lists(nodes.iter().map(|node| node.stats.clone()))),
        ("rawCount", raw_counts),
        ("gain", doubles(|node| node.branch.as_ref().map_or(-1.0, |branch| branch.gain))),
        ("leftChild", child(|branch| branch.left)),
        ("rightChild", child(|branch| branch.right)),
        ("split", split_column(nodes)),
    ];
    let is_known = |name: &str| name != "rawCount" || version >= SparkVersion::V3_5;
    let columns: Vec<_> = columns.into_iter().filter(|(name, _)| is_known(name)).collect();
    let is_nullable = |name: &str| matches!(name, "impurityStats" | "split");
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), is_nullable(name)));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(schema), columns).expect("the columns have the types of the schema")
}

fn list_type() -> DataType {
    DataType::List(Arc::new(Field::new("element", DataType::Float64, false)))
}

fn lists(rows: impl Iterator<Item = Vec<f64>>) -> ArrayRef {
    let (mut lengths, mut values) = (Vec::new(), Vec::new());
    for row in rows {
        lengths.push(row.len());
        values.extend(row);
    }
    let element = Arc::new(Field::new("element", DataType::Float64, false));
    Arc::new(ListArray::new(element, OffsetBuffer::from_lengths(lengths), Arc::new(Float64Array::from(values)), None))
}

fn split_column(nodes: &[Node]) -> ArrayRef {
    let parts = nodes.iter().map(|node| match node.branch.as_ref().map(|branch| &branch.split) {
        None => (-1, Vec::new(), -1),
        Some(Split::Continuous { feature, threshold }) => (*feature as i32, vec![*threshold], -1),
        Some(Split::Categorical { feature, left, n_categories }) => {
            (*feature as i32, left.clone(), *n_categories as i32)
        }
    });
    let (mut features, mut values, mut arities) = (Vec::new(), Vec::new(), Vec::new());
    for (feature, of_left, n_categories) in parts {
        features.push(feature);
        values.push(of_left);
        arities.push(n_categories);
    }
    let fields = Fields::from(vec![
        Field::new("featureIndex", DataType::Int32, false),
        Field::new("leftCategoriesOrThreshold", list_type(), true),
        Field::new("numCategories", DataType::Int32, false),
    ]);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int32Array::from(features)), lists(values.into_iter()), Arc::new(Int32Array::from(arities))];
    Arc::new(StructArray::new(fields, columns, None))
}

/// The tree that the table `data` of `saved` holds, whose tests look at fewer than `n_features` slots and whose nodes have
/// `n_stats` statistics each. Rows may stand in any order.
///
/// # Errors
/// [`SavedError`] for a missing column, a null, numbers that are none, and nodes that are no tree.
pub(crate) fn read_node_table(saved: &SavedStage, n_features: usize, n_stats: usize) -> Result<Tree, SavedError> {
    let table = saved.table("data")?;
    let nodes = NodeColumns::of(saved, table)?;
    let mut by_id: Vec<Option<Node>> = vec![None; table.num_rows()];
    for row_idx in 0..table.num_rows() {
        let node = nodes.node(saved, row_idx, n_features, n_stats)?;
        let id = nodes.ids.value(row_idx);
        let place = usize::try_from(id).ok().and_then(|id| by_id.get_mut(id)).filter(|place| place.is_none());
        match place {
            Some(place) => *place = Some(node),
            None => return Err(saved.fault("id", format!("nodes must be numbered from 0, each once: {id}"))),
        }
    }
    let nodes = by_id.into_iter().flatten().collect();
    Tree::new(nodes).ok_or_else(|| saved.fault("leftChild", "the nodes are no tree".to_owned()))
}

/// The columns of the table, each of its type and without nulls.
struct NodeColumns<'a> {
    ids: &'a Int32Array,
    predictions: &'a Float64Array,
    impurities: &'a Float64Array,
    stats: &'a ListArray,
    raw_counts: Option<&'a Int64Array>,
    gains: &'a Float64Array,
    left: &'a Int32Array,
    right: &'a Int32Array,
    features: &'a Int32Array,
    split_values: &'a ListArray,
    arities: &'a Int32Array,
}

impl<'a> NodeColumns<'a> {
    fn of(saved: &SavedStage, table: &'a RecordBatch) -> Result<NodeColumns<'a>, SavedError> {
        let whole = |name: &str, column: &'a ArrayRef| match column.null_count() {
            0 => Ok(column),
            _ => Err(saved.fault(name, "a value is null".to_owned())),
        };
        let column = |name: &'static str| {
            let column =
                table.column_by_name(name).ok_or_else(|| saved.fault(name, "the column is missing".to_owned()))?;
            whole(name, column)
        };
        let split = column("split")?;
        let split = split.as_struct_opt().ok_or_else(|| saved.fault("split", "not a struct".to_owned()))?;
        let part = |name: &'static str| {
            let part = split.column_by_name(name).ok_or_else(|| saved.fault(name, "the part is missing".to_owned()))?;
            whole(name, part)
        };
        let wrong = |name: &'static str| saved.fault(name, "not of the type that Spark writes".to_owned());
        let integers = |name, column: &'a ArrayRef| column.as_primitive_opt::<Int32Type>().ok_or_else(|| wrong(name));
        let doubles = |name| column(name)?.as_primitive_opt::<Float64Type>().ok_or_else(|| wrong(name));
        let lists = |name, column: &'a ArrayRef| {
            let lists = column.as_list_opt::<i32>().filter(|lists| {
                lists.values().null_count() == 0 && lists.values().as_primitive_opt::<Float64Type>().is_some()
            });
            lists.ok_or_else(|| wrong(name))
        };
        let raw_counts = table.column_by_name("rawCount").map(|_| column("rawCount")).transpose()?;
        let raw_counts =
            raw_counts.map(|counts| counts.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong("rawCount")));
        Ok(NodeColumns {
            ids: integers("id", column("id")?)?,
            predictions: doubles("prediction")?,
            impurities: doubles("impurity")?,
            stats: lists("impurityStats", column("impurityStats")?)?,
            raw_counts: raw_counts.transpose()?,
            gains: doubles("gain")?,
            left: integers("leftChild", column("leftChild")?)?,
            right: integers("rightChild", column("rightChild")?)?,
            features: integers("featureIndex", part("featureIndex")?)?,
            split_values: lists("leftCategoriesOrThreshold", part("leftCategoriesOrThreshold")?)?,
            arities: integers("numCategories", part("numCategories")?)?,
        })
    }

    fn node(&self, saved: &SavedStage, row_idx: usize, n_features: usize, n_stats: usize) -> Result<Node, SavedError> {
        let list = |lists: &ListArray| lists.value(row_idx).as_primitive::<Float64Type>().values().to_vec();
        let stats = list(self.stats);
        if stats.len() != n_stats {
            let reason = format!("must have {n_stats} numbers: {}", stats.len());
            return Err(saved.fault("impurityStats", reason));
        }
        let branch = match self.left.value(row_idx) {
            -1 => None,
            left => {
                let position = |id: i32| {
                    usize::try_from(id)
                        .map_err(|_| saved.fault("rightChild", format!("not the number of a node: {id}")))
                };
                Some(Branch {
                    split: self.split(saved, row_idx, n_features, list(self.split_values))?,
                    gain: self.gains.value(row_idx),
                    left: position(left)?,
                    right: position(self.right.value(row_idx))?,
                })
            }
        };
        Ok(Node {
            prediction: self.predictions.value(row_idx),
            impurity: self.impurities.value(row_idx),
            stats,
            // As Spark says of a tree that 2.4 wrote.
            n_rows: self.raw_counts.map_or(-1, |counts| counts.value(row_idx)),
            branch,
        })
    }

    fn split(
        &self,
        saved: &SavedStage,
        row_idx: usize,
        n_features: usize,
        values: Vec<f64>,
    ) -> Result<Split, SavedError> {
        let feature = self.features.value(row_idx);
        let Some(feature) = usize::try_from(feature).ok().filter(|&feature| feature < n_features) else {
            return Err(saved.fault("featureIndex", format!("must be below {n_features}: {feature}")));
        };
        let n_categories = self.arities.value(row_idx);
        if n_categories == -1 {
            return match values[..] {
                [threshold] => Ok(Split::Continuous { feature, threshold }),
                _ => Err(saved.fault("leftCategoriesOrThreshold", format!("must be one threshold: {values:?}"))),
            };
        }
        let is_category = |&value: &f64| value >= 0.0 && value < f64::from(n_categories) && value.fract() == 0.0;
        let mut left = values;
        left.sort_by(f64::total_cmp);
        match usize::try_from(n_categories) {
            Ok(n_categories) if left.iter().all(is_category) => Ok(Split::Categorical { feature, left, n_categories }),
            _ => {
                Err(saved
                    .fault("leftCategoriesOrThreshold", format!("must be categories below {n_categories}: {left:?}")))
            }
        }
    }
}
