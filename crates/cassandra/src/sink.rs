//! A table as a sink: each row is an upsert whose timestamp is the time of the batch's plan.
//!
//! 1. `begin` opens nothing: the plan gives the timestamp.
//! 2. `write` sends the rows of a block, many at once, and returns when each was acknowledged or refused.
//! 3. `commit` notes the batch in the progress table, where there is one.
//!
//! A batch that comes again sends the same keys, values and timestamps, so it changes nothing; a write of an older batch that
//! arrives late has an older timestamp, so it does not win. Rows are visible before their batch is committed.
//!
//! A list that is not frozen is the exception: Cassandra gives its elements new identities each time, and shows both when two
//! writes have the same timestamp. Rows with such a list are sent with a timestamp of their own each time, never earlier than the
//! plan's, so that the later write takes the place of the earlier one.

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;
use futures::TryStreamExt as _;
use futures::future::{Either, select};
use futures::stream::FuturesUnordered;
use ognivo_stream::clock::Clock;
use ognivo_stream::kill_point::{self, KillPoint};
use ognivo_stream::offset::SourcePartition;
use ognivo_stream::plan::{BatchId, BatchPlan};
use ognivo_stream::sink::{BatchWriter, Committed, Delivery, Lane, RefusedRow, Sink, SinkError, Written};
use ognivo_stream::tally::MIN_ROWS_FOR_FRACTION;
use scylla::client::session::Session;
use scylla::serialize::SerializationError;
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::RowWriter;
use scylla::statement::prepared::PreparedStatement;
use tokio::sync::{Notify, oneshot};

use crate::cells::Values;
use crate::client;
use crate::config::CassandraConfig;
use crate::error::CassandraError;
use crate::mapping::InsertPlan;
use crate::progress::ProgressTable;
use crate::retry::{Patience, Trouble, Window};
use crate::session_thread::SessionThread;

/// The sink. It takes scored rows only; another one may take dead letters (`ognivo_stream::split_sink`).
pub struct CassandraSink {
    config: CassandraConfig,
    query_id: String,
    clock: Arc<dyn Clock>,
    /// The rows that will come; None until the sink is prepared.
    schema: Option<SchemaRef>,
    /// None when it must be made anew.
    ready: Option<Arc<Ready>>,
    /// The newest batch that the progress table is known to hold.
    newest: Arc<Mutex<Option<BatchId>>>,
}

/// A session with everything that was found out and prepared in it.
struct Ready {
    session: Session,
    /// Where the session lives.
    thread: SessionThread,
    plan: InsertPlan,
    insert: PreparedStatement,
    progress: Option<ProgressTable>,
    window: SharedWindow,
    /// The last timestamp that was given to one write alone, in microseconds.
    last_timestamp_us: AtomicI64,
}

impl CassandraSink {
    /// A sink into the table of this configuration. Nothing is opened yet.
    ///
    /// `query_id`, the id in the checkpoint, is the key of the query's row in a progress table.
    pub fn new(config: CassandraConfig, query_id: String, clock: Arc<dyn Clock>) -> CassandraSink {
        CassandraSink { config, query_id, clock, schema: None, ready: None, newest: Arc::default() }
    }

    async fn ready(&mut self) -> Result<Arc<Ready>, CassandraError> {
        if let Some(ready) = &self.ready {
            return Ok(Arc::clone(ready));
        }
        let schema = self.schema.as_ref().expect("`prepare` comes before everything else");
        let thread = SessionThread::start(self.config.concurrent_writes)?;
        let config = self.config.clone();
        let session = thread.run(async move { client::connect(&config).await }).await?;
        let shape = client::table_shape(&session, &self.config.table).await?;
        let plan = InsertPlan::new(&shape, schema, &self.config.columns, &self.config.positions, self.config.ttl_s)?;
        let insert = client::prepare(&session, &plan.cql(), self.config.consistency, &plan.table).await?;
        let progress = match &self.config.progress {
            Some(table) => Some(ProgressTable::open(&session, table, &self.config.table, &self.query_id).await?),
            None => None,
        };
        let window = SharedWindow::new(self.config.concurrent_writes);
        let last_timestamp_us = AtomicI64::new(0);
        let ready = Arc::new(Ready { session, thread, plan, insert, progress, window, last_timestamp_us });
        self.ready = Some(Arc::clone(&ready));
        Ok(ready)
    }

