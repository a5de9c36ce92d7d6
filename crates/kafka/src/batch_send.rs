//! Many records handed to the client in one call.
//!
//! The client's own call for one record looks its topic up, reads two clocks and takes its arguments as a list of pairs;
//! the call for many does that once for all of them. It knows neither headers nor a partition of one's own choice.

use std::ffi::CString;
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

use rdkafka::bindings as c;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::producer::Producer as _;
use rdkafka::util::IntoOpaque as _;

use crate::producer::Client;

/// What stands for a partition where the key decides.
const BY_KEY: i32 = -1;

/// Key and value of a record that goes where its key says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain<'a> {
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
}

/// What became of records that were handed over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// How many were taken.
    pub(crate) n_taken: usize,
    /// The first that was not, and why. When there was no room for it, there was none for those behind it.
    pub(crate) failure: Option<(usize, Code)>,
}

/// A topic as the producer knows it.
pub(crate) struct Target {
    pub(crate) name: String,
    topic: NonNull<c::rd_kafka_topic_t>,
    /// Lives longer than the topic.
    _client: Arc<Client>,
}

#[allow(unsafe_code, reason = "a handle of librdkafka may be used and given back by any thread")]
// SAFETY: all functions of librdkafka may be called from all threads, and the name and the client may be sent.
unsafe impl Send for Target {}

#[allow(unsafe_code, reason = "the Rust client has no call for many records; what each call needs stands beside it")]
impl Target {
    /// None for a name that no topic can have.
    pub(crate) fn new(client: &Arc<Client>, name: &str) -> Option<Target> {
        let c_name = CString::new(name).ok()?;
        // SAFETY: the client lives as long as the `Arc`, the name as long as the call; without settings it has the client's.
        let topic = unsafe { c::rd_kafka_topic_new(client.client().native_ptr(), c_name.as_ptr(), null_mut()) };
        Some(Target { name: name.to_owned(), topic: NonNull::new(topic)?, _client: Arc::clone(client) })
    }

    /// Hands records over in their order; `number` comes back with the delivery of each.
    pub(crate) fn send(&self, records: &[Plain<'_>], number: usize) -> Sent {
        let mut messages: Vec<c::rd_kafka_message_t> = records.iter().map(|record| message(record, number)).collect();
        let n = i32::try_from(messages.len()).expect("nobody sends as many at once");
        // SAFETY: there are `n` messages, whose bytes are copied within the call and not written to.
        let n_taken = unsafe {
            c::rd_kafka_produce_batch(self.topic.as_ptr(), BY_KEY, c::RD_KAFKA_MSG_F_COPY, messages.as_mut_ptr(), n)
        };
        let is_fine =
            |message: &c::rd_kafka_message_t| message.err == c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        let failure = messages.iter().position(|message| !is_fine(message));
        Sent {
            n_taken: usize::try_from(n_taken).unwrap_or(0),
            failure: failure.map(|at| (at, messages[at].err.into())),
        }
    }
}

#[allow(unsafe_code, reason = "a handle of librdkafka is given back by its own call")]
impl Drop for Target {
    fn drop(&mut self) {
        // SAFETY: our own handle, used no more; the client is still there.
        unsafe { c::rd_kafka_topic_destroy(self.topic.as_ptr()) };
    }
}

fn message(record: &Plain<'_>, number: usize) -> c::rd_kafka_message_t {
    let (payload, len) = start_and_len(record.value);
    let (key, key_len) = start_and_len(record.key);
    c::rd_kafka_message_t {
        err: c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR,
        rkt: null_mut(),
        partition: BY_KEY,
        payload: payload.cast(),
        len,
        key: key.cast(),
        key_len,
        offset: 0,
        // As the Rust client hands numbers through.
        _private: number.into_ptr(),
    }
}

fn start_and_len(bytes: Option<&[u8]>) -> (*mut u8, usize) {
    bytes.map_or((null_mut(), 0), |bytes| (bytes.as_ptr().cast_mut(), bytes.len()))
}
