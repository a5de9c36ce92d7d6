//! What a look at folders and files finds, as `ognivo doctor` prints it: whether they can be read or written, by whom, how much
//! room there is, and whether the clocks agree. Nothing is changed but for a hidden file that is removed again.

use object_store::path::Path;
use object_store::{Error, ObjectStoreExt as _};
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_stream::clock::Clock;
use ognivo_stream::probe::Check;

use crate::entries::Entry;
use crate::hdfs::{self, advice};
use crate::listing::{ListingOptions, list_files};
use crate::open::{Location, child};
use crate::temporary;

/// Clocks may differ by so much before it is worth a word; Kerberos takes five minutes.
const SKEW_MS: i64 = 30_000;

/// Less room is worth a word.
const LITTLE_BYTES: u64 = 1 << 30;

/// The first bytes of a file, which are read to see that they can be.
const FIRST_BYTES: u64 = 4096;

/// Looks at the cluster on which the place is; nothing for a local disk.
pub async fn cluster(place: &Location, clock: &dyn Clock) -> Vec<Check> {
    match place.root().strip_prefix("hdfs://") {
        Some(authority) => hdfs::probe(authority, clock).await,
        None => Vec::new(),
    }
}

/// Whether the files that `place` stands for can be listed and read. None there is fine when more may come, as in a stream's
/// input.
pub async fn readable(what: &str, place: &Location, options: &ListingOptions, may_be_empty: bool) -> Check {
    let files = match list_files(place, options).await {
        Ok(files) => files,
        Err(error) => return Check::of_error(what, &error).with_hint(advice(&error)),
    };
    let Some(first) = files.first() else {
        let text = format!("no file is there: {place}");
        return match may_be_empty {
            true => Check::fine(what, format!("{text}; those that come can be listed")),
            false => Check::failed(what, text, Some("look at the path and at pathGlobFilter".to_owned())),
        };
    };
    let n_bytes = files.iter().map(|file| file.size_bytes).sum();
    let text =
        format!("{place}: {} {}, {}", files.len(), if files.len() == 1 { "file" } else { "files" }, size(n_bytes));
    if first.size_bytes == 0 {
        return Check::fine(what, text);
    }
    let read = place.store().get_range(&first.path, 0..first.size_bytes.min(FIRST_BYTES)).await;
    Check::of(what, read.map(|_| text).map_err(|source| ProbeError::of("read", place.at(first.path.clone()), source)))
}

/// A folder that was looked at for writing.
#[derive(Debug)]
pub struct Looked {
    /// What was found.
    pub check: Check,
    /// How many milliseconds the file system's clock is ahead of ours; less than none when it is behind. None where nothing could
    /// be written.
    pub ahead_ms: Option<i64>,
}

/// Whether files can be written into the folder `place`, or, where it is not there, into the nearest one above it, in which it
/// would be made: a hidden file is written, read back and removed.
pub async fn writable(what: &str, place: &Location, clock: &dyn Clock) -> Looked {
    match write_and_remove(place, clock).await {
        Ok(Written { folder, owner, ahead_ms }) => {
            let text = match folder == *place.path() {
                true => format!("{place}: writable as {owner}"),
                false => format!("{place}: not there yet; can be made in {} as {owner}", place.at(folder)),
            };
            Looked { check: Check::fine(what, text), ahead_ms: Some(ahead_ms) }
        }
        Err(error) => Looked { check: Check::of_error(what, &error), ahead_ms: None },
    }
}

struct Written {
    folder: Path,
    owner: String,
    ahead_ms: i64,
}

async fn write_and_remove(place: &Location, clock: &dyn Clock) -> Result<Written, ProbeError> {
    let folder = nearest_folder(place).await?;
    let file = child(&folder, &temporary::new_name())
        .map_err(|error| ProbeError::of("write into", place.at(folder.clone()), error.into()))?;
    let failed = |action| {
        let at = place.at(folder.clone());
        move |source| ProbeError::of(action, at, source)
    };
    const BYTES: &[u8] = b"written by ognivo doctor, to be removed";
    let before_ms = clock.now_ms();
    place.store().put(&file, BYTES.into()).await.map_err(failed("write into"))?;
    let after_ms = clock.now_ms();
    // What was written is removed whatever is found about it.
    let read = place.store().get_range(&file, 0..BYTES.len() as u64).await;
    let entry = place.folders().entry(&file).await;
    place.store().delete(&file).await.map_err(failed("remove a file from"))?;
    read.map_err(failed("read what was written into"))?;
    let entry = entry.map_err(failed("look into"))?;
    let (owner, modified_ms) =
        entry.map_or_else(Default::default, |Entry { owner, modified_ms, .. }| (owner, modified_ms));
    Ok(Written { folder, owner, ahead_ms: ahead_ms(modified_ms, before_ms, after_ms) })
}

