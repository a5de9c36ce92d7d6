//! Whether this build of the client can log in as the job wants, asked of the client itself.
//!
//! | mechanism | needs |
//! |---|---|
//! | `PLAIN` | nothing |
//! | `SCRAM-SHA-256`, `SCRAM-SHA-512` | OpenSSL |
//! | `OAUTHBEARER` | OpenSSL; tokens by OIDC need libcurl too |
//! | `GSSAPI`, Kafka's default | libsasl2 |

use rdkafka::ClientConfig;

use super::ConfigError;
use super::client::ClientSettings;

const MECHANISM: &str = "kafka.sasl.mechanism";

const OTHER_WAYS: &str = "log in by SCRAM-SHA-512, PLAIN or a client certificate (`kafka.ssl.certificate.location`), or \
                          build ognivo with `--features kafka-gssapi`";

const OTHER_FEATURE: &str = "build ognivo with the feature of rdkafka that has it";

const NO_CURL: &str = "build ognivo with `--features kafka-oidc`, or log in by SCRAM-SHA-512";

/// # Errors
/// [`ConfigError`] for a login that this build of the client has not, or that lacks what it needs.
pub(super) fn check(settings: &ClientSettings) -> Result<(), ConfigError> {
    let login = Login {
        protocol: settings.get("security.protocol").unwrap_or("plaintext"),
        mechanism: settings.get("sasl.mechanism").or(settings.get("sasl.mechanisms")),
        is_oidc: settings.get("sasl.oauthbearer.method").is_some_and(|method| method.eq_ignore_ascii_case("oidc")),
        is_unsecured: settings.get("enable.sasl.oauthbearer.unsecure.jwt") == Some("true"),
    };
    login.check(&built_in())
}

/// What the client says that it was built with, such as `gzip,ssl,sasl_scram`.
fn built_in() -> String {
    let features = ClientConfig::new().create_native_config().and_then(|native| native.get("builtin.features"));
    // The text of a C string, with its end.
    features.unwrap_or_default().trim_end_matches('\0').to_owned()
}

/// What to do about an option whose support the client says it lacks, in words such as `OAuth/OIDC depends on libcurl …`.
pub(super) fn features_hint(lacking: &str) -> &'static str {
    let names = |word: &str| lacking.to_ascii_lowercase().contains(word);
    if names("oidc") || names("curl") {
        NO_CURL
    } else if names("gssapi") || names("sasl2") {
        OTHER_WAYS
    } else {
        OTHER_FEATURE
    }
}

#[derive(Clone, Copy)]
struct Login<'a> {
    protocol: &'a str,
    mechanism: Option<&'a str>,
    /// Whether tokens of OAUTHBEARER come from an OIDC server.
    is_oidc: bool,
    /// Whether they are made by the client, without a signature.
    is_unsecured: bool,
}

impl Login<'_> {
    fn check(&self, features: &str) -> Result<(), ConfigError> {
        let has = |feature: &str| features.split(',').any(|known| known == feature);
        let lacks = |name: &str, feature, hint| {
            Err(ConfigError::NotBuilt { name: name.to_owned(), feature: String::from(feature), hint })
        };
        let protocol = self.protocol.to_ascii_lowercase();
        if protocol.ends_with("ssl") && !has("ssl") {
            return lacks("kafka.security.protocol", "ssl", "build ognivo with the feature `ssl` of rdkafka");
        }
        if !protocol.starts_with("sasl") {
            return Ok(());
        }
        match self.mechanism {
            None if !has("sasl_gssapi") => Err(ConfigError::Missing {
                name: MECHANISM,
                why: "Kafka's own default is GSSAPI, which this build of the client has not",
            }),
            Some("GSSAPI") if !has("sasl_gssapi") => lacks(MECHANISM, "sasl_gssapi", OTHER_WAYS),
            Some("OAUTHBEARER") if self.is_oidc && !has("oidc") => lacks(MECHANISM, "oidc", NO_CURL),
            Some("OAUTHBEARER") if !self.is_oidc && !self.is_unsecured => Err(ConfigError::Missing {
                name: "kafka.sasl.oauthbearer.method",
                why: "OAUTHBEARER takes its tokens from an OIDC server: oidc",
            }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ognivo_data::fault::Explain as _;

    #[test]
    fn what_an_option_lacks_names_the_feature_to_build_with() {
        assert_eq!(features_hint("OAuth/OIDC depends on libcurl and OpenSSL which were not available"), NO_CURL);
        assert_eq!(features_hint("Kerberos keytabs are only supported with GSSAPI and libsasl2"), OTHER_WAYS);
        assert_eq!(features_hint("something else"), OTHER_FEATURE);
    }

    const SASL: Login<'static> = Login { protocol: "SASL_SSL", mechanism: None, is_oidc: false, is_unsecured: false };
    const ALL: &str = "gzip,ssl,sasl,sasl_gssapi,sasl_plain,sasl_scram,sasl_oauthbearer,http,oidc";

    fn refused(login: &Login<'_>, features: &str) -> Option<String> {
        login.check(features).err().map(|error| error.to_string())
    }

    #[test]
    fn a_login_that_the_build_lacks_is_refused_and_names_what_is_missing() {
        let gssapi = Login { mechanism: Some("GSSAPI"), ..SASL };
        let oidc = Login { mechanism: Some("OAUTHBEARER"), is_oidc: true, ..SASL };
        let lacking = "gzip,ssl,sasl,sasl_plain,sasl_scram,sasl_oauthbearer";
        let expect = "option `kafka.sasl.mechanism` needs what this build of the client lacks: sasl_gssapi";
        assert_eq!(refused(&gssapi, lacking).as_deref(), Some(expect));
        assert!(gssapi.check(lacking).unwrap_err().hint().unwrap().contains("kafka-gssapi"));
        let expect = "option `kafka.sasl.mechanism` needs what this build of the client lacks: oidc";
        assert_eq!(refused(&oidc, lacking).as_deref(), Some(expect));
        let expect = "option `kafka.sasl.mechanism` is missing: Kafka's own default is GSSAPI, which this build of the \
                      client has not";
        assert_eq!(refused(&SASL, lacking).as_deref(), Some(expect));
        let expect = "option `kafka.security.protocol` needs what this build of the client lacks: ssl";
        assert_eq!(refused(&gssapi, "gzip,sasl_gssapi").as_deref(), Some(expect));
    }

    #[test]
    fn what_the_build_has_goes_through_to_the_client() {
        for mechanism in [None, Some("GSSAPI"), Some("PLAIN"), Some("SCRAM-SHA-256")] {
            assert_eq!(refused(&Login { mechanism, ..SASL }, ALL), None, "{mechanism:?}");
        }
        let tokens = Login { mechanism: Some("OAUTHBEARER"), ..SASL };
        assert_eq!(refused(&Login { is_oidc: true, ..tokens }, ALL), None);
        assert_eq!(refused(&Login { is_unsecured: true, ..tokens }, ALL), None);
        let expect =
            "option `kafka.sasl.oauthbearer.method` is missing: OAUTHBEARER takes its tokens from an OIDC server: oidc";
        assert_eq!(refused(&tokens, ALL).as_deref(), Some(expect));
        assert_eq!(refused(&Login { protocol: "SSL", ..SASL }, ALL), None, "a certificate is enough");
    }

    #[test]
    fn this_build_has_tls_and_scram() {
        let built_in = built_in();
        for feature in ["ssl", "sasl_plain", "sasl_scram", "zstd"] {
            assert!(built_in.split(',').any(|known| known == feature), "{feature}: {built_in}");
        }
    }
}
