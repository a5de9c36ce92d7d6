//! A topic as a source that keeps a log of its own in the checkpoint, as a folder of files does.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use async_trait::async_trait;
use futures::StreamExt as _;
use object_store::ObjectStore;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{MemoryFaults, MemoryTopic, topic};
use crate::checkpoint::{CompactibleLog, CompactibleLogOptions};
use crate::kill_point::{self, KillPoint};
use crate::offset::{Offset, OffsetRange};
use crate::source::{ReadLimit, Remembering, RowStream, Source, SourceError};

/// A source over the first partition of a [`MemoryTopic`]. Offsets are `{"logOffset":3}`: an entry of its log, which says
/// up to which record the batch goes.
#[derive(Debug)]
pub struct MemoryLoggedSource {
    topic: MemoryTopic,
    max_rows: usize,
    faults: MemoryFaults,
    log: CompactibleLog<Entry>,
    /// The log in memory; None until it was read, and again after an error.
    ends: Option<Vec<usize>>,
    /// The entry that is in memory and not in the log yet.
    unwritten: Option<Entry>,
    fixed_end: Option<usize>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    to: usize,
    batch_id: u64,
}

impl MemoryLoggedSource {
    /// A source that takes at most `max_rows` records per batch and keeps its log in `folder` of `store`.
    pub fn new(
        topic: MemoryTopic,
        max_rows: usize,
        faults: MemoryFaults,
        store: Arc<dyn ObjectStore>,
        folder: Path,
    ) -> MemoryLoggedSource {
        let log = CompactibleLog::new(store, folder, CompactibleLogOptions::default());
        MemoryLoggedSource { topic, max_rows, faults, log, ends: None, unwritten: None, fixed_end: None }
    }

    /// The end of each entry of the log.
    async fn ends(&mut self) -> Result<&mut Vec<usize>, SourceError> {
        if self.ends.is_none() {
            let entries = self.log.all().await.map_err(SourceError::new)?;
            self.ends =
                Some(entries.map_or_else(Vec::new, |(_, entries)| entries.iter().map(|entry| entry.to).collect()));
        }
        Ok(self.ends.get_or_insert_default())
    }
}

#[async_trait]
impl Source for MemoryLoggedSource {
    fn description(&self) -> String {
        "MemoryLoggedSource".to_owned()
    }

    fn schema(&self) -> SchemaRef {
        topic::schema()
    }

    async fn latest(&mut self, start: Option<&Offset>, limit: ReadLimit) -> Result<Option<Offset>, SourceError> {
        self.faults.call("source.latest").map_err(SourceError::new)?;
        let n_planned = start.map_or(0, |start| entry_of(start) + 1);
        let ends = self.ends().await?;
        let (n_logged, from) = (ends.len(), ends.last().copied().unwrap_or(0));
        let max_rows = if limit == ReadLimit::Everything { usize::MAX } else { self.max_rows };
        let newest = self.fixed_end.unwrap_or(usize::MAX).min(self.topic.len(0));
        let to = newest.min(from.saturating_add(max_rows));
        // An entry that was logged before a crash and never planned is a batch of its own, unless everything is wanted.
        let logged_only = n_logged > n_planned && limit == ReadLimit::Configured;
        if to > from && !logged_only {
            kill_point::pass(KillPoint::SourceFound)?;
            let id = n_logged as u64;
            self.unwritten = Some(Entry { to, batch_id: id });
            self.ends().await?.push(to);
        }
        let n_logged = self.ends().await?.len();
        Ok((n_logged > n_planned).then(|| Offset::new(json!({ "logOffset": n_logged - 1 }))))
    }

    fn remember(&mut self) -> Remembering {
        let (log, unwritten) = (self.log.clone(), self.unwritten.take());
        Box::pin(async move {
            let Some(entry) = unwritten else { return Ok(()) };
            log.add(entry.batch_id, &[entry], 0).await.map_err(SourceError::new)?;
            Ok(kill_point::pass(KillPoint::SourceLogged)?)
        })
    }

    async fn read(&mut self, range: &OffsetRange) -> Result<RowStream, SourceError> {
        self.faults.call("source.read").map_err(SourceError::new)?;
        let ends = self.ends().await?;
        let from = range.start.as_ref().map_or(0, |start| ends[entry_of(start)]);
        let to = ends[entry_of(&range.end)];
        let faults = self.faults.clone();
        let blocks = futures::stream::iter(self.topic.blocks(0, from, to));
        Ok(blocks.map(move |block| faults.call("source.block").map(|()| block).map_err(SourceError::new)).boxed())
    }

    async fn acknowledge(&mut self, _end: &Offset) -> Result<(), SourceError> {
        self.faults.call("source.acknowledge").map_err(SourceError::new)?;
        Ok(kill_point::pass(KillPoint::SourceAcknowledging)?)
    }

    async fn fix_end(&mut self) -> Result<(), SourceError> {
        self.fixed_end = Some(self.topic.len(0));
        Ok(())
    }

    async fn reset(&mut self) -> Result<(), SourceError> {
        self.ends = None;
        self.unwritten = None;
        self.log.reset();
        Ok(())
    }
}

fn entry_of(offset: &Offset) -> usize {
    offset.json().get("logOffset").and_then(serde_json::Value::as_u64).unwrap_or(0) as usize
}
