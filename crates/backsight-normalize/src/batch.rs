//! The inner loop: addresses against what is known, and questions for the rest.
//!
//! Sorted addresses come in runs: one lookup for each span, then a loop without a
//! branch. The order is not looked at beforehand, which would cost as much as the
//! answer; a run checks its own addresses instead, and the first one that does not
//! go up sends the rest the other way. Addresses that jump about go through an index
//! over pages, built once nothing new turns up. By text, which can only be read
//! upwards, they are sorted first.

use backsight_types::{AbsAddr, AbsRange, Outcome, Reason};
use vma_query::{Backend, Cursor, Error, NameBuf, Vma, VmaName};

use crate::modules::{Backing, Process};
use crate::shared_modules::Modules;
use crate::vma_cache::{Found, Span, VmaCache};

/// From here on addresses are the kernel's, on every machine that Linux runs on
/// with 64 bits: 5-level paging on x86-64 begins the upper half here, the others
/// above. No user memory is ever there, so nothing is asked.
const KERNEL: AbsAddr = AbsAddr(0xff00_0000_0000_0000);

/// What holds there.
const IN_KERNEL: Span = Span::from(KERNEL, Reason::Kernel);

/// So many addresses are looked up between two looks at whether an index pays.
const CHUNK: usize = 256;

/// What one call works with.
pub(crate) struct Pass<'p> {
    pub(crate) cursor: Cursor<'p>,
    pub(crate) process: Option<&'p Process<'p>>,
    pub(crate) modules: &'p mut Modules,
    pub(crate) cache: &'p mut VmaCache,
    pub(crate) name: &'p mut NameBuf,
    pub(crate) order: &'p mut Vec<usize>,
    /// The VMA above the last gap, whose name is in `name`.
    pub(crate) ahead: Option<Vma>,
}

