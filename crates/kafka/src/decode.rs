//! Records in, rows out: the value by its format, the record's own columns beside it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use arrow_select::filter::filter;
use ognivo_data::codec::avro::AvroDecoder;
use ognivo_data::codec::csv::{CsvDecoder, CsvOptions};
use ognivo_data::codec::json::{JsonDecoder, JsonOptions};
use ognivo_data::codec::{Malformed as BadRecord, RecordDecoder, RowMode};
use ognivo_stream::source::{Malformed, Origin, SourceRecord, SourceRows};

use crate::avro::AvroFormat;
use crate::error::KafkaError;
use crate::offsets::TopicPartition;
use crate::own_columns::OwnColumns;
use crate::records::{BLOCK_RECORDS, Piece, RecordBlock};
use crate::registry::Registry;
use crate::schema::stream_schema;

/// What a record's value holds.
#[derive(Debug, Clone)]
pub enum ValueFormat {
    /// One JSON object.
    Json(JsonOptions),
    /// One line of CSV, without a header.
    Csv(CsvOptions),
    /// One datum of Avro, alone or behind the number of its schema.
    Avro(Box<AvroFormat>),
    /// Bytes: one column `value`, binary and nullable, as Spark's source has it.
    Binary,
}

impl ValueFormat {
    fn mode(&self) -> RowMode {
        match self {
            ValueFormat::Json(options) => options.mode,
            ValueFormat::Csv(options) => options.mode,
            ValueFormat::Avro(format) => format.options.mode,
            ValueFormat::Binary => RowMode::Permissive,
        }
    }
}

/// The schema of a value that is left as it is.
pub(crate) fn binary_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("value", DataType::Binary, true)]))
}

/// Makes rows of records; one for a source, used for one piece after the other.
pub(crate) struct Decoder {
    values: Values,
    own: OwnColumns,
    /// Where the values of the piece at hand lie.
    ranges: Vec<Option<Range<usize>>>,
    mode: RowMode,
    schema: SchemaRef,
    n_value_columns: usize,
}

enum Values {
    AsTheyAre,
    Decoded(Box<dyn RecordDecoder>),
    /// By schemas of a registry.
    Registered(Box<AvroDecoder>, Registry),
}

