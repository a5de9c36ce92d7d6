//! Values that are Avro: by a schema that the job gives, or by one that each record names in a registry.

use arrow_schema::Schema;
use ognivo_data::codec::OptionError;
use ognivo_data::codec::RowMode;
use ognivo_data::codec::avro::{AvroEncoder, AvroOptions, Framing};
use ognivo_data::fault::nearest;

use crate::config::ConfigError;
use crate::error::KafkaError;
use crate::registry::{Registry, RegistryConfig};

/// How values are read and written as Avro.
#[derive(Debug, Clone)]
pub struct AvroFormat {
    /// Spark's options.
    pub options: AvroOptions,
    /// Where the schemas are that records name; None when records are datums alone.
    pub registry: Option<Registry>,
}

/// An option of a value's format is unknown, missing, or its value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueFormatError {
    /// One of Spark's, or of no name that the format has.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// One of the registry's.
    #[error(transparent)]
    Registry(#[from] ConfigError),
}

impl ValueFormatError {
    /// The option that is wrong, where one is.
    pub fn option(&self) -> Option<&str> {
        match self {
            ValueFormatError::Option(error) => Some(error.option()),
            ValueFormatError::Registry(error) => error.option(),
        }
    }
}

impl ognivo_data::fault::Explain for ValueFormatError {
    fn fault(&self) -> ognivo_data::fault::Fault {
        ognivo_data::fault::Fault::Job
    }

    fn hint(&self) -> Option<String> {
        match self {
            ValueFormatError::Option(error) => error.hint(),
            ValueFormatError::Registry(error) => error.hint(),
        }
    }
}

impl AvroFormat {
    /// Options as Spark and Confluent's clients name them; names in any case. Nobody is asked anything yet.
    ///
    /// # Errors
    /// The first option that cannot be used.
    pub fn parse(given: &[(String, String)]) -> Result<AvroFormat, ValueFormatError> {
        let (mut of_spark, mut of_registry) = (Vec::new(), Vec::new());
        for (name, value) in given {
            let known = |names: &[&'static str]| names.iter().find(|known| known.eq_ignore_ascii_case(name)).copied();
            match (known(AvroOptions::NAMES), known(RegistryConfig::NAMES)) {
                (Some(name), _) => of_spark.push((name, value.as_str())),
                (None, Some(name)) => of_registry.push((name, value.as_str())),
                (None, None) => {
                    let names = AvroOptions::NAMES.iter().chain(RegistryConfig::NAMES).copied();
                    let nearest = nearest(name, names).map(str::to_owned);
                    return Err(OptionError::Unknown { format: "avro", name: name.clone(), nearest }.into());
                }
            }
        }
        let registry = RegistryConfig::parse(&of_registry)?.map(Registry::new);
        Ok(AvroFormat { options: AvroOptions::parse(of_spark)?, registry })
    }

    /// What stands before a datum.
    pub(crate) fn framing(&self) -> Framing {
        if self.registry.is_some() { Framing::SchemaId } else { Framing::Plain }
    }

    pub(crate) fn options(&self, mode: RowMode) -> AvroOptions {
        AvroOptions { mode, ..self.options.clone() }
    }

    /// An encoder of these columns, and the number of its schema in the registry, if there is one.
    ///
    /// # Errors
    /// A registry that does not answer or refuses; no topic, after which the subject is named.
    pub(crate) async fn id_of(&self, encoder: &AvroEncoder, topic: Option<&str>) -> Result<Option<u32>, KafkaError> {
        let Some(registry) = &self.registry else { return Ok(None) };
        let topic = topic.ok_or(KafkaError::NoTarget("the subject of the rows' schema"))?;
        Ok(Some(registry.id_of(&subject(topic), encoder.schema().json()).await?))
    }

    /// # Errors
    /// A column that cannot be written.
    pub(crate) fn encoder(&self, columns: &Schema) -> Result<AvroEncoder, KafkaError> {
        Ok(AvroEncoder::new(columns, &self.options)?)
    }
}

/// The name under which a registry keeps the schemas of a topic's values.
pub(crate) fn subject(topic: &str) -> String {
    format!("{topic}-value")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ognivo_data::fault::Explain as _;

    fn parse(given: &[(&str, &str)]) -> Result<AvroFormat, ValueFormatError> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        AvroFormat::parse(&given.iter().map(owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_of_spark_and_of_the_registry_stand_side_by_side() {
        let format = parse(&[("MODE", "failfast"), ("schema.registry.url", "http://a:1")]).unwrap();
        assert_eq!((format.options.mode, format.framing()), (RowMode::FailFast, Framing::SchemaId));
        assert_eq!(parse(&[]).unwrap().framing(), Framing::Plain);
    }

    #[test]
    fn an_unknown_option_names_the_nearest_of_both() {
        let error = parse(&[("schema.registry.uri", "http://a:1")]).unwrap_err();
        assert_eq!(error.to_string(), "avro has no option of this name: schema.registry.uri");
        assert_eq!(error.hint().as_deref(), Some("did you mean `schema.registry.url`?"));
        assert_eq!(parse(&[("avroScheme", "x")]).unwrap_err().hint().as_deref(), Some("did you mean `avroSchema`?"));
    }
}
