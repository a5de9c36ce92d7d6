//! What can go wrong with brokers, and how each answer of theirs is met.
//!
//! | answer | example | reaction |
//! |---|---|---|
//! | the client is finished | fenced, fatal | the client is made anew, what was committed is read back |
//! | the transaction is finished | abortable, generation of the group is over | the batch is aborted, then as above |
//! | not now | broker down, leader moves, timed out; a partition ends before what we know of | the same, after a pause |
//! | not with these rights | authorization, authentication | the job ends: nothing passes by waiting |
//! | not this record | larger than the topic takes | the job ends and names the limit |
//! | records are gone | offset out of range, topic deleted | the job ends, unless `failOnDataLoss: false` |
//!
//! Calls that may be repeated as they are (`retriable`) are repeated where they are made and are no errors until their deadline.

use std::time::Duration;

use ognivo_data::codec::{DecodeError, EncodeError};
use ognivo_data::fault::{Explain, Fault, Retry};
use ognivo_stream::plan::BatchId;
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};

use crate::offsets::TopicPartition;
use crate::registry::RegistryError;

/// Topics could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaError {
    /// A broker, or the client on its behalf, answered with an error.
    #[error("{doing}: {text}")]
    Client {
        /// What was being done, naming the topic or group.
        doing: String,
        /// What the client says.
        text: String,
        /// The client's own code, where there is one.
        code: Option<Code>,
        /// How it is met.
        reaction: Reaction,
    },
    /// Records that were to be read are not there any more.
    #[error("records of {partition} are gone before they were read: offset {wanted} is outside of {first}..{end}")]
    DataLoss {
        /// The partition.
        partition: TopicPartition,
        /// The record that was to come next.
        wanted: i64,
        /// The first record that is there.
        first: i64,
        /// The offset after the last record.
        end: i64,
    },
    /// A partition that was read is not there any more.
    #[error("a partition that was read is gone: {partition}")]
    PartitionGone {
        /// The partition.
        partition: TopicPartition,
    },
    /// The positions of the group are those of another stream.
    #[error("the positions of group {group} belong to a stream into {theirs}, and this one writes to {ours}")]
    OtherTarget {
        /// The group.
        group: String,
        /// The target that the positions are those of.
        theirs: String,
        /// Ours.
        ours: String,
    },
    /// Offsets or timestamps of single partitions name some of the partitions only.
    #[error("option `{option}` names some partitions and leaves this one out: {partition}")]
    StartMissing {
        /// The option.
        option: &'static str,
        /// The partition.
        partition: TopicPartition,
    },
    /// No such topic.
    #[error("topic is not there: {topic}")]
    NoTopic {
        /// The topic, or the pattern that none matches.
        topic: String,
    },
    /// No record is as young as `startingTimestamp`.
    #[error("{partition} has no record that is as young as the starting timestamp: {time_ms}")]
    NoSuchTime {
        /// The partition.
        partition: TopicPartition,
        /// Milliseconds since 1970.
        time_ms: i64,
    },
    /// A partition was taken from this instance while a batch of it was open; the batch was aborted.
    #[error("partition was taken from this instance while its batch was open: {partition}")]
    PartitionLost {
        /// The partition.
        partition: String,
    },
    /// The brokers say that a partition ends before what we know of.
    #[error("{partition} is said to end at offset {end}, and we know of {known}")]
    EndsTooEarly {
        /// The partition.
        partition: TopicPartition,
        /// The offset that we know of.
        known: i64,
        /// Where it is said to end.
        end: i64,
    },
    /// The group took all partitions back, and has not told us yet which are ours.
    #[error("the group has not said yet which partitions are ours")]
    BetweenAssignments,
    /// A batch before this one was not written: rows behind it come again after it.
    #[error("a batch before this one was not written")]
    BatchBefore,
    /// The target holds the batch already.
    #[error("the target holds this batch already: {batch}")]
    HeldAlready {
        /// The batch.
        batch: BatchId,
    },
    /// An offset that is not one of Kafka's.
    #[error("not an offset of topics: {offset}")]
    NotAnOffset {
        /// The offset as it stands in the checkpoint or the target.
        offset: String,
    },
    /// A column that decides about a record is missing or of another type.
    #[error("column `{column}` cannot be a record's {role}: {why}")]
    Column {
        /// The column.
        column: String,
        /// `key`, `topic`, `headers`, `partition`.
        role: &'static str,
        /// What is wrong.
        why: String,
    },
    /// A row whose column `topic` is null.
    #[error("a row names no topic, and the sink has none")]
    NullTopic,
    /// Rows or dead letters for which the job names no topic.
    #[error("no topic is given for {0}")]
    NoTarget(&'static str),
    /// The value cannot be decoded at all.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A schema registry does not answer, or refuses.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The value cannot be written in this format.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A record could not be decoded, in mode FAILFAST.
    #[error("malformed record at {position}: {message}")]
    Malformed {
        /// `topic-partition:offset`
        position: String,
        /// What is wrong with it.
        message: String,
    },
    /// Where the stream began cannot be noted.
    #[error(transparent)]
    InitialOffsets(Box<ognivo_stream::checkpoint::CheckpointError>),
    /// A thread of ours ended.
    #[error("the thread that reads from the brokers has ended")]
    FetcherEnded,
}

