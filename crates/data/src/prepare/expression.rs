//! Expressions of Spark SQL over the columns of one row, for `filter` and `selectExpr`.
//!
//! 1. `parse` makes an `Expression` of text: what was written, without columns or types;
//! 2. `bind` resolves it against a schema: every node gets a type, and casts are put in where Spark puts them;
//! 3. `Bound::evaluate` gives the values in the rows of a batch.
//!
//! There are columns, literals, `+ - * / % DIV`, `||`, comparisons with `<=>`, AND OR NOT with null in between, IS NULL, IS TRUE, IN,
//! BETWEEN, LIKE, CASE, CAST, and the functions of `FUNCTIONS`. There are no aggregates, no subqueries and no nested columns.
//! Arithmetic with decimals is refused; comparing them is not.

mod bind;
mod evaluate;
mod function;
mod parse;

use arrow_schema::DataType;

pub(super) use bind::{Bound, bind};
pub(super) use evaluate::Failures;
pub(super) use parse::{Selected, parse_condition, parse_selection};

use function::FUNCTIONS;

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Column(String),
    Literal(Literal),
    Unary(Unary, Box<Expression>),
    Binary(Binary, Box<Expression>, Box<Expression>),
    In {
        value: Box<Expression>,
        list: Vec<Expression>,
    },
    Like {
        value: Box<Expression>,
        pattern: String,
    },
    Case {
        branches: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
    Cast(Box<Expression>, DataType),
    /// A function by its name in lower case.
    Call(String, Vec<Expression>),
}

/// A value in the text of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Literal {
    Null,
    Boolean(bool),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    Decimal {
        unscaled: i128,
        precision: u8,
        scale: i8,
    },
    Text(String),
    /// Days since 1970.
    Date(i32),
    /// Microseconds since 1970 in UTC.
    Timestamp(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Not,
    Negate,
    IsNull,
    /// Never null: whether the value is true.
    IsTrue,
    /// Never null: whether the value is false.
    IsFalse,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Compare(Comparison),
    Add,
    Subtract,
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `DIV`
    WholeDivide,
    /// `||`
    Concat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `<=>`: equal, nulls too.
    EqualNullSafe,
}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// Something else should stand here.
    #[error("character {position}: expected {expected}, found: {found}")]
    Expected {
        /// Where, in characters counted from 1.
        position: usize,
        /// What should stand here.
        expected: &'static str,
        /// What stands here.
        found: String,
    },
    /// The type of a cast is none.
    #[error("character {position}: {problem}")]
    Type {
        /// Where the type begins, in characters counted from 1.
        position: usize,
        /// What is wrong with it.
        problem: crate::schema::DdlError,
    },
    /// A column is not there.
    #[error(transparent)]
    Column(#[from] crate::column::ColumnNotFound),
    /// There is no such function here.
    #[error("unknown function: {0}")]
    UnknownFunction(String),
    /// A function got too few or too many arguments.
    #[error("`{function}` takes {expected} arguments, not {found}")]
    ArgumentCount {
        /// Its name.
        function: String,
        /// How many it takes.
        expected: &'static str,
        /// How many there are.
        found: usize,
    },
    /// An operator or a function cannot work on these types.
    #[error("`{operation}` cannot work on {types}")]
    Types {
        /// The operator or function.
        operation: String,
        /// The types, in Spark's words.
        types: String,
    },
    /// A condition gives something else than true and false.
    #[error("a condition must be a boolean: {0}")]
    NotACondition(String),
    /// A computed column has no name.
    #[error("a computed column needs a name: {0}")]
    Nameless(String),
    /// Expressions inside expressions without end.
    #[error("expressions nest deeper than {0}")]
    TooDeep(usize),
    /// An expression of too many words and signs.
    #[error("the expression has more than {0} words and signs")]
    TooLong(usize),
}

