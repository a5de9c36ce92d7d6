//! The way to one cluster: a client that is made when it is first needed, and calls that end.
//!
//! hdfs-native never gives up on a NameNode that takes a call and does not answer, so each call has a deadline here. After
//! one, the client is made anew, and looks for the next NameNode of its name service first.
//!
//! Calls run on a runtime of this module, so that they can be waited for from any thread, async or not.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hdfs_native::{Client, ClientBuilder, HdfsError};
use ognivo_stream::clock::{Clock as _, SystemClock};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::conf::{HA_NAMENODES, HadoopConf};
use super::failed::{Effect, Failed, WasIn};
use super::greeting::greet;
use super::login::{LoginFailure, Security};
use super::patience::{self, Patience};

/// A NameNode answers within milliseconds; one that collects garbage may take seconds. The settings may say otherwise.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// How many milliseconds a DataNode is waited for; 0 is for ever. hdfs-native reads it too.
const SOCKET_TIMEOUT_KEY: &str = "dfs.client.socket-timeout";

/// How many milliseconds Hadoop's client waits for a NameNode; 0, once the default, is for ever.
const ANSWER_DEADLINE_KEY: &str = "ipc.client.rpc-timeout.ms";

/// Data must move on within this time; hdfs-native itself waits 60 s for a DataNode's word on what it was sent before it tries another
/// one. Settings of shorter patience make it less.
const DATA_DEADLINE: Duration = Duration::from_secs(90);

/// Slower than this, data counts as not moving.
const SLOWEST_BYTES_PER_SECOND: u64 = 1 << 20;

/// How long a call is repeated where this process was told nothing; a stream then waits in its own, visible way.
const PATIENCE: Duration = Duration::from_secs(15);

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A NameNode that has just closed a connection greets at once, or not at all.
const GREETING_DEADLINE: Duration = Duration::from_secs(5);

/// When a call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// Whenever it may succeed: twice is as good as once.
    Freely,
    /// Only when it certainly did nothing.
    IfNotServed,
}

impl Repeat {
    fn allows(self, effect: Effect) -> bool {
        match effect {
            Effect::Refused => false,
            Effect::NotServed => true,
            Effect::Unknown => self == Repeat::Freely,
        }
    }
}

/// What came of [`Connection::ask`].
pub(crate) struct Asked<T> {
    pub(crate) answer: Result<T, Failed>,
    /// Whether this is the answer to the second call: the first one may have come into effect, before it or after.
    pub(crate) is_again: bool,
}

/// The way to one cluster.
#[derive(Debug)]
pub(crate) struct Connection {
    /// As a client is given it: `hdfs://host:port` or `hdfs://nameservice`.
    url: String,
    name_service: String,
    settings: HashMap<String, String>,
    security: Security,
    /// Whether any call has been answered: then the settings are right.
    has_been_in: AtomicBool,
    /// Whether closing a file has broken off before: then files are synced before they are closed.
    has_failed_to_close: AtomicBool,
    answer_deadline: Duration,
    data_deadline: Duration,
    /// That of the process where there is none of its own.
    patience: Option<Arc<Patience>>,
    /// When the first of the calls began that failed since the last one that did not: what is waited for in vain at one call is not
    /// waited for anew at the next.
    failing_since_ms: Mutex<Option<i64>>,
    current: Mutex<Current>,
    /// Temporaries whose rename may still come into effect; see [`leave_unsettled`](Connection::leave_unsettled).
    unsettled: Mutex<Vec<String>>,
    /// Temporaries that nobody will finish, and that are still there.
    abandoned: Mutex<Vec<String>>,
}

#[derive(Debug, Default)]
struct Current {
    client: Option<Client>,
    /// How many clients did not answer.
    n_forgotten: usize,
}

/// Where all calls run.
static RUNTIME: LazyLock<io::Result<Runtime>> = LazyLock::new(|| {
    let n_threads = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8));
    tokio::runtime::Builder::new_multi_thread().worker_threads(n_threads).thread_name("hdfs").enable_all().build()
});

fn runtime() -> Result<&'static Runtime, Failed> {
    RUNTIME.as_ref().map_err(|error| Failed::Here(io::Error::new(error.kind(), error.to_string())))
}

