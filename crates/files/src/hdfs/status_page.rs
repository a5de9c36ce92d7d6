//! What a NameNode's page for machines says of its DataNodes, which the client has no call for.
//!
//! ```text
//! GET http://<dfs.namenode.http-address>/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState
//! {"beans": [{"FSState": "Operational", "NumLiveDataNodes": 3, "NumDeadDataNodes": 0, "CapacityTotal": …, …}]}
//! ```

use std::io;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::conf::{HA_NAMENODES, HadoopConf};
use super::connection::spawned;

/// The page is some kilobytes.
const MAX_BYTES: u64 = 1 << 20;

/// Hadoop's port of the page, beside its port for calls.
const DEFAULT_PORTS: (&str, &str) = ("8020", "9870");

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) live: u64,
    pub(super) dead: u64,
    pub(super) is_safe_mode: bool,
    pub(super) total_bytes: u64,
    pub(super) remaining_bytes: u64,
}

/// Asks the pages of the cluster's NameNodes in turn; None where the settings do not say where they are.
///
/// # Errors
/// The last page that was asked, and what went wrong with it.
pub(super) async fn status(
    authority: &str,
    conf: &HadoopConf,
    deadline: Duration,
) -> Option<Result<Status, (String, io::Error)>> {
    let mut asked = None;
    for page in pages(authority, conf) {
        let asking = page.clone();
        let answer = spawned(async move {
            let answer = timeout(deadline, get(&asking)).await;
            Ok(answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())))
        });
        let answer = answer.await.unwrap_or_else(|_| Err(io::Error::other("it was not asked")));
        match answer.and_then(|answer| parse(&answer)) {
            Ok(status) => return Some(Ok(status)),
            Err(error) => asked = Some(Err((page, error))),
        }
    }
    asked
}

/// `host:port` of the pages.
fn pages(authority: &str, conf: &HadoopConf) -> Vec<String> {
    const KEY: &str = "dfs.namenode.http-address";
    if conf.get("dfs.http.policy").is_some_and(|policy| policy == "HTTPS_ONLY") {
        return Vec::new();
    }
    if let Some(names) = conf.get(&format!("{HA_NAMENODES}.{authority}")) {
        return names.split(',').filter_map(|name| conf.get(&format!("{KEY}.{authority}.{}", name.trim()))).collect();
    }
    let (host, port) = authority.split_once(':').unwrap_or((authority, DEFAULT_PORTS.0));
    let is_ours = |rpc: String| rpc == format!("{host}:{port}");
    let is_told = conf.get("dfs.namenode.rpc-address").is_some_and(is_ours)
        || conf.get("fs.defaultFS").is_some_and(|url| url.trim_end_matches('/') == format!("hdfs://{authority}"));
    match conf.get(KEY).filter(|_| is_told) {
        Some(page) => vec![page.replace("0.0.0.0", host)],
        None if port == DEFAULT_PORTS.0 => vec![format!("{host}:{}", DEFAULT_PORTS.1)],
        None => Vec::new(),
    }
}

async fn get(page: &str) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(page).await?;
    let request = format!(
        "GET /jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState HTTP/1.0\r\nHost: {page}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_BYTES).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn parse(answer: &[u8]) -> io::Result<Status> {
    #[derive(Deserialize)]
    struct Jmx {
        beans: Vec<Bean>,
    }
    #[derive(Deserialize)]
    struct Bean {
        #[serde(rename = "FSState")]
        state: String,
        #[serde(rename = "NumLiveDataNodes")]
        live: u64,
        #[serde(rename = "NumDeadDataNodes")]
        dead: u64,
        #[serde(rename = "CapacityTotal")]
        total: u64,
        #[serde(rename = "CapacityRemaining")]
        remaining: u64,
    }
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let first = head.lines().next().unwrap_or_default();
    if first.split(' ').nth(1) != Some("200") {
        return Err(io::Error::other(format!("it answers {first:?}")));
    }
    let jmx: Jmx = serde_json::from_str(body).map_err(io::Error::other)?;
    let bean = jmx.beans.into_iter().next().ok_or_else(|| io::Error::other("it says nothing of the file system"))?;
    Ok(Status {
        live: bean.live,
        dead: bean.dead,
        is_safe_mode: bean.state != "Operational",
        total_bytes: bean.total,
        remaining_bytes: bean.remaining,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(authority: &str, conf: &[(&str, &str)], expect: &[&str]) {
        assert_eq!(pages(authority, &HadoopConf::of(conf)), expect);
    }

    #[test]
    fn the_page_is_where_the_settings_of_this_cluster_say() {
        let page = ("dfs.namenode.http-address", "0.0.0.0:9871");
        check("nn:9000", &[page, ("fs.defaultFS", "hdfs://nn:9000/")], &["nn:9871"]);
        check("nn:9000", &[page, ("dfs.namenode.rpc-address", "nn:9000")], &["nn:9871"]);
        check("other:9000", &[page, ("fs.defaultFS", "hdfs://nn:9000")], &[]);
        check("nn", &[], &["nn:9870"]);
        let service = [
            ("dfs.ha.namenodes.ns", "a, b"),
            ("dfs.namenode.http-address.ns.a", "a:1"),
            ("dfs.namenode.http-address.ns.b", "b:1"),
        ];
        check("ns", &service, &["a:1", "b:1"]);
        check("nn", &[("dfs.http.policy", "HTTPS_ONLY")], &[]);
    }

    #[test]
    fn the_page_is_read_and_what_is_none_is_told() {
        let bean = r#"{"beans": [{"FSState": "safeMode", "NumLiveDataNodes": 2, "NumDeadDataNodes": 1,
            "CapacityTotal": 9, "CapacityRemaining": 4, "more": [1]}]}"#;
        let status = parse(format!("HTTP/1.1 200 OK\r\nA: b\r\n\r\n{bean}").as_bytes()).unwrap();
        let expect = Status { live: 2, dead: 1, is_safe_mode: true, total_bytes: 9, remaining_bytes: 4 };
        assert_eq!(status, expect);
        let error = parse(b"HTTP/1.1 401 Authentication required\r\n\r\n").unwrap_err();
        assert_eq!(error.to_string(), "it answers \"HTTP/1.1 401 Authentication required\"");
    }
}
