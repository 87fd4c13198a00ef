//! Unwinds stacks, and caches the CFI rows it has read.

use backsight_types::{AbsAddr, Lookup};
use gimli::UnwindContext;
use hashbrown::HashMap;

use crate::call_frames::CallFrames;
use crate::code_map::CodeMap;
use crate::end::WalkEnd;
use crate::expression::Bytes;
use crate::file_idx::FileIdx;
use crate::guess::{self, FirstGuess};
use crate::machine::Machine;
use crate::registers::Registers;
use crate::row::Row;
use crate::row_choice::row_for;
use crate::step::Step;

/// The maximum number of frames of a stack, unless it is set.
const MAX_FRAMES: usize = 1024;

/// The bytes of expressions that one walk may evaluate. A stack only of PLT entries and signals
/// needs about 20 per frame.
const MAX_EVALUATED_BYTES: usize = 1 << 16;

/// The cache is cleared when it has this many rows. The stacks of a profile contain a few
/// thousand addresses.
const MAX_CACHED_ROWS: usize = 1 << 15;

/// A frame of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WalkedFrame {
    /// The program counter, or the return address.
    pub addr: AbsAddr,
    /// Which of the two `addr` is.
    pub lookup: Lookup,
    /// Whether the frame was found without CFI.
    pub is_guessed: bool,
}

/// Unwinds stacks, of any number of processes.
pub struct Walker {
    max_frames: usize,
    files: Vec<CallFrames>,
    rows: Vec<Row>,
    /// Row indexes by address; `None` for an address without a row.
    places: HashMap<(FileIdx, u64), Option<usize>>,
    context: UnwindContext<usize>,
}

impl Default for Walker {
    fn default() -> Self {
        Self {
            max_frames: MAX_FRAMES,
            files: Vec::new(),
            rows: Vec::new(),
            places: HashMap::new(),
            context: UnwindContext::default(),
        }
    }
}

impl std::fmt::Debug for Walker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walker")
            .field("files", &self.files.len())
            .field("rows", &self.rows.len())
            .finish_non_exhaustive()
    }
}

impl Walker {
    /// Creates a walker without files.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the maximum number of frames of a stack. By default it is 1,024.
    pub fn set_max_frames(&mut self, max_frames: usize) {
        self.max_frames = max_frames;
    }

    /// Adds a file, so that [`CodeMap`]s can refer to it. Returns `None` if there are 2^32
    /// files.
    pub fn add(&mut self, file: CallFrames) -> Option<FileIdx> {
        let index = u32::try_from(self.files.len()).ok().map(FileIdx)?;
        self.files.push(file);
        Some(index)
    }

    /// Returns a file.
    #[must_use]
    pub fn file(&self, index: FileIdx) -> Option<&CallFrames> {
        self.files.get(usize::try_from(index.0).ok()?)
    }

