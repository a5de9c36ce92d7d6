//! `ognivo validate`: every check that needs no network.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::{JobArgs, Output};
use crate::failure::Failure;
use crate::job::complaint::JobError;
use crate::job::node::{Node, Value};
use crate::job::resolve::read_job;
use crate::print;

/// Prints `ok`, or all complaints, to stdout.
pub(crate) fn run(args: &JobArgs, print_job: bool, output: Output) -> Result<ExitCode, Failure> {
    match read_job(&args.file, &args.overrides()) {
        Ok(job) if print_job => print::bytes(to_yaml(&job.document, 0).as_bytes())?,
        Ok(_) if output == Output::Json => print::line(&json!({"ok": true, "complaints": []}).to_string())?,
        Ok(_) => print::line("ok")?,
        Err(error) => {
            match output {
                Output::Json => print::line(&complaints_to_json(&error).to_string())?,
                Output::Text => print::bytes(error.lines().as_bytes())?,
            }
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn complaints_to_json(error: &JobError) -> serde_json::Value {
    let complaints = error.complaints.iter().map(|complaint| {
        json!({
            "file": error.file, "line": complaint.at.line, "column": complaint.at.column,
            "message": complaint.message, "hint": complaint.hint,
        })
    });
    json!({"ok": false, "complaints": complaints.collect::<Vec<_>>()})
}

/// The document as YAML, references such as `${file:…}` as they were written.
fn to_yaml(node: &Node, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    match &node.value {
        Value::Null => " null\n".to_owned(),
        Value::Scalar { text, plain } => format!(" {}\n", scalar_to_yaml(text, *plain)),
        Value::List(items) if items.is_empty() => " []\n".to_owned(),
        Value::Map(entries) if entries.is_empty() => " {}\n".to_owned(),
        Value::List(items) => {
            let lines = items.iter().map(|item| format!("{indent}-{}", to_yaml(item, depth + 1)));
            newline_before(depth) + &lines.collect::<String>()
        }
        Value::Map(entries) => {
            let lines = entries.iter().map(|entry| {
                format!("{indent}{}:{}", scalar_to_yaml(&entry.key, true), to_yaml(&entry.node, depth + 1))
            });
            newline_before(depth) + &lines.collect::<String>()
        }
    }
}

fn newline_before(depth: usize) -> String {
    if depth == 0 { String::new() } else { "\n".to_owned() }
}

/// Plain where that reads back as the same text, in double quotes (JSON's are YAML's) otherwise.
fn scalar_to_yaml(text: &str, plain: bool) -> String {
    let is_word = |c: char| c.is_alphanumeric() || "_./ -()".contains(c);
    let is_words = !text.is_empty() && text.chars().all(is_word) && text.trim() == text && !text.starts_with('-');
    let stays_plain = plain && (is_words || text.parse::<f64>().is_ok());
    if stays_plain { text.to_owned() } else { json!(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_job_reads_back_as_the_same_job() {
        let text = "a: {b: [1, \"true\", 'x: y'], c: ~, d: [], e: -1}\nf: \"${file:x}\"\n";
        let node = Node::parse(text).unwrap();
        let printed = to_yaml(&node, 0);
        assert_eq!(Node::parse(&printed).unwrap().to_json(), node.to_json(), "{printed}");
    }
}
