//! One queue for the records of all partitions that are read, emptied many at a time.
//!
//! The client's own poll gives one record a call, and takes an event, a lock and two looks at the clock for it. Records
//! are taken past it here, from the queues of their partitions; all else that the client has to say stays in its
//! consumer's queue, which must be polled as ever: rebalances are answered there, and nowhere else.
//!
//! ```text
//!   queue of each partition ─▶ our queue ─▶ take            records, the end of a partition, what is wrong with one
//!   queue of the consumer   ─▶ BaseConsumer::poll           rebalances, errors of the group, statistics
//! ```
//! A bell is rung when something comes into the empty queue.
//!
//! This is the only file that calls librdkafka past its Rust client, which has no call for many records.

use std::ffi::{CStr, CString, c_int, c_void};
use std::ptr::{NonNull, null, null_mut};
use std::slice;
use std::sync::Arc;

use rdkafka::bindings as c;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::message::BorrowedMessage;

use crate::fetcher::Consumer;
use crate::offsets::TopicPartition;
use crate::records::{Header, Record};

/// What is called when something comes into the empty queue, by a thread of the client or by whoever leads records here. Locks of the
/// client are held meanwhile: it must be quick, call nothing of the client, and take no lock under which anybody calls the client.
pub(crate) type Bell = Box<dyn Fn() + Send + Sync>;

/// The queue.
pub(crate) struct BatchQueue {
    queue: NonNull<c::rd_kafka_queue_t>,
    /// The consumer's own.
    of_consumer: NonNull<c::rd_kafka_queue_t>,
    led: Vec<(TopicPartition, NonNull<c::rd_kafka_queue_t>)>,
    /// The client knows its address.
    _bell: Arc<Bell>,
    /// Lives longer than the queues.
    consumer: Arc<Consumer>,
}

#[allow(unsafe_code, reason = "a handle of librdkafka may be used and given back by any thread")]
// SAFETY: all functions of librdkafka may be called from all threads, and so may the bell.
unsafe impl Send for BatchQueue {}

#[allow(unsafe_code, reason = "the Rust client has no call for many records; what each call needs stands beside it")]
impl BatchQueue {
    pub(crate) fn new(consumer: Arc<Consumer>, bell: Bell) -> BatchQueue {
        let (client, bell) = (consumer.client().native_ptr(), Arc::new(bell));
        // SAFETY: the client lives as long as `consumer`.
        let (queue, of_consumer) = unsafe { (c::rd_kafka_queue_new(client), c::rd_kafka_queue_get_consumer(client)) };
        let queue = NonNull::new(queue).expect("librdkafka ends the process where it has no memory");
        let of_consumer = NonNull::new(of_consumer)
            .expect("the client of a source names a group, and without its queue none is made");
        let opaque = Arc::as_ptr(&bell).cast_mut().cast::<c_void>();
        // SAFETY: the bell is kept until the client is told to forget it.
        unsafe { c::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(ring), opaque) };
        BatchQueue { queue, of_consumer, led: Vec::new(), _bell: bell, consumer }
    }

    /// How much is there now: a guess at what will be taken, since more may come before, and not all of it is messages.
    pub(crate) fn len(&self) -> usize {
        // SAFETY: the handle is ours.
        unsafe { c::rd_kafka_queue_length(self.queue.as_ptr()) }
    }

    /// Whether the client has something to say that must be polled. If it has not, and nobody has led records here since the question,
    /// no record that is older than those of its partition here is still to be polled.
    pub(crate) fn consumer_has_news(&self) -> bool {
        // SAFETY: the handle is ours.
        unsafe { c::rd_kafka_queue_length(self.of_consumer.as_ptr()) > 0 }
    }

    /// Lets the records of these partitions come here. To be called before the client is told to read them: what it has
    /// put into its own queue stays there.
    pub(crate) fn lead<'a>(&mut self, partitions: impl IntoIterator<Item = &'a TopicPartition>) {
        for at in partitions {
            self.let_go(slice::from_ref(at));
            let Ok(topic) = CString::new(at.topic.as_str()) else { continue };
            // SAFETY: the client lives as long as `consumer`, the name as long as the call.
            let queue = unsafe {
                c::rd_kafka_queue_get_partition(self.consumer.client().native_ptr(), topic.as_ptr(), at.partition)
            };
            // A partition that the client cannot have has no queue; reading it is what fails.
            self.led.extend(NonNull::new(queue).map(|queue| (at.clone(), queue)));
        }
        self.lead_on();
    }

    /// Forgets partitions that are read no more.
    pub(crate) fn let_go(&mut self, partitions: &[TopicPartition]) {
        self.led.retain(|(at, queue)| {
            let stays = !partitions.contains(at);
            if !stays {
                // SAFETY: our own handle, used no more.
                unsafe { c::rd_kafka_queue_destroy(queue.as_ptr()) };
            }
            stays
        });
    }

    /// Says again that records come here, and moves what has waited elsewhere: a partition that the client stops and starts
    /// anew forgets where its records go, some time after the call, and keeps them until it is told again.
    pub(crate) fn lead_on(&self) {
        for (_, queue) in &self.led {
            // SAFETY: both handles are ours until they are destroyed below.
            unsafe { c::rd_kafka_queue_forward(queue.as_ptr(), self.queue.as_ptr()) };
        }
    }

    /// Shows all that is there.
    ///
    /// Not by the client's call for an array of messages: that takes the end of a partition for one more record, and after a
    /// pause the client would leave out the next.
    pub(crate) fn take<F: FnMut(&Message<'_>)>(&self, mut each: F) {
        const NO_PATIENCE_MS: c_int = 0;
        // SAFETY: the handle is ours, and `hand` is called within the call only, with `each`, which it is made for.
        unsafe {
            c::rd_kafka_consume_callback_queue(
                self.queue.as_ptr(),
                NO_PATIENCE_MS,
                Some(hand::<F>),
                (&raw mut each).cast::<c_void>(),
            )
        };
    }
}

