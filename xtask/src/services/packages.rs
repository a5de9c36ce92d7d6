//! Java packages of a server, resolved by Maven once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{cache, program};

/// The folder of the packages that `pom` names, `<cache>/<name>/lib`; Maven resolves them at the first call.
///
/// # Errors
/// When they cannot be resolved.
pub(crate) fn jars(name: &str, pom: &str) -> Result<PathBuf, String> {
    resolved(name, pom, "dependency:copy-dependencies")
}

/// The folder of what the archives that `pom` names hold, `<cache>/<name>/lib`; Maven resolves and unpacks them at the first call.
///
/// # Errors
/// When they cannot be resolved.
pub(crate) fn unpacked(name: &str, pom: &str) -> Result<PathBuf, String> {
    resolved(name, pom, "dependency:unpack-dependencies")
}

fn resolved(name: &str, pom: &str, goal: &str) -> Result<PathBuf, String> {
    let folder = cache::folder(name)?;
    let lib = folder.join("lib");
    if lib.is_dir() {
        return Ok(lib);
    }
    let _others_wait = cache::lock()?;
    if !lib.is_dir() {
        resolve(name, pom, goal, &folder, &lib)?;
    }
    Ok(lib)
}

fn resolve(name: &str, pom: &str, goal: &str, folder: &Path, lib: &Path) -> Result<(), String> {
    println!("== resolving the packages of {name} into {}", folder.display());
    let (file, unfinished) = (folder.join("pom.xml"), folder.join("lib.unfinished"));
    fs::write(&file, pom).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--quiet", goal, "-DincludeScope=runtime"]);
    maven.arg(format!("-DoutputDirectory={}", unfinished.display())).arg("--file").arg(&file);
    program::run(&mut maven).map_err(|e| format!("{e}\non Debian: apt-get install maven openjdk-17-jre-headless"))?;
    fs::rename(&unfinished, lib).map_err(|e| format!("cannot move {}: {e}", unfinished.display()))
}
