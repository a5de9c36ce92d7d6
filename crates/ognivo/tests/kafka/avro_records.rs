//! Loans as Avro records, written byte by byte by the specification, and a registry asked over plain TCP.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use ognivo_data::codec::RecordDecoder as _;
use ognivo_data::codec::avro::{AvroDecoder, AvroOptions, AvroSchema, Framing};
use ognivo_data::codec::json::{JsonEncoder, JsonOptions};
use serde_json::{Value, json};

use crate::broker::{Topic, registry};
use crate::loans::SCHEMA;
use crate::stream_oracle::Score;
use crate::topics::{Stream, score_of};

/// Nobody may wait for ever; no test is about how long it takes.
const LONG: Duration = Duration::from_secs(60);

/// What the registry answers: the status and the JSON.
pub(crate) fn ask(method: &str, path: &str, body: &Value) -> (u16, Value) {
    try_ask(method, path, body).unwrap()
}

/// The same of one that may not be there.
pub(crate) fn try_ask(method: &str, path: &str, body: &Value) -> std::io::Result<(u16, Value)> {
    let url = registry();
    let (host, base) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(LONG))?;
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let head = format!("{method} /{base}{path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\n");
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let closed = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(closed)?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok((status, serde_json::from_str(body).unwrap_or_default()))
}

/// The number of a schema under a subject, registered now.
pub(crate) fn register(subject: &str, request: &Value) -> u32 {
    let (status, answer) = ask("POST", &format!("/subjects/{subject}/versions"), request);
    assert_eq!(status, 200, "{answer}");
    answer["id"].as_u64().unwrap() as u32
}

/// How a field is written.
#[derive(Debug, Clone)]
enum Kind {
    Long,
    Double,
    Text,
    Symbol(Vec<&'static str>),
}

/// A writer of loans by one schema.
pub(crate) struct Loans {
    /// Bytes before the fields.
    begin: Vec<u8>,
    fields: Vec<(&'static str, Kind)>,
    /// The schema as JSON.
    pub(crate) schema: Value,
}

impl Loans {
    /// The columns in their order, each of which may be null.
    pub(crate) fn new() -> Loans {
        let columns: Vec<(&str, &str)> = SCHEMA.split(", ").map(|column| column.split_once(' ').unwrap()).collect();
        let each = columns.iter().map(|(name, ddl)| {
            let avro = match *ddl {
                "BIGINT" => "long",
                "INT" => "int",
                "DOUBLE" => "double",
                _ => "string",
            };
            json!({"name": name, "type": ["null", avro]})
        });
        let kind = |ddl: &str| match ddl {
            "BIGINT" | "INT" => Kind::Long,
            "DOUBLE" => Kind::Double,
            _ => Kind::Text,
        };
        Loans {
            begin: Vec::new(),
            schema: json!({"type": "record", "name": "Loan", "fields": each.collect::<Vec<_>>()}),
            fields: columns.iter().map(|(name, ddl)| (*name, kind(ddl))).collect(),
        }
    }

    /// The same in the opposite order, behind a text that nobody wants.
    pub(crate) fn reversed() -> Loans {
        let mut loans = Loans::new();
        loans.begin = [long(4), b"note".to_vec()].concat();
        loans.fields.reverse();
        let fields = loans.schema["fields"].as_array_mut().unwrap();
        fields.reverse();
        fields.insert(0, json!({"name": "note", "type": "string"}));
        loans
    }

    /// The same with a term of another schema.
    pub(crate) fn with_term(name: &str, symbols: Vec<&'static str>) -> Loans {
        let mut loans = Loans::new();
        let idx = loans.fields.iter().position(|(field, _)| *field == "term").unwrap();
        loans.fields[idx].1 = Kind::Symbol(symbols);
        loans.schema["fields"][idx]["type"] = json!(["null", name]);
        loans
    }

