//! A broker of real Kafka that is its own controller, on free ports of the loopback.
//!
//! ```text
//! <cache>/kafka/lib/*.jar                        what Maven resolved, once
//! <cache>/services/kafka/server.properties       settings; log4j2.properties, tools-log4j2.properties
//! <cache>/services/kafka/data                    what the broker keeps; an earlier run's is removed at the start
//! <cache>/services/kafka/server.log              what it says, appended over restarts
//! <cache>/services/kafka/broker.log broker.pid   what Java says, and its process
//! <cache>/services/kafka/certs                   an authority of its own and the broker's certificate
//! ```
//! It listens three times: without a login (who comes there may do everything), with SASL, and with SASL within TLS. `admin`
//! (PLAIN, `admin-secret`) and `alice` (SCRAM-SHA-512, `alice-secret`) may do everything, `bob` (PLAIN, `bob-secret`) nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::packages;
use super::server::{Server, free_ports};
use crate::cache;

/// On two busy cores a broker needs 12 s.
const READY_DEADLINE: Duration = Duration::from_secs(120);

const BROKER: &str = "broker";

/// Any 22 letters of base64 that stand for 16 bytes.
const CLUSTER_ID: &str = "4L6g3nShT-eMCtK--X86sw";

/// What the broker says when it serves.
const READY: &str = "Kafka Server started";

/// A running broker.
#[derive(Debug)]
pub(crate) struct Broker {
    folder: PathBuf,
    address: String,
    sasl_address: String,
    tls_address: String,
}

impl Broker {
    /// Starts a broker that holds nothing; what an earlier one left in `folder` of the cache is stopped and removed.
    ///
    /// # Errors
    /// What could not be started, with the end of its log.
    pub(crate) fn start_empty(folder: &str) -> Result<Broker, String> {
        Broker::stop_in(folder)?;
        let folder = cache::folder(folder)?;
        let failed = |e: std::io::Error| format!("cannot prepare {}: {e}", folder.display());
        fs::remove_dir_all(&folder).map_err(failed)?;
        fs::create_dir_all(&folder).map_err(failed)?;
        let [port, sasl_port, tls_port, controller_port] = free_ports::<4>().map_err(failed)?;
        let broker = Broker {
            folder: folder.clone(),
            address: format!("127.0.0.1:{port}"),
            sasl_address: format!("127.0.0.1:{sasl_port}"),
            tls_address: format!("localhost:{tls_port}"),
        };
        let to_file = log_settings("File", &format!("fileName = {}", broker.path("server.log").display()), "INFO");
        let to_stderr = log_settings("Console", "target = SYSTEM_ERR", "WARN");
        for (name, text) in [
            ("server.properties", settings(&broker, controller_port)),
            ("log4j2.properties", to_file),
            ("tools-log4j2.properties", to_stderr),
        ] {
            fs::write(broker.path(name), text).map_err(failed)?;
        }
        println!("== starting a Kafka broker in {}", folder.display());
        broker.make_certificates()?;
        broker.format()?;
        broker.start()?;
        Ok(broker)
    }

    /// The broker that runs in `folder` of the cache; None when it does not.
    ///
    /// # Errors
    /// When the cache folder cannot be had.
    pub(crate) fn running(folder: &str) -> Result<Option<Broker>, String> {
        let folder = cache::folder(folder)?;
        let settings = fs::read_to_string(folder.join("server.properties")).unwrap_or_default();
        let listener = |name: &str| -> Option<String> {
            let all = settings.lines().find_map(|line| line.strip_prefix("advertised.listeners="))?;
            all.split(',').find_map(|one| one.strip_prefix(name)?.strip_prefix("://")).map(str::to_owned)
        };
        let addresses = listener("PLAINTEXT").zip(listener("SASL_PLAINTEXT")).zip(listener("SASL_SSL"));
        let found = addresses.zip(Server::find(BROKER, &folder));
        Ok(found.map(|(((address, sasl_address), tls_address), _)| Broker {
            folder,
            address,
            sasl_address,
            tls_address,
        }))
    }

    /// Stops the broker that runs in `folder` of the cache.
    ///
    /// # Errors
    /// When it does not end.
    pub(crate) fn stop_in(folder: &str) -> Result<(), String> {
        match Server::find(BROKER, &cache::folder(folder)?) {
            Some(server) => server.stop(),
            None => Ok(()),
        }
    }

    /// `127.0.0.1:port`
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// `127.0.0.1:port`, where a login is asked for.
    pub(crate) fn sasl_address(&self) -> &str {
        &self.sasl_address
    }

    /// `localhost:port`, where a login is asked for within TLS.
    pub(crate) fn tls_address(&self) -> &str {
        &self.tls_address
    }

