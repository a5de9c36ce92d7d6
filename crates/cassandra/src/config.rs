//! Options of Cassandra as a job writes them, by the Spark connector's names, to typed settings.
//!
//! ```yaml
//! options:
//!   spark.cassandra.connection.host: 10.0.0.1, 10.0.0.2:9043
//!   spark.cassandra.auth.username: loans
//!   spark.cassandra.auth.password: ${file:secrets/cassandra}
//!   keyspace: loans
//!   table: scored
//! ```
//! Names are taken in any case, and with or without `spark.cassandra.`, as the connector takes them from a session and from the
//! options of one table.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ognivo_data::fault::{Explain, Fault, nearest};
use ognivo_data::quantity::parse_duration;
use scylla::statement::Consistency;

/// The prefix that the Spark connector gives to its settings.
const PREFIX: &str = "spark.cassandra.";

/// Where Cassandra listens unless it was told otherwise.
const DEFAULT_PORT: u16 = 9042;

/// Writes in flight, unless the job says otherwise: enough to keep two connections busy over a network.
const DEFAULT_CONCURRENT_WRITES: usize = 256;

/// A connection has this many numbers for requests in flight.
const MOST_CONCURRENT_WRITES: usize = 32_768;

/// Cassandra refuses a longer time to live: 20 years.
const LONGEST_TTL_S: u32 = 630_720_000;

/// One table, how it is reached, and how it is written.
#[derive(Debug, Clone)]
pub struct CassandraConfig {
    /// How the servers are reached.
    pub connection: Connection,
    /// The table.
    pub table: TableName,
    /// Table column and our column; empty means that columns are found by name.
    pub columns: Vec<(String, String)>,
    /// Columns of ours that tell where a row came from, and that nobody chose: they feed the columns of a key that have their
    /// names, and are left out elsewhere.
    pub positions: Vec<String>,
    /// How many replicas must have a row before it counts as written.
    pub consistency: Consistency,
    /// The most rows that are under way at once.
    pub concurrent_writes: usize,
    /// After how many seconds Cassandra forgets a row; None for never.
    pub ttl_s: Option<u32>,
    /// The table in which we note the newest batch that is held.
    pub progress: Option<TableName>,
    /// Columns of the partition key of a table that is made for us.
    pub partition_key: Vec<String>,
    /// Columns of the clustering key of a table that is made for us.
    pub clustering_key: Vec<String>,
}

/// How servers are reached; two tables of equal connections share the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// `host:port` of the servers that are asked first.
    pub hosts: Vec<String>,
    /// The data centre whose servers are used.
    pub local_datacenter: Option<String>,
    /// Who we are; None where nobody is asked.
    pub login: Option<Login>,
    /// Set when the connection is encrypted.
    pub tls: Option<Tls>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub request_timeout: Duration,
    /// Connections to each server.
    pub connections_per_host: usize,
    /// Whether frames are compressed, and how.
    pub compression: Option<Compression>,
}

/// How frames are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// LZ4.
    Lz4,
    /// Snappy.
    Snappy,
}

/// A role and its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The role.
    pub username: String,
    /// Its password.
    pub password: Secret,
}

/// What an encrypted connection needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The authorities that we believe; None for those of the system.
    pub trust: Option<KeyFile>,
    /// Who we are, where servers ask for a certificate.
    pub identity: Option<KeyFile>,
}

/// A file of certificates and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// Where it lies.
    pub path: PathBuf,
    /// How it is written.
    pub format: KeyFormat,
    /// What it is locked with.
    pub password: Option<Secret>,
}

/// How certificates and keys are written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFormat {
    /// Text between `-----BEGIN` and `-----END`.
    Pem,
    /// What Java's `keytool -storetype PKCS12` writes.
    Pkcs12,
}

/// A text that no log, report or error shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text, for the one who must say it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A table's name, as Cassandra keeps it: case counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    /// The keyspace.
    pub keyspace: String,
    /// The table in it.
    pub table: String,
}

