//! How files are written: under a hidden name, then renamed when every byte is on the DataNodes' disks.
//!
//! Life of a file:
//!
//! ```text
//! 1  create      .ognivo-….tmp beside the target; nobody else has the name, so no lease of a dead writer is in the way
//! 2  write
//! 3  close       every DataNode syncs the last block before it acknowledges its end; acknowledged by the NameNode
//! 4  rename      with or without replacing what is at the target: the NameNode arbitrates between writers
//! ```
//! A file of which no more than its first bytes are known may be begun with them, which has the DataNodes connected: what fails of that
//! is written once more as a whole.
//! Between 3 and 4 a file may wait for as long as its writer likes: it is closed, so nobody holds a lease on it.
//! When the answer of step 4 is lost, it is asked for again: whichever of the two comes first gives the name, and where the other one
//! finds no temporary, a look at the target tells that it is ours. When that is not answered either, the temporary is removed before
//! this process does anything else there: then the rename has happened, or never will.
//!
//! Where closing may break off, an hsync comes before it: then every byte is known to be on the disks, and the NameNode can end the
//! file without its writer. A file whose bytes are still at hand is rather written once more, and goes without.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{Either, select};
use hdfs_native::file::FileWriter;
use hdfs_native::{Client, HdfsError, WriteOptions};
use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart};
use ognivo_stream::staging::{BegunFile, StagedFile};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};

use super::connection::{Asked, Connection, Repeat, Running, detached};
use super::failed::{Effect, Failed};
use super::read::open_up_to;
use crate::temporary;

/// What is to become of a file.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Its absolute path.
    pub(super) path: String,
    /// For messages.
    pub(super) place: String,
    /// Whether a file that is there is replaced; it is kept, and an error, otherwise.
    pub(super) may_replace: bool,
}

impl Target {
    fn new_temporary(&self) -> String {
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{folder}/{}", temporary::new_name())
    }
}

/// The name of a temporary; it is abandoned when it goes out of sight before it was renamed, whatever the reason.
struct Hidden {
    connection: Arc<Connection>,
    path: String,
    is_gone: bool,
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if !self.is_gone {
            self.connection.abandon(std::mem::take(&mut self.path));
        }
    }
}

/// When the bytes of a file are synced to the disks of its DataNodes; they are by the time it is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syncing {
    /// By a call of its own, so that a close that breaks off can be made up for.
    BeforeClose,
    /// The packet that ends a block asks for it (hdfs-native always sets `syncBlock` there).
    WithClose,
}

/// A file that is not visible yet.
struct OpenFile {
    client: Client,
    hidden: Hidden,
    writer: FileWriter,
    n_bytes: u64,
}

impl OpenFile {
    async fn create(
        client: Client,
        connection: Arc<Connection>,
        target: &Target,
    ) -> std::result::Result<OpenFile, Failed> {
        let hidden = Hidden { connection, path: target.new_temporary(), is_gone: false };
        let options = WriteOptions::default().overwrite(false).create_parent(true);
        let writer = client.create(&hidden.path, options).await?;
        Ok(OpenFile { client, hidden, writer, n_bytes: 0 })
    }

    async fn create_with(
        client: Client,
        connection: Arc<Connection>,
        target: &Target,
        payload: &PutPayload,
    ) -> std::result::Result<OpenFile, Failed> {
        let mut file = OpenFile::create(client, connection, target).await?;
        file.write_all(payload).await?;
        Ok(file)
    }

    async fn write(&mut self, piece: Bytes) -> std::result::Result<(), Failed> {
        let n_bytes = piece.len() as u64;
        let deadline = self.hidden.connection.data_deadline(n_bytes);
        in_time(deadline, async { Ok(self.writer.write_bytes(piece).await?) }).await?;
        self.n_bytes += n_bytes;
        Ok(())
    }

    async fn write_all(&mut self, payload: &PutPayload) -> std::result::Result<(), Failed> {
        for piece in payload.iter() {
            self.write(piece.clone()).await?;
        }
        Ok(())
    }

    /// Makes every byte durable; the file is whole under its hidden name.
    async fn finish(&mut self, syncing: Syncing) -> std::result::Result<(), Failed> {
        let deadline = self.hidden.connection.data_deadline(0);
        let finished = async {
            let is_synced = match syncing {
                Syncing::WithClose => false,
                Syncing::BeforeClose => self.sync().await?,
            };
            match self.close().await {
                Err(failed) if failed.effect() != Effect::Unknown => Err(failed),
                Err(failed) if is_synced => self.end_without_writer(failed).await,
                Err(failed) => {
                    self.hidden.connection.sync_before_close();
                    Err(failed)
                }
                Ok(()) => Ok(()),
            }
        };
        in_time(deadline, finished).await
    }

