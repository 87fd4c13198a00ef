//! The options of lookups in an index.

use crate::name::Spelling;

/// The options of an [`IndexView`](crate::IndexView).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewOptions {
    /// Whether names are demangled. The default is `true`.
    pub demangle: bool,
    /// Whether answers include inlined frames. The default is `true`. Otherwise an answer
    /// has only the physical function, with the line in it, not the line of the inlined
    /// code.
    pub inlines: bool,
    /// The maximum length of a demangled name in bytes. The default is 64 KiB.
    pub name_bytes: usize,
}

impl Default for ViewOptions {
    fn default() -> Self {
        Self {
            demangle: true,
            inlines: true,
            name_bytes: 64 << 10,
        }
    }
}

impl ViewOptions {
    /// Sets whether names are demangled.
    #[must_use]
    pub fn with_demangle(self, demangle: bool) -> Self {
        Self { demangle, ..self }
    }

    /// Sets whether answers include inlined frames.
    #[must_use]
    pub fn with_inlines(self, inlines: bool) -> Self {
        Self { inlines, ..self }
    }

    /// Sets the maximum length of a demangled name in bytes.
    #[must_use]
    pub fn with_name_bytes(self, name_bytes: usize) -> Self {
        Self { name_bytes, ..self }
    }

    /// Returns how names are formatted.
    #[inline]
    pub(crate) fn spelling(&self) -> Spelling {
        Spelling {
            demangle: self.demangle,
            limit: self.name_bytes,
        }
    }
}
