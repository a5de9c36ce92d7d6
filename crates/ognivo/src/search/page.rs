//! The page of a search: how the sets did, which column helps, and the best pipeline.

use chrono::Utc;
use ognivo_report::content::Page;
use ognivo_report::number::count;
use ognivo_report::section::{self, Run, Search, TriedSet};

use super::outcome::{Found, Searched};
use crate::report::{learned, page};

/// The page.
pub(super) fn page(searched: &Searched) -> Page {
    let time = Utc::now().format("%Y-%m-%d %H:%M UTC").to_string();
    let mut sections = vec![section::search(&search(searched))];
    let evidence = searched.found.as_ref().and_then(|found| found.evidence.as_ref());
    if let (Some(found), Some(evidence)) = (&searched.found, evidence) {
        sections.extend(page::performance(&evidence.performance, &found.measured_on));
        let stages = found.model.stages().iter();
        sections.extend(stages.flat_map(|stage| learned::sections(stage.as_ref(), &evidence.features)));
    }
    sections.push(section::data(&searched.rows.flow(&searched.losses), evidence.map(|evidence| &evidence.profile)));
    sections.extend(searched.found.as_ref().map(|found| section::stages(found.model.stages())));
    sections.push(section::run(&run(searched, &time)));
    sections.retain(|section| !section.is_empty());
    let subtitle = format!("Searched with the numbers of Spark {}, {time}", searched.version);
    Page { title: searched.name.clone(), subtitle, sections }
}

fn search(searched: &Searched) -> Search {
    let set = |trial: &ognivo_ml::search::Trial| TriedSet {
        columns: trial.set.positions().collect(),
        average: trial.metric(),
        folds: trial.metrics.clone().unwrap_or_default(),
    };
    Search {
        strategy: searched.strategy.to_owned(),
        validator: searched.validator.clone(),
        metric: searched.metric.clone(),
        is_larger_better: searched.larger_is_better,
        columns: searched.columns.clone(),
        required: searched.required.clone(),
        sets: searched.trials.iter().map(set).collect(),
    }
}

fn run(searched: &Searched, time: &str) -> Run {
    let mut facts = vec![
        ("job".to_owned(), searched.name.clone()),
        ("made by".to_owned(), format!("ognivo {}", env!("CARGO_PKG_VERSION"))),
        ("numbers of".to_owned(), format!("Spark {}", searched.version)),
        ("time".to_owned(), time.to_owned()),
        ("sets tried".to_owned(), format!("{} of {}", count(searched.trials.len() as u64), count(searched.n_sets))),
        ("judged by".to_owned(), searched.validator.clone()),
    ];
    let model = searched.found.as_ref().and_then(|found: &Found| found.model_path.clone());
    facts.push(("model".to_owned(), model.unwrap_or_else(|| "not saved".to_owned())));
    Run { facts, seconds: searched.seconds.iter().map(|(step, seconds)| ((*step).to_owned(), *seconds)).collect() }
}
