//! What the headers of a module's files say.

use backsight_types::{BuildId, Segments};

use super::LoadedFiles;

impl LoadedFiles {
    /// Returns the program headers of the module itself.
    pub(crate) fn segments(&self) -> Option<&Segments> {
        self.own.as_ref().ok()?.segments()
    }

    /// Returns the program headers of the module itself, or else of its debug file, of which
    /// addresses are right and places in the file are not.
    pub(crate) fn any_segments(&self) -> Option<&Segments> {
        let debug = || self.debug.as_ref()?.0.segments();
        self.segments().or_else(debug)
    }

    /// Returns the build ID of the module itself, or else of its debug file.
    pub(crate) fn build_id(&self) -> Option<BuildId> {
        let debug = || self.debug.as_ref()?.0.build_id();
        let own = self.own.as_ref().ok();
        own.and_then(|own| own.build_id()).or_else(debug)
    }
}
