//! Makes tables that are not there: only when somebody asks for it.

use crate::client;
use crate::config::{CassandraConfig, TableName};
use crate::error::CassandraError;
use crate::retry::Trouble;

/// Makes `table` by `statement`; false, and nothing is done, when there is a table of that name.
///
/// # Errors
/// When the cluster cannot be reached, the keyspace is not there, or the role may not create.
pub async fn create_if_missing(
    config: &CassandraConfig,
    table: &TableName,
    statement: &str,
) -> Result<bool, CassandraError> {
    let session = client::connect(config).await?;
    match client::table_shape(&session, table).await {
        Ok(_) => return Ok(false),
        Err(CassandraError::NoTable { .. }) => {}
        Err(error) => return Err(error),
    }
    // The driver comes back when all servers that are up know the table.
    let made = session.query_unpaged(statement, ()).await;
    made.map(|_| true).map_err(|error| CassandraError::of_trouble(Trouble::of(&error), "create", table, 1))
}
