//! The sections of a file that DWARF lookups need, unpacked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use backsight_index::engine::wide;
use gimli::{RunTimeEndian, SectionId};
use object::Endianness;

use super::allowance::UnpackCost;
use crate::dwarf::damage::Damage;
use crate::dwarf::die::slice::Slice;
use crate::dwarf::fault::Fault;
use crate::elf::{ElfFile, ElfSection, SectionBytes, SectionLoader};
use crate::packer::Packer;
use crate::unpack::{PartialUnpack, UnpackError};

/// What a file is to the DWARF that is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dwarf) enum FileRole {
    /// It has the units of the code.
    Main,
    /// It has parts that several files share (dwz).
    Supplementary,
    /// It has what skeleton units of a main file left out (`.dwo`).
    Split,
    /// It has many of these, and an index of them (`.dwp`).
    Package,
}

impl FileRole {
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
pub(in crate::dwarf) struct DwarfSections {
    pub(in crate::dwarf) elf: Arc<ElfFile>,
    loaded: Vec<(SectionId, SectionBytes)>,
    /// Whether one that is there cannot be read.
    damaged: bool,
    /// Of a file that goes with the main one: what turned out to be unreadable so far.
    pub(in crate::dwarf) damage: Damage,
}

/// The sections of a file that will be unpacked.
struct PlannedSections<'e> {
    plans: Vec<(SectionId, SectionLoader<'e>)>,
    /// Whether a section is malformed.
    damaged: bool,
    /// What packed a section that this build cannot unpack.
    not_built: Option<Packer>,
}

/// What was unpacked.
struct UnpackedSections {
    loaded: Vec<(SectionId, SectionBytes)>,
    /// Whether one could not be.
    damaged: bool,
}

impl<'e> PlannedSections<'e> {
    /// A section that cannot be unpacked counts as absent: what does not need it still works.
    fn new(elf: &'e ElfFile, role: FileRole) -> Result<Self, Fault> {
        let mut plans = Vec::new();
        let mut damaged = false;
        let mut not_built = None;
        for id in role.needed() {
            for section in sections(elf, role, *id) {
                match SectionBytes::plan(elf, section) {
                    Ok(plan) => plans.push((*id, plan)),
                    Err(UnpackError::Limit) => return Err(Fault::Limit),
                    Err(UnpackError::Malformed) => damaged = true,
                    Err(UnpackError::NotBuilt(packer)) => not_built = Some(packer),
                }
            }
        }
        Ok(Self {
            plans,
            damaged,
            not_built,
        })
    }

    /// Returns what unpacking takes, as it is declared.
    fn cost(&self) -> UnpackCost {
        let costs = self.plans.iter().map(|(_, plan)| UnpackCost {
            packed: wide(plan.packed_size()),
            unpacked: plan.cost(),
        });
        costs.fold(UnpackCost::default(), UnpackCost::plus)
    }
}

/// Returns the sections of a file that are read as this one.
///
/// One, but for `.debug_info.dwo`. With `-fdebug-types-section`, DWARF 5 and gcc, a
/// `.dwo` file has one for each type unit besides that of its own unit; objcopy, which
/// extracts it from the object, leaves out what groups them, and nothing else tells them
/// apart but the units inside.
fn sections(elf: &ElfFile, role: FileRole, id: SectionId) -> Vec<&ElfSection> {
    let Some(name) = role.name(id) else {
        return Vec::new();
    };
    if (role, id) != (FileRole::Split, SectionId::DebugInfo) {
        return elf.section(name).into_iter().collect();
    }
    // Sections that overlap, as forged ones may, would make much work of few bytes.
    let mut left = wide(elf.image().len());
    let fits = |section: &&ElfSection| match left.checked_sub(section.size) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    elf.sections_named(name).take_while(fits).collect()
}

impl DwarfSections {
    /// Returns whether the file has debug information at all.
    pub(in crate::dwarf) fn present(elf: &ElfFile) -> bool {
        elf.section(SectionId::DebugInfo.name())
            .is_some_and(|section| !section.is_nobits() && section.size > 0)
    }

