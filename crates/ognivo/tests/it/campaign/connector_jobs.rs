//! Jobs from topics and into topics and tables: what is right, and what is wrong with one that is not.

use expect_test::{Expect, expect};

use super::job_files::check_text;

const JOB: &str = r#"version: 1
name: loans
stream:
  readStream:
    format: kafka
    options: {kafka.bootstrap.servers: "127.0.0.1:9092", subscribe: loans, startingOffsets: earliest}
    value: {format: json, schema: "id BIGINT, amount DOUBLE, term STRING"}
  model: models/loans
  select: [id, prediction]
  writeStream:
    format: kafka
    options: {kafka.bootstrap.servers: "127.0.0.1:9092", topic: loans.scored}
    key: id
    value: {format: json}
    delivery: exactlyOnce
  deadLetter: {format: kafka, options: {topic: loans.bad}}
"#;

const TABLE: &str = r#"  writeStream:
    format: cassandra
    options: {spark.cassandra.connection.host: 127.0.0.1, keyspace: loans, table: scored}
    columns: {loan_id: id, prediction: prediction}
    checkpointLocation: checkpoints/loans
"#;

/// The job with `from` changed to `to`, once each.
#[track_caller]
fn check(changes: &[(&str, &str)], expected: Expect) {
    let mut job = JOB.to_owned();
    for (from, to) in changes {
        assert_eq!(job.matches(from).count(), 1, "{from}");
        job = job.replace(from, to);
    }
    check_text(&job, expected);
}

/// The job that writes into a table.
fn into_table(changes: &[(&str, &str)]) -> String {
    let begin = JOB.find("  writeStream:").unwrap();
    let end = JOB.find("  deadLetter:").unwrap();
    let mut job = format!("{}{TABLE}{}", &JOB[..begin], &JOB[end..]);
    for (from, to) in changes {
        assert_eq!(job.matches(from).count(), 1, "{from}");
        job = job.replace(from, to);
    }
    job
}

#[test]
fn a_job_between_topics_or_into_a_table_that_is_right_has_no_complaint() {
    let ok = || {
        expect![[r#"
            ok
        "#]]
    };
    check(&[], ok());
    check(&[("    delivery: exactlyOnce\n", "")], ok());
    check(&[("  deadLetter: {format: kafka, options: {topic: loans.bad}}\n", "")], ok());
    check(&[("delivery: exactlyOnce", "delivery: atLeastOnce\n    checkpointLocation: checkpoints/loans")], ok());
    check_text(&into_table(&[]), ok());
    check_text(&into_table(&[("{format: kafka, options: {topic: loans.bad}}", "{format: json, path: dead}")]), ok());
}

#[test]
fn a_promise_that_the_route_cannot_keep_is_refused() {
    check(&[("delivery: exactlyOnce", "delivery: exactlyOnce\n    checkpointLocation: checkpoints/loans")], expect![[]]);
    check(&[("{format: kafka, options: {topic: loans.bad}}", "{format: json, path: dead}")], expect![[]]);
    check(&[(r#"servers: "127.0.0.1:9092", topic"#, r#"servers: "127.0.0.1:9093", topic"#)], expect![[]]);
    check(&[("delivery: exactlyOnce", "delivery: atLeastOnce")], expect![[]]);
}

#[test]
fn a_key_that_the_other_end_does_not_take_is_told() {
    check(&[("    key: id\n", "    path: output\n    partitionBy: [id]\n    columns: {a: id}\n")], expect![[]]);
    check(&[("    value: {format: json, schema: \"id BIGINT, amount DOUBLE, term STRING\"}\n", "    path: in\n    schema: id INT\n")], expect![[]]);
    check_text(&into_table(&[("    columns:", "    key: id\n    delivery: exactlyOnce\n    columns:")]), expect![[]]);
}

#[test]
fn options_of_topics_and_tables_are_checked_by_their_own_names() {
    check(&[("startingOffsets", "startingOffset")], expect![[]]);
    check(&[("subscribe: loans", "subscribe: loans, kafka.group.id: mine")], expect![[]]);
    check(&[("subscribe: loans, ", "")], expect![[]]);
    check(&[("value: {format: json}", "value: {format: json, options: {dateFromat: yyyy}}")], expect![[]]);
    check_text(&into_table(&[("keyspace: loans, ", "")]), expect![[]]);
    check_text(&into_table(&[("table: scored", "table: scored, output.consistency.levl: ONE")]), expect![[]]);
}

#[test]
fn columns_that_are_written_must_be_selected() {
    check(&[("key: id", "key: amount")], expect![[]]);
    check_text(&into_table(&[("loan_id: id", "loan_id: amount")]), expect![[]]);
}

#[test]
fn what_this_version_cannot_do_is_told() {
    check(&[("value: {format: json, schema", "value: {format: avro, schema")], expect![[]]);
    check(&[("    value: {format: json}\n", "    value: {format: avro}\n")], expect![[]]);
}
