//! What decoders say about records beside their rows: spans, rejects, errors, ranges.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_schema::Schema;
use ognivo_data::codec::csv::{CsvDecoder, CsvEncoder, CsvOptions};
use ognivo_data::codec::json::{JsonDecoder, JsonEncoder, JsonOptions};
use ognivo_data::codec::{DecodeError, Decoded, RowDecoder};
use ognivo_data::fault::{Explain, Fault};
use ognivo_data::schema::parse_ddl;
use ognivo_data::vector::{VectorBuilder, VectorRef, vector_field};

use crate::dice::dice;

fn csv(ddl: &str, options: &[(&str, &str)]) -> CsvDecoder {
    let options = CsvOptions::parse(options.iter().copied()).expect("options");
    CsvDecoder::new(Arc::new(parse_ddl(ddl).expect("DDL")), &options, None, 1000).expect("types")
}

fn json(ddl: &str, options: &[(&str, &str)]) -> JsonDecoder {
    let options = JsonOptions::parse(options.iter().copied()).expect("options");
    JsonDecoder::new(Arc::new(parse_ddl(ddl).expect("DDL")), &options, None, 1000).expect("types")
}

fn decode(mut decoder: impl RowDecoder, bytes: &[u8]) -> Result<Option<Decoded>, DecodeError> {
    let mut rest = bytes;
    while !rest.is_empty() && !decoder.is_done() {
        let consumed = decoder.push(rest)?;
        rest = &rest[consumed..];
    }
    decoder.finish()?;
    decoder.take()
}

const BAD_CSV: &[u8] = b"a,b\r\n1,x\r\nq,y\r\n3\r\n4,\"z\"\r\n\r\n5,w,v";

#[test]
fn rejected_records_carry_their_bytes_place_and_reason() {
    let decoder = csv("a INT, b STRING", &[("header", "true"), ("mode", "REJECT")]).with_spans();
    let decoded = decode(decoder, BAD_CSV).unwrap().unwrap();
    let rows: Vec<i32> = decoded.rows.column(0).as_primitive::<Int32Type>().values().to_vec();
    assert_eq!(rows, [1, 4]);
    let malformed: Vec<String> = decoded
        .malformed
        .iter()
        .map(|m| format!("{} {:?}: {m}", m.byte_pos, String::from_utf8_lossy(&m.raw)))
        .collect();
    assert_eq!(
        malformed,
        [
            "10 \"q,y\": line 3, column `a`: not a int: q",
            "15 \"3\": line 4: expected 2 fields, found: 1",
            "27 \"5,w,v\": line 7: expected 2 fields, found: 3",
        ]
    );
    assert_eq!((decoded.n_malformed, decoded.n_dropped), (3, 0));
    let raw = decoded.spans.unwrap().into_iter().map(|s| &BAD_CSV[s.start as usize..][..s.len as usize]);
    assert_eq!(raw.collect::<Vec<_>>(), [&b"1,x"[..], b"4,\"z\""]);
}

#[test]
fn dropped_records_are_counted() {
    let decoder = csv("a INT, b STRING", &[("header", "true"), ("mode", "DROPMALFORMED")]);
    let decoded = decode(decoder, BAD_CSV).unwrap().unwrap();
    assert_eq!(decoded.rows.num_rows(), 2);
    assert_eq!((decoded.n_malformed, decoded.n_dropped, decoded.malformed.len()), (3, 3, 0));
}

#[test]
fn the_first_malformed_record_ends_a_fail_fast_decoder() {
    let decoder = csv("a INT, b STRING", &[("header", "true"), ("mode", "FAILFAST")]);
    let error = decode(decoder, BAD_CSV).unwrap_err();
    assert_eq!(error.to_string(), "malformed CSV record at line 3, column `a`: not a int: q");
    assert_eq!(error.fault(), Fault::Data);
}

