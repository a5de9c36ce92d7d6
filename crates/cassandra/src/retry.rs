//! What to do when a server does not take a row: decided here from values alone.
//!
//! | what happened | what is done |
//! |---|---|
//! | a replica or the server did not answer in time | the same row again after a pause, fewer rows at once |
//! | the server says that it is overloaded, or is starting | the same |
//! | too few replicas are up, the connection is gone | the same row again after a pause |
//! | the value is too large, the key empty, … | the row is refused, with the server's message |
//! | the table or a column is gone, no right, no login | the batch stops at once |
//!
//! A statement that a server forgot is prepared again by the driver. A row that was not acknowledged may be there all the same:
//! writing it again changes nothing.

use std::time::Duration;

use scylla::errors::{BadQuery, DbError, ExecutionError, PrepareError, RequestAttemptError};

use crate::sink::RowRefusal;

/// The pause after a row's first failure.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// No pause is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How long one row is tried, attempts and pauses together. Then the batch gives up and, as its driver has more patience, comes again.
pub(crate) const ROW_DEADLINE: Duration = Duration::from_secs(60);

/// What an attempt that failed says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Servers have more to do than they can.
    TooMuch(String),
    /// Servers are not there now.
    Away(String),
    /// The row cannot be written.
    Row {
        /// The column, where that is known.
        column: Option<String>,
        /// What is wrong.
        message: String,
        /// Whether a server says so, and not we.
        by_server: bool,
    },
    /// We may not.
    Forbidden(String),
    /// The statement does not fit the table, or the server does not understand us.
    Statement(String),
}

impl Trouble {
    /// What the driver's error means for a row that was to be written.
    pub(crate) fn of(error: &ExecutionError) -> Trouble {
        let text = error.to_string();
        match error {
            ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, message)) => {
                of_server(error, message.clone(), &text)
            }
            ExecutionError::LastAttemptError(
                RequestAttemptError::BrokenConnectionError(_) | RequestAttemptError::UnableToAllocStreamId,
            )
            | ExecutionError::ConnectionPoolError(_)
            | ExecutionError::EmptyPlan => Trouble::Away(text),
            ExecutionError::RequestTimeout(_) => Trouble::TooMuch(text),
            ExecutionError::BadQuery(BadQuery::SerializationError(error)) => match error.downcast_ref::<RowRefusal>() {
                Some(refusal) => Trouble::Row {
                    column: Some(refusal.column.clone()),
                    message: refusal.message.clone(),
                    by_server: false,
                },
                None => Trouble::Row { column: None, message: error.to_string(), by_server: false },
            },
            ExecutionError::BadQuery(error) => {
                Trouble::Row { column: None, message: error.to_string(), by_server: false }
            }
            ExecutionError::PrepareError(error) => Trouble::of_prepare(error),
            _ => Trouble::Statement(text),
        }
    }

    /// What it means that a statement could not be prepared: never that a row is wrong.
    pub(crate) fn of_prepare(error: &PrepareError) -> Trouble {
        match error {
            PrepareError::AllAttemptsFailed { first_attempt: RequestAttemptError::DbError(error, message) } => {
                match of_server(error, message.clone(), message) {
                    Trouble::Row { message, .. } => Trouble::Statement(message),
                    other => other,
                }
            }
            PrepareError::PreparedStatementIdsMismatch => Trouble::Statement(error.to_string()),
            _ => Trouble::Away(error.to_string()),
        }
    }
}

fn of_server(error: &DbError, message: String, text: &str) -> Trouble {
    match error {
        DbError::WriteTimeout { .. } | DbError::ReadTimeout { .. } | DbError::Overloaded => Trouble::TooMuch(message),
        DbError::Unavailable { .. } | DbError::IsBootstrapping | DbError::WriteFailure { .. } => Trouble::Away(message),
        // A server that is shutting down, or whose disk fails, says no more than this.
        DbError::ServerError | DbError::TruncateError | DbError::ReadFailure { .. } => Trouble::Away(message),
        DbError::Invalid => Trouble::Row { column: None, message, by_server: true },
        DbError::Unauthorized | DbError::AuthenticationError => Trouble::Forbidden(message),
        _ => Trouble::Statement(text.to_owned()),
    }
}

/// The patience with one row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Patience {
    first_failure_ms: Option<i64>,
    n_failures: u32,
}

impl Patience {
    /// The pause before the next attempt; None when that, taking as long as it may, would end after the deadline.
    pub(crate) fn failed(&mut self, now_ms: i64, attempt_limit: Duration) -> Option<Duration> {
        let first_ms = *self.first_failure_ms.get_or_insert(now_ms);
        let pause = FIRST_PAUSE.saturating_mul(2u32.saturating_pow(self.n_failures)).min(LONGEST_PAUSE);
        self.n_failures += 1;
        let failing = Duration::from_millis(now_ms.saturating_sub(first_ms).max(0) as u64);
        (failing + pause + attempt_limit <= ROW_DEADLINE.max(attempt_limit + FIRST_PAUSE)).then_some(pause)
    }