    fn known_newest(&self) -> Option<BatchId> {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CassandraSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CassandraSink")
            .field("config", &self.config)
            .field("query_id", &self.query_id)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Sink for CassandraSink {
    fn description(&self) -> String {
        format!("CassandraSink[{}]", self.config.table)
    }

    fn delivery(&self) -> Delivery {
        Delivery::ExactlyOnce {
            condition: "no two rows share a key, and servers keep what they acknowledge; \
                        rows are written at least once, and the same row again changes nothing"
                .to_owned(),
        }
    }

    async fn prepare(&mut self, scored: &SchemaRef) -> Result<(), SinkError> {
        self.schema = Some(scored.clone());
        self.ready = None;
        self.ready().await?;
        Ok(())
    }

    async fn last_committed(&mut self, _: &[SourcePartition]) -> Result<Committed, SinkError> {
        let ready = self.ready().await?;
        let Some(progress) = &ready.progress else { return Ok(Committed::Unknown) };
        let newest = progress.newest(&ready.session, self.clock.as_ref()).await?;
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = newest;
        Ok(newest.map_or(Committed::Nothing, Committed::Batch))
    }

    async fn begin(&mut self, plan: &BatchPlan) -> Result<Box<dyn BatchWriter>, SinkError> {
        if self.known_newest().is_some_and(|newest| newest >= plan.id) {
            return Err(CassandraError::AlreadyHeld { batch: plan.id, table: self.config.table.clone() }.into());
        }
        let ready = self.ready().await?;
        let sender = Sender {
            ready,
            clock: Arc::clone(&self.clock),
            timestamp_us: plan.time_ms.saturating_mul(1000),
            attempt_limit: self.config.connection.request_timeout,
        };
        Ok(Box::new(TableBatch {
            sender,
            batch: plan.id,
            newest: Arc::clone(&self.newest),
            n_written: 0,
            refused: Vec::new(),
        }))
    }

    async fn reset(&mut self) -> Result<(), SinkError> {
        self.ready = None;
        Ok(())
    }
}

/// One open batch.
struct TableBatch {
    sender: Sender,
    batch: BatchId,
    newest: Arc<Mutex<Option<BatchId>>>,
    n_written: usize,
    /// Rows of the last write that were refused.
    refused: Vec<RefusedRow>,
}

#[async_trait]
impl BatchWriter for TableBatch {
    async fn write(&mut self, lane: Lane, rows: RecordBatch) -> Result<(), SinkError> {
        if lane == Lane::DeadLetter {
            return Err(CassandraError::NoDeadLetterTarget.into());
        }
        let (sender, n_rows) = (self.sender.clone(), rows.num_rows());
        let (tell_half, half) = oneshot::channel();
        let sending = self.sender.ready.thread.run(async move { sender.send(&rows, tell_half).await });
        let refusals = match select(half, pin!(sending)).await {
            Either::Left((half_is_sent, sending)) => {
                if half_is_sent.is_ok() {
                    kill_point::pass(KillPoint::SinkPartVisible)?;
                }
                sending.await?
            }
            Either::Right((refusals, _)) => refusals?,
        };
        let by_server = refusals.iter().filter(|refusal| refusal.by_server).count();
        if by_server > 0 {
            self.look_at_refusals(&refusals, by_server, n_rows).await?;
        }
        self.n_written += n_rows - refusals.len();
        self.refused = refusals.into_iter().map(|refusal| refusal.row).collect();
        self.refused.sort_unstable_by_key(|row| row.row_idx);
        Ok(())
    }

    fn take_refused(&mut self) -> Vec<RefusedRow> {
        std::mem::take(&mut self.refused)
    }

    async fn commit(self: Box<Self>) -> Result<Written, SinkError> {
        kill_point::pass(KillPoint::SinkAllVisible)?;
        let Sender { ready, clock, timestamp_us, .. } = &self.sender;
        if let Some(progress) = &ready.progress {
            progress.note(&ready.session, self.batch, *timestamp_us, clock.as_ref()).await?;
            *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.batch);
        }
        kill_point::pass(KillPoint::SinkLogged)?;
        Ok(Written { n_scored: self.n_written, n_dead_letters: 0, shown_ms: None })
    }

    /// Rows that are in the table stay: the batch's plan is written ahead, so the same rows come again.
    async fn abort(self: Box<Self>) {}
}

/// A row that was not taken.
struct Refusal {
    row: RefusedRow,
    by_server: bool,
}

impl TableBatch {
    /// A server that refuses rows may mean the rows, or the table that is not what it was.
    async fn look_at_refusals(
        &self,
        refusals: &[Refusal],
        by_server: usize,
        n_rows: usize,
    ) -> Result<(), CassandraError> {
        let Ready { session, plan, insert, .. } = self.sender.ready.as_ref();
        let consistency = insert.get_consistency().unwrap_or_default();
        client::prepare(session, insert.get_statement(), consistency, &plan.table).await?;
        if by_server == n_rows && n_rows as u64 >= MIN_ROWS_FOR_FRACTION {
            let message = refusals.first().map(|refusal| refusal.row.message.clone()).unwrap_or_default();
            return Err(CassandraError::EveryRowRefused { table: plan.table.clone(), n_rows, message });
        }
        Ok(())
    }
}

/// What sends the rows of a batch.
#[derive(Clone)]
struct Sender {
    ready: Arc<Ready>,
    clock: Arc<dyn Clock>,
    timestamp_us: i64,
    attempt_limit: Duration,
}

impl Sender {
    /// Sends all rows, and tells when half of them are on their way; those come back that were refused.
    async fn send(&self, rows: &RecordBatch, tell_half: oneshot::Sender<()>) -> Result<Vec<Refusal>, CassandraError> {
        let values = self.ready.plan.open(rows);
        let values =
            values.map_err(|(column, refusal)| CassandraError::BadColumn { column, message: refusal.message })?;
        let block = Block {
            sender: self,
            values,
            n_rows: rows.num_rows(),
            next: AtomicUsize::new(0),
            tell_half: Mutex::new(Some(tell_half)),
            refusals: Mutex::new(Vec::new()),
        };
        let n_lanes = self.ready.window.most().min(block.n_rows);
        let lanes: FuturesUnordered<_> = (0..n_lanes).map(|lane_idx| block.run_lane(lane_idx)).collect();
        lanes.try_collect::<()>().await?;
        Ok(block.refusals.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The timestamp of the next write, in microseconds: the plan's, or one that no other write of ours has.
    fn timestamp(&self) -> i64 {
        if !self.ready.plan.has_unfrozen_list() {
            return self.timestamp_us;
        }
        let least = self.timestamp_us.max(self.clock.now_ms().saturating_mul(1000));
        let last = &self.ready.last_timestamp_us;
        let before = last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(least.max(last + 1)));
        least.max(before.unwrap_or_else(|last| last) + 1)
    }
}

/// The rows of one write, on their way.
struct Block<'a> {
    sender: &'a Sender,
    values: Vec<Values<'a>>,
    n_rows: usize,
    /// The row that is sent next.
    next: AtomicUsize,
    tell_half: Mutex<Option<oneshot::Sender<()>>>,
    refusals: Mutex<Vec<Refusal>>,
}

impl Block<'_> {
    /// Sends one row after the other; as many of these run side by side as rows may be under way.
    async fn run_lane(&self, lane_idx: usize) -> Result<(), CassandraError> {
        let window = &self.sender.ready.window;
        loop {
            window.wait_for_room(lane_idx, || self.next.load(Ordering::Relaxed) >= self.n_rows).await;
            let row_idx = self.next.fetch_add(1, Ordering::Relaxed);
            if row_idx >= self.n_rows {
                // Lanes that wait for room see that there is nothing left to wait for.
                window.wake_all_if_narrow();
                return Ok(());
            }
            if row_idx == self.n_rows / 2 {
                let tell_half = self.tell_half.lock().unwrap_or_else(PoisonError::into_inner).take();
                // Whoever does not listen waits for the rows no more.
                tell_half.map(|tell| tell.send(()));
            }
            self.send_row(row_idx).await?;
        }
    }

