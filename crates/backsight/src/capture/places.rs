//! Resolves addresses to the profile's locations, one for each distinct place.

use backsight_profile::{Location, LocationIdx, Profile, ProfileFrame, StackIdx};
use backsight_types::trace::{ChainEntry, Context};
use backsight_types::{
    AbsAddr, AddrKind, FileOffset, Lookup, ModuleIdx, ModuleKind, Outcome, Reason, VirtOffset,
};
use hashbrown::HashMap;

use super::injected::InjectedCode;
use super::kernel::KernelSymbols;
use super::made_code::MadeCode;
use crate::find::ModuleFiles;
use crate::kernel::is_kernel_image;

/// The only frame of a wait whose stack was not recorded.
const NO_STACK: &str = "[stack-not-recorded]";

/// The locations of the profile, by what they resolve to.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// At one place code may be made that takes the place of other code.
    located: HashMap<(ModuleIdx, FileOffset, Lookup, Option<u32>), LocationIdx>,
    unresolved: HashMap<(AbsAddr, Lookup, Reason), LocationIdx>,
    no_stack: Option<LocationIdx>,
    /// Symbols of the recorded kernel, if it is the one that runs here.
    pub(super) kernel: KernelSymbols,
    /// The names of code that was made at run time.
    pub(super) made: MadeCode,
    /// The same that perf put into files.
    pub(super) injected: InjectedCode,
}

impl Places {
    /// Goes on with a profile that has no locations.
    pub(super) fn begin_profile(&mut self) {
        self.located.clear();
        self.unresolved.clear();
        self.no_stack = None;
        self.made.begin_profile();
        self.injected.begin_profile();
    }

    /// Returns the stack of a wait of which none was recorded, with a frame that says so.
    pub(super) fn unknown_stack(&mut self, profile: &mut Profile) -> Option<StackIdx> {
        let index = match self.no_stack {
            Some(index) => index,
            None => {
                let function = Some(profile.strings.intern(NO_STACK));
                let frames = profile.add_frames([ProfileFrame {
                    function,
                    ..ProfileFrame::default()
                }])?;
                profile.add_location(Location {
                    frames,
                    ..Location::default()
                })?
            }
        };
        self.no_stack = Some(index);
        profile.stacks.intern([index])
    }

    /// Returns the location of a chain entry, adding it if it is new. Returns `None` if there
    /// are 2^32 locations already. `of` is the process of the sample, and its time.
    pub(super) fn location(
        &mut self,
        entry: &ChainEntry,
        (pid, time_ns): (u32, Option<u64>),
        outcome: Outcome,
        profile: &mut Profile,
        files: &ModuleFiles,
    ) -> Option<LocationIdx> {
        let lookup = entry.lookup;
        match checked(entry.context, outcome, profile) {
            Outcome::Located {
                module,
                file_offset,
            } => {
                let known = profile.module(module);
                let is_made = known.is_some_and(|known| known.kind == ModuleKind::Anonymous);
                if known.is_some_and(|known| known.inferred)
                    && let Some(index) = self.made_instead(entry, (pid, time_ns), profile, files)
                {
                    return Some(index);
                }
                let made = is_made.then(|| self.made.code(entry, module, profile, time_ns));
                let key = (
                    module,
                    file_offset,
                    lookup,
                    made.flatten().map(|made| made.code),
                );
                if let Some(index) = self.injected.known(entry, module) {
                    return Some(index);
                }
                if let Some(index) = self.located.get(&key).copied() {
                    if is_made {
                        self.made.met(index, entry, module, time_ns, profile);
                    }
                    return Some(index);
                }
                let reads_lists = !is_made && self.made.reads_lists();
                if let Some(index) = reads_lists
                    .then(|| (self.injected).name(entry, module, file_offset, profile, files))
                    .flatten()
                {
                    return Some(index);
                }
                let index = match is_made {
                    true => {
                        let location =
                            self.made
                                .location(entry, made.flatten(), module, profile, files);
                        let index = profile.add_location(location)?;
                        self.made.met(index, entry, module, time_ns, profile);
                        index
                    }
                    false => self.add(entry, module, file_offset, profile, files)?,
                };
                self.located.insert(key, index);
                Some(index)
            }
            Outcome::Unresolved(reason) => {
                let key = (entry.addr, lookup, reason);
                if let Some(index) = self.unresolved.get(&key) {
                    return Some(*index);
                }
                let index = profile.add_location(Location {
                    address: Some(entry.addr),
                    lookup,
                    kind: match reason {
                        Reason::Kernel => Some(AddrKind::Kernel),
                        Reason::Anonymous => Some(AddrKind::Anonymous),
                        _ => None,
                    },
                    reason: Some(reason),
                    ..Location::default()
                })?;
                self.unresolved.insert(key, index);
                Some(index)
            }
            // Neither a place nor a reason is known.
            _ => profile.add_location(Location {
                address: Some(entry.addr),
                lookup,
                ..Location::default()
            }),
        }
    }

