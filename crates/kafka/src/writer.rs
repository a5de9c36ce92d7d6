//! One open batch: rows become records, and the commit stores the progress with them.

use std::sync::{Arc, Mutex};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema, SchemaRef};
use async_trait::async_trait;
use ognivo_data::codec::EncodeError;
use ognivo_data::codec::avro::{AvroEncoder, frame};
use ognivo_data::codec::csv::CsvEncoder;
use ognivo_data::codec::json::{JsonEncoder, JsonOptions};
use ognivo_data::schema::type_name;
use ognivo_stream::dead_letter::{without_keys, without_payloads};
use ognivo_stream::kill_point::{self, KillPoint};
use ognivo_stream::plan::BatchId;
use ognivo_stream::sink::{BatchWriter, Lane, RefusedRow, SinkError, Written};
use rdkafka::message::{Header, OwnedHeaders};

use crate::batch_send::Plain;
use crate::decode::ValueFormat;
use crate::deliveries::Account;
use crate::error::KafkaError;
use crate::group::{GroupHandle, Holding};
use crate::offsets::Offsets;
use crate::positions_in_order::Place;
use crate::producer::{Outgoing, Producer};
use crate::progress::BatchProgress;
use crate::sink::{Held, SinkParts};
use crate::turns::Turn;

/// How rows become records, decided once for a schema.
pub(crate) struct Shape {
    topic: Option<String>,
    dead_letter_topic: Option<String>,
    key_idx: Option<usize>,
    topic_idx: Option<usize>,
    partition_idx: Option<usize>,
    headers_idx: Option<usize>,
    /// The columns of the value.
    value_idx: Vec<usize>,
    value: Value,
    dead_letter: JsonEncoder,
    /// No record with more bytes of key, value and headers is sent.
    most_bytes: usize,
}

/// The client's own limit, `message.max.bytes`.
const MOST_BYTES: usize = 1_000_000;

/// So many bytes of it are not ours to fill, and so many more for each header beside its name and value.
const BYTES_OF_RECORD: usize = 36;
const BYTES_OF_HEADER: usize = 20;

enum Value {
    Json(JsonEncoder),
    Csv(CsvEncoder),
    /// Behind the number of its schema, where there is a registry.
    Avro(Box<AvroEncoder>, Option<u32>),
    /// The only column of the value as it is.
    Bytes,
}

impl Shape {
    /// The one topic of all rows, when nothing but the key says where in it each goes and none has headers.
    fn plain_topic(&self) -> Option<&str> {
        let by_row = [self.topic_idx, self.partition_idx, self.headers_idx];
        self.topic.as_deref().filter(|_| by_row == [None; 3])
    }

