//! Why no function has a name that was asked for.

use std::collections::HashSet;

use backsight_profile::{Profile, StrIdx};
use backsight_report::{Inlines, ReportEntry, ReportTable, RowKind};

use crate::convert::{Unfiltered, shown_value};

/// So many similar names are said.
const SUGGESTIONS: usize = 3;

/// Names at least so similar are meant, of 1 for equal ones. `wrok` has 0.93 with `work`, 0.83
/// with `worker`, and none with `main`.
const LEAST: f64 = 0.8;

/// A function that no sample has, which is shown of a profile.
pub(crate) struct MissingFunction<'m> {
    pub(crate) profile: &'m Profile,
    pub(crate) value: u32,
    pub(crate) inlines: Inlines,
    /// The name or expression that was asked for.
    pub(crate) wanted: &'m str,
    /// The flags that leave samples or frames out.
    pub(crate) filters: Vec<&'static str>,
    /// What there was before these.
    pub(crate) unfiltered: &'m Unfiltered,
    /// Whether functions were looked up.
    pub(crate) has_symbols: bool,
    /// The flag without which more functions are looked up, and what it leaves out.
    pub(crate) looks_up_less: Option<&'static str>,
}

impl MissingFunction<'_> {
    /// Returns what to say after that there is no such function: what left it out, or which names
    /// are similar.
    pub(crate) fn advice(&self, is_called: impl Fn(&str) -> bool) -> String {
        let strings = &self.profile.strings;
        let names: HashSet<StrIdx> = self.names_in_input().collect();
        let called: HashSet<StrIdx> = names
            .iter()
            .filter(|name| strings.get(**name).is_some_and(&is_called))
            .copied()
            .collect();
        let filters = &self.filters;
        if called.is_empty() {
            let mut said = self.similar(&names);
            let of_tasks: Vec<&str> = filters
                .iter()
                .copied()
                .filter(|it| is_of_tasks(it))
                .collect();
            if !of_tasks.is_empty() && self.has_symbols {
                let flags = of_tasks.join(", ");
                said.push_str(&format!(
                    "; the functions of samples that {flags} leaves out are not looked up"
                ));
            }
            if let Some(less) = self.looks_up_less.filter(|_| self.has_addresses()) {
                said.push_str(&format!("; {less}"));
            }
            return said;
        }
        match self.samples_with(self.profile, &called) {
            Some(true) if self.inlines == Inlines::Merged => {
                "; it was inlined everywhere: --merge-inlines counts it for others".to_owned()
            }
            Some(true) if filters.contains(&"--module") => {
                "; it is in another module: --module leaves it out".to_owned()
            }
            Some(false) => {
                let shown = shown_value(self.profile).unwrap_or_default();
                format!(
                    "; it has samples, but none of {shown}: choose with --sample-type or --event"
                )
            }
            _ => {
                let has_it = |profile: &Profile| self.samples_with(profile, &called).is_some();
                match self.unfiltered.blamed(self.profile, has_it) {
                    Some(flags) => {
                        format!("; it is in the input, but {flags} its samples out")
                    }
                    None => self.similar(&names),
                }
            }
        }
    }

    /// Whether the input has addresses, whose functions can be looked up.
    fn has_addresses(&self) -> bool {
        let mut locations = self.profile.locations.iter();
        locations.any(|location| location.module.is_some())
    }

    /// Returns the names of all functions of the input, also of samples that were left out.
    fn names_in_input(&self) -> impl Iterator<Item = StrIdx> {
        self.profile
            .frames
            .iter()
            .filter_map(|frame| frame.function)
    }

    /// Whether a sample has one of these functions in its stack: with the value that is shown, or
    /// with another one alone; `None` if none has.
    fn samples_with(&self, profile: &Profile, called: &HashSet<StrIdx>) -> Option<bool> {
        let mut found = None;
        for (sample, values, _) in profile.samples.iter() {
            let mut locations = profile.stacks.iter(sample.stack);
            let has_it = locations.any(|at| {
                let location = profile.location(at).copied().unwrap_or_default();
                let mut frames = profile.frames_of(&location).iter();
                frames.any(|frame| frame.function.is_some_and(|name| called.contains(&name)))
            });
            if !has_it {
                continue;
            }
            let at = self.value.checked_sub(sample.first_type);
            let at = at.and_then(|at| usize::try_from(at).ok());
            let value = at.and_then(|at| values.get(at));
            if value.is_some_and(|value| *value != 0) {
                return Some(true);
            }
            found = Some(false);
        }
        found
    }

    /// Returns up to three similar names: of functions with samples, else of others.
    fn similar(&self, names: &HashSet<StrIdx>) -> String {
        let table = ReportTable::of(self.profile, self.value, RowKind::Function, self.inlines);
        let name_of = |entry: ReportEntry| {
            let name = entry
                .function
                .and_then(|name| self.profile.strings.get(name));
            name.map(str::to_owned)
        };
        let rows = table.rows.iter().filter_map(|row| name_of(row.entry));
        let mut near = most_similar(self.wanted, rows);
        if near.is_empty() {
            let others = names
                .iter()
                .filter_map(|name| self.profile.strings.get(*name));
            near = most_similar(self.wanted, others.map(str::to_owned));
        }
        match near.split_last() {
            None => String::new(),
            Some((only, [])) => format!("; did you mean {only}?"),
            Some((last, first)) => format!("; did you mean {} or {last}?", first.join(", ")),
        }
    }
}