/// The folder itself, or the nearest above it.
async fn nearest_folder(place: &Location) -> Result<Path, ProbeError> {
    let mut folder = place.path().clone();
    loop {
        let entry = place.folders().entry(&folder).await;
        let entry = entry.map_err(|source| ProbeError::of("look at", place.at(folder.clone()), source))?;
        match entry {
            Some(entry) if entry.is_folder => return Ok(folder),
            Some(_) => return Err(ProbeError::NoFolder { place: place.at(folder).to_string() }),
            None if folder.is_root() => return Ok(folder),
            None => folder = folder.parent().unwrap_or(Path::ROOT),
        }
    }
}

/// How far a file's time lies outside of the moment in which it was written, by our clock.
fn ahead_ms(modified_ms: i64, before_ms: i64, after_ms: i64) -> i64 {
    match modified_ms {
        _ if modified_ms < before_ms => modified_ms - before_ms,
        _ if modified_ms > after_ms => modified_ms - after_ms,
        _ => 0,
    }
}

/// Whether the clock of a file system agrees with ours.
pub fn clocks(place: &Location, ahead_ms: i64) -> Check {
    let what = format!("clock of {}", if place.is_local() { "the disk" } else { place.root() });
    // Disks write the time of the last tick.
    let text = match ahead_ms.abs() {
        ..1000 => "agrees with ours to a second".to_owned(),
        apart => format!("{} s {} ours", apart / 1000, if ahead_ms > 0 { "ahead of" } else { "behind" }),
    };
    match ahead_ms.abs() < SKEW_MS {
        true => Check::fine(what, text),
        false => Check::warning(what, text, Some("let NTP set both; Kerberos takes no more than 5 minutes".to_owned())),
    }
}

/// The room on the local disk of the place, or of the nearest folder above it that is there; None on a cluster.
pub fn room(place: &Location) -> Option<Check> {
    let path = place.on_disk(place.path())?;
    let there = path.ancestors().find(|folder| folder.exists())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    let (free, total) = (disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize));
    Some(room_check("room on the disk", free, format!("{} of {} at {}", size(free), size(total), there.display())))
}

/// Of free bytes, told in `text`.
pub(crate) fn room_check(what: &str, free_bytes: u64, text: String) -> Check {
    match free_bytes {
        0 => Check::may_pass(what, text, Some("nothing can be written before something is removed".to_owned())),
        1..LITTLE_BYTES => Check::warning(what, text, Some("make room before a stream fills it".to_owned())),
        _ => Check::fine(what, text),
    }
}

/// As `1.5 GB`, in powers of 1000.
pub(crate) fn size(n_bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if n_bytes < 1000 {
        return format!("{n_bytes} bytes");
    }
    let mut scaled = n_bytes as f64 / 1000.0;
    let mut unit = 0;
    while scaled >= 999.95 && unit + 1 < UNITS.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS[unit])
}

/// A place cannot be used as it must be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The file system said no.
    #[error("cannot {action} {place}: {}", told(cause))]
    Store {
        /// What was tried.
        action: &'static str,
        /// With what.
        place: String,
        /// What the file system said.
        cause: Box<Error>,
    },
    /// A file is where a folder must be.
    #[error("not a folder: {place}")]
    NoFolder {
        /// Where.
        place: String,
    },
}

impl ProbeError {
    fn of(action: &'static str, place: Location, cause: Error) -> ProbeError {
        ProbeError::Store { action, place: place.to_string(), cause: Box::new(cause) }
    }
}

/// What the file system said, without what the store's error repeats before it.
fn told(error: &Error) -> String {
    match error {
        Error::PermissionDenied { source, .. }
        | Error::Unauthenticated { source, .. }
        | Error::NotFound { source, .. } => source.to_string(),
        Error::Generic { source, .. } => source.to_string(),
        error => error.to_string(),
    }
}

impl Explain for ProbeError {
    fn fault(&self) -> Fault {
        match self {
            ProbeError::Store { cause, .. } => match cause.as_ref() {
                Error::PermissionDenied { .. } | Error::Unauthenticated { .. } | Error::NotFound { .. } => Fault::Job,
                _ => Fault::Remote,
            },
            ProbeError::NoFolder { .. } => Fault::Job,
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
            ProbeError::Store { cause, .. } => match (advice(cause.as_ref()), cause.as_ref()) {
                (Some(advice), _) => Some(advice.to_owned()),
                (None, Error::PermissionDenied { .. }) => {
                    Some("let its owner give that right (chmod, chown, setfacl), or run as another user".to_owned())
                }
                (None, _) => None,
            },
            ProbeError::NoFolder { .. } => Some("move the file away, or name another folder".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_powers_of_a_thousand() {
        let told = [0, 999, 1000, 7_400, 999_940, 999_960, 1_500_000_000, u64::MAX].map(size);
        assert_eq!(told, ["0 bytes", "999 bytes", "1.0 kB", "7.4 kB", "999.9 kB", "1.0 MB", "1.5 GB", "18446.7 PB"]);
    }

    #[test]
    fn a_file_s_time_within_the_moment_of_its_writing_is_no_skew() {
        assert_eq!([ahead_ms(10, 10, 20), ahead_ms(25, 10, 20), ahead_ms(7, 10, 20)], [0, 5, -3]);
    }
}
