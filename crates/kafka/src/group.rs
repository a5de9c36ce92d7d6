//! What a sink needs of the source's group in order to store progress there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{CommitMode, Consumer as _, ConsumerGroupMetadata};
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::task::spawn_blocking;

use crate::error::KafkaError;
use crate::fetcher::Fetcher;
use crate::mark::{Began, KeptMark, Mark};
use crate::offsets::{Offsets, TopicPartition, list_of};

/// How long the group's coordinator may take to answer. Longer than the transaction of a dead instance stays open.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// The group that a source is a member of, as a sink sees it.
#[derive(Clone)]
pub struct GroupHandle {
    fetcher: Arc<Fetcher>,
    group: Arc<str>,
    /// What our positions carry.
    mark: Arc<Mutex<KeptMark>>,
    /// Whether the group shares partitions out among its members.
    is_shared: bool,
}

impl fmt::Debug for GroupHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupHandle").field("group", &self.group).finish_non_exhaustive()
    }
}

/// Which partitions a batch takes, each with the number of our holding it.
pub(crate) type Holding = BTreeMap<TopicPartition, u64>;

impl GroupHandle {
    pub(crate) fn new(fetcher: Arc<Fetcher>, group: &str, is_shared: bool) -> GroupHandle {
        GroupHandle { fetcher, group: Arc::from(group), mark: Arc::default(), is_shared }
    }

    /// Whether other instances may have other partitions.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn mark(&self) -> MutexGuard<'_, KeptMark> {
        self.mark.lock().expect("nobody panics while holding this lock")
    }

    /// Says where the rows go whose positions we store: those of another target are not ours to move.
    pub(crate) fn store_for(&self, target: &str) {
        let mut mark = self.mark();
        if mark.mark().target.as_deref() != Some(target) {
            mark.change(|mark| mark.target = Some(target.to_owned()));
        }
    }

    /// The form of positions that the client takes, with our mark beside each.
    pub(crate) fn marked(&self, offsets: &Offsets) -> TopicPartitionList {
        let (list, mark) = (offsets.to_list(), self.mark());
        let text = mark.text_for(offsets.0.len());
        list.elements().iter_mut().for_each(|element| element.set_metadata(text));
        list
    }

    /// A topic was deleted: another one of its name begins anew.
    pub(crate) fn forget_beginning(&self, topic: &str) {
        self.mark().change(|mark| mark.began.iter_mut().for_each(|began| began.forget(topic)));
    }

    /// What the job began with, where these are the partitions that there are: it begins now if none has a position.
    pub(crate) async fn began(&self, all: Vec<TopicPartition>) -> Result<Began, KafkaError> {
        if let Some(began) = &self.mark().mark().began {
            return Ok(began.clone());
        }
        let positions = self.committed(all.clone()).await?;
        let mut mark = self.mark();
        let found = mark.mark().began.clone().unwrap_or_else(|| match positions.0.is_empty() {
            true => Began::with(&all),
            // By a program that notes none.
            false => Began::with(positions.0.keys()),
        });
        mark.change(|mark| mark.began = Some(found.clone()));
        Ok(found)
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
    ///
    /// # Errors
    /// When positions belong to a stream into another target than ours, or the coordinator does not answer.
    pub(crate) async fn committed(&self, partitions: Vec<TopicPartition>) -> Result<Offsets, KafkaError> {
        if partitions.is_empty() {
            return Ok(Offsets::default());
        }
        let (fetcher, group) = (Arc::clone(&self.fetcher), Arc::clone(&self.group));
        let asked = spawn_blocking(move || {
            let failed = |cause| KafkaError::client(format!("cannot ask for the positions of group {group}"), &cause);
            let list = fetcher.consumer.committed_offsets(list_of(&partitions), ANSWER_DEADLINE).map_err(failed)?;
            let (mut offsets, mut marks) = (Offsets::default(), Vec::new());
            for element in list.elements() {
                element.error().map_err(failed)?;
                if let Offset::Offset(at) = element.offset() {
                    offsets.0.insert(TopicPartition::new(element.topic(), element.partition()), at);
                    marks.extend(Mark::of_text(element.metadata()));
                }
            }
            Ok::<_, KafkaError>((offsets, marks))
        });
        let (offsets, marks) = asked.await.map_err(|_| KafkaError::FetcherEnded)??;
        marks.into_iter().try_for_each(|found| self.meet(found))?;
        Ok(offsets)
    }

    /// Takes over what a position of this job says of its beginning.
    fn meet(&self, found: Mark) -> Result<(), KafkaError> {
        let mut mark = self.mark();
        if let (Some(theirs), Some(ours)) = (&found.target, &mark.mark().target)
            && theirs != ours
        {
            let (theirs, ours) = (theirs.clone(), ours.clone());
            return Err(KafkaError::OtherTarget { group: self.group.to_string(), theirs, ours });
        }
        if mark.mark().began.is_none() && found.began.is_some() {
            mark.change(|mark| mark.began = found.began);
        }
        Ok(())
    }

    /// Stores positions outside of any transaction; refused when our generation is over.
    pub(crate) async fn commit(&self, offsets: Offsets) -> Result<(), KafkaError> {
        let (fetcher, group, list) = (Arc::clone(&self.fetcher), Arc::clone(&self.group), self.marked(&offsets));
        let asked = spawn_blocking(move || {
            let failed = |cause| KafkaError::client(format!("cannot store the positions of group {group}"), &cause);
            fetcher.consumer.commit(&list, CommitMode::Sync).map_err(failed)
        });
        asked.await.map_err(|_| KafkaError::FetcherEnded)?
    }
}
