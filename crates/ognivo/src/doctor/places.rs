//! Every path of a job: what is there, and whether it can be read or written as the job needs.

use std::collections::BTreeSet;
use std::path::Path;

use ognivo_files::config::{batch_read_options, stream_read_options};
use ognivo_files::open::{Location, OpenError, open};
use ognivo_files::probe::{clocks, cluster, readable, room, writable};
use ognivo_files::source::CleanSource;
use ognivo_stream::clock::SystemClock;
use ognivo_stream::probe::Check;

use super::Findings;
use crate::failure::Failure;
use crate::job::job::{Job, ReadJob, SaveJob, SinkJob, SourceJob};

/// What a job does with a path.
enum Use<'a> {
    /// It reads the files there.
    Input { read: &'a ReadJob, is_stream: bool },
    /// It writes files into that folder.
    Folder,
    /// It puts a model directory there.
    Model { overwrites: bool },
    /// It writes that file.
    File,
}

/// A path of a job.
struct Place<'a> {
    /// The key in the job file.
    key: String,
    path: String,
    does: Use<'a>,
}

/// The file systems that do not serve us. Each question to them would take its time, for the same answer.
#[derive(Default)]
pub(super) struct Away(BTreeSet<String>);

impl Away {
    /// Whether the place is on one of them.
    pub(super) fn has(&self, place: &Location) -> bool {
        self.0.contains(&store_of(place))
    }
}

/// What is said of a place on a file system that does not serve us.
pub(super) fn not_asked(what: &str, place: &Location) -> Check {
    Check::may_pass(what, format!("not asked: {place}"), None)
}

/// Looks at the clusters that the paths are on, then at the paths, and at room and clocks.
pub(super) async fn look(job: &Job, findings: &mut Findings) -> Result<Away, Failure> {
    let places = places(job)?;
    let located = places.into_iter().map(|place| Ok((open(&place.path, &job.base)?, place)));
    let located = located.collect::<Result<Vec<_>, OpenError>>()?;
    let mut known = BTreeSet::new();
    let mut away = Away::default();
    for (location, _) in &located {
        if known.insert(store_of(location)) {
            let checks = cluster(location, &SystemClock).await;
            if checks.iter().any(Check::is_failed) {
                away.0.insert(store_of(location));
            }
            findings.add_all(checks)?;
        }
    }
    let (mut clocks_told, mut rooms_told) = (BTreeSet::new(), BTreeSet::new());
    for (location, place) in &located {
        if away.has(location) {
            findings.add(not_asked(&place.key, location))?;
            continue;
        }
        let (check, ahead_ms) = place.look(job, location).await;
        findings.add(check)?;
        if let Some(ahead_ms) = ahead_ms {
            if clocks_told.insert(store_of(location)) {
                findings.add(clocks(location, ahead_ms))?;
            }
            if let Some(room) = room(location).filter(|room| rooms_told.insert(room.what.clone())) {
                findings.add(room)?;
            }
        }
    }
    Ok(away)
}

/// What URIs of the place's file system begin with.
fn store_of(location: &Location) -> String {
    let uri = location.uri_of(&object_store::path::Path::ROOT);
    uri.trim_end_matches('/').to_owned()
}

impl Place<'_> {
    async fn look(&self, job: &Job, location: &Location) -> (Check, Option<i64>) {
        let key = &self.key;
        match &self.does {
            Use::Input { read, is_stream: false } => {
                let listing = batch_read_options(&read.format, &read.options).map(|options| options.listing);
                (readable(key, location, &listing.unwrap_or_default(), false).await, None)
            }
            Use::Input { read, is_stream: true } => {
                let options = stream_read_options(&read.format, &read.options, |path| open(path, &job.base));
                let listing = options.map(|options| options.source.listing);
                (readable(key, location, &listing.unwrap_or_default(), true).await, None)
            }
            Use::Folder => {
                let looked = writable(key, location, &SystemClock).await;
                (looked.check, looked.ahead_ms)
            }
            Use::Model { overwrites } => {
                let looked = writable(key, &folder_above(location), &SystemClock).await;
                let is_there = location.folders().folder_exists(location.path()).await.unwrap_or(false);
                match is_there && !overwrites && !looked.check.is_failed() {
                    true => {
                        let text = format!("a model is there already, and `train` and `search` leave it: {location}");
                        let hint = Some("to replace it: save: {mode: overwrite}".to_owned());
                        (Check::warning(key, text, hint), looked.ahead_ms)
                    }
                    false => (looked.check, looked.ahead_ms),
                }
            }
            Use::File => {
                let looked = writable(key, &folder_above(location), &SystemClock).await;
                (looked.check, looked.ahead_ms)
            }
        }
    }
}

fn folder_above(location: &Location) -> Location {
    location.at(location.path().parent().unwrap_or_default())
}

/// Every path of the job, in the order in which it names them.
fn places(job: &Job) -> Result<Vec<Place<'_>>, Failure> {
    let mut places = Vec::new();
    let mut add = |key: &str, path: &str, does| places.push(Place { key: key.to_owned(), path: path.to_owned(), does });
    if let Some(train) = &job.train {
        for path in &train.read.paths {
            add("train.read.path", path, Use::Input { read: &train.read, is_stream: false });
        }
        if let Some(save) = &train.save {
            add("train.save.path", &save.path, model(save));
        }
        if let Some(report) = &train.report {
            add("train.report", &text(report), Use::File);
        }
    }
    if let Some(search) = &job.search {
        if let Some(save) = &search.save {
            add("search.save.path", &save.path, model(save));
        }
        for (key, path) in [("search.report", &search.report), ("search.results", &search.results)] {
            if let Some(path) = path {
                add(key, &text(path), Use::File);
            }
        }
    }
    if let Some(stream) = &job.stream {
        if let SourceJob::Files(read) = &stream.read {
            for path in &read.paths {
                add("stream.readStream.path", path, Use::Input { read, is_stream: true });
            }
            let options = stream_read_options(&read.format, &read.options, |path| open(path, &job.base))?;
            if let CleanSource::Archive(archive) = &options.source.clean {
                add("stream.readStream.options.sourceArchiveDir", &archive.to_string(), Use::Folder);
            }
        }
        if let SinkJob::Files(write) = &stream.write {
            add("stream.writeStream.path", &write.path, Use::Folder);
        }
        if let Some(checkpoint) = &stream.checkpoint {
            add("stream.writeStream.checkpointLocation", checkpoint, Use::Folder);
        }
        if let Some(SinkJob::Files(letters)) = &stream.dead_letter {
            add("stream.deadLetter.path", &letters.path, Use::Folder);
        }
    }
    Ok(places)
}

fn model(save: &SaveJob) -> Use<'static> {
    Use::Model { overwrites: save.overwrite }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