#[test]
fn a_header_that_must_match_names_the_column_that_does_not() {
    let options = [("header", "true"), ("enforceSchema", "false")];
    let error = decode(csv("a INT, b STRING", &options), b"A,c\n1,x\n").unwrap_err();
    assert_eq!(error.to_string(), "header does not match the schema, column 1: expected `b`, found `c`");
}

#[test]
fn reject_sees_a_wrong_number_of_fields_even_when_few_columns_are_read() {
    let read = |mode: &str| {
        let options = CsvOptions::parse([("mode", mode)]).unwrap();
        let schema = Arc::new(parse_ddl("a INT, b INT, c INT").unwrap());
        let decoder = CsvDecoder::new(schema, &options, Some(&[2, 0]), 10).unwrap();
        let decoded = decode(decoder, b"1,q,3\n4,5\n6,7,8,9\n").unwrap().unwrap();
        let first = decoded.rows.column(0).as_primitive::<Int32Type>().iter().collect::<Vec<_>>();
        (first, decoded.malformed.len())
    };
    assert_eq!(read("DROPMALFORMED"), (vec![Some(3), None, Some(8)], 0));
    assert_eq!(read("REJECT"), (vec![Some(3)], 2));
}

#[test]
fn an_unread_column_may_be_of_any_type() {
    let schema = Schema::new(vec![vector_field("v"), parse_ddl("a INT").unwrap().field(0).clone()]);
    let options = CsvOptions::default();
    let error = CsvDecoder::new(Arc::new(schema.clone()), &options, None, 10).unwrap_err();
    assert_eq!(error.to_string(), "column `v` cannot be read from CSV: vector");
    assert!(CsvDecoder::new(Arc::new(schema), &options, Some(&[1]), 10).is_ok());
}

#[test]
fn a_full_batch_stops_the_decoder_until_it_is_taken() {
    let options = CsvOptions::default();
    let schema = Arc::new(parse_ddl("a BIGINT").unwrap());
    let mut decoder = CsvDecoder::new(schema, &options, None, 2).unwrap();
    let bytes = b"1\n2\n3\n";
    assert_eq!(decoder.push(bytes).unwrap(), 4);
    assert!(decoder.is_full());
    assert_eq!(decoder.push(&bytes[4..]).unwrap(), 0);
    let rows = decoder.take().unwrap().unwrap().rows;
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().values().to_vec(), [1, 2]);
    assert_eq!(decoder.push(&bytes[4..]).unwrap(), 2);
    decoder.finish().unwrap();
    assert_eq!(decoder.take().unwrap().unwrap().rows.num_rows(), 1);
    assert!(decoder.take().unwrap().is_none());
}

#[test]
fn a_record_longer_than_the_pieces_it_comes_in_is_read() {
    let long = "x".repeat(300_000);
    let text = format!("1,\"{long}\ny\"\n2,z\n");
    let options = CsvOptions::parse([("multiLine", "true")]).unwrap();
    let schema = Arc::new(parse_ddl("a INT, b STRING").unwrap());
    let mut decoder = CsvDecoder::new(schema, &options, None, 10).unwrap();
    for piece in text.as_bytes().chunks(1000) {
        assert_eq!(decoder.push(piece).unwrap(), piece.len());
    }
    decoder.finish().unwrap();
    let rows = decoder.take().unwrap().unwrap().rows;
    assert_eq!(rows.column(1).as_string::<i32>().value(0), format!("{long}\ny"));
    assert_eq!(rows.column(1).as_string::<i32>().value(1), "z");
}

#[test]
fn json_rejects_carry_their_bytes_place_and_reason() {
    let text = b"{\"a\":1}\n{\"a\":\"q\"}\nnonsense\n{\"a\":2}";
    let decoder = json("a INT", &[("mode", "REJECT")]).with_spans();
    let decoded = decode(decoder, text).unwrap().unwrap();
    assert_eq!(decoded.rows.column(0).as_primitive::<Int32Type>().values().to_vec(), [1, 2]);
    let malformed: Vec<String> = decoded.malformed.iter().map(|m| format!("{} {m}", m.byte_pos)).collect();
    assert_eq!(malformed, ["8 line 2, column `a`: not a int: \"q\"", "18 line 3: no JSON object"]);
    assert_eq!(decoded.spans.unwrap().iter().map(|s| s.start).collect::<Vec<_>>(), [0, 27]);
}

