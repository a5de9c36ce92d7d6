//! A look at brokers before a job runs, for `ognivo doctor`: who is there, who are we, what is there, what may we do.
//!
//! Nothing is written: whether we may write is found out with a record that is too large for the topic, which a broker
//! refuses after it has looked at our rights.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arrow_schema::Schema;
use ognivo_data::fault::{Explain, Fault};
use ognivo_stream::probe::Check;
use rdkafka::Offset;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use tokio::task::spawn_blocking;

use crate::avro::{AvroFormat, subject};
use crate::config::client::ClientSettings;
use crate::config::{SinkConfig, SourceConfig, Topics};
use crate::decode::ValueFormat;
use crate::error::KafkaError;
use crate::features::transaction_version;
use crate::offsets::TopicPartition;
use crate::producer::{Outgoing, Producer};
use crate::registry::Registry;
use crate::sink::{Delivery, SinkColumns};

/// How long a host may take to answer.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a broker may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// How long is listened for a refusal to read.
const LISTEN: Duration = Duration::from_secs(1);

/// The largest record that is sent to find out whether we may write.
const LARGEST_BYTES: u64 = 16 << 20;

/// What a source of these options finds; `group` is the group that it would join.
pub async fn source(config: &SourceConfig, group: Option<&str>) -> Vec<Check> {
    let (settings, topics) = (config.client.clone(), config.topics.clone());
    let group = group.map(str::to_owned);
    let mut checks = Vec::new();
    let Some(consumer) = connect(&settings, group.as_deref(), &mut checks).await else { return checks };
    let asked = spawn_blocking(move || ask_source(&consumer, &topics, group.as_deref()));
    checks.extend(asked.await.unwrap_or_default());
    checks
}

/// What a sink into these topics finds; `transactional_id` is what its ids begin with.
pub async fn sink(config: &SinkConfig, topics: &[String], delivery: Delivery, transactional_id: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    let Some(consumer) = connect(&config.client, None, &mut checks).await else { return checks };
    for topic in topics {
        let (asking, name) = (Arc::clone(&consumer), topic.clone());
        let found = spawn_blocking(move || topic_check(&asking, &name)).await;
        let is_there = found.as_ref().is_ok_and(|check| !check.is_failed());
        checks.extend(found.ok());
        if is_there {
            checks.extend(may_write(&config.client, topic).await);
            let (settings, asking, name) = (config.client.clone(), Arc::clone(&consumer), topic.clone());
            checks.extend(spawn_blocking(move || open_transactions(&settings, &asking, &name)).await.ok());
        }
    }
    if delivery == Delivery::ExactlyOnce {
        let settings = config.client.clone();
        checks.extend(spawn_blocking(move || version_check(&settings)).await.ok());
        let id = config.client.get("transactional.id").unwrap_or(transactional_id);
        checks.push(may_use_id(&config.client, &format!("{id}-doctor")).await);
    }
    checks
}

/// What the schema registry of a format says; nothing where it has none. `rows` are those that a sink into a topic writes.
pub async fn registry(value: &ValueFormat, rows: Option<(&Schema, &SinkColumns, &str)>) -> Vec<Check> {
    let ValueFormat::Avro(format) = value else { return Vec::new() };
    let Some(registry) = &format.registry else { return Vec::new() };
    let mut checks = Vec::new();
    for (url, alone) in registry.apart() {
        // What the stream asks too. Nobody has registered it: what it stands for is an answer.
        let answer = alone.schema(UNLIKELY_ID).await.map(|_| "answers");
        checks.push(Check::of(format!("schema registry {url}"), answer));
    }
    let is_there = checks.iter().any(|check| !check.is_failed());
    if let Some((rows, columns, topic)) = rows.filter(|_| is_there) {
        let subject = subject(topic);
        checks.push(Check::of(
            format!("subject {subject}"),
            subject_check(format, registry, rows, columns, &subject).await,
        ));
    }
    checks
}

/// A number that a registry gives after two thousand million others.
const UNLIKELY_ID: u32 = i32::MAX as u32;

async fn subject_check(
    format: &AvroFormat,
    registry: &Registry,
    rows: &Schema,
    columns: &SinkColumns,
    subject: &str,
) -> Result<String, KafkaError> {
    let of_value = rows.project(&columns.of_value(rows)).expect("places in the schema");
    let encoder = format.encoder(&of_value)?;
    Ok(registry.look_for(subject, encoder.schema().json()).await?)
}

