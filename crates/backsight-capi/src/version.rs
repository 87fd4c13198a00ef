//! Which version of the library and of its binary interface this is.

use std::ffi::{CStr, c_char};

/// The version of the binary interface that this header describes. It grows when something is
/// added. The soname of the library changes when something that was there becomes different.
pub const BACKSIGHT_ABI_VERSION: u32 = 1;

/// Returns the version of the binary interface that the library has. A program needs at least
/// `BACKSIGHT_ABI_VERSION` of the header that it was compiled with.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_abi_version() -> u32 {
    BACKSIGHT_ABI_VERSION
}

/// Returns the version of the library as text, such as `"0.1.0"`. The text is always there.
#[unsafe(no_mangle)]
pub extern "C" fn backsight_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => c"",
        };
    VERSION.as_ptr()
}
