//! Pages with every section and chart, of made-up numbers: what `cargo xtask report` looks at in a browser.
//!
//! `cargo run -p ognivo-report --example gallery -- FOLDER` writes
//!
//! - `gallery.html`: every section as a user may see it;
//! - `wide.html`: 300 columns with long names, 300 coefficients, a large grid;
//! - `odd.html`: names that would be markup, one class only, one iteration, numbers that are none, nothing at all.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Date32Array, Float64Array, Int32Array, RecordBatch, StringArray};
use ognivo_data::dataset::{Dataset, LocalExecutor};
use ognivo_ml::classification::LogisticRegression;
use ognivo_ml::feature::vector_assembler::VectorAssembler;
use ognivo_ml::pipeline::Pipeline;
use ognivo_report::content::{Page, Section};
use ognivo_report::gather::{Profile, Residuals, ScoredColumns, Scores};
use ognivo_report::html;
use ognivo_report::section::{self, *};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("the folder to write into is missing")?);
    std::fs::create_dir_all(&folder)?;
    for (name, page) in [("gallery", gallery()?), ("wide", wide()?), ("odd", odd()?)] {
        std::fs::write(folder.join(name).with_extension("html"), html::to_html(&page))?;
        std::fs::write(
            folder.join(name).with_extension("json"),
            format!("{:#}\n", ognivo_report::json::to_json(&page)),
        )?;
    }
    Ok(())
}

// ---- made-up numbers ------------------------------------------------------------------------------------------------

/// xorshift64*: numbers that only have to look like data.
struct Random(u64);

impl Random {
    fn share(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// About normal, by Irwin and Hall.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}

fn random() -> Random {
    Random(0x9e37_79b9_7f4a_7c15)
}

fn dataset(columns: Vec<(String, ArrayRef)>) -> Outcome<(Dataset, usize)> {
    let rows =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, values)| (name, values, true)))?;
    let n_rows = rows.num_rows();
    Ok((Dataset::in_memory(rows.schema(), vec![vec![rows]], Arc::new(LocalExecutor::default())), n_rows))
}

fn doubles(values: impl IntoIterator<Item = f64>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Float64Array>())
}

fn loans(n: usize) -> Outcome<Profile> {
    let mut random = random();
    let purposes = ["debt_consolidation", "all_other", "credit_card", "home_improvement"];
    let income: Vec<Option<f64>> =
        (0..n).map(|_| Some((10.9 + 0.6 * random.normal()).exp()).filter(|_| random.share() > 0.02)).collect();
    let (data, n_rows) = dataset(vec![
        (
            "purpose".to_owned(),
            Arc::new((0..n).map(|_| Some(purposes[(random.share().powi(2) * 4.0) as usize])).collect::<StringArray>()),
        ),
        ("int_rate".to_owned(), doubles((0..n).map(|_| 0.12 + 0.027 * random.normal()))),
        ("annual_inc".to_owned(), Arc::new(income.into_iter().collect::<Float64Array>())),
        (
            "fico".to_owned(),
            Arc::new((0..n).map(|_| Some(612 + (random.share() * 215.0) as i32)).collect::<Int32Array>()),
        ),
        (
            "credit_policy".to_owned(),
            Arc::new((0..n).map(|_| Some(i32::from(random.share() < 0.8))).collect::<Int32Array>()),
        ),
        ("is_joint".to_owned(), Arc::new((0..n).map(|_| Some(random.share() < 0.1)).collect::<BooleanArray>())),
        (
            "issued".to_owned(),
            Arc::new((0..n).map(|_| Some(14_000 + (random.share() * 900.0) as i32)).collect::<Date32Array>()),
        ),
        ("loan_id".to_owned(), Arc::new((0..n).map(|i| Some(format!("L{i:07}"))).collect::<StringArray>())),
    ])?;
    Ok(Profile::of(&data, n_rows)?)
}

fn scored(n: usize, noise: f64) -> Outcome<Scores> {
    let mut random = random();
    let scores: Vec<f64> = (0..n).map(|_| 1.0 / (1.0 + (1.6 - 0.9 * random.normal()).exp())).collect();
    let labels = scores.iter().map(|score| f64::from(u8::from(random.share() < score + noise * random.normal())));
    let labels: Vec<f64> = labels.collect();
    let predictions = scores.iter().map(|&score| f64::from(u8::from(score > 0.5)));
    classes(labels, predictions.collect(), Some(scores))
}

