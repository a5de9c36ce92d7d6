//! Sessions with a cluster, and what is asked of it before rows are written.

use std::sync::Arc;
use std::time::Duration;

use ognivo_data::fault::nearest;
use openssl::pkcs12::Pkcs12;
use openssl::ssl::{SslConnector, SslConnectorBuilder, SslFiletype, SslMethod};
use openssl::x509::store::X509StoreBuilder;
use scylla::client::PoolSize;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::policies::load_balancing::DefaultPolicy;
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::statement::Consistency;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::unprepared::Statement;

use crate::config::{CassandraConfig, Compression, Connection, KeyFile, KeyFormat, TableName, Tls};
use crate::error::CassandraError;
use crate::retry::Trouble;
use crate::table::TableShape;

/// How often a connection is asked whether it lives, and how long it may take to say so.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// A session with the cluster of a configuration.
///
/// The driver never tries again by itself: it would send the same timestamp, which a list that is not frozen does not bear.
///
/// # Errors
/// When no server answers, lets us in or is believed, or the data centre is not there.
pub(crate) async fn connect(config: &CassandraConfig) -> Result<Session, CassandraError> {
    let connection = &config.connection;
    let mut policy = DefaultPolicy::builder().token_aware(true);
    if let Some(datacenter) = &connection.local_datacenter {
        policy = policy.prefer_datacenter(datacenter.clone());
    }
    let profile = ExecutionProfile::builder()
        .consistency(Consistency::LocalQuorum)
        .request_timeout(Some(connection.request_timeout))
        .retry_policy(Arc::new(FallthroughRetryPolicy::new()))
        .load_balancing_policy(policy.build())
        .build();
    let per_host = connection.connections_per_host.try_into().expect("the configuration wants at least one");
    let keyspaces = [Some(&config.table), config.progress.as_ref()];
    let mut builder = SessionBuilder::new()
        .known_nodes(&connection.hosts)
        .default_execution_profile_handle(profile.into_handle())
        .connection_timeout(connection.connect_timeout)
        .keepalive_interval(KEEP_ALIVE)
        .keepalive_timeout(KEEP_ALIVE)
        .pool_size(PoolSize::PerHost(per_host))
        .keyspaces_to_fetch(keyspaces.into_iter().flatten().map(|table| table.keyspace.clone()))
        .compression(connection.compression.map(driver_compression));
    if let Some(login) = &connection.login {
        builder = builder.user(&login.username, login.password.reveal());
    }
    if let Some(tls) = &connection.tls {
        builder = builder.tls_context(Some(tls_context(tls)?));
    }
    let session = builder
        .build()
        .await
        .map_err(|error| CassandraError::of_session(&connection.hosts, connection.tls.is_some(), &error))?;
    check_datacenter(connection, &session)?;
    Ok(session)
}

fn driver_compression(compression: Compression) -> scylla::frame::Compression {
    match compression {
        Compression::Lz4 => scylla::frame::Compression::Lz4,
        Compression::Snappy => scylla::frame::Compression::Snappy,
    }
}

fn check_datacenter(connection: &Connection, session: &Session) -> Result<(), CassandraError> {
    let state = session.get_cluster_state();
    let mut there: Vec<String> = state.get_nodes_info().iter().filter_map(|node| node.datacenter.clone()).collect();
    there.sort_unstable();
    there.dedup();
    let problem = match &connection.local_datacenter {
        Some(wanted) if !there.contains(wanted) => format!("there is no data centre `{wanted}`"),
        None if there.len() > 1 => "the job must say which data centre is its own".to_owned(),
        _ => return Ok(()),
    };
    Err(CassandraError::Datacenter { problem, there })
}

fn tls_context(tls: &Tls) -> Result<SslConnectorBuilder, CassandraError> {
    // No file is to blame when the library itself fails.
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(|error| unusable(None, error))?;
    if let Some(file) = &tls.trust {
        trust(&mut builder, file)?;
    }
    if let Some(file) = &tls.identity {
        identify(&mut builder, file)?;
    }
    Ok(builder)
}

fn unusable(file: Option<&KeyFile>, reason: impl std::fmt::Display) -> CassandraError {
    let path = file.map(|file| file.path.clone()).unwrap_or_default();
    CassandraError::Certificates { path, reason: reason.to_string() }
}

