//! A small JSON reader, for what cargo and our own programs print.

use std::collections::BTreeMap;

/// A JSON value. Numbers are kept as doubles.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Json {
    /// The member `key` of an object, `Null` when there is none.
    pub(crate) fn get(&self, key: &str) -> &Json {
        match self {
            Json::Object(members) => members.get(key).unwrap_or(&Json::Null),
            _ => &Json::Null,
        }
    }

    /// The items of a list, nothing for another value.
    pub(crate) fn items(&self) -> &[Json] {
        if let Json::List(items) = self { items } else { &[] }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is one.
    pub(crate) fn number(&self) -> Option<f64> {
        if let Json::Number(number) = self { Some(*number) } else { None }
    }
}

/// Reads one JSON value.
///
/// # Errors
/// What was expected, and the byte position.
pub(crate) fn parse(text: &str) -> Result<Json, String> {
    let mut reader = Reader { text, byte_pos: 0 };
    let value = reader.value()?;
    reader.skip_spaces();
    if reader.byte_pos == text.len() { Ok(value) } else { Err(reader.expected("the end")) }
}

struct Reader<'a> {
    text: &'a str,
    byte_pos: usize,
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Json, String> {
        self.skip_spaces();
        match self.peek() {
            Some('{') => self.object(),
            Some('[') => self.list(),
            Some('"') => Ok(Json::Text(self.string()?)),
            Some(_) => self.word(),
            None => Err(self.expected("a value")),
        }
    }

    fn object(&mut self) -> Result<Json, String> {
        let mut members = BTreeMap::new();
        self.byte_pos += 1;
        while !self.take_after_spaces('}') {
            if !members.is_empty() && !self.take_after_spaces(',') {
                return Err(self.expected("a comma or a brace"));
            }
            self.skip_spaces();
            let key = self.string()?;
            if !self.take_after_spaces(':') {
                return Err(self.expected("a colon"));
            }
            let value = self.value()?;
            members.insert(key, value);
        }
        Ok(Json::Object(members))
    }

    fn list(&mut self) -> Result<Json, String> {
        let mut items = Vec::new();
        self.byte_pos += 1;
        while !self.take_after_spaces(']') {
            if !items.is_empty() && !self.take_after_spaces(',') {
                return Err(self.expected("a comma or a bracket"));
            }
            items.push(self.value()?);
        }
        Ok(Json::List(items))
    }

    fn string(&mut self) -> Result<String, String> {
        if !self.take('"') {
            return Err(self.expected("a string"));
        }
        let mut out = String::new();
        loop {
            match self.next().ok_or_else(|| self.expected("a quote"))? {
                '"' => return Ok(out),
                '\\' => out.push(self.escaped()?),
                other => out.push(other),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        let letter = self.next().ok_or_else(|| self.expected("an escape"))?;
        Ok(match letter {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let digits =
                    self.text.get(self.byte_pos..self.byte_pos + 4).ok_or_else(|| self.expected("four digits"))?;
                let code = u32::from_str_radix(digits, 16).map_err(|_| self.expected("four digits"))?;
                self.byte_pos += 4;
                // Halves of a pair are of no interest in what we read.
                char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => other,
        })
    }

    fn word(&mut self) -> Result<Json, String> {
        let rest = &self.text[self.byte_pos..];
        let end = rest.find(|c: char| ",]}".contains(c) || c.is_whitespace()).unwrap_or(rest.len());
        let word = &rest[..end];
        let value = match word {
            "null" => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            _ => Json::Number(word.parse().map_err(|_| self.expected("a number"))?),
        };
        self.byte_pos += end;
        Ok(value)
    }

    fn peek(&self) -> Option<char> {
        self.text[self.byte_pos..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.byte_pos += c.len_utf8();
        Some(c)
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.byte_pos += wanted.len_utf8();
        }
        found
    }

    fn take_after_spaces(&mut self, wanted: char) -> bool {
        self.skip_spaces();
        self.take(wanted)
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.byte_pos += 1;
        }
    }

    fn expected(&self, what: &str) -> String {
        format!("JSON: expected {what} at byte: {}", self.byte_pos)
    }
}

#[cfg(test)]
mod tests {
    use super::{Json, parse};

    #[test]
    fn nested_values_are_read() {
        let value = parse(r#" {"a": [1, -2.5e3, "x\n\"é\u0041"], "b": {"c": null, "d": true}, "e": []} "#).unwrap();
        assert_eq!(value.get("a").items()[1].number(), Some(-2500.0));
        assert_eq!(value.get("a").items()[2].text(), Some("x\n\"éA"));
        assert_eq!(*value.get("b").get("d"), Json::Bool(true));
        assert_eq!(*value.get("b").get("c"), Json::Null);
        assert!(value.get("e").items().is_empty());
    }

    #[test]
    fn a_broken_value_is_an_error_with_a_position() {
        for broken in ["", "{", "[1 2]", "{\"a\" 1}", "[1]]", "\"x", "nul", "\"\\u12"] {
            assert!(parse(broken).is_err(), "{broken}");
        }
    }
}
