//! One vector column in, one vector column out: what scalers and `Normalizer` have in common.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Schema, SchemaRef};
use ognivo_data::column::AttributeGroup;
use ognivo_data::outcome::{Fate, Outcome, RejectCode, Rejection};
use ognivo_data::vector::{VectorBuilder, VectorColumn, VectorRef, dense_column, is_vector, vector_field};
use ognivo_data::version::SparkVersion;

use crate::columns::{INPUT_COL, OUTPUT_COL, append_columns, input_column, keep_rows, with_columns, wrong_type};
use crate::param::Params;
use crate::stage::{BoundStage, StageError};
use crate::uid::Uid;

/// The change that a stage makes to vectors.
pub(super) trait VectorMap: Send + Sync + 'static {
    /// The output of each row. No vector is null, and each has the size that the stage was bound with, if with any.
    fn apply(&self, vectors: &VectorColumn<'_>) -> ArrayRef;
}

/// The vector column that a stage reads, resolved against a schema.
pub(super) struct InputVectors {
    pub(super) position: usize,
    pub(super) name: String,
    /// Size of its vectors, where its attributes tell it.
    n_slots: Option<usize>,
}

impl InputVectors {
    /// The column `inputCol`.
    ///
    /// # Errors
    /// [`StageError`] when a parameter is out of range, and when the column is missing or holds no vectors.
    pub(super) fn of(params: &Params, input: &Schema) -> Result<InputVectors, StageError> {
        params.check()?;
        let name = params.require(INPUT_COL)?;
        let (position, field) = input_column(params.uid(), input, &name)?;
        if !is_vector(field.data_type()) {
            return Err(wrong_type(params.uid(), &name, "a vector column", field.data_type()));
        }
        Ok(InputVectors { position, name, n_slots: AttributeGroup::of(field).n_slots })
    }

    /// The vectors of a batch.
    ///
    /// # Errors
    /// [`StageError::BadVector`].
    pub(super) fn vectors<'a>(&self, uid: &Uid, rows: &'a RecordBatch) -> Result<VectorColumn<'a>, StageError> {
        let bad_vector = |cause| StageError::BadVector { uid: uid.clone(), column: self.name.clone(), cause };
        VectorColumn::try_new(rows.column(self.position)).map_err(bad_vector)
    }
}

/// `input` with the column `outputCol`, whose slots have no names. Their number is `n_slots`, or else the input column's.
///
/// Same as Spark: 2.4 says nothing of the number.
///
/// # Errors
/// As [`InputVectors::of`], and when the output column is there already.
pub(super) fn output_schema(params: &Params, input: &Schema, n_slots: Option<usize>) -> Result<SchemaRef, StageError> {
    let n_slots = n_slots.or(InputVectors::of(params, input)?.n_slots);
    let field = vector_field(params.get(OUTPUT_COL));
    let field = match n_slots.filter(|_| params.version() > SparkVersion::V2_4) {
        Some(n_slots) => AttributeGroup::of_size(n_slots).attach(field),
        None => field,
    };
    with_columns(params.uid(), input, [field])
}

/// `map` bound to a schema. With `n_slots`, rows whose vectors are of another size are rejected; null vectors always are.
///
/// # Errors
/// As [`output_schema`], and when the column's attributes tell another size than `n_slots`.
pub(super) fn bind(
    params: &Params,
    input: &Schema,
    n_slots: Option<usize>,
    map: impl VectorMap,
) -> Result<Box<dyn BoundStage>, StageError> {
    let vectors = InputVectors::of(params, input)?;
    if let (Some(expected), Some(found)) = (n_slots, vectors.n_slots)
        && expected != found
    {
        let reason = format!("column `{}` must have {expected} slots: {found}", vectors.name);
        return Err(StageError::Unfit { uid: params.uid().clone(), reason, hint: None });
    }
    let schema = output_schema(params, input, n_slots)?;
    Ok(Box::new(BoundVectorMap { uid: params.uid().clone(), vectors, n_slots, map: Box::new(map), schema }))
}

struct BoundVectorMap {
    uid: Uid,
    vectors: InputVectors,
    n_slots: Option<usize>,
    map: Box<dyn VectorMap>,
    schema: SchemaRef,
}

