//! Topics as a sink of a stream.
//!
//! | route | progress | what a crash leaves |
//! |---|---|---|
//! | Kafka to Kafka, exactly once | the source's offsets, in the transaction of the rows | the transaction, which the next producer of the id ends |
//! | files to Kafka, exactly once | the batch's number, in the transaction of the rows | the same |
//! | Kafka to Kafka, at least once | the source's offsets, after the rows have arrived | rows that come again |
//! | files to Kafka, at least once | none; the plan is replayed | rows that come again |
//!
//! **Exactly once between topics**, a batch is read, scored and encoded beside the commit of the one before, when many rows wait; its
//! transaction begins when that one is committed.
//!
//! **At least once between topics**, a batch need not wait for the one before: its records are sent while those of the batches before
//! are on their way, and positions are stored behind them, in the order of the batches.
//!
//! **Transactional ids.** `ognivo-<job>` for a sink alone, or of partitions that the job assigns. Instances that share a group each
//! take the name of the first of their partitions behind it: whoever inherits that partition from a dead instance inherits the id, and
//! thereby ends its transaction at once instead of after `transaction.timeout.ms`.

use std::sync::{Arc, Mutex, MutexGuard};

use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use ognivo_stream::offset::SourcePartition;
use ognivo_stream::plan::{BatchId, BatchPlan};
use ognivo_stream::sink::{Ahead, BatchWriter, Committed, Delivery as Promise, Sink, SinkError};
use rdkafka::ClientConfig;

use crate::config::SinkConfig;
use crate::decode::ValueFormat;
use crate::error::KafkaError;
use crate::group::{GroupHandle, Holding};
use crate::offsets::{Offsets, TopicPartition};
use crate::positions_in_order::{Place, PositionsInOrder};
use crate::producer::Producer;
use crate::progress::BatchProgress;
use crate::turns::Turns;
use crate::writer::{KafkaWriter, Shape, Store};

/// How many batches may wait for their records to arrive and their positions to be stored. A broker answers within a few
/// milliseconds, so that this many are under way only when it does not keep up.
const MOST_BATCHES_AHEAD: usize = 64;

/// What a sink is made of.
#[derive(Debug, Clone)]
pub struct SinkParts {
    /// The options.
    pub config: SinkConfig,
    /// What a record's value holds: all columns but those that decide about the record. For [`ValueFormat::Binary`] it is
    /// the column `value`, string or binary, as in Spark.
    pub value: ValueFormat,
    /// The columns that decide about a record.
    pub columns: SinkColumns,
    /// Where dead letters go, as JSON; None when there are none, or somebody else takes them.
    pub dead_letter_topic: Option<String>,
    /// What is promised.
    pub delivery: Delivery,
    /// Where progress is kept.
    pub progress: Progress,
    /// The job's name, or whatever is its own forever: it names the transactional id.
    pub job: String,
}

/// The columns that decide about a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SinkColumns {
    /// Becomes the record's key: string, binary or a whole number. It stays in the value. None: records have no key.
    pub key: Option<String>,
    /// The topic, where the option `topic` names none: string. It is not in the value.
    pub topic: Option<String>,
    /// The partition: int. It is not in the value. None, or null: by the key.
    pub partition: Option<String>,
    /// The headers: array of struct (key string, value binary). They are not in the value.
    pub headers: Option<String>,
}

impl SinkColumns {
    /// The places of the columns that a record's value holds.
    pub(crate) fn of_value(&self, scored: &Schema) -> Vec<usize> {
        let of_record = [&self.topic, &self.partition, &self.headers];
        let is_of_record = |name: &String| of_record.into_iter().flatten().any(|of_record| of_record == name);
        let fields = scored.fields().iter().enumerate();
        fields.filter(|(_, field)| !is_of_record(field.name())).map(|(idx, _)| idx).collect()
    }
}

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Rows and progress in one transaction.
    ExactlyOnce,
    /// Rows first, progress after.
    AtLeastOnce,
}

