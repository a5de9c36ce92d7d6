//! A reader that looks all the time while a stream and its servers are hit: what it sees is whole, stays, and never changes.
//!
//! It reads through the cluster's web service. A look that finds the servers away is left out; what was seen before it must be
//! there again after it. Scored rows are looked for through `_spark_metadata`, dead letters in their folder.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::cluster::told;
use crate::web::{Away, Web};

const PAUSE: Duration = Duration::from_millis(150);

/// After the faults the servers are there again within this time.
const LAST_LOOK_DEADLINE: Duration = Duration::from_secs(120);

/// A reader in a thread of its own.
pub(crate) struct Polling {
    stop: Arc<AtomicBool>,
    reader: JoinHandle<Reader>,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Looks that found the servers there.
    pub(crate) n_looks: usize,
    /// Files, each seen whole.
    pub(crate) n_files: usize,
    /// Rows in them.
    pub(crate) n_rows: usize,
}

impl Polling {
    /// Looks at the folder `run` of the cluster from now on; it need not be there yet.
    pub(crate) fn start(web: &Web, run: &str) -> Polling {
        let stop = Arc::new(AtomicBool::new(false));
        let mut reader = Reader {
            web: web.clone(),
            root: told("OGNIVO_HDFS"),
            run: run.to_owned(),
            entries: BTreeMap::new(),
            seen: BTreeMap::new(),
            n_looks: 0,
        };
        let asked = Arc::clone(&stop);
        let reader = std::thread::spawn(move || {
            while !asked.load(Ordering::SeqCst) {
                let _ = reader.look();
                sleep(PAUSE);
            }
            // Nothing is taken from memory any more: every file is read once again.
            reader.seen.values_mut().for_each(|file| file.id = 0);
            let begin = Instant::now();
            while reader.look().is_err() {
                assert!(begin.elapsed() < LAST_LOOK_DEADLINE, "the servers stay away");
                sleep(PAUSE);
            }
            reader
        });
        Polling { stop, reader }
    }

    /// Ends it after a last look.
    pub(crate) fn end(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        let reader = self.reader.join().expect("what the reader saw is told above");
        let n_rows = reader.seen.values().map(|file| file.n_rows).sum();
        Seen { n_looks: reader.n_looks, n_files: reader.seen.len(), n_rows }
    }
}

/// A file as it was seen first.
struct File {
    content: Bytes,
    n_rows: usize,
    id: u64,
}

struct Reader {
    web: Web,
    /// `hdfs://host:port`, with which the log's paths begin.
    root: String,
    run: String,
    /// Entries of the log, which never change.
    entries: BTreeMap<String, Vec<(String, u64)>>,
    seen: BTreeMap<String, File>,
    n_looks: usize,
}

impl Reader {
    fn look(&mut self) -> Result<(), Away> {
        let logged = self.logged()?;
        let output = self.web.list_below(&format!("{}/output", self.run))?;
        let there: BTreeMap<_, _> = output.into_iter().collect();
        for (path, size) in &logged {
            let found = there.get(path).unwrap_or_else(|| panic!("the log names {path}, which is not there"));
            assert_eq!(found.n_bytes, *size, "{path}");
        }
        let letters: BTreeMap<_, _> = self.web.list_below(&format!("{}/dead", self.run))?.into_iter().collect();
        let letters = letters.iter().filter(|(_, found)| !found.name.starts_with(['.', '_']));
        let of_log = logged.iter().map(|(path, _)| (path, &there[path]));
        let visible: BTreeMap<_, _> = of_log.chain(letters).collect();
        let gone: BTreeSet<&String> = self.seen.keys().filter(|path| !visible.contains_key(path)).collect();
        assert!(gone.is_empty(), "were seen, and are no longer: {gone:?}");
        for (path, found) in visible {
            if self.seen.get(path).is_some_and(|file| file.id == found.id) {
                continue;
            }
            let content = self.web.read(path)?.unwrap_or_else(|| panic!("{path} has vanished"));
            match self.seen.get_mut(path) {
                Some(file) => {
                    assert!(file.content == content, "{path} has changed");
                    file.id = found.id;
                }
                None => {
                    let n_rows = n_rows(path, &content);
                    self.seen.insert(path.clone(), File { content, n_rows, id: found.id });
                }
            }
        }
        self.n_looks += 1;
        Ok(())
    }

    /// Paths and sizes that the log names, read as any reader reads it: the newest compaction and what came after.
    fn logged(&mut self) -> Result<Vec<(String, u64)>, Away> {
        let log = format!("{}/output/_spark_metadata", self.run);
        let number = |name: &str| name.strip_suffix(".compact").unwrap_or(name).parse::<u64>().ok();
        let listed = self.web.list(&log)?;
        let mut names: Vec<_> = listed.iter().filter_map(|found| Some((number(&found.name)?, &found.name))).collect();
        names.sort();
        let start = names.iter().rposition(|(_, name)| name.ends_with(".compact")).unwrap_or(0);
        let mut files = Vec::new();
        for (_, name) in &names[start..] {
            if !self.entries.contains_key(*name) {
                let text = self.web.read(&format!("{log}/{name}"))?.unwrap_or_else(|| panic!("{name} has vanished"));
                self.entries.insert((*name).clone(), files_of(name, &text, &self.root));
            }
            files.extend(self.entries[*name].iter().cloned());
        }
        Ok(files)
    }
}

/// The files of an entry of the log, all of which must be whole.
fn files_of(name: &str, content: &[u8], root: &str) -> Vec<(String, u64)> {
    let text = std::str::from_utf8(content).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("v1"), "{name} is not whole");
    let file = |line: &str| {
        let file: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name} is not whole: {error}"));
        let path = file["path"].as_str().unwrap();
        let path = path.strip_prefix(root).unwrap_or_else(|| panic!("{path} does not begin with {root}"));
        (path.to_owned(), file["size"].as_u64().unwrap())
    };
    lines.map(file).collect()
}

/// Rows of a file, all of which must be there.
fn n_rows(path: &str, content: &Bytes) -> usize {
    let n_rows = if path.ends_with(".json") {
        let text = std::str::from_utf8(content).unwrap();
        assert!(text.ends_with('\n'), "{path} ends within a line");
        let letters: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        letters.len()
    } else {
        let reader = ParquetRecordBatchReaderBuilder::try_new(content.clone()).and_then(|builder| builder.build());
        let rows = reader.unwrap_or_else(|error| panic!("{path} is not whole: {error}"));
        rows.map(|rows| rows.unwrap().num_rows()).sum()
    };
    assert!(n_rows > 0, "{path} has no row");
    n_rows
}