/// How an answer of a broker is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// The client is finished and made anew.
    Recreate,
    /// After a pause it may pass.
    Wait,
    /// The job lacks a right, or was given a wrong password.
    Rights,
    /// The record or the setting is refused for good.
    Refused,
}

impl KafkaError {
    pub(crate) fn client(doing: impl Into<String>, cause: &ClientError) -> KafkaError {
        let (text, code, otherwise) = match cause {
            ClientError::Transaction(cause) => {
                let otherwise = if cause.is_fatal() { Reaction::Recreate } else { Reaction::Wait };
                (cause.string(), Some(cause.code()), otherwise)
            }
            ClientError::ClientCreation(text) | ClientError::ClientConfig(_, text, _, _) => {
                (text.clone(), None, Reaction::Refused)
            }
            other => match other.rdkafka_error_code() {
                Some(code) => (code.to_string(), Some(code), Reaction::Wait),
                None => (other.to_string(), None, Reaction::Wait),
            },
        };
        let reaction = code.and_then(of_code).unwrap_or(otherwise);
        KafkaError::Client { doing: doing.into(), text, code, reaction }
    }

    /// Something that a pause may mend and that no code stands for.
    pub(crate) fn cannot_read(why: impl Into<String>) -> KafkaError {
        KafkaError::Client { doing: "cannot read".to_owned(), text: why.into(), code: None, reaction: Reaction::Wait }
    }

    /// The client has not come back from a call: only a new one asks anew.
    pub(crate) fn stuck(doing: impl Into<String>, after: Duration) -> KafkaError {
        let (text, code) = (format!("no answer within {} s", after.as_secs()), Some(Code::OperationTimedOut));
        KafkaError::Client { doing: doing.into(), text, code, reaction: Reaction::Recreate }
    }

    pub(crate) fn code(doing: impl Into<String>, code: Code) -> KafkaError {
        let reaction = of_code(code).unwrap_or(Reaction::Wait);
        KafkaError::Client { doing: doing.into(), text: code.to_string(), code: Some(code), reaction }
    }
}

/// The reaction to a code, where the code alone decides.
fn of_code(code: Code) -> Option<Reaction> {
    match code {
        Code::Fenced
        | Code::Fatal
        | Code::ProducerFenced
        | Code::InvalidProducerEpoch
        | Code::InvalidProducerIdMapping
        | Code::OutOfOrderSequenceNumber
        | Code::UnknownProducerId
        | Code::PurgeQueue
        | Code::PurgeInflight => Some(Reaction::Recreate),
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::Authentication
        | Code::SSL => Some(Reaction::Rights),
        Code::MessageSizeTooLarge
        | Code::InvalidMessageSize
        | Code::InvalidTopic
        | Code::InvalidTransactionTimeout
        | Code::FencedInstanceId
        | Code::UnsupportedVersion
        | Code::PolicyViolation
        | Code::InvalidRecord
        | Code::UnknownPartition
        | Code::InvalidArgument => Some(Reaction::Refused),
        _ => None,
    }
}

