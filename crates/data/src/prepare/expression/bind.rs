//! Columns and types for an [`Expression`], and the casts that Spark puts in between.

use arrow_schema::{DataType, Schema};

use super::function::{Function, bind_call};
use super::{Binary, Comparison, Expression, ExpressionError, Literal, Unary};
use crate::prepare::cast::{CastRules, check};
use crate::prepare::resolve;
use crate::prepare::value::{Value, is_readable};
use crate::schema::{timestamp_type, type_name};

/// An expression whose columns and types are resolved.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::prepare) struct Bound {
    pub(super) node: Node,
    pub(super) data_type: DataType,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Column(usize),
    Constant(Option<Value<'static>>),
    /// To the type of the node.
    Cast(Box<Bound>),
    Unary(Unary, Box<Bound>),
    Or(Box<Bound>, Box<Bound>),
    And(Box<Bound>, Box<Bound>),
    /// Of two values of one type.
    Compare(Comparison, Box<Bound>, Box<Bound>),
    /// Of two numbers of the node's own type.
    Arithmetic(Binary, Box<Bound>, Box<Bound>),
    /// Of values of one type.
    In(Box<Bound>, Vec<Bound>),
    Like(Box<Bound>, String),
    /// Results have the node's own type.
    Case(Vec<(Bound, Bound)>, Option<Box<Bound>>),
    Call(Function, Vec<Bound>),
}

/// Resolves an expression against the columns of a schema.
pub(in crate::prepare) fn bind(
    expression: &Expression,
    schema: &Schema,
    rules: &CastRules,
) -> Result<Bound, ExpressionError> {
    Binder { schema, rules }.bind(expression)
}

pub(super) struct Binder<'a> {
    schema: &'a Schema,
    pub(super) rules: &'a CastRules,
}

