//! Code that was made at run time and that `perf inject --jit` put into files.
//!
//! ```text
//!   jitted-PID-N.so, mapped ──▶ a module for the memory of the process: /tmp/perf-PID.map
//!                   proven  ──▶ function and line, as a jitdump has them, at an address of that memory
//! ```
//!
//! A jitdump and the files that were made of it tell of the same functions, so these get the same
//! names in the same module. Samples are taken out while a recording is read, so a place is in that
//! module from the first time on.

use std::sync::Arc;

use backsight_formats::perf_map::pid_in_name;
use backsight_profile::{Location, LocationIdx, Profile, ProfileFrame, Strings};
use backsight_symbolize::{ModuleInput, Options, Place, Request, Symbolizer, Tier};
use backsight_types::trace::{ChainEntry, Mmap};
use backsight_types::{
    AbsAddr, AddrKind, FileOffset, Lookup, Module, ModuleIdx, ModuleKind, VirtOffset,
};
use hashbrown::{HashMap, HashSet};

use super::made_memory::called_as_perf_does;
use super::written::named;
use crate::find::{ModuleFiles, path_of};
use crate::jit::jitted::maker_of;

/// The places in such code that were named.
#[derive(Debug, Default)]
pub(super) struct InjectedCode {
    /// A file may be mapped at several addresses: code moves.
    located: HashMap<(ModuleIdx, AbsAddr, Lookup), LocationIdx>,
    symbolizer: Option<Symbolizer>,
    /// Those whose lines are damaged.
    damaged: HashSet<ModuleIdx>,
    /// The processes whose memory has a module since such a file was mapped.
    makers: HashSet<u32>,
    /// The modules of their memory.
    memory: HashMap<u32, ModuleIdx>,
}

impl InjectedCode {
    /// Goes on with a profile that has no locations.
    pub(super) fn begin_profile(&mut self) {
        self.located.clear();
        // Modules may be forgotten and numbered anew.
        self.makers.clear();
        self.memory.clear();
    }

    /// Returns the memory of the process whose code is in a file that is mapped, the first time: a
    /// mapping without a size, which only adds its module.
    pub(super) fn memory_met(&mut self, mapping: &Mmap) -> Option<(u32, Mmap)> {
        let maker = maker_of(&mapping.name)?;
        self.makers.insert(maker).then(|| {
            let mut memory = Mmap::default();
            called_as_perf_does(maker, &mut memory);
            (maker, memory)
        })
    }

    /// Returns how many functions that were named have a damaged list of lines.
    pub(super) fn damaged(&self) -> u64 {
        u64::try_from(self.damaged.len()).unwrap_or(u64::MAX)
    }

    /// Returns the location of a place that was named.
    pub(super) fn known(&self, entry: &ChainEntry, module: ModuleIdx) -> Option<LocationIdx> {
        let key = (module, entry.addr, entry.lookup);
        self.located.get(&key).copied()
    }

    /// Names a place and adds its location; `None` if it is not in such a file, or the file is not
    /// at hand.
    pub(super) fn name(
        &mut self,
        entry: &ChainEntry,
        module: ModuleIdx,
        file_offset: FileOffset,
        profile: &mut Profile,
        files: &ModuleFiles,
    ) -> Option<LocationIdx> {
        let Profile {
            modules, strings, ..
        } = &mut *profile;
        let known = modules.get(module.as_usize())?;
        let is_one = known.kind == ModuleKind::File && maker_of(&known.path).is_some();
        if !is_one || known.unreadable.is_some() || !files.may_open() {
            return None;
        }
        let maker = maker_of(&known.path)?;
        let frame = self.frame(entry, (module, known), file_offset, strings, files)?;
        let frames = profile.add_frames([frame])?;
        let memory = self.memory_of(maker, &profile.modules);
        let in_memory = memory.is_some();
        let index = profile.add_location(Location {
            address: Some(entry.addr),
            lookup: entry.lookup,
            kind: Some(AddrKind::Anonymous),
            module: Some(memory.unwrap_or(module)),
            file_offset: Some(match in_memory {
                true => FileOffset(entry.addr.0),
                false => file_offset,
            }),
            virt_offset: in_memory.then_some(VirtOffset(entry.addr.0)),
            frames,
            ..Location::default()
        })?;
        let key = (module, entry.addr, entry.lookup);
        self.located.insert(key, index);
        Some(index)
    }

