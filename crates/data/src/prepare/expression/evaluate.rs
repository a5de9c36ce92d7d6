//! Values of a [`Bound`] expression, row by row: AND, OR and CASE look at what they need and no further, so that a branch that
//! is not taken cannot fail, as in Spark.

use std::borrow::Cow;
use std::cmp::Ordering;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;
use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};

use super::bind::{Bound, Node};
use super::function::{Function, Part};
use super::{Binary, Comparison, Unary};
use crate::codec::number::{double_to_spark_string, parse_decimal, parse_double, parse_float};
use crate::order::compare_floats;
use crate::prepare::cast::{CastRules, cast, to_text};
use crate::prepare::value::{Reader, Value, collect, reader};
use crate::schema::type_name;

/// Why an expression has no value in a row, under ANSI rules.
type Failure = String;

/// For each row why it failed, if it did.
pub(in crate::prepare) type Failures = Vec<Option<Failure>>;

impl Bound {
    /// The type of the values.
    pub(in crate::prepare) fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// The values in all rows of a batch that has the columns to which the expression is bound.
    ///
    /// A row that fails gets null, and its reason in `failures` unless there is one already.
    pub(in crate::prepare) fn evaluate(
        &self,
        rows: &RecordBatch,
        rules: &CastRules,
        failures: &mut Failures,
    ) -> ArrayRef {
        let mut readers: Vec<Option<Reader<'_>>> = rows.columns().iter().map(|_| None).collect();
        self.for_each_column(&mut |position| {
            readers[position].get_or_insert_with(|| reader(rows.column(position).as_ref()));
        });
        let values = (0..rows.num_rows()).map(|row_idx| {
            let row = Row { readers: &readers, row_idx, rules };
            self.value(&row).unwrap_or_else(|failure| {
                failures[row_idx].get_or_insert(failure);
                None
            })
        });
        collect(values, &self.data_type)
    }

    fn for_each_column(&self, visit: &mut dyn FnMut(usize)) {
        match &self.node {
            Node::Column(position) => visit(*position),
            Node::Constant(_) => {}
            Node::Cast(value) | Node::Unary(_, value) | Node::Like(value, _) => value.for_each_column(visit),
            Node::Or(left, right)
            | Node::And(left, right)
            | Node::Compare(_, left, right)
            | Node::Arithmetic(_, left, right) => {
                left.for_each_column(visit);
                right.for_each_column(visit);
            }
            Node::In(value, list) => {
                value.for_each_column(visit);
                list.iter().for_each(|item| item.for_each_column(visit));
            }
            Node::Case(branches, otherwise) => {
                for (condition, result) in branches {
                    condition.for_each_column(visit);
                    result.for_each_column(visit);
                }
                otherwise.iter().for_each(|result| result.for_each_column(visit));
            }
            Node::Call(_, arguments) => arguments.iter().for_each(|argument| argument.for_each_column(visit)),
        }
    }

