//! Named places where a test stops the process, as `kill -9` or a power cut would.
//!
//! ```text
//! OGNIVO_KILL_POINT=after_plan@3      the process dies when it passes `after_plan` for the third time
//! ```
//! A kill point stands wherever state changes hands. In a debug build the environment variable makes the process end
//! itself with SIGKILL there; a test within the process registers the same with [`kill_at`] and gets [`Killed`] as an
//! error, which the driver passes up without tidying anything. In a release build [`pass`] is empty.

use ognivo_data::fault::{Explain, Fault};

macro_rules! kill_points {
    (
        between_batches: {$($(#[doc = $rare_doc:literal])* $rare:ident = $rare_name:literal,)*}
        of_batches: {$($(#[doc = $doc:literal])* $variant:ident = $name:literal,)*}
    ) => {
        /// The places: first those between batches, then the others in the order in which a batch passes them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum KillPoint {
            $($(#[doc = $rare_doc])* $rare,)*
            $($(#[doc = $doc])* $variant,)*
        }

        impl KillPoint {
            /// Every kill point that batches pass, in that order.
            pub const OF_BATCHES: &[KillPoint] = &[$(KillPoint::$variant,)*];

            /// The others: where partitions come and go.
            pub const BETWEEN_BATCHES: &[KillPoint] = &[$(KillPoint::$rare,)*];

            /// The name that `OGNIVO_KILL_POINT` takes.
            pub fn name(self) -> &'static str {
                match self {
                    $(KillPoint::$rare => $rare_name,)*
                    $(KillPoint::$variant => $name,)*
                }
            }
        }
    };
}

kill_points! {
    between_batches: {
        /// Source: partitions came or went, and nobody has asked how far they are.
        SourceMoved = "source_moved",
        /// Source: partitions are about to be let go, that others wait for.
        SourceReleasing = "source_releasing",
    }
    of_batches: {
        /// Source: new rows were found, nothing is noted yet.
        SourceFound = "source_found",
        /// Source: its log names the new rows, the plan does not yet.
        SourceLogged = "source_logged",
        /// Driver: the plan is ready and not written.
        BeforePlan = "before_plan",
        /// Driver: the plan is written.
        AfterPlan = "after_plan",
        /// Driver: the sink has opened the batch.
        AfterBegin = "after_begin",
        /// Driver: a block of scored rows was handed to the sink.
        AfterWrite = "after_write",
        /// Driver: all rows are with the sink, `commit` is next.
        BeforeCommit = "before_commit",
        /// Sink: everything is on disk under temporary names.
        SinkStaged = "sink_staged",
        /// Sink: some of the batch's files have their final names, or some of a block's rows are in the table.
        SinkPartVisible = "sink_part_visible",
        /// Sink: all files have their final names, or all rows are in the table; the sink's log does not name the batch yet.
        SinkAllVisible = "sink_all_visible",
        /// Sink: its log names the batch.
        SinkLogged = "sink_logged",
        /// Driver: the sink says committed, our log does not yet.
        AfterCommit = "after_commit",
        /// Driver: our log says committed.
        AfterDone = "after_done",
        /// Source: it is tidying rows that will not be asked for again.
        SourceAcknowledging = "source_acknowledging",
        /// Driver: the source was told.
        AfterAcknowledge = "after_acknowledge",
        /// Checkpoint: old entries are being removed.
        Purging = "purging",
    }
}

impl KillPoint {
    /// The kill point of this name.
    pub fn of_name(name: &str) -> Option<KillPoint> {
        KillPoint::BETWEEN_BATCHES.iter().chain(KillPoint::OF_BATCHES).copied().find(|point| point.name() == name)
    }
}

/// A test stopped the process here. Whoever gets it passes it up and touches nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("killed by a test at: {}", point.name())]
pub struct Killed {
    /// The place.
    pub point: KillPoint,
}

impl Explain for Killed {
    fn fault(&self) -> Fault {
        Fault::Bug
    }
}

/// Passes a kill point.
///
/// # Errors
/// [`Killed`] when a test in this thread asked for it with [`kill_at`]; never in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn pass(_point: KillPoint) -> Result<(), Killed> {
    Ok(())
}

#[cfg(debug_assertions)]
pub use armed::{kill_at, pass, passed, spare};

#[cfg(debug_assertions)]
mod armed {
    use std::cell::RefCell;
    use std::collections::HashMap;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{KillPoint, Killed};

    /// Name of the environment variable, and what it means: `name` or `name@n`.
    const VARIABLE: &str = "OGNIVO_KILL_POINT";

    thread_local! {
        static SCRIPT: RefCell<Option<(KillPoint, u32)>> = const { RefCell::new(None) };
        static PASSED: RefCell<HashMap<&'static str, u64>> = RefCell::new(HashMap::new());
    }

    /// Passes a kill point.
    ///
    /// # Errors
    /// [`Killed`] when a test in this thread asked for it with [`kill_at`]; never in a release build.
    pub fn pass(point: KillPoint) -> Result<(), Killed> {
        end_process_if_asked(point);
        PASSED.with_borrow_mut(|passed| *passed.entry(point.name()).or_default() += 1);
        SCRIPT.with_borrow_mut(|script| match script {
            Some((at, 1)) if *at == point => {
                *script = None;
                Err(Killed { point })
            }
            Some((at, left)) if *at == point => {
                *left -= 1;
                Ok(())
            }
            _ => Ok(()),
        })
    }

    /// Makes this thread's `nth` pass of `point` from now on fail with [`Killed`]; the first is 1. Debug builds only.
    pub fn kill_at(point: KillPoint, nth: u32) {
        SCRIPT.set(Some((point, nth.max(1))));
    }

    /// Takes back what [`kill_at`] asked for in this thread; true when it had not happened yet.
    pub fn spare() -> bool {
        SCRIPT.take().is_some()
    }

    /// How often this thread passed `point`, so that a test can see that a kill point is reached at all.
    pub fn passed(point: KillPoint) -> u64 {
        PASSED.with_borrow(|passed| passed.get(point.name()).copied().unwrap_or(0))
    }

    fn end_process_if_asked(point: KillPoint) {
        static ASKED: LazyLock<Option<(KillPoint, u32)>> = LazyLock::new(asked);
        static PASSES: AtomicU32 = AtomicU32::new(0);
        let Some((at, nth)) = *ASKED else { return };
        if at == point && PASSES.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            end_process();
        }
    }

    /// # Panics
    /// When the variable does not name a kill point: a test with a typo would otherwise kill nothing and pass.
    fn asked() -> Option<(KillPoint, u32)> {
        let text = std::env::var(VARIABLE).ok().filter(|text| !text.is_empty())?;
        let (name, nth) = text.split_once('@').unwrap_or((&text, "1"));
        let point = KillPoint::of_name(name).unwrap_or_else(|| panic!("{VARIABLE} names no kill point: {name}"));
        let nth = nth.parse().unwrap_or_else(|_| panic!("{VARIABLE} wants a number after the @: {nth}"));
        Some((point, nth))
    }

    /// SIGKILL where the system has it: no handler, no destructor, no buffer is flushed.
    fn end_process() -> ! {
        let pid = std::process::id().to_string();
        let _ = std::process::Command::new("kill").args(["-9", &pid]).status();
        std::process::abort()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_pass_dies_and_the_next_ones_live() {
        kill_at(KillPoint::AfterPlan, 2);
        assert_eq!(pass(KillPoint::AfterPlan), Ok(()));
        assert_eq!(pass(KillPoint::BeforePlan), Ok(()));
        assert_eq!(pass(KillPoint::AfterPlan), Err(Killed { point: KillPoint::AfterPlan }));
        assert_eq!(pass(KillPoint::AfterPlan), Ok(()));
        assert!(!spare());
    }

    #[test]
    fn every_name_is_found_again() {
        for point in KillPoint::BETWEEN_BATCHES.iter().chain(KillPoint::OF_BATCHES) {
            assert_eq!(KillPoint::of_name(point.name()), Some(*point));
        }
    }
}
