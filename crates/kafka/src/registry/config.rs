//! How a registry is reached, by the names of Confluent's clients.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;
use hyper::header::HeaderValue;

use crate::config::ConfigError;

/// How a registry is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistryConfig {
    /// `schema.registry.url`: addresses, each asked when the one before does not answer.
    pub(super) urls: Vec<String>,
    /// The header `Authorization`.
    pub(super) authorization: Option<String>,
    /// `ssl.ca.location`, `ssl.certificate.location`, `ssl.key.location`: files in PEM.
    pub(super) ca: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
    /// `auto.register.schemas`: whether a sink registers the schema of its rows; default true. Else it must be there.
    pub(crate) auto_register: bool,
}

impl fmt::Debug for RegistryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A login is not shown.
        f.debug_struct("RegistryConfig").field("urls", &self.urls).finish_non_exhaustive()
    }
}

const URL: &str = "schema.registry.url";

impl RegistryConfig {
    /// The names of all options, as Confluent's clients have them.
    pub const NAMES: &'static [&'static str] = &[
        URL,
        "auto.register.schemas",
        "basic.auth.credentials.source",
        "basic.auth.user.info",
        "bearer.auth.credentials.source",
        "bearer.auth.token",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
    ];

    /// Reads options by name; None when there are none.
    ///
    /// # Errors
    /// The first value that cannot be used, options without an address, two logins.
    pub fn parse(given: &[(&'static str, &str)]) -> Result<Option<RegistryConfig>, ConfigError> {
        if given.is_empty() {
            return Ok(None);
        }
        let value_of = |wanted: &str| given.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let Some(urls) = value_of(URL) else {
            return Err(ConfigError::Missing { name: URL, why: "it is where the registry answers" });
        };
        for (name, source) in
            [("basic.auth.credentials.source", "USER_INFO"), ("bearer.auth.credentials.source", "STATIC_TOKEN")]
        {
            if let Some(value) = value_of(name).filter(|value| *value != source) {
                return Err(wrong(name, source, value));
            }
        }
        let file = |name: &str| value_of(name).map(str::to_owned);
        Ok(Some(RegistryConfig {
            urls: urls.split(',').map(|url| address(url.trim())).collect::<Result<_, _>>()?,
            authorization: authorization(value_of("basic.auth.user.info"), value_of("bearer.auth.token"))?,
            ca: file("ssl.ca.location"),
            certificate: file("ssl.certificate.location"),
            key: file("ssl.key.location"),
            auto_register: match value_of("auto.register.schemas") {
                None | Some("true") => true,
                Some("false") => false,
                Some(other) => return Err(wrong("auto.register.schemas", "true or false", other)),
            },
        }))
    }

    /// The addresses, with commas between them.
    pub fn url(&self) -> String {
        self.urls.join(",")
    }
}

fn wrong(name: &str, expected: &str, value: &str) -> ConfigError {
    ConfigError::Value { name: name.to_owned(), expected: expected.to_owned(), value: value.to_owned() }
}

fn address(url: &str) -> Result<String, ConfigError> {
    let parsed: Option<Uri> = url.parse().ok();
    let is_one = parsed.as_ref().is_some_and(|uri| {
        let has_login = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.host().is_some()
            && !has_login
            && uri.query().is_none()
    });
    match is_one {
        true => Ok(url.trim_end_matches('/').to_owned()),
        // It may hold a password.
        false if url.contains('@') => {
            Err(wrong(URL, "an address without a login, which stands in `basic.auth.user.info`", "…"))
        }
        false => Err(wrong(URL, "an address like http://127.0.0.1:8081", url)),
    }
}

fn authorization(user_info: Option<&str>, token: Option<&str>) -> Result<Option<String>, ConfigError> {
    let (name, header) = match (user_info, token) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err(ConfigError::Conflict("give one of basic.auth.user.info and bearer.auth.token"));
        }
        (Some(user_info), None) if !user_info.contains(':') => {
            return Err(wrong("basic.auth.user.info", "user:password", "…"));
        }
        (Some(user_info), None) => ("basic.auth.user.info", format!("Basic {}", STANDARD.encode(user_info))),
        (None, Some(token)) => ("bearer.auth.token", format!("Bearer {token}")),
    };
    match HeaderValue::from_str(&header) {
        Ok(_) => Ok(Some(header)),
        Err(_) => Err(wrong(name, "without control characters", "…")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &[(&'static str, &str)]) -> Result<RegistryConfig, String> {
        RegistryConfig::parse(given).map(Option::unwrap).map_err(|error| error.to_string())
    }

    #[test]
    fn a_registry_has_addresses_and_one_login() {
        let config = parse(&[(URL, "http://a:8081/apis/, https://b"), ("basic.auth.user.info", "me:secret")]).unwrap();
        assert_eq!(config.url(), "http://a:8081/apis,https://b");
        assert_eq!(config.authorization.as_deref(), Some("Basic bWU6c2VjcmV0"));
        assert!(config.auto_register);
        assert!(!format!("{config:?}").contains("bWU6"));
        let config =
            parse(&[(URL, "http://a"), ("bearer.auth.token", "t"), ("auto.register.schemas", "false")]).unwrap();
        assert_eq!((config.authorization.as_deref(), config.auto_register), (Some("Bearer t"), false));
        assert_eq!(RegistryConfig::parse(&[]), Ok(None));
    }

    #[test]
    fn what_cannot_be_used_is_refused_and_no_password_is_shown() {
        let refused = |given: &[(&'static str, &str)]| parse(given).unwrap_err();
        assert!(refused(&[("ssl.ca.location", "x")]).starts_with("option `schema.registry.url` is missing: "));
        let text = refused(&[(URL, "localhost:8081")]);
        assert_eq!(text, "option `schema.registry.url` must be an address like http://127.0.0.1:8081: localhost:8081");
        assert!(!refused(&[(URL, "http://me:secret@a")]).contains("secret"));
        assert!(!refused(&[(URL, "http://a"), ("basic.auth.user.info", "secret")]).contains("secret"));
        let two = [(URL, "http://a"), ("basic.auth.user.info", "a:b"), ("bearer.auth.token", "t")];
        assert_eq!(refused(&two), "give one of basic.auth.user.info and bearer.auth.token");
        let source = [(URL, "http://a"), ("basic.auth.credentials.source", "URL")];
        assert_eq!(refused(&source), "option `basic.auth.credentials.source` must be USER_INFO: URL");
    }
}