    async fn send_row(&self, row_idx: usize) -> Result<(), CassandraError> {
        let Sender { ready, clock, attempt_limit, .. } = self.sender;
        let mut patience = Patience::default();
        loop {
            let row = Row { block: self, row_idx, timestamp_us: self.sender.timestamp() };
            let round = ready.window.round();
            let Err(error) = ready.session.execute_unpaged(&ready.insert, row).await else {
                ready.window.wrote();
                return Ok(());
            };
            let trouble = Trouble::of(&error);
            match &trouble {
                Trouble::Row { column, message, by_server } => {
                    let row = RefusedRow { row_idx, column: column.clone(), message: message.clone() };
                    let refusal = Refusal { row, by_server: *by_server };
                    self.refusals.lock().unwrap_or_else(PoisonError::into_inner).push(refusal);
                    return Ok(());
                }
                Trouble::TooMuch(_) => ready.window.was_too_much(round),
                Trouble::Away(_) => {}
                Trouble::Forbidden(_) | Trouble::Statement(_) => {
                    return Err(CassandraError::of_trouble(trouble, "write into", &ready.plan.table, 1));
                }
            }
            match patience.failed(clock.now_ms(), *attempt_limit) {
                Some(pause) => clock.sleep(pause).await,
                None => {
                    let attempts = patience.n_failures();
                    return Err(CassandraError::of_trouble(trouble, "write into", &ready.plan.table, attempts));
                }
            }
        }
    }
}

