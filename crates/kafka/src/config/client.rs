//! Settings of the client: Kafka's own names, checked by the client itself before anything is connected.
//!
//! | refused | why |
//! |---|---|
//! | `auto.offset.reset` | `startingOffsets` says where a stream begins |
//! | `enable.auto.commit`, `enable.auto.offset.store`, `enable.partition.eof` | progress is stored with the rows |
//! | `key.deserializer`, `value.deserializer`, `key.serializer`, `value.serializer` | keys are bytes, `value` says the format |
//! | `interceptor.classes` | there is no JVM |
//! | `enable.idempotence` `acks` of a sink | every delivery of ours needs them |

use std::collections::BTreeMap;
use std::fmt;

use ognivo_data::fault::nearest;
use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use super::{ConfigError, login};

/// Settings of a client, by their Kafka names. Secrets are shown nowhere.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSettings(BTreeMap<String, String>);

/// Names whose values are secrets.
const SECRETS: &[&str] = &[
    "sasl.password",
    "sasl.jaas.config",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.password",
    "ssl.keystore.key",
    "ssl.truststore.password",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config",
];

/// Whether the value of an option of a job, such as `kafka.sasl.password`, is a secret by itself. Settings of a token's library may be
/// anything, and are not.
pub fn is_secret(option: &str) -> bool {
    let name = option.to_ascii_lowercase();
    name.strip_prefix("kafka.").is_some_and(|name| SECRETS.contains(&name) && name != "sasl.oauthbearer.config")
}

const OFFSETS: &str = "progress is kept by the job, together with the rows";
const BYTES: &str = "keys are bytes, and `value: {format: …}` says what values are";

const FORBIDDEN_IN_SOURCE: &[(&str, &str)] = &[
    ("auto.offset.reset", "set `startingOffsets`; where a stream begins is not left to the client"),
    ("enable.auto.commit", OFFSETS),
    ("enable.auto.offset.store", OFFSETS),
    ("enable.partition.eof", OFFSETS),
    ("key.deserializer", BYTES),
    ("value.deserializer", BYTES),
    ("interceptor.classes", "keys and values are always read as bytes, and there is no JVM"),
];

const FORBIDDEN_IN_SINK: &[(&str, &str)] = &[
    ("key.serializer", BYTES),
    ("value.serializer", BYTES),
    ("interceptor.classes", "there is no JVM"),
    ("acks", "rows count as written when all replicas in sync have them"),
    ("enable.idempotence", "no delivery that a job can ask for does without it"),
];

/// Kafka's Java client has these and ours does not; they change no row, so a job that Spark runs may have them.
const OF_JAVA_ALONE: &[&str] =
    &["max.poll.records", "ssl.truststore.type", "ssl.keystore.type", "auto.include.jmx.reporter"];

impl ClientSettings {
    pub(crate) fn of_consumer(given: &[(&str, &str)]) -> Result<ClientSettings, ConfigError> {
        ClientSettings::of(given, FORBIDDEN_IN_SOURCE)
    }

    pub(crate) fn of_producer(given: &[(&str, &str)]) -> Result<ClientSettings, ConfigError> {
        ClientSettings::of(given, FORBIDDEN_IN_SINK)
    }

