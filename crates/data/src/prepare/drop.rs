//! `drop`: columns that nobody needs.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::{BoundStep, PrepareProblem, resolve, with_fields};
use crate::outcome::Outcome;

/// Leaves columns out.
///
/// Same as Spark: `DataFrame.drop`. Differs from Spark: a column that is not there is an error, there it is passed over.
#[derive(Debug, Clone, PartialEq)]
pub struct Drop {
    /// Their names.
    pub columns: Vec<String>,
}

impl Drop {
    pub(super) fn bind(&self, input: &SchemaRef) -> Result<BoundDrop, PrepareProblem> {
        let dropped = self.columns.iter().map(|name| resolve(input, name)).collect::<Result<Vec<_>, _>>()?;
        let kept: Vec<usize> = (0..input.fields().len()).filter(|position| !dropped.contains(position)).collect();
        if kept.is_empty() {
            return Err(PrepareProblem::NothingLeft);
        }
        let fields = kept.iter().map(|&position| Arc::clone(&input.fields()[position])).collect();
        Ok(BoundDrop { kept, output_schema: with_fields(input, fields) })
    }
}

pub(super) struct BoundDrop {
    kept: Vec<usize>,
    output_schema: SchemaRef,
}

impl BoundStep for BoundDrop {
    fn output_schema(&self) -> &SchemaRef {
        &self.output_schema
    }
    fn apply(&self, rows: RecordBatch) -> Outcome {
        Outcome::all_kept(rows.project(&self.kept).expect("the batch has the columns that the step was bound to"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::parse_ddl;

    fn check(columns: &[&str], expect: Result<&str, PrepareProblem>) {
        let input = Arc::new(parse_ddl("a INT, b INT, `c.d` INT").unwrap());
        let step = Drop { columns: columns.iter().map(|&name| name.to_owned()).collect() };
        let output = step.bind(&input).map(|bound| bound.output_schema);
        assert_eq!(output, expect.map(|ddl| Arc::new(parse_ddl(ddl).unwrap())));
    }

    #[test]
    fn other_columns_stay_in_order() {
        check(&["B"], Ok("a INT, `c.d` INT"));
        check(&["c.d", "a", "a"], Ok("b INT"));
        check(&["a", "b", "c.d"], Err(PrepareProblem::NothingLeft));
    }
}
