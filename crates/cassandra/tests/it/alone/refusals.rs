//! What cannot work is said before the first row, in words that tell what to do; a row that cannot be written is a refused row.

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use arrow_schema::{Field, Schema};
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_stream::sink::{Sink, SinkError};

use crate::place::{Place, plan, write};
use crate::run;

fn rows(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, column)| column).collect())
        .unwrap()
}

fn ints(values: Vec<Option<i32>>) -> ArrayRef {
    Arc::new(Int32Array::from(values))
}

fn texts(values: Vec<&str>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

fn scored() -> RecordBatch {
    rows(vec![("id", ints(vec![Some(1)])), ("prediction", Arc::new(Float64Array::from(vec![0.5])))])
}

/// What is said of a sink with these options and columns.
async fn said(
    place: &Place,
    table: &str,
    options: &[(&str, &str)],
    columns: &[(&str, &str)],
    rows: &RecordBatch,
) -> SinkError {
    let mut sink = place.sink(table, options, columns);
    write(&mut sink, &plan(0), rows).await.expect_err("it is refused")
}

#[track_caller]
fn check(error: &SinkError, message: &str, hint: Option<&str>) {
    assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (message, hint));
    assert_eq!((error.fault(), error.retry()), (Fault::Job, Retry::Never), "{error}");
}

#[test]
fn a_wrong_password_and_a_missing_one_are_told_from_a_server_that_is_not_there() {
    run(async {
        let place = Place::new("refusals_login", 1).await;
        place.cql("CREATE TABLE KS.t (id int PRIMARY KEY, prediction double)").await;
        let at = crate::server::contact_point();
        let error = said(&place, "t", &[("spark.cassandra.auth.password", "wrong")], &[], &scored()).await;
        let message = "Provided username cassandra and/or password are incorrect";
        check(
            &error,
            &format!("cassandra at {at} does not let us in: {message}"),
            Some("see `spark.cassandra.auth.username` and `spark.cassandra.auth.password`"),
        );
        let mut options = place.options("t", &[]);
        options.retain(|(name, _)| !name.contains("auth"));
        let config = ognivo_cassandra::CassandraConfig::parse(&options, &[]).unwrap();
        let clock = Arc::new(ognivo_stream::clock::SystemClock);
        let mut sink = ognivo_cassandra::CassandraSink::new(config, "query".to_owned(), clock);
        let error = sink.prepare(&scored().schema()).await.unwrap_err();
        check(
            &error,
            &format!("cassandra at {at} does not let us in: it wants a role and a password"),
            Some("give `spark.cassandra.auth.username` and `spark.cassandra.auth.password`"),
        );
        let error = said(&place, "t", &[("spark.cassandra.connection.host", "127.0.0.1:1")], &[], &scored()).await;
        assert_eq!((error.fault(), error.retry()), (Fault::Remote, Retry::Backoff));
        assert!(
            error.to_string().starts_with("cannot connect to cassandra at 127.0.0.1:1: Connection refused"),
            "{error}"
        );
    });
}

#[test]
fn a_client_with_tls_at_a_server_without_is_told_so() {
    run(async {
        let place = Place::new("refusals_tls", 1).await;
        let error = said(&place, "t", &[("spark.cassandra.connection.ssl.enabled", "true")], &[], &scored()).await;
        assert!(error.to_string().starts_with("cannot connect to cassandra at"), "{error}");
        let hint = "does it speak TLS at all? see `spark.cassandra.connection.ssl.enabled`";
        assert_eq!(error.hint().as_deref(), Some(hint), "{error}");
    });
}

