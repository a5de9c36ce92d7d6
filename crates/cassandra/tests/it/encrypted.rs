//! Connections that are encrypted, with certificates on both sides.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use ognivo_cassandra::{CassandraConfig, CassandraSink};
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_stream::clock::SystemClock;
use ognivo_stream::sink::{Sink, SinkError};
use openssl::pkcs12::Pkcs12;
use openssl::ssl::{SslConnector, SslMethod};
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;

use crate::alone::jobs::Loans;
use crate::place::Place;
use crate::run;
use crate::server::{contact_point, told};

const SECRET: &str = "secret-of-tests";

fn certificate(name: &str) -> String {
    format!("{}/tls/{name}", told("OGNIVO_CASSANDRA_SERVERS"))
}

async fn connect(more: &[(&str, String)]) -> Result<(), SinkError> {
    let mut options = vec![
        ("connection.host".to_owned(), contact_point()),
        ("auth.username".to_owned(), "cassandra".to_owned()),
        ("auth.password".to_owned(), "cassandra".to_owned()),
        ("keyspace".to_owned(), "system_auth".to_owned()),
        ("table".to_owned(), "roles".to_owned()),
        ("read.timeoutMS".to_owned(), "3000".to_owned()),
    ];
    options.extend(more.iter().map(|(name, value)| (format!("connection.ssl.{name}"), value.clone())));
    let config = CassandraConfig::parse(&options, &[]).unwrap();
    let mut sink = CassandraSink::new(config, "query".to_owned(), Arc::new(SystemClock));
    sink.prepare(&rows().schema()).await
}

/// No rows of the roles' table: a sink that gets as far as to say so is connected.
fn rows() -> RecordBatch {
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    RecordBatch::try_new(Arc::new(Schema::new(vec![Field::new("nothing", DataType::Int32, false)])), vec![column])
        .unwrap()
}

fn is_connected(said: &Result<(), SinkError>) -> bool {
    matches!(said, Err(error) if error.to_string() == "table system_auth.roles has no column for: nothing")
}

fn trust(file: &str) -> Vec<(&'static str, String)> {
    vec![
        ("enabled", "true".to_owned()),
        ("trustStore.path", certificate(file)),
        ("trustStore.password", SECRET.to_owned()),
    ]
}

fn identity(file: &str, password: &str) -> Vec<(&'static str, String)> {
    vec![
        ("clientAuth.enabled", "true".to_owned()),
        ("keyStore.path", certificate(file)),
        ("keyStore.password", password.to_owned()),
    ]
}

/// A role is there a moment after the port is open.
async fn connect_patiently(options: &[(&str, String)]) -> Result<(), SinkError> {
    for _ in 0..50 {
        let said = connect(options).await;
        if is_connected(&said) {
            return said;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    connect(options).await
}

#[test]
fn certificates_on_both_sides_open_the_connection() {
    run(async {
        for authority in ["server.pem", "server.p12"] {
            let said = connect_patiently(&[trust(authority), identity("client.p12", SECRET)].concat()).await;
            assert!(is_connected(&said), "{authority}: {said:?}");
        }
    });
}

#[test]
fn what_does_not_fit_on_either_side_is_told() {
    run(async {
        let good = identity("client.p12", SECRET);
        let error = connect(&[]).await.unwrap_err();
        assert_eq!(
            error.hint().as_deref(),
            Some("does it want TLS? see `spark.cassandra.connection.ssl.enabled`"),
            "a client without TLS: {error}"
        );

        let error = connect(&[trust("stranger.pem"), good.clone()].concat()).await.unwrap_err();
        let start = format!("the certificate of cassandra at {} is not believed: ", contact_point());
        assert!(error.to_string().starts_with(&start), "{error}");
        assert_eq!((error.fault(), error.retry()), (Fault::Job, Retry::Never));

        for wrong in [Vec::new(), identity("stranger.p12", SECRET)] {
            let error = connect(&[trust("server.pem"), wrong].concat()).await.unwrap_err();
            assert!(error.to_string().starts_with("cannot connect to cassandra at "), "{error}");
            assert_eq!(
                error.hint().as_deref(),
                Some("does it want a certificate of ours? see `spark.cassandra.connection.ssl.clientAuth.enabled`"),
                "{error}"
            );
        }

        let error = connect(&[trust("server.pem"), identity("client.p12", "wrong")].concat()).await.unwrap_err();
        let start = format!("cannot use the certificates in {}: ", certificate("client.p12"));
        assert!(error.to_string().starts_with(&start) && !error.to_string().contains("wrong password"), "{error}");
        let error = connect(&[trust("nowhere.pem"), good].concat()).await.unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
    });
}

/// A session that shows a certificate, made without our own code.
async fn session() -> Session {
    let client = Pkcs12::from_der(&std::fs::read(certificate("client.p12")).unwrap()).unwrap().parse2(SECRET).unwrap();
    let mut tls = SslConnector::builder(SslMethod::tls_client()).unwrap();
    tls.set_ca_file(certificate("server.pem")).unwrap();
    tls.set_private_key(&client.pkey.unwrap()).unwrap();
    tls.set_certificate(&client.cert.unwrap()).unwrap();
    let builder = SessionBuilder::new().known_node(contact_point()).user("cassandra", "cassandra");
    builder.tls_context(Some(tls)).build().await.unwrap()
}

#[test]
fn a_job_that_shows_its_certificate_writes_its_rows_and_one_that_shows_none_is_told_so() {
    run(async {
        connect_patiently(&[trust("server.pem"), identity("client.p12", SECRET)].concat()).await.unwrap_err();
        let loans = Loans::in_place(Place::in_session(session().await, "jobs_encrypted", 1).await).await;
        let job = loans.prepare("encrypted", "frozen<list<double>>").await;
        let with = |options: &[(&str, String)]| {
            let lines = options.iter().map(|(name, value)| format!("      connection.ssl.{name}: {value}\n"));
            lines.collect::<String>()
        };
        loans.change(&job, "      table:", &format!("{}      table:", with(&trust("server.pem"))));
        let refused = loans.command(&["stream", &job, "--quiet", "--set", "stream.retryDeadline=1s"]).output().unwrap();
        let told = String::from_utf8(refused.stderr).unwrap();
        let hint = "does it want a certificate of ours? see `spark.cassandra.connection.ssl.clientAuth.enabled`";
        assert!(!refused.status.success() && told.contains(hint), "{told}");

        loans.change(&job, "      table:", &format!("{}      table:", with(&identity("client.p12", SECRET))));
        let looked = loans.ok(&["doctor", &job]);
        assert!(looked.contains("encrypted; as cassandra") && !looked.contains("not encrypted"), "{looked}");
        loans.ok(&["stream", &job, "--quiet"]);
        loans.check("encrypted", true).await;
    });
}
