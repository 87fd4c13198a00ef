//! Whether separate debug files are installed in the default directories.

use std::fs;
use std::path::Path;

use super::finding::Finding;
use super::inspected_proc::InspectedProc;

pub(super) fn check(_: &InspectedProc) -> Finding {
    let dirs = backsight_symbolize::Options::default().debug_dirs;
    let full = dirs.iter().find(|dir| has_build_ids(dir));
    match full {
        Some(dir) => Finding::ok(format!("{}/.build-id has debug files", dir.display())),
        None => Finding::missing(
            "none are installed: files of the distribution get at most function names, \
             without lines and inlined functions",
            "install debug packages (libc6-dbg, *-dbgsym, *-debuginfo), or give their \
             directory with --debug-dir",
        ),
    }
}

/// Whether there is a directory for the first byte of a build ID.
fn has_build_ids(dir: &Path) -> bool {
    fs::read_dir(dir.join(".build-id")).is_ok_and(|mut entries| entries.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::has_build_ids;

    #[test]
    fn an_empty_folder_has_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!has_build_ids(dir.path()));
        std::fs::create_dir(dir.path().join(".build-id")).unwrap();
        assert!(!has_build_ids(dir.path()));
        std::fs::create_dir(dir.path().join(".build-id/77")).unwrap();
        assert!(has_build_ids(dir.path()));
    }
}
