//! The sink keeps the laws of sinks of upserts, with a progress table and without.

use std::sync::Arc;

use arrow_array::{Float64Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use async_trait::async_trait;
use ognivo_stream::laws::{SinkBench, upsert_sink_laws};
use ognivo_stream::sink::{Lane, Sink};
use ognivo_stream::split_sink::SplitSink;

use crate::place::Place;
use crate::run;

struct Tables {
    place: Place,
    options: &'static [(&'static str, &'static str)],
}

#[async_trait]
impl SinkBench for Tables {
    async fn open(&mut self) -> Box<dyn Sink> {
        let scored = self.place.sink("scored", self.options, &[]);
        let dead = self.place.sink("dead", self.options, &[]);
        Box::new(SplitSink::new(Box::new(scored), Box::new(dead)).with_envelopes_only())
    }

    fn rows(&self, seed: u64, n_rows: usize) -> RecordBatch {
        let fields = vec![Field::new("id", DataType::Int64, false), Field::new("score", DataType::Float64, false)];
        let ids = Int64Array::from_iter_values((0..n_rows as i64).map(|i| seed as i64 * 100 + i));
        let scores = Float64Array::from(vec![0.5; n_rows]);
        RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![Arc::new(ids), Arc::new(scores)]).unwrap()
    }

    async fn visible(&mut self, lane: Lane) -> Vec<String> {
        let table = match lane {
            Lane::Scored => "scored",
            Lane::DeadLetter => "dead",
        };
        let rows = self.place.rows(&format!("SELECT * FROM KS.{table}")).await;
        rows.iter().map(|row| format!("{row:?}")).collect()
    }
}

async fn check(keyspace: &str, options: &'static [(&'static str, &'static str)]) {
    let place = Place::new(keyspace, 1).await;
    place.cql("CREATE TABLE KS.scored (id bigint PRIMARY KEY, score double)").await;
    place
        .cql(
            "CREATE TABLE KS.dead (position text, batchId bigint, payload text, encoding text, stage text, column text, \
             code text, message text, model text, time text, PRIMARY KEY (position, batchId))",
        )
        .await;
    if let Some(create) = ognivo_cassandra::create_progress_table(&place.config("scored", options, &[])) {
        place.cql(&create).await;
    }
    upsert_sink_laws(&mut Tables { place, options }).await;
}

#[test]
fn a_table_keeps_the_laws_of_upserts() {
    run(check("laws_alone", &[]));
}

#[test]
fn a_table_with_a_progress_table_keeps_the_laws_and_knows_how_far_it_is() {
    run(check("laws_progress", &[("progressTable", "progress")]));
}
