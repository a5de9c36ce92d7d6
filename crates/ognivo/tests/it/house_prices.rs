//! The example of house prices runs as it stands in the repository.

use crate::binary::Workplace;

const JOB: &str = include_str!("../../../../examples/house_prices/job.yaml");
const HOUSES: &str = include_str!("../../../../examples/house_prices/houses.csv");

fn place() -> Workplace {
    let place = Workplace::new();
    place.write("job.yaml", JOB);
    place.write("houses.csv", HOUSES);
    place
}

#[test]
fn prices_are_learned_measured_saved_and_scored() {
    let place = place();
    let trained = place.run(&["train", "job.yaml", "--output", "json"]).json();
    let n_known = HOUSES.lines().skip(1).filter(|line| line.split(',').nth(3) != Some("")).count();
    assert_eq!(trained["rows"]["kept"].as_u64(), Some(n_known as u64));
    // The noise has a deviation of 17.
    let (rmse, r2) = (trained["metrics"]["rmse"].as_f64().unwrap(), trained["metrics"]["r2"].as_f64().unwrap());
    assert!((15.0..19.0).contains(&rmse) && r2 > 0.95, "rmse {rmse}, r2 {r2}");
    let model = &trained["stages"][2];
    assert_eq!(model["class"], "LinearRegressionModel");
    let area = model["coefficients"][0].as_f64().unwrap();
    assert!((area - 2.35).abs() < 0.1 && model["intercept"].is_number(), "a square metre costs {area}");
    // The normal equation was solved without an iteration.
    assert!(trained["iterations"].is_null());

    let told = place.run(&["inspect", "models/house_prices"]).ok();
    for word in ["LinearRegressionModel", "intercept", "coefficients", "scale", "loadable: yes"] {
        assert!(told.contains(word), "no {word} in:\n{told}");
    }
    let scored = place.run(&["score", "models/house_prices", "houses.csv", "--output", "json"]).ok();
    assert!(scored.lines().next().is_some_and(|line| line.contains("\"prediction\":")), "{scored}");
    assert!(place.at("reports/house_prices.html").is_file());
}

#[test]
fn another_loss_is_one_override_away() {
    let set = "train.pipeline.LinearRegression.loss=huber";
    let trained = place().run(&["train", "job.yaml", "--output", "json", "--set", set]).json();
    assert!(trained["iterations"].as_u64().is_some_and(|n| n > 0));
    assert!(trained["stages"][2]["scale"].as_f64().is_some_and(|scale| scale > 1.0));
}
