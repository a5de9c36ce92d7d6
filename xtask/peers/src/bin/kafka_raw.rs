//! What a program in C does with librdkafka: its own functions, called as they are. And the hands of the benchmark: topics, load, checks.
//!
//! ```text
//! topic SERVER TOPIC PARTITIONS               makes a topic whose records get the broker's time
//! fill SERVER TOPIC CSV N [PARTITIONS]        N records as fast as they go, over two partitions or so many
//! load SERVER TOPIC CSV RATE SECONDS          so many a second, each at its time
//! consume SERVER TOPIC N                      batch consume, nothing else
//! relay SERVER FROM TO N MODE                 copies bytes; N of 0: forever. MODE: plain, or milliseconds between commits
//! commits SERVER FROM TO N                    N transactions of 20 records with their offsets
//! latency SERVER TOPIC N SKIP                 from `sent_us` of N records to the broker's time, the first SKIP left out
//! span SERVER TOPIC N                         from the first to the last of N ids, each there once, by the broker's clock
//! same SERVER ONE OTHER N                     whether two topics hold the same N ids with the same scores
//! ```
//! Prints one line of JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ognivo_peers::{cpu_nanoseconds_of_all_threads, json_records};
use rdkafka::bindings::*;

/// Records that one call of a consumer may give.
const BATCH: usize = 4096;

/// Records of a transaction whose commit is measured.
const N_OF_COMMIT: usize = 20;

const WAIT_MS: i32 = 60_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<usize>().expect("a number");
    match words[..] {
        ["topic", server, topic, n] => make_topic(server, topic, number(n) as i32),
        ["fill", server, topic, csv, n] => fill(server, topic, csv, number(n), N_PARTITIONS),
        ["fill", server, topic, csv, n, n_partitions] => {
            fill(server, topic, csv, number(n), number(n_partitions) as i32);
        }
        ["load", server, topic, csv, rate, seconds] => load(server, topic, csv, number(rate), number(seconds)),
        ["consume", server, topic, n] => consume(server, topic, number(n)),
        ["relay", server, from, to, n, "plain"] => relay(server, from, to, number(n)),
        ["relay", server, from, to, n, every_ms] => {
            relay_in_transactions(server, from, to, number(n), number(every_ms))
        }
        ["commits", server, from, to, n] => commits(server, from, to, number(n)),
        ["latency", server, topic, n, skip] => latency(server, topic, number(n), number(skip)),
        ["span", server, topic, n] => span(server, topic, number(n)),
        ["same", server, one, other, n] => same(server, one, other, number(n)),
        _ => panic!("see the head of the program"),
    }
}

/// A client of librdkafka.
struct Client(*mut rd_kafka_t);

impl Client {
    fn new(kind: rd_kafka_type_t, settings: &[(&str, &str)]) -> Client {
        let mut message = [0 as c_char; 512];
        unsafe {
            let conf = rd_kafka_conf_new();
            for (name, value) in settings {
                let (name, value) = (CString::new(*name).unwrap(), CString::new(*value).unwrap());
                let done = rd_kafka_conf_set(conf, name.as_ptr(), value.as_ptr(), message.as_mut_ptr(), message.len());
                assert!(done == rd_kafka_conf_res_t::RD_KAFKA_CONF_OK, "{:?}", CStr::from_ptr(message.as_ptr()));
            }
            let client = rd_kafka_new(kind, conf, message.as_mut_ptr(), message.len());
            assert!(!client.is_null(), "{:?}", CStr::from_ptr(message.as_ptr()));
            Client(client)
        }
    }
}

/// Partitions of a topic, all that it has.
const N_PARTITIONS: i32 = 2;

/// A consumer of all partitions, from their beginning.
struct Reader {
    client: Client,
    queue: *mut rd_kafka_queue_t,
    messages: Vec<*mut rd_kafka_message_t>,
}

impl Reader {
    fn new(server: &str, topic: &str) -> Reader {
        let group = format!("raw-{}", std::process::id());
        let client = Client::new(
            rd_kafka_type_t::RD_KAFKA_CONSUMER,
            &[
                ("bootstrap.servers", server),
                ("group.id", &group),
                ("enable.auto.commit", "false"),
                ("enable.auto.offset.store", "false"),
                ("isolation.level", "read_committed"),
                ("auto.offset.reset", "earliest"),
            ],
        );
        let topic = CString::new(topic).unwrap();
        unsafe {
            rd_kafka_poll_set_consumer(client.0);
            let list = rd_kafka_topic_partition_list_new(N_PARTITIONS);
            for partition in 0..N_PARTITIONS {
                let at = rd_kafka_topic_partition_list_add(list, topic.as_ptr(), partition);
                (*at).offset = i64::from(RD_KAFKA_OFFSET_BEGINNING);
            }
            rd_kafka_assign(client.0, list);
            rd_kafka_topic_partition_list_destroy(list);
            let queue = rd_kafka_queue_get_consumer(client.0);
            Reader { client, queue, messages: vec![null_mut(); BATCH] }
        }
    }

