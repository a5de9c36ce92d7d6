//! Jobs from topics and into topics and tables: what is right, and what is wrong with one that is not.

use expect_test::{Expect, expect};

use super::job_files::{changed, check_text};

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

/// Changes the job, and compares what `validate` prints.
#[track_caller]
fn check(changes: &[(&str, &str)], expected: Expect) {
    check_text(&changed(JOB, changes), expected);
}

/// The job that writes into a table.
fn into_table(changes: &[(&str, &str)]) -> String {
    let begin = JOB.find("  writeStream:").unwrap();
    let end = JOB.find("  deadLetter:").unwrap();
    changed(&format!("{}{TABLE}{}", &JOB[..begin], &JOB[end..]), changes)
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
fn the_jobs_that_the_page_about_topics_shows_are_right() {
    let page = include_str!("../../../../../docs/how-to/stream-between-topics.md");
    let blocks = page.split("```yaml\n").skip(1).map(|after| after.split_once("```").unwrap().0);
    let (jobs, parts): (Vec<&str>, Vec<&str>) = blocks.partition(|block| block.starts_with("version: 1"));
    assert_eq!((jobs.len(), parts.len()), (2, 1));
    let ok = || {
        expect![[r#"
            ok
        "#]]
    };
    jobs.iter().for_each(|job| check_text(job, ok()));
    let value = parts[0].trim().strip_prefix("value: ").unwrap();
    let avsc = avsc(r#""long""#);
    check_avro(&value.replace(r#""${file:loan.avsc}""#, &avsc), ok());
}

#[test]
fn a_promise_that_the_route_cannot_keep_is_refused() {
    check(
        &[("delivery: exactlyOnce", "delivery: exactlyOnce\n    checkpointLocation: checkpoints/loans")],
        expect![[r#"
            loans.yaml:15:15: from topic to topic the progress is committed in the consumer group with the rows: checkpointLocation
              hint: leave checkpointLocation out; or go by it, as Spark does, with `delivery: atLeastOnce`
        "#]],
    );
    check(
        &[("{format: kafka, options: {topic: loans.bad}}", "{format: json, path: dead}")],
        expect![[r#"
            loans.yaml:15:15: dead letters outside the cluster are not in the transaction of the rows: exactlyOnce
              hint: send them to a topic: `deadLetter: {format: kafka, options: {topic: …}}`
        "#]],
    );
    check(
        &[(r#"servers: "127.0.0.1:9092", topic"#, r#"servers: "127.0.0.1:9093", topic"#)],
        expect![[r#"
            loans.yaml:15:15: a transaction spans one cluster, and this stream reads from another: exactlyOnce
              hint: say `delivery: atLeastOnce`, and name a checkpointLocation
        "#]],
    );
    check(
        &[("delivery: exactlyOnce", "delivery: atLeastOnce")],
        expect![[r#"
        ok
    "#]],
    );
}

#[test]
fn a_secret_that_stands_in_the_job_is_refused_and_not_shown() {
    let login = "subscribe: loans, kafka.sasl.mechanism: PLAIN, kafka.sasl.username: u, kafka.sasl.password: hunter2";
    check(
        &[("subscribe: loans", login)],
        expect![[r#"
        loans.yaml:6:129: a secret must not stand in the job: kafka.sasl.password
          hint: keep it in a file and write `${file:secrets/…}`, or `${env:NAME}` with --allow-env
    "#]],
    );
    let jaas =
        "topic: loans.scored, kafka.sasl.jaas.config: 'PlainLoginModule required username=\"u\" password=\"hunter2\";'";
    check(
        &[("topic: loans.scored", jaas)],
        expect![[r#"
        loans.yaml:12:79: a secret must not stand in the job: kafka.sasl.jaas.config
          hint: keep it in a file and write `${file:secrets/…}`, or `${env:NAME}` with --allow-env
    "#]],
    );
}

#[test]
fn rows_that_would_go_back_to_where_they_came_from_are_refused() {
    check(
        &[(", topic: loans.scored", "")],
        expect![[r#"
        loans.yaml:12:14: the stream would read what it writes: without the option `topic` a row goes to the topic of its column `topic`, and that is the one it was read from
          hint: give the option `topic`, or a column `topic` in `value.schema`
    "#]],
    );
    // The value has an offset of its own, and no topic.
    check(
        &[(", topic: loans.scored", ""), ("term STRING", "offset BIGINT")],
        expect![[r#"
        loans.yaml:12:14: the stream would read what it writes: without the option `topic` a row goes to the topic of its column `topic`, and that is the one it was read from
          hint: give the option `topic`, or a column `topic` in `value.schema`
    "#]],
    );
    let of_the_value = [(", topic: loans.scored", ""), ("term STRING", "topic STRING"), ("[id, ", "[id, topic, ")];
    check(
        &of_the_value,
        expect![[r#"
        ok
    "#]],
    );
}

#[test]
fn a_column_may_say_which_partition_a_record_goes_to() {
    let partition = ("    key: id\n", "    key: id\n    partition: part\n");
    check(
        &[partition, ("[id, ", "[id, part, "), ("term STRING", "part INT")],
        expect![[r#"
        ok
    "#]],
    );
    check(
        &[partition, ("term STRING", "part INT")],
        expect![[r#"
        loans.yaml:14:16: `partition` names a column that is not selected: part
          hint: add it to `select`
    "#]],
    );
}

#[test]
fn a_key_that_the_other_end_does_not_take_is_told() {
    check(
        &[("    key: id\n", "    path: output\n    partitionBy: [id]\n    columns: {a: id}\n")],
        expect![[r#"
        loans.yaml:13:5: a sink of kafka does not take the key: path
        loans.yaml:14:5: a sink of kafka does not take the key: partitionBy
        loans.yaml:15:5: a sink of kafka does not take the key: columns
    "#]],
    );
    check(
        &[(
            "    value: {format: json, schema: \"id BIGINT, amount DOUBLE, term STRING\"}\n",
            "    path: in\n    schema: id INT\n",
        )],
        expect![[r#"
            loans.yaml:5:5: a source of kafka lacks the key: value
              hint: add `value: {format: json, schema: …}`
            loans.yaml:7:5: a source of kafka does not take the key: path
            loans.yaml:8:5: a source of kafka does not take the key: schema
              hint: the columns of a record's value stand in `value.schema`
        "#]],
    );
    check_text(
        &into_table(&[("    columns:", "    key: id\n    delivery: exactlyOnce\n    columns:")]),
        expect![[r#"
        loans.yaml:13:5: a sink of cassandra does not take the key: key
        loans.yaml:14:5: a sink of cassandra does not take the key: delivery
    "#]],
    );
}

#[test]
fn options_of_topics_and_tables_are_checked_by_their_own_names() {
    check(
        &[("startingOffsets", "startingOffset")],
        expect![[r#"
        loans.yaml:6:76: a stream of kafka has no option of this name: startingOffset
          hint: did you mean `startingOffsets`?
    "#]],
    );
    check(
        &[("subscribe: loans", "subscribe: loans, kafka.group.id: mine")],
        expect![[r#"
        ok
    "#]],
    );
    check(
        &[("subscribe: loans, ", "")],
        expect![[r#"
        loans.yaml:6:14: option `subscribe` is missing: it, subscribePattern or assign says what is read
    "#]],
    );
    check(
        &[("value: {format: json}", "value: {format: json, options: {dateFromat: yyyy}}")],
        expect![[r#"
        loans.yaml:14:37: json has no option of this name: dateFromat
          hint: did you mean `dateFormat`?
    "#]],
    );
    check_text(
        &into_table(&[("keyspace: loans, ", "")]),
        expect![[r#"
        loans.yaml:12:14: option `keyspace` is missing
          hint: give the keyspace of the table
    "#]],
    );
    check_text(
        &into_table(&[("table: scored", "table: scored, output.consistency.levl: ONE")]),
        expect![[r#"
        loans.yaml:12:91: cassandra has no option of this name: output.consistency.levl
          hint: did you mean `spark.cassandra.output.consistency.level`?
    "#]],
    );
}

#[test]
fn dead_letters_into_a_topic_must_be_told_which() {
    check(
        &[("deadLetter: {format: kafka, options: {topic: loans.bad}}", "deadLetter: {format: kafka}")],
        expect![[r#"
            loans.yaml:16:15: option `topic` is missing: it says where dead letters go
              hint: add it: `deadLetter: {format: kafka, options: {topic: …}}`
        "#]],
    );
    check(
        &[("options: {topic: loans.bad}", "options: {kafka.linger.ms: 5}")],
        expect![[r#"
            loans.yaml:16:40: option `topic` is missing: it says where dead letters go
              hint: add it: `deadLetter: {format: kafka, options: {topic: …}}`
        "#]],
    );
}

#[test]
fn a_stream_that_would_read_what_it_writes_is_refused() {
    check(
        &[("topic: loans.scored", "topic: loans")],
        expect![[r#"
        loans.yaml:12:58: the stream would read what it writes: loans
          hint: give it a topic that the source does not take
    "#]],
    );
    check(
        &[("subscribe: loans,", "subscribePattern: 'loans.*',")],
        expect![[r#"
        loans.yaml:12:58: the stream would read what it writes: loans.scored
          hint: give it a topic that the source does not take
        loans.yaml:16:41: the stream would read what it writes: loans.bad
          hint: give it a topic that the source does not take
    "#]],
    );
}

#[test]
fn columns_that_are_written_must_be_selected() {
    check(
        &[("key: id", "key: amount")],
        expect![[r#"
        loans.yaml:13:10: `key` names a column that is not selected: amount
          hint: add it to `select`
    "#]],
    );
    check_text(
        &into_table(&[("loan_id: id", "loan_id: amount")]),
        expect![[r#"
        loans.yaml:13:14: `columns` names a column that is not selected: amount
          hint: add it to `select`
    "#]],
    );
}

#[test]
fn a_key_that_the_job_names_must_be_fed() {
    check_text(
        &into_table(&[("table: scored", "table: scored, partitionKey: loan_id, clusteringKey: 'offset, uid'")]),
        expect![[r#"
        loans.yaml:12:114: `clusteringKey` names a column that nothing feeds: uid
          hint: add it to `select`, or pair it with one of ours under `columns`
    "#]],
    );
}

/// A schema of Avro with one field, in the quotes of a job file.
fn avsc(field: &str) -> String {
    format!(r#"'{{"type":"record","name":"Loan","fields":[{{"name":"id","type":{field}}}]}}'"#)
}

/// The job with this for the value that is read, and the column that is there then.
#[track_caller]
fn check_avro(value: &str, expected: Expect) {
    let json = r#"{format: json, schema: "id BIGINT, amount DOUBLE, term STRING"}"#;
    check(&[(json, value)], expected);
}

#[test]
fn avro_needs_a_schema_of_the_job_or_a_registry_and_nobody_is_asked() {
    let ok = || {
        expect![[r#"
            ok
        "#]]
    };
    let registry = r#"options: {schema.registry.url: "http://127.0.0.1:1"}"#;
    check_avro(&format!("{{format: avro, options: {{avroSchema: {}}}}}", avsc(r#""long""#)), ok());
    check_avro(&format!("{{format: avro, schema: id BIGINT, {registry}}}"), ok());
    let both = registry.replace("{", &format!("{{avroSchema: {}, ", avsc(r#""long""#)));
    check_avro(&format!("{{format: avro, {both}}}"), ok());
    check(&[("    value: {format: json}\n", &format!("    value: {{format: avro, {registry}}}\n"))], ok());
    check(&[("    value: {format: json}\n", "    value: {format: avro}\n")], ok());
    check_avro(
        "{format: avro, schema: id BIGINT}",
        expect![[r#"
            loans.yaml:7:35: option `avroSchema` is missing: it says what the bytes of a record mean
              hint: give its JSON (`${file:loan.avsc}` reads it from a file), or a `schema.registry.url` where records name theirs
        "#]],
    );
    check_avro(
        &format!("{{format: avro, {registry}}}"),
        expect![[r#"
            loans.yaml:7:12: `value` lacks the key: schema
              hint: name the columns that are wanted, or give an `avroSchema`
        "#]],
    );
    check_avro(
        "{format: json}",
        expect![[r#"
            loans.yaml:7:12: `value` lacks the key: schema
        "#]],
    );
}

#[test]
fn what_an_avro_schema_does_not_give_is_told() {
    check_avro(
        &format!("{{format: avro, schema: id INT, options: {{avroSchema: {}}}}}", avsc(r#""long""#)),
        expect![[r#"
            loans.yaml:7:35: column `id` of type int does not go with Avro's long
              hint: name the column with the type of the field, or leave it out
        "#]],
    );
    check_avro(
        &format!("{{format: avro, schema: amount DOUBLE, options: {{avroSchema: {}}}}}", avsc(r#""long""#)),
        expect![[r#"
            loans.yaml:7:35: column `amount` is not among the fields of the Avro schema: id
        "#]],
    );
    check_avro(
        &format!("{{format: avro, options: {{avroSchema: {}}}}}", avsc(r#"["int","string"]"#)),
        expect![[r#"
            loans.yaml:7:37: there is no column for the Avro field `id`: union of int, string
              hint: name the columns that are wanted in `schema`, without this one
        "#]],
    );
    check_avro(
        &format!("{{format: avro, options: {{avroSchema: {}}}}}", avsc(r#"{"type":"map","values":"int"}"#)),
        expect![[r#"
            loans.yaml:7:12: column `id` cannot be read from Avro: map<string,int>
              hint: name the wanted columns in `schema`, without this one
        "#]],
    );
    check_avro(
        "{format: avro, schema: id BIGINT, options: {avroSchema: id BIGINT}}",
        expect![[r#"
            loans.yaml:7:56: option `avroSchema`: not an Avro schema: expected value at line 1 column 1
        "#]],
    );
    check_avro(
        r#"{format: avro, schema: id BIGINT, options: {schema.registry.uri: "http://127.0.0.1:1"}}"#,
        expect![[r#"
            loans.yaml:7:56: avro has no option of this name: schema.registry.uri
              hint: did you mean `schema.registry.url`?
        "#]],
    );
}

#[test]
fn rows_of_a_registry_need_a_topic_that_names_their_subject() {
    let registry = r#"options: {schema.registry.url: "http://127.0.0.1:1"}"#;
    check(
        &[
            (", topic: loans.scored", ""),
            ("    value: {format: json}\n", &format!("    value: {{format: avro, {registry}}}\n")),
        ],
        expect![[r#"
            loans.yaml:12:14: the stream would read what it writes: without the option `topic` a row goes to the topic of its column `topic`, and that is the one it was read from
              hint: give the option `topic`, or a column `topic` in `value.schema`
            loans.yaml:14:37: a schema registry keeps the schema of the rows under the name of their topic, and none is given
              hint: give the option `topic`, or leave the schema registry out
        "#]],
    );
}
