//! Three brokers that are their own controllers: every record is kept by all, and written when two have it.
//!
//! `<folder>/node-1`, `node-2` and `node-3` each hold what one broker has. A dead one is noticed within 1.5 s.

use std::path::{Path, PathBuf};

use super::node::Node;
use crate::cache;
use crate::services::server::free_ports;

/// Three running brokers.
#[derive(Debug)]
pub(crate) struct Three {
    folder: PathBuf,
    addresses: String,
}

impl Three {
    /// Starts three brokers that hold nothing; what earlier ones left in `folder` of the cache is stopped and removed.
    ///
    /// # Errors
    /// What could not be started, with the end of its log.
    pub(crate) fn start_empty(folder: &str) -> Result<Three, String> {
        Three::stop_in(folder)?;
        let folder = cache::folder(folder)?;
        println!("== starting three Kafka brokers in {}", folder.display());
        let ports = free_ports::<6>().map_err(|e| format!("no port is free: {e}"))?;
        let (brokers, controllers) = ports.split_at(3);
        let nodes = names().map(|name| Node::new(&folder.join(name)));
        let nodes = nodes.into_iter().collect::<Result<Vec<Node>, String>>()?;
        for (idx, node) in nodes.iter().enumerate() {
            node.write("server.properties", &settings(node, idx, brokers, controllers))?;
            node.format(&[])?;
        }
        // One alone never becomes ready: two of three decide.
        let started = nodes.iter().map(Node::start).collect::<Result<Vec<_>, String>>()?;
        started.iter().try_for_each(|starting| starting.wait())?;
        let addresses: Vec<String> = brokers.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        Ok(Three { folder, addresses: addresses.join(",") })
    }

    /// Stops what runs in `folder` of the cache.
    ///
    /// # Errors
    /// When one does not end.
    pub(crate) fn stop_in(folder: &str) -> Result<(), String> {
        let folder = cache::folder(folder)?;
        names().iter().try_for_each(|name| Node::of_folder(folder.join(name)).stop())
    }

    /// All three, with commas between them.
    pub(crate) fn addresses(&self) -> &str {
        &self.addresses
    }

    /// Where the folders of the nodes lie.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

fn names() -> [String; 3] {
    [1, 2, 3].map(|n| format!("node-{n}"))
}

fn settings(node: &Node, idx: usize, brokers: &[u16], controllers: &[u16]) -> String {
    let voters: Vec<String> =
        controllers.iter().enumerate().map(|(idx, port)| format!("{}@127.0.0.1:{port}", idx + 1)).collect();
    format!(
        "process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=5
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
share.coordinator.state.topic.num.partitions=5
broker.heartbeat.interval.ms=300
broker.session.timeout.ms=1500
controller.quorum.fetch.timeout.ms=1000
controller.quorum.election.timeout.ms=300
controller.quorum.election.backoff.max.ms=300
replica.lag.time.max.ms=5000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
log.segment.bytes=16777216
log.index.size.max.bytes=1048576
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=8388608
",
        id = idx + 1,
        voters = voters.join(","),
        port = brokers[idx],
        controller_port = controllers[idx],
        data = node.path("data").display(),
    )
}