impl Pass<'_> {
    /// Puts one outcome for each address into `outcomes`, which must be empty. When
    /// the process ends on the way, those still open are [`Reason::ProcessGone`].
    ///
    /// # Errors
    /// Those of the first question; and a text that came out torn or malformed.
    pub(crate) fn run(
        mut self,
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), Error> {
        self.cache.begin();
        outcomes.reserve(addrs.len());
        let done = self.run_upwards(addrs, outcomes);
        match done {
            Err(Error::ProcessGone) if !outcomes.is_empty() => {
                outcomes.resize(addrs.len(), Outcome::Unresolved(Reason::ProcessGone));
                Ok(())
            }
            done => done,
        }
    }

    fn run_upwards(&mut self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> Result<(), Error> {
        let mut rest = addrs;
        let mut below = AbsAddr(0);
        while let Some(first) = rest.first() {
            if *first < below {
                break;
            }
            let span = self.span_at(*first)?;
            let answered = outcomes.len();
            let (run, behind) = rest
                .split_at_checked(span.run_of(rest).max(1))
                .unwrap_or((rest, &[]));
            if !span.answer_run(run, outcomes) {
                outcomes.truncate(answered);
                break;
            }
            below = run.last().copied().unwrap_or(below);
            rest = behind;
        }
        let by_text = self
            .process
            .is_some_and(|it| it.maps.backend() == Backend::Text);
        match rest.is_empty() {
            true => Ok(()),
            false if by_text => self.run_sorted(rest, outcomes),
            false => self.run_jumping(rest, outcomes),
        }
    }

    /// Addresses in any order, where any order costs the same.
    fn run_jumping(&mut self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> Result<(), Error> {
        let mut rest = addrs;
        loop {
            let (chunk, behind) = rest.split_at_checked(CHUNK).unwrap_or((rest, &[]));
            let (mut asked, mut failed) = (0_usize, None);
            outcomes.extend(chunk.iter().map_while(|addr| {
                if let Some(span) = self.cache.indexed(*addr) {
                    return Some(span.outcome(*addr));
                }
                match self.span_found_at(*addr, &mut asked) {
                    Ok(span) => Some(span.outcome(*addr)),
                    Err(error) => {
                        failed = Some(error);
                        None
                    }
                }
            }));
            if let Some(error) = failed {
                return Err(error);
            }
            if behind.is_empty() {
                return Ok(());
            }
            rest = behind;
            // As long as new spans turn up, an index would be outdated at once.
            if asked < CHUNK / 16 && !self.cache.is_indexed() && rest.len() >= CHUNK {
                self.cache.build_index(rest.len());
            }
        }
    }

    /// Addresses in any order, where going down means to begin again.
    fn run_sorted(&mut self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> Result<(), Error> {
        let first = outcomes.len();
        self.order.clear();
        self.order.extend(0..addrs.len());
        self.order.sort_unstable_by_key(|place| addrs.get(*place));
        // Those that are never reached have been lost with the process.
        outcomes.resize(
            first.saturating_add(addrs.len()),
            Outcome::Unresolved(Reason::ProcessGone),
        );
        let mut span = Span::nowhere();
        for nth in 0..addrs.len() {
            let Some(place) = self.order.get(nth).copied() else {
                break;
            };
            let Some(addr) = addrs.get(place).copied() else {
                break;
            };
            if !span.contains(addr) {
                span = self.span_at(addr)?;
            }
            if let Some(outcome) = outcomes.get_mut(first.saturating_add(place)) {
                *outcome = span.outcome(addr);
            }
        }
        Ok(())
    }

    fn span_found_at(&mut self, addr: AbsAddr, asked: &mut usize) -> Result<Span, Error> {
        if addr >= KERNEL {
            return Ok(IN_KERNEL);
        }
        if let Found::Open(span) = self.cache.find(addr) {
            return Ok(span);
        }
        *asked = asked.saturating_add(1);
        self.span_at(addr)
    }

    /// Returns the span that holds for `addr`: a known one, or what the kernel says.
    fn span_at(&mut self, addr: AbsAddr) -> Result<Span, Error> {
        if addr >= KERNEL {
            return Ok(IN_KERNEL);
        }
        match self.cache.find(addr) {
            Found::Open(span) => Ok(span),
            Found::Nothing => self.learn(addr),
            // A name costs half as much again as the question, and is known.
            Found::Closed(slot, Some(vma)) => match self.cursor.seek(addr)? {
                Some(now) if now == vma => match self.cache.open(slot) {
                    Some(span) => Ok(span),
                    None => self.learn(addr),
                },
                _ => self.learn(addr),
            },
            Found::Closed(_, None) => match self.cursor.seek(addr)? {
                Some(now) if now.contains(addr) => self.learn(addr),
                next => Ok(self.gap(addr, next.map(|next| next.start))),
            },
        }
    }

    fn learn(&mut self, addr: AbsAddr) -> Result<Span, Error> {
        let vma = match self.ahead.take().filter(|vma| vma.contains(addr)) {
            Some(vma) => Some(vma),
            None => self.cursor.seek_named(addr, self.name)?,
        };
        let Some(vma) = vma.filter(|vma| vma.contains(addr)) else {
            self.ahead = vma;
            return Ok(self.gap(addr, vma.map(|vma| vma.start)));
        };
        let span = Span::of_vma(&vma, self.outcome_of(&vma));
        self.cache.insert(span, Some(vma));
        Ok(span)
    }

    /// One answer proves a gap up to the VMA it names, or up to the end.
    fn gap(&mut self, addr: AbsAddr, next: Option<AbsAddr>) -> Span {
        let end = next.unwrap_or(KERNEL).min(KERNEL);
        let range = AbsRange { start: addr, end };
        let span = Span::of(range, Outcome::Unresolved(Reason::Unmapped));
        self.cache.insert(span, None);
        span
    }

    /// Returns the outcome of the first byte of a VMA whose name is in `name`.
    fn outcome_of(&mut self, vma: &Vma) -> Outcome {
        if !vma.is_executable() {
            return Outcome::Unresolved(Reason::NotExecutable);
        }
        let backing = if vma.is_file_backed() {
            Backing::File
        } else if self.name.name() == VmaName::Vdso {
            Backing::Vdso
        } else {
            return Outcome::Unresolved(Reason::Anonymous);
        };
        // A forged text can claim offsets that pass the end of all files.
        if vma.offset.checked_add(vma.range().size()).is_none() {
            return Outcome::Unresolved(Reason::Unreadable);
        }
        match self
            .modules
            .module_of(vma, backing, self.name.as_bytes(), self.process)
        {
            Some(module) => Outcome::Located {
                module,
                file_offset: vma.offset,
            },
            None => Outcome::Unresolved(Reason::Limit),
        }
    }
}