/// What the client said in between; the newest that explains a failure.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Option<(Code, String)>>>);

impl ClientContext for Heard {
    fn error(&self, error: ClientError, reason: &str) {
        let Some(code) = error.rdkafka_error_code() else { return };
        // A broker that wants a certificate of ours says so only when we believe that we are connected.
        let wants_certificate = code == Code::BrokerTransportFailure && reason.contains("certificate");
        if wants_certificate || matches!(code, Code::Authentication | Code::SSL) {
            *self.0.lock().expect("nobody panics while holding this lock") = Some((code, reason.to_owned()));
        }
    }
}

impl ConsumerContext for Heard {}

/// Each host, then whether the cluster lets us in; None when nothing more can be asked.
async fn connect(
    settings: &ClientSettings,
    group: Option<&str>,
    checks: &mut Vec<Check>,
) -> Option<Arc<BaseConsumer<Heard>>> {
    let hosts: Vec<String> = settings.bootstrap_servers().split(',').map(|host| host.trim().to_owned()).collect();
    let reached = spawn_blocking(move || hosts.iter().map(|host| host_check(host)).collect::<Vec<_>>()).await;
    let reached = reached.unwrap_or_default();
    let nobody = reached.iter().all(Check::is_failed);
    checks.extend(reached);
    if nobody {
        return None;
    }
    let heard = Heard::default();
    let fixed = [("group.id", group.unwrap_or("ognivo-doctor")), ("enable.auto.commit", "false")];
    let client = settings.of_connection().to_client(&[("isolation.level", "read_committed")], &fixed);
    let what = format!("login as {}", user(settings));
    let consumer: BaseConsumer<Heard> = match client.create_with_context(heard.clone()) {
        Ok(consumer) => consumer,
        Err(cause) => {
            checks.push(Check::of_error(what, &KafkaError::client("cannot make a client", &cause)));
            return None;
        }
    };
    let consumer = Arc::new(consumer);
    let asking = Arc::clone(&consumer);
    let let_in = spawn_blocking(move || log_in(&asking)).await.ok()?;
    let check = match let_in {
        Ok(n_brokers) => Check::fine(what, format!("{n_brokers} brokers, {}", protocol(settings))),
        Err(error) => {
            let why = heard.0.lock().expect("nobody panics while holding this lock").clone();
            match why {
                Some((code, reason)) => Check::failed(what, reason, login_hint(code)),
                None => Check::of_error(what, &error),
            }
        }
    };
    let is_in = !check.is_failed();
    checks.push(check);
    is_in.then_some(consumer)
}

/// Who we are, as far as the settings tell.
fn user(settings: &ClientSettings) -> String {
    let of = |name: &str, what: &str| settings.get(name).map(|value| format!("{what} {value}"));
    let principal = of("sasl.kerberos.principal", "the principal");
    let by_token = || settings.get("sasl.mechanism").filter(|mechanism| mechanism.eq_ignore_ascii_case("OAUTHBEARER"));
    settings
        .get("sasl.username")
        .map(str::to_owned)
        .or_else(|| by_token().map(|_| "whom the token names".to_owned()))
        .or(principal)
        .or_else(|| of("ssl.certificate.location", "the owner of"))
        .or_else(|| of("ssl.keystore.location", "the owner of"))
        .unwrap_or_else(|| "anybody".to_owned())
}

fn login_hint(code: Code) -> Option<String> {
    let hint = match code {
        Code::SSL => "is `kafka.ssl.ca.location` the authority of the brokers, and their name in the certificate?",
        Code::BrokerTransportFailure => {
            "are `kafka.ssl.certificate.location` and `kafka.ssl.key.location` a certificate that the brokers trust?"
        }
        _ => "are `kafka.sasl.username`, `kafka.sasl.password` and `kafka.sasl.mechanism` right?",
    };
    Some(hint.to_owned())
}

fn protocol(settings: &ClientSettings) -> String {
    settings.get("security.protocol").unwrap_or("plaintext").to_lowercase()
}

