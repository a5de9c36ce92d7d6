//! A file on a cluster, written from a thread that waits: nobody sees it before it is finished.

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt as _, UploadPart};
use ognivo_files::open::Location;
use tokio::runtime::Handle;

use crate::failure::{Failure, Refusal, StoreFailure};

/// Bytes are handed over in pieces of this size; one is under way while the next is filled.
const PIECE_BYTES: usize = 4 << 20;

/// A file that is being written; one that is not finished is removed.
pub(crate) struct RemoteFile {
    upload: Option<Box<dyn MultipartUpload>>,
    piece: Vec<u8>,
    under_way: Option<UploadPart>,
    place: String,
    runtime: Handle,
}

impl RemoteFile {
    /// Begins a file that takes the place of one that is there.
    ///
    /// # Errors
    /// When a folder is there, or the cluster does not serve.
    pub(crate) fn create(place: &Location, runtime: &Handle) -> Result<RemoteFile, Failure> {
        let shown = place.to_string();
        let is_folder = runtime.block_on(place.folders().folder_exists(place.path()));
        if is_folder.map_err(StoreFailure::of("write", shown.clone()))? {
            let hint = Some("name a file in it".to_owned());
            return Err(Refusal::of_job(format!("the output is a folder: {shown}"), hint).into());
        }
        let upload = runtime.block_on(place.store().put_multipart(place.path()));
        let upload = Some(upload.map_err(StoreFailure::of("write", shown.clone()))?);
        let piece = Vec::with_capacity(PIECE_BYTES);
        Ok(RemoteFile { upload, piece, under_way: None, place: shown, runtime: runtime.clone() })
    }

    /// Writes the next bytes, sooner or later.
    ///
    /// # Errors
    /// When earlier bytes could not be written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        for part in bytes.chunks(PIECE_BYTES) {
            self.piece.extend_from_slice(part);
            if self.piece.len() >= PIECE_BYTES {
                self.send()?;
            }
        }
        Ok(())
    }

    /// Waits for the piece that is under way, and sends the next.
    fn send(&mut self) -> Result<(), Failure> {
        self.wait()?;
        let piece = Bytes::from(std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE_BYTES)));
        self.under_way = self.upload.as_mut().map(|upload| upload.put_part(piece.into()));
        Ok(())
    }

    fn wait(&mut self) -> Result<(), Failure> {
        match self.under_way.take() {
            Some(part) => Ok(self.runtime.block_on(part).map_err(StoreFailure::of("write", self.place.clone()))?),
            None => Ok(()),
        }
    }

    /// Writes what is left and gives the file its name; all of it is durable then.
    ///
    /// # Errors
    /// When bytes or the name could not be written.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        if !self.piece.is_empty() {
            self.send()?;
        }
        self.wait()?;
        if let Some(mut upload) = self.upload.take() {
            let completed = self.runtime.block_on(upload.complete());
            completed.map_err(StoreFailure::of("write", self.place.clone()))?;
        }
        Ok(())
    }
}

impl Drop for RemoteFile {
    fn drop(&mut self) {
        if let Some(mut upload) = self.upload.take() {
            // What was not finished ends with an error that was told; what is left of it has a hidden name.
            let _ = self.runtime.block_on(upload.abort());
        }
    }
}
