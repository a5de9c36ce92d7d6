//! Logins and rights, as `ognivo doctor` sees them and as a stream does.

use std::sync::Arc;

use ognivo_data::fault::{Explain as _, Fault, Retry};
use ognivo_data::outcome::Fate;
use ognivo_kafka::{
    Delivery, KafkaSink, KafkaSource, Membership, Progress, SinkConfig, SinkParts, SourceConfig, probe,
};
use ognivo_stream::memory::MemoryScorer;
use ognivo_stream::probe::{Check, Found};
use ognivo_stream::query::{QueryOptions, QueryParts, RunSummary, StreamingQuery};
use ognivo_stream::query_error::QueryError;
use ognivo_stream::source::{ReadLimit, Source as _};
use ognivo_stream::stop::stop_pair;
use ognivo_stream::trigger::Trigger;

use crate::broker::{Server, Topic, address, certificate, certificate_address, kdc, sasl_address, tls_address, unique};
use crate::stream::{id_schema, json, query_options, sink_parts};
use crate::tokens;

fn given(options: &[(&str, &str)]) -> Vec<(String, String)> {
    options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn login<'a>(address: &'a str, user: &'a str, password: &'a str) -> Vec<(&'a str, &'a str)> {
    let mechanism = match user {
        "alice" => "SCRAM-SHA-512",
        "erin" => "SCRAM-SHA-256",
        _ => "PLAIN",
    };
    vec![
        ("kafka.bootstrap.servers", address),
        ("kafka.security.protocol", "SASL_PLAINTEXT"),
        ("kafka.sasl.mechanism", mechanism),
        ("kafka.sasl.username", user),
        ("kafka.sasl.password", password),
    ]
}

/// A way in of somebody who may do everything, and what `ognivo doctor` calls them.
struct WayIn {
    options: Vec<(String, String)>,
    user: String,
    host: String,
}

