//! A name service: two NameNodes, one of them active, that share a folder of edits, and a DataNode. Who is active is told by hand.
//!
//! ```text
//! <folder>/conf/                core-site.xml, hdfs-site.xml: a HADOOP_CONF_DIR; paths are hdfs://labns/…
//! <folder>/haadmin              Hadoop's tool for it: haadmin -failover nn1 nn2
//! <folder>/namenode1.pid …      NameNode nn1; namenode2: nn2; datanode
//! ```

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{BLOCK_BYTES, DATA_NODE, LOG, READY_DEADLINE, free_ports, java, quietly, serves, xml};
use crate::cache;
use crate::services::server::{self, Server};

/// Its name, which stands in paths.
const NAME: &str = "labns";

const NAME_NODES: [(&str, &str); 2] = [("nn1", "namenode1"), ("nn2", "namenode2")];

const NAME_NODE_CLASS: &str = "org.apache.hadoop.hdfs.server.namenode.NameNode";

/// A running name service, whose first NameNode is active.
#[derive(Debug)]
pub(crate) struct NameService {
    folder: PathBuf,
    rpc_ports: [u16; 2],
    http_ports: [u16; 2],
}

impl NameService {
    /// Starts one that holds nothing; what an earlier one left in `folder` of the cache is stopped and removed.
    ///
    /// # Errors
    /// What could not be started, with the end of its log.
    pub(crate) fn start_empty(folder: &str) -> Result<NameService, String> {
        NameService::stop_all_in(folder)?;
        let folder = cache::folder(folder)?;
        let failed = |e: std::io::Error| format!("cannot prepare {}: {e}", folder.display());
        fs::remove_dir_all(&folder).map_err(failed)?;
        for below in ["conf", "webapps/hdfs", "webapps/datanode", "shared"] {
            fs::create_dir_all(folder.join(below)).map_err(failed)?;
        }
        let [rpc1, rpc2, http1, http2, data_ports @ ..] = free_ports::<7>().map_err(failed)?;
        let service = NameService { folder: folder.clone(), rpc_ports: [rpc1, rpc2], http_ports: [http1, http2] };
        for (name, text) in service.settings(data_ports) {
            fs::write(service.conf().join(name), text).map_err(failed)?;
        }
        service.write_haadmin()?;
        println!("== starting two NameNodes and a DataNode in {}", folder.display());
        let [(first, _), (second, _)] = NAME_NODES;
        quietly(service.name_node(first)?.args(["-format", "-nonInteractive"]))?;
        service.start_name_node(0)?;
        // It asks the first for what it has; how long that takes to come up is not told otherwise.
        service.until("the first NameNode answers", || {
            quietly(service.name_node(second)?.args(["-bootstrapStandby", "-nonInteractive"]))
        })?;
        service.start_name_node(1)?;
        Server::start(DATA_NODE, &folder, &mut java(&folder, &[], "org.apache.hadoop.hdfs.server.datanode.DataNode")?)?;
        service.until("the first NameNode becomes active", || {
            quietly(Command::new(service.haadmin()).args(["-transitionToActive", first]))
        })?;
        service.until("the DataNode is known", || match serves(service.http_ports[0], 1) {
            true => Ok(()),
            false => Err("it is not".to_owned()),
        })?;
        Ok(service)
    }

    /// Stops every server that runs in `folder` of the cache.
    ///
    /// # Errors
    /// When one does not end.
    pub(crate) fn stop_all_in(folder: &str) -> Result<(), String> {
        let folder = cache::folder(folder)?;
        for name in [DATA_NODE].into_iter().chain(NAME_NODES.map(|(_, name)| name)) {
            if let Some(server) = Server::find(name, &folder) {
                server.stop()?;
            }
        }
        Ok(())
    }

    /// `hdfs://labns`
    pub(crate) fn url(&self) -> String {
        format!("hdfs://{NAME}")
    }

    /// The addresses of the web services of its NameNodes, with a comma between them.
    pub(crate) fn web(&self) -> String {
        self.http_ports.map(|port| format!("127.0.0.1:{port}")).join(",")
    }

    /// Where its servers keep their logs, process ids and data.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder of its settings, for `HADOOP_CONF_DIR`.
    pub(crate) fn conf(&self) -> PathBuf {
        self.folder.join("conf")
    }

    fn haadmin(&self) -> PathBuf {
        self.folder.join("haadmin")
    }

