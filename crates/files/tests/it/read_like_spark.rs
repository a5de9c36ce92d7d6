//! Parquet sets written by `fixtures/spark/parquet_sets.py`: schema and rows must be those that Spark itself reads back.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Int8Type, Int32Type, Int64Type, TimestampMicrosecondType,
};
use arrow_schema::{DataType, Field, Schema};
use ognivo_data::codec::csv::CsvOptions;
use ognivo_data::codec::json::{JsonEncoder, JsonOptions};
use ognivo_data::dataset::{Dataset, LocalExecutor};
use ognivo_data::partition_plan::PartitionSettings;
use ognivo_data::schema::{to_ddl, to_json};
use ognivo_files::open::open;
use ognivo_files::read::{FileFormat, ReadRequest, RecordCounts, read};
use serde_json::{Value, json};

use crate::fixtures::spark;

const SETS: [&str; 10] = [
    "kinds",
    "vectors",
    "dense_vectors",
    "matrices",
    "attributes",
    "codec_none",
    "codec_gzip",
    "codec_zstd",
    "partitioned",
    "row_groups",
];

fn request(line: &str, set: &str) -> ReadRequest {
    ReadRequest::new(open(set, &spark(line, "parquet")).unwrap(), FileFormat::Parquet)
}

fn rows(request: &ReadRequest) -> Vec<RecordBatch> {
    let data = read(request, Arc::new(LocalExecutor::single_threaded())).unwrap();
    data.dataset.collect().unwrap().into_iter().flatten().collect()
}

/// JSON with sorted keys and without nulls, in which both sides look alike.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let mut kept: Vec<(String, Value)> =
                entries.into_iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k, plain(v))).collect();
            kept.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(kept.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        other => other,
    }
}

fn ours(batches: &[RecordBatch]) -> Vec<Value> {
    let encoder = JsonEncoder::new(&JsonOptions::default());
    let mut text = Vec::new();
    for rows in batches {
        encoder.encode(rows, &mut text).unwrap();
    }
    text.split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| plain(serde_json::from_slice(line).unwrap()))
        .collect()
}

fn theirs(line: &str, set: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(spark(line, &format!("parquet/{set}.jsonl"))).unwrap();
    text.lines().map(|line| plain(serde_json::from_str(line).unwrap())).collect()
}

#[test]
fn the_schema_of_every_parquet_set_is_the_one_that_spark_reads() {
    for line in ["3.5", "4.3"] {
        for set in SETS {
            let data = read(&request(line, set), Arc::new(LocalExecutor::single_threaded())).unwrap();
            let text = std::fs::read_to_string(spark(line, &format!("parquet/{set}.schema.json"))).unwrap();
            let found: Value = serde_json::from_str(&to_json(data.dataset.schema()).unwrap()).unwrap();
            assert_eq!(plain(found), plain(serde_json::from_str(&text).unwrap()), "{line} {set}");
        }
    }
}

#[test]
fn the_rows_of_every_parquet_set_are_the_ones_that_spark_reads_in_its_order() {
    for line in ["3.5", "4.3"] {
        for set in SETS.iter().filter(|set| !["kinds", "partitioned", "row_groups"].contains(set)) {
            assert_eq!(ours(&rows(&request(line, set))), theirs(line, set), "{line} {set}");
        }
        let first_five = &ours(&rows(&request(line, "row_groups")))[..5];
        assert_eq!(first_five, theirs(line, "row_groups"), "{line} row_groups");
    }
}

#[test]
fn files_of_partition_folders_are_read_longest_first_as_spark_reads_them() {
    for line in ["3.5", "4.3"] {
        let (ours, theirs) = (ours(&rows(&request(line, "partitioned"))), theirs(line, "partitioned"));
        // Files of one length follow each other in the order of the disk that Spark ran on; here one has two rows or more
        // for as long as lengths differ.
        let n_ordered = theirs.iter().position(|row| row["id"] == 28).unwrap();
        assert_eq!(ours[..n_ordered], theirs[..n_ordered], "{line}");
        let sorted = |mut rows: Vec<Value>| {
            rows.sort_by_key(|row| row["id"].as_i64());
            rows
        };
        assert_eq!(sorted(ours), sorted(theirs), "{line}");
    }
}

