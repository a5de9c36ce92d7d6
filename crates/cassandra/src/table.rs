//! What a table looks like, as far as writing into it goes.

use scylla::cluster::metadata::{CollectionType, ColumnKind, ColumnType, NativeType, Table};

use crate::config::TableName;

/// A table and its columns: those of the key first, in the key's order, then the others by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableShape {
    /// Its name.
    pub name: TableName,
    /// Its columns.
    pub columns: Vec<TableColumn>,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name, as Cassandra keeps it.
    pub name: String,
    /// Its type.
    pub cql: ColumnType<'static>,
    /// What it is for.
    pub role: Role,
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It decides which servers have the row.
    PartitionKey,
    /// It decides where the row stands among those of its partition.
    ClusteringKey,
    /// It belongs to the partition, not to the row.
    Static,
    /// Anything else.
    Regular,
}

impl Role {
    /// Whether no row can be without it.
    pub fn is_key(self) -> bool {
        matches!(self, Role::PartitionKey | Role::ClusteringKey)
    }
}

impl TableShape {
    /// The shape of a table that the driver tells of.
    pub(crate) fn of(name: &TableName, table: &Table) -> TableShape {
        let keys: Vec<&String> = table.partition_key.iter().chain(&table.clustering_key).collect();
        let mut others: Vec<&String> = table.columns.keys().filter(|column| !keys.contains(column)).collect();
        others.sort_unstable();
        let columns = keys.into_iter().chain(others).filter_map(|column| {
            let found = table.columns.get(column)?;
            let role = match found.kind {
                ColumnKind::PartitionKey => Role::PartitionKey,
                ColumnKind::Clustering => Role::ClusteringKey,
                ColumnKind::Static => Role::Static,
                _ => Role::Regular,
            };
            Some(TableColumn { name: column.clone(), cql: found.typ.clone(), role })
        });
        TableShape { name: name.clone(), columns: columns.collect() }
    }

    /// The column of this name; else the only one that differs from it in the case of letters, since CQL makes small
    /// letters of names that are not quoted.
    pub fn column(&self, name: &str) -> Option<&TableColumn> {
        let exact = self.columns.iter().find(|column| column.name == name);
        exact.or_else(|| {
            let mut alike = self.columns.iter().filter(|column| column.name.eq_ignore_ascii_case(name));
            alike.next().filter(|_| alike.next().is_none())
        })
    }

    /// `a bigint, b text`: the key in brackets.
    pub(crate) fn columns_told(&self) -> String {
        let told = self.columns.iter().map(|column| format!("{} {}", column.name, cql_name(&column.cql)));
        told.collect::<Vec<_>>().join(", ")
    }
}

/// A type as CQL writes it: `frozen<list<double>>`, `vector<float, 3>`.
pub fn cql_name(cql: &ColumnType<'_>) -> String {
    match cql {
        ColumnType::Native(native) => native_name(native).to_owned(),
        ColumnType::Collection { frozen, typ } => {
            let inner = match typ {
                CollectionType::List(element) => format!("list<{}>", cql_name(element)),
                CollectionType::Set(element) => format!("set<{}>", cql_name(element)),
                CollectionType::Map(key, value) => format!("map<{}, {}>", cql_name(key), cql_name(value)),
                _ => "a collection".to_owned(),
            };
            if *frozen { format!("frozen<{inner}>") } else { inner }
        }
        ColumnType::Vector { typ, dimensions } => format!("vector<{}, {dimensions}>", cql_name(typ)),
        ColumnType::UserDefinedType { definition, .. } => definition.name.to_string(),
        ColumnType::Tuple(types) => {
            format!("tuple<{}>", types.iter().map(cql_name).collect::<Vec<_>>().join(", "))
        }
        _ => "a type that we do not know".to_owned(),
    }
}

fn native_name(native: &NativeType) -> &'static str {
    match native {
        NativeType::Ascii => "ascii",
        NativeType::Boolean => "boolean",
        NativeType::Blob => "blob",
        NativeType::Counter => "counter",
        NativeType::Date => "date",
        NativeType::Decimal => "decimal",
        NativeType::Double => "double",
        NativeType::Duration => "duration",
        NativeType::Float => "float",
        NativeType::Int => "int",
        NativeType::BigInt => "bigint",
        NativeType::Text => "text",
        NativeType::Timestamp => "timestamp",
        NativeType::Inet => "inet",
        NativeType::SmallInt => "smallint",
        NativeType::TinyInt => "tinyint",
        NativeType::Time => "time",
        NativeType::Timeuuid => "timeuuid",
        NativeType::Uuid => "uuid",
        NativeType::Varint => "varint",
        _ => "a type that we do not know",
    }
}
