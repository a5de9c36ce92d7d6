//! Logins and rights, as `ognivo doctor` sees them and as a stream does.

use ognivo_data::fault::{Explain as _, Fault, Retry};
use ognivo_kafka::{Delivery, KafkaSource, Membership, SinkConfig, SourceConfig, probe};
use ognivo_stream::probe::{Check, Found};
use ognivo_stream::source::{ReadLimit, Source as _};

use crate::broker::{Topic, address, sasl_address, tls_address};
use crate::stream::{id_schema, json};

fn given(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn login<'a>(address: &'a str, user: &'a str, password: &'a str) -> Vec<(&'a str, &'a str)> {
    let mechanism = if user == "alice" { "SCRAM-SHA-512" } else { "PLAIN" };
    vec![
        ("kafka.bootstrap.servers", address),
        ("kafka.security.protocol", "SASL_PLAINTEXT"),
        ("kafka.sasl.mechanism", mechanism),
        ("kafka.sasl.username", user),
        ("kafka.sasl.password", password),
    ]
}

/// `heading: ok` or `heading: what is wrong`, a line each.
fn shown(checks: &[Check]) -> Vec<String> {
    let line = |check: &Check| match &check.found {
        Found::Fine { .. } => format!("{}: ok", check.what),
        Found::Warning { text, .. } => format!("{}: warning: {text}", check.what),
        Found::Failed { text, .. } => format!("{}: {text}", check.what),
    };
    checks.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_do_everything_is_told_so_by_every_way_in() {
    let topic = Topic::new("rights", 2).await;
    topic.add(0, [r#"{"id":1}"#]);
    let (sasl, (tls, ca)) = (sasl_address(), tls_address());
    let ca = ca.to_str().unwrap();
    let own = address();
    let by_tls = [login(&tls, "alice", "alice-secret"), vec![("kafka.ssl.ca.location", ca)]].concat();
    let by_tls: Vec<_> = by_tls
        .into_iter()
        .map(|(name, value)| if name == "kafka.security.protocol" { (name, "SASL_SSL") } else { (name, value) })
        .collect();
    for (options, user, host) in [
        (vec![("kafka.bootstrap.servers", own.as_str())], "anybody", &own),
        (login(&sasl, "admin", "admin-secret"), "admin", &sasl),
        (login(&sasl, "alice", "alice-secret"), "alice", &sasl),
        (by_tls, "alice", &tls),
    ] {
        let name = &topic.name;
        let of_source = [options.clone(), vec![("subscribe", name.as_str())]].concat();
        let checks = probe::source(&SourceConfig::parse(&given(&of_source)).unwrap(), Some("doctors")).await;
        let expect = [
            format!("broker {host}: ok"),
            format!("login as {user}: ok"),
            format!("topic {name}: ok"),
            format!("topic {name}: right to read: ok"),
            "group doctors: ok".to_owned(),
        ];
        assert_eq!(shown(&checks), expect);

        let of_sink = [options, vec![("topic", name.as_str())]].concat();
        let config = SinkConfig::parse(&given(&of_sink)).unwrap();
        let checks = probe::sink(&config, std::slice::from_ref(name), Delivery::ExactlyOnce, "ognivo-doctors").await;
        let expect = [
            format!("broker {host}: ok"),
            format!("login as {user}: ok"),
            format!("topic {name}: ok"),
            format!("topic {name}: largest record: ok"),
            format!("topic {name}: right to write: ok"),
            "transactional id ognivo-doctors-doctor: ok".to_owned(),
        ];
        assert_eq!(shown(&checks), expect);
    }
    assert_eq!(topic.committed().len(), 1, "a look writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_an_unknown_authority_and_a_silent_host_are_told_apart() {
    let (sasl, (tls, _)) = (sasl_address(), tls_address());
    let wrong = [login(&sasl, "admin", "admin"), vec![("subscribe", "t")]].concat();
    let checks = probe::source(&SourceConfig::parse(&given(&wrong)).unwrap(), None).await;
    assert!(checks.len() == 2 && !checks[0].is_failed() && checks[1].is_failed(), "{checks:?}");
    assert!(shown(&checks)[1].to_lowercase().contains("authentication"), "{checks:?}");

    let unknown = [("kafka.bootstrap.servers", tls.as_str()), ("kafka.security.protocol", "SSL"), ("subscribe", "t")];
    let checks = probe::source(&SourceConfig::parse(&given(&unknown)).unwrap(), None).await;
    assert!(checks.len() == 2 && checks[1].is_failed(), "{checks:?}");
    assert!(shown(&checks)[1].to_lowercase().contains("ssl"), "{checks:?}");

    // Port 1 of the loopback: nobody listens there.
    let nobody = [("kafka.bootstrap.servers", "127.0.0.1:1"), ("subscribe", "t")];
    let checks = probe::source(&SourceConfig::parse(&given(&nobody)).unwrap(), None).await;
    assert_eq!(checks.len(), 1);
    assert!(matches!(&checks[0].found, Found::Failed { may_pass: true, .. }), "{checks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_names_the_topic_and_ends_the_stream_at_once() {
    let topic = Topic::new("denied", 1).await;
    let sasl = sasl_address();
    let name = topic.name.as_str();
    let options = [login(&sasl, "bob", "bob-secret"), vec![("subscribe", name)]].concat();
    let config = SourceConfig::parse(&given(&options)).unwrap();
    let checks = probe::source(&config, Some("doctors")).await;
    let lines = shown(&checks);
    assert!(lines.iter().any(|line| line.contains(name) && line.contains("TopicAuthorizationFailed")), "{lines:?}");

    let mut source = KafkaSource::new(config, json(), id_schema(), Membership::Alone).unwrap();
    let error = source.latest(None, ReadLimit::Configured).await.unwrap_err();
    assert_eq!((error.fault(), error.retry()), (Fault::Job, Retry::Never), "{error}");
    assert!(error.to_string().contains(name) && error.hint().is_some_and(|hint| hint.contains("doctor")), "{error}");

    let options = [login(&sasl, "bob", "bob-secret"), vec![("topic", name)]].concat();
    let config = SinkConfig::parse(&given(&options)).unwrap();
    let checks = probe::sink(&config, std::slice::from_ref(&topic.name), Delivery::ExactlyOnce, "ognivo-bob").await;
    let lines = shown(&checks);
    assert!(lines.last().unwrap().contains("transactional id ognivo-bob-doctor: "), "{lines:?}");
    assert!(checks.last().unwrap().is_failed(), "{lines:?}");
}
