//! How a profile is read.

use backsight_symbolize::Options;

use super::format::ProfileFormat;
use crate::jit::options::MapsOf;

/// How a [`ProfileFile`](crate::ProfileFile) is read and symbolized.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ProfileFileOptions {
    /// Its format; recognized by its begin or else by its name by default.
    pub format: Option<ProfileFormat>,
    /// Whether samples keep their times. Without it, samples that differ only in time are summed,
    /// and formats that have times are not written.
    pub times: bool,
    /// Whether a file is accepted by its path alone, if neither a build ID nor device and inode
    /// can prove that it is the recorded one.
    pub trust_paths: bool,
    /// Whose lists of names of code that was made at run time are read.
    pub maps: MapsOf,
    /// The event of a recording whose samples are taken; all by default.
    pub event: Option<String>,
    /// Limit of memory for formats that are read as a whole, in bytes.
    pub max_memory: Option<u64>,
    /// Where files and names are looked for. All work is done by as many threads as it says, one
    /// by default.
    pub symbols: Options,
}

impl ProfileFileOptions {
    /// Sets the format.
    #[must_use]
    pub fn with_format(self, format: Option<ProfileFormat>) -> Self {
        Self { format, ..self }
    }

    /// Sets whether samples keep their times.
    #[must_use]
    pub fn with_times(self, times: bool) -> Self {
        Self { times, ..self }
    }

    /// Sets whether a file may be accepted by its path alone.
    #[must_use]
    pub fn with_trust_paths(self, trust_paths: bool) -> Self {
        Self {
            trust_paths,
            ..self
        }
    }

    /// Names code that processes of these users made at run time.
    #[must_use]
    pub fn with_maps_of(self, maps: MapsOf) -> Self {
        Self { maps, ..self }
    }

    /// Takes the samples of one event alone.
    #[must_use]
    pub fn with_event(self, event: Option<String>) -> Self {
        Self { event, ..self }
    }

    /// Sets the limit of memory for formats that are read as a whole.
    #[must_use]
    pub fn with_max_memory(self, max_memory: Option<u64>) -> Self {
        Self { max_memory, ..self }
    }

    /// Sets where files and names are looked for.
    #[must_use]
    pub fn with_symbols(self, symbols: Options) -> Self {
        Self { symbols, ..self }
    }
}
