//! The indices of rows in tables, with a type for each table.

/// Declares the index type of a table.
macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// Returns the index of the next row of a table that has `rows` rows; `None`
            /// if it has 2^32.
            #[must_use]
            pub fn behind(rows: usize) -> Option<Self> {
                u32::try_from(rows).ok().map(Self)
            }

            /// Returns it as a slice index.
            #[must_use]
            pub fn as_usize(self) -> usize {
                // `usize` has at least 32 bits wherever Linux runs.
                usize::try_from(self.0).unwrap_or(usize::MAX)
            }
        }
    };
}
pub(crate) use index;

index!(
    /// The index of a process in [`Profile::processes`](crate::Profile::processes).
    ProcessIdx
);
index!(
    /// The index of a thread in [`Profile::threads`](crate::Profile::threads).
    ThreadIdx
);
index!(
    /// The index of a location in [`Profile::locations`](crate::Profile::locations).
    LocationIdx
);
