//! Numbers for the tests of passes.

/// Numbers from -4 to 4 whose sums depend on their order.
pub(crate) fn numbers(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 50) as f64 - 4.0
    };
    (0..n).map(|_| next()).collect()
}
