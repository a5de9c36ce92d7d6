//! `ognivo dlq replay`: the records of dead letters go back to where they were read.
//!
//! It is a stream of its own from topic to topic, so a kill at any moment loses and repeats nothing: records and the position
//! behind the last letter that was sent back are one transaction.

use std::process::ExitCode;
use std::sync::{Arc, LazyLock};

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int32Type;
use arrow_array::{Array as _, Int32Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo::session::Session;
use ognivo_data::outcome::{Fate, Fates, Outcome, RejectCode, Rejection};
use ognivo_kafka::{SourceConfig, Topics};
use ognivo_stream::dead_letter;
use ognivo_stream::plan::ModelId;
use ognivo_stream::query::{RunSummary, StreamingQuery};
use ognivo_stream::score::{ScoreError, Scorer};
use ognivo_stream::stop::stop_pair;
use serde_json::json;

use crate::cli::{Cli, Output};
use crate::failure::{Failure, Refusal};
use crate::job::job::{Job, SourceJob, StreamJob};
use crate::job::route::is_one_cluster;
use crate::stream::{code_of, stop_on_signals, stream_of};
use crate::wire::LetterTopic;
use crate::{exit, print};

/// Sends back what no replay of this job has sent yet.
pub(super) fn run(job: &Job, cli: &Cli) -> Result<ExitCode, Failure> {
    let stream = stream_of(job)?;
    let (letters, topics) = ends(stream)?;
    let session = Session::start(job.threads)?;
    let ended = session.runtime().block_on(async {
        let send_back = Arc::new(SendBack { id: ModelId("none".to_owned()), topics });
        let (parts, options) = letters.replay(job, stream, letter_schema(), send_back)?;
        let (handle, signal) = stop_pair();
        stop_on_signals(handle)?;
        Ok::<_, Failure>(StreamingQuery::new(parts, options).run(&signal).await)
    });
    session.shut_down();
    match ended? {
        Ok(summary) => {
            tell(&summary, letters.name, cli)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Ok(exit::report(&error, code_of(&error))),
    }
}

/// The topic of the letters, and the topics that their records came from.
fn ends(stream: &StreamJob) -> Result<(LetterTopic<'_>, Topics), Failure> {
    let refused = |message: &str, hint: &str| Failure::from(Refusal::of_job(message, Some(hint.to_owned())));
    let SourceJob::Topics(read) = &stream.read else {
        let hint = "put the corrected files back into the folder that the stream reads";
        return Err(refused("only a stream that reads topics can have its records back: readStream", hint));
    };
    let Some(letters) = LetterTopic::of(stream) else {
        let hint = "with `deadLetter: {format: kafka, options: {topic: …}}` they can be sent back";
        return Err(refused("the dead letters of the job are not in a topic: deadLetter", hint));
    };
    if !is_one_cluster(Some(letters.options()), Some(&read.options)) {
        let hint = "keep dead letters in the cluster that they come from";
        return Err(refused("a transaction spans one cluster, and the dead letters are in another: deadLetter", hint));
    }
    Ok((letters, SourceConfig::parse(&read.options)?.topics))
}

fn tell(summary: &RunSummary, topic: &str, cli: &Cli) -> Result<(), Failure> {
    let rows = &summary.rows;
    match cli.output {
        Output::Json => {
            let told = json!({"deadLetters": rows.read, "replayed": rows.written, "skipped": rows.skipped});
            print::line(&told.to_string())
        }
        Output::Text => {
            let others = match rows.skipped {
                0 => String::new(),
                n => format!(
                    "; {} were left: of topics that the job does not read, or larger than a dead letter can hold",
                    print::thousands(n)
                ),
            };
            print::line(&format!("{} records of {topic} sent back{others}", print::thousands(rows.written)))
        }
    }
}

/// What is read of a letter.
fn letter_schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text("payload"),
        text("encoding"),
        text("position"),
        text("topic"),
        Field::new("partition", DataType::Int32, true),
        text("key"),
        text("keyEncoding"),
    ]))
}

/// Turns letters into the records that they were.
struct SendBack {
    id: ModelId,
    /// What the job reads; letters of other topics are somebody else's.
    topics: Topics,
}

/// A record as it was read.
struct Record<'a> {
    topic: &'a str,
    partition: i32,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

impl Scorer for SendBack {
    fn model_id(&self) -> &ModelId {
        &self.id
    }

    fn output_schema(&self) -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            Arc::new(Schema::new(vec![
                Field::new("topic", DataType::Utf8, false),
                Field::new("partition", DataType::Int32, false),
                Field::new("key", DataType::Binary, true),
                Field::new("value", DataType::Binary, true),
            ]))
        });
        SCHEMA.clone()
    }

    fn score(&self, rows: RecordBatch) -> Result<Outcome, ScoreError> {
        let (mut fates, mut records) = (Vec::with_capacity(rows.num_rows()), Vec::new());
        for row_idx in 0..rows.num_rows() {
            fates.push(match record(&rows, row_idx) {
                Err(column) => Fate::Rejected(Box::new(no_letter(column))),
                Ok(record) if !self.topics.takes(record.topic) || is_omitted(&rows, row_idx) => Fate::Skipped,
                Ok(record) => {
                    records.push(record);
                    Fate::Kept
                }
            });
        }
        Ok(Outcome::new(to_rows(&records, self.output_schema()), Fates::Each(fates)))
    }
}