    /// A program that hands its arguments to Hadoop's tool.
    fn write_haadmin(&self) -> Result<(), String> {
        let java = java(&self.folder, &[], "org.apache.hadoop.hdfs.tools.DFSHAAdmin")?;
        let words: Vec<String> = java.get_args().map(|word| format!("'{}'", word.to_string_lossy())).collect();
        let text = format!("#!/bin/sh\nexec java {} \"$@\"\n", words.join(" "));
        let path = self.haadmin();
        let written =
            fs::write(&path, text).and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)));
        written.map_err(|e| format!("cannot write {}: {e}", path.display()))
    }

    /// The NameNode `id`, with what is done with it still to be said.
    fn name_node(&self, id: &str) -> Result<Command, String> {
        let mut java = java(&self.folder, &[], NAME_NODE_CLASS)?;
        java.arg(format!("-Ddfs.ha.namenode.id={id}"));
        Ok(java)
    }

    fn start_name_node(&self, index: usize) -> Result<(), String> {
        let (id, name) = NAME_NODES[index];
        Server::start(name, &self.folder, &mut self.name_node(id)?).map(|_| ())
    }

    fn until(&self, what: &str, attempt: impl Fn() -> Result<(), String>) -> Result<(), String> {
        let begin = Instant::now();
        while let Err(failed) = attempt() {
            if begin.elapsed() > READY_DEADLINE {
                let words = NAME_NODES.map(|(_, name)| server::last_words(name, &self.folder));
                return Err(format!(
                    "not within {} s: {what}: {failed}\n{}",
                    begin.elapsed().as_secs(),
                    words.join("\n")
                ));
            }
            sleep(Duration::from_millis(300));
        }
        Ok(())
    }

    fn settings(&self, data_ports: [u16; 3]) -> [(&'static str, String); 3] {
        let at = |port: u16| format!("127.0.0.1:{port}");
        let below = |name: &str| format!("file://{}", self.folder.join(name).display());
        let [data, data_http, data_ipc] = data_ports;
        let core = [
            ("fs.defaultFS".to_owned(), self.url()),
            ("hadoop.tmp.dir".to_owned(), self.folder.join("tmp").display().to_string()),
        ];
        let mut hdfs: Vec<(String, String)> = [
            ("dfs.nameservices", NAME.to_owned()),
            ("dfs.ha.namenodes.labns", "nn1,nn2".to_owned()),
            ("dfs.namenode.shared.edits.dir", below("shared")),
            ("dfs.ha.automatic-failover.enabled", "false".to_owned()),
            // Nobody else can be talking to the clients: a NameNode that is to be replaced is dead, or hands over.
            ("dfs.ha.fencing.methods", "shell(/bin/true)".to_owned()),
            ("dfs.ha.tail-edits.period", "1s".to_owned()),
            (
                "dfs.client.failover.proxy.provider.labns",
                "org.apache.hadoop.hdfs.server.namenode.ha.ConfiguredFailoverProxyProvider".to_owned(),
            ),
            ("dfs.replication", "1".to_owned()),
            ("dfs.blocksize", BLOCK_BYTES.to_string()),
            ("dfs.datanode.data.dir", below("data")),
            ("dfs.datanode.address", at(data)),
            ("dfs.datanode.http.address", at(data_http)),
            ("dfs.datanode.ipc.address", at(data_ipc)),
            ("dfs.datanode.hostname", "127.0.0.1".to_owned()),
            ("dfs.namenode.datanode.registration.ip-hostname-check", "false".to_owned()),
            ("dfs.namenode.safemode.extension", "0".to_owned()),
            ("dfs.heartbeat.interval", "1".to_owned()),
            ("dfs.namenode.heartbeat.recheck-interval", "2000".to_owned()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        for (index, (id, name)) in NAME_NODES.into_iter().enumerate() {
            hdfs.push((format!("dfs.namenode.rpc-address.{NAME}.{id}"), at(self.rpc_ports[index])));
            hdfs.push((format!("dfs.namenode.http-address.{NAME}.{id}"), at(self.http_ports[index])));
            hdfs.push((format!("dfs.namenode.name.dir.{NAME}.{id}"), below(name)));
        }
        [("core-site.xml", xml(&core)), ("hdfs-site.xml", xml(&hdfs)), ("log4j.properties", LOG.to_owned())]
    }
}
