//! The envelope of a row that could not be processed: what it was, where it stood, what was wrong, in which batch.
//!
//! ```text
//! payload   encoding  position              stage        column   code          message               model     batchId  time
//! 5,x,"     utf8      file:///in/a.csv:17   null         null     bad_record    quote is not closed   sha256:…  17       2026-11-23T10:00:00.000Z
//! ```
//! A record of a topic has its topic, partition, offset and key beside them, so that it can be sent back to where it was.
//!
//! Dead letters are committed with the batch. Their time is the plan's, so that a replay writes the same letters.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, Int32Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::plan::BatchPlan;
use crate::source::SourceRecord;

/// Columns of the dead letter lane, in order.
///
/// | column | type | holds |
/// |---|---|---|
/// | `payload` | string, nullable | the record as it was read; null for a record of a topic without a value, and where it is omitted |
/// | `encoding` | string | `utf8`, `base64` when the record is not UTF-8, or `omitted` when it is larger than the target takes |
/// | `position` | string | where the record stands in the source |
/// | `stage` | string, nullable | uid of the stage that rejected the row; null when the record could not be decoded, or the target refused the row |
/// | `column` | string, nullable | the column whose value was refused |
/// | `code` | string | a word that programs can match |
/// | `message` | string | a sentence |
/// | `model` | string, nullable | the model of the batch |
/// | `batchId` | bigint | the batch |
/// | `time` | string | the batch's time, ISO 8601 in UTC with milliseconds |
/// | `topic` | string, nullable | the topic that the record was read from; null for files, as the rest |
/// | `partition` | int, nullable | its partition |
/// | `offset` | bigint, nullable | its offset |
/// | `key` | string, nullable | its key; null when it has none |
/// | `keyEncoding` | string, nullable | `utf8`, or `base64` when the key is not UTF-8; null without a key |
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let text = |name: &str, nullable| Field::new(name, DataType::Utf8, nullable);
        Arc::new(Schema::new(vec![
            text("payload", true),
            text("encoding", false),
            text("position", false),
            text("stage", true),
            text("column", true),
            text("code", false),
            text("message", false),
            text("model", true),
            Field::new("batchId", DataType::Int64, false),
            text("time", false),
            text("topic", true),
            Field::new("partition", DataType::Int32, true),
            Field::new("offset", DataType::Int64, true),
            text("key", true),
            text("keyEncoding", true),
        ]))
    });
    SCHEMA.clone()
}

/// How many columns stand before those that only records of topics have.
const N_OF_ENVELOPE: usize = 10;

/// The columns of [`schema`] up to `time`: for targets whose own columns were made for these.
pub fn envelope_schema() -> SchemaRef {
    Arc::new(Schema::new(schema().fields()[..N_OF_ENVELOPE].to_vec()))
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
    /// The record that it was, where the source has records of topics.
    pub record: Option<Box<SourceRecord>>,
}

impl DeadLetter {
    fn has_payload(&self) -> bool {
        self.record.as_ref().is_none_or(|record| !record.is_tombstone)
    }
}

/// The dead letters of one batch as rows of [`schema`].
pub fn to_rows(letters: &[DeadLetter], plan: &BatchPlan) -> RecordBatch {
    let time = iso_time(plan.time_ms);
    let encoded: Vec<(String, &str)> = letters.iter().map(|letter| encode(&letter.payload)).collect();
    let records = || letters.iter().map(|letter| letter.record.as_deref());
    let keys: Vec<Option<(String, &str)>> =
        records().map(|record| record.and_then(|record| record.key.as_deref()).map(encode)).collect();
    let payloads = letters.iter().zip(&encoded);
    let n = letters.len();
    let columns: Vec<ArrayRef> = vec![
        texts(payloads.map(|(letter, (payload, _))| letter.has_payload().then_some(payload.as_str()))),
        texts(encoded.iter().map(|(_, encoding)| Some(*encoding))),
        texts(letters.iter().map(|letter| Some(letter.position.as_str()))),
        texts(letters.iter().map(|letter| letter.stage.as_deref())),
        texts(letters.iter().map(|letter| letter.column.as_deref())),
        texts(letters.iter().map(|letter| Some(letter.code.as_str()))),
        texts(letters.iter().map(|letter| Some(letter.message.as_str()))),
        texts((0..n).map(|_| plan.model.as_ref().map(|model| model.0.as_str()))),
        Arc::new(Int64Array::from_value(plan.id.0 as i64, n)),
        texts((0..n).map(|_| Some(time.as_str()))),
        texts(records().map(|record| record.map(|record| record.topic.as_str()))),
        Arc::new(records().map(|record| record.map(|record| record.partition)).collect::<Int32Array>()),
        Arc::new(records().map(|record| record.map(|record| record.offset)).collect::<Int64Array>()),
        texts(keys.iter().map(|key| key.as_ref().map(|(text, _)| text.as_str()))),
        texts(keys.iter().map(|key| key.as_ref().map(|(_, encoding)| *encoding))),
    ];
    RecordBatch::try_new(schema(), columns)
        .expect("every column has one value per letter and the type that schema() says")
}

