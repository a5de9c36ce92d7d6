//! A broker of real Kafka that is its own controller, on free ports of the loopback.
//!
//! ```text
//! <cache>/kafka/lib/*.jar                        what Maven resolved, once
//! <cache>/services/kafka/server.properties       settings; log4j2.properties, tools-log4j2.properties
//! <cache>/services/kafka/data                    what the broker keeps; an earlier run's is removed at the start
//! <cache>/services/kafka/server.log              what it says, appended over restarts
//! <cache>/services/kafka/broker.log broker.pid   what Java says, and its process
//! <cache>/services/kafka/certs                   an authority of its own, the broker's certificate and carol's
//! ```
//! It listens four times: without a login (who comes there may do everything), with SASL, with SASL within TLS, and within TLS to
//! whoever shows a certificate. `admin` (PLAIN, `admin-secret`), `alice` (SCRAM-SHA-512, `alice-secret`), `erin` (SCRAM-SHA-256,
//! `erin-secret`), `dora` (OAUTHBEARER, an unsigned token) and `carol` (by `client.crt`) may do everything, `bob` (PLAIN,
//! `bob-secret`) nothing. With a KDC, in `<folder>/kerberos`, `frank` (GSSAPI, within TLS) may do everything too.

mod node;
pub(crate) mod three;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::kerberos::{Kdc, REALM};
use super::packages;
use super::server::free_ports;
use crate::{cache, program};
use node::Node;

/// What PySpark 3.5 needs to read and write topics, as its setting `spark.jars` takes it.
///
/// # Errors
/// When Maven cannot resolve it.
pub(crate) fn spark_jars() -> Result<String, String> {
    all_in(&packages::jars("spark-kafka", include_str!("spark_kafka.xml"))?)
}

/// The same for the newest Spark.
///
/// # Errors
/// When Maven cannot resolve it.
pub(crate) fn newest_spark_jars() -> Result<String, String> {
    all_in(&packages::jars("spark-kafka-newest", include_str!("spark_kafka_newest.xml"))?)
}

fn all_in(folder: &Path) -> Result<String, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let jars: Vec<String> = entries.flatten().map(|entry| entry.path().display().to_string()).collect();
    Ok(jars.join(","))
}

/// A running broker.
#[derive(Debug)]
pub(crate) struct Broker {
    node: Node,
    address: String,
    sasl_address: String,
    tls_address: String,
    certificate_address: String,
    kdc: Option<Kdc>,
}

/// Where the KDC keeps what it has, below the broker's folder.
const KERBEROS: &str = "kerberos";

impl Broker {
    /// Starts a broker that holds nothing; what an earlier one left in `folder` of the cache is stopped and removed.
    ///
    /// # Errors
    /// What could not be started, with the end of its log.
    pub(crate) fn start_empty(folder: &str) -> Result<Broker, String> {
        Broker::start(folder, |_node| Ok(None))
    }

    /// The same with a KDC.
    ///
    /// # Errors
    /// What could not be started, with the end of its log.
    pub(crate) fn start_with_kerberos(folder: &str) -> Result<Broker, String> {
        Broker::start(folder, |node| Kdc::start(&node.path(KERBEROS), &["kafka/localhost"], &["frank"]).map(Some))
    }