impl Explain for KafkaError {
    fn fault(&self) -> Fault {
        match self {
            KafkaError::Client { reaction: Reaction::Recreate | Reaction::Wait, .. } => Fault::Remote,
            KafkaError::Client { .. } => Fault::Job,
            KafkaError::PartitionLost { .. }
            | KafkaError::BatchBefore
            | KafkaError::EndsTooEarly { .. }
            | KafkaError::BetweenAssignments => Fault::Remote,
            KafkaError::NoTopic { .. } | KafkaError::Column { .. } | KafkaError::NoSuchTime { .. } => Fault::Job,
            KafkaError::OtherTarget { .. } | KafkaError::StartMissing { .. } => Fault::Job,
            KafkaError::DataLoss { .. } | KafkaError::PartitionGone { .. } => Fault::Data,
            KafkaError::NullTopic | KafkaError::Malformed { .. } => Fault::Data,
            KafkaError::NotAnOffset { .. } | KafkaError::NoTarget(_) => Fault::Job,
            KafkaError::HeldAlready { .. } | KafkaError::FetcherEnded => Fault::Bug,
            KafkaError::Decode(cause) => cause.fault(),
            KafkaError::Encode(cause) => cause.fault(),
            KafkaError::Registry(cause) => cause.fault(),
            KafkaError::InitialOffsets(cause) => cause.fault(),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            KafkaError::Client { reaction: Reaction::Recreate, .. } => Retry::AfterRecreate,
            KafkaError::Client { reaction: Reaction::Wait, .. } => Retry::Backoff,
            KafkaError::PartitionLost { .. }
            | KafkaError::BatchBefore
            | KafkaError::EndsTooEarly { .. }
            | KafkaError::BetweenAssignments => Retry::Backoff,
            KafkaError::InitialOffsets(cause) => cause.retry(),
            KafkaError::Registry(cause) => cause.retry(),
            _ => Retry::Never,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            KafkaError::Client { code: Some(code), doing, reaction: Reaction::Rights, .. } => {
                let look = "`ognivo doctor` looks at all that the job needs";
                return Some(match missing_right(*code, doing) {
                    Some(right) => format!("the login needs the right {right}; {look}"),
                    None => look.to_owned(),
                });
            }
            KafkaError::Client { code: Some(Code::MessageSizeTooLarge), .. } => {
                "raise `max.message.bytes` of the topic and `kafka.message.max.bytes` of the sink"
            }
            KafkaError::DataLoss { .. } | KafkaError::PartitionGone { .. } => {
                "with `failOnDataLoss: false` the stream goes on at the first record that is there"
            }
            KafkaError::EndsTooEarly { .. } => {
                "a broker says so for a moment after its start; if it stays so, records were lost: with `failOnDataLoss: false` the \
                 stream ends where the partition does"
            }
            KafkaError::OtherTarget { .. } => {
                "give this job a name of its own: two jobs of one name share their group and their transactional ids; where the target was \
                 changed on purpose, a job of another name begins at its startingOffsets"
            }
            KafkaError::StartMissing { .. } => "name each partition; -2 is the earliest record, -1 the latest",
            KafkaError::NoTopic { .. } => "make the topic first; the job makes none",
            KafkaError::NoSuchTime { .. } => {
                "with `startingOffsetsByTimestampStrategy: latest` such a partition begins at its end"
            }
            KafkaError::NullTopic => "give the option `topic`, or fill the column `topic`",
            KafkaError::Malformed { .. } => "with a deadLetter such records are kept and the stream goes on",
            KafkaError::Decode(cause) => return cause.hint(),
            KafkaError::Encode(cause) => return cause.hint(),
            KafkaError::Registry(cause) => return cause.hint(),
            KafkaError::InitialOffsets(cause) => return cause.hint(),
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

/// The right of Kafka's that an answer says is missing.
fn missing_right(code: Code, doing: &str) -> Option<&'static str> {
    match code {
        Code::TopicAuthorizationFailed if doing.starts_with("cannot write") => Some("Write on the topic"),
        Code::TopicAuthorizationFailed => Some("Read on the topic"),
        Code::GroupAuthorizationFailed => Some("Read on the group"),
        Code::TransactionalIdAuthorizationFailed => Some("Write on the transactional id"),
        Code::ClusterAuthorizationFailed => Some("IdempotentWrite on the cluster"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_answer_has_its_reaction() {
        for (code, retry, fault) in [
            (Code::Fenced, Retry::AfterRecreate, Fault::Remote),
            (Code::IllegalGeneration, Retry::Backoff, Fault::Remote),
            (Code::NotLeaderForPartition, Retry::Backoff, Fault::Remote),
            (Code::TransactionalIdAuthorizationFailed, Retry::Never, Fault::Job),
            (Code::MessageSizeTooLarge, Retry::Never, Fault::Job),
        ] {
            let error = KafkaError::code("writing", code);
            assert_eq!((error.retry(), error.fault()), (retry, fault), "{code}");
        }
    }
}
