//! What a stream into a topic promises, and where its progress is kept: decided from the ends of its route.
//!
//! | route | progress | promise |
//! |---|---|---|
//! | topics to a topic of the same cluster | the consumer group, in the transaction of the rows | exactly once |
//! | the same, `delivery: atLeastOnce` | the consumer group, after the rows | at least once |
//! | topics to a topic, with a checkpoint | the checkpoint, as Spark does | at least once |
//! | files to a topic | the checkpoint, and a batch number in the transaction of the rows | exactly once |

use ognivo_data::fault::{Explain, Fault};

use super::job::DeliveryJob;

/// What matters of a route into a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Route {
    /// Whether rows come from topics.
    pub(super) from_topics: bool,
    /// Whether those are topics of the cluster that is written to.
    pub(super) within_a_cluster: bool,
    /// Whether dead letters, if they are kept, go to a topic of that cluster too.
    pub(super) letters_within_the_cluster: bool,
    /// Whether the job names a checkpoint.
    pub(super) has_checkpoint: bool,
}

impl Route {
    /// Whether the consumer group keeps the progress, so that no checkpoint is needed.
    pub(super) fn keeps_progress_in_a_group(self) -> bool {
        self.from_topics && self.obstacle().is_none()
    }

    /// Why rows and progress cannot be committed together.
    fn obstacle(self) -> Option<DeliveryError> {
        if !self.from_topics {
            return None;
        }
        if !self.within_a_cluster {
            Some(DeliveryError::TwoClusters)
        } else if !self.letters_within_the_cluster {
            Some(DeliveryError::LettersElsewhere)
        } else if self.has_checkpoint {
            Some(DeliveryError::ProgressInTheGroup)
        } else {
            None
        }
    }
}

/// The promise of a route, where `asked` says what the job wants.
///
/// # Errors
/// When the route cannot give what is asked for.
pub(super) fn decide(route: Route, asked: Option<DeliveryJob>) -> Result<DeliveryJob, DeliveryError> {
    match (asked, route.obstacle()) {
        (Some(DeliveryJob::ExactlyOnce), Some(obstacle)) => Err(obstacle),
        (Some(DeliveryJob::AtLeastOnce), _) | (None, Some(_)) => Ok(DeliveryJob::AtLeastOnce),
        (Some(DeliveryJob::ExactlyOnce) | None, None) => Ok(DeliveryJob::ExactlyOnce),
    }
}

/// A route cannot give `delivery: exactlyOnce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DeliveryError {
    /// Rows are read from one cluster and written to another.
    #[error("a transaction spans one cluster, and this stream reads from another: exactlyOnce")]
    TwoClusters,
    /// Dead letters are not part of the transaction.
    #[error("dead letters outside the cluster are not in the transaction of the rows: exactlyOnce")]
    LettersElsewhere,
    /// The job names a checkpoint, which the consumer group takes the place of.
    #[error("from topic to topic the progress is committed in the consumer group with the rows: checkpointLocation")]
    ProgressInTheGroup,
}

impl Explain for DeliveryError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        let hint = match self {
            DeliveryError::TwoClusters => "say `delivery: atLeastOnce`, and name a checkpointLocation",
            DeliveryError::LettersElsewhere => {
                "send them to a topic: `deadLetter: {format: kafka, options: {topic: …}}`"
            }
            DeliveryError::ProgressInTheGroup => {
                "leave checkpointLocation out; or go by it, as Spark does, with `delivery: atLeastOnce`"
            }
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::DeliveryJob::{AtLeastOnce, ExactlyOnce};
    use super::*;

    const WITHIN: Route =
        Route { from_topics: true, within_a_cluster: true, letters_within_the_cluster: true, has_checkpoint: false };

    #[test]
    fn the_strongest_promise_is_the_default_and_an_impossible_one_is_refused() {
        let other_cluster = Route { within_a_cluster: false, ..WITHIN };
        let letters_elsewhere = Route { letters_within_the_cluster: false, ..WITHIN };
        let with_checkpoint = Route { has_checkpoint: true, ..WITHIN };
        let files = Route { from_topics: false, within_a_cluster: false, has_checkpoint: true, ..WITHIN };
        for (route, by_default, when_exactly_once) in [
            (WITHIN, ExactlyOnce, Ok(ExactlyOnce)),
            (files, ExactlyOnce, Ok(ExactlyOnce)),
            (Route { letters_within_the_cluster: false, ..files }, ExactlyOnce, Ok(ExactlyOnce)),
            (other_cluster, AtLeastOnce, Err(DeliveryError::TwoClusters)),
            (letters_elsewhere, AtLeastOnce, Err(DeliveryError::LettersElsewhere)),
            (with_checkpoint, AtLeastOnce, Err(DeliveryError::ProgressInTheGroup)),
        ] {
            assert_eq!(decide(route, None), Ok(by_default), "{route:?}");
            assert_eq!(decide(route, Some(ExactlyOnce)), when_exactly_once, "{route:?}");
            assert_eq!(decide(route, Some(AtLeastOnce)), Ok(AtLeastOnce), "{route:?}");
            assert_eq!(route.keeps_progress_in_a_group(), route == WITHIN, "{route:?}");
        }
    }
}
