//! SIGTERM and SIGINT as something to wait for.

use std::future::Future;
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::{Failure, FileFailure};

/// Ends when somebody asks this process to stop; from now on the signals no longer end it by themselves.
///
/// # Errors
/// When the system does not let us listen. It must be called where a runtime is at hand.
pub(crate) fn asked_to_stop() -> Result<impl Future<Output = ()>, Failure> {
    let listen = |kind| signal(kind).map_err(FileFailure::of("listen for signals", Path::new("-")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
