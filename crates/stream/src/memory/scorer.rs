//! A pipeline for tests: it knows by a row's last digit what becomes of it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, BooleanArray, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter;
use ognivo_data::outcome::{Fate, Fates, Outcome, RejectCode, Rejection};

use crate::plan::ModelId;
use crate::score::{ScoreError, Scorer};

/// Rejects ids that end with 7, skips those that end with 4, and gives the others `score = id / 2`.
#[derive(Debug, Clone)]
pub struct MemoryScorer {
    model: ModelId,
    schema: SchemaRef,
}

impl MemoryScorer {
    /// The scorer of a model of this id.
    pub fn new(model: &str) -> MemoryScorer {
        let fields = vec![Field::new("id", DataType::Int64, false), Field::new("score", DataType::Float64, false)];
        MemoryScorer { model: ModelId(model.to_owned()), schema: Arc::new(Schema::new(fields)) }
    }

    /// What becomes of the row of this id.
    pub fn fate(id: i64) -> Fate {
        match id % 10 {
            4 => Fate::Skipped,
            7 => Fate::Rejected(Box::new(Rejection {
                stage: "memoryScorer_7".to_owned(),
                column: "id".to_owned(),
                code: RejectCode::OutOfRange,
                message: format!("ends with 7: {id}"),
            })),
            _ => Fate::Kept,
        }
    }
}

impl Scorer for MemoryScorer {
    fn model_id(&self) -> &ModelId {
        &self.model
    }

    fn output_schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn score(&self, rows: RecordBatch) -> Result<Outcome, ScoreError> {
        let ids = rows.column(0).as_primitive::<Int64Type>();
        let fates: Vec<Fate> = ids.values().iter().map(|id| MemoryScorer::fate(*id)).collect();
        let kept: BooleanArray = fates.iter().map(|fate| Some(*fate == Fate::Kept)).collect();
        let ids = filter(ids, &kept).expect("the mask is as long as the column");
        let scores: Float64Array = ids.as_primitive::<Int64Type>().values().iter().map(|id| *id as f64 / 2.0).collect();
        let columns: Vec<ArrayRef> = vec![ids, Arc::new(scores)];
        let rows = RecordBatch::try_new(self.schema.clone(), columns).expect("columns of the types of the schema");
        Ok(Outcome::new(rows, Fates::Each(fates)))
    }

    /// Now and then, so that tests walk both ways.
    fn is_quick(&self, n_rows: usize) -> bool {
        n_rows.is_multiple_of(2)
    }
}