impl TableName {
    /// As CQL takes it, whatever the letters: `"loans"."scored"`.
    pub fn quoted(&self) -> String {
        format!("{}.{}", quoted(&self.keyspace), quoted(&self.table))
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.keyspace, self.table)
    }
}

/// A name as CQL takes it, whatever its letters.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// An option is unknown, or its value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// There is no such option.
    #[error("cassandra has no option of this name: {name}")]
    Unknown {
        /// The name as written.
        name: String,
        /// The option that is spelt alike, if one is.
        nearest: Option<&'static str>,
    },
    /// The Spark connector has it, and it has no meaning here.
    #[error("option `{name}` of the Spark connector has no meaning here: {reason}")]
    Meaningless {
        /// The name as written.
        name: String,
        /// Why.
        reason: &'static str,
    },
    /// The value of an option.
    #[error("option `{name}` must be {expected}: {value}")]
    Value {
        /// The option, in its full spelling.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
        /// The value as written.
        value: String,
    },
    /// An option that must be given is not.
    #[error("option `{name}` is missing")]
    Missing {
        /// The option, in its full spelling.
        name: &'static str,
        /// What it is for.
        what: &'static str,
    },
    /// An option is given twice.
    #[error("option `{name}` is given twice")]
    Twice {
        /// The option, in its full spelling.
        name: &'static str,
    },
    /// An option needs another one.
    #[error("option `{name}` needs the option `{other}`")]
    Needs {
        /// The option that is given.
        name: &'static str,
        /// The option that is not.
        other: &'static str,
    },
    /// A table column is fed twice.
    #[error("column `{column}` of the table is fed twice")]
    ColumnTwice {
        /// The table column.
        column: String,
    },
}

impl ConfigError {
    /// The option that is wrong, where one is.
    pub fn option(&self) -> Option<&str> {
        match self {
            ConfigError::Unknown { name, .. } | ConfigError::Meaningless { name, .. } => Some(name),
            ConfigError::Value { name, .. }
            | ConfigError::Missing { name, .. }
            | ConfigError::Twice { name }
            | ConfigError::Needs { name, .. } => Some(name),
            ConfigError::ColumnTwice { .. } => None,
        }
    }
}

impl Explain for ConfigError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        match self {
            ConfigError::Unknown { nearest, .. } => nearest.map(|name| format!("did you mean `{name}`?")),
            ConfigError::Meaningless { .. } => Some("leave it out".to_owned()),
            ConfigError::Missing { what, .. } => Some(format!("give {what}")),
            ConfigError::Value { name, .. } if name.ends_with(".type") => {
                Some("`keytool -importkeystore -deststoretype PKCS12` makes a PKCS12 of a JKS".to_owned())
            }
            _ => None,
        }
    }
}

/// An option, in its full spelling, with what the reference page says of it.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// The full name.
    pub name: &'static str,
    /// What it is when it is not given.
    pub default: &'static str,
    /// What it means.
    pub doc: &'static str,
}

macro_rules! options {
    ($($constant:ident = $name:literal, $default:literal, $doc:literal;)*) => {
        $(const $constant: &str = $name;)*

        /// Every option.
        pub const OPTIONS: &[OptionSpec] = &[$(OptionSpec { name: $name, default: $default, doc: $doc },)*];
    };
}

