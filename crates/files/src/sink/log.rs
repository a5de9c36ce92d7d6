//! Which batches a folder holds: Spark's `_spark_metadata`, or `_SUCCESS` for readers that list folders.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::{ObjectStoreExt, PutPayload};
use ognivo_stream::checkpoint::{BegunEntry, CompactibleLog, CompactibleLogOptions, StagedEntry};
use ognivo_stream::plan::BatchId;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::open::Location;
use crate::sink::lane::FinishedFile;
use crate::sink::{CommitLog, FileSinkError, origin_of};

/// Spark's name for the log of its file sink.
pub(crate) const SPARK_METADATA: &str = "_spark_metadata";

const SUCCESS: &str = "_SUCCESS";

/// The log of one output folder; clones are the same log.
#[derive(Debug, Clone)]
pub(crate) struct SinkLog {
    location: Location,
    kind: CommitLog,
    query_id: String,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug)]
struct Known {
    spark: CompactibleLog<SinkFile>,
    /// The newest batch, as last asked or added.
    newest: Option<BatchId>,
}

/// One line of Spark's log: a file that counts.
///
/// ```text
/// {"path":"file:///out/part-….parquet","size":669,"isDir":false,"modificationTime":1795353854741,"blockReplication":1,"blockSize":33554432,"action":"add"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SinkFile {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) is_dir: bool,
    pub(crate) modification_time: i64,
    pub(crate) block_replication: i32,
    pub(crate) block_size: u64,
    pub(crate) action: String,
}

/// What our `_SUCCESS` says; readers only look whether it is there.
#[derive(Debug, Serialize, Deserialize)]
struct Success {
    query: String,
    batch: u64,
}

/// What Hadoop's local file system calls its block size; no reader uses it.
const BLOCK_SIZE_BYTES: u64 = 32 << 20;

impl SinkLog {
    pub(crate) fn new(location: Location, kind: CommitLog, query_id: String) -> SinkLog {
        let folder = location.child(SPARK_METADATA);
        let options = CompactibleLogOptions::default();
        let spark = CompactibleLog::new(folder.store().clone(), folder.path().clone(), options)
            .with_staging(folder.folders().staging());
        SinkLog { location, kind, query_id, known: Arc::new(Mutex::new(Known { spark, newest: None })) }
    }

    /// Forgets what was learnt from the folder.
    pub(crate) async fn forget(&self) {
        self.known.lock().await.spark.reset();
    }

    /// The newest batch that the folder holds; the folder itself is asked.
    pub(crate) async fn newest(&self) -> Result<Option<BatchId>, FileSinkError> {
        let mut known = self.known.lock().await;
        known.newest = match self.kind {
            CommitLog::Spark => self.newest_logged(&mut known.spark).await?,
            CommitLog::Success => self.newest_success().await?,
        };
        Ok(known.newest)
    }

    /// Whether the folder held the batch when it was last asked, or a batch was last added.
    pub(crate) async fn is_known_to_hold(&self, batch: BatchId) -> bool {
        self.known.lock().await.newest.is_some_and(|newest| newest >= batch)
    }

    /// Notes that the batch is in the folder, with these files.
    pub(crate) async fn add(&self, batch: BatchId, files: &[FinishedFile], now_ms: i64) -> Result<(), FileSinkError> {
        match self.kind {
            CommitLog::Spark => {
                let entries = self.entries(files).await?;
                self.known.lock().await.spark.add(batch.0, &entries, now_ms).await?;
            }
            CommitLog::Success => self.add_success(batch, files).await?,
        }
        self.known.lock().await.newest = Some(batch);
        Ok(())
    }

    /// Begins the entry of a batch whose files are not known yet, for a log of Spark's whose store can; else nothing.
    pub(crate) async fn begin(&self, batch: BatchId) -> Result<Option<BegunEntry>, FileSinkError> {
        match self.kind {
            CommitLog::Spark => Ok(self.known.lock().await.spark.begin(batch.0).await?),
            CommitLog::Success => Ok(None),
        }
    }

    /// Writes the entry of a batch without showing it, for a log of Spark's whose store can; else nothing.
    pub(crate) async fn stage(
        &self,
        batch: BatchId,
        files: &[FinishedFile],
        begun: Option<BegunEntry>,
    ) -> Result<Option<StagedEntry>, FileSinkError> {
        if self.kind != CommitLog::Spark || self.location.folders().staging().is_none() {
            return Ok(None);
        }
        let entries = self.entries(files).await?;
        Ok(Some(self.known.lock().await.spark.stage(batch.0, &entries, begun).await?))
    }

    /// Notes that the batch of a staged entry is in the folder.
    pub(crate) async fn show(&self, batch: BatchId, entry: StagedEntry, now_ms: i64) -> Result<(), FileSinkError> {
        let mut known = self.known.lock().await;
        known.spark.show(entry, now_ms).await?;
        known.newest = Some(batch);
        Ok(())
    }

