//! Choices without a branch.

/// `x`, or 0 when the condition does not hold.
///
/// A mask, not a branch: the compiler would move sums into a branch, and a loop with branches has no vector instructions.
#[inline(always)]
pub(crate) fn only_if(condition: bool, x: f64) -> f64 {
    f64::from_bits(x.to_bits() & u64::from(condition).wrapping_neg())
}
