//! What stands at one place of a module.

use std::sync::Arc;

use backsight_index::engine::{Name, known_in};
use backsight_index::{Frame, Frames};
use backsight_types::{Reason, VirtOffset};

use super::LoadedFiles;
use crate::dwarf::{DwarfAnswer, DwarfLevel, Fault, SourceLocation};
use crate::options::Options;

impl LoadedFiles {
    /// Returns what stands at this virtual offset.
    pub(crate) fn find(&self, addr: u64, options: &Arc<Options>) -> Result<Frames, Reason> {
        // Outside of code sections nothing is answered, whatever DWARF claims.
        if self.code_file().is_none_or(|file| !file.is_code(addr)) {
            return Err(Reason::NoSymbols);
        }
        if !options.debug_info {
            return self.find_name(addr, options);
        }
        let dwarf = self.dwarf(options);
        let go = self
            .go(options)
            .and_then(|go| go.find(addr, &options.limits));
        let mut found = match (go, dwarf) {
            (Some(mut go), dwarf) => {
                go.limited |= matches!(dwarf, Some(Err(Fault::Limit)));
                go
            }
            (None, Some(Ok(dwarf))) => dwarf.find(addr),
            (None, Some(Err(fault))) => DwarfAnswer {
                limited: *fault == Fault::Limit,
                ..DwarfAnswer::default()
            },
            (None, None) => DwarfAnswer::default(),
        };
        self.name_physical(&mut found, addr, options);
        answered(found)
    }

    /// Returns the name of the function at this virtual offset, without reading debug information.
    fn find_name(&self, addr: u64, options: &Arc<Options>) -> Result<Frames, Reason> {
        let mut found = DwarfAnswer::default();
        self.name_physical(&mut found, addr, options);
        if found.levels.is_empty()
            && let Some(mut go) = self
                .go(options)
                .and_then(|go| go.find(addr, &options.limits))
        {
            found.limited |= go.limited;
            // The last is the function that the code is of.
            if let Some(mut function) = go.levels.pop() {
                function.location = SourceLocation::default();
                function.inlined = false;
                found.levels.push(function);
            }
        }
        answered(found)
    }

    /// Gives the physical function the name that a symbol has for it, if DWARF has no
    /// better.
    fn name_physical(&self, found: &mut DwarfAnswer, addr: u64, options: &Options) {
        let named = match found.levels.last_mut() {
            Some(last) => {
                let name = &mut last.name;
                let is_sure = name.linkage.is_some() || (name.function.is_some() && !found.mangles);
                let entry = last.start.filter(|_| !is_sure);
                let plain = name.bare();
                let symbol = entry.map(|entry| self.symbols.name_of(entry, plain, options));
                symbol.unwrap_or(Ok(None)).map(|symbol| {
                    if let Some(symbol) = symbol {
                        *name = symbol.at_line(name.line);
                    }
                })
            }
            None => self.symbols.find(addr, options).map(|symbol| {
                let placed = found.location.as_ref().is_some_and(|at| at.file.is_some());
                if symbol.is_none() && !placed {
                    return;
                }
                let (name, start) = symbol.unzip();
                found.levels.push(DwarfLevel {
                    name: name.unwrap_or_default(),
                    location: found.location.take().unwrap_or_default(),
                    inlined: false,
                    start,
                });
            }),
        };
        found.limited |= named == Err(Fault::Limit);
    }
}

/// Returns what was found as frames.
fn answered(found: DwarfAnswer) -> Result<Frames, Reason> {
    if found.levels.is_empty() {
        return Err(if found.limited {
            Reason::Limit
        } else {
            Reason::NoSymbols
        });
    }
    let frames = found.levels.into_iter().map(frame);
    Ok(Frames::new(frames.collect(), found.limited))
}

fn frame(level: DwarfLevel) -> Frame {
    let Name {
        function,
        linkage,
        line: start_line,
        ..
    } = level.name;
    let SourceLocation { file, line, column } = level.location;
    let within = |number: Option<u32>| known_in(&file, number.unwrap_or(0));
    let (line, column) = (within(line), within(column));
    let mut frame = Frame::default();
    frame.function = function;
    frame.start_line = Some(start_line).filter(|line| *line > 0);
    frame.linkage_name = linkage;
    frame.file = file;
    frame.line = line;
    frame.column = column;
    frame.inlined = level.inlined;
    frame.start = level.start.map(VirtOffset);
    frame
}
