//! Options of topics as a job writes them, by Spark's names, to typed settings.
//!
//! Names are taken in any case, as Spark does. What begins with `kafka.` goes to the client under its Kafka name; see
//! [`client`] for what is refused there and why.

pub mod client;
mod login;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use ognivo_data::fault::{Explain, Fault, nearest};
use ognivo_data::quantity::parse_duration;
use serde_json::Value;

use crate::offsets::{Offsets, TopicPartition};
use client::ClientSettings;

/// What a stream of topics is read with.
#[derive(Debug, Clone)]
pub struct SourceConfig {
    /// `subscribe`, `subscribePattern` or `assign`.
    pub topics: Topics,
    /// Where a partition begins that nobody has read.
    pub(crate) starting: Starting,
    /// `startingOffsetsByTimestampStrategy`: what happens where no record is as young as the timestamp; default an error.
    pub(crate) latest_when_no_timestamp: bool,
    /// `maxOffsetsPerTrigger`: how many records a batch takes at most, over all partitions.
    pub max_offsets_per_trigger: Option<u64>,
    /// `minOffsetsPerTrigger`: a batch waits for so many records.
    pub min_offsets_per_trigger: Option<u64>,
    /// `maxTriggerDelay`: but not longer than this; default 15 minutes.
    pub max_trigger_delay: Duration,
    /// `failOnDataLoss`: records that are gone before they were read end the job; default true. Else it goes on behind them.
    pub fail_on_data_loss: bool,
    /// `includeHeaders`: whether there is a column `headers`; default false.
    pub include_headers: bool,
    /// `kafka.*`.
    pub client: ClientSettings,
}

/// Which topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topics {
    /// All partitions of these.
    Subscribe(Vec<String>),
    /// All partitions of those whose whole name matches this regular expression.
    Pattern(String),
    /// These partitions.
    Assign(Vec<TopicPartition>),
}

impl Topics {
    /// What a member of a group subscribes to; a pattern matches whole names, and the client knows one by its `^`.
    pub(crate) fn to_subscribe(&self) -> Vec<String> {
        match self {
            Topics::Subscribe(names) => names.clone(),
            Topics::Pattern(pattern) => vec![format!("^({pattern})$")],
            Topics::Assign(partitions) => {
                let mut topics: Vec<String> = partitions.iter().map(|at| at.topic.clone()).collect();
                topics.dedup();
                topics
            }
        }
    }

    /// Whether the topic is one of these.
    pub fn takes(&self, topic: &str) -> bool {
        match self {
            Topics::Subscribe(names) => names.iter().any(|name| name == topic),
            // Checked when the option was read.
            Topics::Pattern(pattern) => whole(pattern).is_ok_and(|pattern| pattern.is_match(topic)),
            Topics::Assign(partitions) => partitions.iter().any(|at| at.topic == topic),
        }
    }
}

fn whole(pattern: &str) -> Result<regex::Regex, regex::Error> {
    regex::Regex::new(&format!("^(?:{pattern})$"))
}

impl fmt::Display for Topics {
    /// As Spark names them: `Subscribe[a, b]`, `SubscribePattern[l.*]`, `Assign[a-0, a-1]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topics::Subscribe(names) => write!(f, "Subscribe[{}]", names.join(", ")),
            Topics::Pattern(pattern) => write!(f, "SubscribePattern[{pattern}]"),
            Topics::Assign(partitions) => {
                let names: Vec<String> = partitions.iter().map(TopicPartition::to_string).collect();
                write!(f, "Assign[{}]", names.join(", "))
            }
        }
    }
}

/// Where a partition begins that nobody has read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Starting {
    Earliest,
    Latest,
    /// −2 is the earliest, −1 the latest; all partitions must be named, as in Spark.
    Offsets(Offsets),
    /// At the first record that is not older.
    Timestamp(i64),
    /// The same for each partition; all must be named.
    Timestamps(Offsets),
}

