//! When a folder need not be listed again, because nothing can have come since it was found to hold nothing new.
//!
//! A source whose rows are taken as they arrive is asked a hundred times a second. Listing a folder costs a look at every
//! file in it; the folder's own time of change tells in one look that no name came or went. That is believed only when the
//! folder had been still for a while before it was listed (so that a name which came in the same tick of the file system's
//! clock cannot hide), and never for long, since a link may come to life without a change of the folder.

use crate::listing::ListError;
use crate::open::{FolderVersion, Location};

/// How long a folder must have been still when it was listed.
const STILL_MS: i64 = 2_000;
/// After so long the folder is listed whatever its time of change says.
const BELIEVED_MS: i64 = 10_000;

/// What was found out about the source's folder.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    /// The folder as it was right before the listing that is going on, if that can be believed.
    before: Option<Sight>,
    /// The folder as it was right before a listing that showed nothing new.
    empty: Option<Sight>,
}

#[derive(Debug, Clone, Copy)]
struct Sight {
    version: FolderVersion,
    at_ms: i64,
}

impl Quiet {
    /// Whether a listing would show nothing new. When it might, one must follow, and [`found_nothing`](Quiet::found_nothing)
    /// when it shows nothing.
    pub(super) async fn is_nothing_new(&mut self, location: &Location, now_ms: i64) -> Result<bool, ListError> {
        let version = match location.is_glob() {
            true => None,
            false => location
                .folders()
                .version(location.path())
                .await
                .map_err(|source| ListError::Store { location: location.to_string(), source })?,
        };
        let is_same =
            |sight: &Sight| Some(sight.version) == version && (0..BELIEVED_MS).contains(&(now_ms - sight.at_ms));
        if self.empty.as_ref().is_some_and(is_same) {
            return Ok(true);
        }
        let is_still =
            |version: &FolderVersion| i128::from(now_ms) - version.modified_ns / 1_000_000 >= i128::from(STILL_MS);
        self.empty = None;
        self.before = version.filter(is_still).map(|version| Sight { version, at_ms: now_ms });
        Ok(false)
    }

    /// The listing showed nothing new.
    pub(super) fn found_nothing(&mut self) {
        self.empty = self.before.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::open;
    use std::fs;
    use std::time::{Duration, UNIX_EPOCH};

    const SECOND_MS: i64 = 1_000;

    fn set_time(folder: &std::path::Path, ms: i64) {
        fs::File::open(folder).unwrap().set_modified(UNIX_EPOCH + Duration::from_millis(ms as u64)).unwrap();
    }

    fn ask(quiet: &mut Quiet, location: &Location, now_ms: i64) -> bool {
        let is_nothing_new = futures::executor::block_on(quiet.is_nothing_new(location, now_ms)).unwrap();
        if !is_nothing_new {
            quiet.found_nothing();
        }
        is_nothing_new
    }

    #[test]
    fn a_still_folder_is_listed_once_and_again_when_a_name_comes_or_time_passes() {
        let folder = tempfile::tempdir().unwrap();
        let location = open(".", folder.path()).unwrap();
        let now = 1_700_000_000_000;
        set_time(folder.path(), now - 5 * SECOND_MS);
        let mut quiet = Quiet::default();
        assert!(!ask(&mut quiet, &location, now));
        assert!(ask(&mut quiet, &location, now + 10));
        assert!(ask(&mut quiet, &location, now + 9 * SECOND_MS));
        assert!(!ask(&mut quiet, &location, now + 10 * SECOND_MS));
        assert!(ask(&mut quiet, &location, now + 11 * SECOND_MS));
        fs::write(folder.path().join("a"), "").unwrap();
        assert!(!ask(&mut quiet, &location, now + 12 * SECOND_MS));
    }

    #[test]
    fn a_folder_that_changed_just_now_is_listed_each_time() {
        let folder = tempfile::tempdir().unwrap();
        let location = open(".", folder.path()).unwrap();
        let now = 1_700_000_000_000;
        set_time(folder.path(), now - SECOND_MS);
        let mut quiet = Quiet::default();
        assert!(!ask(&mut quiet, &location, now));
        assert!(!ask(&mut quiet, &location, now + 10));
    }

    #[test]
    fn a_folder_that_holds_folders_and_a_glob_are_listed_each_time() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("in/p=1")).unwrap();
        let now = 1_700_000_000_000;
        set_time(&folder.path().join("in"), now - 5 * SECOND_MS);
        for path in ["in", "in/*"] {
            let location = open(path, folder.path()).unwrap();
            let mut quiet = Quiet::default();
            assert!(!ask(&mut quiet, &location, now));
            assert!(!ask(&mut quiet, &location, now + 10));
        }
    }
}