/// Where progress is kept.
#[derive(Debug, Clone)]
pub enum Progress {
    /// In the group of a source of topics.
    Group(GroupHandle),
    /// Behind plans that are written ahead.
    Plans,
}

/// What the transactional ids of a job begin with, unless its options say otherwise.
pub fn transactional_id(job: &str) -> String {
    format!("ognivo-{job}")
}

/// A sink into topics.
pub struct KafkaSink {
    parts: SinkParts,
    shape: Option<Arc<Shape>>,
    /// The producer and its transactional id.
    producer: Option<(Arc<Producer>, Option<String>)>,
    /// The id of our transactions, as decided when the target was asked last.
    id: Option<String>,
    batches: Option<Arc<BatchProgress>>,
    /// How far the target is, as it said or as we made it.
    held: Arc<Mutex<Held>>,
    /// The batches of a delivery at least once since the target was asked.
    in_order: Option<Arc<PositionsInOrder>>,
    /// The transactions of the producer since the target was asked.
    turns: Turns,
}

/// How far the target is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    pub(crate) offsets: Offsets,
    pub(crate) batch: Option<BatchId>,
    /// Our holding of the source's partitions when their positions were asked for: a partition that went and came back
    /// since may have been moved by somebody else.
    holding: Holding,
}

impl KafkaSink {
    /// A sink at rest: nothing is connected yet.
    pub fn new(parts: SinkParts) -> KafkaSink {
        KafkaSink {
            parts,
            shape: None,
            producer: None,
            id: None,
            batches: None,
            held: Arc::default(),
            in_order: None,
            turns: Turns::new(),
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("nobody panics while holding this lock")
    }

    fn is_exactly_once(&self) -> bool {
        self.parts.delivery == Delivery::ExactlyOnce
    }

    /// The id of our transactions, given the partitions that are ours.
    fn transactional_id(&self, partitions: &[TopicPartition]) -> Option<String> {
        if !self.is_exactly_once() {
            return None;
        }
        let own = self.parts.config.client.get("transactional.id").map(str::to_owned);
        let prefix = own.unwrap_or_else(|| transactional_id(&self.parts.job));
        match &self.parts.progress {
            Progress::Plans => Some(prefix),
            Progress::Group(group) if !group.is_shared() => Some(prefix),
            Progress::Group(_) => partitions.iter().min().map(|first| format!("{prefix}-{first}")),
        }
    }

    /// A producer of this id that has no transaction open, for batches to come.
    async fn idle_producer(&mut self, id: Option<String>) -> Result<Arc<Producer>, KafkaError> {
        self.producer.take_if(|(producer, _)| producer.is_open());
        self.turns = Turns::new();
        self.producer(id).await
    }

    /// A producer of this id that nobody else has used meanwhile.
    async fn producer(&mut self, id: Option<String>) -> Result<Arc<Producer>, KafkaError> {
        if let Some((producer, its)) = &self.producer
            && *its == id
        {
            return Ok(Arc::clone(producer));
        }
        self.producer = None;
        let producer = Arc::new(Producer::new(&self.client_of(id.as_deref()))?);
        if let Some(id) = &id {
            producer.init_transactions(id).await?;
        }
        self.producer = Some((Arc::clone(&producer), id));
        Ok(producer)
    }

    /// Settings of the producer, the job's over our defaults.
    fn client_of(&self, id: Option<&str>) -> ClientConfig {
        let defaults = [
            ("partitioner", "murmur2_random"),
            // A batch is handed over as a whole; waiting for more of it only adds to the latency.
            ("linger.ms", "0"),
            ("socket.keepalive.enable", "true"),
            ("reconnect.backoff.max.ms", "1000"),
        ];
        let of_transactions = [
            ("transaction.timeout.ms", "30000"),
            // Right after a commit the broker still writes its markers and says «not now»: with the client's own pause of
            // 100 ms a transaction would take 100 ms.
            ("retry.backoff.ms", "1"),
            ("retry.backoff.max.ms", "5"),
        ];
        let fixed = [("acks", "all"), ("enable.idempotence", "true")];
        let settings = &self.parts.config.client;
        match id {
            None => {
                let mut client = settings.to_client(&defaults, &fixed);
                client.remove("transactional.id");
                client
            }
            Some(id) => {
                let defaults = [&defaults[..], &of_transactions].concat();
                settings.to_client(&defaults, &[&fixed[..], &[("transactional.id", id)]].concat())
            }
        }
    }

    async fn batches(&mut self) -> Result<Arc<BatchProgress>, KafkaError> {
        if let Some(batches) = &self.batches {
            return Ok(Arc::clone(batches));
        }
        let SinkParts { config, job, dead_letter_topic, .. } = &self.parts;
        let topic = config.topic.as_ref().or(dead_letter_topic.as_ref());
        let topic = topic.ok_or(KafkaError::NoTarget("the progress of the batches"))?;
        let batches = Arc::new(BatchProgress::new(&config.client, &transactional_id(job), topic)?);
        self.batches = Some(Arc::clone(&batches));
        Ok(batches)
    }

    async fn prepare_shape(&mut self, scored: &SchemaRef) -> Result<(), KafkaError> {
        let mut shape = Shape::new(&self.parts, scored)?;
        let producer = match &self.producer {
            Some((producer, _)) => Arc::clone(producer),
            None => Arc::new(Producer::new(&self.client_of(None))?),
        };
        for topic in self.parts.config.topic.iter().chain(&self.parts.dead_letter_topic) {
            producer.check_topic(topic).await?;
        }
        shape.register(&self.parts).await?;
        self.shape = Some(Arc::new(shape));
        Ok(())
    }

    async fn committed(&mut self, partitions: &[SourcePartition]) -> Result<Committed, KafkaError> {
        match self.parts.progress.clone() {
            Progress::Plans if !self.is_exactly_once() => Ok(Committed::Unknown),
            Progress::Plans => {
                // The transaction that an earlier process left open is ended first.
                self.idle_producer(self.transactional_id(&[])).await?;
                let newest = self.batches().await?.newest().await?;
                self.held().batch = newest;
                Ok(newest.map_or(Committed::Nothing, Committed::Batch))
            }
            Progress::Group(group) => {
                let ours: Vec<TopicPartition> = partitions.iter().filter_map(TopicPartition::of).collect();
                self.id = self.transactional_id(&ours);
                if self.id.is_some() {
                    // Ends what another process of the id left open, so that the positions are final.
                    self.idle_producer(self.id.clone()).await?;
                }
                let holding = group.holding(&ours);
                group.store_for(&self.description());
                let offsets = group.committed(ours).await?;
                let positions = offsets.to_positions();
                *self.held() = Held { offsets, batch: None, holding };
                self.in_order = None;
                Ok(Committed::Offsets(positions))
            }
        }
    }

    async fn open(&mut self, plan: &BatchPlan) -> Result<KafkaWriter, KafkaError> {
        let (id, store) = match self.parts.progress.clone() {
            Progress::Plans if !self.is_exactly_once() => (None, Store::Nowhere),
            Progress::Plans => {
                if self.held().batch >= Some(plan.id) {
                    return Err(KafkaError::HeldAlready { batch: plan.id });
                }
                let store = Store::Batch { progress: self.batches().await?, id: plan.id };
                (self.transactional_id(&[]), store)
            }
            Progress::Group(group) => {
                let moved = self.moved(plan)?;
                let holding = self.holding_of(&moved)?;
                assert!(self.id.is_some() || !self.is_exactly_once(), "the target is asked before a batch is begun");
                let store = match self.is_exactly_once() {
                    true => Store::Group { group, offsets: moved, holding },
                    false => Store::InOrder { place: self.place(group), offsets: moved, holding },
                };
                (self.id.clone(), store)
            }
        };
        let producer = match self.turns.is_over() {
            true => self.idle_producer(id.clone()).await?,
            false => self.producer(id.clone()).await?,
        };
        let turn = id.is_some().then(|| self.turns.begin());
        let shape = self.shape.clone().expect("a sink is prepared before a batch is begun");
        KafkaWriter::new(producer, shape, store, turn, Arc::clone(&self.held))
    }

    /// The place of a new batch among those that are on their way.
    fn place(&mut self, group: GroupHandle) -> Place {
        self.in_order.get_or_insert_with(|| Arc::new(PositionsInOrder::new(group))).begin()
    }

    /// Our holding of these partitions since their positions were asked for.
    fn holding_of(&self, moved: &Offsets) -> Result<Holding, KafkaError> {
        let held = self.held();
        let each = moved.0.keys().map(|at| match held.holding.get(at) {
            Some(number) => Ok((at.clone(), *number)),
            None => Err(KafkaError::PartitionLost { partition: at.to_string() }),
        });
        each.collect()
    }

    /// The positions that the batch moves.
    fn moved(&self, plan: &BatchPlan) -> Result<Offsets, KafkaError> {
        let not_ours = || KafkaError::NotAnOffset { offset: format!("{:?}", plan.positions.0) };
        let mut offsets = Offsets::of_positions(&plan.positions).ok_or_else(not_ours)?;
        let held = self.held();
        offsets.0.retain(|at, next| held.offsets.get(at) != Some(*next));
        match offsets.0.is_empty() {
            true => Err(KafkaError::HeldAlready { batch: plan.id }),
            false => Ok(offsets),
        }
    }
}

#[async_trait]
impl Sink for KafkaSink {
    fn description(&self) -> String {
        format!("KafkaSink[{}]", self.parts.config.topic.as_deref().unwrap_or("*"))
    }