/// What topics are written with.
#[derive(Debug, Clone)]
pub struct SinkConfig {
    /// `topic`: where all rows go; without it each row's column `topic` says.
    pub topic: Option<String>,
    /// `includeHeaders`: whether a column `headers` becomes the record's headers; default false.
    pub include_headers: bool,
    /// `kafka.*`.
    pub client: ClientSettings,
}

/// An option is unknown, missing, or its value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no such option.
    #[error("a {what} has no option of this name: {name}")]
    Unknown {
        /// `stream of kafka`, `sink of kafka`, `client of kafka`.
        what: &'static str,
        /// The name as written.
        name: String,
        /// The option that is spelt alike, if one is.
        nearest: Option<String>,
    },
    /// An option must be given.
    #[error("option `{name}` is missing: {why}")]
    Missing {
        /// The option.
        name: &'static str,
        /// What it is for.
        why: &'static str,
    },
    /// The value of an option.
    #[error("option `{name}` must be {expected}: {value}")]
    Value {
        /// The option, in Spark's spelling.
        name: String,
        /// What it must be.
        expected: String,
        /// The value as written; a secret's is not shown.
        value: String,
    },
    /// An option that belongs to us and not to the job.
    #[error("option `{name}` cannot be set: {why}")]
    Forbidden {
        /// The option.
        name: String,
        /// Why, and what to set in its place.
        why: &'static str,
    },
    /// The client was built without what an option needs.
    #[error("option `{name}` needs what this build of the client lacks: {feature}")]
    NotBuilt {
        /// The option.
        name: String,
        /// What the client calls what it lacks, or its words for it.
        feature: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// Options contradict each other.
    #[error("{0}")]
    Conflict(&'static str),
}

impl ConfigError {
    /// The option that is wrong, where one is.
    pub fn option(&self) -> Option<&str> {
        match self {
            ConfigError::Unknown { name, .. }
            | ConfigError::Value { name, .. }
            | ConfigError::Forbidden { name, .. }
            | ConfigError::NotBuilt { name, .. } => Some(name),
            ConfigError::Missing { .. } | ConfigError::Conflict(_) => None,
        }
    }
}

impl Explain for ConfigError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        match self {
            ConfigError::Unknown { nearest, .. } => nearest.as_ref().map(|name| format!("did you mean `{name}`?")),
            ConfigError::NotBuilt { hint, .. } => Some((*hint).to_owned()),
            _ => None,
        }
    }
}

const SOURCE: &[&str] = &[
    "subscribe",
    "subscribePattern",
    "assign",
    "startingOffsets",
    "startingTimestamp",
    "startingOffsetsByTimestamp",
    "startingOffsetsByTimestampStrategy",
    "maxOffsetsPerTrigger",
    "minOffsetsPerTrigger",
    "maxTriggerDelay",
    "failOnDataLoss",
    "includeHeaders",
];

/// Spark's settings of how its own tasks read; they change no row, so a job may have them.
const OF_SPARK_ALONE: &[&str] = &[
    "minPartitions",
    "maxRecordsPerPartition",
    "fetchOffset.numRetries",
    "fetchOffset.retryIntervalMs",
    "kafkaConsumer.pollTimeoutMs",
    "groupIdPrefix",
];

const OF_BATCHES: &[&str] = &["endingOffsets", "endingTimestamp", "endingOffsetsByTimestamp"];

const SINK: &[&str] = &["topic", "includeHeaders"];

/// What stands before the name of a setting of the client.
const CLIENT: &str = "kafka.";

type Given = [(String, String)];

