//! What the files of this machine say of modules that were recorded on it.

use backsight_profile::Profile;
use backsight_types::{Module, ModuleKind, Reason};

use crate::find::ModuleFiles;
use crate::headers::headers;
use crate::host::Host;

/// Fills in what the module's file says: its segments, so that virtual offsets are
/// known, its machine, and its build ID where the recording has none.
///
/// Only a file that is proven to be the one counts: by its build ID, or without one by
/// device and inode, as long as the recording was made here.
pub(super) fn learn(module: &mut Module, files: &ModuleFiles, trust_inodes: bool) {
    if module.kind != ModuleKind::File {
        return;
    }
    let is_unproven = module.build_id.is_none() && !trust_inodes;
    if is_unproven && !files.trusts_paths() {
        // Numbers of another machine's disks say nothing here.
        module.unreadable = Some(Reason::IdentityUnproven);
        return;
    }
    module.by_path = is_unproven;
    match files.open(module) {
        Ok(opened) => {
            let Ok(headers) = headers(&opened) else {
                module.unreadable = Some(Reason::Unreadable);
                return;
            };
            module.build_id = module.build_id.or(headers.build_id);
            module.arch = Some(headers.arch);
            module.segments = Some(headers.segments);
        }
        Err(reason) => {
            module.by_path = false;
            module.unreadable = Some(reason);
        }
    }
}

/// Files of a recording of which nothing says which they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unproven {
    /// How many there are in a recording of another machine, which has no build IDs of
    /// them. Places in them get no functions.
    pub files: usize,
    /// How many places are in them.
    pub places: usize,
    /// What that machine is called, by the recording: hostile bytes perhaps.
    pub hostname: Option<String>,
    /// How many were taken by their paths alone.
    pub by_path_alone: usize,
}

/// Counts the files of a recording of which nothing is known, because it is of another
/// machine and has no build IDs of them; or that were taken all the same, which the profile
/// says as well.
pub(super) fn unproven(host: &Host, hostname: Option<&str>, profile: &mut Profile) -> Unproven {
    let is_unproven = |module: &Module| {
        module.kind == ModuleKind::File
            && module.build_id.is_none()
            && module.unreadable == Some(Reason::IdentityUnproven)
    };
    let mut counted = Unproven::default();
    if !is_of(host, hostname) {
        let unproven = profile.modules.iter().filter(|module| is_unproven(module));
        counted.files = unproven.count();
        let places = profile.locations.iter().filter(|location| {
            let module = location.module.and_then(|index| profile.module(index));
            module.is_some_and(is_unproven)
        });
        counted.places = places.count();
        counted.hostname = hostname.map(str::to_owned);
    }
    let taken = profile.modules.iter().filter(|module| module.by_path);
    let taken: Vec<String> = taken
        .map(|module| module.path_lossy().into_owned())
        .collect();
    counted.by_path_alone = taken.len();
    for path in taken {
        let comment = format!("taken by its path alone, unproven: {path}");
        let comment = profile.strings.intern(&comment);
        profile.comments.push(comment);
    }
    counted
}

/// Returns whether a recording was made on this machine. One that does not say may
/// have been.
pub(super) fn is_of(host: &Host, hostname: Option<&str>) -> bool {
    hostname.is_none_or(|hostname| host.hostname.as_deref() == Some(hostname))
}