    /// # Errors
    /// A column that is not there, or of a type that it cannot have where it is used.
    pub(crate) fn new(parts: &SinkParts, scored: &SchemaRef) -> Result<Shape, KafkaError> {
        let SinkParts { config, columns, .. } = parts;
        let find = |name: &Option<String>, role, is_fit: fn(&DataType) -> bool, expected: &str| {
            let Some(name) = name else { return Ok(None) };
            let wrong = |why: String| KafkaError::Column { column: name.clone(), role, why };
            let Some((idx, field)) = scored.column_with_name(name) else {
                let names: Vec<&str> = scored.fields().iter().map(|field| field.name().as_str()).collect();
                return Err(wrong(format!("there is none of this name among {}", names.join(", "))));
            };
            match is_fit(field.data_type()) {
                true => Ok(Some(idx)),
                false => Err(wrong(format!("it must be {expected}: {}", type_name(field.data_type())))),
            }
        };
        let key_idx = find(&columns.key, "key", is_key, "a string, binary or a whole number")?;
        let topic_idx = find(&columns.topic, "topic", |t| *t == DataType::Utf8, "a string")?;
        let partition_idx = find(&columns.partition, "partition", |t| *t == DataType::Int32, "an int")?;
        let headers_idx =
            find(&columns.headers, "headers", is_headers, "an array of struct<key: string, value: binary>")?;
        if config.topic.is_none() && topic_idx.is_none() {
            return Err(KafkaError::NoTarget("scored rows"));
        }
        let mut value_idx = columns.of_value(scored);
        let of_these = |idx: &[usize]| scored.project(idx).expect("places in the schema");
        let value = match &parts.value {
            ValueFormat::Json(options) => Value::Json(JsonEncoder::new(options)),
            ValueFormat::Csv(options) => Value::Csv(CsvEncoder::new(options)),
            ValueFormat::Avro(format) => Value::Avro(Box::new(format.encoder(&of_these(&value_idx))?), None),
            ValueFormat::Binary => {
                let name = Some("value".to_owned());
                value_idx = find(&name, "value", is_bytes, "a string or binary")?.into_iter().collect();
                Value::Bytes
            }
        };
        value.check(&of_these(&value_idx))?;
        let limit = config.client.get("message.max.bytes").and_then(|n| n.parse().ok()).unwrap_or(MOST_BYTES);
        Ok(Shape {
            topic: config.topic.clone(),
            dead_letter_topic: parts.dead_letter_topic.clone(),
            key_idx,
            // The option wins, as in Spark.
            topic_idx: topic_idx.filter(|_| config.topic.is_none()),
            partition_idx,
            headers_idx,
            value_idx,
            value,
            dead_letter: JsonEncoder::new(&JsonOptions::default()),
            most_bytes: limit.saturating_sub(BYTES_OF_RECORD),
        })
    }

    /// The value of each dead letter, without what makes it too large: else it would stand in the way at each start.
    fn letters_that_fit(&self, letters: &RecordBatch) -> Result<Vec<Vec<u8>>, KafkaError> {
        let mut values = self.letters(letters)?;
        let is_too_large = |values: &[Vec<u8>], row_idx: usize| values[row_idx].len() > self.most_bytes;
        if values.iter().any(|value| value.len() > self.most_bytes) {
            let shorter = without_payloads(letters, |row_idx| is_too_large(&values, row_idx));
            values = self.letters(&shorter)?;
            values = self.letters(&without_keys(&shorter, |row_idx| is_too_large(&values, row_idx)))?;
        }
        Ok(values)
    }

    /// The value of each dead letter.
    fn letters(&self, letters: &RecordBatch) -> Result<Vec<Vec<u8>>, KafkaError> {
        let objects = self.dead_letter.rows(letters)?;
        let of_row = |row_idx| {
            let mut value = Vec::new();
            objects.write(row_idx, &mut value);
            value
        };
        Ok((0..letters.num_rows()).map(of_row).collect())
    }

    /// Has the registry name the number of the rows' schema, where there is a registry.
    ///
    /// # Errors
    /// A registry that does not answer, or refuses.
    pub(crate) async fn register(&mut self, parts: &SinkParts) -> Result<(), KafkaError> {
        if let (Value::Avro(encoder, id), ValueFormat::Avro(format)) = (&mut self.value, &parts.value) {
            *id = format.id_of(encoder, self.topic.as_deref()).await?;
        }
        Ok(())
    }
}

fn is_key(data_type: &DataType) -> bool {
    use DataType::{Int8, Int16, Int32, Int64};
    is_bytes(data_type) || matches!(data_type, Int8 | Int16 | Int32 | Int64)
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Binary)
}

fn is_headers(data_type: &DataType) -> bool {
    let DataType::List(item) = data_type else { return false };
    let DataType::Struct(fields) = item.data_type() else { return false };
    let types: Vec<&DataType> = fields.iter().map(|field| field.data_type()).collect();
    types == [&DataType::Utf8, &DataType::Binary]
}

