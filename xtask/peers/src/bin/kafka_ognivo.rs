//! Our source and sink of topics, called as a stream calls them; beside kafka_raw.rs.
//!
//! ```text
//! consume SERVER TOPIC N                      N records as rows of bytes
//! commits SERVER FROM TO N                    N transactions of 20 rows with their offsets
//! ```
//! Prints one line of JSON.

// As in the program: what is measured is what is shipped.
#[path = "../../../../crates/ognivo/src/allocator.rs"]
mod allocator;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures::TryStreamExt;
use ognivo_data::codec::json::JsonOptions;
use ognivo_kafka::{
    Delivery, KafkaSink, KafkaSource, Membership, Progress, SinkColumns, SinkConfig, SinkParts, SourceConfig,
    ValueFormat,
};
use ognivo_peers::cpu_nanoseconds_of_all_threads;
use ognivo_stream::offset::{Offset, OffsetRange};
use ognivo_stream::plan::{BatchId, BatchPlan};
use ognivo_stream::sink::{Committed, Lane, Sink};
use ognivo_stream::source::{ReadLimit, Source};

/// Rows of a transaction whose commit is measured.
const N_OF_COMMIT: i64 = 20;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<usize>().expect("a number");
    match words[..] {
        ["consume", server, topic, n] => consume(server, topic, number(n)).await,
        ["commits", server, from, to, n] => commits(server, from, to, number(n)).await,
        _ => panic!("see the head of the program"),
    }
}

fn given(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn source(server: &str, topic: &str, membership: Membership) -> KafkaSource {
    let options = [("kafka.bootstrap.servers", server), ("subscribe", topic), ("startingOffsets", "earliest")];
    let config = SourceConfig::parse(&given(&options)).expect("known options");
    KafkaSource::new(config, ValueFormat::Binary, Arc::new(Schema::empty()), membership).expect("a source")
}

/// The next batch, as soon as there is one.
async fn next(source: &mut KafkaSource, start: Option<Offset>) -> OffsetRange {
    loop {
        if let Some(end) = source.latest(start.as_ref(), ReadLimit::Configured).await.expect("the broker answers") {
            return OffsetRange { start, end };
        }
    }
}

async fn consume(server: &str, topic: &str, n: usize) {
    let (begin, cpu_before) = (Instant::now(), cpu_nanoseconds_of_all_threads());
    let mut source = source(server, topic, Membership::Alone);
    let (mut n_read, mut start) = (0, None);
    while n_read < n {
        let range = next(&mut source, start).await;
        let mut rows = source.read(&range).await.expect("the range is there");
        while let Some(block) = rows.try_next().await.expect("the records are there") {
            n_read += block.rows.num_rows();
        }
        start = Some(range.end);
    }
    let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu_nanoseconds_of_all_threads() - cpu_before);
    println!(r#"{{"n": {n_read}, "wall_seconds": {wall}, "cpu_seconds": {}}}"#, cpu as f64 / 1e9);
}

fn ids() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]))
}

async fn commits(server: &str, from: &str, to: &str, n: usize) {
    let job = format!("commits-{}", std::process::id());
    let mut source = source(server, from, Membership::Group(job.clone()));
    let options = [("kafka.bootstrap.servers", server), ("topic", to)];
    let mut sink = KafkaSink::new(SinkParts {
        config: SinkConfig::parse(&given(&options)).expect("known options"),
        value: ValueFormat::Json(JsonOptions::default()),
        columns: SinkColumns::default(),
        dead_letter_topic: None,
        delivery: Delivery::ExactlyOnce,
        progress: Progress::Group(source.group().expect("a member")),
        job,
    });
    sink.prepare(&ids()).await.expect("the topic is there");
    let gained = loop {
        let moved = source.assignment().await.expect("the group answers").expect("a member is told");
        if !moved.gained.is_empty() {
            break moved.gained;
        }
    };
    let Committed::Offsets(_) = sink.last_committed(&gained).await.expect("the group answers") else {
        panic!("a group holds positions")
    };
    let first = next(&mut source, None).await.end;
    // The positions go up by one for each transaction; nobody reads what is behind them.
    let mut offsets: serde_json::Value = serde_json::from_str(&first.to_string()).expect("Spark's JSON");
    let rows = RecordBatch::try_new(ids(), vec![Arc::new(Int64Array::from_iter_values(0..N_OF_COMMIT))]).expect("ids");
    let mut taken = Vec::new();
    for batch in 0..n {
        for partitions in offsets.as_object_mut().expect("topics").values_mut() {
            for next in partitions.as_object_mut().expect("partitions").values_mut() {
                *next = (next.as_i64().expect("an offset") + 1).into();
            }
        }
        let end = Offset::new(offsets.clone());
        let mut plan = BatchPlan::new(BatchId(batch as u64), OffsetRange { start: None, end: end.clone() }, 0, None);
        plan.positions = source.positions(&end).expect("offsets");
        let mut writer = sink.begin(&plan).await.expect("a transaction begins");
        writer.write(Lane::Scored, rows.clone()).await.expect("rows go");
        let begin = Instant::now();
        writer.commit().await.expect("it is committed");
        taken.push(begin.elapsed().as_secs_f64());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    taken.sort_by(f64::total_cmp);
    println!(r#"{{"n": {n}, "p50_seconds": {}, "p99_seconds": {}}}"#, taken[n / 2], taken[n * 99 / 100]);
}