impl Decoder {
    /// A decoder of values with these columns.
    ///
    /// # Errors
    /// A column of a type that the format cannot be read as.
    pub(crate) fn new(format: &ValueFormat, value: &SchemaRef, headers: bool) -> Result<Decoder, KafkaError> {
        let mode = format.mode();
        // What the mode says is done here, where a row is known to be one record.
        let asked = if mode == RowMode::Permissive { RowMode::Permissive } else { RowMode::Reject };
        let value = if matches!(format, ValueFormat::Binary) { &binary_schema() } else { value };
        let (values, decoded): (Values, SchemaRef) = match format {
            ValueFormat::Binary => (Values::AsTheyAre, Arc::clone(value)),
            ValueFormat::Json(options) => {
                let options = JsonOptions { mode: asked, ..options.clone() };
                let decoder = JsonDecoder::new(Arc::clone(value), &options, None, BLOCK_RECORDS)?;
                let schema = Arc::clone(decoder.output_schema());
                (Values::Decoded(Box::new(decoder)), schema)
            }
            ValueFormat::Csv(options) => {
                let options = CsvOptions { mode: asked, header: false, ..options.clone() };
                let decoder = CsvDecoder::new(Arc::clone(value), &options, None, BLOCK_RECORDS)?;
                let schema = Arc::clone(decoder.output_schema());
                (Values::Decoded(Box::new(decoder)), schema)
            }
            ValueFormat::Avro(format) => {
                let decoder = AvroDecoder::new(Arc::clone(value), &format.options(asked), format.framing())?;
                let schema = Arc::clone(decoder.output_schema());
                match &format.registry {
                    None => (Values::Decoded(Box::new(decoder)), schema),
                    Some(registry) => (Values::Registered(Box::new(decoder), registry.clone()), schema),
                }
            }
        };
        let n_value_columns = decoded.fields().len();
        let schema = stream_schema(&decoded, headers);
        Ok(Decoder { values, own: OwnColumns::default(), ranges: Vec::new(), mode, schema, n_value_columns })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether it holds what a registry has said, which may be otherwise later: the next batch asks anew.
    pub(crate) fn asks_a_registry(&self) -> bool {
        matches!(self.values, Values::Registered(..))
    }

    /// Asks the registry for the schemas that the records of a piece name and that were not asked for yet.
    ///
    /// # Errors
    /// A registry that does not answer, or refuses.
    pub(crate) async fn ask(&mut self, piece: &Piece) -> Result<(), KafkaError> {
        let Values::Registered(decoder, registry) = &mut self.values else { return Ok(()) };
        find(&mut self.ranges, piece);
        for id in decoder.unknown_ids(piece.block.values.value_data(), &self.ranges) {
            decoder.learn(id, &registry.schema(id).await?);
        }
        Ok(())
    }

    /// The rows of a piece that was asked about, and the records of it that are none.
    ///
    /// # Errors
    /// The first malformed record in mode FAILFAST; a block of text above 2 GiB.
    pub(crate) fn decode(&mut self, at: &TopicPartition, piece: Piece) -> Result<SourceRows, KafkaError> {
        let Piece { block, idx } = &piece;
        let n_records_read = idx.len();
        let decoder: Option<&mut dyn RecordDecoder> = match &mut self.values {
            Values::AsTheyAre => None,
            Values::Decoded(decoder) => Some(decoder.as_mut()),
            Values::Registered(decoder, _) => Some(decoder.as_mut()),
        };
        let (mut columns, malformed): (Vec<ArrayRef>, _) = match decoder {
            None => (vec![Arc::new(block.values.slice(idx.start, idx.len()))], Vec::new()),
            Some(decoder) => {
                find(&mut self.ranges, &piece);
                let decoded = decoder.decode_records(block.values.value_data(), &self.ranges)?;
                (decoded.rows.columns().to_vec(), decoded.malformed)
            }
        };
        let kept = Kept::new(n_records_read, &malformed);
        let own = self.schema.fields()[self.n_value_columns..].iter();
        columns.extend(own.map(|field| kept.only(self.own.column(field.name(), at, &piece))));
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .expect("every column has a value for each record that is a row");
        let origin = Arc::new(Records { at: at.clone(), places: kept.places(idx), block: Arc::clone(block) });
        let bad = malformed.into_iter().map(|bad| Decoder::malformed(at, &piece, bad));
        let malformed = match self.mode {
            RowMode::FailFast => match bad.into_iter().next() {
                None => Vec::new(),
                Some(Malformed { position, message, .. }) => return Err(KafkaError::Malformed { position, message }),
            },
            RowMode::DropMalformed => Vec::new(),
            RowMode::Permissive | RowMode::Reject => bad.collect(),
        };
        Ok(SourceRows { rows, origin, malformed, n_records_read })
    }

    fn malformed(at: &TopicPartition, piece: &Piece, bad: BadRecord) -> Malformed {
        let idx = piece.idx.start + bad.line as usize;
        let record = record(at, &piece.block, idx);
        let (code, message) = match bad.column {
            None => ("malformed_record", bad.message),
            Some(column) => ("malformed_value", format!("column `{column}`: {}", bad.message)),
        };
        Malformed {
            position: format!("{at}:{}", record.offset),
            payload: bad.raw,
            code: code.to_owned(),
            message,
            record: Some(Box::new(record)),
        }
    }
}

/// Puts into `ranges` where each value of a piece lies; None for a tombstone.
fn find(ranges: &mut Vec<Option<Range<usize>>>, piece: &Piece) {
    let values = &piece.block.values;
    let ends = values.value_offsets();
    let range = |idx: usize| ends[idx] as usize..ends[idx + 1] as usize;
    ranges.clear();
    ranges.extend(piece.idx.clone().map(|idx| values.is_valid(idx).then(|| range(idx))));
}

fn record(at: &TopicPartition, block: &RecordBlock, idx: usize) -> SourceRecord {
    SourceRecord {
        topic: at.topic.clone(),
        partition: at.partition,
        offset: block.offsets.value(idx),
        key: block.key(idx).map(<[u8]>::to_vec),
        is_tombstone: block.value(idx).is_none(),
    }
}

/// Which records of a piece are rows.
enum Kept {
    All,
    Some(BooleanArray),
}

impl Kept {
    fn new(n_records: usize, malformed: &[BadRecord]) -> Kept {
        if malformed.is_empty() {
            return Kept::All;
        }
        let mut kept = vec![true; n_records];
        for bad in malformed {
            kept[bad.line as usize] = false;
        }
        Kept::Some(BooleanArray::from(kept))
    }

