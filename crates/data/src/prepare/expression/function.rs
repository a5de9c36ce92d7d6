//! The functions of expressions.

use arrow_schema::DataType;

use super::bind::{Binder, Bound, Node, case_of, cast, is_integer, is_number, types_error};
use super::{Comparison, Expression, ExpressionError, Literal, Unary};
use crate::prepare::cast::check;
use crate::schema::timestamp_type;

/// The names of all functions, as users write them.
pub(in crate::prepare) const FUNCTIONS: [&str; 44] = [
    "abs",
    "ceil",
    "ceiling",
    "char_length",
    "coalesce",
    "concat",
    "day",
    "dayofmonth",
    "exp",
    "floor",
    "greatest",
    "hour",
    "if",
    "ifnull",
    "isnan",
    "isnotnull",
    "isnull",
    "lcase",
    "least",
    "length",
    "ln",
    "log",
    "log10",
    "log1p",
    "log2",
    "lower",
    "ltrim",
    "minute",
    "month",
    "nanvl",
    "nullif",
    "nvl",
    "pow",
    "power",
    "round",
    "rtrim",
    "second",
    "sign",
    "signum",
    "sqrt",
    "substring",
    "trim",
    "upper",
    "year",
];

/// A function whose arguments have the types that it works on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Function {
    /// A double to a double, or to null.
    Math(Math),
    Power,
    IsNan,
    Coalesce,
    NanVl,
    Abs,
    Floor,
    Ceil,
    /// To so many decimals, half up.
    Round(i32),
    Lower,
    Upper,
    Trim {
        left: bool,
        right: bool,
    },
    Length,
    Concat,
    Greatest,
    Least,
    Substring,
    Part(Part),
}

/// Functions of one double.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Math {
    Sqrt,
    Exp,
    Ln,
    Log2,
    Log10,
    Log1p,
    Sign,
}

impl Math {
    /// Null where the logarithm is not defined, as in Spark.
    pub(super) fn apply(self, x: f64) -> Option<f64> {
        match self {
            Math::Sqrt => Some(x.sqrt()),
            Math::Exp => Some(x.exp()),
            Math::Sign if x == 0.0 || x.is_nan() => Some(x),
            Math::Sign => Some(x.signum()),
            Math::Log1p if x <= -1.0 => None,
            Math::Log1p => Some(x.ln_1p()),
            _ if x <= 0.0 => None,
            Math::Ln => Some(x.ln()),
            Math::Log2 => Some(x.log2()),
            Math::Log10 => Some(x.log10()),
        }
    }
}

/// Parts of a date or a time, in UTC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

