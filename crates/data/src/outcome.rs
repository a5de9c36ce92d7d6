//! What became of each input row: kept, skipped by rule, or rejected.
//!
//! A bad row is never an error and never silent. A stage that looks at rows answers with an [`Outcome`]: the rows that go
//! on, and the fate of every row that came in. Outcomes of stages that follow each other compose, so that at the end of a
//! pipeline each input row still has exactly one fate: `rows read = kept + skipped + rejected`.

use arrow_array::RecordBatch;

/// Why a row could not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Uid of the stage that rejected the row.
    pub stage: String,
    /// The column whose value was refused.
    pub column: String,
    /// What was wrong, as a word that programs can match.
    pub code: RejectCode,
    /// What was wrong, as a sentence with the value in it.
    pub message: String,
}

/// The kinds of reasons for which a stage rejects a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectCode {
    /// A label that was not seen while fitting.
    UnseenLabel,
    /// A null where a value is needed.
    NullValue,
    /// NaN or an infinity where a finite number is needed.
    NotFinite,
    /// A value outside the range that the stage accepts.
    OutOfRange,
    /// A vector whose size is not the one that the stage was fitted with.
    WrongSize,
    /// A value that a cast cannot make one of the other type.
    CastFailed,
    /// An expression that has no value: a division by zero, an overflow.
    ExpressionFailed,
}

impl RejectCode {
    /// The word that stands in dead letters and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            RejectCode::UnseenLabel => "unseen_label",
            RejectCode::NullValue => "null_value",
            RejectCode::NotFinite => "not_finite",
            RejectCode::OutOfRange => "out_of_range",
            RejectCode::WrongSize => "wrong_size",
            RejectCode::CastFailed => "cast_failed",
            RejectCode::ExpressionFailed => "expression_failed",
        }
    }
}

/// What became of one input row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is among the output rows.
    Kept,
    /// A rule of the stage dropped it (`handleInvalid: skip`, a filter).
    Skipped,
    /// It could not be processed.
    Rejected(Box<Rejection>),
}

/// The fate of every row of one batch, in input order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fates {
    /// All `n` rows were kept: the common case, without a list.
    AllKept(usize),
    /// One entry per input row.
    Each(Vec<Fate>),
}

impl Fates {
    /// Number of input rows.
    pub fn n_rows(&self) -> usize {
        match self {
            Fates::AllKept(n) => *n,
            Fates::Each(fates) => fates.len(),
        }
    }

    /// Number of rows that were kept.
    pub fn n_kept(&self) -> usize {
        self.count(|fate| *fate == Fate::Kept, self.n_rows())
    }

    /// Number of rows that a rule dropped.
    pub fn n_skipped(&self) -> usize {
        self.count(|fate| *fate == Fate::Skipped, 0)
    }

    /// Number of rows that were rejected.
    pub fn n_rejected(&self) -> usize {
        self.count(|fate| matches!(fate, Fate::Rejected(_)), 0)
    }

    fn count(&self, wanted: impl Fn(&Fate) -> bool, when_all_kept: usize) -> usize {
        match self {
            Fates::AllKept(_) => when_all_kept,
            Fates::Each(fates) => fates.iter().filter(|fate| wanted(fate)).count(),
        }
    }

    /// Input positions of the kept rows, in output order.
    pub fn kept_rows(&self) -> Vec<usize> {
        match self {
            Fates::AllKept(n) => (0..*n).collect(),
            Fates::Each(fates) => (0..fates.len()).filter(|&i| fates[i] == Fate::Kept).collect(),
        }
    }

    /// Input position and reason of each rejected row.
    pub fn rejections(&self) -> impl Iterator<Item = (usize, &Rejection)> {
        let fates: &[Fate] = match self {
            Fates::AllKept(_) => &[],
            Fates::Each(fates) => fates,
        };
        fates.iter().enumerate().filter_map(|(row_idx, fate)| match fate {
            Fate::Rejected(rejection) => Some((row_idx, rejection.as_ref())),
            Fate::Kept | Fate::Skipped => None,
        })
    }

    /// The fates of the same input rows after a second stage saw the rows that this one kept.
    ///
    /// # Panics
    /// When `next` does not speak of exactly the rows kept here: the stages were not chained.
    pub fn then(self, next: Fates) -> Fates {
        assert_eq!(self.n_kept(), next.n_rows(), "the second stage must have seen the rows that the first kept");
        match (self, next) {
            (Fates::AllKept(_), next) => next,
            (first, Fates::AllKept(_)) => first,
            (Fates::Each(mut fates), Fates::Each(later)) => {
                let kept = fates.iter_mut().filter(|fate| **fate == Fate::Kept);
                for (fate, later) in kept.zip(later) {
                    *fate = later;
                }
                Fates::Each(fates)
            }
        }
    }
}

/// The rows that go on and the fate of each row that came in.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The kept rows, in input order.
    pub rows: RecordBatch,
    /// The fate of every input row; as many are [`Fate::Kept`] as `rows` has rows.
    pub fates: Fates,
}

impl Outcome {
    /// All rows go on.
    pub fn all_kept(rows: RecordBatch) -> Outcome {
        let fates = Fates::AllKept(rows.num_rows());
        Outcome { rows, fates }
    }

    /// Some rows go on.
    ///
    /// # Panics
    /// When `rows` has not as many rows as `fates` keeps.
    pub fn new(rows: RecordBatch, fates: Fates) -> Outcome {
        assert_eq!(rows.num_rows(), fates.n_kept(), "the output rows must be the kept rows");
        Outcome { rows, fates }
    }

    /// Hands the kept rows to the next stage and joins what both say of the input rows.
    ///
    /// # Errors
    /// Those of `next`.
    pub fn then<E>(self, next: impl FnOnce(RecordBatch) -> Result<Outcome, E>) -> Result<Outcome, E> {
        let after = next(self.rows)?;
        Ok(Outcome { rows: after.rows, fates: self.fates.then(after.fates) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(message: &str) -> Fate {
        let rejection = Rejection {
            stage: "strIdx_1".to_owned(),
            column: "purpose".to_owned(),
            code: RejectCode::UnseenLabel,
            message: message.to_owned(),
        };
        Fate::Rejected(Box::new(rejection))
    }

    #[test]
    fn the_fates_of_chained_stages_speak_of_the_first_input() {
        let first = Fates::Each(vec![Fate::Kept, Fate::Skipped, Fate::Kept, Fate::Kept]);
        let second = Fates::Each(vec![Fate::Kept, rejected("z"), Fate::Skipped]);
        let both = first.then(second);
        assert_eq!(both, Fates::Each(vec![Fate::Kept, Fate::Skipped, rejected("z"), Fate::Skipped]));
        assert_eq!((both.n_rows(), both.n_kept(), both.n_skipped(), both.n_rejected()), (4, 1, 2, 1));
        assert_eq!(both.rejections().map(|(row_idx, _)| row_idx).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn keeping_everything_changes_no_fate() {
        let some = Fates::Each(vec![Fate::Skipped, Fate::Kept]);
        assert_eq!(some.clone().then(Fates::AllKept(1)), some);
        assert_eq!(Fates::AllKept(2).then(some.clone()), some);
        assert_eq!(some.kept_rows(), [1]);
    }
}
