//! A query about an address: which VMA covers it, or else is the next above it.

use std::ops::BitOr;

use backsight_types::{AbsAddr, Perms};

use crate::sys;
use crate::vma::Vma;

/// Conditions that a VMA must meet to be returned. All conditions that are set must hold;
/// properties without a condition are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter(u64);

impl Filter {
    /// Any VMA.
    pub const ANY: Self = Self(0);
    /// Readable ones.
    pub const READABLE: Self = Self(Perms::READ.bits() as u64);
    /// Writable ones.
    pub const WRITABLE: Self = Self(Perms::WRITE.bits() as u64);
    /// Executable ones.
    pub const EXECUTABLE: Self = Self(Perms::EXECUTE.bits() as u64);
    /// Shared ones: those with an `s` in the text.
    pub const SHARED: Self = Self(Perms::SHARED.bits() as u64);
    /// File-backed ones (see [`Vma::is_file_backed`]).
    pub const FILE_BACKED: Self = Self(sys::FILE_BACKED);

    /// Returns whether `vma` meets all conditions.
    #[must_use]
    #[inline]
    pub fn passes(self, vma: &Vma) -> bool {
        let backed = if vma.is_file_backed() {
            sys::FILE_BACKED
        } else {
            0
        };
        self.0 & !(u64::from(vma.perms.bits()) | backed) == 0
    }

    /// Returns the flags of the ioctl, which are the same bits.
    pub(crate) const fn flags(self) -> u64 {
        self.0
    }
}

impl BitOr for Filter {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Which VMA to return.
///
/// With a filter, `None` means only that no VMA *matches*: an address in a VMA that does
/// not match looks like an unmapped one. And the kernel steps over every VMA in between,
/// which takes 34–115 ns each: 4–6 ms for 20,000 VMAs that do not match. To find the VMA
/// of an address, query without a filter and check the answer; use filters for walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    pub(crate) addr: AbsAddr,
    pub(crate) filter: Filter,
    pub(crate) or_next: bool,
}

impl Query {
    /// Asks for the VMA that covers `addr`.
    #[must_use]
    pub const fn covering(addr: AbsAddr) -> Self {
        Self {
            addr,
            filter: Filter::ANY,
            or_next: false,
        }
    }

    /// Asks for the VMA that covers `addr`, or else the first above it.
    #[must_use]
    pub const fn covering_or_next(addr: AbsAddr) -> Self {
        Self {
            addr,
            filter: Filter::ANY,
            or_next: true,
        }
    }

    /// Returns only a VMA that matches `filter`.
    #[must_use]
    pub const fn only(self, filter: Filter) -> Self {
        Self { filter, ..self }
    }

    /// Returns the flags of the ioctl.
    pub(crate) const fn flags(self) -> u64 {
        self.filter.flags()
            | if self.or_next {
                sys::COVERING_OR_NEXT
            } else {
                0
            }
    }

    /// Returns whether `vma` is the answer, if no VMA between `addr` and its start
    /// matches the filter.
    pub(crate) fn is_answered_by(self, vma: &Vma) -> bool {
        self.filter.passes(vma) && (self.or_next || vma.contains(self.addr))
    }
}

#[cfg(test)]
mod tests {
    use backsight_types::Perms;

    use super::Filter;
    use crate::Vma;

    #[test]
    fn every_named_condition_must_hold() {
        let vma = |perms, inode| Vma {
            perms,
            inode,
            ..Vma::default()
        };
        let rx = Perms::READ | Perms::EXECUTE;
        let cases = [
            ("no condition", Filter::ANY, vma(Perms::NONE, 0), true),
            ("one holds", Filter::EXECUTABLE, vma(rx, 0), true),
            (
                "one of two holds",
                Filter::EXECUTABLE | Filter::WRITABLE,
                vma(rx, 0),
                false,
            ),
            (
                "file asked, none there",
                Filter::FILE_BACKED,
                vma(rx, 0),
                false,
            ),
            (
                "file asked and there",
                Filter::FILE_BACKED | Filter::READABLE,
                vma(rx, 9),
                true,
            ),
            ("shared asked, private", Filter::SHARED, vma(rx, 9), false),
            (
                "shared asked and there",
                Filter::SHARED,
                vma(Perms::SHARED, 9),
                true,
            ),
        ];
        for (name, filter, vma, want) in cases {
            assert_eq!(filter.passes(&vma), want, "{name}");
        }
    }
}
