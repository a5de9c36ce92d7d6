//! A topic of dead letters as a source, and the stream that sends its records back.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use ognivo_data::codec::RowMode;
use ognivo_data::codec::json::JsonOptions;
use ognivo_kafka::{
    Delivery, KafkaSink, KafkaSource, Membership, Progress, SinkColumns, SinkConfig, SinkParts, SourceConfig,
    ValueFormat,
};
use ognivo_stream::query::{QueryOptions, QueryParts};
use ognivo_stream::score::Scorer;
use ognivo_stream::tally::{BadRow, BadRowPolicy};
use ognivo_stream::trigger::Trigger;

use crate::failure::Failure;
use crate::job::job::{Job, SinkJob, StreamJob, TopicWriteJob};
use crate::job::route::{Options, connection_of, value_of};

/// Letters of one transaction at most.
const LETTERS_OF_A_BATCH: &str = "10000";

/// What belongs to the scored rows alone, and to nobody who sends letters back.
const OF_SCORED_ROWS: &[&str] = &["topic", "includeHeaders", "kafka.transactional.id"];

/// The topic that a stream's dead letters go to.
pub(crate) struct LetterTopic<'a> {
    write: &'a TopicWriteJob,
    /// Its name.
    pub(crate) name: &'a str,
}

impl<'a> LetterTopic<'a> {
    /// None when they go elsewhere, or nowhere.
    pub(crate) fn of(stream: &'a StreamJob) -> Option<LetterTopic<'a>> {
        let Some(SinkJob::Topic(write)) = &stream.dead_letter else { return None };
        // A resolved job names it.
        Some(LetterTopic { write, name: value_of(&write.options, "topic")? })
    }

    /// How the topic is reached.
    pub(crate) fn options(&self) -> &'a Options {
        &self.write.options
    }

    fn source_config(&self, more: &[(&str, &str)]) -> Result<SourceConfig, Failure> {
        let own = [("subscribe", self.name), ("startingOffsets", "earliest")];
        let given = own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let options: Options = given.chain(connection_of(&self.write.options)).collect();
        Ok(SourceConfig::parse(&options)?)
    }

    /// Its records as they are, from the first one on; nobody's progress is touched.
    pub(crate) fn records(&self) -> Result<KafkaSource, Failure> {
        let config = self.source_config(&[])?;
        Ok(KafkaSource::new(config, ValueFormat::Binary, Arc::new(Schema::empty()), Membership::Alone)?)
    }

    /// The stream from this topic to where the records came from, as rows of `schema` that `send_back` turns into records.
    ///
    /// Progress is kept in the group `<job>-dlq`, in the transactions of the records; their ids begin with
    /// `ognivo-<job>-dlq`.
    pub(crate) fn replay(
        &self,
        job: &Job,
        stream: &StreamJob,
        schema: SchemaRef,
        send_back: Arc<dyn Scorer>,
    ) -> Result<(QueryParts, QueryOptions), Failure> {
        let name = format!("{}-dlq", job.name);
        let json = ValueFormat::Json(JsonOptions { mode: RowMode::Reject, ..JsonOptions::default() });
        let config = self.source_config(&[("maxOffsetsPerTrigger", LETTERS_OF_A_BATCH)])?;
        let source = KafkaSource::new(config, json, schema, Membership::Group(name.clone()))?;
        let is_ours =
            |(option, _): &&(String, String)| !OF_SCORED_ROWS.iter().any(|not| option.eq_ignore_ascii_case(not));
        let options: Options = self.write.options.iter().filter(is_ours).cloned().collect();
        let progress = Progress::Group(source.group().expect("a member of a group has one"));
        let column = |name: &str| Some(name.to_owned());
        let sink = KafkaSink::new(SinkParts {
            config: SinkConfig::parse(&options)?,
            value: ValueFormat::Binary,
            columns: SinkColumns {
                key: column("key"),
                topic: column("topic"),
                partition: column("partition"),
                headers: None,
            },
            dead_letter_topic: None,
            delivery: Delivery::ExactlyOnce,
            progress,
            job: name.clone(),
        });
        let parts = QueryParts { source: Box::new(source), scorer: send_back, sink: Box::new(sink), checkpoint: None };
        let options = QueryOptions {
            name: Some(name),
            trigger: Trigger::AvailableNow,
            bad_rows: BadRowPolicy { malformed: BadRow::Fail, invalid: BadRow::Fail, max_bad_fraction: None },
            retry_deadline: stream.retry_deadline,
            ..QueryOptions::default()
        };
        Ok((parts, options))
    }
}
