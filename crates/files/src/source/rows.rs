//! The rows of a batch's files, decoded on a thread of their own while earlier ones are scored.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use ognivo_data::codec::json::{JsonEncoder, JsonOptions};
use ognivo_stream::source::{Malformed, Origin, RowStream, SourceError, SourceRows};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::file_error::FileError;
use crate::listing::InputFile;
use crate::open::Location;
use crate::piece::{PieceBlock, PieceBlocks, PieceReader};
use crate::source::FileSourceError;
use crate::source::positions::add_positions;
use crate::text::{RawRecords, TextOrigin};

/// Decoded blocks that may wait for their turn.
const BLOCKS_AHEAD: usize = 2;

/// The rows of these files, in order.
pub(super) struct BatchRows {
    pub(super) location: Location,
    pub(super) reader: PieceReader,
    /// The columns that come out: those of the reader, and perhaps those of the position.
    pub(super) schema: SchemaRef,
    pub(super) files: Vec<InputFile>,
    pub(super) ignore_missing_files: bool,
}

impl BatchRows {
    /// Starts to read; must be called within a runtime.
    pub(super) fn stream(self) -> RowStream {
        let (sender, receiver) = mpsc::channel(BLOCKS_AHEAD);
        let reading = tokio::task::spawn_blocking(move || {
            for block in self.blocks() {
                // Nobody listens any more: the batch was given up.
                if sender.blocking_send(block).is_err() {
                    return;
                }
            }
        });
        let state = Reading { receiver, thread: Some(reading) };
        Box::pin(futures::stream::unfold(state, |mut state| async { state.next().await.map(|block| (block, state)) }))
    }

    fn blocks(&self) -> impl Iterator<Item = Result<SourceRows, SourceError>> + '_ {
        self.files.iter().flat_map(|file| match self.open(file) {
            Ok(Some(blocks)) => FileRows::Blocks {
                uri: self.location.uri_of(&file.path).into(),
                positions: self.tells_positions().then(|| self.schema.clone()),
                blocks,
                n_rows: 0,
            },
            Ok(None) => FileRows::Nothing,
            Err(error) => FileRows::Failed(error),
        })
    }

    fn tells_positions(&self) -> bool {
        self.schema.fields().len() > self.reader.columns.schema.fields().len()
    }

    /// Opens a file; None for one that is gone, when that is to be ignored.
    fn open(&self, file: &InputFile) -> Result<Option<PieceBlocks>, FileError> {
        match self.reader.open_whole(&self.location, file) {
            Err(FileError::Vanished { .. }) if self.ignore_missing_files => Ok(None),
            opened => opened.map(Some),
        }
    }
}

/// What the reading thread sends, and the thread itself, whose death must not look like the end of the rows.
struct Reading {
    receiver: mpsc::Receiver<Result<SourceRows, SourceError>>,
    thread: Option<JoinHandle<()>>,
}

impl Reading {
    async fn next(&mut self) -> Option<Result<SourceRows, SourceError>> {
        if let Some(block) = self.receiver.recv().await {
            return Some(block);
        }
        match self.thread.take()?.await {
            Ok(()) => None,
            Err(died) => Some(Err(SourceError::new(FileSourceError::ReaderDied { reason: died.to_string() }))),
        }
    }
}

/// The rows of one file.
enum FileRows {
    Blocks {
        uri: Arc<str>,
        /// The columns with those of the position; None when these are not wanted.
        positions: Option<SchemaRef>,
        blocks: PieceBlocks,
        n_rows: usize,
    },
    Failed(FileError),
    Nothing,
}

impl Iterator for FileRows {
    type Item = Result<SourceRows, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        match std::mem::replace(self, FileRows::Nothing) {
            FileRows::Nothing => None,
            FileRows::Failed(error) => Some(Err(SourceError::new(error))),
            FileRows::Blocks { uri, positions, mut blocks, n_rows } => match blocks.next()? {
                Err(error) => Some(Err(SourceError::new(error))),
                Ok(block) => {
                    let n_in_block = block.rows.num_rows();
                    let rows = source_rows(&uri, block, n_rows, positions.as_ref());
                    *self = FileRows::Blocks { uri, positions, blocks, n_rows: n_rows + n_in_block };
                    Some(Ok(rows))
                }
            },
        }
    }
}

/// A block as the driver wants it; `n_before` rows of the file came before. With `positions` its rows get these columns.
fn source_rows(uri: &Arc<str>, block: PieceBlock, n_before: usize, positions: Option<&SchemaRef>) -> SourceRows {
    let n_records_read = block.counts.n_read as usize;
    let malformed = match &block.raw {
        Some(raw) => malformed(uri, raw, block.malformed),
        None => Vec::new(),
    };
    let rows = match positions {
        None => block.rows.clone(),
        Some(schema) => {
            let line = |row_idx: usize| match &block.raw {
                Some(raw) => raw.line_of_row(row_idx),
                None => (n_before + row_idx + 1) as u64,
            };
            add_positions(&block.rows, schema, uri, (0..block.rows.num_rows()).map(line))
        }
    };
    let origin: Arc<dyn Origin> = match block.raw {
        Some(raw) => Arc::new(TextOrigin { uri: Arc::clone(uri), raw }),
        None => Arc::new(RowOrigin { uri: Arc::clone(uri), rows: block.rows, n_before }),
    };
    SourceRows { rows, origin, malformed, n_records_read }
}

fn malformed(uri: &str, raw: &RawRecords, records: Vec<ognivo_data::codec::Malformed>) -> Vec<Malformed> {
    let lines = raw.lines_at(records.iter().map(|record| record.byte_pos));
    let as_told = |(record, line): (ognivo_data::codec::Malformed, u64)| Malformed {
        position: format!("{uri}:{line}"),
        payload: record.raw,
        code: if record.column.is_some() { "malformed_value" } else { "malformed_record" }.to_owned(),
        message: match &record.column {
            Some(column) => format!("column `{column}`: {}", record.message),
            None => record.message,
        },
        record: None,
    };
    records.into_iter().zip(lines).map(as_told).collect()
}

/// The origin of rows that are no records of text: the file, the row's number in it from 1, and the row as JSON.
struct RowOrigin {
    uri: Arc<str>,
    rows: RecordBatch,
    n_before: usize,
}

impl Origin for RowOrigin {
    fn position(&self, row_idx: usize) -> String {
        format!("{}:{}", self.uri, self.n_before + row_idx + 1)
    }

    fn payload(&self, row_idx: usize) -> Cow<'_, [u8]> {
        let mut json = Vec::new();
        // A column that JSON has no text for leaves the payload empty; the position still names the row.
        if let Ok(rows) = JsonEncoder::new(&JsonOptions::default()).rows(&self.rows) {
            rows.write(row_idx, &mut json);
        }
        Cow::Owned(json)
    }
}