    /// What is there, at most `BATCH` records; waits for a first one.
    fn next(&mut self, patience_ms: i32, mut each: impl FnMut(&rd_kafka_message_t)) -> usize {
        unsafe {
            let first = rd_kafka_consume_queue(self.queue, patience_ms);
            if first.is_null() {
                return 0;
            }
            self.messages[0] = first;
            let n_more = rd_kafka_consume_batch_queue(self.queue, 0, self.messages.as_mut_ptr().add(1), BATCH - 1);
            let mut n = 0;
            for message in &self.messages[..1 + n_more.max(0) as usize] {
                if (**message).err == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                    each(&**message);
                    n += 1;
                }
                rd_kafka_message_destroy(*message);
            }
            n
        }
    }
}

/// A producer into a topic.
struct Writer {
    client: Client,
    topic: *mut rd_kafka_topic_t,
}

impl Writer {
    fn new(server: &str, topic: &str, more: &[(&str, &str)]) -> Writer {
        let own = [("bootstrap.servers", server), ("acks", "all"), ("enable.idempotence", "true"), ("linger.ms", "0")];
        let client = Client::new(rd_kafka_type_t::RD_KAFKA_PRODUCER, &[&own[..], more].concat());
        let name = CString::new(topic).unwrap();
        let topic = unsafe { rd_kafka_topic_new(client.0, name.as_ptr(), null_mut()) };
        assert!(!topic.is_null());
        Writer { client, topic }
    }

    fn transactional(server: &str, topic: &str) -> Writer {
        let id = format!("raw-{}", std::process::id());
        let own = [("transactional.id", id.as_str()), ("retry.backoff.ms", "1"), ("retry.backoff.max.ms", "5")];
        let writer = Writer::new(server, topic, &own);
        check(unsafe { rd_kafka_init_transactions(writer.client.0, WAIT_MS) });
        writer
    }

    fn send(&self, partition: i32, bytes: *const u8, len: usize) {
        unsafe {
            loop {
                let flags = RD_KAFKA_MSG_F_COPY;
                let (bytes, no_key) = (bytes.cast_mut().cast(), null());
                if rd_kafka_produce(self.topic, partition, flags, bytes, len, no_key, 0, null_mut()) == 0 {
                    return;
                }
                let error = rd_kafka_last_error();
                assert!(error == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL, "{error:?}");
                rd_kafka_poll(self.client.0, 10);
            }
        }
    }

    fn poll(&self) {
        unsafe { rd_kafka_poll(self.client.0, 0) };
    }

    fn flush(&self) {
        let done = unsafe { rd_kafka_flush(self.client.0, WAIT_MS) };
        assert!(done == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR, "{done:?}");
    }

    fn begin(&self) {
        check(unsafe { rd_kafka_begin_transaction(self.client.0) });
    }

    /// Puts the positions into the transaction and commits it.
    fn commit(&self, reader: &Reader, positions: &Positions) {
        let topic = CString::new(positions.topic.as_str()).unwrap();
        unsafe {
            let list = rd_kafka_topic_partition_list_new(N_PARTITIONS);
            for (partition, next) in &positions.next {
                (*rd_kafka_topic_partition_list_add(list, topic.as_ptr(), *partition)).offset = *next;
            }
            let group = rd_kafka_consumer_group_metadata(reader.client.0);
            check(rd_kafka_send_offsets_to_transaction(self.client.0, list, group, WAIT_MS));
            rd_kafka_consumer_group_metadata_destroy(group);
            rd_kafka_topic_partition_list_destroy(list);
            check(rd_kafka_commit_transaction(self.client.0, WAIT_MS));
        }
    }
}

fn check(error: *mut rd_kafka_error_t) {
    if !error.is_null() {
        panic!("{:?}", unsafe { CStr::from_ptr(rd_kafka_error_string(error)) });
    }
}

/// Where the next records of each partition begin.
struct Positions {
    topic: String,
    next: BTreeMap<i32, i64>,
}

impl Positions {
    fn new(topic: &str) -> Positions {
        Positions { topic: topic.to_owned(), next: BTreeMap::new() }
    }

    fn note(&mut self, message: &rd_kafka_message_t) {
        self.next.insert(message.partition, message.offset + 1);
    }
}

