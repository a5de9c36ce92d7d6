//! The report of a training run: a page that needs nothing else, and the same content as JSON beside it.

use serde_json::{Value, json};

use crate::binary::Workplace;
use crate::loans::Loans;

/// The demo's files with a report in another form of its job, trained; its numbers.
fn numbers_of(place: &Workplace, job: &str) -> Value {
    let trained = place.run(&["train", job, "--output", "json"]).json();
    let numbers: Value =
        serde_json::from_str(&std::fs::read_to_string(place.at("reports/loans.json")).unwrap()).unwrap();
    for key in ["rows", "metrics", "stages", "objectiveHistory"] {
        assert_eq!(numbers[key], trained[key], "{key}: what is printed stands in the file");
    }
    numbers
}

fn demo() -> Workplace {
    let place = Workplace::new();
    place.run(&["init", "demo"]).ok();
    for name in ["loans.yaml", "data"] {
        std::fs::rename(place.at("demo").join(name), place.at(name)).unwrap();
    }
    place
}

fn section<'a>(numbers: &'a Value, id: &str) -> &'a Value {
    numbers["sections"].as_array().unwrap().iter().find(|section| section["id"] == id).unwrap()
}

fn figure<'a>(numbers: &'a Value, id: &str, figure: &str) -> &'a Value {
    let blocks = section(numbers, id)["blocks"].as_array().unwrap();
    blocks.iter().find(|block| block["id"] == figure).unwrap_or_else(|| panic!("no {figure} in {id}"))
}

/// The first table whose caption begins so.
fn table<'a>(numbers: &'a Value, id: &str, caption: &str) -> &'a Value {
    let blocks = section(numbers, id)["blocks"].as_array().unwrap();
    let is_it = |block: &&Value| block["kind"] == "table" && block["caption"].as_str().unwrap().starts_with(caption);
    blocks.iter().find(is_it).unwrap_or_else(|| panic!("no table {caption} in {id}"))
}

#[test]
fn a_report_tells_the_whole_run_and_its_numbers_agree_with_it() {
    let place = demo();
    let numbers = numbers_of(&place, "loans.yaml");
    let ids: Vec<&str> = numbers["sections"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["overview", "performance", "coefficients", "objective", "data", "stages", "run"]);

    // The confusion matrix holds every test row once, under the names of the labels.
    let confusion = &figure(&numbers, "performance", "confusion")["chart"];
    assert_eq!(confusion["rows"], json!(["good", "bad"]));
    let rows = confusion["counts"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
    assert_eq!(rows.map(|n| n.as_u64().unwrap()).sum::<u64>(), numbers["rows"]["test"].as_u64().unwrap());

    // The area under the drawn curve is the metric, as far as it is told.
    let name = figure(&numbers, "performance", "roc")["chart"]["series"][1]["name"].as_str().unwrap();
    let area: f64 = name.strip_prefix("area ").unwrap().parse().unwrap();
    assert!((area - numbers["metrics"]["areaUnderROC"].as_f64().unwrap()).abs() < 2e-4, "{area}");

    // Coefficients bear the names of their columns, and each is the model's.
    let coefficients = table(&numbers, "coefficients", "LogisticRegression_")["rows"].as_array().unwrap();
    assert_eq!((coefficients.len(), &coefficients[2][0]), (11, &json!("int_rate")));
    assert_eq!(coefficients[2][1], numbers["stages"][2]["coefficients"][1]);

    let history = figure(&numbers, "objective", "history")["chart"]["series"][0]["points"].as_array().unwrap();
    assert_eq!(history.len() as u64, numbers["iterations"].as_u64().unwrap() + 1);
    let profile = table(&numbers, "data", "23 columns of 7,857 rows");
    let term = &profile["rows"][1];
    assert_eq!((&term[0], &term[1], &term[2], &term[3]), (&json!("term"), &json!("string"), &json!(0), &json!(2)));

    let page = std::fs::read_to_string(place.at("reports/loans.html")).unwrap();
    for word in ["<script", "http:", "https:", "src="] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("0.7417") && page.matches("<svg").count() > 20);
}

