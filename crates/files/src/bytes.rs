//! The bytes of one file, read in ranges from a thread that may block.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::file_error::FileError;
use crate::open::{Location, OpenedFile};

/// An open file whose length is known; cheap to clone.
#[derive(Clone)]
pub(crate) struct FileBytes {
    inner: Arc<Inner>,
    size_bytes: u64,
}

enum Inner {
    /// On a local disk, read without going through the store.
    Disk(File),
    /// In a store, which the location knows how to wait for.
    Store(Location),
    /// The same, opened once.
    Opened(Location, Arc<dyn OpenedFile>),
}

impl Inner {
    fn of(location: &Location, path: &Path, opened: Option<Arc<dyn OpenedFile>>) -> Inner {
        let location = location.at(path.clone());
        match opened {
            Some(file) => Inner::Opened(location, file),
            None => Inner::Store(location),
        }
    }
}

impl FileBytes {
    /// Opens the file at `path`, which lies in the same store as `location`, and takes it to be `size_bytes` long.
    pub(crate) fn open(location: &Location, path: &Path, size_bytes: u64) -> Result<FileBytes, FileError> {
        let inner = match open_on_disk(location, path)? {
            Some(file) => Inner::Disk(file),
            None => Inner::of(location, path, location.folders().opened(path)),
        };
        Ok(FileBytes { inner: Arc::new(inner), size_bytes })
    }

    /// Opens all of the file at `path`, as long as it is now.
    pub(crate) fn open_whole(location: &Location, path: &Path) -> Result<FileBytes, FileError> {
        let name = || location.at(path.clone()).to_string();
        if let Some(file) = open_on_disk(location, path)? {
            let metadata = file.metadata().map_err(|source| FileError::Read { path: name(), source })?;
            return Ok(FileBytes { inner: Arc::new(Inner::Disk(file)), size_bytes: metadata.len() });
        }
        let opened = location.folders().opened(path);
        let asked = async {
            match &opened {
                Some(file) => futures::try_join!(location.store().head(path), file.open()).map(|(looks, ())| looks),
                None => location.store().head(path).await,
            }
        };
        match location.wait_for(asked) {
            Ok(looks) => Ok(FileBytes { inner: Arc::new(Inner::of(location, path, opened)), size_bytes: looks.size }),
            Err(object_store::Error::NotFound { .. }) => Err(FileError::Vanished { path: name() }),
            Err(error) => Err(FileError::Read { path: name(), source: io_error(error) }),
        }
    }

    /// The length of the file when it was listed.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The bytes of a range within the file; fewer when the file has become shorter since it was listed.
    pub(crate) fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        match self.inner.as_ref() {
            Inner::Disk(file) => read_range(file, range).map(Bytes::from),
            Inner::Store(location) => {
                let ranges = [range];
                let read = location.wait_for(location.store().get_ranges(location.path(), &ranges));
                Ok(read.map_err(io_error)?.pop().unwrap_or_default())
            }
            Inner::Opened(location, file) => location.wait_for(file.read(range)).map_err(io_error),
        }
    }
}

/// The open file, when the store is the local disk.
fn open_on_disk(location: &Location, path: &Path) -> Result<Option<File>, FileError> {
    let Some(on_disk) = location.on_disk(path) else { return Ok(None) };
    let name = || location.at(path.clone()).to_string();
    File::open(on_disk).map(Some).map_err(|source| match source.kind() {
        ErrorKind::NotFound => FileError::Vanished { path: name() },
        _ => FileError::Read { path: name(), source },
    })
}

/// What a store said, with the kind that decides whose fault it is.
fn io_error(error: object_store::Error) -> io::Error {
    let kind = match &error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            ErrorKind::PermissionDenied
        }
        _ => ErrorKind::Other,
    };
    io::Error::new(kind, error)
}

fn read_range(file: &File, range: Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], range.start + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

impl Length for FileBytes {
    fn len(&self) -> u64 {
        self.size_bytes
    }
}

/// Reads on from a position to the end of the file.
pub(crate) struct ReadOn {
    bytes: FileBytes,
    position: u64,
    ahead: Bytes,
}

/// How much is read at once where Parquet asks for a few bytes: the header of a page.
const READ_AHEAD_BYTES: u64 = 1 << 13;

impl Read for ReadOn {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            let end = self.position.saturating_add(READ_AHEAD_BYTES).min(self.bytes.size_bytes);
            self.ahead = self.bytes.read(self.position..end.max(self.position))?;
            self.position += self.ahead.len() as u64;
        }
        let n = self.ahead.len().min(into.len());
        into[..n].copy_from_slice(&self.ahead.split_to(n));
        Ok(n)
    }
}

impl ChunkReader for FileBytes {
    type T = ReadOn;

    fn get_read(&self, start: u64) -> Result<ReadOn, ParquetError> {
        Ok(ReadOn { bytes: self.clone(), position: start, ahead: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.read(start..start.saturating_add(length as u64))?;
        match bytes.len() == length {
            true => Ok(bytes),
            false => Err(ParquetError::EOF(format!("expected {length} bytes at {start}, got {}", bytes.len()))),
        }
    }
}
