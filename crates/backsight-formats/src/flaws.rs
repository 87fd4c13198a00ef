//! What was wrong with an input that could be read all the same.
//!
//! A malformed part never ends the reading and is never dropped in silence: it is
//! counted under a few words that can be shown to people.

/// Kinds of malformed parts, and how many there were of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flaws {
    /// In the order in which they were met. There are few kinds, so a walk finds one.
    kinds: Vec<(&'static str, u64)>,
}

impl Flaws {
    /// Counts one more malformed part. `what` is a plural: `samples that name no stack`.
    pub fn count(&mut self, what: &'static str) {
        match self.kinds.iter_mut().find(|(kind, _)| *kind == what) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.kinds.push((what, 1)),
        }
    }

    /// Walks over the kinds, in the order in which they were met, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.kinds.iter().copied()
    }

    /// Returns whether nothing was wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Flaws;

    #[test]
    fn each_kind_is_counted() {
        let mut flaws = Flaws::default();
        assert!(flaws.is_empty());
        for what in ["odd ends", "loose ends", "odd ends"] {
            flaws.count(what);
        }
        let counts: Vec<_> = flaws.iter().collect();
        assert_eq!(counts, [("odd ends", 2), ("loose ends", 1)]);
    }
}
