//! Converts the mappings and addresses of a pprof or OTLP file to modules and locations.

use backsight_profile::{Location, Mapping, Profile};
use backsight_types::{
    AbsAddr, AbsRange, AddrKind, FileOffset, Module, ModuleIdx, ModuleKind, Perms, Reason,
    VirtOffset,
};
use hashbrown::HashMap;

use crate::flaws::Flaws;
use crate::perf_map::pid_in_name;
use crate::protobuf::{Error, MemoryBudget};

/// No program is linked to addresses from here on, so such an address is one of a process. A file
/// can contain both kinds if one of ours was merged with one of another tool.
const FIRST_ABSOLUTE: u64 = 1 << 40;

/// The fields of a mapping in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MappingFields<'a> {
    pub(crate) start: u64,
    /// The end address; 0 if the mapped range is not known.
    pub(crate) limit: u64,
    pub(crate) file_offset: u64,
    pub(crate) name: &'a [u8],
    /// Hexadecimal digits; empty if not known.
    pub(crate) build_id: &'a [u8],
    /// Whether the file says that its addresses are virtual offsets.
    pub(crate) is_virtual: bool,
}

/// How to convert addresses in a mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MappedFile {
    module: Option<(ModuleIdx, ModuleKind)>,
    start: u64,
    limit: u64,
    file_offset: u64,
    is_virtual: bool,
}

/// The modules found so far.
#[derive(Debug, Default)]
pub(crate) struct MappedFiles {
    /// By name and build ID.
    modules: HashMap<(Vec<u8>, Vec<u8>), ModuleIdx>,
}

impl MappedFiles {
    /// Adds a mapping, and its module if that is new.
    pub(crate) fn take(
        &mut self,
        told: &MappingFields<'_>,
        profile: &mut Profile,
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<MappedFile, Error> {
        budget.take_rows::<(Mapping, MappedFile)>(2)?;
        let MappingFields { name, build_id, .. } = *told;
        // Without a name and a build ID it is not a file: Go writes such mappings for unknown
        // memory.
        let module = match !name.is_empty() || !build_id.is_empty() {
            true => Some(self.module(name, build_id, profile, budget, flaws)?),
            false => None,
        };
        match AbsRange::new(AbsAddr(told.start), AbsAddr(told.limit)) {
            Some(range) if range.end.0 == 0 => {}
            Some(range) => profile.mappings.push(Mapping {
                process: None,
                range,
                file_offset: FileOffset(told.file_offset),
                perms: Perms::READ | Perms::EXECUTE,
                module,
                start_ns: None,
            }),
            None => flaws.count("mappings whose end precedes their start"),
        }
        Ok(MappedFile {
            module: module.and_then(|index| Some((index, profile.module(index)?.kind))),
            start: told.start,
            limit: told.limit,
            file_offset: told.file_offset,
            is_virtual: told.is_virtual && told.start < FIRST_ABSOLUTE,
        })
    }

    fn module(
        &mut self,
        name: &[u8],
        build_id: &[u8],
        profile: &mut Profile,
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<ModuleIdx, Error> {
        let key = (name.to_vec(), build_id.to_vec());
        if let Some(known) = self.modules.get(&key) {
            return Ok(*known);
        }
        // Many modules can share one long name. Each module and its key have a copy of it.
        let texts = name.len().saturating_add(build_id.len());
        budget.take(texts.saturating_mul(2))?;
        budget.take_rows::<(Module, ModuleIdx)>(2)?;
        // The memory budget is exhausted long before 2^32 modules.
        let index = ModuleIdx(u32::try_from(profile.modules.len()).unwrap_or(u32::MAX));
        profile.modules.push(module(name, build_id, flaws));
        self.modules.insert(key, index);
        Ok(index)
    }
}

impl MappedFile {
    /// Returns the module; `None` when the mapping is of no file.
    #[cfg(feature = "otlp")]
    pub(crate) fn module(&self) -> Option<ModuleIdx> {
        self.module.map(|(index, _)| index)
    }

    /// Returns the location of an address; `None` if the mapping is not of a file.
    pub(crate) fn location(&self, address: u64, flaws: &mut Flaws) -> Option<Location> {
        let (module, kind) = self.module?;
        let known = self.limit != 0;
        let into = address.checked_sub(self.start);
        let inside = known && into.is_some() && address < self.limit;
        if known && !inside && address != 0 {
            flaws.count("locations outside their mappings");
        }
        let file_offset = into.filter(|_| inside);
        let file_offset = file_offset.and_then(|into| self.file_offset.checked_add(into));
        let is_virtual = self.is_virtual && (inside || (!known && address != 0));
        Some(Location {
            module: Some(module),
            kind: Some(AddrKind::from(kind)),
            // Kept as it is if it cannot be converted to an offset.
            address: (!inside && !is_virtual && address != 0).then_some(AbsAddr(address)),
            file_offset: file_offset.map(FileOffset),
            virt_offset: is_virtual.then_some(VirtOffset(address)),
            ..Location::default()
        })
    }
}

/// Returns a location that is in no file. `function` is the name of its only function, which is a
/// reason in brackets if backsight wrote the file.
pub(crate) fn elsewhere(address: u64, function: Option<&[u8]>) -> Location {
    let reason = function.and_then(|name| {
        let name = name.strip_prefix(b"[")?.strip_suffix(b"]")?;
        str::from_utf8(name).ok()?.parse::<Reason>().ok()
    });
    Location {
        address: (address != 0).then_some(AbsAddr(address)),
        reason,
        ..Location::default()
    }
}

fn module(name: &[u8], build_id: &[u8], flaws: &mut Flaws) -> Module {
    let deleted = name.strip_suffix(b" (deleted)");
    let path = deleted.unwrap_or(name);
    let digits = str::from_utf8(build_id).ok();
    let id = digits.and_then(|digits| digits.parse().ok());
    if id.is_none() && !build_id.is_empty() {
        flaws.count("build IDs that are not hexadecimal digits");
    }
    Module::default()
        .with_kind(kind_of(path))
        .with_path(path.to_vec())
        .with_deleted(deleted.is_some())
        .with_build_id(id)
}

/// Returns the kind of a module by its name: `[vdso]`, `[kernel.kallsyms]`, `[nf_tables]`,
/// `/lib/modules/…/nf_tables.ko.xz`.
fn kind_of(path: &[u8]) -> ModuleKind {
    let bracketed = path.starts_with(b"[");
    let packings: [&[u8]; 4] = [b".ko", b".ko.xz", b".ko.gz", b".ko.zst"];
    if path.starts_with(b"[vdso") {
        ModuleKind::Vdso
    } else if pid_in_name(path).is_some() {
        ModuleKind::Anonymous
    } else if bracketed || packings.iter().any(|end| path.ends_with(end)) {
        ModuleKind::Kernel
    } else {
        ModuleKind::File
    }
}
