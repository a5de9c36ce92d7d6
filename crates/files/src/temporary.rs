//! The hidden names under which files are written until they are whole.
//!
//! ```text
//! .ognivo-<process>-<file>.tmp     two random ids, of 32 hexadecimal digits each
//! ```
//! They begin with a dot, so that neither Spark nor a plain `ls` takes them for data.

use std::sync::LazyLock;

use uuid::Uuid;

const PREFIX: &str = ".ognivo-";
const SUFFIX: &str = ".tmp";

/// This process, among all that ever wrote.
static PROCESS: LazyLock<String> = LazyLock::new(|| Uuid::new_v4().simple().to_string());

/// A name that nobody has used.
pub(crate) fn new_name() -> String {
    format!("{PREFIX}{}-{}{SUFFIX}", *PROCESS, Uuid::new_v4().simple())
}

/// Whether a file name is one of ours, of whatever process.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Whether the name was made by this process.
pub(crate) fn is_of_this_process(name: &str) -> bool {
    is_temporary(name) && name[PREFIX.len()..].starts_with(PROCESS.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_whether_they_are_ours_and_of_this_process() {
        let name = new_name();
        assert!(is_temporary(&name) && is_of_this_process(&name) && name != new_name());
        for (other, is_ours) in [(".ognivo-dead.tmp", true), (".other.tmp", false), (".ognivo.lock", false)] {
            assert_eq!((is_temporary(other), is_of_this_process(other)), (is_ours, false), "{other}");
        }
    }
}
