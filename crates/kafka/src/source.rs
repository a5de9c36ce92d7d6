//! Topics as a source of a stream.
//!
//! **The end of a batch** is what has been fetched when somebody asks, so that a batch is as small as what has arrived and
//! latency follows the load. Where a limit or a fixed end counts, the brokers are asked for the ends of the partitions.

mod newest;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use ognivo_stream::checkpoint::InitialOffsets;
use ognivo_stream::kill_point::{self, KillPoint};
use ognivo_stream::lag::Lag;
use ognivo_stream::offset::{Offset, OffsetRange, Positions};
use ognivo_stream::source::{Assignment, ReadLimit, RowStream, Source, SourceError};
use tokio::time::{Instant, sleep};

use crate::config::{SourceConfig, Starting, Topics};
use crate::decode::{Decoder, ValueFormat};
use crate::error::KafkaError;
use crate::fetcher::{Failure, Fetcher, Given, State};
use crate::group::GroupHandle;
use crate::limit::{Limits, backlog, batch_end, ends_too_early};
use crate::offsets::{Offsets, TopicPartition};
use crate::starting::{self, ask};
use newest::{Newest, lag_of};

/// How long a source waits for a first record before it says that there is none.
const FIRST_RECORD_WAIT: Duration = Duration::from_millis(100);

/// How often topics are looked at for partitions that were added, where no group does it.
const PARTITIONS_EVERY: Duration = Duration::from_secs(5);

/// How long the group may take to say what is ours. A member that died without a word is waited for.
const JOIN_DEADLINE: Duration = Duration::from_secs(120);

/// A broker that has just started may not know of a topic for a moment.
const BEFORE_IT_IS_SURE: Duration = Duration::from_secs(3);

/// Whether partitions are shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Membership {
    /// All partitions are ours, and positions are kept by somebody else: for sinks behind a plan that is written ahead.
    Alone,
    /// The group of this id keeps the positions, and shares the partitions out among its members; those that the job has assigned are
    /// all ours. `kafka.group.id` of the job goes before it.
    Group(String),
}

/// A source over topics.
pub struct KafkaSource {
    config: SourceConfig,
    value: ValueFormat,
    value_schema: SchemaRef,
    schema: SchemaRef,
    /// The decoder of the batch before, for the next: making one costs more than a few records do.
    spare: Arc<Mutex<Option<Decoder>>>,
    fetcher: Arc<Fetcher>,
    /// Our group; None when we are alone.
    group: Option<GroupHandle>,
    initial: Option<InitialOffsets>,
    /// The partitions of the group that the driver knows of, each with the number of our holding it.
    told: BTreeMap<TopicPartition, u64>,
    /// The partitions that the group has had a position of since we began.
    positioned: BTreeSet<TopicPartition>,
    /// Where partitions begin that no batch has taken from yet, or again after records were gone.
    begun: Offsets,
    /// Whether `begun` holds what the job began with; partitions that come later begin at their first record.
    has_begun: bool,
    /// The partitions that there are, and when they were looked at.
    partitions: Option<(Vec<TopicPartition>, Instant)>,
    fixed_end: Option<Offsets>,
    /// What the brokers have, for the lag.
    newest: Newest,
    last_batch: Instant,
    /// What is still to be told.
    warnings: Vec<String>,
    /// What was warned of.
    warned: BTreeSet<String>,
}