    fn memory_of(&mut self, maker: u32, modules: &[Module]) -> Option<ModuleIdx> {
        if let Some(known) = self.memory.get(&maker) {
            return Some(*known);
        }
        let its = |module: &Module| {
            module.kind == ModuleKind::Anonymous && pid_in_name(&module.path) == Some(maker)
        };
        let at = modules.iter().position(its)?;
        let index = ModuleIdx(u32::try_from(at).ok()?);
        self.memory.insert(maker, index);
        Some(index)
    }

    fn frame(
        &mut self,
        entry: &ChainEntry,
        (index, module): (ModuleIdx, &Module),
        file_offset: FileOffset,
        strings: &mut Strings,
        files: &ModuleFiles,
    ) -> Option<ProfileFrame> {
        // Each file has one function, and the code of it alone.
        let mut segments = module.segments.as_ref()?.as_slice().iter();
        let code = segments.find(|segment| segment.flags.is_executable())?;
        let lookup = match code.file_offset == file_offset {
            // The rule of `stack_code`: a return address where code begins means that code.
            true => Lookup::Exact,
            false => entry.lookup,
        };
        let input = ModuleInput::File {
            file: Arc::new(files.open(module).ok()?),
            path: Some(path_of(module).to_owned()),
        };
        let symbolizer = self.symbolizer.get_or_insert_with(|| {
            let options = Options::default()
                .with_debug_dirs(Vec::new())
                .with_demangle(false)
                .with_tier(Tier::Lazy);
            Symbolizer::new(options)
        });
        let id = symbolizer.add(input, module.build_id, module.segments.clone());
        let request = Request::new(id, Place::File(file_offset), lookup);
        let found = symbolizer.symbolize(&[request]).pop();
        if !symbolizer.shortfalls(id).is_empty() {
            self.damaged.insert(index);
        }
        symbolizer.remove(id);
        let found = found?.ok()?;
        let function = found.physical()?;
        let into = module.virt_offset_of(file_offset)?.0;
        let into = into.checked_sub(function.start?.0)?;
        let start = VirtOffset(entry.addr.0.checked_sub(into)?);
        let name = function.function.as_deref()?;
        let mut frame = named(name.as_bytes(), start, strings);
        let innermost = found.iter().next();
        let place = innermost.and_then(|place| Some((place.file.as_deref()?, place.line)));
        let own = frame.file.and_then(|file| strings.get(file));
        if let Some((file, line)) = place.filter(|(file, _)| is_readable(file, own)) {
            let file = strings.intern(file);
            // The line where the function begins is one of its own file.
            frame.start_line = frame.start_line.filter(|_| frame.file == Some(file));
            (frame.file, frame.line) = (Some(file), line);
        }
        Some(frame)
    }
}

/// Whether a file's name can be one, of code whose function says its own file. Names that V8 freed
/// before it wrote them are any bytes.
fn is_readable(file: &str, own: Option<&str>) -> bool {
    let is_path = ["/", "file://", "node:"]
        .iter()
        .any(|path| file.starts_with(path));
    let is_text = |c: char| !c.is_control() && c != char::REPLACEMENT_CHARACTER;
    own.is_none_or(|own| own == file || is_path) && file.chars().all(is_text)
}

/// Makes the places that were named ones of their processes' memory, as those of a jitdump are: of
/// files that were mapped in an earlier profile. For a profile that is complete.
pub(super) fn move_to_memory(profile: &mut Profile) {
    let Profile {
        locations, modules, ..
    } = profile;
    let mut memory: HashMap<u32, ModuleIdx> = HashMap::new();
    for (module, at) in modules.iter().zip(0..) {
        let pid = pid_in_name(&module.path);
        if let Some(pid) = pid.filter(|_| module.kind == ModuleKind::Anonymous) {
            memory.entry(pid).or_insert(ModuleIdx(at));
        }
    }
    for location in locations {
        let is_named = location.kind == Some(AddrKind::Anonymous) && location.frames.len > 0;
        let (Some(module), Some(addr)) = (location.module, location.address) else {
            continue;
        };
        let known = modules.get(module.as_usize()).filter(|_| is_named);
        let known = known.filter(|known| known.kind == ModuleKind::File);
        let Some(pid) = known.and_then(|known| maker_of(&known.path)) else {
            continue;
        };
        let of_process = memory.get(&pid).copied().or_else(|| {
            let new = ModuleIdx(u32::try_from(modules.len()).ok()?);
            let path = format!("/tmp/perf-{pid}.map").into_bytes();
            let module = Module::default().with_kind(ModuleKind::Anonymous);
            modules.push(module.with_path(path));
            memory.insert(pid, new);
            Some(new)
        });
        if of_process.is_some() {
            location.module = of_process;
            location.file_offset = Some(FileOffset(addr.0));
            location.virt_offset = Some(VirtOffset(addr.0));
        }
    }
}
