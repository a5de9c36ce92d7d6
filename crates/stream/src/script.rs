//! A streaming test as a list of actions, crash and restart among them.
//!
//! ```
//! # #[cfg(debug_assertions)]
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use ognivo_stream::kill_point::KillPoint::AfterCommit;
//! use ognivo_stream::memory::WorldOptions;
//! use ognivo_stream::script::{Action::*, StreamScript};
//!
//! StreamScript::new(WorldOptions::default())
//!     .run(&[Add(3), Expect(3), Add(2), Crash(AfterCommit), Restart, Expect(4)])
//!     .await;
//! # });
//! ```

use std::time::Duration;

#[cfg(debug_assertions)]
use crate::kill_point;
use crate::kill_point::KillPoint;
use crate::memory::{MemoryWorld, WorldOptions};
use crate::query::StreamingQuery;
use crate::sink::Lane;

/// One action of a script.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// So many records are added to the source.
    Add(u64),
    /// All that is there is processed; then so many scored rows are visible in all.
    Expect(usize),
    /// All that is there is processed; then so many dead letters are visible in all.
    ExpectDeadLetters(usize),
    /// What is there is processed until the process dies at this point, which must be reached.
    Crash(KillPoint),
    /// A new process takes over, with nothing in memory.
    Restart,
    /// The time moves on.
    Advance(Duration),
    /// The next call to the outside but so many fails; what is there is processed until then, and the process goes on.
    Fail(u64),
}

/// A world and the process that works on it.
#[derive(Debug)]
pub struct StreamScript {
    /// The world, for checks that no action makes.
    pub world: MemoryWorld,
    query: StreamingQuery,
}

impl StreamScript {
    /// An empty world with a process that has not done anything.
    pub fn new(options: WorldOptions) -> StreamScript {
        let world = MemoryWorld::new(options);
        let query = world.start(0);
        StreamScript { world, query }
    }

    /// Carries the actions out, and checks after each what must hold at every moment.
    ///
    /// # Panics
    /// When an expectation or an invariant does not hold; names the action.
    pub async fn run(&mut self, actions: &[Action]) {
        for (i, action) in actions.iter().enumerate() {
            self.act(action, &format!("action {i}, {action:?}")).await;
            let broken = self.world.check_at_any_moment().await;
            assert!(broken.is_ok(), "action {i}, {action:?}: {broken:?}");
        }
    }

    async fn act(&mut self, action: &Action, place: &str) {
        match action {
            Action::Add(n_rows) => self.world.add(*n_rows),
            Action::Expect(n_rows) => self.expect(Lane::Scored, *n_rows, place).await,
            Action::ExpectDeadLetters(n_rows) => self.expect(Lane::DeadLetter, *n_rows, place).await,
            Action::Crash(point) => self.crash(*point, place).await,
            Action::Restart => self.query = self.world.start(0),
            Action::Advance(by) => self.world.clock.advance(*by),
            Action::Fail(n_before) => {
                self.world.faults.fail_at(n_before + 1, false);
                let failed = self.query.process_all_available().await;
                assert!(failed.is_err(), "{place}: no call failed");
            }
        }
    }

    async fn expect(&mut self, lane: Lane, n_rows: usize, place: &str) {
        let ran = self.query.process_all_available().await;
        assert!(ran.is_ok(), "{place}: {ran:?}");
        assert_eq!(self.world.visible(lane).len(), n_rows, "{place}");
    }

    #[cfg(debug_assertions)]
    async fn crash(&mut self, point: KillPoint, place: &str) {
        kill_point::kill_at(point, 1);
        let died = self.query.process_all_available().await;
        let missed = kill_point::spare();
        assert!(!missed && died.as_ref().is_err_and(crate::query_error::QueryError::is_killed), "{place}: {died:?}");
    }

    #[cfg(not(debug_assertions))]
    async fn crash(&mut self, point: KillPoint, place: &str) {
        panic!("{place}: a release build has no kill points: {}", point.name());
    }
}
