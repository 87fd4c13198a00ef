//! The files that the mappings of a format are of, and places in them.

use backsight_profile::{Location, Mapping, Profile};
use backsight_types::{
    AbsAddr, AbsRange, AddrKind, FileOffset, Module, ModuleIdx, ModuleKind, Perms, Reason,
    VirtOffset,
};
use hashbrown::HashMap;

use crate::flaws::Flaws;
use crate::perf_map::pid_in_name;
use crate::protobuf::{Error, MemoryBudget};

/// No program is linked to addresses from here on: they are those of a process. A file
/// of ours that was merged with one of another tool's holds both kinds.
const FIRST_ABSOLUTE: u64 = 1 << 40;

/// A mapping as a file tells of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MappingFields<'a> {
    pub(crate) start: u64,
    /// 0 when it is not known what was mapped.
    pub(crate) limit: u64,
    pub(crate) file_offset: u64,
    pub(crate) name: &'a [u8],
    /// In hexadecimal digits; empty when it is not known.
    pub(crate) build_id: &'a [u8],
    /// Whether addresses are said to be virtual offsets.
    pub(crate) is_virtual: bool,
}

/// What is known of addresses in a mapping.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MappedFile {
    module: Option<(ModuleIdx, ModuleKind)>,
    start: u64,
    limit: u64,
    file_offset: u64,
    is_virtual: bool,
}

/// The modules met so far.
#[derive(Debug, Default)]
pub(crate) struct MappedFiles {
    /// By name and build ID.
    modules: HashMap<(Vec<u8>, Vec<u8>), ModuleIdx>,
}

impl MappedFiles {
    /// Takes a mapping in, and its file if that is new.
    pub(crate) fn take(
        &mut self,
        told: &MappingFields<'_>,
        profile: &mut Profile,
        budget: &mut MemoryBudget,
        flaws: &mut Flaws,
    ) -> Result<MappedFile, Error> {
        budget.take_rows::<(Mapping, MappedFile)>(2)?;
        let MappingFields { name, build_id, .. } = *told;
        // Without either it is no file: Go says so of what it knows nothing of.
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
            None => flaws.count("mappings that end before they begin"),
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
        // Many modules can have one long name, of which each has a copy, as has the key.
        let texts = name.len().saturating_add(build_id.len());
        budget.take(texts.saturating_mul(2))?;
        budget.take_rows::<(Module, ModuleIdx)>(2)?;
        // The budget ends before the numbers do.
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

    /// Returns the place in the file that an address means; `None` when the mapping is
    /// of no file.
    pub(crate) fn location(&self, address: u64, flaws: &mut Flaws) -> Option<Location> {
        let (module, kind) = self.module?;
        let known = self.limit != 0;
        let into = address.checked_sub(self.start);
        let inside = known && into.is_some() && address < self.limit;
        if known && !inside && address != 0 {
            flaws.count("locations outside of their mappings");
        }
        let file_offset = into.filter(|_| inside);
        let file_offset = file_offset.and_then(|into| self.file_offset.checked_add(into));
        let is_virtual = self.is_virtual && (inside || (!known && address != 0));
        Some(Location {
            module: Some(module),
            kind: Some(AddrKind::from(kind)),
            // What no file offset can be told of stays as it is.
            address: (!inside && !is_virtual && address != 0).then_some(AbsAddr(address)),
            file_offset: file_offset.map(FileOffset),
            virt_offset: is_virtual.then_some(VirtOffset(address)),
            ..Location::default()
        })
    }
}

/// Returns a location in no file, of which the name of its only function is known, if it
/// has one: writers put a reason there.
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

/// Tells by its name what a mapping is of: `[vdso]`, `[kernel.kallsyms]`, `[nf_tables]`,
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