impl SourceConfig {
    /// Options of a source, as Spark names them.
    ///
    /// # Errors
    /// [`ConfigError`] for the first option that cannot be used.
    pub fn parse(given: &Given) -> Result<SourceConfig, ConfigError> {
        let (own, of_client) = split("stream of kafka", given, &[SOURCE, OF_SPARK_ALONE, OF_BATCHES])?;
        let value_of = |wanted: &str| own.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        if let Some((name, _)) = own.iter().find(|(name, _)| OF_BATCHES.contains(name)) {
            let why = "a stream has no end; `trigger: {availableNow: true}` takes what is there";
            return Err(ConfigError::Forbidden { name: (*name).to_owned(), why });
        }
        let mut config = SourceConfig {
            topics: topics(value_of)?,
            starting: starting(value_of)?,
            latest_when_no_timestamp: false,
            max_offsets_per_trigger: None,
            min_offsets_per_trigger: None,
            max_trigger_delay: Duration::from_secs(15 * 60),
            fail_on_data_loss: true,
            include_headers: false,
            client: ClientSettings::of_consumer(&of_client)?,
        };
        for &(name, value) in &own {
            match name {
                "startingOffsetsByTimestampStrategy" => {
                    config.latest_when_no_timestamp = match value.to_ascii_lowercase().as_str() {
                        "error" => false,
                        "latest" => true,
                        _ => return Err(wrong(name, "error or latest", value)),
                    }
                }
                "maxOffsetsPerTrigger" => config.max_offsets_per_trigger = Some(positive(name, value)?),
                "minOffsetsPerTrigger" => config.min_offsets_per_trigger = Some(positive(name, value)?),
                "maxTriggerDelay" => config.max_trigger_delay = duration(name, value)?,
                "failOnDataLoss" => config.fail_on_data_loss = boolean(name, value)?,
                "includeHeaders" => config.include_headers = boolean(name, value)?,
                _ => {}
            }
        }
        match (config.min_offsets_per_trigger, config.max_offsets_per_trigger) {
            (Some(min), Some(max)) if min > max => {
                Err(ConfigError::Conflict("minOffsetsPerTrigger must not be above maxOffsetsPerTrigger"))
            }
            _ => Ok(config),
        }
    }

    /// The id of the group that keeps the progress: `kafka.group.id`, or else that of the job.
    pub fn group_id<'a>(&'a self, job: &'a str) -> &'a str {
        self.client.get("group.id").unwrap_or(job)
    }
}

impl SinkConfig {
    /// Options of a sink, as Spark names them.
    ///
    /// # Errors
    /// [`ConfigError`] for the first option that cannot be used.
    pub fn parse(given: &Given) -> Result<SinkConfig, ConfigError> {
        let (own, of_client) = split("sink of kafka", given, &[SINK])?;
        let client = ClientSettings::of_producer(&of_client)?;
        let mut config = SinkConfig { topic: None, include_headers: false, client };
        for (name, value) in own {
            match name {
                "topic" if value.is_empty() => return Err(wrong(name, "the name of a topic", value)),
                "topic" => config.topic = Some(value.to_owned()),
                _ => config.include_headers = boolean(name, value)?,
            }
        }
        Ok(config)
    }
}

type Own<'a> = Vec<(&'static str, &'a str)>;
type OfClient<'a> = Vec<(&'a str, &'a str)>;

