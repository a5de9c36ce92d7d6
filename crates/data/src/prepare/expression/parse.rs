//! Text to [`Expression`]: a descent by precedence, OR first.
//!
//! ```text
//! or        and (OR and)*
//! and       not (AND not)*
//! not       (NOT | !)* predicate
//! predicate sum [comparison sum | [NOT] IN (…) | [NOT] BETWEEN sum AND sum | [NOT] LIKE 'text' | IS [NOT] NULL|TRUE|FALSE|UNKNOWN]*
//! sum       product ((+ | - | ||) product)*
//! product   signed ((* | / | % | DIV) signed)*
//! signed    (- | +)* primary
//! primary   literal | column | function(…) | CASE … END | CAST(… AS type) | (or)
//! ```

use super::{Binary, Comparison, Expression, ExpressionError, Literal, Unary};
use crate::codec::datetime::{Zone, cast_date, cast_timestamp};
use crate::codec::number::{parse_decimal, parse_double, parse_float};
use crate::schema::parse_type;

/// How deep parentheses and the like may nest; deeper text was not written by a person.
const MAX_DEPTH: usize = 64;

/// How high the tree of an expression may be: a chain of additions is as high as it is long, and is worked on by recursion.
const MAX_HEIGHT: usize = 300;

/// How many words and signs an expression may have.
const MAX_TOKENS: usize = 16_384;

/// Words that are no column's name unless they stand between backquotes.
const KEY_WORDS: [&str; 19] = [
    "AND", "AS", "BETWEEN", "CASE", "CAST", "DIV", "ELSE", "END", "FALSE", "IN", "IS", "LIKE", "NOT", "NULL", "OR",
    "RLIKE", "THEN", "TRUE", "WHEN",
];

/// Functions that are casts.
const TYPE_FUNCTIONS: [&str; 12] = [
    "boolean",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "float",
    "double",
    "string",
    "date",
    "timestamp",
    "binary",
    "decimal",
];

/// The text of a condition: one expression.
pub(in crate::prepare) fn parse_condition(text: &str) -> Result<Expression, ExpressionError> {
    let mut parser = Parser::new(text)?;
    let expression = parser.whole_expression()?;
    parser.end()?;
    Ok(expression)
}

/// One item of a selection.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::prepare) enum Selected {
    /// `*`
    All,
    /// An expression, and its name when it was given one.
    One(Expression, Option<String>),
}

