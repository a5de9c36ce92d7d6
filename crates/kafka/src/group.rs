//! What a sink needs of the source's group in order to store progress there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{CommitMode, Consumer as _, ConsumerGroupMetadata};
use tokio::task::spawn_blocking;

use crate::error::KafkaError;
use crate::fetcher::Fetcher;
use crate::offsets::{Offsets, TopicPartition, list_of};

/// How long the group's coordinator may take to answer. Longer than the transaction of a dead instance stays open.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// The group that a source is a member of, as a sink sees it.
#[derive(Clone)]
pub struct GroupHandle {
    fetcher: Arc<Fetcher>,
    group: Arc<str>,
}

impl fmt::Debug for GroupHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupHandle").field("group", &self.group).finish_non_exhaustive()
    }
}

/// Which partitions a batch takes, each with the number of our holding it.
pub(crate) type Holding = BTreeMap<TopicPartition, u64>;

impl GroupHandle {
    pub(crate) fn new(fetcher: Arc<Fetcher>, group: &str) -> GroupHandle {
        GroupHandle { fetcher, group: Arc::from(group) }
    }

    /// The group's id.
    pub(crate) fn id(&self) -> &str {
        &self.group
    }

    /// Our holding of those of these partitions that are ours now.
    pub(crate) fn holding<'a>(&self, partitions: impl IntoIterator<Item = &'a TopicPartition>) -> Holding {
        let state = self.fetcher.state();
        let each = partitions.into_iter().filter_map(|at| Some((at.clone(), *state.held.get(at)?)));
        each.collect()
    }

    /// The generation of the group in which all of this is still held without a break.
    ///
    /// The generation is read first: a partition that is taken from us is noted before the next generation begins, so
    /// what was taken before this one is seen, and what is taken later makes this one stale, which the broker refuses.
    ///
    /// # Errors
    /// When a partition was taken from us since.
    pub(crate) fn generation_of(&self, holding: &Holding) -> Result<ConsumerGroupMetadata, KafkaError> {
        let metadata = self.fetcher.consumer.group_metadata();
        let now = self.holding(holding.keys());
        match holding.iter().find(|(at, number)| now.get(*at) != Some(number)) {
            Some((at, _)) => Err(KafkaError::PartitionLost { partition: at.to_string() }),
            None => metadata.ok_or(KafkaError::FetcherEnded),
        }
    }

    /// What the group has for these partitions; those without a position are left out. Transactions that are still open
    /// are waited for.
    pub(crate) async fn committed(&self, partitions: Vec<TopicPartition>) -> Result<Offsets, KafkaError> {
        if partitions.is_empty() {
            return Ok(Offsets::default());
        }
        let (fetcher, group) = (Arc::clone(&self.fetcher), Arc::clone(&self.group));
        let asked = spawn_blocking(move || {
            let failed = |cause| KafkaError::client(format!("cannot ask for the positions of group {group}"), &cause);
            let list = fetcher.consumer.committed_offsets(list_of(&partitions), ANSWER_DEADLINE).map_err(failed)?;
            let mut offsets = Offsets::default();
            for element in list.elements() {
                element.error().map_err(failed)?;
                if let Offset::Offset(at) = element.offset() {
                    offsets.0.insert(TopicPartition::new(element.topic(), element.partition()), at);
                }
            }
            Ok(offsets)
        });
        asked.await.map_err(|_| KafkaError::FetcherEnded)?
    }

    /// Stores positions outside of any transaction; refused when our generation is over.
    pub(crate) async fn commit(&self, offsets: Offsets) -> Result<(), KafkaError> {
        let (fetcher, group) = (Arc::clone(&self.fetcher), Arc::clone(&self.group));
        let asked = spawn_blocking(move || {
            let failed = |cause| KafkaError::client(format!("cannot store the positions of group {group}"), &cause);
            fetcher.consumer.commit(&offsets.to_list(), CommitMode::Sync).map_err(failed)
        });
        asked.await.map_err(|_| KafkaError::FetcherEnded)?
    }
}
