//! What each batch is, written before its first row is read.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::numbered_files::{NumberedFiles, StagedNumber};
use super::{CheckpointError, shown};
use crate::kill_point::{self, KillPoint};
use crate::offset::{Offset, OffsetRange};
use crate::plan::{BatchId, BatchPlan, ModelId};
use crate::staging::Staging;

/// One file per planned batch, as Spark's `OffsetSeqLog` has it:
///
/// ```text
/// v1
/// {"batchWatermarkMs":0,"batchTimestampMs":1795353850713,"conf":{},"ognivo":{"model":"…","run":"…","source":"…","sink":"…"}}
/// {"logOffset":0}
/// ```
/// Line 2 tells of the batch: its time, the session's settings that Spark froze (we carry them on and use none), and under
/// `ognivo`, a key that Spark ignores, our [`Notes`]. Then one line per source: where the batch ends, `-` when the source
/// has nothing yet. It starts where the batch before ends.
#[derive(Debug, Clone)]
pub struct OffsetLog {
    files: NumberedFiles,
}

/// The content of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetEntry {
    /// The batch's time in milliseconds since 1970.
    pub time_ms: i64,
    /// Settings that Spark froze when it started the query.
    pub conf: Map<String, Value>,
    /// What only we write.
    pub notes: Notes,
    /// Where the batch ends, per source.
    pub ends: Vec<Option<Offset>>,
}

/// What we note beside Spark's own fields; all absent in a plan that Spark wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// The model the batch is scored with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelId>,
    /// The process that planned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// [`Source::identity`](crate::source::Source::identity).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// [`Sink::identity`](crate::sink::Sink::identity).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sink: Option<String>,
}

/// An entry that is on its way into the log; let go of, it never gets there.
pub(crate) struct StagedPlan(StagedNumber);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MetadataLine {
    #[serde(default)]
    batch_watermark_ms: i64,
    #[serde(default)]
    batch_timestamp_ms: i64,
    #[serde(default)]
    conf: Map<String, Value>,
    #[serde(default)]
    ognivo: Notes,
}

/// Version 2 (Spark 4.2 with evolution of sources) has other source lines.
const NEWEST_VERSION: u32 = 1;

impl OffsetLog {
    pub(super) fn new(store: Arc<dyn ObjectStore>, folder: Path) -> OffsetLog {
        OffsetLog { files: NumberedFiles::new(store, folder) }
    }

    pub(super) fn with_staging(mut self, staging: Option<Arc<dyn Staging>>) -> OffsetLog {
        self.files.staging = staging;
        self
    }

    /// The newest planned batch.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub async fn newest_id(&self) -> Result<Option<BatchId>, CheckpointError> {
        Ok(self.files.list().await?.last().map(|file| BatchId(file.id)))
    }

    /// The entry of batch `id`.
    ///
    /// # Errors
    /// When it is damaged or of a version that we do not know.
    pub async fn get(&self, id: BatchId) -> Result<Option<OffsetEntry>, CheckpointError> {
        let Some(bytes) = self.files.read(id.0, false).await? else { return Ok(None) };
        parse(&self.files.path(id.0, false), &bytes).map(Some)
    }

    /// Writes the entry of batch `id`.
    ///
    /// # Errors
    /// [`CheckpointError::Exists`] when another process planned this batch.
    pub async fn add(&self, id: BatchId, entry: &OffsetEntry) -> Result<(), CheckpointError> {
        let staged = self.stage(id, entry).await?;
        self.show(staged).await
    }

    /// Does what can be done of [`add`](OffsetLog::add) without showing anything.
    ///
    /// # Errors
    /// As [`add`](OffsetLog::add).
    pub(crate) async fn stage(&self, id: BatchId, entry: &OffsetEntry) -> Result<StagedPlan, CheckpointError> {
        self.files.stage(id.0, false, print(entry).into(), None).await.map(StagedPlan)
    }

    /// Writes the entry that was staged.
    ///
    /// # Errors
    /// As [`add`](OffsetLog::add).
    pub(crate) async fn show(&self, staged: StagedPlan) -> Result<(), CheckpointError> {
        self.files.show(staged.0).await
    }

    /// The plan of batch `id`: it starts where the batch before ended.
    ///
    /// # Errors
    /// As [`get`](OffsetLog::get); when the batch before is missing, or there is not exactly one source.
    pub async fn plan(&self, id: BatchId) -> Result<Option<BatchPlan>, CheckpointError> {
        let Some(entry) = self.get(id).await? else { return Ok(None) };
        let path = self.files.path(id.0, false);
        let end =
            only_end(&path, &entry)?.ok_or_else(|| CheckpointError::damaged(&path, 3, "the source has no offset"))?;
        let start = match id.previous() {
            None => None,
            Some(previous) => self.end(previous, &path).await?,
        };
        Ok(Some(BatchPlan::new(id, OffsetRange { start, end }, entry.time_ms, entry.notes.model)))
    }

    async fn end(&self, id: BatchId, needed_by: &Path) -> Result<Option<Offset>, CheckpointError> {
        let path = self.files.path(id.0, false);
        match self.get(id).await? {
            Some(entry) => only_end(&path, &entry),
            None => Err(CheckpointError::Missing { path: shown(&path), beside: shown(needed_by) }),
        }
    }

    pub(super) async fn purge_below(&self, id: BatchId) -> Result<(), CheckpointError> {
        purge_below(&self.files, id).await
    }
}