    /// The datum of a JSON object; one that breaks off for a value that is none of the field's.
    pub(crate) fn datum(&self, record: &str) -> Vec<u8> {
        let record: Value = serde_json::from_str(record).unwrap();
        let mut out = self.begin.clone();
        for (name, kind) in &self.fields {
            let value = &record[*name];
            if value.is_null() {
                out.extend(long(0));
                continue;
            }
            out.extend(long(1));
            let bytes = match kind {
                Kind::Long => value.as_i64().map(long),
                Kind::Double => value.as_f64().map(|value| value.to_le_bytes().to_vec()),
                Kind::Text => value.as_str().map(|text| [long(text.len() as i64), text.as_bytes().to_vec()].concat()),
                Kind::Symbol(symbols) => {
                    symbols.iter().position(|symbol| value == symbol).map(|position| long(position as i64))
                }
            };
            let Some(bytes) = bytes else { return out };
            out.extend(bytes);
        }
        out
    }
}

/// A number as Avro writes it: in zigzag form, seven bits a byte.
fn long(value: i64) -> Vec<u8> {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    let mut out = Vec::new();
    loop {
        let more = if zigzag > 0x7F { 0x80 } else { 0 };
        out.push((zigzag & 0x7F) as u8 | more);
        zigzag >>= 7;
        if more == 0 {
            return out;
        }
    }
}

/// A datum behind the number of its schema.
pub(crate) fn framed(id: u32, datum: &[u8]) -> Vec<u8> {
    [&[0][..], &id.to_be_bytes(), datum].concat()
}

/// The JSON of a datum.
pub(crate) fn decoded(schema: &AvroSchema, datum: &[u8]) -> Value {
    let options = AvroOptions { schema: Some(schema.clone()), ..AvroOptions::default() };
    let columns = Arc::new(schema.columns().unwrap());
    let mut decoder = AvroDecoder::new(columns, &options, Framing::Plain).unwrap();
    let rows = decoder.decode_records(datum, &[Some(0..datum.len())]).unwrap().rows;
    let mut out = Vec::new();
    JsonEncoder::new(&JsonOptions::default()).encode(&rows, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

/// The scored rows, each once, and the numbers of the schemas that they name.
pub(crate) fn scored(output: &Topic) -> (BTreeMap<i64, Score>, BTreeMap<u32, AvroSchema>) {
    let (mut scores, mut schemas) = (BTreeMap::new(), BTreeMap::new());
    for value in output.values() {
        let value = value.expect("a row");
        let (head, datum) = value.split_at(5);
        assert_eq!(head[0], 0);
        let id = u32::from_be_bytes(head[1..].try_into().unwrap());
        let schema = schemas.entry(id).or_insert_with(|| {
            let (status, answer) = ask("GET", &format!("/schemas/ids/{id}"), &Value::Null);
            assert_eq!(status, 200, "{answer}");
            AvroSchema::parse(answer["schema"].as_str().unwrap()).unwrap()
        });
        let row = decoded(schema, datum);
        let before = scores.insert(row["id"].as_i64().unwrap(), score_of(row.as_object().unwrap()));
        assert_eq!(before, None, "twice: {row}");
    }
    (scores, schemas)
}

/// The dead letters by the offsets of their records.
pub(crate) fn letters(stream: &Stream<'_>) -> BTreeMap<i64, Value> {
    let mut letters = BTreeMap::new();
    for seen in stream.letters.committed() {
        let letter: Value = serde_json::from_str(&seen.value.unwrap()).unwrap();
        let before = letters.insert(letter["offset"].as_i64().unwrap(), letter);
        assert_eq!(before, None, "twice");
    }
    letters
}

/// Gives the job of a stream other values: `read` and `write` are what stands behind `value:`.
pub(crate) fn with_values(stream: &Stream<'_>, read: &str, write: &str) {
    change(stream, &format!("value: {{format: json, schema: \"{SCHEMA}\"}}"), &format!("value: {read}"));
    change(stream, "value: {format: json}", &format!("value: {write}"));
}

/// Changes the job of a stream.
pub(crate) fn change(stream: &Stream<'_>, from: &str, to: &str) {
    let place = &stream.rig.loans.place;
    let job = std::fs::read_to_string(place.at(&stream.file)).unwrap();
    assert_eq!(job.matches(from).count(), 1, "{from} in\n{job}");
    place.write(&stream.file, &job.replace(from, to));
}

/// Values framed by the registry, read into the columns of the loans.
pub(crate) fn of_registry() -> (String, String) {
    with_options(&format!("schema.registry.url: \"{}\"", registry()))
}

/// The same with these options.
pub(crate) fn with_options(options: &str) -> (String, String) {
    let options = format!("options: {{{options}}}");
    (format!("{{format: avro, schema: \"{SCHEMA}\", {options}}}"), format!("{{format: avro, {options}}}"))
}
