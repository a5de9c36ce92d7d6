//! What a test of the campaign tried, told in a line that `cargo xtask campaign` reads and adds up. One file for the tests of
//! all crates.
//!
//! ```text
//! campaign: {"package":"ognivo","module":"kill_points","what":"…","unit":"kills","n":42,"rows":1890,"ended":{"went on":42}}
//! ```
//! A line is printed when all checks behind it have passed. Lines of one `what` are added up; `rows` are rows of which each
//! was found exactly once, `ended` says how often which way, `seeds` which random numbers it had.

#![allow(dead_code, reason = "each crate takes what it needs")]

use serde_json::{Value, json};

/// How many times more than in an ordinary run of the tests; the campaign sets it.
pub(crate) fn scale() -> u64 {
    std::env::var("OGNIVO_CAMPAIGN_SCALE").map_or(1, |scale| scale.parse().expect("OGNIVO_CAMPAIGN_SCALE is a number"))
}

/// Tells that `n` times `what` was tried; `more` are the other fields.
pub(crate) fn tell(what: &str, unit: &str, n: usize, more: Value) {
    let mut told = json!({"package": env!("CARGO_PKG_NAME"), "module": module(), "what": what, "unit": unit, "n": n});
    told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    println!("campaign: {told}");
}

/// The module of the test that runs: its thread bears the test's name, `campaign::<module>::<name>`.
fn module() -> String {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    name.split("::").nth(1).unwrap_or_default().to_owned()
}
