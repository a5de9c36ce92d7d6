//! What is put into a job file before it is read: secrets from files, values of the environment, `--set` from the command line.
//!
//! `${file:path}` anywhere in a text becomes the content of a file without its last line end; relative paths start at the job
//! file. `${env:NAME}` becomes the value of a variable, only with `--allow-env`. What came this way is never shown again.

use std::io::Read;
use std::path::Path;

use super::complaint::Complaint;
use super::node::{Entry, Node, Position, Value};

/// Where the values of `${…}` may come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Substitution<'a> {
    /// Folder at which relative paths start.
    pub(crate) base: &'a Path,
    /// Whether `${env:…}` is allowed.
    pub(crate) allow_env: bool,
}

impl Substitution<'_> {
    /// Replaces every `${…}` below `node`, and gives what came this way, for [`hide_secrets`].
    pub(crate) fn apply(&self, node: &mut Node, complaints: &mut Vec<Complaint>) -> Secrets {
        let mut secrets = Secrets::default();
        self.replace(node, &mut secrets, complaints);
        secrets
    }

    fn replace(&self, node: &mut Node, secrets: &mut Secrets, complaints: &mut Vec<Complaint>) {
        match &mut node.value {
            Value::Scalar { text, .. } if text.contains("${") => match self.expand(text, secrets) {
                Ok(expanded) => {
                    *text = expanded;
                    node.secret = true;
                    secrets.texts.push(text.clone());
                    secrets.places.push(node.at);
                }
                Err((message, hint)) => complaints.push(Complaint::new(node.at, message).with_hint(hint)),
            },
            Value::List(items) => items.iter_mut().for_each(|item| self.replace(item, secrets, complaints)),
            Value::Map(entries) => {
                entries.iter_mut().for_each(|entry| self.replace(&mut entry.node, secrets, complaints));
            }
            _ => {}
        }
    }

    fn expand(&self, text: &str, secrets: &mut Secrets) -> Result<String, (String, Option<String>)> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((reference, remainder)) = after.split_once('}') else {
                return Err((format!("`${{` without `}}`: {text}"), None));
            };
            let value = self.value_of(reference)?;
            out.push_str(before);
            out.push_str(&value);
            secrets.texts.push(value);
            rest = remainder;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value_of(&self, reference: &str) -> Result<String, (String, Option<String>)> {
        match reference.split_once(':') {
            Some(("file", path)) => match read_secret(&self.base.join(path)) {
                Ok(content) => Ok(content.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => Err((format!("cannot read the file of `${{file:{path}}}`: {error}"), None)),
            },
            Some(("env", name)) if !self.allow_env => {
                let hint = Some("run with --allow-env, or use ${file:…}".to_owned());
                Err((format!("the environment may not be read: ${{env:{name}}}"), hint))
            }
            Some(("env", name)) => std::env::var(name)
                .map_err(|_| (format!("the variable of `${{env:{name}}}` is not set or is not UTF-8"), None)),
            _ => {
                let hint = Some("write ${file:path} or ${env:NAME}".to_owned());
                Err((format!("unknown reference: ${{{reference}}}"), hint))
            }
        }
    }
}

/// A secret is a line or a key, not a file of data, nor a device without end.
const MAX_SECRET_BYTES: u64 = 1 << 20;

fn read_secret(path: &Path) -> std::io::Result<String> {
    let mut content = String::new();
    std::fs::File::open(path)?.take(MAX_SECRET_BYTES + 1).read_to_string(&mut content)?;
    if content.len() as u64 > MAX_SECRET_BYTES {
        return Err(std::io::Error::other(format!("more than {MAX_SECRET_BYTES} bytes")));
    }
    Ok(content)
}

/// What must not be shown.
#[derive(Debug, Default)]
pub(crate) struct Secrets {
    /// Values of references, and the texts that they stand in.
    texts: Vec<String>,
    /// Where those texts stand.
    places: Vec<Position>,
}

/// A text as short as this says nothing of itself, and may stand anywhere in a message by chance.
const SHORTEST_SECRET: usize = 4;