/// One row as the driver takes it: its values go from the columns into the driver's buffer.
struct Row<'a, 'b> {
    block: &'a Block<'b>,
    row_idx: usize,
    timestamp_us: i64,
}

impl SerializeRow for Row<'_, '_> {
    fn serialize(&self, _: &RowSerializationContext<'_>, writer: &mut RowWriter<'_>) -> Result<(), SerializationError> {
        let columns = &self.block.sender.ready.plan.columns;
        for (bound, values) in columns.iter().zip(&self.block.values) {
            let cell = writer.make_cell_writer();
            let refused = |message| SerializationError::new(RowRefusal { column: bound.column.clone(), message });
            if !values.is_null(self.row_idx) {
                values.write(self.row_idx, cell).map_err(|refusal| refused(refusal.message))?;
            } else if bound.is_key {
                return Err(refused("a key cannot be null".to_owned()));
            } else {
                cell.set_unset();
            }
        }
        let timestamp = writer.make_cell_writer().set_value(&self.timestamp_us.to_be_bytes());
        timestamp.map(|_| ()).map_err(SerializationError::new)
    }

    fn is_empty(&self) -> bool {
        false
    }
}

/// A value that a column cannot hold, on its way through the driver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}`: {message}")]
pub(crate) struct RowRefusal {
    pub(crate) column: String,
    pub(crate) message: String,
}

/// The window that all lanes of a sink look at.
struct SharedWindow {
    window: Mutex<Window>,
    most: usize,
    /// The window's limit and round, to be looked at without the lock.
    limit: AtomicUsize,
    round: AtomicU64,
    grown: Notify,
}

impl SharedWindow {
    fn new(most: usize) -> SharedWindow {
        SharedWindow {
            window: Mutex::new(Window::new(most)),
            most,
            limit: AtomicUsize::new(most),
            round: AtomicU64::new(0),
            grown: Notify::new(),
        }
    }

    fn most(&self) -> usize {
        self.most
    }

    fn is_narrow(&self) -> bool {
        self.limit.load(Ordering::Relaxed) < self.most
    }

    fn round(&self) -> u64 {
        self.round.load(Ordering::Relaxed)
    }

    /// Returns when this lane may send, or there is nothing left to send.
    async fn wait_for_room(&self, lane_idx: usize, is_done: impl Fn() -> bool) {
        while lane_idx >= self.limit.load(Ordering::Relaxed) && !is_done() {
            let grown = self.grown.notified();
            if lane_idx < self.limit.load(Ordering::Relaxed) || is_done() {
                return;
            }
            grown.await;
        }
    }

    fn wake_all_if_narrow(&self) {
        if self.is_narrow() {
            self.grown.notify_waiters();
        }
    }

    fn wrote(&self) {
        if self.is_narrow() {
            self.with(Window::wrote);
            self.grown.notify_waiters();
        }
    }

    fn was_too_much(&self, round: u64) {
        self.with(|window| window.was_too_much(round));
    }

    fn with<T>(&self, change: impl FnOnce(&mut Window) -> T) -> T {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut window);
        self.limit.store(window.limit(), Ordering::Relaxed);
        self.round.store(window.round(), Ordering::Relaxed);
        result
    }
}

impl From<CassandraError> for SinkError {
    fn from(error: CassandraError) -> SinkError {
        SinkError::new(error)
    }
}
