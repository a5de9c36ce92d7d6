//! Seconds of the steps of one run, for the person who waited. No result depends on them.

use std::collections::BTreeMap;
use std::time::Instant;

/// Measures one step after the other.
pub(crate) struct Stopwatch {
    start: Instant,
    last: Instant,
    seconds: BTreeMap<&'static str, f64>,
}

impl Stopwatch {
    /// Starts the first step.
    pub(crate) fn start() -> Stopwatch {
        let now = Instant::now();
        Stopwatch { start: now, last: now, seconds: BTreeMap::new() }
    }

    /// Ends a step called `name` and starts the next.
    pub(crate) fn lap(&mut self, name: &'static str) {
        let now = Instant::now();
        *self.seconds.entry(name).or_default() += (now - self.last).as_secs_f64();
        self.last = now;
    }

    /// Seconds by step, and the `total`.
    pub(crate) fn seconds(mut self) -> BTreeMap<&'static str, f64> {
        self.seconds.insert("total", (self.last - self.start).as_secs_f64());
        self.seconds
    }
}
