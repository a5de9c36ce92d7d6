//! How files are read: by ranges, or a long one from a place to another.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use hdfs_native::Client;
use hdfs_native::file::FileReader;
use object_store::Result;
use tokio::time::timeout;

use super::connection::{Connection, Repeat, Running, running};
use super::failed::Failed;
use crate::open::OpenedFile;

/// A reader of a file that reaches to `end`, or to the end of the file.
///
/// Of a file that was closed a moment ago the NameNode may not know the last block yet, where it lets files be closed before their blocks
/// are reported (`dfs.namenode.file.close.num-committed-allowed`): it tells the file's length, and only the blocks before. Hadoop's
/// client asks a DataNode then; here it is waited for, so that no file is taken to be shorter than it is.
pub(super) async fn open_up_to(
    client: &Client,
    path: &str,
    end: Option<u64>,
) -> std::result::Result<FileReader, Failed> {
    let reader = client.read(path).await?;
    let length = reader.file_length();
    if end.is_some_and(|end| end > length as u64) && client.get_file_info(path).await?.length > length {
        return Err(Failed::Incomplete);
    }
    Ok(reader)
}

pub(super) async fn read_range(reader: &FileReader, range: Range<u64>) -> std::result::Result<Bytes, Failed> {
    let range = within(reader, range);
    Ok(reader.read_range(range.start as usize, (range.end - range.start) as usize).await?)
}

/// The part of a range that lies within the file: hdfs-native panics beyond.
fn within(reader: &FileReader, range: Range<u64>) -> Range<u64> {
    let end = range.end.min(reader.file_length() as u64);
    range.start.min(end)..end
}

/// A file whose blocks were asked for once: each range of it costs a DataNode's answer, and none of the NameNode.
#[derive(Debug)]
pub(super) struct HdfsFile {
    connection: Arc<Connection>,
    path: String,
    /// For messages.
    place: String,
    reader: Arc<Mutex<Held>>,
}

/// The reader of a file; none before the first range, and after a failure, when the blocks may lie elsewhere.
#[derive(Default)]
struct Held(Option<FileReader>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "open" } else { "to be opened" })
    }
}

impl HdfsFile {
    /// A file that is opened when it is first read.
    pub(super) fn new(connection: &Arc<Connection>, path: String, place: String) -> HdfsFile {
        HdfsFile { connection: Arc::clone(connection), path, place, reader: Arc::default() }
    }
}

#[async_trait]
impl OpenedFile for HdfsFile {
    async fn open(&self) -> Result<()> {
        self.read(0..0).await.map(drop)
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        let n_bytes = range.end - range.start;
        let (path, held) = (self.path.clone(), Arc::clone(&self.reader));
        let read = move |client: Client| {
            let (path, held, range) = (path.clone(), Arc::clone(&held), range.clone());
            async move {
                let known = held.lock().unwrap_or_else(PoisonError::into_inner).0.take();
                let reader = match known.filter(|reader| range.end <= reader.file_length() as u64) {
                    Some(reader) => reader,
                    None => open_up_to(&client, &path, Some(range.end)).await?,
                };
                let bytes = read_range(&reader, range).await?;
                held.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(reader);
                Ok(bytes)
            }
        };
        let read = self.connection.call(Repeat::Freely, self.connection.data_deadline(n_bytes), read).await;
        read.map_err(|failed| failed.at(&self.place))
    }
}

/// What of a long file is asked for at once: whole stripes of files with the usual erasure coding (RS-6-3-1024k, RS-3-2-1024k), of which
/// no part is read without the rest.
const PIECE_BYTES: u64 = 12 << 20;

/// Pieces that are under way beside each other, or wait for their reader: the packets of one are taken apart while those of the others
/// arrive.
const PIECES_AHEAD: usize = 2;

/// A range of a file that is read in pieces, a few of them ahead of whoever takes them. All are of one version of the file: it is opened
/// once.
pub(super) struct LongRead {
    connection: Arc<Connection>,
    reader: FileReader,
    /// What has not been asked for.
    left: Range<u64>,
    ahead: VecDeque<Running<Vec<Bytes>>>,
    /// For messages.
    place: String,
}

impl LongRead {
    pub(super) fn new(connection: &Arc<Connection>, reader: FileReader, range: Range<u64>, place: String) -> LongRead {
        let left = within(&reader, range);
        LongRead { connection: Arc::clone(connection), reader, left, ahead: VecDeque::new(), place }
    }

    /// The bytes in the order of the file, as DataNodes send them; the first failure ends them.
    pub(super) fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        let pieces = futures::stream::unfold(self, |mut read| async {
            let packets: Vec<Result<Bytes>> = match read.next().await? {
                Ok(packets) => packets.into_iter().map(Ok).collect(),
                Err(failed) => vec![Err(read.end_with(failed))],
            };
            Some((futures::stream::iter(packets), read))
        });
        pieces.flatten().boxed()
    }

    async fn next(&mut self) -> Option<std::result::Result<Vec<Bytes>, Failed>> {
        while self.ahead.len() < PIECES_AHEAD && !self.left.is_empty() {
            let begun = self.begin_piece();
            self.ahead.push_back(match begun {
                Ok(piece) => piece,
                Err(failed) => return Some(Err(failed)),
            });
        }
        Some(self.ahead.pop_front()?.answer().await)
    }

    fn begin_piece(&mut self) -> std::result::Result<Running<Vec<Bytes>>, Failed> {
        let n_bytes = PIECE_BYTES.min(self.left.end - self.left.start);
        let packets = self.reader.read_range_stream(self.left.start as usize, n_bytes as usize);
        self.left.start += n_bytes;
        running(gathered(packets.boxed(), n_bytes, self.connection.data_deadline(0)))
    }

    fn end_with(&mut self, failed: Failed) -> object_store::Error {
        self.left.start = self.left.end;
        self.ahead.clear();
        self.connection.explained(failed).at(&self.place)
    }
}

/// All packets of a piece; each of them has `deadline`.
async fn gathered(
    mut packets: BoxStream<'static, hdfs_native::Result<Bytes>>,
    n_bytes: u64,
    deadline: Duration,
) -> std::result::Result<Vec<Bytes>, Failed> {
    let (mut gathered, mut n_gathered) = (Vec::new(), 0);
    while let Some(packet) = timeout(deadline, packets.next()).await.map_err(|_| Failed::Late(deadline))? {
        let packet = packet?;
        n_gathered += packet.len() as u64;
        gathered.push(packet);
    }
    match n_gathered == n_bytes {
        true => Ok(gathered),
        false => Err(Failed::Here(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("{n_gathered} of {n_bytes} bytes were sent"),
        ))),
    }
}
