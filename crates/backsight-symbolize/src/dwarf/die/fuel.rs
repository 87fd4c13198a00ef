//! Work, counted.

use crate::dwarf::fault::Fault;

/// How many more steps a walk may take. A step is a DIE, an attribute, a range
/// or a byte of an abbreviation: whatever a forged file can make us do again.
#[derive(Debug)]
pub(in crate::dwarf) struct Fuel(u64);

impl Fuel {
    /// Enough for tiny inputs, whose headers weigh more than their bytes.
    const MIN_STEPS: u64 = 1 << 16;

    /// Returns the fuel for an input of this many bytes.
    pub(in crate::dwarf) fn for_bytes(bytes: usize, steps_per_byte: u64) -> Self {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Self(
            bytes
                .saturating_mul(steps_per_byte)
                .saturating_add(Self::MIN_STEPS),
        )
    }

    /// Returns fuel for this many steps.
    pub(in crate::dwarf) fn of(steps: u64) -> Self {
        Self(steps)
    }

    /// In steps.
    pub(in crate::dwarf) fn left(&self) -> u64 {
        self.0
    }

    pub(in crate::dwarf) fn spend(&mut self, steps: usize) -> Result<(), Fault> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.0 = self.0.checked_sub(steps).ok_or(Fault::Limit)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Fuel};

    #[test]
    fn fuel_runs_out() {
        let mut fuel = Fuel::for_bytes(10, 2);
        assert_eq!(fuel.spend(65_536), Ok(()));
        assert_eq!(fuel.spend(20), Ok(()));
        assert_eq!(fuel.spend(1), Err(Fault::Limit));
        assert_eq!(
            Fuel::for_bytes(usize::MAX, u64::MAX).spend(usize::MAX),
            Ok(())
        );
    }
}