impl Connection {
    /// The way to `authority` (a host, with or without a port, or a name service). Nothing is connected yet.
    pub(crate) fn new(authority: &str, conf: &HadoopConf) -> Connection {
        let has_port = authority.contains(':');
        let url = match has_port || conf.is_name_service(authority) {
            true => format!("hdfs://{authority}"),
            false => format!("hdfs://{authority}:{DEFAULT_PORT}"),
        };
        let answer_deadline = answer_deadline(conf);
        let settings = settings(authority, conf);
        Connection {
            url,
            name_service: authority.to_owned(),
            data_deadline: data_deadline(answer_deadline, &settings),
            settings,
            security: Security::of(conf),
            has_been_in: AtomicBool::new(false),
            has_failed_to_close: AtomicBool::new(false),
            answer_deadline,
            patience: None,
            failing_since_ms: Mutex::default(),
            current: Mutex::default(),
            unsettled: Mutex::default(),
            abandoned: Mutex::default(),
        }
    }

    /// How long a NameNode's answer is waited for.
    pub(crate) fn answer_deadline(&self) -> Duration {
        self.answer_deadline
    }

    /// How long so many bytes may be under way.
    pub(crate) fn data_deadline(&self, n_bytes: u64) -> Duration {
        self.data_deadline + Duration::from_secs(n_bytes / SLOWEST_BYTES_PER_SECOND)
    }

    /// The same way, on which no call is repeated: for looking at how things are now.
    pub(crate) fn without_patience(self) -> Connection {
        Connection { patience: Some(Arc::new(Patience::none())), ..self }
    }

    /// Makes a call, and makes it again as long as `repeat` allows and [`PATIENCE`] lasts, or what the process was told.
    pub(crate) async fn call<T, F, W>(
        self: &Arc<Self>,
        repeat: Repeat,
        deadline: Duration,
        work: W,
    ) -> Result<T, Failed>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failed>> + Send + 'static,
        W: Fn(Client) -> F + Send + Sync + 'static,
    {
        self.call_for(PATIENCE, repeat, deadline, work).await
    }

