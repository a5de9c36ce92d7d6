//! What trees ask of their rows.

use ognivo_data::outcome::RejectCode;
use ognivo_data::version::SparkVersion;

use crate::instances::{CLASS, Checks, Labels, NUMBER, WEIGHT, Wanted};

/// Same as Spark: classes must be whole numbers from 0 in every version; 3.4 and later refuse features and labels that are not
/// finite, and weights that are negative or not finite. 2.4 knows no weights and lets NaN pass as the largest number.
pub(super) fn checks(labels: Labels, version: SparkVersion) -> Checks {
    const FINITE: Wanted = Wanted { what: "finite", fits: f64::is_finite, code: RejectCode::OutOfRange };
    let finite_features = version >= SparkVersion::V3_5;
    let label = match labels {
        Labels::Classes => CLASS,
        Labels::Numbers if finite_features => FINITE,
        Labels::Numbers => NUMBER,
    };
    Checks { finite_features, label, weight: WEIGHT }
}