impl ExpressionError {
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            ExpressionError::Column(error) => crate::fault::Explain::hint(error),
            ExpressionError::Type { problem, .. } => crate::fault::Explain::hint(problem),
            ExpressionError::UnknownFunction(name) => Some(match crate::fault::nearest(name, FUNCTIONS) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("there are: {}", FUNCTIONS.join(", ")),
            }),
            ExpressionError::Types { types, .. } if types.contains("decimal") => {
                Some("write doubles as 1.5D, and cast decimal columns: DOUBLE(x)".to_owned())
            }
            ExpressionError::Nameless(text) => Some(format!("write {text} AS name")),
            ExpressionError::Expected { found, .. } if found == "." => {
                Some("put a name with dots between backquotes: `loan.amount`".to_owned())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::cast::{CastRules, cast_column};
    use crate::schema::{parse_ddl, type_name};
    use crate::version::SparkVersion;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{
        Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    };
    use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
    use serde_json::{Value, json};
    use std::sync::Arc;

    /// The table of `fixtures/spark/expressions.py`.
    fn rows() -> RecordBatch {
        let schema = parse_ddl(
            "i INT, j INT, l BIGINT, t TINYINT, x DOUBLE, f FLOAT, s STRING, n STRING, b BOOLEAN, d DATE, ts TIMESTAMP,
            `a.b` INT, m DECIMAL(5,2)",
        );
        let rows = [
            "1|2|3|1|1.5|0.5|abc|1|true|2024-02-29|2024-02-29 12:00:00|7|1.50",
            "-7|0|9223372036854775807|127|NaN|NaN||2.5|false|1970-01-01|1970-01-01 00:00:00|-1|-0.01",
            "2147483647|3|-1|-128|-0.0|-2.5|Abc%|x|null|null|null|null|999.99",
            "null|5|null|null|null|null|null|null|true|2024-03-01|2024-02-29 00:00:00|0|null",
            "0|null|0|0|1e300|1e30|b_c| 3 |false|2023-12-31|2023-12-31 23:59:59.5|3|0.00",
            "-2147483648|-1|-9223372036854775808|-1|-Infinity|3|ÄÖ x|-4|true|2024-02-29|2024-03-01 00:00:00|7|2.00",
        ];
        let schema = Arc::new(schema.unwrap());
        let columns = schema.fields().iter().enumerate().map(|(position, field)| {
            let cells = rows.iter().map(|row| row.split('|').nth(position).filter(|cell| *cell != "null"));
            let text: ArrayRef = Arc::new(cells.collect::<StringArray>());
            cast_column(&text, field.data_type(), &CastRules::of(SparkVersion::V3_5))
        });
        RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
    }

    /// A value as the fixture shows it.
    fn shown(column: &ArrayRef, row: usize) -> Value {
        if column.is_null(row) || *column.data_type() == DataType::Null {
            return Value::Null;
        }
        let number = |value: f64| match value {
            value if value.is_nan() => json!("NaN"),
            f64::INFINITY => json!("Infinity"),
            f64::NEG_INFINITY => json!("-Infinity"),
            value => json!(value),
        };
        match column.data_type() {
            DataType::Boolean => json!(column.as_boolean().value(row)),
            DataType::Int8 => json!(column.as_primitive::<Int8Type>().value(row)),
            DataType::Int16 => json!(column.as_primitive::<Int16Type>().value(row)),
            DataType::Int32 => json!(column.as_primitive::<Int32Type>().value(row)),
            DataType::Int64 => json!(column.as_primitive::<Int64Type>().value(row)),
            DataType::Float32 => number(f64::from(column.as_primitive::<Float32Type>().value(row))),
            DataType::Float64 => number(column.as_primitive::<Float64Type>().value(row)),
            DataType::Date32 => json!(column.as_primitive::<Date32Type>().value(row)),
            DataType::Timestamp(..) => json!(column.as_primitive::<TimestampMicrosecondType>().value(row)),
            _ => json!({"text": column.as_string::<i32>().value(row)}),
        }
    }

    /// Equal, up to the last bits of a double: Java takes its own logarithms and powers.
    fn agree(ours: &Value, spark: &Value) -> bool {
        match (ours.as_f64(), spark.as_f64()) {
            (Some(ours), Some(spark)) if !(ours == 0.0 && spark == 0.0) => {
                (ours - spark).abs() <= 4.0 * f64::EPSILON * spark.abs()
            }
            _ => ours == spark,
        }
    }

    /// Written by `fixtures/spark/expressions.py`; every row of every expression, and its type.
    #[track_caller]
    fn check(version: SparkVersion) {
        let path = format!("{}/../../fixtures/spark/{version}/expressions.json", env!("CARGO_MANIFEST_DIR"));
        let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let (rows, rules) = (rows(), CastRules::of(version));
        let mut wrong = Vec::new();
        for entry in fixture["expressions"].as_array().unwrap() {
            let text = entry["expression"].as_str().unwrap();
            // Two neighbouring texts are one in 3.5; here, as in 4.3, the doubled quote stands for itself.
            if text == "'it''s'" && version < SparkVersion::V4_3 {
                continue;
            }
            let bound = parse_condition(text).and_then(|expression| bind(&expression, rows.schema_ref(), &rules));
            let bound = match bound {
                Ok(bound) => bound,
                Err(error) => {
                    wrong.push(format!("{text}: {error}"));
                    continue;
                }
            };
            if type_name(bound.data_type()) != entry["type"].as_str().unwrap() {
                wrong.push(format!("{text}: {} is not {}", type_name(bound.data_type()), entry["type"]));
            }
            let mut failures = vec![None; rows.num_rows()];
            let values = bound.evaluate(&rows, &rules, &mut failures);
            for (row, spark) in entry["values"].as_array().unwrap().iter().enumerate() {
                let ours = if failures[row].is_some() { json!("error") } else { shown(&values, row) };
                if !agree(&ours, spark) {
                    wrong.push(format!("{text}: row {row}: {ours}, Spark {spark}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{version}: {wrong:#?}");
    }

    #[test]
    fn long_chains_are_evaluated() {
        let (rows, rules) = (rows(), CastRules::of(SparkVersion::V3_5));
        let first = |text: &str| {
            let bound = bind(&parse_condition(text).unwrap(), rows.schema_ref(), &rules).unwrap();
            shown(&bound.evaluate(&rows, &rules, &mut vec![None; rows.num_rows()]), 0)
        };
        assert_eq!(first(&vec!["x"; 290].join(" + ")), json!(435.0));
        assert_eq!(first(&vec!["i > 1"; 3000].join(" OR ")), json!(false));
        assert_eq!(first(&format!("i IN ({})", vec!["0"; 8000].join(","))), json!(false));
    }

    #[test]
    fn expressions_give_what_they_give_in_spark_3_5() {
        check(SparkVersion::V3_5);
    }

    #[test]
    fn expressions_give_what_they_give_in_spark_4_3_or_fail() {
        check(SparkVersion::V4_3);
    }
}
