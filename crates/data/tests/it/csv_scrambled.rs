//! Lines that no writer of CSV makes, read as real Sparks read them: the cases of `fixtures/spark/csv_scrambled.py`.

use crate::cases::check_all;
use crate::csv_like_spark::format;

/// Cases in which 3.5 differs from 4.3, whom we follow: their lines end in CR, and 3.5 leaves that in the text of
/// corrupt records.
const DIFFERENT_3_5: &[(&str, &str)] = &[
    ("scrambled multiLine {} 2", "CR at the end of corrupt records"),
    ("scrambled multiLine {\"escape\": \"\\\"\"} 2", "the same"),
    ("scrambled multiLine {\"comment\": \"a\"} 2", "the same"),
    ("scrambled multiLine {\"quote\": \"a\"} 2", "the same"),
    ("scrambled multiLine {\"ignoreTrailingWhiteSpace\": \"true\", \"emptyValue\": \"E\"} 2", "the same"),
];

#[test]
fn spark_3_5_and_we_read_the_same() {
    check("3.5", DIFFERENT_3_5);
}

#[test]
fn spark_4_3_and_we_read_the_same() {
    check("4.3", &[]);
}

fn check(line: &str, different: &[(&str, &str)]) {
    let whole = |_: &str, options: &serde_json::Value| options.get("multiLine").is_some();
    check_all(line, "csv_scrambled", different, &whole, &format);
}
