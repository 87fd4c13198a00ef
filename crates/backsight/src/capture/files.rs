//! Completes recorded modules from files of this machine.

use backsight_elf::Headers;
use backsight_profile::Profile;
use backsight_types::{Module, ModuleKind, Reason};

use crate::find::{ModuleFiles, path_of};
use crate::headers::headers;
use crate::host::Host;

/// Fills in what the module's file has: its segments, needed for virtual offsets; its machine;
/// and its build ID if the recording has none.
///
/// Only a file that is proven to be the module's counts: by build ID, or else by device and
/// inode if the recording was made on this machine.
pub(super) fn learn(module: &mut Module, files: &ModuleFiles, trust_inodes: bool) {
    if module.kind == ModuleKind::Vdso {
        return learn_vdso(module, files);
    }
    if module.kind != ModuleKind::File || !files.may_open() {
        return;
    }
    let is_unproven = module.build_id.is_none() && !trust_inodes;
    if is_unproven && !files.trusts_paths() {
        // Device and inode numbers of another machine mean nothing here.
        module.unreadable = Some(Reason::IdentityUnproven);
        return;
    }
    module.by_path = is_unproven;
    match files.open(module) {
        Ok(opened) => {
            let Ok(headers) = headers(&opened, Some(path_of(module))) else {
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

/// The image of the vDSO is in memory.
fn learn_vdso(module: &mut Module, files: &ModuleFiles) {
    let image = module.build_id.and_then(|id| files.vdso_with(id));
    let headers = image.and_then(|image| Headers::parse(&image[..]).ok());
    if let Some(headers) = headers {
        module.arch = Some(headers.arch);
        module.segments = Some(headers.segments);
    }
}

/// Files of a recording whose identity could not be proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unproven {
    /// Files of a recording from another machine that has no build IDs for them. Addresses in
    /// them get no function names.
    pub files: usize,
    /// Distinct addresses in those files.
    pub places: usize,
    /// The host name in the recording. It is untrusted input.
    pub hostname: Option<String>,
    /// Files that were accepted by path alone.
    pub by_path_alone: usize,
    /// Files of live processes that were written to while these had them mapped.
    pub rewritten: usize,
}

/// Counts the files whose identity is not proven: those of another machine without build IDs,
/// and those accepted by path all the same. The latter are also listed in the profile's
/// comments.
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

/// Returns whether a recording was made on this machine. That is assumed if it has no host name.
pub(super) fn is_of(host: &Host, hostname: Option<&str>) -> bool {
    hostname.is_none_or(|hostname| host.hostname.as_deref() == Some(hostname))
}
