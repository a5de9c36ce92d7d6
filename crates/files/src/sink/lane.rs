//! The files of one lane of one batch, from the first row to the last byte.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt;
use object_store::buffered::BufWriter;
use object_store::path::Path;

use ognivo_stream::checkpoint::CheckpointError;
use ognivo_stream::kill_point::{self, KillPoint};
use ognivo_stream::staging::{BegunFile, StagedFile, Staging};

use crate::encode::EncodedFile;
use crate::open::Location;
use crate::sink::partitioner::Partitioner;
use crate::sink::{FileSinkError, LaneTarget};

/// A file's encoded bytes leave memory from this size on.
const UPLOAD_FROM_BYTES: usize = 1 << 20;
/// What the open files of a lane hold in memory together at most, however many partition folders a batch has.
const LANE_MEMORY_BYTES: usize = 128 << 20;

/// So many files of a batch are closed at the same time, where each takes several answers of servers.
const FILES_AT_ONCE: usize = 8;

/// Open files of one batch, by partition folder. Nothing of them is visible before [`publish`](LaneFiles::publish).
pub(crate) struct LaneFiles {
    target: LaneTarget,
    partitioner: Partitioner,
    name: String,
    open: BTreeMap<String, OpenFile>,
    /// The only file of a lane without partition columns, before its first row: there may be none.
    ahead: Option<OpenFile>,
    n_rows: usize,
}

struct OpenFile {
    encoded: EncodedFile,
    upload: BufWriter,
    /// The file on its way, where the store can begin one; of no use once anything was sent otherwise.
    begun: Option<Box<dyn BegunFile>>,
    /// Whether any byte was handed to the upload.
    is_sent: bool,
    /// What is not handed over yet of a file that gets no more rows.
    last_bytes: Bytes,
    /// Its length in bytes, and when it counts as last changed, in milliseconds since 1970, where the store can hold it back.
    looks: Option<(u64, i64)>,
    /// The whole file, in place of the upload, where the store can hold it back.
    staged: Option<Box<dyn StagedFile>>,
    path: Path,
}

/// A file that became visible.
#[derive(Debug, Clone)]
pub(crate) struct FinishedFile {
    /// The file.
    pub(crate) path: Path,
    /// The partition folder that it lies in; empty for the lane's own.
    pub(crate) folder: String,
    /// Its length in bytes and when it was last changed, in milliseconds since 1970; None where the store is to be asked.
    pub(crate) looks: Option<(u64, i64)>,
}

impl LaneFiles {
    /// No file yet; `name` is what every file of the batch is called.
    pub(crate) fn new(target: LaneTarget, partitioner: Partitioner, name: String) -> LaneFiles {
        LaneFiles { target, partitioner, name, open: BTreeMap::new(), ahead: None, n_rows: 0 }
    }

    /// Begins the file that all rows will go to, if there are any; where folders come from the rows, or the store cannot, nothing.
    pub(crate) fn begin(&mut self) -> Result<(), FileSinkError> {
        let staging = self.target.location.folders().staging().filter(|_| !self.partitioner.has_folders());
        if let Some(staging) = staging {
            let mut file = self.start("")?;
            let first = Bytes::copy_from_slice(file.encoded.ready());
            file.begun = Some(staging.begin(&file.path, first, true));
            self.ahead = Some(file);
        }
        Ok(())
    }

    /// Rows that were taken.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Takes rows, each into the file of its folder.
    pub(crate) async fn write(&mut self, rows: &RecordBatch) -> Result<(), FileSinkError> {
        for (folder, rows) in self.partitioner.split(rows) {
            if rows.num_rows() == 0 {
                continue;
            }
            self.n_rows += rows.num_rows();
            if !self.open.contains_key(&folder) {
                let file = match self.ahead.take() {
                    Some(file) => file,
                    None => self.start(&folder)?,
                };
                self.open.insert(folder.clone(), file);
            }
            let file = self.open.get_mut(&folder).expect("the file was opened above");
            file.encoded.write(&rows)?;
            file.send_ready_bytes().await.map_err(|source| self.target.store_error("write", &self.name, source))?;
        }
        self.bound_memory().await
    }

    /// Sends away what all open files hold when it is too much together.
    async fn bound_memory(&mut self) -> Result<(), FileSinkError> {
        if self.open.values().map(|file| file.encoded.memory_bytes()).sum::<usize>() < LANE_MEMORY_BYTES {
            return Ok(());
        }
        for file in self.open.values_mut() {
            file.encoded.flush()?;
            file.send_ready_bytes().await.map_err(|source| self.target.store_error("write", &self.name, source))?;
        }
        Ok(())
    }

    fn start(&self, folder: &str) -> Result<OpenFile, FileSinkError> {
        let path = self.target.path_of(folder, &self.name);
        let store = self.target.location.store().clone();
        let upload = BufWriter::with_capacity(store, path.clone(), UPLOAD_FROM_BYTES);
        let encoded = self.target.encoding.start(self.partitioner.file_schema())?;
        let (last_bytes, looks, staged) = (Bytes::new(), None, None);
        Ok(OpenFile { encoded, upload, begun: None, is_sent: false, last_bytes, looks, staged, path })
    }

