//! `BinaryClassificationEvaluator` against `fixtures/spark/{3.5,4.3}/binary_classification_evaluator`.

use ognivo_data::version::SparkVersion;
use ognivo_ml::evaluation::{BinaryClassificationEvaluator, Evaluator};
use ognivo_ml::saved::SavedError;
use ognivo_ml::stage::Configured;

use crate::fixtures::{LINES, dataset, input, json};

#[test]
fn areas_are_spark_s_for_every_metric_column_weight_and_number_of_bins() {
    for (line, version) in LINES {
        let expected = json(&format!("{line}/binary_classification_evaluator/expected.json"));
        let data = dataset(input(expected["input"].as_str().unwrap()));
        let results = expected["results"].as_array().unwrap();
        assert_eq!(results.len(), 32, "{line}");
        for result in results {
            let mut evaluator = BinaryClassificationEvaluator::new();
            evaluator.set_version(version);
            for (name, value) in result["params"].as_object().unwrap() {
                evaluator.params_mut().set_json(name, value).unwrap();
            }
            let (ours, theirs) = (evaluator.evaluate(&data).unwrap(), result["value"].as_f64().unwrap());
            assert!((ours - theirs).abs() <= 1e-14, "{line} {}: {ours} against {theirs}", result["params"]);
        }
    }
}

#[test]
fn an_evaluator_reads_what_it_saves() -> Result<(), SavedError> {
    let evaluator = BinaryClassificationEvaluator::new().label_col("y").metric("areaUnderPR").num_bins(7);
    for layout in [SparkVersion::V3_5, SparkVersion::V4_3] {
        let saved = evaluator.to_saved(layout)?;
        let again = BinaryClassificationEvaluator::from_saved(&saved)?;
        assert_eq!(again.to_saved(layout)?, saved);
        assert_eq!(again.metric_name(), "areaUnderPR");
    }
    assert!(evaluator.to_saved(SparkVersion::V2_4).is_err(), "2.4 has no numBins");
    Ok(())
}
