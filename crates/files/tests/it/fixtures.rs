//! The folders that Spark wrote.

use std::path::{Path, PathBuf};

/// `fixtures/spark/<line>/<name>`.
pub(crate) fn spark(line: &str, name: &str) -> PathBuf {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the crate lies in crates/ of the repository");
    root.join("fixtures/spark").join(line).join(name)
}
