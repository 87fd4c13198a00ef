//! What the files of this machine say of modules that were recorded on it.

use std::path::Path;

use backsight_formats::escape::Terminal;
use backsight_types::profile::Profile;
use backsight_types::{Module, ModuleKind, Reason};
use nix::sys::utsname::uname;

use crate::failure::complain;
use crate::file::{self, Shown};
use crate::symbolize::find;

/// Fills in what the module's file says: its segments, so that virtual offsets are
/// known, its machine, and its build ID where the recording has none.
///
/// Only a file that is proven to be the one counts: by its build ID, or without one by
/// device and inode, as long as the recording was made here.
pub(super) fn learn(module: &mut Module, trust_inodes: bool) {
    if module.kind != ModuleKind::File {
        return;
    }
    let is_unproven = module.build_id.is_none() && !trust_inodes;
    if is_unproven && !find::trusts_paths() {
        // Numbers of another machine's disks say nothing here.
        module.unreadable = Some(Reason::IdentityUnproven);
        return;
    }
    module.by_path = is_unproven;
    match find::open_proven(module) {
        Ok(opened) => {
            let Ok(headers) = file::headers(&opened) else {
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

/// Says of how many files of a recording nothing is known, because it is of another
/// machine and has no build IDs of them; or that they were taken all the same, which the
/// profile says as well.
pub(super) fn say_unproven(name: &Path, hostname: Option<&str>, profile: &mut Profile) {
    let is_unproven = |module: &Module| {
        module.kind == ModuleKind::File
            && module.build_id.is_none()
            && module.unreadable == Some(Reason::IdentityUnproven)
    };
    let unproven = profile.modules.iter().filter(|module| is_unproven(module));
    let (unproven, host) = (unproven.count(), hostname.unwrap_or("another machine"));
    let places = profile.locations.iter().filter(|location| {
        let module = location.module.and_then(|index| profile.module(index));
        module.is_some_and(is_unproven)
    });
    let places = places.count();
    if unproven > 0 && !is_this_host(hostname) {
        let host = Terminal(host.as_bytes());
        complain(format_args!(
            "{}: recorded on {host}, without build IDs of {unproven} files: {places} places in \
             them get no functions, as nothing says which files they were. Record with \
             --buildid-mmap; or --trust-paths takes what stands under their paths, unproven",
            Shown(name)
        ));
    }
    let taken: Vec<String> = profile
        .modules
        .iter()
        .filter(|module| module.by_path)
        .map(|module| module.path_lossy().into_owned())
        .collect();
    if taken.is_empty() {
        return;
    }
    complain(format_args!(
        "{}: {} files were taken by their paths alone (--trust-paths)",
        Shown(name),
        taken.len()
    ));
    for path in taken {
        let comment = format!("taken by its path alone, unproven: {path}");
        let comment = profile.strings.intern(&comment);
        profile.comments.push(comment);
    }
}

/// Returns whether a recording was made on this machine. One that does not say may
/// have been.
pub(super) fn is_this_host(hostname: Option<&str>) -> bool {
    let Some(hostname) = hostname else {
        return true;
    };
    uname().is_ok_and(|here| here.nodename().to_str() == Some(hostname))
}
