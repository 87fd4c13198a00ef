//! The source of mappings: a live process, or a saved maps text.

use backsight::LiveJit;
use backsight_formats::ndjson::AddressLine;
use backsight_normalize::Session;
use backsight_types::{AbsAddr, Module, Outcome, Reason};

use super::saved::Saved;
use crate::account::LiveListReport;
use crate::archive_problems::ArchiveProblems;
use crate::args::backend_name;
use crate::failure::{self, Result};

/// The source of mappings.
pub(super) enum MapsSource {
    Live(Box<LiveSource>),
    Saved(Box<Saved>),
}

/// A live process, and the names of the code that it made.
pub(super) struct LiveSource {
    pub(super) pid: u32,
    pub(super) session: Session,
    pub(super) jit: LiveJit,
    pub(super) lists: LiveListReport,
    pub(super) archive_problems: ArchiveProblems,
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

    pub(super) fn module_of(&self, outcome: Outcome) -> Option<&Module> {
        let Outcome::Located { module, .. } = outcome else {
            return None;
        };
        match self {
            Self::Live(live) => {
                let known = live.session.modules().get(module.as_usize());
                known.map(|known| &known.module)
            }
            Self::Saved(saved) => saved.modules.get(module.as_usize()),
        }
    }

    /// Names an address that was just normalized, if no other host can.
    pub(super) fn name(&mut self, answer: &mut AddressLine<'_>) {
        if let Self::Live(live) = self {
            live.jit.name(answer);
        }
    }

    /// Reports what is amiss with the names and with archives, once.
    pub(super) fn report(&mut self) {
        if let Self::Live(live) = self {
            live.lists.say(live.pid, &live.jit);
            live.archive_problems.report_of(live.session.modules());
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
        if outcomes.contains(&Outcome::Unresolved(Reason::Anonymous))
            && let Some(maps) = self.session.maps()
        {
            self.jit.refresh(maps);
        }
        Ok(())
    }
}
