//! What records are made of, in and out.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array as _, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use futures::TryStreamExt as _;
use ognivo_data::codec::csv::CsvOptions;
use ognivo_data::fault::{Explain as _, Fault};
use ognivo_kafka::{
    Delivery, KafkaSink, KafkaSource, Membership, Progress, SinkColumns, SinkConfig, SinkParts, SourceConfig,
    ValueFormat,
};
use ognivo_stream::dead_letter::{self, DeadLetter};
use ognivo_stream::offset::{Offset, OffsetRange};
use ognivo_stream::plan::{BatchId, BatchPlan};
use ognivo_stream::sink::{Lane, Sink as _};
use ognivo_stream::source::{ReadLimit, Source as _, SourceRows};

use crate::broker::Topic;
use crate::stream::{given, json, source};

/// All blocks of all that is there.
async fn read_all(source: &mut KafkaSource) -> Vec<SourceRows> {
    let end = source.latest(None, ReadLimit::Everything).await.unwrap().unwrap();
    source.read(&OffsetRange { start: None, end }).await.unwrap().try_collect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_has_its_own_columns_beside_those_of_its_value() {
    let topic = Topic::new("records", 1).await;
    topic.add_whole(Some("k"), Some(r#"{"id":1}"#), &[("a", Some("x")), ("b", None)]);
    topic.add_whole(None, None, &[]);
    topic.add_whole(Some("k"), Some("{"), &[]);
    let mut source = source(&topic, &[("startingOffsets", "earliest"), ("includeHeaders", "true")], Membership::Alone);
    let blocks = read_all(&mut source).await;
    let SourceRows { rows, malformed, origin, .. } = &blocks[0];
    let column = |name: &str| rows.column_by_name(name).unwrap();
    assert_eq!(
        column("id").as_primitive::<Int64Type>().iter().collect::<Vec<_>>(),
        [Some(1), None],
        "a tombstone is a row of nulls"
    );
    assert_eq!(column("key").as_binary::<i32>().iter().collect::<Vec<_>>(), [Some(&b"k"[..]), None]);
    assert_eq!(column("topic").as_string::<i32>().value(1), topic.name);
    assert_eq!(column("partition").as_primitive::<Int32Type>().values(), &[0, 0]);
    assert_eq!(column("offset").as_primitive::<Int64Type>().values(), &[0, 1]);
    assert_eq!(column("timestampType").as_primitive::<Int32Type>().values(), &[0, 0]);
    assert_eq!(column("timestamp").null_count(), 0);
    let headers = column("headers").as_list::<i32>();
    assert!(headers.is_null(1));
    let (headers, of_first) = (headers.value(0), |idx: usize| headers.value(0).as_struct().column(idx).clone());
    assert_eq!(headers.len(), 2);
    assert_eq!(of_first(0).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a"), Some("b")]);
    assert_eq!(of_first(1).as_binary::<i32>().iter().collect::<Vec<_>>(), [Some(&b"x"[..]), None]);
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    let is_recent = |time: &i64| (0..60_000).contains(&(now_ms - time));
    assert!(origin.timestamps_ms().iter().all(is_recent), "latency is told by these: {:?}", origin.timestamps_ms());
    assert!(!origin.timestamps_ms().is_empty());
    assert_eq!(origin.position(0), format!("{}-0:0", topic.name));
    assert_eq!(malformed[0].position, format!("{}-0:2", topic.name));
    assert_eq!(malformed[0].payload, b"{");
}

#[tokio::test(flavor = "multi_thread")]
async fn values_are_read_as_csv_and_as_bytes_too() {
    let topic = Topic::new("values", 1).await;
    topic.add(0, ["1,x", "2,\"y\nz\""]);
    let config =
        || SourceConfig::parse(&given(&[("subscribe", &topic.name), ("startingOffsets", "earliest")])).unwrap();
    let schema = Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("text", DataType::Utf8, true)]);
    let csv = ValueFormat::Csv(CsvOptions::default());
    let mut source = KafkaSource::new(config(), csv, Arc::new(schema), Membership::Alone).unwrap();
    let rows = read_all(&mut source).await.remove(0).rows;
    assert_eq!(rows.column(1).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("x"), Some("y\nz")]);

    let mut source =
        KafkaSource::new(config(), ValueFormat::Binary, Arc::new(Schema::empty()), Membership::Alone).unwrap();
    let rows = read_all(&mut source).await.remove(0).rows;
    assert_eq!(rows.column_by_name("value").unwrap().as_binary::<i32>().value(0), b"1,x");
}

/// Writes one batch of rows by a sink of these parts.
async fn write(parts: SinkParts, rows: &RecordBatch) -> Result<(), ognivo_stream::sink::SinkError> {
    let mut sink = KafkaSink::new(parts);
    sink.prepare(&rows.schema()).await?;
    sink.last_committed(&[]).await?;
    let range = OffsetRange { start: None, end: Offset::new(serde_json::json!(0)) };
    let mut writer = sink.begin(&BatchPlan::new(BatchId(0), range, 0, None)).await?;
    writer.write(Lane::Scored, rows.clone()).await?;
    writer.commit().await.map(drop)
}

fn parts(topic: &Topic, columns: SinkColumns) -> SinkParts {
    let options = if columns.topic.is_some() { vec![] } else { vec![("topic", topic.name.as_str())] };
    SinkParts {
        config: SinkConfig::parse(&given(&options)).unwrap(),
        value: json(),
        columns,
        dead_letter_topic: None,
        delivery: Delivery::AtLeastOnce,
        progress: Progress::Plans,
        job: topic.name.clone(),
    }
}

fn rows(topic: &Topic) -> RecordBatch {
    let fields = vec![
        Field::new("id", DataType::Int64, true),
        Field::new("text", DataType::Utf8, true),
        Field::new("topic", DataType::Utf8, true),
        Field::new("partition", DataType::Int32, true),
    ];
    let columns: Vec<arrow_array::ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![Some(1), None])),
        Arc::new(StringArray::from(vec!["a", "b"])),
        Arc::new(StringArray::from(vec![topic.name.as_str(); 2])),
        Arc::new(Int32Array::from(vec![Some(1), Some(0)])),
    ];
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_decide_about_key_topic_and_partition_and_only_the_key_stays_in_the_value() {
    let topic = Topic::new("columns", 2).await;
    let name = |name: &str| Some(name.to_owned());
    let columns = SinkColumns { key: name("id"), topic: name("topic"), partition: name("partition"), headers: None };
    write(parts(&topic, columns), &rows(&topic)).await.unwrap();
    let seen: Vec<_> = topic.committed().into_iter().map(|s| (s.partition, s.key, s.value.unwrap())).collect();
    let expect = [(0, None, r#"{"text":"b"}"#.to_owned()), (1, name("1"), r#"{"id":1,"text":"a"}"#.to_owned())];
    assert_eq!(seen, expect);
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_go_out_as_they_came_and_values_go_out_as_csv_too() {
    let (from, to) = (Topic::new("headers", 1).await, Topic::new("headers-out", 1).await);
    from.add_whole(Some("k"), Some(r#"{"id":1}"#), &[("a", Some("x")), ("b", None), ("a", Some(""))]);
    from.add_whole(None, Some(r#"{"id":2}"#), &[]);
    let mut source = source(&from, &[("startingOffsets", "earliest"), ("includeHeaders", "true")], Membership::Alone);
    let rows = read_all(&mut source).await.remove(0).rows;
    let at = |name: &str| rows.schema().index_of(name).unwrap();
    let rows = rows.project(&[at("id"), at("offset"), at("headers")]).unwrap();
    let columns = SinkColumns { headers: Some("headers".to_owned()), ..SinkColumns::default() };
    let parts = SinkParts { value: ValueFormat::Csv(CsvOptions::default()), ..parts(&to, columns) };
    write(parts, &rows).await.unwrap();
    let seen = to.committed();
    assert_eq!(seen.iter().map(|seen| seen.value.as_deref().unwrap()).collect::<Vec<_>>(), ["1,0", "2,1"]);
    let header = |key: &str, value: Option<&[u8]>| (key.to_owned(), value.map(<[u8]>::to_vec));
    assert_eq!(seen[0].headers, [header("a", Some(b"x")), header("b", None), header("a", Some(b""))]);
    assert!(seen[1].headers.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_cannot_be_used_is_named_before_the_first_row() {
    let topic = Topic::new("wrong", 1).await;
    let name = |name: &str| Some(name.to_owned());
    for (columns, expect) in [
        (
            SinkColumns { key: name("nothing"), ..SinkColumns::default() },
            "column `nothing` cannot be a record's key: there is none of this name among id, text, topic, partition",
        ),
        (
            SinkColumns { partition: name("text"), ..SinkColumns::default() },
            "column `text` cannot be a record's partition: it must be an int: string",
        ),
    ] {
        let error = write(parts(&topic, columns), &rows(&topic)).await.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.fault()), (expect, Fault::Job));
    }
    let mut nowhere = parts(&topic, SinkColumns::default());
    nowhere.config.topic = Some("nothing-of-this-name".to_owned());
    let error = write(nowhere, &rows(&topic)).await.unwrap_err();
    assert_eq!(error.to_string(), "topic is not there: nothing-of-this-name");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_goes_to_the_partition_that_kafkas_own_producers_choose() {
    // Numbers of org.apache.kafka.common.utils.Utils: toPositive(murmur2(key)) % 4, Kafka 4.3.1.
    let topic = Topic::new("murmur", 4).await;
    let keys = ["21", "foobar", "a-little-bit-long-string", "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", "abc"];
    let hashes: [i32; 5] = [-973932308, -790332482, -985981536, -58897971, 479470107];
    let schema = Arc::new(Schema::new(vec![Field::new("key", DataType::Utf8, true)]));
    let rows = RecordBatch::try_new(schema, vec![Arc::new(StringArray::from(keys.to_vec()))]).unwrap();
    let columns = SinkColumns { key: Some("key".to_owned()), ..SinkColumns::default() };
    write(parts(&topic, columns), &rows).await.unwrap();
    for seen in topic.committed() {
        let idx = keys.iter().position(|key| Some(*key) == seen.key.as_deref()).unwrap();
        assert_eq!(seen.partition, (hashes[idx] & 0x7fff_ffff) % 4, "{}", keys[idx]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_the_largest_size_is_sent_and_one_byte_more_is_refused() {
    let topic = Topic::new("largest", 1).await;
    let schema = Arc::new(Schema::new(vec![Field::new("t", DataType::Utf8, true)]));
    // 36 bytes of the client's, 8 of the object.
    let largest = 1_000_000 - 36 - r#"{"t":""}"#.len();
    let texts = StringArray::from(vec!["x".repeat(largest), "x".repeat(largest + 1)]);
    let rows = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(texts)]).unwrap();
    assert_eq!(refused(&topic, SinkColumns::default(), &rows).await, [1]);
    assert_eq!(topic.committed().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_with_a_partition_that_the_topic_lacks_is_refused_by_itself() {
    let topic = Topic::new("lacks", 2).await;
    let partitions = Int32Array::from(vec![Some(1), Some(2), Some(-1), None, Some(0)]);
    let schema =
        Schema::new(vec![Field::new("partition", DataType::Int32, true), Field::new("id", DataType::Int64, true)]);
    let ids = Int64Array::from_iter_values(0..5);
    let rows = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(partitions), Arc::new(ids)]).unwrap();
    let columns = SinkColumns { partition: Some("partition".to_owned()), ..SinkColumns::default() };
    assert_eq!(refused(&topic, columns, &rows).await, [1, 2]);
    assert_eq!(topic.fields("id"), ["0", "3", "4"]);
}

/// Writes one batch, and gives the rows of it that were refused.
async fn refused(topic: &Topic, columns: SinkColumns, rows: &RecordBatch) -> Vec<usize> {
    let mut sink = KafkaSink::new(parts(topic, columns));
    sink.prepare(&rows.schema()).await.unwrap();
    sink.last_committed(&[]).await.unwrap();
    let range = OffsetRange { start: None, end: Offset::new(serde_json::json!(0)) };
    let mut writer = sink.begin(&BatchPlan::new(BatchId(0), range, 0, None)).await.unwrap();
    writer.write(Lane::Scored, rows.clone()).await.unwrap();
    let refused = writer.take_refused();
    writer.commit().await.unwrap();
    refused.into_iter().map(|refused| refused.row_idx).collect()
}

/// Two rows, the first of which is larger than the client sends, with the letters that a batch makes of such.
async fn write_large(topic: &Topic, letters: &Topic, payload: &[u8]) -> Vec<String> {
    let parts = SinkParts { dead_letter_topic: Some(letters.name.clone()), ..parts(topic, SinkColumns::default()) };
    let mut sink = KafkaSink::new(parts);
    let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8, true)]));
    let texts = StringArray::from(vec!["x".repeat(2 << 20), "y".to_owned()]);
    let rows = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(texts)]).unwrap();
    sink.prepare(&schema).await.unwrap();
    sink.last_committed(&[]).await.unwrap();
    let range = OffsetRange { start: None, end: Offset::new(serde_json::json!(0)) };
    let plan = BatchPlan::new(BatchId(0), range, 0, None);
    let mut writer = sink.begin(&plan).await.unwrap();
    writer.write(Lane::Scored, rows).await.unwrap();
    let refused = writer.take_refused();
    let letter = |payload: &[u8]| DeadLetter {
        payload: payload.to_vec(),
        position: "in-0:7".to_owned(),
        stage: None,
        column: None,
        code: "refused_by_target".to_owned(),
        message: "m".to_owned(),
        record: None,
    };
    let rows = dead_letter::to_rows(&[letter(b"small"), letter(payload)], &plan);
    writer.write(Lane::DeadLetter, rows).await.unwrap();
    writer.commit().await.unwrap();
    refused.into_iter().map(|refused| format!("{}: {}", refused.row_idx, refused.message)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_larger_than_the_limit_is_refused_by_itself_and_its_letter_does_without_the_payload() {
    let (topic, letters) = (Topic::new("large", 1).await, Topic::new("bad", 1).await);
    let refused = write_large(&topic, &letters, &[b'z'; 1_000_000]).await;
    let expect = "0: the record would have 2097199 bytes, and `kafka.message.max.bytes` is 1000000";
    assert_eq!(refused, [expect]);
    assert_eq!(topic.fields("text"), ["y"]);
    let seen: Vec<serde_json::Value> =
        letters.committed().into_iter().map(|seen| serde_json::from_str(&seen.value.unwrap()).unwrap()).collect();
    let told = |letter: &serde_json::Value| {
        ["payload", "encoding", "position"]
            .map(|name| letter.get(name).and_then(|text| text.as_str()).map(str::to_owned))
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(told(&seen[0]), [text("small"), text("utf8"), text("in-0:7")]);
    assert_eq!(told(&seen[1]), [None, text("omitted"), text("in-0:7")]);
}