/// Options of ours in Spark's spelling, and those of the client without their prefix.
fn split<'a>(
    what: &'static str,
    given: &'a Given,
    known: &[&[&'static str]],
) -> Result<(Own<'a>, OfClient<'a>), ConfigError> {
    let (mut own, mut of_client) = (Vec::new(), Vec::new());
    for (name, value) in given {
        let mut names = known.iter().copied().flatten().copied();
        if let Some(spelt) = names.find(|known| known.eq_ignore_ascii_case(name)) {
            own.push((spelt, value.as_str()));
        } else if let Some(of_kafka) = name.get(CLIENT.len()..).filter(|_| is_of_client(name)) {
            of_client.push((of_kafka, value.as_str()));
        } else {
            let names = known.iter().copied().flatten().copied().chain(["kafka.bootstrap.servers"]);
            let nearest = nearest(name, names).map(str::to_owned);
            return Err(ConfigError::Unknown { what, name: name.clone(), nearest });
        }
    }
    Ok((own, of_client))
}

fn is_of_client(name: &str) -> bool {
    name.get(..CLIENT.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(CLIENT))
}

fn topics<'a>(value_of: impl Fn(&str) -> Option<&'a str>) -> Result<Topics, ConfigError> {
    let given = ["subscribe", "subscribePattern", "assign"].map(|name| value_of(name).map(|value| (name, value)));
    let mut given = given.into_iter().flatten();
    let Some((name, value)) = given.next() else {
        return Err(ConfigError::Missing {
            name: "subscribe",
            why: "it, subscribePattern or assign says what is read",
        });
    };
    if given.next().is_some() {
        return Err(ConfigError::Conflict("give one of subscribe, subscribePattern and assign"));
    }
    match name {
        "subscribe" => {
            let mut topics: Vec<String> = value.split(',').map(|topic| topic.trim().to_owned()).collect();
            if topics.iter().any(String::is_empty) {
                return Err(wrong(name, "names of topics with commas between them", value));
            }
            topics.sort_unstable();
            topics.dedup();
            Ok(Topics::Subscribe(topics))
        }
        "subscribePattern" if value.is_empty() || whole(value).is_err() => {
            Err(wrong(name, "a regular expression", value))
        }
        "subscribePattern" => Ok(Topics::Pattern(value.to_owned())),
        _ => assigned(value).map(Topics::Assign).ok_or_else(|| wrong(name, r#"JSON like {"topic":[0,1]}"#, value)),
    }
}

fn assigned(value: &str) -> Option<Vec<TopicPartition>> {
    let json: BTreeMap<String, Vec<u16>> = serde_json::from_str(value).ok()?;
    let each = json.iter().flat_map(|(topic, numbers)| {
        numbers.iter().map(|number| TopicPartition::new(topic.clone(), i32::from(*number)))
    });
    let mut assigned: Vec<TopicPartition> = each.collect();
    assigned.sort_unstable();
    assigned.dedup();
    (!assigned.is_empty()).then_some(assigned)
}

/// startingTimestamp counts before startingOffsetsByTimestamp, and that before startingOffsets, as in Spark.
fn starting<'a>(value_of: impl Fn(&str) -> Option<&'a str>) -> Result<Starting, ConfigError> {
    if let Some(value) = value_of("startingTimestamp") {
        let name = "startingTimestamp";
        let time_ms = value.parse().ok().filter(|ms: &i64| *ms >= 0);
        return time_ms.map(Starting::Timestamp).ok_or_else(|| wrong(name, "milliseconds since 1970", value));
    }
    if let Some(value) = value_of("startingOffsetsByTimestamp") {
        let expected = r#"JSON of milliseconds since 1970 like {"topic":{"0":1700000000000}}"#;
        let times = offsets(value).filter(|times| times.0.values().all(|ms| *ms >= 0));
        return times.map(Starting::Timestamps).ok_or_else(|| wrong("startingOffsetsByTimestamp", expected, value));
    }
    let Some(value) = value_of("startingOffsets") else { return Ok(Starting::Latest) };
    match value.to_ascii_lowercase().as_str() {
        "earliest" => Ok(Starting::Earliest),
        "latest" => Ok(Starting::Latest),
        _ => {
            let expected = r#"earliest, latest or JSON like {"topic":{"0":23,"1":-2}} (-2 earliest, -1 latest)"#;
            let given = offsets(value).filter(|given| given.0.values().all(|at| *at >= -2));
            given.map(Starting::Offsets).ok_or_else(|| wrong("startingOffsets", expected, value))
        }
    }
}

fn offsets(value: &str) -> Option<Offsets> {
    Offsets::of_json(&serde_json::from_str::<Value>(value).ok()?).filter(|given| !given.0.is_empty())
}

fn wrong(name: &str, expected: &str, value: &str) -> ConfigError {
    ConfigError::Value { name: name.to_owned(), expected: expected.to_owned(), value: value.to_owned() }
}

fn boolean(name: &str, value: &str) -> Result<bool, ConfigError> {
    value.to_ascii_lowercase().parse().map_err(|_| wrong(name, "true or false", value))
}

fn positive(name: &str, value: &str) -> Result<u64, ConfigError> {
    value.parse().ok().filter(|&n| n > 0).ok_or_else(|| wrong(name, "an integer from 1 on", value))
}

fn duration(name: &str, value: &str) -> Result<Duration, ConfigError> {
    parse_duration(value).ok_or_else(|| wrong(name, "a duration such as `15m`", value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(options: &[(&str, &str)]) -> Vec<(String, String)> {
        options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const SERVER: (&str, &str) = ("kafka.bootstrap.servers", "127.0.0.1:9092");

    #[test]
    fn options_come_in_any_case_and_begin_with_sparks_defaults() {
        let config = SourceConfig::parse(&given(&[SERVER, ("SUBSCRIBE", "b, a,b")])).unwrap();
        assert_eq!(config.topics, Topics::Subscribe(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(config.starting, Starting::Latest);
        assert!(config.fail_on_data_loss && !config.include_headers);
        assert_eq!(config.max_trigger_delay, Duration::from_secs(900));
    }

    #[test]
    fn a_timestamp_counts_before_offsets() {
        let options =
            given(&[SERVER, ("assign", r#"{"a":[1,0]}"#), ("startingOffsets", "earliest"), ("startingTimestamp", "5")]);
        let config = SourceConfig::parse(&options).unwrap();
        assert_eq!(config.starting, Starting::Timestamp(5));
        assert_eq!(config.topics, Topics::Assign(vec![TopicPartition::new("a", 0), TopicPartition::new("a", 1)]));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (options, expect) in [
            (&[SERVER][..], "option `subscribe` is missing: it, subscribePattern or assign says what is read"),
            (&[("subscribe", "a")], "option `kafka.bootstrap.servers` is missing: it says where the brokers are"),
            (&[SERVER, ("subscribe", "a"), ("assign", "{}")], "give one of subscribe, subscribePattern and assign"),
            (&[SERVER, ("subscribe", "a,")], "option `subscribe` must be names of topics with commas between them: a,"),
            (
                &[SERVER, ("subscribe", "a"), ("startingOffsets", "first")],
                r#"option `startingOffsets` must be earliest, latest or JSON like {"topic":{"0":23,"1":-2}} (-2 earliest, -1 latest): first"#,
            ),
            (
                &[SERVER, ("subscribe", "a"), ("maxOffsetsPerTrigger", "0")],
                "option `maxOffsetsPerTrigger` must be an integer from 1 on: 0",
            ),
            (
                &[SERVER, ("subscribe", "a"), ("endingOffsets", "latest")],
                "option `endingOffsets` cannot be set: a stream has no end; `trigger: {availableNow: true}` takes what is there",
            ),
            (
                &[SERVER, ("subscribe", "a"), ("kafka.auto.offset.reset", "earliest")],
                "option `kafka.auto.offset.reset` cannot be set: set `startingOffsets`; where a stream begins is not left to the client",
            ),
        ] {
            assert_eq!(SourceConfig::parse(&given(options)).unwrap_err().to_string(), expect);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error =
            SourceConfig::parse(&given(&[SERVER, ("subscribe", "a"), ("startingOffset", "earliest")])).unwrap_err();
        assert_eq!(
            (error.option(), error.hint().as_deref()),
            (Some("startingOffset"), Some("did you mean `startingOffsets`?"))
        );
        let error = SinkConfig::parse(&given(&[SERVER, ("topics", "a")])).unwrap_err();
        assert_eq!(error.hint().as_deref(), Some("did you mean `topic`?"));
    }
}
