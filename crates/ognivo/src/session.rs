//! What every verb and the library share: threads to compute on, a runtime for input and output.

use std::sync::Arc;

use ognivo_data::dataset::{Executor, LocalExecutor};
use ognivo_data::fault::{Explain, Fault};

/// The threads of one run.
#[derive(Debug)]
pub struct Session {
    executor: Arc<dyn Executor>,
    pool: Arc<rayon::ThreadPool>,
    runtime: tokio::runtime::Runtime,
    n_threads: usize,
}

/// The threads could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start threads: {0}")]
pub struct SessionError(String);

impl Explain for SessionError {
    fn fault(&self) -> Fault {
        Fault::Remote
    }
}

impl Session {
    /// Starts `n_threads` threads to compute on, all cores when absent.
    ///
    /// # Errors
    /// [`SessionError`] when the system refuses threads.
    pub fn start(n_threads: Option<usize>) -> Result<Session, SessionError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let n_threads = n_threads.unwrap_or(cores);
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(n_threads).thread_name(|i| format!("compute-{i}")).build();
        let pool = Arc::new(pool.map_err(|error| SessionError(error.to_string()))?);
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(n_threads.min(2)).thread_name("io").enable_all().build();
        let runtime = runtime.map_err(|error| SessionError(error.to_string()))?;
        let executor = Arc::new(LocalExecutor::new(Arc::clone(&pool)));
        Ok(Session { executor, pool, runtime, n_threads })
    }

    /// What passes over datasets run on.
    pub fn executor(&self) -> &Arc<dyn Executor> {
        &self.executor
    }

    /// The threads that compute.
    pub fn pool(&self) -> &rayon::ThreadPool {
        &self.pool
    }

    /// What input and output run on.
    pub fn runtime(&self) -> &tokio::runtime::Runtime {
        &self.runtime
    }

    /// Ends the threads for input and output without waiting for what they do.
    pub fn shut_down(self) {
        self.runtime.shutdown_background();
    }

    /// How many threads compute.
    pub fn n_threads(&self) -> usize {
        self.n_threads
    }
}
