//! A schema registry that speaks as Confluent's does, on a free port of the loopback: Apicurio's.
//!
//! ```text
//! <cache>/registry/lib/                     what Maven resolved and unpacked, once
//! <cache>/services/registry/schemas.*       what it keeps; an earlier run's is removed at the start
//! <cache>/services/registry/port registry.log registry.pid
//! ```

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::packages;
use super::server::{Server, free_ports};
use crate::cache;

/// On two busy cores a registry needs 15 s.
const READY_DEADLINE: Duration = Duration::from_secs(120);

const REGISTRY: &str = "registry";

/// Where it speaks as Confluent's does.
const API: &str = "/apis/ccompat/v7";

/// The certificate of `localhost` and its key.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A running registry.
#[derive(Debug)]
pub(crate) struct Registry {
    folder: PathBuf,
    port: u16,
    /// Where it answers within TLS, if it was given a certificate.
    tls_port: u16,
}

impl Registry {
    /// Starts a registry that holds nothing; what an earlier one left in `folder` of the cache is stopped and removed. With a
    /// certificate it answers within TLS too.
    ///
    /// # Errors
    /// What could not be started, with the end of its log.
    pub(crate) fn start_empty(folder: &str, certificate: Option<&Certificate>) -> Result<Registry, String> {
        Registry::stop_in(folder)?;
        let folder = cache::folder(folder)?;
        println!("== starting a schema registry in {}", folder.display());
        let failed = |e: std::io::Error| format!("cannot prepare {}: {e}", folder.display());
        fs::remove_dir_all(&folder).map_err(failed)?;
        fs::create_dir_all(&folder).map_err(failed)?;
        let [port, tls_port] = free_ports::<2>().map_err(failed)?;
        fs::write(folder.join("port"), format!("{port} {tls_port}")).map_err(failed)?;
        let registry = Registry { folder, port, tls_port };
        let server = Server::start(REGISTRY, &registry.folder, &mut registry.java(certificate)?)?;
        registry.wait_until_ready(&server)?;
        Ok(registry)
    }

    /// The registry that runs in `folder` of the cache; None when it does not.
    ///
    /// # Errors
    /// When the cache folder cannot be had.
    pub(crate) fn running(folder: &str) -> Result<Option<Registry>, String> {
        let folder = cache::folder(folder)?;
        let text = fs::read_to_string(folder.join("port")).unwrap_or_default();
        let ports: Vec<u16> = text.split_whitespace().filter_map(|port| port.parse().ok()).collect();
        let is_running = Server::find(REGISTRY, &folder).is_some();
        Ok(match ports[..] {
            [port, tls_port] if is_running => Some(Registry { folder, port, tls_port }),
            _ => None,
        })
    }

    /// Stops the registry that runs in `folder` of the cache.
    ///
    /// # Errors
    /// When it does not end.
    pub(crate) fn stop_in(folder: &str) -> Result<(), String> {
        Server::find(REGISTRY, &cache::folder(folder)?).map_or(Ok(()), |server| server.stop())
    }

    /// What `schema.registry.url` is to be.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}{API}", self.port)
    }

    /// The same within TLS.
    pub(crate) fn tls_url(&self) -> String {
        format!("https://localhost:{}{API}", self.tls_port)
    }

    /// Where it keeps its log, process id and schemas.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn java(&self, certificate: Option<&Certificate>) -> Result<Command, String> {
        let unpacked = packages::unpacked(REGISTRY, include_str!("registry.xml"))?;
        let entries = fs::read_dir(&unpacked).map_err(|e| format!("cannot list {}: {e}", unpacked.display()))?;
        let jar =
            entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "jar"));
        let jar = jar.ok_or_else(|| format!("{} holds no program", unpacked.display()))?;
        // Without a delay: what was acknowledged must be there after a kill.
        let schemas = format!("jdbc:h2:file:{};WRITE_DELAY=0", self.folder.join("schemas").display());
        let mut java = Command::new("java");
        java.args(["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.arg("-Dquarkus.http.host=127.0.0.1").arg(format!("-Dquarkus.http.port={}", self.port));
        java.arg(format!("-Dquarkus.datasource.jdbc.url={schemas}")).arg("-Dquarkus.datasource.jdbc.min-size=2");
        if let Some(Certificate { certificate, key }) = certificate {
            let tls = |name: &str, file: &Path| format!("-Dquarkus.http.ssl.certificate.{name}={}", file.display());
            java.arg(tls("files", certificate)).arg(tls("key-files", key));
            java.arg(format!("-Dquarkus.http.ssl-port={}", self.tls_port));
        }
        java.arg("-jar").arg(jar);
        Ok(java)
    }

    fn wait_until_ready(&self, server: &Server) -> Result<(), String> {
        let begin = Instant::now();
        while !self.answers() {
            if !server.is_running() {
                return Err(format!("the schema registry ended; {}", server.last_words()));
            }
            if begin.elapsed() > READY_DEADLINE {
                let seconds = begin.elapsed().as_secs();
                return Err(format!("the schema registry is not ready after {seconds} s; {}", server.last_words()));
            }
            sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<String> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            write!(stream, "GET {API}/subjects HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }
}
