//! A NameNode and DataNodes of real Hadoop, each a process of its own, on free ports of the loopback.
//!
//! ```text
//! <cache>/hadoop/lib/*.jar           what Maven resolved, once
//! <cache>/services/hdfs/conf/        core-site.xml, hdfs-site.xml: a HADOOP_CONF_DIR
//! <cache>/services/hdfs/webapps/     empty; Hadoop's jars hold no web pages, and its servers want their folders
//! <cache>/services/hdfs/name data*   what the servers keep; an earlier run's is removed at the start
//! <cache>/services/hdfs/*.log *.pid  of each server
//! <cache>/services/hdfs/kerberos/    a KDC, where one logs in with Kerberos
//! ```

pub(crate) mod name_service;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::kerberos::{Kdc, REALM};
use super::packages;
use super::server::{self, Server, free_ports};
use crate::cache;

/// On two busy cores both servers need 20 s.
const READY_DEADLINE: Duration = Duration::from_secs(120);

/// A write that broke off counts as a whole block of the free space for ten minutes: hundreds of them, of the usual 128 MiB, and
/// the NameNode places nothing more on a small disk.
const BLOCK_BYTES: u64 = 16 << 20;
/// Hadoop's own choice, for what is measured.
const USUAL_BLOCK_BYTES: u64 = 128 << 20;

const NAME_NODE: &str = "namenode";
const DATA_NODE: &str = "datanode";

/// A running cluster of one NameNode and its DataNodes.
#[derive(Debug)]
pub(crate) struct Cluster {
    folder: PathBuf,
    rpc_port: u16,
    http_port: u16,
    shape: Shape,
    kerberos: Option<Kerberos>,
}

/// What a cluster is like.
#[derive(Debug, Clone, Copy)]
struct Shape {
    n_data_nodes: usize,
    block_bytes: u64,
    /// How long a DataNode keeps to itself that it has a new block.
    reports_after: Duration,
}

const SMALL: Shape = Shape { n_data_nodes: 1, block_bytes: BLOCK_BYTES, reports_after: Duration::ZERO };

/// More than this many DataNodes are not started.
const MAX_DATA_NODES: usize = 3;

/// How one logs in to a cluster that wants proof, and how what is said is protected.
#[derive(Debug)]
pub(crate) struct Kerberos {
    kdc: Kdc,
    protection: &'static str,
}

/// Who may log in with Kerberos, beside Hadoop's own servers.
const USERS: [&str; 2] = ["alice", "mallory"];

impl Cluster {
    /// Starts a cluster of one DataNode that holds nothing; what an earlier one left in `folder` of the cache is stopped and removed.
    ///
    /// # Errors
    /// What could not be started, with the end of its log.
    pub(crate) fn start_empty(folder: &str) -> Result<Cluster, String> {
        Cluster::start(folder, SMALL, None)
    }

    /// As [`start_empty`](Cluster::start_empty), with two DataNodes, each of which gets every block.
    ///
    /// # Errors
    /// What could not be started, with the end of its log.
    pub(crate) fn start_with_two_data_nodes(folder: &str) -> Result<Cluster, String> {
        Cluster::start(folder, Shape { n_data_nodes: 2, ..SMALL }, None)
    }

    /// As [`start_empty`](Cluster::start_empty), with two DataNodes that tell of a new block after a while. A file may be closed
    /// meanwhile.
    ///
    /// # Errors
    /// What could not be started, with the end of its log.
    pub(crate) fn start_with_late_reports(folder: &str) -> Result<Cluster, String> {
        Cluster::start(folder, Shape { n_data_nodes: 2, reports_after: Duration::from_secs(3), ..SMALL }, None)
    }

    /// As [`start_empty`](Cluster::start_empty), with so many DataNodes, each of which gets every block, and with blocks of the usual
    /// size.
    ///
    /// # Errors
    /// What could not be started, with the end of its log.
    pub(crate) fn start_replicated(folder: &str, n_data_nodes: usize) -> Result<Cluster, String> {
        Cluster::start(folder, Shape { n_data_nodes, block_bytes: USUAL_BLOCK_BYTES, ..SMALL }, None)
    }

    /// Starts an empty cluster with a KDC; `protection` is `authentication`, `integrity` or `privacy`.
    ///
    /// # Errors
    /// What could not be started, with the end of its log.
    pub(crate) fn start_with_kerberos(folder: &str, protection: &'static str) -> Result<Cluster, String> {
        Cluster::start(folder, SMALL, Some(protection))
    }

