//! The names of a function, as bytes of the debug file.

/// The names of a function, as bytes of the debug file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RawName<'d> {
    /// The mangled name.
    pub linkage: Option<&'d [u8]>,
    /// `DW_AT_name`, if it was found before a linkage name, with its namespaces and
    /// classes as a prefix. For Ada it equals `linkage`, which marks the name as one of
    /// Ada.
    pub plain: Option<&'d [u8]>,
    /// The length in bytes of the namespaces and classes at the start of `plain`.
    pub scopes: u32,
    /// The line of its declaration, counted from 1; 0 if unknown.
    pub line: u32,
}

impl RawName<'_> {
    /// Returns the plain name without its namespaces and classes.
    pub fn bare(&self) -> Option<&[u8]> {
        let scopes = usize::try_from(self.scopes).ok()?;
        self.plain?.get(scopes..)
    }

    /// Returns whether the linkage name is encoded by Ada, which its text does not tell.
    pub fn is_ada(&self) -> bool {
        self.linkage.is_some() && self.linkage == self.plain
    }
}
