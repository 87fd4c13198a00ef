//! Which functions are annotated.

use std::collections::HashSet;

use backsight_profile::Profile;
use backsight_report::{NamePattern, ReportEntry, ReportTable, RowKind};
use backsight_types::Reason;

use crate::convert::Unfiltered;
use crate::failure::complain;
use crate::report::{ReadFlags, percent};

/// Which functions are annotated.
#[derive(Clone, Copy, Debug)]
pub(super) struct WantedFunction<'w> {
    name: Option<&'w str>,
    read: &'w ReadFlags,
    unfiltered: &'w Unfiltered,
}

impl<'w> WantedFunction<'w> {
    /// A function of this name, in a module that the flags take.
    pub(super) fn new(
        name: Option<&'w str>,
        read: &'w ReadFlags,
        unfiltered: &'w Unfiltered,
    ) -> Self {
        Self {
            name,
            read,
            unfiltered,
        }
    }

    /// Returns the functions that are called so: by their whole name, or else by a part of it that
    /// is a name, or else by a regular expression. Without a name, the hottest one.
    pub(super) fn choose(
        &self,
        profile: &Profile,
        value: u32,
    ) -> Result<HashSet<ReportEntry>, String> {
        let table = ReportTable::of(profile, value, RowKind::Function, self.read.inlines());
        let is_inside = |entry: &ReportEntry| {
            let path = entry.module_name(profile);
            let module = self.read.module();
            module.is_none_or(|module| path.is_some_and(|path| module.is_match(&path)))
        };
        let entries = table.rows.iter().map(|row| row.entry);
        let named: Vec<ReportEntry> = entries
            .filter(|entry| entry.function.is_some() && is_inside(entry))
            .collect();
        let nameless = table.rows.iter();
        let nameless = nameless.filter(|row| row.entry.function.is_none() && row.own != 0);
        let share_of = |amount: i64| percent(amount.saturating_abs(), table.whole);
        let Some(wanted) = self.name else {
            let amounts = nameless.map(|row| row.own);
            let amount = amounts.fold(0, i64::saturating_add);
            if amount != 0 {
                complain(format_args!(
                    "{:.2}% of all samples are in functions without a name, which cannot be \
                     annotated: `backsight report` says why they have none",
                    share_of(amount)
                ));
            }
            let hottest = named.first().copied().into_iter().collect::<HashSet<_>>();
            return match hottest.is_empty() {
                true => Err("no function in the samples has a name".to_owned()),
                false => Ok(hottest),
            };
        };
        let taken = |is_called: &dyn Fn(&str) -> bool| -> HashSet<ReportEntry> {
            let of = named.iter().filter(|entry| {
                let shown = entry.name(profile, RowKind::Function);
                let own = entry.function.and_then(|name| profile.strings.get(name));
                is_called(&shown) || own.is_some_and(is_called)
            });
            of.copied().collect()
        };
        let exact = taken(&|name| name == wanted);
        if !exact.is_empty() {
            return Ok(exact);
        }
        // `[no-symbols]` is a regular expression, too, which would match nearly all functions.
        let called = nameless.filter(|row| row.entry.name(profile, RowKind::Function) == wanted);
        let amount = called.map(|row| row.own).fold(0, i64::saturating_add);
        let mut reasons = Reason::ALL.iter().map(|reason| format!("[{reason}]"));
        if amount != 0 || wanted == "[unknown]" || reasons.any(|reason| reason == wanted) {
            return Err(format!(
                "{wanted} is no function: samples without a name cannot be annotated; {:.2}% of all \
                 were taken there: `backsight report` says why they have none",
                share_of(amount)
            ));
        }
        let part = taken(&|name| has_word(name, wanted));
        if !part.is_empty() {
            return Ok(part);
        }
        let pattern = NamePattern::new(wanted);
        let matches = |name: &str| pattern.as_ref().is_ok_and(|it| it.is_match(name));
        let found = taken(&matches);
        if !found.is_empty() {
            return Ok(found);
        }
        let missing = self.read.missing(profile, value, wanted, self.unfiltered);
        let advice = missing.advice(|name| has_word(name, wanted) || matches(name));
        let expression = match &pattern {
            Ok(_) => ", or matches it as a regular expression".to_owned(),
            // What is wrong stands in its last line, behind a drawing of where.
            Err(error) => {
                let error = error.to_string();
                let cause = error.lines().last().unwrap_or_default();
                let cause = cause.trim_start_matches("error: ");
                format!(", and it is no regular expression ({cause})")
            }
        };
        Err(format!(
            "no function in the samples is called {wanted}{expression}: `backsight report` lists \
             the functions{advice}"
        ))
    }
}

/// Whether a name has another one in it that ends before arguments: `run` in
/// `ns::Task::run(int)`, but not in `rerun` and `run_all`, nor as an argument.
fn has_word(name: &str, word: &str) -> bool {
    if word.is_empty() {
        return false;
    }
    name.match_indices(word).any(|(at, _)| {
        let before = name.get(..at).unwrap_or_default();
        let after = name
            .get(at.saturating_add(word.len())..)
            .unwrap_or_default();
        let is_begin = before.is_empty() || before.ends_with([':', '.', '/', ' ']);
        let is_outside = before.matches(['(', '<']).count() == before.matches([')', '>']).count();
        let is_end = after.is_empty() || after.starts_with(['(', '<', '[', ' ']);
        is_begin && is_outside && is_end
    })
}

#[cfg(test)]
mod tests {
    use super::has_word;

    #[test]
    fn a_part_of_a_name_is_a_name() {
        let yes = [
            ("ns::Task::run(int)", "run"),
            ("ns::Task::run(int)", "Task::run"),
            ("void sort<int>(int*)", "sort"),
            ("app::work", "work"),
            ("main.work", "work"),
            ("(anonymous namespace)::f(int)", "f"),
            ("JS:*next list.js:12:5", "JS:*next"),
        ];
        for (name, word) in yes {
            assert!(has_word(name, word), "{name}: {word}");
        }
        let no = [
            ("rerun", "run"),
            ("run_all", "run"),
            ("call(ns::run)", "run"),
            ("call<run>()", "run"),
            ("ns::run::inner()", "run"),
            ("f", ""),
        ];
        for (name, word) in no {
            assert!(!has_word(name, word), "{name}: {word}");
        }
    }
}
