//! Streams from topic to topic, and what they must come to.

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use ognivo_data::codec::RowMode;
use ognivo_data::codec::json::JsonOptions;
use ognivo_data::outcome::Fate;
use ognivo_kafka::{
    Delivery, KafkaSink, KafkaSource, Membership, Progress, SinkColumns, SinkConfig, SinkParts, SourceConfig,
    ValueFormat,
};
use ognivo_stream::memory::MemoryScorer;
use ognivo_stream::query::{QueryEvent, QueryOptions, QueryParts, StreamingQuery};
use ognivo_stream::sink::Sink;
use ognivo_stream::tally::{BadRow, BadRowPolicy};
use ognivo_stream::trigger::Trigger;

use crate::broker::{Topic, address, unique};

pub(crate) type Options<'a> = &'a [(&'a str, &'a str)];

pub(crate) fn given(options: Options<'_>) -> Vec<(String, String)> {
    let own = [("kafka.bootstrap.servers".to_owned(), address())];
    own.into_iter().chain(options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect()
}

pub(crate) fn id_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]))
}

pub(crate) fn json() -> ValueFormat {
    ValueFormat::Json(JsonOptions { mode: RowMode::Reject, ..JsonOptions::default() })
}

/// What holds unless an option of one of these names is among those that are given.
fn unless_given<'a>(names: &[&str], otherwise: Options<'a>, options: Options<'a>) -> Vec<(&'a str, &'a str)> {
    let is_given = options.iter().any(|(given, _)| names.contains(given));
    [if is_given { &[] } else { otherwise }, options].concat()
}

pub(crate) fn source(topic: &Topic, options: Options<'_>, membership: Membership) -> KafkaSource {
    let subscribe = [("subscribe", topic.name.as_str())];
    let options = unless_given(&["assign", "subscribePattern"], &subscribe, options);
    let config = SourceConfig::parse(&given(&options)).unwrap();
    KafkaSource::new(config, json(), id_schema(), membership).unwrap()
}

pub(crate) fn sink_parts(
    target: &Topic,
    letters: &Topic,
    progress: Progress,
    delivery: Delivery,
    job: &str,
) -> SinkParts {
    SinkParts {
        config: SinkConfig::parse(&given(&[("topic", target.name.as_str())])).unwrap(),
        value: json(),
        columns: SinkColumns { key: Some("id".to_owned()), ..SinkColumns::default() },
        dead_letter_topic: Some(letters.name.clone()),
        delivery,
        progress,
        job: job.to_owned(),
    }
}

/// Three topics, and what must be in two of them.
pub(crate) struct Trial {
    pub(crate) job: String,
    pub(crate) input: Topic,
    pub(crate) output: Topic,
    pub(crate) letters: Topic,
    pub(crate) n_partitions: i32,
    /// How long its streams try again.
    pub(crate) retry_deadline: Duration,
    n_added: i64,
    expected: Vec<String>,
    expected_letters: Vec<String>,
}

impl Trial {
    pub(crate) async fn new(name: &str, n_partitions: i32) -> Trial {
        Trial {
            job: unique(name),
            input: Topic::new("in", n_partitions).await,
            output: Topic::new("out", 2).await,
            letters: Topic::new("bad", 1).await,
            n_partitions,
            retry_deadline: Duration::from_secs(60),
            n_added: 0,
            expected: Vec::new(),
            expected_letters: Vec::new(),
        }
    }

