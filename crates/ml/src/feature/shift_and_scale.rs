//! Vectors less a shift and times a scale: what the models of `StandardScaler` and `RobustScaler` do.

use arrow_array::ArrayRef;
use ognivo_data::vector::VectorColumn;

use super::vector_map::{VectorMap, map_all_slots, map_stored_slots};

/// `(x − shift) · scale` in every slot. What is absent is not used; without a shift, sparse vectors stay sparse.
pub(super) struct ShiftAndScale {
    pub(super) shift: Option<Vec<f64>>,
    pub(super) scale: Option<Vec<f64>>,
    /// A slot of scale 0 is 0, not `(x − shift) · 0`.
    pub(super) ignores_constants: bool,
}

impl VectorMap for ShiftAndScale {
    fn apply(&self, vectors: &VectorColumn<'_>) -> ArrayRef {
        match (&self.shift, &self.scale) {
            (Some(shift), Some(scale)) if self.ignores_constants => {
                map_all_slots(
                    vectors,
                    |slot, value| {
                        if scale[slot] == 0.0 { 0.0 } else { (value - shift[slot]) * scale[slot] }
                    },
                )
            }
            (Some(shift), Some(scale)) => map_all_slots(vectors, |slot, value| (value - shift[slot]) * scale[slot]),
            (Some(shift), None) => map_all_slots(vectors, |slot, value| value - shift[slot]),
            (None, Some(scale)) => map_stored_slots(vectors, |slot, value| value * scale[slot]),
            (None, None) => map_stored_slots(vectors, |_, value| value),
        }
    }
}
