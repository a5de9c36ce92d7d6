//! The user's cache folder: Spark's environments, peers of the benchmarks, generated data.

use std::env;
use std::fs::File;
use std::path::PathBuf;

/// `$XDG_CACHE_HOME/ognivo`, or `~/.cache/ognivo`, made if it is not there.
///
/// # Errors
/// When neither variable is set or the folder cannot be made.
pub(crate) fn folder(name: &str) -> Result<PathBuf, String> {
    let base = match env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(base) => PathBuf::from(base),
        None => PathBuf::from(env::var_os("HOME").ok_or("neither XDG_CACHE_HOME nor HOME is set")?).join(".cache"),
    };
    let folder = base.join("ognivo").join(name);
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    Ok(folder)
}

/// Lets one process at a time fill the cache, until what is returned is let go of.
///
/// # Errors
/// When the file that is locked cannot be made.
pub(crate) fn lock() -> Result<File, String> {
    let path = folder("")?.join("lock");
    let file = File::create(&path).map_err(|e| format!("cannot make {}: {e}", path.display()))?;
    file.lock().map_err(|e| format!("cannot lock {}: {e}", path.display()))?;
    Ok(file)
}
