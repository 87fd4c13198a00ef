//! The places of rows in their tables: a number, and a type for each table.

/// Declares the place of a row in its table.
macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u32);

        impl $name {
            /// Returns the place behind the last row of a table that has `rows` now;
            /// `None` when there are 2^32.
            #[must_use]
            pub fn behind(rows: usize) -> Option<Self> {
                u32::try_from(rows).ok().map(Self)
            }

            /// Returns the place as a slice index.
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
    /// The place of a process in [`Profile::processes`](crate::Profile::processes).
    ProcessIdx
);
index!(
    /// The place of a thread in [`Profile::threads`](crate::Profile::threads).
    ThreadIdx
);
index!(
    /// The place of a location in [`Profile::locations`](crate::Profile::locations).
    LocationIdx
);
