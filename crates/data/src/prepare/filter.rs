//! `filter`: rows that meet a condition.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use super::cast::CastRules;
use super::expression::{Bound, ExpressionError, bind, parse_condition};
use super::{BoundStep, PrepareProblem, fates_of, kept_only};
use crate::outcome::Outcome;
use crate::version::SparkVersion;

/// Keeps the rows for which a condition is true; for the others it is false or null.
///
/// Same as Spark: `DataFrame.filter` with a condition in SQL, checked against 3.5.9 and 4.3.0. Under the ANSI rules of 4.0 and
/// later a row in which the condition cannot be computed (a division by zero, an overflow, a text that is no number) is rejected.
/// Differs from Spark: the language is a part of SQL, see [`SelectExpr`](super::SelectExpr).
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// The condition, as in SQL's WHERE.
    pub condition: String,
}

impl Filter {
    pub(super) fn bind(&self, input: &SchemaRef, version: SparkVersion) -> Result<BoundFilter, PrepareProblem> {
        let rules = CastRules::of(version);
        let condition = bind(&parse_condition(&self.condition)?, input, &rules)?;
        match condition.data_type() {
            DataType::Boolean => Ok(BoundFilter { condition, rules, schema: Arc::clone(input) }),
            other => Err(ExpressionError::NotACondition(crate::schema::type_name(other)).into()),
        }
    }
}

pub(super) struct BoundFilter {
    condition: Bound,
    rules: CastRules,
    schema: SchemaRef,
}

impl BoundStep for BoundFilter {
    fn output_schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn apply(&self, rows: RecordBatch) -> Outcome {
        let mut failures = vec![None; rows.num_rows()];
        let answers = self.condition.evaluate(&rows, &self.rules, &mut failures);
        let answers = answers.as_boolean();
        let is_kept = |row: usize| answers.is_valid(row) && answers.value(row);
        let fates = fates_of("filter", "", failures, is_kept);
        kept_only(rows, fates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::{Step, bind};
    use arrow_array::{ArrayRef, Int32Array, StringArray};

    fn rows() -> RecordBatch {
        let ids: ArrayRef = Arc::new(Int32Array::from(vec![Some(0), Some(1), None, Some(3)]));
        let purposes: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a", "a"]));
        RecordBatch::try_from_iter_with_nullable([("id", ids, true), ("purpose", purposes, true)]).unwrap()
    }

    fn filter(condition: &str, version: SparkVersion) -> Result<Outcome, String> {
        let step = Step::Filter(Filter { condition: condition.to_owned() });
        let prepare = bind(&[step], rows().schema_ref(), version).map_err(|error| error.to_string())?;
        Ok(prepare.apply(rows()))
    }

    #[test]
    fn rows_of_which_nothing_is_known_go() {
        let outcome = filter("id >= 0 AND purpose = 'a'", SparkVersion::V4_3).unwrap();
        assert_eq!((outcome.fates.kept_rows(), outcome.fates.n_skipped()), (vec![0, 3], 2));
    }

    #[test]
    fn a_row_that_cannot_be_judged_is_rejected_under_ansi_rules() {
        let outcome = filter("6 / id > 2", SparkVersion::V3_5).unwrap();
        assert_eq!((outcome.fates.kept_rows(), outcome.fates.n_rejected()), (vec![1], 0));
        let outcome = filter("6 / id > 2", SparkVersion::V4_3).unwrap();
        let (row, rejection) = outcome.fates.rejections().next().unwrap();
        assert_eq!((row, rejection.message.as_str()), (0, "division by zero"));
        assert_eq!(outcome.fates.kept_rows(), [1]);
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        let refused = |condition| filter(condition, SparkVersion::V3_5).unwrap_err();
        assert_eq!(refused("id + 1"), "prepare, step 1 (filter): a condition must be a boolean: int");
        assert_eq!(refused("idd > 1"), "prepare, step 1 (filter): column `idd` not found; input columns: id, purpose");
        let expected = "prepare, step 1 (filter): character 6: expected a column or a value, found: the end";
        assert_eq!(refused("id > "), expected);
    }
}
