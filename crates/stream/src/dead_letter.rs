//! The envelope of a row that could not be processed: what it was, where it stood, what was wrong, in which batch.
//!
//! ```text
//! payload   encoding  position              stage        column   code          message               model     batchId  time
//! 5,x,"     utf8      file:///in/a.csv:17   null         null     bad_record    quote is not closed   sha256:…  17       2026-11-23T10:00:00.000Z
//! ```
//! Dead letters are committed with the batch. Their time is the plan's, so that a replay writes the same letters.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::StringBuilder;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::plan::BatchPlan;

/// Columns of the dead letter lane, in order.
///
/// | column | type | holds |
/// |---|---|---|
/// | `payload` | string | the record as it was read |
/// | `encoding` | string | `utf8`, or `base64` when the record is not UTF-8 |
/// | `position` | string | where the record stands in the source |
/// | `stage` | string, nullable | uid of the stage that rejected the row; null when the record could not be decoded, or the target refused the row |
/// | `column` | string, nullable | the column whose value was refused |
/// | `code` | string | a word that programs can match |
/// | `message` | string | a sentence |
/// | `model` | string, nullable | the model of the batch |
/// | `batchId` | bigint | the batch |
/// | `time` | string | the batch's time, ISO 8601 in UTC with milliseconds |
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
        Arc::new(Schema::new(vec![
            text("payload", false),
            text("encoding", false),
            text("position", false),
            text("stage", true),
            text("column", true),
            text("code", false),
            text("message", false),
            text("model", true),
            Field::new("batchId", DataType::Int64, false),
            text("time", false),
        ]))
    });
    SCHEMA.clone()
}

/// What is particular to one dead letter; the rest of the envelope is the batch's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The record as it was read.
    pub payload: Vec<u8>,
    /// Where it stands in the source.
    pub position: String,
    /// Uid of the stage that rejected it; None when it could not be decoded, or the target refused it.
    pub stage: Option<String>,
    /// The column whose value was refused.
    pub column: Option<String>,
    /// A word that programs can match.
    pub code: String,
    /// A sentence.
    pub message: String,
}

/// The dead letters of one batch as rows of [`schema`].
pub fn to_rows(letters: &[DeadLetter], plan: &BatchPlan) -> RecordBatch {
    let time = iso_time(plan.time_ms);
    let encoded: Vec<(String, &str)> = letters.iter().map(|letter| encode(&letter.payload)).collect();
    let n = letters.len();
    let columns: Vec<ArrayRef> = vec![
        texts(encoded.iter().map(|(payload, _)| Some(payload.as_str()))),
        texts(encoded.iter().map(|(_, encoding)| Some(*encoding))),
        texts(letters.iter().map(|letter| Some(letter.position.as_str()))),
        texts(letters.iter().map(|letter| letter.stage.as_deref())),
        texts(letters.iter().map(|letter| letter.column.as_deref())),
        texts(letters.iter().map(|letter| Some(letter.code.as_str()))),
        texts(letters.iter().map(|letter| Some(letter.message.as_str()))),
        texts((0..n).map(|_| plan.model.as_ref().map(|model| model.0.as_str()))),
        Arc::new(Int64Array::from_value(plan.id.0 as i64, n)),
        texts((0..n).map(|_| Some(time.as_str()))),
    ];
    RecordBatch::try_new(schema(), columns)
        .expect("every column has one value per letter and the type that schema() says")
}

fn texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut column = StringBuilder::new();
    column.extend(values);
    Arc::new(column.finish())
}

fn encode(payload: &[u8]) -> (String, &'static str) {
    match std::str::from_utf8(payload) {
        Ok(text) => (text.to_owned(), "utf8"),
        Err(_) => (BASE64.encode(payload), "base64"),
    }
}

/// `2026-11-23T10:00:00.123Z`: how Spark writes the time of a progress report, and we that of a dead letter.
pub(crate) fn iso_time(time_ms: i64) -> String {
    let time: DateTime<Utc> = DateTime::from_timestamp_millis(time_ms).unwrap_or_default();
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offset::{Offset, OffsetRange};
    use crate::plan::{BatchId, ModelId};
    use arrow_array::cast::AsArray;

    fn plan() -> BatchPlan {
        let end = Offset::new(serde_json::json!(1));
        BatchPlan::new(BatchId(17), OffsetRange { start: None, end }, 1_795_353_850_713, Some(ModelId("m1".to_owned())))
    }

    #[test]
    fn bytes_that_are_not_utf8_travel_as_base64() {
        let letter = DeadLetter {
            payload: vec![0xff, b'x'],
            position: "a.csv:2".to_owned(),
            stage: None,
            column: None,
            code: "bad_record".to_owned(),
            message: "not utf-8".to_owned(),
        };
        let text = DeadLetter { payload: "5,é".into(), stage: Some("idx".to_owned()), ..letter.clone() };
        let rows = to_rows(&[letter, text], &plan());
        let column = |i: usize| {
            rows.column(i).as_string::<i32>().iter().map(|v| v.unwrap_or("-").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(column(0), ["/3g=", "5,é"]);
        assert_eq!(column(1), ["base64", "utf8"]);
        assert_eq!(column(3), ["-", "idx"]);
        assert_eq!(column(9), ["2026-11-22T13:24:10.713Z", "2026-11-22T13:24:10.713Z"]);
    }
}