    fn start(folder: &str, shape: Shape, protection: Option<&'static str>) -> Result<Cluster, String> {
        let n_data_nodes = shape.n_data_nodes;
        Cluster::stop_all_in(folder)?;
        let folder = cache::folder(folder)?;
        let failed = |e: std::io::Error| format!("cannot prepare {}: {e}", folder.display());
        fs::remove_dir_all(&folder).map_err(failed)?;
        for below in ["conf", "webapps/hdfs", "webapps/datanode"] {
            fs::create_dir_all(folder.join(below)).map_err(failed)?;
        }
        let [rpc_port, http_port, data_ports @ ..] = free_ports::<5>().map_err(failed)?;
        let kerberos = match protection {
            Some(protection) => {
                println!("== starting a KDC in {}", folder.display());
                let kdc = Kdc::start(&folder.join(KERBEROS), &["hdfs/localhost", "HTTP/localhost"], &USERS)?;
                Some(Kerberos { kdc, protection })
            }
            None => None,
        };
        let cluster = Cluster { folder: folder.clone(), rpc_port, http_port, shape, kerberos };
        for (name, text) in cluster.settings(data_ports) {
            fs::write(cluster.conf().join(name), text).map_err(failed)?;
        }
        println!("== starting a NameNode, and {n_data_nodes} DataNode(s), in {}", folder.display());
        cluster.format()?;
        cluster.start_name_node()?;
        cluster.start_data_node()?;
        for other in 2..=n_data_nodes {
            cluster.start_other_data_node(other)?;
        }
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// The cluster that runs in `folder` of the cache; None when it does not.
    ///
    /// # Errors
    /// When the cache folder cannot be had.
    pub(crate) fn running(folder: &str) -> Result<Option<Cluster>, String> {
        let folder = cache::folder(folder)?;
        let port = |name: &str| -> Option<u16> {
            let text = fs::read_to_string(folder.join("conf/hdfs-site.xml")).ok()?;
            let (_, after) = text.split_once(&format!("<name>{name}</name><value>127.0.0.1:"))?;
            after.split('<').next()?.parse().ok()
        };
        let ports = port("dfs.namenode.rpc-address").zip(port("dfs.namenode.http-address"));
        let Some((rpc_port, http_port)) = ports else { return Ok(None) };
        let cluster = Cluster { folder, rpc_port, http_port, shape: SMALL, kerberos: None };
        Ok(cluster.is_ready().then_some(cluster))
    }

    /// Stops every server that runs in `folder` of the cache.
    ///
    /// # Errors
    /// When one does not end.
    pub(crate) fn stop_all_in(folder: &str) -> Result<(), String> {
        let folder = cache::folder(folder)?;
        let others = (2..=MAX_DATA_NODES).map(other_data_node);
        for name in [DATA_NODE.to_owned()].into_iter().chain(others).chain([NAME_NODE.to_owned()]) {
            if let Some(server) = Server::find(&name, &folder) {
                server.stop()?;
            }
        }
        Kdc::stop_in(&folder.join(KERBEROS))
    }

    /// `hdfs://127.0.0.1:port`
    pub(crate) fn url(&self) -> String {
        format!("hdfs://{}", self.at(self.rpc_port))
    }

    /// `host:port`. With Kerberos, the host is the one of the servers' principals.
    fn at(&self, port: u16) -> String {
        let host = if self.kerberos.is_some() { "localhost" } else { "127.0.0.1" };
        format!("{host}:{port}")
    }

    /// Where the KDC's files are, when there is one.
    pub(crate) fn kdc_folder(&self) -> Option<&Path> {
        self.kerberos.as_ref().map(|kerberos| kerberos.kdc.folder())
    }

    /// The address of the NameNode's web service.
    pub(crate) fn web(&self) -> String {
        format!("127.0.0.1:{}", self.http_port)
    }

    /// Where its servers keep their logs, process ids and data.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of its settings, for `HADOOP_CONF_DIR`.
    pub(crate) fn conf(&self) -> PathBuf {
        self.folder.join("conf")
    }

    /// The NameNode's process.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) fn name_node(&self) -> Result<Server, String> {
        Server::find(NAME_NODE, &self.folder).ok_or_else(|| self.gone(NAME_NODE))
    }

    /// The DataNode's process.
    ///
    /// # Errors
    /// When it is not there.
    pub(crate) fn data_node(&self) -> Result<Server, String> {
        Server::find(DATA_NODE, &self.folder).ok_or_else(|| self.gone(DATA_NODE))
    }

    fn gone(&self, name: &str) -> String {
        format!("the {name} is gone; {}", server::last_words(name, &self.folder))
    }