impl Binder<'_> {
    pub(super) fn bind(&self, expression: &Expression) -> Result<Bound, ExpressionError> {
        match expression {
            Expression::Column(name) => {
                let position = resolve(self.schema, name)?;
                let data_type = self.schema.field(position).data_type().clone();
                if !is_readable(&data_type) {
                    return Err(types_error(name, &[&data_type]));
                }
                Ok(Bound { node: Node::Column(position), data_type })
            }
            Expression::Literal(literal) => Ok(constant(literal)),
            Expression::Cast(value, to) => {
                let value = self.bind(value)?;
                if check(&value.data_type, to, self.rules).is_err() {
                    return Err(types_error(&format!("CAST AS {}", type_name(to)), &[&value.data_type]));
                }
                Ok(cast(value, to))
            }
            Expression::Unary(operator, value) => self.unary(*operator, value),
            Expression::Binary(operator, left, right) => self.binary(*operator, left, right),
            Expression::In { value, list } => {
                let values = std::iter::once(&**value).chain(list).map(|item| self.bind(item));
                let mut values = self.of_one_type("IN", values.collect::<Result<_, _>>()?)?;
                let value = values.remove(0);
                Ok(Bound { node: Node::In(Box::new(value), values), data_type: DataType::Boolean })
            }
            Expression::Like { value, pattern } => {
                let value = self.text("LIKE", self.bind(value)?)?;
                Ok(Bound { node: Node::Like(Box::new(value), pattern.clone()), data_type: DataType::Boolean })
            }
            Expression::Case { branches, otherwise } => self.case(branches, otherwise.as_deref()),
            Expression::Call(name, arguments) => bind_call(self, name, arguments),
        }
    }

    fn unary(&self, operator: Unary, value: &Expression) -> Result<Bound, ExpressionError> {
        let value = self.bind(value)?;
        let (value, data_type) = match operator {
            Unary::Not => (self.condition("NOT", value)?, DataType::Boolean),
            Unary::IsTrue | Unary::IsFalse => (self.condition("IS", value)?, DataType::Boolean),
            Unary::IsNull => (value, DataType::Boolean),
            Unary::Negate if is_number(&value.data_type) => {
                let data_type = value.data_type.clone();
                (value, data_type)
            }
            Unary::Negate => return Err(types_error("-", &[&value.data_type])),
        };
        Ok(Bound { node: Node::Unary(operator, Box::new(value)), data_type })
    }

    fn binary(&self, operator: Binary, left: &Expression, right: &Expression) -> Result<Bound, ExpressionError> {
        let (left, right) = (self.bind(left)?, self.bind(right)?);
        let boxed = |left, right| (Box::new(left), Box::new(right));
        Ok(match operator {
            Binary::Or => {
                let (left, right) = boxed(self.condition("OR", left)?, self.condition("OR", right)?);
                Bound { node: Node::Or(left, right), data_type: DataType::Boolean }
            }
            Binary::And => {
                let (left, right) = boxed(self.condition("AND", left)?, self.condition("AND", right)?);
                Bound { node: Node::And(left, right), data_type: DataType::Boolean }
            }
            Binary::Compare(comparison) => {
                let (left, right) = boxed_pair(self.of_one_type("comparison", vec![left, right])?);
                Bound { node: Node::Compare(comparison, left, right), data_type: DataType::Boolean }
            }
            Binary::Concat => {
                let parts = [left, right].into_iter().map(|part| self.text("||", part));
                let node = Node::Call(Function::Concat, parts.collect::<Result<_, _>>()?);
                Bound { node, data_type: DataType::Utf8 }
            }
            Binary::Add
            | Binary::Subtract
            | Binary::Multiply
            | Binary::Divide
            | Binary::Remainder
            | Binary::WholeDivide => self.arithmetic(operator, left, right)?,
        })
    }

    fn arithmetic(&self, operator: Binary, left: Bound, right: Bound) -> Result<Bound, ExpressionError> {
        let sign = match operator {
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Remainder => "%",
            _ => "DIV",
        };
        let wrong_types = || types_error(sign, &[&left.data_type, &right.data_type]);
        let common = self.common_number(&left.data_type, &right.data_type).ok_or_else(wrong_types)?;
        let data_type = match operator {
            Binary::Divide => DataType::Float64,
            Binary::WholeDivide if !is_integer(&common) => return Err(wrong_types()),
            Binary::WholeDivide => DataType::Int64,
            _ => common,
        };
        let (left, right) = (Box::new(cast(left, &data_type)), Box::new(cast(right, &data_type)));
        Ok(Bound { node: Node::Arithmetic(operator, left, right), data_type })
    }

    /// The type in which two operands of arithmetic meet.
    fn common_number(&self, a: &DataType, b: &DataType) -> Option<DataType> {
        let as_number = |this: &DataType, other: &DataType| match this {
            DataType::Null => Some(other.clone()).filter(is_number),
            DataType::Utf8 if is_integer(other) && self.rules.ansi => Some(DataType::Int64),
            DataType::Utf8 if is_number(other) => Some(DataType::Float64),
            number => Some(number.clone()).filter(is_number),
        };
        let common = self.wider_number(&as_number(a, b)?, &as_number(b, a)?)?;
        (!matches!(common, DataType::Decimal128(..))).then_some(common)
    }

    /// The wider of two types of numbers. A decimal gives way to doubles and floats, and takes integers in.
    fn wider_number(&self, a: &DataType, b: &DataType) -> Option<DataType> {
        let rank = |data_type: &DataType| {
            let ranked = [
                DataType::Int8,
                DataType::Int16,
                DataType::Int32,
                DataType::Int64,
                DataType::Float32,
                DataType::Float64,
            ];
            ranked.iter().position(|other| other == data_type)
        };
        match (a, b) {
            (DataType::Decimal128(_, a), DataType::Decimal128(_, b)) => Some(DataType::Decimal128(38, *a.max(b))),
            (DataType::Decimal128(_, scale), other) | (other, DataType::Decimal128(_, scale)) => match other {
                DataType::Float32 | DataType::Float64 => Some(DataType::Float64),
                other if is_integer(other) => Some(DataType::Decimal128(38, *scale)),
                _ => None,
            },
            _ => {
                let wider = if rank(a)? >= rank(b)? { a } else { b };
                // Under ANSI rules a float does not take in integers that it cannot hold exactly.
                let loses_digits = *wider == DataType::Float32
                    && [a, b].iter().any(|other| matches!(other, DataType::Int32 | DataType::Int64));
                Some(if loses_digits && self.rules.ansi { DataType::Float64 } else { wider.clone() })
            }
        }
    }

    /// The type in which two values are compared or chosen between.
    fn common(&self, a: &DataType, b: &DataType) -> Option<DataType> {
        match (a, b) {
            (a, b) if a == b => Some(a.clone()),
            (DataType::Null, other) | (other, DataType::Null) => Some(other.clone()),
            (DataType::Utf8, other) | (other, DataType::Utf8) => match other {
                other if is_integer(other) && self.rules.ansi => Some(DataType::Int64),
                other if is_integer(other) => Some(other.clone()),
                other if is_number(other) => Some(DataType::Float64),
                other => Some(other.clone()),
            },
            (DataType::Date32, DataType::Timestamp(..)) => Some(b.clone()),
            (DataType::Timestamp(..), DataType::Date32) => Some(a.clone()),
            (DataType::Timestamp(..), DataType::Timestamp(..)) => Some(timestamp_type()),
            (a, b) => self.wider_number(a, b),
        }
    }

    /// The same values, cast to the type in which they meet.
    pub(super) fn of_one_type(&self, operation: &str, values: Vec<Bound>) -> Result<Vec<Bound>, ExpressionError> {
        let types: Vec<&DataType> = values.iter().map(|value| &value.data_type).collect();
        let common = types.iter().try_fold(DataType::Null, |common, data_type| self.common(&common, data_type));
        let common = common.ok_or_else(|| types_error(operation, &types))?;
        Ok(values.into_iter().map(|value| cast(value, &common)).collect())
    }

    fn case(
        &self,
        branches: &[(Expression, Expression)],
        otherwise: Option<&Expression>,
    ) -> Result<Bound, ExpressionError> {
        let conditions = branches.iter().map(|(condition, _)| self.condition("CASE WHEN", self.bind(condition)?));
        let conditions = conditions.collect::<Result<Vec<_>, _>>()?;
        let results = branches.iter().map(|(_, result)| result).chain(otherwise).map(|result| self.bind(result));
        let results = self.without_text_beside_others("CASE", results.collect::<Result<_, _>>()?)?;
        Ok(case_of(conditions, results))
    }

    /// As [`of_one_type`](Self::of_one_type), for values that are chosen between: text and numbers do not mix there.
    pub(super) fn without_text_beside_others(
        &self,
        operation: &str,
        values: Vec<Bound>,
    ) -> Result<Vec<Bound>, ExpressionError> {
        let types: Vec<&DataType> = values.iter().map(|v| &v.data_type).filter(|t| **t != DataType::Null).collect();
        let n_texts = types.iter().filter(|data_type| ***data_type == DataType::Utf8).count();
        if n_texts > 0 && n_texts < types.len() {
            return Err(types_error(operation, &types));
        }
        self.of_one_type(operation, values)
    }

    pub(super) fn condition(&self, operation: &str, value: Bound) -> Result<Bound, ExpressionError> {
        match value.data_type {
            DataType::Boolean | DataType::Null => Ok(cast(value, &DataType::Boolean)),
            other => Err(types_error(operation, &[&other])),
        }
    }

    pub(super) fn text(&self, operation: &str, value: Bound) -> Result<Bound, ExpressionError> {
        match check(&value.data_type, &DataType::Utf8, self.rules) {
            Ok(()) => Ok(cast(value, &DataType::Utf8)),
            Err(_) => Err(types_error(operation, &[&value.data_type])),
        }
    }
}