    /// Adds records, every thirteenth malformed, to all partitions in turn.
    pub(crate) fn add(&mut self, n_records: i64) {
        let mut of_partitions = vec![Vec::new(); self.n_partitions as usize];
        for id in self.n_added..self.n_added + n_records {
            let record = if id % 13 == 5 { format!("x{id}") } else { format!(r#"{{"id":{id}}}"#) };
            match MemoryScorer::fate(id) {
                _ if id % 13 == 5 => self.expected_letters.push(record.clone()),
                Fate::Kept => self.expected.push(id.to_string()),
                Fate::Skipped => {}
                Fate::Rejected(_) => self.expected_letters.push(record.clone()),
            }
            of_partitions[(id % i64::from(self.n_partitions)) as usize].push(record);
        }
        for (partition, records) in of_partitions.into_iter().enumerate() {
            self.input.add(partition as i32, records);
        }
        self.n_added += n_records;
    }

    /// A newly started instance, exactly once.
    pub(crate) fn start(&self, options: Options<'_>, trigger: Trigger) -> StreamingQuery {
        self.start_as(options, trigger, Delivery::ExactlyOnce)
    }

    pub(crate) fn start_as(&self, options: Options<'_>, trigger: Trigger, delivery: Delivery) -> StreamingQuery {
        self.start_with(options, trigger, delivery, |sink| Box::new(sink))
    }

    /// An instance whose sink stands behind something else.
    pub(crate) fn start_with(
        &self,
        options: Options<'_>,
        trigger: Trigger,
        delivery: Delivery,
        before: impl FnOnce(KafkaSink) -> Box<dyn Sink>,
    ) -> StreamingQuery {
        let options = unless_given(&["startingOffsets"], &[("startingOffsets", "earliest")], options);
        let source = source(&self.input, &options, Membership::Group(self.job.clone()));
        let progress = Progress::Group(source.group().unwrap());
        let sink = KafkaSink::new(sink_parts(&self.output, &self.letters, progress, delivery, &self.job));
        let parts = QueryParts {
            source: Box::new(source),
            scorer: Arc::new(MemoryScorer::new("model")),
            sink: before(sink),
            checkpoint: None,
        };
        let retry_deadline = self.retry_deadline;
        StreamingQuery::new(parts, QueryOptions { trigger, retry_deadline, ..query_options() })
    }

    /// Every row and every dead letter is there once.
    #[track_caller]
    pub(crate) fn check(&self) {
        assert_eq!(self.output.fields("id"), sorted(&self.expected), "{}: scored rows", self.job);
        assert_eq!(self.letters.fields("payload"), sorted(&self.expected_letters), "{}: dead letters", self.job);
    }

    /// Every row and every dead letter is there.
    #[track_caller]
    pub(crate) fn check_at_least(&self) {
        let distinct = |mut texts: Vec<String>| {
            texts.dedup();
            texts
        };
        assert_eq!(distinct(self.output.fields("id")), sorted(&self.expected), "{}: scored rows", self.job);
        assert_eq!(distinct(self.letters.fields("payload")), sorted(&self.expected_letters), "{}", self.job);
    }

    /// Waits until every row has come out.
    pub(crate) async fn wait_until_done(&self, patience: Duration) {
        let is_done = self.is_done_within(patience).await;
        assert!(is_done, "{}: {} of {} rows came", self.job, self.output.committed().len(), self.expected.len());
    }

    /// Whether every row has come out; waits for it.
    pub(crate) async fn is_done_within(&self, patience: Duration) -> bool {
        let begin = std::time::Instant::now();
        while self.output.committed().len() < self.expected.len() {
            if begin.elapsed() > patience {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        true
    }
}

pub(crate) fn query_options() -> QueryOptions {
    let bad_rows = BadRowPolicy { malformed: BadRow::DeadLetter, invalid: BadRow::DeadLetter, max_bad_fraction: None };
    // Shown when a test fails.
    let begin = std::time::Instant::now();
    let observer = move |event: &QueryEvent<'_>| {
        if let QueryEvent::Retrying { error, n_failures, .. } = event {
            println!("after {} ms: failure {n_failures} in a row: {error}", begin.elapsed().as_millis());
        }
    };
    let retry_deadline = Duration::from_secs(60);
    QueryOptions { bad_rows, retry_deadline, observer: Arc::new(observer), ..QueryOptions::default() }
}

pub(crate) fn sorted(texts: &[String]) -> Vec<String> {
    let mut texts = texts.to_vec();
    texts.sort_unstable();
    texts
}