    /// Starts a NameNode over what the last one left.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start_name_node(&self) -> Result<(), String> {
        let mut java = self.java("org.apache.hadoop.hdfs.server.namenode.NameNode")?;
        Server::start(NAME_NODE, &self.folder, &mut java).map(|_| ())
    }

    /// Starts a DataNode over what the last one left.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start_data_node(&self) -> Result<(), String> {
        let mut java = self.java("org.apache.hadoop.hdfs.server.datanode.DataNode")?;
        Server::start(DATA_NODE, &self.folder, &mut java).map(|_| ())
    }

    /// Starts one more DataNode, on ports and a folder of its own.
    fn start_other_data_node(&self, number: usize) -> Result<(), String> {
        let ports = free_ports::<3>().map_err(|e| format!("no free ports: {e}"))?;
        let mut java = self.java("org.apache.hadoop.hdfs.server.datanode.DataNode")?;
        let data = self.folder.join(other_data_node(number));
        java.arg(format!("-Ddfs.datanode.data.dir=file://{}", data.display()));
        for (key, port) in
            ["dfs.datanode.address", "dfs.datanode.http.address", "dfs.datanode.ipc.address"].iter().zip(ports)
        {
            java.arg(format!("-D{key}=127.0.0.1:{port}"));
        }
        Server::start(&other_data_node(number), &self.folder, &mut java).map(|_| ())
    }

    /// A program in one file of Java's source, on the class path of Hadoop and with these settings; it wants a JDK.
    ///
    /// # Errors
    /// When Hadoop's packages are not there.
    pub(crate) fn java_source(&self, file: &Path) -> Result<Command, String> {
        self.java(&file.to_string_lossy())
    }

    /// Hadoop's own shell, `hdfs dfs`, on this cluster.
    ///
    /// # Errors
    /// When Hadoop's packages are not there.
    pub(crate) fn shell(&self) -> Result<Command, String> {
        self.java("org.apache.hadoop.fs.FsShell")
    }

    /// Waits until the NameNode serves and knows its DataNode; an open port is not enough.
    ///
    /// # Errors
    /// The logs, when a server ended or the time is over.
    pub(crate) fn wait_until_ready(&self) -> Result<(), String> {
        let begin = Instant::now();
        let servers = [self.name_node()?, self.data_node()?];
        while !self.is_ready() {
            if let Some(ended) = servers.iter().find(|server| !server.is_running()) {
                return Err(format!("a server ended; {}", ended.last_words()));
            }
            if begin.elapsed() > READY_DEADLINE {
                let words: Vec<String> = servers.iter().map(Server::last_words).collect();
                return Err(format!("HDFS is not ready after {} s; {}", begin.elapsed().as_secs(), words.join("\n")));
            }
            sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        serves(self.http_port, self.shape.n_data_nodes)
    }

    fn format(&self) -> Result<(), String> {
        let mut java = self.java("org.apache.hadoop.hdfs.server.namenode.NameNode")?;
        quietly(java.args(["-format", "-nonInteractive"]))
    }

    fn java(&self, class: &str) -> Result<Command, String> {
        // In the command line, and not in the environment: tests start servers again by their command lines.
        let kerberos = self.kerberos.as_ref();
        let conf =
            kerberos.map(|Kerberos { kdc, .. }| format!("-Djava.security.krb5.conf={}", kdc.client_conf().display()));
        java(&self.folder, conf.as_slice(), class)
    }

    fn settings(&self, data_ports: [u16; 3]) -> [(&'static str, String); 3] {
        let at = |port: u16| self.at(port);
        let below = |name: &str| format!("file://{}", self.folder.join(name).display());
        let [data, data_http, data_ipc] = data_ports;
        let mut core =
            vec![("fs.defaultFS", self.url()), ("hadoop.tmp.dir", self.folder.join("tmp").display().to_string())];
        let mut hdfs = vec![
            ("dfs.replication", self.shape.n_data_nodes.to_string()),
            // Lets a file be closed as soon as one DataNode has reported its last block; of use with two of them.
            ("dfs.namenode.file.close.num-committed-allowed", (self.shape.n_data_nodes - 1).min(1).to_string()),
            ("dfs.namenode.name.dir", below("name")),
            ("dfs.datanode.data.dir", below("data")),
            ("dfs.namenode.rpc-address", at(self.rpc_port)),
            ("dfs.namenode.http-address", at(self.http_port)),
            ("dfs.datanode.address", at(data)),
            ("dfs.datanode.http.address", at(data_http)),
            ("dfs.datanode.ipc.address", at(data_ipc)),
            ("dfs.datanode.hostname", at(data).split(':').next().unwrap_or_default().to_owned()),
            ("dfs.namenode.datanode.registration.ip-hostname-check", "false".to_owned()),
            // Else every restart is followed by half a minute of safe mode.
            ("dfs.namenode.safemode.extension", "0".to_owned()),
            // A dead DataNode is noticed after 14 s, not after 10 minutes.
            ("dfs.heartbeat.interval", "1".to_owned()),
            ("dfs.namenode.heartbeat.recheck-interval", "2000".to_owned()),
            ("dfs.blockreport.incremental.intervalMsec", self.shape.reports_after.as_millis().to_string()),
            ("dfs.blocksize", self.shape.block_bytes.to_string()),
            // Small blocks, so that small files of tests have several.
            ("dfs.namenode.fs-limits.min-block-size", "4096".to_owned()),
        ];
        if let Some(kerberos) = &self.kerberos {
            core.extend(kerberos.core_settings());
            hdfs.extend(kerberos.hdfs_settings());
        }
        [("core-site.xml", xml(&core)), ("hdfs-site.xml", xml(&hdfs)), ("log4j.properties", LOG.to_owned())]
    }
}

/// The folder of the KDC, in that of the cluster.
const KERBEROS: &str = "kerberos";

impl Kerberos {
    fn core_settings(&self) -> Vec<(&'static str, String)> {
        let value = str::to_owned;
        vec![
            ("hadoop.security.authentication", value("kerberos")),
            ("hadoop.security.authorization", value("true")),
            ("hadoop.rpc.protection", value(self.protection)),
        ]
    }

    fn hdfs_settings(&self) -> Vec<(&'static str, String)> {
        let (principal, keytab) =
            (format!("hdfs/localhost@{REALM}"), self.kdc.keytab("services").display().to_string());
        vec![
            ("dfs.block.access.token.enable", "true".to_owned()),
            ("dfs.data.transfer.protection", self.protection.to_owned()),
            ("dfs.namenode.kerberos.principal", principal.clone()),
            ("dfs.namenode.keytab.file", keytab.clone()),
            ("dfs.datanode.kerberos.principal", principal),
            ("dfs.datanode.keytab.file", keytab.clone()),
            ("dfs.web.authentication.kerberos.principal", format!("HTTP/localhost@{REALM}")),
            ("dfs.web.authentication.kerberos.keytab", keytab),
            // Else DataNodes want ports that only root may have, or certificates for their pages.
            ("ignore.secure.ports.for.testing", "true".to_owned()),
        ]
    }
}

const LOG: &str = "log4j.rootLogger=INFO, A\nlog4j.appender.A=org.apache.log4j.ConsoleAppender\n\
                   log4j.appender.A.target=System.err\nlog4j.appender.A.layout=org.apache.log4j.PatternLayout\n\
                   log4j.appender.A.layout.ConversionPattern=%d %p %c{1}: %m%n\n";

/// A class of Hadoop's, with the settings of a cluster's folder and options of the JVM.
fn java(folder: &Path, options: &[String], class: &str) -> Result<Command, String> {
    let (conf, pages, jars) = (folder.join("conf"), folder.display(), jars()?);
    let mut java = Command::new("java");
    java.args(options).args(["-Xmx256m", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true", "-cp"]);
    java.arg(format!("{}:{pages}:{}/*", conf.display(), jars.display())).arg(class);
    Ok(java)
}

/// Runs to the end; what it says is told when it fails.
fn quietly(java: &mut Command) -> Result<(), String> {
    let done = java.stdout(Stdio::null()).output().map_err(|e| format!("cannot start java: {e}"))?;
    match done.status.success() {
        true => Ok(()),
        false => Err(format!("{java:?} failed:\n{}", String::from_utf8_lossy(&done.stderr))),
    }
}

/// The further DataNodes: `datanode2`.
fn other_data_node(number: usize) -> String {
    format!("{DATA_NODE}{number}")
}

/// Whether the NameNode behind this page serves and knows its DataNodes.
fn serves(http_port: u16, n_data_nodes: usize) -> bool {
    let state = state_of_the_file_system(http_port).unwrap_or_default();
    state.contains("\"FSState\" : \"Operational\"") && state.contains(&format!("\"NumLiveDataNodes\" : {n_data_nodes}"))
}

/// What the NameNode's page for machines says.
fn state_of_the_file_system(http_port: u16) -> std::io::Result<String> {
    const TIMEOUT: Duration = Duration::from_secs(5);
    let mut stream = TcpStream::connect(("127.0.0.1", http_port))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(
        b"GET /jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState HTTP/1.0\r\nHost: localhost\r\n\r\n",
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn xml<K: std::fmt::Display>(properties: &[(K, String)]) -> String {
    let property =
        |(name, value): &(K, String)| format!("  <property><name>{name}</name><value>{value}</value></property>\n");
    format!("<configuration>\n{}</configuration>\n", properties.iter().map(property).collect::<String>())
}

/// The folder of Hadoop's packages.
fn jars() -> Result<PathBuf, String> {
    packages::jars("hadoop", include_str!("hadoop.xml"))
}
