//! Files that fetchers bring, proven by their build IDs.

use std::fs::File;

use backsight_types::BuildId;

use super::module;
use super::search::{FileSearch, LocatedFile};
use super::site::Site;
use crate::elf::ElfFile;
use crate::error::{Cause, Error};
use crate::fetch::{Fetched, Wanted};
use crate::sought::SoughtKind;

impl FileSearch<'_> {
    /// Returns the debug file of this build ID that a fetcher brings.
    pub(super) fn fetched_debug_file(self, id: &BuildId) -> Option<LocatedFile> {
        self.fetched_elf(SoughtKind::DebugFile, id)
    }

    /// Returns the supplementary file of this build ID that a fetcher brings.
    pub(super) fn fetched_supplementary(self, id: &BuildId) -> Option<LocatedFile> {
        self.fetched_elf(SoughtKind::Supplementary, id)
    }

    fn fetched_elf(self, kind: SoughtKind, id: &BuildId) -> Option<LocatedFile> {
        let limit = self.options.limits.file_bytes;
        self.each_fetched(kind, id, |fetched| {
            let elf = ElfFile::read(&fetched.file, None, limit, self.options)?;
            match elf.build_id() == Some(*id) {
                true => Ok(elf),
                false => Err(Cause::other_build(elf.build_id().as_ref(), id).into()),
            }
        })
        .map(|(elf, site)| LocatedFile { elf, site })
    }

    /// Returns the module of this build ID that a fetcher brings.
    pub(super) fn fetched_module(self, id: &BuildId) -> Option<File> {
        let proven = self.each_fetched(SoughtKind::Module, id, |fetched| {
            module::prove(&fetched.file, None, id, self.options)?;
            Ok(fetched.file.try_clone()?)
        });
        proven.map(|(file, _)| file)
    }

    fn each_fetched<T>(
        self,
        kind: SoughtKind,
        id: &BuildId,
        prove: impl Fn(&Fetched) -> Result<T, Error>,
    ) -> Option<(T, Site)> {
        let path = self.base.module_path();
        let wanted = Wanted {
            kind,
            build_id: id,
            path,
        };
        self.options.fetchers.iter().find_map(|fetcher| {
            let fetched = match fetcher.fetch(&wanted) {
                Ok(fetched) => fetched?,
                Err(error) => {
                    let site = Site::of_fetched(&error.name);
                    self.base
                        .note(kind, &site, Err(Error::new("fetch", None, error)));
                    return None;
                }
            };
            let site = Site::of_fetched(&fetched.name);
            let proven = prove(&fetched);
            let outcome = proven.as_ref().map(drop).map_err(Clone::clone);
            self.base.note(kind, &site, outcome);
            Some((proven.ok()?, site))
        })
    }
}