#[test]
fn a_name_that_is_not_there_is_told_with_the_nearest() {
    run(async {
        let place = Place::new("refusals_names", 1).await;
        place.cql("CREATE TABLE KS.scored (id int PRIMARY KEY, prediction double)").await;
        place
            .cql("CREATE MATERIALIZED VIEW KS.seen AS SELECT * FROM KS.scored WHERE id IS NOT NULL PRIMARY KEY (id)")
            .await;
        let error = said(&place, "scored", &[("keyspace", "refusals_name")], &[], &scored()).await;
        check(&error, "there is no keyspace of this name: refusals_name", Some("did you mean `refusals_names`?"));
        let error = said(&place, "scord", &[], &[], &scored()).await;
        check(&error, "there is no table of this name: refusals_names.scord", Some("did you mean `scored`?"));
        let error = said(&place, "seen", &[], &[], &scored()).await;
        check(&error, "this is a view, which is written through its table: refusals_names.seen", None);
        let error = said(&place, "scored", &[("progressTable", "progress")], &[], &scored()).await;
        check(
            &error,
            "there is no table of this name: refusals_names.progress",
            Some("`ognivo stream --create-table` tells which one would fit"),
        );
        let error = said(&place, "scored", &[("connection.localDC", "mars")], &[], &scored()).await;
        check(
            &error,
            "there is no data centre `mars`; the cluster has: datacenter1",
            Some("see `spark.cassandra.connection.localDC`"),
        );
    });
}

#[test]
fn columns_that_do_not_fit_are_told_with_both_types() {
    run(async {
        let place = Place::new("refusals_columns", 1).await;
        place.cql("CREATE TABLE KS.t (id int PRIMARY KEY, prediction float)").await;
        place.cql("CREATE TABLE KS.u (uid uuid PRIMARY KEY, id int, prediction double)").await;
        place.cql("CREATE TABLE KS.c (id int PRIMARY KEY, n counter)").await;
        check(
            &said(&place, "t", &[], &[], &scored()).await,
            "column `prediction` of refusals_columns.t is float, which cannot hold `prediction`: double",
            Some("a column of type double can hold it"),
        );
        check(
            &said(&place, "t", &[], &[("id", "id"), ("score", "prediction")], &scored()).await,
            "table refusals_columns.t has no column for: score",
            Some(
                "`select` leaves columns out, `columns` pairs columns of the table with ours; \
                 it has: id int, prediction float",
            ),
        );
        check(
            &said(&place, "u", &[], &[], &scored()).await,
            "nothing feeds the key of refusals_columns.u: uid",
            Some("pair it with one of ours under `columns`; the rows have: id, prediction"),
        );
        check(
            &said(&place, "c", &[], &[("id", "id")], &scored()).await,
            "table refusals_columns.c counts, and a row that is written again would count twice; its counter: n",
            Some("write into a table without counters"),
        );
    });
}

#[test]
fn a_role_without_rights_stops_at_the_first_row() {
    run(async {
        let place = Place::new("refusals_rights", 1).await;
        place.cql("CREATE TABLE KS.t (id int PRIMARY KEY, prediction double)").await;
        place.cql("CREATE ROLE IF NOT EXISTS reader WITH PASSWORD = 'reading' AND LOGIN = true").await;
        place.cql("GRANT SELECT ON KEYSPACE KS TO reader").await;
        let as_reader = [("spark.cassandra.auth.username", "reader"), ("spark.cassandra.auth.password", "reading")];
        check(
            &said(&place, "t", &as_reader, &[], &scored()).await,
            "no right to write into refusals_rights.t: User reader has no MODIFY permission on \
             <table refusals_rights.t> or any of its parents",
            Some("GRANT MODIFY ON \"refusals_rights\".\"t\" TO the role of the job"),
        );
        place.cql("DROP ROLE reader").await;
    });
}

#[test]
fn a_row_that_cannot_be_written_is_refused_and_the_others_are_written() {
    run(async {
        let place = Place::new("refusals_rows", 1).await;
        place.cql("CREATE TABLE KS.t (id text PRIMARY KEY, address inet, note text)").await;
        let large = "x".repeat(3 << 20);
        let long_key = "k".repeat(70_000);
        let rows = rows(vec![
            ("id", texts(vec!["a", "", "c", "d", &long_key, "f"])),
            ("address", texts(vec!["10.0.0.1", "10.0.0.1", "nowhere", "10.0.0.1", "10.0.0.1", "::1"])),
            ("note", texts(vec!["", "", "", &large, "", ""])),
        ]);
        let (written, refused) = write(&mut place.sink("t", &[], &[]), &plan(0), &rows).await.unwrap();
        assert_eq!((written.n_scored, place.rows("SELECT id FROM KS.t").await.len()), (2, 2));
        let told: Vec<_> =
            refused.iter().map(|row| (row.row_idx, row.column.as_deref(), row.message.as_str())).collect();
        let [empty, address, too_large, long] = told[..] else { panic!("four rows are refused: {told:?}") };
        assert_eq!(empty, (1, None, "Key may not be empty"));
        assert_eq!(address, (2, Some("address"), "not an address: nowhere"));
        assert_eq!((too_large.0, long.0), (3, 4));
        assert!(too_large.2.starts_with("Rejected an oversized mutation (3145798/2097152)"), "{}", too_large.2);
        assert!(long.2.contains("65535") || long.2.contains("65,535") || long.2.contains("too long"), "{}", long.2);
    });
}

