//! The example `examples/survival`, as it stands in the repository.

use crate::binary::Workplace;

const JOB: &str = include_str!("../../../../examples/survival/job.yaml");
const PASSENGERS: &str = include_str!("../../../../examples/survival/passengers.csv");

fn place() -> Workplace {
    let place = Workplace::new();
    place.write("job.yaml", JOB);
    place.write("passengers.csv", PASSENGERS);
    place
}

#[test]
fn a_tree_is_tuned_on_passengers_of_whom_some_have_no_age() {
    let place = place();
    let trained = place.run(&["train", "job.yaml", "--output", "json"]).json();
    assert_eq!(trained["rows"]["kept"], 900);
    assert_eq!(trained["tuning"]["grid"].as_array().unwrap().len(), 8);
    let area = trained["metrics"]["areaUnderROC"].as_f64().unwrap();
    let accuracy = trained["metrics"]["accuracy"].as_f64().unwrap();
    assert!(area > 0.7 && accuracy > 0.7, "area {area}, accuracy {accuracy}");
    assert!(place.at("reports/survival.html").is_file());

    // Whoever has no age gets a prediction too.
    let scored = place.run(&["score", "models/survival", "passengers.csv", "--select", "age_known,prediction"]).ok();
    assert_eq!(scored.lines().count(), 901);
    assert!(scored.lines().all(|line| line.split(',').all(|cell| !cell.is_empty())), "{scored}");
}

#[test]
fn the_search_finds_sex_and_the_class_or_the_fare_that_tells_it() {
    let found = place().run(&["search", "job.yaml", "--output", "json"]).json();
    assert_eq!(found["sets"].as_array().unwrap().len(), 63);
    let best = found["best"]["columns"].as_array().unwrap();
    let has = |column: &str| best.iter().any(|name| name == column);
    assert!(has("sex_index") && (has("class") || has("fare")), "{best:?}");
}
