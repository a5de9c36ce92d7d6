//! The `CREATE TABLE` that fits a schema, for somebody who has no table yet.

use arrow_schema::{DataType, Schema};
use ognivo_data::fault::{Explain, Fault, nearest};
use ognivo_data::schema::type_name;
use ognivo_data::vector::is_vector;

use crate::config::{CassandraConfig, quoted};
use crate::progress::ProgressTable;

/// What names a row of a topic, when the job names nothing.
const OF_TOPIC: (&[&str], &[&str]) = (&["topic", "partition"], &["offset"]);

/// What names a row of a file, when the job names nothing.
const OF_FILE: (&[&str], &[&str]) = (&["file"], &["line"]);

/// The text of a `CREATE TABLE` for rows of `schema`, with the columns that the configuration feeds.
///
/// The key is that of the options `partitionKey` and `clusteringKey`; without them topic, partition and offset, or file and
/// line, when the rows have those. Positions that nobody chose become columns only as part of the key.
///
/// # Errors
/// [`CreateTableError`] for a column that no CQL type holds, a key that names no column, or no key at all.
pub fn create_table(config: &CassandraConfig, schema: &Schema) -> Result<String, CreateTableError> {
    let mut columns = fed_columns(config, schema)?;
    let positions = config.positions.iter().filter(|name| columns.iter().all(|(column, _)| column != *name));
    let positions: Vec<&String> = positions.filter(|name| schema.column_with_name(name).is_some()).collect();
    let names: Vec<&str> =
        columns.iter().map(|(name, _)| name).chain(positions.iter().copied()).map(String::as_str).collect();
    let (partition, clustering) = key(config, &names)?;
    let of_key = |name: &&&String| partition.contains(name) || clustering.contains(name);
    let of_key =
        positions.iter().filter(of_key).map(|name| typed(schema, name, name)).collect::<Result<Vec<_>, _>>()?;
    columns.extend(of_key);
    let width = columns.iter().map(|(name, _)| quoted(name).len()).max().unwrap_or(0);
    let lines: Vec<String> =
        columns.iter().map(|(name, cql)| format!("    {:width$} {cql},\n", quoted(name))).collect();
    let list = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    let clustering = if clustering.is_empty() { String::new() } else { format!(", {}", list(&clustering)) };
    Ok(format!(
        "CREATE TABLE {} (\n{}    PRIMARY KEY (({}){clustering})\n)",
        config.table.quoted(),
        lines.concat(),
        list(&partition),
    ))
}

/// The text of a `CREATE TABLE` for the progress of queries; None when the configuration wants none.
pub fn create_progress_table(config: &CassandraConfig) -> Option<String> {
    config.progress.as_ref().map(ProgressTable::create)
}

/// Names and types of the table's columns.
fn fed_columns(config: &CassandraConfig, schema: &Schema) -> Result<Vec<(String, String)>, CreateTableError> {
    if config.columns.is_empty() {
        let chosen = schema.fields().iter().map(|field| field.name()).filter(|name| !config.positions.contains(name));
        return chosen.map(|name| typed(schema, name, name)).collect();
    }
    config.columns.iter().map(|(name, ours)| typed(schema, name, ours)).collect()
}

/// A column of the table and the type that holds ours.
fn typed(schema: &Schema, name: &str, ours: &str) -> Result<(String, String), CreateTableError> {
    let field = schema.field_with_name(ours).map_err(|_| no_such_column(ours, schema))?;
    let cql = cql_type(field.data_type())
        .ok_or_else(|| CreateTableError::NoType { column: ours.to_owned(), our_type: type_name(field.data_type()) })?;
    Ok((name.to_owned(), cql))
}

fn no_such_column(name: &str, schema: &Schema) -> CreateTableError {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let nearest = nearest(name, names.iter().copied()).map(str::to_owned);
    CreateTableError::NoSuchColumn { column: name.to_owned(), nearest, there: names.join(", ") }
}

/// The columns of the partition key, and of the clustering key.
fn key(config: &CassandraConfig, names: &[&str]) -> Result<(Vec<String>, Vec<String>), CreateTableError> {
    let given = config.partition_key.iter().chain(&config.clustering_key);
    for column in given {
        if !names.contains(&column.as_str()) {
            let nearest = nearest(column, names.iter().copied()).map(str::to_owned);
            return Err(CreateTableError::NoSuchColumn { column: column.clone(), nearest, there: names.join(", ") });
        }
    }
    if !config.partition_key.is_empty() {
        return Ok((config.partition_key.clone(), config.clustering_key.clone()));
    }
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let is_there = |(partition, clustering): &&(&[&str], &[&str])| {
        partition.iter().chain(*clustering).all(|name| names.contains(name))
    };
    let found = [OF_TOPIC, OF_FILE];
    let found = found.iter().find(is_there).ok_or_else(|| CreateTableError::NoKey { there: names.join(", ") })?;
    Ok((owned(found.0), owned(found.1)))
}

