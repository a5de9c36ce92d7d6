//! Dead letters of a topic, read from its first record to its end.

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, RecordBatch};
use futures::TryStreamExt as _;
use ognivo_stream::offset::OffsetRange;
use ognivo_stream::source::{ReadLimit, Source as _, SourceRows};
use serde_json::Value;

use super::{Letters, is_dead_letter};
use crate::failure::{Failure, Refusal};
use crate::wire::LetterTopic;

/// So many letters more than are wanted are held before the oldest are let go.
const SPARE: usize = 10_000;

/// The newest letters that are committed now, `limit` at most.
pub(super) async fn read(topic: &LetterTopic<'_>, limit: usize) -> Result<Letters, Failure> {
    let mut source = topic.records()?;
    source.fix_end().await?;
    let (mut n, mut newest) = (0, Vec::new());
    let mut start = None;
    while let Some(end) = source.latest(start.as_ref(), ReadLimit::Everything).await? {
        let mut blocks = source.read(&OffsetRange { start, end: end.clone() }).await?;
        while let Some(block) = blocks.try_next().await? {
            n += block.rows.num_rows();
            add(&mut newest, &block)?;
            if newest.len() > limit.saturating_add(SPARE) {
                newest = Letters::new(newest, limit).newest;
            }
        }
        start = Some(end);
    }
    Ok(Letters { n, ..Letters::new(newest, limit) })
}

fn add(letters: &mut Vec<Value>, block: &SourceRows) -> Result<(), Failure> {
    for row_idx in 0..block.rows.num_rows() {
        match letter(&block.rows, row_idx) {
            Some(letter) => letters.push(letter),
            None => {
                let message = format!("not a dead letter: {}", block.origin.position(row_idx));
                return Err(Refusal::of_job(message, None).into());
            }
        }
    }
    Ok(())
}

fn letter(rows: &RecordBatch, row_idx: usize) -> Option<Value> {
    let values = rows.column_by_name("value")?.as_binary_opt::<i32>()?;
    let letter = values.is_valid(row_idx).then(|| serde_json::from_slice(values.value(row_idx)).ok())?;
    letter.filter(is_dead_letter)
}