#[test]
fn every_type_of_spark_is_read_with_its_values() {
    for line in ["3.5", "4.3"] {
        let batch = &rows(&request(line, "kinds"))[0];
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let micros = |name: &str| column(name).as_primitive::<TimestampMicrosecondType>();
        // KIND_ROWS of fixtures/spark/parquet_sets.py; the session's time zone was UTC. `moment` is stored as INT96.
        assert_eq!(micros("moment").iter().collect::<Vec<_>>(), [Some(1_577_934_245_678_901), None, Some(-1_000_000)]);
        assert_eq!(
            micros("wall").iter().collect::<Vec<_>>(),
            [Some(1_577_934_245_000_000), None, Some(-11_676_096_000_000_000)]
        );
        assert_eq!(
            column("day").as_primitive::<Date32Type>().iter().collect::<Vec<_>>(),
            [Some(18_263), None, Some(-1)]
        );
        assert_eq!(column("price").as_primitive::<Decimal128Type>().value(2), -9_999_999_999);
        assert_eq!(column("big").as_primitive::<Decimal128Type>().value(2), 123_456_789_012_345_678_901_234_567_891);
        assert_eq!(column("bytes").as_binary::<i32>().value(0), [0, 255]);
        assert_eq!(column("tiny").as_primitive::<Int8Type>().value(2), -128);
        let single = column("single").as_primitive::<Float32Type>().value(2);
        assert!(single.is_infinite() && single.is_sign_negative());
        let list = column("list").as_list::<i32>().value(0);
        assert_eq!(list.as_primitive::<Int32Type>().iter().collect::<Vec<_>>(), [Some(1), None]);
    }
}

#[test]
fn a_given_schema_selects_widens_and_fills_with_nulls() {
    let schema =
        Schema::new(vec![Field::new("WHOLE", DataType::Int64, true), Field::new("absent", DataType::Utf8, true)]);
    let request = ReadRequest { schema: Some(Arc::new(schema)), ..request("4.3", "kinds") };
    let batch = &rows(&request)[0];
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().iter().collect::<Vec<_>>()[..2], [Some(3), None]);
    assert_eq!(batch.column(1).null_count(), 3);

    let schema = Arc::new(Schema::new(vec![Field::new("long", DataType::Int32, true)]));
    let request = ReadRequest { schema: Some(schema), ..request };
    let data = read(&request, Arc::new(LocalExecutor::single_threaded())).unwrap();
    let error = data.dataset.collect().unwrap_err();
    assert!(error.to_string().ends_with("column `long` is stored as bigint and cannot be read as: int"), "{error}");
}

#[test]
fn a_dataset_says_what_became_of_its_records_however_often_it_is_scanned() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), "a,b\n1,x\nq,y\n\n3,z\n").unwrap();
    std::fs::write(folder.path().join("b.csv"), "a,b\n4,w\n").unwrap();
    let location = open(".", folder.path()).unwrap();
    let schema = ognivo_data::schema::parse_ddl("a INT, b STRING").unwrap();
    let counts = |mode: &str| {
        let options = CsvOptions::parse([("header", "true"), ("mode", mode)]).unwrap();
        let request = ReadRequest {
            schema: Some(Arc::new(schema.clone())),
            ..ReadRequest::new(location.clone(), FileFormat::Csv(options))
        };
        let data = read(&request, Arc::new(LocalExecutor::single_threaded())).unwrap();
        assert_eq!((data.n_files, data.counts()), (2, RecordCounts::default()));
        let n_rows = data.dataset.count().unwrap();
        let counts = data.counts();
        assert_eq!(data.dataset.count().unwrap(), n_rows);
        assert_eq!(data.counts(), counts);
        assert_eq!(counts.n_kept as usize, n_rows);
        (counts.n_read, counts.n_kept, counts.n_malformed, counts.n_rejected, counts.n_dropped)
    };
    assert_eq!(counts("PERMISSIVE"), (4, 4, 1, 0, 0));
    assert_eq!(counts("DROPMALFORMED"), (4, 3, 1, 0, 1));
    assert_eq!(counts("REJECT"), (4, 3, 1, 1, 0));
}

