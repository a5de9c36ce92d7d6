//! Runs micro-batches so that a restart neither loses nor repeats a row, as far as the sink can promise.
//!
//! One pure function, [`plan::next_step`], looks at the facts (what the checkpoint says, what the target says, what the
//! source has, what the trigger allows) and says what comes next. One thin loop, [`query::StreamingQuery`], obeys it.
//! Sources, sinks and the pipeline are known as traits only, and time enters through [`clock::Clock`] only.
//!
//! ```text
//!              facts                          step
//!  checkpoint ───────►┐                   ┌──► MarkDone   the target has the batch, our log does not say so yet
//!  target     ───────►│ plan::next_step   ├──► Replay     planned and not in the target: the same work again
//!  source     ───────►│                   ├──► Run        a new batch: offsets/<n>, rows, sink commit, commits/<n>
//!  trigger    ───────►┘                   └──► Ask, Wait, Finish
//! ```
//!
//! **Two kinds of targets.** One that counts batches (a folder) stands behind plans that are written ahead: batch `n` is
//! its entry in `offsets/`, forever, so a replay is the same rows with the same model and the same time. One that holds
//! the positions itself (a transactional log) stores them together with the rows; then it is the truth and the checkpoint
//! a report. Either answers [`sink::Sink::last_committed`] at every start.
//!
//! **Failures.** An error that may pass is met by forgetting what is held in memory and looking again, with growing pauses
//! and an end: recovery has one door, and a restart comes through the same one.
//!
//! **Bad rows** are counted and never silent: `rows read = written + skipped by rule + dead letters`, in every
//! [`progress::Progress`] and in the summary.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use ognivo_stream::memory::{MemoryWorld, WorldOptions};
//! use ognivo_stream::query::{QueryOptions, StreamingQuery};
//! use ognivo_stream::stop::stop_pair;
//! use ognivo_stream::trigger::Trigger;
//!
//! let mut world = MemoryWorld::new(WorldOptions::default());
//! world.add(100);
//! let (parts, options) = world.parts(0, "model");
//! let options = QueryOptions { trigger: Trigger::AvailableNow, ..options };
//!
//! let (_handle, stop) = stop_pair();
//! let summary = StreamingQuery::new(parts, options).run(&stop).await.unwrap();
//! assert_eq!(summary.rows.read, summary.rows.written + summary.rows.skipped + summary.rows.dead_letters);
//! # });
//! ```
//!
//! To write a source or a sink, read [`source`] and [`sink`], pass the kill points of [`kill_point`] where state changes
//! hands, and run [`laws`] on it before testing anything else.

mod batch;
pub mod checkpoint;
pub mod clock;
mod committing;
mod connector_error;
pub mod dead_letter;
pub mod histogram;
pub mod invariants;
pub mod kill_point;
pub mod lag;
pub mod latency;
pub mod laws;
pub mod memory;
pub mod offset;
pub mod output_shape;
pub mod plan;
pub mod probe;
pub mod progress;
pub mod query;
pub mod query_error;
mod query_options;
pub mod reasons;
pub mod retry;
pub mod score;
pub mod script;
pub mod sink;
pub mod source;
pub mod split_sink;
pub mod staging;
pub mod stop;
mod stopwatch;
pub mod tally;
pub mod trigger;