/// Errors of the connection come with polling, so it is polled.
fn log_in(consumer: &BaseConsumer<Heard>) -> Result<usize, KafkaError> {
    let begin = Instant::now();
    loop {
        let error = match consumer.fetch_metadata(None, Duration::from_secs(2)) {
            Ok(metadata) => return Ok(metadata.brokers().len()),
            Err(error) => error,
        };
        while let Some(polled) = consumer.poll(Duration::from_millis(50)) {
            if let Err(ClientError::MessageConsumption(code @ (Code::Authentication | Code::SSL))) = polled {
                return Err(KafkaError::code("the broker does not let us in", code));
            }
        }
        let is_refused = consumer.context().0.lock().expect("nobody panics while holding this lock").is_some();
        if is_refused || begin.elapsed() > ANSWER {
            return Err(KafkaError::client("the broker does not answer", &error));
        }
    }
}

fn host_check(host: &str) -> Check {
    let what = format!("broker {host}");
    let connected = || -> std::io::Result<()> {
        let mut addresses = host.to_socket_addrs()?;
        let address = addresses.next().ok_or(std::io::ErrorKind::NotFound)?;
        TcpStream::connect_timeout(&address, CONNECT).map(drop)
    };
    match connected() {
        Ok(()) => Check::fine(what, "answers"),
        Err(cause) => Check::of_error(what, &Unreachable { cause }),
    }
}

/// Nobody answers at a host.
#[derive(Debug, thiserror::Error)]
#[error("cannot be reached: {cause}")]
struct Unreachable {
    cause: std::io::Error,
}

impl Explain for Unreachable {
    fn fault(&self) -> Fault {
        Fault::Remote
    }
    fn retry(&self) -> ognivo_data::fault::Retry {
        ognivo_data::fault::Retry::Backoff
    }
    fn hint(&self) -> Option<String> {
        Some("is `kafka.bootstrap.servers` right, and does the broker run?".to_owned())
    }
}

fn topic_check(consumer: &BaseConsumer<Heard>, topic: &str) -> Check {
    let what = format!("topic {topic}");
    Check::of(what, partitions_of(consumer, topic).map(|partitions| format!("{} partitions", partitions.len())))
}

fn partitions_of(consumer: &BaseConsumer<Heard>, topic: &str) -> Result<Vec<TopicPartition>, KafkaError> {
    let failed = |cause| KafkaError::client(format!("cannot ask for topic {topic}"), &cause);
    let metadata = consumer.fetch_metadata(Some(topic), ANSWER).map_err(failed)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Err(KafkaError::NoTopic { topic: topic.to_owned() });
    };
    match found.error().map(Code::from) {
        Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
            Err(KafkaError::NoTopic { topic: topic.to_owned() })
        }
        Some(code) => Err(KafkaError::code(format!("cannot ask for topic {topic}"), code)),
        None => Ok(found.partitions().iter().map(|partition| TopicPartition::new(topic, partition.id())).collect()),
    }
}

fn ask_source(consumer: &BaseConsumer<Heard>, topics: &Topics, group: Option<&str>) -> Vec<Check> {
    let mut checks = Vec::new();
    let names = match topics {
        Topics::Pattern(_) => match consumer.fetch_metadata(None, ANSWER) {
            Ok(metadata) => {
                let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
                let names: Vec<String> = names.filter(|name| topics.takes(name)).collect();
                checks.push(match names.is_empty() {
                    true => Check::warning(topics.to_string(), "no topic matches", None),
                    false => Check::fine(topics.to_string(), names.join(", ")),
                });
                names
            }
            Err(cause) => {
                checks.push(Check::of_error(
                    topics.to_string(),
                    &KafkaError::client("cannot ask for the topics", &cause),
                ));
                return checks;
            }
        },
        _ => topics.to_subscribe(),
    };
    let mut all = Vec::new();
    for name in names {
        checks.push(topic_check(consumer, &name));
        if let Ok(partitions) = partitions_of(consumer, &name) {
            checks.push(Check::of(format!("topic {name}: right to read"), may_read(consumer, &name, &partitions)));
            all.extend(partitions);
        }
    }
    if let Some(group) = group {
        checks.push(Check::of(format!("group {group}"), lag(consumer, group, &all)));
        checks.push(Check::of(format!("group {group}: right to store positions"), may_store(consumer, group)));
    }
    checks
}

