//! What linear models share: parameters, the rows they learn from and score, the arithmetic of their passes.

pub(crate) mod params;

pub(crate) mod checks;
pub(crate) mod choice;
pub(crate) mod descent;
pub(crate) mod penalty;
pub(crate) mod tile;
pub(crate) mod widest;

pub(crate) mod features_column;
pub(crate) mod linear_model;

#[cfg(test)]
pub(crate) mod numbers;