    /// As [`call`](Connection::call), for so long where the process was told nothing.
    pub(crate) async fn call_for<T, F, W>(
        self: &Arc<Self>,
        untold: Duration,
        repeat: Repeat,
        deadline: Duration,
        work: W,
    ) -> Result<T, Failed>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failed>> + Send + 'static,
        W: Fn(Client) -> F + Send + Sync + 'static,
    {
        let connection = Arc::clone(self);
        spawned(async move {
            let patience = connection.patience.clone().or_else(patience::of_process);
            let patient_for = patience.as_ref().map_or(untold, |patience| patience.deadline);
            let begin_ms = SystemClock.now_ms();
            let mut pause = FIRST_PAUSE;
            loop {
                let failed = match connection.attempt(deadline, &work).await {
                    Ok(answer) => {
                        connection.answered();
                        return Ok(answer);
                    }
                    Err(failed) => failed,
                };
                if failed.effect() == Effect::Refused {
                    connection.answered();
                }
                let now_ms = SystemClock.now_ms();
                let since_ms = begin_ms.min(connection.failing_since_ms(begin_ms));
                let failing = Duration::from_millis(now_ms.saturating_sub(since_ms).max(0) as u64);
                if !repeat.allows(failed.effect()) || failing >= patient_for {
                    return Err(failed);
                }
                if let Some(patience) = &patience {
                    patience.waiting(&connection.url, &failed.to_line(), failing, now_ms);
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        })
        .await
    }

    /// Makes a call that is not repeated at will, and makes it once more when its answer was lost.
    pub(crate) async fn ask<T, F, W>(self: &Arc<Self>, work: W) -> Asked<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failed>> + Send + 'static,
        W: Fn(Client) -> F + Clone + Send + Sync + 'static,
    {
        match self.call(Repeat::IfNotServed, self.answer_deadline, work.clone()).await {
            Err(failed) if failed.effect() == Effect::Unknown => {
                Asked { answer: self.call(Repeat::Freely, self.answer_deadline, work).await, is_again: true }
            }
            answer => Asked { answer, is_again: false },
        }
    }

    /// A call came to its end.
    fn answered(&self) {
        *self.failing_since_ms.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Since when no call has come to its end; from now on, one that began at `begin_ms` is the first that did not.
    fn failing_since_ms(&self, begin_ms: i64) -> i64 {
        *self.failing_since_ms.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(begin_ms)
    }

    async fn attempt<T, F>(&self, deadline: Duration, work: &impl Fn(Client) -> F) -> Result<T, Failed>
    where
        F: Future<Output = Result<T, Failed>>,
    {
        self.settle_all().await?;
        let client = self.client()?;
        match self.within(deadline, work(client)).await {
            Ok(answer) => {
                self.has_been_in.store(true, Ordering::Relaxed);
                Ok(answer)
            }
            Err(failed) => Err(self.explained_by_server(self.explained(failed)).await),
        }
    }

    /// Makes a call once, from now on, beside other work.
    pub(crate) fn begin<T, F>(
        self: &Arc<Self>,
        deadline: Duration,
        work: impl Fn(Client) -> F + Send + Sync + 'static,
    ) -> Result<Running<T>, Failed>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failed>> + Send + 'static,
    {
        let connection = Arc::clone(self);
        running(async move { connection.attempt(deadline, &work).await })
    }

    /// Goes on, once, with what a call began.
    pub(crate) async fn go_on<T: Send + 'static>(
        self: &Arc<Self>,
        deadline: Duration,
        work: impl Future<Output = Result<T, Failed>> + Send + 'static,
    ) -> Result<T, Failed> {
        let connection = Arc::clone(self);
        spawned(async move {
            connection.settle_all().await?;
            connection.within(deadline, work).await
        })
        .await
    }

    /// The failure in the words of the settings and of the ticket, where these are why.
    pub(crate) fn explained(&self, failed: Failed) -> Failed {
        let Failed::Hdfs(error) = failed else { return failed };
        let login = |failure| Failed::Login(failure, WasIn(self.has_been_in.load(Ordering::Relaxed)));
        match error {
            HdfsError::GSSAPIError(_, _, said) | HdfsError::SASLError(said) => {
                login(LoginFailure::of_library(&said, SystemClock.now_ms()))
            }
            HdfsError::OperationFailed(said) if said.contains("libgssapi") => login(LoginFailure::NoLibrary),
            error if self.security.lacks_data_protection() && is_closed_by_peer(&error) => Failed::Unprotected(error),
            error => Failed::Hdfs(error),
        }
    }

    /// The failure, when a NameNode closed the connection, in the words of what it wants.
    ///
    /// The client does not hear why, and asks again for as long as it may; so a cluster with Kerberos looks as if it were down.
    async fn explained_by_server(&self, failed: Failed) -> Failed {
        let is_closed = matches!(&failed, Failed::Hdfs(HdfsError::IOError(error)) if error.kind() == io::ErrorKind::ConnectionAborted);
        if !is_closed || self.security.is_kerberos || self.has_been_in.load(Ordering::Relaxed) {
            return failed;
        }
        for address in self.name_nodes() {
            if greet(&address, GREETING_DEADLINE).await.is_ok_and(|greeting| !greeting.is_open()) {
                return Failed::Login(LoginFailure::WantsKerberos, WasIn(false));
            }
        }
        failed
    }

    /// `host:port` of each NameNode.
    pub(crate) fn name_nodes(&self) -> Vec<String> {
        let names = self.settings.get(&format!("{HA_NAMENODES}.{}", self.name_service));
        let address = |name: &str| {
            self.settings.get(&format!("dfs.namenode.rpc-address.{}.{}", self.name_service, name.trim())).cloned()
        };
        match names {
            Some(names) => names.split(',').filter_map(address).collect(),
            None => vec![self.url.trim_start_matches("hdfs://").to_owned()],
        }
    }

    /// The answer, or [`Failed::Late`]; then the next call is made with a new client.
    async fn within<T>(
        &self,
        deadline: Duration,
        answer: impl Future<Output = Result<T, Failed>>,
    ) -> Result<T, Failed> {
        match timeout(deadline, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
                current.client = None;
                current.n_forgotten += 1;
                Err(Failed::Late(deadline))
            }
        }
    }

    /// Says that the rename of a temporary may have come into effect, or may do so later: a NameNode that is frozen works off
    /// what it was sent when it goes on. No other call is made before the temporary was removed: then the rename has come into effect, or
    /// never will.
    pub(crate) fn leave_unsettled(&self, temporary: &str) {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner).push(temporary.to_owned());
    }

