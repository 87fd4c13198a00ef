//! What was wrong with an input that could be read all the same, and what was right but
//! has no place on the other side.
//!
//! Neither ends the reading or is dropped in silence: it is counted under a few words
//! that can be shown to people.

/// Kinds of malformed parts and of parts left out, and how many there were of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flaws {
    malformed: Kinds,
    left_out: Kinds,
    changed: Kinds,
}

/// In the order in which they were met. There are few kinds, so a walk finds one.
type Kinds = Vec<(&'static str, u64)>;

impl Flaws {
    /// Counts one more malformed part. `what` is a plural: `samples that name no stack`.
    pub fn count(&mut self, what: &'static str) {
        count(&mut self.malformed, what);
    }

    /// Counts one more part that is as it should be, and that there is no place for.
    pub fn leave_out(&mut self, what: &'static str) {
        count(&mut self.left_out, what);
    }

    /// As so many calls of [`Flaws::leave_out`].
    pub fn leave_out_many(&mut self, what: &'static str, times: u64) {
        if times > 0 {
            add(&mut self.left_out, what, times);
        }
    }

    /// Counts more parts that are as they should be, and that are read as something else:
    /// in another unit, with fewer digits.
    pub fn change(&mut self, what: &'static str, more: u64) {
        add(&mut self.changed, what, more);
    }

    /// Walks over the kinds of malformed parts, in the order in which they were met, with
    /// their counts.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.malformed.iter().copied()
    }

    /// The same of parts that were left out.
    pub fn left_out(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.left_out.iter().copied()
    }

    /// The same of parts that are read as something else.
    pub fn changed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.changed.iter().copied()
    }

    /// Returns whether nothing was malformed, left out or changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.malformed.is_empty() && self.left_out.is_empty() && self.changed.is_empty()
    }
}

fn count(kinds: &mut Kinds, what: &'static str) {
    add(kinds, what, 1);
}

fn add(kinds: &mut Kinds, what: &'static str, times: u64) {
    match kinds.iter_mut().find(|(kind, _)| *kind == what) {
        Some((_, count)) => *count = count.saturating_add(times),
        None => kinds.push((what, times)),
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
        flaws.leave_out("odd ends");
        let left_out: Vec<_> = flaws.left_out().collect();
        assert_eq!((left_out, flaws.iter().count()), (vec![("odd ends", 1)], 2));
        flaws.change("ends", 7);
        assert_eq!(flaws.changed().collect::<Vec<_>>(), [("ends", 7)]);
    }
}
