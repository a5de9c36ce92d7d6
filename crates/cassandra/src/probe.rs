//! What a look at the cluster finds before a job runs, for `ognivo doctor`. It writes nothing.

use arrow_schema::Schema;
use ognivo_stream::clock::Clock;
use ognivo_stream::probe::Check;
use scylla::client::session::Session;
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;
use scylla::value::{CqlTimestamp, Row};

use crate::client;
use crate::config::{CassandraConfig, TableName, consistency_name};
use crate::error::CassandraError;
use crate::mapping::InsertPlan;
use crate::retry::Trouble;

/// A server's clock may be so far from ours before somebody should know.
const CLOCK_LIMIT_MS: i64 = 1000;

/// Checks, in the order in which a person would ask: who is there, is the login good, are keyspace, table and columns there, may
/// we write, are enough replicas up now, how far are the clocks apart.
///
/// `schema` is that of the rows that will come; None when nobody knows yet, and then the columns are not looked at.
pub async fn probe(config: &CassandraConfig, schema: Option<&Schema>, clock: &dyn Clock) -> Vec<Check> {
    let hosts = config.connection.hosts.join(", ");
    let connected = format!("cassandra {hosts}");
    let session = match client::connect(config).await {
        Ok(session) => session,
        Err(error) => return vec![Check::of_error(connected, &error)],
    };
    let mut checks = vec![Check::fine(connected, told_of_servers(config, &session))];
    checks.push(check_table(config, schema, &session).await);
    if !checks.iter().any(Check::is_failed) {
        checks.push(check_rights(config, &session).await);
        checks.push(check_consistency(config, &session).await);
    }
    if let Some(table) = &config.progress {
        let what = format!("progress table {table}");
        checks.push(Check::of(what, client::table_shape(&session, table).await.map(|_| "it is there")));
    }
    checks.push(check_clock(&session, clock).await);
    checks
}

/// `3 servers in datacenter1, 3 of them up; encrypted; as loans`
fn told_of_servers(config: &CassandraConfig, session: &Session) -> String {
    let state = session.get_cluster_state();
    let nodes = state.get_nodes_info();
    let n_up = nodes.iter().filter(|node| node.is_connected()).count();
    let mut centres: Vec<&str> = nodes.iter().filter_map(|node| node.datacenter.as_deref()).collect();
    centres.sort_unstable();
    centres.dedup();
    let connection = &config.connection;
    let encrypted = if connection.tls.is_some() { "encrypted" } else { "not encrypted" };
    let login =
        connection.login.as_ref().map_or("without a login".to_owned(), |login| format!("as {}", login.username));
    format!("{} servers in {}, {n_up} of them reached; {encrypted}; {login}", nodes.len(), centres.join(", "))
}

async fn check_table(config: &CassandraConfig, schema: Option<&Schema>, session: &Session) -> Check {
    let what = format!("table {}", config.table);
    let asked = async {
        let shape = client::table_shape(session, &config.table).await?;
        let Some(schema) = schema else { return Ok(shape.columns_told()) };
        let plan = InsertPlan::new(&shape, schema, &config.columns, &config.positions, config.ttl_s)?;
        client::prepare(session, &plan.cql(), config.consistency, &config.table).await?;
        let fed = plan
            .columns
            .iter()
            .map(|bound| format!("{} from {}", bound.column, schema.field(bound.row_column_idx).name()));
        Ok::<String, CassandraError>(fed.collect::<Vec<_>>().join(", "))
    };
    Check::of(what, asked.await)
}