/// The results behind their conditions; one more result is what ELSE gives.
pub(super) fn case_of(conditions: Vec<Bound>, mut results: Vec<Bound>) -> Bound {
    let data_type = results[0].data_type.clone();
    let otherwise = (results.len() > conditions.len()).then(|| results.pop()).flatten().map(Box::new);
    Bound { node: Node::Case(conditions.into_iter().zip(results).collect(), otherwise), data_type }
}

/// The value in another type, which it may have already.
pub(super) fn cast(value: Bound, to: &DataType) -> Bound {
    if value.data_type == *to {
        return value;
    }
    Bound { node: Node::Cast(Box::new(value)), data_type: to.clone() }
}

fn boxed_pair(values: Vec<Bound>) -> (Box<Bound>, Box<Bound>) {
    let [left, right] = <[Bound; 2]>::try_from(values).expect("two values come out when two go in");
    (Box::new(left), Box::new(right))
}

pub(super) fn is_integer(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64)
}

/// Whether arithmetic is possible, decimals aside.
pub(super) fn is_number(data_type: &DataType) -> bool {
    is_integer(data_type) || matches!(data_type, DataType::Float32 | DataType::Float64 | DataType::Decimal128(..))
}

pub(super) fn types_error(operation: &str, types: &[&DataType]) -> ExpressionError {
    let types: Vec<String> = types.iter().map(|data_type| type_name(data_type)).collect();
    ExpressionError::Types { operation: operation.to_owned(), types: types.join(", ") }
}

fn constant(literal: &Literal) -> Bound {
    let (value, data_type) = match literal {
        Literal::Null => (None, DataType::Null),
        Literal::Boolean(value) => (Some(Value::Boolean(*value)), DataType::Boolean),
        Literal::Byte(value) => (Some(Value::Long((*value).into())), DataType::Int8),
        Literal::Short(value) => (Some(Value::Long((*value).into())), DataType::Int16),
        Literal::Int(value) => (Some(Value::Long((*value).into())), DataType::Int32),
        Literal::Long(value) => (Some(Value::Long(*value)), DataType::Int64),
        Literal::Float(value) => (Some(Value::Float(*value)), DataType::Float32),
        Literal::Double(value) => (Some(Value::Double(*value)), DataType::Float64),
        Literal::Decimal { unscaled, precision, scale } => {
            (Some(Value::Decimal(*unscaled, *scale)), DataType::Decimal128(*precision, *scale))
        }
        Literal::Text(text) => (Some(Value::Text(text.clone().into())), DataType::Utf8),
        Literal::Date(days) => (Some(Value::Date(*days)), DataType::Date32),
        Literal::Timestamp(micros) => (Some(Value::Timestamp(*micros)), timestamp_type()),
    };
    Bound { node: Node::Constant(value), data_type }
}
