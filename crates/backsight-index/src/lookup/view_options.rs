//! How the answers of an index are shown.

use crate::name::Spelling;

/// How the answers of an [`IndexView`](crate::IndexView) are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViewOptions {
    /// Whether names are demangled. They are.
    pub demangle: bool,
    /// Whether inlined frames are given. Without them the physical function stands alone,
    /// at the line in it (not at the line inlined there). They are.
    pub inlines: bool,
    /// Bytes of a name: none is demangled to more than this. 64 KiB.
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
    /// The same, and names are demangled or not.
    #[must_use]
    pub fn with_demangle(self, demangle: bool) -> Self {
        Self { demangle, ..self }
    }

    /// The same, with inlined frames or without.
    #[must_use]
    pub fn with_inlines(self, inlines: bool) -> Self {
        Self { inlines, ..self }
    }

    /// The same, with names of so many bytes at most.
    #[must_use]
    pub fn with_name_bytes(self, name_bytes: usize) -> Self {
        Self { name_bytes, ..self }
    }

    /// Returns how names are to be spelled.
    #[inline]
    pub(crate) fn spelling(&self) -> Spelling {
        Spelling {
            demangle: self.demangle,
            limit: self.name_bytes,
        }
    }
}
