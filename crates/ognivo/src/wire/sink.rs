//! The sinks of a stream: a folder, a topic, a table, or one of them beside another for dead letters.

use std::sync::Arc;

use ognivo_cassandra::CassandraSink;
use ognivo_files::encode::Encoding;
use ognivo_files::open::open;
use ognivo_files::sink::{CommitLog, FileSink, FileSinkConfig, LaneTarget};
use ognivo_kafka::{Delivery, GroupHandle, KafkaSink, Progress, SinkColumns, SinkConfig, SinkParts};
use ognivo_stream::clock::Clock;
use ognivo_stream::sink::Sink;
use ognivo_stream::split_sink::SplitSink;

use super::{KeptProgress, table_config};
use crate::failure::Failure;
use crate::job::job::{DeliveryJob, Job, SinkJob, StreamJob, TableWriteJob, TopicWriteJob, WriteJob};
use crate::job::route::{commit_log, is_one_cluster, value_format};

/// The folder of the scored rows, with that of the dead letters where both are folders; None when scored rows go elsewhere.
pub(super) fn file_sink_config(
    job: &Job,
    stream: &StreamJob,
    kept: Option<&KeptProgress>,
) -> Result<Option<FileSinkConfig>, Failure> {
    let (SinkJob::Files(write), Some(kept)) = (&stream.write, kept) else { return Ok(None) };
    let (commit_log, options) = commit_log(write)?;
    Ok(Some(FileSinkConfig {
        scored: lane(write, &options, job)?,
        partition_by: write.partition_by.clone(),
        commit_log,
        dead_letters: match &stream.dead_letter {
            Some(SinkJob::Files(letters)) => Some(lane(letters, &letters.options, job)?),
            _ => None,
        },
        query_id: kept.query_id.clone(),
    }))
}

fn lane(write: &WriteJob, options: &[(String, String)], job: &Job) -> Result<LaneTarget, Failure> {
    Ok(LaneTarget { location: open(&write.path, &job.base)?, encoding: Encoding::parse(&write.format, options)? })
}

/// What a sink must know of the source and of the rows.
#[derive(Default)]
pub(super) struct SinkInputs {
    /// The consumer group that holds the progress.
    pub(super) group: Option<GroupHandle>,
    /// Columns that tell where a row came from, and that nobody chose.
    pub(super) positions: Vec<String>,
}

/// Where both lanes go: one sink where one target takes both, else two side by side.
pub(super) fn sink(
    job: &Job,
    stream: &StreamJob,
    files: Option<FileSinkConfig>,
    kept: Option<&KeptProgress>,
    inputs: SinkInputs,
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn Sink>, Failure> {
    let mut apart = stream.dead_letter.as_ref();
    let scored: Box<dyn Sink> = match (&stream.write, files) {
        (SinkJob::Files(_), files) => {
            apart = apart.filter(|letters| !matches!(letters, SinkJob::Files(_)));
            let config = files.expect("a resolved stream into files has a checkpoint");
            Box::new(FileSink::new(config, clock.clone()))
        }
        (SinkJob::Topic(write), _) => {
            let topic_beside = apart.and_then(|letters| topic_of_the_same_cluster(letters, write));
            apart = apart.filter(|_| topic_beside.is_none());
            Box::new(topic_sink(job, write, topic_beside, inputs.group)?)
        }
        (SinkJob::Table(write), _) => Box::new(table_sink(job, write, inputs.positions, kept, clock.clone())?),
    };
    match apart {
        None => Ok(scored),
        Some(letters) => {
            let sink = SplitSink::new(scored, letter_sink(job, letters, kept, clock)?);
            // A table has the columns that it was made with.
            let is_table = matches!(letters, SinkJob::Table(_));
            Ok(Box::new(if is_table { sink.with_envelopes_only() } else { sink }))
        }
    }
}

/// A sink that takes dead letters alone.
fn letter_sink(
    job: &Job,
    letters: &SinkJob,
    kept: Option<&KeptProgress>,
    clock: Arc<dyn Clock>,
) -> Result<Box<dyn Sink>, Failure> {
    Ok(match letters {
        SinkJob::Files(write) => Box::new(FileSink::new(
            FileSinkConfig {
                scored: lane(write, &write.options, job)?,
                partition_by: Vec::new(),
                commit_log: CommitLog::Success,
                dead_letters: None,
                query_id: kept.map(|kept| kept.query_id.clone()).expect("two targets stand behind a checkpoint"),
            },
            clock,
        )),
        SinkJob::Topic(write) => Box::new(topic_sink(job, write, None, None)?),
        SinkJob::Table(write) => Box::new(table_sink(job, write, Vec::new(), kept, clock)?),
    })
}
/// A topic, with another of the same cluster for dead letters.
fn topic_sink(
    job: &Job,
    write: &TopicWriteJob,
    dead_letter_topic: Option<String>,
    group: Option<GroupHandle>,
) -> Result<KafkaSink, Failure> {
    let config = SinkConfig::parse(&write.options)?;
    Ok(KafkaSink::new(SinkParts {
        columns: record_columns(write, &config),
        config,
        value: value_format(&write.value.format, &write.value.options)?,
        dead_letter_topic,
        delivery: delivery(write.delivery),
        progress: group.map_or(Progress::Plans, Progress::Group),
        job: job.name.clone(),
    }))
}

/// The columns that decide about a record.
pub(crate) fn record_columns(write: &TopicWriteJob, config: &SinkConfig) -> SinkColumns {
    SinkColumns {
        key: write.key.clone(),
        topic: config.topic.is_none().then(|| "topic".to_owned()),
        partition: write.partition.clone(),
        headers: config.include_headers.then(|| "headers".to_owned()),
    }
}

pub(crate) fn delivery(job: DeliveryJob) -> Delivery {
    match job {
        DeliveryJob::ExactlyOnce => Delivery::ExactlyOnce,
        DeliveryJob::AtLeastOnce => Delivery::AtLeastOnce,
    }
}

/// The topic of dead letters that share the transactions of the scored rows.
fn topic_of_the_same_cluster(letters: &SinkJob, write: &TopicWriteJob) -> Option<String> {
    let SinkJob::Topic(letters) = letters else { return None };
    if !is_one_cluster(Some(&letters.options), Some(&write.options)) {
        return None;
    }
    SinkConfig::parse(&letters.options).ok()?.topic
}

fn table_sink(
    job: &Job,
    write: &TableWriteJob,
    positions: Vec<String>,
    kept: Option<&KeptProgress>,
    clock: Arc<dyn Clock>,
) -> Result<CassandraSink, Failure> {
    let config = table_config(job, write)?.with_positions(positions);
    let query_id = kept.map(|kept| kept.query_id.clone()).expect("a resolved stream into a table has a checkpoint");
    Ok(CassandraSink::new(config, query_id, clock))
}
