//! Looks up VMAs in a live process or in a saved maps text.

use backsight_types::{AbsAddr, BuildId, Outcome, Reason};
use vma_query::{Backend, Cursor, Error, NameBuf, Vma, VmaName};

use crate::batch::VmaSource;
use crate::executable_vma::{Backing, ExecutableVma};
use crate::process::OpenProcess;
use crate::remapped_text::{self, Neighbours};
use crate::shared_modules::Modules;
use crate::span::Span;

/// Reads VMAs with a cursor, and adds their modules.
pub(crate) struct LiveVmas<'p> {
    pub(crate) cursor: Cursor<'p>,
    /// `None` for a saved text.
    pub(crate) process: Option<&'p OpenProcess<'p>>,
    pub(crate) modules: &'p mut Modules,
    /// The name of the last VMA that was queried with its name.
    pub(crate) name: &'p mut NameBuf,
    /// The VMA above the last gap; its name is in `name`.
    pub(crate) ahead: Option<Vma>,
    /// Whether the last queried address was in code. Then the next query includes the
    /// name. A name costs half as much again, and gaps and data do not need one.
    pub(crate) expects_code: bool,
    /// Whether a query with a name also includes the build ID, if build IDs are
    /// requested. It is the most expensive part, so this ends with the first query that
    /// finds no code.
    pub(crate) identifies: bool,
    /// The VMAs around anonymous code.
    pub(crate) neighbours: Neighbours<'p>,
}

impl VmaSource for LiveVmas<'_> {
    fn reads_upwards(&self) -> bool {
        self.process
            .is_some_and(|process| process.maps.backend() == Backend::Text)
    }

    #[inline]
    fn vma_now(&mut self, addr: AbsAddr) -> Result<Option<Vma>, Error> {
        self.cursor.seek(addr)
    }

    #[inline]
    fn is_still(&self, vma: &Vma, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Located {
                module,
                file_offset,
            } => vma.is_executable() && self.modules.is_at(module, file_offset, vma),
            Outcome::Unresolved(Reason::NotExecutable) => !vma.is_executable(),
            Outcome::Unresolved(Reason::Anonymous) => vma.is_executable() && !vma.is_file_backed(),
            // Queried again, with the name.
            _ => false,
        }
    }

    fn learn(&mut self, addr: AbsAddr) -> Result<Span, Error> {
        let ahead = self.ahead.take().filter(|vma| vma.contains(addr));
        if ahead.is_none() && !self.expects_code {
            let found = self.cursor.seek(addr)?;
            match found.filter(|vma| vma.contains(addr)) {
                None => return Ok(self.gap(addr, found)),
                Some(vma) if !vma.is_executable() => {
                    return Ok(Span::of_vma(&vma, NOT_EXECUTABLE));
                }
                // Its name is needed too.
                Some(_) => {}
            }
        }
        let mut by_kernel = None;
        let found = match ahead {
            Some(vma) => Some(vma),
            None if self.identifies => {
                let found = self.cursor.seek_identified(addr, self.name)?;
                by_kernel = found.map(|(_, build_id)| build_id);
                let found = found.map(|(vma, _)| vma);
                let is_code = |vma: Vma| vma.contains(addr) && vma.is_executable();
                self.identifies = found.is_some_and(is_code);
                found
            }
            None => self.cursor.seek_named(addr, self.name)?,
        };
        match found.filter(|vma| vma.contains(addr)) {
            Some(vma) => {
                self.expects_code = vma.is_executable();
                Ok(Span::of_vma(&vma, self.outcome_of(&vma, by_kernel)))
            }
            None => {
                self.expects_code = false;
                self.ahead = found;
                Ok(self.gap(addr, found))
            }
        }
    }
}

/// The smallest page size of all machines that Linux runs on.
const SMALLEST_PAGE: u64 = 4096;

/// The outcome for a VMA that is not executable, whose name is not needed.
const NOT_EXECUTABLE: Outcome = Outcome::Unresolved(Reason::NotExecutable);

impl LiveVmas<'_> {
    /// Returns the gap around `addr`. The kernel maps whole pages, so the gap includes
    /// all of the page. Ranges in a saved text may not be whole pages.
    fn gap(&self, addr: AbsAddr, next: Option<Vma>) -> Span {
        let into_page = match self.process {
            Some(_) => SMALLEST_PAGE.wrapping_sub(1),
            None => 0,
        };
        Span::gap(AbsAddr(addr.0 & !into_page), next)
    }

    /// Returns the outcome of the first byte of a VMA whose name is in `name`.
    fn outcome_of(&mut self, vma: &Vma, by_kernel: Option<Option<BuildId>>) -> Outcome {
        if !vma.is_executable() {
            return NOT_EXECUTABLE;
        }
        let backing = if vma.is_file_backed() {
            Backing::File
        } else if self.name.name() == VmaName::Vdso {
            Backing::Vdso
        } else {
            return self.anonymous_outcome(vma);
        };
        // In a forged text, the end of the range may exceed the largest offset.
        if vma.offset.checked_add(vma.range().size()).is_none() {
            return Outcome::Unresolved(Reason::Unreadable);
        }
        let mapped = ExecutableVma {
            vma,
            backing,
            raw_name: self.name.as_bytes(),
            by_kernel,
        };
        match self.modules.module_of(mapped, self.process) {
            Some((module, file_offset)) => Outcome::Located {
                module,
                file_offset,
            },
            None => Outcome::Unresolved(Reason::Limit),
        }
    }

    /// Returns the outcome of the first byte of executable memory without a file: usually made at
    /// run time, but it may be text of a file that was moved there.
    fn anonymous_outcome(&mut self, vma: &Vma) -> Outcome {
        let Some(text) = remapped_text::find(&mut self.neighbours, vma) else {
            return Outcome::Unresolved(Reason::Anonymous);
        };
        match self.modules.add_inferred(text.module) {
            Some(module) => Outcome::Located {
                module,
                file_offset: text.file_offset,
            },
            None => Outcome::Unresolved(Reason::Limit),
        }
    }
}
