//! Files of a normalized recording that nobody can find again by what the output has of them.

use std::collections::HashSet;

use backsight_profile::Profile;
use backsight_types::ModuleKind;

use crate::convert::Output;

/// Returns what to say of the files with samples that have no build ID, if the format has room for
/// nothing else that proves which files they are: NDJSON has device and inode.
pub(super) fn unidentified(profile: &Profile, to: Output) -> Option<String> {
    if to == Output::Ndjson {
        return None;
    }
    let used = profile.locations.iter().filter(|it| it.frames.len == 0);
    let used: HashSet<_> = used.filter_map(|it| it.module).collect();
    let is_file = |module: &&backsight_types::Module| {
        module.kind == ModuleKind::File && module.build_id.is_none()
    };
    let modules = used.iter().filter_map(|index| profile.module(*index));
    let mut paths: Vec<_> = modules.filter(is_file).map(|it| it.path_lossy()).collect();
    paths.sort_unstable();
    let first = paths.first()?;
    let files = match paths.len() {
        1 => format!("{first} has no build ID"),
        count => format!("{count} files have no build ID ({first} is one)"),
    };
    let lost = "its functions get no names from this format later";
    Some(format!(
        "{files}: {lost}; .ndjson has device and inode, which prove it on this machine"
    ))
}
