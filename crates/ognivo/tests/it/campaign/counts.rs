//! What a test of the campaign tried, told in a line that `cargo xtask campaign` reads and adds up.
//!
//! ```text
//! campaign: {"what":"…","unit":"kills","n":42,"rows":1890,"ended":{"refused":3,"went on":39},"seeds":"17"}
//! ```
//! A line is printed when all checks behind it have passed. Lines of one `what` are added up; `rows` are rows of which each
//! was found exactly once, `ended` says how often which way.

use serde_json::{Value, json};

/// How many times more than in an ordinary run of the tests; the campaign sets it.
pub(crate) fn scale() -> u64 {
    std::env::var("OGNIVO_CAMPAIGN_SCALE").map_or(1, |scale| scale.parse().expect("OGNIVO_CAMPAIGN_SCALE is a number"))
}

/// Tells that `n` times `what` was tried; `more` are the other fields.
pub(crate) fn tell(what: &str, unit: &str, n: usize, more: Value) {
    let mut told = json!({"what": what, "unit": unit, "n": n});
    told.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    println!("campaign: {told}");
}