/// Resolves a call: the function, its arguments cast to what it works on, and the type of its result.
pub(super) fn bind_call(binder: &Binder<'_>, name: &str, arguments: &[Expression]) -> Result<Bound, ExpressionError> {
    let count = |range: std::ops::RangeInclusive<usize>, expected: &'static str| {
        if range.contains(&arguments.len()) {
            return Ok(());
        }
        Err(ExpressionError::ArgumentCount { function: name.to_owned(), expected, found: arguments.len() })
    };
    if !FUNCTIONS.contains(&name) && name != "substr" && name != "ucase" {
        return Err(ExpressionError::UnknownFunction(name.to_owned()));
    }
    match name {
        "coalesce" | "concat" => count(1..=usize::MAX, "1 or more")?,
        "greatest" | "least" => count(2..=usize::MAX, "2 or more")?,
        "ifnull" | "nvl" | "nullif" | "nanvl" | "pow" | "power" => count(2..=2, "2")?,
        "round" => count(1..=2, "1 or 2")?,
        "substring" | "substr" => count(2..=3, "2 or 3")?,
        "if" => count(3..=3, "3")?,
        _ => count(1..=1, "1")?,
    }
    let bound = arguments.iter().map(|argument| binder.bind(argument)).collect::<Result<Vec<_>, _>>()?;
    let call =
        |function, arguments: Vec<Bound>, data_type| Ok(Bound { node: Node::Call(function, arguments), data_type });
    let math = |function| {
        let doubles = doubles(binder, name, bound.clone())?;
        call(Function::Math(function), doubles, DataType::Float64)
    };
    let text = |function, data_type| {
        let texts = bound.clone().into_iter().map(|value| binder.text(name, value));
        call(function, texts.collect::<Result<_, _>>()?, data_type)
    };
    let part = |part, of: DataType| {
        let value = bound[0].clone();
        if check(&value.data_type, &of, binder.rules).is_err() || is_number(&value.data_type) {
            return Err(types_error(name, &[&value.data_type]));
        }
        call(Function::Part(part), vec![cast(value, &of)], DataType::Int32)
    };
    match name {
        "sqrt" => math(Math::Sqrt),
        "exp" => math(Math::Exp),
        "ln" | "log" => math(Math::Ln),
        "log2" => math(Math::Log2),
        "log10" => math(Math::Log10),
        "log1p" => math(Math::Log1p),
        "sign" | "signum" => math(Math::Sign),
        "pow" | "power" => call(Function::Power, doubles(binder, name, bound)?, DataType::Float64),
        "isnan" => call(Function::IsNan, doubles(binder, name, bound)?, DataType::Boolean),
        "nanvl" => call(Function::NanVl, doubles(binder, name, bound)?, DataType::Float64),
        "isnull" => Ok(is_null(bound[0].clone())),
        "isnotnull" => Ok(not(is_null(bound[0].clone()))),
        "coalesce" | "ifnull" | "nvl" | "greatest" | "least" => {
            let function = match name {
                "greatest" => Function::Greatest,
                "least" => Function::Least,
                _ => Function::Coalesce,
            };
            let values = binder.without_text_beside_others(name, bound)?;
            let data_type = values[0].data_type.clone();
            call(function, values, data_type)
        }
        "if" => {
            let mut values = bound;
            let condition = binder.condition(name, values.remove(0))?;
            Ok(case_of(vec![condition], binder.without_text_beside_others(name, values)?))
        }
        "nullif" => {
            let [left, right] = [0, 1].map(|position| Box::new(arguments[position].clone()));
            let equal = Expression::Binary(super::Binary::Compare(Comparison::Equal), left, right);
            let null = Bound { node: Node::Constant(None), data_type: bound[0].data_type.clone() };
            Ok(case_of(vec![binder.bind(&equal)?], vec![null, bound[0].clone()]))
        }
        "abs" | "round" => {
            let data_type = bound[0].data_type.clone();
            if !is_number(&data_type) || matches!(data_type, DataType::Decimal128(..)) {
                return Err(types_error(name, &[&data_type]));
            }
            let function = if name == "abs" { Function::Abs } else { Function::Round(decimals(arguments.get(1))?) };
            call(function, vec![bound[0].clone()], data_type)
        }
        "floor" | "ceil" | "ceiling" => {
            if is_integer(&bound[0].data_type) {
                return Ok(cast(bound[0].clone(), &DataType::Int64));
            }
            let function = if name == "floor" { Function::Floor } else { Function::Ceil };
            call(function, doubles(binder, name, bound)?, DataType::Int64)
        }
        "lower" | "lcase" => text(Function::Lower, DataType::Utf8),
        "upper" | "ucase" => text(Function::Upper, DataType::Utf8),
        "trim" => text(Function::Trim { left: true, right: true }, DataType::Utf8),
        "ltrim" => text(Function::Trim { left: true, right: false }, DataType::Utf8),
        "rtrim" => text(Function::Trim { left: false, right: true }, DataType::Utf8),
        "length" | "char_length" => text(Function::Length, DataType::Int32),
        "concat" => text(Function::Concat, DataType::Utf8),
        "substring" | "substr" => {
            let mut values = bound;
            for position in &mut values[1..] {
                if !is_integer(&position.data_type) {
                    return Err(types_error(name, &[&position.data_type]));
                }
                *position = cast(position.clone(), &DataType::Int32);
            }
            values[0] = binder.text(name, values[0].clone())?;
            call(Function::Substring, values, DataType::Utf8)
        }
        "year" => part(Part::Year, DataType::Date32),
        "month" => part(Part::Month, DataType::Date32),
        "day" | "dayofmonth" => part(Part::Day, DataType::Date32),
        "hour" => part(Part::Hour, timestamp_type()),
        "minute" => part(Part::Minute, timestamp_type()),
        _ => part(Part::Second, timestamp_type()),
    }
}

/// The arguments as doubles: numbers and text.
fn doubles(binder: &Binder<'_>, name: &str, values: Vec<Bound>) -> Result<Vec<Bound>, ExpressionError> {
    let double = |value: Bound| {
        let can_be = is_number(&value.data_type) || matches!(value.data_type, DataType::Utf8 | DataType::Null);
        if !can_be || check(&value.data_type, &DataType::Float64, binder.rules).is_err() {
            return Err(types_error(name, &[&value.data_type]));
        }
        Ok(cast(value, &DataType::Float64))
    };
    values.into_iter().map(double).collect()
}

/// The second argument of `round`, an integer as it stands.
fn decimals(argument: Option<&Expression>) -> Result<i32, ExpressionError> {
    match argument {
        None => Ok(0),
        Some(Expression::Literal(Literal::Int(decimals))) => Ok(*decimals),
        Some(_) => {
            Err(ExpressionError::Types { operation: "round".to_owned(), types: "decimals that vary".to_owned() })
        }
    }
}

fn is_null(value: Bound) -> Bound {
    Bound { node: Node::Unary(Unary::IsNull, Box::new(value)), data_type: DataType::Boolean }
}

fn not(value: Bound) -> Bound {
    Bound { node: Node::Unary(Unary::Not, Box::new(value)), data_type: DataType::Boolean }
}
