//! One producer: what is sent, and its transactions.
//!
//! `flush` is never called: it waits in steps of 100 ms. Deliveries are counted (`deliveries.rs`), and the count is waited for.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer as _, ThreadedProducer};
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::select;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use crate::batch_send::{Plain, Sent, Target};
use crate::deliveries::{Account, Deliveries};
use crate::error::KafkaError;

/// How long one call about a transaction may go on being repeated. The client may ask a dead coordinator for more than a minute; a new
/// client asks who it is.
const CALL_DEADLINE: Duration = Duration::from_secs(20);

/// How long one attempt of it may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// After this, an attempt that has not come back is not waited for any more. The client takes no notice of the time that it is given
/// while it believes a dead broker to be the coordinator, which it may do for ten minutes; a new client asks anew.
const STUCK_AFTER: Duration = Duration::from_secs(15);

/// How long the producer may have no room for another record: longer than records may stay undelivered.
const ROOM_DEADLINE: Duration = Duration::from_secs(330);

/// How often a topic is asked for partitions that it lacked.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// No more records are handed over in one call.
const MOST_AT_ONCE: usize = 1024;

pub(crate) type Client = ThreadedProducer<Deliveries, NoCustomPartitioner>;

/// A producer.
pub(crate) struct Producer {
    client: Option<Arc<Client>>,
    /// Topics that many records went to.
    targets: Mutex<Vec<Target>>,
    /// How many partitions topics have that rows name partitions of, and when that was asked.
    n_partitions: Mutex<HashMap<String, (i32, Instant)>>,
    deliveries: Deliveries,
    /// A transaction was begun and is neither committed nor aborted.
    is_open: AtomicBool,
}

/// What one record is made of.
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Option<rdkafka::message::OwnedHeaders>,
}

impl Producer {
    pub(crate) fn new(client: &ClientConfig) -> Result<Producer, KafkaError> {
        let deliveries = Deliveries::new();
        let made = client.create_with_context(deliveries.clone());
        let client: Client = made.map_err(|cause| KafkaError::client("cannot make a producer", &cause))?;
        Ok(Producer {
            client: Some(Arc::new(client)),
            targets: Mutex::default(),
            n_partitions: Mutex::default(),
            deliveries,
            is_open: AtomicBool::new(false),
        })
    }

    fn client(&self) -> &Arc<Client> {
        self.client.as_ref().expect("it is taken out only when the producer is dropped")
    }

    /// An account for the records of a new batch.
    ///
    /// # Errors
    /// When too many batches have records on their way.
    pub(crate) fn open_account(&self) -> Result<Account, KafkaError> {
        self.deliveries.open()
    }

    /// Hands a record over; waits while there is no room.
    pub(crate) async fn send(&self, account: &Account, record: Outgoing<'_>) -> Result<(), KafkaError> {
        let begin = Instant::now();
        let topic = record.topic;
        let mut sent = BaseRecord::<[u8], [u8], usize>::with_opaque_to(topic, account.number());
        (sent.partition, sent.key, sent.payload) = (record.partition, record.key, record.value);
        sent.headers = record.headers;
        account.expect(1);
        loop {
            let failure = match self.client().send(sent) {
                Ok(()) => return Ok(()),
                Err((ClientError::MessageProduction(Code::QueueFull), back)) if begin.elapsed() < ROOM_DEADLINE => {
                    sent = back;
                    sleep(Duration::from_millis(1)).await;
                    continue;
                }
                Err((failure, _)) => failure,
            };
            account.expect_less(1);
            return Err(not_sent(account, topic, &failure));
        }
    }

    /// Hands records over in their order, each to the partition of its key; waits while there is no room.
    pub(crate) async fn send_all(
        &self,
        account: &Account,
        topic: &str,
        records: &[Plain<'_>],
    ) -> Result<(), KafkaError> {
        let begin = Instant::now();
        let mut rest = records;
        while !rest.is_empty() {
            let some = &rest[..rest.len().min(MOST_AT_ONCE)];
            account.expect(some.len());
            let sent = self.with_target(topic, |target| target.send(some, account.number()));
            account.expect_less(some.len() - sent.n_taken);
            match sent.failure {
                None => rest = &rest[some.len()..],
                Some((first, Code::QueueFull)) if begin.elapsed() < ROOM_DEADLINE => {
                    rest = &rest[first..];
                    sleep(Duration::from_millis(1)).await;
                }
                Some((_, code)) => return Err(not_sent(account, topic, &ClientError::MessageProduction(code))),
            }
        }
        Ok(())
    }

    fn with_target(&self, topic: &str, send: impl FnOnce(&Target) -> Sent) -> Sent {
        let mut targets = self.targets.lock().expect("nobody panics while holding this lock");
        if let Some(target) = targets.iter().find(|target| target.name == topic) {
            return send(target);
        }
        match Target::new(self.client(), topic) {
            None => Sent { n_taken: 0, failure: Some((0, Code::InvalidTopic)) },
            Some(target) => {
                let sent = send(&target);
                targets.push(target);
                sent
            }
        }
    }

    /// Makes the transactional id ours: what another producer of this id left open is finished or aborted.
    pub(crate) async fn init_transactions(&self, id: &str) -> Result<(), KafkaError> {
        self.call(format!("cannot take transactional id {id}"), |client| client.init_transactions(ATTEMPT)).await
    }

    pub(crate) fn begin(&self) -> Result<(), KafkaError> {
        // Local: nothing is asked of a broker.
        let begun = self.client().begin_transaction();
        begun.map_err(|cause| KafkaError::client("cannot begin a transaction", &cause))?;
        self.is_open.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Whether a transaction was begun and is neither committed nor aborted.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::SeqCst)
    }