/// Wall and CPU time of this process since it began to work.
struct Clock(Instant, u64);

impl Clock {
    fn start() -> Clock {
        Clock(Instant::now(), cpu_nanoseconds_of_all_threads())
    }

    fn tell(&self, n: usize) {
        let (wall, cpu) = (self.0.elapsed().as_secs_f64(), cpu_nanoseconds_of_all_threads() - self.1);
        println!(r#"{{"n": {n}, "wall_seconds": {wall}, "cpu_seconds": {}}}"#, cpu as f64 / 1e9);
    }
}

fn consume(server: &str, topic: &str, n: usize) {
    let clock = Clock::start();
    let mut reader = Reader::new(server, topic);
    let (mut n_read, mut n_bytes) = (0, 0);
    while n_read < n {
        n_read += reader.next(1000, |message| n_bytes += message.len);
    }
    assert!(n_bytes > n);
    clock.tell(n_read);
}

fn relay(server: &str, from: &str, to: &str, n: usize) {
    let clock = Clock::start();
    let (mut reader, writer) = (Reader::new(server, from), Writer::new(server, to, &[]));
    let mut n_read = 0;
    while n == 0 || n_read < n {
        n_read += reader.next(100, |message| writer.send(message.partition, message.payload.cast(), message.len));
        writer.poll();
    }
    writer.flush();
    clock.tell(n_read);
}

/// With 0 ms between commits, each batch that has arrived is a transaction of its own.
fn relay_in_transactions(server: &str, from: &str, to: &str, n: usize, every_ms: usize) {
    let clock = Clock::start();
    let (mut reader, writer) = (Reader::new(server, from), Writer::transactional(server, to));
    let mut positions = Positions::new(from);
    let every = Duration::from_millis(every_ms as u64);
    let (mut n_read, mut began) = (0, None);
    while n == 0 || n_read < n || began.is_some() {
        n_read += reader.next(if n_read < n || n == 0 { 100 } else { 0 }, |message| {
            began.get_or_insert_with(|| {
                writer.begin();
                Instant::now()
            });
            writer.send(message.partition, message.payload.cast(), message.len);
            positions.note(message);
        });
        writer.poll();
        if began.is_some_and(|began| began.elapsed() >= every || (n > 0 && n_read >= n)) {
            writer.commit(&reader, &positions);
            began = None;
        }
    }
    clock.tell(n_read);
}

fn commits(server: &str, from: &str, to: &str, n: usize) {
    let (mut reader, writer) = (Reader::new(server, from), Writer::transactional(server, to));
    let mut positions = Positions::new(from);
    reader.next(WAIT_MS, |message| positions.note(message));
    let mut taken = Vec::new();
    for _ in 0..n {
        writer.begin();
        (0..N_OF_COMMIT).for_each(|at| writer.send(at as i32 % N_PARTITIONS, b"{\"id\":1}".as_ptr(), 8));
        positions.next.values_mut().for_each(|next| *next += 1);
        let begin = Instant::now();
        writer.commit(&reader, &positions);
        taken.push(begin.elapsed().as_secs_f64());
        std::thread::sleep(Duration::from_millis(20));
    }
    taken.sort_by(f64::total_cmp);
    println!(r#"{{"n": {n}, "p50_seconds": {}, "p99_seconds": {}}}"#, taken[n / 2], taken[n * 99 / 100]);
}

fn make_topic(server: &str, topic: &str, n_partitions: i32) {
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    use rdkafka::client::DefaultClientContext;
    let admin: AdminClient<DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", server).create().expect("settings are fine");
    let new =
        NewTopic::new(topic, n_partitions, TopicReplication::Fixed(1)).set("message.timestamp.type", "LogAppendTime");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let made = runtime.block_on(admin.create_topics([&new], &AdminOptions::new())).expect("the broker answers");
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    println!("{{}}");
}

/// A record with its id and the moment at which it is made.
fn record(id: usize, fields: &str) -> String {
    format!(r#"{{"id":{id},"sent_us":{}{fields}"#, now_us())
}

fn now_us() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_micros()
}

fn fill(server: &str, topic: &str, csv: &str, n: usize, n_partitions: i32) {
    let clock = Clock::start();
    let writer = Writer::new(server, topic, &[("queue.buffering.max.messages", "500000"), ("linger.ms", "5")]);
    for (id, fields) in json_records(csv).take(n).enumerate() {
        let record = record(id, &fields);
        writer.send(id as i32 % n_partitions, record.as_ptr(), record.len());
        if id % 1000 == 0 {
            writer.poll();
        }
    }
    writer.flush();
    clock.tell(n);
}

/// Its multiples fall everywhere between two whole numbers, evenly.
const GOLDEN_RATIO: f64 = 1.618_033_988_75;

fn load(server: &str, topic: &str, csv: &str, rate: usize, seconds: usize) {
    let clock = Clock::start();
    let writer = Writer::new(server, topic, &[]);
    let all: Vec<String> = json_records(csv).take(1000).collect();
    let begin = Instant::now();
    for id in 0..rate * seconds {
        // Not always at the same part of a millisecond: the broker's time is cut to whole ones.
        let due = Duration::from_secs_f64((id as f64 + (id as f64 * GOLDEN_RATIO).fract()) / rate as f64);
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
        let record = record(id, &all[id % all.len()]);
        writer.send(id as i32 % N_PARTITIONS, record.as_ptr(), record.len());
        writer.poll();
    }
    writer.flush();
    clock.tell(rate * seconds);
}

/// The number behind a name of a JSON object.
fn number_of(json: &[u8], name: &str) -> Option<i64> {
    let text = std::str::from_utf8(json).ok()?;
    let rest = &text[text.find(&format!("\"{name}\":"))? + name.len() + 3..];
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Shows `n` records of a topic or a few more, each with its value, and says how many; waits for them a minute at most.
fn read(server: &str, topic: &str, n: usize, mut each: impl FnMut(&rd_kafka_message_t, &[u8])) -> usize {
    let mut reader = Reader::new(server, topic);
    let mut n_read = 0;
    let begin = Instant::now();
    while n_read < n {
        assert!(begin.elapsed() < Duration::from_secs(60), "{n_read} of {n} records are in {topic}");
        n_read += reader.next(1000, |message| {
            each(message, unsafe { std::slice::from_raw_parts(message.payload.cast::<u8>(), message.len) });
        });
    }
    n_read
}

fn latency(server: &str, topic: &str, n: usize, skip: usize) {
    let mut latencies = Vec::new();
    read(server, topic, n, |message, json| {
        let id = number_of(json, "id").expect("every record has an id");
        let sent_us = number_of(json, "sent_us").expect("every record has the moment it was sent");
        let appended_ms = append_time_ms(message);
        if id >= skip as i64 {
            // The broker's time is cut to whole milliseconds.
            latencies.push((appended_ms * 1000 + 500 - sent_us) as f64 / 1e6);
        }
    });
    latencies.sort_by(f64::total_cmp);
    let n = latencies.len();
    println!(r#"{{"n": {n}, "p50_seconds": {}, "p99_seconds": {}}}"#, latencies[n / 2], latencies[n * 99 / 100]);
}

fn span(server: &str, topic: &str, n: usize) {
    let (mut ids, mut first_ms, mut last_ms) = (BTreeSet::new(), i64::MAX, i64::MIN);
    let n_read = read(server, topic, n, |message, json| {
        ids.insert(number_of(json, "id").expect("every record has an id"));
        let appended_ms = append_time_ms(message);
        (first_ms, last_ms) = (first_ms.min(appended_ms), last_ms.max(appended_ms));
    });
    assert_eq!((n_read, ids.len()), (n, n), "every id of {topic} is there once");
    println!(r#"{{"seconds": {}}}"#, (last_ms - first_ms) as f64 / 1e3);
}

/// When the broker appended a record.
fn append_time_ms(message: &rd_kafka_message_t) -> i64 {
    let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    let appended_ms = unsafe { rd_kafka_message_timestamp(message, &mut kind) };
    assert!(kind == rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME);
    appended_ms
}

fn scores(server: &str, topic: &str, n: usize) -> BTreeMap<i64, (f64, Vec<f64>)> {
    let mut scores = BTreeMap::new();
    let n_read = read(server, topic, n, |_, json| {
        let row: serde_json::Value = serde_json::from_slice(json).expect("JSON");
        let values = row["probability"]["values"].as_array().expect("a dense vector");
        let probability = values.iter().map(|value| value.as_f64().expect("a number")).collect();
        let prediction = row["prediction"].as_f64().expect("a number");
        scores.insert(row["id"].as_i64().expect("an id"), (prediction, probability));
    });
    assert_eq!((n_read, scores.len()), (n, n), "every id of {topic} is there once");
    scores
}

fn same(server: &str, one: &str, other: &str, n: usize) {
    let (one, other) = (scores(server, one, n), scores(server, other, n));
    for (id, (prediction, probability)) in &one {
        let (their_prediction, their_probability) = other.get(id).expect("both have the id");
        let both = probability.iter().chain([prediction]).zip(their_probability.iter().chain([their_prediction]));
        both.for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "row {id}: {a} and {b}"));
    }
    println!(r#"{{"n": {n}}}"#);
}
