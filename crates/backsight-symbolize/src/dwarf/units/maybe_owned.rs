//! A borrowed table that is kept, or an owned one for a single lookup.

use std::ops::Deref;

/// Derefs to the table, wherever it is.
#[derive(Debug)]
pub(in crate::dwarf) enum MaybeOwned<'h, T> {
    Kept(&'h T),
    Own(T),
}

impl<T> Deref for MaybeOwned<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Kept(kept) => kept,
            Self::Own(own) => own,
        }
    }
}
