//! Batches that are being committed while the next one is filled.
//!
//! Commits go on whatever the loop waits for, since whoever runs the loop runs [`Commits::go_on`] beside it. The loop hears of their
//! ends in the order in which they were begun. When one fails, those behind it are given up: what they did is found out from the
//! target.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::oneshot;

use crate::query_error::QueryError;

/// When a batch was committed, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CommitTimes {
    /// Readers of the target had the rows.
    pub(crate) shown_ms: i64,
    /// The target had stored the progress too.
    pub(crate) ended_ms: i64,
}

/// Batches whose commits were begun, oldest first. `B` is what the loop knows of a batch.
pub(crate) struct Committing<B> {
    batches: VecDeque<(B, oneshot::Receiver<Result<CommitTimes, QueryError>>)>,
    commits: Commits,
}

impl<B> Default for Committing<B> {
    fn default() -> Committing<B> {
        Committing { batches: VecDeque::new(), commits: Commits::default() }
    }
}

impl<B> Committing<B> {
    /// The commits, to be run beside the loop.
    pub(crate) fn commits(&self) -> Commits {
        self.commits.clone()
    }

    /// Begins the commit of a batch, which gives the times when the target had it.
    pub(crate) fn begin(
        &mut self,
        batch: B,
        commit: impl Future<Output = Result<CommitTimes, QueryError>> + Send + 'static,
    ) {
        let (told, ended) = oneshot::channel();
        self.batches.push_back((batch, ended));
        self.commits.all().push(Box::pin(async move {
            let _ = told.send(commit.await);
        }));
    }

    /// The oldest, once its commit has ended; waited for while there are more than `n_left`. None when there is none to wait for.
    pub(crate) async fn next(&mut self, n_left: usize) -> Option<(B, Result<CommitTimes, QueryError>)> {
        let is_full = self.batches.len() > n_left;
        let (_, ended) = self.batches.front_mut()?;
        let committed = match ended.try_recv() {
            Ok(committed) => committed,
            Err(oneshot::error::TryRecvError::Empty) if !is_full => return None,
            // Whoever stops waiting here finds it in its place again.
            Err(_) => ended.await.unwrap_or(Err(QueryError::ShutDown)),
        };
        let (batch, _) = self.batches.pop_front()?;
        Some((batch, committed))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Ends all of them where they are; with the failure of the oldest that has failed.
    pub(crate) fn give_up(&mut self) -> (Vec<B>, Option<QueryError>) {
        self.commits.all().clear();
        let (mut batches, mut failure) = (Vec::new(), None);
        for (batch, mut ended) in self.batches.drain(..) {
            failure = failure.or_else(|| ended.try_recv().ok()?.err());
            batches.push(batch);
        }
        (batches, failure)
    }
}

/// Commits that were begun and have not ended.
#[derive(Clone, Default)]
pub(crate) struct Commits(Arc<Mutex<FuturesUnordered<BoxFuture<'static, ()>>>>);

impl Commits {
    fn all(&self) -> MutexGuard<'_, FuturesUnordered<BoxFuture<'static, ()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets them go on, also those that are begun later; to be polled after the loop that begins them.
    pub(crate) async fn go_on(self) -> Infallible {
        poll_fn(|context| {
            let mut commits = self.all();
            while let Poll::Ready(Some(())) = commits.poll_next_unpin(context) {}
            Poll::Pending
        })
        .await
    }
}
