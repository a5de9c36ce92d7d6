//! Readers that look all the time while a stream runs and is killed: what they see is whole, stays, and never changes.
//!
//! A reader that goes through `_spark_metadata` looks at the files that the log names; a plain reader lists the folder and
//! takes every file that is not hidden. Dead letters have no log, so their readers are plain.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::stream_oracle::{LogKind, files_below};

/// A reader in a thread of its own.
pub(crate) struct Polling {
    stop: Arc<AtomicBool>,
    reader: JoinHandle<Reader>,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How often the reader looked.
    pub(crate) n_looks: usize,
    /// Files, each seen whole.
    pub(crate) n_files: usize,
    /// Rows in them.
    pub(crate) n_rows: usize,
}

impl Polling {
    /// Looks at `run` from now on, whose folders need not be there yet.
    pub(crate) fn start(run: &Path, kind: LogKind) -> Polling {
        let stop = Arc::new(AtomicBool::new(false));
        let mut reader = Reader { run: run.to_owned(), kind, ..Reader::default() };
        let asked = Arc::clone(&stop);
        let reader = std::thread::spawn(move || {
            while !asked.load(Ordering::SeqCst) {
                reader.look();
                std::thread::sleep(Duration::from_micros(300));
            }
            reader.look();
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
}

struct Reader {
    run: PathBuf,
    kind: LogKind,
    seen: BTreeMap<PathBuf, File>,
    n_looks: usize,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader { run: PathBuf::new(), kind: LogKind::Spark, seen: BTreeMap::new(), n_looks: 0 }
    }
}

impl Reader {
    fn look(&mut self) {
        let output = self.run.join("output");
        let mut visible = match self.kind {
            LogKind::Spark => logged(&output.join("_spark_metadata")),
            LogKind::Success => plain(&output),
        };
        visible.extend(plain(&self.run.join("dead")));
        for path in self.seen.keys() {
            assert!(path.exists(), "{} has vanished", path.display());
            assert!(
                self.kind == LogKind::Success || is_letter(path) || visible.contains(path),
                "the log lost {path:?}"
            );
        }
        for path in visible {
            let content =
                Bytes::from(std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
            match self.seen.get(&path) {
                Some(file) => assert!(file.content == content, "{} has changed", path.display()),
                None => {
                    let n_rows = n_rows(&path, &content);
                    self.seen.insert(path, File { content, n_rows });
                }
            }
        }
        self.n_looks += 1;
    }
}

fn is_letter(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "json")
}

/// Rows of a file, all of which must be there.
fn n_rows(path: &Path, content: &Bytes) -> usize {
    let n_rows = if is_letter(path) {
        let text = std::str::from_utf8(content).unwrap();
        assert!(text.ends_with('\n'), "{} ends within a line", path.display());
        let letters: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        letters.len()
    } else {
        let reader = ParquetRecordBatchReaderBuilder::try_new(content.clone()).and_then(|builder| builder.build());
        let rows = reader.unwrap_or_else(|error| panic!("{} is not whole: {error}", path.display()));
        rows.map(|rows| rows.unwrap().num_rows()).sum()
    };
    assert!(n_rows > 0, "{} has no row", path.display());
    n_rows
}

/// The files that a log names, read as any reader reads it: the newest compaction and what came after.
fn logged(log: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(log) else { return Vec::new() };
    let mut names: Vec<(u64, String)> = Vec::new();
    for entry in entries {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Ok(id) = name.strip_suffix(".compact").unwrap_or(&name).parse() {
            names.push((id, name));
        }
    }
    names.sort();
    let start = names.iter().rposition(|(_, name)| name.ends_with(".compact")).unwrap_or(0);
    let mut files = Vec::new();
    for (_, name) in &names[start..] {
        let text = std::fs::read_to_string(log.join(name)).unwrap();
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("v1"), "{name} is not whole");
        for line in lines {
            let file: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name} is not whole: {error}"));
            let path = PathBuf::from(file["path"].as_str().unwrap().strip_prefix("file://").unwrap());
            let size = std::fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).len();
            assert_eq!(file["size"].as_u64(), Some(size), "{}", path.display());
            files.push(path);
        }
    }
    files
}

/// The files of a folder that are not hidden, in it or below.
fn plain(folder: &Path) -> Vec<PathBuf> {
    let is_hidden = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(['.', '_']);
    files_below(folder).into_iter().filter(|path| !is_hidden(path)).collect()
}
