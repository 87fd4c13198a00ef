//! What is the same in memory, seen as another type: all `unsafe` of this crate.
//!
//! A crate that does this without `unsafe` of ours would show its traits on our types, and
//! its next major version would be ours too. Macros, since the types stand above.

/// Slices of numbers as slices of a type that is `#[repr(transparent)]` over `u64`, and
/// back.
macro_rules! slices {
    ($name:ident) => {
        /// Views a slice of numbers as this type, without copying.
        #[must_use]
        #[expect(unsafe_code, reason = "the same memory as another type")]
        pub fn from_slice(raw: &[u64]) -> &[Self] {
            // The type has a field of that type alone.
            let _ = |it: Self| -> u64 {
                let $name(number) = it;
                number
            };
            // SAFETY: pointer and length are those of a slice that lives as long. The type
            // is transparent over `u64`, with its size, alignment and values.
            unsafe { std::slice::from_raw_parts(raw.as_ptr().cast(), raw.len()) }
        }

        /// Views a slice of this type as its numbers, without copying.
        #[must_use]
        #[expect(unsafe_code, reason = "the same memory as another type")]
        pub fn as_raw_slice(these: &[Self]) -> &[u64] {
            // SAFETY: as in `from_slice`.
            unsafe { std::slice::from_raw_parts(these.as_ptr().cast(), these.len()) }
        }
    };
}
pub(crate) use slices;

/// An enum that is `#[repr(u32)]` and has 16 bytes, of its two words: its tag of 0 and a
/// `u32`, then a `u64`. Both are the fields of its first variant, transparent over them.
macro_rules! first_variant {
    ($enum:ty, $words:expr) => {{
        let words: [u64; 2] = $words;
        #[expect(unsafe_code, reason = "two words as an enum")]
        // SAFETY: such an enum begins with its tag, behind which the fields lie as in a
        // struct of C; any numbers are values of them. `transmute` compares the sizes.
        unsafe {
            std::mem::transmute::<[u64; 2], $enum>(words)
        }
    }};
}
pub(crate) use first_variant;