    fn start(folder: &str, kdc: impl FnOnce(&Node) -> Result<Option<Kdc>, String>) -> Result<Broker, String> {
        Broker::stop_in(folder)?;
        let folder = cache::folder(folder)?;
        println!("== starting a Kafka broker in {}", folder.display());
        let ports = free_ports::<5>().map_err(|e| format!("no port is free: {e}"))?;
        let [port, sasl_port, tls_port, certificate_port, controller_port] = ports;
        let node = Node::new(&folder)?;
        let kdc = kdc(&node)?;
        let broker = Broker {
            node: match &kdc {
                Some(kdc) => node.with_kerberos(&kdc.client_conf()),
                None => node,
            },
            kdc,
            address: format!("127.0.0.1:{port}"),
            sasl_address: format!("127.0.0.1:{sasl_port}"),
            tls_address: format!("localhost:{tls_port}"),
            certificate_address: format!("localhost:{certificate_port}"),
        };
        broker.node.write("server.properties", &settings(&broker, controller_port))?;
        broker.make_certificates()?;
        let alice = "SCRAM-SHA-512=[name=alice,password=alice-secret]";
        let erin = "SCRAM-SHA-256=[name=erin,password=erin-secret]";
        broker.node.format(&["--standalone", "--add-scram", alice, "--add-scram", erin])?;
        broker.node.start()?.wait()?;
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
        let names = ["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "SSL"];
        let addresses: Option<Vec<String>> = names.into_iter().map(listener).collect();
        let addresses: Option<[String; 4]> = addresses.and_then(|addresses| addresses.try_into().ok());
        let node = Node::of_folder(folder);
        let found = addresses.filter(|_| node.is_running());
        Ok(found.map(|[address, sasl_address, tls_address, certificate_address]| Broker {
            node,
            address,
            sasl_address,
            tls_address,
            certificate_address,
            kdc: None,
        }))
    }

    /// Stops the broker that runs in `folder` of the cache.
    ///
    /// # Errors
    /// When it does not end.
    pub(crate) fn stop_in(folder: &str) -> Result<(), String> {
        let node = Node::of_folder(cache::folder(folder)?);
        Kdc::stop_in(&node.path(KERBEROS)).and(node.stop())
    }

    /// Makes an empty topic.
    ///
    /// # Errors
    /// When the broker refuses.
    pub(crate) fn make_topic(&self, name: &str, n_partitions: u32) -> Result<(), String> {
        let n_partitions = n_partitions.to_string();
        let words = ["--bootstrap-server", &self.address, "--create", "--topic", name, "--partitions", &n_partitions];
        program::run(self.node.tool("org.apache.kafka.tools.TopicCommand")?.args(words))
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

    /// `localhost:port`, where a certificate is asked for.
    pub(crate) fn certificate_address(&self) -> &str {
        &self.certificate_address
    }

    /// Where it keeps its log, process id, data and certificates.
    pub(crate) fn folder(&self) -> &Path {
        self.node.folder()
    }

    /// Where one logs in with Kerberos.
    pub(crate) fn kdc(&self) -> Option<&Kdc> {
        self.kdc.as_ref()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.node.path(name)
    }

    /// An authority, and certificates of the broker's and of carol's that it signed.
    fn make_certificates(&self) -> Result<(), String> {
        let folder = self.path("certs");
        let failed = |e: std::io::Error| format!("cannot write to {}: {e}", folder.display());
        fs::create_dir_all(&folder).map_err(failed)?;
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n";
        fs::write(folder.join("names"), names).map_err(failed)?;
        let authority = "req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=ognivo-tests -keyout ca.key -out ca.pem \
                         -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign";
        let request = |of: &str, name: &str| {
            format!("req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {of}.key -out {of}.csr")
        };
        let sign = |of: &str| {
            format!(
                "x509 -req -in {of}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out {of}.crt -extfile names"
            )
        };
        let made = [("broker", "localhost"), ("client", "carol")];
        let signed = made.into_iter().flat_map(|(of, name)| [request(of, name), sign(of)]);
        for arguments in std::iter::once(authority.to_owned()).chain(signed) {
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
}

/// One node that is broker and controller, with few partitions of its own and quick answers for tests.
fn settings(broker: &Broker, controller_port: u16) -> String {
    let Broker { address, sasl_address, tls_address, certificate_address, .. } = broker;
    let (data, certs) = (broker.path("data"), broker.path("certs"));
    let (data, certs) = (data.display(), certs.display());
    let [tls_listener, certificate_listener] =
        [tls_address, certificate_address].map(|address| address.replace("localhost", "127.0.0.1"));
    let module = |name: &str| format!("org.apache.kafka.common.security.{name} required");
    let plain = format!("{} user_admin=\"admin-secret\" user_bob=\"bob-secret\";", module("plain.PlainLoginModule"));
    let scram = format!("{};", module("scram.ScramLoginModule"));
    let token = format!("{} unsecuredLoginStringClaim_sub=\"broker\";", module("oauthbearer.OAuthBearerLoginModule"));
    let (gssapi, gssapi_login) = broker.kdc.as_ref().map(gssapi_settings).unwrap_or_default();
    let logins: String = ["sasl_plaintext", "sasl_ssl"]
        .map(|listener| {
            format!(
                "listener.name.{listener}.plain.sasl.jaas.config={plain}\n\
                 listener.name.{listener}.scram-sha-512.sasl.jaas.config={scram}\n\
                 listener.name.{listener}.scram-sha-256.sasl.jaas.config={scram}\n\
                 listener.name.{listener}.oauthbearer.sasl.jaas.config={token}\n"
            )
        })
        .concat();
    format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller_port}
listeners=PLAINTEXT://{address},SASL_PLAINTEXT://{sasl_address},SASL_SSL://{tls_listener},SSL://{certificate_listener},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://{address},SASL_PLAINTEXT://{sasl_address},SASL_SSL://{tls_address},SSL://{certificate_address}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,SCRAM-SHA-256,OAUTHBEARER{gssapi}
{logins}{gssapi_login}ssl.keystore.type=PEM
ssl.keystore.location={certs}/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location={certs}/ca.pem
listener.name.ssl.ssl.client.auth=required
listener.name.ssl.ssl.principal.mapping.rules=RULE:^CN=(.*?)$/$1/,DEFAULT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:admin;User:alice;User:carol;User:dora;User:erin;User:frank
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

/// What follows the names of the other mechanisms, and the broker's own login by it. Whoever comes without TLS knows the broker as
/// `127.0.0.1`, which is no name of its principal.
fn gssapi_settings(kdc: &Kdc) -> (&'static str, String) {
    let module = "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true";
    let keytab = kdc.keytab("services");
    let login = ["sasl_plaintext", "sasl_ssl"].map(|listener| {
        format!(
            "listener.name.{listener}.gssapi.sasl.jaas.config={module} keyTab=\"{}\" principal=\"kafka/localhost@{REALM}\";\n",
            keytab.display()
        )
    });
    (",GSSAPI", format!("{}sasl.kerberos.service.name=kafka\n", login.concat()))
}
