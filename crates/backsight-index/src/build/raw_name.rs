//! The names of a function, as bytes of the debug file.

/// The names of a function, as bytes of the debug file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RawName<'d> {
    /// The mangled name.
    pub linkage: Option<&'d [u8]>,
    /// `DW_AT_name`, if it was found before a linkage name, with its namespaces and classes
    /// before it. For Ada it equals `linkage`, which marks a name as Ada's.
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

    /// Whether the linkage name is Ada's, which its text does not show.
    pub fn is_ada(&self) -> bool {
        self.linkage.is_some() && self.linkage == self.plain
    }
}
