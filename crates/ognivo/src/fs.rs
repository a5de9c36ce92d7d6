//! `ognivo fs`: the everyday commands of `hdfs dfs`, with its output and its exit codes, on HDFS and on local disks.
//!
//! A path without a scheme lies where Hadoop would look for it: on the cluster of `fs.defaultFS`, or on a local disk where
//! `HADOOP_CONF_DIR` names none. The local side of `put` and `get` is always local.
//!
//! An operand that fails is told on stderr as `verb: …`, the others go on, and the exit code is 1.

mod copy;
mod operand;
mod show;

use std::io::Write as _;
use std::pin::pin;
use std::process::ExitCode;

use futures::{Stream, StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt as _;
use ognivo::session::Session;
use ognivo_files::entries::Entry;

use crate::cli::FsAction;
use crate::failure::Failure;
use crate::print;
use copy::Copying;
use operand::{Found, Operand, Trouble, find};

/// Does the command to every operand.
pub(crate) fn run(action: &FsAction, quiet: bool) -> Result<ExitCode, Failure> {
    let session = Session::start(Some(1))?;
    let mut ended = Ended { verb: action.name(), has_failed: false };
    session.runtime().block_on(obey(action, quiet, &mut ended))?;
    Ok(if ended.has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What became of the operands so far.
struct Ended {
    verb: &'static str,
    has_failed: bool,
}

impl Ended {
    /// What was asked for, or None after its trouble was told.
    fn take<T>(&mut self, done: Result<T, Trouble>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(trouble) => {
                print::say(&format!("{}: {trouble}", self.verb));
                if let Some(hint) = trouble.hint() {
                    print::say(&format!("hint: {hint}"));
                }
                self.has_failed = true;
                None
            }
        }
    }
}

async fn obey(action: &FsAction, quiet: bool, ended: &mut Ended) -> Result<(), Failure> {
    match action {
        FsAction::Mkdir { parents, paths } => {
            for path in paths {
                let made = make_folder(path, *parents).await;
                ended.take(made);
            }
        }
        FsAction::Put { force, paths } => {
            let copying = Copying { may_replace: *force, is_quiet: quiet };
            let (sources, target) = sources_and_target(paths);
            let target = Operand::remote(target);
            copy::all(sources.iter().map(|source| Operand::local(source)), target, &copying, ended).await;
        }
        FsAction::Get { force, paths } => {
            let copying = Copying { may_replace: *force, is_quiet: quiet };
            let (sources, target) = sources_and_target(paths);
            let target = Operand::local(target);
            copy::all(sources.iter().map(|source| Operand::remote(source)), target, &copying, ended).await;
        }
        FsAction::Ls { recursive, directory, human, paths } => {
            let here = [String::new()];
            let paths = if paths.is_empty() { &here[..] } else { paths };
            let listing = show::Listing { is_recursive: *recursive, is_human: *human };
            let mut all = pin!(all_found(paths));
            while let Some(found) = all.next().await {
                for found in ended.take(found).into_iter().flatten() {
                    match found.entry.is_folder && !directory {
                        true => list(&found, &listing, ended).await?,
                        false => print::bytes(listing.lines(&[found]).as_bytes())?,
                    }
                }
            }
        }
        FsAction::Cat { paths } => {
            let mut all = pin!(all_found(paths));
            while let Some(found) = all.next().await {
                for found in ended.take(found).into_iter().flatten() {
                    let shown = cat(&found).await?;
                    ended.take(shown);
                }
            }
        }
        FsAction::Rm { recursive, force, skip_trash, paths } => {
            for path in paths {
                match find(Operand::remote(path)).await {
                    Err(Trouble::NotFound(_)) if *force => {}
                    found => {
                        for found in ended.take(found).into_iter().flatten() {
                            let removed = remove(&found, *recursive, *skip_trash).await;
                            if let Some(told) = ended.take(removed) {
                                print::line(&told)?;
                            }
                        }
                    }
                }
            }
        }
        FsAction::Mv { sources, target } => {
            let sources = sources.iter().map(|source| Operand::remote(source));
            copy::move_all(sources, Operand::remote(target), ended).await;
        }
        FsAction::Du { summary, human, paths } => {
            let mut rows = Vec::new();
            let mut all = pin!(all_found(paths));
            while let Some(found) = all.next().await {
                for found in ended.take(found).into_iter().flatten() {
                    let measured = measure(found, *summary).await;
                    rows.extend(ended.take(measured).unwrap_or_default());
                }
            }
            print::bytes(show::usage(&rows, *human).as_bytes())?;
        }
    }
    Ok(())
}

/// What is copied, and where to: as with Hadoop, one path alone goes to the home or, from the cluster, to the working directory.
fn sources_and_target(paths: &[String]) -> (&[String], &str) {
    match paths {
        [sources @ .., target] if !sources.is_empty() => (sources, target),
        source => (source, "."),
    }
}

/// So many operands are looked for at the same time: each look is an answer of the NameNode, whoever else waits for one.
const OPERANDS_AT_ONCE: usize = 16;

/// Everything that each operand, which may be a glob, stands for, in the order in which they are written.
fn all_found(paths: &[String]) -> impl Stream<Item = Result<Vec<Found>, Trouble>> {
    futures::stream::iter(paths).map(|path| find(Operand::remote(path))).buffered(OPERANDS_AT_ONCE)
}

async fn make_folder(path: &str, parents: bool) -> Result<(), Trouble> {
    let operand = Operand::remote(path)?;
    match operand.entry().await? {
        Some(entry) if !entry.is_folder => {
            return Err(if parents { Trouble::NotAFolder(path.to_owned()) } else { Trouble::Exists(path.to_owned()) });
        }
        Some(_) if !parents => return Err(Trouble::Exists(path.to_owned())),
        Some(_) => return Ok(()),
        None => {}
    }
    if !parents {
        operand.check_parent(|parent| Trouble::NotFound(parent.to_string())).await?;
    }
    operand.location.folders().create_folder(operand.location.path()).await.map_err(Trouble::Store)
}

/// What is in a folder, and with `-R` what is below it: each folder's lines are aligned among themselves.
async fn list(folder: &Found, listing: &show::Listing, ended: &mut Ended) -> Result<(), Failure> {
    let Some(entries) = ended.take(folder.below().await) else { return Ok(()) };
    if !listing.is_recursive {
        if !entries.is_empty() {
            print::line(&format!("Found {} items", entries.len()))?;
        }
        return print::bytes(listing.lines(&entries).as_bytes());
    }
    let widths = listing.widths(&entries);
    for entry in entries {
        print::line(&listing.line(&entry, &widths))?;
        if entry.entry.is_folder {
            Box::pin(list(&entry, listing, ended)).await?;
        }
    }
    Ok(())
}

async fn cat(found: &Found) -> Result<Result<(), Trouble>, Failure> {
    if found.entry.is_folder {
        return Ok(Err(Trouble::IsAFolder(found.shown.clone())));
    }
    let mut pieces = match found.location().store().get(&found.entry.path).await {
        Ok(got) => got.into_stream(),
        Err(error) => return Ok(Err(Trouble::Store(error))),
    };
    loop {
        match pieces.try_next().await {
            Ok(Some(piece)) => print::bytes(&piece)?,
            Ok(None) => break,
            Err(error) => return Ok(Err(Trouble::Store(error))),
        }
    }
    let _ = std::io::stdout().flush();
    Ok(Ok(()))
}

async fn remove(found: &Found, recursive: bool, skip_trash: bool) -> Result<String, Trouble> {
    let (folders, path) = (found.location().folders().clone(), &found.entry.path);
    if found.entry.is_folder && !recursive {
        return Err(Trouble::IsAFolder(found.shown.clone()));
    }
    if path.is_root() {
        return Err(Trouble::Root(found.shown.clone()));
    }
    if !skip_trash && let Some(place) = folders.move_to_trash(path).await.map_err(Trouble::Store)? {
        return Ok(format!("Moved: '{}' to trash at: {place}", found.location().uri_of(path)));
    }
    match found.entry.is_folder {
        true => folders.remove_folder(path).await,
        false => found.location().store().delete(path).await,
    }
    .map_err(Trouble::Store)?;
    Ok(format!("Deleted {}", found.shown))
}

/// Bytes, and bytes on all disks, of what `du` shows for an operand.
async fn measure(found: Found, summary: bool) -> Result<Vec<show::Usage>, Trouble> {
    let parts = match found.entry.is_folder && !summary {
        true => found.below().await?,
        false => vec![found],
    };
    let mut rows = Vec::with_capacity(parts.len());
    for part in parts {
        let (mut n_bytes, mut n_bytes_on_disks) = (0, 0);
        let mut open: Vec<Entry> = vec![part.entry.clone()];
        while let Some(entry) = open.pop() {
            n_bytes += entry.size_bytes;
            n_bytes_on_disks += entry.size_bytes * u64::from(entry.n_replicas.unwrap_or(0));
            if entry.is_folder {
                open.extend(part.location().folders().entries(&entry.path).await.map_err(Trouble::Store)?);
            }
        }
        rows.push(show::Usage { n_bytes, n_bytes_on_disks, shown: part.shown });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_path_is_the_target_unless_it_is_the_only_one() {
        let taken = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            let (sources, target) = sources_and_target(&paths);
            format!("{} to {target}", sources.join(" and "))
        };
        assert_eq!(taken(&["a"]), "a to .");
        assert_eq!(taken(&["a", "b"]), "a to b");
        assert_eq!(taken(&["a", "b", "/c"]), "a and b to /c");
    }
}
