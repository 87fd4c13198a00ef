//! Makes a profile of a file that was read.

use backsight_profile::{Profile, Sample, StackIdx, ValueType};

use super::text::V8File;
use crate::flaws::Flaws;
use crate::protobuf::Error;

/// The memory of a node in the tree of stacks, including its entry in the hash table.
const NODE: usize = 24;

/// The memory of a sample with two values, and of its time while the samples are sorted.
const SAMPLE: usize = 104;

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
    file.budget.take(stacks.len().saturating_mul(SAMPLE))?;
    for (node, stack) in file.nodes.iter().zip(stacks) {
        let sample = Sample {
            stack: *stack,
            ..Sample::default()
        };
        if node.hits > 0 {
            file.profile.samples.push(sample, &[node.hits], &[]);
        } else if node.hits < 0 {
            file.flaws.count("nodes with a negative count");
        }
    }
    Ok(())
}

/// Adds the samples in the order of their times.
fn samples(file: &mut V8File, stacks: &[Option<StackIdx>]) -> Result<(), Error> {
    file.budget
        .take(file.samples.len().saturating_mul(SAMPLE))?;
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
    for ((time, id), end) in timed.iter().zip(ends) {
        let sample = Sample {
            time_ns: u64::try_from(*time).ok(),
            ..Sample::default()
        };
        push(file, stacks, *id, sample, &[1, end.saturating_sub(*time)]);
    }
    let behind = file.samples.split_off(timed.len());
    for id in behind {
        push(file, stacks, id, Sample::default(), &[1]);
    }
    Ok(())
}

fn push(file: &mut V8File, stacks: &[Option<StackIdx>], id: i64, sample: Sample, values: &[i64]) {
    match file.ids.get(&id).and_then(|at| stacks.get(*at)) {
        Some(stack) => {
            let stack = *stack;
            let sample = Sample { stack, ..sample };
            file.profile.samples.push(sample, values, &[]);
        }
        None => file
            .flaws
            .count("samples of a node that the list of nodes does not have"),
    }
}
