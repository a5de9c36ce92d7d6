//! What a cluster's `core-site.xml` and `hdfs-site.xml` say.
//!
//! ```text
//! <configuration>
//!   <property><name>fs.defaultFS</name><value>hdfs://labns</value></property>
//!   <property><name>hadoop.tmp.dir</name><value>${env.HOME}/tmp</value></property>
//! </configuration>
//! ```
//! They lie in `HADOOP_CONF_DIR`, else in `$HADOOP_HOME/etc/hadoop`; a later file overrides an earlier one, and `${…}` stands
//! for another key or, as `${env.…}`, for a variable of the environment.

use std::collections::HashMap;
use std::path::{Path as DiskPath, PathBuf};
use std::{env, fs, io};

const FILES: [&str; 2] = ["core-site.xml", "hdfs-site.xml"];

/// Hadoop stops there too.
const MAX_SUBSTITUTIONS: usize = 20;

/// The settings of a cluster; none where the environment names no folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HadoopConf {
    values: HashMap<String, String>,
}

/// A file of settings cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{reason}: {}", file.display())]
pub struct ConfError {
    file: PathBuf,
    reason: String,
}

impl HadoopConf {
    /// The settings that the environment points to.
    ///
    /// # Errors
    /// [`ConfError`].
    pub(crate) fn of_environment() -> Result<HadoopConf, ConfError> {
        folder().map_or_else(|| Ok(HadoopConf::default()), |folder| HadoopConf::read(&folder))
    }

    fn read(folder: &DiskPath) -> Result<HadoopConf, ConfError> {
        let mut values = HashMap::new();
        for name in FILES {
            let file = folder.join(name);
            let failed = |reason: String| ConfError { file: file.clone(), reason };
            match fs::read_to_string(&file) {
                Ok(text) => values.extend(properties(&text).map_err(|error| failed(error.to_string()))?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error.to_string())),
            }
        }
        Ok(HadoopConf { values })
    }

    /// The folder that the environment points to, and which of the files are there.
    pub(crate) fn place() -> Option<(PathBuf, Vec<&'static str>)> {
        let folder = folder()?;
        let found = FILES.into_iter().filter(|name| folder.join(name).is_file()).collect();
        Some((folder, found))
    }

    /// The value of a key, with what stands for others put in.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.values.get(key).map(|value| self.substituted(value))
    }

    /// All settings.
    pub(crate) fn all(&self) -> HashMap<String, String> {
        self.values.iter().map(|(key, value)| (key.clone(), self.substituted(value))).collect()
    }

    /// What names without a port stand for: NameNodes of one name service.
    pub(crate) fn is_name_service(&self, host: &str) -> bool {
        self.values.contains_key(&format!("{HA_NAMENODES}.{host}"))
    }

    fn substituted(&self, value: &str) -> String {
        let mut value = value.to_owned();
        for _ in 0..MAX_SUBSTITUTIONS {
            let Some(substituted) = self.substitute_one(&value) else { break };
            value = substituted;
        }
        value
    }

    /// The value with one of its `${…}` replaced; None when none of them is known.
    fn substitute_one(&self, value: &str) -> Option<String> {
        value.match_indices("${").find_map(|(start, _)| {
            let length = value[start..].find('}')?;
            let name = &value[start + 2..start + length];
            let meant = match name.strip_prefix("env.") {
                Some(variable) => env::var(variable).ok()?,
                None => self.values.get(name)?.clone(),
            };
            Some(format!("{}{meant}{}", &value[..start], &value[start + length + 1..]))
        })
    }
}

fn folder() -> Option<PathBuf> {
    let named = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    named("HADOOP_CONF_DIR").or_else(|| Some(named("HADOOP_HOME")?.join("etc/hadoop")))
}

/// Lists the NameNodes of a name service.
pub(crate) const HA_NAMENODES: &str = "dfs.ha.namenodes";

fn properties(xml: &str) -> Result<Vec<(String, String)>, roxmltree::Error> {
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(xml, options)?;
    let property = |node: roxmltree::Node<'_, '_>| {
        let text = |tag| node.children().find(|child| child.has_tag_name(tag))?.text();
        Some((text("name")?.trim().to_owned(), text("value")?.trim().to_owned()))
    };
    let nodes = document.root_element().children().filter(|node| node.has_tag_name("property"));
    Ok(nodes.filter_map(property).collect())
}

#[cfg(test)]
impl HadoopConf {
    /// Settings as given.
    pub(crate) fn of(values: &[(&str, &str)]) -> HadoopConf {
        HadoopConf { values: values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_file_overrides_and_names_in_values_are_put_in() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, properties: &[(&str, &str)]| {
            let property = |(name, value): &(&str, &str)| {
                format!("<property><name>{name}</name><value>{value}</value></property>")
            };
            let properties: String = properties.iter().map(property).collect();
            let text = format!("<?xml version=\"1.0\"?>\n<!-- ours -->\n<configuration>{properties}</configuration>");
            fs::write(folder.path().join(name), text).unwrap();
        };
        file("core-site.xml", &[("fs.defaultFS", "hdfs://${ns}"), ("dfs.replication", "3"), ("a", "${unknown}/${a}")]);
        file("hdfs-site.xml", &[("ns", " labns "), ("dfs.replication", "2"), ("dfs.ha.namenodes.labns", "nn1,nn2")]);
        let conf = HadoopConf::read(folder.path()).unwrap();
        assert_eq!(conf.get("fs.defaultFS").as_deref(), Some("hdfs://labns"));
        assert_eq!(conf.all()["dfs.replication"], "2");
        assert!(conf.is_name_service("labns") && !conf.is_name_service("nn1"));
        assert!(conf.get("a").unwrap().starts_with("${unknown}/"));
        assert_eq!(conf.get("b"), None);
    }

    #[test]
    fn a_folder_without_files_says_nothing_and_a_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(HadoopConf::read(folder.path()).unwrap(), HadoopConf::default());
        fs::write(folder.path().join("core-site.xml"), "<configuration><property>").unwrap();
        let error = HadoopConf::read(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("core-site.xml"), "{error}");
    }
}