/// Takes secrets out of complaints, whoever made them: stages and connectors show the value that they refuse.
pub(crate) fn hide_secrets(secrets: &Secrets, complaints: &mut [Complaint]) {
    const HIDDEN: &str = "(a secret)";
    let mut texts: Vec<&str> = secrets.texts.iter().map(String::as_str).collect();
    texts.retain(|text| text.chars().count() >= SHORTEST_SECRET);
    // The longest first, so that no rest of one stays when another is a part of it.
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let hide = |message: &str| {
        texts.iter().fold(message.to_owned(), |message, text| {
            let quoted = serde_json::Value::from(*text).to_string();
            message.replace(&quoted, HIDDEN).replace(text, HIDDEN)
        })
    };
    for complaint in complaints {
        complaint.message = hide(&complaint.message);
        complaint.hint = complaint.hint.as_deref().map(hide);
        // A message about a secret may show a part of it, as that about a schema does.
        if secrets.places.contains(&complaint.at) && !complaint.message.contains(HIDDEN) {
            complaint.message = format!("this value cannot be used: {HIDDEN}");
            complaint.hint = None;
        }
    }
}

/// Puts `value` at the dotted `path` of the document, as `--set path=value` asks.
///
/// A key may hold dots itself: the longest key that matches is taken. In a pipeline, the name of a stage (or its uid) stands
/// for the item of the list: `train.pipeline.LogisticRegression.regParam`. Keys that are not there yet are made.
///
/// # Errors
/// A message when a list is met that holds no such stage, or more than one.
pub(crate) fn set_value(document: &mut Node, path: &str, value: &str) -> Result<(), String> {
    if value.trim().is_empty() {
        return Err(format!("--set {path}: the value is empty; `null` unsets, `''` is an empty text"));
    }
    let parsed = Node::parse(value).map_err(|complaint| format!("--set {path}: {}", complaint.message))?;
    set_at(document, path, relocated(parsed)).map_err(|reason| format!("--set {path}: {reason}"))
}

/// A value from the command line has no place in the file.
fn relocated(mut node: Node) -> Node {
    node.at = Position::default();
    match &mut node.value {
        Value::List(items) => *items = std::mem::take(items).into_iter().map(relocated).collect(),
        Value::Map(entries) => {
            for entry in entries {
                entry.at = Position::default();
                entry.node = relocated(entry.node.clone());
            }
        }
        _ => {}
    }
    node
}

fn set_at(node: &mut Node, path: &str, value: Node) -> Result<(), String> {
    if node.value == Value::Null {
        node.value = Value::Map(Vec::new());
    }
    match &mut node.value {
        Value::Map(entries) => {
            let matching = entries.iter_mut().filter(|entry| starts_with_key(path, &entry.key));
            if let Some(entry) = matching.max_by_key(|entry| entry.key.len()) {
                let rest = &path[entry.key.len()..];
                return match rest.strip_prefix('.') {
                    Some(rest) => set_at(&mut entry.node, rest, value),
                    None => {
                        entry.node = value;
                        Ok(())
                    }
                };
            }
            let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
            let mut made = Node { at: Position::default(), value: Value::Null, secret: false };
            match rest {
                Some(rest) => set_at(&mut made, rest, value)?,
                None => made = value,
            }
            entries.push(Entry { key: key.to_owned(), at: Position::default(), node: made });
            Ok(())
        }
        Value::List(items) => {
            let (name, rest) = path.split_once('.').ok_or_else(|| format!("name the parameter too: {path}.…"))?;
            let mut named = items.iter_mut().filter(|item| is_called(item, name));
            let (item, others) = (named.next(), named.next());
            match (item, others) {
                (Some(item), None) => set_in_stage(item, rest, value),
                (None, _) => Err(format!("the list has no item called: {name}")),
                (Some(_), Some(_)) => Err(format!("several items are called `{name}`; give one a uid and use that")),
            }
        }
        Value::Scalar { text, .. } => Err(format!("there are no keys below: {text}")),
        Value::Null => unreachable!("a null became a mapping above"),
    }
}

