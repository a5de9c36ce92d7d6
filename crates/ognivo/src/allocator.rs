//! How the system's allocator treats threads.

/// Arenas of memory that all threads share.
#[cfg(target_env = "gnu")]
const N_ARENAS: i32 = 2;

/// Lets all threads share a few arenas. To be called before another thread is started.
///
/// Threads for input and output come and go with the batches of a stream. The C library would give each an arena, which keeps
/// what was freed in it, so that a stream grew by some kilobytes with each batch; the large buffers of columns lie outside of
/// arenas, so that sharing them costs nothing that could be measured.
pub(crate) fn share_arenas() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code)] // `mallopt` has no safe form; it sets a number, and no other thread is there yet
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, N_ARENAS);
    }
}
