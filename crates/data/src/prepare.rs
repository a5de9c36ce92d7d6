//! What a job does to rows between reading them and learning from them or scoring them: the steps of `prepare:`.
//!
//! A [`Step`] is a value as the job file says it. [`bind`] resolves a list of steps against the columns that come in, once,
//! and gives a [`Prepare`], which is applied to batches: the same one to the rows of a dataset before training
//! ([`Dataset::prepared`]) and to each batch of a stream. A step drops rows by rule (`dropna`, `filter`), or rejects a row that it
//! cannot work on (a text that is no number, where Spark's ANSI rules hold), and never reorders them; what became of each row is in
//! the [`Outcome`].
//!
//! Names of columns are found as Spark SQL finds them: first as written, then whatever the case.

mod cast;
mod drop;
mod drop_na;
mod expression;
mod filter;
mod select_expr;
mod value;
mod with_column_renamed;

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;

pub use cast::Cast;
pub use drop::Drop;
pub use drop_na::{DropNa, How};
pub use expression::ExpressionError;
pub use filter::Filter;
pub use select_expr::SelectExpr;
pub use with_column_renamed::WithColumnRenamed;

use crate::column::{ColumnNotFound, find_column};
use crate::dataset::{Dataset, DatasetError, RowMap};
use crate::fault::{Explain, Fault};
use crate::outcome::{Fate, Fates, Outcome, RejectCode, Rejection};
use crate::version::SparkVersion;
use expression::Failures;

/// One step of `prepare:`, under Spark's name for it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// `dropna`
    DropNa(DropNa),
    /// `cast`
    Cast(Cast),
    /// `withColumnRenamed`
    WithColumnRenamed(WithColumnRenamed),
    /// `drop`
    Drop(Drop),
    /// `filter`
    Filter(Filter),
    /// `selectExpr`
    SelectExpr(SelectExpr),
}

impl Step {
    /// The step's name in a job file.
    pub fn name(&self) -> &'static str {
        match self {
            Step::DropNa(_) => "dropna",
            Step::Cast(_) => "cast",
            Step::WithColumnRenamed(_) => "withColumnRenamed",
            Step::Drop(_) => "drop",
            Step::Filter(_) => "filter",
            Step::SelectExpr(_) => "selectExpr",
        }
    }

    fn bind(&self, input: &SchemaRef, version: SparkVersion) -> Result<Box<dyn BoundStep>, PrepareProblem> {
        Ok(match self {
            Step::DropNa(step) => Box::new(step.bind(input)?),
            Step::Cast(step) => Box::new(step.bind(input, version)?),
            Step::WithColumnRenamed(step) => Box::new(step.bind(input)?),
            Step::Drop(step) => Box::new(step.bind(input)?),
            Step::Filter(step) => Box::new(step.bind(input, version)?),
            Step::SelectExpr(step) => Box::new(step.bind(input, version)?),
        })
    }
}

/// A step whose columns are resolved. Pure: the same rows in, the same rows out.
trait BoundStep: Send + Sync {
    /// The columns that come out.
    fn output_schema(&self) -> &SchemaRef;

    /// Works on one batch of the columns that it was bound to.
    fn apply(&self, rows: RecordBatch) -> Outcome;
}

/// Steps do not fit the columns that come in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("prepare, step {} ({step}): {problem}", position + 1)]
pub struct PrepareError {
    /// Which step, counted from 0.
    pub position: usize,
    /// The step's name.
    pub step: &'static str,
    /// What is wrong with it.
    pub problem: PrepareProblem,
}

impl Explain for PrepareError {
    fn fault(&self) -> Fault {
        Fault::Job
    }
    fn hint(&self) -> Option<String> {
        match &self.problem {
            PrepareProblem::Column(error) => error.hint(),
            PrepareProblem::CannotCast { hint, .. } => hint.map(str::to_owned),
            PrepareProblem::Expression(error) => error.hint(),
            _ => None,
        }
    }
}

