//! One question to a registry over HTTP, and its answer.

use std::pin::Pin;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslConnector, SslFiletype, SslMethod};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_openssl::SslStream;

use super::{RegistryConfig, RegistryError};

/// How long a registry may take from the first byte of the question to the last of its answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// The longest answer that is read.
const LONGEST_ANSWER: usize = 16 << 20;

const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// How much of an answer that was not understood is shown.
const SHOWN_CHARS: usize = 200;

/// A question.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// The registry's address.
    pub(super) url: &'a str,
    pub(super) path: &'a str,
    pub(super) body: Option<String>,
}

/// What a registry said.
pub(super) struct Answer {
    pub(super) status: u16,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The registry's own code of what is wrong.
    pub(super) fn code(&self) -> Option<i64> {
        self.json()?.get("error_code")?.as_i64()
    }

    /// What it says is wrong.
    pub(super) fn message(&self) -> String {
        let said = self.json().and_then(|json| Some(json.get("message")?.as_str()?.to_owned()));
        let text = said.unwrap_or_else(|| String::from_utf8_lossy(&self.body).into_owned());
        text.chars().take(SHOWN_CHARS).collect()
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Asks, over a connection of its own.
pub(super) async fn call(config: &RegistryConfig, call: Call<'_>) -> Result<Answer, RegistryError> {
    let not_now = |why: String| RegistryError::NotNow { url: call.url.to_owned(), why };
    let whole: Uri = format!("{}{}", call.url, call.path).parse().map_err(|error| not_now(format!("{error}")))?;
    let asked = timeout(DEADLINE, async {
        let stream = connect(config, &whole).await?;
        exchange(config, &call, &whole, stream).await.map_err(Failed::Network)
    });
    match asked.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(Failed::Network(why))) => Err(not_now(why)),
        Ok(Err(Failed::Certificates(why))) => Err(RegistryError::Certificates { url: call.url.to_owned(), why }),
        Err(_) => Err(not_now(format!("no answer within {} s", DEADLINE.as_secs()))),
    }
}

enum Failed {
    Network(String),
    Certificates(String),
}

async fn connect(config: &RegistryConfig, whole: &Uri) -> Result<Box<dyn Stream>, Failed> {
    let is_tls = whole.scheme_str() == Some("https");
    let host = whole.host().unwrap_or_default();
    let port = whole.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    // An IPv6 address stands in brackets in a URL.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((bare, port)).await.map_err(|error| Failed::Network(error.to_string()))?;
    if !is_tls {
        return Ok(Box::new(stream));
    }
    let ssl = tls(config, bare).map_err(|error| Failed::Certificates(error.to_string()))?;
    let mut stream = SslStream::new(ssl, stream).map_err(|error| Failed::Certificates(error.to_string()))?;
    Pin::new(&mut stream).connect().await.map_err(|error| match error.ssl_error() {
        // A certificate that is not to be believed is none later either.
        Some(said) => Failed::Certificates(said.to_string()),
        None => Failed::Network(error.to_string()),
    })?;
    Ok(Box::new(stream))
}

fn tls(config: &RegistryConfig, host: &str) -> Result<Ssl, ErrorStack> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    if let Some(file) = &config.ca {
        builder.set_ca_file(file)?;
    }
    if let Some(file) = &config.certificate {
        builder.set_certificate_chain_file(file)?;
    }
    if let Some(file) = &config.key {
        builder.set_private_key_file(file, SslFiletype::PEM)?;
    }
    builder.build().configure()?.into_ssl(host)
}

async fn exchange(
    config: &RegistryConfig,
    call: &Call<'_>,
    whole: &Uri,
    stream: Box<dyn Stream>,
) -> Result<Answer, String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // It ends with the sender.
    tokio::spawn(connection);
    let path = whole.path_and_query().map_or("/", |path| path.as_str());
    let host = whole.authority().map_or("", |authority| authority.as_str());
    let mut request = Request::builder().method(call.method.clone()).uri(path);
    request = request.header(HOST, host).header(ACCEPT, MEDIA_TYPE).header(CONNECTION, "close");
    if call.body.is_some() {
        request = request.header(CONTENT_TYPE, MEDIA_TYPE);
    }
    if let Some(login) = &config.authorization {
        let mut value = HeaderValue::from_str(login).map_err(|error| error.to_string())?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    let body = Full::new(Bytes::from(call.body.clone().unwrap_or_default()));
    let request = request.body(body).map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await.map_err(|error| error.to_string())?;
    Ok(Answer { status, body: body.to_bytes().to_vec() })
}