    /// Where it keeps its log, process id, data and certificates.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn start(&self) -> Result<(), String> {
        let n_before = self.n_times_ready();
        let mut java = self.java("log4j2.properties", "kafka.Kafka")?;
        let server = Server::start(BROKER, &self.folder, java.arg(self.path("server.properties")))?;
        let begin = Instant::now();
        while self.n_times_ready() == n_before {
            if !server.is_running() {
                return Err(format!("the broker ended; {}", server.last_words()));
            }
            if begin.elapsed() > READY_DEADLINE {
                return Err(format!(
                    "Kafka is not ready after {} s: {}",
                    begin.elapsed().as_secs(),
                    self.path("server.log").display()
                ));
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// The log is appended to, so an earlier start's line is in it too.
    fn n_times_ready(&self) -> usize {
        fs::read_to_string(self.path("server.log")).unwrap_or_default().matches(READY).count()
    }

    fn format(&self) -> Result<(), String> {
        let mut java = self.java("tools-log4j2.properties", "kafka.tools.StorageTool")?;
        java.args(["format", "--standalone", "-t", CLUSTER_ID, "-c"]).arg(self.path("server.properties"));
        java.args(["--add-scram", "SCRAM-SHA-512=[name=alice,password=alice-secret]"]);
        let done = java.stdout(Stdio::null()).output().map_err(|e| format!("cannot start java: {e}"))?;
        match done.status.success() {
            true => Ok(()),
            false => Err(format!("the broker cannot be formatted:\n{}", String::from_utf8_lossy(&done.stderr))),
        }
    }

    /// An authority, and a certificate of the broker's that it signed.
    fn make_certificates(&self) -> Result<(), String> {
        let folder = self.path("certs");
        let failed = |e: std::io::Error| format!("cannot write to {}: {e}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n";
        fs::write(folder.join("names"), names).map_err(failed)?;
        let authority = "req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=ognivo-tests -keyout ca.key -out ca.pem \
                         -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign";
        let request = "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout broker.key -out broker.csr";
        let sign = "x509 -req -in broker.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out broker.crt -extfile names";
        for arguments in [authority, request, sign] {
            let mut openssl = Command::new("openssl");
            openssl.args(arguments.split_whitespace()).current_dir(&folder);
            let done = openssl.output().map_err(|e| format!("cannot start openssl: {e}"))?;
            if !done.status.success() {
                return Err(format!("openssl {arguments}:\n{}", String::from_utf8_lossy(&done.stderr)));
            }
        }
        let text = |name: &str| fs::read_to_string(folder.join(name)).map_err(failed);
        let whole = [text("broker.key")?, text("broker.crt")?, text("ca.pem")?].concat();
        fs::write(folder.join("broker.pem"), whole).map_err(failed)
    }

    /// A class of Kafka's.
    fn java(&self, log: &str, class: &str) -> Result<Command, String> {
        let jars = packages::jars("kafka", include_str!("kafka.xml"))?;
        let mut java = Command::new("java");
        java.args(["-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.arg("-Djava.net.preferIPv4Stack=true");
        java.arg(format!("-Dlog4j2.configurationFile={}", self.path(log).display()));
        java.arg("-cp").arg(format!("{}/*", jars.display())).arg(class);
        Ok(java)
    }
}

/// One node that is broker and controller, with few partitions of its own and quick answers for tests.
fn settings(broker: &Broker, controller_port: u16) -> String {
    let Broker { address, sasl_address, tls_address, .. } = broker;
    let (data, certs) = (broker.path("data"), broker.path("certs"));
    let (data, certs) = (data.display(), certs.display());
    let tls_listener = tls_address.replace("localhost", "127.0.0.1");
    let module = |name: &str| format!("org.apache.kafka.common.security.{name} required");
    let plain = format!("{} user_admin=\"admin-secret\" user_bob=\"bob-secret\";", module("plain.PlainLoginModule"));
    let scram = format!("{};", module("scram.ScramLoginModule"));
    let logins: String = ["sasl_plaintext", "sasl_ssl"]
        .map(|listener| {
            format!(
                "listener.name.{listener}.plain.sasl.jaas.config={plain}\n\
                 listener.name.{listener}.scram-sha-512.sasl.jaas.config={scram}\n"
            )
        })
        .concat();
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://{address},SASL_PLAINTEXT://{sasl_address},SASL_SSL://{tls_listener},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://{address},SASL_PLAINTEXT://{sasl_address},SASL_SSL://{tls_address}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
{logins}ssl.keystore.type=PEM
ssl.keystore.location={certs}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={certs}/ca.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:admin;User:alice
allow.everyone.if.no.acl.found=false
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=5
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=5
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=500
group.consumer.min.session.timeout.ms=3000
group.consumer.session.timeout.ms=6000
auto.create.topics.enable=false
log.segment.bytes=16777216
log.index.size.max.bytes=1048576
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=8388608
"
    )
}

fn log_settings(kind: &str, target: &str, level: &str) -> String {
    format!(
        "status = error
appender.a.type = {kind}
appender.a.name = A
appender.a.{target}
appender.a.layout.type = PatternLayout
appender.a.layout.pattern = %d{{ISO8601}} %p %m (%c)%n%throwable
rootLogger.level = {level}
rootLogger.appenderRef.a.ref = A
"
    )
}