    fn value<'a>(&'a self, row: &Row<'a, '_>) -> Result<Option<Value<'a>>, Failure> {
        match &self.node {
            Node::Column(position) => {
                Ok(row.readers[*position].as_ref().expect("every column has its reader")(row.row_idx))
            }
            Node::Constant(value) => Ok(value.clone()),
            Node::Cast(value) => {
                let Some(value) = value.value(row)? else { return Ok(None) };
                match cast(&value, &self.data_type, row.rules) {
                    None if row.rules.ansi => {
                        Err(format!("cannot be cast to {}: {}", type_name(&self.data_type), to_text(&value)))
                    }
                    cast => Ok(cast),
                }
            }
            Node::Unary(operator, value) => self.unary(*operator, value.value(row)?, row.rules),
            Node::Or(left, right) => either(true, left.truth(row)?, || right.truth(row)),
            Node::And(left, right) => either(false, left.truth(row)?, || right.truth(row)),
            Node::Compare(comparison, left, right) => {
                let answer = compared(*comparison, left.value(row)?.as_ref(), right.value(row)?.as_ref());
                Ok(answer.map(Value::Boolean))
            }
            Node::Arithmetic(operator, left, right) => match (left.value(row)?, right.value(row)?) {
                (Some(left), Some(right)) => self.arithmetic(*operator, &left, &right, row.rules),
                _ => Ok(None),
            },
            Node::In(value, list) => {
                let Some(value) = value.value(row)? else { return Ok(None) };
                let mut answer = Some(false);
                for item in list {
                    match item.value(row)? {
                        Some(item) if compare(&value, &item).is_eq() => return Ok(Some(Value::Boolean(true))),
                        Some(_) => {}
                        None => answer = None,
                    }
                }
                Ok(answer.map(Value::Boolean))
            }
            Node::Like(value, pattern) => {
                let Some(value) = value.value(row)? else { return Ok(None) };
                Ok(Some(Value::Boolean(is_like(&to_text(&value), pattern))))
            }
            Node::Case(branches, otherwise) => {
                for (condition, result) in branches {
                    if condition.truth(row)? == Some(true) {
                        return result.value(row);
                    }
                }
                otherwise.as_ref().map_or(Ok(None), |result| result.value(row))
            }
            Node::Call(function, arguments) => self.call(*function, arguments, row),
        }
    }

    fn truth<'a>(&'a self, row: &Row<'a, '_>) -> Result<Option<bool>, Failure> {
        Ok(match self.value(row)? {
            Some(Value::Boolean(value)) => Some(value),
            _ => None,
        })
    }

    fn unary<'a>(
        &self,
        operator: Unary,
        value: Option<Value<'a>>,
        rules: &CastRules,
    ) -> Result<Option<Value<'a>>, Failure> {
        Ok(match (operator, value) {
            (Unary::IsNull, value) => Some(Value::Boolean(value.is_none())),
            (Unary::IsTrue, value) => Some(Value::Boolean(value == Some(Value::Boolean(true)))),
            (Unary::IsFalse, value) => Some(Value::Boolean(value == Some(Value::Boolean(false)))),
            (Unary::Not, Some(Value::Boolean(value))) => Some(Value::Boolean(!value)),
            (Unary::Negate, Some(Value::Long(value))) => Some(self.whole(-i128::from(value), rules)?),
            (Unary::Negate, Some(Value::Float(value))) => Some(Value::Float(-value)),
            (Unary::Negate, Some(Value::Double(value))) => Some(Value::Double(-value)),
            (Unary::Negate, Some(Value::Decimal(unscaled, scale))) => Some(Value::Decimal(-unscaled, scale)),
            _ => None,
        })
    }

    fn arithmetic<'a>(
        &self,
        operator: Binary,
        left: &Value<'_>,
        right: &Value<'_>,
        rules: &CastRules,
    ) -> Result<Option<Value<'a>>, Failure> {
        let is_division = matches!(operator, Binary::Divide | Binary::Remainder | Binary::WholeDivide);
        let is_zero = match right {
            Value::Long(right) => *right == 0,
            Value::Float(right) => *right == 0.0,
            Value::Double(right) => *right == 0.0,
            _ => false,
        };
        if is_division && is_zero {
            return if rules.ansi { Err("division by zero".to_owned()) } else { Ok(None) };
        }
        Ok(match (left, right) {
            (Value::Long(left), Value::Long(right)) => {
                let (left, right) = (i128::from(*left), i128::from(*right));
                let exact = match operator {
                    Binary::Add => left + right,
                    Binary::Subtract => left - right,
                    Binary::Multiply => left * right,
                    Binary::Remainder => left % right,
                    _ => left / right,
                };
                Some(self.whole(exact, rules)?)
            }
            (Value::Float(left), Value::Float(right)) => Some(Value::Float(match operator {
                Binary::Add => left + right,
                Binary::Subtract => left - right,
                Binary::Multiply => left * right,
                _ => left % right,
            })),
            (Value::Double(left), Value::Double(right)) => Some(Value::Double(match operator {
                Binary::Add => left + right,
                Binary::Subtract => left - right,
                Binary::Multiply => left * right,
                Binary::Remainder => left % right,
                _ => left / right,
            })),
            _ => None,
        })
    }

    /// An integer in the type of this node: what does not fit wraps around, or fails under ANSI rules.
    fn whole<'a>(&self, exact: i128, rules: &CastRules) -> Result<Value<'a>, Failure> {
        let wrapped = match self.data_type {
            DataType::Int8 => i64::from(exact as i8),
            DataType::Int16 => i64::from(exact as i16),
            DataType::Int32 => i64::from(exact as i32),
            _ => exact as i64,
        };
        if rules.ansi && i128::from(wrapped) != exact {
            return Err(format!("arithmetic overflow of {}: {exact}", type_name(&self.data_type)));
        }
        Ok(Value::Long(wrapped))
    }

    fn call<'a>(
        &'a self,
        function: Function,
        arguments: &'a [Bound],
        row: &Row<'a, '_>,
    ) -> Result<Option<Value<'a>>, Failure> {
        match function {
            Function::Coalesce => {
                for argument in arguments {
                    if let Some(value) = argument.value(row)? {
                        return Ok(Some(value));
                    }
                }
                return Ok(None);
            }
            Function::Greatest | Function::Least => {
                let wanted = if function == Function::Greatest { Ordering::Greater } else { Ordering::Less };
                let mut best: Option<Value<'a>> = None;
                for argument in arguments {
                    let Some(value) = argument.value(row)? else { continue };
                    if best.as_ref().is_none_or(|best| compare(&value, best) == wanted) {
                        best = Some(value);
                    }
                }
                return Ok(best);
            }
            // The only one that is false for null.
            Function::IsNan => {
                let is_nan = matches!(arguments[0].value(row)?, Some(Value::Double(value)) if value.is_nan());
                return Ok(Some(Value::Boolean(is_nan)));
            }
            Function::NanVl => {
                let Some(value) = arguments[0].value(row)? else { return Ok(None) };
                let is_nan = matches!(value, Value::Double(value) if value.is_nan());
                return if is_nan { arguments[1].value(row) } else { Ok(Some(value)) };
            }
            _ => {}
        }
        let mut values = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let Some(value) = argument.value(row)? else { return Ok(None) };
            values.push(value);
        }
        self.of_values(function, values, row.rules)
    }

    /// A function of values of which none is null.
    fn of_values<'a>(
        &self,
        function: Function,
        mut values: Vec<Value<'a>>,
        rules: &CastRules,
    ) -> Result<Option<Value<'a>>, Failure> {
        let text = |text: String| Some(Value::Text(Cow::Owned(text)));
        Ok(match (function, &values[..]) {
            (Function::Math(math), [Value::Double(x)]) => math.apply(*x).map(Value::Double),
            (Function::Power, [Value::Double(x), Value::Double(y)]) => Some(Value::Double(x.powf(*y))),
            (Function::Abs, [Value::Long(value)]) => Some(self.whole(i128::from(*value).abs(), rules)?),
            (Function::Abs, [Value::Float(value)]) => Some(Value::Float(value.abs())),
            (Function::Abs, [Value::Double(value)]) => Some(Value::Double(value.abs())),
            (Function::Floor, [Value::Double(x)]) => Some(self.narrowed(x.floor(), rules)?),
            (Function::Ceil, [Value::Double(x)]) => Some(self.narrowed(x.ceil(), rules)?),
            (Function::Round(decimals), [Value::Long(value)]) => {
                Some(self.whole(round_whole(*value, decimals), rules)?)
            }
            (Function::Round(decimals), [Value::Double(x)]) => {
                Some(Value::Double(rounded(&double_to_spark_string(*x), decimals).map_or(*x, |(x, _)| x)))
            }
            (Function::Round(decimals), [value @ Value::Float(x)]) => {
                Some(Value::Float(rounded(&to_text(value), decimals).map_or(*x, |(_, x)| x)))
            }
            (Function::Lower, [Value::Text(value)]) => text(value.to_lowercase()),
            (Function::Upper, [Value::Text(value)]) => text(value.to_uppercase()),
            (Function::Trim { left, right }, [Value::Text(value)]) => {
                let value = if left { value.trim_start_matches(' ') } else { value };
                text(if right { value.trim_end_matches(' ') } else { value }.to_owned())
            }
            (Function::Length, [Value::Text(value)]) => Some(Value::Long(value.chars().count() as i64)),
            (Function::Concat, values) => text(values.iter().map(to_text).collect()),
            (Function::Substring, [Value::Text(value), Value::Long(start), length @ ..]) => {
                let length = if let [Value::Long(length)] = length { *length } else { i64::MAX };
                text(substring(value, *start, length))
            }
            (Function::Part(part), [value]) => part_of(part, value).map(|part| Value::Long(part.into())),
            _ => values.pop(),
        })
    }

    /// A double that is whole, as a long; NaN is 0 under all rules.
    fn narrowed<'a>(&self, whole: f64, rules: &CastRules) -> Result<Value<'a>, Failure> {
        let whole = if whole.is_nan() { 0.0 } else { whole };
        let long = cast(&Value::Double(whole), &DataType::Int64, rules);
        long.ok_or_else(|| format!("arithmetic overflow of bigint: {}", double_to_spark_string(whole)))
    }
}

