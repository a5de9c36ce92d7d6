//! Which column of ours feeds which column of a table, decided once from the table and the schema: pure.
//!
//! ```text
//! INSERT INTO "loans"."scored" ("loan_id","prediction","probability") VALUES (?,?,?) USING TIMESTAMP ? AND TTL 3600
//!                                 ▲ rows[2]   ▲ rows[7]    ▲ rows[6], dense or sparse, as list<double>
//! ```

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use ognivo_data::fault::{Explain, Fault, nearest};
use ognivo_data::schema::type_name;
use scylla::cluster::metadata::{ColumnType, NativeType};

use crate::cells::{Encoder, Refusal, Values};
use crate::config::{TableName, quoted};
use crate::table::{TableColumn, TableShape, cql_name};

/// How rows of one schema are written into one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsertPlan {
    /// The table.
    pub table: TableName,
    /// What feeds its columns, in the order of the statement's markers.
    pub columns: Vec<BoundColumn>,
    /// Seconds after which Cassandra forgets a row.
    pub ttl_s: Option<u32>,
}

/// A column of the table and what feeds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundColumn {
    /// The table's column.
    pub column: String,
    /// Position of ours in the rows.
    pub row_column_idx: usize,
    /// How values become CQL values.
    pub encoder: Encoder,
    /// Whether no row can be without it.
    pub is_key: bool,
    /// Whether Cassandra keeps each element for itself, so that writing the same list twice at the same time shows it twice.
    pub is_unfrozen_list: bool,
}

impl InsertPlan {
    /// Finds what feeds each column of `table` from rows of `schema`.
    ///
    /// `columns` are pairs of a table column and ours; when there are none, each column of ours but `positions` feeds the one of its
    /// name. Columns of the key that are fed by none of these are fed from a column of ours of the same name.
    ///
    /// # Errors
    /// [`MappingError`] for the first column that does not fit, or a key that is not fed.
    pub fn new(
        table: &TableShape,
        schema: &Schema,
        columns: &[(String, String)],
        positions: &[String],
        ttl_s: Option<u32>,
    ) -> Result<InsertPlan, MappingError> {
        if let Some(counter) = table.columns.iter().find(|column| column.cql == ColumnType::Native(NativeType::Counter))
        {
            return Err(MappingError::Counter { table: table.name.clone(), column: counter.name.clone() });
        }
        let mut bound: Vec<BoundColumn> = Vec::new();
        for (target, row_column_idx) in pairs(table, schema, columns, positions)? {
            if let Some(before) = bound.iter().find(|bound| bound.column == target.name) {
                let second = schema.field(before.row_column_idx).name().clone();
                return Err(MappingError::FedTwice { column: target.name.clone(), second });
            }
            bound.push(bind(table, schema, target, row_column_idx)?);
        }
        feed_the_rest_of_the_key(table, schema, &mut bound)?;
        Ok(InsertPlan { table: table.name.clone(), columns: bound, ttl_s })
    }

    /// The statement, whose last marker is the timestamp.
    pub fn cql(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| quoted(&column.column)).collect();
        let markers = vec!["?"; names.len()].join(",");
        let ttl = self.ttl_s.map(|seconds| format!(" AND TTL {seconds}")).unwrap_or_default();
        format!("INSERT INTO {} ({}) VALUES ({markers}) USING TIMESTAMP ?{ttl}", self.table.quoted(), names.join(","))
    }

    /// Whether two writes of the same row must not have the same timestamp.
    pub fn has_unfrozen_list(&self) -> bool {
        self.columns.iter().any(|column| column.is_unfrozen_list)
    }

    /// The columns of a block, opened in the order of the markers.
    ///
    /// # Errors
    /// The table's column, and what is wrong with ours.
    pub(crate) fn open<'a>(&self, rows: &'a RecordBatch) -> Result<Vec<Values<'a>>, (String, Refusal)> {
        let open = |bound: &BoundColumn| {
            Values::open(rows.column(bound.row_column_idx).as_ref(), &bound.encoder)
                .map_err(|refusal| (bound.column.clone(), refusal))
        };
        self.columns.iter().map(open).collect()
    }
}

