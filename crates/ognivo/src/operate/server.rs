//! The pages over HTTP.
//!
//! | path | answer |
//! |---|---|
//! | `/` | a page for people |
//! | `/live` | 200 while the process answers |
//! | `/ready` | 200 while batches succeed or there is nothing to do; 503 with the reason before that, while it waits after a failure, and when it ends |
//! | `/progress` | the newest progress, Spark's JSON; `null` before the first batch; `?last=N` an array of the last N, oldest first |
//! | `/status` | what the page shows, as JSON |
//! | `/metrics` | OpenMetrics text |
//! | `/tap` | scored rows as JSON lines, while it lasts; to readers on this machine only |

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdTcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ognivo_data::codec::json::{JsonEncoder, JsonOptions};
use ognivo_data::fault::{Explain, Fault, Retry};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::connections::{Connections, Peer};
use super::observed::{MAX_RECENT, Observed, Phase};
use super::status::Status;
use super::taps::TappedRows;
use super::{Watched, metrics, page};

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `metrics.listen`: {address}")]
pub(crate) struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

impl ListenError {
    fn is_taken(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

impl Explain for ListenError {
    fn fault(&self) -> Fault {
        if self.is_taken() { Fault::Remote } else { Fault::Job }
    }
    fn retry(&self) -> Retry {
        if self.is_taken() { Retry::Backoff } else { Retry::Never }
    }
    fn hint(&self) -> Option<String> {
        self.is_taken()
            .then(|| "another process listens there; does this job run already? Else give it another port".to_owned())
    }
}

/// The pages of a stream, from its start to its end.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    watched: Arc<Watched>,
    end: oneshot::Sender<()>,
    serving: JoinHandle<io::Result<()>>,
}

/// So long the answers that are on their way may take when the stream is over.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

impl Server {
    /// Listens, and answers from now on. It must be called where a runtime is at hand.
    ///
    /// # Errors
    /// [`ListenError`] when the port is taken or the address is not one of this machine.
    pub(crate) fn start(listen: SocketAddr, watched: Arc<Watched>) -> Result<Server, ListenError> {
        let failed = |source| ListenError { address: listen, source };
        let listener = StdTcpListener::bind(listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let (end, ended) = oneshot::channel::<()>();
        let pages = pages(watched.clone()).into_make_service_with_connect_info::<Peer>();
        let serve = axum::serve(Connections::new(listener), pages).with_graceful_shutdown(async {
            // A server that is dropped ends too.
            let _ = ended.await;
        });
        let serving = tokio::spawn(serve.into_future());
        Ok(Server { address, watched, end, serving })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends with the stream: what is being answered is finished, within a time.
    pub(crate) async fn end(self) {
        self.watched.taps.close();
        let _ = self.end.send(());
        let mut serving = self.serving;
        if timeout(LAST_ANSWERS, &mut serving).await.is_err() {
            serving.abort();
        }
    }
}

fn pages(watched: Arc<Watched>) -> Router {
    Router::new()
        .route("/", get(show_page))
        .route("/live", get(|| async { text(StatusCode::OK, "live\n") }))
        .route("/ready", get(ready))
        .route("/progress", get(progress))
        .route("/status", get(status))
        .route("/metrics", get(show_metrics))
        .route("/tap", get(tap))
        .with_state(watched)
}

async fn show_page(State(watched): State<Arc<Watched>>) -> Response {
    let html = page::html(&status_of(&watched));
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
        (CACHE_CONTROL, "no-store"),
    ];
    (headers, html).into_response()
}

async fn ready(State(watched): State<Arc<Watched>>) -> Response {
    let phase = watched.observed().phase.clone();
    match phase {
        Phase::Running => text(StatusCode::OK, "ready\n"),
        phase => text(StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", phase.words())),
    }
}

async fn progress(State(watched): State<Arc<Watched>>, RawQuery(query): RawQuery) -> Response {
    let Ok(last) = wanted(query.as_deref()) else {
        return text(StatusCode::BAD_REQUEST, format!("`last` must be an integer from 1 to {MAX_RECENT}\n"));
    };
    json(progress_json(&watched.observed(), last))
}

/// How many progress reports are asked for; None for the newest one alone.
fn wanted(query: Option<&str>) -> Result<Option<usize>, ()> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(None) };
    let n: usize = query.strip_prefix("last=").ok_or(())?.parse().map_err(drop)?;
    if (1..=MAX_RECENT).contains(&n) { Ok(Some(n)) } else { Err(()) }
}

fn progress_json(observed: &Observed, last: Option<usize>) -> String {
    let recent = &observed.recent;
    let written = match last {
        None => serde_json::to_string(&recent.back()),
        Some(n) => serde_json::to_string(&recent.range(recent.len().saturating_sub(n)..).collect::<Vec<_>>()),
    };
    written.expect("a progress is plain data") + "\n"
}

async fn status(State(watched): State<Arc<Watched>>) -> Response {
    json(serde_json::to_string(&status_of(&watched)).expect("a status is plain data") + "\n")
}

fn status_of(watched: &Watched) -> Status {
    Status::of(&watched.observed(), watched.taps.n_readers(), watched.clock.now_ms())
}

async fn show_metrics(State(watched): State<Arc<Watched>>) -> Response {
    let written = metrics::write(&watched.observed(), watched.clock.now_ms());
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE), (CACHE_CONTROL, "no-store")], written).into_response()
}

