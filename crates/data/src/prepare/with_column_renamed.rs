//! `withColumnRenamed`: another name for a column.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::{BoundStep, PrepareProblem, resolve, with_fields};
use crate::outcome::Outcome;

/// Gives a column another name; its type, its place and what is known of it (`ml_attr`) stay.
///
/// Same as Spark: `DataFrame.withColumnRenamed`. Differs from Spark: a column that is not there, and a new name that is taken,
/// are errors.
#[derive(Debug, Clone, PartialEq)]
pub struct WithColumnRenamed {
    /// The name that it has.
    pub existing: String,
    /// The name that it gets.
    pub new: String,
}

impl WithColumnRenamed {
    pub(super) fn bind(&self, input: &SchemaRef) -> Result<BoundWithColumnRenamed, PrepareProblem> {
        let renamed = resolve(input, &self.existing)?;
        let is_taken = |(position, name): (usize, &String)| position != renamed && *name == self.new;
        if input.fields().iter().map(|field| field.name()).enumerate().any(is_taken) {
            return Err(PrepareProblem::Duplicate(self.new.clone()));
        }
        let mut fields = input.fields().to_vec();
        fields[renamed] = Arc::new(input.field(renamed).clone().with_name(&self.new));
        Ok(BoundWithColumnRenamed { output_schema: with_fields(input, fields) })
    }
}

pub(super) struct BoundWithColumnRenamed {
    output_schema: SchemaRef,
}

impl BoundStep for BoundWithColumnRenamed {
    fn output_schema(&self) -> &SchemaRef {
        &self.output_schema
    }
    fn apply(&self, rows: RecordBatch) -> Outcome {
        let renamed = RecordBatch::try_new(Arc::clone(&self.output_schema), rows.columns().to_vec());
        Outcome::all_kept(renamed.expect("the batch has the columns that the step was bound to"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::parse_ddl;

    fn check(existing: &str, new: &str, expect: Result<&str, PrepareProblem>) {
        let input = Arc::new(parse_ddl("a INT COMMENT 'x', b DOUBLE").unwrap());
        let step = WithColumnRenamed { existing: existing.to_owned(), new: new.to_owned() };
        let output = step.bind(&input).map(|bound| bound.output_schema);
        assert_eq!(output, expect.map(|ddl| Arc::new(parse_ddl(ddl).unwrap())));
    }

    #[test]
    fn only_the_name_changes() {
        check("a", "credit.policy", Ok("`credit.policy` INT COMMENT 'x', b DOUBLE"));
        check("B", "b", Ok("a INT COMMENT 'x', b DOUBLE"));
    }

    #[test]
    fn a_name_that_is_taken_is_refused() {
        check("a", "b", Err(PrepareProblem::Duplicate("b".to_owned())));
    }
}
