//! Our client of HDFS, which stays: each line of stdin is a command, each answer a line of JSON; as HdfsClient.java.

// As in the program: what is measured is what is shipped.
#[path = "../../../../crates/ognivo/src/allocator.rs"]
mod allocator;

use std::io::BufRead;
use std::path::Path;
use std::time::Instant;

use crc::{CRC_32_ISCSI, Crc, Table};
use futures::{StreamExt, TryStreamExt};
use object_store::{ObjectStore, ObjectStoreExt, WriteMultipart};
use ognivo_files::open::{Location, open};
use tokio::runtime::Runtime;

const PIECE_BYTES: usize = 8 << 20;

fn main() {
    let runtime = Runtime::new().expect("threads can be started");
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("stdin can be read");
        let words: Vec<&str> = line.split(' ').collect();
        let (cpu_before, begin) = (cpu_seconds(), Instant::now());
        let n = runtime.block_on(obey(&words));
        let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
        println!(r#"{{"n": {n}, "wall_seconds": {wall}, "cpu_seconds": {cpu}}}"#);
    }
}

async fn obey(words: &[&str]) -> usize {
    let location = open(words[1], Path::new(".")).expect("HADOOP_CONF_DIR names the cluster");
    let number = || words[2].parse::<usize>().expect("a number");
    match words[0] {
        "read" => read(&location).await,
        "write" => write(&location, number()).await,
        "list" => location.store().list_with_delimiter(Some(location.path())).await.expect("it lists").objects.len(),
        "stat" => stat(&location, number(), words[3].parse().expect("how many at once")).await,
        "checksum" => checksum(number()),
        word => panic!("unknown command: {word}"),
    }
}

async fn stat(location: &Location, n: usize, at_once: usize) -> usize {
    let look = |i: usize| async move {
        let path = location.path().clone().join(format!("{i:06}"));
        location.store().head(&path).await.expect("it is there");
    };
    futures::stream::iter(0..n).map(look).buffered(at_once).count().await
}

/// The checksums of so many bytes, as reading computes them: those of each chunk of a packet.
fn checksum(n_bytes: usize) -> usize {
    const CHECKSUM: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
    const CHUNK_BYTES: usize = 512;
    const PACKET_BYTES: usize = 126 * CHUNK_BYTES;
    let packet: Vec<u8> = (0..PACKET_BYTES).map(|i| (i * 31 >> 3) as u8).collect();
    for _ in 0..n_bytes.div_ceil(PACKET_BYTES) {
        for chunk in packet.chunks(CHUNK_BYTES) {
            std::hint::black_box(CHECKSUM.checksum(std::hint::black_box(chunk)));
        }
    }
    n_bytes
}

async fn read(location: &Location) -> usize {
    let mut pieces = location.store().get(location.path()).await.expect("it opens").into_stream();
    let mut n = 0;
    while let Some(piece) = pieces.try_next().await.expect("it reads") {
        n += piece.len();
    }
    n
}

async fn write(location: &Location, size: usize) -> usize {
    let piece: Vec<u8> = (0..PIECE_BYTES).map(|i| (i * 31 >> 3) as u8).collect();
    let upload = location.store().put_multipart(location.path()).await.expect("it begins");
    let mut upload = WriteMultipart::new_with_chunk_size(upload, PIECE_BYTES);
    let mut left = size;
    while left > 0 {
        upload.wait_for_capacity(2).await.expect("it writes");
        upload.write(&piece[..left.min(PIECE_BYTES)]);
        left -= left.min(PIECE_BYTES);
    }
    upload.finish().await.expect("it ends");
    size
}

/// CPU time of this process, to a hundredth of a second.
fn cpu_seconds() -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux tells it");
    let after_name = stat.rsplit(')').next().expect("a name in parentheses");
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks")).sum();
    ticks / TICKS_PER_SECOND
}
