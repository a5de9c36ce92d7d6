//! Uids of stages: a class name and twelve hexadecimal digits, as PySpark makes them.
//!
//! The digits are the one thing in this crate that differs from run to run, and no number ever depends on them.
//! [`seed`] makes them repeatable, for tests and for `--seed-uids`.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of one stage of one pipeline, as it stands in metadata, directories and messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(String);

impl Uid {
    /// A uid that somebody else made.
    pub fn new(text: impl Into<String>) -> Uid {
        Uid(text.into())
    }

    /// A new uid: `LogisticRegression_` and twelve hexadecimal digits.
    pub fn unique(class_name: &str) -> Uid {
        Uid(format!("{class_name}_{:012x}", next_digits()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// State of the sequence of digits; 0 until it is first used.
static STATE: AtomicU64 = AtomicU64::new(0);

/// Makes the uids that follow in this process repeatable.
pub fn seed(seed: u64) {
    STATE.store(mix(seed) | 1, Ordering::SeqCst);
}

fn next_digits() -> u64 {
    if STATE.load(Ordering::SeqCst) == 0 {
        let fresh = RandomState::new().hash_one("uid") | 1;
        // Another thread may have been first; its state is as good as ours.
        let _ = STATE.compare_exchange(0, fresh, Ordering::SeqCst, Ordering::SeqCst);
    }
    mix(STATE.fetch_add(2, Ordering::SeqCst)) >> 16
}

/// SplitMix64's output function: neighbouring states give unlike digits.
fn mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_have_twelve_digits_and_differ() {
        let (a, b) = (Uid::unique("Pipeline"), Uid::unique("Pipeline"));
        assert_ne!(a, b);
        let digits = a.as_str().strip_prefix("Pipeline_").unwrap();
        assert!(digits.len() == 12 && digits.chars().all(|c| c.is_ascii_hexdigit()));
    }
}
