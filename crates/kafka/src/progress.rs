//! The number of the newest batch, kept by the broker as an offset of a group of ours that has no members.
//!
//! ```text
//! group ognivo-<job>, partition 0 of the sink's topic: offset = number of the newest batch + 1
//! ```
//! It is put into the transaction of the batch's rows, so both are there or neither. The broker keeps it for
//! `offsets.retention.minutes` after the newest batch (seven days by default); when it is gone, the checkpoint knows of
//! batches that the target has forgotten, and the job is refused instead of repeating one.

use std::sync::Arc;
use std::time::Duration;

use ognivo_stream::plan::BatchId;
use rdkafka::Offset;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata};
use tokio::task::spawn_blocking;

use crate::config::client::ClientSettings;
use crate::error::KafkaError;
use crate::offsets::{Offsets, TopicPartition, list_of};

/// How long the coordinator may take to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// Where the number of the newest batch is kept.
pub(crate) struct BatchProgress {
    consumer: Arc<BaseConsumer>,
    at: TopicPartition,
}

impl BatchProgress {
    pub(crate) fn new(client: &ClientSettings, group: &str, topic: &str) -> Result<BatchProgress, KafkaError> {
        let settings = client.of_connection();
        // Committed transactions only, and those that are open are waited for.
        let fixed = [("group.id", group), ("isolation.level", "read_committed"), ("enable.auto.commit", "false")];
        let made = settings.to_client(&[], &fixed).create();
        let consumer: BaseConsumer = made.map_err(|cause| KafkaError::client("cannot make a consumer", &cause))?;
        Ok(BatchProgress { consumer: Arc::new(consumer), at: TopicPartition::new(topic, 0) })
    }

    /// The newest batch that the target holds.
    pub(crate) async fn newest(&self) -> Result<Option<BatchId>, KafkaError> {
        let (consumer, at) = (Arc::clone(&self.consumer), self.at.clone());
        let asked = spawn_blocking(move || {
            let failed = |cause| KafkaError::client("cannot ask for the newest batch", &cause);
            let list = consumer.committed_offsets(list_of([&at]), ANSWER_DEADLINE).map_err(failed)?;
            let elements = list.elements();
            let element = elements.first().ok_or(KafkaError::FetcherEnded)?;
            element.error().map_err(failed)?;
            Ok(match element.offset() {
                Offset::Offset(next) if next > 0 => Some(BatchId(next as u64 - 1)),
                _ => None,
            })
        });
        asked.await.map_err(|_| KafkaError::FetcherEnded)?
    }

    /// What is put into the transaction of this batch.
    pub(crate) fn of_batch(&self, id: BatchId) -> Result<(Offsets, ConsumerGroupMetadata), KafkaError> {
        let metadata = self.consumer.group_metadata().ok_or(KafkaError::FetcherEnded)?;
        Ok((Offsets([(self.at.clone(), id.0 as i64 + 1)].into()), metadata))
    }
}