/// Removes entries below `id`, oldest first, so that what is left has no hole.
pub(super) async fn purge_below(files: &NumberedFiles, id: BatchId) -> Result<(), CheckpointError> {
    let old: Vec<_> = files.list().await?.into_iter().filter(|file| file.id < id.0).collect();
    if !old.is_empty() {
        kill_point::pass(KillPoint::Purging)?;
    }
    files.delete(old.into_iter()).await
}

fn only_end(path: &Path, entry: &OffsetEntry) -> Result<Option<Offset>, CheckpointError> {
    match entry.ends.as_slice() {
        [end] => Ok(end.clone()),
        ends => Err(CheckpointError::damaged(
            path,
            3,
            format!("a query of one source was expected, sources: {}", ends.len()),
        )),
    }
}

fn print(entry: &OffsetEntry) -> String {
    let line = MetadataLine {
        batch_watermark_ms: 0,
        batch_timestamp_ms: entry.time_ms,
        conf: entry.conf.clone(),
        ognivo: entry.notes.clone(),
    };
    let mut text = format!("v1\n{}", serde_json::to_string(&line).expect("a struct of texts and numbers is JSON"));
    for end in &entry.ends {
        text.push('\n');
        match end {
            Some(end) => text.push_str(&end.to_string()),
            None => text.push('-'),
        }
    }
    text
}

fn parse(path: &Path, bytes: &[u8]) -> Result<OffsetEntry, CheckpointError> {
    let lines = version_and_lines(path, bytes, NEWEST_VERSION)?;
    let damaged =
        |line: usize, error: serde_json::Error| CheckpointError::damaged(path, line, format!("not JSON: {error}"));
    let (metadata, ends) =
        lines.split_first().ok_or_else(|| CheckpointError::damaged(path, 2, "the file ends here"))?;
    let metadata: MetadataLine = serde_json::from_str(metadata).map_err(|error| damaged(2, error))?;
    let ends = ends.iter().enumerate().map(|(i, line)| match *line {
        "-" => Ok(None),
        json => serde_json::from_str(json).map(|json| Some(Offset::new(json))).map_err(|error| damaged(i + 3, error)),
    });
    Ok(OffsetEntry {
        time_ms: metadata.batch_timestamp_ms,
        conf: metadata.conf,
        notes: metadata.ognivo,
        ends: ends.collect::<Result<_, _>>()?,
    })
}

/// Checks the first line, `v<n>`, and gives the lines after it, without a last empty one.
pub(super) fn version_and_lines<'a>(
    path: &Path,
    bytes: &'a [u8],
    newest: u32,
) -> Result<Vec<&'a str>, CheckpointError> {
    let text = std::str::from_utf8(bytes).map_err(|_| CheckpointError::damaged(path, 1, "not UTF-8"))?;
    let mut lines = text.lines();
    let first = lines.next().ok_or_else(|| CheckpointError::damaged(path, 1, "the file is empty"))?;
    let version = first.strip_prefix('v').and_then(|digits| digits.parse::<u32>().ok());
    match version {
        Some(version) if (1..=newest).contains(&version) => Ok(lines.collect()),
        Some(_) => Err(CheckpointError::Version { path: shown(path), found: first.to_owned() }),
        None => Err(CheckpointError::damaged(path, 1, "not a version such as v1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(text: &str) -> Result<OffsetEntry, String> {
        parse(&Path::from("offsets/5"), text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_entry_that_spark_wrote_is_read() {
        // Spark 3.5.9, rate source exchanged for a folder; the conf is cut.
        let text = "v1\n{\"batchWatermarkMs\":0,\"batchTimestampMs\":1795353850713,\"conf\":{\"spark.sql.shuffle.partitions\":\"2\"}}\n{\"logOffset\":0}";
        let entry = parsed(text).unwrap();
        assert_eq!(entry.time_ms, 1_795_353_850_713);
        assert_eq!(entry.conf["spark.sql.shuffle.partitions"], "2");
        assert_eq!(entry.notes, Notes::default());
        assert_eq!(entry.ends, [Some(Offset::new(json!({"logOffset": 0})))]);
    }

    #[test]
    fn an_entry_that_we_wrote_comes_back_with_its_notes() {
        let notes =
            Notes { model: Some(ModelId("sha256:77".to_owned())), run: Some("r".to_owned()), ..Notes::default() };
        let entry = OffsetEntry { time_ms: 5, conf: Map::new(), notes, ends: vec![None, Some(Offset::new(json!(7)))] };
        let text = "v1\n{\"batchWatermarkMs\":0,\"batchTimestampMs\":5,\"conf\":{},\"ognivo\":{\"model\":\"sha256:77\",\"run\":\"r\"}}\n-\n7";
        assert_eq!(print(&entry), text);
        assert_eq!(parsed(text).unwrap(), entry);
        assert_eq!(parsed(&format!("{text}\n")).unwrap(), entry);
    }

    #[test]
    fn a_damaged_entry_is_named_with_its_line() {
        let check = |text: &str, expect: &str| assert_eq!(parsed(text).unwrap_err(), expect);
        check("", "/offsets/5, line 1: the file is empty");
        check("v1", "/offsets/5, line 2: the file ends here");
        check("hello\n{}", "/offsets/5, line 1: not a version such as v1");
        check("v2\n{}\n0:-", "/offsets/5: version is not known: v2");
        check("v1\n{\"batchW", "/offsets/5, line 2: not JSON: EOF while parsing a string at line 1 column 8");
        check("v1\n{}\n{\"logOffset\":", "/offsets/5, line 3: not JSON: EOF while parsing a value at line 1 column 13");
    }
}