/// Asks Cassandra what the role may do; where nobody is asked who he is, everybody may.
async fn check_rights(config: &CassandraConfig, session: &Session) -> Check {
    let what = format!("right to write into {}", config.table);
    let Some(login) = &config.connection.login else { return Check::fine(what, "nobody is asked who he is") };
    let role = format!("'{}'", login.username.replace('\'', "''"));
    let is_superuser = is_superuser(session, &login.username).await;
    if is_superuser {
        return Check::fine(what, format!("{} is a superuser", login.username));
    }
    let query = format!("LIST MODIFY PERMISSION ON {} OF {role}", config.table.quoted());
    match rows_of(session, &query, Consistency::LocalOne).await {
        Ok(rows) if rows.is_empty() => {
            let hint = format!("GRANT MODIFY ON {} TO {role}", config.table.quoted());
            Check::failed(what, format!("{} has no MODIFY", login.username), Some(hint))
        }
        Ok(_) => Check::fine(what, format!("{} has MODIFY", login.username)),
        Err(Trouble::Row { message, .. } | Trouble::Statement(message)) => {
            Check::fine(what, format!("nobody is asked for rights: {message}"))
        }
        Err(Trouble::Forbidden(message)) => Check::warning(what, format!("it cannot be asked: {message}"), None),
        Err(Trouble::TooMuch(message) | Trouble::Away(message)) => {
            Check::warning(what, format!("no answer: {message}"), None)
        }
    }
}

async fn is_superuser(session: &Session, role: &str) -> bool {
    let query = format!("LIST ROLES OF '{}' NORECURSIVE", role.replace('\'', "''"));
    let rows = rows_of(session, &query, Consistency::LocalOne).await.unwrap_or_default();
    // role, super, login, …
    let is_super = |row: &Row| row.columns.get(1).and_then(|value| value.as_ref()?.as_boolean()) == Some(true);
    rows.iter().any(is_super)
}

/// Reads with the consistency that rows will be written with: as many replicas must be up.
async fn check_consistency(config: &CassandraConfig, session: &Session) -> Check {
    let what = format!("consistency {} now", consistency_name(config.consistency));
    let consistency = match config.consistency {
        // Reads have neither of them.
        Consistency::Any => Consistency::One,
        Consistency::EachQuorum => Consistency::Quorum,
        other => other,
    };
    let query = format!("SELECT * FROM {} LIMIT 1", config.table.quoted());
    match rows_of(session, &query, consistency).await {
        Ok(_) => Check::fine(what, "enough replicas answer"),
        // A role that may write need not be allowed to read.
        Err(Trouble::Forbidden(message)) => Check::warning(what, format!("it cannot be asked: {message}"), None),
        Err(trouble) => {
            let table: &TableName = &config.table;
            Check::of_error(what, &CassandraError::of_trouble(trouble, "read", table, 1))
        }
    }
}

async fn check_clock(session: &Session, clock: &dyn Clock) -> Check {
    const WHAT: &str = "clocks";
    const QUERY: &str = "SELECT toTimestamp(now()) FROM system.local";
    let before_ms = clock.now_ms();
    let answer = session.query_unpaged(QUERY, ()).await.ok().and_then(|answer| answer.into_rows_result().ok());
    let now_ms = clock.now_ms();
    let Some((CqlTimestamp(theirs_ms),)) = answer.and_then(|rows| rows.single_row::<(CqlTimestamp,)>().ok()) else {
        return Check::warning(WHAT, "the server does not tell its time", None);
    };
    // The server looked at its clock between our two looks.
    let apart_ms = if theirs_ms < before_ms { theirs_ms - before_ms } else { (theirs_ms - now_ms).max(0) };
    if apart_ms.abs() <= CLOCK_LIMIT_MS {
        return Check::fine(WHAT, "the server's and ours agree");
    }
    let hint = "rows carry the time of our clock: other writers of the same rows win or lose by it".to_owned();
    Check::warning(WHAT, format!("the server's is {apart_ms} ms from ours"), Some(hint))
}

async fn rows_of(session: &Session, query: &str, consistency: Consistency) -> Result<Vec<Row>, Trouble> {
    let mut statement = Statement::new(query);
    statement.set_consistency(consistency);
    let answer = session.query_unpaged(statement, ()).await.map_err(|error| Trouble::of(&error))?;
    if !answer.is_rows() {
        // A list of nothing is no list.
        return Ok(Vec::new());
    }
    let rows = answer.into_rows_result().map_err(|error| Trouble::Statement(error.to_string()))?;
    let rows = rows.rows::<Row>().map_err(|error| Trouble::Statement(error.to_string()))?;
    rows.collect::<Result<_, _>>().map_err(|error| Trouble::Statement(error.to_string()))
}
