//! A source, targets of every kind, and a store, all in memory and all able to fail: the world in which the driver is
//! tested by scripts and by simulation.
//!
//! What is shared (a topic, a target, a store) outlives the query that works on it, as files and tables outlive a process.

mod faults;
mod logged;
mod scorer;
mod source;
mod store;
mod target;
mod topic;
mod world;

pub use faults::{MemoryFault, MemoryFaults};
pub use logged::MemoryLoggedSource;
pub use scorer::MemoryScorer;
pub use source::{MemoryMembership, MemorySource};
pub use store::MemoryStore;
pub use target::{MemorySink, MemoryTarget, TargetKind};
pub use topic::MemoryTopic;
pub use world::{MemoryWorld, SourceKind, WorldOptions};
