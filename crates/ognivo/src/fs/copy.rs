//! Copying between file systems, and moving within one. A target appears whole or not at all.

use std::io::IsTerminal as _;
use std::ops::Range;

use bytes::Bytes;
use object_store::MultipartUpload as _;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use ognivo_files::entries::Entry;
use ognivo_files::open::Location;

use super::Ended;
use super::operand::{Found, Operand, Trouble, find};
use crate::failure::is_broken_off;
use crate::progress_line::ProgressLine;

/// So many bytes are read while as many are written.
const PIECE_BYTES: u64 = 8 << 20;

/// From this size on a copy says on the terminal how far it is.
const LARGE_BYTES: u64 = 64 << 20;

/// A copy that a lost connection broke off is begun anew, up to this many in all; the next one waits for the servers first.
const MAX_COPIES: usize = 3;

/// How files are copied.
pub(crate) struct Copying {
    /// Whether a file that is there is replaced.
    pub(crate) may_replace: bool,
    pub(crate) is_quiet: bool,
}

/// Copies every source to the target: to that name, or into the folder that is there.
pub(crate) async fn all(
    sources: impl Iterator<Item = Result<Operand, Trouble>>,
    target: Result<Operand, Trouble>,
    copying: &Copying,
    ended: &mut Ended,
) {
    let Some((sources, target)) = both_ends(sources, target, ended).await else { return };
    for source in sources {
        let placed = target.place_for(&source).await;
        let Some(target) = ended.take(placed) else { continue };
        copying.copy(&source, &target, ended).await;
    }
}

/// Moves every source to the target within its file system.
pub(crate) async fn move_all(
    sources: impl Iterator<Item = Result<Operand, Trouble>>,
    target: Result<Operand, Trouble>,
    ended: &mut Ended,
) {
    let Some((sources, target)) = both_ends(sources, target, ended).await else { return };
    for source in sources {
        let moved = move_one(&source, &target).await;
        ended.take(moved);
    }
}

async fn move_one(source: &Found, target: &Target) -> Result<(), Trouble> {
    let target = target.place_for(source).await?;
    if !is_same_file_system(source.location(), &target.location) {
        return Err(Trouble::OtherFileSystem(source.shown.clone()));
    }
    if target.entry().await?.is_some() {
        return Err(Trouble::Exists(target.shown));
    }
    let (from, to) = (&source.entry.path, target.location.path());
    if is_within(to, from) {
        return Err(Trouble::Within(target.shown));
    }
    target.location.store().rename_if_not_exists(from, to).await.map_err(Trouble::Store)
}

/// The sources that are there, and the target; None when there is nothing to do any more.
async fn both_ends(
    sources: impl Iterator<Item = Result<Operand, Trouble>>,
    target: Result<Operand, Trouble>,
    ended: &mut Ended,
) -> Option<(Vec<Found>, Target)> {
    let target = ended.take(target)?;
    let entry = ended.take(target.entry().await)?;
    let mut found = Vec::new();
    let mut n_sources = 0;
    for source in sources {
        n_sources += 1;
        found.extend(ended.take(find(source).await).into_iter().flatten());
    }
    let needs_folder = n_sources > 1 || found.len() > 1;
    let checked = match &entry {
        Some(entry) if needs_folder && !entry.is_folder => Err(Trouble::NotAFolder(target.shown.clone())),
        None if needs_folder => Err(Trouble::NotFound(target.shown.clone())),
        _ => Ok(()),
    };
    ended.take(checked)?;
    Some((found, Target { operand: target, entry }))
}

/// Where copies go, and what is there.
struct Target {
    operand: Operand,
    entry: Option<Entry>,
}