    /// Returns what packed a needed section of it that this build cannot unpack.
    pub(in crate::dwarf) fn not_built(elf: &ElfFile, role: FileRole) -> Option<Packer> {
        if Packer::Zstd.is_built() {
            return None;
        }
        PlannedSections::new(elf, role).ok()?.not_built
    }

    /// Unpacks the needed sections, if `allow` allows what that takes.
    pub(in crate::dwarf) fn load(
        elf: Arc<ElfFile>,
        role: FileRole,
        allow: impl FnOnce(UnpackCost) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        let planned = PlannedSections::new(&elf, role)?;
        allow(planned.cost())?;
        let mut finished = finish(&planned.plans, || ())?.0;
        finished.damaged |= planned.damaged;
        drop(planned);
        Ok(Self::of(elf, finished))
    }

    /// Nothing of a file.
    pub(in crate::dwarf) fn none(elf: Arc<ElfFile>) -> Self {
        let loaded = Vec::new();
        let damaged = false;
        Self::of(elf, UnpackedSections { loaded, damaged })
    }

    fn of(elf: Arc<ElfFile>, finished: UnpackedSections) -> Self {
        let UnpackedSections { loaded, damaged } = finished;
        Self {
            elf,
            loaded,
            damaged,
            damage: Damage::default(),
        }
    }

    /// Returns whether one that is there cannot be read.
    pub(in crate::dwarf) fn are_damaged(&self) -> bool {
        self.damaged
    }

    /// Returns `.debug_info` of a main file as a section that grows, if it is packed and
    /// `allow` allows what all sections take.
    pub(in crate::dwarf) fn growing_info(
        elf: &ElfFile,
        allow: impl FnOnce(UnpackCost) -> Result<(), Fault>,
    ) -> Result<Option<PartialUnpack>, Fault> {
        let info = elf.section(SectionId::DebugInfo.name());
        let info = info.and_then(|info| SectionBytes::plan(elf, info).ok());
        let Some(unpack) = info.and_then(|info| info.unpack()) else {
            return Ok(None);
        };
        allow(PlannedSections::new(elf, FileRole::Main)?.cost())?;
        Ok(Some(unpack))
    }

    /// Unpacks a main file's sections but for `.debug_info`, of which `info` makes what
    /// is needed meanwhile. It is given the bytes of `.debug_aranges`.
    pub(in crate::dwarf) fn load_beside(
        elf: Arc<ElfFile>,
        info: impl FnOnce(Slice<'_>) -> Vec<u8>,
    ) -> Result<Self, Fault> {
        let planned = PlannedSections::new(&elf, FileRole::Main)?;
        let damaged = planned.damaged;
        let (first, rest): (Vec<_>, Vec<_>) = planned
            .plans
            .into_iter()
            .filter(|(id, _)| *id != SectionId::DebugInfo)
            .partition(|(id, _)| *id == SectionId::DebugAranges);
        let (mut finished, ()) = finish(&first, || ())?;
        let aranges = finished.loaded.first();
        let aranges = aranges.map_or(&[] as &[u8], |(_, bytes)| bytes.get(elf.image()));
        let aranges = Slice::new(aranges, endian(&elf));
        let (more, info) = finish(&rest, || info(aranges))?;
        drop((first, rest));
        finished.damaged |= damaged || more.damaged;
        let loaded = &mut finished.loaded;
        loaded.extend(more.loaded);
        loaded.push((SectionId::DebugInfo, SectionBytes::Unpacked(info)));
        Ok(Self::of(elf, finished))
    }

    /// Unpacks `.debug_info` again, all of it at once; without what there is of it when
    /// that fails.
    pub(in crate::dwarf) fn load_info_anew(&mut self) -> Result<(), Fault> {
        self.loaded.retain(|(id, _)| *id != SectionId::DebugInfo);
        let mut plans = PlannedSections::new(&self.elf, FileRole::Main)?.plans;
        plans.retain(|(id, _)| *id == SectionId::DebugInfo);
        let (finished, ()) = finish(&plans, || ())?;
        drop(plans);
        self.damaged |= finished.damaged;
        self.loaded.extend(finished.loaded);
        Ok(())
    }

    /// Returns what is unpacked of `.debug_info`.
    pub(in crate::dwarf) fn info_mut(&mut self) -> Option<&mut Vec<u8>> {
        let mut loaded = self.loaded.iter_mut();
        match loaded.find(|(id, _)| *id == SectionId::DebugInfo)? {
            (_, SectionBytes::Unpacked(bytes)) => Some(bytes),
            _ => None,
        }
    }

    pub(in crate::dwarf) fn bytes(&self, id: SectionId) -> &[u8] {
        let mut loaded = self.loaded.iter();
        let found = loaded.find(|(loaded, _)| *loaded == id);
        found.map_or(&[], |(_, bytes)| bytes.get(self.elf.image()))
    }

    /// Returns the bytes of memory that sections take: those that were packed.
    pub(in crate::dwarf) fn unpacked_bytes(&self) -> u64 {
        let sizes = self.loaded.iter().map(|(_, bytes)| bytes.unpacked_bytes());
        sizes.fold(0, u64::saturating_add)
    }

    /// Returns the bytes of all sections that were read, mapped or unpacked.
    pub(in crate::dwarf) fn read_bytes(&self) -> u64 {
        let sizes = self
            .loaded
            .iter()
            .map(|(id, _)| wide(self.bytes(*id).len()));
        sizes.fold(0, u64::saturating_add)
    }

    pub(in crate::dwarf) fn slice(&self, id: SectionId) -> Slice<'_> {
        Slice::new(self.bytes(id), endian(&self.elf))
    }

