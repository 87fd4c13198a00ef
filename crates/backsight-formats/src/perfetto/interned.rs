//! The tables of one sequence, which its packets refer to.

use backsight_profile::{LocationIdx, StackIdx};
use hashbrown::HashMap;

use super::counters::Counter;
use super::fields::{add_numbers, each_field, low};
use crate::flaws::Flaws;
use crate::protobuf::{Error, MemoryBudget, Value};

/// A text, which need not be UTF-8.
pub(super) type Text = Box<[u8]>;

/// The rows that were introduced, by their IDs.
#[derive(Debug, Default)]
pub(super) struct InternedTables {
    pub(super) build_ids: HashMap<u64, Text>,
    pub(super) paths: HashMap<u64, Text>,
    pub(super) functions: HashMap<u64, Text>,
    pub(super) sources: HashMap<u64, Text>,
    pub(super) mappings: HashMap<u64, InternedMapping>,
    pub(super) frames: HashMap<u64, FrameRow>,
    pub(super) callstacks: HashMap<u64, Box<[u64]>>,
    pub(super) tasks: HashMap<u64, TaskRow>,
    pub(super) counters: HashMap<u64, Counter>,
    /// Whether they are those of a `ProfilePacket`.
    pub(super) are_of_profile: bool,
    /// What the rows were resolved to.
    pub(super) known_mappings: HashMap<u64, u32>,
    pub(super) known_frames: HashMap<u64, Option<LocationIdx>>,
    pub(super) known_stacks: HashMap<u64, Option<StackIdx>>,
}

/// A file that was mapped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct InternedMapping {
    pub(super) build_id: u64,
    pub(super) load_bias: Option<u64>,
    pub(super) path: Box<[u64]>,
}

/// An address, and the name that the recorder had for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FrameRow {
    pub(super) function: u64,
    pub(super) mapping: u64,
    pub(super) rel_pc: u64,
    pub(super) source: u64,
    pub(super) line: u32,
}

/// A process and thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct TaskRow {
    pub(super) pid: Option<u32>,
    pub(super) tid: Option<u32>,
}