    async fn settle_all(&self) -> Result<(), Failed> {
        loop {
            let first = self.unsettled.lock().unwrap_or_else(PoisonError::into_inner).first().cloned();
            let Some(temporary) = first else { return Ok(()) };
            let client = self.client()?;
            self.within(self.answer_deadline, async { Ok(client.delete(&temporary, false).await?) }).await?;
            self.unsettled.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != temporary);
        }
    }

    /// Says that closing a file broke off.
    pub(crate) fn sync_before_close(&self) {
        self.has_failed_to_close.store(true, Ordering::Relaxed);
    }

    /// Whether closing files breaks off here, as it does where data is encrypted.
    pub(crate) fn syncs_before_close(&self) -> bool {
        self.has_failed_to_close.load(Ordering::Relaxed)
    }

    /// Says that nobody will finish the temporary.
    pub(crate) fn abandon(&self, temporary: String) {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner).push(temporary);
    }

    /// Removes what was abandoned. Best effort: what stays is tried again next time, or swept by the next process.
    pub(crate) async fn tidy(self: &Arc<Self>) {
        let abandoned = std::mem::take(&mut *self.abandoned.lock().unwrap_or_else(PoisonError::into_inner));
        if abandoned.is_empty() {
            return;
        }
        let connection = Arc::clone(self);
        let remove = async move {
            for temporary in abandoned {
                let path = temporary.clone();
                let delete = move |client: Client| {
                    let path = path.clone();
                    async move { Ok(client.delete(&path, false).await?) }
                };
                if connection.attempt(connection.answer_deadline, &delete).await.is_err() {
                    connection.abandon(temporary);
                }
            }
            Ok(())
        };
        let _ = spawned(remove).await;
    }

    fn client(&self) -> Result<Client, Failed> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &current.client {
            return Ok(client.clone());
        }
        let builder = ClientBuilder::new()
            .with_url(&self.url)
            .with_config(self.settings_after(current.n_forgotten))
            .with_io_runtime(runtime()?.handle().clone());
        let client = builder.build()?;
        current.client = Some(client.clone());
        Ok(client)
    }

    /// The settings, with the name service's NameNodes in another order for each client that did not answer: a new client
    /// begins with the first, which may be the frozen one.
    fn settings_after(&self, n_forgotten: usize) -> HashMap<String, String> {
        let mut settings = self.settings.clone();
        if let Some(names) = settings.get_mut(&format!("{HA_NAMENODES}.{}", self.name_service)) {
            let mut order: Vec<&str> = names.split(',').map(str::trim).collect();
            let first = n_forgotten % order.len();
            order.rotate_left(first);
            *names = order.join(",");
        }
        settings
    }
}

/// For ever is no deadline: then, as without a setting, ours counts.
fn answer_deadline(conf: &HadoopConf) -> Duration {
    let set = conf.get(ANSWER_DEADLINE_KEY).and_then(|ms| ms.parse().ok()).filter(|ms| *ms > 0);
    set.map_or(ANSWER_DEADLINE, Duration::from_millis)
}

/// A NameNode, then one DataNode after the other of those that have a block of three copies.
fn data_deadline(answer_deadline: Duration, settings: &HashMap<String, String>) -> Duration {
    const N_COPIES: u32 = 3;
    let set = settings.get(SOCKET_TIMEOUT_KEY).and_then(|ms| ms.parse().ok()).filter(|ms| *ms > 0);
    set.map_or(DATA_DEADLINE, |ms| (answer_deadline + Duration::from_millis(ms) * N_COPIES).min(DATA_DEADLINE))
}

/// Hadoop's port of a NameNode where none is written.
const DEFAULT_PORT: u16 = 8020;

/// The cluster's settings, and those of which we depend.
fn settings(authority: &str, conf: &HadoopConf) -> HashMap<String, String> {
    let mut settings = conf.all();
    let name_nodes = settings.get(&format!("{HA_NAMENODES}.{authority}")).map_or(0, |names| names.split(',').count());
    // The client tries each NameNode once and begins again once; beyond that, patience is ours.
    settings.insert("dfs.client.failover.max.attempts".to_owned(), name_nodes.to_string());
    // A frozen DataNode is given up well within our own deadline, so that another one can be tried.
    settings.entry(SOCKET_TIMEOUT_KEY.to_owned()).or_insert_with(|| "20000".to_owned());
    settings
}

/// Whether a DataNode closed the connection, at once or while we waited for its word.
fn is_closed_by_peer(error: &HdfsError) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    match error {
        HdfsError::IOError(error) => matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof),
        HdfsError::DataTransferError(_) => true,
        _ => false,
    }
}

/// Runs `work` on the runtime of this module; it ends when its caller no longer waits.
pub(crate) async fn spawned<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failed>> + Send + 'static,
) -> Result<T, Failed> {
    running(work)?.answer().await
}

