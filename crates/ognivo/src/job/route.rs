//! What only the connectors can say about a job, asked without touching a file: options, overlapping paths, date patterns.

use arrow_schema::SchemaRef;
use ognivo_cassandra::CassandraConfig;
use ognivo_data::codec::csv::CsvOptions;
use ognivo_data::codec::datetime::{Pattern, Zone};
use ognivo_data::codec::json::JsonOptions;
use ognivo_data::fault::{Explain, Fault};
use ognivo_files::config::{ConfigError, batch_read_options, stream_read_options};
use ognivo_files::encode::{Encoding, EncodingError};
use ognivo_files::open::{Location, open};
use ognivo_files::overlap::{NamedLocation, find_overlaps};
use ognivo_files::sink::CommitLog;
use ognivo_kafka::{AvroFormat, KafkaSource, SinkConfig, SourceConfig, ValueFormat, ValueFormatError};
use ognivo_stream::output_shape::BatchTimeColumn;

use super::complaint::Complaint;
use super::job::{
    BatchTimeJob, Job, ReadJob, SinkJob, SourceJob, StreamJob, TableWriteJob, TopicReadJob, TopicWriteJob, WriteJob,
};
use super::node::{Node, Position};

/// `batchTimeColumn` has a pattern or a time zone that we cannot read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchTimeError {
    /// Not a Java date pattern.
    #[error("not a date pattern: {0}")]
    Pattern(String),
    /// Not a time zone.
    #[error("not a time zone: {0}")]
    Zone(String),
}

impl Explain for BatchTimeError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        Some(match self {
            BatchTimeError::Pattern(_) => {
                "Java's letters, such as yyyyMMddHHmmss; other letters in 'quotes'".to_owned()
            }
            BatchTimeError::Zone(_) => "a name such as UTC or Europe/Riga, or an offset such as +02:00".to_owned(),
        })
    }
}

/// The column that `batchTimeColumn` asks for.
///
/// # Errors
/// [`BatchTimeError`].
pub(crate) fn batch_time(job: &BatchTimeJob) -> Result<BatchTimeColumn, BatchTimeError> {
    let pattern = Pattern::parse(&job.format).ok_or_else(|| BatchTimeError::Pattern(job.format.clone()))?;
    let zone = Zone::parse(&job.time_zone).ok_or_else(|| BatchTimeError::Zone(job.time_zone.clone()))?;
    Ok(BatchTimeColumn { name: job.name.clone(), pattern, zone })
}

/// `options: {commitLog: …}` is none of `spark` and `none`.
#[derive(Debug, thiserror::Error)]
#[error("option `commitLog` must be spark or none: {0}")]
pub(crate) struct CommitLogError(String);

impl Explain for CommitLogError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
}

/// Options of a format, as written.
pub(crate) type Options = Vec<(String, String)>;

const COMMIT_LOG: &str = "commitLog";

/// The sink's own option, and the options of its format.
///
/// # Errors
/// [`CommitLogError`].
pub(crate) fn commit_log(write: &WriteJob) -> Result<(CommitLog, Options), CommitLogError> {
    let is_ours = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(COMMIT_LOG);
    let given = write.options.iter().find(is_ours).map(|(_, value)| value.as_str());
    let rest = write.options.iter().filter(|option| !is_ours(option)).cloned().collect();
    let log = match given {
        None | Some("spark") => CommitLog::Spark,
        Some("none") => CommitLog::Success,
        Some(other) => return Err(CommitLogError(other.to_owned())),
    };
    Ok((log, rest))
}

/// Checks the options of `train.read` or of `stream.readStream`.
pub(super) fn check_read_options(read: &ReadJob, is_stream: bool, node: &Node, complaints: &mut Vec<Complaint>) {
    let checked: Result<(), ConfigError> = if is_stream {
        stream_read_options(&read.format, &read.options, |path| open(path, std::path::Path::new("."))).map(|_| ())
    } else {
        batch_read_options(&read.format, &read.options).map(|_| ())
    };
    if let Err(error) = checked {
        complaints.push(Complaint::of(place_of_option(node, error.option()), &error));
    }
    for path in &read.paths {
        if let Err(error) = open(path, std::path::Path::new(".")) {
            complaints.push(Complaint::of(place_of(node, "path"), &error));
        }
    }
}

/// Checks format options and the path of a sink.
pub(super) fn check_write_options(write: &WriteJob, node: &Node, complaints: &mut Vec<Complaint>) {
    match commit_log(write) {
        Err(error) => complaints.push(Complaint::of(place_of_option(node, Some(COMMIT_LOG)), &error)),
        Ok((_, options)) => {
            let encoding: Result<Encoding, EncodingError> = Encoding::parse(&write.format, &options);
            if let Err(error) = encoding {
                complaints.push(Complaint::of(place_of_option(node, error.option()), &error));
            }
        }
    }
    if let Err(error) = open(&write.path, std::path::Path::new(".")) {
        complaints.push(Complaint::of(place_of(node, "path"), &error));
    }
}

