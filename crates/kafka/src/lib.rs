//! Kafka topics as source and sink of a stream, exactly once.
//!
//! ```text
//!  options ──▶ SourceConfig ──▶ KafkaSource ── fetcher thread: one consumer, bounded buffers, rebalances
//!                                   │  group()
//!                                   ▼
//!  options ──▶ SinkConfig ───▶ KafkaSink ──── one producer: rows, dead letters and progress in one transaction
//! ```
//!
//! **Two ways to read.** [`Membership::Alone`] takes all partitions and goes by offsets that somebody else keeps (a
//! checkpoint, as Spark does): any sink stands behind it. [`Membership::Group`] shares the partitions with the other
//! instances of the job; progress lives in the group, and [`KafkaSource::group`] hands the sink what it needs to store it
//! there.
//!
//! **Three kinds of progress of a sink** ([`Progress`]): in the group of the source, in the transaction of the rows (Kafka to
//! Kafka); a batch number in the transaction of the rows (files to Kafka); none (at least once, behind a checkpoint).
//!
//! Progress in a group is kept by the broker as long as the group has members and `offsets.retention.minutes` (seven days by
//! default) beyond. A job that rests longer than that starts as a new one does.
//!
//! How a job is wired:
//!
//! ```no_run
//! use std::sync::Arc;
//! use arrow_schema::{DataType, Field, Schema};
//! use ognivo_data::codec::json::JsonOptions;
//! use ognivo_kafka::{Delivery, KafkaSink, KafkaSource, Membership, Progress, SinkColumns, SinkConfig, SinkParts};
//! use ognivo_kafka::{SourceConfig, ValueFormat};
//!
//! let given = |options: &[(&str, &str)]| -> Vec<(String, String)> {
//!     options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
//! };
//! let options = given(&[("kafka.bootstrap.servers", "127.0.0.1:9092"), ("subscribe", "loans")]);
//! let config = SourceConfig::parse(&options).unwrap();
//! let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
//! let membership = Membership::Group("loans-job".to_owned());
//! let source = KafkaSource::new(config, ValueFormat::Json(JsonOptions::default()), schema, membership).unwrap();
//!
//! let options = given(&[("kafka.bootstrap.servers", "127.0.0.1:9092"), ("topic", "loans.scored")]);
//! let sink = KafkaSink::new(SinkParts {
//!     config: SinkConfig::parse(&options).unwrap(),
//!     value: ValueFormat::Json(JsonOptions::default()),
//!     columns: SinkColumns { key: Some("id".to_owned()), ..SinkColumns::default() },
//!     dead_letter_topic: Some("loans.bad".to_owned()),
//!     delivery: Delivery::ExactlyOnce,
//!     progress: Progress::Group(source.group().unwrap()),
//!     job: "loans-job".to_owned(),
//! });
//! ```

mod avro;
mod batch_queue;
mod batch_send;
pub mod config;
mod decode;
mod deliveries;
mod error;
mod features;
mod fetcher;
mod group;
mod lane;
mod limit;
mod mark;
mod offsets;
mod own_columns;
mod positions_in_order;
pub mod probe;
mod producer;
mod progress;
mod records;
mod registry;
mod schema;
mod sink;
mod source;
mod starting;
mod turns;
mod writer;

pub use avro::{AvroFormat, ValueFormatError};
pub use config::{ConfigError, SinkConfig, SourceConfig, Topics};
pub use decode::ValueFormat;
pub use error::KafkaError;
pub use group::GroupHandle;
pub use offsets::TopicPartition;
pub use registry::{Registry, RegistryConfig, RegistryError};
pub use schema::POSITION_COLUMNS;
pub use sink::{Delivery, KafkaSink, Progress, SinkColumns, SinkParts, transactional_id};
pub use source::{KafkaSource, Membership};
