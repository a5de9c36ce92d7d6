//! What a NameNode says before anybody has logged in: that it is there, and by which methods it lets one in.
//!
//! ```text
//! ours     "hrpc" 9 0 -33   length  header{call -33}  sasl{NEGOTIATE}
//! its own                   length  header{SUCCESS}   sasl{NEGOTIATE, auths: [TOKEN, KERBEROS hdfs@localhost]}
//! ```
//! The client does without these words where our settings say that nobody logs in; a cluster that wants Kerberos then closes the
//! connection, which looks as if it were down.

use std::io;
use std::time::Duration;

use hdfs_native::HdfsError;
use prost::Message;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::connection::spawned;
use super::failed::Failed;

/// Hadoop's RPC in its version 9, for the default class of service, beginning with SASL.
const PREAMBLE: [u8; 7] = [b'h', b'r', b'p', b'c', 9, 0, (-33_i8).cast_unsigned()];

/// A greeting is some hundred bytes; whoever sends more is no NameNode.
const MAX_BYTES: u32 = 1 << 16;

/// How a NameNode lets one in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// Hadoop's names: `SIMPLE`, `TOKEN`, `KERBEROS`.
    pub(crate) methods: Vec<String>,
    /// The NameNode's own principal without its realm, `hdfs/localhost`, where it has one.
    pub(crate) principal: Option<String>,
}

impl Greeting {
    /// Whether one is taken for who one says one is.
    pub(crate) fn is_open(&self) -> bool {
        self.methods.iter().any(|method| method == "SIMPLE")
    }
}

/// Asks the NameNode at `address` (`host:port`).
///
/// # Errors
/// When nobody is there, nobody answers, or what answers is no NameNode.
pub(crate) async fn greet(address: &str, deadline: Duration) -> Result<Greeting, Failed> {
    let address = address.to_owned();
    spawned(async move {
        match timeout(deadline, exchange(&address)).await {
            Ok(answer) => answer.map_err(|error| Failed::from(HdfsError::IOError(error))),
            Err(_) => Err(Failed::Late(deadline)),
        }
    })
    .await
}

async fn exchange(address: &str) -> io::Result<Greeting> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&PREAMBLE).await?;
    stream.write_all(&request()).await?;
    let length = stream.read_u32().await.map_err(no_name_node)?;
    if length > MAX_BYTES {
        return Err(no_name_node("its answer is too long"));
    }
    let mut answer = vec![0; length as usize];
    stream.read_exact(&mut answer).await.map_err(no_name_node)?;
    parse(&answer)
}

fn no_name_node(cause: impl std::fmt::Display) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("what listens there does not speak as a NameNode does ({cause})"),
    )
}

fn request() -> Vec<u8> {
    const PROTOBUF: i32 = 2;
    const FINAL_PACKET: i32 = 0;
    let header = RequestHeader {
        rpc_kind: Some(PROTOBUF),
        rpc_op: Some(FINAL_PACKET),
        call_id: -33,
        client_id: Vec::new(),
        retry_count: Some(-1),
    };
    let negotiate = Sasl { version: None, state: NEGOTIATE, token: None, auths: Vec::new() };
    let mut message = header.encode_length_delimited_to_vec();
    message.extend(negotiate.encode_length_delimited_to_vec());
    let mut framed = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    framed.extend(message);
    framed
}

fn parse(mut answer: &[u8]) -> io::Result<Greeting> {
    let header = ResponseHeader::decode_length_delimited(&mut answer).map_err(no_name_node)?;
    if header.status != 0 {
        let text = header.error_msg.unwrap_or_default();
        return Err(io::Error::other(text.lines().next().unwrap_or("it refuses to talk").to_owned()));
    }
    let sasl = Sasl::decode_length_delimited(&mut answer).map_err(no_name_node)?;
    let named = |auth: &SaslAuth| match (auth.protocol.as_deref(), auth.server_id.as_deref()) {
        (Some(protocol), Some(host)) if auth.method == "KERBEROS" => Some(format!("{protocol}/{host}")),
        _ => None,
    };
    Ok(Greeting {
        principal: sasl.auths.iter().find_map(named),
        methods: sasl.auths.into_iter().map(|auth| auth.method).collect(),
    })
}