/// The text of one column of a selection: `*`, or an expression, perhaps with a name.
pub(in crate::prepare) fn parse_selection(text: &str) -> Result<Selected, ExpressionError> {
    let mut parser = Parser::new(text)?;
    if parser.take_sign("*") {
        parser.end()?;
        return Ok(Selected::All);
    }
    let expression = parser.whole_expression()?;
    let is_named = parser.take_word("AS");
    let name = match parser.peek().clone() {
        Token::Word(name) | Token::Quoted(name) => {
            parser.next += 1;
            Some(name)
        }
        _ if is_named => return parser.expected("a name"),
        _ => None,
    };
    parser.end()?;
    Ok(Selected::One(expression, name))
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    /// A name between backquotes.
    Quoted(String),
    Text(String),
    /// Digits with perhaps a point, an exponent, a suffix.
    Number(String),
    Sign(&'static str),
    Other(char),
    End,
}

struct Parser<'a> {
    text: &'a str,
    /// Each token with the byte at which it begins.
    tokens: Vec<(usize, Token)>,
    next: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Parser<'a>, ExpressionError> {
        let tokens = tokens(text)?;
        if tokens.len() > MAX_TOKENS {
            return Err(ExpressionError::TooLong(MAX_TOKENS));
        }
        Ok(Parser { text, tokens, next: 0, depth: 0 })
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.next].1
    }

    fn position(&self) -> usize {
        position(self.text, self.tokens[self.next].0)
    }

    fn expected<T>(&self, expected: &'static str) -> Result<T, ExpressionError> {
        let found = match self.peek() {
            Token::Word(text) | Token::Number(text) => text.clone(),
            Token::Quoted(name) => format!("`{name}`"),
            Token::Text(text) => format!("'{text}'"),
            Token::Sign(sign) => (*sign).to_owned(),
            Token::Other(sign) => sign.to_string(),
            Token::End => "the end".to_owned(),
        };
        Err(ExpressionError::Expected { position: self.position(), expected, found })
    }

    fn take_sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(other) if *other == sign);
        self.next += usize::from(found);
        found
    }

    fn sign(&mut self, sign: &str, expected: &'static str) -> Result<(), ExpressionError> {
        if self.take_sign(sign) { Ok(()) } else { self.expected(expected) }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Token::Word(other) if other.eq_ignore_ascii_case(word));
        self.next += usize::from(found);
        found
    }

    fn word(&mut self, word: &'static str) -> Result<(), ExpressionError> {
        if self.take_word(word) { Ok(()) } else { self.expected(word) }
    }

    fn end(&self) -> Result<(), ExpressionError> {
        if *self.peek() == Token::End { Ok(()) } else { self.expected("an operator or the end") }
    }

    /// An expression that is not part of another.
    fn whole_expression(&mut self) -> Result<Expression, ExpressionError> {
        let expression = self.expression()?;
        if height(&expression) > MAX_HEIGHT { Err(ExpressionError::TooDeep(MAX_HEIGHT)) } else { Ok(expression) }
    }

    fn expression(&mut self) -> Result<Expression, ExpressionError> {
        self.deeper(|parser| {
            let mut operands = vec![parser.and()?];
            while parser.take_word("OR") {
                operands.push(parser.and()?);
            }
            Ok(balanced(Binary::Or, operands))
        })
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, ExpressionError>) -> Result<T, ExpressionError> {
        if self.depth == MAX_DEPTH {
            return Err(ExpressionError::TooDeep(MAX_DEPTH));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn and(&mut self) -> Result<Expression, ExpressionError> {
        let mut operands = vec![self.not()?];
        while self.take_word("AND") {
            operands.push(self.not()?);
        }
        Ok(balanced(Binary::And, operands))
    }

    fn not(&mut self) -> Result<Expression, ExpressionError> {
        if self.take_word("NOT") || self.take_sign("!") {
            return self.deeper(|parser| Ok(unary(Unary::Not, parser.not()?)));
        }
        self.predicate()
    }

    fn predicate(&mut self) -> Result<Expression, ExpressionError> {
        let mut value = self.sum()?;
        loop {
            if let Some(comparison) = self.comparison() {
                value = binary(Binary::Compare(comparison), value, self.sum()?);
            } else if self.take_word("IS") {
                value = self.is(value)?;
            } else {
                let before = self.next;
                let negated = self.take_word("NOT");
                let Some(found) = self.membership(&value)? else {
                    self.next = before;
                    return Ok(value);
                };
                value = if negated { unary(Unary::Not, found) } else { found };
            }
        }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let comparison = match self.peek() {
            Token::Sign("=" | "==") => Comparison::Equal,
            Token::Sign("!=" | "<>") => Comparison::NotEqual,
            Token::Sign("<") => Comparison::Less,
            Token::Sign("<=") => Comparison::LessOrEqual,
            Token::Sign(">") => Comparison::Greater,
            Token::Sign(">=") => Comparison::GreaterOrEqual,
            Token::Sign("<=>") => Comparison::EqualNullSafe,
            _ => return None,
        };
        self.next += 1;
        Some(comparison)
    }

    /// Behind IS.
    fn is(&mut self, value: Expression) -> Result<Expression, ExpressionError> {
        let negated = self.take_word("NOT");
        let test = match self.peek() {
            Token::Word(word) if word.eq_ignore_ascii_case("NULL") => Unary::IsNull,
            Token::Word(word) if word.eq_ignore_ascii_case("UNKNOWN") => Unary::IsNull,
            Token::Word(word) if word.eq_ignore_ascii_case("TRUE") => Unary::IsTrue,
            Token::Word(word) if word.eq_ignore_ascii_case("FALSE") => Unary::IsFalse,
            _ => return self.expected("NULL, TRUE, FALSE or UNKNOWN"),
        };
        self.next += 1;
        let found = unary(test, value);
        Ok(if negated { unary(Unary::Not, found) } else { found })
    }

    /// IN, BETWEEN or LIKE, if one stands here.
    fn membership(&mut self, value: &Expression) -> Result<Option<Expression>, ExpressionError> {
        let value = || Box::new(value.clone());
        if self.take_word("IN") {
            self.sign("(", "`(`")?;
            let list = self.list()?;
            return Ok(Some(Expression::In { value: value(), list }));
        }
        if self.take_word("BETWEEN") {
            let least = self.sum()?;
            self.word("AND")?;
            let most = self.sum()?;
            let above = binary(Binary::Compare(Comparison::GreaterOrEqual), *value(), least);
            let below = binary(Binary::Compare(Comparison::LessOrEqual), *value(), most);
            return Ok(Some(binary(Binary::And, above, below)));
        }
        if self.take_word("LIKE") {
            let Token::Text(pattern) = self.peek().clone() else { return self.expected("a pattern in quotes") };
            self.next += 1;
            return Ok(Some(Expression::Like { value: value(), pattern }));
        }
        Ok(None)
    }

    fn sum(&mut self) -> Result<Expression, ExpressionError> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Token::Sign("+") => Binary::Add,
                Token::Sign("-") => Binary::Subtract,
                Token::Sign("||") => Binary::Concat,
                _ => return Ok(left),
            };
            self.next += 1;
            left = binary(operator, left, self.product()?);
        }
    }

    fn product(&mut self) -> Result<Expression, ExpressionError> {
        let mut left = self.signed()?;
        loop {
            let operator = match self.peek() {
                Token::Sign("*") => Binary::Multiply,
                Token::Sign("/") => Binary::Divide,
                Token::Sign("%") => Binary::Remainder,
                Token::Word(word) if word.eq_ignore_ascii_case("DIV") => Binary::WholeDivide,
                _ => return Ok(left),
            };
            self.next += 1;
            left = binary(operator, left, self.signed()?);
        }
    }

    fn signed(&mut self) -> Result<Expression, ExpressionError> {
        if self.take_sign("+") {
            return self.deeper(Self::signed);
        }
        if !self.take_sign("-") {
            return self.primary();
        }
        // A minus belongs to the number behind it: the smallest integer has no positive brother.
        if let Token::Number(digits) = self.peek().clone() {
            return self.number(&format!("-{digits}"));
        }
        self.deeper(|parser| Ok(unary(Unary::Negate, parser.signed()?)))
    }

    fn primary(&mut self) -> Result<Expression, ExpressionError> {
        match self.peek().clone() {
            Token::Number(digits) => self.number(&digits),
            Token::Text(text) => {
                self.next += 1;
                Ok(Expression::Literal(Literal::Text(text)))
            }
            Token::Quoted(name) => {
                self.next += 1;
                Ok(Expression::Column(name))
            }
            Token::Sign("(") => {
                self.next += 1;
                let inner = self.expression()?;
                self.sign(")", "`)`")?;
                Ok(inner)
            }
            Token::Word(word) => self.word_primary(&word),
            _ => self.expected("a column or a value"),
        }
    }

    fn word_primary(&mut self, word: &str) -> Result<Expression, ExpressionError> {
        let upper = word.to_ascii_uppercase();
        let literal = match upper.as_str() {
            "TRUE" => Some(Literal::Boolean(true)),
            "FALSE" => Some(Literal::Boolean(false)),
            "NULL" => Some(Literal::Null),
            _ => None,
        };
        if let Some(literal) = literal {
            self.next += 1;
            return Ok(Expression::Literal(literal));
        }
        let following = self.tokens[self.next + 1].1.clone();
        match (upper.as_str(), following) {
            ("CASE", _) => self.case(),
            ("CAST", Token::Sign("(")) => self.cast(),
            ("DATE" | "TIMESTAMP", Token::Text(text)) => self.time(&upper, &text),
            (_, Token::Sign("(")) => {
                let name = word.to_ascii_lowercase();
                self.next += 2;
                let mut arguments = self.list()?;
                if TYPE_FUNCTIONS.contains(&name.as_str()) && arguments.len() == 1 {
                    let data_type = parse_type(&name).expect("the names of types are types");
                    return Ok(Expression::Cast(Box::new(arguments.remove(0)), data_type));
                }
                Ok(Expression::Call(name, arguments))
            }
            _ if KEY_WORDS.contains(&upper.as_str()) => self.expected("a column or a value"),
            _ => {
                self.next += 1;
                Ok(Expression::Column(word.to_owned()))
            }
        }
    }

    /// Expressions up to `)`, which may stand at once.
    fn list(&mut self) -> Result<Vec<Expression>, ExpressionError> {
        let mut items = Vec::new();
        if self.take_sign(")") {
            return Ok(items);
        }
        loop {
            items.push(self.expression()?);
            if self.take_sign(")") {
                return Ok(items);
            }
            self.sign(",", "`,` or `)`")?;
        }
    }

    /// `CASE [value] (WHEN condition THEN result)+ [ELSE result] END`
    fn case(&mut self) -> Result<Expression, ExpressionError> {
        self.next += 1;
        let is_next_when = matches!(self.peek(), Token::Word(word) if word.eq_ignore_ascii_case("WHEN"));
        let value = if is_next_when { None } else { Some(self.expression()?) };
        let mut branches = Vec::new();
        while self.take_word("WHEN") {
            let mut condition = self.expression()?;
            if let Some(value) = &value {
                condition = binary(Binary::Compare(Comparison::Equal), value.clone(), condition);
            }
            self.word("THEN")?;
            branches.push((condition, self.expression()?));
        }
        if branches.is_empty() {
            return self.expected("WHEN");
        }
        let otherwise = if self.take_word("ELSE") { Some(Box::new(self.expression()?)) } else { None };
        self.word("END")?;
        Ok(Expression::Case { branches, otherwise })
    }

    /// `CAST(value AS type)`; the type is what stands until the parenthesis that closes.
    fn cast(&mut self) -> Result<Expression, ExpressionError> {
        self.next += 2;
        let value = self.expression()?;
        self.word("AS")?;
        let (start, mut depth) = (self.next, 0);
        loop {
            match self.peek() {
                Token::Sign("(") => depth += 1,
                Token::Sign(")") if depth == 0 => break,
                Token::Sign(")") => depth -= 1,
                Token::End => return self.expected("`)`"),
                _ => {}
            }
            self.next += 1;
        }
        let type_text = &self.text[self.tokens[start].0..self.tokens[self.next].0];
        let data_type = parse_type(type_text).map_err(|problem| ExpressionError::Type {
            position: position(self.text, self.tokens[start].0),
            problem,
        })?;
        self.next += 1;
        Ok(Expression::Cast(Box::new(value), data_type))
    }

    /// `DATE'2024-02-29'`, `TIMESTAMP'2024-02-29 12:00:00'`
    fn time(&mut self, kind: &str, text: &str) -> Result<Expression, ExpressionError> {
        self.next += 1;
        let literal = match kind {
            "DATE" => cast_date(text.as_bytes()).map(Literal::Date),
            _ => cast_timestamp(text.as_bytes(), Zone::UTC).map(Literal::Timestamp),
        };
        let Some(literal) = literal else { return self.expected("a date or a timestamp") };
        self.next += 1;
        Ok(Expression::Literal(literal))
    }

    fn number(&mut self, digits: &str) -> Result<Expression, ExpressionError> {
        let Some(literal) = number(digits) else { return self.expected("a number that its type can hold") };
        self.next += 1;
        Ok(Expression::Literal(literal))
    }
}