impl BoundVectorMap {
    /// What becomes of each row; `None` when every row is kept.
    fn fates(&self, vectors: &VectorColumn<'_>) -> Option<Vec<Fate>> {
        let fits = |size: usize| self.n_slots.is_none_or(|n_slots| n_slots == size);
        let is_kept = |vector: Option<VectorRef<'_>>| vector.is_some_and(|vector| fits(vector.size()));
        let all_fit = vectors.dense_block().is_some_and(|block| fits(block.n_features));
        if all_fit || vectors.iter().all(is_kept) {
            return None;
        }
        let fate = |vector: Option<VectorRef<'_>>| match vector {
            None => self.reject(RejectCode::NullValue, "must not be null".to_owned()),
            Some(vector) if fits(vector.size()) => Fate::Kept,
            Some(vector) => {
                let n_slots = self.n_slots.unwrap_or_default();
                self.reject(RejectCode::WrongSize, format!("must have {n_slots} slots: {}", vector.size()))
            }
        };
        Some(vectors.iter().map(fate).collect())
    }

    fn reject(&self, code: RejectCode, message: String) -> Fate {
        let (stage, column) = (self.uid.to_string(), self.vectors.name.clone());
        Fate::Rejected(Box::new(Rejection { stage, column, code, message }))
    }

    fn with_output(&self, rows: &RecordBatch, vectors: &VectorColumn<'_>) -> RecordBatch {
        append_columns(&self.schema, rows, [self.map.apply(vectors)])
    }
}

impl BoundStage for BoundVectorMap {
    fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }
    fn apply(&self, rows: RecordBatch) -> Result<Outcome, StageError> {
        let vectors = self.vectors.vectors(&self.uid, &rows)?;
        let Some(fates) = self.fates(&vectors) else {
            return Ok(Outcome::all_kept(self.with_output(&rows, &vectors)));
        };
        let Outcome { rows, fates } = keep_rows(&rows, fates);
        let vectors = self.vectors.vectors(&self.uid, &rows)?;
        Ok(Outcome::new(self.with_output(&rows, &vectors), fates))
    }
}

/// Every slot changed by `change(slot, value)`; all vectors become dense.
pub(super) fn map_all_slots(vectors: &VectorColumn<'_>, change: impl Fn(usize, f64) -> f64) -> ArrayRef {
    if let Some(block) = vectors.dense_block() {
        let mut values = block.values.to_vec();
        change_rows(&mut values, block.n_features, change);
        return dense_column(values, block.n_rows, block.n_features);
    }
    let mut changed = VectorBuilder::new();
    for vector in vectors.iter().flatten() {
        changed.push(VectorRef::Dense(&changed_dense(vector, &change)));
    }
    changed.finish()
}

/// Every stored value changed by `change(slot, value)`; each vector keeps its form.
pub(super) fn map_stored_slots(vectors: &VectorColumn<'_>, change: impl Fn(usize, f64) -> f64) -> ArrayRef {
    if vectors.dense_block().is_some() {
        return map_all_slots(vectors, change);
    }
    let mut changed = VectorBuilder::new();
    for vector in vectors.iter().flatten() {
        match vector {
            VectorRef::Dense(_) => changed.push(VectorRef::Dense(&changed_dense(vector, &change))),
            VectorRef::Sparse { size, indices, values } => {
                let stored = indices.iter().zip(values);
                let values: Vec<f64> = stored.map(|(&slot, &value)| change(slot as usize, value)).collect();
                changed.push(VectorRef::Sparse { size, indices, values: &values });
            }
        }
    }
    changed.finish()
}

/// All slots of a vector, changed by `change(slot, value)`.
pub(super) fn changed_dense(vector: VectorRef<'_>, change: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let mut values = vec![0.0; vector.size()];
    vector.write_dense(&mut values);
    change_rows(&mut values, vector.size(), change);
    values
}

fn change_rows(values: &mut [f64], n_features: usize, change: impl Fn(usize, f64) -> f64) {
    for row in values.chunks_mut(n_features.max(1)) {
        row.iter_mut().enumerate().for_each(|(slot, value)| *value = change(slot, *value));
    }
}

/// 1 / x of each number, and `of_zero` for 0.
pub(super) fn reciprocals(numbers: Vec<f64>, of_zero: f64) -> Vec<f64> {
    numbers.into_iter().map(|number| if number == 0.0 { of_zero } else { 1.0 / number }).collect()
}
