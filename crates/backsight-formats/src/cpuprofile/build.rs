//! Makes a profile of a file that was read.

use backsight_profile::{Profile, Sample, StackIdx, ValueType};

use super::text::{CallNode, V8File};
use crate::flaws::Flaws;
use crate::protobuf::Error;

/// The memory of a node in the tree of stacks, including its entry in the hash table.
const NODE: usize = 24;

/// The memory of a sample with two values, and of its time while the samples are sorted.
const SAMPLE: usize = 104;

/// What is said of lines that are not those of the function.
const OF_OTHERS: &str = "samples on lines that are before the begin of their function, as V8 has them of code that was inlined from another file: read without a line";

/// Nanoseconds in the unit of the file's times.
const MICROSECOND: i64 = 1000;

/// Makes the profile, and hands on the counts of what was wrong.
pub(super) fn profile(mut file: V8File) -> Result<(Profile, Flaws), Error> {
    for (kind, unit) in [("samples", "count"), ("time", "nanoseconds")] {
        let [kind, unit] = [kind, unit].map(|text| file.profile.strings.intern(text));
        file.profile.sample_types.push(ValueType { kind, unit });
    }
    let stacks = stacks(&mut file)?;
    if file.samples.is_empty() {
        hits(&mut file, &stacks)?;
    } else {
        file.profile.default_type = Some(1);
        samples(&mut file, &stacks)?;
    }
    let end = file.end.map(|end| end.times(MICROSECOND).0);
    let duration = end.and_then(|end| end.checked_sub(file.start.times(MICROSECOND).0));
    file.profile.duration_ns = duration.and_then(|duration| u64::try_from(duration).ok());
    Ok((file.profile, file.flaws))
}

/// How far the stack of a node is known.
#[derive(Clone, Copy, Debug)]
enum NodeStack {
    Unknown,
    /// The stack of a node below it is being made.
    Awaited,
    Known(Option<StackIdx>),
}

/// Returns the stack of each node.
fn stacks(file: &mut V8File) -> Result<Vec<Option<StackIdx>>, Error> {
    let count = file.nodes.len();
    let row = size_of::<(Option<usize>, NodeStack, usize, Option<StackIdx>)>();
    file.budget
        .take(count.saturating_mul(row.saturating_add(NODE)))?;
    let mut parents: Vec<Option<usize>> = vec![None; count];
    for (parent, child) in &file.children {
        let place = file.ids.get(child).and_then(|at| parents.get_mut(*at));
        match place {
            Some(place @ None) => *place = Some(*parent),
            Some(Some(_)) => file.flaws.count("nodes with more than one parent"),
            None => file
                .flaws
                .count("children that the list of nodes does not have"),
        }
    }
    let mut known = vec![NodeStack::Unknown; count];
    let mut chain = Vec::new();
    for at in 0..count {
        // Go to the callers up to a known one, and then back.
        chain.clear();
        let mut here = Some(at);
        let mut stack = None;
        while let Some(node) = here {
            match known.get_mut(node) {
                Some(NodeStack::Known(found)) => {
                    stack = *found;
                    break;
                }
                Some(state @ NodeStack::Unknown) => *state = NodeStack::Awaited,
                Some(NodeStack::Awaited) => {
                    file.flaws.count("nodes that are their own callers");
                    break;
                }
                None => break,
            }
            chain.push(node);
            here = parents.get(node).copied().flatten();
        }
        for node in chain.iter().rev() {
            let location = file.nodes.get(*node).and_then(|node| node.location);
            if let Some(location) = location {
                stack = Some(file.profile.stacks.call(stack, location));
            }
            if let Some(place) = known.get_mut(*node) {
                *place = NodeStack::Known(stack);
            }
        }
    }
    let found = known.into_iter().map(|known| match known {
        NodeStack::Known(stack) => stack,
        _ => None,
    });
    Ok(found.collect())
}

/// Adds a row for each node that was sampled.
fn hits(file: &mut V8File, stacks: &[Option<StackIdx>]) -> Result<(), Error> {
    for (node, stack) in std::mem::take(&mut file.nodes).iter().zip(stacks) {
        if node.hits < 0 {
            file.flaws.count("nodes with a negative count");
        }
        let mut lines = NodeLines::of(node, file);
        let mut left = node.hits.max(0);
        while left > 0 {
            let (line, most) = lines.rest(file).unwrap_or((None, left));
            let hits = most.min(left);
            lines.take(hits);
            lines.skip(file);
            let stack = on_line(file, *stack, line, hits.unsigned_abs())?;
            let sample = Sample {
                stack,
                ..Sample::default()
            };
            file.budget.take(SAMPLE)?;
            file.profile.samples.push(sample, &[hits], &[]);
            left = left.saturating_sub(hits);
        }
    }
    Ok(())
}

/// The lines of a node whose samples are not given out yet.
#[derive(Clone, Copy, Debug)]
struct NodeLines {
    next: usize,
    end: usize,
    taken: i64,
}

