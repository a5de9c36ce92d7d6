//! Names that become durable in the order in which they appear, without anybody waiting for each.
//!
//! ```text
//! 1  the bytes of a file are synced
//! 2  every name that was left to this module before is durable: waited for here
//! 3  the file gets its name
//! 4  its folder is synced: at once, or by a thread of this module while the caller goes on to step 1 of the next file
//! ```
//! A disk takes as long for a sync as for several at a time, so a batch of a stream, which is a chain of small files, takes
//! half the time when the fourth step of one file overlaps the first of the next. Nothing is promised by the appearance of such
//! a name alone: whoever promises something makes a name at once, and step 2 of that one waits for all before.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// Syncs that are under way, of all stores of this process.
static UNDER_WAY: Mutex<Vec<JoinHandle<io::Result<()>>>> = Mutex::new(Vec::new());

/// Returns when every name that was given to [`sync_soon`] before is durable.
///
/// # Errors
/// When one of them could not be made durable; it is told once.
pub(crate) fn wait_for_earlier() -> io::Result<()> {
    let earlier = std::mem::take(&mut *UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner));
    let ended =
        earlier.into_iter().map(|sync| sync.join().unwrap_or_else(|_| Err(io::Error::other("a sync broke off"))));
    // All are waited for, whatever the first one says.
    ended.collect::<Vec<_>>().into_iter().collect()
}

/// Makes the name of `path` durable in the background, with `sync`.
///
/// # Errors
/// Those of `sync`, when no thread could be started and it was done here.
pub(crate) fn sync_soon(path: &Path, sync: fn(&Path) -> io::Result<()>) -> io::Result<()> {
    let synced = path.to_owned();
    match std::thread::Builder::new().name("sync".to_owned()).spawn(move || sync(&synced)) {
        Ok(thread) => {
            UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
            Ok(())
        }
        Err(_) => sync(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    static SYNCED: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn whoever_waits_finds_all_earlier_names_durable_and_hears_of_a_failure_once() {
        let slow = |_: &Path| {
            std::thread::sleep(Duration::from_millis(20));
            SYNCED.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let failing = |_: &Path| Err(io::Error::other("the disk is gone"));
        sync_soon(Path::new("a"), slow).unwrap();
        sync_soon(Path::new("b"), failing).unwrap();
        sync_soon(Path::new("c"), slow).unwrap();
        assert_eq!(wait_for_earlier().unwrap_err().to_string(), "the disk is gone");
        assert_eq!(SYNCED.load(Ordering::SeqCst), 2);
        wait_for_earlier().unwrap();
    }
}