impl Value {
    fn check(&self, schema: &Schema) -> Result<(), KafkaError> {
        match self {
            Value::Json(encoder) => Ok(encoder.check(schema)?),
            Value::Csv(encoder) => Ok(encoder.check(schema)?),
            // Checked when its encoder was made.
            Value::Avro(..) | Value::Bytes => Ok(()),
        }
    }

    fn encode(&self, rows: &RecordBatch) -> Result<Encoded, KafkaError> {
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(rows.num_rows());
        let mut refused = Vec::new();
        match self {
            Value::Json(encoder) => {
                let objects = encoder.rows(rows)?;
                for row_idx in 0..rows.num_rows() {
                    objects.write(row_idx, &mut bytes);
                    ends.push(Some(bytes.len()));
                }
            }
            Value::Csv(encoder) => {
                for row_idx in 0..rows.num_rows() {
                    encoder.encode_row(rows, row_idx, &mut bytes)?;
                    ends.push(Some(bytes.len()));
                }
            }
            Value::Avro(encoder, id) => {
                let datums = encoder.rows(rows)?;
                for row_idx in 0..rows.num_rows() {
                    let start = bytes.len();
                    bytes.extend(id.iter().flat_map(|id| frame(*id)));
                    match datums.write(row_idx, &mut bytes) {
                        Ok(()) => ends.push(Some(bytes.len())),
                        Err(error) => {
                            refused.push(refusal(row_idx, error)?);
                            bytes.truncate(start);
                            ends.push(None);
                        }
                    }
                }
            }
            Value::Bytes => {
                for row_idx in 0..rows.num_rows() {
                    let value = bytes_at(rows.column(0), row_idx);
                    bytes.extend_from_slice(value.as_deref().unwrap_or_default());
                    ends.push(value.map(|_| bytes.len()));
                }
            }
        }
        Ok(Encoded { bytes, ends, refused })
    }
}

/// The values of rows.
struct Encoded {
    /// One behind the other.
    bytes: Vec<u8>,
    /// Where each ends; None for a null, and for a row that is refused.
    ends: Vec<Option<usize>>,
    /// Rows that the topic has no place for, in their order.
    refused: Vec<RefusedRow>,
}

impl Encoded {
    /// Each row that is not refused, and its value.
    fn values(&self) -> impl Iterator<Item = (usize, Option<&[u8]>)> {
        let mut from = 0;
        let each = self.ends.iter().enumerate().map(move |(row_idx, end)| {
            let value = end.map(|end| &self.bytes[from..end]);
            from = end.unwrap_or(from);
            (row_idx, value)
        });
        let is_refused = |row_idx| self.refused.binary_search_by_key(&row_idx, |refused| refused.row_idx).is_ok();
        each.filter(move |(row_idx, _)| !is_refused(*row_idx))
    }

    /// Refuses what is larger than the client sends, with what stands beside the value.
    fn refuse_large(&mut self, most_bytes: usize, bytes_beside: impl Fn(usize) -> usize) {
        let n_bytes =
            |(row_idx, value): (usize, Option<&[u8]>)| (row_idx, value.map_or(0, <[u8]>::len) + bytes_beside(row_idx));
        let large = self.values().map(n_bytes).filter(|(_, n_bytes)| *n_bytes > most_bytes);
        let refusal = |(row_idx, n_bytes)| RefusedRow {
            row_idx,
            column: None,
            message: format!(
                "the record would have {} bytes, and `kafka.message.max.bytes` is {}",
                n_bytes + BYTES_OF_RECORD,
                most_bytes + BYTES_OF_RECORD
            ),
        };
        let refused: Vec<RefusedRow> = large.map(refusal).collect();
        self.refuse(refused);
    }

    fn refuse(&mut self, rows: Vec<RefusedRow>) {
        if !rows.is_empty() {
            self.refused.extend(rows);
            self.refused.sort_by_key(|refused| refused.row_idx);
        }
    }
}

