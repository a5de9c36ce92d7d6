//! The thread that a session lives on, with those who write many rows through it.
//!
//! The driver answers each row by itself. Where its connections and the writers share threads with others, nearly every answer
//! wakes a thread, and that costs more than the row; on one thread an answer only makes the next row ready. The thread also lets
//! a moment pass before it waits for more, so that what servers answer meanwhile is read at once and what follows is sent at once.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::error::CassandraError;

/// The moment, for each row that may be under way: 62,500 rows a second get through, however few are under way.
const MOMENT_A_ROW: Duration = Duration::from_micros(16);

/// No moment is longer: an answer should not lie for long.
const LONGEST_MOMENT: Duration = Duration::from_millis(4);

/// So many tasks go on before the thread looks at its connections in between: all that are ready, as good as always.
const TASKS_A_LOOK: u32 = 1024;

/// A thread that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct SessionThread {
    handle: Handle,
    /// Dropping it is the message.
    _end: oneshot::Sender<()>,
}

impl SessionThread {
    /// A thread for so many rows under way at once.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(n_under_way: usize) -> Result<SessionThread, CassandraError> {
        let mut builder = Builder::new_current_thread();
        let moment = moment(n_under_way);
        builder.enable_all().event_interval(TASKS_A_LOOK).on_thread_park(move || std::thread::sleep(moment));
        let runtime = builder.build();
        let runtime = runtime.map_err(CassandraError::NoThread)?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        let run = move || {
            // An error is the end, too: the sender was dropped.
            let _ = runtime.block_on(ended);
        };
        std::thread::Builder::new().name("cassandra".to_owned()).spawn(run).map_err(CassandraError::NoThread)?;
        Ok(SessionThread { handle, _end: end })
    }

    /// Does `work` on the thread; it ends where it stands when nobody waits for it any more.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let mut task = EndedWhenDropped(self.handle.spawn(work));
        match (&mut task.0).await {
            Ok(done) => done,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => unreachable!("the thread lives as long as we do, and nobody else ends the task"),
            },
        }
    }
}

fn moment(n_under_way: usize) -> Duration {
    MOMENT_A_ROW.saturating_mul(u32::try_from(n_under_way).unwrap_or(u32::MAX)).min(LONGEST_MOMENT)
}

struct EndedWhenDropped<T>(JoinHandle<T>);

impl<T> Drop for EndedWhenDropped<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;
    use std::time::Instant;

    #[test]
    fn few_rows_under_way_wait_a_shorter_moment() {
        assert_eq!([0, 5, 256].map(|n_rows| moment(n_rows).as_micros()), [0, 80, 4_000]);
        assert_eq!([1_000, usize::MAX].map(moment), [LONGEST_MOMENT; 2]);
    }

    #[tokio::test]
    async fn work_is_done_on_one_thread_and_its_answer_comes_back() {
        let thread = SessionThread::start(1).unwrap();
        let name = || std::thread::current().name().map(str::to_owned);
        let names = thread.run(async move { (name(), tokio::spawn(async move { name() }).await.unwrap()) }).await;
        assert_eq!(names, (Some("cassandra".to_owned()), Some("cassandra".to_owned())));
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_ends() {
        let thread = SessionThread::start(1).unwrap();
        let held = Arc::new(());
        let theirs = Arc::clone(&held);
        let work = thread.run(async move {
            std::future::pending::<()>().await;
            drop(theirs);
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err());
        let begin = Instant::now();
        while Arc::strong_count(&held) > 1 && begin.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(Arc::strong_count(&held), 1, "the work was dropped");
    }
}