#[test]
fn a_file_that_is_read_in_parts_gives_every_row_once_and_in_order() {
    // 11 MB: three parts. Lines of one to three digits more or less, so that borders fall anywhere in them.
    const N_ROWS: i32 = 200_000;
    let folder = tempfile::tempdir().unwrap();
    let line = |id: i32| format!("{id},{}\r\n", "x".repeat(40 + (id % 13) as usize));
    let text: String = std::iter::once("id,text\r\n".to_owned()).chain((0..N_ROWS).map(line)).collect();
    std::fs::write(folder.path().join("a.csv"), text).unwrap();
    let request = ReadRequest {
        schema: Some(Arc::new(ognivo_data::schema::parse_ddl("id INT, text STRING").unwrap())),
        ..ReadRequest::new(
            open(".", folder.path()).unwrap(),
            FileFormat::Csv(CsvOptions::parse([("header", "true")]).unwrap()),
        )
    };
    let data = read(&request, Arc::new(LocalExecutor::single_threaded())).unwrap();
    let ids = |dataset: &Dataset| {
        assert_eq!(dataset.n_partitions(), 1);
        let batches = dataset.collect().unwrap().into_iter().flatten();
        batches.flat_map(|rows| rows.column(0).as_primitive::<Int32Type>().values().to_vec()).collect::<Vec<_>>()
    };
    let expected: Vec<i32> = (0..N_ROWS).collect();
    assert!(ids(&data.dataset) == expected, "in one go");
    assert!(ids(&data.dataset.cached().unwrap()) == expected, "in parts");
    assert_eq!((data.counts().n_read, data.counts().n_malformed), (N_ROWS as u64, 0));
}

#[test]
fn csv_names_and_types_are_found_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), "id,rate.x\n1,0.5\n").unwrap();
    std::fs::write(folder.path().join("b.csv"), "id,rate.x\n3000000000,1\n").unwrap();
    let location = open(".", folder.path()).unwrap();
    let ddl = |infer: &str| {
        let options = CsvOptions::parse([("header", "true"), ("inferSchema", infer)]).unwrap();
        let data = read(
            &ReadRequest::new(location.clone(), FileFormat::Csv(options)),
            Arc::new(LocalExecutor::single_threaded()),
        );
        to_ddl(data.unwrap().dataset.schema()).unwrap()
    };
    assert_eq!(ddl("false"), "id STRING,`rate.x` STRING");
    assert_eq!(ddl("true"), "id BIGINT,`rate.x` DOUBLE");
}

#[test]
fn columns_that_are_not_asked_for_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("p=7")).unwrap();
    std::fs::write(folder.path().join("p=7/a.csv"), "1,x,2.5\n").unwrap();
    let options = CsvOptions::parse([("mode", "FAILFAST")]).unwrap();
    let schema = ognivo_data::schema::parse_ddl("a INT, b INT, c DOUBLE").unwrap();
    let request = ReadRequest {
        schema: Some(Arc::new(schema)),
        columns: Some(vec!["p".to_owned(), "c".to_owned(), "a".to_owned()]),
        ..ReadRequest::new(open(".", folder.path()).unwrap(), FileFormat::Csv(options))
    };
    assert_eq!(ours(&rows(&request)), [serde_json::json!({"a": 1, "c": 2.5, "p": 7})]);
}

#[test]
fn json_lines_are_read_with_the_schema_that_is_found_in_them() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.json"), "{\"id\":1,\"p\":{\"x\":0.5}}\n\n{\"id\":2}\n").unwrap();
    std::fs::write(folder.path().join("b.json"), "{\"id\":3,\"name\":\"z\"}\n").unwrap();
    let format = FileFormat::Json(JsonOptions::default());
    let request = ReadRequest::new(open(".", folder.path()).unwrap(), format.clone());
    let data = read(&request, Arc::new(LocalExecutor::single_threaded())).unwrap();
    assert_eq!(to_ddl(data.dataset.schema()).unwrap(), "id BIGINT,name STRING,p STRUCT<x: DOUBLE>");
    let mut found = ours(&rows(&request));
    found.sort_by_key(|row| row["id"].as_i64());
    assert_eq!(found, [json!({"id": 1, "p": {"x": 0.5}}), json!({"id": 2}), json!({"id": 3, "name": "z"})]);

    // The same rows when the files are cut into pieces of a few bytes.
    let partitions = PartitionSettings { max_partition_bytes: 7, open_cost_bytes: 0, parallelism: 1 };
    let cut = ReadRequest { partitions, ..request };
    let mut pieces = ours(&rows(&cut));
    pieces.sort_by_key(|row| row["id"].as_i64());
    assert_eq!(pieces, found);
}