options! {
    HOST = "spark.cassandra.connection.host", "127.0.0.1", "servers that are asked first, with commas between; each may have its own `:port`";
    PORT = "spark.cassandra.connection.port", "9042", "port of those without one";
    LOCAL_DC = "spark.cassandra.connection.localDC", "the only one", "data centre whose servers are used; must be given when there are several";
    CONNECT_TIMEOUT = "spark.cassandra.connection.timeoutMS", "5000", "how long making a connection may take";
    READ_TIMEOUT = "spark.cassandra.read.timeoutMS", "12000", "how long an answer may take, of reads and of writes";
    CONNECTIONS = "spark.cassandra.connection.localConnectionsPerExecutor", "2", "connections to each server";
    COMPRESSION = "spark.cassandra.connection.compression", "NONE", "NONE, LZ4 or SNAPPY";
    USERNAME = "spark.cassandra.auth.username", "nobody", "role to log in as";
    PASSWORD = "spark.cassandra.auth.password", "none", "its password; `${file:…}` keeps it out of the job";
    SSL = "spark.cassandra.connection.ssl.enabled", "false", "whether the connection is encrypted";
    TRUST_PATH = "spark.cassandra.connection.ssl.trustStore.path", "the system's", "certificates of the authorities that we believe";
    TRUST_PASSWORD = "spark.cassandra.connection.ssl.trustStore.password", "none", "what that file is locked with";
    TRUST_TYPE = "spark.cassandra.connection.ssl.trustStore.type", "by the file's name", "PEM or PKCS12";
    CLIENT_AUTH = "spark.cassandra.connection.ssl.clientAuth.enabled", "false", "whether we show a certificate of our own";
    KEY_PATH = "spark.cassandra.connection.ssl.keyStore.path", "none", "our certificate and its key";
    KEY_PASSWORD = "spark.cassandra.connection.ssl.keyStore.password", "none", "what that file is locked with";
    KEY_TYPE = "spark.cassandra.connection.ssl.keyStore.type", "by the file's name", "PEM or PKCS12";
    KEYSPACE = "keyspace", "must be given", "keyspace of the table";
    TABLE = "table", "must be given", "the table";
    CONSISTENCY = "spark.cassandra.output.consistency.level", "LOCAL_QUORUM", "how many replicas must have a row before it counts as written";
    CONCURRENT = "spark.cassandra.output.concurrent.writes", "256", "the most rows under way at once";
    IGNORE_NULLS = "spark.cassandra.output.ignoreNulls", "true", "only `true`: a null leaves its cell as it is";
    TTL = "spark.cassandra.output.ttl", "0", "seconds after which Cassandra forgets a row; 0 for never";
    PROGRESS = "progressTable", "none", "`keyspace.table` or `table`: a table of ours that holds the newest batch of each query";
    PARTITION_KEY = "partitionKey", "none", "for `--create-table`: columns of the partition key, with commas between";
    CLUSTERING_KEY = "clusteringKey", "none", "for `--create-table`: columns of the clustering key, with commas between";
}

/// Settings of the connector that somebody may bring along, and why they say nothing here.
const MEANINGLESS: &[(&str, &str)] = &[
    ("output.batch.", "rows are written one by one, many at once"),
    ("output.timestamp", "the time of the batch's plan is the timestamp of its rows"),
    ("output.ifNotExists", "a row is written again with the same timestamp, which changes nothing"),
    ("output.throughputMBPerSec", "servers are asked no faster than they answer"),
    ("output.metrics", "progress tells rows and times"),
    ("query.retry.count", "a row is tried again until a deadline"),
    ("connection.ssl.protocol", "TLS 1.2 and 1.3 are spoken"),
    ("connection.ssl.enabledAlgorithms", "TLS 1.2 and 1.3 choose"),
    ("input.", "Cassandra is a target only"),
];

impl CassandraConfig {
    /// Typed settings of these options; `columns` are pairs of a table column and ours.
    ///
    /// # Errors
    /// [`ConfigError`] for the first option that cannot be used.
    pub fn parse(options: &[(String, String)], columns: &[(String, String)]) -> Result<CassandraConfig, ConfigError> {
        let given = Given::new(options)?;
        let keyspace = given.needed(KEYSPACE, "the keyspace of the table")?;
        let table =
            TableName { keyspace: keyspace.to_owned(), table: given.needed(TABLE, "the table's name")?.to_owned() };
        let ignore_nulls = given.boolean(IGNORE_NULLS, true)?;
        if !ignore_nulls {
            return Err(wrong(IGNORE_NULLS, "true: a null leaves its cell as it is, and makes no tombstone", "false"));
        }
        check_columns(columns)?;
        Ok(CassandraConfig {
            connection: Connection::of(&given)?,
            consistency: given
                .parsed(CONSISTENCY, "a consistency level such as LOCAL_QUORUM", consistency)?
                .unwrap_or(Consistency::LocalQuorum),
            concurrent_writes: given
                .parsed(CONCURRENT, "from 1 to 32768", |text| number(text, 1, MOST_CONCURRENT_WRITES))?
                .unwrap_or(DEFAULT_CONCURRENT_WRITES),
            ttl_s: given
                .parsed(TTL, "seconds from 0 to 630720000", |text| number(text, 0, LONGEST_TTL_S))?
                .filter(|&seconds| seconds > 0),
            progress: given.parsed(PROGRESS, "`keyspace.table` or `table`", |text| table_name(text, keyspace))?,
            partition_key: given.list(PARTITION_KEY),
            clustering_key: given.list(CLUSTERING_KEY),
            columns: columns.to_vec(),
            positions: Vec::new(),
            table,
        })
    }

