//! What the client said that only a reader can act on.

use rdkafka::error::RDKafkaErrorCode as Code;

use crate::error::{KafkaError, Reaction};

/// What the client said that only a reader can act on.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// Some partition has no record at the offset that was asked for.
    OutOfRange,
    /// Anything else, and whether the client is finished.
    Client(Code),
}

impl Failure {
    /// The error of whoever was reading this.
    pub(crate) fn to_error(&self, read: impl std::fmt::Display) -> Option<KafkaError> {
        match self {
            Failure::OutOfRange => None,
            Failure::Client(code) => Some(KafkaError::code(format!("cannot read {read}"), *code)),
        }
    }

    /// Whether it may be forgotten when everybody starts anew. That records are gone may not: who starts next finds out
    /// which.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self.to_error(""), Some(KafkaError::Client { reaction: Reaction::Wait, .. }))
    }
}

/// The client goes on trying by itself, and tells nothing that a reader could act on.
pub(super) fn passes_by_itself(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::NotLeaderForPartition
            | Code::LeaderNotAvailable
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::NotCoordinator
            | Code::RebalanceInProgress
            | Code::UnknownMemberId
            | Code::IllegalGeneration
    )
}
