//! Counts the malformed parts of an input, and the valid parts that the other format cannot
//! represent.
//!
//! Such parts do not end the reading. Each is counted under a short description that can be shown
//! to users, so that none is dropped silently.

/// Counts of parts that were malformed, left out or changed, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flaws {
    malformed: Kinds,
    left_out: Kinds,
    changed: Kinds,
}

/// In the order of the first occurrence. There are few kinds, so that a linear search is enough.
type Kinds = Vec<(&'static str, u64)>;

impl Flaws {
    /// Counts a malformed part. `what` is a plural: `samples that name no stack`.
    pub fn count(&mut self, what: &'static str) {
        count(&mut self.malformed, what);
    }

    /// Like `times` calls of [`Flaws::count`].
    pub fn count_many(&mut self, what: &'static str, times: u64) {
        if times > 0 {
            add(&mut self.malformed, what, times);
        }
    }

    /// Counts a valid part that cannot be represented.
    pub fn leave_out(&mut self, what: &'static str) {
        count(&mut self.left_out, what);
    }

    /// Like `times` calls of [`Flaws::leave_out`].
    pub fn leave_out_many(&mut self, what: &'static str, times: u64) {
        if times > 0 {
            add(&mut self.left_out, what, times);
        }
    }

    /// Counts `more` valid parts that are represented differently: in another unit, or rounded.
    pub fn change(&mut self, what: &'static str, more: u64) {
        add(&mut self.changed, what, more);
    }

    /// Iterates over the kinds of malformed parts and their counts, in the order of the first
    /// occurrence.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.malformed.iter().copied()
    }

    /// Like [`Self::iter`], for parts that were left out.
    pub fn left_out(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.left_out.iter().copied()
    }

    /// Like [`Self::iter`], for parts that were changed.
    pub fn changed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.changed.iter().copied()
    }

    /// Whether nothing was malformed, left out or changed.
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
