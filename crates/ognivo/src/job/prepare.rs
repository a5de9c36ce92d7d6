//! The steps of `prepare:` and `dropna:`, from the file to values.

use arrow_schema::SchemaRef;
use ognivo_data::prepare::{Cast, Drop, DropNa, Filter, How, Prepare, SelectExpr, Step, WithColumnRenamed, bind};
use ognivo_data::schema::parse_type;
use ognivo_data::version::SparkVersion;

use super::complaint::Complaint;
use super::node::{Entry, Node, Position};

/// Steps in order, and where each stands in the file.
#[derive(Debug, Clone, Default)]
pub(crate) struct PrepareJob {
    /// The steps.
    pub(crate) steps: Vec<Step>,
    places: Vec<Position>,
}

impl PrepareJob {
    /// Reads the list under `prepare:`.
    pub(super) fn read(node: Option<&Node>, complaints: &mut Vec<Complaint>) -> PrepareJob {
        let mut job = PrepareJob::default();
        for item in node.map(Node::items).unwrap_or_default() {
            for entry in item.entries() {
                job.push(entry.at, read_step(entry, complaints));
            }
        }
        job
    }

    /// Appends the step that `dropna:` asks for.
    pub(super) fn push_dropna(&mut self, node: &Node) {
        self.push(node.at, vec![read_dropna(node)]);
    }

    fn push(&mut self, at: Position, steps: Vec<Step>) {
        self.places.extend(steps.iter().map(|_| at));
        self.steps.extend(steps);
    }

    /// Resolves the steps against `input`; a step that does not fit becomes a complaint at its place.
    pub(super) fn check(&self, input: &SchemaRef, version: SparkVersion) -> Result<Prepare, Complaint> {
        bind(&self.steps, input, version).map_err(|error| Complaint::of(self.places[error.position], &error))
    }
}

fn read_step(entry: &Entry, complaints: &mut Vec<Complaint>) -> Vec<Step> {
    let node = &entry.node;
    match entry.key.as_str() {
        "dropna" => vec![read_dropna(node)],
        "drop" => vec![Step::Drop(Drop { columns: node.texts() })],
        "withColumnRenamed" => {
            let renamed = node.entries().iter().filter_map(|entry| {
                Some(WithColumnRenamed { existing: entry.key.clone(), new: entry.node.text()?.to_owned() })
            });
            renamed.map(Step::WithColumnRenamed).collect()
        }
        "filter" => vec![Step::Filter(Filter { condition: node.text().unwrap_or_default().to_owned() })],
        "selectExpr" => vec![Step::SelectExpr(SelectExpr { expressions: node.texts() })],
        "cast" => vec![Step::Cast(Cast { columns: read_casts(node, complaints) })],
        other => {
            complaints.push(Complaint::new(entry.at, format!("this version of ognivo has no such step yet: {other}")));
            Vec::new()
        }
    }
}

fn read_casts(node: &Node, complaints: &mut Vec<Complaint>) -> Vec<(String, arrow_schema::DataType)> {
    let mut casts = Vec::new();
    for entry in node.entries() {
        match parse_type(entry.node.text().unwrap_or_default()) {
            Ok(data_type) => casts.push((entry.key.clone(), data_type)),
            Err(error) => complaints.push(Complaint::of(entry.node.at, &error)),
        }
    }
    casts
}

fn read_dropna(node: &Node) -> Step {
    let text = |key: &str| node.get(key).and_then(Node::text);
    Step::DropNa(DropNa {
        how: if text("how") == Some("all") { How::All } else { How::Any },
        thresh: text("thresh").and_then(|text| text.parse().ok()),
        subset: node.get("subset").map(Node::texts),
    })
}