/// The CQL type that holds a column of ours whole; None when there is none.
pub(crate) fn cql_type(ours: &DataType) -> Option<String> {
    if is_vector(ours) {
        return Some("frozen<list<double>>".to_owned());
    }
    let name = match ours {
        DataType::Boolean => "boolean",
        DataType::Int8 => "tinyint",
        DataType::Int16 => "smallint",
        DataType::Int32 => "int",
        DataType::Int64 => "bigint",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Decimal128(..) => "decimal",
        DataType::Utf8 => "text",
        DataType::Binary => "blob",
        DataType::Date32 => "date",
        DataType::Timestamp(..) => "timestamp",
        DataType::List(element) if !element.data_type().is_nested() => {
            return cql_type(element.data_type()).map(|element| format!("frozen<list<{element}>>"));
        }
        _ => return None,
    };
    Some(name.to_owned())
}

/// No table can be made for these rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CreateTableError {
    /// No CQL type holds a column.
    #[error("no type of CQL holds `{column}`: {our_type}")]
    NoType {
        /// The column.
        column: String,
        /// Its type.
        our_type: String,
    },
    /// A name that is no column's.
    #[error("there is no column of this name: {column}")]
    NoSuchColumn {
        /// The name.
        column: String,
        /// The column that is spelt alike.
        nearest: Option<String>,
        /// Those that are there.
        there: String,
    },
    /// Nothing says what the key is.
    #[error("nothing says what names a row among these columns: {there}")]
    NoKey {
        /// Those that are there.
        there: String,
    },
}

impl Explain for CreateTableError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        Some(match self {
            CreateTableError::NoType { .. } => "leave the column out with `select` or `columns`".to_owned(),
            CreateTableError::NoSuchColumn { nearest: Some(name), .. } => format!("did you mean `{name}`?"),
            CreateTableError::NoSuchColumn { there, .. } => format!("there are: {there}"),
            CreateTableError::NoKey { .. } => {
                "name columns whose values no two rows share: option `partitionKey`, and `clusteringKey` if need be"
                    .to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use arrow_schema::Field;
    use expect_test::{Expect, expect};
    use ognivo_data::vector::vector_field;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("loan_id", DataType::Int64, false),
            Field::new("Purpose", DataType::Utf8, true),
            vector_field("probability"),
            Field::new("offset", DataType::Int64, false),
        ])
    }

    fn check(options: &[(&str, &str)], columns: &[(&str, &str)], expect: Expect) {
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let mut all = owned(&[("keyspace", "loans"), ("table", "scored")]);
        all.extend(owned(options));
        let config = CassandraConfig::parse(&all, &owned(columns)).unwrap();
        expect.assert_eq(&create_table(&config, &schema()).unwrap_or_else(|e| format!("{e}; {}", e.hint().unwrap())));
    }

    #[test]
    fn a_table_is_made_of_all_columns_by_the_key_that_the_job_names() {
        check(
            &[("partitionKey", "loan_id"), ("clusteringKey", "offset")],
            &[],
            expect![[r#"
                CREATE TABLE "loans"."scored" (
                    "loan_id"     bigint,
                    "Purpose"     text,
                    "probability" frozen<list<double>>,
                    "offset"      bigint,
                    PRIMARY KEY (("loan_id"), "offset")
                )"#]],
        );
        check(
            &[("partitionKey", "id")],
            &[("id", "loan_id"), ("p", "probability")],
            expect![[r#"
                CREATE TABLE "loans"."scored" (
                    "id" bigint,
                    "p"  frozen<list<double>>,
                    PRIMARY KEY (("id"))
                )"#]],
        );
    }

    #[test]
    fn a_position_that_nobody_chose_becomes_a_column_when_it_is_of_the_key() {
        let text = |name: &str| Field::new(name, DataType::Utf8, false);
        let schema = Schema::new(vec![text("loan_id"), text("file"), Field::new("line", DataType::Int64, false)]);
        let made = |options: &[(&str, &str)]| {
            let options = [("keyspace", "k"), ("table", "t")].iter().chain(options);
            let options: Vec<_> = options.map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            let config = CassandraConfig::parse(&options, &[]).unwrap();
            create_table(&config.with_positions(vec!["file".to_owned(), "line".to_owned()]), &schema).unwrap()
        };
        expect![[r#"
            CREATE TABLE "k"."t" (
                "loan_id" text,
                "file"    text,
                "line"    bigint,
                PRIMARY KEY (("file"), "line")
            )"#]]
        .assert_eq(&made(&[]));
        expect![[r#"
            CREATE TABLE "k"."t" (
                "loan_id" text,
                PRIMARY KEY (("loan_id"))
            )"#]]
        .assert_eq(&made(&[("partitionKey", "loan_id")]));
    }

    #[test]
    fn without_a_key_no_table_is_made() {
        check(
            &[],
            &[],
            expect![
                "nothing says what names a row among these columns: loan_id, Purpose, probability, offset; name columns whose values no two rows share: option `partitionKey`, and `clusteringKey` if need be"
            ],
        );
        check(
            &[("partitionKey", "loanid")],
            &[],
            expect!["there is no column of this name: loanid; did you mean `loan_id`?"],
        );
    }
}
