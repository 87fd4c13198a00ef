//! The instructions of functions, each with the functions and lines that it is of.
//!
//! ```text
//!   sampled addresses ──symbolize──▶ functions ──▶ pieces of code ──▶ instructions with frames
//! ```
//!
//! No table is asked how long a function is. It goes on as long as the symbolizer says that the
//! code is of the same function, so both always agree. Code that a compiler moved away from
//! the rest of its function is a piece of its own, found around the sampled address.

use std::collections::{BTreeSet, HashMap};

use backsight_disassemble::{Instruction, InstructionSet, instructions};
use backsight_profile::{StrIdx, Strings};
use backsight_symbolize::{Answers, FrameRef, ModuleId, Place, Request, Symbolizer};
use backsight_types::{Lookup, VirtOffset};

use crate::module_code::ModuleCode;

/// So many instructions are looked up at once.
const BATCH_INSTRUCTIONS: usize = 1024;

/// So many bytes before an address are looked up at once.
const BATCH_BYTES: u64 = 512;

/// Of a function, so many bytes are read: no more are decoded, in however many pieces it is.
const MAX_FUNCTION_BYTES: u64 = 4 << 20;

/// No instruction of any machine is longer.
const MAX_INSTRUCTION_BYTES: usize = 16;

/// The code of functions at sampled addresses.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FoundCode {
    /// The functions, in the order of the first address of each that was asked for.
    pub functions: Vec<FunctionCode>,
    /// The addresses that no function is known for, or no code.
    pub missing: Vec<VirtOffset>,
}

/// The instructions of one function: of one that has code of its own, with all that is inlined
/// into it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FunctionCode {
    /// Its name.
    pub name: Option<StrIdx>,
    /// Its instructions, in the order of their addresses.
    pub instructions: Vec<CodeInstruction>,
    /// Whether it is longer than what is read of a function.
    pub is_cut: bool,
}

/// An instruction, and what it is of.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CodeInstruction {
    /// The instruction.
    pub instruction: Instruction,
    /// The functions that it is of, innermost first: those that were inlined, then the one that
    /// has the code.
    pub frames: Vec<CodeFrame>,
    /// What it jumps to or calls, if the instruction says so itself and a function is known there.
    pub target: Option<CodeTarget>,
}

/// A place in the code of a function, as the operand of a jump or call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodeTarget {
    /// The function that has the code there; of an entry of the procedure linkage table, that
    /// which it leads to, with `@plt`.
    pub function: StrIdx,
    /// How many bytes behind the begin of the function; 0 where the begin is not known.
    pub offset: u64,
}

/// A function and line that an instruction is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodeFrame {
    /// The function.
    pub function: Option<StrIdx>,
    /// The source file.
    pub file: Option<StrIdx>,
    /// The line, from 1.
    pub line: Option<u32>,
    /// Where the function starts that has the code.
    start: Option<VirtOffset>,
}

impl CodeFrame {
    fn of(strings: &mut Strings, frame: &FrameRef<'_>) -> Self {
        Self {
            function: frame.function.map(|name| strings.intern(name)),
            file: frame.file.map(|file| strings.intern(file)),
            line: frame.line,
            start: frame.start(),
        }
    }
}

/// What tells functions apart that have code of their own.
type Key = (Option<VirtOffset>, Option<StrIdx>);

/// Returns what tells the function apart that has the code.
fn key_of(frames: &[CodeFrame]) -> Option<Key> {
    frames.last().map(|frame| (frame.start, frame.function))
}

impl FunctionCode {
    /// Returns the position of the instruction that covers an address.
    #[must_use]
    pub fn position_of(&self, address: VirtOffset) -> Option<usize> {
        let after = self
            .instructions
            .partition_point(|it| it.instruction.address <= address);
        let at = after.checked_sub(1)?;
        let Instruction {
            address: start,
            size,
            ..
        } = self.instructions.get(at)?.instruction;
        (address.0.wrapping_sub(start.0) < u64::from(size)).then_some(at)
    }
}

impl FoundCode {
    /// Finds the functions at these addresses of a module, and reads all their code. Names and
    /// paths are added to `strings`. `None` for a machine whose instructions are not known.
    #[must_use]
    pub fn of(
        addresses: &[VirtOffset],
        code: &ModuleCode,
        symbolizer: &Symbolizer,
        module: ModuleId,
        strings: &mut Strings,
    ) -> Option<Self> {
        let machine = InstructionSet::of_arch(code.arch())?;
        let mut reader = CodeReader {
            code,
            machine,
            symbolizer,
            module,
            strings,
        };
        let mut found = Self::default();
        let mut keys: Vec<Key> = Vec::new();
        let frames = reader.frames_at(addresses);
        for (address, frames) in addresses.iter().zip(frames) {
            let Some(key) = key_of(&frames) else {
                found.missing.push(*address);
                continue;
            };
            let at = keys.iter().position(|known| *known == key);
            let at = at.unwrap_or_else(|| {
                keys.push(key);
                found.functions.push(FunctionCode {
                    name: key.1,
                    ..FunctionCode::default()
                });
                keys.len().saturating_sub(1)
            });
            let Some(function) = found.functions.get_mut(at) else {
                continue;
            };
            if function.instructions.is_empty()
                && let Some(start) = key.0
            {
                reader.add_piece(function, key, start);
            }
            // Of a function that is cut no more is read.
            if function.position_of(*address).is_none() && !function.is_cut {
                let start = reader.start_before(*address, key);
                reader.add_piece(function, key, start);
            }
            if function.position_of(*address).is_none() {
                found.missing.push(*address);
            }
        }
        found.functions.retain(|of| !of.instructions.is_empty());
        reader.name_targets(&mut found.functions);
        Some(found)
    }
}

