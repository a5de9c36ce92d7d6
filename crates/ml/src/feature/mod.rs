//! Stages that make features: one file for each of Spark's classes and its model.

pub mod bucketizer;
pub mod imputer;
pub mod index_to_string;
pub mod max_abs_scaler;
pub mod min_max_scaler;
pub mod normalizer;
pub mod one_hot_encoder;
pub mod quantile_discretizer;
pub mod robust_scaler;
pub mod standard_scaler;
pub mod string_indexer;
pub mod vector_assembler;

mod filler;
mod label;
mod label_counts;
mod label_index;
mod scala_map;
mod scalar;
mod shift_and_scale;
mod surrogate;
mod vector_map;
mod vector_pass;
mod vector_row;

use crate::param::{Key, ParamKind, ParamSpec, Params, Range};

/// What a stage does with a row whose value it cannot take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HandleInvalid {
    /// The row is rejected (an error in a fit, a dead letter in a stream).
    Error,
    /// The row is dropped.
    Skip,
    /// The row is kept, with a value that the stage has for such cases.
    Keep,
}

/// How far from the rank that is asked for an approximate quantile's rank may be.
const RELATIVE_ERROR: Key<f64> = Key::new("relativeError");

/// The declaration of `relativeError`.
const RELATIVE_ERROR_SPEC: ParamSpec =
    ParamSpec::new(RELATIVE_ERROR.name, ParamKind::Double, "greatest error of quantiles, as a share of the rows")
        .double(0.001)
        .range(Range::Between(0.0, 1.0));

const HANDLE_INVALID: Key<String> = Key::new("handleInvalid");

impl HandleInvalid {
    /// The declaration of `handleInvalid`, for a stage that takes all three words.
    const SPEC: ParamSpec = ParamSpec::new(HANDLE_INVALID.name, ParamKind::String, "what to do with invalid rows")
        .text("error")
        .range(Range::OneOf(&["error", "skip", "keep"]));

    /// Spark's word.
    pub fn as_str(self) -> &'static str {
        match self {
            HandleInvalid::Error => "error",
            HandleInvalid::Skip => "skip",
            HandleInvalid::Keep => "keep",
        }
    }

    /// The value in `params`, whose ranges have been checked.
    fn of(params: &Params) -> HandleInvalid {
        match params.get(HANDLE_INVALID).as_str() {
            "skip" => HandleInvalid::Skip,
            "keep" => HandleInvalid::Keep,
            _ => HandleInvalid::Error,
        }
    }
}
