//! The brokers and the servers of tables that a stream talks to.

use ognivo::session::Session;
use ognivo_cassandra::CassandraConfig;
use ognivo_kafka::{SinkConfig, SourceConfig};
use ognivo_stream::clock::SystemClock;
use ognivo_stream::dead_letter;
use ognivo_stream::probe::Check;

use crate::failure::Failure;
use crate::job::job::{Job, SinkJob, SourceJob, StreamJob, TableWriteJob, TopicWriteJob};
use crate::wire::{self, Written};

/// Asks each of them what the stream needs to know.
pub(super) async fn look(job: &Job, stream: &StreamJob, session: &Session) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    if let SourceJob::Topics(read) = &stream.read {
        let group = stream.progress_in_group.then_some(job.name.as_str());
        checks.extend(ognivo_kafka::probe::source(&SourceConfig::parse(&read.options)?, group).await);
    }
    match &stream.write {
        SinkJob::Topic(write) => checks.extend(topic(job, write).await?),
        SinkJob::Table(write) => {
            // What is written is known only once the model is there, which has a check of its own.
            let scored = wire::written_columns(job, stream, session).await.ok();
            checks.extend(table(job, write, scored).await?);
        }
        SinkJob::Files(_) => {}
    }
    match &stream.dead_letter {
        Some(SinkJob::Topic(write)) => checks.extend(topic(job, write).await?),
        Some(SinkJob::Table(write)) => {
            let letters = Written { schema: dead_letter::schema(), positions: Vec::new() };
            checks.extend(table(job, write, Some(letters)).await?);
        }
        Some(SinkJob::Files(_)) | None => {}
    }
    Ok(checks)
}

async fn table(job: &Job, write: &TableWriteJob, rows: Option<Written>) -> Result<Vec<Check>, Failure> {
    let config = CassandraConfig::parse(&write.options, &write.columns)?.with_base(&job.base);
    let (schema, positions) = rows.map(|rows| (rows.schema, rows.positions)).unzip();
    let config = config.with_positions(positions.unwrap_or_default());
    Ok(ognivo_cassandra::probe::probe(&config, schema.as_deref(), &SystemClock).await)
}

async fn topic(job: &Job, write: &TopicWriteJob) -> Result<Vec<Check>, Failure> {
    let config = SinkConfig::parse(&write.options)?;
    let topics: Vec<String> = config.topic.iter().cloned().collect();
    let delivery = wire::delivery(write.delivery);
    Ok(ognivo_kafka::probe::sink(&config, &topics, delivery, &ognivo_kafka::transactional_id(&job.name)).await)
}