/// Reads pieces of code.
struct CodeReader<'r> {
    code: &'r ModuleCode,
    machine: InstructionSet,
    symbolizer: &'r Symbolizer,
    module: ModuleId,
    strings: &'r mut Strings,
}

impl CodeReader<'_> {
    /// Adds the code from an address on, as long as it is of the function.
    fn add_piece(&mut self, function: &mut FunctionCode, key: Key, start: VirtOffset) {
        let all = self.code.bytes_at(start);
        let known = function.instructions.iter();
        let known: u64 = known.map(|it| u64::from(it.instruction.size)).sum();
        let limit = MAX_FUNCTION_BYTES.saturating_sub(known);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        // The last instruction is decoded from all of its bytes.
        let end = limit.saturating_add(MAX_INSTRUCTION_BYTES);
        let bytes = all.get(..end).unwrap_or(all);
        let limit = start
            .0
            .saturating_add(u64::try_from(limit).unwrap_or(u64::MAX));
        let mut rest = instructions(bytes, start, self.machine);
        let mut ends = false;
        while !ends {
            let batch: Vec<Instruction> = rest.by_ref().take(BATCH_INSTRUCTIONS).collect();
            if batch.is_empty() {
                break;
            }
            let addresses: Vec<VirtOffset> = batch.iter().map(|it| it.address).collect();
            let frames = self.frames_at(&addresses);
            for (instruction, frames) in batch.into_iter().zip(frames) {
                if key_of(&frames) != Some(key) {
                    ends = true;
                    break;
                }
                let Instruction { address, size, .. } = instruction;
                if address.0.saturating_add(u64::from(size)) > limit {
                    function.is_cut = true;
                    ends = true;
                    break;
                }
                function.instructions.push(CodeInstruction {
                    instruction,
                    frames,
                    target: None,
                });
            }
        }
        function
            .instructions
            .sort_by_key(|it| it.instruction.address);
        function
            .instructions
            .dedup_by_key(|it| it.instruction.address);
    }

    /// Finds which functions the jumps and calls lead to.
    fn name_targets(&mut self, functions: &mut [FunctionCode]) {
        let all = functions.iter().flat_map(|of| &of.instructions);
        let targets: BTreeSet<VirtOffset> = all.filter_map(|of| of.instruction.target).collect();
        let targets: Vec<VirtOffset> = targets.into_iter().collect();
        let mut named: HashMap<VirtOffset, CodeTarget> = HashMap::new();
        for batch in targets.chunks(BATCH_INSTRUCTIONS) {
            let frames = self.frames_at(batch);
            for (target, frames) in batch.iter().zip(frames) {
                let Some((start, Some(function))) = key_of(&frames) else {
                    continue;
                };
                // A part that was moved before the function is no place behind its begin.
                let Some(offset) = start.map_or(Some(0), |start| target.0.checked_sub(start.0))
                else {
                    continue;
                };
                let place = CodeTarget { function, offset };
                named.insert(*target, place);
            }
        }
        for of in functions.iter_mut().flat_map(|of| &mut of.instructions) {
            of.target = of.instruction.target.and_then(|at| named.get(&at).copied());
        }
    }

    /// Returns where the piece of the function begins that an address is in.
    fn start_before(&mut self, address: VirtOffset, key: Key) -> VirtOffset {
        let mut start = address.0;
        loop {
            let from = start.saturating_sub(BATCH_BYTES);
            if from == start || address.0.saturating_sub(from) > MAX_FUNCTION_BYTES {
                return VirtOffset(start);
            }
            let before: Vec<VirtOffset> = (from..start).map(VirtOffset).collect();
            let frames = self.frames_at(&before);
            let mut others = frames.iter().zip(&before).rev();
            match others.find(|(frames, _)| key_of(frames) != Some(key)) {
                Some((_, last)) => return VirtOffset(last.0.saturating_add(1)),
                None => start = from,
            }
        }
    }

    /// Returns the frames at each address, innermost first; none where nothing is known.
    fn frames_at(&mut self, addresses: &[VirtOffset]) -> Vec<Vec<CodeFrame>> {
        let requests = addresses.iter();
        let requests: Vec<Request> = requests
            .map(|address| Request::new(self.module, Place::Virt(*address), Lookup::Exact))
            .collect();
        let mut all = vec![Vec::new(); addresses.len()];
        let Self {
            symbolizer,
            strings,
            ..
        } = self;
        let mut answers = Answers::default();
        symbolizer.symbolize_each(&requests, &mut answers, |at, answer| {
            let (Ok(stack), Some(frames)) = (answer, all.get_mut(at)) else {
                return;
            };
            let levels = stack.frames();
            *frames = levels.map(|it| CodeFrame::of(strings, &it)).collect();
        });
        all
    }
}
