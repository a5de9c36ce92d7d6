//! Instances that are kept slot by slot, so that fits on other slots share them: choosing slots copies nothing, and the same
//! feature of neighbouring rows lies side by side.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::dataset::{Dataset, DatasetError, RowMap};

use crate::instances::InstanceBatch;

/// The same instances slot by slot, kept for many passes: label, weight where there is one, then a column of numbers for each
/// slot. Each batch must be one dense block of `n_slots` features.
pub(crate) fn slot_by_slot(instances: &Dataset, n_slots: usize) -> Result<Dataset, DatasetError> {
    let numbers = instances.schema().fields()[1..].to_vec();
    let slot = |slot: usize| Arc::new(Field::new(slot.to_string(), DataType::Float64, false));
    let schema = Schema::new(numbers.into_iter().chain((0..n_slots).map(slot)).collect::<Vec<_>>());
    instances.map(Arc::new(SlotBySlot(Arc::new(schema)))).cached()
}

struct SlotBySlot(SchemaRef);

impl RowMap for SlotBySlot {
    fn schema(&self) -> &SchemaRef {
        &self.0
    }

    fn apply(&self, rows: RecordBatch) -> Result<RecordBatch, DatasetError> {
        let batch = InstanceBatch::of(&rows);
        let block = batch.features.dense_block().expect("whoever keeps slots apart has looked");
        let slot = |slot| block.values.iter().copied().skip(slot).step_by(block.n_features);
        let slots = (0..block.n_features).map(|at| Arc::new(Float64Array::from_iter_values(slot(at))) as ArrayRef);
        let columns = rows.columns()[1..].iter().cloned().chain(slots).collect();
        Ok(RecordBatch::try_new(Arc::clone(&self.0), columns).expect("there is a column for each slot"))
    }
}

/// Those instances with some of their slots, in the order of `slots`.
pub(crate) fn with_slots(slot_by_slot: &Dataset, slots: &[usize]) -> Result<Dataset, DatasetError> {
    let fields = slot_by_slot.schema().fields();
    let n_numbers = n_numbers(slot_by_slot.schema());
    let columns = (0..n_numbers).chain(slots.iter().map(|slot| n_numbers + slot));
    let names: Vec<&str> = columns.map(|column| fields[column].name().as_str()).collect();
    slot_by_slot.select(&names)
}

/// How many columns come before the slots.
fn n_numbers(schema: &Schema) -> usize {
    1 + usize::from(schema.fields().get(1).is_some_and(|field| field.name() == "weight"))
}

/// One batch of such instances, as a pass sees it.
pub(crate) struct SlotBatch<'a> {
    pub(crate) labels: &'a [f64],
    /// All 1 when absent.
    pub(crate) weights: Option<&'a [f64]>,
    /// A number of each row.
    pub(crate) slots: Vec<&'a [f64]>,
}

impl<'a> SlotBatch<'a> {
    /// A view of a batch that is kept slot by slot; `None` of one that holds vectors.
    pub(crate) fn of(rows: &'a RecordBatch) -> Option<SlotBatch<'a>> {
        if *rows.column(0).data_type() != DataType::Float64 {
            return None;
        }
        let numbers = |column: &'a ArrayRef| column.as_primitive::<Float64Type>().values().as_ref();
        let (first, slots) = rows.columns().split_at(n_numbers(rows.schema_ref()));
        Some(SlotBatch {
            labels: numbers(&first[0]),
            weights: first.get(1).map(numbers),
            slots: slots.iter().map(numbers).collect(),
        })
    }
}
