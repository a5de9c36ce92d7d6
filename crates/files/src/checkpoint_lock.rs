//! One driver per checkpoint, found out before a row is read.
//!
//! The checkpoint's files are created once, so a second driver is found out at its next batch at the latest; but then it
//! is chance which of the two goes on. With the lock the second is refused when it starts, and the first notices nothing.
//!
//! ```text
//! <checkpointLocation>/.ognivo.lock     the process that has it; the lock itself is the system's and ends with the process
//! ```

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use ognivo_data::fault::{Explain, Fault, Retry};

use crate::open::Location;

const LOCK_FILE: &str = ".ognivo.lock";

/// Keeps other drivers out as long as it lives, and not longer, however the process ends.
#[derive(Debug)]
pub struct CheckpointLock {
    _file: File,
}

/// Takes the lock of the checkpoint in `folder`, which is made when it is missing.
///
/// None where there are no such locks: in a store that is not local, and on file systems without them.
///
/// # Errors
/// [`LockError::Held`] while another process has it.
pub fn lock_checkpoint(folder: &Location) -> Result<Option<CheckpointLock>, LockError> {
    let Some(folder) = folder.on_disk(folder.path()) else { return Ok(None) };
    let path = folder.join(LOCK_FILE);
    let failed = |source| LockError::Disk { path: path.clone(), source };
    fs::create_dir_all(&folder).map_err(failed)?;
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(held(&folder, &mut file)),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    name_owner(&mut file);
    Ok(Some(CheckpointLock { _file: file }))
}

/// Who holds the lock of the checkpoint in `folder`; None when nobody does or that cannot be told. Nothing is made or changed.
pub fn who_holds(folder: &Location) -> Option<LockError> {
    let folder = folder.on_disk(folder.path())?;
    let mut file = File::open(folder.join(LOCK_FILE)).ok()?;
    // Shared, so that two who ask do not take each other for its holder.
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(held(&folder, &mut file)),
        _ => None,
    }
}

/// Only for the message that another process gets: the lock holds without it, on a full disk too.
fn name_owner(file: &mut File) {
    let owner = std::process::id().to_string();
    let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(owner.as_bytes()));
}

fn held(folder: &Path, file: &mut File) -> LockError {
    let mut owner = String::new();
    // Only for the message: an owner that cannot be read is not named.
    let _ = file.read_to_string(&mut owner);
    LockError::Held { checkpoint: folder.to_owned(), process: owner.trim().parse().ok() }
}

/// The lock of a checkpoint cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process runs on this checkpoint.
    #[error("another process{} runs on this checkpoint: {}", named(process), checkpoint.display())]
    Held {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// The process, where it could be read.
        process: Option<u32>,
    },
    /// The disk failed.
    #[error("cannot lock {}: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
}

/// Waiting does not help.
fn may_never_be_written(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | NotADirectory | AlreadyExists | IsADirectory)
}

fn named(process: &Option<u32>) -> String {
    process.map_or_else(String::new, |process| format!(" ({process})"))
}

impl Explain for LockError {
    fn fault(&self) -> Fault {
        match self {
            LockError::Held { .. } => Fault::Job,
            LockError::Disk { source, .. } if may_never_be_written(source) => Fault::Job,
            LockError::Disk { .. } => Fault::Remote,
        }
    }

    fn retry(&self) -> Retry {
        match self.fault() {
            Fault::Remote => Retry::Backoff,
            _ => Retry::Never,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            LockError::Held { .. } => {
                Some("stop that process, or give this job a checkpointLocation of its own".to_owned())
            }
            LockError::Disk { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::open;

    #[test]
    fn a_second_driver_is_refused_until_the_first_ends() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = open("checkpoint", folder.path()).unwrap();
        let first = lock_checkpoint(&checkpoint).unwrap().expect("local disks have locks");
        let error = lock_checkpoint(&checkpoint).unwrap_err();
        let at = folder.path().join("checkpoint");
        let expect = format!("another process ({}) runs on this checkpoint: {}", std::process::id(), at.display());
        assert_eq!(error.to_string(), expect);
        assert_eq!(who_holds(&checkpoint).unwrap().to_string(), expect);
        drop(first);
        assert!(who_holds(&checkpoint).is_none());
        assert!(lock_checkpoint(&checkpoint).unwrap().is_some());
    }
}