/// What `encoding` says where the payload is left out.
pub const OMITTED: &str = "omitted";

/// The same letters without the payloads of these rows, for a target that does not take as much: their positions say where they are.
pub fn without_payloads(letters: &RecordBatch, is_omitted: impl Fn(usize) -> bool) -> RecordBatch {
    let (payloads, encodings) = (letters.column(0).as_string::<i32>(), letters.column(1).as_string::<i32>());
    let rows = 0..letters.num_rows();
    let payload = |row: usize| (!is_omitted(row) && payloads.is_valid(row)).then(|| payloads.value(row));
    let encoding = |row: usize| Some(if is_omitted(row) { OMITTED } else { encodings.value(row) });
    let mut columns = letters.columns().to_vec();
    (columns[0], columns[1]) = (texts(rows.clone().map(payload)), texts(rows.map(encoding)));
    RecordBatch::try_new(letters.schema(), columns).expect("the columns keep their types")
}

/// The same letters without the keys of these rows.
pub fn without_keys(letters: &RecordBatch, is_omitted: impl Fn(usize) -> bool) -> RecordBatch {
    let mut columns = letters.columns().to_vec();
    for name in ["key", "keyEncoding"] {
        let Some((idx, _)) = letters.schema_ref().column_with_name(name) else { continue };
        let values = letters.column(idx).as_string::<i32>();
        let kept = |row: usize| (!is_omitted(row) && values.is_valid(row)).then(|| values.value(row));
        columns[idx] = texts((0..letters.num_rows()).map(kept));
    }
    RecordBatch::try_new(letters.schema(), columns).expect("the columns keep their types")
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

/// The bytes that a payload or a key stands for; None when they are no text of this encoding.
pub fn decode(text: &str, encoding: &str) -> Option<Vec<u8>> {
    match encoding {
        "utf8" => Some(text.as_bytes().to_vec()),
        "base64" => BASE64.decode(text).ok(),
        _ => None,
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
            record: None,
        };
        let text = DeadLetter { payload: "5,é".into(), stage: Some("idx".to_owned()), ..letter.clone() };
        let rows = to_rows(&[letter, text], &plan());
        let column = |i: usize| {
            rows.column(i).as_string::<i32>().iter().map(|v| v.unwrap_or("-").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(column(0), ["/3g=", "5,é"]);
        assert_eq!(column(1), ["base64", "utf8"]);
        assert_eq!(decode("/3g=", "base64").as_deref(), Some(&[0xff, b'x'][..]));
        assert_eq!(decode("5,é", "utf8").as_deref(), Some("5,é".as_bytes()));
        assert_eq!((decode("é", "base64"), decode("x", "hex")), (None, None));
        assert_eq!(column(3), ["-", "idx"]);
        assert_eq!(column(9), ["2026-11-22T13:24:10.713Z", "2026-11-22T13:24:10.713Z"]);
    }

    #[test]
    fn a_record_of_a_topic_has_its_place_and_its_key_and_a_tombstone_no_payload() {
        let record = |key: Option<&[u8]>, is_tombstone| SourceRecord {
            topic: "loans".to_owned(),
            partition: 3,
            offset: 1042,
            key: key.map(<[u8]>::to_vec),
            is_tombstone,
        };
        let letter = |payload: &str, record| DeadLetter {
            payload: payload.into(),
            position: "loans-3:1042".to_owned(),
            stage: None,
            column: None,
            code: "malformed_record".to_owned(),
            message: "no JSON object".to_owned(),
            record: Some(Box::new(record)),
        };
        let letters = [
            letter("{", record(Some(b"k"), false)),
            letter("", record(Some(&[0xff]), true)),
            letter("", record(None, false)),
        ];
        let rows = to_rows(&letters, &plan());
        let column = |name: &str| {
            let column = rows.column_by_name(name).unwrap();
            column.as_string::<i32>().iter().map(|v| v.unwrap_or("-").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(column("payload"), ["{", "-", ""]);
        assert_eq!(column("topic"), ["loans", "loans", "loans"]);
        assert_eq!(column("key"), ["k", "/w==", "-"]);
        assert_eq!(column("keyEncoding"), ["utf8", "base64", "-"]);
        assert_eq!(envelope_schema().fields().last().unwrap().name(), "time");
    }
}
