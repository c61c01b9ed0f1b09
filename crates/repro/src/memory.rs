//! The memory of the program: on Linux mimalloc's, in place of the functions of the C library, which LibTorch calls for its tensors.
#![allow(unsafe_code)] // a call into mimalloc

#[cfg(target_os = "linux")]
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// mimalloc's `mi_option_purge_delay`, in milliseconds, which its binding does not name; below 0 for ever.
#[cfg(target_os = "linux")]
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Keeps what is freed until the program ends: every step of a training asks for the same blocks again, and a fresh page costs more than its
/// use.
pub(crate) fn keep_freed() {
    // SAFETY: sets a number inside the allocator.
    #[cfg(target_os = "linux")]
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, -1);
    }
}