impl KafkaSource {
    /// A source of values with the columns of `schema` (of none for [`ValueFormat::Binary`]).
    ///
    /// The client starts now, and a member asks to join its group; the first answer is waited for by
    /// [`assignment`](Source::assignment).
    ///
    /// # Errors
    /// A column of a type that the format cannot be read as, or a setting that the client refuses.
    pub fn new(
        config: SourceConfig,
        value: ValueFormat,
        schema: SchemaRef,
        membership: Membership,
    ) -> Result<KafkaSource, KafkaError> {
        let decoder = Decoder::new(&value, &schema, config.include_headers)?;
        let group = match membership {
            Membership::Alone => None,
            Membership::Group(id) => Some(config.group_id(&id).to_owned()),
        };
        let client = client_of(&config, group.as_deref());
        let given = match &config.topics {
            _ if group.is_none() => Given::WhenTheyStart,
            Topics::Assign(partitions) => Given::AtOnce(partitions.clone()),
            topics => Given::ByTheGroup(topics.to_subscribe()),
        };
        let is_shared = matches!(given, Given::ByTheGroup(_));
        let fetcher = Arc::new(Fetcher::start(&client, given, config.include_headers)?);
        Ok(KafkaSource {
            value,
            value_schema: schema,
            schema: Arc::clone(decoder.schema()),
            spare: Arc::new(Mutex::new(Some(decoder))),
            group: group.map(|id| GroupHandle::new(Arc::clone(&fetcher), &id, is_shared)),
            fetcher,
            initial: None,
            told: BTreeMap::new(),
            positioned: BTreeSet::new(),
            begun: Offsets::default(),
            has_begun: false,
            partitions: None,
            fixed_end: None,
            newest: Newest::default(),
            last_batch: Instant::now(),
            warnings: Vec::new(),
            warned: BTreeSet::new(),
            config,
        })
    }

    /// The columns of a source of these options, without asking a broker.
    ///
    /// # Errors
    /// A column of a type that the format cannot be read as.
    pub fn schema_of(config: &SourceConfig, value: &ValueFormat, schema: &SchemaRef) -> Result<SchemaRef, KafkaError> {
        Ok(Arc::clone(Decoder::new(value, schema, config.include_headers)?.schema()))
    }

    /// Notes where the stream began in this file, for [`Membership::Alone`]: the first plan names no start.
    pub fn with_initial_offsets(mut self, initial: InitialOffsets) -> KafkaSource {
        self.initial = Some(initial);
        self
    }

    /// What a sink needs to store progress in our group; None when we are alone.
    pub fn group(&self) -> Option<GroupHandle> {
        self.group.clone()
    }

    /// The partitions to read now; a topic of which some were read before may have gone.
    async fn our_partitions(&mut self, has_read: bool) -> Result<Vec<TopicPartition>, KafkaError> {
        if self.group.is_some() {
            // What came since the driver was told has no position yet, and what came back has another.
            let held = &self.fetcher.state().held;
            let known = self.told.iter().filter(|(at, number)| held.get(*at) == Some(number));
            return Ok(known.map(|(at, _)| at.clone()).collect());
        }
        if let Some((partitions, looked_at)) = &self.partitions
            && (looked_at.elapsed() < PARTITIONS_EVERY || matches!(self.config.topics, Topics::Assign(_)))
        {
            return Ok(partitions.clone());
        }
        let topics = self.config.topics.clone();
        let there_are = if has_read { starting::remaining_partitions } else { starting::partitions };
        let partitions = ask(&self.fetcher, move |consumer| there_are(consumer, &topics)).await?;
        self.partitions = Some((partitions.clone(), Instant::now()));
        Ok(partitions)
    }

    /// Where each of our partitions goes on.
    async fn begin(&mut self, start: Option<&Offset>) -> Result<Offsets, KafkaError> {
        let partitions = self.our_partitions(start.is_some()).await?;
        let start = start.map(parse).transpose()?.unwrap_or_default();
        let unknown: Vec<TopicPartition> =
            partitions.iter().filter(|at| self.from(&start, at).is_none()).cloned().collect();
        if !unknown.is_empty() {
            self.begin_new(&start, unknown).await?;
        }
        self.check_gone(&start, &partitions)?;
        let each = partitions.into_iter().filter_map(|at| {
            let from = self.from(&start, &at)?;
            Some((at, from))
        });
        Ok(Offsets(each.collect()))
    }

