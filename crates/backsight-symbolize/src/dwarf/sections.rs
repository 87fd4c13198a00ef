//! The sections of a file that DWARF lookups need, unpacked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use gimli::{RunTimeEndian, SectionId};
use object::Endianness;

use super::{Fault, Slice};
use crate::elf::{ElfFile, Loading, SectionBytes, UnpackError};

/// What a file is to the DWARF that is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It has the units of the code.
    Main,
    /// It has parts that several files share (dwz).
    Supplementary,
    /// It has what skeleton units of a main file left out (`.dwo`).
    Split,
    /// It has many of these, and an index of them (`.dwp`).
    Package,
}

impl Role {
    /// What is read. Never `.debug_loc*`, `.debug_types`, `.debug_macro` or
    /// `.debug_names`: no lookup needs them, and they are large. Of a package alone
    /// they are part, since gimli cuts a unit's share of each; it looks into none.
    fn needed(self) -> &'static [SectionId] {
        match self {
            Self::Main => &[
                SectionId::DebugInfo,
                SectionId::DebugAbbrev,
                SectionId::DebugLine,
                SectionId::DebugLineStr,
                SectionId::DebugStr,
                SectionId::DebugStrOffsets,
                SectionId::DebugAddr,
                SectionId::DebugRanges,
                SectionId::DebugRngLists,
                SectionId::DebugAranges,
            ],
            Self::Supplementary => &[
                SectionId::DebugInfo,
                SectionId::DebugAbbrev,
                SectionId::DebugLineStr,
                SectionId::DebugStr,
                SectionId::DebugStrOffsets,
            ],
            Self::Split => &[
                SectionId::DebugInfo,
                SectionId::DebugAbbrev,
                SectionId::DebugStr,
                SectionId::DebugStrOffsets,
                SectionId::DebugRngLists,
            ],
            Self::Package => &[
                SectionId::DebugInfo,
                SectionId::DebugAbbrev,
                SectionId::DebugStr,
                SectionId::DebugStrOffsets,
                SectionId::DebugRngLists,
                SectionId::DebugCuIndex,
                SectionId::DebugTuIndex,
                SectionId::DebugTypes,
                SectionId::DebugLine,
                SectionId::DebugLoc,
                SectionId::DebugLocLists,
                SectionId::DebugMacinfo,
                SectionId::DebugMacro,
            ],
        }
    }

    fn name(self, id: SectionId) -> Option<&'static str> {
        match self {
            Self::Main | Self::Supplementary => Some(id.name()),
            Self::Split | Self::Package => id.dwo_name(),
        }
    }
}

/// The bytes behind one file's DWARF.
#[derive(Debug)]
pub(super) struct Sections {
    pub(super) elf: Arc<ElfFile>,
    loaded: Vec<(SectionId, SectionBytes)>,
}

impl Sections {
    /// Returns whether the file has debug information at all.
    pub(super) fn present(elf: &ElfFile) -> bool {
        elf.section(SectionId::DebugInfo.name())
            .is_some_and(|section| !section.is_nobits() && section.size > 0)
    }

    /// Unpacks the needed sections, as long as `budget` bytes last; it is less by
    /// those that were needed.
    ///
    /// A malformed section counts as absent: what does not need it still works.
    pub(super) fn load(elf: Arc<ElfFile>, role: Role, budget: &mut u64) -> Result<Self, Fault> {
        let mut plans = Vec::new();
        for id in role.needed() {
            let section = role.name(*id).and_then(|name| elf.section(name));
            match section.map(|section| SectionBytes::plan(&elf, section)) {
                Some(Ok(plan)) => {
                    *budget = budget.checked_sub(plan.cost()).ok_or(Fault::Limit)?;
                    plans.push((*id, plan));
                }
                Some(Err(UnpackError::Limit)) => return Err(Fault::Limit),
                Some(Err(UnpackError::Malformed)) | None => {}
            }
        }
        let loaded = finish(&plans)?;
        drop(plans);
        Ok(Self { elf, loaded })
    }

    pub(super) fn bytes(&self, id: SectionId) -> &[u8] {
        let mut loaded = self.loaded.iter();
        let found = loaded.find(|(loaded, _)| *loaded == id);
        found.map_or(&[], |(_, bytes)| bytes.get(self.elf.image()))
    }

    /// Returns the bytes of memory that sections take: those that were packed.
    pub(super) fn unpacked_bytes(&self) -> u64 {
        let sizes = self.loaded.iter().map(|(_, bytes)| bytes.unpacked_bytes());
        sizes.fold(0, u64::saturating_add)
    }

    pub(super) fn slice(&self, id: SectionId) -> Slice<'_> {
        let endian = match self.elf.endian() {
            Endianness::Little => RunTimeEndian::Little,
            Endianness::Big => RunTimeEndian::Big,
        };
        Slice::new(self.bytes(id), endian)
    }

    /// Returns gimli's view, in which the sections that are not read are empty.
    pub(super) fn dwarf(&self) -> gimli::Dwarf<Slice<'_>> {
        let load = |id| Ok::<_, std::convert::Infallible>(self.slice(id));
        match gimli::Dwarf::load(load) {
            Ok(dwarf) => dwarf,
            Err(never) => match never {},
        }
    }
}

/// So many bytes are unpacked sooner than a thread is started.
const WORTH_A_THREAD: u64 = 1 << 20;

/// Unpacks side by side what has to be unpacked.
///
/// On threads of its own: the caller may hold a lock that other tasks of rayon's pool
/// wait for, and a pool's thread that waits for us would take one of those up.
fn finish(plans: &[(SectionId, Loading<'_>)]) -> Result<Vec<(SectionId, SectionBytes)>, Fault> {
    let results: Vec<OnceLock<Result<SectionBytes, UnpackError>>> =
        plans.iter().map(|_| OnceLock::new()).collect();
    let mut order: Vec<usize> = (0..plans.len()).collect();
    let cost = |at: &usize| plans.get(*at).map_or(0, |(_, plan)| plan.cost());
    order.sort_by_key(|at| std::cmp::Reverse(cost(at)));
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(at) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let (Some((_, plan)), Some(result)) = (plans.get(*at), results.get(*at)) {
                result.get_or_init(|| plan.finish());
            }
        }
    };
    let large = order.iter().filter(|at| cost(at) >= WORTH_A_THREAD).count();
    let helpers = large.min(rayon::current_num_threads()).saturating_sub(1);
    std::thread::scope(|scope| {
        for _ in 0..helpers {
            // Without it, this thread does it all.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut loaded = Vec::new();
    for ((id, _), result) in plans.iter().zip(results) {
        match result.into_inner() {
            Some(Ok(bytes)) => loaded.push((*id, bytes)),
            Some(Err(UnpackError::Limit)) => return Err(Fault::Limit),
            Some(Err(UnpackError::Malformed)) | None => {}
        }
    }
    Ok(loaded)
}
