//! The symbol file of a module's build.

use std::path::Path;
use std::sync::Arc;

use backsight_types::VirtOffset;

use super::SymbolModule;
use crate::files::{LoadedFiles, ModuleOrigin};
use crate::request::ModuleInput;
use crate::sought::SoughtKind;
use crate::source::Turn;

impl SymbolModule {
    /// Adds the symbol file of the module's build, the first time, and returns whether
    /// there is one.
    pub(super) fn join_symbol_file(
        &self,
        origin: &ModuleOrigin,
        files: Option<&LoadedFiles>,
    ) -> bool {
        *self.has_symbol_file.get_or_init(|| {
            let given = match origin {
                ModuleOrigin::Input(ModuleInput::BuildId(id)) => Some(*id),
                _ => self.expected,
            };
            let id = given.or_else(|| files?.build_id());
            let all = self.options.symbol_files.as_deref().zip(id);
            let Some((all, id)) = all else {
                return false;
            };
            let found = all.find(&id, self.options.access, &self.options.limits);
            let file = match found {
                Ok(Some(file)) => file,
                Ok(None) => return false,
                Err(error) => {
                    let path = error.path().unwrap_or(Path::new("")).to_owned();
                    self.log.note(SoughtKind::SymbolFile, path, Err(error));
                    return false;
                }
            };
            if let Some(path) = file.path() {
                self.log
                    .note(SoughtKind::SymbolFile, path.to_owned(), Ok(()));
            }
            let given = self.given_segments.as_ref();
            let segments = given.or_else(|| files?.any_segments());
            let first = segments.and_then(|segments| segments.as_slice().first());
            let first = first.map_or(VirtOffset(0), |first| first.virt_offset);
            self.add_source(Turn::After, Arc::new(file.with_load_address(first)));
            true
        })
    }
}