    /// Where a partition goes on: after what is done, and not before what is there.
    fn from(&self, start: &Offsets, at: &TopicPartition) -> Option<i64> {
        start.get(at).max(self.begun.get(at))
    }

    /// Decides where partitions begin that nobody has read, so that it stays decided.
    async fn begin_new(&mut self, start: &Offsets, new: Vec<TopicPartition>) -> Result<(), KafkaError> {
        match self.group.clone() {
            None => self.begin_new_alone(start, new).await,
            Some(group) => self.begin_new_shared(&group, new).await,
        }
    }

    async fn begin_new_shared(&mut self, group: &GroupHandle, new: Vec<TopicPartition>) -> Result<(), KafkaError> {
        // The broker forgets the positions of a topic that is deleted, and this is another of its name.
        if let Some(at) = new.iter().find(|at| self.positioned.contains(*at)) {
            self.meet_gone(at.clone())?;
        }
        let begins_at_earliest = self.config.starting == Starting::Earliest;
        let (first, added): (Vec<_>, Vec<_>) = if begins_at_earliest {
            (Vec::new(), new)
        } else {
            let topics = self.config.topics.clone();
            let mut all = ask(&self.fetcher, move |consumer| starting::remaining_partitions(consumer, &topics)).await?;
            // The broker that was asked may not have heard of them yet.
            all.extend(new.iter().cloned());
            let began = group.began(all).await?;
            new.into_iter().partition(|at| began.had(at) && !self.positioned.contains(at))
        };
        let config = self.config.clone();
        let question = move |consumer: &crate::fetcher::Consumer| {
            let mut begun = starting::resolve(consumer, &config, &first)?;
            begun.0.extend(starting::earliest(consumer, &added)?.0);
            Ok(begun)
        };
        let begun = ask(&self.fetcher, question).await?;
        if !begins_at_earliest {
            // Else the next process would find another end, and what came in between would be nobody's.
            group.commit(begun.clone()).await?;
        }
        self.begun.0.extend(begun.0);
        Ok(())
    }

    async fn begin_new_alone(&mut self, start: &Offsets, new: Vec<TopicPartition>) -> Result<(), KafkaError> {
        if !self.has_begun && start.0.is_empty() {
            let noted = match &self.initial {
                None => None,
                Some(initial) => initial.get().await.map_err(checkpoint)?,
            };
            let begun = match &noted {
                Some(offset) => parse(offset)?,
                None => {
                    let (config, new) = (self.config.clone(), new.clone());
                    ask(&self.fetcher, move |consumer| starting::resolve(consumer, &config, &new)).await?
                }
            };
            if let (None, Some(initial)) = (noted, &self.initial) {
                initial.add(&begun.to_offset()).await.map_err(checkpoint)?;
            }
            self.begun = begun;
        }
        self.has_begun = true;
        let added: Vec<_> = new.into_iter().filter(|at| self.begun.get(at).is_none()).collect();
        if !added.is_empty() {
            let first = ask(&self.fetcher, move |consumer| starting::earliest(consumer, &added)).await?;
            self.begun.0.extend(first.0);
        }
        Ok(())
    }

    /// A partition that was read and is not there any more.
    fn check_gone(&mut self, start: &Offsets, partitions: &[TopicPartition]) -> Result<(), KafkaError> {
        if self.group.is_some() {
            return Ok(());
        }
        let gone: BTreeSet<_> = start.0.keys().filter(|at| !partitions.contains(at)).cloned().collect();
        gone.into_iter().try_for_each(|at| self.meet_gone(at))
    }

    /// Ends the stream, unless the job goes on without what is gone.
    fn meet_gone(&mut self, partition: TopicPartition) -> Result<(), KafkaError> {
        if self.config.fail_on_data_loss {
            return Err(KafkaError::PartitionGone { partition });
        }
        self.warn(format!("a partition that was read is gone: {partition}"));
        if let Some(group) = &self.group {
            group.forget_beginning(&partition.topic);
        }
        Ok(())
    }

