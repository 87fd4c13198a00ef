//! Reads each answer completely: every level, both ends of every string, and every number.

use backsight_symbolize::Answers;

/// A summary of the answers. Contestants with the same number of levels have looked up the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Consumed {
    /// Call levels, inlined and physical.
    pub(crate) levels: u64,
    sum: u64,
}

impl Consumed {
    /// Reads all levels of all our answers.
    pub(crate) fn of(answers: &Answers) -> Self {
        let mut consumed = Self::default();
        for stack in answers.iter().flatten() {
            for frame in stack {
                consumed.level(
                    frame.function.unwrap_or_default(),
                    frame.file.map(str::as_bytes),
                    frame.line.unwrap_or(0),
                    frame.column.unwrap_or(0),
                );
            }
        }
        consumed
    }

    /// Reads one level: the function's name; the file's path, in as many parts as the contestant
    /// returns; line and column.
    #[inline]
    pub(crate) fn level<'t>(
        &mut self,
        name: &str,
        path: impl IntoIterator<Item = &'t [u8]>,
        line: u32,
        column: u32,
    ) {
        self.levels += 1;
        self.text(name.as_bytes());
        path.into_iter().for_each(|piece| self.text(piece));
        self.sum = self
            .sum
            .wrapping_add(u64::from(line) << 32 | u64::from(column));
    }

    #[inline]
    fn text(&mut self, text: &[u8]) {
        let ends = [text.first(), text.last()].map(|byte| u64::from(*byte.unwrap_or(&0)));
        let seen = (text.len() as u64) << 16 | ends[0] << 8 | ends[1];
        self.sum = self.sum.rotate_left(5) ^ seen;
    }

    /// Returns an error if the number of levels differs substantially from `other`'s. S6
    /// explains the differences between tools.
    pub(crate) fn compare(self, name: &str, other: Self) -> Result<(), String> {
        let (ours, others) = (self.levels as f64, other.levels as f64);
        let apart = (others / ours - 1.0).abs();
        match apart < 0.02 {
            true => Ok(()),
            false => Err(format!("{name} has {others} levels where ours has {ours}")),
        }
    }
}
