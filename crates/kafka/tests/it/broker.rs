//! Topics on the broker that `cargo xtask kafka` started, as a test sees them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use uuid::Uuid;

const DEADLINE: Duration = Duration::from_secs(60);

/// What `cargo xtask kafka` says of its broker.
fn told(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: these tests are run by `cargo xtask kafka`"))
}

pub(crate) fn address() -> String {
    told("OGNIVO_KAFKA")
}

/// Where the schema registry is.
pub(crate) fn registry() -> String {
    told("OGNIVO_REGISTRY")
}

/// Where a login is asked for.
pub(crate) fn sasl_address() -> String {
    told("OGNIVO_KAFKA_SASL")
}

/// Where a login is asked for within TLS.
pub(crate) fn tls_address() -> String {
    told("OGNIVO_KAFKA_TLS")
}

/// Where a certificate is asked for.
pub(crate) fn certificate_address() -> String {
    told("OGNIVO_KAFKA_CERTIFICATE")
}

/// A file of the authority that signed the broker's certificate and the one of `carol`: `ca.pem`, `client.crt`, `client.key`.
pub(crate) fn certificate(name: &str) -> String {
    let folder = PathBuf::from(told("OGNIVO_KAFKA_SERVERS"));
    folder.join("certs").join(name).display().to_string()
}

/// The folder of the KDC, where one was started: then `frank` logs in with his keytab.
pub(crate) fn kdc() -> Option<PathBuf> {
    std::env::var_os("OGNIVO_KDC").map(PathBuf::from)
}

/// How many brokers keep a record.
fn replication() -> i32 {
    std::env::var("OGNIVO_KAFKA_REPLICATION").map_or(1, |n| n.parse().unwrap())
}

/// Where it is within TLS, with a certificate of the same authority as the broker's.
pub(crate) fn registry_tls() -> String {
    told("OGNIVO_REGISTRY_TLS")
}

/// A number that a campaign gives; None outside of one.
pub(crate) fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Numbers of a seed that is printed.
pub(crate) struct Dice(u64);

impl Dice {
    /// From the seed that is asked for, or from the time.
    pub(crate) fn new() -> Dice {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let seed = asked("OGNIVO_KAFKA_SEED").unwrap_or(now.as_secs());
        println!("OGNIVO_KAFKA_SEED={seed}");
        Dice::of_seed(seed)
    }

    /// Neighbouring seeds begin far from each other.
    pub(crate) fn of_seed(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

/// A name that no other test has.
pub(crate) fn unique(name: &str) -> String {
    format!("{name}-{}", &Uuid::new_v4().simple().to_string()[..12])
}

fn client() -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", address());
    client
}

fn admin() -> AdminClient<DefaultClientContext> {
    client().create().unwrap()
}

/// A topic of its own.
pub(crate) struct Topic {
    pub(crate) name: String,
    producer: ThreadedProducer<DefaultProducerContext>,
}

/// One record that a reader of committed records sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<String>,
    pub(crate) value: Option<String>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Topic {
    pub(crate) async fn new(name: &str, n_partitions: i32) -> Topic {
        let name = unique(name);
        let new = NewTopic::new(&name, n_partitions, TopicReplication::Fixed(replication()));
        let made = admin().create_topics([&new], &AdminOptions::new().operation_timeout(Some(DEADLINE))).await.unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        // Idempotent: a broker that dies after it has stored records and before it says so would have them twice, and a
        // stream rightly too.
        let mut settings = client();
        let producer = settings.set("linger.ms", "1").set("enable.idempotence", "true").create().unwrap();
        let topic = Topic { name, producer };
        // Made means that the controller knows it; the brokers hear of it later.
        topic.wait_until_seen(n_partitions as usize);
        topic
    }

    fn wait_until_seen(&self, n_partitions: usize) {
        let begin = Instant::now();
        loop {
            let metadata = self.producer.client().fetch_metadata(Some(&self.name), DEADLINE).unwrap();
            let partitions = metadata.topics()[0].partitions();
            if partitions.len() == n_partitions && partitions.iter().all(|partition| partition.leader() >= 0) {
                return;
            }
            assert!(begin.elapsed() < DEADLINE, "the brokers do not know {}", self.name);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Adds records to a partition; returns when the broker has them.
    pub(crate) fn add<V: AsRef<[u8]>>(&self, partition: i32, values: impl IntoIterator<Item = V>) {
        for value in values {
            self.send(BaseRecord::<[u8], [u8]>::to(&self.name).partition(partition).payload(value.as_ref()));
        }
        self.producer.flush(DEADLINE).unwrap();
    }

    pub(crate) fn add_whole(&self, key: Option<&str>, value: Option<&str>, headers: &[(&str, Option<&str>)]) {
        let mut record = BaseRecord::<[u8], [u8]>::to(&self.name).partition(0);
        (record.key, record.payload) = (key.map(str::as_bytes), value.map(str::as_bytes));
        if !headers.is_empty() {
            let all =
                headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: *value }));
            record = record.headers(all);
        }
        self.send(record);
        self.producer.flush(DEADLINE).unwrap();
    }

