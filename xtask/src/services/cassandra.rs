//! Servers of real Cassandra, each a process of its own, on free ports of loopback addresses.
//!
//! ```text
//! <cache>/cassandra/lib/*.jar          what Maven resolved, once
//! <cache>/services/cassandra/node1/    cassandra.yaml, logback.xml, java.options, and what the server keeps
//! <cache>/services/cassandra/tls/      certificates, where connections are encrypted
//! <cache>/services/cassandra/*.log *.pid   of each server
//! ```
//! What they acknowledge is on disk: by default Cassandra syncs later, and a server that is killed forgets its last moment.
//! The role `cassandra` with the password `cassandra` is there from the start.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::packages;
use super::server::{self, Server, free_ports};
use crate::{cache, program};

/// On two busy cores a server needs 35 s.
const READY_DEADLINE: Duration = Duration::from_secs(180);

/// As many servers as any cluster here has.
const MOST_NODES: usize = 3;

/// What a cluster is like.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Setup {
    /// Servers, on 127.0.0.1, 127.0.0.2 and so on; 0 counts as one.
    pub(crate) n_nodes: usize,
    /// Whether connections are encrypted and clients must show a certificate.
    pub(crate) is_encrypted: bool,
    /// After how many milliseconds a write that too few replicas answered has failed; 0 for Cassandra's own 2 s.
    pub(crate) write_timeout_ms: u32,
    /// Whether servers are for a short while: they start in half the time, and never become as fast as they could.
    pub(crate) is_short_lived: bool,
}

/// A running cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: PathBuf,
    port: u16,
}

impl Cluster {
    /// Starts a cluster that holds nothing; what an earlier one left in `folder` of the cache is stopped and removed.
    ///
    /// # Errors
    /// What could not be started, with the end of its log.
    pub(crate) fn start_empty(folder: &str, setup: Setup) -> Result<Cluster, String> {
        Cluster::stop_all_in(folder)?;
        let folder = cache::folder(folder)?;
        let failed = |e: std::io::Error| format!("cannot prepare {}: {e}", folder.display());
        fs::remove_dir_all(&folder).map_err(failed)?;
        fs::create_dir_all(&folder).map_err(failed)?;
        let [port, storage_port] = free_ports::<2>().map_err(failed)?;
        if setup.is_encrypted {
            make_certificates(&folder.join("tls"))?;
        }
        let cluster = Cluster { folder: folder.clone(), port };
        // The first is who the others ask for their place; they come at once.
        let n_nodes = setup.n_nodes.max(1);
        for group in [1..=1, 2..=n_nodes] {
            for number in group.clone() {
                println!("== starting Cassandra {} in {}", node(number), folder.display());
                cluster.prepare_node(number, storage_port, setup).map_err(failed)?;
                cluster.start_node(number)?;
            }
            for number in group {
                cluster.wait_until_ready(number)?;
            }
        }
        fs::write(folder.join("port"), port.to_string()).map_err(failed)?;
        Ok(cluster)
    }

    /// The cluster that runs in `folder` of the cache; None when it does not.
    ///
    /// # Errors
    /// When the cache folder cannot be had.
    pub(crate) fn running(folder: &str) -> Result<Option<Cluster>, String> {
        let folder = cache::folder(folder)?;
        let port = fs::read_to_string(folder.join("port")).ok().and_then(|text| text.trim().parse().ok());
        let is_running = Server::find(&node(1), &folder).is_some();
        Ok(port.filter(|_| is_running).map(|port| Cluster { folder, port }))
    }

    /// Stops every server that runs in `folder` of the cache.
    ///
    /// # Errors
    /// When one does not end.
    pub(crate) fn stop_all_in(folder: &str) -> Result<(), String> {
        let folder = cache::folder(folder)?;
        for number in (1..=MOST_NODES).rev() {
            if let Some(server) = Server::find(&node(number), &folder) {
                server.stop()?;
            }
        }
        Ok(())
    }

    /// `127.0.0.1:port`
    pub(crate) fn contact_point(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends a signal to the first server: `STOP`, `CONT`.
    pub(crate) fn signal(&self, signal: &str) {
        if let Some(server) = Server::find(&node(1), &self.folder) {
            server.signal(signal);
        }
    }

    /// Where its servers keep their logs, process ids and data.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn prepare_node(&self, number: usize, storage_port: u16, setup: Setup) -> std::io::Result<()> {
        let home = self.folder.join(node(number));
        fs::create_dir_all(&home)?;
        fs::write(home.join("cassandra.yaml"), self.settings(number, storage_port, setup))?;
        fs::write(home.join("logback.xml"), LOGBACK)?;
        fs::write(home.join("java.options"), options(setup))
    }

