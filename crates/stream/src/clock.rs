//! Time, which enters this crate through [`Clock`] only.

use std::fmt;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::Utc;
use tokio::sync::watch;

/// What the time is, and how to wait.
#[async_trait]
pub trait Clock: Send + Sync + fmt::Debug {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> i64;

    /// Time since some moment of this process, for measuring how long something takes; it never goes back.
    fn monotonic(&self) -> Duration;

    /// Returns after `pause` has passed.
    async fn sleep(&self, pause: Duration);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        Utc::now().timestamp_millis()
    }

    fn monotonic(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }

    async fn sleep(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}

/// A clock that a test moves. Who sleeps on it wakes up when the test has moved it far enough.
#[derive(Debug)]
pub struct ManualClock {
    now_ms: watch::Sender<i64>,
    jumps: bool,
}

impl ManualClock {
    /// A clock that stands still at `now_ms`.
    pub fn at(now_ms: i64) -> ManualClock {
        ManualClock { now_ms: watch::Sender::new(now_ms), jumps: false }
    }

    /// A clock that jumps ahead whenever somebody sleeps, so that no test waits.
    pub fn jumping(now_ms: i64) -> ManualClock {
        ManualClock { now_ms: watch::Sender::new(now_ms), jumps: true }
    }

    /// Moves the clock ahead.
    pub fn advance(&self, by: Duration) {
        self.now_ms.send_modify(|now_ms| *now_ms += by.as_millis() as i64);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        *self.now_ms.borrow()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now_ms().max(0) as u64)
    }

    async fn sleep(&self, pause: Duration) {
        let wake_ms = self.now_ms() + pause.as_millis() as i64;
        if self.jumps {
            self.now_ms.send_modify(|now_ms| *now_ms = wake_ms.max(*now_ms));
            tokio::task::yield_now().await;
            return;
        }
        let mut moved = self.now_ms.subscribe();
        // The sender lives in `self`, so waiting can only end by the clock being moved.
        let _ = moved.wait_for(|now_ms| *now_ms >= wake_ms).await;
    }
}
