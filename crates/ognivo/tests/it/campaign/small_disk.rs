//! Disks that a test fills or closes, where the user may mount some.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A small disk in memory, unmounted at the end.
pub(crate) struct SmallDisk {
    at: PathBuf,
}

impl SmallDisk {
    /// Mounts one; none where we may not.
    pub(crate) fn mount(at: PathBuf, size: &str) -> Option<SmallDisk> {
        std::fs::create_dir_all(&at).unwrap();
        let options = format!("size={size},mode=755");
        run("mount", &["-t", "tmpfs", "-o", &options, "tmpfs", at.to_str().unwrap()]).then_some(SmallDisk { at })
    }

    /// Makes it larger.
    pub(crate) fn resize(&self, size: &str) {
        self.remount(&format!("size={size}"));
    }

    /// Lets nobody write on it, or everybody again.
    pub(crate) fn set_read_only(&self, is_read_only: bool) {
        self.remount(if is_read_only { "ro" } else { "rw" });
    }

    fn remount(&self, option: &str) {
        let options = format!("remount,{option}");
        assert!(run("mount", &["-o", &options, self.at.to_str().unwrap()]), "{options}: {}", self.at.display());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        run("umount", &["--lazy", self.at.to_str().unwrap()]);
    }
}

/// Runs a program in silence; whether it went well.
pub(crate) fn run(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
