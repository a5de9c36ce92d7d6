//! A keyspace of one test, and what is written there.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use ognivo_cassandra::{CassandraConfig, CassandraSink};
use ognivo_stream::clock::SystemClock;
use ognivo_stream::offset::{Offset, OffsetRange, SourcePartition};
use ognivo_stream::plan::{BatchId, BatchPlan, ModelId};
use ognivo_stream::sink::{Lane, RefusedRow, Sink, SinkError, Written};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;
use scylla::value::{CqlValue, Row};

use crate::server::contact_point;

pub(crate) struct Place {
    pub(crate) session: Session,
    pub(crate) keyspace: String,
}

impl Place {
    /// An empty keyspace of this name, each row of which so many servers hold.
    pub(crate) async fn new(keyspace: &str, n_replicas: usize) -> Place {
        Place::in_session(session().await, keyspace, n_replicas).await
    }

    /// The same with a session that is there.
    pub(crate) async fn in_session(session: Session, keyspace: &str, n_replicas: usize) -> Place {
        let place = Place { session, keyspace: keyspace.to_owned() };
        place.cql(&format!("DROP KEYSPACE IF EXISTS {keyspace}")).await;
        let replication = format!("{{'class': 'NetworkTopologyStrategy', 'datacenter1': {n_replicas}}}");
        place.cql(&format!("CREATE KEYSPACE {keyspace} WITH replication = {replication}")).await;
        place
    }

    /// A statement, in which `KS` stands for the keyspace.
    pub(crate) async fn cql(&self, statement: &str) {
        let statement = statement.replace("KS", &self.keyspace);
        self.session.query_unpaged(statement.as_str(), ()).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    }

    /// The rows of an answer.
    pub(crate) async fn rows(&self, query: &str) -> Vec<Vec<Option<CqlValue>>> {
        let mut statement = Statement::new(query.replace("KS", &self.keyspace));
        statement.set_consistency(Consistency::LocalQuorum);
        statement.set_page_size(1000);
        let mut pages = self.session.query_iter(statement, ()).await.unwrap().rows_stream::<Row>().unwrap();
        let mut rows = Vec::new();
        while let Some(row) = futures::StreamExt::next(&mut pages).await {
            rows.push(row.unwrap().columns);
        }
        rows
    }

    /// Options of a sink into `table` as the role `cassandra`.
    pub(crate) fn options(&self, table: &str, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let contact_point = contact_point();
        let standard = [
            ("spark.cassandra.connection.host", contact_point.as_str()),
            ("spark.cassandra.auth.username", "cassandra"),
            ("spark.cassandra.auth.password", "cassandra"),
            ("keyspace", &self.keyspace),
            ("table", table),
        ];
        let mut options: Vec<(String, String)> = Vec::new();
        for (name, value) in standard.iter().chain(more) {
            options.retain(|(before, _)| before != name);
            options.push(((*name).to_owned(), (*value).to_owned()));
        }
        options
    }

    pub(crate) fn config(&self, table: &str, more: &[(&str, &str)], columns: &[(&str, &str)]) -> CassandraConfig {
        let columns: Vec<_> = columns.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        CassandraConfig::parse(&self.options(table, more), &columns).unwrap()
    }

    pub(crate) fn sink(&self, table: &str, more: &[(&str, &str)], columns: &[(&str, &str)]) -> CassandraSink {
        CassandraSink::new(self.config(table, more, columns), "query".to_owned(), Arc::new(SystemClock))
    }
}

/// A session of our own with whichever servers are there. A role is there a moment after the port is open.
pub(crate) async fn session() -> Session {
    let mut n_tries = 0;
    loop {
        let builder = SessionBuilder::new().known_node(contact_point()).user("cassandra", "cassandra");
        match builder.connection_timeout(Duration::from_secs(10)).build().await {
            Ok(session) => return session,
            Err(_) if n_tries < 100 => tokio::time::sleep(Duration::from_millis(200)).await,
            Err(error) => panic!("{error}"),
        }
        n_tries += 1;
    }
}

/// 2026-11-22T13:24:10Z
const START_MS: i64 = 1_795_353_850_000;

/// The plan of a batch, one second after the one before.
pub(crate) fn plan(id: u64) -> BatchPlan {
    let offset = |n: u64| Offset::new(serde_json::json!({ "logOffset": n }));
    let range = OffsetRange { start: id.checked_sub(1).map(offset), end: offset(id) };
    BatchPlan::new(BatchId(id), range, START_MS + id as i64 * 1000, Some(ModelId("model".to_owned())))
}

/// The timestamp of the rows of a batch, in microseconds.
pub(crate) fn timestamp_us(id: u64) -> i64 {
    plan(id).time_ms * 1000
}

/// Writes one batch of one block.
pub(crate) async fn write(
    sink: &mut dyn Sink,
    plan: &BatchPlan,
    rows: &RecordBatch,
) -> Result<(Written, Vec<RefusedRow>), SinkError> {
    sink.prepare(&rows.schema()).await?;
    sink.last_committed(&[SourcePartition::all()]).await?;
    let mut writer = sink.begin(plan).await?;
    writer.write(Lane::Scored, rows.clone()).await?;
    let refused = writer.take_refused();
    Ok((writer.commit().await?, refused))
}
