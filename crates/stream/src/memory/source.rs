//! A topic as a source whose offsets are record numbers per partition, as Kafka's are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use futures::StreamExt as _;
use serde_json::Value;

use super::{MemoryFaults, MemoryTopic, topic};
use crate::kill_point::{self, KillPoint};
use crate::lag::Lag;
use crate::offset::{Offset, OffsetRange, Positions, SourcePartition};
use crate::source::{Assignment, ReadLimit, RowStream, Source, SourceError};

/// Which member of a group has which partitions; changed by the test, followed by the sources.
#[derive(Debug, Clone, Default)]
pub struct MemoryMembership(Arc<Mutex<BTreeMap<usize, Ownership>>>);

/// Who has a partition, and how often it has changed hands: a partition that came back is not one that stayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ownership {
    member: usize,
    generation: u64,
}

impl MemoryMembership {
    /// Gives a partition to a member.
    pub fn give(&self, partition: usize, member: usize) {
        let mut owners = self.0.lock().expect("nobody panics while holding this lock");
        let owner = owners.entry(partition).or_insert(Ownership { member, generation: 0 });
        if owner.member != member {
            *owner = Ownership { member, generation: owner.generation + 1 };
        }
    }

    /// The partitions of a member, with their generations.
    fn of(&self, member: usize) -> BTreeMap<usize, u64> {
        let owners = self.0.lock().expect("nobody panics while holding this lock");
        let own = owners.iter().filter(|(_, owner)| owner.member == member);
        own.map(|(partition, owner)| (*partition, owner.generation)).collect()
    }
}

/// A source over a [`MemoryTopic`]. Offsets are `{"0":17,"1":4}`: the next record of each partition.
#[derive(Debug)]
pub struct MemorySource {
    topic: MemoryTopic,
    max_rows: usize,
    faults: MemoryFaults,
    member: Option<(MemoryMembership, usize)>,
    /// Our partitions, with their generations.
    assigned: BTreeMap<usize, u64>,
    fixed_end: Option<BTreeMap<usize, usize>>,
}

impl MemorySource {
    /// A source that has all partitions and takes at most `max_rows` records of each per batch.
    pub fn new(topic: MemoryTopic, max_rows: usize, faults: MemoryFaults) -> MemorySource {
        let assigned = (0..topic.n_partitions()).map(|partition| (partition, 0)).collect();
        MemorySource { topic, max_rows, faults, member: None, assigned, fixed_end: None }
    }

    /// A source that is a member of a group and has the partitions that the group gives it.
    pub fn member(
        topic: MemoryTopic,
        max_rows: usize,
        faults: MemoryFaults,
        membership: MemoryMembership,
        member: usize,
    ) -> MemorySource {
        let member = Some((membership, member));
        MemorySource { topic, max_rows, faults, member, assigned: BTreeMap::new(), fixed_end: None }
    }

    fn newest(&self, partition: usize) -> usize {
        let len = self.topic.len(partition);
        self.fixed_end.as_ref().map_or(len, |fixed| fixed.get(&partition).copied().unwrap_or(0).min(len))
    }
}

#[async_trait]
impl Source for MemorySource {
    fn description(&self) -> String {
        "MemorySource".to_owned()
    }

    fn schema(&self) -> SchemaRef {
        topic::schema()
    }

    async fn latest(&mut self, start: Option<&Offset>, limit: ReadLimit) -> Result<Option<Offset>, SourceError> {
        self.faults.call("source.latest").map_err(SourceError::new)?;
        let start = numbers(start);
        let max_rows = if limit == ReadLimit::Everything { usize::MAX } else { self.max_rows };
        let end: BTreeMap<usize, usize> = self
            .assigned
            .keys()
            .map(|partition| {
                let from = start.get(partition).copied().unwrap_or(0);
                (*partition, self.newest(*partition).min(from.saturating_add(max_rows)).max(from))
            })
            .collect();
        let has_new = end.iter().any(|(partition, to)| *to > start.get(partition).copied().unwrap_or(0));
        if has_new {
            kill_point::pass(KillPoint::SourceFound)?;
        }
        Ok(has_new.then(|| offset(&end)))
    }

    async fn read(&mut self, range: &OffsetRange) -> Result<RowStream, SourceError> {
        self.faults.call("source.read").map_err(SourceError::new)?;
        let start = numbers(range.start.as_ref());
        let mut blocks = Vec::new();
        for (partition, to) in numbers(Some(&range.end)) {
            blocks.extend(self.topic.blocks(partition, start.get(&partition).copied().unwrap_or(0), to));
        }
        let faults = self.faults.clone();
        let blocks = futures::stream::iter(blocks);
        Ok(blocks.map(move |block| faults.call("source.block").map(|()| block).map_err(SourceError::new)).boxed())
    }

    async fn acknowledge(&mut self, _end: &Offset) -> Result<(), SourceError> {
        self.faults.call("source.acknowledge").map_err(SourceError::new)?;
        Ok(kill_point::pass(KillPoint::SourceAcknowledging)?)
    }

    async fn fix_end(&mut self) -> Result<(), SourceError> {
        let n_partitions = self.topic.n_partitions();
        self.fixed_end = Some((0..n_partitions).map(|partition| (partition, self.topic.len(partition))).collect());
        Ok(())
    }

    async fn assignment(&mut self) -> Result<Option<Assignment>, SourceError> {
        let Some((membership, member)) = &self.member else { return Ok(None) };
        let now = membership.of(*member);
        let named = |partitions: &BTreeMap<usize, u64>, other: &BTreeMap<usize, u64>| {
            let differs = partitions.iter().filter(|(partition, generation)| other.get(partition) != Some(generation));
            differs.map(|(partition, _)| SourcePartition(partition.to_string())).collect()
        };
        let moved = Assignment { gained: named(&now, &self.assigned), lost: named(&self.assigned, &now) };
        self.assigned = now;
        Ok(Some(moved))
    }

    fn lag(&self, done: Option<&Offset>) -> Lag {
        let done = numbers(done);
        let behind = |partition: &usize| {
            let at = done.get(partition).copied().unwrap_or(0);
            (SourcePartition(partition.to_string()), self.newest(*partition).saturating_sub(at) as u64)
        };
        Lag::Records(self.assigned.keys().map(behind).collect())
    }

    fn positions(&self, offset: &Offset) -> Result<Positions, SourceError> {
        if self.member.is_none() {
            return Ok(Positions::of_whole(offset));
        }
        let numbers = numbers(Some(offset));
        Ok(Positions(
            numbers.iter().map(|(partition, at)| (SourcePartition(partition.to_string()), (*at).into())).collect(),
        ))
    }

    fn offset_at(&self, positions: &Positions) -> Result<Option<Offset>, SourceError> {
        if self.member.is_none() {
            return Ok(positions.whole());
        }
        let json: Value = positions.0.iter().map(|(partition, at)| (partition.0.clone(), at.clone())).collect();
        Ok((!positions.is_empty()).then(|| Offset::new(json)))
    }
}

fn offset(numbers: &BTreeMap<usize, usize>) -> Offset {
    Offset::new(numbers.iter().map(|(partition, at)| (partition.to_string(), Value::from(*at))).collect())
}

fn numbers(offset: Option<&Offset>) -> BTreeMap<usize, usize> {
    let Some(Value::Object(object)) = offset.map(Offset::json) else { return BTreeMap::new() };
    let number = |(partition, at): (&String, &Value)| Some((partition.parse().ok()?, at.as_u64()? as usize));
    object.iter().filter_map(number).collect()
}
