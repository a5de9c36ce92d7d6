//! A loop compiled for several instruction sets, of which the widest that the processor has is run.

/// A loop over arrays of numbers, whose bits are the same with every instruction set.
///
/// [`run`](Wide::run) and all that it calls must be `#[inline(always)]`: an inlined function is compiled for its caller's
/// instructions, one that is called for those of every processor.
pub(crate) trait Wide {
    /// The loop.
    fn run(self);
}

/// Runs `wide` with the widest instructions that this processor has.
pub(crate) fn run_widest(wide: impl Wide) {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code, reason = "the processor has just said that it has the instructions")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            return unsafe { run_avx512(wide) };
        }
        if is_x86_feature_detected!("avx2") {
            return unsafe { run_avx2(wide) };
        }
    }
    wide.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn run_avx512(wide: impl Wide) {
    wide.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2(wide: impl Wide) {
    wide.run();
}
