//! The brokers and the servers of tables that a stream talks to.

use ognivo::session::Session;
use ognivo_kafka::{Delivery, SinkConfig, SourceConfig, ValueFormat};
use ognivo_stream::clock::SystemClock;
use ognivo_stream::dead_letter;
use ognivo_stream::probe::Check;

use crate::failure::Failure;
use crate::job::job::{Job, SinkJob, SourceJob, StreamJob, TableWriteJob, TopicWriteJob};
use crate::job::route::{is_one_cluster, value_format};
use crate::wire::{self, Written};

/// Asks each of them what the stream needs to know.
pub(super) async fn look(job: &Job, stream: &StreamJob, session: &Session) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    if let SourceJob::Topics(read) = &stream.read {
        let config = SourceConfig::parse(&read.options)?;
        let group = stream.progress_in_group.then(|| config.group_id(&job.name).to_owned());
        checks.extend(ognivo_kafka::probe::source(&config, group.as_deref()).await);
        let format = value_format(&read.value.format, &read.value.options)?;
        checks.extend(ognivo_kafka::probe::registry(&format, None).await);
    }
    // What is written is known only once the model is there, which has a check of its own.
    match &stream.write {
        SinkJob::Topic(write) => {
            checks.extend(topic(job, write, wire::delivery(write.delivery)).await?);
            checks.extend(registry(job, stream, write, session).await?);
        }
        SinkJob::Table(write) => {
            let scored = wire::written_columns(job, stream, session).await.ok();
            checks.extend(table(job, write, scored).await?);
        }
        SinkJob::Files(_) => {}
    }
    match &stream.dead_letter {
        Some(SinkJob::Topic(letters)) => {
            // Beside the scored rows they are in the transactions of those, and need no id of their own.
            let delivery = match &stream.write {
                SinkJob::Topic(write) if is_one_cluster(Some(&letters.options), Some(&write.options)) => {
                    Delivery::AtLeastOnce
                }
                _ => wire::delivery(letters.delivery),
            };
            checks.extend(topic(job, letters, delivery).await?);
        }
        Some(SinkJob::Table(write)) => {
            let letters = Written { schema: dead_letter::envelope_schema(), positions: Vec::new() };
            checks.extend(table(job, write, Some(letters)).await?);
        }
        Some(SinkJob::Files(_)) | None => {}
    }
    Ok(checks)
}

async fn table(job: &Job, write: &TableWriteJob, rows: Option<Written>) -> Result<Vec<Check>, Failure> {
    let (schema, positions) = rows.map(|rows| (rows.schema, rows.positions)).unzip();
    let config = wire::table_config(job, write)?.with_positions(positions.unwrap_or_default());
    Ok(ognivo_cassandra::probe::probe(&config, schema.as_deref(), &SystemClock).await)
}

/// The schema registry of the rows that are written, where they have one.
async fn registry(
    job: &Job,
    stream: &StreamJob,
    write: &TopicWriteJob,
    session: &Session,
) -> Result<Vec<Check>, Failure> {
    let format = value_format(&write.value.format, &write.value.options)?;
    let config = SinkConfig::parse(&write.options)?;
    let columns = wire::record_columns(write, &config);
    let scored = match format {
        ValueFormat::Avro(_) => wire::written_columns(job, stream, session).await.ok(),
        _ => None,
    };
    let rows = scored.as_ref().zip(config.topic.as_deref());
    let rows = rows.map(|(scored, topic)| (&*scored.schema, &columns, topic));
    Ok(ognivo_kafka::probe::registry(&format, rows).await)
}

async fn topic(job: &Job, write: &TopicWriteJob, delivery: Delivery) -> Result<Vec<Check>, Failure> {
    let config = SinkConfig::parse(&write.options)?;
    let topics: Vec<String> = config.topic.iter().cloned().collect();
    Ok(ognivo_kafka::probe::sink(&config, &topics, delivery, &ognivo_kafka::transactional_id(&job.name)).await)
}