    /// Puts positions of a group into the open transaction.
    pub(crate) async fn send_offsets(
        &self,
        list: TopicPartitionList,
        generation: ConsumerGroupMetadata,
    ) -> Result<(), KafkaError> {
        let doing = "cannot put the progress into the transaction".to_owned();
        self.call(doing, move |client| client.send_offsets_to_transaction(&list, &generation, ATTEMPT)).await
    }

    pub(crate) async fn commit(&self) -> Result<(), KafkaError> {
        let doing = "cannot commit the transaction".to_owned();
        let done = self.call(doing, |client| client.commit_transaction(ATTEMPT)).await;
        if done.is_ok() {
            self.is_open.store(false, Ordering::SeqCst);
        }
        done
    }

    pub(crate) async fn abort(&self) -> Result<(), KafkaError> {
        let doing = "cannot abort the transaction".to_owned();
        self.call(doing, |client| client.abort_transaction(ATTEMPT)).await?;
        self.is_open.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Makes a call that blocks, and the same call again as long as the client says that it may be; given up when an attempt does not
    /// come back, whose thread ends when the client lets go of it.
    async fn call(
        &self,
        doing: String,
        call: impl Fn(&Client) -> Result<(), ClientError> + Send + 'static,
    ) -> Result<(), KafkaError> {
        let client = Arc::clone(self.client());
        let stuck = KafkaError::stuck(doing.clone(), STUCK_AFTER);
        let (attempt, mut attempts) = watch::channel(());
        let called = spawn_blocking(move || {
            let begin = std::time::Instant::now();
            loop {
                attempt.send_replace(());
                match call(&client) {
                    Err(ClientError::Transaction(cause))
                        if cause.is_retriable() && !cause.is_fatal() && begin.elapsed() < CALL_DEADLINE => {}
                    Err(ClientError::Flush(Code::OperationTimedOut)) if begin.elapsed() < CALL_DEADLINE => {}
                    done => return done.map_err(|cause| KafkaError::client(doing, &cause)),
                }
            }
        });
        let is_stuck = async {
            loop {
                match timeout(STUCK_AFTER, attempts.changed()).await {
                    Ok(Ok(())) => {}
                    // It has come back.
                    Ok(Err(_)) => std::future::pending().await,
                    Err(_) => return,
                }
            }
        };
        select! {
            biased;
            called = called => called.map_err(|_| KafkaError::FetcherEnded)?,
            () = is_stuck => Err(stuck),
        }
    }

    /// Whether the topic has a partition of this number. The client says so only after it has taken the record.
    pub(crate) async fn has_partition(&self, topic: &str, partition: i32) -> Result<bool, KafkaError> {
        let known = self.n_partitions.lock().expect("nobody panics while holding this lock").get(topic).copied();
        if let Some((n_partitions, asked)) = known
            && (partition < n_partitions || asked.elapsed() < ASK_AGAIN)
        {
            return Ok((0..n_partitions).contains(&partition));
        }
        let n_partitions = match self.ask_for(topic).await? {
            (None, n_partitions) if n_partitions > 0 => i32::try_from(n_partitions).unwrap_or(i32::MAX),
            // A broker that does not know it now may know it in a moment: no word about the row.
            (code, _) => return Err(cannot_write(topic, code.unwrap_or(Code::UnknownTopicOrPartition))),
        };
        let known = (n_partitions, Instant::now());
        self.n_partitions.lock().expect("nobody panics while holding this lock").insert(topic.to_owned(), known);
        Ok((0..n_partitions).contains(&partition))
    }

    /// Whether the topic is there.
    pub(crate) async fn check_topic(&self, topic: &str) -> Result<(), KafkaError> {
        match self.ask_for(topic).await?.0 {
            None => Ok(()),
            Some(Code::UnknownTopicOrPartition | Code::UnknownTopic) => {
                Err(KafkaError::NoTopic { topic: topic.to_owned() })
            }
            Some(code) => Err(cannot_write(topic, code)),
        }
    }

    /// What the brokers say is wrong with a topic, and how many partitions it has.
    async fn ask_for(&self, topic: &str) -> Result<(Option<Code>, usize), KafkaError> {
        let (client, topic) = (Arc::clone(self.client()), topic.to_owned());
        let asked = spawn_blocking(move || {
            let failed = |cause| KafkaError::client(format!("cannot write to {topic}"), &cause);
            let metadata = client.client().fetch_metadata(Some(&topic), ATTEMPT).map_err(failed)?;
            let found = metadata.topics().iter().find(|found| found.name() == topic);
            Ok(found.map_or((None, 0), |found| (found.error().map(Code::from), found.partitions().len())))
        });
        asked.await.map_err(|_| KafkaError::FetcherEnded)?
    }
}

fn cannot_write(topic: &str, code: Code) -> KafkaError {
    KafkaError::code(format!("cannot write to {topic}"), code)
}

fn not_sent(account: &Account, topic: &str, failure: &ClientError) -> KafkaError {
    // A record that failed before says more than that the transaction is over.
    match account.take_failure() {
        Some(code) => cannot_write(topic, code),
        None => KafkaError::client(format!("cannot write to {topic}"), failure),
    }
}

impl Drop for Producer {
    /// Ending the client's threads takes up to 100 ms; nobody waits for it.
    fn drop(&mut self) {
        let targets = std::mem::take(self.targets.get_mut().expect("nobody panics while holding this lock"));
        // Topics go before their client.
        let all = (targets, self.client.take());
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(all))),
            Err(_) => drop(all),
        }
    }
}
