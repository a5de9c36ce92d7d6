//! A schema registry as Confluent's clients know it: which schema a number stands for, and which number a schema has.
//!
//! | answer | meaning |
//! |---|---|
//! | no answer, 408, 429, 5xx | not now: the batch is tried again after a pause |
//! | 404 with the code of an unknown schema | the record that names it cannot be read, now or later |
//! | 404 without such a code | this is no registry: the job ends |
//! | 401, 403 | not with this login: the job ends |
//! | 409, 422 | the registry refuses the schema: the job ends |
//!
//! What a number stands for never changes, so each is asked for once, and the newest thousand are remembered. That one stands for
//! nothing is remembered for a minute: a registry that was filled anew is asked again.

mod config;
mod http;
mod memory;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use hyper::Method;
use ognivo_data::codec::avro::{AvroSchema, Known};
use ognivo_data::fault::{Explain, Fault, Retry};
use serde_json::{Value, json};

pub use config::RegistryConfig;
use http::{Answer, Call};
use memory::Memory;

/// How many schemas another one may refer to, by itself and by those that it refers to.
const MOST_REFERENCES: usize = 100;

/// Confluent's codes of what is not there.
const NO_SUBJECT: i64 = 40401;
const NO_VERSION: i64 = 40402;
const NO_SCHEMA: i64 = 40403;

/// A registry could not be asked, or refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// It does not answer, or says «not now».
    #[error("cannot ask the schema registry {url}: {why}")]
    NotNow {
        /// The registry.
        url: String,
        /// What happened.
        why: String,
    },
    /// A certificate or a key cannot be used.
    #[error("cannot ask the schema registry {url} over TLS: {why}")]
    Certificates {
        /// The registry.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// It refuses our login.
    #[error("schema registry {url} refuses the login: {status}")]
    Rights {
        /// The registry.
        url: String,
        /// The status of its answer.
        status: u16,
    },
    /// It refuses a schema.
    #[error("schema registry refuses the schema of subject {subject}: {why}")]
    Refused {
        /// The subject.
        subject: String,
        /// What it says.
        why: String,
    },
    /// A schema that must be registered is not.
    #[error("schema registry does not have the schema of the rows under the subject: {subject}")]
    NotRegistered {
        /// The subject.
        subject: String,
    },
    /// Whatever answers there is no registry.
    #[error("no schema registry answers at {url}: {why}")]
    NoRegistry {
        /// The address.
        url: String,
        /// What it answered.
        why: String,
    },
}

impl Explain for RegistryError {
    fn fault(&self) -> Fault {
        match self {
            RegistryError::NotNow { .. } => Fault::Remote,
            _ => Fault::Job,
        }
    }

    fn retry(&self) -> Retry {
        match self {
            RegistryError::NotNow { .. } => Retry::Backoff,
            _ => Retry::Never,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            RegistryError::NotNow { .. } => {
                "does the registry run, and is `schema.registry.url` right? Records whose schemas it has told are read without it"
            }
            RegistryError::Certificates { .. } => {
                "is `ssl.ca.location` the authority of the registry, and its host in the certificate?"
            }
            RegistryError::Rights { .. } => {
                "the login is `basic.auth.user.info: user:password`, or `bearer.auth.token`"
            }
            RegistryError::Refused { .. } => {
                "select columns that the subject's compatibility allows, or write to a topic of its own"
            }
            RegistryError::NotRegistered { .. } => "register it first, or leave `auto.register.schemas` out",
            RegistryError::NoRegistry { .. } => {
                "`schema.registry.url` is what `/schemas/ids` stands behind, such as http://127.0.0.1:8081"
            }
        };
        Some(hint.to_owned())
    }
}

/// A registry, and what it has said; clones share what they know.
#[derive(Debug, Clone)]
pub struct Registry {
    config: Arc<RegistryConfig>,
    known: Arc<Mutex<Memory>>,
}

impl Registry {
    /// A registry that has not been asked yet.
    pub fn new(config: RegistryConfig) -> Registry {
        Registry { config: Arc::new(config), known: Arc::default() }
    }

    /// What the number stands for.
    ///
    /// # Errors
    /// [`RegistryError`] when nobody can say; that a number stands for nothing is an answer.
    pub(crate) async fn schema(&self, id: u32) -> Result<Known, RegistryError> {
        if let Some(known) = self.remembered().get(id, Instant::now()) {
            return Ok(known);
        }
        let answer = self.ask(Method::GET, &format!("/schemas/ids/{id}"), None).await?;
        let known = match answer.status {
            200 => self.what_it_means(&self.json(&answer)?).await?,
            404 if answer.code() == Some(NO_SCHEMA) => {
                Known::Nothing("the schema registry does not know it".to_owned())
            }
            _ => return Err(self.unexpected(&answer)),
        };
        self.remembered().put(id, known.clone(), Instant::now());
        Ok(known)
    }