const NEGOTIATE: i32 = 1;

/// `RpcRequestHeaderProto` of Hadoop's `RpcHeader.proto`, as far as it is needed; so are the next three.
#[derive(Clone, PartialEq, Message)]
struct RequestHeader {
    #[prost(int32, optional, tag = "1")]
    rpc_kind: Option<i32>,
    #[prost(int32, optional, tag = "2")]
    rpc_op: Option<i32>,
    #[prost(sint32, required, tag = "3")]
    call_id: i32,
    #[prost(bytes = "vec", required, tag = "4")]
    client_id: Vec<u8>,
    #[prost(sint32, optional, tag = "5")]
    retry_count: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct ResponseHeader {
    #[prost(uint32, required, tag = "1")]
    call_id: u32,
    #[prost(int32, required, tag = "2")]
    status: i32,
    #[prost(string, optional, tag = "5")]
    error_msg: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Sasl {
    #[prost(uint32, optional, tag = "1")]
    version: Option<u32>,
    #[prost(int32, required, tag = "2")]
    state: i32,
    #[prost(bytes = "vec", optional, tag = "3")]
    token: Option<Vec<u8>>,
    #[prost(message, repeated, tag = "4")]
    auths: Vec<SaslAuth>,
}

#[derive(Clone, PartialEq, Message)]
struct SaslAuth {
    #[prost(string, required, tag = "1")]
    method: String,
    #[prost(string, required, tag = "2")]
    mechanism: String,
    #[prost(string, optional, tag = "3")]
    protocol: Option<String>,
    #[prost(string, optional, tag = "4")]
    server_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: i32, error_msg: Option<&str>, auths: &[(&str, Option<&str>)]) -> Vec<u8> {
        let header = ResponseHeader { call_id: 0, status, error_msg: error_msg.map(str::to_owned) };
        let auth = |(method, host): &(&str, Option<&str>)| SaslAuth {
            method: (*method).to_owned(),
            mechanism: String::new(),
            protocol: host.map(|_| "hdfs".to_owned()),
            server_id: host.map(str::to_owned),
        };
        let sasl = Sasl { version: Some(0), state: NEGOTIATE, token: None, auths: auths.iter().map(auth).collect() };
        let mut message = header.encode_length_delimited_to_vec();
        message.extend(sasl.encode_length_delimited_to_vec());
        message
    }

    #[test]
    fn the_request_is_what_hadoop_expects_byte_for_byte() {
        // As Hadoop's own client sends it: kind 2, op 0, call -33, no client id, no retry; then NEGOTIATE.
        let expect = [0, 0, 0, 14, 10, 8, 2, 16, 0, 24, 65, 34, 0, 40, 1, 2, 16, 1];
        assert_eq!(request(), expect);
    }

    #[test]
    fn a_greeting_tells_the_methods_and_the_principal() {
        let secure = parse(&answer(0, None, &[("TOKEN", Some("default")), ("KERBEROS", Some("nn1"))])).unwrap();
        assert_eq!(secure.principal.as_deref(), Some("hdfs/nn1"));
        assert!(!secure.is_open());
        assert!(parse(&answer(0, None, &[("SIMPLE", None)])).unwrap().is_open());
    }

    #[test]
    fn a_refusal_is_told_in_its_first_line_and_noise_is_no_name_node() {
        let refused = parse(&answer(2, Some("Unknown packet: hrpc\n\tat org…"), &[])).unwrap_err();
        assert_eq!(refused.to_string(), "Unknown packet: hrpc");
        let noise = parse(b"HTTP/1.1 404").unwrap_err().to_string();
        assert!(noise.starts_with("what listens there does not speak as a NameNode does"), "{noise}");
    }
}
