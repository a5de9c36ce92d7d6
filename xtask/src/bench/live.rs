//! A process that runs beside the measurement.

use std::path::Path;
use std::process::{Child, Command};

/// A process that is ended when it is let go of.
pub(super) struct Live(pub(super) Child);

impl Live {
    pub(super) fn start(command: &mut Command) -> Result<Live, String> {
        let child = command.spawn();
        child.map(Live).map_err(|e| format!("cannot start {}: {e}", Path::new(command.get_program()).display()))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // The JVM of PySpark ends when its Python does.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
