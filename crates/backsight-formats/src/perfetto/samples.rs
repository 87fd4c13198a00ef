//! Samples of code that runs.

use backsight_profile::Sample;

use super::counters::Counter;
use super::fields::{add_numbers, each_field, low, signed};
use super::interned::{TaskRow, callstack};
use super::packet::PacketHead;
use super::sequence::Sequence;
use super::stacks::GrowingProfile;
use crate::protobuf::{Error, Value};

/// `CLOCK_MONOTONIC`, by Perfetto's number.
const MONOTONIC: u32 = 3;

/// `CLOCK_BOOTTIME`: the clock of packets that name none.
const BOOTTIME: u32 = 6;

/// What samples without a weight count.
const SAMPLES: [(&str, &str); 1] = [("samples", "count")];

/// Takes a `PerfSample`.
pub(super) fn perf_sample(
    row: &[u8],
    head: &PacketHead,
    sequence: &mut Sequence,
    out: &mut GrowingProfile,
) -> Result<(), Error> {
    let (mut task, mut stack, mut lost, mut skipped) = (TaskRow::default(), None, 0, None);
    let (mut is_partial, mut is_event) = (false, false);
    let is_whole = each_field(row, |number, value| {
        match (number, value) {
            (2, Value::Varint(value)) => task.pid = Some(low(value)),
            (3, Value::Varint(value)) => task.tid = Some(low(value)),
            (4, Value::Varint(value)) => stack = Some(value),
            (16, Value::Varint(value)) => is_partial = value > 1,
            (17, Value::Varint(value)) => lost = value,
            (18, Value::Varint(value)) => skipped = Some(value),
            (19, Value::Bytes(_)) => is_event = true,
            _ => {}
        }
        Ok(())
    })?;
    if !is_whole {
        out.flaws
            .count("stack samples that cannot be decoded to their end");
    }
    if lost > 0 {
        let what = "records that the kernel lost while the trace was recorded";
        out.flaws.change(what, lost);
        return Ok(());
    }
    if is_event {
        out.flaws.leave_out("events of the recorder");
        return Ok(());
    }
    if let (Some(reason), None) = (skipped, stack) {
        /// A sample of a process that was not chosen.
        const NOT_IN_SCOPE: u64 = 4;
        out.flaws.leave_out(match reason {
            NOT_IN_SCOPE => "samples of processes that the recorder was not asked for",
            _ => "samples whose stack the recorder could not take",
        });
        return Ok(());
    }
    if is_partial {
        let what = "stacks that the recorder could not unwind to their end";
        out.flaws.change(what, 1);
    }
    let stack = match stack {
        Some(iid) => out.stack(&mut sequence.tables, iid)?,
        None => None,
    };
    let sample = Sample {
        thread: out.thread(task)?,
        time_ns: out.time(clock_of(head, sequence), head.timestamp),
        stack,
        first_type: out.types(&SAMPLES).unwrap_or_default(),
    };
    out.push(sample, &[1])
}

/// Takes a `StreamingProfilePacket`, which has many samples of one thread.
pub(super) fn streaming_profile(
    row: &[u8],
    sequence: &mut Sequence,
    out: &mut GrowingProfile,
) -> Result<(), Error> {
    let (mut stacks, mut deltas) = (Vec::new(), Vec::new());
    let mut numbers_are_whole = true;
    let is_whole = each_field(row, |number, value| {
        match number {
            1 => numbers_are_whole &= add_numbers(value, &mut stacks, &mut out.budget)?,
            2 => numbers_are_whole &= add_numbers(value, &mut deltas, &mut out.budget)?,
            _ => {}
        }
        Ok(())
    })?;
    if !is_whole || !numbers_are_whole {
        out.flaws
            .count("stack samples that cannot be decoded to their end");
    }
    if stacks.len() != deltas.len() {
        out.flaws
            .count("packets that do not have one time for each stack");
    }
    let thread = out.thread(sequence.task)?;
    let first_type = out.types(&SAMPLES).unwrap_or_default();
    for (at, iid) in stacks.into_iter().enumerate() {
        let delta = deltas.get(at).map(|delta| signed(*delta));
        let time_us = sequence.time_us.zip(delta);
        let time_us = time_us.map(|(time, delta)| time.saturating_add(delta));
        sequence.time_us = time_us.or(sequence.time_us);
        let time_ns = time_us.and_then(|time| u64::try_from(time).ok()?.checked_mul(1000));
        let sample = Sample {
            thread,
            time_ns: out.time(MONOTONIC, time_ns),
            stack: out.stack(&mut sequence.tables, iid)?,
            first_type,
        };
        out.push(sample, &[1])?;
    }
    Ok(())
}