/// A row with a value that the schema has no place for.
///
/// # Errors
/// Whatever else cannot be written.
fn refusal(row_idx: usize, error: EncodeError) -> Result<RefusedRow, KafkaError> {
    match &error {
        EncodeError::Value { column, .. } => {
            Ok(RefusedRow { row_idx, column: Some(column.clone()), message: error.to_string() })
        }
        _ => Err(error.into()),
    }
}

/// The text or bytes of a cell; None for a null.
fn bytes_at(column: &ArrayRef, row_idx: usize) -> Option<Vec<u8>> {
    if column.is_null(row_idx) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row_idx).as_bytes().to_vec(),
        DataType::Binary => column.as_binary::<i32>().value(row_idx).to_vec(),
        DataType::Int8 => column.as_primitive::<Int8Type>().value(row_idx).to_string().into_bytes(),
        DataType::Int16 => column.as_primitive::<Int16Type>().value(row_idx).to_string().into_bytes(),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row_idx).to_string().into_bytes(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row_idx).to_string().into_bytes(),
        other => unreachable!("{other} was refused when the sink was prepared"),
    })
}

fn n_bytes_of_headers(column: &ArrayRef, row_idx: usize) -> usize {
    let column = column.as_list::<i32>();
    if column.is_null(row_idx) {
        return 0;
    }
    let items = column.value(row_idx);
    let items = items.as_struct();
    let (keys, values) = (items.column(0).as_string::<i32>(), items.column(1).as_binary::<i32>());
    let of_one = |idx| BYTES_OF_HEADER + keys.value(idx).len() + values.value(idx).len();
    (0..items.len()).map(of_one).sum()
}

fn headers_at(column: &ArrayRef, row_idx: usize) -> Option<OwnedHeaders> {
    let column = column.as_list::<i32>();
    if column.is_null(row_idx) {
        return None;
    }
    let items = column.value(row_idx);
    let items = items.as_struct();
    let (keys, values) = (items.column(0).as_string::<i32>(), items.column(1).as_binary::<i32>());
    let mut headers = OwnedHeaders::new_with_capacity(items.len());
    for idx in 0..items.len() {
        let value = values.is_valid(idx).then(|| values.value(idx));
        headers = headers.insert(Header { key: keys.value(idx), value });
    }
    Some(headers)
}

/// Where the progress of a batch is stored.
pub(crate) enum Store {
    /// In the source's group, in the transaction of the rows, as long as the partitions are still ours.
    Group { group: GroupHandle, offsets: Offsets, holding: Holding },
    /// In the source's group, after the rows and after the positions of the batches before.
    InOrder { place: Place, offsets: Offsets, holding: Holding },
    /// In a group of our own.
    Batch { progress: Arc<BatchProgress>, id: BatchId },
    /// In the checkpoint, by somebody else.
    Nowhere,
}

/// One open batch.
pub(crate) struct KafkaWriter {
    producer: Arc<Producer>,
    account: Account,
    shape: Arc<Shape>,
    store: Store,
    /// When our transaction may begin; None where there are none.
    turn: Option<Turn>,
    transaction_has_begun: bool,
    held: Arc<Mutex<Held>>,
    written: Written,
    /// Rows of the last write that were refused.
    refused: Vec<RefusedRow>,
}

impl KafkaWriter {
    pub(crate) fn new(
        producer: Arc<Producer>,
        shape: Arc<Shape>,
        store: Store,
        turn: Option<Turn>,
        held: Arc<Mutex<Held>>,
    ) -> Result<KafkaWriter, KafkaError> {
        let account = producer.open_account()?;
        Ok(KafkaWriter {
            producer,
            account,
            shape,
            store,
            turn,
            transaction_has_begun: false,
            held,
            written: Written::default(),
            refused: Vec::new(),
        })
    }

    /// Begins the transaction, unless it has begun or there is none; waits until that of the batch before is committed.
    async fn begin_transaction(&mut self) -> Result<(), KafkaError> {
        if let (Some(turn), false) = (&self.turn, self.transaction_has_begun) {
            turn.come().await?;
            self.producer.begin()?;
            self.transaction_has_begun = true;
        }
        Ok(())
    }

