//! The inner loop: addresses that go up, against VMAs that go up.
//!
//! One unfiltered query answers for a whole VMA, and for the gap below it. So each
//! VMA that is hit, and each gap, costs one query however many addresses lie in
//! it, and once nothing lies above, nothing more is asked.

use backsight_types::{AbsAddr, FileOffset, ModuleIdx, Outcome, Reason};
use vma_query::{Cursor, Error, NameBuf, Vma, VmaName};

use crate::modules::{Backing, ModuleTable, Process};

/// From here on addresses are the kernel's, on every machine that Linux runs on
/// with 64 bits: 5-level paging on x86-64 begins the upper half here, the others
/// above. No user memory is ever there, so nothing is asked.
const KERNEL: AbsAddr = AbsAddr(0xff00_0000_0000_0000);

/// What one pass works with.
pub(crate) struct Pass<'p> {
    pub(crate) cursor: Cursor<'p>,
    pub(crate) process: Option<&'p Process<'p>>,
    pub(crate) modules: &'p mut ModuleTable,
    pub(crate) name: &'p mut NameBuf,
    /// The VMA above the last gap, whose name is in `name`.
    pub(crate) ahead: Option<Vma>,
}

/// What holds for all addresses from the one asked for up to `until`.
struct Span {
    until: AbsAddr,
    verdict: Verdict,
}

enum Verdict {
    /// `to_offset` added to an address, wrapping, is its file offset.
    Located {
        module: ModuleIdx,
        to_offset: u64,
    },
    Unresolved(Reason),
}

impl Pass<'_> {
    /// Writes the outcome of each address, whose order must be upwards, to its
    /// place in `outcomes`. When the process ends on the way, the outcomes that
    /// are still open stay as they are.
    ///
    /// # Errors
    /// Those of the first query; and a text that came out torn or malformed.
    pub(crate) fn run(
        mut self,
        addrs: impl Iterator<Item = (usize, AbsAddr)>,
        outcomes: &mut [Outcome],
    ) -> Result<(), Error> {
        let mut span = Span {
            until: AbsAddr(0),
            verdict: Verdict::Unresolved(Reason::Unmapped),
        };
        let mut answered = false;
        for (place, addr) in addrs {
            if addr >= span.until {
                span = match self.span_from(addr) {
                    Ok(span) => span,
                    Err(Error::ProcessGone) if answered => return Ok(()),
                    Err(error) => return Err(error),
                };
                answered = true;
            }
            if let Some(outcome) = outcomes.get_mut(place) {
                *outcome = span.outcome(addr);
            }
        }
        Ok(())
    }

    fn span_from(&mut self, addr: AbsAddr) -> Result<Span, Error> {
        if addr >= KERNEL {
            let verdict = Verdict::Unresolved(Reason::Kernel);
            return Ok(Span {
                until: AbsAddr(u64::MAX),
                verdict,
            });
        }
        let vma = match self.ahead.take().filter(|vma| vma.contains(addr)) {
            Some(vma) => vma,
            None => match self.seek(addr)? {
                Some(vma) => vma,
                None => return Ok(Span::unmapped(KERNEL)),
            },
        };
        if vma.start > addr {
            self.ahead = Some(vma);
            return Ok(Span::unmapped(vma.start.min(KERNEL)));
        }
        Ok(Span {
            until: vma.end,
            verdict: self.verdict(&vma),
        })
    }

    /// A name costs half as much again as the query, so a VMA that was met is asked
    /// for without: one query for each VMA, unless it changed since.
    fn seek(&mut self, addr: AbsAddr) -> Result<Option<Vma>, Error> {
        if self.modules.has_met_at(addr) {
            let found = self.cursor.seek(addr)?;
            if found.is_none_or(|vma| !vma.is_executable() || self.modules.met(&vma).is_some()) {
                return Ok(found);
            }
        }
        self.cursor.seek_named(addr, self.name)
    }

    fn verdict(&mut self, vma: &Vma) -> Verdict {
        if !vma.is_executable() {
            return Verdict::Unresolved(Reason::NotExecutable);
        }
        let backing = if vma.is_file_backed() {
            Backing::File
        } else if self.modules.met(vma).is_some() || self.name.name() == VmaName::Vdso {
            Backing::Vdso
        } else {
            return Verdict::Unresolved(Reason::Anonymous);
        };
        // A forged text can claim offsets that pass the end of all files.
        if vma.offset.checked_add(vma.range().size()).is_none() {
            return Verdict::Unresolved(Reason::Unreadable);
        }
        match self
            .modules
            .module_of(vma, backing, self.name.as_bytes(), self.process)
        {
            Some(module) => Verdict::Located {
                module,
                to_offset: vma.offset.0.wrapping_sub(vma.start.0),
            },
            None => Verdict::Unresolved(Reason::Limit),
        }
    }
}

impl Span {
    fn unmapped(until: AbsAddr) -> Self {
        Self {
            until,
            verdict: Verdict::Unresolved(Reason::Unmapped),
        }
    }

    #[inline]
    fn outcome(&self, addr: AbsAddr) -> Outcome {
        match self.verdict {
            Verdict::Located { module, to_offset } => {
                let file_offset = FileOffset(addr.0.wrapping_add(to_offset));
                Outcome::Located {
                    module,
                    file_offset,
                }
            }
            Verdict::Unresolved(reason) => Outcome::Unresolved(reason),
        }
    }
}
