//! Who may know whom: arrows point down, brothers do not see each other.

use super::report;
use crate::json::{self, Json};
use crate::program::{cargo, output};

/// A room, and the rooms that it may know.
const ROOMS: [(&str, &[&str]); 11] = [
    ("crc", &[]),
    ("ognivo-data", &[]),
    ("ognivo-ml", &["ognivo-data"]),
    ("ognivo-model", &["ognivo-ml", "ognivo-data"]),
    ("ognivo-stream", &["ognivo-data"]),
    ("ognivo-files", &["ognivo-stream", "ognivo-data"]),
    ("ognivo-kafka", &["ognivo-stream", "ognivo-data"]),
    ("ognivo-cassandra", &["ognivo-stream", "ognivo-data"]),
    ("ognivo-report", &["ognivo-ml", "ognivo-data"]),
    (
        "ognivo",
        &[
            "ognivo-files",
            "ognivo-kafka",
            "ognivo-cassandra",
            "ognivo-report",
            "ognivo-model",
            "ognivo-stream",
            "ognivo-ml",
            "ognivo-data",
        ],
    ),
    ("xtask", &[]),
];

/// A heavy part from outside, and the only rooms that may know it (tests of other rooms too may not).
const GUESTS: [(&str, &[&str]); 17] = [
    ("parquet", &["ognivo-model", "ognivo-files"]),
    ("object_store", &["ognivo-model", "ognivo-stream", "ognivo-files", "ognivo"]),
    ("tokio", &["ognivo-stream", "ognivo-files", "ognivo-kafka", "ognivo-cassandra", "ognivo"]),
    ("futures", &["ognivo-model", "ognivo-stream", "ognivo-files", "ognivo-kafka", "ognivo-cassandra", "ognivo"]),
    ("async-trait", &["ognivo-model", "ognivo-stream", "ognivo-files", "ognivo-kafka", "ognivo-cassandra", "ognivo"]),
    ("rayon", &["ognivo-data", "ognivo"]),
    ("clap", &["ognivo"]),
    ("saphyr", &["ognivo"]),
    ("indicatif", &["ognivo"]),
    ("axum", &["ognivo"]),
    ("anyhow", &["ognivo"]),
    ("datafusion", &[]),
    ("rdkafka", &["ognivo-kafka"]),
    ("scylla", &["ognivo-cassandra"]),
    ("openssl", &["ognivo-cassandra", "ognivo-kafka"]),
    ("hyper", &["ognivo-kafka"]),
    ("rand", &[]),
];

struct Arrow {
    from: String,
    to: String,
    is_for_tests: bool,
}

fn packages() -> Vec<Json> {
    let metadata = output(cargo().args(["metadata", "--format-version", "1", "--no-deps", "--offline"]));
    let metadata = json::parse(&metadata.expect("cargo knows the workspace")).expect("cargo writes JSON");
    metadata.get("packages").items().to_vec()
}

fn name_of(package: &Json) -> String {
    package.get("name").text().expect("a package has a name").to_owned()
}

fn arrows() -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for package in packages() {
        for dependency in package.get("dependencies").items() {
            let is_for_tests = dependency.get("kind").text() == Some("dev");
            arrows.push(Arrow { from: name_of(&package), to: name_of(dependency), is_for_tests });
        }
    }
    arrows
}

#[test]
fn every_room_has_a_row_in_the_table() {
    let names: Vec<String> = packages().iter().map(name_of).collect();
    let unknown = names.iter().filter(|name| !ROOMS.iter().any(|(room, _)| room == name));
    let complaints = unknown.map(|name| format!("{name}: not in the table of rooms")).collect();
    report(complaints, "say in xtask/src/tidy/layering.rs what the new crate may know, and draw it in ARCHITECTURE.md");
}

#[test]
fn arrows_between_rooms_point_down() {
    let is_ours = |name: &str| ROOMS.iter().any(|(room, _)| *room == name);
    let may = |from: &str, to: &str| ROOMS.iter().any(|(room, below)| *room == from && below.contains(&to));
    let wrong = arrows().into_iter().filter(|a| is_ours(&a.to) && !may(&a.from, &a.to));
    let complaints = wrong.map(|a| format!("{} must not know {}", a.from, a.to)).collect();
    report(complaints, "move what is needed down, or pass it in as a function");
}

#[test]
fn heavy_parts_stay_behind_their_doors() {
    let hosts = |guest: &str| GUESTS.iter().find(|(name, _)| *name == guest).map(|(_, hosts)| *hosts);
    let wrong = arrows()
        .into_iter()
        .filter(|a| !a.is_for_tests)
        .filter(|a| hosts(&a.to).is_some_and(|h| !h.contains(&a.from.as_str())));
    let complaints = wrong.map(|a| format!("{} must not know {}", a.from, a.to)).collect();
    report(complaints, "the rooms that may are listed in xtask/src/tidy/layering.rs");
}

#[test]
fn xtask_has_no_dependency() {
    let complaints =
        arrows().into_iter().filter(|a| a.from == "xtask").map(|a| format!("xtask knows {}", a.to)).collect();
    report(complaints, "xtask builds in a second because it has none");
}
