//! Runs of numbers: each number applies to a range of a function's code.
//!
//! They are encoded as pairs of varints: the change of the number (zigzag), and the
//! length of the range in instructions. A change of 0 ends the list. A range may be empty: on
//! s390x, some functions of Go's package `math` have such.

/// How many empty ranges may follow each other. It bounds the work by the bytes of code; programs
/// have one.
const MAX_EMPTY: usize = 8;

/// The number for a range of code, from `begin` to `end` in bytes from the function's
/// start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) end: u64,
    pub(super) value: i32,
}

/// The runs of one function.
#[derive(Clone, Copy, Debug)]
pub(super) struct Runs<'d> {
    rest: &'d [u8],
    quantum: u32,
    end: u64,
    value: i32,
    is_over: bool,
    /// Whether the list ended unexpectedly.
    pub(super) is_damaged: bool,
}

impl<'d> Runs<'d> {
    /// Reads the runs at the start of these bytes.
    pub(super) fn new(rest: &'d [u8], quantum: u32) -> Self {
        Self {
            rest,
            quantum,
            end: 0,
            value: -1,
            is_over: false,
            is_damaged: false,
        }
    }

    fn read(&mut self) -> Option<u32> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn step(&mut self) -> Option<Option<Run>> {
        let change = self.read()?;
        if change == 0 && self.end > 0 {
            return Some(None);
        }
        let change = match change & 1 {
            0 => change >> 1,
            _ => !(change >> 1),
        };
        self.value = self.value.wrapping_add(change.cast_signed());
        let length = self.read()?.checked_mul(self.quantum)?;
        self.end = self.end.checked_add(length.into())?;
        Some(Some(Run {
            end: self.end,
            value: self.value,
        }))
    }
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        if self.is_over {
            return None;
        }
        for _ in 0..=MAX_EMPTY {
            let begin = self.end;
            match self.step() {
                Some(Some(run)) if run.end > begin => return Some(run),
                // Empty: the number that follows applies.
                Some(Some(_)) => {}
                Some(None) => {
                    self.is_over = true;
                    return None;
                }
                None => break,
            }
        }
        self.is_over = true;
        self.is_damaged = true;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{Run, Runs};

    #[test]
    fn numbers_change_by_zigzag() {
        // 11 for 4 instructions, 9 for 200, 9 + 64.
        let bytes = [24, 4, 3, 0xc8, 1, 0x80, 1, 1, 0, 99];
        let runs: Vec<Run> = Runs::new(&bytes, 2).collect();
        let want = [(8, 11), (408, 9), (410, 73)];
        let want = want.map(|(end, value)| Run { end, value });
        assert_eq!(runs, want);
    }

    #[test]
    fn empty_ranges_change_the_number_alone() {
        // 11 for no instruction, 12 for 4, 13 for none, 14 for none, 15 for 2.
        let bytes = [24, 0, 2, 4, 2, 0, 2, 0, 2, 2, 0];
        let mut all = Runs::new(&bytes, 2);
        let runs: Vec<Run> = all.by_ref().collect();
        let want = [(8, 12), (12, 15)].map(|(end, value)| Run { end, value });
        assert_eq!(runs, want);
        assert!(!all.is_damaged);
    }

    #[test]
    fn truncated_tables_are_damaged() {
        for bytes in [
            &[24_u8, 4][..],
            &[24],
            &[],
            &[24, 0, 0],
            &[
                2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 4, 0,
            ],
            &[24, 4, 0x80, 0x80, 0x80, 0x80, 0x80, 1],
        ] {
            let mut runs = Runs::new(bytes, 1);
            while runs.next().is_some() {}
            assert!(runs.is_damaged, "{bytes:?}");
            assert_eq!(runs.next(), None);
        }
        let mut runs = Runs::new(&[24, 4, 0], 1);
        while runs.next().is_some() {}
        assert!(!runs.is_damaged);
    }
}