    fn delivery(&self) -> Promise {
        match (self.parts.delivery, &self.parts.progress) {
            (Delivery::ExactlyOnce, Progress::Group(group)) => Promise::ExactlyOnce {
                condition: format!(
                    "for readers with isolation.level=read_committed, as long as group {} and its offsets are kept",
                    group.id()
                ),
            },
            (Delivery::ExactlyOnce, Progress::Plans) => Promise::ExactlyOnce {
                condition:
                    "for readers with isolation.level=read_committed, as long as the broker keeps the batch's number"
                        .to_owned(),
            },
            (Delivery::AtLeastOnce, _) => Promise::AtLeastOnce {
                condition: "rows of the batch that was open come again after a kill or a broker that failed".to_owned(),
            },
        }
    }

    fn ahead(&self) -> Ahead {
        match (self.parts.delivery, &self.parts.progress) {
            (_, Progress::Plans) => Ahead::Nothing,
            (Delivery::AtLeastOnce, Progress::Group(_)) => Ahead::Sent { n_batches: MOST_BATCHES_AHEAD },
            (Delivery::ExactlyOnce, Progress::Group(_)) => Ahead::Scored,
        }
    }

    async fn prepare(&mut self, scored: &SchemaRef) -> Result<(), SinkError> {
        self.prepare_shape(scored).await.map_err(SinkError::new)
    }

    async fn last_committed(&mut self, partitions: &[SourcePartition]) -> Result<Committed, SinkError> {
        self.committed(partitions).await.map_err(SinkError::new)
    }

    async fn begin(&mut self, plan: &BatchPlan) -> Result<Box<dyn BatchWriter>, SinkError> {
        let writer = self.open(plan).await.map_err(SinkError::new)?;
        Ok(Box::new(writer))
    }

    async fn reset(&mut self) -> Result<(), SinkError> {
        self.producer = None;
        self.id = None;
        self.in_order = None;
        self.turns = Turns::new();
        *self.held() = Held::default();
        Ok(())
    }
}
