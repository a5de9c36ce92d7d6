//! `cargo xtask ci`: everything that must hold before a change is taken.

use std::time::Instant;

use crate::program::{self, cargo};

/// Name, and the arguments of cargo.
const STEPS: [(&str, &[&str]); 4] = [
    ("format", &["fmt", "--all", "--check"]),
    ("lints", &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]),
    ("rules of the house", &["test", "--package", "xtask", "--quiet"]),
    ("tests and examples in the docs", &["test", "--workspace", "--exclude", "xtask"]),
];

/// Runs the steps in order and stops at the first that fails.
pub(crate) fn run() -> Result<(), String> {
    let begin = Instant::now();
    for (number, (name, arguments)) in STEPS.iter().enumerate() {
        println!("\n== {}/{} {name}: cargo {}", number + 1, STEPS.len(), arguments.join(" "));
        program::run(cargo().args(*arguments)).map_err(|e| format!("\nci: FAILED at {name}: {e}"))?;
    }
    println!("\nci: ok, {} steps in {} s", STEPS.len(), begin.elapsed().as_secs());
    Ok(())
}
