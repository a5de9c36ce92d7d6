//! `ognivo inspect`: what a Spark model directory holds, and whether we can load it.

use std::path::Path;
use std::process::ExitCode;

use ognivo::models::describe_model;
use ognivo::session::Session;
use ognivo_model::{Description, Registry};
use serde_json::{Value, json};

use crate::cli::Output;
use crate::failure::Failure;
use crate::print;

/// Exit code for a model that we cannot load.
const NOT_SUPPORTED: u8 = 3;

/// Shows the directory; the exit code says whether it can be loaded.
pub(crate) fn run(model: &str, output: Output) -> Result<ExitCode, Failure> {
    let session = Session::start(Some(1))?;
    let description = session.runtime().block_on(describe_model(model, Path::new(".")))?;
    match output {
        Output::Json => print::line(&to_json(&description).to_string())?,
        Output::Text => {
            print::bytes(description.to_string().as_bytes())?;
            print::line(&verdict(&description))?;
        }
    }
    Ok(if description.is_loadable() { ExitCode::SUCCESS } else { ExitCode::from(NOT_SUPPORTED) })
}

fn verdict(description: &Description) -> String {
    if description.is_loadable() {
        return "loadable: yes".to_owned();
    }
    let registry = Registry::default();
    let mut known: Vec<&str> = registry.classes().map(|class| class.rsplit('.').next().unwrap_or(class)).collect();
    known.sort_unstable();
    known.dedup();
    format!("loadable: no\nhint: we can load {}", known.join(", "))
}

fn to_json(description: &Description) -> Value {
    let tables = description.tables.iter().map(|table| {
        let columns = table
            .columns
            .iter()
            .map(|(name, data_type, first)| json!({"name": name, "type": data_type, "first": first}));
        json!({"name": table.name, "rows": table.n_rows, "columns": columns.collect::<Vec<_>>()})
    });
    json!({
        "class": description.class,
        "uid": description.uid.as_str(),
        "sparkVersion": description.spark_version,
        "folder": description.folder,
        "loadable": description.is_loadable(),
        "obstacle": description.obstacle,
        "params": description.params,
        "extra": description.extra,
        "inShort": description.in_short,
        "inputs": description.inputs,
        "outputs": description.outputs,
        "tables": tables.collect::<Vec<_>>(),
        "stages": description.children.iter().map(to_json).collect::<Vec<_>>(),
    })
}
