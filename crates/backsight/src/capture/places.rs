//! Places in code, each once: what becomes of an address in the profile.

use backsight_profile::{Location, LocationIdx, Profile, ProfileFrame};
use backsight_types::trace::{ChainEntry, Context};
use backsight_types::{
    AbsAddr, AddrKind, FileOffset, Lookup, ModuleIdx, ModuleKind, Outcome, Reason,
};
use hashbrown::HashMap;

use super::kernel::KernelSymbols;
use super::made_code::MadeCode;
use crate::find::ModuleFiles;

/// The locations that a profile has.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// At one place code may be made that takes the place of other code.
    located: HashMap<(ModuleIdx, FileOffset, Lookup, Option<u32>), LocationIdx>,
    unresolved: HashMap<(AbsAddr, Lookup, Reason), LocationIdx>,
    /// The names of the kernel that the recording is of, if that runs here.
    pub(super) kernel: KernelSymbols,
    /// The names of code that was made at run time.
    pub(super) made: MadeCode,
}

impl Places {
    /// Returns the location of an entry of a chain, which is made if it is new; `None`
    /// when there are 2^32.
    pub(super) fn location(
        &mut self,
        entry: &ChainEntry,
        time_ns: Option<u64>,
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
                let made = is_made.then(|| self.made.code(entry, module, profile, time_ns));
                let key = (
                    module,
                    file_offset,
                    lookup,
                    made.flatten().map(|made| made.code),
                );
                if let Some(index) = self.located.get(&key) {
                    return Some(*index);
                }
                let index = match is_made {
                    true => {
                        let location =
                            self.made
                                .location(entry, made.flatten(), module, profile, files);
                        profile.add_location(location)?
                    }
                    false => self.add(entry, module, file_offset, profile)?,
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

    fn add(
        &self,
        entry: &ChainEntry,
        module: ModuleIdx,
        file_offset: FileOffset,
        profile: &mut Profile,
    ) -> Option<LocationIdx> {
        let known = profile.module(module);
        let kind = known.map(|known| AddrKind::from(known.kind));
        let virt_offset = known.and_then(|known| known.virt_offset_of(file_offset));
        let is_kernel = kind == Some(AddrKind::Kernel);
        let name = is_kernel.then(|| self.kernel.name(entry.addr, entry.lookup));
        let frames = name.flatten().and_then(|name| {
            let function = Some(profile.strings.intern(&name));
            profile.add_frames([ProfileFrame {
                function,
                ..ProfileFrame::default()
            }])
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

/// Returns what the mappings say, where they speak of whose code it was.
fn checked(context: Context, outcome: Outcome, profile: &Profile) -> Outcome {
    let in_kernel = |module: ModuleIdx| {
        let module = profile.module(module);
        module.is_some_and(|module| AddrKind::from(module.kind) == AddrKind::Kernel)
    };
    match (context, outcome) {
        // The mappings are of another machine than a guest's addresses.
        (Context::GuestKernel, _) => Outcome::Unresolved(Reason::GuestKernel),
        (Context::GuestUser, _) => Outcome::Unresolved(Reason::GuestUser),
        (Context::Hypervisor, _) => Outcome::Unresolved(Reason::Hypervisor),
        (Context::Kernel, Outcome::Unresolved(_)) => Outcome::Unresolved(Reason::Kernel),
        // A frame pointer that was none led here: user code does not run there.
        (Context::User, Outcome::Located { module, .. }) if in_kernel(module) => {
            Outcome::Unresolved(Reason::Kernel)
        }
        (_, outcome) => outcome,
    }
}
