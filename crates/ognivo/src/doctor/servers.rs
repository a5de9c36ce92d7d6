//! The brokers and the servers of tables that a stream talks to.

use ognivo::session::Session;
use ognivo_cassandra::CassandraConfig;
use ognivo_kafka::{SinkConfig, SourceConfig};
use ognivo_stream::clock::SystemClock;
use ognivo_stream::probe::Check;

use crate::failure::Failure;
use crate::job::job::{Job, SinkJob, SourceJob, StreamJob, TopicWriteJob};
use crate::wire;

/// Asks each of them what the stream needs to know.
pub(super) async fn look(job: &Job, stream: &StreamJob, session: &Session) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    if let SourceJob::Topics(read) = &stream.read {
        let group = stream.progress_in_group.then_some(job.name.as_str());
        checks.extend(ognivo_kafka::probe::source(&SourceConfig::parse(&read.options)?, group).await);
    }
    // What is written may be known only once the model is there, which has a check of its own.
    let scored = wire::written_columns(job, stream, session).await.ok();
    let letters = ognivo_stream::dead_letter::schema();
    for (sink, schema) in [(Some(&stream.write), scored), (stream.dead_letter.as_ref(), Some(letters))] {
        match sink {
            Some(SinkJob::Topic(write)) => checks.extend(topic(job, write).await?),
            Some(SinkJob::Table(write)) => {
                let config = CassandraConfig::parse(&write.options, &write.columns)?.with_base(&job.base);
                checks.extend(ognivo_cassandra::probe::probe(&config, schema.as_deref(), &SystemClock).await);
            }
            Some(SinkJob::Files(_)) | None => {}
        }
    }
    Ok(checks)
}

async fn topic(job: &Job, write: &TopicWriteJob) -> Result<Vec<Check>, Failure> {
    let config = SinkConfig::parse(&write.options)?;
    let topics: Vec<String> = config.topic.iter().cloned().collect();
    let delivery = wire::delivery(write.delivery);
    Ok(ognivo_kafka::probe::sink(&config, &topics, delivery, &ognivo_kafka::transactional_id(&job.name)).await)
}
