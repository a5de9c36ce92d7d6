//! Trying again after a failure of a server, a disk or a network: with pauses that grow, and an end.

use std::time::Duration;

/// The pause after the first failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// How long we go on without any success, unless the job says otherwise.
pub const RETRY_DEADLINE: Duration = Duration::from_secs(300);

/// How often and how long a failure has been met in a row.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    deadline: Duration,
    first_failure_ms: Option<i64>,
    n_failures: u32,
}

impl Backoff {
    pub(crate) fn new(deadline: Duration) -> Backoff {
        Backoff { deadline, first_failure_ms: None, n_failures: 0 }
    }

    /// Something went well: the next failure is a first one.
    pub(crate) fn succeeded(&mut self) {
        self.first_failure_ms = None;
        self.n_failures = 0;
    }

    /// The pause before the next attempt; None when the deadline has passed.
    pub(crate) fn failed(&mut self, now_ms: i64) -> Option<Duration> {
        let first_ms = *self.first_failure_ms.get_or_insert(now_ms);
        let doubled = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(self.n_failures));
        self.n_failures += 1;
        let failing = Duration::from_millis(now_ms.saturating_sub(first_ms).max(0) as u64);
        (failing < self.deadline).then_some(doubled.min(LONGEST_PAUSE))
    }

    /// Failures since the last success.
    pub(crate) fn n_failures(&self) -> u32 {
        self.n_failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_end_at_the_deadline() {
        let mut backoff = Backoff::new(Duration::from_secs(60));
        let pauses = (0..9).map(|_| backoff.failed(0).unwrap().as_millis()).collect::<Vec<_>>();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(backoff.failed(59_999), Some(LONGEST_PAUSE));
        assert_eq!(backoff.failed(60_000), None);
        backoff.succeeded();
        assert_eq!(backoff.failed(60_000), Some(FIRST_PAUSE));
    }
}