/// Runs `work` on the runtime of this module from now on; it ends when what is returned is let go of.
pub(crate) fn running<T: Send + 'static>(
    work: impl Future<Output = Result<T, Failed>> + Send + 'static,
) -> Result<Running<T>, Failed> {
    Ok(Running(Task(runtime()?.spawn(work))))
}

/// Work that is being done.
pub(crate) struct Running<T>(Task<Result<T, Failed>>);

impl<T> Running<T> {
    /// What comes of it.
    pub(crate) async fn answer(self) -> Result<T, Failed> {
        match self.0.await {
            Ok(answer) => answer,
            Err(broken) => Err(Failed::Here(io::Error::other(broken))),
        }
    }
}

/// Runs `work` on the runtime of this module to its end, whoever waits.
pub(crate) fn detached(work: impl Future<Output = ()> + Send + 'static) -> Result<(), Failed> {
    runtime()?.spawn(work);
    Ok(())
}

/// A task that ends with whoever waits for it.
struct Task<T>(JoinHandle<T>);

impl<T> Future for Task<T> {
    type Output = Result<T, tokio::task::JoinError>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gets_hadoops_port_and_a_name_service_none() {
        let conf = HadoopConf::of(&[("dfs.ha.namenodes.labns", "nn1,nn2")]);
        let url = |authority| Connection::new(authority, &conf).url;
        assert_eq!([url("nn"), url("nn:9000"), url("labns")], ["hdfs://nn:8020", "hdfs://nn:9000", "hdfs://labns"]);
    }

    #[test]
    fn the_next_client_begins_with_the_next_name_node() {
        let key = "dfs.ha.namenodes.labns";
        let connection = Connection::new("labns", &HadoopConf::of(&[(key, "nn1, nn2,nn3")]));
        let orders: Vec<String> = (0..4).map(|n| connection.settings_after(n)[key].clone()).collect();
        assert_eq!(orders, ["nn1,nn2,nn3", "nn2,nn3,nn1", "nn3,nn1,nn2", "nn1,nn2,nn3"]);
    }

    #[test]
    fn an_answer_is_waited_for_as_long_as_the_settings_say_and_never_for_ever() {
        let deadline =
            |ms: &str| Connection::new("nn", &HadoopConf::of(&[(ANSWER_DEADLINE_KEY, ms)])).answer_deadline();
        assert_eq!(deadline("2500"), Duration::from_millis(2500));
        assert_eq!([deadline("0"), deadline("-1"), deadline("a minute")], [ANSWER_DEADLINE; 3]);
        assert_eq!(Connection::new("nn", &HadoopConf::default()).answer_deadline(), ANSWER_DEADLINE);
    }

    #[test]
    fn data_may_stand_still_for_as_long_as_the_settings_allow_and_no_longer_than_without_them() {
        let deadline = |conf: &[(&str, &str)]| Connection::new("nn", &HadoopConf::of(conf)).data_deadline(0);
        assert_eq!(deadline(&[]), DATA_DEADLINE);
        assert_eq!(deadline(&[(ANSWER_DEADLINE_KEY, "3000"), (SOCKET_TIMEOUT_KEY, "2000")]), Duration::from_secs(9));
        assert_eq!(
            [deadline(&[(SOCKET_TIMEOUT_KEY, "60000")]), deadline(&[(SOCKET_TIMEOUT_KEY, "0")])],
            [DATA_DEADLINE; 2]
        );
        let of_16_mib = Connection::new("nn", &HadoopConf::default()).data_deadline(16 << 20);
        assert_eq!(of_16_mib, DATA_DEADLINE + Duration::from_secs(16));
    }

    #[test]
    fn without_a_name_node_a_call_ends_and_says_so() {
        // Port 1 of the loopback: nobody listens there, and nobody may without being root.
        let connection = Connection::new("127.0.0.1:1", &HadoopConf::default());
        let connection = Arc::new(connection.without_patience());
        let work = |client: Client| async move { Ok(client.get_file_info("/").await?) };
        let asked = connection.call(Repeat::IfNotServed, ANSWER_DEADLINE, work);
        let failed = futures::executor::block_on(asked).unwrap_err();
        assert_eq!(failed.effect(), Effect::NotServed);
        assert!(failed.at("hdfs://127.0.0.1:1/").to_string().to_lowercase().contains("refused"));
    }
}
