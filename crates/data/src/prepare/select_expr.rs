//! `selectExpr`: columns that are computed from others.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, SchemaRef};

use super::cast::CastRules;
use super::expression::{Bound, Expression, ExpressionError, Selected, bind, parse_selection};
use super::{BoundStep, PrepareProblem, fates_of, kept_only, resolve, with_fields};
use crate::outcome::Outcome;
use crate::version::SparkVersion;

/// Computes the columns that go on; those that are not named go no further.
///
/// Same as Spark: `DataFrame.selectExpr` for what the language has, checked against 3.5.9 and 4.3.0: columns, literals,
/// `+ - * / % DIV ||`, comparisons, AND OR NOT, IS NULL, IS TRUE, IN, BETWEEN, LIKE, CASE, CAST, and functions of one row.
/// Under the ANSI rules of 4.0 and later a row in which an expression cannot be computed is rejected.
/// Differs from Spark: no aggregates, windows, subqueries or nested columns; no arithmetic with decimals (write `1.5D`);
/// text and other types do not mix in CASE and `coalesce`; a computed column must be named with AS.
#[derive(Debug, Clone, PartialEq)]
pub struct SelectExpr {
    /// `*`, a column, or an expression with its name: `a + b AS c`.
    pub expressions: Vec<String>,
}

impl SelectExpr {
    pub(super) fn bind(&self, input: &SchemaRef, version: SparkVersion) -> Result<BoundSelectExpr, PrepareProblem> {
        let rules = CastRules::of(version);
        let (mut fields, mut columns): (Vec<Arc<Field>>, Vec<Column>) = (Vec::new(), Vec::new());
        for text in &self.expressions {
            match parse_selection(text)? {
                Selected::All => {
                    fields.extend(input.fields().iter().cloned());
                    columns.extend((0..input.fields().len()).map(Column::Existing));
                }
                Selected::One(Expression::Column(column), name) => {
                    let position = resolve(input, &column)?;
                    let field = input.field(position).clone();
                    fields.push(Arc::new(match name {
                        Some(name) => field.with_name(name),
                        None => field,
                    }));
                    columns.push(Column::Existing(position));
                }
                Selected::One(expression, name) => {
                    let name = name.ok_or_else(|| ExpressionError::Nameless(text.clone()))?;
                    let bound = bind(&expression, input, &rules)?;
                    fields.push(Arc::new(Field::new(name, bound.data_type().clone(), true)));
                    columns.push(Column::Computed(bound));
                }
            }
        }
        if fields.is_empty() {
            return Err(PrepareProblem::NothingLeft);
        }
        let names: Vec<&String> = fields.iter().map(|field| field.name()).collect();
        if let Some((_, twice)) = names.iter().enumerate().find(|(n, name)| names[..*n].contains(name)) {
            return Err(PrepareProblem::Duplicate((*twice).clone()));
        }
        Ok(BoundSelectExpr { columns, rules, output_schema: with_fields(input, fields) })
    }
}

enum Column {
    Existing(usize),
    Computed(Bound),
}

pub(super) struct BoundSelectExpr {
    columns: Vec<Column>,
    rules: CastRules,
    output_schema: SchemaRef,
}

impl BoundStep for BoundSelectExpr {
    fn output_schema(&self) -> &SchemaRef {
        &self.output_schema
    }

    fn apply(&self, rows: RecordBatch) -> Outcome {
        let mut fates = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for (position, column) in self.columns.iter().enumerate() {
            columns.push(match column {
                Column::Existing(position) => Arc::clone(rows.column(*position)),
                Column::Computed(expression) => {
                    let mut failures = vec![None; rows.num_rows()];
                    let computed = expression.evaluate(&rows, &self.rules, &mut failures);
                    if fates.is_empty() && failures.iter().any(Option::is_some) {
                        fates = fates_of("selectExpr", self.output_schema.field(position).name(), failures, |_| true);
                    }
                    computed
                }
            });
        }
        let selected = RecordBatch::try_new(Arc::clone(&self.output_schema), columns);
        let selected = selected.expect("columns have the types that the step was bound to give them");
        if fates.is_empty() { Outcome::all_kept(selected) } else { kept_only(selected, fates) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::{Step, bind as bind_steps};
    use crate::schema::parse_ddl;
    use crate::vector::{dense_column, vector_field};
    use arrow_array::Int32Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Float64Type;
    use arrow_schema::Schema;

    fn rows() -> RecordBatch {
        let mut fields = parse_ddl("id INT NOT NULL COMMENT 'x', n INT").unwrap().fields().to_vec();
        fields.push(Arc::new(vector_field("v")));
        let (id, n): (ArrayRef, ArrayRef) =
            (Arc::new(Int32Array::from(vec![1, 2])), Arc::new(Int32Array::from(vec![Some(4), Some(0)])));
        let vectors = dense_column(vec![0.5, 1.5], 2, 1);
        RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![id, n, vectors]).unwrap()
    }

    fn select(expressions: &[&str], version: SparkVersion) -> Result<Outcome, String> {
        let expressions = expressions.iter().map(|&text| text.to_owned()).collect();
        let step = Step::SelectExpr(SelectExpr { expressions });
        let prepare = bind_steps(&[step], rows().schema_ref(), version).map_err(|error| error.to_string())?;
        Ok(prepare.apply(rows()))
    }

    #[test]
    fn columns_are_passed_on_renamed_and_computed() {
        let outcome = select(&["v AS features", "id / n AS ratio", "*"], SparkVersion::V3_5).unwrap();
        let names: Vec<&String> = outcome.rows.schema_ref().fields().iter().map(|field| field.name()).collect();
        assert_eq!(names, ["features", "ratio", "id", "n", "v"]);
        let ratios: Vec<Option<f64>> = outcome.rows.column(1).as_primitive::<Float64Type>().iter().collect();
        assert_eq!(ratios, [Some(0.25), None]);
        assert_eq!(outcome.rows.schema_ref().field(2), rows().schema_ref().field(0));
    }

    #[test]
    fn a_row_that_cannot_be_computed_is_rejected_under_ansi_rules() {
        let outcome = select(&["id", "id / n AS ratio"], SparkVersion::V4_3).unwrap();
        let (row, rejection) = outcome.fates.rejections().next().unwrap();
        assert_eq!((row, rejection.column.as_str(), rejection.message.as_str()), (1, "ratio", "division by zero"));
        assert_eq!(outcome.rows.num_rows(), 1);
    }

    #[test]
    fn what_cannot_be_selected_is_refused() {
        let refused = |expressions: &[&str]| select(expressions, SparkVersion::V3_5).unwrap_err();
        assert_eq!(refused(&["id + 1"]), "prepare, step 1 (selectExpr): a computed column needs a name: id + 1");
        assert_eq!(
            refused(&["id", "n AS id"]),
            "prepare, step 1 (selectExpr): there is a column of that name already: id"
        );
        assert_eq!(refused(&["v + 1 AS x"]), "prepare, step 1 (selectExpr): `v` cannot work on vector");
        assert_eq!(refused(&["id + 1.5 AS x"]), "prepare, step 1 (selectExpr): `+` cannot work on int, decimal(2,1)");
        assert_eq!(refused(&["sum(id) AS x"]), "prepare, step 1 (selectExpr): unknown function: sum");
        assert_eq!(refused(&["abs(id, n) AS x"]), "prepare, step 1 (selectExpr): `abs` takes 1 arguments, not 2");
        assert_eq!(refused(&[]), "prepare, step 1 (selectExpr): no column is left");
    }
}