    /// The group says of a partition whose topic was deleted only that it is not ours any more.
    async fn check_still_there(&mut self, lost: &BTreeSet<TopicPartition>) -> Result<(), KafkaError> {
        let mut gone: Vec<TopicPartition> = lost.iter().cloned().collect();
        for pause in [Duration::ZERO, BEFORE_IT_IS_SURE] {
            if gone.is_empty() {
                return Ok(());
            }
            sleep(pause).await;
            let names: BTreeSet<String> = gone.iter().map(|at| at.topic.clone()).collect();
            let topics = Topics::Subscribe(names.into_iter().collect());
            let there = ask(&self.fetcher, move |consumer| starting::remaining_partitions(consumer, &topics)).await?;
            gone.retain(|at| !there.contains(at));
        }
        gone.into_iter().try_for_each(|at| self.meet_gone(at))
    }

    /// What is read, for errors.
    fn reading(&self) -> String {
        match &self.group {
            None => self.config.topics.to_string(),
            Some(group) => format!("{} as group {}", self.config.topics, group.id()),
        }
    }

    fn warn(&mut self, warning: String) {
        if self.warned.insert(warning.clone()) {
            self.warnings.push(warning);
        }
    }

    /// Lets the client read from here, where it does not already.
    async fn position(&mut self, begin: &Offsets) -> Result<(), KafkaError> {
        let failure = self.fetcher.state().failure.clone();
        if let Some(error) = failure.as_ref().and_then(|failure| failure.to_error(self.reading())) {
            return Err(error);
        }
        let begin = match failure {
            Some(Failure::OutOfRange) => &self.within_range(begin).await?,
            _ => begin,
        };
        let moved: Offsets = {
            let state = self.fetcher.state();
            let is_there =
                |at: &TopicPartition, from: i64| state.lanes.iter().any(|lane| lane.at == *at && lane.next == from);
            Offsets(
                begin
                    .0
                    .iter()
                    .filter(|(at, from)| !is_there(at, **from))
                    .map(|(at, from)| (at.clone(), *from))
                    .collect(),
            )
        };
        match moved.0.is_empty() && failure.is_none() {
            true => Ok(()),
            false => self.fetcher.start_at(moved).await,
        }
    }

    /// Offsets that are there, after the client found that some are not.
    async fn within_range(&mut self, begin: &Offsets) -> Result<Offsets, KafkaError> {
        // What was known is of a topic that may be another now.
        self.newest.forget();
        let partitions: Vec<_> = begin.0.keys().cloned().collect();
        let both = move |consumer: &crate::fetcher::Consumer| {
            Ok((starting::earliest(consumer, &partitions)?, starting::latest(consumer, &partitions)?))
        };
        let (earliest, latest) = ask(&self.fetcher, both).await?;
        let mut within = begin.clone();
        for (at, from) in &mut within.0 {
            let (first, end) = (earliest.get(at).unwrap_or(*from), latest.get(at).unwrap_or(*from));
            if (first..=end).contains(from) {
                continue;
            }
            if self.config.fail_on_data_loss {
                return Err(KafkaError::DataLoss { partition: at.clone(), wanted: *from, first, end });
            }
            self.warn(format!("records of {at} are gone before they were read: from {from} to {first}"));
            *from = first;
        }
        // What was begun further on is begun there from now on.
        for (at, from) in &within.0 {
            self.begun.0.insert(at.clone(), *from);
        }
        Ok(within)
    }

    fn limits(&self, limit: ReadLimit) -> Limits {
        let (max, min) = match limit {
            ReadLimit::Configured => (self.config.max_offsets_per_trigger, self.config.min_offsets_per_trigger),
            ReadLimit::Everything => (None, None),
        };
        // What is there when the end is fixed is all that comes: nothing more is waited for.
        let min = min.filter(|_| self.fixed_end.is_none());
        Limits { max, min, max_delay: self.config.max_trigger_delay }
    }

