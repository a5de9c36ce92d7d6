//! What goes wrong between us and a cluster.

use std::path::PathBuf;

use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_stream::plan::BatchId;
use scylla::errors::{
    BrokenConnectionError, ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError,
    MetadataError, NewSessionError,
};

use crate::config::{TableName, quoted};
use crate::mapping::MappingError;
use crate::retry::Trouble;

/// A table cannot be reached, or not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CassandraError {
    /// A file of certificates or keys cannot be used.
    #[error("cannot use the certificates in {}: {reason}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system gives us no thread for the session.
    #[error("cannot start a thread: {0}")]
    NoThread(#[source] std::io::Error),
    /// No server answers.
    #[error("cannot connect to cassandra at {hosts}: {reason}")]
    Unreachable {
        /// The contact points.
        hosts: String,
        /// What the last of them said.
        reason: String,
        /// What it may come of.
        hint: Option<String>,
    },
    /// A server does not let us in, or we do not trust it.
    #[error("cassandra at {hosts} does not let us in: {reason}")]
    Login {
        /// The contact points.
        hosts: String,
        /// What the server says.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// We do not believe that a server is who it says.
    #[error("the certificate of cassandra at {hosts} is not believed: {reason}")]
    Untrusted {
        /// The contact points.
        hosts: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No server is in the data centre of the job, or it must name one.
    #[error("{problem}; the cluster has: {}", there.join(", "))]
    Datacenter {
        /// What is wrong.
        problem: String,
        /// The data centres.
        there: Vec<String>,
    },
    /// The keyspace is not there.
    #[error("there is no keyspace of this name: {keyspace}")]
    NoKeyspace {
        /// The name.
        keyspace: String,
        /// The keyspace that is spelt alike.
        nearest: Option<String>,
    },
    /// The table is not there.
    #[error("there is no table of this name: {table}")]
    NoTable {
        /// The name.
        table: TableName,
        /// The table that is spelt alike.
        nearest: Option<String>,
    },
    /// A view cannot be written.
    #[error("this is a view, which is written through its table: {0}")]
    View(TableName),
    /// The rows do not fit the table.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// We may not do it.
    #[error("no right to {action} {table}: {message}")]
    Forbidden {
        /// What was tried.
        action: &'static str,
        /// The table.
        table: TableName,
        /// What the server says.
        message: String,
    },
    /// The table is not what it was.
    #[error("table {table} does not take the statement: {message}")]
    Statement {
        /// The table.
        table: TableName,
        /// What the server says.
        message: String,
    },
    /// Servers did not take it in time.
    #[error("cannot {action} {table}, tried {attempts} times: {message}")]
    Unanswered {
        /// What was tried.
        action: &'static str,
        /// The table.
        table: TableName,
        /// How often.
        attempts: u32,
        /// What was last said.
        message: String,
    },
    /// Not one row of many was taken: that is no matter of rows.
    #[error("table {table} refuses every row of {n_rows}: {message}")]
    EveryRowRefused {
        /// The table.
        table: TableName,
        /// How many there were.
        n_rows: usize,
        /// What the server says of the first.
        message: String,
    },
    /// A column of vectors holds something else.
    #[error("column `{column}`: {message}")]
    BadColumn {
        /// The table's column.
        column: String,
        /// What is wrong.
        message: String,
    },
    /// The progress table knows this batch.
    #[error("batch {batch} is already in {table}")]
    AlreadyHeld {
        /// The batch.
        batch: BatchId,
        /// The table.
        table: TableName,
    },
    /// The answer is not what was asked for.
    #[error("cannot read {table}: {message}")]
    Answer {
        /// The table.
        table: TableName,
        /// What is wrong.
        message: String,
    },
    /// A dead letter came, and this sink takes scored rows only.
    #[error("there is no target for dead letters")]
    NoDeadLetterTarget,
}

impl CassandraError {
    /// What it means that no session could be had.
    pub(crate) fn of_session(hosts: &[String], is_encrypted: bool, error: &NewSessionError) -> CassandraError {
        let hosts = hosts.join(", ");
        let last = match error {
            NewSessionError::MetadataError(MetadataError::ConnectionPoolError(ConnectionPoolError::Broken {
                last_connection_error,
            })) => last_connection_error,
            other => return CassandraError::Unreachable { hosts, reason: other.to_string(), hint: None },
        };
        of_connection(hosts, is_encrypted, last)
    }

    /// What it means that something could not be done to a table.
    pub(crate) fn of_trouble(
        trouble: Trouble,
        action: &'static str,
        table: &TableName,
        attempts: u32,
    ) -> CassandraError {
        let table = table.clone();
        match trouble {
            Trouble::TooMuch(message) | Trouble::Away(message) => {
                CassandraError::Unanswered { action, table, attempts, message }
            }
            Trouble::Forbidden(message) => CassandraError::Forbidden { action, table, message },
            Trouble::Statement(message) | Trouble::Row { message, .. } => CassandraError::Statement { table, message },
        }
    }
}

fn of_connection(hosts: String, is_encrypted: bool, error: &ConnectionError) -> CassandraError {
    let reason = error.to_string();
    if let ConnectionError::ConnectionSetupRequestError(setup) = error {
        match &setup.error {
            ConnectionSetupRequestErrorKind::DbError(DbError::AuthenticationError, message) => {
                let hint = "see `spark.cassandra.auth.username` and `spark.cassandra.auth.password`".to_owned();
                return CassandraError::Login { hosts, reason: message.clone(), hint };
            }
            ConnectionSetupRequestErrorKind::MissingAuthentication => {
                let hint = "give `spark.cassandra.auth.username` and `spark.cassandra.auth.password`".to_owned();
                return CassandraError::Login { hosts, reason: "it wants a role and a password".to_owned(), hint };
            }
            _ => {}
        }
    }
    let is_certificate = reason.contains("certificate");
    if is_encrypted && is_certificate && reason.contains("verify failed") {
        return CassandraError::Untrusted { hosts, reason };
    }
    let is_gone_at_once = matches!(error, ConnectionError::BrokenConnection(_))
        || matches!(error, ConnectionError::ConnectionSetupRequestError(setup)
        if matches!(setup.error, ConnectionSetupRequestErrorKind::BrokenConnection(BrokenConnectionError { .. })));
    let hint = match is_encrypted {
        true if reason.contains("wrong version number") => {
            Some("does it speak TLS at all? see `spark.cassandra.connection.ssl.enabled`".to_owned())
        }
        // In TLS 1.3 a server says no to our certificate, or to none, after it was connected, and hangs up; whether what it said or
        // that it hung up is seen first, nobody knows.
        true if is_certificate || reason.contains(" alert ") || is_gone_at_once => Some(
            "does it want a certificate of ours? see `spark.cassandra.connection.ssl.clientAuth.enabled`".to_owned(),
        ),
        false if is_gone_at_once => Some("does it want TLS? see `spark.cassandra.connection.ssl.enabled`".to_owned()),
        _ => None,
    };
    CassandraError::Unreachable { hosts, reason, hint }
}

impl Explain for CassandraError {
    fn fault(&self) -> Fault {
        match self {
            CassandraError::NoThread(_)
            | CassandraError::Unreachable { .. }
            | CassandraError::Unanswered { .. }
            | CassandraError::Answer { .. } => Fault::Remote,
            CassandraError::BadColumn { .. } => Fault::Bug,
            CassandraError::Mapping(cause) => cause.fault(),
            _ => Fault::Job,
        }
    }
    fn retry(&self) -> Retry {
        match self {
            CassandraError::NoThread(_) | CassandraError::Unreachable { .. } | CassandraError::Unanswered { .. } => {
                Retry::Backoff
            }
            _ => Retry::Never,
        }
    }
    fn hint(&self) -> Option<String> {
        let mean = |name: &Option<String>| name.as_ref().map(|name| format!("did you mean `{name}`?"));
        match self {
            CassandraError::Unreachable { hint, .. } => hint.clone(),
            CassandraError::Login { hint, .. } => Some(hint.clone()),
            CassandraError::Untrusted { .. } => Some(
                "see `spark.cassandra.connection.ssl.trustStore.path`; the certificate must name the server's address"
                    .to_owned(),
            ),
            CassandraError::Datacenter { .. } => Some("see `spark.cassandra.connection.localDC`".to_owned()),
            CassandraError::NoKeyspace { nearest, .. } => mean(nearest),
            CassandraError::NoTable { nearest: Some(name), .. } => Some(format!("did you mean `{name}`?")),
            CassandraError::NoTable { .. } => {
                Some("`ognivo stream --create-table` tells which one would fit".to_owned())
            }
            CassandraError::Mapping(cause) => cause.hint(),
            CassandraError::Forbidden { action: "create", table, .. } => {
                Some(format!("GRANT CREATE ON KEYSPACE {} TO the role of the job", quoted(&table.keyspace)))
            }
            CassandraError::Forbidden { table, .. } => {
                Some(format!("GRANT MODIFY ON {} TO the role of the job", table.quoted()))
            }
            CassandraError::Statement { .. } => {
                Some("was the table changed? the job starts again when its columns are there".to_owned())
            }
            CassandraError::EveryRowRefused { .. } => Some("look at the server's guardrails".to_owned()),
            CassandraError::AlreadyHeld { .. } => {
                Some("does another query use this checkpoint, or is the progress table another one's?".to_owned())
            }
            CassandraError::NoDeadLetterTarget => Some("give the job a `deadLetter`".to_owned()),
            _ => None,
        }
    }
}
