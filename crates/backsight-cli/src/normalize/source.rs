//! The source of mappings: a live process, or a saved maps text.

use backsight::{LiveJit, LiveKernelNames};
use backsight_formats::ndjson::AddressLine;
use backsight_normalize::Session;
use backsight_types::{AbsAddr, Lookup, Module, ModuleIdx, Outcome, Reason};

use super::saved::Saved;
use crate::account::LiveListReport;
use crate::archive_problems::ArchiveProblems;
use crate::args::backend_name;
use crate::failure::{self, Result};
use crate::kernel_shortfalls;

/// The source of mappings.
pub(super) enum MapsSource {
    Live(Box<LiveSource>),
    Saved(Box<Saved>),
}

/// A live process, and the names that no other host can look up: those of the code that it made,
/// and of the kernel.
pub(super) struct LiveSource {
    pub(super) pid: u32,
    pub(super) session: Session,
    pub(super) jit: LiveJit,
    pub(super) lists: LiveListReport,
    pub(super) archive_problems: ArchiveProblems,
    pub(super) kernel: LiveKernelNames,
    pub(super) kernel_was_said: bool,
}

impl MapsSource {
    pub(super) fn normalize(
        &mut self,
        addrs: &[AbsAddr],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<()> {
        match self {
            Self::Live(live) => live.normalize(addrs, outcomes),
            Self::Saved(saved) => saved.normalize(addrs, outcomes),
        }
    }

    /// Returns the module of an index in an outcome or an answer.
    pub(super) fn module(&self, index: ModuleIdx) -> Option<&Module> {
        match self {
            Self::Live(live) => {
                let known = live.session.modules().get(index.as_usize());
                let own = known.map(|known| &known.module);
                own.or_else(|| live.kernel.module(index))
            }
            Self::Saved(saved) => saved.modules.get(index.as_usize()),
        }
    }

    /// Returns the answer for an address that was just normalized. It has its name if no other
    /// host can look that up.
    pub(super) fn answer(
        &mut self,
        addr: AbsAddr,
        lookup: Lookup,
        outcome: Outcome,
    ) -> AddressLine<'static> {
        let module = match outcome {
            Outcome::Located { module, .. } => self.module(module),
            _ => None,
        };
        let mut answer = AddressLine::normalized(addr, lookup, outcome, module);
        if let Self::Live(live) = self {
            live.jit.name(&mut answer);
            if outcome == Outcome::Unresolved(Reason::Kernel)
                && let Some(listed) = live.kernel.listed(addr, lookup)
            {
                return listed;
            }
        }
        answer
    }

    /// Reports what is amiss with the names and with archives, once.
    pub(super) fn report(&mut self) {
        if let Self::Live(live) = self {
            live.lists.say(live.pid, &live.jit);
            live.archive_problems.report_of(live.session.modules());
            if let Some(kernel) = live.kernel.get()
                && !std::mem::replace(&mut live.kernel_was_said, true)
            {
                match kernel {
                    Ok(kernel) => kernel_shortfalls::report(kernel),
                    Err(error) => kernel_shortfalls::report_none(live.pid, error),
                }
            }
        }
    }

    pub(super) fn backend(&self) -> Option<String> {
        match self {
            Self::Live(live) => backend_name(live.session.backend()).map(str::to_owned),
            Self::Saved(_) => Some("text".to_owned()),
        }
    }
}

impl LiveSource {
    fn normalize(&mut self, addrs: &[AbsAddr], outcomes: &mut Vec<Outcome>) -> Result<()> {
        let normalized = self.session.normalize(addrs, outcomes);
        normalized.map_err(|error| failure::process(self.pid, &error))?;
        LiveJit::without_file(outcomes, self.session.modules());
        if outcomes.contains(&Outcome::Unresolved(Reason::Anonymous))
            && let Some(maps) = self.session.maps()
        {
            self.jit.refresh(maps);
        }
        Ok(())
    }
}