    fn start_node(&self, number: usize) -> Result<(), String> {
        let (home, jars) = (self.folder.join(node(number)), jars()?);
        let agent = fs::read_dir(&jars)
            .map_err(|e| format!("cannot list {}: {e}", jars.display()))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("jamm-")))
            .ok_or("Cassandra's packages have no jamm")?;
        let mut java = Command::new("java");
        java.args(["-Xms512m", "-Xmx512m", "-XX:MaxDirectMemorySize=256m"]);
        java.arg(format!("@{}", home.join("java.options").display()));
        java.arg(format!("-javaagent:{}", agent.display()));
        java.arg(format!("-Dcassandra.config=file://{}", home.join("cassandra.yaml").display()));
        java.arg(format!("-Dcassandra.storagedir={}", home.display()));
        java.arg("-Dcassandra-foreground=yes");
        java.args(["-cp", &format!("{}:{}/*", home.display(), jars.display())]);
        java.arg("org.apache.cassandra.service.CassandraDaemon");
        Server::start(&node(number), &self.folder, &mut java).map(|_| ())
    }

    /// Waits until clients may connect and log in: the first server makes the role at about the time when it opens its port.
    fn wait_until_ready(&self, number: usize) -> Result<(), String> {
        let begin = Instant::now();
        let name = node(number);
        loop {
            let Some(server) = Server::find(&name, &self.folder) else {
                return Err(format!("Cassandra ended; {}", server::last_words(&name, &self.folder)));
            };
            let is_open = TcpStream::connect((address(number).as_str(), self.port)).is_ok();
            if is_open && (number > 1 || server.has_said("Created default superuser role")) {
                return Ok(());
            }
            if begin.elapsed() > READY_DEADLINE {
                let seconds = begin.elapsed().as_secs();
                return Err(format!("Cassandra is not ready after {seconds} s; {}", server.last_words()));
            }
            sleep(Duration::from_millis(100));
        }
    }

    fn settings(&self, number: usize, storage_port: u16, setup: Setup) -> String {
        let home = self.folder.join(node(number));
        let at = |name: &str| home.join(name).display().to_string();
        let write_timeout_ms = if setup.write_timeout_ms == 0 { 2000 } else { setup.write_timeout_ms };
        let tls = self.folder.join("tls");
        let encryption = match setup.is_encrypted {
            false => String::new(),
            true => format!(
                "client_encryption_options:\n  enabled: true\n  optional: false\n  store_type: PKCS12\n  \
                 keystore: {tls}/server.p12\n  keystore_password: {STORE_PASSWORD}\n  require_client_auth: true\n  \
                 truststore: {tls}/authority.p12\n  truststore_password: {STORE_PASSWORD}\n",
                tls = tls.display()
            ),
        };
        format!(
            "cluster_name: ognivo
num_tokens: 4
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
data_file_directories: [ {data} ]
commitlog_directory: {commitlog}
saved_caches_directory: {caches}
hints_directory: {hints}
cdc_raw_directory: {cdc}
commitlog_sync: batch
commitlog_segment_size: 4MiB
endpoint_snitch: SimpleSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [ {{ seeds: \"127.0.0.1:{storage_port}\" }} ]
listen_address: {address}
rpc_address: {address}
storage_port: {storage_port}
native_transport_port: {port}
start_native_transport: true
authenticator: PasswordAuthenticator
authorizer: CassandraAuthorizer
role_manager: CassandraRoleManager
permissions_validity: 500ms
permissions_update_interval: 100ms
concurrent_reads: 8
concurrent_writes: 8
concurrent_counter_writes: 4
memtable_heap_space: 64MiB
memtable_offheap_space: 64MiB
file_cache_size: 32MiB
key_cache_size: 8MiB
counter_cache_size: 4MiB
auto_snapshot: false
disk_failure_policy: stop
commit_failure_policy: stop
write_request_timeout: {write_timeout_ms}ms
read_request_timeout: 5000ms
range_request_timeout: 10000ms
request_timeout: 10000ms
materialized_views_enabled: true
{encryption}",
            data = at("data"),
            commitlog = at("commitlog"),
            caches = at("saved_caches"),
            hints = at("hints"),
            cdc = at("cdc_raw"),
            address = address(number),
            port = self.port,
        )
    }
}

fn node(number: usize) -> String {
    format!("node{number}")
}

fn address(number: usize) -> String {
    format!("127.0.0.{number}")
}

const STORE_PASSWORD: &str = "secret-of-tests";

/// An authority, a server's certificate for the loopback addresses, a client's, and one of somebody else.
fn make_certificates(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let store = |name: &str| folder.join(format!("{name}.p12")).display().to_string();
    let of_store = |name: &str| {
        let mut keytool = Command::new("keytool");
        keytool.stderr(Stdio::null()).args([
            "-keystore",
            &store(name),
            "-storetype",
            "PKCS12",
            "-storepass",
            STORE_PASSWORD,
        ]);
        keytool
    };
    let key = ["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "365"];
    for (name, extension) in [
        ("server", "san=ip:127.0.0.1,ip:127.0.0.2,ip:127.0.0.3"),
        ("client", "san=dns:client"),
        ("stranger", "san=dns:stranger"),
    ] {
        let subject = format!("CN={name}");
        program::run(of_store(name).args(key).args([
            "-alias",
            name,
            "-dname",
            &subject,
            "-ext",
            extension,
            "-ext",
            "bc=ca:true",
        ]))?;
        let text = program::output(of_store(name).args(["-exportcert", "-rfc", "-alias", name]))?;
        let file = folder.join(format!("{name}.pem"));
        fs::write(&file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    }
    let client = folder.join("client.pem").display().to_string();
    program::run(of_store("authority").args(["-importcert", "-noprompt", "-alias", "client", "-file", &client]))
}

const LOGBACK: &str = "<configuration><appender name=\"A\" class=\"ch.qos.logback.core.ConsoleAppender\"><encoder>\
<pattern>%d %p %c{1}: %m%n</pattern></encoder></appender><root level=\"INFO\"><appender-ref ref=\"A\"/></root></configuration>\n";

/// What Java 17 must open for Cassandra 5, and what makes a small server start fast.
fn options(setup: Setup) -> String {
    const EXPORTED: [&str; 9] = [
        "java.base/jdk.internal.misc",
        "java.base/jdk.internal.ref",
        "java.base/sun.nio.ch",
        "java.base/java.lang.ref",
        "java.base/java.lang.reflect",
        "java.management.rmi/com.sun.jmx.remote.internal.rmi",
        "java.rmi/sun.rmi.registry",
        "java.rmi/sun.rmi.server",
        "java.sql/java.sql",
    ];
    const OPENED: [&str; 16] = [
        "java.base/java.lang.module",
        "java.base/jdk.internal.loader",
        "java.base/jdk.internal.ref",
        "java.base/jdk.internal.reflect",
        "java.base/jdk.internal.math",
        "java.base/jdk.internal.module",
        "java.base/jdk.internal.util.jar",
        "java.base/sun.nio.ch",
        "java.base/java.io",
        "java.base/java.lang",
        "java.base/java.lang.reflect",
        "java.base/java.util",
        "java.base/java.util.concurrent",
        "java.base/java.util.concurrent.atomic",
        "java.base/java.nio",
        "java.rmi/sun.rmi.transport.tcp",
    ];
    const OTHERS: [&str; 9] = [
        "--add-exports=jdk.unsupported/sun.misc=ALL-UNNAMED",
        "--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED",
        "-Djdk.attach.allowAttachSelf=true",
        "-Djava.net.preferIPv4Stack=true",
        "-Djava.awt.headless=true",
        "-XX:+UseSerialGC",
        "-Dcassandra.skip_wait_for_gossip_to_settle=0",
        "-Dcassandra.superuser_setup_delay_ms=0",
        // Two servers may join at once.
        "-Dcassandra.consistent.rangemovement=false",
    ];
    // The second compiler makes code faster than two busy processors get to run it.
    let compiler = if setup.is_short_lived { "-XX:TieredStopAtLevel=1\n" } else { "" };
    // So long a server that joins listens for the others, who may be short of processors: else it ends.
    let ring_delay_ms = if setup.n_nodes > 1 { 6000 } else { 1000 };
    let exported = EXPORTED.map(|package| format!("--add-exports={package}=ALL-UNNAMED\n"));
    let opened = OPENED.map(|package| format!("--add-opens={package}=ALL-UNNAMED\n"));
    format!(
        "{}{}-Xss512k\n{compiler}-Dcassandra.ring_delay_ms={ring_delay_ms}\n{}\n",
        exported.concat(),
        opened.concat(),
        OTHERS.join("\n")
    )
}

/// The folder of Cassandra's packages.
fn jars() -> Result<PathBuf, String> {
    packages::jars("cassandra", include_str!("cassandra.xml"))
}
