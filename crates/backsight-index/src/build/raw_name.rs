//! What a function is called, in bytes of the file that says so.

/// What is said of a function, in bytes of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RawName<'d> {
    /// As the linker knows it.
    pub linkage: Option<&'d [u8]>,
    /// What was met before a linkage name was, if anything; of Ada's functions that name
    /// once more, which is how they are told from others'.
    /// The namespaces and classes that it stands in are before it.
    pub plain: Option<&'d [u8]>,
    /// Bytes of `plain` that are namespaces and classes.
    pub scopes: u32,
    /// The line where the source declares it, from 1; 0 when unknown.
    pub line: u32,
}

impl RawName<'_> {
    /// Returns the plain name without its namespaces and classes.
    pub fn bare(&self) -> Option<&[u8]> {
        let scopes = usize::try_from(self.scopes).ok()?;
        self.plain?.get(scopes..)
    }

    /// Whether the linkage name is Ada's: nothing in itself says so.
    pub fn is_ada(&self) -> bool {
        self.linkage.is_some() && self.linkage == self.plain
    }
}
