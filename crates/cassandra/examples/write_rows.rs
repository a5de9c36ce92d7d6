//! Rows into a table, by the sink or by the driver alone: what `cargo xtask bench cassandra` compares.
//!
//! `write_rows sink|driver HOST:PORT N_ROWS` writes rows of an id, a prediction and a vector of two into the table
//! `bench.scored`, which it makes anew, as it makes `bench.by_spark` for others when that is missing, and prints how long that took:
//!
//! ```text
//! {"rows": 300000, "cpu_seconds": 4.31, "wall_seconds": 5.02}
//! ```

#![allow(clippy::print_stdout)] // its answer is what it prints

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures::StreamExt as _;
use ognivo_cassandra::{CassandraConfig, CassandraSink};
use ognivo_data::vector::{dense_column, vector_field};
use ognivo_stream::clock::SystemClock;
use ognivo_stream::offset::{Offset, OffsetRange};
use ognivo_stream::plan::{BatchId, BatchPlan};
use ognivo_stream::sink::{Lane, Sink};
use scylla::client::PoolSize;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;

/// As the stream's blocks have.
const BLOCK_ROWS: usize = 16_384;

/// Rows under way at once, and connections to a server: the sink's own defaults.
const N_UNDER_WAY: usize = 256;
const N_CONNECTIONS: usize = 2;

const COLUMNS: &str = "(id bigint PRIMARY KEY, prediction double, probability frozen<list<double>>)";

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [who, host, n_rows] = &arguments[..] else {
        return Err("usage: write_rows sink|driver HOST:PORT N_ROWS".into());
    };
    let n_rows: usize = n_rows.parse()?;
    let session = session(host).await?;
    make_table(&session).await?;
    let (cpu, wall) = match who.as_str() {
        "sink" => by_sink(host, n_rows).await?,
        "driver" => by_driver(&session, n_rows).await?,
        other => return Err(format!("neither sink nor driver: {other}").into()),
    };
    println!(r#"{{"rows": {n_rows}, "cpu_seconds": {cpu}, "wall_seconds": {wall}}}"#);
    Ok(())
}

async fn session(host: &str) -> Result<Session, Box<dyn Error>> {
    let per_host = PoolSize::PerHost(N_CONNECTIONS.try_into()?);
    let builder = SessionBuilder::new().known_node(host).user("cassandra", "cassandra").pool_size(per_host);
    Ok(builder.build().await?)
}

async fn make_table(session: &Session) -> Result<(), Box<dyn Error>> {
    let replication = "{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}";
    session.query_unpaged(format!("CREATE KEYSPACE IF NOT EXISTS bench WITH replication = {replication}"), ()).await?;
    session.query_unpaged("DROP TABLE IF EXISTS bench.scored", ()).await?;
    session.query_unpaged(format!("CREATE TABLE bench.scored {COLUMNS}"), ()).await?;
    session.query_unpaged(format!("CREATE TABLE IF NOT EXISTS bench.by_spark {COLUMNS}"), ()).await?;
    Ok(())
}

async fn by_sink(host: &str, n_rows: usize) -> Result<(f64, f64), Box<dyn Error>> {
    let options = [
        ("connection.host", host),
        ("auth.username", "cassandra"),
        ("auth.password", "cassandra"),
        ("keyspace", "bench"),
        ("table", "scored"),
    ];
    let options: Vec<_> = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let mut sink =
        CassandraSink::new(CassandraConfig::parse(&options, &[])?, "bench".to_owned(), Arc::new(SystemClock));
    let blocks: Vec<RecordBatch> =
        (0..n_rows).step_by(BLOCK_ROWS).map(|start| block(start, BLOCK_ROWS.min(n_rows - start))).collect();
    sink.prepare(&schema()).await?;
    let end = Offset::new(serde_json::json!(0));
    let plan = BatchPlan::new(BatchId(0), OffsetRange { start: None, end }, 1_795_353_850_000, None);
    let watch = Watch::start()?;
    let mut writer = sink.begin(&plan).await?;
    for rows in blocks {
        writer.write(Lane::Scored, rows).await?;
    }
    let written = writer.commit().await?;
    assert_eq!(written.n_scored, n_rows, "every row is written");
    watch.stop()
}

fn schema() -> SchemaRef {
    let fields = vec![
        Field::new("id", DataType::Int64, false),
        Field::new("prediction", DataType::Float64, false),
        vector_field("probability"),
    ];
    Arc::new(Schema::new(fields))
}

fn block(start: usize, n_rows: usize) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((start..start + n_rows).map(|id| id as i64)));
    let predictions: ArrayRef = Arc::new(Float64Array::from_iter_values((0..n_rows).map(|i| (i % 2) as f64)));
    let vectors = dense_column((0..2 * n_rows).map(|i| i as f64 / 7.0).collect(), n_rows, 2);
    RecordBatch::try_new(schema(), vec![ids, predictions, vectors]).expect("columns of the types of the schema")
}

/// One prepared statement in a loop, with values that are there already.
async fn by_driver(session: &Session, n_rows: usize) -> Result<(f64, f64), Box<dyn Error>> {
    let mut statement =
        Statement::new("INSERT INTO bench.scored (id, prediction, probability) VALUES (?, ?, ?) USING TIMESTAMP ?");
    statement.set_consistency(Consistency::LocalQuorum);
    statement.set_is_idempotent(true);
    let insert = session.prepare(statement).await?;
    let vector = [0.25, 0.75];
    let watch = Watch::start()?;
    let written = futures::stream::iter(0..n_rows as i64)
        .map(|id| session.execute_unpaged(&insert, (id, 1.0f64, &vector[..], 1_795_353_850_000_000i64)))
        .buffer_unordered(N_UNDER_WAY)
        .filter(|written| std::future::ready(written.is_ok()))
        .count()
        .await;
    assert_eq!(written, n_rows, "every row is written");
    watch.stop()
}

struct Watch {
    cpu_ns: u64,
    wall: Instant,
}

impl Watch {
    fn start() -> Result<Watch, Box<dyn Error>> {
        Ok(Watch { cpu_ns: cpu_ns()?, wall: Instant::now() })
    }

    /// Seconds of processor time of all threads, and seconds.
    fn stop(self) -> Result<(f64, f64), Box<dyn Error>> {
        Ok(((cpu_ns()? - self.cpu_ns) as f64 / 1e9, self.wall.elapsed().as_secs_f64()))
    }
}

/// What the threads of this process have run, in nanoseconds.
fn cpu_ns() -> Result<u64, Box<dyn Error>> {
    let mut total = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        total += text.split_whitespace().next().ok_or("schedstat is empty")?.parse::<u64>()?;
    }
    Ok(total)
}