fn may_read(
    consumer: &BaseConsumer<Heard>,
    topic: &str,
    partitions: &[TopicPartition],
) -> Result<&'static str, KafkaError> {
    let failed = |cause: &ClientError| KafkaError::client(format!("cannot read topic {topic}"), cause);
    let mut list = rdkafka::TopicPartitionList::new();
    for at in partitions {
        list.add_partition_offset(topic, at.partition, Offset::End).map_err(|cause| failed(&cause))?;
    }
    consumer.assign(&list).map_err(|cause| failed(&cause))?;
    let begin = Instant::now();
    let mut refused = None;
    while begin.elapsed() < LISTEN && refused.is_none() {
        if let Some(Err(ClientError::MessageConsumption(code @ Code::TopicAuthorizationFailed))) =
            consumer.poll(Duration::from_millis(50))
        {
            refused = Some(code);
        }
    }
    let _ = consumer.unassign();
    refused.map_or(Ok("granted"), |code| Err(KafkaError::code(format!("cannot read topic {topic}"), code)))
}

/// How far the group is behind.
fn lag(consumer: &BaseConsumer<Heard>, group: &str, partitions: &[TopicPartition]) -> Result<String, KafkaError> {
    let failed = |cause| KafkaError::client(format!("cannot use group {group}"), &cause);
    let committed = consumer.committed_offsets(crate::offsets::list_of(partitions), ANSWER).map_err(failed)?;
    let (mut lag, mut n_known) = (0, 0);
    for element in committed.elements() {
        element.error().map_err(failed)?;
        if let Offset::Offset(at) = element.offset() {
            let (_, end) = consumer.fetch_watermarks(element.topic(), element.partition(), ANSWER).map_err(failed)?;
            lag += (end - at).max(0);
            n_known += 1;
        }
    }
    Ok(match n_known {
        0 => "no position yet: the job begins at startingOffsets".to_owned(),
        _ => format!("{lag} records behind in {n_known} of {} partitions", partitions.len()),
    })
}

/// No broker has such a topic.
const NO_TOPIC: &str = "ognivo-doctor-looks-for-a-right-only";

/// Asks by a position that has no place to go to: a broker looks at the right to the group first.
fn may_store(consumer: &BaseConsumer<Heard>, group: &str) -> Result<&'static str, KafkaError> {
    let doing = || format!("cannot store positions in group {group}");
    let mut list = rdkafka::TopicPartitionList::new();
    let added = list.add_partition_offset(NO_TOPIC, 0, Offset::Offset(0));
    added.map_err(|cause| KafkaError::client(doing(), &cause))?;
    let answer = consumer.commit(&list, CommitMode::Sync);
    match answer.as_ref().map_err(ClientError::rdkafka_error_code) {
        Ok(())
        | Err(Some(
            Code::UnknownTopicOrPartition
            | Code::TopicAuthorizationFailed
            | Code::UnknownMemberId
            | Code::IllegalGeneration
            | Code::RebalanceInProgress,
        )) => Ok("granted"),
        Err(_) => answer.map(|()| "granted").map_err(|cause| KafkaError::client(doing(), &cause)),
    }
}

/// What the brokers have agreed on about transactions, as the first of them that answers tells it.
fn version_check(settings: &ClientSettings) -> Check {
    let what = "transaction version of the cluster";
    let mut told = settings.bootstrap_servers().split(',').map(|host| transaction_version(settings, host.trim()));
    Check::fine(what, told.find_map(Result::ok).map_or("not told".to_owned(), |version| version.to_string()))
}

/// Whether transactions that are open keep readers of committed records from what is behind them.
fn open_transactions(settings: &ClientSettings, of_committed: &BaseConsumer<Heard>, topic: &str) -> Check {
    let what = format!("topic {topic}: open transactions");
    let asked = || -> Result<Vec<String>, KafkaError> {
        let failed = |cause| KafkaError::client(format!("cannot ask where topic {topic} ends"), &cause);
        let fixed = [("isolation.level", "read_uncommitted")];
        let of_all: BaseConsumer = settings.of_connection().to_client(&[], &fixed).create().map_err(failed)?;
        let mut open = Vec::new();
        for at in partitions_of(of_committed, topic)? {
            // In this order: what is committed in between is no open transaction.
            let (_, all) = of_all.fetch_watermarks(topic, at.partition, ANSWER).map_err(failed)?;
            let (_, committed) = of_committed.fetch_watermarks(topic, at.partition, ANSWER).map_err(failed)?;
            if committed < all {
                open.push(format!("{at} from offset {committed} on, {} records", all - committed));
            }
        }
        Ok(open)
    };
    match asked() {
        Ok(open) if open.is_empty() => Check::fine(what, "none"),
        Ok(open) => {
            let hint = "a stream that runs has one for a moment; what a dead one left open ends when its job starts again, or after \
                        `transaction.timeout.ms`";
            let text = format!("readers of committed records do not see {}", open.join("; "));
            Check::warning(what, text, Some(hint.to_owned()))
        }
        Err(error) => Check::of_error(what, &error),
    }
}

