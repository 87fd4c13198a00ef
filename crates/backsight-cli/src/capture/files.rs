//! What the files of this machine say of modules that were recorded on it.

use backsight_types::{Module, ModuleKind, Reason};
use nix::sys::utsname::uname;

use crate::file;
use crate::symbolize::find;

/// Fills in what the module's file says: its segments, so that virtual offsets are
/// known, its machine, and its build ID where the recording has none.
///
/// Only a file that is proven to be the one counts: by its build ID, or without one by
/// device and inode, as long as the recording was made here.
pub(super) fn learn(module: &mut Module, trust_inodes: bool) {
    if module.kind != ModuleKind::File || (module.build_id.is_none() && !trust_inodes) {
        return;
    }
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
        Err(reason) => module.unreadable = Some(reason),
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