/// Refuses secrets that stand in the job file or on the command line, where others read them too.
fn check_secrets(node: &Node, complaints: &mut Vec<Complaint>) {
    let entries = node.get("options").map(Node::entries).unwrap_or_default();
    for entry in
        entries.iter().filter(|entry| ognivo_kafka::config::client::is_secret(&entry.key) && !entry.node.secret)
    {
        let message = format!("a secret must not stand in the job: {}", entry.key);
        let hint =
            Some("keep it in a file and write `${file:secrets/…}`, or `${env:NAME}` with --allow-env".to_owned());
        complaints.push(Complaint::new(entry.at, message).with_hint(hint));
    }
}

/// Checks the options of a source of topics, and the columns of its records' values against their format.
pub(super) fn check_topic_read(read: &TopicReadJob, node: &Node, complaints: &mut Vec<Complaint>) {
    check_secrets(node, complaints);
    let config = match SourceConfig::parse(&read.options) {
        Ok(config) => config,
        Err(error) => return complaints.push(Complaint::of(place_of_option(node, error.option()), &error)),
    };
    let (Ok(format), Some(value)) = (value_format(&read.value.format, &read.value.options), node.get("value")) else {
        return;
    };
    if let Err(error) = KafkaSource::schema_of(&config, &format, &read.value.schema) {
        complaints.push(Complaint::of(place_of(value, "schema"), &error));
    }
}

/// Checks the options of a topic that is written to, once it has those of its cluster.
pub(super) fn check_topic_write(write: &TopicWriteJob, node: &Node, complaints: &mut Vec<Complaint>) {
    check_secrets(node, complaints);
    if let Err(error) = SinkConfig::parse(&write.options) {
        complaints.push(Complaint::of(place_of_option(node, error.option()), &error));
    }
    check_value_format(&write.value.format, &write.value.options, node, complaints);
    let names_subject = value_of(&write.options, "topic").is_some();
    if let (Ok(ValueFormat::Avro(format)), false, Some(value)) =
        (value_format(&write.value.format, &write.value.options), names_subject, node.get("value"))
        && format.registry.is_some()
    {
        let message = "a schema registry keeps the schema of the rows under the name of their topic, and none is given";
        let hint = Some("give the option `topic`, or leave the schema registry out".to_owned());
        let at = place_of_option(value, Some("schema.registry.url"));
        complaints.push(Complaint::new(at, message).with_hint(hint));
    }
}

/// Dead letters have no column that could name their topic, so an option must.
pub(super) fn check_letter_topic(letters: &TopicWriteJob, node: &Node, complaints: &mut Vec<Complaint>) {
    if value_of(&letters.options, "topic").is_none() {
        let message = "option `topic` is missing: it says where dead letters go";
        let hint = Some("add it: `deadLetter: {format: kafka, options: {topic: …}}`".to_owned());
        complaints.push(Complaint::new(place_of(node, "options"), message).with_hint(hint));
    }
}

/// Checks the options of a table.
pub(super) fn check_table_options(write: &TableWriteJob, node: &Node, complaints: &mut Vec<Complaint>) {
    if let Err(error) = CassandraConfig::parse(&write.options, &write.columns) {
        complaints.push(Complaint::of(place_of_option(node, error.option()), &error));
    }
}

/// Refuses a table of scored rows whose key, as far as the job names it, nothing feeds. What key a table really has is asked of
/// its server, before the first row and by `doctor`.
pub(super) fn check_table_key(stream: &StreamJob, node: &Node, complaints: &mut Vec<Complaint>) {
    let (SinkJob::Table(write), Some(select)) = (&stream.write, &stream.select) else { return };
    let Ok(config) = CassandraConfig::parse(&write.options, &write.columns) else { return };
    let by_name = select.iter().map(String::as_str).chain(position_columns(&stream.read).iter().copied());
    let fed: Vec<&str> = write.columns.iter().map(|(column, _)| column.as_str()).chain(by_name).collect();
    for (option, key) in [("partitionKey", &config.partition_key), ("clusteringKey", &config.clustering_key)] {
        for column in key.iter().filter(|column| !fed.iter().any(|fed| fed.eq_ignore_ascii_case(column))) {
            let message = format!("`{option}` names a column that nothing feeds: {column}");
            let hint = Some("add it to `select`, or pair it with one of ours under `columns`".to_owned());
            complaints.push(Complaint::new(place_of_option(node, Some(option)), message).with_hint(hint));
        }
    }
}

