//! Partitions that the group gives and takes, at the driver's pace: those that are gained wait until somebody says where they
//! start, those that are lost until the open batch is done.

use std::sync::Arc;
use std::time::Instant;

use ognivo_stream::kill_point::{self, KillPoint};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{Consumer as _, ConsumerContext, RebalanceProtocol};
use rdkafka::error::KafkaError as ClientError;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;

use super::Consumer;
use super::state::Shared;
use crate::error::KafkaError;
use crate::offsets::{TopicPartition, list_of, partitions_of};

/// What the client tells us in between.
pub(crate) struct Context(pub(super) Arc<Shared>);

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &Consumer, kind: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let Context(shared) = self;
        let partitions = partitions_of(list);
        match kind {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => gain(consumer, shared, list, partitions),
            _ => lose(consumer, shared, partitions),
        }
        shared.changed.notify_waiters();
    }
}

fn gain(consumer: &Consumer, shared: &Shared, list: &TopicPartitionList, partitions: Vec<TopicPartition>) {
    let mut state = shared.state();
    let (is_none, is_closing) = (partitions.is_empty(), state.is_closing);
    state.gain(partitions);
    if is_closing {
        // Nobody comes to start them.
        state.awaiting_start = None;
    }
    if is_none || is_closing {
        drop(state);
        let _ = assign_more(consumer, list);
    }
}

fn lose(consumer: &Consumer, shared: &Shared, partitions: Vec<TopicPartition>) {
    let mut state = shared.state();
    // All of them, and the group says anew what is ours. Taken for its last word, this would end a stream that is to end with what
    // there is. Where partitions go one by one, the others stay ours meanwhile.
    if consumer.assignment_lost() || !matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative) {
        state.has_joined = false;
    }
    if state.batch_is_open && !state.is_closing && !consumer.assignment_lost() {
        state.awaiting_release = Some((partitions, Instant::now()));
        return;
    }
    state.awaiting_release = None;
    drop(state);
    let _ = let_go(consumer, shared, &partitions);
}

/// Adds partitions to what the client reads, by the protocol of the group.
pub(super) fn assign_more(consumer: &Consumer, list: &TopicPartitionList) -> Result<(), ClientError> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
        // Eager: everything was let go before, so this is all there is.
        _ => consumer.assign(list),
    }
}

/// Lets go what was taken from us.
pub(super) fn release(consumer: &Consumer, shared: &Shared) -> Result<(), KafkaError> {
    let Some((partitions, _)) = shared.state().awaiting_release.take() else { return Ok(()) };
    let_go(consumer, shared, &partitions)
}

fn let_go(consumer: &Consumer, shared: &Shared, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
    if kill_point::pass(KillPoint::SourceReleasing).is_err() {
        return Ok(());
    }
    // Noted as lost before the group is told: whoever sees the next generation sees this too.
    let mut state = shared.state();
    for at in partitions {
        state.held.remove(at);
        state.gained.remove(at);
        state.lost.insert(at.clone());
    }
    state.lanes.retain(|lane| !partitions.contains(&lane.at));
    state.unread.extend_from_slice(partitions);
    if let Some((waiting, _)) = &mut state.awaiting_start {
        waiting.retain(|at| !partitions.contains(at));
    }
    drop(state);
    let done = match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_unassign(&list_of(partitions)),
        _ => consumer.unassign(),
    };
    done.map_err(|cause| KafkaError::client("cannot let partitions go", &cause))
}