/// Rows may be confidential: they are not for other machines, nor for a page of the web that had a name point here.
async fn tap(
    State(watched): State<Arc<Watched>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
) -> Response {
    if !peer.0.ip().to_canonical().is_loopback() || !names_an_address(&headers) {
        return text(StatusCode::FORBIDDEN, "rows are shown on the machine of the stream only\n");
    }
    let Some(rows) = watched.taps.open() else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "enough readers look at the rows already\n");
    };
    let lines = futures::stream::unfold(rows, |mut rows| async {
        let lines = next_lines(&mut rows).await?;
        Some((Ok::<Bytes, io::Error>(lines.into()), rows))
    });
    ([(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store")], Body::from_stream(lines)).into_response()
}

/// Whether the request was sent to an address, or to this machine's own name.
fn names_an_address(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(HOST) else { return true };
    let host = host.to_str().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || bare.parse::<IpAddr>().is_ok()
}

/// A reader hears something at least so often, which keeps the connection.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The next rows as JSON lines; lines that begin with `#` are words about them. None when the stream is over.
async fn next_lines(rows: &mut mpsc::Receiver<TappedRows>) -> Option<Vec<u8>> {
    let Ok(next) = timeout(HEARTBEAT, rows.recv()).await else { return Some(b"#\n".to_vec()) };
    let TappedRows { rows, n_missed } = next?;
    let mut lines = Vec::new();
    if n_missed > 0 {
        lines.extend(format!("# {n_missed} rows are left out\n").bytes());
    }
    let encoder = JsonEncoder::new(&JsonOptions::default());
    for rows in &rows {
        if let Err(error) = encoder.encode(rows, &mut lines) {
            lines.extend(format!("# {} rows cannot be shown: {error}\n", rows.num_rows()).bytes());
        }
    }
    if lines.is_empty() {
        // A batch without rows.
        lines.extend(b"#\n");
    }
    Some(lines)
}

fn text(code: StatusCode, words: impl Into<String>) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (code, headers, words.into()).into_response()
}

fn json(json: String) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], json).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_asked_for_by_number() {
        assert_eq!(wanted(None), Ok(None));
        assert_eq!(wanted(Some("")), Ok(None));
        assert_eq!(wanted(Some("last=1")), Ok(Some(1)));
        assert_eq!(wanted(Some("last=100")), Ok(Some(100)));
        for wrong in ["last=0", "last=101", "last=", "last=-1", "last=x", "first=1", "last=1&last=2"] {
            assert_eq!(wanted(Some(wrong)), Err(()), "{wrong}");
        }
    }

    #[test]
    fn a_name_that_somebody_else_made_point_here_is_not_served() {
        let named = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            names_an_address(&headers)
        };
        for host in ["127.0.0.1:9464", "127.0.0.1", "localhost:9464", "localhost", "[::1]:9464"] {
            assert!(named(host), "{host}");
        }
        for host in ["evil.example:9464", "evil.example", "127.0.0.1.evil.example:9464"] {
            assert!(!named(host), "{host}");
        }
        assert!(names_an_address(&HeaderMap::new()));
    }
}