fn ways_in() -> Vec<WayIn> {
    let (own, sasl, tls, by_certificate) = (address(), sasl_address(), tls_address(), certificate_address());
    let [authority, certificate, key] = ["ca.pem", "client.crt", "client.key"].map(certificate);
    let within_tls = [("kafka.security.protocol", "SASL_SSL"), ("kafka.ssl.ca.location", authority.as_str())];
    let mut alice_within_tls = login(&tls, "alice", "alice-secret");
    alice_within_tls.retain(|(name, _)| *name != "kafka.security.protocol");
    let carol = [
        ("kafka.bootstrap.servers", by_certificate.as_str()),
        ("kafka.security.protocol", "SSL"),
        ("kafka.ssl.ca.location", &authority),
        ("kafka.ssl.certificate.location", &certificate),
        ("kafka.ssl.key.location", &key),
    ];
    let dora = [
        ("kafka.bootstrap.servers", sasl.as_str()),
        ("kafka.security.protocol", "SASL_PLAINTEXT"),
        ("kafka.sasl.mechanism", "OAUTHBEARER"),
        ("kafka.enable.sasl.oauthbearer.unsecure.jwt", "true"),
        ("kafka.sasl.oauthbearer.config", "principal=dora"),
    ];
    let way = |options: &[(&str, &str)], user: &str, host: &str| WayIn {
        options: given(options),
        user: user.to_owned(),
        host: host.to_owned(),
    };
    let mut ways = vec![
        way(&[("kafka.bootstrap.servers", own.as_str())], "anybody", &own),
        way(&login(&sasl, "admin", "admin-secret"), "admin", &sasl),
        way(&login(&sasl, "alice", "alice-secret"), "alice", &sasl),
        way(&login(&sasl, "erin", "erin-secret"), "erin", &sasl),
        way(&[alice_within_tls, within_tls.to_vec()].concat(), "alice", &tls),
        way(&carol, &format!("the owner of {certificate}"), &by_certificate),
        way(&dora, "whom the token names", &sasl),
    ];
    // Builds for them are made by `cargo xtask kafka logins`, which starts the KDC too.
    if let Some(kdc) = kdc() {
        let (keytab, tokens) = (kdc.join("frank.keytab").display().to_string(), tokens::serve("dora"));
        let frank = [
            ("kafka.bootstrap.servers", tls.as_str()),
            ("kafka.sasl.mechanism", "GSSAPI"),
            ("kafka.sasl.kerberos.service.name", "kafka"),
            ("kafka.sasl.kerberos.keytab", &keytab),
            ("kafka.sasl.kerberos.principal", "frank@LAB.TEST"),
        ];
        let dora_by_oidc = [
            ("kafka.bootstrap.servers", tls.as_str()),
            ("kafka.sasl.mechanism", "OAUTHBEARER"),
            ("kafka.sasl.oauthbearer.method", "oidc"),
            ("kafka.sasl.oauthbearer.client.id", "ognivo"),
            ("kafka.sasl.oauthbearer.client.secret", "ognivo-secret"),
            ("kafka.sasl.oauthbearer.token.endpoint.url", &tokens),
        ];
        ways.push(way(&[&frank[..], &within_tls].concat(), "the principal frank@LAB.TEST", &tls));
        ways.push(way(&[&dora_by_oidc[..], &within_tls].concat(), "whom the token names", &tls));
    }
    ways
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
    for WayIn { options, user, host } in ways_in() {
        let name = &topic.name;
        let of_source = [options.clone(), given(&[("subscribe", name.as_str())])].concat();
        let checks = probe::source(&SourceConfig::parse(&of_source).unwrap(), Some("doctors")).await;
        let expect = [
            format!("broker {host}: ok"),
            format!("login as {user}: ok"),
            format!("topic {name}: ok"),
            format!("topic {name}: right to read: ok"),
            "group doctors: ok".to_owned(),
            "group doctors: right to store positions: ok".to_owned(),
        ];
        assert_eq!(shown(&checks), expect);

        let of_sink = [options, given(&[("topic", name.as_str())])].concat();
        let config = SinkConfig::parse(&of_sink).unwrap();
        let checks = probe::sink(&config, std::slice::from_ref(name), Delivery::ExactlyOnce, "ognivo-doctors").await;
        let expect = [
            format!("broker {host}: ok"),
            format!("login as {user}: ok"),
            format!("topic {name}: ok"),
            format!("topic {name}: largest record: ok"),
            format!("topic {name}: right to write: ok"),
            format!("topic {name}: open transactions: ok"),
            "transaction version of the cluster: ok".to_owned(),
            "transactional id ognivo-doctors-doctor: ok".to_owned(),
        ];
        assert_eq!(shown(&checks), expect);
        // As brokers of Kafka 4 agree on when they are made.
        assert_eq!(checks[6], Check::fine("transaction version of the cluster", "2"), "{user}");
    }
    assert_eq!(topic.committed().len(), 1, "a look writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_runs_by_every_way_in() {
    for WayIn { options, user, .. } in ways_in() {
        let (input, output, letters) =
            (Topic::new("in", 1).await, Topic::new("out", 1).await, Topic::new("bad", 1).await);
        input.add(0, (0..100).map(|id| format!(r#"{{"id":{id}}}"#)));
        let ran = run_as(options, &input, &output, &letters, &unique("way-in")).await;
        assert!(ran.is_ok(), "{user}: {ran:?}");
        let kept = (0..100).filter(|&id| matches!(MemoryScorer::fate(id), Fate::Kept)).count();
        assert_eq!(output.committed().len(), kept, "{user}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_shows_no_certificate_where_one_is_asked_for_is_not_let_in() {
    let (address, authority) = (certificate_address(), certificate("ca.pem"));
    let options = [
        ("kafka.bootstrap.servers", address.as_str()),
        ("kafka.security.protocol", "SSL"),
        ("kafka.ssl.ca.location", &authority),
        ("subscribe", "t"),
    ];
    let checks = probe::source(&SourceConfig::parse(&given(&options)).unwrap(), None).await;
    assert!(checks.len() == 2 && !checks[0].is_failed() && checks[1].is_failed(), "{checks:?}");
    let Found::Failed { text, hint, .. } = &checks[1].found else { unreachable!() };
    assert!(text.to_lowercase().contains("certificate"), "{text}");
    let hint = hint.as_deref().unwrap_or_default();
    assert!(hint.contains("kafka.ssl.certificate.location"), "{hint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_an_unknown_authority_and_a_silent_host_are_told_apart() {
    let (sasl, tls) = (sasl_address(), tls_address());
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
    assert!(
        error.to_string().contains(name)
            && error.hint().is_some_and(|hint| hint.contains("the right Read on the topic")),
        "{error}"
    );

    let options = [login(&sasl, "bob", "bob-secret"), vec![("topic", name)]].concat();
    let config = SinkConfig::parse(&given(&options)).unwrap();
    let checks = probe::sink(&config, std::slice::from_ref(&topic.name), Delivery::ExactlyOnce, "ognivo-bob").await;
    let lines = shown(&checks);
    assert!(lines.last().unwrap().contains("transactional id ognivo-bob-doctor: "), "{lines:?}");
    assert!(checks.last().unwrap().is_failed(), "{lines:?}");
}

/// Runs a stream to its end, with this login.
async fn run_as(
    login: Vec<(String, String)>,
    input: &Topic,
    output: &Topic,
    letters: &Topic,
    job: &str,
) -> Result<RunSummary, QueryError> {
    let of_source = given(&[("subscribe", input.name.as_str()), ("startingOffsets", "earliest")]);
    let of_source = SourceConfig::parse(&[login.clone(), of_source].concat()).unwrap();
    let of_sink = SinkConfig::parse(&[login, given(&[("topic", output.name.as_str())])].concat()).unwrap();
    let source = KafkaSource::new(of_source, json(), id_schema(), Membership::Group(job.to_owned())).unwrap();
    let parts = sink_parts(output, letters, Progress::Group(source.group().unwrap()), Delivery::ExactlyOnce, job);
    let parts = QueryParts {
        source: Box::new(source),
        scorer: Arc::new(MemoryScorer::new("model")),
        sink: Box::new(KafkaSink::new(SinkParts { config: of_sink, ..parts })),
        checkpoint: None,
    };
    let options = QueryOptions { trigger: Trigger::AvailableNow, ..query_options() };
    let (_handle, stop) = stop_pair();
    StreamingQuery::new(parts, options).run(&stop).await
}

/// What `bob` is told who runs a stream, and how to help it.
async fn told(input: &Topic, output: &Topic, letters: &Topic, job: &str) -> Result<(), (String, String)> {
    let login = given(&login(&sasl_address(), "bob", "bob-secret"));
    let ran = run_as(login, input, output, letters, job).await;
    ran.map(drop).map_err(|error| {
        assert_eq!((error.fault(), error.retry()), (Fault::Job, Retry::Never), "{error}");
        (error.to_string(), error.hint().unwrap_or_default())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_that_is_missing_is_named_until_none_is() {
    let (input, output, letters) = (Topic::new("in", 1).await, Topic::new("out", 1).await, Topic::new("bad", 1).await);
    input.add(0, [r#"{"id":1}"#]);
    let job = unique("bobs");
    let (broker, id) = (Server::of_broker(), format!("ognivo-{job}-{}-0", input.name));
    let rights: [(&str, &str, &[&str]); 5] = [
        (&output.name, "Write on the topic", &["--topic", &output.name]),
        (&letters.name, "Write on the topic", &["--topic", &letters.name]),
        (&job, "Read on the group", &["--group", &job]),
        (&id, "Write on the transactional id", &["--transactional-id", &id]),
        (&input.name, "Read on the topic", &["--topic", &input.name]),
    ];
    // Else there is no answer to whoever asks where the topic is.
    broker.grant("bob", "Describe", &["--topic", &input.name]);
    for (name, right, on) in rights {
        if on[0] == "--group" {
            // Enough to ask how far it is, and not to store anything.
            broker.grant("bob", "Describe", on);
            let sasl = sasl_address();
            let options = [login(&sasl, "bob", "bob-secret"), vec![("subscribe", &input.name)]].concat();
            let checks = probe::source(&SourceConfig::parse(&given(&options)).unwrap(), Some(&job)).await;
            let lines = shown(&checks);
            assert!(lines.contains(&format!("group {job}: ok")), "{lines:?}");
            assert!(lines.last().unwrap().contains("GroupAuthorizationFailed"), "{lines:?}");
        }
        let (error, hint) = told(&input, &output, &letters, &job).await.unwrap_err();
        assert!(error.contains(name) && hint.contains(&format!("needs the right {right}")), "{right}: {error} {hint}");
        broker.grant("bob", right.split(' ').next().unwrap(), on);
    }
    assert_eq!(told(&input, &output, &letters, &job).await, Ok(()));
    assert_eq!(output.fields("id"), ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_open_is_told_with_what_it_hides() {
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
    let topic = Topic::new("open", 1).await;
    let mut client = rdkafka::ClientConfig::new();
    client.set("bootstrap.servers", address()).set("transactional.id", &topic.name);
    let producer: BaseProducer = client.create().unwrap();
    let wait = std::time::Duration::from_secs(30);
    producer.init_transactions(wait).unwrap();
    producer.begin_transaction().unwrap();
    for value in ["1", "2"] {
        producer.send(BaseRecord::<str, str>::to(&topic.name).partition(0).payload(value)).unwrap();
    }
    producer.flush(wait).unwrap();
    let address = address();
    let options = given(&[("kafka.bootstrap.servers", &address), ("topic", &topic.name)]);
    let config = SinkConfig::parse(&options).unwrap();
    let line = |checks: &[Check]| shown(checks).into_iter().find(|line| line.contains("open transactions")).unwrap();
    let look = || probe::sink(&config, std::slice::from_ref(&topic.name), Delivery::AtLeastOnce, "ognivo-doctors");
    let hidden = format!("readers of committed records do not see {}-0 from offset 0 on, 2 records", topic.name);
    assert_eq!(line(&look().await), format!("topic {}: open transactions: warning: {hidden}", topic.name));
    producer.commit_transaction(wait).unwrap();
    assert_eq!(line(&look().await), format!("topic {}: open transactions: ok", topic.name));
}
