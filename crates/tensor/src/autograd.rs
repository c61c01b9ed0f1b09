//! The autograd bridge: operations whose backward pass is a Rust function.
//!
//! tch has no custom autograd function. `cpp/autograd.cpp` adds one `torch::autograd::Node` that owns a boxed
//! [`Function`] and calls it with the incoming gradients. A panic in the callback is caught here, its message copied
//! out, and comes back to the caller of `f_backward` as an error; the engine goes on working.
#![allow(unsafe_code)] // the foreign boundary itself: every block states why it is sound

use std::any::Any;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use tch::Tensor;

use crate::error::Error;
use crate::foreign::told;

type Raw = *mut torch_sys::C_tensor;
type Call = unsafe extern "C" fn(
    *mut c_void,
    *const Raw,
    c_int,
    *const bool,
    *mut Raw,
    c_int,
    *mut c_char,
    usize,
) -> c_int;

unsafe extern "C" {
    fn coarsen_attach(
        inputs: *const Raw,
        n_in: c_int,
        outputs: *const Raw,
        n_out: c_int,
        state: *mut c_void,
        call: Call,
        drop: unsafe extern "C" fn(*mut c_void),
        label: *const c_char,
        out: *mut Raw,
        message: *mut c_char,
        room: usize,
    ) -> c_int;
}

/// An operation whose backward runs in Rust; everything between is plain slices or recorded-nowhere tensors.
///
/// The value is the state saved by the forward pass. It is dropped as soon as the backward pass has used it, so its
/// memory is free then; a second pass without `keep_graph` is a clear error. There is no second derivative: asking for
/// one is an error as well, never a silently wrong number.
pub trait Function: Send + 'static {
    /// Shown in error messages.
    const NAME: &'static CStr;

    /// Gradients of the inputs, in the order given to [`attach`]; `needs[i]` tells whether input `i` wants one.
    ///
    /// `grads` holds one entry per output, `None` where no gradient arrived. Gradient recording is off.
    fn backward(&self, grads: &[Option<Tensor>], needs: &[bool]) -> Vec<Option<Tensor>>;
}

/// Makes `function` the history of `outputs`, which were computed from `inputs` without recording.
///
/// Nothing is recorded (and `function` is dropped) when no input requires a gradient or recording is off.
///
/// # Errors
///
/// When LibTorch refuses, for instance because an output has an integer kind.
pub fn attach<F: Function>(
    inputs: &[&Tensor],
    outputs: &[Tensor],
    function: F,
) -> Result<Vec<Tensor>, Error> {
    let raw_in: Vec<Raw> = inputs.iter().map(|t| t.as_ptr().cast_mut()).collect();
    let raw_out: Vec<Raw> = outputs.iter().map(|t| t.as_ptr().cast_mut()).collect();
    let mut attached = vec![std::ptr::null_mut(); outputs.len()];
    let state = Box::into_raw(Box::new(function)).cast::<c_void>();
    // SAFETY: the input and output tensors live through the call, and `attached` has room for one pointer per output. The C++ side takes ownership of `state` in every case, and hands it to `call::<F>`
    // and `drop_state::<F>` only: the same `F` that was boxed.
    told(|message, room| unsafe {
        coarsen_attach(
            raw_in.as_ptr(),
            raw_in.len() as c_int,
            raw_out.as_ptr(),
            raw_out.len() as c_int,
            state,
            call::<F>,
            drop_state::<F>,
            F::NAME.as_ptr(),
            attached.as_mut_ptr(),
            message,
            room,
        )
    })
    .map_err(|message| Error::Attach { function: F::NAME.to_string_lossy().into_owned(), message })?;
    // SAFETY: on success every pointer is a tensor freshly allocated by C++, owned by nobody else.
    Ok(attached.into_iter().map(|t| unsafe { Tensor::from_ptr(t) }).collect())
}

/// [`attach`] for one output.
///
/// # Panics
///
/// Where [`attach`] gives an error: an operation of this crate that cannot be recorded is a bug of ours.
pub(crate) fn record<F: Function>(inputs: &[&Tensor], output: Tensor, function: F) -> Tensor {
    match attach(inputs, &[output], function) {
        Ok(mut outputs) => outputs.remove(0),
        Err(error) => panic!("{error}"),
    }
}

unsafe extern "C" fn call<F: Function>(
    state: *mut c_void,
    grads: *const Raw,
    n_grads: c_int,
    needs: *const bool,
    out: *mut Raw,
    n_out: c_int,
    message: *mut c_char,
    room: usize,
) -> c_int {
    let done = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `state` is the box made in `attach::<F>`, not yet dropped (the node's mutex guards it); the arrays have
        // the stated lengths and live through the call.
        let (function, grads, needs) = unsafe {
            (
                &*state.cast::<F>().cast_const(),
                slice::from_raw_parts(grads, n_grads as usize),
                slice::from_raw_parts(needs, n_out as usize),
            )
        };
        let grads: Vec<Option<Tensor>> = grads
            .iter()
            // SAFETY: a non-null pointer is a live tensor of the engine; the clone takes its own reference.
            .map(|&g| (!g.is_null()).then(|| unsafe { Tensor::clone_from_ptr(g) }))
            .collect();
        let result = function.backward(&grads, needs);
        assert_eq!(result.len(), needs.len(), "one gradient (or None) for each input");
        for (i, gradient) in result.into_iter().enumerate() {
            let Some(mut gradient) = gradient else { continue };
            // SAFETY: `out` has `n_out` places; ownership of the tensor passes to C++, which deletes it.
            unsafe { *out.add(i) = gradient.as_mut_ptr() };
            std::mem::forget(gradient);
        }
    }));
    let Err(panic) = done else { return 0 };
    let text = panic_text(panic.as_ref());
    let length = text.len().min(room - 1);
    // SAFETY: `message` has `room` bytes, `length < room`.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr(), message.cast::<u8>(), length);
        *message.add(length) = 0;
    }
    1
}

unsafe extern "C" fn drop_state<F: Function>(state: *mut c_void) {
    // SAFETY: called once, with the box made in `attach::<F>`.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(state.cast::<F>()) })));
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic")
}
