//! The page of a training run: its sections, in the order in which they are read.

use chrono::Utc;
use ognivo_report::content::{Page, Section};
use ognivo_report::number::count;
use ognivo_report::section::{self, Overview, Run};

use super::evidence::Performance;
use super::learned;
use crate::train::Trained;

/// The page.
pub(super) fn page(trained: &Trained) -> Page {
    let mut sections = vec![section::overview(&overview(trained))];
    let (evidence, time) = (trained.evidence.as_ref(), Utc::now().format("%Y-%m-%d %H:%M UTC").to_string());
    sections.extend(evidence.and_then(|evidence| performance(&evidence.performance, &measured_on(trained))));
    sections.extend(trained.tuned.as_ref().map(|tuned| section::tuning(&tuned.to_report())));
    if let Some(evidence) = evidence {
        let stages = trained.model.stages().iter();
        sections.extend(stages.flat_map(|stage| learned::sections(stage.as_ref(), &evidence.features)));
    }
    sections.push(section::objective(&trained.objective_history));
    sections.push(section::data(&trained.rows.flow(&trained.losses), evidence.map(|evidence| &evidence.profile)));
    sections.push(section::stages(trained.model.stages()));
    sections.push(section::run(&run(trained, &time)));
    sections.retain(|section| !section.is_empty());
    let subtitle = format!("Trained with the numbers of Spark {}, {time}", trained.version);
    Page { title: trained.name.clone(), subtitle, sections }
}

fn measured_on(trained: &Trained) -> String {
    match trained.measured_on_training_rows {
        true => format!("{} training rows", count(trained.rows.train as u64)),
        false => format!("{} test rows", count(trained.rows.test as u64)),
    }
}

fn overview(trained: &Trained) -> Overview {
    let features = trained.evidence.as_ref().map(|evidence| evidence.features.names.len() as u64);
    Overview {
        metrics: trained.metrics.clone(),
        measured_on: measured_on(trained),
        is_on_training_rows: trained.measured_on_training_rows,
        n_train: trained.rows.train as u64,
        n_test: trained.rows.test as u64,
        n_features: features.filter(|n_features| *n_features > 0),
        iterations: trained.iterations.map(|iterations| iterations as u64),
        seconds: trained.seconds.get("total").copied().unwrap_or_default(),
    }
}

/// How the predictor did on the rows that `measured_on` tells.
pub(crate) fn performance(performance: &Performance, measured_on: &str) -> Option<Section> {
    match performance {
        Performance::Unknown => None,
        Performance::Classes(scores, names) => Some(section::classification(scores, names)),
        Performance::Numbers(residuals, label) => Some(section::regression(residuals, label, measured_on)),
        Performance::Failed(error) => {
            let mut section = Section::new("performance", "Performance");
            section.text(format!("The {measured_on} could not be scored: {error}"));
            Some(section)
        }
    }
}

fn run(trained: &Trained, time: &str) -> Run {
    let mut facts = vec![
        ("job".to_owned(), trained.name.clone()),
        ("made by".to_owned(), format!("ognivo {}", env!("CARGO_PKG_VERSION"))),
        ("numbers of".to_owned(), format!("Spark {}", trained.version)),
        ("time".to_owned(), time.to_owned()),
    ];
    facts.extend(trained.facts.iter().cloned());
    let model = trained.model_path.clone();
    facts.push(("model".to_owned(), model.unwrap_or_else(|| "not saved".to_owned())));
    Run { facts, seconds: trained.seconds.iter().map(|(step, seconds)| ((*step).to_owned(), *seconds)).collect() }
}
