//! The folders that Spark wrote.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// `fixtures/spark/<line>/<name>`.
pub(crate) fn spark(line: &str, name: &str) -> PathBuf {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in crates/ of the repository");
    root.join("fixtures/spark").join(line).join(name)
}

/// A copy of the query that Spark left after fourteen batches: `incoming/`, `checkpoint/` and `output/`, whose logs name
/// the folder of the copy.
pub(crate) fn spark_query(line: &str) -> tempfile::TempDir {
    const PLACEHOLDER: &str = "/OGNIVO-QUERY";
    let copy = tempfile::tempdir().expect("a folder for the copy");
    let base = copy.path().to_str().expect("temporary folders have plain names").to_owned();
    copy_folder(&spark(line, "checkpoint"), copy.path(), &|bytes| match String::from_utf8(bytes) {
        Ok(text) => text.replace(PLACEHOLDER, &base).into_bytes(),
        Err(binary) => binary.into_bytes(),
    });
    for file in std::fs::read_dir(copy.path().join("incoming")).expect("the fixture has files") {
        let path = file.expect("the copy can be listed").path();
        let number: String = path
            .to_string_lossy()
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .chars()
            .filter(char::is_ascii_digit)
            .collect();
        set_time(&path, 1_700_000_000 + number.parse::<u64>().expect("every file of the fixture has a number"));
    }
    copy
}

/// Says that a file was last changed so many seconds after 1970. Files that Spark saw must keep their times: whether one
/// counts as seen depends on them.
pub(crate) fn set_time(path: &Path, seconds: u64) {
    let file = std::fs::File::options().append(true).open(path).expect("the file can be changed");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds)).expect("its time can be set");
}

/// Copies a folder, each file with its bytes changed.
fn copy_folder(from: &Path, to: &Path, change: &dyn Fn(Vec<u8>) -> Vec<u8>) {
    for entry in std::fs::read_dir(from).expect("the fixture is there") {
        let entry = entry.expect("the fixture can be listed");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).expect("the copy is empty");
            copy_folder(&entry.path(), &target, change);
        } else {
            std::fs::write(&target, change(std::fs::read(entry.path()).expect("the fixture can be read")))
                .expect("the copy can be written");
        }
    }
}
