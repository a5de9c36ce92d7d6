//! Failures of the outside world, on demand.

use std::sync::{Arc, Mutex, MutexGuard};

use ognivo_data::fault::{Explain, Fault, Retry};

/// Counts calls to the outside and lets chosen ones fail.
///
/// A call that changes something is counted twice, before and after its effect: a failure after the effect is an answer
/// that was lost on the way.
#[derive(Debug, Clone, Default)]
pub struct MemoryFaults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    n_calls: u64,
    fail_at: Option<u64>,
    persistently: bool,
}

/// A failure that a test asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a test let this call fail: {call}")]
pub struct MemoryFault {
    /// What was called.
    pub call: String,
}

impl Explain for MemoryFault {
    fn fault(&self) -> Fault {
        Fault::Remote
    }
    fn retry(&self) -> Retry {
        Retry::Backoff
    }
}

impl MemoryFaults {
    /// Lets the `nth` call from now on fail, the first being 1, and when `persistently` all after it.
    pub fn fail_at(&self, nth: u64, persistently: bool) {
        let mut state = self.state();
        state.fail_at = Some(state.n_calls + nth);
        state.persistently = persistently;
    }

    /// No call fails any more; true when one had been going to.
    pub fn heal(&self) -> bool {
        let mut state = self.state();
        let n_calls = state.n_calls;
        state.persistently = false;
        state.fail_at.take().is_some_and(|at| at > n_calls)
    }

    /// Calls so far.
    pub fn n_calls(&self) -> u64 {
        self.state().n_calls
    }

    /// Counts a call.
    ///
    /// # Errors
    /// When it was chosen to fail.
    pub fn call(&self, call: impl Into<String>) -> Result<(), MemoryFault> {
        let mut state = self.state();
        state.n_calls += 1;
        let fails = state.fail_at.is_some_and(|at| state.n_calls == at || (state.persistently && state.n_calls > at));
        if fails { Err(MemoryFault { call: call.into() }) } else { Ok(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding this lock")
    }
}