    fn remembered(&self) -> MutexGuard<'_, Memory> {
        self.known.lock().expect("nobody panics while holding this lock")
    }

    /// What the answer to the question for a number means; schemas that it refers to are asked for.
    async fn what_it_means(&self, answer: &Value) -> Result<Known, RegistryError> {
        let own = match Written::of(answer) {
            Ok(own) => own,
            Err(why) => return Ok(Known::Nothing(why)),
        };
        // Each comes after those that it refers to.
        let mut in_order = Vec::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![(own, 0)];
        while let Some((schema, n_followed)) = open.last_mut() {
            let Some(reference) = schema.references.get(*n_followed).cloned() else {
                in_order.extend(open.pop().map(|(schema, _)| schema.json));
                continue;
            };
            *n_followed += 1;
            if seen.len() == MOST_REFERENCES {
                return Ok(Known::Nothing(format!("it refers to more schemas than {MOST_REFERENCES}")));
            }
            if seen.insert(reference.clone()) {
                match self.referred_to(&reference).await? {
                    Ok(schema) => open.push((schema, 0)),
                    Err(why) => return Ok(Known::Nothing(why)),
                }
            }
        }
        Ok(read_last(&in_order))
    }

    async fn referred_to(&self, reference: &Reference) -> Result<Result<Written, String>, RegistryError> {
        let Reference { subject, version } = reference;
        let path = format!("/subjects/{}/versions/{version}", escaped(subject));
        let answer = self.ask(Method::GET, &path, None).await?;
        match (answer.status, answer.code()) {
            (200, _) => Ok(Written::of(&self.json(&answer)?)),
            (404, Some(NO_SUBJECT | NO_VERSION)) => {
                Ok(Err(format!("it refers to a schema that is not there: version {version} of {subject}")))
            }
            _ => Err(self.unexpected(&answer)),
        }
    }

    /// The number of the schema under the subject: registered now, if it is not, unless the job forbids it.
    pub(crate) async fn id_of(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        match self.config.auto_register {
            true => self.register(subject, schema).await,
            false => self.find(subject, schema).await,
        }
    }

    async fn register(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let body = json!({ "schema": schema }).to_string();
        let answer = self.ask(Method::POST, &format!("/subjects/{}/versions", escaped(subject)), Some(body)).await?;
        match answer.status {
            200 => self.number(&answer),
            409 | 422 => Err(RegistryError::Refused { subject: subject.to_owned(), why: answer.message() }),
            _ => Err(self.unexpected(&answer)),
        }
    }

    /// The number of a schema that is registered.
    pub(crate) async fn find(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let body = json!({ "schema": schema }).to_string();
        let answer = self.ask(Method::POST, &format!("/subjects/{}", escaped(subject)), Some(body)).await?;
        match (answer.status, answer.code()) {
            (200, _) => self.number(&answer),
            (404, Some(NO_SUBJECT | NO_VERSION | NO_SCHEMA)) => {
                Err(RegistryError::NotRegistered { subject: subject.to_owned() })
            }
            _ => Err(self.unexpected(&answer)),
        }
    }

    /// Whether rows of a schema can be written under a subject, in words; nothing is registered.
    ///
    /// # Errors
    /// A registry that does not answer, or would refuse the schema.
    pub(crate) async fn look_for(&self, subject: &str, schema: &str) -> Result<String, RegistryError> {
        match self.find(subject, schema).await {
            Ok(id) => Ok(format!("the schema of the rows is number {id}")),
            Err(RegistryError::NotRegistered { .. }) if self.config.auto_register => {
                self.would_take(subject, schema).await
            }
            Err(error) => Err(error),
        }
    }

    async fn would_take(&self, subject: &str, schema: &str) -> Result<String, RegistryError> {
        let body = json!({ "schema": schema }).to_string();
        let path = format!("/compatibility/subjects/{}/versions/latest", escaped(subject));
        let answer = self.ask(Method::POST, &path, Some(body)).await?;
        let refused = |why: String| Err(RegistryError::Refused { subject: subject.to_owned(), why });
        match (answer.status, answer.code()) {
            (200, _) if self.json(&answer)?["is_compatible"] == true => {
                Ok("the stream will register the schema of the rows".to_owned())
            }
            (200, _) => refused("it is not compatible with the newest version".to_owned()),
            (404, Some(NO_SUBJECT | NO_VERSION)) => {
                Ok("new: the stream will register the schema of the rows".to_owned())
            }
            (409 | 422, _) => refused(answer.message()),
            _ => Err(self.unexpected(&answer)),
        }
    }

    /// Each address as a registry of its own, which has been asked nothing.
    pub(crate) fn apart(&self) -> impl Iterator<Item = (String, Registry)> {
        let one = |url: &String| {
            (url.clone(), RegistryConfig { urls: vec![url.clone()], ..RegistryConfig::clone(&self.config) })
        };
        self.config.urls.iter().map(one).map(|(url, config)| (url, Registry::new(config)))
    }

    /// Asks each address in turn, until one answers with something else than «not now».
    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Result<Answer, RegistryError> {
        let mut last = None;
        for url in &self.config.urls {
            let call = Call { method: method.clone(), url, path, body: body.clone() };
            match http::call(&self.config, call).await {
                Ok(answer) if is_not_now(answer.status) => {
                    let why = format!("status {}: {}", answer.status, answer.message());
                    last = Some(RegistryError::NotNow { url: url.clone(), why });
                }
                Ok(answer) if matches!(answer.status, 401 | 403) => {
                    return Err(RegistryError::Rights { url: url.clone(), status: answer.status });
                }
                Ok(answer) => return Ok(answer),
                Err(error @ RegistryError::NotNow { .. }) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.expect("a registry has an address"))
    }

    fn unexpected(&self, answer: &Answer) -> RegistryError {
        let why = format!("status {}: {}", answer.status, answer.message());
        RegistryError::NoRegistry { url: self.config.urls.join(","), why }
    }

    fn json(&self, answer: &Answer) -> Result<Value, RegistryError> {
        answer.json().ok_or_else(|| self.unexpected(answer))
    }

    fn number(&self, answer: &Answer) -> Result<u32, RegistryError> {
        let id = self.json(answer)?["id"].as_u64().and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| self.unexpected(answer))
    }
}

