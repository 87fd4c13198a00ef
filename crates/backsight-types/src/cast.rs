//! Conversions between types with the same layout. This file has all the `unsafe` code of
//! the crate.
//!
//! A crate such as bytemuck would need its traits implemented on our public types, so
//! that its major versions would become breaking changes of this crate. These are macros
//! because the types are defined in other modules.

/// Defines conversions between slices of numbers and slices of a type that is
/// `#[repr(transparent)]` over `u64`.
macro_rules! slices {
    ($name:ident) => {
        /// Views a slice of numbers as this type, without copying.
        #[must_use]
        #[expect(unsafe_code, reason = "views the same memory as another type")]
        pub fn from_slice(raw: &[u64]) -> &[Self] {
            // Compiles only if the type has exactly one field, a `u64`.
            let _ = |it: Self| -> u64 {
                let $name(number) = it;
                number
            };
            // SAFETY: pointer and length are from a slice with the same lifetime. The
            // type is transparent over `u64`: it has the same size, alignment and valid
            // values.
            unsafe { std::slice::from_raw_parts(raw.as_ptr().cast(), raw.len()) }
        }

        /// Views a slice of this type as its numbers, without copying.
        #[must_use]
        #[expect(unsafe_code, reason = "views the same memory as another type")]
        pub fn as_raw_slice(these: &[Self]) -> &[u64] {
            // SAFETY: as in `from_slice`.
            unsafe { std::slice::from_raw_parts(these.as_ptr().cast(), these.len()) }
        }
    };
}
pub(crate) use slices;

/// Returns the first variant of a `#[repr(u32)]` enum of 16 bytes from two words: the
/// first has the tag 0 and a `u32`, the second is a `u64`. The two numbers are the
/// variant's fields, or fields that are transparent over them.
macro_rules! first_variant {
    ($enum:ty, $words:expr) => {{
        let words: [u64; 2] = $words;
        #[expect(unsafe_code, reason = "converts two words to an enum")]
        // SAFETY: such an enum starts with its tag, followed by the fields with the
        // layout of a C struct. All numbers are valid values of the fields. `transmute`
        // checks the sizes.
        unsafe {
            std::mem::transmute::<[u64; 2], $enum>(words)
        }
    }};
}
pub(crate) use first_variant;