#[test]
fn a_null_in_the_key_is_refused_and_a_vector_of_another_size_too() {
    run(async {
        let place = Place::new("refusals_keys", 1).await;
        place.cql("CREATE TABLE KS.t (id int PRIMARY KEY)").await;
        let rows = rows(vec![("id", ints(vec![None, Some(2)]))]);
        let (written, refused) = write(&mut place.sink("t", &[], &[]), &plan(0), &rows).await.unwrap();
        assert_eq!(written.n_scored, 1);
        assert_eq!((refused[0].row_idx, refused[0].message.as_str()), (0, "a key cannot be null"));
    });
}

#[test]
fn a_new_column_is_no_trouble_and_a_dropped_one_stops_the_job() {
    run(async {
        let place = Place::new("refusals_change", 1).await;
        place.cql("CREATE TABLE KS.t (id int PRIMARY KEY, prediction double)").await;
        let mut sink = place.sink("t", &[], &[]);
        sink.prepare(&scored().schema()).await.unwrap();
        let mut writer = sink.begin(&plan(0)).await.unwrap();
        let lane = ognivo_stream::sink::Lane::Scored;
        writer.write(lane, scored()).await.unwrap();
        place.cql("ALTER TABLE KS.t ADD note text").await;
        writer.write(lane, scored()).await.unwrap();
        place.cql("ALTER TABLE KS.t DROP prediction").await;
        let error = writer.write(lane, scored()).await.unwrap_err();
        check(
            &error,
            "table refusals_change.t does not take the statement: Undefined column name prediction in table refusals_change.t",
            Some("was the table changed? the job starts again when its columns are there"),
        );
        place.cql("DROP TABLE KS.t").await;
        let error = writer.write(lane, scored()).await.unwrap_err();
        assert_eq!((error.fault(), error.retry()), (Fault::Job, Retry::Never), "{error}");
    });
}

#[test]
fn a_table_that_refuses_everything_stops_the_job() {
    run(async {
        let place = Place::new("refusals_all", 1).await;
        place.cql("CREATE TABLE KS.t (id text PRIMARY KEY)").await;
        let rows = rows(vec![("id", texts(vec![""; 200]))]);
        let error = said(&place, "t", &[], &[], &rows).await;
        check(
            &error,
            "table refusals_all.t refuses every row of 200: Key may not be empty",
            Some("look at the server's guardrails"),
        );
    });
}

#[test]
fn no_row_waits_longer_than_its_deadline_for_a_cluster_that_cannot_take_it() {
    run(async {
        let place = Place::new("refusals_deadline", 3).await;
        place.cql("CREATE TABLE KS.t (id int PRIMARY KEY, prediction double)").await;
        let clock = Arc::new(ognivo_stream::clock::ManualClock::jumping(0));
        let config = place.config("t", &[("read.timeoutMS", "5000")], &[]);
        let mut sink = ognivo_cassandra::CassandraSink::new(config, "query".to_owned(), clock.clone());
        let error = write(&mut sink, &plan(0), &scored()).await.unwrap_err();
        assert_eq!((error.fault(), error.retry()), (Fault::Remote, Retry::Backoff));
        assert!(error.to_string().starts_with("cannot write into refusals_deadline.t, tried "), "{error}");
        assert!(error.to_string().ends_with("Cannot achieve consistency level LOCAL_QUORUM"), "{error}");
        let waited = ognivo_stream::clock::Clock::now_ms(clock.as_ref());
        assert!(waited <= Duration::from_secs(60).as_millis() as i64, "{waited} ms");
    });
}