/// What can be wrong with a step.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareProblem {
    /// A column is not there.
    #[error(transparent)]
    Column(#[from] ColumnNotFound),
    /// An expression cannot be read, or does not fit the columns.
    #[error(transparent)]
    Expression(#[from] ExpressionError),
    /// A column would be there twice.
    #[error("there is a column of that name already: {0}")]
    Duplicate(String),
    /// No column would be left.
    #[error("no column is left")]
    NothingLeft,
    /// Spark has no such cast, or we have not.
    #[error("column `{column}` cannot be cast: {from} to {to}")]
    CannotCast {
        /// The column.
        column: String,
        /// Its type, in Spark's words.
        from: String,
        /// The type it should get.
        to: String,
        /// What else to do.
        hint: Option<&'static str>,
    },
}

/// Steps whose columns are resolved, in order.
pub struct Prepare {
    steps: Vec<Box<dyn BoundStep>>,
    output_schema: SchemaRef,
}

impl std::fmt::Debug for Prepare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepare")
            .field("n_steps", &self.steps.len())
            .field("output_schema", &self.output_schema)
            .finish()
    }
}

/// Resolves `steps` against the columns of `input`, under the rules of `version` of Spark. After this, only values can be wrong.
///
/// # Errors
/// [`PrepareError`] for the first step that does not fit what the steps before it leave.
pub fn bind(steps: &[Step], input: &SchemaRef, version: SparkVersion) -> Result<Prepare, PrepareError> {
    let mut prepare = Prepare { steps: Vec::new(), output_schema: Arc::clone(input) };
    for (position, step) in steps.iter().enumerate() {
        let bound = step.bind(&prepare.output_schema, version);
        let bound = bound.map_err(|problem| PrepareError { position, step: step.name(), problem })?;
        prepare.output_schema = Arc::clone(bound.output_schema());
        prepare.steps.push(bound);
    }
    Ok(prepare)
}

impl Prepare {
    /// The columns that come out.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.output_schema
    }

    /// Works on one batch; every row that came in has one fate.
    pub fn apply(&self, rows: RecordBatch) -> Outcome {
        self.steps.iter().fold(Outcome::all_kept(rows), |before, step| {
            let after = step.apply(before.rows);
            Outcome { rows: after.rows, fates: before.fates.then(after.fates) }
        })
    }
}

/// A row of a dataset could not be prepared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: column `{}`: {}", .0.stage, .0.column, .0.message)]
pub struct RowRejected(pub Rejection);

impl Explain for RowRejected {
    fn fault(&self) -> Fault {
        Fault::Data
    }
    fn hint(&self) -> Option<String> {
        Some("Spark 4 fails on such values; with `sparkVersion: \"3.5\"` they become null".to_owned())
    }
}

impl RowMap for Prepare {
    fn schema(&self) -> &SchemaRef {
        &self.output_schema
    }

    /// A rejected row is an error here: what is learned must not silently lack rows.
    fn apply(&self, rows: RecordBatch) -> Result<RecordBatch, DatasetError> {
        let outcome = Prepare::apply(self, rows);
        match outcome.fates.rejections().next() {
            Some((_, rejection)) => Err(DatasetError::new(RowRejected(rejection.clone()))),
            None => Ok(outcome.rows),
        }
    }
}

impl Dataset {
    /// The dataset after `steps`; nothing is computed yet. A row that a step rejects fails the pass that meets it.
    ///
    /// # Errors
    /// [`PrepareError`] when a step does not fit the columns.
    pub fn prepared(&self, steps: &[Step], version: SparkVersion) -> Result<Dataset, PrepareError> {
        Ok(self.map(Arc::new(bind(steps, self.schema(), version)?)))
    }
}

/// Position of the column called `name`: as written, or else whatever the case.
fn resolve(schema: &Schema, name: &str) -> Result<usize, ColumnNotFound> {
    let in_any_case = || schema.fields().iter().position(|field| field.name().eq_ignore_ascii_case(name));
    match find_column(schema, name) {
        Ok((position, _)) => Ok(position),
        Err(error) => in_any_case().ok_or(error),
    }
}