    /// The end by what the brokers say that is there.
    async fn end_by_brokers(&mut self, begin: &Offsets, limit: ReadLimit) -> Result<Option<Offsets>, KafkaError> {
        let mut newest = match self.newest.recent(begin).filter(|newest| self.is_enough(begin, newest, limit)) {
            Some(newest) => newest,
            None => self.ask_newest(begin).await?,
        };
        if limit == ReadLimit::Everything || self.fixed_end.is_some() {
            self.check_end(begin, &newest)?;
        }
        if let Some(fixed) = &self.fixed_end {
            for (at, end) in &mut newest.0 {
                *end = fixed.get(at).unwrap_or(0).min(*end);
            }
        }
        let end = batch_end(begin, &newest, self.limits(limit), self.last_batch.elapsed());
        if end.is_none() && self.fixed_end.is_none() {
            // So that a stream at rest does not ask all the time.
            self.fetcher.wait(FIRST_RECORD_WAIT, |state| (has_news(state) || has_records(state)).then_some(())).await;
        }
        Ok(end)
    }

    /// A broker that has just come back may say less than it has, and a stream that is to end would end there, as if all had been read.
    fn check_end(&self, begin: &Offsets, newest: &Offsets) -> Result<(), KafkaError> {
        let nothing = Offsets::default();
        match ends_too_early(begin, self.fixed_end.as_ref().unwrap_or(&nothing), newest) {
            Some((partition, known, end)) if self.config.fail_on_data_loss => {
                self.newest.forget();
                Err(KafkaError::EndsTooEarly { partition, known, end })
            }
            _ => Ok(()),
        }
    }

    async fn ask_newest(&self, begin: &Offsets) -> Result<Offsets, KafkaError> {
        let partitions: Vec<_> = begin.0.keys().cloned().collect();
        let newest = ask(&self.fetcher, move |consumer| starting::latest(consumer, &partitions)).await?;
        self.newest.note(newest.clone());
        Ok(newest)
    }

    /// Whether what was there a moment ago fills the batch: then nobody needs to be asked what has come since. An answer
    /// waits behind the fetch that is under way.
    fn is_enough(&self, begin: &Offsets, newest: &Offsets, limit: ReadLimit) -> bool {
        match &self.fixed_end {
            Some(fixed) => begin.0.keys().all(|at| newest.get(at) >= fixed.get(at)),
            None => self.limits(limit).max.is_some_and(|max| backlog(begin, newest) >= max),
        }
    }

    /// The end of what has been fetched; waits a moment for a first record.
    async fn end_by_lanes(&mut self, begin: &Offsets) -> Option<Offsets> {
        let found = self.fetcher.wait(FIRST_RECORD_WAIT, |state| (has_news(state) || has_records(state)).then_some(()));
        found.await?;
        let state = self.fetcher.state();
        if !has_records(&state) {
            return None;
        }
        let end = begin.0.iter().map(|(at, from)| {
            let lane = state.lanes.iter().find(|lane| lane.at == *at);
            (at.clone(), lane.and_then(crate::lane::Lane::end_of_records).unwrap_or(*from).max(*from))
        });
        let end = Offsets(end.collect());
        (end != *begin).then_some(end)
    }

    async fn latest_end(&mut self, start: Option<&Offset>, limit: ReadLimit) -> Result<Option<Offsets>, KafkaError> {
        let begin = self.begin(start).await?;
        if begin.0.is_empty() {
            if self.group.is_some() && !self.fetcher.state().has_joined {
                return Err(KafkaError::BetweenAssignments);
            }
            self.fetcher.wait(FIRST_RECORD_WAIT, |state| has_news(state).then_some(())).await;
            return Ok(None);
        }
        self.position(&begin).await?;
        let Limits { max, min, .. } = self.limits(limit);
        let asks_brokers = limit == ReadLimit::Everything || max.is_some() || min.is_some() || self.fixed_end.is_some();
        match asks_brokers {
            true => self.end_by_brokers(&begin, limit).await,
            false => {
                self.newest.refresh(&self.fetcher, &begin);
                Ok(self.end_by_lanes(&begin).await)
            }
        }
    }
}