/// Table columns and positions of ours, as the job or the names say.
fn pairs<'a>(
    table: &'a TableShape,
    schema: &Schema,
    columns: &[(String, String)],
    positions: &[String],
) -> Result<Vec<(&'a TableColumn, usize)>, MappingError> {
    let target = |name: &str| table.column(name).ok_or_else(|| no_such_table_column(table, name));
    if columns.is_empty() {
        let by_name = |(i, field): (usize, &arrow_schema::FieldRef)| target(field.name()).map(|column| (column, i));
        let is_chosen = |(_, field): &(usize, &arrow_schema::FieldRef)| !positions.contains(field.name());
        return schema.fields().iter().enumerate().filter(is_chosen).map(by_name).collect();
    }
    let told = |(column, ours): &(String, String)| {
        let found = schema.fields().iter().position(|field| field.name() == ours);
        Ok((target(column)?, found.ok_or_else(|| no_such_row_column(schema, ours))?))
    };
    columns.iter().map(told).collect()
}

fn bind(
    table: &TableShape,
    schema: &Schema,
    target: &TableColumn,
    row_column_idx: usize,
) -> Result<BoundColumn, MappingError> {
    let field = schema.field(row_column_idx);
    let wrong = || WrongType {
        table: table.name.clone(),
        column: target.name.clone(),
        cql: cql_name(&target.cql),
        ours: field.name().clone(),
        our_type: type_name(field.data_type()),
        suggestion: crate::create_table::cql_type(field.data_type()),
    };
    let encoder = Encoder::of(&target.cql, field.data_type());
    let encoder = encoder.ok_or_else(|| MappingError::WrongType(Box::new(wrong())))?;
    let is_unfrozen_list = matches!(target.cql, ColumnType::Collection { frozen: false, .. });
    Ok(BoundColumn {
        column: target.name.clone(),
        row_column_idx,
        encoder,
        is_key: target.role.is_key(),
        is_unfrozen_list,
    })
}