    async fn entries(&self, files: &[FinishedFile]) -> Result<Vec<SinkFile>, FileSinkError> {
        let mut entries = Vec::with_capacity(files.len());
        for file in files {
            entries.push(self.entry(file).await?);
        }
        Ok(entries)
    }

    async fn entry(&self, file: &FinishedFile) -> Result<SinkFile, FileSinkError> {
        let (size, modification_time) = match file.looks {
            Some(looks) => looks,
            None => {
                let name = file.path.filename().unwrap_or_default();
                let meta = self.location.store().head(&file.path).await;
                let meta = meta.map_err(|source| self.error("look at", name, source))?;
                (meta.size, meta.last_modified.timestamp_millis())
            }
        };
        Ok(SinkFile {
            path: self.location.uri_of(&file.path),
            size,
            is_dir: false,
            modification_time,
            block_replication: 1,
            block_size: BLOCK_SIZE_BYTES,
            action: "add".to_owned(),
        })
    }

    async fn newest_logged(&self, log: &mut CompactibleLog<SinkFile>) -> Result<Option<BatchId>, FileSinkError> {
        let Some(batch) = log.newest_id().await? else { return Ok(None) };
        let files = log.get(batch).await?.unwrap_or_default();
        let location = || self.location.uri();
        let origin = files.last().and_then(|file| origin_of(&file.path));
        if let Some((query, _)) = origin.filter(|(query, _)| *query != self.query_id) {
            return Err(FileSinkError::AnotherQuery { batch, query: query.to_owned(), location: location() });
        }
        let is_compacted = log.is_compacted(batch).await?;
        match self.what_is_wrong(batch, &files, is_compacted).await? {
            Some(reason) => Err(FileSinkError::WrongEntry { batch, reason, location: location() }),
            None => Ok(Some(BatchId(batch))),
        }
    }

    /// What shows that the newest entry is not the one that was written: an entry that is a copy of another one would make a
    /// planned batch count as done, and one that lost its lines would hide a batch from readers.
    ///
    /// An entry that lost some of its lines cannot be told, since the log does not say how many there were.
    async fn what_is_wrong(
        &self,
        batch: u64,
        files: &[SinkFile],
        is_compacted: bool,
    ) -> Result<Option<String>, FileSinkError> {
        let belongs = |of: u64| of == batch || (is_compacted && of < batch);
        let mut batches = files.iter().filter_map(|file| Some(origin_of(&file.path)?.1));
        if let Some(other) = batches.find(|of| !belongs(*of)) {
            return Ok(Some(format!("names files of batch {other}")));
        }
        if !files.is_empty() {
            return Ok(None);
        }
        let mut on_disk = self.location.store().list(Some(self.location.path()));
        while let Some(file) = on_disk.try_next().await.map_err(|source| self.error("list", "the files", source))? {
            if origin_of(file.location.as_ref()).is_some_and(|(query, of)| query == self.query_id && belongs(of)) {
                return Ok(Some(format!("names no file, but there is {}", self.location.uri_of(&file.location))));
            }
        }
        Ok(None)
    }

    async fn newest_success(&self) -> Result<Option<BatchId>, FileSinkError> {
        let spark_log = self.location.child(SPARK_METADATA);
        let has_spark_log = spark_log.folders().folder_exists(spark_log.path()).await;
        if has_spark_log.map_err(|source| self.error("look at", SPARK_METADATA, source))? {
            return Err(FileSinkError::SparkLogInTheWay { location: self.location.uri() });
        }
        let path = self.location.child(SUCCESS);
        let bytes = match path.store().get(path.path()).await {
            Ok(found) => found.bytes().await.map_err(|source| self.error("read", SUCCESS, source))?,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(self.error("read", SUCCESS, source)),
        };
        // An empty `_SUCCESS`, such as Spark's, says nothing.
        let Ok(success) = serde_json::from_slice::<Success>(&bytes) else { return Ok(None) };
        match success.query == self.query_id {
            true => Ok(Some(BatchId(success.batch))),
            false => Err(FileSinkError::AnotherQuery {
                batch: success.batch,
                query: success.query,
                location: self.location.uri(),
            }),
        }
    }

    async fn add_success(&self, batch: BatchId, files: &[FinishedFile]) -> Result<(), FileSinkError> {
        for file in files.iter().filter(|file| !file.folder.is_empty()) {
            let path = self.location.child(&format!("{}/{SUCCESS}", file.folder));
            let put = path.store().put(path.path(), PutPayload::new()).await;
            put.map_err(|source| self.error("write", SUCCESS, source))?;
        }
        let success = Success { query: self.query_id.clone(), batch: batch.0 };
        let bytes = serde_json::to_vec(&success).expect("two plain fields are always JSON");
        let path = self.location.child(SUCCESS);
        path.store().put(path.path(), bytes.into()).await.map_err(|source| self.error("write", SUCCESS, source))?;
        Ok(())
    }

    fn error(&self, action: &'static str, name: &str, source: object_store::Error) -> FileSinkError {
        let (name, location) = (name.to_owned(), self.location.uri());
        FileSinkError::Store { action, name, location, source: Box::new(source) }
    }
}
