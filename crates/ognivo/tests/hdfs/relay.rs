//! A relay before the NameNode that counts the calls it passes on, and loses one of them when asked to.
//!
//! It reads as much of Hadoop's protocol as it needs to know which call a message belongs to: a message is its length, then a
//! `RpcRequestHeaderProto` and a `RequestHeaderProto`, or a `RpcResponseHeaderProto`, each behind its own length.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a client does not get through, whose connection breaks off then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The NameNode hears nothing of the call.
    Question,
    /// The NameNode has done what it was asked for.
    Answer,
}

/// A relay that lives as long as the process.
pub(crate) struct Relay {
    /// `hdfs://host:port`
    pub(crate) url: String,
    passing: Arc<Mutex<Passing>>,
}

#[derive(Debug, Default)]
struct Passing {
    n_calls: BTreeMap<String, u64>,
    aim: Option<Aim>,
}

#[derive(Debug)]
struct Aim {
    method: String,
    nth: u64,
    lost: Lost,
}

impl Passing {
    /// What is to be lost of this call, which is counted.
    fn loss_of(&mut self, method: &str) -> Option<Lost> {
        let n_calls = self.n_calls.entry(method.to_owned()).or_default();
        *n_calls += 1;
        let is_meant = self.aim.as_ref().is_some_and(|aim| aim.method == method && aim.nth == *n_calls);
        if is_meant { self.aim.take().map(|aim| aim.lost) } else { None }
    }
}

impl Relay {
    /// Listens on a free port and passes on to the NameNode at `hdfs://host:port`.
    pub(crate) fn before(name_node: &str) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("hdfs://{}", listener.local_addr().unwrap());
        let name_node = name_node.strip_prefix("hdfs://").unwrap().to_owned();
        let passing = Arc::new(Mutex::new(Passing::default()));
        let shared = Arc::clone(&passing);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(&name_node)) else { continue };
                let _ = pass(client, server, &shared);
            }
        });
        Relay { url, passing }
    }

    /// Loses the `nth` call of the method from now on, and counts anew.
    pub(crate) fn lose(&self, method: &str, nth: u64, lost: Lost) {
        *locked(&self.passing) =
            Passing { aim: Some(Aim { method: method.to_owned(), nth, lost }), ..Passing::default() };
    }

    /// Loses nothing any more; whether what was to be lost was lost.
    pub(crate) fn has_lost(&self) -> bool {
        locked(&self.passing).aim.take().is_none()
    }

    /// How often each method was called, and counts anew.
    pub(crate) fn take_counts(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut locked(&self.passing).n_calls)
    }
}

/// The call whose answer is not passed on.
type Doomed = Arc<Mutex<Option<u64>>>;

/// Passes on in both directions, each in a thread of its own, until either ends or a call is lost.
fn pass(client: TcpStream, server: TcpStream, passing: &Arc<Mutex<Passing>>) -> io::Result<()> {
    let (to_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let (doomed, passing) = (Doomed::default(), Arc::clone(passing));
    let of_answers = Arc::clone(&doomed);
    std::thread::spawn(move || {
        let _ = pass_questions(&client, &server, &passing, &doomed);
        hang_up(&client, &server);
    });
    std::thread::spawn(move || {
        let _ = pass_answers(&to_server, &to_client, &of_answers);
        hang_up(&to_client, &to_server);
    });
    Ok(())
}

fn pass_questions(
    mut client: &TcpStream,
    mut server: &TcpStream,
    passing: &Mutex<Passing>,
    doomed: &Doomed,
) -> io::Result<()> {
    // "hrpc", version, class of service, protocol of authentication: none.
    let mut greeting = [0; 7];
    client.read_exact(&mut greeting)?;
    server.write_all(&greeting)?;
    loop {
        let message = message(client)?;
        let (id, method) = question(&message[4..]);
        match method.and_then(|method| locked(passing).loss_of(&method)) {
            Some(Lost::Question) => return Ok(()),
            Some(Lost::Answer) => *locked(doomed) = Some(id),
            None => {}
        }
        server.write_all(&message)?;
    }
}

fn pass_answers(server: &TcpStream, mut client: &TcpStream, doomed: &Doomed) -> io::Result<()> {
    loop {
        let message = message(server)?;
        if *locked(doomed) == Some(answered(&message[4..])) {
            return Ok(());
        }
        client.write_all(&message)?;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn hang_up(one: &TcpStream, other: &TcpStream) {
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}

/// The next message, with its length before it.
fn message(mut from: &TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    from.read_exact(&mut message)?;
    let length = u32::from_be_bytes(message[..4].try_into().unwrap());
    message.resize(4 + length as usize, 0);
    from.read_exact(&mut message[4..])?;
    Ok(message)
}

/// Id and method of a call; no method in what opens a connection.
fn question(message: &[u8]) -> (u64, Option<String>) {
    const CALL_ID: u64 = 3;
    const METHOD: u64 = 1;
    let mut rest = message;
    let (header, call) = (delimited(&mut rest), delimited(&mut rest));
    let zigzag = number(header, CALL_ID).expect("a call has an id");
    let method = text(call, METHOD);
    // An answer has the same number without a sign; those with one open connections.
    (zigzag / 2, method.filter(|_| zigzag.is_multiple_of(2)))
}

/// The call that a message answers.
fn answered(message: &[u8]) -> u64 {
    const CALL_ID: u64 = 1;
    let mut rest = message;
    number(delimited(&mut rest), CALL_ID).expect("an answer names its call")
}

/// A field of a message of protobuf.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn number(message: &[u8], wanted: u64) -> Option<u64> {
    fields(message).into_iter().find_map(|(key, field)| match field {
        Field::Number(number) if key == wanted => Some(number),
        _ => None,
    })
}

fn text(message: &[u8], wanted: u64) -> Option<String> {
    fields(message).into_iter().find_map(|(key, field)| match field {
        Field::Bytes(bytes) if key == wanted => String::from_utf8(bytes.to_vec()).ok(),
        _ => None,
    })
}

fn fields(mut message: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut message)),
            2 => Field::Bytes(delimited(&mut message)),
            kind => panic!("a header of Hadoop's has no field of kind {kind}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let length = bytes.iter().position(|byte| byte & 0x80 == 0).expect("a number ends") + 1;
    let (number, rest) = bytes.split_at(length);
    *bytes = rest;
    number.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f))
}

fn delimited<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let length = varint(bytes) as usize;
    let (inner, rest) = bytes.split_at(length);
    *bytes = rest;
    inner
}