    async fn write_scored(&mut self, rows: &RecordBatch) -> Result<(), KafkaError> {
        let shape = Arc::clone(&self.shape);
        let mut encoded = shape.value.encode(&rows.project(&shape.value_idx).expect("places in the schema"))?;
        let keys: Vec<Option<Vec<u8>>> = match shape.key_idx {
            None => Vec::new(),
            Some(idx) => (0..rows.num_rows()).map(|row_idx| bytes_at(rows.column(idx), row_idx)).collect(),
        };
        let key = |row_idx: usize| keys.get(row_idx).and_then(Option::as_deref);
        let headers = shape.headers_idx.map(|idx| rows.column(idx));
        encoded.refuse_large(shape.most_bytes, |row_idx| {
            key(row_idx).map_or(0, <[u8]>::len) + headers.map_or(0, |headers| n_bytes_of_headers(headers, row_idx))
        });
        self.begin_transaction().await?;
        match shape.plain_topic() {
            Some(topic) => {
                let records = encoded.values().map(|(row_idx, value)| Plain { key: key(row_idx), value });
                let records: Vec<Plain<'_>> = records.collect();
                self.producer.send_all(&self.account, topic, &records).await?;
            }
            None => {
                let refused = self.write_each(rows, &encoded, key).await?;
                encoded.refuse(refused);
            }
        }
        self.written.n_scored += rows.num_rows() - encoded.refused.len();
        self.refused = encoded.refused;
        Ok(())
    }

    /// Rows that say themselves where they go, or have headers; those come back whose topic lacks their partition.
    async fn write_each<'k>(
        &self,
        rows: &RecordBatch,
        encoded: &Encoded,
        key: impl Fn(usize) -> Option<&'k [u8]> + Send,
    ) -> Result<Vec<RefusedRow>, KafkaError> {
        let shape = Arc::clone(&self.shape);
        let mut refused = Vec::new();
        for (row_idx, value) in encoded.values() {
            let cell = |idx: Option<usize>| idx.map(|idx| rows.column(idx));
            let by_row = cell(shape.topic_idx).map(|column| column.as_string::<i32>());
            let topic = match by_row {
                Some(topics) if topics.is_valid(row_idx) => topics.value(row_idx),
                Some(_) => return Err(KafkaError::NullTopic),
                None => shape.topic.as_deref().ok_or(KafkaError::NullTopic)?,
            };
            let partition = cell(shape.partition_idx)
                .filter(|column| column.is_valid(row_idx))
                .map(|column| column.as_primitive::<Int32Type>().value(row_idx));
            if let Some(number) = partition
                && !self.producer.has_partition(topic, number).await?
            {
                refused.push(RefusedRow {
                    row_idx,
                    column: None,
                    message: format!("topic {topic} has no partition of this number: {number}"),
                });
                continue;
            }
            let headers = cell(shape.headers_idx).and_then(|column| headers_at(column, row_idx));
            let record = Outgoing { topic, partition, key: key(row_idx), value, headers };
            self.producer.send(&self.account, record).await?;
        }
        Ok(refused)
    }

    async fn write_dead_letters(&mut self, letters: &RecordBatch) -> Result<(), KafkaError> {
        let shape = Arc::clone(&self.shape);
        let topic = shape.dead_letter_topic.as_deref().ok_or(KafkaError::NoTarget("dead letters"))?;
        let values = shape.letters_that_fit(letters)?;
        self.begin_transaction().await?;
        let records: Vec<Plain<'_>> = values.iter().map(|value| Plain { key: None, value: Some(value) }).collect();
        self.producer.send_all(&self.account, topic, &records).await?;
        self.written.n_dead_letters += letters.num_rows();
        Ok(())
    }

    /// Everything up to the moment after which the batch may be visible.
    async fn store(&self) -> Result<(), KafkaError> {
        match &self.store {
            Store::Nowhere => Ok(()),
            Store::Group { group, offsets, holding } => {
                let generation = group.generation_of(holding)?;
                self.producer.send_offsets(group.marked(offsets), generation).await
            }
            Store::InOrder { place, offsets, holding } => place.store(offsets.clone(), holding.clone()).await,
            Store::Batch { progress, id } => {
                let (offsets, group) = progress.of_batch(*id)?;
                self.producer.send_offsets(offsets.to_list(), group).await
            }
        }
    }

    fn note_held(&self) {
        let mut held = self.held.lock().expect("nobody panics while holding this lock");
        match &self.store {
            Store::Group { offsets, .. } | Store::InOrder { offsets, .. } => held.offsets.0.extend(offsets.0.clone()),
            Store::Batch { id, .. } => held.batch = Some(*id),
            Store::Nowhere => {}
        }
    }

    async fn abort_transaction(&self) {
        if self.transaction_has_begun && self.producer.abort().await.is_ok() {
            // What was on its way is given up, and each record says so.
            let _ = self.account.arrived().await;
        }
    }

    /// Gives the transaction up after a failure before its commit was sent, so that nobody waits for it to time out.
    async fn give_up(&self, error: KafkaError) -> SinkError {
        self.abort_transaction().await;
        SinkError::new(error)
    }
}