    /// The same with these columns of ours as [`positions`](CassandraConfig::positions).
    pub fn with_positions(self, positions: Vec<String>) -> CassandraConfig {
        CassandraConfig { positions, ..self }
    }

    /// The same with relative paths of keys and certificates taken from `base`.
    pub fn with_base(mut self, base: &Path) -> CassandraConfig {
        if let Some(tls) = &mut self.connection.tls {
            for file in [&mut tls.trust, &mut tls.identity].into_iter().flatten() {
                file.path = base.join(&file.path);
            }
        }
        self
    }
}

impl Connection {
    fn of(given: &Given<'_>) -> Result<Connection, ConfigError> {
        let port = given.parsed(PORT, "a port", |text| number(text, 1, u16::MAX))?.unwrap_or(DEFAULT_PORT);
        let hosts = given.value(HOST).unwrap_or("127.0.0.1");
        let hosts: Vec<String> = split(hosts).map(|host| with_port(host, port)).collect();
        if hosts.is_empty() {
            return Err(wrong(HOST, "hosts with commas between", ""));
        }
        let timeout = |name, default| {
            let parsed = given.parsed(name, "milliseconds or a duration such as `5s`", duration);
            parsed.map(|value| value.unwrap_or(Duration::from_millis(default)))
        };
        Ok(Connection {
            hosts,
            local_datacenter: given.value(LOCAL_DC).map(str::to_owned),
            login: login(given)?,
            tls: tls(given)?,
            connect_timeout: timeout(CONNECT_TIMEOUT, 5_000)?,
            request_timeout: timeout(READ_TIMEOUT, 12_000)?,
            connections_per_host: given.parsed(CONNECTIONS, "from 1 to 64", |text| number(text, 1, 64))?.unwrap_or(2),
            compression: given.parsed(COMPRESSION, "NONE, LZ4 or SNAPPY", compression)?.flatten(),
        })
    }
}

fn login(given: &Given<'_>) -> Result<Option<Login>, ConfigError> {
    match (given.value(USERNAME), given.value(PASSWORD)) {
        (None, None) => Ok(None),
        (Some(username), Some(password)) => {
            Ok(Some(Login { username: username.to_owned(), password: Secret::new(password) }))
        }
        (Some(_), None) => Err(ConfigError::Needs { name: USERNAME, other: PASSWORD }),
        (None, Some(_)) => Err(ConfigError::Needs { name: PASSWORD, other: USERNAME }),
    }
}

fn tls(given: &Given<'_>) -> Result<Option<Tls>, ConfigError> {
    let client_auth = given.boolean(CLIENT_AUTH, false)?;
    let trust = key_file(given, TRUST_PATH, TRUST_TYPE, TRUST_PASSWORD)?;
    let identity = key_file(given, KEY_PATH, KEY_TYPE, KEY_PASSWORD)?;
    if !given.boolean(SSL, false)? {
        let of_tls = [CLIENT_AUTH, TRUST_PATH, KEY_PATH].into_iter().find(|name| given.value(name).is_some());
        // Somebody who names a trust store and forgets to switch TLS on would otherwise send the password in the clear.
        return of_tls.map_or(Ok(None), |name| Err(ConfigError::Needs { name, other: SSL }));
    }
    if client_auth && identity.is_none() {
        return Err(ConfigError::Needs { name: CLIENT_AUTH, other: KEY_PATH });
    }
    Ok(Some(Tls { trust, identity: identity.filter(|_| client_auth) }))
}