/// Whether samples are left out by it before functions are looked up.
fn is_of_tasks(flag: &str) -> bool {
    matches!(
        flag,
        "--pid" | "--tid" | "--comm" | "--time" | "--on-cpu" | "--off-cpu"
    )
}

/// Returns the names that are most like the wanted one, best first. Of equally similar ones, the
/// first in their order.
fn most_similar(wanted: &str, names: impl Iterator<Item = String>) -> Vec<String> {
    let simple = |name: &str| name.to_lowercase();
    let is_of_name = |of: &char| of.is_alphanumeric() || "_:.<>()~ ".contains(*of);
    // Anchors and escapes of an expression are no part of a name.
    let wanted: String = simple(wanted).chars().filter(is_of_name).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut scored: Vec<(f64, String)> = Vec::new();
    let mut known: HashSet<String> = HashSet::new();
    for name in names {
        let whole = simple(&name);
        let score = match whole.contains(&wanted) {
            true => 1.0,
            false => {
                let of = |text: &str| strsim::jaro_winkler(&wanted, text);
                of(&whole).max(of(last_part(&whole)))
            }
        };
        if score >= LEAST && known.insert(name.clone()) {
            scored.push((score, name));
        }
    }
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let best = scored.into_iter().take(SUGGESTIONS);
    best.map(|(_, name)| name).collect()
}

/// Returns a name without arguments and what stands before it: `run` of `ns::Task::run(int)`.
fn last_part(name: &str) -> &str {
    let end = name
        .char_indices()
        .find(|(at, of)| *at > 0 && "(<".contains(*of));
    let name = end.and_then(|(at, _)| name.get(..at)).unwrap_or(name);
    name.rsplit([':', '.', '/', ' ']).next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::{last_part, most_similar};

    #[test]
    fn similar_names_are_found_best_first() {
        let names = || {
            [
                "main",
                "work",
                "ns::Task::rerun(int)",
                "worker",
                "<A as B>::walk",
            ]
        };
        let near = |wanted: &str| most_similar(wanted, names().map(str::to_owned).into_iter());
        assert_eq!(near("wrok"), ["work", "worker"]);
        assert_eq!(near("^Work$"), ["work", "worker"]);
        assert_eq!(near("rerum"), ["ns::Task::rerun(int)"]);
        assert!(near("zzz").is_empty());
        assert!(near("^$").is_empty());
        let many = (0..9).map(|nth| format!("work_{nth}"));
        assert_eq!(most_similar("work", many), ["work_0", "work_1", "work_2"]);
    }

    #[test]
    fn the_last_part_is_without_arguments() {
        assert_eq!(last_part("ns::task::run(int)"), "run");
        assert_eq!(last_part("main.work"), "work");
        assert_eq!(last_part("<a as b>::f"), "f");
        assert_eq!(last_part(""), "");
    }
}