/// Where an expression is evaluated.
struct Row<'a, 'r> {
    readers: &'r [Option<Reader<'a>>],
    row_idx: usize,
    rules: &'r CastRules,
}

/// AND and OR: `decisive` is the answer that one side alone can give.
fn either<'a>(
    decisive: bool,
    left: Option<bool>,
    right: impl FnOnce() -> Result<Option<bool>, Failure>,
) -> Result<Option<Value<'a>>, Failure> {
    if left == Some(decisive) {
        return Ok(Some(Value::Boolean(decisive)));
    }
    Ok(match (left, right()?) {
        (_, Some(right)) if right == decisive => Some(Value::Boolean(decisive)),
        (Some(_), Some(_)) => Some(Value::Boolean(!decisive)),
        _ => None,
    })
}

fn compared(comparison: Comparison, left: Option<&Value<'_>>, right: Option<&Value<'_>>) -> Option<bool> {
    let (Some(left), Some(right)) = (left, right) else {
        return (comparison == Comparison::EqualNullSafe).then(|| left.is_none() && right.is_none());
    };
    let order = compare(left, right);
    Some(match comparison {
        Comparison::Equal | Comparison::EqualNullSafe => order.is_eq(),
        Comparison::NotEqual => order.is_ne(),
        Comparison::Less => order.is_lt(),
        Comparison::LessOrEqual => order.is_le(),
        Comparison::Greater => order.is_gt(),
        Comparison::GreaterOrEqual => order.is_ge(),
    })
}

