//! How a query is asked to end.

use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;

/// How long an open batch may go on after the query was asked to end.
pub const GRACE: Duration = Duration::from_millis(3500);

/// When the query ends, whatever it is doing. Dropping work anywhere is what a kill does, and a restart mends it.
pub const LIMIT: Duration = Duration::from_millis(4800);

/// The end that asks.
#[derive(Debug)]
pub struct StopHandle(watch::Sender<bool>);

/// The end that is asked.
#[derive(Debug, Clone)]
pub struct StopSignal(watch::Receiver<bool>);

/// A handle and the signal that it gives. A handle that is dropped never asks.
pub fn stop_pair() -> (StopHandle, StopSignal) {
    let (sender, receiver) = watch::channel(false);
    (StopHandle(sender), StopSignal(receiver))
}

impl StopHandle {
    /// Asks the query to end: it finishes the open batch if that takes no longer than [`GRACE`], else gives it up.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl StopSignal {
    /// Whether the query was asked to end.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once the query was asked to end; never when it cannot be asked any more.
    pub(crate) async fn requested(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|asked| *asked).await.is_err() {
            futures::future::pending::<()>().await;
        }
    }

    /// Returns so long after the query was asked to end.
    pub(crate) async fn requested_since(&self, pause: Duration, clock: &dyn Clock) {
        self.requested().await;
        clock.sleep(pause).await;
    }
}
