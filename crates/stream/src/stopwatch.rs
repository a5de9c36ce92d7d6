//! How long each part of a trigger took.

use crate::clock::Clock;
use crate::progress::DurationMs;

/// Milliseconds of each part of a trigger.
#[derive(Debug, Clone)]
pub(crate) struct Stopwatch {
    pub(crate) start_ms: i64,
    pub(crate) previous_start_ms: Option<i64>,
    lap_start_ms: i64,
    durations: DurationMs,
}

impl Stopwatch {
    /// Of a trigger that starts now, and of when the one before it did.
    pub(crate) fn start(now_ms: i64, previous_start_ms: Option<i64>) -> Stopwatch {
        Stopwatch { start_ms: now_ms, previous_start_ms, lap_start_ms: now_ms, durations: DurationMs::default() }
    }

    /// Ends the part of this name; the next one starts.
    pub(crate) fn lap(&mut self, name: &'static str, clock: &dyn Clock) {
        self.lap_at(name, clock.now_ms());
    }

    pub(crate) fn lap_at(&mut self, name: &'static str, now_ms: i64) {
        *self.durations.0.entry(name).or_default() += (now_ms - self.lap_start_ms).max(0) as u64;
        self.lap_start_ms = now_ms;
    }

    /// A part that ran beside others.
    pub(crate) fn note(&mut self, name: &'static str, took_ms: i64) {
        *self.durations.0.entry(name).or_default() += took_ms.max(0) as u64;
    }

    pub(crate) fn into_durations(mut self, end_ms: i64) -> DurationMs {
        self.durations.0.insert("queryPlanning", 0);
        self.durations.0.insert("triggerExecution", (end_ms - self.start_ms).max(0) as u64);
        self.durations
    }
}
