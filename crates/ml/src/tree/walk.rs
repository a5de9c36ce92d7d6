//! Rows of a batch to the leaves that they reach.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema};
use ognivo_data::column::{AttributeGroup, ML_ATTR};
use ognivo_data::outcome::{Fate, Fates, Outcome, RejectCode, Rejection};
use ognivo_data::vector::{VectorColumn, VectorRef, is_vector};

use super::node::{Split, Tree};
use super::params::FEATURES_COL;
use crate::columns::{input_column, keep_rows, wrong_type};
use crate::param::Params;
use crate::stage::StageError;
use crate::uid::Uid;

/// A column of numbers below `n_values`, where that is known, as Spark describes it.
pub(crate) fn nominal_field(name: String, n_values: Option<usize>) -> Field {
    let field = Field::new(name, DataType::Float64, false);
    match n_values {
        None => field,
        Some(n_values) => {
            let attribute = format!(r#"{{"num_vals":{n_values},"type":"nominal"}}"#);
            field.with_metadata(HashMap::from([(ML_ATTR.to_owned(), attribute)]))
        }
    }
}

/// A tree bound to the column of features that it reads.
pub(crate) struct BoundTree {
    uid: Uid,
    position: usize,
    column: String,
    n_features: usize,
    steps: Vec<Step>,
}

/// A node on the way of a row.
enum Step {
    /// The number of the leaf, counted from the left.
    Leaf(u32),
    Threshold {
        feature: usize,
        threshold: f64,
        left: u32,
        right: u32,
    },
    Categories {
        split: Split,
        left: u32,
        right: u32,
    },
}

/// The rows of a batch that can be scored, and the number of the leaf that each of them reaches.
pub(crate) struct TreeRows {
    pub(crate) rows: RecordBatch,
    pub(crate) leaves: Vec<u32>,
    fates: Fates,
}

impl TreeRows {
    /// The outcome with these rows, which are ours with further columns.
    pub(crate) fn outcome(self, rows: RecordBatch) -> Outcome {
        Outcome::new(rows, self.fates)
    }
}

impl BoundTree {
    /// `tree`, which reads vectors of `n_features`, bound to the features of `input`.
    ///
    /// # Errors
    /// [`StageError`] when the column is missing, holds no vectors, or its attributes tell another size.
    pub(crate) fn new(
        params: &Params,
        tree: &Tree,
        n_features: usize,
        input: &Schema,
    ) -> Result<BoundTree, StageError> {
        let column = params.get(FEATURES_COL);
        let (position, field) = input_column(params.uid(), input, &column)?;
        if !is_vector(field.data_type()) {
            return Err(wrong_type(params.uid(), &column, "a vector", field.data_type()));
        }
        if let Some(found) = AttributeGroup::of(field).n_slots.filter(|&n_slots| n_slots != n_features) {
            let reason = format!("column `{column}` must have {n_features} slots: {found}");
            return Err(StageError::Unfit { uid: params.uid().clone(), reason, hint: None });
        }
        Ok(BoundTree { uid: params.uid().clone(), position, column, n_features, steps: steps(tree) })
    }

    /// The leaves that the rows of a batch reach. A row whose vector is null or of another size is rejected.
    ///
    /// # Errors
    /// [`StageError::BadVector`].
    pub(crate) fn apply(&self, rows: RecordBatch) -> Result<TreeRows, StageError> {
        let vectors = self.vectors(&rows)?;
        let block_fits = vectors.dense_block().is_some_and(|block| block.n_features == self.n_features);
        let fits = |vector: Option<VectorRef<'_>>| vector.is_some_and(|vector| vector.size() == self.n_features);
        if block_fits || vectors.iter().all(fits) {
            let leaves = self.leaves(&vectors);
            let fates = Fates::AllKept(rows.num_rows());
            return Ok(TreeRows { rows, leaves, fates });
        }
        let fates = vectors.iter().map(|vector| self.fate(vector)).collect();
        let Outcome { rows, fates } = keep_rows(&rows, fates);
        let leaves = self.leaves(&self.vectors(&rows)?);
        Ok(TreeRows { rows, leaves, fates })
    }

    fn vectors<'a>(&self, rows: &'a RecordBatch) -> Result<VectorColumn<'a>, StageError> {
        VectorColumn::try_new(rows.column(self.position)).map_err(|cause| StageError::BadVector {
            uid: self.uid.clone(),
            column: self.column.clone(),
            cause,
        })
    }

    fn fate(&self, vector: Option<VectorRef<'_>>) -> Fate {
        let (code, message) = match vector.map(|vector| vector.size()) {
            Some(size) if size == self.n_features => return Fate::Kept,
            Some(size) => (RejectCode::WrongSize, format!("must have {} slots: {size}", self.n_features)),
            None => (RejectCode::NullValue, "must not be null".to_owned()),
        };
        Fate::Rejected(Box::new(Rejection { stage: self.uid.to_string(), column: self.column.clone(), code, message }))
    }

    fn leaves(&self, vectors: &VectorColumn<'_>) -> Vec<u32> {
        match vectors.dense_block() {
            Some(block) if self.n_features > 0 => {
                block.values.chunks_exact(self.n_features).map(|row| self.leaf(|slot| row[slot])).collect()
            }
            _ => vectors.iter().flatten().map(|vector| self.leaf(|slot| value_of(vector, slot))).collect(),
        }
    }

    fn leaf(&self, value: impl Fn(usize) -> f64) -> u32 {
        let mut at = 0;
        loop {
            let (goes_left, left, right) = match &self.steps[at as usize] {
                Step::Leaf(number) => return *number,
                Step::Threshold { feature, threshold, left, right } => (value(*feature) <= *threshold, *left, *right),
                Step::Categories { split, left, right } => (split.goes_left(value(split.feature())), *left, *right),
            };
            at = if goes_left { left } else { right };
        }
    }
}

fn value_of(vector: VectorRef<'_>, slot: usize) -> f64 {
    match vector {
        VectorRef::Dense(values) => values[slot],
        VectorRef::Sparse { indices, values, .. } => {
            indices.binary_search(&(slot as i32)).map_or(0.0, |stored| values[stored])
        }
    }
}

fn steps(tree: &Tree) -> Vec<Step> {
    let mut numbers = vec![0; tree.n_nodes()];
    for (number, position) in tree.leaves().into_iter().enumerate() {
        numbers[position] = number as u32;
    }
    let step = |(position, node): (usize, &super::node::Node)| match &node.branch {
        None => Step::Leaf(numbers[position]),
        Some(branch) => {
            let (left, right) = (branch.left as u32, branch.right as u32);
            match &branch.split {
                Split::Continuous { feature, threshold } => {
                    Step::Threshold { feature: *feature, threshold: *threshold, left, right }
                }
                split => Step::Categories { split: split.clone(), left, right },
            }
        }
    };
    tree.nodes().iter().enumerate().map(step).collect()
}
