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
//! What a number stands for never changes, so each is asked for once, and the newest thousand are remembered.

mod config;
mod http;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use hyper::Method;
use ognivo_data::codec::avro::{AvroSchema, Known};
use ognivo_data::fault::{Explain, Fault, Retry};
use serde_json::{Value, json};

pub use config::RegistryConfig;
use http::{Answer, Call};

/// How many numbers are remembered.
const REMEMBERED: usize = 1000;

/// Confluent's codes of what is not there.
const NO_SUBJECT: i64 = 40401;
const NO_VERSION: i64 = 40402;
const NO_SCHEMA: i64 = 40403;

/// A registry could not be asked, or refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// It does not answer, or says «not now».
    #[error("schema registry {url}: {why}")]
    NotNow {
        /// The registry.
        url: String,
        /// What happened.
        why: String,
    },
    /// A certificate or a key cannot be used.
    #[error("schema registry {url}: {why}")]
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
            _ => return None,
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
        let remembered = || self.known.lock().expect("nobody panics while holding this lock");
        if let Some(known) = remembered().get(id) {
            return Ok(known);
        }
        let answer = self.ask(Method::GET, &format!("/schemas/ids/{id}"), None).await?;
        let known = match answer.status {
            200 => what_it_means(&self.json(&answer)?),
            404 if answer.code() == Some(NO_SCHEMA) => {
                Known::Nothing("the schema registry does not know it".to_owned())
            }
            _ => return Err(self.unexpected(&answer)),
        };
        remembered().put(id, known.clone());
        Ok(known)
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
        let answer = self.ask(Method::POST, &format!("/subjects/{subject}/versions"), Some(body)).await?;
        match answer.status {
            200 => self.number(&answer),
            409 | 422 => Err(RegistryError::Refused { subject: subject.to_owned(), why: answer.message() }),
            _ => Err(self.unexpected(&answer)),
        }
    }

    /// The number of a schema that is registered.
    pub(crate) async fn find(&self, subject: &str, schema: &str) -> Result<u32, RegistryError> {
        let body = json!({ "schema": schema }).to_string();
        let answer = self.ask(Method::POST, &format!("/subjects/{subject}"), Some(body)).await?;
        match (answer.status, answer.code()) {
            (200, _) => self.number(&answer),
            (404, Some(NO_SUBJECT | NO_VERSION | NO_SCHEMA)) => {
                Err(RegistryError::NotRegistered { subject: subject.to_owned() })
            }
            _ => Err(self.unexpected(&answer)),
        }
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

/// What the answer to the question for a number means.
fn what_it_means(answer: &Value) -> Known {
    let nothing = |why: String| Known::Nothing(why);
    match answer["schemaType"].as_str() {
        None | Some("AVRO") => {}
        Some(other) => return nothing(format!("it is no schema of Avro: {other}")),
    }
    if answer["references"].as_array().is_some_and(|references| !references.is_empty()) {
        return nothing("it refers to other subjects".to_owned());
    }
    match AvroSchema::parse(answer["schema"].as_str().unwrap_or_default()) {
        Ok(schema) => Known::Schema(schema),
        Err(error) => nothing(error.to_string()),
    }
}

/// The numbers that were asked for last.
#[derive(Debug, Default)]
struct Memory {
    known: BTreeMap<u32, Known>,
    /// From the oldest on.
    order: VecDeque<u32>,
}

impl Memory {
    fn get(&self, id: u32) -> Option<Known> {
        self.known.get(&id).cloned()
    }

    fn put(&mut self, id: u32, known: Known) {
        if self.known.insert(id, known).is_some() {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_asked_for_last_are_remembered() {
        let mut memory = Memory::default();
        for id in 0..REMEMBERED as u32 + 1 {
            memory.put(id, Known::Nothing(id.to_string()));
        }
        assert!(memory.get(0).is_none());
        assert!(memory.get(1).is_some());
        assert_eq!((memory.known.len(), memory.order.len()), (REMEMBERED, REMEMBERED));
    }

    #[test]
    fn only_a_schema_of_avro_that_stands_for_itself_can_be_read_by() {
        let schema = r#"{"type":"record","name":"R","fields":[]}"#;
        let why = |answer: Value| match what_it_means(&answer) {
            Known::Schema(schema) => schema.json().to_owned(),
            Known::Nothing(why) => why,
        };
        assert_eq!(why(json!({"schema": schema})), schema);
        assert_eq!(why(json!({"schema": schema, "schemaType": "AVRO", "references": []})), schema);
        assert_eq!(why(json!({"schema": "{}", "schemaType": "JSON"})), "it is no schema of Avro: JSON");
        let references = json!({"schema": schema, "references": [{"name": "x"}]});
        assert_eq!(why(references), "it refers to other subjects");
        assert_eq!(why(json!({})), "not an Avro schema: EOF while parsing a value at line 1 column 0");
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