    /// Unwinds a stack in a process with this code, innermost frame first. `word` reads a word
    /// of memory, [`Machine::word_size`] bytes, if it is known.
    pub fn walk(
        &mut self,
        machine: Machine,
        code: &CodeMap,
        registers: Registers,
        word: &mut dyn FnMut(u64) -> Option<u64>,
        mut found: impl FnMut(WalkedFrame),
    ) -> WalkEnd {
        let mask = address_mask(machine, code, &registers);
        let mut registers = registers;
        registers.pc &= mask;
        let (mut is_exact, mut is_guessed, mut fuel) = (true, false, MAX_EVALUATED_BYTES);
        for _ in 0..self.max_frames {
            let lookup_pc = match is_exact {
                true => Some(registers.pc),
                false => registers.pc.checked_sub(1),
            };
            let piece = lookup_pc.and_then(|at| code.at(at));
            let file = piece.and_then(|piece| piece.file);
            let row = file.zip(lookup_pc).and_then(|((file, bias), at)| {
                Some((file, self.row(file, at.wrapping_sub(bias))?))
            });
            // A signal handler returns to a trampoline that contains no call.
            let is_signal = row.is_some_and(|(_, row)| self.is_signal(row));
            found(WalkedFrame {
                addr: AbsAddr(registers.pc),
                lookup: match is_exact || is_signal {
                    true => Lookup::Exact,
                    false => Lookup::Return,
                },
                is_guessed,
            });
            // A frame other than the innermost one cannot be outside of code.
            if piece.is_none() && !is_exact {
                return WalkEnd::NotCode;
            }
            let next = match row {
                Some((file, row)) => {
                    self.by_row(machine, file, row, &registers, is_exact, &mut fuel, word)
                }
                None => {
                    let is_stub = file.zip(lookup_pc).is_some_and(|((file, bias), at)| {
                        let file = self.file(file);
                        file.is_some_and(|file| file.is_stub(at.wrapping_sub(bias)))
                    });
                    let first = match is_stub && is_exact {
                        true => FirstGuess::NoFrame,
                        false => FirstGuess::Frame,
                    };
                    is_guessed = true;
                    guess::caller(machine, first, &registers, code, mask, word)
                        .map(|caller| (caller, false))
                }
            };
            let (mut caller, is_interrupted) = match next {
                Ok(next) => next,
                Err(end) => return end,
            };
            caller.pc &= mask;
            if caller.pc == 0 {
                return WalkEnd::Outermost;
            }
            // A CFI rule applied to guessed registers may give any address.
            let is_code = match is_interrupted {
                true => code.at(caller.pc).is_some(),
                false => code.may_return_to(caller.pc),
            };
            if is_guessed && !is_code {
                return WalkEnd::NotCode;
            }
            registers = caller;
            is_exact = is_interrupted;
        }
        WalkEnd::Limit
    }

    #[expect(clippy::too_many_arguments, reason = "the state of a walk")]
    fn by_row(
        &self,
        machine: Machine,
        file: FileIdx,
        row: usize,
        registers: &Registers,
        is_exact: bool,
        fuel: &mut usize,
        word: &mut dyn FnMut(u64) -> Option<u64>,
    ) -> Result<(Registers, bool), WalkEnd> {
        let row = self.rows.get(row).ok_or(WalkEnd::NoRule)?;
        let section = match row.section {
            Some(number) => {
                let section = self.file(file).and_then(|file| file.sections.get(number));
                section.ok_or(WalkEnd::NoRule)?.bytes()
            }
            None => Bytes::default(),
        };
        let mut step = Step {
            machine,
            section,
            is_exact,
            fuel,
            word,
        };
        Ok((step.by_row(row, registers)?, row.is_signal))
    }

    fn is_signal(&self, row: usize) -> bool {
        self.rows.get(row).is_some_and(|row| row.is_signal)
    }

    /// Returns the index of the row for an address of a file.
    fn row(&mut self, index: FileIdx, address: u64) -> Option<usize> {
        if let Some(place) = self.places.get(&(index, address)) {
            return *place;
        }
        if self.places.len() >= MAX_CACHED_ROWS {
            self.places.clear();
            self.rows.clear();
        }
        let file = self.files.get(usize::try_from(index.0).ok()?)?;
        let row = row_for(file, &mut self.context, address);
        let place = row.map(|row| {
            self.rows.push(row);
            self.rows.len().saturating_sub(1)
        });
        self.places.insert((index, address), place);
        place
    }
}

/// Returns a mask of the bits of an address. On AArch64, the bits above may hold the signature
/// of a return address, and their number depends on the size of the kernel's address space. The
/// stack and the libraries are near its upper end.
fn address_mask(machine: Machine, code: &CodeMap, registers: &Registers) -> u64 {
    /// The smallest user address space of Linux on AArch64 with 4 KiB pages.
    const SMALLEST_ADDRESS_SPACE: u64 = (1 << 39) - 1;
    if machine != Machine::Aarch64 {
        return u64::MAX;
    }
    let sp = registers.get(machine.stack_pointer()).unwrap_or_default();
    let highest = sp
        .max(code.end().saturating_sub(1))
        .max(SMALLEST_ADDRESS_SPACE);
    u64::MAX
        .checked_shr(highest.leading_zeros())
        .unwrap_or(u64::MAX)
}