/// Whether the driver has something to hear before it waits for records.
fn has_news(state: &State) -> bool {
    state.is_moving() || state.failure.is_some()
}

fn has_records(state: &State) -> bool {
    state.lanes.iter().any(|lane| !lane.is_empty())
}

fn parse(offset: &Offset) -> Result<Offsets, KafkaError> {
    Offsets::of_offset(offset).ok_or_else(|| KafkaError::NotAnOffset { offset: offset.to_string() })
}

fn checkpoint(cause: ognivo_stream::checkpoint::CheckpointError) -> KafkaError {
    KafkaError::InitialOffsets(Box::new(cause))
}

/// Settings of the consumer, the job's over our defaults.
fn client_of(config: &SourceConfig, group: Option<&str>) -> rdkafka::ClientConfig {
    let by_broker =
        config.client.get("group.protocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("consumer"));
    let mut defaults = vec![
        ("isolation.level", "read_committed"),
        ("topic.metadata.refresh.interval.ms", "30000"),
        // A member that died is noticed within seconds.
        ("session.timeout.ms", "10000"),
        ("partition.assignment.strategy", "cooperative-sticky"),
        // What is fetched waits in our lanes; the client's own queue only bridges the gaps.
        ("queued.max.messages.kbytes", "16384"),
        ("socket.keepalive.enable", "true"),
        ("reconnect.backoff.max.ms", "1000"),
    ];
    if by_broker {
        // These belong to the broker then.
        defaults.retain(|(name, _)| !["session.timeout.ms", "partition.assignment.strategy"].contains(name));
    }
    let group = group.or(config.client.get("group.id")).unwrap_or("ognivo-source");
    let fixed = [
        ("group.id", group),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("enable.partition.eof", "true"),
        ("auto.offset.reset", "error"),
    ];
    config.client.to_client(&defaults, &fixed)
}

#[async_trait]
impl Source for KafkaSource {
    fn description(&self) -> String {
        format!("KafkaV2[{}]", self.config.topics)
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    async fn latest(&mut self, start: Option<&Offset>, limit: ReadLimit) -> Result<Option<Offset>, SourceError> {
        let end = self.latest_end(start, limit).await.map_err(SourceError::new)?;
        if end.is_some() {
            kill_point::pass(KillPoint::SourceFound)?;
            self.fetcher.state().batch_is_open = true;
            self.last_batch = Instant::now();
        }
        Ok(end.map(|end| end.to_offset()))
    }

    async fn read(&mut self, range: &OffsetRange) -> Result<RowStream, SourceError> {
        self.read_range(range).await.map_err(SourceError::new)
    }

    async fn fix_end(&mut self) -> Result<(), SourceError> {
        let topics = self.config.topics.clone();
        let question = move |consumer: &crate::fetcher::Consumer| {
            let partitions = starting::partitions(consumer, &topics)?;
            starting::latest(consumer, &partitions)
        };
        let ends = ask(&self.fetcher, question).await.map_err(SourceError::new)?;
        // Asked again beside a fetch that waits for records, the broker would answer when that is over.
        self.newest.note(ends.clone());
        self.fixed_end = Some(ends);
        Ok(())
    }

    async fn acknowledge(&mut self, end: &Offset) -> Result<(), SourceError> {
        if self.group.is_some() {
            let done = parse(end).map_err(SourceError::new)?;
            let new = done.0.into_keys().filter(|at| !self.positioned.contains(at)).collect::<Vec<_>>();
            self.positioned.extend(new);
        }
        Ok(())
    }

    async fn reset(&mut self) -> Result<(), SourceError> {
        let mut state = self.fetcher.state();
        state.batch_is_open = false;
        if state.failure.as_ref().is_some_and(Failure::may_pass) {
            state.failure = None;
        }
        // Whatever was read of them: the next reader says where it begins.
        state.lanes.iter_mut().for_each(|lane| lane.next = -1);
        drop(state);
        self.partitions = None;
        self.newest.forget();
        Ok(())
    }

    fn is_moving(&self) -> bool {
        self.group.is_some() && self.fetcher.state().is_moving()
    }

    async fn assignment(&mut self) -> Result<Option<Assignment>, SourceError> {
        if self.group.is_none() {
            return Ok(None);
        }
        self.fetcher.state().batch_is_open = false;
        self.fetcher.release().await.map_err(SourceError::new)?;
        let (has_joined, lost) = {
            let state = self.fetcher.state();
            (state.has_joined, state.lost.clone())
        };
        if !has_joined {
            // Not after the group's next word: without any topic that is there, none comes.
            self.check_still_there(&lost).await.map_err(SourceError::new)?;
        }
        let joined = self.fetcher.wait(JOIN_DEADLINE, |state| {
            if let Some(error) = state.failure.as_ref().and_then(|failure| failure.to_error(self.reading())) {
                return Some(Err(error));
            }
            let news = |state: &mut State| {
                (std::mem::take(&mut state.gained), std::mem::take(&mut state.lost), state.held.clone())
            };
            state.has_joined.then(|| Ok(news(state)))
        });
        let no_answer =
            || KafkaError::code("cannot join the group", rdkafka::types::RDKafkaErrorCode::OperationTimedOut);
        let (gained, lost, held) = joined.await.unwrap_or_else(|| Err(no_answer())).map_err(SourceError::new)?;
        if let Err(error) = self.check_still_there(&lost).await {
            let mut state = self.fetcher.state();
            // To be heard again.
            state.gained.extend(gained.into_iter().filter(|at| held.contains_key(at)));
            state.lost.extend(lost);
            return Err(SourceError::new(error));
        }
        if !gained.is_empty() || !lost.is_empty() {
            kill_point::pass(KillPoint::SourceMoved)?;
        }
        self.told = held;
        // Somebody else may have moved what came back.
        self.begun.0.retain(|at, _| !gained.contains(at) && !lost.contains(at));
        let names = |partitions: BTreeSet<TopicPartition>| partitions.iter().map(TopicPartition::name).collect();
        Ok(Some(Assignment { gained: names(gained), lost: names(lost) }))
    }

    fn take_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn lag(&self, done: Option<&Offset>) -> Lag {
        let done = done.and_then(Offsets::of_offset).unwrap_or_default();
        lag_of(&self.newest.offsets(), &self.fetcher.state().lanes, |at| self.from(&done, at))
    }

    fn positions(&self, offset: &Offset) -> Result<Positions, SourceError> {
        match self.group {
            None => Ok(Positions::of_whole(offset)),
            Some(_) => parse(offset).map(|offsets| offsets.to_positions()).map_err(SourceError::new),
        }
    }

    fn offset_at(&self, positions: &Positions) -> Result<Option<Offset>, SourceError> {
        if self.group.is_none() {
            return Ok(positions.whole());
        }
        let offsets = Offsets::of_positions(positions);
        let offsets = offsets.ok_or_else(|| KafkaError::NotAnOffset { offset: format!("{:?}", positions.0) });
        let offsets = offsets.map_err(SourceError::new)?;
        Ok((!offsets.0.is_empty()).then(|| offsets.to_offset()))
    }
}

impl Drop for KafkaSource {
    /// Leaves the group, so that the others need not wait for us.
    fn drop(&mut self) {
        self.fetcher.close();
    }
}
