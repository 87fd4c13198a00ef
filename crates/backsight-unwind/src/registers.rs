//! The registers of one frame; some may be unknown.

/// AArch64 has the most: `x0` to `x30`, the stack pointer and the program counter.
const COUNT: usize = 33;

/// Registers by DWARF number, and the program counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The program counter.
    pub pc: u64,
    values: [u64; COUNT],
    known: u64,
}

impl Registers {
    /// Creates registers of which only the program counter is known.
    #[must_use]
    pub const fn at(pc: u64) -> Self {
        Self {
            pc,
            values: [0; COUNT],
            known: 0,
        }
    }

    /// Sets a register; `None` if its value is unknown. Numbers that no rule uses are ignored.
    pub fn set(&mut self, register: u16, value: Option<u64>) {
        let Some(place) = self.values.get_mut(usize::from(register)) else {
            return;
        };
        let bit = 1_u64.checked_shl(u32::from(register)).unwrap_or_default();
        match value {
            Some(value) => {
                *place = value;
                self.known |= bit;
            }
            None => self.known &= !bit,
        }
    }

    /// Returns a register; `None` if its value is unknown.
    #[must_use]
    pub fn get(&self, register: u16) -> Option<u64> {
        let bit = 1_u64.checked_shl(u32::from(register))?;
        let is_known = self.known & bit != 0;
        let value = self.values.get(usize::from(register)).copied();
        value.filter(|_| is_known)
    }

    /// Marks all registers unknown for which `keeps` returns false.
    pub(crate) fn keep_only(&mut self, keeps: impl Fn(u16) -> bool) {
        let mut register = 0_u16;
        while usize::from(register) < COUNT {
            if !keeps(register) {
                self.set(register, None);
            }
            register = register.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Registers;

    #[test]
    fn a_register_is_known_or_not() {
        let mut registers = Registers::at(1);
        assert_eq!(registers.get(7), None);
        registers.set(7, Some(0));
        registers.set(31, Some(u64::MAX));
        // No machine has registers of these numbers.
        registers.set(33, Some(5));
        registers.set(u16::MAX, Some(5));
        let all = [7, 31, 33, u16::MAX].map(|number| registers.get(number));
        assert_eq!(all, [Some(0), Some(u64::MAX), None, None]);
        registers.keep_only(|register| register == 31);
        assert_eq!([7, 31].map(|it| registers.get(it)), [None, Some(u64::MAX)]);
    }
}