/// `schema` with other fields, its own metadata kept.
fn with_fields(schema: &Schema, fields: Vec<Arc<Field>>) -> SchemaRef {
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The fates of rows of which some failed in an expression for `column`; of the others a rule keeps some.
fn fates_of(step: &str, column: &str, failures: Failures, is_kept: impl Fn(usize) -> bool) -> Vec<Fate> {
    let fate = |(row, failure): (usize, Option<String>)| match failure {
        Some(message) => Fate::Rejected(Box::new(Rejection {
            stage: step.to_owned(),
            column: column.to_owned(),
            code: RejectCode::ExpressionFailed,
            message,
        })),
        None if is_kept(row) => Fate::Kept,
        None => Fate::Skipped,
    };
    failures.into_iter().enumerate().map(fate).collect()
}

/// The outcome of rows of which some go on.
fn kept_only(rows: RecordBatch, fates: Vec<Fate>) -> Outcome {
    if fates.iter().all(|fate| *fate == Fate::Kept) {
        return Outcome::all_kept(rows);
    }
    let kept = fates.iter().map(|fate| Some(*fate == Fate::Kept)).collect();
    let rows: Result<RecordBatch, ArrowError> = filter_record_batch(&rows, &kept);
    Outcome::new(rows.expect("a row has one fate"), Fates::Each(fates))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::LocalExecutor;
    use crate::schema::parse_ddl;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, Int32Array, StringArray};

    fn rows() -> RecordBatch {
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        let amounts: ArrayRef = Arc::new(StringArray::from(vec![Some("10"), None, Some("x")]));
        RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("amount", amounts, true)]).unwrap()
    }

    fn steps() -> [Step; 3] {
        [
            Step::WithColumnRenamed(WithColumnRenamed { existing: "AMOUNT".to_owned(), new: "sum".to_owned() }),
            Step::Cast(Cast { columns: vec![("sum".to_owned(), crate::schema::parse_type("INT").unwrap())] }),
            Step::DropNa(DropNa { how: How::Any, thresh: None, subset: Some(vec!["sum".to_owned()]) }),
        ]
    }

    #[test]
    fn steps_follow_each_other_and_every_row_has_one_fate() {
        let prepare = bind(&steps(), rows().schema_ref(), SparkVersion::V3_5).unwrap();
        assert_eq!(**prepare.output_schema(), parse_ddl("id INT, sum INT").unwrap());
        let outcome = prepare.apply(rows());
        assert_eq!(outcome.fates, Fates::Each(vec![Fate::Kept, Fate::Skipped, Fate::Skipped]));
        assert_eq!(outcome.rows.column(1).as_primitive::<Int32Type>().values(), &[10]);
    }

    #[test]
    fn a_text_that_is_no_number_is_rejected_under_ansi_rules() {
        let prepare = bind(&steps(), rows().schema_ref(), SparkVersion::V4_3).unwrap();
        let outcome = prepare.apply(rows());
        let rejections: Vec<_> = outcome.fates.rejections().collect();
        let [(2, rejection)] = rejections[..] else { panic!("{rejections:?}") };
        assert_eq!((rejection.stage.as_str(), rejection.column.as_str()), ("cast", "sum"));
        assert_eq!(rejection.message, "cannot be cast to int: x");
        assert_eq!((outcome.rows.num_rows(), outcome.fates.n_skipped()), (1, 1));
    }

    #[test]
    fn a_dataset_is_prepared_or_says_which_row_it_could_not() {
        let data = Dataset::in_memory(rows().schema(), vec![vec![rows()]], Arc::new(LocalExecutor::default()));
        assert_eq!(data.prepared(&steps(), SparkVersion::V3_5).unwrap().count().unwrap(), 1);
        let error = data.prepared(&steps(), SparkVersion::V4_3).unwrap().count().unwrap_err();
        assert_eq!(error.to_string(), "cast: column `sum`: cannot be cast to int: x");
        assert_eq!(error.fault(), Fault::Data);
    }

    #[test]
    fn an_error_names_the_step() {
        let mut steps = steps().to_vec();
        steps.push(Step::Drop(Drop { columns: vec!["amount".to_owned()] }));
        let error = bind(&steps, rows().schema_ref(), SparkVersion::V3_5).unwrap_err();
        let message = "prepare, step 4 (drop): column `amount` not found; input columns: id, sum";
        assert_eq!((error.to_string().as_str(), error.fault()), (message, Fault::Job));
    }
}