    fn of(given: &[(&str, &str)], forbidden: &[(&str, &'static str)]) -> Result<ClientSettings, ConfigError> {
        let mut settings = BTreeMap::new();
        for &(name, value) in given {
            let name = name.to_ascii_lowercase();
            if let Some((_, why)) = forbidden.iter().find(|(known, _)| *known == name) {
                return Err(ConfigError::Forbidden { name: format!("kafka.{name}"), why });
            }
            match name.as_str() {
                name if OF_JAVA_ALONE.contains(&name) => {}
                "sasl.jaas.config" => settings.extend(jaas(value)?),
                "ssl.truststore.location" => {
                    settings.insert("ssl.ca.location".to_owned(), value.to_owned());
                }
                _ => {
                    settings.insert(name, value.to_owned());
                }
            }
        }
        if settings.get("bootstrap.servers").is_none_or(String::is_empty) {
            let why = "it says where the brokers are";
            return Err(ConfigError::Missing { name: "kafka.bootstrap.servers", why });
        }
        let settings = ClientSettings(settings);
        settings.check()?;
        login::check(&settings)?;
        Ok(settings)
    }

    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Where the brokers are.
    pub fn bootstrap_servers(&self) -> &str {
        self.get("bootstrap.servers").unwrap_or_default()
    }

    /// Only what says where the brokers are and who we are: all that producers and consumers share.
    pub(crate) fn of_connection(&self) -> ClientSettings {
        let shared = [
            "bootstrap.",
            "security.",
            "sasl.",
            "ssl.",
            "enable.sasl.",
            "enable.ssl.",
            "socket.",
            "client.",
            "broker.",
            "reconnect.",
        ];
        let is_shared = |name: &String| shared.iter().any(|prefix| name.starts_with(prefix)) || name == "debug";
        ClientSettings(self.0.iter().filter(|(name, _)| is_shared(name)).map(|(n, v)| (n.clone(), v.clone())).collect())
    }

    /// The client's own form: `defaults` first, then what the job says, then `fixed`.
    pub(crate) fn to_client(&self, defaults: &[(&str, &str)], fixed: &[(&str, &str)]) -> ClientConfig {
        let mut client = ClientConfig::new();
        for (name, value) in defaults {
            client.set(*name, *value);
        }
        for (name, value) in &self.0 {
            client.set(name, value);
        }
        for (name, value) in fixed {
            client.set(*name, *value);
        }
        client
    }

    /// Has the client itself look at each setting; nothing is connected.
    fn check(&self) -> Result<(), ConfigError> {
        for (name, value) in &self.0 {
            let mut one = ClientConfig::new();
            let Err(KafkaError::ClientConfig(_, why, _, _)) = one.set(name, value).create_native_config() else {
                continue;
            };
            let option = format!("kafka.{name}");
            if why.starts_with("No such configuration property") {
                let nearest = nearest(name, KNOWN.iter().copied()).map(|name| format!("kafka.{name}"));
                return Err(ConfigError::Unknown { what: "client of kafka", name: option, nearest });
            }
            if let Some((_, lacking)) = why.split_once("not supported in this build: ") {
                let hint = login::features_hint(lacking);
                return Err(ConfigError::NotBuilt { name: option, feature: lacking.to_owned(), hint });
            }
            let value = if SECRETS.contains(&name.as_str()) { "(not shown)".to_owned() } else { value.clone() };
            return Err(ConfigError::Value { name: option, expected: expected(&why), value });
        }
        Ok(())
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value): (&String, &String)| {
            let is_secret = SECRETS.contains(&name.as_str());
            (name.clone(), if is_secret { "(not shown)".to_owned() } else { value.clone() })
        };
        f.debug_map().entries(self.0.iter().map(shown)).finish()
    }
}

/// What the client's sentence says of the value; it holds the value itself, which may be a secret.
fn expected(why: &str) -> String {
    let range = why.split_once("expected ").or_else(|| why.split_once("must be ")).map(|(_, rest)| rest);
    range.map_or_else(|| "a value that the client takes".to_owned(), |rest| rest.trim_end_matches('.').to_owned())
}

/// `…PlainLoginModule required username="x" password="y";` as Java's client takes it.
fn jaas(value: &str) -> Result<[(String, String); 2], ConfigError> {
    let quoted = |name: &str| {
        let (_, rest) = value.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(inner, _)| inner.to_owned())
    };
    match (quoted("username"), quoted("password")) {
        (Some(user), Some(password)) => {
            Ok([("sasl.username".to_owned(), user), ("sasl.password".to_owned(), password)])
        }
        _ => Err(ConfigError::Forbidden {
            name: "kafka.sasl.jaas.config".to_owned(),
            why: "only a user name and a password can be read from it; set `kafka.sasl.username` and `kafka.sasl.password`",
        }),
    }
}

/// Settings that jobs have, for the nearest name.
const KNOWN: &[&str] = &[
    "bootstrap.servers",
    "security.protocol",
    "sasl.mechanism",
    "sasl.username",
    "sasl.password",
    "sasl.jaas.config",
    "ssl.ca.location",
    "ssl.certificate.location",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.endpoint.identification.algorithm",
    "ssl.truststore.location",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "group.remote.assignor",
    "partition.assignment.strategy",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "isolation.level",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "max.partition.fetch.bytes",
    "fetch.message.max.bytes",
    "topic.metadata.refresh.interval.ms",
    "client.id",
    "client.rack",
    "compression.type",
    "linger.ms",
    "batch.size",
    "message.max.bytes",
    "message.timeout.ms",
    "request.timeout.ms",
    "socket.timeout.ms",
    "transactional.id",
    "transaction.timeout.ms",
    "partitioner",
    "retry.backoff.ms",
    "retry.backoff.max.ms",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "debug",
];

