//! What every source and every sink keeps, on a real broker.

use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use async_trait::async_trait;
use ognivo_kafka::{Delivery, KafkaSink, Membership, Progress};
use ognivo_stream::checkpoint::InitialOffsets;
use ognivo_stream::laws::{SinkBench, SourceBench, sink_laws, source_laws};
use ognivo_stream::memory::{MemoryFaults, MemoryStore};
use ognivo_stream::sink::{Lane, Sink};
use ognivo_stream::source::Source;

use crate::broker::Topic;
use crate::stream::{id_schema, sink_parts, source};

struct Records {
    topic: Topic,
    options: Vec<(&'static str, &'static str)>,
    store: MemoryStore,
    n_added: usize,
}

#[async_trait]
impl SourceBench for Records {
    async fn add(&mut self, n_rows: usize) {
        for id in self.n_added..self.n_added + n_rows {
            self.topic.add((id % 2) as i32, [format!(r#"{{"id":{id}}}"#)]);
        }
        self.n_added += n_rows;
    }

    async fn open(&mut self) -> Box<dyn Source> {
        let initial = InitialOffsets::new(Arc::new(self.store.clone()), "c/sources/0".into());
        Box::new(source(&self.topic, &self.options, Membership::Alone).with_initial_offsets(initial))
    }
}

async fn check(options: Vec<(&'static str, &'static str)>) {
    let topic = Topic::new("laws", 2).await;
    let store = MemoryStore::new(MemoryFaults::default());
    source_laws(&mut Records { topic, options, store, n_added: 0 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_few_records_a_batch_keeps_the_laws() {
    check(vec![("startingOffsets", "earliest"), ("maxOffsetsPerTrigger", "2")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_takes_what_has_come_keeps_the_laws() {
    check(vec![("startingOffsets", "earliest")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_began_at_the_end_keeps_the_laws() {
    check(vec![("startingOffsets", "latest"), ("minOffsetsPerTrigger", "1")]).await;
}

struct Target {
    output: Topic,
    letters: Topic,
    job: String,
}

#[async_trait]
impl SinkBench for Target {
    async fn open(&mut self) -> Box<dyn Sink> {
        let parts = sink_parts(&self.output, &self.letters, Progress::Plans, Delivery::ExactlyOnce, &self.job);
        Box::new(KafkaSink::new(parts))
    }

    fn rows(&self, seed: u64, n_rows: usize) -> RecordBatch {
        let ids = Int64Array::from_iter_values((0..n_rows as i64).map(|row| seed as i64 * 1000 + row));
        RecordBatch::try_new(id_schema(), vec![Arc::new(ids)]).unwrap()
    }

    async fn visible(&mut self, lane: Lane) -> Vec<String> {
        match lane {
            Lane::Scored => self.output.fields("id"),
            Lane::DeadLetter => self.letters.fields("payload"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_behind_plans_that_are_written_ahead_keeps_the_laws() {
    let (output, letters) = (Topic::new("out", 2).await, Topic::new("bad", 1).await);
    let job = output.name.clone();
    sink_laws(&mut Target { output, letters, job }).await;
}
