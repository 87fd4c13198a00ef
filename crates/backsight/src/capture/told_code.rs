//! Processes that may not make any code: what they tell of code is asked for, and that they tell
//! nothing is no news.

use backsight_formats::perf_map::pid_in_name;
use backsight_profile::Profile;
use backsight_types::{AbsRange, Module, ModuleIdx, ModuleKind};

use super::made_code::MadeCode;
use crate::find::ModuleFiles;
use crate::jit::said::MapRefusal;

impl MadeCode {
    /// Returns the module of the code that a process makes, if it tells of it.
    pub(super) fn memory_of(
        &mut self,
        pid: u32,
        profile: &Profile,
        files: &ModuleFiles,
    ) -> Option<ModuleIdx> {
        if !self.reads_lists() {
            return None;
        }
        if !self.dumps.has(pid) && !self.has_list(pid, files) {
            return None;
        }
        let its = |module: &Module| {
            module.kind == ModuleKind::Anonymous && pid_in_name(&module.path) == Some(pid)
        };
        let at = profile.modules.iter().position(its)?;
        Some(ModuleIdx(u32::try_from(at).ok()?))
    }

    /// Whether the list of a process has code in this range.
    pub(super) fn lists_code_in(&mut self, pid: u32, range: AbsRange, files: &ModuleFiles) -> bool {
        if !self.reads_lists() || !self.has_list(pid, files) {
            return false;
        }
        let list = self.maps.get(&pid).and_then(Option::as_ref);
        list.is_some_and(|list| list.map.tells_of(range))
    }

    /// Reads the list of a process, if that was not done, and returns whether there is one.
    fn has_list(&mut self, pid: u32, files: &ModuleFiles) -> bool {
        if self.mute.contains(&pid) {
            return false;
        }
        if self.maps.contains_key(&pid) {
            return true;
        }
        let (map, said) = self.read(pid, files, self.last_line());
        if said.read == Err(MapRefusal::Missing) {
            self.mute.insert(pid);
            return false;
        }
        self.uses.push(said);
        self.maps.insert(pid, map);
        true
    }
}