fn classes(labels: Vec<f64>, predictions: Vec<f64>, scores: Option<Vec<f64>>) -> Outcome<Scores> {
    let mut columns = vec![("label".to_owned(), doubles(labels)), ("prediction".to_owned(), doubles(predictions))];
    columns.extend(scores.map(|scores| ("score".to_owned(), doubles(scores))));
    let (data, n_rows) = dataset(columns)?;
    let names = ScoredColumns {
        label: "label".to_owned(),
        prediction: "prediction".to_owned(),
        score: Some("score".to_owned()),
        features: None,
    };
    Ok(Scores::of(&data, n_rows, &names)?.ok_or("label and prediction are numbers")?)
}

fn prices(n: usize) -> Outcome<Residuals> {
    let mut random = random();
    let predictions: Vec<f64> = (0..n).map(|_| 250_000.0 + 70_000.0 * random.normal()).collect();
    let labels =
        predictions.iter().map(|price| price + price * 0.12 * random.normal() + (price - 250_000.0).powi(2) / 6e5);
    let labels = doubles(labels.collect::<Vec<f64>>());
    let (data, n_rows) = dataset(vec![("price".to_owned(), labels), ("prediction".to_owned(), doubles(predictions))])?;
    let names =
        ScoredColumns { label: "price".to_owned(), prediction: "prediction".to_owned(), ..ScoredColumns::default() };
    Ok(Residuals::of(&data, n_rows, &names)?.ok_or("label and prediction are numbers")?)
}

fn grid(params: &[(&str, Vec<String>)]) -> Tuning {
    let mut random = random();
    let mut candidates = vec![Candidate::default()];
    for (name, values) in params {
        let with = |candidate: &Candidate, value: &String| {
            let mut more = candidate.clone();
            more.params.push(((*name).to_owned(), value.clone()));
            more
        };
        candidates =
            candidates.iter().flat_map(|candidate| values.iter().map(|value| with(candidate, value))).collect();
    }
    for candidate in &mut candidates {
        let numbers = candidate.params.iter().filter_map(|(_, value)| value.parse::<f64>().ok());
        let middle = 0.72 - numbers.map(|number| 0.02 * (number + 0.003).log10().abs().min(3.0)).sum::<f64>();
        candidate.folds = (0..3).map(|_| middle + 0.006 * random.normal()).collect();
        candidate.average = candidate.folds.iter().sum::<f64>() / 3.0;
    }
    Tuning {
        validator: "CrossValidator, 3 folds, seed 42".to_owned(),
        metric: "areaUnderROC".to_owned(),
        is_larger_better: true,
        candidates,
    }
}

fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

fn subsets(columns: &[&str], required: &[&str]) -> Search {
    let mut random = random();
    let worth: Vec<f64> = columns.iter().enumerate().map(|(i, _)| 0.05 / (1.0 + i as f64) - 0.006).collect();
    let set = |mask: usize| {
        let columns: Vec<usize> = (0..columns.len()).filter(|column| mask >> column & 1 == 1).collect();
        let average = 0.56 + columns.iter().map(|&column| worth[column]).sum::<f64>() + 0.004 * random.normal();
        TriedSet { folds: vec![average - 0.01, average, average + 0.01], average, columns }
    };
    Search {
        strategy: "exhaustive".to_owned(),
        validator: "TrainValidationSplit, trainRatio 0.8, seed 12345".to_owned(),
        metric: "areaUnderROC".to_owned(),
        is_larger_better: true,
        columns: texts(columns),
        required: texts(required),
        sets: (1..1 << columns.len()).map(set).collect(),
    }
}

// ---- pages ----------------------------------------------------------------------------------------------------------

fn names() -> ClassNames {
    ClassNames {
        labels: texts(["good", "bad"]),
        is_probability: true,
        threshold: Some(0.5),
        measured_on: "4,000 test rows".to_owned(),
    }
}

fn flow() -> RowFlow {
    let loss = |step: &str, n_rows, reason: &str| Loss { step: step.to_owned(), n_rows, reason: reason.to_owned() };
    RowFlow {
        n_read: 25_000,
        losses: vec![
            loss("DROPMALFORMED", 12, "records that do not fit the schema"),
            loss("dropna", 488, "nulls: annual_inc 488"),
        ],
        n_kept: 24_500,
        n_train: 20_500,
        n_test: 4_000,
    }
}

fn overview() -> Overview {
    Overview {
        metrics: vec![("areaUnderROC".to_owned(), 0.741_723_573_653_897), ("areaUnderPR".to_owned(), 0.31)],
        measured_on: "4,000 test rows".to_owned(),
        is_on_training_rows: false,
        n_train: 20_500,
        n_test: 4_000,
        n_features: Some(6),
        iterations: Some(17),
        seconds: 1.234,
    }
}