fn is_not_now(status: u16) -> bool {
    matches!(status, 408 | 429 | 500..)
}

/// A schema as a registry has it.
struct Written {
    json: String,
    references: Vec<Reference>,
}

/// Where a schema is that another one names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    subject: String,
    version: u64,
}

impl Written {
    /// # Errors
    /// Why nothing can be read by it.
    fn of(answer: &Value) -> Result<Written, String> {
        match answer["schemaType"].as_str() {
            None | Some("AVRO") => {}
            Some(other) => return Err(format!("it is no schema of Avro: {other}")),
        }
        let references = answer["references"].as_array().into_iter().flatten().map(|reference| {
            let named = (reference["subject"].as_str(), reference["version"].as_u64());
            let (Some(subject), Some(version)) = named else {
                return Err(format!("it refers to something that has no subject and version: {reference}"));
            };
            Ok(Reference { subject: subject.to_owned(), version })
        });
        let json = answer["schema"].as_str().unwrap_or_default().to_owned();
        Ok(Written { json, references: references.collect::<Result<_, _>>()? })
    }
}

/// The last, which may name types of those before it.
fn read_last(all: &[String]) -> Known {
    let texts: Vec<&str> = all.iter().map(String::as_str).collect();
    let (own, others) = texts.split_last().expect("there is a schema");
    match AvroSchema::parse_with(others, own) {
        Ok(schema) => Known::Schema(schema),
        Err(error) => Known::Nothing(error.to_string()),
    }
}

/// A subject as a part of a path.
fn escaped(subject: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let each =
        subject.bytes().map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_schema_of_avro_can_be_read_by() {
        let schema = r#"{"type":"record","name":"R","fields":[]}"#;
        let why = |answer: Value| match Written::of(&answer).map(|written| read_last(&[written.json])) {
            Ok(Known::Schema(schema)) => schema.json().to_owned(),
            Ok(Known::Nothing(why)) | Err(why) => why,
        };
        assert_eq!(why(json!({"schema": schema})), schema);
        assert_eq!(why(json!({"schema": schema, "schemaType": "AVRO", "references": []})), schema);
        assert_eq!(why(json!({"schema": "{}", "schemaType": "JSON"})), "it is no schema of Avro: JSON");
        assert_eq!(why(json!({})), "not an Avro schema: EOF while parsing a value at line 1 column 0");
        let nowhere = json!({"schema": schema, "references": [{"name": "x"}]});
        assert_eq!(why(nowhere), r#"it refers to something that has no subject and version: {"name":"x"}"#);
    }

    #[test]
    fn a_subject_is_one_part_of_a_path_whatever_it_is_called() {
        assert_eq!(escaped("loans.in-value"), "loans.in-value");
        assert_eq!(escaped("a/b ü%"), "a%2Fb%20%C3%BC%25");
    }

    #[test]
    fn a_registry_that_is_not_there_is_waited_for_and_a_wrong_answer_is_not() {
        let url = || "http://127.0.0.1:1".to_owned();
        let not_now = RegistryError::NotNow { url: url(), why: String::new() };
        assert_eq!((not_now.fault(), not_now.retry()), (Fault::Remote, Retry::Backoff));
        let no_registry = RegistryError::NoRegistry { url: url(), why: String::new() };
        assert_eq!((no_registry.fault(), no_registry.retry()), (Fault::Job, Retry::Never));
        let statuses = [200, 404, 408, 409, 429, 500, 503];
        assert_eq!(statuses.map(is_not_now), [false, false, true, false, true, true, true]);
    }
}
