//! The callers and callees of a function.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use backsight_profile::Profile;

use crate::amounts::Amounts;
use crate::entry::{Inlines, ReportEntry, RowKind};
use crate::frames::FrameEntries;
use crate::pattern::NamePattern;

/// A function with those that call it, and those that it calls.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallNeighbours {
    /// The function.
    pub entry: ReportEntry,
    /// The amount of samples whose innermost frame it is.
    pub own: i64,
    /// The amount of samples in whose stack it is.
    pub total: i64,
    /// Its callers. Where it is the outermost frame, it has none.
    pub callers: Vec<Edge>,
    /// The functions that it calls.
    pub callees: Vec<Edge>,
}

/// A call between two functions. Samples whose stack has it several times count once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edge {
    /// The other function; `None` where there is none.
    pub entry: Option<ReportEntry>,
    /// The amount of samples with this call in their stack.
    pub amount: i64,
}

#[derive(Default)]
struct Sums {
    own: i64,
    total: i64,
    callers: HashMap<Option<u32>, i64>,
    callees: HashMap<u32, i64>,
}

impl CallNeighbours {
    /// Returns the functions whose name matches, those with the largest total first, and the sum
    /// of all samples. The value is given by the index of its sample type.
    #[must_use]
    pub fn of(
        profile: &Profile,
        value: u32,
        function: &NamePattern,
        inlines: Inlines,
    ) -> (i64, Vec<Self>) {
        let amounts = Amounts::of(profile, value);
        let mut frames = FrameEntries::new(profile, RowKind::Function, inlines);
        let mut found: HashMap<u32, Sums> = HashMap::new();
        let mut matches: Vec<bool> = Vec::new();
        let (mut numbers, mut seen) = (Vec::new(), HashSet::new());
        for (stack, amount) in &amounts.by_stack {
            frames.of_stack(*stack, &mut numbers);
            let new = frames.entries.iter().skip(matches.len());
            let new = new.map(|entry| {
                let own = entry.function.and_then(|name| profile.strings.get(name));
                own.is_some_and(|name| function.is_match(name))
                    || function.is_match(&entry.name(profile, RowKind::Function))
            });
            let new: Vec<bool> = new.collect();
            matches.extend(new);
            seen.clear();
            for (depth, number) in numbers.iter().enumerate() {
                let at = usize::try_from(*number).unwrap_or(usize::MAX);
                if !matches.get(at).copied().unwrap_or_default() {
                    continue;
                }
                let sums = found.entry(*number).or_default();
                let add = |sum: &mut i64| *sum = sum.saturating_add(*amount);
                if depth == 0 {
                    add(&mut sums.own);
                }
                if seen.insert(Seen::Function(*number)) {
                    add(&mut sums.total);
                }
                let caller = numbers.get(depth.saturating_add(1)).copied();
                if seen.insert(Seen::Caller(*number, caller)) {
                    add(sums.callers.entry(caller).or_default());
                }
                let callee = depth.checked_sub(1).and_then(|at| numbers.get(at));
                if let Some(callee) = callee
                    && seen.insert(Seen::Callee(*number, *callee))
                {
                    add(sums.callees.entry(*callee).or_default());
                }
            }
        }
        let edges = |of: Vec<(Option<u32>, i64)>| {
            let edge = |(number, amount): (Option<u32>, i64)| Edge {
                entry: number.map(|number| frames.entry(number)),
                amount,
            };
            let mut edges: Vec<Edge> = of.into_iter().map(edge).collect();
            let name = |edge: &Edge| edge.entry.map(|it| it.name(profile, RowKind::Function));
            edges.sort_by(|a, b| {
                let amount = |edge: &Edge| Reverse(edge.amount.saturating_abs());
                amount(a)
                    .cmp(&amount(b))
                    .then_with(|| name(a).cmp(&name(b)))
            });
            edges
        };
        let all = found.into_iter().map(|(number, sums)| Self {
            entry: frames.entry(number),
            own: sums.own,
            total: sums.total,
            callers: edges(sums.callers.into_iter().collect()),
            callees: edges(
                sums.callees
                    .into_iter()
                    .map(|(to, by)| (Some(to), by))
                    .collect(),
            ),
        });
        let mut all: Vec<Self> = all.collect();
        all.sort_by_key(|it| (Reverse(it.total.saturating_abs()), it.entry.rank()));
        (amounts.whole, all)
    }
}

#[derive(PartialEq, Eq, Hash)]
enum Seen {
    Function(u32),
    Caller(u32, Option<u32>),
    Callee(u32, u32),
}
