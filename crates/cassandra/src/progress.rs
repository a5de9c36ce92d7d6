//! A table of ours in which the newest batch of each query stands.
//!
//! ```text
//! CREATE TABLE loans.progress (query text, target text, batch_id bigint, PRIMARY KEY ((query), target))
//!
//!  query                                 target        batch_id
//!  6f1c3d52-0a1b-4c5d-8e9f-b00000000001  loans.scored  17
//! ```
//! The row is written after all rows of its batch were acknowledged, with the time of the batch's plan as its timestamp, and
//! is both written and read with LOCAL_QUORUM, so that what was written is what is read.

use ognivo_stream::clock::Clock;
use ognivo_stream::plan::BatchId;
use scylla::client::session::Session;
use scylla::statement::Consistency;
use scylla::statement::prepared::PreparedStatement;

use crate::client;
use crate::config::TableName;
use crate::error::CassandraError;
use crate::retry::{Patience, Trouble};

const CONSISTENCY: Consistency = Consistency::LocalQuorum;

/// The row of one query in the table.
pub(crate) struct ProgressTable {
    table: TableName,
    query: String,
    target: String,
    select: PreparedStatement,
    insert: PreparedStatement,
}

impl ProgressTable {
    /// The `CREATE TABLE` of a progress table.
    pub(crate) fn create(table: &TableName) -> String {
        let table = table.quoted();
        format!(
            "CREATE TABLE IF NOT EXISTS {table} (query text, target text, batch_id bigint, PRIMARY KEY ((query), target))"
        )
    }

    pub(crate) async fn open(
        session: &Session,
        table: &TableName,
        target: &TableName,
        query: &str,
    ) -> Result<ProgressTable, CassandraError> {
        client::table_shape(session, table).await?;
        let name = table.quoted();
        let select = format!("SELECT batch_id FROM {name} WHERE query = ? AND target = ?");
        let insert = format!("INSERT INTO {name} (query, target, batch_id) VALUES (?, ?, ?) USING TIMESTAMP ?");
        Ok(ProgressTable {
            table: table.clone(),
            query: query.to_owned(),
            target: target.to_string(),
            select: client::prepare(session, &select, CONSISTENCY, table).await?,
            insert: client::prepare(session, &insert, CONSISTENCY, table).await?,
        })
    }

    /// The newest batch that is held; None when there is none.
    pub(crate) async fn newest(&self, session: &Session, clock: &dyn Clock) -> Result<Option<BatchId>, CassandraError> {
        let mut patience = Patience::default();
        let answer = loop {
            match session.execute_unpaged(&self.select, (&self.query, &self.target)).await {
                Ok(answer) => break answer,
                Err(error) => self.wait(Trouble::of(&error), "read", &mut patience, clock).await?,
            }
        };
        let wrong = |message: String| CassandraError::Answer { table: self.table.clone(), message };
        let rows = answer.into_rows_result().map_err(|error| wrong(error.to_string()))?;
        let row = rows.maybe_first_row::<(i64,)>().map_err(|error| wrong(error.to_string()))?;
        row.map(|(batch,)| u64::try_from(batch).map(BatchId).map_err(|_| wrong(format!("batch {batch}")))).transpose()
    }

    /// Notes that this batch is held.
    pub(crate) async fn note(
        &self,
        session: &Session,
        batch: BatchId,
        timestamp_us: i64,
        clock: &dyn Clock,
    ) -> Result<(), CassandraError> {
        let mut patience = Patience::default();
        let row = (&self.query, &self.target, batch.0 as i64, timestamp_us);
        while let Err(error) = session.execute_unpaged(&self.insert, row).await {
            self.wait(Trouble::of(&error), "note the batch in", &mut patience, clock).await?;
        }
        Ok(())
    }

    /// Waits before the next attempt.
    async fn wait(
        &self,
        trouble: Trouble,
        action: &'static str,
        patience: &mut Patience,
        clock: &dyn Clock,
    ) -> Result<(), CassandraError> {
        let may_pass = matches!(trouble, Trouble::TooMuch(_) | Trouble::Away(_));
        let limit = self.select.get_request_timeout().unwrap_or_default();
        match patience.failed(clock.now_ms(), limit).filter(|_| may_pass) {
            Some(pause) => {
                clock.sleep(pause).await;
                Ok(())
            }
            None => Err(CassandraError::of_trouble(trouble, action, &self.table, patience.n_failures())),
        }
    }
}