impl Target {
    /// The name that a source gets.
    async fn place_for(&self, source: &Found) -> Result<Operand, Trouble> {
        match &self.entry {
            Some(entry) if entry.is_folder => match source.entry.path.filename() {
                Some(name) => Ok(self.operand.child(name)),
                None => Ok(self.operand.clone()),
            },
            Some(_) => Ok(self.operand.clone()),
            // A home that is missing must not become a file.
            None if self.operand.shown == "." => {
                Err(Trouble::NoFolderFor(self.operand.shown.clone(), self.operand.location.uri()))
            }
            None => {
                let uri = self.operand.location.uri();
                let missing = |_: &Location| Trouble::NoFolderFor(self.operand.shown.clone(), uri);
                self.operand.check_parent(missing).await?;
                Ok(self.operand.clone())
            }
        }
    }
}

impl Copying {
    /// Copies a file, or a folder with all in it.
    async fn copy(&self, source: &Found, target: &Operand, ended: &mut Ended) {
        let copied = match source.entry.is_folder {
            true => self.make_folder(source, target).await,
            false => self.copy_file(source, target).await,
        };
        if ended.take(copied).is_none() || !source.entry.is_folder {
            return;
        }
        for source in ended.take(source.below().await).unwrap_or_default() {
            let target = target.child(source.entry.path.filename().unwrap_or_default());
            Box::pin(self.copy(&source, &target, ended)).await;
        }
    }

    async fn make_folder(&self, source: &Found, target: &Operand) -> Result<(), Trouble> {
        let path = target.location.path();
        if is_same_file_system(source.location(), &target.location) && is_within(path, &source.entry.path) {
            return Err(Trouble::Within(target.shown.clone()));
        }
        match target.entry().await? {
            Some(entry) if !entry.is_folder => Err(Trouble::NotAFolder(target.shown.clone())),
            _ => target.location.folders().create_folder(path).await.map_err(Trouble::Store),
        }
    }

    async fn copy_file(&self, source: &Found, target: &Operand) -> Result<(), Trouble> {
        match target.entry().await? {
            Some(entry) if entry.is_folder => return Err(Trouble::IsAFolder(target.shown.clone())),
            Some(_) if !self.may_replace => return Err(Trouble::Exists(target.shown.clone())),
            _ => {}
        }
        let line = ProgressLine::new(
            self.is_quiet || source.entry.size_bytes < LARGE_BYTES || !std::io::stderr().is_terminal(),
        );
        let mut copied = copy_bytes(source, target, &line).await;
        for _ in 1..MAX_COPIES {
            if !copied.as_ref().is_err_and(is_broken_off) {
                break;
            }
            copied = copy_bytes(source, target, &line).await;
        }
        line.finish();
        copied.map_err(Trouble::Store)
    }
}

/// Reads a piece while the one before is written.
async fn copy_bytes(source: &Found, target: &Operand, line: &ProgressLine) -> object_store::Result<()> {
    let size = source.entry.size_bytes;
    let mut upload = target.location.store().put_multipart(target.location.path()).await?;
    let mut next = read(source, 0..size.min(PIECE_BYTES)).await;
    let mut start = 0;
    while start < size {
        let piece = match next {
            Ok(piece) if !piece.is_empty() => piece,
            read => {
                let _ = upload.abort().await;
                read?;
                let text = format!("it has become shorter while it was read: {}", source.shown);
                return Err(object_store::Error::Generic { store: "copy", source: text.into() });
            }
        };
        start += piece.len() as u64;
        line.step(&format!("{}: {} of {} MiB", source.shown, start >> 20, size >> 20));
        let range = start..size.min(start + PIECE_BYTES);
        let (written, read_next) = futures::join!(upload.put_part(piece.into()), read(source, range));
        if let Err(error) = written {
            let _ = upload.abort().await;
            return Err(error);
        }
        next = read_next;
    }
    upload.complete().await.map(|_| ())
}

async fn read(source: &Found, range: Range<u64>) -> object_store::Result<Bytes> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    Ok(source.location().store().get_ranges(&source.entry.path, &[range]).await?.pop().unwrap_or_default())
}

/// Two places are in one file system when the URIs of their roots are the same.
fn is_same_file_system(a: &Location, b: &Location) -> bool {
    a.uri_of(&Path::ROOT) == b.uri_of(&Path::ROOT)
}

fn is_within(path: &Path, folder: &Path) -> bool {
    path.as_ref().strip_prefix(folder.as_ref()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