fn feed_the_rest_of_the_key(
    table: &TableShape,
    schema: &Schema,
    bound: &mut Vec<BoundColumn>,
) -> Result<(), MappingError> {
    let mut missing = Vec::new();
    for target in table.columns.iter().filter(|column| column.role.is_key()) {
        if bound.iter().any(|bound| bound.column == target.name) {
            continue;
        }
        match schema.fields().iter().position(|field| field.name().eq_ignore_ascii_case(&target.name)) {
            Some(row_column_idx) => bound.push(bind(table, schema, target, row_column_idx)?),
            None => missing.push(target.name.clone()),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let ours = schema.fields().iter().map(|field| field.name().clone()).collect();
    Err(MappingError::KeyNotFed { table: table.name.clone(), missing, ours })
}

fn no_such_table_column(table: &TableShape, name: &str) -> MappingError {
    let names = table.columns.iter().map(|column| column.name.as_str());
    MappingError::NoSuchTableColumn {
        table: Box::new(table.name.clone()),
        column: name.to_owned(),
        nearest: nearest(name, names).map(str::to_owned),
        there: table.columns_told(),
    }
}

fn no_such_row_column(schema: &Schema, name: &str) -> MappingError {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    MappingError::NoSuchRowColumn {
        column: name.to_owned(),
        nearest: nearest(name, names.iter().copied()).map(str::to_owned),
        there: names.join(", "),
    }
}

/// A table column cannot hold what is to feed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}` of {table} is {cql}, which cannot hold `{ours}`: {our_type}")]
pub struct WrongType {
    /// The table.
    pub table: TableName,
    /// Its column.
    pub column: String,
    /// The type of that.
    pub cql: String,
    /// Our column.
    pub ours: String,
    /// The type of ours.
    pub our_type: String,
    /// A type that could hold ours.
    pub suggestion: Option<String>,
}

/// Rows do not fit a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// The table has no such column.
    #[error("table {table} has no column for: {column}")]
    NoSuchTableColumn {
        /// The table.
        table: Box<TableName>,
        /// The name that was looked for.
        column: String,
        /// The table's column that is spelt alike.
        nearest: Option<String>,
        /// The table's columns with their types.
        there: String,
    },
    /// The rows have no such column.
    #[error("the rows have no column of this name: {column}")]
    NoSuchRowColumn {
        /// The name that was looked for.
        column: String,
        /// The column that is spelt alike.
        nearest: Option<String>,
        /// The columns of the rows.
        there: String,
    },
    /// A table column cannot hold what is to feed it.
    #[error(transparent)]
    WrongType(Box<WrongType>),
    /// Two columns of ours feed one of the table.
    #[error("two columns feed `{column}` of the table, the second is: {second}")]
    FedTwice {
        /// The table's column.
        column: String,
        /// The second of ours.
        second: String,
    },
    /// No upsert can write a counter so that a replay does not count twice.
    #[error("table {table} counts, and a row that is written again would count twice; its counter: {column}")]
    Counter {
        /// The table.
        table: TableName,
        /// The counter.
        column: String,
    },
    /// Columns of the key have nothing that feeds them.
    #[error("nothing feeds the key of {table}: {}", missing.join(", "))]
    KeyNotFed {
        /// The table.
        table: TableName,
        /// The columns.
        missing: Vec<String>,
        /// The columns of the rows.
        ours: Vec<String>,
    },
}

impl Explain for MappingError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        match self {
            MappingError::NoSuchTableColumn { nearest: Some(name), .. } => {
                Some(format!("did you mean its column `{name}`? `columns` pairs columns of the table with ours"))
            }
            MappingError::NoSuchTableColumn { there, .. } => Some(format!(
                "`select` leaves columns out, `columns` pairs columns of the table with ours; it has: {there}"
            )),
            MappingError::NoSuchRowColumn { nearest: Some(name), .. } => Some(format!("did you mean `{name}`?")),
            MappingError::NoSuchRowColumn { there, .. } => Some(format!("they have: {there}")),
            MappingError::WrongType(wrong) => Some(match &wrong.suggestion {
                Some(cql) => format!("a column of type {cql} can hold it"),
                None => "leave the column out with `select` or `columns`".to_owned(),
            }),
            MappingError::KeyNotFed { ours, .. } => {
                Some(format!("pair it with one of ours under `columns`; the rows have: {}", ours.join(", ")))
            }
            MappingError::Counter { .. } => Some("write into a table without counters".to_owned()),
            MappingError::FedTwice { .. } => Some("leave one of them out".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Role;

    use arrow_schema::{DataType, Field};
    use ognivo_data::vector::vector_field;
    use scylla::cluster::metadata::CollectionType;

    fn native(native: NativeType) -> ColumnType<'static> {
        ColumnType::Native(native)
    }

    fn list(frozen: bool) -> ColumnType<'static> {
        ColumnType::Collection { frozen, typ: CollectionType::List(Box::new(native(NativeType::Double))) }
    }

    fn table(columns: &[(&str, ColumnType<'static>, Role)]) -> TableShape {
        let columns = columns
            .iter()
            .map(|(name, cql, role)| TableColumn { name: (*name).to_owned(), cql: cql.clone(), role: *role })
            .collect();
        TableShape { name: TableName { keyspace: "loans".to_owned(), table: "scored".to_owned() }, columns }
    }

    fn scored() -> TableShape {
        table(&[
            ("loan_id", native(NativeType::BigInt), Role::PartitionKey),
            ("offset", native(NativeType::BigInt), Role::ClusteringKey),
            ("p", list(true), Role::Regular),
            ("prediction", native(NativeType::Double), Role::Regular),
        ])
    }

    fn rows() -> Schema {
        Schema::new(vec![
            Field::new("loan_id", DataType::Int32, true),
            vector_field("probability"),
            Field::new("prediction", DataType::Float64, false),
            Field::new("offset", DataType::Int64, false),
        ])
    }

    fn plan(table: &TableShape, columns: &[(&str, &str)]) -> Result<InsertPlan, MappingError> {
        let columns: Vec<_> = columns.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        InsertPlan::new(table, &rows(), &columns, &[], Some(60))
    }

    #[test]
    fn a_position_feeds_a_key_and_nothing_else() {
        let table = table(&[
            ("offset", native(NativeType::BigInt), Role::PartitionKey),
            ("loan_id", native(NativeType::BigInt), Role::Regular),
            ("p", list(true), Role::Regular),
        ]);
        let schema = rows().project(&[0, 3]).unwrap();
        let fed = |table: &TableShape, schema: &Schema, positions: &[&str]| {
            let positions: Vec<_> = positions.iter().map(|name| (*name).to_owned()).collect();
            let plan = InsertPlan::new(table, schema, &[], &positions, None);
            plan.map(|plan| plan.columns.into_iter().map(|column| column.column).collect::<Vec<_>>())
        };
        assert_eq!(fed(&table, &schema, &["offset"]).unwrap(), ["loan_id", "offset"]);
        assert_eq!(
            fed(&scored(), &schema, &["offset", "loan_id"]).unwrap(),
            ["loan_id", "offset"],
            "both are of the key"
        );
        let with_regular = self::table(&[
            ("loan_id", native(NativeType::BigInt), Role::PartitionKey),
            ("offset", native(NativeType::Text), Role::Regular),
        ]);
        assert_eq!(fed(&with_regular, &schema, &["offset"]).unwrap(), ["loan_id"], "whatever its type is");
        assert!(
            matches!(fed(&with_regular, &schema, &[]), Err(MappingError::WrongType(_))),
            "one that was chosen must fit"
        );
    }

    #[test]
    fn a_key_that_the_pairs_leave_out_is_fed_by_its_name() {
        let plan = plan(&scored(), &[("p", "probability"), ("loan_id", "loan_id")]).unwrap();
        assert_eq!(
            plan.cql(),
            "INSERT INTO \"loans\".\"scored\" (\"p\",\"loan_id\",\"offset\") VALUES (?,?,?) USING TIMESTAMP ? AND TTL 60"
        );
        let fed: Vec<_> = plan.columns.iter().map(|column| (column.row_column_idx, column.is_key)).collect();
        assert_eq!(fed, [(1, false), (0, true), (3, true)]);
    }

    #[track_caller]
    fn check_refused(table: &TableShape, columns: &[(&str, &str)], message: &str, hint: &str) {
        let error = plan(table, columns).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint().unwrap().as_str()), (message, hint));
    }

    #[test]
    fn what_does_not_fit_is_named_with_both_types() {
        check_refused(
            &scored(),
            &[],
            "table loans.scored has no column for: probability",
            "`select` leaves columns out, `columns` pairs columns of the table with ours; it has: \
             loan_id bigint, offset bigint, p frozen<list<double>>, prediction double",
        );
        check_refused(
            &scored(),
            &[("predicton", "prediction")],
            "table loans.scored has no column for: predicton",
            "did you mean its column `prediction`? `columns` pairs columns of the table with ours",
        );
        check_refused(
            &scored(),
            &[("p", "probabilty")],
            "the rows have no column of this name: probabilty",
            "did you mean `probability`?",
        );
        check_refused(
            &scored(),
            &[("prediction", "probability")],
            "column `prediction` of loans.scored is double, which cannot hold `probability`: vector",
            "a column of type frozen<list<double>> can hold it",
        );
        let other_key = table(&[("id", native(NativeType::Uuid), Role::PartitionKey)]);
        check_refused(
            &other_key,
            &[("id", "prediction")],
            "column `id` of loans.scored is uuid, which cannot hold `prediction`: double",
            "a column of type double can hold it",
        );
    }

    #[test]
    fn a_key_that_nothing_feeds_and_a_counter_are_refused() {
        let keyed = table(&[
            ("id", native(NativeType::Uuid), Role::PartitionKey),
            ("prediction", native(NativeType::Double), Role::Regular),
        ]);
        check_refused(
            &keyed,
            &[("prediction", "prediction")],
            "nothing feeds the key of loans.scored: id",
            "pair it with one of ours under `columns`; the rows have: loan_id, probability, prediction, offset",
        );
        let counting = table(&[
            ("loan_id", native(NativeType::BigInt), Role::PartitionKey),
            ("n", native(NativeType::Counter), Role::Regular),
        ]);
        check_refused(
            &counting,
            &[("loan_id", "loan_id")],
            "table loans.scored counts, and a row that is written again would count twice; its counter: n",
            "write into a table without counters",
        );
    }

    #[test]
    fn a_list_that_is_not_frozen_is_noticed() {
        let unfrozen =
            table(&[("loan_id", native(NativeType::BigInt), Role::PartitionKey), ("p", list(false), Role::Regular)]);
        assert!(plan(&unfrozen, &[("p", "probability")]).unwrap().has_unfrozen_list());
        assert!(!plan(&scored(), &[("p", "probability")]).unwrap().has_unfrozen_list());
    }

    #[test]
    fn names_that_differ_in_case_only_are_the_same_unless_there_are_two() {
        let small = table(&[("batchid", native(NativeType::BigInt), Role::PartitionKey)]);
        assert_eq!(small.column("batchId").unwrap().name, "batchid");
        let two = table(&[
            ("batchid", native(NativeType::BigInt), Role::PartitionKey),
            ("BATCHID", native(NativeType::BigInt), Role::Regular),
        ]);
        assert!(two.column("batchId").is_none());
        assert_eq!(two.column("BATCHID").unwrap().name, "BATCHID");
    }
}