    /// Ends every file, as of this time in milliseconds since 1970; no row comes after. Nothing is handed over by it.
    ///
    /// The files as readers will see them once they are [staged](LaneFiles::stage) and shown; None when the length of one of them is
    /// known only then.
    pub(crate) fn end(&mut self, modified_ms: i64) -> Result<Option<Vec<FinishedFile>>, FileSinkError> {
        let is_held_back = self.target.location.folders().staging().is_some();
        for file in self.open.values_mut() {
            file.last_bytes = file.encoded.finish()?.into();
            file.looks = (is_held_back && !file.is_sent).then_some((file.last_bytes.len() as u64, modified_ms));
        }
        let ended = |(folder, file): (&String, &OpenFile)| {
            let looks = Some(file.looks?);
            Some(FinishedFile { path: file.path.clone(), folder: folder.clone(), looks })
        };
        Ok(self.open.iter().map(ended).collect())
    }

    /// Hands the last bytes of every ended file to the store; nothing is visible yet.
    pub(crate) async fn stage(&mut self) -> Result<(), FileSinkError> {
        let (target, name) = (&self.target, &self.name);
        let staging = target.location.folders().staging();
        let stage = self.open.iter_mut().map(|(folder, file)| file.stage(folder, target, name, staging.as_deref()));
        let staging_of_all: Vec<_> = stage.collect();
        // All come to an end, also those beside one that fails.
        let ended: Vec<_> = futures::stream::iter(staging_of_all).buffered(FILES_AT_ONCE).collect().await;
        if let Some(mut unused) = self.ahead.take() {
            discard(unused.begun.take()).await;
        }
        ended.into_iter().collect()
    }

    /// Makes every staged file durable and visible; a file of the same name from an earlier attempt is replaced.
    ///
    /// A batch without rows leaves no file, nor one of an earlier attempt.
    pub(crate) async fn publish(self) -> Result<Vec<FinishedFile>, FileSinkError> {
        if self.open.is_empty() {
            remove_if_there(&self.target.location, &self.target.path_of("", &self.name))
                .await
                .map_err(|source| self.target.store_error("remove", &self.name, source))?;
        }
        let (target, name) = (&self.target, &self.name);
        let publish = |(folder, file): (String, OpenFile)| file.publish(folder, target, name);
        if self.target.location.is_local() {
            // One after the other: names that are durable in order leave a beginning of the batch, whatever is cut off.
            return futures::stream::iter(self.open).then(publish).try_collect().await;
        }
        // All come to an end, also those beside one that fails.
        let ended: Vec<_> = futures::stream::iter(self.open).map(publish).buffered(FILES_AT_ONCE).collect().await;
        ended.into_iter().collect()
    }

    /// Gives the files up; nothing of them stays.
    pub(crate) async fn abort(self) {
        for mut file in self.open.into_values().chain(self.ahead) {
            discard(file.begun.take()).await;
            // What cannot be removed now is hidden, and swept at the next start.
            match file.staged {
                Some(staged) => staged.discard().await,
                None => drop(file.upload.abort().await),
            }
        }
    }
}

impl OpenFile {
    /// Makes the file durable and visible.
    async fn publish(mut self, folder: String, target: &LaneTarget, name: &str) -> Result<FinishedFile, FileSinkError> {
        let looks = self.looks;
        let shown = match self.staged {
            Some(staged) => staged.show().await,
            None => tokio::io::AsyncWriteExt::shutdown(&mut self.upload).await.map_err(object_store_error),
        };
        shown.map_err(|source| target.store_error("write", &below(&folder, name), source))?;
        kill_point::pass(KillPoint::SinkPartVisible).map_err(CheckpointError::from)?;
        Ok(FinishedFile { path: self.path, folder, looks })
    }

    /// Hands over the last bytes; a store that can hold the file back writes it down, unless a part of it is on its way already.
    async fn stage(
        &mut self,
        folder: &str,
        target: &LaneTarget,
        name: &str,
        staging: Option<&dyn Staging>,
    ) -> Result<(), FileSinkError> {
        let bytes = std::mem::take(&mut self.last_bytes);
        let sent = match staging.zip(self.looks) {
            Some((staging, (_, modified_ms))) => self.hold_back(staging, bytes, modified_ms).await,
            None => futures::join!(self.upload.put(bytes), discard(self.begun.take())).0,
        };
        sent.map_err(|source| target.store_error("write", &below(folder, name), source))
    }

    async fn hold_back(&mut self, staging: &dyn Staging, bytes: Bytes, modified_ms: i64) -> object_store::Result<()> {
        let file = match self.begun.take() {
            Some(begun) => begun.stage(bytes).await?,
            None => staging.stage(&self.path, bytes, true).await?,
        };
        file.set_modified_ms(modified_ms).await?;
        self.staged = Some(file);
        Ok(())
    }

    /// Hands what is ready to the upload, when it is enough to be worth it.
    async fn send_ready_bytes(&mut self) -> object_store::Result<()> {
        if self.encoded.ready_bytes() < UPLOAD_FROM_BYTES {
            return Ok(());
        }
        self.is_sent = true;
        self.upload.put(self.encoded.take_bytes().into()).await
    }
}

/// The name of a file, seen from the lane's own folder.
fn below(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// A buffered upload reports what its store said as an I/O error.
fn object_store_error(error: std::io::Error) -> object_store::Error {
    match error.downcast::<object_store::Error>() {
        Ok(error) => error,
        Err(error) => object_store::Error::Generic { store: "upload", source: Box::new(error) },
    }
}

async fn remove_if_there(location: &Location, path: &Path) -> object_store::Result<()> {
    match location.store().delete(path).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn discard(begun: Option<Box<dyn BegunFile>>) {
    if let Some(begun) = begun {
        begun.discard().await;
    }
}
