//! Reports archives, such as an APK, that a process runs code of and that could not be used.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use backsight_normalize::NormalizedModule;

use crate::failure::complain;
use crate::file::Shown;

/// Reports each archive once.
#[derive(Debug, Default)]
pub(crate) struct ArchiveProblems {
    reported: HashSet<Vec<u8>>,
}

impl ArchiveProblems {
    /// Reports those of these modules that are new.
    pub(crate) fn report_of(&mut self, modules: &[NormalizedModule]) {
        let modules = modules.iter();
        self.report(
            modules
                .filter_map(|known| Some((&*known.module.path, known.problem.as_ref()?.error()))),
        );
    }

    /// Reports those of these paths and causes that are new.
    pub(crate) fn report<'a>(
        &mut self,
        all: impl Iterator<Item = (&'a [u8], &'a backsight_files::Error)>,
    ) {
        for (path, cause) in all {
            if self.reported.insert(path.to_owned()) {
                let path = Shown(Path::new(OsStr::from_bytes(path)));
                complain(format_args!("{path}: {cause}"));
            }
        }
    }
}