/// `1`, `3000000000`, `1L`, `1S`, `1Y`, `1.5`, `1.5BD`, `1.5D`, `1.5F`, `1e3`
fn number(digits: &str) -> Option<Literal> {
    let upper = digits.to_ascii_uppercase();
    let decimal = |text: &str| {
        let scale = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let n_digits = text.bytes().filter(u8::is_ascii_digit).count();
        let precision = u8::try_from(n_digits.max(scale)).ok().filter(|precision| *precision <= 38)?;
        let unscaled = parse_decimal(text.as_bytes(), precision, scale as i8)?;
        Some(Literal::Decimal { unscaled, precision, scale: scale as i8 })
    };
    if let Some(text) = upper.strip_suffix("BD") {
        return decimal(text);
    }
    let digits = &upper[..upper.len() - 1];
    match upper.as_bytes().last()? {
        b'L' => digits.parse().ok().map(Literal::Long),
        b'S' => digits.parse().ok().map(Literal::Short),
        b'Y' => digits.parse().ok().map(Literal::Byte),
        b'D' => parse_double(digits.as_bytes()).map(Literal::Double),
        b'F' => parse_float(digits.as_bytes()).map(Literal::Float),
        _ if upper.contains('E') => parse_double(upper.as_bytes()).map(Literal::Double),
        _ if upper.contains('.') => decimal(&upper),
        _ => match upper.parse::<i64>() {
            Ok(value) => Some(i32::try_from(value).map_or(Literal::Long(value), Literal::Int)),
            Err(_) => decimal(&upper),
        },
    }
}

