//! The folders that Spark wrote.

use std::path::{Path, PathBuf};

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
    copy
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
