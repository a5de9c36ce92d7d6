//! How long a cluster that does not serve is waited for, and who hears of it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// What lasts no longer than this is not worth a word.
const TELL_AFTER: Duration = Duration::from_secs(1);

/// Two calls that wait say so one after the other, and a call with other words each time: one of them in this time is enough.
const TELL_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// What is done while a call fails that may succeed later.
pub(super) struct Patience {
    /// How long it is repeated before its caller hears of the failure.
    pub(super) deadline: Duration,
    tell: Box<dyn Fn(&str) + Send + Sync>,
    last_told_ms: Mutex<Option<i64>>,
}

static OF_PROCESS: RwLock<Option<Arc<Patience>>> = RwLock::new(None);

/// From now on calls of this process to any cluster are repeated for so long, and `tell` hears what is waited for. This is for
/// whoever has no way of waiting of his own, and would lose what he has done so far.
pub fn wait_for_servers(deadline: Duration, tell: impl Fn(&str) + Send + Sync + 'static) {
    *OF_PROCESS.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(Patience::new(deadline, tell)));
}

/// What this process was told; None when it was told nothing.
pub(super) fn of_process() -> Option<Arc<Patience>> {
    OF_PROCESS.read().unwrap_or_else(PoisonError::into_inner).clone()
}

impl Patience {
    fn new(deadline: Duration, tell: impl Fn(&str) + Send + Sync + 'static) -> Patience {
        Patience { deadline, tell: Box::new(tell), last_told_ms: Mutex::default() }
    }

    /// None at all: for looking at how things are now.
    pub(super) fn none() -> Patience {
        Patience::new(Duration::ZERO, |_| {})
    }

    /// Says that a call to `url` has failed for so long by `now_ms`, and is made again.
    pub(super) fn waiting(&self, url: &str, why: &str, failing: Duration, now_ms: i64) {
        if failing >= TELL_AFTER && self.is_time(now_ms) {
            (self.tell)(&format!("waiting for {url}: {why}"));
        }
    }

    fn is_time(&self, now_ms: i64) -> bool {
        let mut last_ms = self.last_told_ms.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = last_ms.is_none_or(|last_ms| now_ms - last_ms >= TELL_AGAIN_AFTER.as_millis() as i64);
        if is_time {
            *last_ms = Some(now_ms);
        }
        is_time
    }
}

impl fmt::Debug for Patience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Patience({:?})", self.deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_told_after_a_moment_and_not_at_every_attempt() {
        let said = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&said);
        let patience = Patience::new(Duration::MAX, move |words| hears.lock().unwrap().push(words.to_owned()));
        let waiting =
            |ms: u64, why| patience.waiting("hdfs://nn:8020", why, Duration::from_millis(ms), 1_000 + ms as i64);
        waiting(100, "connection refused");
        waiting(1000, "connection refused");
        waiting(3000, "cannot create a");
        waiting(5000, "cannot create b");
        waiting(11_000, "it is in safe mode");
        assert_eq!(
            *said.lock().unwrap(),
            ["waiting for hdfs://nn:8020: connection refused", "waiting for hdfs://nn:8020: it is in safe mode"]
        );
    }
}
