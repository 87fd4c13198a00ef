//! Which modules of profiles a symbolizer knows.
//!
//! The profiles of an agent have the same modules, nearly always with the same indices. When
//! modules were forgotten, the others have new ones.

use std::collections::HashMap;

use backsight_profile::Profile;
use backsight_types::{BuildId, Device, Module, ModuleIdx, ModuleKind};

/// What makes a module the same as one of an earlier profile.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct IntroducedModule {
    kind: ModuleKind,
    path: Vec<u8>,
    device: Device,
    inode: u64,
    build_id: Option<BuildId>,
    deleted: bool,
}

impl IntroducedModule {
    fn of(module: &Module) -> Self {
        Self {
            kind: module.kind,
            path: module.path.clone(),
            device: module.device,
            inode: module.inode,
            build_id: module.build_id,
            deleted: module.deleted,
        }
    }

    fn is_of(&self, module: &Module) -> bool {
        let Self {
            kind,
            path,
            device,
            inode,
            build_id,
            deleted,
        } = self;
        (*kind, *device, *inode) == (module.kind, module.device, module.inode)
            && (*build_id, *deleted) == (module.build_id, module.deleted)
            && *path == module.path
    }
}

/// The modules that a symbolizer was told of, by their indices.
#[derive(Debug, Default)]
pub(crate) struct Introduced(HashMap<ModuleIdx, IntroducedModule>);

impl Introduced {
    pub(crate) fn add(&mut self, index: ModuleIdx, module: &Module) {
        self.0.insert(index, IntroducedModule::of(module));
    }

    /// Returns whether a profile has all of them, with the same indices.
    pub(crate) fn are_in(&self, profile: &Profile) -> bool {
        let mut all = self.0.iter();
        all.all(|(index, known)| profile.module(*index).is_some_and(|it| known.is_of(it)))
    }

    /// Returns the modules that a profile has, by their old and new indices, and the others.
    pub(crate) fn moved(self, profile: &Profile) -> (Vec<(ModuleIdx, ModuleIdx)>, Vec<ModuleIdx>) {
        let mut old: HashMap<IntroducedModule, ModuleIdx> = HashMap::new();
        let mut gone = Vec::new();
        for (index, identity) in self.0 {
            // Two of them may be alike but for what is not compared here.
            gone.extend(old.insert(identity, index));
        }
        let mut same = Vec::new();
        for (index, module) in (0..).map(ModuleIdx).zip(&profile.modules) {
            if let Some(from) = old.remove(&IntroducedModule::of(module)) {
                same.push((from, index));
            }
        }
        gone.extend(old.into_values());
        (same, gone)
    }
}

#[cfg(test)]
mod tests {
    use backsight_profile::Profile;
    use backsight_types::{Module, ModuleIdx};

    use super::Introduced;

    fn profile(paths: &[&str]) -> Profile {
        let module = |path: &&str| Module::default().with_path(path.as_bytes().to_vec());
        Profile {
            modules: paths.iter().map(module).collect(),
            ..Profile::default()
        }
    }

    #[test]
    fn modules_are_met_again_wherever_they_are() {
        let first = profile(&["/a", "/b", "/c"]);
        let mut known = Introduced::default();
        for (index, module) in (0..).map(ModuleIdx).zip(&first.modules) {
            known.add(index, module);
        }
        assert!(known.are_in(&first));
        assert!(known.are_in(&profile(&["/a", "/b", "/c", "/d"])));
        for other in [&["/a", "/b"][..], &["/a", "/c", "/b"]] {
            assert!(!known.are_in(&profile(other)));
        }
        let (same, gone) = known.moved(&profile(&["/d", "/c", "/a"]));
        assert_eq!(
            same,
            [(2, 1), (0, 2)].map(|(old, new)| (ModuleIdx(old), ModuleIdx(new)))
        );
        assert_eq!(gone, [ModuleIdx(1)]);
    }
}