    /// Returns the location of an entry in memory that was taken as text of a file, if the process
    /// says itself that it made other code there.
    fn made_instead(
        &mut self,
        entry: &ChainEntry,
        (pid, time_ns): (u32, Option<u64>),
        profile: &mut Profile,
        files: &ModuleFiles,
    ) -> Option<LocationIdx> {
        let memory = self.made.memory_of(pid, profile, files)?;
        let made = self.made.code(entry, memory, profile, time_ns);
        let code = made.map(|made| made.code);
        let key = (memory, FileOffset(entry.addr.0), entry.lookup, code);
        if let Some(index) = self.located.get(&key) {
            return Some(*index);
        }
        let location = self.made.location(entry, made, memory, profile, files);
        if location.reason.is_some() {
            return None;
        }
        let index = profile.add_location(location)?;
        self.located.insert(key, index);
        Some(index)
    }

    fn add(
        &self,
        entry: &ChainEntry,
        module: ModuleIdx,
        file_offset: FileOffset,
        profile: &mut Profile,
        files: &ModuleFiles,
    ) -> Option<LocationIdx> {
        let known = profile.module(module);
        let kind = known.map(|known| AddrKind::from(known.kind));
        let virt_offset = known.and_then(|known| known.virt_offset_of(file_offset));
        let function = known
            .filter(|_| kind == Some(AddrKind::Kernel))
            .and_then(|known| self.kernel.function(entry, &known.path, file_offset, files));
        let is_image = known.is_some_and(|known| is_kernel_image(&known.path));
        let frames = function.and_then(|function| {
            let start = file_offset.0.checked_sub(function.into);
            // Of the image alone, no virtual offset is known: see `RunningKernel::answer`. In the
            // file of a kernel module, and in code without a file, they count from the first byte.
            let is_by_file = is_image && virt_offset.is_none();
            let strings = &mut profile.strings;
            let frame = ProfileFrame {
                function: Some(strings.intern(&function.name)),
                linkage_name: function.linkage_name.map(|name| strings.intern(&name)),
                file: function.file.map(|file| strings.intern(&file)),
                line: function.line,
                column: function.column,
                start: start.filter(|_| !is_image).map(VirtOffset),
                start_file_offset: start.filter(|_| is_by_file).map(FileOffset),
                ..ProfileFrame::default()
            };
            profile.add_frames([frame])
        });
        profile.add_location(Location {
            address: None,
            lookup: entry.lookup,
            kind,
            module: Some(module),
            file_offset: Some(file_offset),
            virt_offset,
            reason: None,
            frames: frames.unwrap_or_default(),
        })
    }
}

/// Overrides the outcome where the processor mode contradicts the mappings.
fn checked(context: Context, outcome: Outcome, profile: &Profile) -> Outcome {
    let in_kernel = |module: ModuleIdx| {
        let module = profile.module(module);
        module.is_some_and(|module| AddrKind::from(module.kind) == AddrKind::Kernel)
    };
    match (context, outcome) {
        // The mappings are those of the host; a guest has its own.
        (Context::GuestKernel, _) => Outcome::Unresolved(Reason::GuestKernel),
        (Context::GuestUser, _) => Outcome::Unresolved(Reason::GuestUser),
        (Context::Hypervisor, _) => Outcome::Unresolved(Reason::Hypervisor),
        (Context::Kernel, Outcome::Unresolved(_)) => Outcome::Unresolved(Reason::Kernel),
        // User code cannot run in the kernel: the address comes from a bad frame pointer.
        (Context::User, Outcome::Located { module, .. }) if in_kernel(module) => {
            Outcome::Unresolved(Reason::Kernel)
        }
        (_, outcome) => outcome,
    }
}
