//! Asks a running stream of this machine for its pages: HTTP/1.0, one request a connection, the answer ends with it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use ognivo_data::fault::{Explain, Fault, Retry};

/// Whoever does not answer for so long is not there. Longer than the pause between two words of `/tap`.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A connection on one machine is there at once or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Heads are short.
const MAX_HEAD_BYTES: u64 = 64 * 1024;

/// The stream did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// Nobody listens, or the connection broke.
    #[error("no stream answers at {address}")]
    NotThere {
        /// Where it was asked.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// It refused, or it is something else that listens there.
    #[error("the stream at {address} does not show {path}: {answer}")]
    Refused {
        /// Where it was asked.
        address: SocketAddr,
        /// What for.
        path: String,
        /// What it said.
        answer: String,
    },
}

impl Explain for AskError {
    fn fault(&self) -> Fault {
        Fault::Remote
    }
    fn retry(&self) -> Retry {
        match self {
            AskError::NotThere { .. } => Retry::Backoff,
            AskError::Refused { .. } => Retry::Never,
        }
    }
    fn hint(&self) -> Option<String> {
        matches!(self, AskError::NotThere { .. }).then(|| "is `ognivo stream` running with this job?".to_owned())
    }
}

/// The body of `path`, as it comes.
///
/// # Errors
/// [`AskError`] when nobody answers, or the answer is another code than 200.
pub(crate) fn ask(listen: SocketAddr, path: &str) -> Result<impl BufRead + use<>, AskError> {
    let address = reachable(listen);
    let failed = |source| AskError::NotThere { address, source };
    let mut stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).map_err(failed)?;
    stream.set_read_timeout(Some(TIMEOUT)).and_then(|()| stream.set_write_timeout(Some(TIMEOUT))).map_err(failed)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").map_err(failed)?;
    let mut answer = BufReader::new(stream);
    let code = read_head(&mut answer).map_err(failed)?;
    if code == 200 {
        return Ok(answer);
    }
    let mut words = String::new();
    // What can be read of it is told.
    let _ = answer.take(MAX_HEAD_BYTES).read_to_string(&mut words);
    Err(AskError::Refused { address, path: path.to_owned(), answer: format!("{code} {}", words.trim()) })
}

/// The status code; the body comes next.
fn read_head(answer: &mut impl BufRead) -> io::Result<u16> {
    let mut head = answer.take(MAX_HEAD_BYTES);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let code = line.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.trim().parse().ok());
    let code = code.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))?;
    loop {
        line.clear();
        if head.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim_end().is_empty() {
            return Ok(code);
        }
    }
}

/// Whoever listens on all addresses is asked at this machine's own.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_read_and_the_body_is_left() {
        let mut answer = "HTTP/1.0 503 Service Unavailable\r\nA: b\r\n\r\nwaiting\n".as_bytes();
        assert_eq!(read_head(&mut answer).unwrap(), 503);
        assert_eq!(answer, b"waiting\n");
        for wrong in ["", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n"] {
            assert!(read_head(&mut wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn all_addresses_of_a_machine_are_asked_at_its_own() {
        let asked = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:9464"), "127.0.0.1:9464");
        assert_eq!(asked("[::]:9464"), "[::1]:9464");
        assert_eq!(asked("127.0.0.1:1"), "127.0.0.1:1");
    }
}
