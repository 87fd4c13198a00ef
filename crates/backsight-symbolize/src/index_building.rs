//! An index built of a module's files.

use backsight_types::BuildId;

use crate::error::Error;
use crate::module::Module;
use crate::options::Options;
use crate::request::Source;
use crate::symbol_index::SymbolIndex;

impl SymbolIndex {
    /// Reads a module and its debug file, and builds the index of it in rayon's
    /// current thread pool.
    ///
    /// `build_id` is the build ID that the module must have.
    ///
    /// # Errors
    /// Those of [`Symbolizer::load`](crate::Symbolizer::load), and
    /// [`Error::TooLarge`] for a module of 4 GiB of code or more, and
    /// [`Error::Oversized`] for one whose debug information takes more than
    /// [`Limits::unpacked_bytes`](crate::Limits::unpacked_bytes) and its ratio allow.
    pub fn build(
        source: Source,
        build_id: Option<BuildId>,
        options: &Options,
    ) -> Result<Self, Error> {
        let module = Module::new(source, build_id, None, false, options.clone().into());
        module.build_index()
    }
}
