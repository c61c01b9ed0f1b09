//! LibTorch's own thread pool as an executor of `coarsen-sparse`.
//!
//! LibTorch's OpenMP threads spin at barriers; a second busy pool beside them makes both several times slower. So Rust
//! closures run in LibTorch's pool too, and one setting (`tch::set_num_threads`) rules everything.
#![allow(unsafe_code)] // a closure crosses into C++ and back: the one call below

use std::any::Any;
use std::ffi::c_void;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use coarsen_sparse::Executor;

unsafe extern "C" {
    fn coarsen_parallel_for(
        end: i64,
        grain: i64,
        body: *mut c_void,
        call: unsafe extern "C" fn(*mut c_void, i64, i64),
    );
}

/// Runs kernels in LibTorch's pool.
#[derive(Debug, Clone, Copy, Default)]
pub struct TorchPool;

struct Job<'a> {
    body: &'a (dyn Fn(Range<usize>) + Sync),
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

unsafe extern "C" fn run(job: *mut c_void, begin: i64, end: i64) {
    // SAFETY: `job` points to the `Job` on the stack of `TorchPool::run`, which waits for all ranges; it is shared only.
    let job = unsafe { &*job.cast::<Job>().cast_const() };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (job.body)(begin as usize..end as usize))) {
        *job.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
    }
}

impl Executor for TorchPool {
    /// LibTorch's threads spin between tasks, so that handing over a task takes a few microseconds.
    fn task_cost(&self) -> usize {
        8_192
    }

    /// Calls `body` on disjoint ranges that cover `0..n`; a panic inside is passed on to the caller.
    fn run(&self, n: usize, grain: usize, body: &(dyn Fn(Range<usize>) + Sync)) {
        if n <= grain {
            return body(0..n);
        }
        let job = Job { body, panic: Mutex::new(None) };
        // SAFETY: `run` only reads the job, from any thread (`body` is Sync, the panic slot a mutex), and
        // `coarsen_parallel_for` returns after the last range.
        unsafe {
            coarsen_parallel_for(n as i64, grain.max(1) as i64, (&raw const job).cast_mut().cast(), run);
        }
        if let Some(panic) = job.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            resume_unwind(panic);
        }
    }
}

/// Hands each piece, with its number, to `body` once, in LibTorch's pool; `grain` of them, or more, in one task.
pub(crate) fn side_by_side<P: Send>(
    pieces: impl IntoIterator<Item = P>,
    grain: usize,
    body: impl Fn(usize, P) + Sync,
) {
    let pieces: Vec<_> = pieces.into_iter().map(|piece| Mutex::new(Some(piece))).collect();
    TorchPool.run(pieces.len(), grain, &|range| {
        for b in range {
            let piece = pieces[b].lock().unwrap_or_else(PoisonError::into_inner).take();
            body(b, piece.expect("each piece is taken once"));
        }
    });
}

/// Consecutive parts of these lengths.
pub(crate) fn cut<T>(mut x: &mut [T], lengths: impl IntoIterator<Item = usize>) -> Vec<&mut [T]> {
    let part = |length| {
        let (head, tail) = std::mem::take(&mut x).split_at_mut(length);
        x = tail;
        head
    };
    lengths.into_iter().map(part).collect()
}
