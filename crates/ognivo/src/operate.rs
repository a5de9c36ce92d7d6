//! A running stream as seen from outside: what a person, a supervisor or a monitoring system asks of it over HTTP.
//!
//! ```text
//!  query ──events──► Watched ──► /live /ready /progress /metrics /status and the page at /
//!    │                 │
//!    │                 └──rows──► Taps ──► /tap         the first rows of each committed batch, to a few readers
//!    └─ never waits for any of them
//! ```
//! The query tells an observer what happens; that costs it a lock that is held for the time of some additions. Everything is
//! bounded: the number of connections and how long they may be idle, progress that is kept, label values, rows on their way to a
//! reader. What a slow reader misses is counted and told to that reader.

pub(crate) mod client;
mod connections;
mod metrics;
mod observed;
mod page;
mod rates;
mod server;
pub(crate) mod status;
mod taps;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ognivo_stream::clock::{Clock, SystemClock};
use ognivo_stream::query::QueryEvent;

use observed::Observed;
use taps::Taps;

pub(crate) use observed::with_causes;
pub(crate) use server::Server;

/// What is known of one running stream, shared by the query that tells it and the pages that show it.
#[derive(Debug)]
pub(crate) struct Watched {
    observed: Mutex<Observed>,
    taps: Taps,
    clock: Arc<dyn Clock>,
}

impl Watched {
    /// A stream that has not started yet.
    pub(crate) fn new(job_name: &str) -> Arc<Watched> {
        let clock = Arc::new(SystemClock);
        let observed = Observed::new(job_name, clock.now_ms());
        Arc::new(Watched { observed: Mutex::new(observed), taps: Taps::default(), clock })
    }

    /// Takes note of what happened.
    pub(crate) fn observe(&self, event: &QueryEvent<'_>) {
        self.observed().note(event, self.clock.now_ms());
        self.taps.note(event);
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        // What is shown may be a little off after a panic; the stream has other worries then.
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