/// A letter without the payload that there was: sent back, it would be a tombstone.
fn is_omitted(letters: &RecordBatch, row_idx: usize) -> bool {
    let encodings = letters.column_by_name("encoding").map(|column| column.as_string::<i32>());
    encodings.is_some_and(|encodings| encodings.is_valid(row_idx) && encodings.value(row_idx) == dead_letter::OMITTED)
}

/// # Errors
/// The column that a dead letter of a topic has otherwise.
fn record(letters: &RecordBatch, row_idx: usize) -> Result<Record<'_>, &'static str> {
    let text = |name: &str| {
        let column = letters.column_by_name(name)?.as_string::<i32>();
        column.is_valid(row_idx).then(|| column.value(row_idx))
    };
    let partitions = letters.column_by_name("partition").map(|column| column.as_primitive::<Int32Type>());
    let partition = partitions.filter(|partitions| partitions.is_valid(row_idx)).map(|all| all.value(row_idx));
    let decoded = |name: &'static str, encoding: &str| {
        let decode = |text| dead_letter::decode(text, encoding).ok_or(name);
        text(name).map(decode).transpose()
    };
    Ok(Record {
        topic: text("topic").ok_or("topic")?,
        partition: partition.ok_or("partition")?,
        key: decoded("key", text("keyEncoding").unwrap_or("utf8"))?,
        value: decoded("payload", text("encoding").ok_or("encoding")?)?,
    })
}

fn no_letter(column: &str) -> Rejection {
    Rejection {
        stage: "dlq".to_owned(),
        column: column.to_owned(),
        code: RejectCode::NullValue,
        message: format!("not a dead letter of a topic: {column}"),
    }
}

fn to_rows(records: &[Record<'_>], schema: SchemaRef) -> RecordBatch {
    let (mut keys, mut values) = (BinaryBuilder::new(), BinaryBuilder::new());
    for record in records {
        keys.append_option(record.key.as_deref());
        values.append_option(record.value.as_deref());
    }
    let columns: Vec<arrow_array::ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(records.iter().map(|record| record.topic))),
        Arc::new(Int32Array::from_iter_values(records.iter().map(|record| record.partition))),
        Arc::new(keys.finish()),
        Arc::new(values.finish()),
    ];
    RecordBatch::try_new(schema, columns).expect("every column has one value per record and the type of the schema")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::ArrayRef;

    #[track_caller]
    fn score(columns: [Option<&str>; 7]) -> Outcome {
        let [payload, encoding, position, topic, partition, key, key_encoding] = columns;
        let text = |value: Option<&str>| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
        let partition: ArrayRef = Arc::new(Int32Array::from(vec![partition.map(|n| n.parse().unwrap())]));
        let columns =
            vec![text(payload), text(encoding), text(position), text(topic), partition, text(key), text(key_encoding)];
        let rows = RecordBatch::try_new(letter_schema(), columns).unwrap();
        let topics = Topics::Subscribe(vec!["loans".to_owned()]);
        SendBack { id: ModelId("none".to_owned()), topics }.score(rows).unwrap()
    }

    fn bytes(outcome: &Outcome, column: &str) -> Option<Vec<u8>> {
        let column = outcome.rows.column_by_name(column).unwrap().as_binary::<i32>();
        column.is_valid(0).then(|| column.value(0).to_vec())
    }

    #[test]
    fn a_record_has_the_bytes_that_it_had() {
        let at = [Some("loans-1:7"), Some("loans"), Some("1")];
        let letter = |payload, encoding, key, key_encoding| {
            score([payload, Some(encoding), at[0], at[1], at[2], key, key_encoding])
        };
        let text = letter(Some("{"), "utf8", Some("k"), Some("utf8"));
        assert_eq!((bytes(&text, "value"), bytes(&text, "key")), (Some(b"{".to_vec()), Some(b"k".to_vec())));
        let binary = letter(Some("/3g="), "base64", Some("/w=="), Some("base64"));
        assert_eq!((bytes(&binary, "value"), bytes(&binary, "key")), (Some(vec![0xff, b'x']), Some(vec![0xff])));
        let omitted = letter(None, dead_letter::OMITTED, Some("k"), Some("utf8"));
        assert_eq!((omitted.rows.num_rows(), omitted.fates.n_skipped()), (0, 1), "it would be a tombstone");
        let tombstone = letter(None, "utf8", None, None);
        assert_eq!((bytes(&tombstone, "value"), bytes(&tombstone, "key")), (None, None));
        assert_eq!(tombstone.rows.column(1).as_primitive::<Int32Type>().values(), &[1]);
    }

    #[test]
    fn what_is_no_letter_of_a_topic_is_rejected_and_what_is_of_another_topic_skipped() {
        let fates = |topic, encoding, payload| score([payload, encoding, None, topic, Some("0"), None, None]).fates;
        let rejected = |fates: &Fates| fates.rejections().map(|(_, why)| why.column.clone()).collect::<Vec<_>>();
        assert_eq!(rejected(&fates(None, Some("utf8"), Some("x"))), ["topic"]);
        assert_eq!(rejected(&fates(Some("loans"), None, Some("x"))), ["encoding"]);
        assert_eq!(rejected(&fates(Some("loans"), Some("base64"), Some("é"))), ["payload"]);
        assert_eq!(fates(Some("trades"), Some("utf8"), Some("x")).n_skipped(), 1);
    }
}