/// Two values of one type.
fn compare(left: &Value<'_>, right: &Value<'_>) -> Ordering {
    match (left, right) {
        (Value::Boolean(left), Value::Boolean(right)) => left.cmp(right),
        (Value::Long(left), Value::Long(right)) => left.cmp(right),
        (Value::Float(left), Value::Float(right)) => compare_floats(*left, *right, f32::is_nan),
        (Value::Double(left), Value::Double(right)) => compare_floats(*left, *right, f64::is_nan),
        (Value::Decimal(left, _), Value::Decimal(right, _)) => left.cmp(right),
        (Value::Text(left), Value::Text(right)) => left.as_bytes().cmp(right.as_bytes()),
        (Value::Date(left), Value::Date(right)) => left.cmp(right),
        (Value::Timestamp(left), Value::Timestamp(right)) => left.cmp(right),
        _ => unreachable!("values are compared in one type"),
    }
}

/// Whether a text matches a pattern: `%` any characters, `_` one, a backslash takes the next one as it is.
fn is_like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut wanted = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        wanted.push(match c {
            '%' => Wanted::Any,
            '_' => Wanted::One,
            '\\' => Wanted::This(chars.next().unwrap_or('\\')),
            c => Wanted::This(c),
        });
    }
    // Greedy, with one place to return to: the last `%`.
    let (mut at, mut next, mut last_any) = (0, 0, None);
    while at < text.len() {
        match wanted.get(next) {
            Some(Wanted::Any) => {
                last_any = Some((next, at));
                next += 1;
            }
            Some(wanted) if *wanted == Wanted::One || *wanted == Wanted::This(text[at]) => {
                at += 1;
                next += 1;
            }
            _ => match &mut last_any {
                Some((any, taken)) => {
                    *taken += 1;
                    (at, next) = (*taken, *any + 1);
                }
                None => return false,
            },
        }
    }
    wanted[next..].iter().all(|wanted| *wanted == Wanted::Any)
}

#[derive(PartialEq)]
enum Wanted {
    Any,
    One,
    This(char),
}

/// The number in `text` rounded half up, as a double and as a float; `None` when it is none or too long to matter.
fn rounded(text: &str, decimals: i32) -> Option<(f64, f32)> {
    let unscaled = parse_decimal(text.as_bytes(), 38, i8::try_from(decimals).ok()?)?;
    let text = format!("{unscaled}e{}", -decimals);
    Some((parse_double(text.as_bytes())?, parse_float(text.as_bytes())?))
}

fn round_whole(value: i64, decimals: i32) -> i128 {
    let value = i128::from(value);
    let Ok(n_zeros) = u32::try_from(-i64::from(decimals)) else { return value };
    // Beyond 20 digits nothing is left of a long.
    let unit = 10_i128.pow(n_zeros.min(20));
    (value.abs() + unit / 2) / unit * unit * value.signum()
}

/// Characters from `start` on, counted from 1, or from the end when negative.
fn substring(text: &str, start: i64, length: i64) -> String {
    let n_chars = text.chars().count() as i64;
    let start = match start {
        0 => 0,
        start if start > 0 => start - 1,
        start => n_chars + start,
    };
    let end = start.saturating_add(length);
    let n_skipped = start.max(0);
    text.chars().skip(n_skipped as usize).take((end - n_skipped).max(0) as usize).collect()
}

fn part_of(part: Part, value: &Value<'_>) -> Option<i32> {
    let time: NaiveDateTime = match value {
        Value::Date(days) => DateTime::from_timestamp(i64::from(*days) * 86_400, 0)?.naive_utc(),
        Value::Timestamp(micros) => DateTime::from_timestamp_micros(*micros)?.naive_utc(),
        _ => return None,
    };
    let number = match part {
        Part::Year => return Some(time.year()),
        Part::Month => time.month(),
        Part::Day => time.day(),
        Part::Hour => time.hour(),
        Part::Minute => time.minute(),
        Part::Second => time.second(),
    };
    i32::try_from(number).ok()
}
