//! The memory source, sink and store keep the laws; so the laws can be kept.

use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use async_trait::async_trait;
use object_store::memory::InMemory;
use object_store::path::Path;
use ognivo_stream::laws::{SinkBench, SourceBench, checkpoint_laws, sink_laws, source_laws};
use ognivo_stream::memory::{
    MemoryFaults, MemoryLoggedSource, MemorySink, MemorySource, MemoryStore, MemoryTarget, MemoryTopic, TargetKind,
};
use ognivo_stream::sink::{Lane, Sink};
use ognivo_stream::source::Source;
use ognivo_stream::split_sink::SplitSink;

use crate::run;

struct Numbered {
    topic: MemoryTopic,
    n_added: usize,
}

#[async_trait]
impl SourceBench for Numbered {
    async fn add(&mut self, n_rows: usize) {
        for _ in 0..n_rows {
            self.topic.add(self.n_added % self.topic.n_partitions(), self.n_added.to_string());
            self.n_added += 1;
        }
    }

    async fn open(&mut self) -> Box<dyn Source> {
        Box::new(MemorySource::new(self.topic.clone(), 2, MemoryFaults::default()))
    }
}

struct Logged {
    topic: MemoryTopic,
    store: MemoryStore,
}

#[async_trait]
impl SourceBench for Logged {
    async fn add(&mut self, n_rows: usize) {
        for i in 0..n_rows {
            self.topic.add(0, i.to_string());
        }
    }

    async fn open(&mut self) -> Box<dyn Source> {
        let (topic, store) = (self.topic.clone(), Arc::new(self.store.clone()));
        Box::new(MemoryLoggedSource::new(topic, 2, MemoryFaults::default(), store, Path::from("sources/0")))
    }
}

struct Target(MemoryTarget);

#[async_trait]
impl SinkBench for Target {
    async fn open(&mut self) -> Box<dyn Sink> {
        Box::new(MemorySink::new(self.0.clone(), MemoryFaults::default()))
    }

    fn rows(&self, seed: u64, n_rows: usize) -> RecordBatch {
        let fields = vec![Field::new("id", DataType::Int64, false), Field::new("score", DataType::Float64, false)];
        let ids = Int64Array::from_iter_values((0..n_rows as i64).map(|i| seed as i64 * 100 + i));
        let scores = Float64Array::from(vec![0.5; n_rows]);
        RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![Arc::new(ids), Arc::new(scores)]).unwrap()
    }

    async fn visible(&mut self, lane: Lane) -> Vec<String> {
        self.0.visible(lane)
    }
}

#[test]
fn a_numbered_source_keeps_the_laws_of_sources() {
    run(async { source_laws(&mut Numbered { topic: MemoryTopic::new(2), n_added: 0 }).await });
}

#[test]
fn a_logged_source_keeps_the_laws_of_sources() {
    run(async { source_laws(&mut Logged { topic: MemoryTopic::new(1), store: MemoryStore::default() }).await });
}

#[test]
fn a_counting_target_keeps_the_laws_of_sinks() {
    run(async { sink_laws(&mut Target(MemoryTarget::new(TargetKind::Counting))).await });
}

#[test]
fn a_target_with_positions_keeps_the_laws_of_sinks() {
    run(async { sink_laws(&mut Target(MemoryTarget::new(TargetKind::Positions))).await });
}

struct Split {
    scored: MemoryTarget,
    dead_letters: MemoryTarget,
}

#[async_trait]
impl SinkBench for Split {
    async fn open(&mut self) -> Box<dyn Sink> {
        let sink = |target: &MemoryTarget| Box::new(MemorySink::new(target.clone(), MemoryFaults::default()));
        Box::new(SplitSink::new(sink(&self.scored), sink(&self.dead_letters)))
    }

    fn rows(&self, seed: u64, n_rows: usize) -> RecordBatch {
        Target(self.scored.clone()).rows(seed, n_rows)
    }

    async fn visible(&mut self, lane: Lane) -> Vec<String> {
        match lane {
            Lane::Scored => self.scored.visible(Lane::Scored),
            Lane::DeadLetter => self.dead_letters.visible(Lane::Scored),
        }
    }
}

#[test]
fn two_counting_targets_together_keep_the_laws_of_sinks() {
    let target = || MemoryTarget::new(TargetKind::Counting);
    run(async { sink_laws(&mut Split { scored: target(), dead_letters: target() }).await });
}

#[test]
fn object_stores_in_memory_keep_the_laws_of_checkpoints() {
    run(async {
        checkpoint_laws(Arc::new(InMemory::new()), Path::from("a/b")).await;
        checkpoint_laws(Arc::new(MemoryStore::default()), Path::default()).await;
    });
}
