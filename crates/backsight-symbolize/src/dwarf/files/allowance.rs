//! How many bytes the sections of a file may unpack to.
//!
//! What is declared is weighed before anything is allocated. A small file must not take
//! much memory, whatever it declares; a large one may take what it really needs. The
//! compressed size tells the two apart: docs/decisions/0015 has the measurement.

use crate::limits::Limits;

/// The bytes of compressed sections, as they stand in the file and unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::dwarf) struct UnpackCost {
    pub(in crate::dwarf) packed: u64,
    pub(in crate::dwarf) unpacked: u64,
}

impl UnpackCost {
    pub(in crate::dwarf) fn plus(self, other: Self) -> Self {
        Self {
            packed: self.packed.saturating_add(other.packed),
            unpacked: self.unpacked.saturating_add(other.unpacked),
        }
    }
}

/// What was allowed so far.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::dwarf) struct UnpackAllowance {
    taken: UnpackCost,
}

/// More than may be unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dwarf) struct OverAllowance {
    /// Bytes, with what was allowed before.
    pub(in crate::dwarf) needed: u64,
    pub(in crate::dwarf) allowed: u64,
}

impl UnpackAllowance {
    /// Takes `cost`, if the sum with all that was taken before is within the limits.
    pub(in crate::dwarf) fn take(
        &mut self,
        cost: UnpackCost,
        limits: &Limits,
    ) -> Result<(), OverAllowance> {
        // Nothing is asked for: what was refused before does not matter.
        if cost.unpacked == 0 {
            return Ok(());
        }
        let taken = self.taken.plus(cost);
        let allowed = limits.unpacked_of(taken.packed);
        if taken.unpacked > allowed {
            let needed = taken.unpacked;
            return Err(OverAllowance { needed, allowed });
        }
        self.taken = taken;
        Ok(())
    }

    /// Returns the bytes that were taken.
    pub(in crate::dwarf) fn unpacked(self) -> u64 {
        self.taken.unpacked
    }
}

#[cfg(test)]
mod tests {
    use super::{OverAllowance, UnpackAllowance, UnpackCost};
    use crate::Limits;

    const MIB: u64 = 1 << 20;

    fn take(costs: &[(u64, u64)]) -> Result<(), OverAllowance> {
        let limits = Limits::default();
        let mut allowance = UnpackAllowance::default();
        costs.iter().try_for_each(|(packed, unpacked)| {
            let (packed, unpacked) = (*packed, *unpacked);
            allowance.take(UnpackCost { packed, unpacked }, &limits)
        })
    }

    #[test]
    fn large_files_unpack_and_bombs_do_not() {
        let refused = |needed, allowed| Err(OverAllowance { needed, allowed });
        let cases: [(&str, &[(u64, u64)], _); 9] = [
            ("small, any ratio", &[(1, 256 * MIB)], Ok(())),
            (
                "one byte more",
                &[(1, 256 * MIB + 1)],
                refused(256 * MIB + 1, 256 * MIB),
            ),
            ("ceph-osd", &[(193 * MIB, 519 * MIB)], Ok(())),
            (
                "the same in parts",
                &[(93 * MIB, 255 * MIB), (100 * MIB, 264 * MIB)],
                Ok(()),
            ),
            (
                "4 GiB from 4 MiB",
                &[(4 * MIB, 4096 * MIB)],
                refused(4096 * MIB, 256 * MIB),
            ),
            (
                "2 GiB from 64 MiB",
                &[(64 * MIB, 2048 * MIB)],
                refused(2048 * MIB, 1024 * MIB),
            ),
            (
                "a bomb behind a fair file",
                &[(30 * MIB, 90 * MIB), (MIB, 4000 * MIB)],
                refused(4090 * MIB, 496 * MIB),
            ),
            (
                "more than all may take",
                &[(2048 * MIB, 5000 * MIB)],
                refused(5000 * MIB, 4096 * MIB),
            ),
            (
                "sums beyond 64 bits",
                &[(u64::MAX, 1), (u64::MAX, u64::MAX)],
                refused(u64::MAX, 4096 * MIB),
            ),
        ];
        for (name, costs, want) in cases {
            assert_eq!(take(costs), want, "{name}");
        }
    }
}