    fn send(&self, record: BaseRecord<'_, [u8], [u8]>) {
        let mut record = Some(record);
        while let Some(next) = record.take() {
            if let Err((error, back)) = self.producer.send(next) {
                // The other is a partition that was added a moment ago.
                let passes = [Code::QueueFull, Code::UnknownPartition].map(KafkaError::MessageProduction);
                assert!(passes.contains(&error), "{error}");
                let _ = self.producer.client().fetch_metadata(Some(&self.name), DEADLINE);
                record = Some(back);
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    pub(crate) async fn add_partitions(&self, n_partitions: usize) {
        let more = NewPartitions::new(&self.name, n_partitions);
        let made = admin().create_partitions([&more], &AdminOptions::new()).await.unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// Deletes the topic; returns when the brokers do not know it any more.
    pub(crate) async fn delete(&self) {
        let deleted = admin().delete_topics(&[&self.name], &AdminOptions::new()).await.unwrap();
        assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
        let (asking, begin): (BaseConsumer, _) = (client().create().unwrap(), Instant::now());
        while asking.fetch_metadata(Some(&self.name), DEADLINE).unwrap().topics()[0].error().is_none() {
            assert!(begin.elapsed() < DEADLINE, "the brokers still know {}", self.name);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Makes another topic of the same name.
    pub(crate) async fn make_again(&self, n_partitions: i32) {
        let new = NewTopic::new(&self.name, n_partitions, TopicReplication::Fixed(replication()));
        let made = admin().create_topics([&new], &AdminOptions::new()).await.unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
        self.wait_until_seen(n_partitions as usize);
    }

    /// Whether a group has a position in each partition.
    pub(crate) fn is_positioned(&self, group: &str, n_partitions: i32) -> bool {
        let asking: BaseConsumer = client().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&self.name, 0, n_partitions - 1);
        // A new broker has no coordinator for a moment.
        let Ok(positions) = asking.committed_offsets(list, DEADLINE) else { return false };
        positions.elements().iter().all(|element| matches!(element.offset(), Offset::Offset(_)))
    }

    /// Leaves a group that rests the position of one partition only, and what stands beside it.
    pub(crate) async fn keep_position(&self, group: &str, partition: i32) {
        let asking: BaseConsumer = client().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition(&self.name, partition);
        let kept = asking.committed_offsets(list, DEADLINE).unwrap();
        let deleted = admin().delete_groups(&[group], &AdminOptions::new()).await.unwrap();
        assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
        asking.commit(&kept, CommitMode::Sync).unwrap();
    }

    /// The offset behind all that was written to a partition, the markers of transactions too.
    pub(crate) fn end(&self, partition: i32) -> i64 {
        self.producer.client().fetch_watermarks(&self.name, partition, DEADLINE).unwrap().1
    }

    /// Removes the records of a partition before an offset, as retention does.
    pub(crate) async fn delete_before(&self, partition: i32, offset: i64) {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.name, partition, Offset::Offset(offset)).unwrap();
        admin().delete_records(&list, &AdminOptions::new()).await.unwrap();
    }

    /// Waits until every replica of every partition is in sync.
    pub(crate) fn wait_for_replicas(&self) {
        let consumer: BaseConsumer = client().create().unwrap();
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < DEADLINE, "the replicas of {} are not in sync", self.name);
            std::thread::sleep(Duration::from_millis(100));
            let Ok(metadata) = consumer.fetch_metadata(Some(&self.name), Duration::from_secs(1)) else { continue };
            let mut partitions = metadata.topics()[0].partitions().iter();
            if partitions.all(|partition| partition.isr().len() as i32 == replication()) {
                return;
            }
        }
    }

    /// Everything that is committed, partition after partition.
    pub(crate) fn committed(&self) -> Vec<Seen> {
        let mut seen = self.read_committed(|message| {
            let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
            let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
            Seen {
                partition: message.partition(),
                offset: message.offset(),
                key: text(message.key()),
                value: text(message.payload()),
                headers: headers.map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect(),
            }
        });
        seen.sort_by_key(|seen| (seen.partition, seen.offset));
        seen
    }

    /// The values of all records that are committed, in any order.
    pub(crate) fn values(&self) -> Vec<Option<Vec<u8>>> {
        self.read_committed(|message| message.payload().map(<[u8]>::to_vec))
    }

    fn read_committed<T>(&self, of: impl Fn(&BorrowedMessage<'_>) -> T) -> Vec<T> {
        let mut settings = client();
        settings.set("group.id", "reader").set("isolation.level", "read_committed").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = settings.set("enable.partition.eof", "true").create().unwrap();
        let metadata = (0..60).find_map(|_| consumer.fetch_metadata(Some(&self.name), Duration::from_secs(1)).ok());
        let metadata = metadata.expect("the broker is there");
        let mut open: BTreeSet<i32> = metadata.topics()[0].partitions().iter().map(|p| p.id()).collect();
        let mut list = TopicPartitionList::new();
        for partition in &open {
            list.add_partition_offset(&self.name, *partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&list).unwrap();
        let (mut seen, begin) = (Vec::new(), Instant::now());
        while !open.is_empty() {
            assert!(begin.elapsed() < DEADLINE, "the end of {} is not reached", self.name);
            match consumer.poll(Duration::from_millis(100)) {
                None => {}
                Some(Err(KafkaError::PartitionEOF(partition))) => drop(open.remove(&partition)),
                // A broker that is away comes back in time, or the deadline says so.
                Some(Err(KafkaError::MessageConsumption(Code::BrokerTransportFailure | Code::AllBrokersDown))) => {}
                Some(Err(error)) => panic!("{error}"),
                Some(Ok(message)) => seen.push(of(&message)),
            }
        }
        seen
    }

    /// One field of the JSON of each committed record, sorted.
    pub(crate) fn fields(&self, name: &str) -> Vec<String> {
        let of = |seen: Seen| {
            let json: serde_json::Value = serde_json::from_str(&seen.value.unwrap()).unwrap();
            json.get(name).map_or_else(
                || "absent".to_owned(),
                |field| field.as_str().map_or_else(|| field.to_string(), str::to_owned),
            )
        };
        let mut fields: Vec<String> = self.committed().into_iter().map(of).collect();
        fields.sort_unstable();
        fields
    }
}

/// The process of a server: a broker's, or the registry's.
pub(crate) struct Server {
    pid_file: PathBuf,
    command_line: Vec<String>,
}

impl Server {
    pub(crate) fn of_broker() -> Server {
        Server::in_folder("broker", &PathBuf::from(told("OGNIVO_KAFKA_SERVERS")))
    }

    pub(crate) fn of_registry() -> Server {
        Server::in_folder("registry", &PathBuf::from(told("OGNIVO_REGISTRY_SERVERS")))
    }

    /// The brokers of a cluster of three.
    pub(crate) fn of_three() -> [Server; 3] {
        let folder = PathBuf::from(told("OGNIVO_KAFKA_SERVERS"));
        [1, 2, 3].map(|n| Server::in_folder("broker", &folder.join(format!("node-{n}"))))
    }

    fn in_folder(name: &str, folder: &Path) -> Server {
        let pid_file = folder.join(format!("{name}.pid"));
        let id = std::fs::read_to_string(&pid_file).unwrap();
        let command_line = std::fs::read_to_string(format!("/proc/{}/cmdline", id.trim())).unwrap();
        let command_line: Vec<String> =
            command_line.split('\0').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        assert!(!command_line.is_empty(), "the {name} runs");
        Server { pid_file, command_line }
    }

    /// Gives a user a right, by Kafka's own command.
    pub(crate) fn grant(&self, user: &str, right: &str, on: &[&str]) {
        let classes = self.command_line.iter().position(|word| word == "-cp").unwrap() + 1;
        let mut command = Command::new(&self.command_line[0]);
        command.args(["-cp", &self.command_line[classes], "org.apache.kafka.tools.AclCommand"]);
        command.args(["--bootstrap-server", &address(), "--add", "--allow-principal", &format!("User:{user}")]);
        let ran = command.args(["--operation", right]).args(on).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }

    /// Whether the broker says that it left out the markers of a transaction of this job, whose commit stands in its log.
    ///
    /// Kafka 4.3 does so when it is started again before it has missed itself: it knows its partitions from before, sends the
    /// markers that are due, and takes them for those of deleted topics when it registers anew and has no leader for a moment.
    /// The rows of that transaction stay open, and go the way of the next one of the same producer, which may be aborted.
    pub(crate) fn left_out_markers_of(&self, job: &str) -> bool {
        let log = std::fs::read_to_string(self.pid_file.with_file_name("server.log")).unwrap();
        log.lines().any(|line| line.contains("likely deleted already and hence can be skipped") && line.contains(job))
    }

    pub(crate) fn kill(&self) {
        let id = std::fs::read_to_string(&self.pid_file).unwrap();
        let sent = Command::new("kill").args(["-KILL", id.trim()]).status().unwrap();
        assert!(sent.success(), "signal to process {id}");
    }

    /// Starts it again over what it has; returns at once.
    pub(crate) fn start(&self) {
        let log = std::fs::File::options().append(true).open(self.pid_file.with_extension("log")).unwrap();
        let mut command = Command::new(&self.command_line[0]);
        command.args(&self.command_line[1..]).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let id = command.spawn().unwrap().id();
        std::fs::write(&self.pid_file, id.to_string()).unwrap();
    }
}