fn unary(operator: Unary, value: Expression) -> Expression {
    Expression::Unary(operator, Box::new(value))
}

fn binary(operator: Binary, left: Expression, right: Expression) -> Expression {
    Expression::Binary(operator, Box::new(left), Box::new(right))
}

/// A chain of ANDs or ORs as a tree of little height. The operands keep their order, so they are looked at in the same order
/// and the answer is the same.
fn balanced(operator: Binary, mut operands: Vec<Expression>) -> Expression {
    if operands.len() > 1 {
        let right = operands.split_off(operands.len() / 2);
        return binary(operator, balanced(operator, operands), balanced(operator, right));
    }
    operands.pop().expect("a chain has at least one operand")
}

/// How many expressions lie inside each other at most; counted without recursion.
fn height(expression: &Expression) -> usize {
    let mut highest = 0;
    let mut open = vec![(expression, 1)];
    while let Some((expression, height)) = open.pop() {
        highest = highest.max(height);
        let mut enter = |inner| open.push((inner, height + 1));
        match expression {
            Expression::Column(_) | Expression::Literal(_) => {}
            Expression::Unary(_, value) | Expression::Cast(value, _) | Expression::Like { value, .. } => enter(value),
            Expression::Binary(_, left, right) => {
                enter(left);
                enter(right);
            }
            Expression::In { value, list } => {
                enter(value);
                list.iter().for_each(enter);
            }
            Expression::Case { branches, otherwise } => {
                for (condition, result) in branches {
                    enter(condition);
                    enter(result);
                }
                otherwise.iter().for_each(|result| enter(result));
            }
            Expression::Call(_, arguments) => arguments.iter().for_each(enter),
        }
    }
    highest
}