#[async_trait]
impl BatchWriter for KafkaWriter {
    async fn write(&mut self, lane: Lane, rows: RecordBatch) -> Result<(), SinkError> {
        let written = match lane {
            Lane::Scored => self.write_scored(&rows).await,
            Lane::DeadLetter => self.write_dead_letters(&rows).await,
        };
        written.map_err(SinkError::new)
    }

    fn take_refused(&mut self) -> Vec<RefusedRow> {
        std::mem::take(&mut self.refused)
    }

    async fn commit(mut self: Box<Self>) -> Result<Written, SinkError> {
        // None has begun where no row is left of the batch.
        self.begin_transaction().await.map_err(SinkError::new)?;
        if let Store::InOrder { place, .. } = &self.store {
            place.rest().await;
        }
        let arrived_ms = match self.account.arrived().await {
            Ok(arrived_ms) => arrived_ms,
            Err(error) => return Err(self.give_up(error).await),
        };
        kill_point::pass(KillPoint::SinkStaged)?;
        // Not beside the arrival, though the transaction would let us: the broker says «not now» while it adds the records'
        // partitions to it, and the client then waits 100 ms.
        if let Err(error) = self.store().await {
            return Err(self.give_up(error).await);
        }
        kill_point::pass(KillPoint::SinkAllVisible)?;
        if self.transaction_has_begun {
            // Whether it is committed after an error, the next producer of the id finds out.
            self.producer.commit().await.map_err(SinkError::new)?;
        }
        kill_point::pass(KillPoint::SinkLogged)?;
        self.note_held();
        if let Some(turn) = self.turn.take() {
            turn.end();
        }
        // Without a transaction, whoever reads the topic has had the rows since.
        self.written.shown_ms = (!self.transaction_has_begun).then_some(arrived_ms);
        Ok(self.written)
    }

    async fn abort(self: Box<Self>) {
        self.abort_transaction().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_refused_have_no_value_and_rows_of_null_have_none_either() {
        let refused = |row_idx| RefusedRow { row_idx, column: None, message: String::new() };
        let encoded = Encoded {
            bytes: b"aabccc".to_vec(),
            ends: vec![Some(2), None, Some(3), None, None, Some(3), Some(6)],
            refused: vec![refused(1), refused(4)],
        };
        let values: Vec<(usize, Option<&[u8]>)> = encoded.values().collect();
        assert_eq!(values, [(0, Some(&b"aa"[..])), (2, Some(b"b")), (3, None), (5, Some(b"")), (6, Some(b"ccc"))]);
    }
}