#[cfg(test)]
mod tests {
    use super::*;
    use ognivo_data::fault::Explain as _;

    const SERVER: (&str, &str) = ("bootstrap.servers", "127.0.0.1:9092");

    #[test]
    fn the_client_is_asked_about_every_setting() {
        let error = ClientSettings::of_consumer(&[SERVER, ("session.timeuot.ms", "5")]).unwrap_err();
        assert_eq!(error.to_string(), "a client of kafka has no option of this name: kafka.session.timeuot.ms");
        assert_eq!(error.hint().as_deref(), Some("did you mean `kafka.session.timeout.ms`?"));
        let error = ClientSettings::of_consumer(&[SERVER, ("session.timeout.ms", "x")]).unwrap_err();
        assert_eq!(error.option(), Some("kafka.session.timeout.ms"));
    }

    #[test]
    fn a_secret_is_shown_nowhere() {
        let jaas = r#"org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="hush";"#;
        let settings = ClientSettings::of_consumer(&[SERVER, ("sasl.jaas.config", jaas)]).unwrap();
        assert_eq!(settings.get("sasl.password"), Some("hush"));
        assert!(!format!("{settings:?}").contains("hush"));
        let error = ClientSettings::of_producer(&[SERVER, ("sasl.jaas.config", "hush")]).unwrap_err();
        assert!(!error.to_string().contains("hush") && !format!("{error:?}").contains("hush"));
    }

    #[test]
    fn a_client_certificate_goes_through_and_what_this_build_lacks_is_told() {
        let certificate = [
            SERVER,
            ("security.protocol", "SSL"),
            ("ssl.ca.location", "ca.pem"),
            ("ssl.certificate.location", "me.pem"),
            ("ssl.key.location", "me.key"),
            ("ssl.key.password", "hush"),
        ];
        let settings = ClientSettings::of_consumer(&certificate).unwrap();
        assert_eq!(settings.of_connection().get("ssl.certificate.location"), Some("me.pem"));
        assert!(!format!("{settings:?}").contains("hush"));
        let kerberos = [SERVER, ("security.protocol", "SASL_SSL"), ("sasl.mechanism", "GSSAPI")];
        let error = ClientSettings::of_consumer(&kerberos).unwrap_err();
        assert_eq!(error.option(), Some("kafka.sasl.mechanism"), "{error}");
        let error = ClientSettings::of_producer(&[SERVER, ("sasl.oauthbearer.client.id", "x")]).unwrap_err();
        let told = error.to_string();
        assert!(matches!(error, ConfigError::NotBuilt { .. }) && told.contains("sasl.oauthbearer.client.id"), "{told}");
    }

    #[test]
    fn what_the_stream_itself_decides_cannot_be_set() {
        let of_spark_source = ["auto.offset.reset", "enable.auto.commit", "key.deserializer", "value.deserializer"];
        for name in
            of_spark_source.iter().chain(&["enable.auto.offset.store", "enable.partition.eof", "interceptor.classes"])
        {
            let error = ClientSettings::of_consumer(&[SERVER, (name, "0")]).unwrap_err();
            assert!(
                matches!(&error, ConfigError::Forbidden { name: refused, .. } if *refused == format!("kafka.{name}")),
                "{error}"
            );
        }
        for name in ["key.serializer", "value.serializer", "interceptor.classes", "acks", "enable.idempotence"] {
            let error = ClientSettings::of_producer(&[SERVER, (name, "0")]).unwrap_err();
            assert!(
                matches!(&error, ConfigError::Forbidden { name: refused, .. } if *refused == format!("kafka.{name}")),
                "{error}"
            );
        }
    }

    #[test]
    fn secrets_are_known_by_their_options() {
        let secrets = ["kafka.sasl.password", "KAFKA.SSL.KEY.PASSWORD", "kafka.sasl.jaas.config", "kafka.ssl.key.pem"];
        assert!(secrets.into_iter().all(is_secret));
        let others =
            ["kafka.sasl.username", "kafka.ssl.key.location", "sasl.password", "kafka.sasl.oauthbearer.config"];
        assert!(!others.into_iter().any(is_secret));
    }
}