impl InternedTables {
    /// Takes an `InternedData`.
    pub(super) fn take(
        &mut self,
        data: &[u8],
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<(), Error> {
        let is_whole = each_field(data, |number, value| {
            let Value::Bytes(row) = value else {
                return Ok(());
            };
            match number {
                5 => add_text(&mut self.functions, row, budget, flaws),
                16 => add_text(&mut self.build_ids, row, budget, flaws),
                17 => add_text(&mut self.paths, row, budget, flaws),
                18 => add_text(&mut self.sources, row, budget, flaws),
                6 => self.frame(row, budget, flaws),
                7 => self.callstack(row, budget, flaws),
                19 => self.mapping(row, budget, flaws),
                48 => {
                    let (iid, task) = TaskRow::of(row, flaws)?;
                    add(&mut self.tasks, iid, task, budget, flaws)
                }
                50 => {
                    let (iid, counter) = Counter::of(row, budget, flaws)?;
                    add(&mut self.counters, iid, counter, budget, flaws)
                }
                _ => Ok(()),
            }
        })?;
        if !is_whole {
            flaws.count("interned data that cannot be decoded");
        }
        Ok(())
    }

    /// Takes a row of the tables in a `ProfilePacket` (Android 10), where all strings are in one
    /// table.
    pub(super) fn take_of_profile(
        &mut self,
        number: u32,
        row: &[u8],
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<(), Error> {
        match number {
            1 => {
                add_text(&mut self.functions, row, budget, flaws)?;
                add_text(&mut self.build_ids, row, budget, flaws)?;
                add_text(&mut self.paths, row, budget, flaws)
            }
            2 => self.frame(row, budget, flaws),
            3 => self.callstack(row, budget, flaws),
            _ => self.mapping(row, budget, flaws),
        }
    }

    fn frame(
        &mut self,
        row: &[u8],
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<(), Error> {
        let (mut iid, mut frame) = (0, FrameRow::default());
        let is_whole = each_field(row, |number, value| {
            if let Value::Varint(value) = value {
                match number {
                    1 => iid = value,
                    2 => frame.function = value,
                    3 => frame.mapping = value,
                    4 => frame.rel_pc = value,
                    5 => frame.source = value,
                    6 => frame.line = low(value),
                    _ => {}
                }
            }
            Ok(())
        })?;
        count_cut(is_whole, flaws);
        add(&mut self.frames, iid, frame, budget, flaws)
    }

    fn callstack(
        &mut self,
        row: &[u8],
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<(), Error> {
        let (iid, frames) = callstack(row, budget, flaws)?;
        add(&mut self.callstacks, iid, frames, budget, flaws)
    }

    fn mapping(
        &mut self,
        row: &[u8],
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<(), Error> {
        let (mut iid, mut mapping, mut path) = (0, InternedMapping::default(), Vec::new());
        let is_whole = each_field(row, |number, value| {
            match (number, value) {
                (1, Value::Varint(value)) => iid = value,
                (2, Value::Varint(value)) => mapping.build_id = value,
                (6, Value::Varint(value)) => mapping.load_bias = Some(value),
                (7, value) => count_cut(add_numbers(value, &mut path, budget)?, flaws),
                _ => {}
            }
            Ok(())
        })?;
        count_cut(is_whole, flaws);
        mapping.path = path.into();
        add(&mut self.mappings, iid, mapping, budget, flaws)
    }
}

impl TaskRow {
    /// Reads a `TaskContext`, with its ID.
    pub(super) fn of(row: &[u8], flaws: &mut Flaws) -> Result<(u64, Self), Error> {
        let (mut iid, mut task) = (0, Self::default());
        let is_whole = each_field(row, |number, value| {
            match (number, value) {
                (1, Value::Varint(value)) => iid = value,
                (2, Value::Varint(value)) => task.pid = Some(low(value)),
                (3, Value::Varint(value)) => task.tid = Some(low(value)),
                _ => {}
            }
            Ok(())
        })?;
        count_cut(is_whole, flaws);
        Ok((iid, task))
    }
}

/// Reads a `Callstack`: its ID, and its frames, outermost first.
pub(super) fn callstack(
    row: &[u8],
    budget: &mut MemoryBudget,
    flaws: &mut Flaws,
) -> Result<(u64, Box<[u64]>), Error> {
    let (mut iid, mut frames) = (0, Vec::new());
    let is_whole = each_field(row, |number, value| {
        match (number, value) {
            (1, Value::Varint(value)) => iid = value,
            (2, value) => count_cut(add_numbers(value, &mut frames, budget)?, flaws),
            _ => {}
        }
        Ok(())
    })?;
    count_cut(is_whole, flaws);
    Ok((iid, frames.into()))
}

fn add_text(
    table: &mut HashMap<u64, Text>,
    row: &[u8],
    budget: &mut MemoryBudget,
    flaws: &mut Flaws,
) -> Result<(), Error> {
    let (mut iid, mut text) = (0, &[][..]);
    let is_whole = each_field(row, |number, value| {
        match (number, value) {
            (1, Value::Varint(value)) => iid = value,
            (2, Value::Bytes(value)) => text = value,
            _ => {}
        }
        Ok(())
    })?;
    count_cut(is_whole, flaws);
    budget.take(text.len())?;
    add(table, iid, text.into(), budget, flaws)
}

/// Adds a row. The first one with an ID counts.
fn add<T: PartialEq>(
    table: &mut HashMap<u64, T>,
    iid: u64,
    row: T,
    budget: &mut MemoryBudget,
    flaws: &mut Flaws,
) -> Result<(), Error> {
    if iid == 0 {
        flaws.count("interned rows without an ID");
        return Ok(());
    }
    budget.take_rows::<(u64, T)>(2)?;
    match table.get(&iid) {
        Some(known) if *known != row => flaws.count("interned rows with the ID of another one"),
        Some(_) => {}
        None => {
            table.insert(iid, row);
        }
    }
    Ok(())
}

fn count_cut(is_whole: bool, flaws: &mut Flaws) {
    if !is_whole {
        flaws.count("interned rows that cannot be decoded");
    }
}