#[test]
fn rows_that_were_dropped_stand_with_the_step_and_its_reason() {
    let place = demo();
    let data = std::fs::read_to_string(place.at("data/loans.csv")).unwrap();
    // Every tenth row lacks its annual_inc, column 7.
    let without = |(i, line): (usize, &str)| match i % 10 {
        9 => {
            line.split(',').enumerate().map(|(at, cell)| if at == 6 { "" } else { cell }).collect::<Vec<_>>().join(",")
        }
        _ => line.to_owned(),
    };
    let lines: Vec<String> = data.lines().enumerate().map(without).collect();
    place.write("data/loans.csv", &(lines.join("\n") + "\n"));
    let job = std::fs::read_to_string(place.at("loans.yaml")).unwrap();
    place.write("loans.yaml", &job.replace("  dropna:", "  prepare:\n    - filter: funded_amnt > 2000\n  dropna:"));
    let numbers = numbers_of(&place, "loans.yaml");
    let rows = table(&numbers, "data", "Rows read")["rows"].as_array().unwrap();
    let named = |name: &str| rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("{name}: {rows:?}"));
    let count = |name: &str| named(name)[1].as_u64().unwrap();
    assert_eq!(named("dropped by dropna")[3], format!("nulls: annual_inc {}", count("dropped by dropna")));
    assert!(count("dropped by filter") > 0 && count("dropped by dropna") > 500);
    assert_eq!(count("read"), count("dropped by filter") + count("dropped by dropna") + count("kept"));
    assert_eq!(count("kept"), count("learned from") + count("kept apart"));
}

#[test]
fn a_report_without_a_split_or_an_evaluator_says_that_it_is_of_the_training_rows() {
    let place = demo();
    let job = std::fs::read_to_string(place.at("loans.yaml")).unwrap();
    let keeps = |line: &&str| {
        !["randomSplit", "evaluate:", "BinaryClassificationEvaluator"].iter().any(|word| line.contains(word))
    };
    place.write("whole.yaml", &job.lines().filter(keeps).collect::<Vec<_>>().join("\n"));
    let numbers = numbers_of(&place, "whole.yaml");
    assert_eq!(section(&numbers, "performance")["blocks"][0]["text"], "All of 7,857 training rows.");
    assert!(
        section(&numbers, "overview")["blocks"][1]["text"].as_str().unwrap().starts_with("No rows were kept apart")
    );
}

#[test]
fn test_rows_that_cannot_be_scored_are_said_and_the_model_is_saved_all_the_same() {
    let loans = Loans::new(1, 3);
    // A label that only one row has: where that row is a test row, the indexer does not know it.
    let rows = std::fs::read_to_string(loans.place.at("train.csv")).unwrap();
    let mut lines: Vec<String> = rows.lines().map(str::to_owned).collect();
    for line in lines.iter_mut().skip(1).step_by(40) {
        let unique = format!("term_{}", line.split(',').next().unwrap());
        *line = line.replace("term_36", &unique).replace("term_60", &unique);
    }
    loans.place.write("train.csv", &(lines.join("\n") + "\n"));
    let job = std::fs::read_to_string(loans.place.at("train.yaml")).unwrap();
    let with_report =
        format!("{}\n  randomSplit: {{weights: [0.5, 0.5], seed: 3}}\n  report: reports/loans.html\n", job.trim_end());
    loans.place.write("train.yaml", &with_report);
    let numbers = numbers_of(&loans.place, "train.yaml");
    let text = section(&numbers, "performance")["blocks"][0]["text"].as_str().unwrap();
    assert!(text.contains("test rows could not be scored") && text.contains("unseen label"), "{text}");
    assert!(loans.place.at("model/metadata").is_dir());
}

#[test]
fn a_report_writes_over_reports_only() {
    let place = demo();
    let in_data = ["train", "loans.yaml", "--set", "train.report=data/loans.html", "--quiet"];
    place.run(&in_data).ok();
    place.run(&in_data).ok(); // the second run finds its own numbers

    place.write("data/loans.json", "{\"rows\": \"of somebody\"}\n");
    let ran = place.run(&in_data);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.contains("would be written over another file"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(place.at("data/loans.json")).unwrap(), "{\"rows\": \"of somebody\"}\n");

    let ran = place.run(&["train", "loans.yaml", "--set", "train.report=reports/loans.json"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("must not end in .json") && ran.stderr.contains("reports/loans.html"),
        "{}",
        ran.stderr
    );
}
