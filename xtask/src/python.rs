//! Python environments in the user's cache folder.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::cache;
use crate::program;

/// The Python of an environment that holds these packages, each `name` or `name==version`; made with pip when it does not.
///
/// # Errors
/// When it cannot be made; the message says what to install.
pub(crate) fn environment(name: &str, packages: &[&str]) -> Result<PathBuf, String> {
    let folder = cache::folder(name)?;
    let python = folder.join("bin/python");
    let holds_them = "import importlib.metadata as m, sys
for name, _, version in (package.partition('==') for package in sys.argv[1:]):
    assert version in ('', m.version(name))";
    let is_complete = || {
        let mut check = Command::new(&python);
        check.args(["-c", holds_them]).args(packages).stdout(Stdio::null()).stderr(Stdio::null());
        check.status().is_ok_and(|status| status.success())
    };
    if is_complete() {
        return Ok(python);
    }
    let _others_wait = cache::lock()?;
    if is_complete() {
        return Ok(python);
    }
    println!("== installing {} into {}", packages.join(", "), folder.display());
    program::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        .map_err(|e| format!("{e}\non Debian: apt-get install python3-venv"))?;
    program::run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    Ok(python)
}
