//! Trains Spark-ML-style pipelines and scores live streams with them, with no JVM.
//!
//! The words, parameters, defaults and numbers are Spark ML's; models are Spark's own model directories, so one that Spark
//! trained runs here and one trained here opens in Spark.
//!
//! ```
//! use ognivo::prelude::*;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let place = tempfile::tempdir()?;
//! # let text = std::fs::read_to_string("../../fixtures/data/lending_club.csv")?;
//! # let rows = text.lines().skip(1).map(|line| {
//! #     let cells: Vec<&str> = line.split(',').collect();
//! #     format!("{},{},{}\n", cells[3], cells[2], u8::from(cells[22].contains("bad")))
//! # });
//! # std::fs::create_dir(place.path().join("data"))?;
//! # let table = "purpose,int.rate,not.fully.paid\n".to_owned() + &rows.collect::<String>();
//! # std::fs::write(place.path().join("data/loan_data.csv"), table)?;
//! # std::env::set_current_dir(place.path())?;
//! let schema = "purpose STRING, int_rate DOUBLE, not_fully_paid INT";
//! let loans = ognivo::read().csv("data/loan_data.csv").schema(schema).load()?;
//! let [train, test] = loans.random_split([0.8, 0.2], 12345)?;
//! let model = Pipeline::new([
//!     StringIndexer::new().input_col("purpose").output_col("purpose_index").handle_invalid(Keep).into(),
//!     VectorAssembler::new().input_cols(["int_rate", "purpose_index"]).output_col("features").into(),
//!     LogisticRegression::new().label_col("not_fully_paid").max_iter(10).reg_param(0.01).into(),
//! ]).fit(&train)?;
//! let auc = BinaryClassificationEvaluator::new().label_col("not_fully_paid").evaluate(&model.transform(&test)?)?;
//! model.save("models/loans")?;
//! assert!(auc > 0.7 && auc < 0.8, "area under ROC: {auc}");
//! # let again = ognivo::load("models/loans")?;
//! # let scored = again.transform(&test)?;
//! # assert_eq!(BinaryClassificationEvaluator::new().label_col("not_fully_paid").evaluate(&scored)?, auc);
//! # Ok(())
//! # }
//! ```
//!
//! The rooms behind this façade, each with a chapter of its own: [`data`] (columns, datasets, codecs), [`ml`] (stages),
//! [`model`] (model directories), [`stream`](mod@stream) (micro-batches), [`files`] (folders of files).

pub mod input;
pub mod models;
pub mod prelude;
pub mod read;
pub mod session;

pub use models::load;
pub use ognivo_data as data;
pub use ognivo_files as files;
pub use ognivo_ml as ml;
pub use ognivo_model as model;
pub use ognivo_stream as stream;
pub use read::read;
