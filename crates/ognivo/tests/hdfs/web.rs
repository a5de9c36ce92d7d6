//! The cluster as its own web service shows it: a reader that has none of the product's code.
//!
//! ```text
//! GET /webhdfs/v1/loans/output?op=LISTSTATUS   {"FileStatuses":{"FileStatus":[{"pathSuffix":"part-0.parquet","type":"FILE",…}]}}
//! GET /webhdfs/v1/loans/output/a?op=OPEN       307 and Location: a DataNode's address, which gives the bytes
//! ```

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

/// A server that does not answer in this time is away.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// No server could say: it is frozen, dead, a standby, or starting.
#[derive(Debug)]
pub(crate) struct Away;

/// What a folder holds.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) is_folder: bool,
    pub(crate) n_bytes: u64,
    /// Another one when the file was written anew.
    pub(crate) id: u64,
}

/// The web service of the NameNodes at these addresses, of which one is active.
#[derive(Debug, Clone)]
pub(crate) struct Web {
    name_nodes: Vec<String>,
}

impl Web {
    /// `addresses`: `host:port`, with commas between them.
    pub(crate) fn of(addresses: &str) -> Web {
        Web { name_nodes: addresses.split(',').map(str::to_owned).collect() }
    }

    /// What is directly in a folder; nothing when it is not there.
    pub(crate) fn list(&self, folder: &str) -> Result<Vec<Found>, Away> {
        let Some(body) = self.ask(folder, "LISTSTATUS")? else { return Ok(Vec::new()) };
        let listed: Value = serde_json::from_slice(&body).map_err(|_| Away)?;
        let found = |status: &Value| Found {
            name: status["pathSuffix"].as_str().unwrap().to_owned(),
            is_folder: status["type"] == "DIRECTORY",
            n_bytes: status["length"].as_u64().unwrap(),
            id: status["fileId"].as_u64().unwrap(),
        };
        Ok(listed["FileStatuses"]["FileStatus"].as_array().ok_or(Away)?.iter().map(found).collect())
    }

    /// Every file in a folder and the folders below it, by its whole path.
    pub(crate) fn list_below(&self, folder: &str) -> Result<Vec<(String, Found)>, Away> {
        let mut files = Vec::new();
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            for found in self.list(&folder)? {
                let path = format!("{folder}/{}", found.name);
                if found.is_folder { open.push(path) } else { files.push((path, found)) }
            }
        }
        Ok(files)
    }

    /// A file's bytes; None when there is no such file.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Bytes>, Away> {
        self.ask(path, "OPEN")
    }

    fn ask(&self, path: &str, operation: &str) -> Result<Option<Bytes>, Away> {
        let target = format!("/webhdfs/v1{path}?op={operation}");
        for address in &self.name_nodes {
            match answer(address, &target) {
                Ok(Answer::Is(body)) => return Ok(Some(body)),
                Ok(Answer::Nothing) => return Ok(None),
                Err(Away) => {}
            }
        }
        Err(Away)
    }
}

enum Answer {
    Is(Bytes),
    Nothing,
}

fn answer(address: &str, target: &str) -> Result<Answer, Away> {
    let (head, body) = get(address, target).map_err(|_| Away)?;
    let header = |name: &str| {
        let is_it = |line: &&str| line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
        head.lines().find(is_it).and_then(|line| Some(line.split_once(':')?.1.trim().to_owned()))
    };
    match head.split(' ').nth(1) {
        // Fewer bytes than were promised are those of a server that was killed meanwhile.
        Some("200") if header("content-length").is_none_or(|told| told == body.len().to_string()) => {
            Ok(Answer::Is(body.into()))
        }
        Some("307") => {
            let location = header("location").ok_or(Away)?;
            let (address, target) = location.strip_prefix("http://").ok_or(Away)?.split_once('/').ok_or(Away)?;
            answer(address, &format!("/{target}"))
        }
        Some("404") if String::from_utf8_lossy(&body).contains("FileNotFoundException") => Ok(Answer::Nothing),
        _ => Err(Away),
    }
}

/// The head and the body of an answer.
fn get(address: &str, target: &str) -> std::io::Result<(String, Vec<u8>)> {
    let address: SocketAddr = address.parse().map_err(std::io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_DEADLINE)?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    write!(stream, "GET {target} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| std::io::Error::other("no end of the head"))?;
    Ok((String::from_utf8_lossy(&bytes[..end]).into_owned(), bytes.split_off(end + 4)))
}
