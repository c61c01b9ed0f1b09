//! Memory between the steps of a training.
#![allow(unsafe_code)] // calls into the C library

/// Bytes above which a block comes from the system and goes back to it at once.
const MAPPED: i32 = 1 << 30;
/// Free bytes at the end of the heap that are kept.
const KEPT: i32 = i32::MAX;
/// Bytes the heap grows by, at least.
const STEP: i32 = 16 << 20;

// `M_MXFAST` 0: glibc joins all its small free blocks whenever a large one is freed, which here is all the time; without the
// lists of small blocks (each thread has another) there is nothing to join.

/// Asks the C library to keep the memory that tensors free, for the whole process.
///
/// LibTorch takes the memory of CPU tensors from the C library, and glibc by default gives large blocks back to the system when
/// they are freed: then every step of a training pays for the same pages again, which is half of the time where batches are
/// large. A program that trains should call this once, before its first tensor; a library should leave it to its program. The
/// resident memory stays at its peak afterwards.
///
/// Other C libraries than glibc are left as they are.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    for (parameter, value) in [
        (libc::M_MMAP_THRESHOLD, MAPPED),
        (libc::M_TRIM_THRESHOLD, KEPT),
        (libc::M_TOP_PAD, STEP),
        (libc::M_MXFAST, 0),
    ] {
        // SAFETY: sets a number inside the allocator under its own lock; a value that it refuses changes nothing.
        unsafe { libc::mallopt(parameter, value) };
    }
}

/// Gives the memory that is free, and kept, back to the system; on another C library than glibc, nothing.
///
/// A program that goes from one task to another of a different size may call this in between.
pub fn release_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: looks for whole free pages inside the allocator under its own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
