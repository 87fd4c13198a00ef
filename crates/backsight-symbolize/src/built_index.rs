//! An index built of a module's files, and what was found on the way.

use backsight_index::SymbolIndex;
use backsight_types::BuildId;

use crate::error::Error;
use crate::module::SymbolModule;
use crate::options::Options;
use crate::oversized::Oversized;
use crate::request::ModuleInput;
use crate::shortfall::Shortfall;
use crate::sought::Sought;
use crate::threads::Threads;

/// An index built of a module's files, and what was found on the way.
#[derive(Debug)]
#[non_exhaustive]
pub struct BuiltIndex {
    /// The index.
    pub index: SymbolIndex,
    /// Which files were looked for, and why those that were there did not count.
    pub sought: Vec<Sought>,
    /// Files that were too large to be read.
    pub oversized: Vec<Oversized>,
    /// What it lacks of the module's debug information because a file was not found or is
    /// damaged.
    pub shortfalls: Vec<Shortfall>,
}

impl BuiltIndex {
    /// Reads a module and its debug file, and builds the index of it, in
    /// [`Options::threads`].
    ///
    /// `build_id` is the build ID that the module must have.
    ///
    /// # Errors
    /// Those of [`Symbolizer::load`](crate::Symbolizer::load), and
    /// [`Cause::TooLarge`](crate::Cause::TooLarge) for a module of 4 GiB of code or more, and
    /// [`Cause::Oversized`](crate::Cause::Oversized) for one whose debug information takes more than
    /// [`Limits::unpacked_bytes`](crate::Limits::unpacked_bytes) and its ratio allow.
    pub fn of(
        input: ModuleInput,
        build_id: Option<BuildId>,
        options: &Options,
    ) -> Result<Self, Error> {
        let threads = Threads::new(options.threads);
        let module = SymbolModule::new(input, build_id, None, None, options.clone().into());
        Ok(Self {
            index: threads.run(|| module.build_index())?,
            sought: module.sought(),
            oversized: module.oversized(),
            shortfalls: module.shortfalls(),
        })
    }
}