/// # Safety
/// `bell` is one that lives.
#[allow(unsafe_code, reason = "what librdkafka calls is given pointers")]
unsafe extern "C" fn ring(_client: *mut c::rd_kafka_t, bell: *mut c_void) {
    // SAFETY: what the caller has promised.
    unsafe { (*bell.cast::<Bell>())() }
}

/// # Safety
/// `message` is one of the client, and `each` an `F` that nobody else uses meanwhile.
#[allow(unsafe_code, reason = "what librdkafka calls is given pointers")]
unsafe extern "C" fn hand<F: FnMut(&Message<'_>)>(message: *mut c::rd_kafka_message_t, each: *mut c_void) {
    // SAFETY: what the caller has promised; the message lives until this returns.
    unsafe { (*each.cast::<F>())(&Message(&*message)) }
}

#[allow(unsafe_code, reason = "handles of librdkafka are given back by its own call")]
impl Drop for BatchQueue {
    fn drop(&mut self) {
        let all: Vec<TopicPartition> = self.led.iter().map(|(at, _)| at.clone()).collect();
        self.let_go(&all);
        // SAFETY: our own handles, used no more; the client is still there, and forgets the bell before it goes.
        unsafe {
            c::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, null_mut());
            c::rd_kafka_queue_destroy(self.queue.as_ptr());
            c::rd_kafka_queue_destroy(self.of_consumer.as_ptr());
        }
    }
}

/// A record, or what the client says about a partition in its place.
pub(crate) struct Message<'a>(&'a c::rd_kafka_message_t);

#[allow(unsafe_code, reason = "messages of librdkafka are read as its header says")]
impl<'a> Message<'a> {
    /// One that came by the client's own poll.
    pub(crate) fn of(message: &'a BorrowedMessage<'_>) -> Message<'a> {
        // SAFETY: a message of the client, which lives and stays as long as what it is borrowed from.
        Message(unsafe { &*message.ptr() })
    }

    /// What it says instead of being a record; [`Code::PartitionEOF`] at the end of a partition.
    pub(crate) fn failure(&self) -> Option<Code> {
        match self.0.err {
            c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => None,
            code => Some(code.into()),
        }
    }

    /// A number that is the same for all messages of a topic within one call, and the partition.
    pub(crate) fn origin(&self) -> (usize, i32) {
        (self.0.rkt as usize, self.0.partition)
    }

    /// Nothing where it is about no topic.
    pub(crate) fn topic(&self) -> &'a str {
        if self.0.rkt.is_null() {
            return "";
        }
        // SAFETY: a message keeps its topic, and a topic its name, which ends with a zero.
        let name = unsafe { CStr::from_ptr(c::rd_kafka_topic_name(self.0.rkt)) };
        name.to_str().unwrap_or_default()
    }

    pub(crate) fn partition(&self) -> i32 {
        self.0.partition
    }

    /// The record's; at the end of a partition, that of the next record to come.
    pub(crate) fn offset(&self) -> i64 {
        self.0.offset
    }

    pub(crate) fn record(&self, with_headers: bool) -> Record<'a> {
        let c::rd_kafka_message_t { payload, len, key, key_len, offset, .. } = *self.0;
        let mut kind = c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: a message of the client, and room for the kind.
        let time_ms = unsafe { c::rd_kafka_message_timestamp(self.0, &raw mut kind) };
        let time_type = match kind {
            c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => -1,
            c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => 0,
            c::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => 1,
        };
        Record {
            offset,
            // SAFETY: the message holds so many bytes there until it is destroyed.
            value: unsafe { bytes(payload.cast(), len) },
            // SAFETY: the same.
            key: unsafe { bytes(key.cast(), key_len) },
            time_ms: (time_type >= 0 && time_ms >= 0).then_some(time_ms),
            time_type: if time_ms < 0 { -1 } else { time_type },
            headers: if with_headers { self.headers() } else { Vec::new() },
        }
    }

    fn headers(&self) -> Vec<Header> {
        let mut headers = null_mut();
        // SAFETY: a message of the client, and room for the headers, which stay the message's.
        let found = unsafe { c::rd_kafka_message_headers(self.0, &raw mut headers) };
        let mut all = Vec::new();
        if found != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return all;
        }
        let (mut name, mut value, mut len) = (null(), null(), 0);
        // SAFETY: headers that were found, and room for what is asked of the one at this place.
        while unsafe { c::rd_kafka_header_get_all(headers, all.len(), &raw mut name, &raw mut value, &raw mut len) }
            == c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            // SAFETY: a name ends with a zero and lives as long as the message, as do so many bytes of the value.
            let (name, value) = unsafe { (CStr::from_ptr(name), bytes(value.cast(), len)) };
            all.push((name.to_string_lossy().into_owned(), value.map(<[u8]>::to_vec)));
        }
        all
    }
}

/// # Safety
/// At `start`, if it is not null, are `len` bytes that live and stay for `'a`.
#[allow(unsafe_code, reason = "bytes of librdkafka are a start and a length")]
unsafe fn bytes<'a>(start: *const u8, len: usize) -> Option<&'a [u8]> {
    // SAFETY: what the caller has promised.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start, len) })
}
