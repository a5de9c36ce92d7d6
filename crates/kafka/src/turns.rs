//! The transactions of one producer, one after the other: a producer has one open at a time.
//!
//! A batch takes its place when it is begun, and its turn comes when the batch before it is committed. When that one is given up or
//! fails, no turn comes any more.

use tokio::sync::watch;

use crate::error::KafkaError;

/// The turns of the batches that were begun since the target was asked last.
#[derive(Debug)]
pub(crate) struct Turns {
    n_begun: u64,
    state: watch::Sender<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    n_committed: u64,
    is_over: bool,
}

impl Turns {
    pub(crate) fn new() -> Turns {
        Turns { n_begun: 0, state: watch::Sender::new(State::default()) }
    }

    /// Whether a batch was given up or has failed, so that no turn comes any more.
    pub(crate) fn is_over(&self) -> bool {
        self.state.borrow().is_over
    }

    /// The turn of a batch that begins now.
    pub(crate) fn begin(&mut self) -> Turn {
        let number = self.n_begun;
        self.n_begun += 1;
        Turn { state: self.state.clone(), number }
    }
}

/// The turn of one batch. Dropped before it has [ended](Turn::end), it takes those behind it along.
#[derive(Debug)]
pub(crate) struct Turn {
    state: watch::Sender<State>,
    number: u64,
}

impl Turn {
    /// Waits until all batches before are committed.
    ///
    /// # Errors
    /// When one of them will not be.
    pub(crate) async fn come(&self) -> Result<(), KafkaError> {
        let mut state = self.state.subscribe();
        let come = state.wait_for(|state| state.is_over || state.n_committed == self.number).await;
        match come.is_ok_and(|state| !state.is_over) {
            true => Ok(()),
            false => Err(KafkaError::BatchBefore),
        }
    }

    /// The batch is committed.
    pub(crate) fn end(self) {
        self.state.send_modify(|state| state.n_committed += 1);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.state.send_modify(|state| state.is_over |= state.n_committed <= self.number);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn a_turn_comes_when_the_batch_before_is_committed() {
        let mut turns = Turns::new();
        let (first, second, third) = (turns.begin(), turns.begin(), turns.begin());
        assert!(first.come().now_or_never().unwrap().is_ok());
        let mut waiting = Box::pin(second.come());
        assert!(waiting.as_mut().now_or_never().is_none());
        first.end();
        assert!(waiting.now_or_never().unwrap().is_ok());
        assert!(third.come().now_or_never().is_none(), "the second has its turn");
        second.end();
        assert!(third.come().now_or_never().unwrap().is_ok());
    }

    #[test]
    fn no_turn_comes_behind_a_batch_that_was_given_up() {
        let mut turns = Turns::new();
        let (first, second, third) = (turns.begin(), turns.begin(), turns.begin());
        first.end();
        drop(second);
        assert!(turns.is_over());
        let came = third.come().now_or_never().unwrap();
        assert!(matches!(came, Err(KafkaError::BatchBefore)), "{came:?}");
    }
}
