//! The rows of a range, partition after partition, each in its order.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use ognivo_stream::offset::OffsetRange;
use ognivo_stream::source::{RowStream, SourceError, SourceRows};

use super::{KafkaSource, parse};
use crate::decode::Decoder;
use crate::error::KafkaError;
use crate::fetcher::{Failure, Fetcher};
use crate::offsets::{Offsets, TopicPartition};
use crate::records::Piece;

/// How long a record of a range may take to come. Brokers that are down come back within it, or the batch is tried again.
const RECORD_DEADLINE: Duration = Duration::from_secs(60);

/// How long a range that has no more records may look as if some were still to come.
const QUIET: Duration = Duration::from_millis(200);

/// The records of one partition that are still to be read.
struct Part {
    at: TopicPartition,
    end: i64,
    /// Whether the client was sent back to look for the end once more.
    was_restarted: bool,
}

struct Reader {
    fetcher: Arc<Fetcher>,
    decoder: Decoder,
    parts: VecDeque<Part>,
    /// Where the decoder goes when all has been read.
    spare: Arc<Mutex<Option<Decoder>>>,
}

impl KafkaSource {
    pub(super) async fn read_range(&mut self, range: &OffsetRange) -> Result<RowStream, KafkaError> {
        let end = parse(&range.end)?;
        let start = range.start.as_ref().map(parse).transpose()?.unwrap_or_default();
        let unknown: Vec<_> = end.0.keys().filter(|at| self.from(&start, at).is_none()).cloned().collect();
        if !unknown.is_empty() {
            self.begin_new(&start, unknown).await?;
        }
        let each = end.0.iter().filter_map(|(at, end)| {
            let from = self.from(&start, at).unwrap_or(*end);
            (from < *end).then(|| (at.clone(), from))
        });
        let begin = Offsets(each.collect());
        self.position(&begin).await?;
        let parts = end.0.into_iter().filter(|(at, _)| begin.get(at).is_some());
        let parts = parts.map(|(at, end)| Part { at, end, was_restarted: false }).collect();
        let spare = self.spare.lock().expect("nobody panics while holding this lock").take();
        let decoder = match spare {
            Some(decoder) => decoder,
            None => Decoder::new(&self.value, &self.value_schema, self.config.include_headers)?,
        };
        let reader = Reader { fetcher: Arc::clone(&self.fetcher), decoder, parts, spare: Arc::clone(&self.spare) };
        Ok(futures::stream::unfold(Some(reader), Reader::step).boxed())
    }
}

impl Reader {
    async fn step(reader: Option<Reader>) -> Option<(Result<SourceRows, SourceError>, Option<Reader>)> {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(rows)) => Some((Ok(rows), Some(reader))),
            Ok(None) => {
                if !reader.decoder.asks_a_registry() {
                    *reader.spare.lock().expect("nobody panics while holding this lock") = Some(reader.decoder);
                }
                None
            }
            Err(error) => Some((Err(SourceError::new(error)), None)),
        }
    }

    async fn next(&mut self) -> Result<Option<SourceRows>, KafkaError> {
        while let Some(part) = self.parts.front_mut() {
            match part.take(&self.fetcher).await? {
                Some(piece) => {
                    self.decoder.ask(&piece).await?;
                    return self.decoder.decode(&part.at, piece).map(Some);
                }
                None => self.parts.pop_front(),
            };
        }
        Ok(None)
    }
}

/// What a look at a lane found.
enum Found {
    Records(Piece),
    Done,
    /// The client found the end of the partition before the end of the range.
    Short {
        reached: i64,
    },
}

impl Part {
    /// The next records; None when all have been given.
    async fn take(&mut self, fetcher: &Arc<Fetcher>) -> Result<Option<Piece>, KafkaError> {
        let look = |part: &Part, may_be_short: bool| {
            let (at, end, was_restarted) = (part.at.clone(), part.end, part.was_restarted);
            move |state: &mut crate::fetcher::State| {
                match state.failure.as_ref() {
                    Some(Failure::OutOfRange) => return Some(Err(KafkaError::cannot_read("records are gone"))),
                    Some(failure) => return failure.to_error(&at).map(Err),
                    None => {}
                }
                let Some(lane) = state.lanes.iter_mut().find(|lane| lane.at == at) else {
                    return Some(Err(KafkaError::PartitionLost { partition: at.to_string() }));
                };
                if let Some(piece) = lane.take(end) {
                    return Some(Ok(Found::Records(piece)));
                }
                // What is left before the end are markers of transactions, or rows that were given up.
                if lane.reached >= end || (lane.is_at_end && was_restarted) {
                    lane.next = end;
                    return Some(Ok(Found::Done));
                }
                (may_be_short && lane.is_at_end).then_some(Ok(Found::Short { reached: lane.reached }))
            }
        };
        if let Some(found) = fetcher.wait(QUIET, look(self, false)).await {
            return match found? {
                Found::Records(piece) => Ok(Some(piece)),
                _ => Ok(None),
            };
        }
        let late = || KafkaError::cannot_read(format!("no record of {} came in time", self.at));
        match fetcher.wait(RECORD_DEADLINE, look(self, true)).await.unwrap_or_else(|| Err(late()))? {
            Found::Records(piece) => Ok(Some(piece)),
            Found::Done => Ok(None),
            Found::Short { reached } => {
                // An end that was found after this moment is the end of all that the range can hold.
                fetcher.start_at(Offsets([(self.at.clone(), reached)].into())).await?;
                self.was_restarted = true;
                Box::pin(self.take(fetcher)).await
            }
        }
    }
}
