//! What a training run was like, gathered in one pass each over columns and scores, and drawn as a page.
//!
//! ```text
//!  Dataset ──gather──► plain structs ──section──► content::Page ──html──► one file, charts inside as SVG
//!                                                        └────────json──► the same content for programs
//! ```
//!
//! 1. **gather**: aggregates in bounded memory. [`Profile`](gather::Profile) sees every column once,
//!    [`Scores`](gather::Scores) and [`Residuals`](gather::Residuals) every scored row once.
//! 2. **section**: each function takes one plain struct (what was gathered, a model's coefficients, the candidates of a tuning)
//!    and returns a [`Section`](content::Section): text, tables, figures. It decides what is worth seeing, not how it looks.
//! 3. **html**, **svg**, **json**: renderers of any content. They know nothing of models.
//!
//! A section that a caller fills in a few lines:
//!
//! ```
//! use ognivo_report::content::Page;
//! use ognivo_report::html;
//! use ognivo_report::section::{Candidate, Tuning, tuning};
//!
//! let candidate = |value: &str, folds: [f64; 3]| Candidate {
//!     params: vec![("LogisticRegression.regParam".to_owned(), value.to_owned())],
//!     average: folds.iter().sum::<f64>() / 3.0,
//!     folds: folds.to_vec(),
//! };
//! let section = tuning(&Tuning {
//!     validator: "CrossValidator, 3 folds, seed 42".to_owned(),
//!     metric: "areaUnderROC".to_owned(),
//!     is_larger_better: true,
//!     candidates: vec![candidate("0.01", [0.71, 0.69, 0.70]), candidate("0.1", [0.68, 0.66, 0.69])],
//! });
//! let page = Page { title: "loans".to_owned(), subtitle: String::new(), sections: vec![section] };
//! assert!(html::to_html(&page).contains("<svg"));
//! ```
//!
//! This crate is as pure as `ml`: no file, no clock, no thread. Nothing here changes a result of training; a number that could not be
//! gathered is left out, and no page fails.

pub mod gather;

pub mod section;

pub mod content;

pub mod html;
pub mod json;
mod svg;

pub mod number;
