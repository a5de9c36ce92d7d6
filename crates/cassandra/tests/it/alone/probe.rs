//! What `ognivo doctor` is told of a cluster.

use arrow_schema::{DataType, Field, Schema};
use ognivo_stream::clock::{Clock as _, ManualClock, SystemClock};
use ognivo_stream::probe::{Check, Found};

use crate::place::Place;
use crate::run;

async fn told(place: &Place, table: &str, more: &[(&str, &str)]) -> Vec<(String, bool, String)> {
    let schema =
        Schema::new(vec![Field::new("id", DataType::Int32, false), Field::new("score", DataType::Float64, true)]);
    let checks = ognivo_cassandra::probe(&place.config(table, more, &[]), Some(&schema), &SystemClock).await;
    checks
        .into_iter()
        .map(|check| {
            let is_failed = check.is_failed();
            let Check { what, found } = check;
            let text = match found {
                Found::Fine { text } | Found::Warning { text, .. } | Found::Failed { text, .. } => text,
            };
            (what, is_failed, text)
        })
        .collect()
}

#[test]
fn a_table_that_fits_passes_every_check() {
    run(async {
        let place = Place::new("probe_fits", 1).await;
        place.cql("CREATE TABLE KS.t (id int PRIMARY KEY, score double)").await;
        let told = told(&place, "t", &[]).await;
        let lines: Vec<String> = told.iter().map(|(what, _, text)| format!("{what}: {text}")).collect();
        assert_eq!(
            lines,
            [
                format!(
                    "cassandra {}: 1 servers in datacenter1, 1 of them reached; not encrypted; as cassandra",
                    crate::server::contact_point()
                ),
                "table probe_fits.t: id from id, score from score".to_owned(),
                "right to write into probe_fits.t: cassandra is a superuser".to_owned(),
                "consistency LOCAL_QUORUM now: enough replicas answer".to_owned(),
                "clocks: the server's and ours agree".to_owned(),
            ]
        );
        assert!(told.iter().all(|(_, is_failed, _)| !is_failed));
    });
}

#[test]
fn a_clock_that_is_far_from_the_servers_is_warned_of() {
    run(async {
        let place = Place::new("probe_clock", 1).await;
        place.cql("CREATE TABLE KS.t (id int PRIMARY KEY, score double)").await;
        let ten_minutes_ago = ManualClock::jumping(SystemClock.now_ms() - 600_000);
        let checks = ognivo_cassandra::probe(&place.config("t", &[], &[]), None, &ten_minutes_ago).await;
        let clocks = checks.iter().find(|check| check.what == "clocks").unwrap();
        let Found::Warning { text, hint } = &clocks.found else { panic!("{clocks:?}") };
        let apart_ms: i64 = text
            .strip_prefix("the server's is ")
            .and_then(|text| text.strip_suffix(" ms from ours"))
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("{text}"));
        assert!((600_000..900_000).contains(&apart_ms), "{apart_ms}");
        assert!(hint.as_ref().is_some_and(|hint| hint.contains("win or lose by it")), "{hint:?}");
    });
}

#[test]
fn a_role_that_may_only_read_and_a_column_that_is_not_there_fail_their_checks() {
    run(async {
        let place = Place::new("probe_fails", 1).await;
        place.cql("CREATE TABLE KS.t (id int PRIMARY KEY, score double)").await;
        place.cql("CREATE TABLE KS.u (id int PRIMARY KEY)").await;
        place.cql("CREATE ROLE IF NOT EXISTS looker WITH PASSWORD = 'looking' AND LOGIN = true").await;
        place.cql("GRANT SELECT ON KEYSPACE KS TO looker").await;
        let as_looker = [("spark.cassandra.auth.username", "looker"), ("spark.cassandra.auth.password", "looking")];
        let failed = |told: Vec<(String, bool, String)>| -> Vec<String> {
            told.into_iter()
                .filter(|(_, is_failed, _)| *is_failed)
                .map(|(what, _, text)| format!("{what}: {text}"))
                .collect()
        };
        assert_eq!(
            failed(told(&place, "t", &as_looker).await),
            ["right to write into probe_fails.t: looker has no MODIFY"]
        );
        place.cql("GRANT MODIFY ON KS.t TO looker").await;
        assert!(failed(told(&place, "t", &as_looker).await).is_empty());
        assert_eq!(
            failed(told(&place, "u", &[]).await),
            ["table probe_fails.u: table probe_fails.u has no column for: score"]
        );
        place.cql("DROP ROLE looker").await;
        let refused = told(&place, "t", &[("spark.cassandra.auth.password", "wrong")]).await;
        assert!(refused.len() == 1 && refused[0].1, "nothing is asked after the login failed: {refused:?}");
    });
}

#[test]
fn a_consistency_that_cannot_be_had_now_fails_its_check() {
    run(async {
        let place = Place::new("probe_replicas", 3).await;
        place.cql("CREATE TABLE KS.t (id int PRIMARY KEY, score double)").await;
        let told = told(&place, "t", &[]).await;
        let (what, is_failed, text) = &told[3];
        assert_eq!((what.as_str(), *is_failed), ("consistency LOCAL_QUORUM now", true));
        assert!(text.contains("Cannot achieve consistency level LOCAL_QUORUM"), "{text}");
    });
}