    /// Makes every byte durable before the file is closed; false where that cannot be done.
    ///
    /// The DataNodes are asked first, then the NameNode; a connection to it that broke off is made again. What breaks off at a DataNode
    /// ends the writer.
    async fn sync(&mut self) -> std::result::Result<bool, Failed> {
        let mut first = None;
        for _ in 0..MAX_SYNCS {
            match self.writer.hsync().await {
                Ok(()) => return Ok(true),
                // Files with erasure coding have no hsync; their last bytes are durable a moment after close.
                Err(HdfsError::UnsupportedFeature(_)) => return Ok(false),
                Err(HdfsError::OperationFailed(said)) if said.contains("erasure-coded") => return Ok(false),
                Err(error) => {
                    let can_be_again = matches!(error, HdfsError::IOError(_));
                    let failed = first.get_or_insert(Failed::from(error));
                    if !can_be_again || failed.effect() == Effect::Refused {
                        break;
                    }
                }
            }
            sleep(SYNC_EVERY).await;
        }
        Err(first.expect("a loop that ends without an answer has met a failure"))
    }

    /// Lets the NameNode end the file whose every byte is durable, after its writer broke off with `failed`.
    ///
    /// Seen with encrypted data: a DataNode acknowledges the last packet and hangs up, and the client takes that for a failure.
    async fn end_without_writer(&self, failed: Failed) -> std::result::Result<(), Failed> {
        let OpenFile { client, hidden, n_bytes, .. } = self;
        for _ in 0..MAX_RECOVERIES {
            // The first call begins what a later one sees done.
            if client.recover_lease(&hidden.path).await? {
                let length = client.read(&hidden.path).await?.file_length() as u64;
                return if length == *n_bytes { Ok(()) } else { Err(failed) };
            }
            sleep(RECOVER_EVERY).await;
        }
        Err(failed)
    }

    /// Returns when the NameNode has acknowledged the whole file.
    ///
    /// The client's own way asks the NameNode before the DataNode can have told it of the last block, about every second time, and
    /// then sleeps for half a second. Meanwhile we look for the moment at which the block counts, and let the NameNode
    /// end the file: that is what recovering the lease of a file does whose blocks are all there.
    async fn close(&mut self) -> std::result::Result<(), Failed> {
        let OpenFile { client, hidden, writer, n_bytes } = self;
        let acknowledged = pin!(writer.close());
        if !(1..=ONE_BLOCK_BYTES).contains(n_bytes) {
            return Ok(acknowledged.await?);
        }
        match select(acknowledged, pin!(ends_early(client, &hidden.path, *n_bytes))).await {
            Either::Left((closed, _)) => Ok(closed?),
            Either::Right((true, _)) => Ok(()),
            Either::Right((false, acknowledged)) => Ok(acknowledged.await?),
        }
    }
}

/// No cluster cuts a file of this length into blocks, unless it was told to (`dfs.namenode.fs-limits.min-block-size`): its only
/// block is there or is not.
const ONE_BLOCK_BYTES: u64 = 1 << 20;

/// How often, and how many times, the NameNode is asked whether it knows the last block.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const MAX_LOOKS: usize = 40;

/// How often, and how many times, a file is synced again whose NameNode is away.
const SYNC_EVERY: Duration = Duration::from_millis(500);
const MAX_SYNCS: usize = 20;

/// How often, and how many times, the NameNode is asked whether it has ended a file whose writer is gone; it takes a second or two.
const RECOVER_EVERY: Duration = Duration::from_millis(250);
const MAX_RECOVERIES: usize = 40;