/// The character, counted from 1, that begins at a byte.
fn position(text: &str, byte_idx: usize) -> usize {
    text[..byte_idx].chars().count() + 1
}

/// Signs of several characters first.
const SIGNS: [&str; 20] =
    ["<=>", "==", "!=", "<>", "<=", ">=", "||", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", ",", "!", ";"];

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (length, token) = if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        } else if matches!(c, '`' | '\'' | '"') {
            let (length, inner) = quoted(rest, c).ok_or_else(|| ExpressionError::Expected {
                position: position(text, at),
                expected: "a closing quote",
                found: "the end".to_owned(),
            })?;
            (length, if c == '`' { Token::Quoted(inner) } else { Token::Text(inner) })
        } else if let Some(length) = number_length(rest) {
            (length, Token::Number(rest[..length].to_owned()))
        } else if c.is_alphanumeric() || c == '_' {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            (length, Token::Word(rest[..length].to_owned()))
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            (sign.len(), Token::Sign(sign))
        } else {
            (c.len_utf8(), Token::Other(c))
        };
        tokens.push((at, token));
        at += length;
    }
    tokens.push((text.len(), Token::End));
    Ok(tokens)
}

/// How many bytes of `text` are a number, with its exponent and suffix; `None` when it begins with no number.
fn number_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut length = digits(0);
    let mut n_digits = length;
    if bytes.get(length) == Some(&b'.') {
        let decimals = digits(length + 1);
        n_digits += decimals;
        length += 1 + decimals;
    }
    if n_digits == 0 {
        return None;
    }
    if matches!(bytes.get(length), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = if length + 1 + sign <= bytes.len() { digits(length + 1 + sign) } else { 0 };
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    let letters = bytes[length..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    match text[length..length + letters].to_ascii_uppercase().as_str() {
        "" => Some(length),
        "L" | "S" | "Y" | "D" | "F" | "BD" => Some(length + letters),
        // A name that begins with digits.
        _ => None,
    }
}

/// Length and content of what stands between quotes; the quote is doubled, or in text escaped, to stand for itself.
fn quoted(text: &str, quote: char) -> Option<(usize, String)> {
    let mut inner = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => match chars.peek() {
                Some((_, next)) if *next == quote => {
                    inner.push(quote);
                    chars.next();
                }
                _ => return Some((at + 1, inner)),
            },
            '\\' if quote != '`' => match chars.next()?.1 {
                'n' => inner.push('\n'),
                't' => inner.push('\t'),
                'r' => inner.push('\r'),
                // These two are left to LIKE, as in Spark.
                wild @ ('%' | '_') => inner.extend(['\\', wild]),
                other => inner.push(other),
            },
            c => inner.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_error(text: &str, message: &str) {
        assert_eq!(parse_condition(text).unwrap_err().to_string(), message);
    }

    #[test]
    fn an_error_says_where() {
        check_error("", "character 1: expected a column or a value, found: the end");
        check_error("a = = b", "character 5: expected a column or a value, found: =");
        check_error("a b", "character 3: expected an operator or the end, found: b");
        check_error("a.b > 1", "character 2: expected an operator or the end, found: .");
        check_error("(a > 1", "character 7: expected `)`, found: the end");
        check_error("s = 'é", "character 5: expected a closing quote, found: the end");
        check_error("a IN 1", "character 6: expected `(`, found: 1");
        check_error("a IN (1", "character 8: expected `,` or `)`, found: the end");
        check_error("a BETWEEN 1 OR 2", "character 13: expected AND, found: OR");
        check_error("a IS 5", "character 6: expected NULL, TRUE, FALSE or UNKNOWN, found: 5");
        check_error("CASE a END", "character 8: expected WHEN, found: END");
        check_error("CAST(a AS INTT)", "character 11: schema, character 1: unknown type: INTT");
        check_error("CAST(a INT)", "character 8: expected AS, found: INT");
        check_error("s LIKE t", "character 8: expected a pattern in quotes, found: t");
        check_error("a > 1; DROP", "character 6: expected an operator or the end, found: ;");
        check_error("1000Y", "character 1: expected a number that its type can hold, found: 1000Y");
        check_error("d = DATE'x'", "character 9: expected a date or a timestamp, found: 'x'");
        check_error("NOT", "character 4: expected a column or a value, found: the end");
    }

    #[test]
    fn expressions_without_end_are_refused() {
        for deep in ["(".repeat(1000), "NOT ".repeat(1000), "- ".repeat(1000), "CASE WHEN ".repeat(1000)] {
            assert_eq!(parse_condition(&deep), Err(ExpressionError::TooDeep(MAX_DEPTH)));
        }
        let high = vec!["a"; 1000].join(" + ");
        assert_eq!(parse_condition(&high), Err(ExpressionError::TooDeep(MAX_HEIGHT)));
        let long = vec!["a"; 10_000].join(" OR ");
        assert_eq!(parse_condition(&long), Err(ExpressionError::TooLong(MAX_TOKENS)));
    }

    #[test]
    fn names_are_taken_between_backquotes_or_bare() {
        let column = |name: &str| Ok(Expression::Column(name.to_owned()));
        assert_eq!(parse_condition("`credit.policy`"), column("credit.policy"));
        assert_eq!(parse_condition("`a``b`"), column("a`b"));
        assert_eq!(parse_condition("1a"), column("1a"));
        assert_eq!(parse_condition("date"), column("date"));
    }

    #[test]
    fn a_selected_column_may_have_a_name() {
        let selected = |text: &str| {
            parse_selection(text).map(|selected| match selected {
                Selected::All => "*".to_owned(),
                Selected::One(_, name) => name.unwrap_or_default(),
            })
        };
        assert_eq!(selected(" * "), Ok("*".to_owned()));
        assert_eq!(selected("a + 1 AS b"), Ok("b".to_owned()));
        assert_eq!(selected("a + 1 `b.c`"), Ok("b.c".to_owned()));
        assert_eq!(selected("a"), Ok(String::new()));
        assert_eq!(selected("a AS").unwrap_err().to_string(), "character 5: expected a name, found: the end");
    }
}