impl NodeLines {
    fn of(node: &CallNode, file: &V8File) -> Self {
        let (next, end) = node.lines;
        let lines = file.lines.get(next..end).unwrap_or_default();
        let sum = lines.iter().map(|line| line.hits);
        // Lines that count more samples than there are would take those of others.
        let is_more = sum.fold(0, i64::saturating_add) > node.hits.max(0);
        Self {
            next: if is_more { end } else { next },
            end,
            taken: 0,
        }
    }

    /// Returns the next line, and how many of its samples are left; `None` without any.
    fn rest(&self, file: &V8File) -> Option<(Option<u32>, i64)> {
        let line = file.lines.get(..self.end)?.get(self.next)?;
        Some((Some(line.line), line.hits.saturating_sub(self.taken)))
    }

    fn take(&mut self, hits: i64) {
        self.taken = self.taken.saturating_add(hits);
    }

    /// Returns the line of the next sample.
    fn of_next(&mut self, file: &V8File) -> Option<u32> {
        let (line, _) = self.rest(file)?;
        self.take(1);
        self.skip(file);
        line
    }

    fn skip(&mut self, file: &V8File) {
        if self.rest(file).is_some_and(|(_, left)| left <= 0) {
            self.next = self.next.saturating_add(1);
            self.taken = 0;
        }
    }
}

/// Returns the stack whose innermost function is on a line.
fn on_line(
    file: &mut V8File,
    stack: Option<StackIdx>,
    line: Option<u32>,
    samples: u64,
) -> Result<Option<StackIdx>, Error> {
    let innermost = stack.and_then(|stack| file.profile.stacks.get(stack));
    let (Some((function, caller)), Some(line)) = (innermost, line) else {
        return Ok(stack);
    };
    let nowhere = function;
    let function = file.on_line(function, line)?;
    if function == nowhere {
        file.flaws.change(OF_OTHERS, samples);
    }
    file.budget.take(NODE)?;
    Ok(Some(file.profile.stacks.call(caller, function)))
}

/// Adds the samples in the order of their times.
fn samples(file: &mut V8File, stacks: &[Option<StackIdx>]) -> Result<(), Error> {
    file.budget
        .take(file.samples.len().saturating_mul(SAMPLE))?;
    file.budget.take_rows::<NodeLines>(file.nodes.len())?;
    let start = file.start.times(MICROSECOND).0;
    let mut time = start;
    let mut timed: Vec<(i64, i64)> = Vec::new();
    for (id, delta) in file.samples.iter().zip(&file.deltas) {
        time = time.saturating_add(delta.times(MICROSECOND).0);
        timed.push((time, *id));
    }
    let turned = timed.windows(2).filter(|pair| match pair {
        [(before, _), (after, _)] => after < before,
        _ => false,
    });
    let turned = u64::try_from(turned.count()).unwrap_or(u64::MAX);
    if turned > 0 {
        file.flaws
            .change("samples that were not in the order of their times", turned);
        timed.sort_by_key(|(time, _)| *time);
    }
    let last = timed.last().map_or(start, |(time, _)| *time);
    let end = file.end.map_or(last, |end| end.times(MICROSECOND).0);
    let ends = timed.iter().skip(1).map(|(time, _)| *time);
    let ends: Vec<i64> = ends.chain([end.max(last)]).collect();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let missing = file.samples.len().saturating_sub(file.deltas.len());
    (file.flaws).count_many("samples without a time", count(missing));
    let missing = file.deltas.len().saturating_sub(file.samples.len());
    (file.flaws).count_many("times without a sample", count(missing));
    let nodes = file.nodes.iter();
    let mut lines: Vec<NodeLines> = nodes.map(|node| NodeLines::of(node, file)).collect();
    for ((time, id), end) in timed.iter().zip(ends) {
        let sample = Sample {
            time_ns: u64::try_from(*time).ok(),
            ..Sample::default()
        };
        let values = [1, end.saturating_sub(*time)];
        push(file, stacks, &mut lines, *id, sample, &values)?;
    }
    let behind = file.samples.split_off(timed.len());
    for id in behind {
        push(file, stacks, &mut lines, id, Sample::default(), &[1])?;
    }
    Ok(())
}

fn push(
    file: &mut V8File,
    stacks: &[Option<StackIdx>],
    lines: &mut [NodeLines],
    id: i64,
    sample: Sample,
    values: &[i64],
) -> Result<(), Error> {
    let at = file.ids.get(&id).copied();
    match at.and_then(|at| Some((stacks.get(at)?, lines.get_mut(at)?))) {
        Some((stack, lines)) => {
            let line = lines.of_next(file);
            let stack = on_line(file, *stack, line, 1)?;
            let sample = Sample { stack, ..sample };
            file.profile.samples.push(sample, values, &[]);
        }
        None => file
            .flaws
            .count("samples of a node that the list of nodes does not have"),
    }
    Ok(())
}