fn starts_with_key(path: &str, key: &str) -> bool {
    path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_called(item: &Node, name: &str) -> bool {
    let by_name = item.text() == Some(name) || item.entries().iter().any(|entry| entry.key == name);
    let by_uid = item.entries().iter().any(|entry| entry.node.get("uid").and_then(Node::text) == Some(name));
    by_name || by_uid
}

fn set_in_stage(item: &mut Node, rest: &str, value: Node) -> Result<(), String> {
    if let Value::Scalar { text, .. } = &item.value {
        let parameters = Node { at: item.at, value: Value::Null, secret: false };
        item.value = Value::Map(vec![Entry { key: text.clone(), at: item.at, node: parameters }]);
    }
    match &mut item.value {
        Value::Map(entries) if entries.len() == 1 => set_at(&mut entries[0].node, rest, value),
        _ => Err("the item is not `Name: {parameters}`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: &str, path: &str, value: &str, expect: Result<&str, &str>) {
        let mut node = Node::parse(document).unwrap();
        let result = set_value(&mut node, path, value).map(|()| node.to_json().to_string());
        assert_eq!(result, expect.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn set_reaches_into_mappings_stages_and_dotted_keys() {
        check("a: {b: 1}", "a.b", "2", Ok(r#"{"a":{"b":2}}"#));
        check("a: {b: 1}", "a.c.d", "[x, y]", Ok(r#"{"a":{"b":1,"c":{"d":["x","y"]}}}"#));
        check(
            "o: {kafka.bootstrap.servers: x}",
            "o.kafka.bootstrap.servers",
            "y",
            Ok(r#"{"o":{"kafka.bootstrap.servers":"y"}}"#),
        );
        check("p: [A, {B: {k: 1}}]", "p.B.k", "0.1", Ok(r#"{"p":["A",{"B":{"k":0.1}}]}"#));
        check("p: [A, {B: {k: 1}}]", "p.A.k", "true", Ok(r#"{"p":[{"A":{"k":true}},{"B":{"k":1}}]}"#));
        check(
            "p: [{B: {uid: u1}}, {B: {uid: u2}}]",
            "p.u2.k",
            "3",
            Ok(r#"{"p":[{"B":{"uid":"u1"}},{"B":{"uid":"u2","k":3}}]}"#),
        );
    }

    #[test]
    fn set_says_what_it_could_not_reach() {
        check("p: [A]", "p.C.k", "1", Err("--set p.C.k: the list has no item called: C"));
        check("p: [B, B]", "p.B.k", "1", Err("--set p.B.k: several items are called `B`; give one a uid and use that"));
        check("a: 1", "a.b", "1", Err("--set a.b: there are no keys below: 1"));
    }

    #[test]
    fn a_secret_from_a_file_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), "hunter2\n").unwrap();
        let mut node = Node::parse("a: x${file:password}y").unwrap();
        let mut complaints = Vec::new();
        let secrets = Substitution { base: folder.path(), allow_env: false }.apply(&mut node, &mut complaints);
        let secret = node.get("a").unwrap();
        assert_eq!((secret.text(), secret.describe().as_str()), (Some("xhunter2y"), "(a secret)"));
        assert_eq!(complaints, []);

        let elsewhere = Position { line: 9, column: 9 };
        let mut complaints = [
            Complaint::new(elsewhere, "no such column: hunter2").with_hint(Some("not `xhunter2y`".to_owned())),
            Complaint::new(secret.at, "unknown type: HUNTER"),
            Complaint::new(elsewhere, "unknown type: HUNTER"),
        ];
        hide_secrets(&secrets, &mut complaints);
        let shown = complaints.map(|complaint| (complaint.message, complaint.hint));
        let expected = [
            ("no such column: (a secret)", Some("not `(a secret)`")),
            ("this value cannot be used: (a secret)", None),
            ("unknown type: HUNTER", None),
        ];
        assert_eq!(shown, expected.map(|(message, hint)| (message.to_owned(), hint.map(str::to_owned))));
    }

    #[test]
    fn the_environment_is_read_only_when_allowed() {
        let mut complaints = Vec::new();
        let mut node = Node::parse("a: ${env:HOME}").unwrap();
        Substitution { base: Path::new("."), allow_env: false }.apply(&mut node, &mut complaints);
        assert_eq!(complaints[0].message, "the environment may not be read: ${env:HOME}");
        assert_eq!(complaints[0].hint.as_deref(), Some("run with --allow-env, or use ${file:…}"));
    }
}