/// Whether the file was ended once the NameNode knew all its bytes, which it does not count before its writer has committed the
/// block and a DataNode has reported it.
async fn ends_early(client: &Client, temporary: &str, n_bytes: u64) -> bool {
    for _ in 0..MAX_LOOKS {
        sleep(LOOK_EVERY).await;
        match client.read(temporary).await {
            Ok(reader) if reader.file_length() as u64 == n_bytes => {
                return client.recover_lease(temporary).await.is_ok_and(|is_closed| is_closed);
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    false
}

async fn in_time<T>(
    deadline: Duration,
    answer: impl Future<Output = std::result::Result<T, Failed>>,
) -> std::result::Result<T, Failed> {
    timeout(deadline, answer).await.unwrap_or(Err(Failed::Late(deadline)))
}

/// Writes a whole file; it appears at once or not at all.
pub(super) async fn put(connection: &Arc<Connection>, target: Target, payload: PutPayload) -> Result<()> {
    stage(connection, target, payload).await?.publish().await
}

/// A whole file under its hidden name.
pub(super) struct Staged {
    hidden: Hidden,
    target: Target,
    payload: PutPayload,
}

/// Writes a whole file that is to appear later: steps 1 to 3.
pub(super) async fn stage(connection: &Arc<Connection>, target: Target, payload: PutPayload) -> Result<Staged> {
    let n_bytes = payload.content_length() as u64;
    let write = {
        let (connection, target, payload) = (Arc::clone(connection), target.clone(), payload.clone());
        move |client| write_hidden(client, Arc::clone(&connection), target.clone(), payload.clone())
    };
    let written = connection.call(Repeat::Freely, connection.data_deadline(n_bytes) * 2, write).await;
    let hidden = written.map_err(|failed| failed.writing(&target.place))?;
    Ok(Staged { hidden, target, payload })
}

/// A file whose first bytes are on their way.
pub(super) struct Begun {
    connection: Arc<Connection>,
    target: Target,
    n_begun_bytes: usize,
    /// The file; None when nothing could be begun.
    file: Option<Running<OpenFile>>,
}

/// Begins a file: steps 1 and 2 as far as its bytes are known. With the first of them hdfs-native has the NameNode choose the
/// DataNodes, and connects to them; where none is known, the file is created and no more.
pub(super) fn begin_hidden(connection: &Arc<Connection>, target: Target, first: Bytes) -> Begun {
    let (n_begun_bytes, first) = (first.len(), PutPayload::from(first));
    let write = {
        let (connection, target) = (Arc::clone(connection), target.clone());
        move |client: Client| {
            let (connection, target, first) = (Arc::clone(&connection), target.clone(), first.clone());
            async move { OpenFile::create_with(client, connection, &target, &first).await }
        }
    };
    let file = connection.begin(connection.data_deadline(0), write).ok();
    Begun { connection: Arc::clone(connection), target, n_begun_bytes, file }
}

#[async_trait]
impl BegunFile for Begun {
    async fn stage(self: Box<Self>, content: Bytes) -> Result<Box<dyn StagedFile>> {
        let Begun { connection, target, n_begun_bytes, file } = *self;
        if let Some(file) = file
            && let Ok(mut file) = file.answer().await
        {
            let (rest, syncing) = (content.slice(n_begun_bytes..), syncing(&connection));
            let finish = async move {
                file.write(rest).await?;
                file.finish(syncing).await?;
                Ok(file.hidden)
            };
            if let Ok(hidden) = connection.go_on(connection.data_deadline(content.len() as u64) * 2, finish).await {
                return Ok(Box::new(Staged { hidden, target, payload: content.into() }));
            }
        }
        // Its bytes are at hand: whatever it was, the file is written anew, with patience.
        Ok(Box::new(stage(&connection, target, content.into()).await?))
    }

    /// The file is closed before it is removed: what broke off counts as a whole block of the free space for some minutes.
    async fn discard(self: Box<Self>) {
        let Begun { connection, file, .. } = *self;
        let ending = async {
            if let Some(file) = file
                && let Ok(mut file) = file.answer().await
            {
                let _ = connection
                    .go_on(connection.data_deadline(0), async move { file.finish(Syncing::WithClose).await })
                    .await;
            }
        };
        // A file that nobody wants is not worth more patience; one that is let go of is removed all the same.
        let _ = timeout(connection.answer_deadline(), ending).await;
        connection.tidy().await;
    }
}

fn syncing(connection: &Connection) -> Syncing {
    match connection.syncs_before_close() {
        true => Syncing::BeforeClose,
        false => Syncing::WithClose,
    }
}

/// The time of the last access that leaves it as it is: Hadoop's -1.
const AS_IT_IS: u64 = u64::MAX;

impl Staged {
    async fn publish(self) -> Result<()> {
        publish(self.hidden, &self.target, Content::Bytes(self.payload)).await
    }
}

#[async_trait]
impl StagedFile for Staged {
    /// It stays: a rename changes the times of the folders only.
    async fn set_modified_ms(&self, modified_ms: i64) -> Result<()> {
        let path = self.hidden.path.clone();
        let set = move |client: Client| {
            let path = path.clone();
            async move { Ok(client.set_times(&path, modified_ms as u64, AS_IT_IS).await?) }
        };
        let connection = &self.hidden.connection;
        let set = connection.call(Repeat::Freely, connection.answer_deadline(), set).await;
        set.map_err(|failed| failed.writing(&self.target.place))
    }

    async fn show(self: Box<Self>) -> Result<()> {
        self.publish().await
    }

    async fn discard(self: Box<Self>) {
        let connection = Arc::clone(&self.hidden.connection);
        drop(self);
        connection.tidy().await;
    }
}

async fn write_hidden(
    client: Client,
    connection: Arc<Connection>,
    target: Target,
    payload: PutPayload,
) -> std::result::Result<Hidden, Failed> {
    let syncing = syncing(&connection);
    let mut file = OpenFile::create_with(client, connection, &target, &payload).await?;
    file.finish(syncing).await?;
    Ok(file.hidden)
}

/// What a file must hold to be the one that we wrote.
enum Content {
    Bytes(PutPayload),
    /// For a file of whose bytes none are left here: its name says what is in it, and its length that it is whole.
    Length(u64),
}

/// Gives the temporary its name.
async fn publish(mut hidden: Hidden, target: &Target, content: Content) -> Result<()> {
    let connection = Arc::clone(&hidden.connection);
    let (from, to, may_replace) = (hidden.path.clone(), target.path.clone(), target.may_replace);
    let rename = move |client: Client| {
        let (from, to) = (from.clone(), to.clone());
        async move { Ok(client.rename(&from, &to, may_replace).await?) }
    };
    let Asked { answer: mut published, is_again } = connection.ask(rename).await;
    if is_again {
        published = match published {
            Err(failed) if failed.effect() == Effect::Refused => was_before(&hidden, target, content, failed).await,
            published => published,
        };
        if published.is_err() {
            // The first one may still come into effect. From here on it is the connection that removes the temporary.
            connection.leave_unsettled(&hidden.path);
            hidden.is_gone = true;
        }
    }
    hidden.is_gone |= published.is_ok();
    drop(hidden);
    if published.as_ref().is_ok() || published.as_ref().is_err_and(|failed| failed.effect() == Effect::Refused) {
        connection.tidy().await;
    }
    published.map_err(|failed| failed.writing(&target.place))
}

/// Whether the rename that was refused with `failed` had been done before, by the one whose answer was lost.
async fn was_before(
    hidden: &Hidden,
    target: &Target,
    content: Content,
    failed: Failed,
) -> std::result::Result<(), Failed> {
    let (connection, path) = (&hidden.connection, hidden.path.clone());
    let look = move |client: Client| {
        let path = path.clone();
        async move { Ok(client.get_file_info(&path).await?) }
    };
    let is_gone = match connection.call(Repeat::Freely, connection.answer_deadline(), look).await {
        Err(failed) if failed.is_absent() => true,
        looked => looked.map(|_status| false)?,
    };
    match is_gone && holds(connection, target, content).await? {
        true => Ok(()),
        false => Err(failed),
    }
}

/// Whether the target is the file that we wrote.
async fn holds(connection: &Arc<Connection>, target: &Target, content: Content) -> std::result::Result<bool, Failed> {
    let path = target.path.clone();
    let n_bytes = match &content {
        Content::Bytes(payload) => payload.content_length() as u64,
        Content::Length(n_bytes) => *n_bytes,
    };
    let expect = match content {
        Content::Bytes(payload) => Some(Bytes::from(payload)),
        Content::Length(_) => None,
    };
    let look = move |client: Client| {
        let (path, expect) = (path.clone(), expect.clone());
        async move {
            let mut reader = open_up_to(&client, &path, Some(n_bytes)).await?;
            if reader.file_length() as u64 != n_bytes {
                return Ok(false);
            }
            match expect {
                Some(expect) => Ok(reader.read_bytes(reader.file_length()).await? == expect),
                None => Ok(true),
            }
        }
    };
    match connection.call(Repeat::Freely, connection.data_deadline(n_bytes), look).await {
        Err(failed) if failed.is_absent() => Ok(false),
        looked => looked,
    }
}

/// A file written part by part; it appears, whole, at `complete`.
///
/// Its parts go through a queue to one task, so that they are written in the order in which they were handed over, however
/// their answers are waited for. The task ends with the upload, and removes what was not completed.
#[derive(Debug)]
pub(super) struct HdfsUpload {
    place: String,
    orders: mpsc::UnboundedSender<Order>,
}

enum Order {
    Write(PutPayload, oneshot::Sender<Result<()>>),
    Complete(oneshot::Sender<Result<()>>),
    Abort(oneshot::Sender<Result<()>>),
}

impl HdfsUpload {
    /// Begins a file.
    pub(super) async fn begin(connection: &Arc<Connection>, target: Target) -> Result<HdfsUpload> {
        let place = target.place.clone();
        let create = {
            let (connection, target) = (Arc::clone(connection), target.clone());
            move |client| {
                let (connection, target) = (Arc::clone(&connection), target.clone());
                async move { OpenFile::create(client, connection, &target).await }
            }
        };
        let created = connection.call(Repeat::Freely, connection.answer_deadline(), create).await;
        let file = created.map_err(|failed| failed.writing(&place))?;
        let (orders, queue) = mpsc::unbounded_channel();
        let connection = Arc::clone(connection);
        detached(obey(connection, target, file, queue)).map_err(|failed| failed.at(&place))?;
        Ok(HdfsUpload { place, orders })
    }

    async fn order(&self, order: impl FnOnce(oneshot::Sender<Result<()>>) -> Order) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        // Where nobody takes the order, nobody answers either.
        let _ = self.orders.send(order(reply));
        answer.await.unwrap_or_else(|_| Err(ended(&self.place)))
    }
}

/// Writes what is ordered; nothing more is written after a failure.
async fn obey(
    connection: Arc<Connection>,
    target: Target,
    mut file: OpenFile,
    mut queue: mpsc::UnboundedReceiver<Order>,
) {
    while let Some(order) = queue.recv().await {
        match order {
            Order::Write(payload, reply) => {
                let written = match file.n_bytes {
                    0 => begin(&connection, &target, file, payload).await,
                    _ => file.write_all(&payload).await.map(|()| file),
                };
                match written {
                    Ok(written) => {
                        file = written;
                        let _ = reply.send(Ok(()));
                    }
                    Err(failed) => {
                        let _ = reply.send(Err(connection.explained(failed).writing(&target.place)));
                        connection.tidy().await;
                        return;
                    }
                }
            }
            Order::Complete(reply) => {
                let completed = match file.finish(Syncing::BeforeClose).await {
                    Ok(()) => publish(file.hidden, &target, Content::Length(file.n_bytes)).await,
                    Err(failed) => {
                        drop(file);
                        connection.tidy().await;
                        Err(connection.explained(failed).writing(&target.place))
                    }
                };
                let _ = reply.send(completed);
                return;
            }
            Order::Abort(reply) => {
                drop(file);
                connection.tidy().await;
                let _ = reply.send(Ok(()));
                return;
            }
        }
    }
    drop(file);
    connection.tidy().await;
}

/// How long the first bytes of a file are tried where this process was told nothing: a DataNode that starts again takes longer than a call
/// is repeated, and whoever copies a file has nobody else to wait for it.
const BEGINNING: Duration = Duration::from_secs(60);

/// Writes the first bytes of a file. Nothing is lost yet when that fails, as it does while no DataNode is there, so it is repeated with
/// a new file.
async fn begin(
    connection: &Arc<Connection>,
    target: &Target,
    mut file: OpenFile,
    payload: PutPayload,
) -> std::result::Result<OpenFile, Failed> {
    match file.write_all(&payload).await {
        Ok(()) => return Ok(file),
        Err(failed) if failed.effect() == Effect::Refused => return Err(failed),
        Err(_) => drop(file),
    }
    let deadline = connection.data_deadline(payload.content_length() as u64) * 2;
    let write = {
        let (connection, target) = (Arc::clone(connection), target.clone());
        move |client: Client| {
            let (connection, target, payload) = (Arc::clone(&connection), target.clone(), payload.clone());
            async move { OpenFile::create_with(client, connection, &target, &payload).await }
        }
    };
    connection.call_for(BEGINNING, Repeat::Freely, deadline, write).await
}

#[async_trait]
impl MultipartUpload for HdfsUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (reply, answer) = oneshot::channel();
        let _ = self.orders.send(Order::Write(data, reply));
        let place = self.place.clone();
        Box::pin(async move { answer.await.unwrap_or_else(|_| Err(ended(&place))) })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.order(Order::Complete).await?;
        Ok(PutResult { e_tag: None, version: None })
    }

    async fn abort(&mut self) -> Result<()> {
        match self.order(Order::Abort).await {
            // It has ended by itself, after a failure, and removed what it had written.
            Err(Error::Generic { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The upload was completed or aborted before, or a part of it failed.
fn ended(place: &str) -> Error {
    let text = format!("the upload has ended: {place}");
    Error::Generic { store: "HDFS", source: std::io::Error::other(text).into() }
}
