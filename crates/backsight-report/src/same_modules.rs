//! Which modules of two profiles are the same.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use backsight_profile::Profile;
use backsight_types::Module;

/// The modules of the profile before, by the paths that the same ones have after.
///
/// Modules of one path are the same. Of those that only one of the profiles has, those of one build
/// ID are, and then those with the same file name: a program that was built or installed in another
/// directory. Where several could be meant, none is.
#[derive(Debug, Default)]
pub(crate) struct SameModules {
    paths: HashMap<Vec<u8>, Vec<u8>>,
    are_known: bool,
}

impl SameModules {
    pub(crate) fn of(before: &Profile, after: &Profile) -> Self {
        let [mut old, mut new] = [(before, after), (after, before)].map(|(own, other)| {
            let others: HashSet<&[u8]> = paths(other).collect();
            let mut seen = HashSet::new();
            let mut alone: Vec<&Module> = own.modules.iter().collect();
            alone.retain(|of| !others.contains(&*of.path) && seen.insert(&*of.path));
            alone
        });
        let mut same = HashMap::new();
        let mut pair = |key: fn(&Module) -> Option<Vec<u8>>| {
            let pairs = pairs(&old, &new, key);
            old.retain(|of| pairs.iter().all(|(old, _)| old.path != of.path));
            new.retain(|of| pairs.iter().all(|(_, new)| new.path != of.path));
            same.extend(
                pairs
                    .into_iter()
                    .map(|(old, new)| (old.path.clone(), new.path.clone())),
            );
        };
        pair(|module| Some(module.build_id?.as_bytes().to_vec()));
        pair(|module| {
            module
                .as_path()
                .file_name()
                .map(|name| name.as_encoded_bytes().to_vec())
        });
        Self {
            paths: same,
            are_known: before.modules.is_empty() == after.modules.is_empty(),
        }
    }

    /// Whether both profiles tell of modules, or neither does: some formats have none.
    pub(crate) fn are_known(&self) -> bool {
        self.are_known
    }

    /// Returns the path that the module of this path before has after.
    pub(crate) fn after<'p>(&'p self, before: &'p [u8]) -> &'p [u8] {
        self.paths.get(before).map_or(before, Vec::as_slice)
    }

    /// The same, for a path as it is shown.
    pub(crate) fn shown_after<'p>(&'p self, before: Cow<'p, str>) -> Cow<'p, str> {
        match self.paths.get(before.as_bytes()) {
            Some(after) => String::from_utf8_lossy(after),
            None => before,
        }
    }
}

fn paths(profile: &Profile) -> impl Iterator<Item = &[u8]> {
    profile.modules.iter().map(|of| of.path.as_slice())
}

/// Returns the modules that have a key which no other of the same list has.
fn pairs<'m>(
    old: &[&'m Module],
    new: &[&'m Module],
    key: fn(&Module) -> Option<Vec<u8>>,
) -> Vec<(&'m Module, &'m Module)> {
    let [old, new] = [old, new].map(|all| unique(all, key));
    let both = old
        .into_iter()
        .filter_map(|(key, old)| Some((old?, (*new.get(&key)?)?)));
    both.collect()
}

/// `None` for a key that several have.
fn unique<'m, K: Eq + Hash>(
    all: &[&'m Module],
    key: fn(&Module) -> Option<K>,
) -> HashMap<K, Option<&'m Module>> {
    let mut found = HashMap::new();
    for of in all {
        if let Some(key) = key(of) {
            let place = found.entry(key).or_insert(Some(*of));
            *place = place.filter(|first| first.path == of.path);
        }
    }
    found
}