fn key_file(
    given: &Given<'_>,
    path: &'static str,
    format: &'static str,
    password: &'static str,
) -> Result<Option<KeyFile>, ConfigError> {
    let told = given.parsed(format, "PEM or PKCS12", key_format)?;
    let Some(file) = given.value(path) else { return Ok(None) };
    let by_name = || match Path::new(file).extension().and_then(|ending| ending.to_str()) {
        Some("p12" | "pfx" | "pkcs12") => Some(KeyFormat::Pkcs12),
        Some("pem" | "crt" | "cer" | "key") => Some(KeyFormat::Pem),
        _ => None,
    };
    let format = told.or_else(by_name).ok_or(ConfigError::Needs { name: path, other: format })?;
    Ok(Some(KeyFile { path: PathBuf::from(file), format, password: given.value(password).map(Secret::new) }))
}

fn check_columns(columns: &[(String, String)]) -> Result<(), ConfigError> {
    for (i, (column, _)) in columns.iter().enumerate() {
        if columns[..i].iter().any(|(before, _)| before == column) {
            return Err(ConfigError::ColumnTwice { column: column.clone() });
        }
    }
    Ok(())
}

/// The options that were given, by their full names.
struct Given<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Given<'a> {
    fn new(options: &'a [(String, String)]) -> Result<Given<'a>, ConfigError> {
        let mut given: Vec<(&'static str, &str)> = Vec::new();
        for (name, value) in options {
            let full = full_name(name)?;
            if given.iter().any(|(before, _)| *before == full) {
                return Err(ConfigError::Twice { name: full });
            }
            given.push((full, value.trim()));
        }
        Ok(Given(given))
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
    }

    fn needed(&self, name: &'static str, what: &'static str) -> Result<&'a str, ConfigError> {
        self.value(name).filter(|value| !value.is_empty()).ok_or(ConfigError::Missing { name, what })
    }

    fn parsed<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        self.value(name).map(|value| parse(value).ok_or_else(|| wrong(name, expected, value))).transpose()
    }

    fn boolean(&self, name: &'static str, default: bool) -> Result<bool, ConfigError> {
        let parsed = self.parsed(name, "true or false", |text| text.to_ascii_lowercase().parse().ok())?;
        Ok(parsed.unwrap_or(default))
    }

    fn list(&self, name: &str) -> Vec<String> {
        self.value(name).map(|value| split(value).map(str::to_owned).collect()).unwrap_or_default()
    }
}

/// The full name of an option, written in any case, with the connector's prefix or without.
fn full_name(written: &str) -> Result<&'static str, ConfigError> {
    let short = |name: &str| name.to_ascii_lowercase().trim_start_matches(PREFIX).to_owned();
    let wanted = short(written);
    if let Some(option) = OPTIONS.iter().find(|option| short(option.name) == wanted) {
        return Ok(option.name);
    }
    let of_spark = MEANINGLESS.iter().find(|(name, _)| wanted.starts_with(&name.to_ascii_lowercase()));
    if let Some((_, reason)) = of_spark {
        return Err(ConfigError::Meaningless { name: written.to_owned(), reason });
    }
    let shorts: Vec<String> = OPTIONS.iter().map(|option| short(option.name)).collect();
    let nearest = nearest(&wanted, shorts.iter().map(String::as_str))
        .and_then(|near| OPTIONS.iter().find(|option| short(option.name) == near))
        .map(|option| option.name);
    Err(ConfigError::Unknown { name: written.to_owned(), nearest })
}

