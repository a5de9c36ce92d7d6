//! `cast`: other types for columns.

mod convert;

#[cfg(test)]
pub(super) use convert::cast_column;
pub(super) use convert::{cast, check, to_text};

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, SchemaRef};

use super::{BoundStep, PrepareProblem, kept_only, resolve, with_fields};
use crate::outcome::{Fate, Outcome, RejectCode, Rejection};
use crate::schema::type_name;
use crate::version::SparkVersion;

/// Gives columns other types, as Spark's `CAST`.
///
/// What a value becomes when it does not fit depends on the version: up to 3.5 a text that is no number becomes null and a number
/// that is too large wraps around, from 4.0 on both reject the row (Spark: `spark.sql.ansi.enabled`, whose default changed).
/// A null stays null. Times are in UTC.
///
/// Same as Spark: pairs of numbers, text, booleans, dates and timestamps, checked value by value against 3.5.9 and 4.3.0.
/// Differs from Spark: nested types and binary cannot be cast; a timestamp text without a date is refused, there it means today;
/// digits of other scripts are refused in decimals.
#[derive(Debug, Clone, PartialEq)]
pub struct Cast {
    /// Columns by name, and the types that they get.
    pub columns: Vec<(String, DataType)>,
}

impl Cast {
    pub(super) fn bind(&self, input: &SchemaRef, version: SparkVersion) -> Result<BoundCast, PrepareProblem> {
        let rules = CastRules::of(version);
        let mut fields = input.fields().to_vec();
        let mut casts = Vec::new();
        for (name, to) in &self.columns {
            let position = resolve(input, name)?;
            let (name, from) = (fields[position].name().clone(), fields[position].data_type());
            if let Err(hint) = convert::check(from, to, &rules) {
                let (from, to) = (type_name(from), type_name(to));
                return Err(PrepareProblem::CannotCast { column: name, from, to, hint });
            }
            if from != to {
                fields[position] = Arc::new(Field::new(name, to.clone(), true));
                casts.push((position, to.clone()));
            }
        }
        Ok(BoundCast { casts, rules, output_schema: with_fields(input, fields) })
    }
}

/// What differs between versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CastRules {
    /// A value that does not fit rejects the row, instead of becoming null or wrapping around.
    pub(super) ansi: bool,
    /// Blanks around a text are no part of it, and infinities and NaN have many spellings.
    lenient_text: bool,
}

impl CastRules {
    pub(super) fn of(version: SparkVersion) -> CastRules {
        CastRules { ansi: version >= SparkVersion::V4_3, lenient_text: version >= SparkVersion::V3_5 }
    }
}

pub(super) struct BoundCast {
    casts: Vec<(usize, DataType)>,
    rules: CastRules,
    output_schema: SchemaRef,
}

impl BoundStep for BoundCast {
    fn output_schema(&self) -> &SchemaRef {
        &self.output_schema
    }

    fn apply(&self, rows: RecordBatch) -> Outcome {
        let mut columns = rows.columns().to_vec();
        let mut fates = vec![Fate::Kept; if self.rules.ansi { rows.num_rows() } else { 0 }];
        for (position, to) in &self.casts {
            let before = Arc::clone(&columns[*position]);
            columns[*position] = convert::cast_column(&before, to, &self.rules);
            let nulls = before.logical_nulls();
            for (row, fate) in fates.iter_mut().enumerate() {
                let was_null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
                let failed = !was_null && columns[*position].is_null(row);
                if failed && *fate == Fate::Kept {
                    *fate = Fate::Rejected(Box::new(self.rejection(*position, &before, row, to)));
                }
            }
        }
        let cast = RecordBatch::try_new(Arc::clone(&self.output_schema), columns);
        let cast = cast.expect("columns have the types that the step was bound to give them");
        if fates.is_empty() { Outcome::all_kept(cast) } else { kept_only(cast, fates) }
    }
}

