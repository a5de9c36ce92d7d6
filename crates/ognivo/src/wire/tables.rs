//! The tables of a stream, for somebody who has none yet.

use ognivo::session::Session;
use ognivo_cassandra::config::TableName;
use ognivo_cassandra::{CassandraConfig, create_if_missing, create_progress_table, create_table};
use ognivo_stream::dead_letter;

use super::written_columns;
use crate::failure::{Failure, Refusal};
use crate::job::job::{Job, SinkJob, StreamJob, TableWriteJob};

/// What names a dead letter: no two records stand in the same place.
const KEY_OF_LETTERS: &str = "position";

/// A table that a stream writes into.
pub(crate) struct NewTable {
    config: CassandraConfig,
    /// Its name.
    pub(crate) name: TableName,
    /// The `CREATE TABLE` that fits.
    pub(crate) statement: String,
}

impl NewTable {
    /// Makes it; false when there is a table of its name.
    ///
    /// # Errors
    /// When the cluster cannot be reached or does not do it.
    pub(crate) async fn create(&self) -> Result<bool, Failure> {
        Ok(create_if_missing(&self.config, &self.name, &self.statement).await?)
    }
}

/// The tables of a stream: where its scored rows and its dead letters go, and where its progress is noted.
///
/// # Errors
/// When the stream writes into no table, or its columns cannot be known.
pub(crate) async fn new_tables(job: &Job, stream: &StreamJob, session: &Session) -> Result<Vec<NewTable>, Failure> {
    let mut tables = Vec::new();
    if let SinkJob::Table(write) = &stream.write {
        let written = written_columns(job, stream, session).await?;
        let config = table_config(job, write)?.with_positions(written.positions);
        let statement = create_table(&config, &written.schema)?;
        add(&mut tables, config, statement);
    }
    if let Some(SinkJob::Table(letters)) = &stream.dead_letter {
        let mut config = table_config(job, letters)?;
        if config.partition_key.is_empty() {
            config.partition_key = vec![KEY_OF_LETTERS.to_owned()];
        }
        let statement = create_table(&config, &dead_letter::envelope_schema())?;
        add(&mut tables, config, statement);
    }
    if tables.is_empty() {
        return Err(Refusal::of_job("the stream does not write into a table: writeStream", None).into());
    }
    Ok(tables)
}

/// How a table is reached and written.
pub(crate) fn table_config(job: &Job, write: &TableWriteJob) -> Result<CassandraConfig, Failure> {
    Ok(CassandraConfig::parse(&write.options, &write.columns)?.with_base(&job.base))
}

/// The table of a configuration, and that of its progress, unless another configuration has brought the same.
fn add(tables: &mut Vec<NewTable>, config: CassandraConfig, statement: String) {
    let of_progress = config.progress.clone().zip(create_progress_table(&config));
    for (name, statement) in [(config.table.clone(), statement)].into_iter().chain(of_progress) {
        if tables.iter().all(|table| table.name != name) {
            tables.push(NewTable { config: config.clone(), name, statement });
        }
    }
}