fn wrong(name: &'static str, expected: &'static str, value: &str) -> ConfigError {
    ConfigError::Value { name, expected, value: value.to_owned() }
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// `10.0.0.1` and `[::1]` without a port get this one; `10.0.0.1:9043` has its own; `::1` is an address, not a port.
fn with_port(host: &str, port: u16) -> String {
    let n_colons = host.matches(':').count();
    match (host.starts_with('['), n_colons) {
        (false, 0) => format!("{host}:{port}"),
        (true, _) if host.ends_with(']') => format!("{host}:{port}"),
        (false, 2..) => format!("[{host}]:{port}"),
        _ => host.to_owned(),
    }
}

fn number<T: std::str::FromStr + PartialOrd>(text: &str, least: T, most: T) -> Option<T> {
    text.parse().ok().filter(|n| *n >= least && *n <= most)
}

fn duration(text: &str) -> Option<Duration> {
    let milliseconds = text.parse().ok().map(Duration::from_millis);
    milliseconds.or_else(|| parse_duration(text)).filter(|duration| !duration.is_zero())
}

fn compression(text: &str) -> Option<Option<Compression>> {
    match text.to_ascii_uppercase().as_str() {
        "NONE" => Some(None),
        "LZ4" => Some(Some(Compression::Lz4)),
        "SNAPPY" => Some(Some(Compression::Snappy)),
        _ => None,
    }
}

fn key_format(text: &str) -> Option<KeyFormat> {
    match text.to_ascii_uppercase().as_str() {
        "PEM" => Some(KeyFormat::Pem),
        "PKCS12" => Some(KeyFormat::Pkcs12),
        _ => None,
    }
}

fn consistency(text: &str) -> Option<Consistency> {
    Some(match text.to_ascii_uppercase().as_str() {
        "ANY" => Consistency::Any,
        "ONE" => Consistency::One,
        "TWO" => Consistency::Two,
        "THREE" => Consistency::Three,
        "QUORUM" => Consistency::Quorum,
        "ALL" => Consistency::All,
        "LOCAL_QUORUM" => Consistency::LocalQuorum,
        "EACH_QUORUM" => Consistency::EachQuorum,
        "LOCAL_ONE" => Consistency::LocalOne,
        _ => return None,
    })
}

/// A consistency level by the name that options give it.
pub(crate) fn consistency_name(level: Consistency) -> &'static str {
    match level {
        Consistency::Any => "ANY",
        Consistency::One => "ONE",
        Consistency::Two => "TWO",
        Consistency::Three => "THREE",
        Consistency::Quorum => "QUORUM",
        Consistency::All => "ALL",
        Consistency::EachQuorum => "EACH_QUORUM",
        Consistency::LocalOne => "LOCAL_ONE",
        _ => "LOCAL_QUORUM",
    }
}