pub(super) fn check_value_format(format: &str, options: &Options, node: &Node, complaints: &mut Vec<Complaint>) {
    let Some(value) = node.get("value") else { return };
    if let Err(error) = value_format(format, options) {
        complaints.push(Complaint::of(place_of_option(value, error.option()), &error));
    }
}

/// How the values of records are written, in both directions.
///
/// # Errors
/// For an option that the format does not have, or its value.
pub(crate) fn value_format(format: &str, options: &Options) -> Result<ValueFormat, ValueFormatError> {
    let given = options.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(match format {
        "csv" => ValueFormat::Csv(CsvOptions::parse(given)?),
        "avro" => ValueFormat::Avro(Box::new(AvroFormat::parse(options)?)),
        _ => ValueFormat::Json(JsonOptions::parse(given)?),
    })
}

/// Whether an Avro schema of the job says what the columns of a value are.
pub(super) enum AvroColumns {
    Given(SchemaRef),
    NotGiven,
    /// It does not, or cannot; somebody has complained.
    Wrong,
}

/// The columns of `avroSchema`.
pub(super) fn avro_columns(
    format: &str,
    options: &Options,
    value: &Node,
    complaints: &mut Vec<Complaint>,
) -> AvroColumns {
    let schema = match value_format(format, options) {
        Ok(ValueFormat::Avro(format)) => format.options.schema,
        Ok(_) => None,
        Err(_) => return AvroColumns::Wrong,
    };
    match schema.map(|schema| schema.columns()) {
        None => AvroColumns::NotGiven,
        Some(Ok(columns)) => AvroColumns::Given(columns.into()),
        Some(Err(error)) => {
            complaints.push(Complaint::of(place_of_option(value, Some("avroSchema")), &error));
            AvroColumns::Wrong
        }
    }
}

/// The columns of the stream, as far as they are known without a look at its files.
pub(super) fn source_schema(read: &SourceJob) -> Option<SchemaRef> {
    match read {
        SourceJob::Files(read) => read.schema.clone(),
        SourceJob::Topics(read) => {
            let config = SourceConfig::parse(&read.options).ok()?;
            let format = value_format(&read.value.format, &read.value.options).ok()?;
            KafkaSource::schema_of(&config, &format, &read.value.schema).ok()
        }
    }
}

/// The columns of a source that tell where a row came from; none when the rows themselves have a column of such a name.
pub(crate) fn position_columns(read: &SourceJob) -> &'static [&'static str] {
    let (names, own): (&'static [&'static str], _) = match read {
        SourceJob::Topics(read) => (&ognivo_kafka::POSITION_COLUMNS, Some(&read.value.schema)),
        SourceJob::Files(read) => (&ognivo_files::source::POSITION_COLUMNS, read.schema.as_ref()),
    };
    let is_taken = |name: &&str| own.is_some_and(|own| own.column_with_name(name).is_some());
    if names.iter().any(is_taken) { &[] } else { names }
}

const CLUSTER: &str = "kafka.bootstrap.servers";

/// What says how a cluster is reached.
const REACHED_BY: &[&str] = &[CLUSTER, "kafka.security.", "kafka.sasl.", "kafka.ssl."];

/// Gives a topic the cluster of another end of its job, unless it names one of its own.
pub(super) fn inherit_cluster(options: &mut Options, of_other_end: Option<&Options>) {
    if value_of(options, CLUSTER).is_some() {
        return;
    }
    for (name, value) in of_other_end.into_iter().flatten().filter(reaches) {
        if value_of(options, name).is_none() {
            options.push((name.clone(), value.clone()));
        }
    }
}

/// Of the options of one end, those that say how its cluster is reached.
pub(crate) fn connection_of(options: &Options) -> Options {
    options.iter().filter(reaches).cloned().collect()
}

fn reaches((name, _): &&(String, String)) -> bool {
    REACHED_BY.iter().any(|begin| name.to_ascii_lowercase().starts_with(begin))
}

/// Whether both ends name the same servers.
pub(crate) fn is_one_cluster(one: Option<&Options>, other: Option<&Options>) -> bool {
    let servers = |options: Option<&Options>| {
        let mut servers: Vec<String> = value_of(options?, CLUSTER)?.split(',').map(|s| s.trim().to_owned()).collect();
        servers.sort_unstable();
        Some(servers)
    };
    servers(one).is_some_and(|one| servers(other) == Some(one))
}