/// Coefficients with standard errors.
fn coefficients(features: Vec<String>) -> Weights {
    let mut random = random();
    let values: Vec<f64> = features.iter().map(|_| random.normal()).collect();
    let errors: Vec<f64> = values.iter().map(|_| 0.05 + 0.2 * random.share()).collect();
    let p_values = values.iter().zip(&errors).map(|(value, error)| (-(value / error).abs()).exp()).collect();
    let set = WeightSet { name: String::new(), intercept: -1.5, coefficients: values, errors, p_values };
    Weights {
        stage: "LinearRegression_4f2a".to_owned(),
        deviations: features.iter().map(|_| 0.2 + random.share()).collect(),
        features,
        sets: vec![set],
        adds_to: "log-odds of bad".to_owned(),
    }
}

fn features() -> Vec<String> {
    texts([
        "int_rate",
        "annual_inc",
        "fico",
        "credit_policy",
        "purpose_index",
        "total_high_credit_limit_of_all_accounts",
    ])
}

fn run_facts() -> Run {
    let facts = [
        ("job", "loans.yaml"),
        ("numbers of", "Spark 4.3"),
        ("seed of randomSplit", "12345"),
        ("model", "models/loans"),
    ];
    Run {
        facts: facts.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        seconds: vec![("read".to_owned(), 0.61), ("fit".to_owned(), 0.5), ("evaluate".to_owned(), 0.1)],
    }
}

fn page(title: &str, sections: Vec<Section>) -> Page {
    Page { title: title.to_owned(), subtitle: "Made-up numbers.".to_owned(), sections }
}

/// Sections of one kind on one page need names of their own.
fn named(mut section: Section, id: &'static str, title: &str) -> Section {
    section.id = id;
    section.title = title.to_owned();
    section
}

fn fitted_stages() -> Outcome<Section> {
    let (data, _) = dataset(vec![
        ("x".to_owned(), doubles((0..20).map(f64::from))),
        ("label".to_owned(), doubles((0..20).map(|i| f64::from(i % 3 % 2)))),
    ])?;
    let model = Pipeline::new([
        VectorAssembler::new().input_cols(["x"]).output_col("features").into(),
        LogisticRegression::new().max_iter(10).reg_param(0.01).into(),
    ])
    .fit(&data)?;
    Ok(section::stages(model.stages()))
}

fn gallery() -> Outcome<Page> {
    let history: Vec<f64> = (0..18).map(|i| 0.18 + 0.05 * (-f64::from(i) / 2.5).exp()).collect();
    let shares =
        [("int_rate", 0.41), ("fico", 0.3), ("annual_inc", 0.2), ("purpose_index", 0.09), ("credit_policy", 0.0)];
    let forest = shares.map(|(name, share)| (name.to_owned(), share)).to_vec();
    let mut random = random();
    let three: Vec<f64> = (0..3000).map(|_| (random.share() * 3.0).floor()).collect();
    let guesses =
        three.iter().map(|&label| if random.share() < 0.7 { label } else { (random.share() * 3.0).floor() }).collect();
    let species = ClassNames {
        labels: texts(["setosa", "versicolor", "virginica"]),
        measured_on: "3,000 test rows".to_owned(),
        ..ClassNames::default()
    };
    let reg_params = || ("LogisticRegression.regParam", texts(["0.0001", "0.001", "0.01", "0.1", "1.0"]));
    let elastic = || ("LogisticRegression.elasticNetParam", texts(["0.0", "0.5", "1.0"]));
    let family = || ("LogisticRegression.family", texts(["binomial", "multinomial"]));
    let columns =
        ["credit_policy", "int_rate", "installment", "log_annual_inc", "dti", "fico", "revol_util", "purpose_index"];
    Ok(page(
        "Gallery",
        vec![
            section::overview(&overview()),
            section::classification(&scored(4_000, 0.05)?, &names()),
            named(section::classification(&classes(three, guesses, None)?, &species), "classes", "Three classes"),
            named(section::regression(&prices(8_000)?, "price", "8,000 test rows"), "regression", "Regression"),
            section::weights(&coefficients(features())),
            section::importances(&Importances { stage: "DecisionTreeClassifier_77aa".to_owned(), features: forest }),
            section::objective(&history),
            section::tuning(&grid(&[reg_params()])),
            named(section::tuning(&grid(&[reg_params(), elastic()])), "tuning-2", "Tuning of two parameters"),
            named(
                section::tuning(&grid(&[reg_params(), elastic(), family()])),
                "tuning-3",
                "Tuning of three parameters",
            ),
            section::search(&subsets(&columns, &[])),
            section::data(&flow(), Some(&loans(25_000)?)),
            fitted_stages()?,
            section::run(&run_facts()),
        ],
    ))
}

