//! Symbols that the trace has.

use backsight_profile::{Profile, ProfileFrame};
use hashbrown::HashMap;

use super::fields::{each_field, low};
use super::places::{SymbolPlaces, TraceFile};
use crate::flaws::Flaws;
use crate::protobuf::{Error, MemoryBudget, Value};

/// The symbols of `ModuleSymbols`, by file and address.
#[derive(Debug, Default)]
pub(super) struct TraceSymbols {
    files: HashMap<TraceFile, HashMap<u64, Box<[TraceLine]>>>,
}

/// A call level.
#[derive(Debug)]
struct TraceLine {
    function: Box<[u8]>,
    file: Box<[u8]>,
    line: u32,
}

impl TraceSymbols {
    /// Takes a `ModuleSymbols`. The last symbols of an address count.
    pub(super) fn take(
        &mut self,
        row: &[u8],
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<(), Error> {
        let (mut path, mut build_id) = (&[][..], &[][..]);
        let is_whole = each_field(row, |number, value| {
            match (number, value) {
                (1, Value::Bytes(value)) => path = value,
                (2, Value::Bytes(value)) => build_id = value,
                _ => {}
            }
            Ok(())
        })?;
        count_cut(is_whole, flaws);
        budget.take(path.len().saturating_add(build_id.len()))?;
        budget.take_rows::<(TraceFile, HashMap<u64, u64>)>(2)?;
        let file = TraceFile {
            path: path.to_vec(),
            build_id: build_id.to_vec(),
        };
        let addresses = self.files.entry(file).or_default();
        each_field(row, |number, value| {
            let (3, Value::Bytes(row)) = (number, value) else {
                return Ok(());
            };
            let (mut address, mut lines) = (0, Vec::new());
            let is_whole = each_field(row, |number, value| {
                match (number, value) {
                    (1, Value::Varint(value)) => address = value,
                    (2, Value::Bytes(row)) => lines.push(TraceLine::of(row, budget, flaws)?),
                    _ => {}
                }
                Ok(())
            })?;
            count_cut(is_whole, flaws);
            budget.take_rows::<(u64, Box<[TraceLine]>)>(2)?;
            if !lines.is_empty() {
                addresses.insert(address, lines.into());
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Gives the addresses their functions and lines. What has them is no longer among the places.
    pub(super) fn apply(
        &self,
        places: &mut SymbolPlaces,
        profile: &mut Profile,
        budget: &mut MemoryBudget,
    ) -> Result<(), Error> {
        if self.files.is_empty() {
            return Ok(());
        }
        let SymbolPlaces { files, rows } = places;
        let files: Vec<_> = files.iter().map(|file| self.files.get(file)).collect();
        let mut left = Vec::new();
        for row in rows.drain(..) {
            let file = usize::try_from(row.file).ok().and_then(|at| files.get(at));
            let lines = file.copied().flatten().and_then(|of| of.get(&row.rel_pc));
            let Some(lines) = lines else {
                left.push(row);
                continue;
            };
            budget.take_rows::<ProfileFrame>(lines.len().saturating_mul(2))?;
            let last = lines.len().saturating_sub(1);
            let strings = &mut profile.strings;
            let mut text = |text: &[u8]| match text {
                b"" => None,
                text => Some(strings.intern(&String::from_utf8_lossy(text))),
            };
            let frames = lines.iter().enumerate().map(|(at, line)| ProfileFrame {
                function: text(&line.function),
                file: text(&line.file),
                line: Some(line.line).filter(|line| *line > 0),
                inlined: at < last,
                ..ProfileFrame::default()
            });
            let frames: Vec<ProfileFrame> = frames.collect();
            let frames = profile.add_frames(frames).unwrap_or_default();
            if let Some(location) = profile.locations.get_mut(row.location.as_usize()) {
                location.frames = frames;
                location.reason = None;
            }
        }
        *rows = left;
        Ok(())
    }
}

impl TraceLine {
    fn of(row: &[u8], budget: &mut MemoryBudget, flaws: &mut Flaws) -> Result<Self, Error> {
        let (mut function, mut file, mut line_number) = (&[][..], &[][..], 0);
        let is_whole = each_field(row, |number, value| {
            match (number, value) {
                (1, Value::Bytes(value)) => function = value,
                (2, Value::Bytes(value)) => file = value,
                (3, Value::Varint(value)) => line_number = low(value),
                _ => {}
            }
            Ok(())
        })?;
        count_cut(is_whole, flaws);
        budget.take_rows::<Self>(2)?;
        budget.take(function.len().saturating_add(file.len()).saturating_mul(2))?;
        Ok(Self {
            function: function.into(),
            file: file.into(),
            line: line_number,
        })
    }
}

fn count_cut(is_whole: bool, flaws: &mut Flaws) {
    if !is_whole {
        flaws.count("symbols that cannot be decoded");
    }
}