/// What the topic takes at most, and whether it would take it from us.
async fn may_write(settings: &ClientSettings, topic: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    let limit = largest_record(settings, topic).await;
    let ours: u64 = settings.get("message.max.bytes").and_then(|bytes| bytes.parse().ok()).unwrap_or(1_000_000);
    let what = format!("topic {topic}: largest record");
    let limit = match limit {
        Ok(limit) if limit < ours => {
            let text = format!("{limit} bytes in the topic, {ours} in the job");
            let hint =
                "set `kafka.message.max.bytes` to what the topic takes, or raise `max.message.bytes` of the topic";
            checks.push(Check::warning(what, text, Some(hint.to_owned())));
            limit
        }
        Ok(limit) => {
            checks.push(Check::fine(what, format!("{limit} bytes in the topic, {ours} in the job")));
            limit
        }
        Err(error) => {
            checks.push(Check::warning(what, error.to_string(), error.hint()));
            // What a broker takes that nobody has told otherwise.
            1_048_588
        }
    };
    let what = format!("topic {topic}: right to write");
    match limit {
        limit if limit > LARGEST_BYTES => {
            let text = format!("not asked: a record above its limit of {limit} bytes would be too much to send");
            checks.push(Check::warning(what, text, None));
        }
        limit => checks.push(Check::of(what, try_to_write(settings, topic, limit).await)),
    }
    checks
}

async fn try_to_write(settings: &ClientSettings, topic: &str, limit: u64) -> Result<&'static str, KafkaError> {
    let size = limit as usize + 4096;
    let largest = (size + 65536).to_string();
    let fixed =
        [("message.max.bytes", largest.as_str()), ("message.timeout.ms", "10000"), ("compression.type", "none")];
    let producer = Producer::new(&settings.of_connection().to_client(&[], &fixed))?;
    let value = vec![0; size];
    let record = Outgoing { topic, partition: Some(0), key: None, value: Some(&value), headers: None };
    let account = producer.open_account()?;
    producer.send(&account, record).await?;
    match account.arrived().await {
        // Refused for its size: our rights were looked at before.
        Err(KafkaError::Client { code: Some(Code::MessageSizeTooLarge), .. }) | Ok(_) => Ok("granted"),
        Err(error) => Err(error),
    }
}

async fn largest_record(settings: &ClientSettings, topic: &str) -> Result<u64, KafkaError> {
    let doing = || format!("cannot ask for the settings of topic {topic}");
    let admin: AdminClient<DefaultClientContext> =
        settings.of_connection().to_client(&[], &[]).create().map_err(|cause| KafkaError::client(doing(), &cause))?;
    let options = AdminOptions::new().request_timeout(Some(ANSWER));
    let found = admin.describe_configs([&ResourceSpecifier::Topic(topic)], &options).await;
    let found = found.map_err(|cause| KafkaError::client(doing(), &cause))?;
    match found.into_iter().next() {
        Some(Ok(resource)) => {
            let value = resource.get("max.message.bytes").and_then(|entry| entry.value.clone());
            value.and_then(|bytes| bytes.parse().ok()).ok_or_else(|| KafkaError::code(doing(), Code::InvalidConfig))
        }
        Some(Err(code)) => Err(KafkaError::code(doing(), code)),
        None => Err(KafkaError::code(doing(), Code::InvalidConfig)),
    }
}

/// An id of our own kind that no instance has.
async fn may_use_id(settings: &ClientSettings, id: &str) -> Check {
    let what = format!("transactional id {id}");
    let asked = async {
        let producer = Producer::new(&settings.of_connection().to_client(&[], &[("transactional.id", id)]))?;
        producer.init_transactions(id).await
    };
    Check::of(what, asked.await.map(|()| "granted"))
}