impl BoundCast {
    fn rejection(&self, position: usize, column: &ArrayRef, row: usize, to: &DataType) -> Rejection {
        Rejection {
            stage: "cast".to_owned(),
            column: self.output_schema.field(position).name().clone(),
            code: RejectCode::CastFailed,
            message: format!("cannot be cast to {}: {}", type_name(to), convert::shown(column, row)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{parse_ddl, parse_type, type_name};
    use arrow_array::StringArray;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Date32Type, Decimal128Type, Float32Type, Float64Type, TimestampMicrosecondType};
    use serde_json::{Value, json};

    fn fixture(version: SparkVersion) -> Vec<Value> {
        let path = format!("{}/../../fixtures/spark/{version}/casts.json", env!("CARGO_MANIFEST_DIR"));
        let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        fixture["casts"].as_array().unwrap().clone()
    }

    /// A value as `fixtures/spark/casts.py` shows it.
    fn shown(column: &ArrayRef, row: usize) -> Value {
        if column.is_null(row) {
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
            DataType::Float32 => number(f64::from(column.as_primitive::<Float32Type>().value(row))),
            DataType::Float64 => number(column.as_primitive::<Float64Type>().value(row)),
            DataType::Date32 => json!(column.as_primitive::<Date32Type>().value(row)),
            DataType::Timestamp(..) => json!(column.as_primitive::<TimestampMicrosecondType>().value(row)),
            DataType::Decimal128(..) => json!(column.as_primitive::<Decimal128Type>().value_as_string(row)),
            DataType::Utf8 => json!({"text": column.as_string::<i32>().value(row)}),
            _ => convert::shown(column, row).parse().unwrap(),
        }
    }

    /// The cases that the documentation of [`Cast`] leaves out.
    fn is_left_out(given: &str, to: &DataType) -> bool {
        let is_time = matches!(to, DataType::Timestamp(..));
        let beyond_our_calendar = given == "99999" && (is_time || *to == DataType::Date32);
        (given == "04:05:06" && is_time)
            || (given == "\u{661}" && matches!(to, DataType::Decimal128(..)))
            || beyond_our_calendar
    }

    #[track_caller]
    fn check(version: SparkVersion) {
        let entries = fixture(version);
        let rules = CastRules::of(version);
        let mut n_checked = 0;
        for entry in entries.iter().filter(|entry| entry.get("to").is_some()) {
            let (from, to) = (entry["from"].as_str().unwrap(), entry["to"].as_str().unwrap());
            let (from, to) = (parse_type(from).unwrap(), parse_type(to).unwrap());
            assert_eq!(convert::check(&from, &to, &rules).is_err(), entry.get("refused").is_some(), "{entry}");
            if entry.get("refused").is_some() {
                continue;
            }
            let given = entries.iter().find(|other| other.get("given").is_some() && other["from"] == entry["from"]);
            let given: Vec<&str> =
                given.unwrap()["given"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
            // What Spark shows of the values that were cast reads back as these values.
            let text: ArrayRef = Arc::new(StringArray::from(given.clone()));
            let source = convert::cast_column(&text, &from, &CastRules::of(SparkVersion::V3_5));
            let result = convert::cast_column(&source, &to, &rules);
            for (row, expected) in entry["values"].as_array().unwrap().iter().enumerate() {
                if !is_left_out(given[row], &to) {
                    let expected = if expected == "error" { &Value::Null } else { expected };
                    let case = format!("{version}: {:?} {} to {}", given[row], type_name(&from), type_name(&to));
                    assert_eq!(shown(&result, row), *expected, "{case}");
                    n_checked += 1;
                }
            }
        }
        assert!(n_checked > 1500, "{n_checked} values were compared");
    }

    #[test]
    fn values_become_what_spark_3_5_makes_of_them() {
        check(SparkVersion::V3_5);
    }

    #[test]
    fn values_become_what_spark_4_3_makes_of_them_or_fail() {
        check(SparkVersion::V4_3);
    }

    #[test]
    fn spark_2_4_does_not_look_through_blanks() {
        let text: ArrayRef = Arc::new(StringArray::from(vec!["1", " 1"]));
        let cast = |version| convert::cast_column(&text, &DataType::Int32, &CastRules::of(version)).null_count();
        assert_eq!((cast(SparkVersion::V2_4), cast(SparkVersion::V3_5)), (1, 0));
    }

    #[test]
    fn a_cast_column_loses_its_meaning_and_others_keep_theirs() {
        let input = Arc::new(parse_ddl("a INT NOT NULL COMMENT 'x', b INT NOT NULL COMMENT 'y'").unwrap());
        let bound =
            Cast { columns: vec![("A".to_owned(), DataType::Float64)] }.bind(&input, SparkVersion::V3_5).unwrap();
        assert_eq!(*bound.output_schema, parse_ddl("a DOUBLE, b INT NOT NULL COMMENT 'y'").unwrap());
    }

    #[test]
    fn nulls_are_cast_to_nulls_under_all_rules() {
        let input = Arc::new(parse_ddl("a VOID, b STRING").unwrap());
        let columns = ["a", "b"].map(|name| (name.to_owned(), DataType::Int32));
        let bound = Cast { columns: columns.into() }.bind(&input, SparkVersion::V4_3).unwrap();
        let text: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>, Some("1")]));
        let rows = RecordBatch::try_new(input, vec![Arc::new(arrow_array::NullArray::new(2)), text]).unwrap();
        let outcome = bound.apply(rows);
        assert_eq!((outcome.fates.n_kept(), outcome.rows.column(0).null_count()), (2, 2));
    }

    #[test]
    fn a_cast_that_spark_has_not_is_refused() {
        let input = Arc::new(parse_ddl("a DATE, b ARRAY<INT>").unwrap());
        let refused = |name: &str, to: DataType, version| {
            let error = Cast { columns: vec![(name.to_owned(), to)] }.bind(&input, version).err();
            error.map(|error| error.to_string())
        };
        let message = |text: &str| Some(text.to_owned());
        assert_eq!(refused("a", DataType::Int32, SparkVersion::V3_5), None);
        let date = "column `a` cannot be cast: date to int";
        assert_eq!(refused("a", DataType::Int32, SparkVersion::V4_3), message(date));
        let array = "column `b` cannot be cast: array<int> to string";
        assert_eq!(refused("b", DataType::Utf8, SparkVersion::V3_5), message(array));
    }
}