/// Believes the authorities in `file`, and no others.
fn trust(builder: &mut SslConnectorBuilder, file: &KeyFile) -> Result<(), CassandraError> {
    let certificates = match file.format {
        KeyFormat::Pem => {
            let text = std::fs::read(&file.path).map_err(|error| unusable(Some(file), error))?;
            openssl::x509::X509::stack_from_pem(&text).map_err(|error| unusable(Some(file), error))?
        }
        KeyFormat::Pkcs12 => {
            let content = open_pkcs12(file)?;
            content.cert.into_iter().chain(content.ca.into_iter().flatten()).collect()
        }
    };
    if certificates.is_empty() {
        return Err(unusable(Some(file), "it holds none"));
    }
    let mut store = X509StoreBuilder::new().map_err(|error| unusable(Some(file), error))?;
    for certificate in certificates {
        store.add_cert(certificate).map_err(|error| unusable(Some(file), error))?;
    }
    builder.set_cert_store(store.build());
    Ok(())
}

/// Shows the certificate in `file`.
fn identify(builder: &mut SslConnectorBuilder, file: &KeyFile) -> Result<(), CassandraError> {
    let failed = |error: openssl::error::ErrorStack| unusable(Some(file), error);
    match file.format {
        KeyFormat::Pem => {
            builder.set_certificate_chain_file(&file.path).map_err(failed)?;
            builder.set_private_key_file(&file.path, SslFiletype::PEM).map_err(failed)?;
        }
        KeyFormat::Pkcs12 => {
            let content = open_pkcs12(file)?;
            let key = content.pkey.ok_or_else(|| unusable(Some(file), "it holds no key"))?;
            let certificate = content.cert.ok_or_else(|| unusable(Some(file), "it holds no certificate"))?;
            builder.set_private_key(&key).map_err(failed)?;
            builder.set_certificate(&certificate).map_err(failed)?;
            for authority in content.ca.into_iter().flatten() {
                builder.add_extra_chain_cert(authority).map_err(failed)?;
            }
        }
    }
    builder.check_private_key().map_err(failed)
}

fn open_pkcs12(file: &KeyFile) -> Result<openssl::pkcs12::ParsedPkcs12_2, CassandraError> {
    let bytes = std::fs::read(&file.path).map_err(|error| unusable(Some(file), error))?;
    let password = file.password.as_ref().map_or("", |password| password.reveal());
    let parsed = Pkcs12::from_der(&bytes).and_then(|content| content.parse2(password));
    parsed.map_err(|error| unusable(Some(file), error))
}

/// What a table looks like now, as far as this session knows.
///
/// # Errors
/// When the keyspace or the table is not there, or is a view.
pub(crate) async fn table_shape(session: &Session, table: &TableName) -> Result<TableShape, CassandraError> {
    let state = session.get_cluster_state();
    let Some(keyspace) = state.get_keyspace(&table.keyspace) else {
        let names = names(session, "SELECT keyspace_name FROM system_schema.keyspaces").await;
        let nearest = nearest(&table.keyspace, names.iter().map(String::as_str)).map(str::to_owned);
        return Err(CassandraError::NoKeyspace { keyspace: table.keyspace.clone(), nearest });
    };
    if keyspace.views.contains_key(&table.table) {
        return Err(CassandraError::View(table.clone()));
    }
    match keyspace.tables.get(&table.table) {
        Some(found) => Ok(TableShape::of(table, found)),
        None => {
            let nearest = nearest(&table.table, keyspace.tables.keys().map(String::as_str)).map(str::to_owned);
            Err(CassandraError::NoTable { table: table.clone(), nearest })
        }
    }
}

/// Names for a hint; none when they cannot be had.
async fn names(session: &Session, query: &str) -> Vec<String> {
    let Ok(answer) = session.query_unpaged(query, ()).await else { return Vec::new() };
    let Ok(rows) = answer.into_rows_result() else { return Vec::new() };
    let Ok(rows) = rows.rows::<(String,)>() else { return Vec::new() };
    rows.flatten().map(|(name,)| name).collect()
}

/// A statement of ours that may be sent twice.
///
/// # Errors
/// When the server does not take it.
pub(crate) async fn prepare(
    session: &Session,
    cql: &str,
    consistency: Consistency,
    table: &TableName,
) -> Result<PreparedStatement, CassandraError> {
    let mut statement = Statement::new(cql);
    statement.set_consistency(consistency);
    statement.set_is_idempotent(true);
    let prepared = session.prepare(statement).await;
    prepared
        .map_err(|error| CassandraError::of_trouble(Trouble::of_prepare(&error), "prepare a statement for", table, 1))
}
