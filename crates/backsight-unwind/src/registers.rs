//! The registers of one frame, as far as they are known.

/// `x0` to `x30` and the stack pointer are the most that a machine has.
const COUNT: usize = 33;

/// Registers by their number in DWARF, and the program counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// Where the code stands.
    pub pc: u64,
    values: [u64; COUNT],
    known: u64,
}

impl Registers {
    /// Begins with the program counter alone.
    #[must_use]
    pub const fn at(pc: u64) -> Self {
        Self {
            pc,
            values: [0; COUNT],
            known: 0,
        }
    }

    /// Sets a register; `None` for a value that is not known. One that no rule speaks of is
    /// passed over.
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

    /// Returns a register; `None` when its value is not known.
    #[must_use]
    pub fn get(&self, register: u16) -> Option<u64> {
        let bit = 1_u64.checked_shl(u32::from(register))?;
        let is_known = self.known & bit != 0;
        let value = self.values.get(usize::from(register)).copied();
        value.filter(|_| is_known)
    }

    /// Forgets the registers that `keeps` does not speak for.
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
        // There are none of these numbers.
        registers.set(33, Some(5));
        registers.set(u16::MAX, Some(5));
        let all = [7, 31, 33, u16::MAX].map(|number| registers.get(number));
        assert_eq!(all, [Some(0), Some(u64::MAX), None, None]);
        registers.keep_only(|register| register == 31);
        assert_eq!([7, 31].map(|it| registers.get(it)), [None, Some(u64::MAX)]);
    }
}