fn wide() -> Outcome<Page> {
    let mut random = random();
    let name = |i: usize| match i % 7 {
        0 => format!("a_rather_long_name_of_a_column_that_somebody_generated_number_{i}"),
        _ => format!("x{i}"),
    };
    let columns =
        (0..300).map(|i| (name(i), doubles((0..400).map(|_| random.normal() * 10f64.powi(i as i32 % 13 - 6)))));
    let (data, n_rows) = dataset(columns.collect())?;
    let weights = coefficients((0..300).map(name).collect());
    let classes_of_many = Weights {
        sets: (0..8).map(|class| WeightSet { name: format!("class {class}"), ..weights.sets[0].clone() }).collect(),
        ..weights.clone()
    };
    let labels: Vec<f64> = (0..5_000).map(|_| (random.share() * 18.0).floor()).collect();
    let guesses =
        labels.iter().map(|&label| if random.share() < 0.5 { label } else { (random.share() * 18.0).floor() });
    let guesses = guesses.collect();
    let numbers = |n: usize| texts((0..n).map(|i| i as f64 / 10.0));
    Ok(page(
        "Wide",
        vec![
            section::classification(
                &classes(labels, guesses, None)?,
                &ClassNames { measured_on: "5,000 rows".to_owned(), ..ClassNames::default() },
            ),
            section::weights(&weights),
            named(section::weights(&classes_of_many), "classes", "Coefficients of eight classes"),
            section::tuning(&grid(&[("GBTClassifier.maxDepth", numbers(10)), ("GBTClassifier.stepSize", numbers(10))])),
            section::search(&subsets(
                &(0..11).map(name).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>(),
                &["x1"],
            )),
            section::data(&flow(), Some(&Profile::of(&data, n_rows)?)),
        ],
    ))
}

/// A name that would be markup, break a line, and is long.
const HOSTILE: &str = "</svg><script>document.title='broken'</script> & \"q\" 'a'\nsecond line";

fn odd() -> Outcome<Page> {
    let hostile_names = ClassNames {
        labels: texts([HOSTILE, "日本語の長い名前のクラス"]),
        is_probability: true,
        threshold: Some(0.5),
        measured_on: "40 test rows".to_owned(),
    };
    let one_class = classes(vec![1.0; 40], vec![0.0; 40], Some((0..40).map(|i| f64::from(i) / 80.0).collect()))?;
    let no_label = classes(vec![f64::NAN; 3], vec![0.0; 3], None)?;
    let nulls: ArrayRef = Arc::new(Float64Array::from(vec![None; 40]));
    let wild = [f64::NAN, f64::INFINITY, 1.0, 1e300];
    let (data, n_rows) = dataset(vec![
        (HOSTILE.to_owned(), Arc::new((0..40).map(|i| Some(format!("{HOSTILE}{}", i % 3))).collect::<StringArray>())),
        ("nothing but nulls".to_owned(), nulls),
        ("constant".to_owned(), doubles(vec![3.25; 40])),
        ("wild".to_owned(), doubles((0..40).map(|i| wild[i % 4]))),
    ])?;
    let mut hostile_weights = coefficients(texts([HOSTILE, "constant", "b"]));
    hostile_weights.deviations = vec![1.0, f64::NAN, 2.0];
    let mut broken_grid = grid(&[(HOSTILE, texts([HOSTILE, "b"]))]);
    broken_grid.candidates[0].average = f64::NAN;
    let constant = (0..30).map(|_| 1.0).collect::<Vec<f64>>();
    let (same, n_same) =
        dataset(vec![("y".to_owned(), doubles(constant.clone())), ("prediction".to_owned(), doubles(constant))])?;
    let columns =
        ScoredColumns { label: "y".to_owned(), prediction: "prediction".to_owned(), ..ScoredColumns::default() };
    let perfect = Residuals::of(&same, n_same, &columns)?.ok_or("label and prediction are numbers")?;
    Ok(page(
        HOSTILE,
        vec![
            section::overview(&Overview {
                is_on_training_rows: true,
                metrics: vec![(HOSTILE.to_owned(), f64::NAN)],
                ..overview()
            }),
            section::classification(&one_class, &hostile_names),
            named(section::classification(&no_label, &hostile_names), "nothing", "No label"),
            named(section::classification(&scored(40, 0.0)?, &hostile_names), "few", "Few rows"),
            named(section::regression(&perfect, HOSTILE, "30 rows"), "perfect", "A perfect regression"),
            section::weights(&hostile_weights),
            section::objective(&[0.0]),
            section::tuning(&broken_grid),
            section::data(&RowFlow::default(), Some(&Profile::of(&data, n_rows)?)),
        ],
    ))
}
