//! A process that is told in its environment where to die, as the tests of the binary tell it.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};

use ognivo_stream::memory::{MemoryWorld, WorldOptions};

use crate::run;

/// Runs [`victim`] in a process of its own.
fn run_victim(kill_point: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::victim"])
        .env("OGNIVO_KILL_POINT", kill_point)
        .output()
        .unwrap()
        .status
}

/// Three batches; alone it is a test that always passes.
#[test]
fn victim() {
    run(async {
        let mut world = MemoryWorld::new(WorldOptions { max_rows: 1, ..WorldOptions::default() });
        world.add(3);
        world.start(0).process_all_available().await.unwrap();
    });
}

#[test]
fn the_environment_names_the_place_and_the_pass_at_which_the_process_dies() {
    const SIGKILL: i32 = 9;
    assert_eq!(run_victim("after_plan").signal(), Some(SIGKILL));
    assert_eq!(run_victim("after_commit@3").signal(), Some(SIGKILL));
    assert!(run_victim("after_commit@4").success());
    assert!(run_victim("").success());
}

#[test]
fn a_misspelt_kill_point_fails_loudly() {
    assert!(!run_victim("afterplan").success());
    assert!(!run_victim("after_plan@x").success());
}
