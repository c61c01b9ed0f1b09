//! How a call into C++ tells that it failed.

use std::ffi::{CStr, c_char, c_int};

/// Room for an error message that crosses the boundary; longer ones are cut.
const ROOM: usize = 2048;

/// Makes a call that answers 0, or writes why not into the room it is given (an address and its bytes).
pub(crate) fn told(call: impl FnOnce(*mut c_char, usize) -> c_int) -> Result<(), String> {
    let mut message = [0u8; ROOM];
    if call(message.as_mut_ptr().cast(), ROOM) == 0 {
        return Ok(());
    }
    let text = CStr::from_bytes_until_nul(&message).unwrap_or(c"unknown error");
    Err(text.to_string_lossy().into_owned())
}