fn table_name(text: &str, keyspace: &str) -> Option<TableName> {
    let (keyspace, table) = text.split_once('.').unwrap_or((keyspace, text));
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    (is_name(keyspace) && is_name(table)).then(|| TableName { keyspace: keyspace.to_owned(), table: table.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE_OPTIONS: [(&str, &str); 2] = [("keyspace", "loans"), ("table", "scored")];

    fn parse(options: &[(&str, &str)]) -> Result<CassandraConfig, ConfigError> {
        let all = TABLE_OPTIONS.iter().chain(options);
        let given: Vec<_> = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        CassandraConfig::parse(&given, &[])
    }

    #[test]
    fn names_are_taken_in_any_case_with_and_without_the_connectors_prefix() {
        let config = parse(&[
            ("spark.cassandra.connection.host", "10.0.0.1, 10.0.0.2:9043, ::1, [::2]:1"),
            ("Connection.Port", "9142"),
            ("output.concurrent.writes", "64"),
            ("SPARK.CASSANDRA.OUTPUT.CONSISTENCY.LEVEL", "each_quorum"),
            ("output.ttl", "3600"),
            ("progressTable", "progress"),
            ("read.timeoutMS", "2 seconds"),
        ])
        .unwrap();
        assert_eq!(config.connection.hosts, ["10.0.0.1:9142", "10.0.0.2:9043", "[::1]:9142", "[::2]:1"]);
        assert_eq!(config.connection.request_timeout, Duration::from_secs(2));
        assert_eq!((config.concurrent_writes, config.ttl_s), (64, Some(3600)));
        assert_eq!(config.consistency, Consistency::EachQuorum);
        assert_eq!(config.progress.unwrap().to_string(), "loans.progress");
    }

    #[test]
    fn without_options_the_defaults_are_the_safe_ones() {
        let config = parse(&[("output.ttl", "0")]).unwrap();
        assert_eq!(config.connection.hosts, ["127.0.0.1:9042"]);
        assert_eq!((config.consistency, config.ttl_s, config.concurrent_writes), (Consistency::LocalQuorum, None, 256));
        assert!(config.connection.tls.is_none() && config.connection.login.is_none() && config.progress.is_none());
    }

    #[track_caller]
    fn check_refused(options: &[(&str, &str)], message: &str, hint: Option<&str>) {
        let error = parse(options).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (message, hint));
    }

    #[test]
    fn what_cannot_be_used_is_named_with_the_nearest_option() {
        check_refused(
            &[("conection.host", "a")],
            "cassandra has no option of this name: conection.host",
            Some("did you mean `spark.cassandra.connection.host`?"),
        );
        check_refused(
            &[("spark.cassandra.output.batch.size.rows", "1")],
            "option `spark.cassandra.output.batch.size.rows` of the Spark connector has no meaning here: \
             rows are written one by one, many at once",
            Some("leave it out"),
        );
        check_refused(
            &[("output.ttl", "-1")],
            "option `spark.cassandra.output.ttl` must be seconds from 0 to 630720000: -1",
            None,
        );
        check_refused(&[("table", "x")], "option `table` is given twice", None);
        check_refused(
            &[("auth.username", "x")],
            "option `spark.cassandra.auth.username` needs the option `spark.cassandra.auth.password`",
            None,
        );
        check_refused(
            &[("connection.ssl.trustStore.path", "ca.pem")],
            "option `spark.cassandra.connection.ssl.trustStore.path` needs the option `spark.cassandra.connection.ssl.enabled`",
            None,
        );
        check_refused(
            &[
                ("connection.ssl.enabled", "true"),
                ("connection.ssl.trustStore.path", "ca.pem"),
                ("connection.ssl.trustStore.type", "JKS"),
            ],
            "option `spark.cassandra.connection.ssl.trustStore.type` must be PEM or PKCS12: JKS",
            Some("`keytool -importkeystore -deststoretype PKCS12` makes a PKCS12 of a JKS"),
        );
        let missing = CassandraConfig::parse(&[], &[]).unwrap_err();
        assert_eq!(
            (missing.to_string().as_str(), missing.option()),
            ("option `keyspace` is missing", Some("keyspace"))
        );
    }

    #[test]
    fn a_password_is_never_shown() {
        let config = parse(&[
            ("auth.username", "loans"),
            ("auth.password", "hunter2"),
            ("connection.ssl.enabled", "true"),
            ("connection.ssl.clientAuth.enabled", "true"),
            ("connection.ssl.keyStore.path", "keys/us.p12"),
            ("connection.ssl.keyStore.password", "hunter2"),
        ])
        .unwrap();
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
        assert_eq!(config.connection.login.as_ref().unwrap().password.reveal(), "hunter2");
        let tls = config.with_base(Path::new("/jobs")).connection.tls.unwrap();
        let identity = tls.identity.unwrap();
        assert_eq!((identity.path, identity.format), (PathBuf::from("/jobs/keys/us.p12"), KeyFormat::Pkcs12));
    }

    #[test]
    fn a_level_has_the_name_that_it_is_given_by() {
        for name in ["ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "LOCAL_ONE"] {
            assert_eq!(consistency_name(consistency(name).unwrap()), name);
        }
    }

    #[test]
    fn the_reference_page_has_every_option_with_its_default_and_its_sentence() {
        let page = include_str!("../../../docs/cassandra.md");
        for OptionSpec { name, default, doc } in OPTIONS {
            let line = format!("| `{name}` | {default} | {doc} |");
            assert!(page.lines().any(|there| there == line), "the page lacks this line:\n{line}");
        }
    }

    #[test]
    fn a_table_column_is_fed_once() {
        let columns = ["a", "b", "a"].map(|column| (column.to_owned(), "x".to_owned()));
        let options: Vec<_> =
            TABLE_OPTIONS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let error = CassandraConfig::parse(&options, &columns).unwrap_err();
        assert_eq!(error.to_string(), "column `a` of the table is fed twice");
    }
}