    /// Failures so far.
    pub(crate) fn n_failures(&self) -> u32 {
        self.n_failures
    }
}

/// How many rows may be under way: all that the job allows, until servers have too much.
///
/// Many rows that are under way fail together. They were all sent before anybody knew, so they count as one failure: each
/// halving starts a new round, and only rows that were sent in the present round halve again.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    most: usize,
    limit: usize,
    round: u64,
    n_written: usize,
}

impl Window {
    pub(crate) fn new(most: usize) -> Window {
        Window { most, limit: most, round: 0, n_written: 0 }
    }

    /// Rows that may be under way.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The round in which a row that is sent now is sent.
    pub(crate) fn round(&self) -> u64 {
        self.round
    }

    /// Whether there is room to grow.
    pub(crate) fn is_narrow(&self) -> bool {
        self.limit < self.most
    }

    /// A row that was sent in `round` was too much.
    pub(crate) fn was_too_much(&mut self, round: u64) {
        if round == self.round {
            self.limit = (self.limit / 2).max(1);
            self.round += 1;
            self.n_written = 0;
        }
    }

    /// A row was written. The limit grows by an eighth for each time that it was written full.
    pub(crate) fn wrote(&mut self) {
        self.n_written += 1;
        if self.is_narrow() && self.n_written >= self.limit {
            self.limit = (self.limit + self.limit / 8 + 1).min(self.most);
            self.n_written = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use scylla::statement::Consistency;

    fn of_db(error: DbError) -> Trouble {
        Trouble::of(&ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, "said".to_owned())))
    }

    #[test]
    fn what_a_server_answers_decides_between_again_refused_and_stop() {
        let said = || "said".to_owned();
        let consistency = Consistency::LocalQuorum;
        let timeout = DbError::WriteTimeout {
            consistency,
            received: 1,
            required: 2,
            write_type: scylla::errors::WriteType::Simple,
        };
        assert_eq!(of_db(timeout), Trouble::TooMuch(said()));
        assert_eq!(of_db(DbError::Overloaded), Trouble::TooMuch(said()));
        assert_eq!(of_db(DbError::Unavailable { consistency, required: 2, alive: 1 }), Trouble::Away(said()));
        assert_eq!(of_db(DbError::Invalid), Trouble::Row { column: None, message: said(), by_server: true });
        assert_eq!(of_db(DbError::Unauthorized), Trouble::Forbidden(said()));
        assert!(matches!(of_db(DbError::SyntaxError), Trouble::Statement(_)));
        let timeout = ExecutionError::RequestTimeout(Duration::from_secs(1));
        assert!(matches!(Trouble::of(&timeout), Trouble::TooMuch(_)));
    }

    #[test]
    fn a_statement_that_is_refused_is_never_taken_for_a_row() {
        let first_attempt = RequestAttemptError::DbError(DbError::Invalid, "Undefined column name z".to_owned());
        let error = PrepareError::AllAttemptsFailed { first_attempt };
        assert_eq!(Trouble::of_prepare(&error), Trouble::Statement("Undefined column name z".to_owned()));
    }

    #[test]
    fn pauses_double_and_no_attempt_ends_after_the_deadline() {
        let mut patience = Patience::default();
        let limit = Duration::from_secs(12);
        let pauses: Vec<_> = (0..7).map(|_| patience.failed(1000, limit).unwrap().as_millis()).collect();
        assert_eq!(pauses, [50, 100, 200, 400, 800, 1600, 2000]);
        assert_eq!(patience.failed(1000 + 46_000, limit), Some(LONGEST_PAUSE));
        assert_eq!(patience.failed(1000 + 46_001, limit), None);
        assert_eq!(patience.n_failures(), 9);
        let mut patience = Patience::default();
        assert_eq!(patience.failed(0, Duration::from_secs(100)), Some(FIRST_PAUSE));
    }

    #[test]
    fn rows_that_were_sent_together_halve_once_and_success_grows_back() {
        let mut window = Window::new(256);
        let round = window.round();
        (0..256).for_each(|_| window.was_too_much(round));
        assert_eq!(window.limit(), 128);
        let round = window.round();
        window.was_too_much(round);
        assert_eq!(window.limit(), 64);
        (0..64).for_each(|_| window.wrote());
        assert_eq!(window.limit(), 73);
        (0..10_000).for_each(|_| window.wrote());
        assert_eq!((window.limit(), window.is_narrow()), (256, false));
        for _ in 0..20 {
            let round = window.round();
            window.was_too_much(round);
        }
        assert_eq!(window.limit(), 1);
    }
}
