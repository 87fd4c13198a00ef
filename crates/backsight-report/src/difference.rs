//! The difference of two profiles.

use std::borrow::Cow;
use std::collections::HashMap;

use backsight_profile::Profile;

use crate::entry::{Inlines, RowKind};
use crate::same_modules::SameModules;
use crate::table::ReportTable;

/// The functions, modules or lines of two profiles, side by side.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Difference {
    /// The sums of all samples: before, and after.
    pub whole: [i64; 2],
    /// The rows: those whose own share changed most first.
    pub rows: Vec<Change>,
    /// Whether rows are the same by their names alone, because only one of the profiles has modules.
    pub by_name_alone: bool,
}

/// A row of a [`Difference`]. A row that one of the profiles does not have is zero there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The name.
    pub name: String,
    /// The path of the module.
    pub module: Option<String>,
    /// The amounts of their own: before, and after.
    pub own: [i64; 2],
    /// The totals: before, and after.
    pub total: [i64; 2],
}

impl Difference {
    /// Compares a value of two profiles, given by the indices of its sample type. Rows are the same
    /// if name and module are. Threads and processes are the same by their names, without IDs,
    /// which each run has others of: those of one name add up.
    ///
    /// Modules are the same by their path. Of those that only one of the profiles has, those of one
    /// build ID are, and then those with the same file name, if each has one of it; their rows have
    /// the path of after. If only one of the profiles has modules at all, functions and lines are the
    /// same by their names: see [`by_name_alone`](Self::by_name_alone).
    #[must_use]
    pub fn of(
        before: (&Profile, u32),
        after: (&Profile, u32),
        by: RowKind,
        inlines: Inlines,
    ) -> Self {
        let mut rows: Vec<Change> = Vec::new();
        let mut places: HashMap<(String, Option<String>), usize> = HashMap::new();
        let same = SameModules::of(before.0, after.0);
        let mut whole = [0; 2];
        for (side, (profile, value)) in [before, after].into_iter().enumerate() {
            let table = ReportTable::of(profile, value, by, inlines);
            if let Some(whole) = whole.get_mut(side) {
                *whole = table.whole;
            }
            for row in &table.rows {
                let path = row.entry.module_name(profile).map(|path| match side {
                    0 => same.shown_after(path),
                    _ => path,
                });
                let (name, module) = match (by, path) {
                    (RowKind::Module, Some(path)) => (path, None),
                    (_, path) => (row.entry.name_in_any_run(profile, by), path),
                };
                let name = name.into_owned();
                let module = module.filter(|_| same.are_known()).map(Cow::into_owned);
                let new = rows.len();
                let at = *places.entry((name.clone(), module.clone())).or_insert(new);
                if at == new {
                    rows.push(Change {
                        name,
                        module,
                        own: [0; 2],
                        total: [0; 2],
                    });
                }
                let change = rows.get_mut(at);
                let sums = change.map(|it| (it.own.get_mut(side), it.total.get_mut(side)));
                if let Some((Some(own), Some(total))) = sums {
                    *own = own.saturating_add(row.own);
                    *total = total.saturating_add(row.total);
                }
            }
        }
        let mut difference = Self {
            whole,
            rows,
            by_name_alone: !same.are_known(),
        };
        difference.sort();
        difference
    }

    /// Takes the shares of before of another whole than the sum of its samples: amounts are compared
    /// as they are if it is that of after, and by time if it is what after would have in the time of
    /// before.
    #[must_use]
    pub fn with_whole_before(mut self, whole: i64) -> Self {
        if let Some(before) = self.whole.first_mut() {
            *before = whole;
        }
        self.sort();
        self
    }

    /// Returns the shares of two amounts of their wholes, between 0 and 1.
    #[must_use]
    pub fn shares(&self, amounts: [i64; 2]) -> [f64; 2] {
        let [before, after] = amounts;
        let [whole_before, whole_after] = self.whole;
        [share(before, whole_before), share(after, whole_after)]
    }

    fn sort(&mut self) {
        let mut rows = std::mem::take(&mut self.rows);
        let change = |amounts: [i64; 2]| {
            let [before, after] = self.shares(amounts);
            (after - before).abs()
        };
        rows.sort_by(|a, b| {
            let own = change(b.own).total_cmp(&change(a.own));
            let total = || change(b.total).total_cmp(&change(a.total));
            own.then_with(total)
                .then_with(|| a.name.cmp(&b.name))
                .then_with(|| a.module.cmp(&b.module))
        });
        self.rows = rows;
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share is shown with a few digits"
)]
fn share(amount: i64, whole: i64) -> f64 {
    match whole {
        0 => 0.0,
        _ => amount as f64 / whole as f64,
    }
}
