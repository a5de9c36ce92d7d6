//! The version of transactions that a cluster has agreed on; the client asks brokers for it too, and keeps it to itself.
//!
//! One question, `ApiVersions` in its third version, which a broker answers to anybody before a login:
//!
//! ```text
//! question   length, 18, 3, number, our id, tagged fields; name, version, tagged fields
//! answer     length, number; error, calls, throttle time, tagged fields: the second one holds each feature's name and levels
//! ```

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use openssl::ssl::{HandshakeError, SslConnector, SslFiletype, SslMethod, SslVerifyMode};

use crate::config::client::ClientSettings;

/// How long each step may take: to connect, to write, to read.
const DEADLINE: Duration = Duration::from_secs(5);

/// No answer is longer.
const LONGEST_ANSWER: usize = 1 << 20;

const API_VERSIONS: i16 = 18;
const VERSION: i16 = 3;
const NUMBER: i32 = 1;
const FINALIZED_FEATURES: u64 = 2;
const TRANSACTION_VERSION: &[u8] = b"transaction.version";

/// The level of `transaction.version` at this broker; 0 where its cluster has agreed on none.
///
/// # Errors
/// When there is no answer in time, or none that has levels: that of a broker older than Kafka 2.4.
pub(crate) fn transaction_version(settings: &ClientSettings, host: &str) -> io::Result<i16> {
    let mut addresses = host.to_socket_addrs()?;
    let address = addresses.next().ok_or(io::ErrorKind::NotFound)?;
    let stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    let protocol = settings.get("security.protocol").unwrap_or("plaintext");
    let answer = match protocol.to_ascii_uppercase().ends_with("SSL") {
        true => {
            let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
            exchange(tls(settings)?.connect(name, stream).map_err(not_connected)?)?
        }
        false => exchange(stream)?,
    };
    level_in(&answer).ok_or_else(|| io::Error::other("the answer has no levels of features"))
}

fn not_connected(error: HandshakeError<TcpStream>) -> io::Error {
    io::Error::other(error.to_string())
}

/// As the client itself connects, as far as its settings are files.
fn tls(settings: &ClientSettings) -> io::Result<SslConnector> {
    let mut builder = SslConnector::builder(SslMethod::tls_client())?;
    if let Some(file) = settings.get("ssl.ca.location") {
        builder.set_ca_file(file)?;
    }
    if let Some(file) = settings.get("ssl.certificate.location") {
        builder.set_certificate_chain_file(file)?;
    }
    // A key behind a password is the client's to open; a broker that wants our certificate does not answer then.
    if let Some(file) = settings.get("ssl.key.location").filter(|_| settings.get("ssl.key.password").is_none()) {
        builder.set_private_key_file(file, SslFiletype::PEM)?;
    }
    if settings.get("enable.ssl.certificate.verification") == Some("false") {
        builder.set_verify(SslVerifyMode::NONE);
    }
    Ok(builder.build())
}

fn exchange(mut stream: impl Read + Write) -> io::Result<Vec<u8>> {
    stream.write_all(&question())?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > LONGEST_ANSWER {
        return Err(io::Error::other("the answer is none of Kafka's"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

fn question() -> Vec<u8> {
    const NO_TAGS: u8 = 0;
    let compact = |text: &str| [&[text.len() as u8 + 1], text.as_bytes()].concat();
    let mut body = Vec::new();
    body.extend(API_VERSIONS.to_be_bytes());
    body.extend(VERSION.to_be_bytes());
    body.extend(NUMBER.to_be_bytes());
    body.extend((-1_i16).to_be_bytes());
    body.push(NO_TAGS);
    body.extend(compact("ognivo"));
    body.extend(compact(env!("CARGO_PKG_VERSION")));
    body.push(NO_TAGS);
    [&(body.len() as u32).to_be_bytes()[..], &body].concat()
}

/// The level in an answer; None where it has no levels at all.
fn level_in(answer: &[u8]) -> Option<i16> {
    let mut rest = Rest(answer);
    rest.skip(4)?;
    if rest.int16()? != 0 {
        return None;
    }
    let n_calls = rest.length()?;
    for _ in 0..n_calls {
        rest.skip(3 * size_of::<i16>())?;
        rest.tags()?;
    }
    rest.skip(4)?;
    let features = rest.tags()?.into_iter().find(|(tag, _)| *tag == FINALIZED_FEATURES);
    // A cluster that has agreed on nothing leaves them out.
    let Some((_, mut features)) = features else { return Some(0) };
    let mut level = 0;
    for _ in 0..features.length()? {
        let length = features.length()?;
        let name = features.take(length)?;
        let highest = features.int16()?;
        features.skip(size_of::<i16>())?;
        features.tags()?;
        if name == TRANSACTION_VERSION {
            level = highest;
        }
    }
    Some(level)
}

/// What is left of a message.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n_bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(&mut self, n_bytes: usize) -> Option<()> {
        self.take(n_bytes).map(drop)
    }

    fn int16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    /// The length of a compact text or list, which is written as one more.
    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()?.checked_sub(1)
    }

    /// Tagged fields, each with its bytes.
    fn tags(&mut self) -> Option<Vec<(u64, Rest<'a>)>> {
        let n_tags = self.varint()?;
        let mut tags = Vec::new();
        for _ in 0..n_tags {
            let tag = self.varint()?;
            let n_bytes = usize::try_from(self.varint()?).ok()?;
            tags.push((tag, Rest(self.take(n_bytes)?)));
        }
        Some(tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with one call and these features, as (name, level).
    fn answer(features: Option<&[(&str, i16)]>) -> Vec<u8> {
        // Number; no error; one call, of which two versions are known; no throttling.
        let mut answer = vec![0, 0, 0, 1, 0, 0, 2, 0, 18, 0, 0, 0, 4, 0, 0, 0, 0, 0];
        let Some(features) = features else { return [answer, vec![0]].concat() };
        let mut field = vec![features.len() as u8 + 1];
        for (name, level) in features {
            field.push(name.len() as u8 + 1);
            field.extend(name.as_bytes());
            field.extend(level.to_be_bytes());
            field.extend([0, 0, 0]);
        }
        // Two tagged fields, the first of which is the epoch.
        answer.extend([2, 1, 8, 0, 0, 0, 0, 0, 0, 0, 5, 2, field.len() as u8]);
        [answer, field].concat()
    }

    #[test]
    fn the_level_is_that_of_the_feature_or_0() {
        let levels = [("group.version", 1), ("transaction.version", 2)];
        assert_eq!(level_in(&answer(Some(&levels))), Some(2));
        assert_eq!(level_in(&answer(Some(&levels[..1]))), Some(0));
        assert_eq!(level_in(&answer(None)), Some(0));
    }

    #[test]
    fn an_answer_that_is_none_has_no_level() {
        // An old broker answers in the first version of the call: «unsupported version».
        assert_eq!(level_in(&[0, 0, 0, 1, 0, 35, 0, 0, 0, 0]), None);
        let whole = answer(Some(&[("transaction.version", 2)]));
        for n_bytes in 0..whole.len() {
            assert_eq!(level_in(&whole[..n_bytes]), None, "{n_bytes} bytes");
        }
    }
}
