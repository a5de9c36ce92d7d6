//! Where blocks are scored.

use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo_data::outcome::Outcome;
use ognivo_stream::memory::{MemoryScorer, MemoryWorld, WorldOptions};
use ognivo_stream::plan::ModelId;
use ognivo_stream::query::{QueryParts, StreamingQuery};
use ognivo_stream::score::{ScoreError, Scorer};

use crate::run;

/// Notes the threads that it is called from.
struct Noting {
    inner: MemoryScorer,
    is_quick: bool,
    threads: Mutex<Vec<ThreadId>>,
}

impl Scorer for Noting {
    fn model_id(&self) -> &ModelId {
        self.inner.model_id()
    }
    fn output_schema(&self) -> SchemaRef {
        self.inner.output_schema()
    }
    fn score(&self, rows: RecordBatch) -> Result<Outcome, ScoreError> {
        self.threads.lock().unwrap().push(thread::current().id());
        self.inner.score(rows)
    }
    fn is_quick(&self, _n_rows: usize) -> bool {
        self.is_quick
    }
}

#[test]
fn a_block_that_is_quickly_scored_changes_no_thread_and_every_other_does() {
    run(async {
        for is_quick in [true, false] {
            let mut world = MemoryWorld::new(WorldOptions::default());
            world.add(12);
            let (parts, options) = world.parts(0, "model");
            let inner = MemoryScorer::new("model");
            let scorer = Arc::new(Noting { inner, is_quick, threads: Mutex::default() });
            let mut query = StreamingQuery::new(QueryParts { scorer: scorer.clone(), ..parts }, options);
            query.process_all_available().await.unwrap();
            assert_eq!(world.check_at_the_end(), Ok(()));
            let threads = scorer.threads.lock().unwrap();
            assert!(!threads.is_empty());
            assert!(threads.iter().all(|id| (*id == thread::current().id()) == is_quick), "quick: {is_quick}");
        }
    });
}