/// Refuses a stream that would read the records that it writes.
pub(super) fn check_topic_overlaps(stream: &StreamJob, node: &Node, complaints: &mut Vec<Complaint>) {
    let SourceJob::Topics(read) = &stream.read else { return };
    let Ok(config) = SourceConfig::parse(&read.options) else { return };
    for (key, sink) in [("writeStream", Some(&stream.write)), ("deadLetter", stream.dead_letter.as_ref())] {
        let Some(SinkJob::Topic(write)) = sink else { continue };
        let Some(topic) = value_of(&write.options, "topic") else {
            if key == "writeStream" {
                check_topic_column(read, write, node.get(key).unwrap_or(node), complaints);
            }
            continue;
        };
        if config.topics.takes(topic) && is_one_cluster(Some(&read.options), Some(&write.options)) {
            let end = node.get(key).unwrap_or(node);
            let message = format!("the stream would read what it writes: {topic}");
            let hint = Some("give it a topic that the source does not take".to_owned());
            complaints.push(Complaint::new(place_of_option(end, Some("topic")), message).with_hint(hint));
        }
    }
}

/// Refuses rows that would go where they came from: unless the value has a column `topic` itself, that column is the source's own.
fn check_topic_column(read: &TopicReadJob, write: &TopicWriteJob, node: &Node, complaints: &mut Vec<Complaint>) {
    let is_of_the_source = read.value.schema.column_with_name("topic").is_none();
    if is_of_the_source && is_one_cluster(Some(&read.options), Some(&write.options)) {
        let message = "the stream would read what it writes: without the option `topic` a row goes to the topic of its column `topic`, \
                       and that is the one it was read from";
        let hint = Some("give the option `topic`, or a column `topic` in `value.schema`".to_owned());
        complaints.push(Complaint::new(place_of(node, "options"), message).with_hint(hint));
    }
}

pub(crate) fn value_of<'a>(options: &'a Options, name: &str) -> Option<&'a str> {
    let named = options.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str())
}

fn place_of(node: &Node, key: &str) -> Position {
    node.get(key).map_or(node.at, |value| value.at)
}

fn place_of_option(node: &Node, option: Option<&str>) -> Position {
    let entries = node.get("options").map(Node::entries).unwrap_or_default();
    let named = entries.iter().find(|entry| option.is_some_and(|option| entry.key.eq_ignore_ascii_case(option)));
    named.map_or_else(|| place_of(node, "options"), |entry| entry.at)
}

/// Refuses a stream whose input would see its own output: the original job died of that at its second trigger.
pub(super) fn check_overlaps(job: &Job, node: &Node, complaints: &mut Vec<Complaint>) {
    let (Some(stream), Some(stream_node)) = (&job.stream, node.get("stream")) else { return };
    let Ok((inputs, others)) = places(job, stream) else { return };
    match find_overlaps(&inputs, &others) {
        Ok(overlaps) => complaints
            .extend(overlaps.iter().map(|overlap| Complaint::of(place_of_key(stream_node, &overlap.second), overlap))),
        Err(error) => {
            complaints.push(Complaint::new(place_of_key(stream_node, "readStream.path"), error.to_string()));
        }
    }
}

fn place_of_key(stream: &Node, key: &str) -> Position {
    let path: Vec<&str> = key.split('.').collect();
    stream.at_path(&path).map_or(stream.at, |node| node.at)
}

type Places = (Vec<NamedLocation>, Vec<NamedLocation>);

/// Where the stream reads, and where else it reads or writes; paths that cannot be opened were complained about before.
fn places(job: &Job, stream: &StreamJob) -> Result<Places, ognivo_files::open::OpenError> {
    let named = |name: &str, path: &str| -> Result<NamedLocation, _> {
        let location: Location = open(path, &job.base)?;
        Ok(NamedLocation { name: name.to_owned(), location })
    };
    let mut inputs = Vec::new();
    let mut archive = None;
    if let SourceJob::Files(read) = &stream.read {
        for path in &read.paths {
            inputs.push(named("readStream.path", path)?);
        }
        archive = value_of(&read.options, "sourceArchiveDir");
    }
    let others = [
        ("writeStream.path", folder_of(Some(&stream.write))),
        ("writeStream.checkpointLocation", stream.checkpoint.as_deref()),
        ("model", Some(stream.model.as_str())),
        ("deadLetter.path", folder_of(stream.dead_letter.as_ref())),
        ("readStream.options.sourceArchiveDir", archive),
    ];
    let others = others.into_iter().filter_map(|(name, path)| Some(named(name, path?)));
    Ok((inputs, others.collect::<Result<_, _>>()?))
}

fn folder_of(sink: Option<&SinkJob>) -> Option<&str> {
    match sink {
        Some(SinkJob::Files(write)) => Some(&write.path),
        _ => None,
    }
}
