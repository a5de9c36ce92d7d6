//! What linear models ask of their rows.

use ognivo_data::outcome::RejectCode;
use ognivo_data::version::SparkVersion;

use crate::instances::{CLASS, Checks, Labels, NUMBER, WEIGHT, Wanted};

/// Same as Spark: 3.4 and later refuse features that are not finite, labels that are not what the model predicts, and weights
/// that are negative or not finite; earlier versions refuse only nulls and negative weights here.
pub(crate) fn checks(labels: Labels, version: SparkVersion) -> Checks {
    const FINITE: Wanted = Wanted { what: "a finite number", fits: f64::is_finite, code: RejectCode::NotFinite };
    match (version >= SparkVersion::V3_5, labels) {
        (true, Labels::Classes) => Checks { finite_features: true, label: CLASS, weight: WEIGHT },
        (true, Labels::Numbers) => Checks { finite_features: true, label: FINITE, weight: WEIGHT },
        (false, _) => {
            let weight = Wanted { fits: |weight| weight >= 0.0, ..WEIGHT };
            Checks { finite_features: false, label: NUMBER, weight }
        }
    }
}