/// Takes a `StackSample`.
pub(super) fn stack_sample(
    row: &[u8],
    head: &PacketHead,
    sequence: &mut Sequence,
    out: &mut GrowingProfile,
) -> Result<(), Error> {
    let (mut task, mut task_iid, mut weight, mut is_partial) = (None, None, None, false);
    let (mut counter, mut counter_iid, mut frames, mut stack_iid) = (None, None, None, None);
    let GrowingProfile { budget, flaws, .. } = &mut *out;
    let is_whole = each_field(row, |number, value| {
        match (number, value) {
            (1, Value::Bytes(row)) => task = Some(TaskRow::of(row, flaws)?.1),
            (2, Value::Varint(value)) => task_iid = Some(value),
            (5, Value::Bytes(row)) => frames = Some(callstack(row, budget, flaws)?.1),
            (6, Value::Varint(value)) => stack_iid = Some(value),
            (7, Value::Bytes(_)) | (8, Value::Varint(_)) => is_partial = true,
            (9, Value::Bytes(row)) => counter = Some(Counter::of(row, budget, flaws)?.1),
            (10, Value::Varint(value)) => counter_iid = Some(value),
            (11, Value::Varint(value)) => weight = Some(value),
            _ => {}
        }
        Ok(())
    })?;
    if !is_whole {
        flaws.count("stack samples that cannot be decoded to their end");
    }
    if is_partial {
        let what = "stacks that the recorder could not unwind to their end";
        flaws.change(what, 1);
    }
    let tables = &mut sequence.tables;
    let task = task.or_else(|| tables.tasks.get(&task_iid?).copied());
    if task.is_none() && task_iid.is_some() {
        out.flaws.count("tasks of stacks that are not in the trace");
    }
    let counter = counter.or_else(|| tables.counters.get(&counter_iid?).cloned());
    if counter.is_none() && counter_iid.is_some() {
        out.flaws
            .count("counters of stacks that are not in the trace");
    }
    let stack = match (frames, stack_iid) {
        (Some(frames), _) => out.stack_of(tables, &frames)?,
        (None, Some(iid)) => out.stack(tables, iid)?,
        (None, None) => None,
    };
    let counter = counter.or_else(|| sequence.counter.clone());
    let weighted = counter.zip(weight).and_then(|(counter, weight)| {
        let samples = format!("{}-samples", counter.name);
        let first = out.types(&[(&samples, "count"), (&counter.name, &counter.unit)]);
        if first.is_none() {
            out.flaws
                .leave_out("weights by more counters than can be told apart");
        }
        Some((first?, weight.saturating_mul(counter.multiplier)))
    });
    let sample = Sample {
        thread: out.thread(task.unwrap_or_default())?,
        time_ns: out.time(clock_of(head, sequence), head.timestamp),
        stack,
        first_type: match weighted {
            Some((first, _)) => first,
            None => out.types(&SAMPLES).unwrap_or_default(),
        },
    };
    match weighted {
        Some((_, weight)) => {
            let weight = i64::try_from(weight).unwrap_or(i64::MAX);
            out.push(sample, &[1, weight])
        }
        None => out.push(sample, &[1]),
    }
}

fn clock_of(head: &PacketHead, sequence: &Sequence) -> u32 {
    head.clock
        .or(sequence.clock)
        .filter(|clock| *clock != 0)
        .unwrap_or(BOOTTIME)
}