#[test]
fn vectors_are_written_as_json_by_both_encoders_and_read_back() {
    let mut vectors = VectorBuilder::new();
    vectors.push(VectorRef::Dense(&[1.0, f64::NAN, f64::INFINITY]));
    vectors.push(VectorRef::Sparse { size: 3, indices: &[1], values: &[2.5] });
    vectors.push_null();
    let schema = Arc::new(Schema::new(vec![vector_field("v")]));
    let rows = arrow_array::RecordBatch::try_new(Arc::clone(&schema), vec![vectors.finish()]).unwrap();

    let mut out = Vec::new();
    JsonEncoder::new(&JsonOptions::default()).encode(&rows, &mut out).unwrap();
    let text = String::from_utf8(out.clone()).unwrap();
    let dense = r#"{"type":1,"values":[1.0,"NaN","Infinity"]}"#;
    let sparse = r#"{"type":0,"size":3,"indices":[1],"values":[2.5]}"#;
    assert_eq!(text, format!("{{\"v\":{dense}}}\n{{\"v\":{sparse}}}\n{{}}\n"));

    let decoder = JsonDecoder::new(schema, &JsonOptions::default(), None, 10).unwrap();
    let back = decode(decoder, &out).unwrap().unwrap().rows;
    let mut again = Vec::new();
    JsonEncoder::new(&JsonOptions::default()).encode(&back, &mut again).unwrap();
    assert_eq!(again, out);

    let mut out = Vec::new();
    CsvEncoder::new(&CsvOptions::parse([("escape", "\"")]).unwrap()).encode(&rows, &mut out).unwrap();
    let quoted = |json: &str| format!("\"{}\"", json.replace('"', "\"\""));
    let expected = format!("{}\n{}\n\"\"\n", quoted(dense), quoted(sparse));
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn a_null_in_a_lone_column_is_not_a_lost_row() {
    let decoded = decode(csv("a STRING", &[]), b"x\n\"\"\ny\n").unwrap().unwrap().rows;
    let mut out = Vec::new();
    CsvEncoder::new(&CsvOptions::default()).encode(&decoded, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "x\n\"\"\ny\n");
}

#[test]
fn a_row_can_be_written_alone() {
    let rows = decode(csv("a INT, b STRING", &[]), b"1,x\n2,\n").unwrap().unwrap().rows;
    let mut out = Vec::new();
    JsonEncoder::new(&JsonOptions::default()).rows(&rows).unwrap().write(1, &mut out);
    out.push(b' ');
    CsvEncoder::new(&CsvOptions::default()).encode_row(&rows, 0, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "{\"a\":2} 1,x");
}

/// All rows as JSON lines, then the malformed records; `piece` bytes are pushed at once.
fn shown(mut decoder: Box<dyn RowDecoder>, bytes: &[u8], piece: usize) -> String {
    let mut out = Vec::new();
    let mut malformed = String::new();
    let mut take = |decoder: &mut dyn RowDecoder| {
        if let Some(decoded) = decoder.take().unwrap() {
            JsonEncoder::new(&JsonOptions::default()).encode(&decoded.rows, &mut out).unwrap();
            assert_eq!(decoded.spans.unwrap().len(), decoded.rows.num_rows());
            for record in decoded.malformed {
                malformed += &format!("{} {:?} {record}\n", record.byte_pos, record.raw);
            }
        }
    };
    for mut bytes in bytes.chunks(piece) {
        while !bytes.is_empty() {
            let consumed = decoder.push(bytes).unwrap();
            bytes = &bytes[consumed..];
            if decoder.is_full() {
                take(decoder.as_mut());
            }
        }
    }
    decoder.finish().unwrap();
    take(decoder.as_mut());
    String::from_utf8(out).unwrap() + &malformed
}

#[test]
fn random_csv_is_read_the_same_however_it_is_pushed() {
    let options: [&[(&str, &str)]; 9] = [
        &[],
        &[("multiLine", "true")],
        &[("multiLine", "true"), ("escape", "\""), ("comment", "#")],
        &[("header", "true"), ("ignoreLeadingWhiteSpace", "true"), ("ignoreTrailingWhiteSpace", "true")],
        &[("sep", "||"), ("multiLine", "true")],
        &[("lineSep", "\r\n")],
        &[("maxCharsPerColumn", "3"), ("maxColumns", "2")],
        &[("unescapedQuoteHandling", "RAISE_ERROR"), ("encoding", "ISO-8859-1")],
        &[("multiLine", "true"), ("header", "true"), ("unescapedQuoteHandling", "BACK_TO_DELIMITER")],
    ];
    let alphabet: [&[u8]; 16] = [
        b"1",
        b"-2.5",
        b",",
        b",",
        b"|",
        b"\"",
        b"\"",
        b"\\",
        b"\n",
        b"\r",
        b"\r\n",
        b" ",
        b"#",
        b"\xEF\xBB\xBF",
        b"\xFF",
        b"x",
    ];
    for seed in 0..600 {
        let mut roll = dice(seed);
        let options = options[roll(options.len())];
        let bytes: Vec<u8> = (0..roll(60)).flat_map(|_| alphabet[roll(alphabet.len())]).copied().collect();
        let make = |batch_rows| {
            let all = [options, &[("mode", "REJECT")]].concat();
            let options = CsvOptions::parse(all).unwrap();
            let schema = Arc::new(parse_ddl("a INT, b STRING, c DOUBLE").unwrap());
            Box::new(CsvDecoder::new(schema, &options, None, batch_rows).unwrap().with_spans())
        };
        let whole = shown(make(1000), &bytes, 1000);
        for piece in [1, 2, 3, 7] {
            assert_eq!(shown(make(1000), &bytes, piece), whole, "seed {seed}, pieces of {piece}, {options:?}");
        }
        assert_eq!(shown(make(1), &bytes, 1000), whole, "seed {seed}, row by row, {options:?}");
    }
}

#[test]
fn random_json_is_read_the_same_however_it_is_pushed() {
    let alphabet: [&[u8]; 22] = [
        b"{",
        b"}",
        b"{\"a\":",
        b"\"b\":",
        b"\"c\":",
        b"[",
        b"]",
        b",",
        b"1",
        b"-2.5",
        b"\"x\"",
        b"\"NaN\"",
        b"null",
        b"true",
        b"\"",
        b"\\",
        b"\\u00e9",
        b"\n",
        b"\r\n",
        b"'",
        b"\xFF",
        b"{\"a\":1,\"c\":2.5}",
    ];
    for seed in 0..600 {
        let mut roll = dice(seed);
        let bytes: Vec<u8> = (0..roll(60)).flat_map(|_| alphabet[roll(alphabet.len())]).copied().collect();
        let make = |batch_rows| {
            let options = JsonOptions::parse([("mode", "REJECT")]).unwrap();
            let schema = Arc::new(parse_ddl("a INT, b STRING, c DOUBLE").unwrap());
            Box::new(JsonDecoder::new(schema, &options, None, batch_rows).unwrap().with_spans())
        };
        let whole = shown(make(1000), &bytes, 1000);
        for piece in [1, 2, 3, 7] {
            assert_eq!(shown(make(1000), &bytes, piece), whole, "seed {seed}, pieces of {piece}");
        }
        assert_eq!(shown(make(1), &bytes, 1000), whole, "seed {seed}, row by row");
    }
}