    fn only(&self, column: ArrayRef) -> ArrayRef {
        match self {
            Kept::All => column,
            Kept::Some(kept) => filter(&column, kept).expect("the mask is as long as the column"),
        }
    }

    /// Which of these places in the block are rows.
    fn places(&self, idx: &Range<usize>) -> Places {
        match self {
            Kept::All => Places::Run(idx.clone()),
            Kept::Some(kept) => Places::Each(kept.values().set_indices().map(|at| idx.start + at).collect()),
        }
    }
}

/// Where in a block rows stand.
enum Places {
    Run(Range<usize>),
    Each(Vec<usize>),
}

/// Where rows came from.
struct Records {
    at: TopicPartition,
    block: Arc<RecordBlock>,
    places: Places,
}

impl Records {
    fn idx(&self, row_idx: usize) -> usize {
        match &self.places {
            Places::Run(run) => run.start + row_idx,
            Places::Each(places) => places[row_idx],
        }
    }
}

impl Origin for Records {
    fn position(&self, row_idx: usize) -> String {
        format!("{}:{}", self.at, self.block.offsets.value(self.idx(row_idx)))
    }

    fn payload(&self, row_idx: usize) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.block.value(self.idx(row_idx)).unwrap_or_default())
    }

    fn timestamps_ms(&self) -> Vec<i64> {
        let times = &self.block.timestamps;
        let ms = |idx: usize| times.is_valid(idx).then(|| times.value(idx) / 1000);
        match &self.places {
            Places::Run(run) => run.clone().filter_map(ms).collect(),
            Places::Each(places) => places.iter().copied().filter_map(ms).collect(),
        }
    }

    fn record(&self, row_idx: usize) -> Option<SourceRecord> {
        Some(record(&self.at, &self.block, self.idx(row_idx)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{OpenBlock, Record};
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Int32Type, Int64Type};

    fn piece(values: &[Option<&str>]) -> Piece {
        let mut block = OpenBlock::new();
        for (value, offset) in values.iter().zip(100..) {
            let value = value.map(str::as_bytes);
            let record = Record { offset, key: None, value, time_ms: Some(5), time_type: 0, headers: Vec::new() };
            block.push(record, false);
        }
        Piece { block: Arc::new(block.close()), idx: 1..values.len() }
    }

    fn rows(mode: RowMode, values: &[Option<&str>]) -> SourceRows {
        let schema =
            Schema::new(vec![Field::new("a", DataType::Int32, true), Field::new("offset", DataType::Utf8, true)]);
        let format = ValueFormat::Json(JsonOptions { mode, ..JsonOptions::default() });
        let mut decoder = Decoder::new(&format, &Arc::new(schema), false).unwrap();
        decoder.decode(&TopicPartition::new("t", 3), piece(values)).unwrap()
    }

    const RECORDS: [Option<&str>; 6] = [
        Some("not asked for"),
        Some("{\"a\":\n1,\"offset\":\"x\"}"),
        None,
        Some("{\"a\":"),
        Some("[{\"a\":1},{\"a\":2}]"),
        Some("{\"a\":7}"),
    ];

    #[test]
    fn a_message_is_one_row_or_one_malformed_record_wherever_its_line_ends_are() {
        let block = rows(RowMode::Reject, &RECORDS);
        assert_eq!(block.n_records_read, 5);
        assert_eq!(
            block.rows.column(0).as_primitive::<Int32Type>().iter().collect::<Vec<_>>(),
            [Some(1), None, Some(7)]
        );
        let bad: Vec<_> = block.malformed.iter().map(|bad| (bad.position.as_str(), bad.code.as_str())).collect();
        assert_eq!(bad, [("t-3:103", "malformed_record"), ("t-3:104", "malformed_record")]);
        assert_eq!(block.malformed[0].payload, b"{\"a\":");
        assert_eq!([0, 1, 2].map(|row| block.origin.position(row)), ["t-3:101", "t-3:102", "t-3:105"]);
        assert_eq!(block.origin.payload(2).as_ref(), b"{\"a\":7}");
    }

    #[test]
    fn the_records_own_columns_stand_behind_those_of_the_value_which_win() {
        let block = rows(RowMode::Reject, &RECORDS);
        let schema = block.rows.schema();
        let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["a", "offset", "key", "topic", "partition", "timestamp", "timestampType"]);
        assert_eq!(block.rows.column(1).as_string::<i32>().value(0), "x");
        assert_eq!(block.rows.column(4).as_primitive::<Int32Type>().values(), &[3, 3, 3]);
        assert_eq!(block.rows.column(2).null_count(), 3);
    }

    #[test]
    fn a_tombstone_is_a_row_of_nulls_in_every_mode() {
        for mode in [RowMode::Permissive, RowMode::DropMalformed, RowMode::FailFast, RowMode::Reject] {
            let block = rows(mode, &[None, None]);
            assert_eq!((block.rows.num_rows(), block.rows.column(0).null_count()), (1, 1), "{mode:?}");
        }
    }

    #[test]
    fn each_mode_does_with_a_malformed_record_what_spark_does() {
        let permissive = rows(RowMode::Permissive, &RECORDS);
        assert_eq!((permissive.rows.num_rows(), permissive.malformed.len()), (5, 0));
        let dropped = rows(RowMode::DropMalformed, &RECORDS);
        assert_eq!((dropped.rows.num_rows(), dropped.malformed.len(), dropped.n_records_read), (3, 0, 5));
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, true)]));
        let format = ValueFormat::Json(JsonOptions { mode: RowMode::FailFast, ..JsonOptions::default() });
        let error =
            Decoder::new(&format, &schema, false).unwrap().decode(&TopicPartition::new("t", 0), piece(&RECORDS));
        assert_eq!(error.unwrap_err().to_string(), "malformed record at t-0:103: no JSON object");
    }

    #[test]
    fn a_line_of_csv_is_one_record_even_with_a_line_end_in_quotes() {
        let schema = Schema::new(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)]);
        let format = ValueFormat::Csv(CsvOptions { mode: RowMode::Reject, ..CsvOptions::default() });
        let mut decoder = Decoder::new(&format, &Arc::new(schema), false).unwrap();
        let piece = piece(&[None, Some("1,\"x\ny\""), Some("2"), Some("3,z")]);
        let block = decoder.decode(&TopicPartition::new("t", 0), piece).unwrap();
        assert_eq!(block.rows.column(0).as_primitive::<Int64Type>().values(), &[1, 3]);
        assert_eq!(block.rows.column(1).as_string::<i32>().value(0), "x\ny");
        assert_eq!(block.malformed[0].position, "t-0:102");
    }
}