    /// Returns every `.debug_info`, of which a `.dwo` file may have many.
    pub(in crate::dwarf) fn infos(&self) -> impl Iterator<Item = Slice<'_>> {
        let infos = self.loaded.iter();
        let infos = infos.filter(|(id, _)| *id == SectionId::DebugInfo);
        infos.map(|(_, bytes)| Slice::new(bytes.get(self.elf.image()), endian(&self.elf)))
    }

    /// Returns gimli's view, in which the sections that are not read are empty.
    pub(in crate::dwarf) fn dwarf(&self) -> gimli::Dwarf<Slice<'_>> {
        let load = |id| Ok::<_, std::convert::Infallible>(self.slice(id));
        match gimli::Dwarf::load(load) {
            Ok(dwarf) => dwarf,
            Err(never) => match never {},
        }
    }
}

pub(in crate::dwarf) fn endian(elf: &ElfFile) -> RunTimeEndian {
    match elf.endian() {
        Endianness::Little => RunTimeEndian::Little,
        Endianness::Big => RunTimeEndian::Big,
    }
}

/// Fewer bytes are unpacked faster than a thread is started.
const MIN_BYTES_PER_THREAD: u64 = 1 << 20;

/// Unpacks side by side what has to be unpacked, and does the work of `beside` first on
/// this thread.
///
/// On threads of its own: the caller may hold a lock that other tasks of rayon's pool
/// wait for, and a pool's thread that waits for us would take one of those up.
fn finish<T>(
    plans: &[(SectionId, SectionLoader<'_>)],
    beside: impl FnOnce() -> T,
) -> Result<(UnpackedSections, T), Fault> {
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
    let large = order
        .iter()
        .filter(|at| cost(at) >= MIN_BYTES_PER_THREAD)
        .count();
    let others = rayon::current_num_threads().saturating_sub(1);
    let helpers = large.min(others);
    let beside = std::thread::scope(|scope| {
        for _ in 0..helpers {
            // Without it, this thread does it all.
            let _ = std::thread::Builder::new().spawn_scoped(scope, work);
        }
        let beside = beside();
        work();
        beside
    });
    let mut loaded = Vec::new();
    let mut damaged = false;
    for ((id, _), result) in plans.iter().zip(results) {
        match result.into_inner() {
            Some(Ok(bytes)) => loaded.push((*id, bytes)),
            Some(Err(UnpackError::Limit)) => return Err(Fault::Limit),
            Some(Err(UnpackError::Malformed)) => damaged = true,
            // Found when it was planned.
            Some(Err(UnpackError::NotBuilt(_))) | None => {}
        }
    }
    Ok((UnpackedSections { loaded, damaged }, beside))
}
