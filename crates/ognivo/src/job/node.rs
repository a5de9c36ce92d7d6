//! A YAML document as a tree whose every node knows its line and column.
//!
//! Scalars keep their text: what they mean is decided by the [`Shape`](super::shape::Shape) that they are read with, so
//! `2.4` can be a version and `007` a `nullValue`. Aliases are expanded (within the parser's limit), duplicate keys refused.

use saphyr::{MarkedYamlOwned, ScalarStyle, YamlDataOwned, YamlLoader};

use super::complaint::Complaint;

/// Line and column, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Position {
    /// Line.
    pub(crate) line: usize,
    /// Column, in characters.
    pub(crate) column: usize,
}

/// One value of the document and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where it begins.
    pub(crate) at: Position,
    /// What it is.
    pub(crate) value: Value,
    /// Whether the text came from a file or the environment and must never be shown.
    pub(crate) secret: bool,
}

/// The kinds of values in a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing (`key:`, `~`, `null`).
    Null,
    /// A text as written, without its quotes.
    Scalar {
        /// The text.
        text: String,
        /// Whether it stood without quotes, so that `true` may be a boolean and `10` a number.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) at: Position,
    /// Its value.
    pub(crate) node: Node,
}

impl Node {
    /// Parses the one document in `text`.
    ///
    /// # Errors
    /// A complaint with the position of the first syntax error, duplicate key, or second document.
    pub(crate) fn parse(text: &str) -> Result<Node, Complaint> {
        check_depth(text)?;
        let mut loader: YamlLoader<'_, MarkedYamlOwned> = YamlLoader::default();
        loader.early_parse(false);
        let mut parser = saphyr_parser_of(text);
        let syntax = |error: saphyr::ScanError| {
            let at = Position { line: error.marker().line(), column: error.marker().col() + 1 };
            Complaint::new(at, format!("not valid YAML: {}", error.info()))
        };
        parser.load(&mut loader, true).map_err(syntax)?;
        if let Some(error) = loader.error() {
            return Err(syntax(error.clone()));
        }
        let mut documents = loader.into_documents();
        match documents.len() {
            0 => Err(Complaint::new(Position { line: 1, column: 1 }, "the file is empty".to_owned())),
            1 => convert(documents.remove(0)),
            _ => Err(Complaint::new(position(&documents[1]), "a job file holds one document".to_owned())),
        }
    }

    /// The value of `key` in a mapping.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The value at a path of keys.
    pub(crate) fn at_path(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The entries of a mapping; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// A boolean written without quotes.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match &self.value {
            Value::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The texts of a list of scalars, or of one scalar.
    pub(crate) fn texts(&self) -> Vec<String> {
        match &self.value {
            Value::Scalar { text, .. } => vec![text.clone()],
            _ => self.items().iter().filter_map(Node::text).map(str::to_owned).collect(),
        }
    }

    /// What stands here, for a message; never a secret.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            _ if self.secret => "(a secret)".to_owned(),
            Value::Null => "nothing".to_owned(),
            Value::Scalar { text, .. } => text.clone(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }

    /// The value as JSON: plain scalars by YAML's core rules (null, booleans, integers, floats, `.nan`, `.inf`), others as text.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Null => serde_json::Value::Null,
            Value::Scalar { text, plain: true } => plain_to_json(text),
            Value::Scalar { text, .. } => serde_json::Value::String(text.clone()),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), entry.node.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

/// Deeper than any job; what is read afterwards walks the tree by recursion.
const MAX_DEPTH: usize = 64;

/// Refuses a document that is nested too deeply, before a tree is made of it.
fn check_depth(text: &str) -> Result<(), Complaint> {
    let mut depth = 0;
    for event in saphyr_parser_of(text) {
        // A syntax error is told by whoever makes the tree.
        let Ok((event, span)) = event else { return Ok(()) };
        match event {
            saphyr_parser::Event::SequenceStart(..) | saphyr_parser::Event::MappingStart(..) => depth += 1,
            saphyr_parser::Event::SequenceEnd | saphyr_parser::Event::MappingEnd => depth -= 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            let at = Position { line: span.start.line(), column: span.start.col() + 1 };
            return Err(Complaint::new(at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
    }
    Ok(())
}

fn saphyr_parser_of(text: &str) -> saphyr_parser::Parser<'_, saphyr_parser::StrInput<'_>> {
    saphyr_parser::Parser::new_from_str(text)
}

fn plain_to_json(text: &str) -> serde_json::Value {
    match text {
        "true" | "True" | "TRUE" => return true.into(),
        "false" | "False" | "FALSE" => return false.into(),
        ".nan" | ".NaN" | ".NAN" => return "NaN".into(),
        ".inf" | "+.inf" => return "Inf".into(),
        "-.inf" => return "-Inf".into(),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return number.into();
    }
    let looks_like_a_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    match text.parse::<f64>() {
        Ok(number) if looks_like_a_number && number.is_finite() => number.into(),
        _ => text.into(),
    }
}

fn position(node: &MarkedYamlOwned) -> Position {
    Position { line: node.span.start.line(), column: node.span.start.col() + 1 }
}

fn convert(node: MarkedYamlOwned) -> Result<Node, Complaint> {
    let at = position(&node);
    let value = match node.data {
        YamlDataOwned::Representation(text, style, _) => {
            let plain = style == ScalarStyle::Plain;
            match text.as_str() {
                "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
                _ => Value::Scalar { text, plain },
            }
        }
        YamlDataOwned::Sequence(items) => Value::List(items.into_iter().map(convert).collect::<Result<_, _>>()?),
        YamlDataOwned::Mapping(entries) => {
            let entries = entries.into_iter().map(|(key, node)| {
                let at = position(&key);
                let key = convert(key)?;
                let text = key.text().ok_or_else(|| Complaint::new(at, "a key must be a text".to_owned()))?;
                Ok(Entry { key: text.to_owned(), at, node: convert(node)? })
            });
            Value::Map(entries.collect::<Result<_, Complaint>>()?)
        }
        YamlDataOwned::Tagged(_, inner) => return convert(*inner),
        YamlDataOwned::Value(_) | YamlDataOwned::Alias(_) | YamlDataOwned::BadValue => Value::Null,
    };
    Ok(Node { at, value, secret: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_knows_where_it_stands() {
        let node = Node::parse("a: 1\nb:\n  - x\n  - {c: \"true\"}\n").unwrap();
        let second = &node.get("b").unwrap().items()[1];
        assert_eq!(second.entries()[0].at, Position { line: 4, column: 6 });
        assert_eq!(second.get("c").unwrap().boolean(), None);
        assert_eq!(node.get("a").unwrap().to_json(), serde_json::json!(1));
    }

    #[test]
    fn an_alias_is_the_value_of_its_anchor() {
        let node = Node::parse("a: &schema >-\n  x INT,\n  y STRING\nb: *schema\n").unwrap();
        assert_eq!(node.get("b").unwrap().text(), Some("x INT, y STRING"));
    }

    #[test]
    fn broken_yaml_is_one_complaint_with_its_position() {
        for (text, expect) in [
            ("a: 1\na: 2\n", "2:1: not valid YAML: duplicated key in mapping"),
            ("", "1:1: the file is empty"),
            (&"- ".repeat(100_000), "1:129: nested deeper than 64 levels"),
            ("a: 1\n---\nb: 2\n", "3:1: a job file holds one document"),
        ] {
            let complaint = Node::parse(text).unwrap_err();
            assert_eq!(format!("{}:{}: {}", complaint.at.line, complaint.at.column, complaint.message), expect);
        }
    }
}
