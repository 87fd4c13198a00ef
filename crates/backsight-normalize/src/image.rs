//! A module, and the bytes of its file.

use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use backsight_files::FileError;
use backsight_types::Module;

/// A module, and its bytes if they were requested and could be read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NormalizedModule {
    /// Its identity and layout, to be sent to another host.
    pub module: Module,
    /// Where it is in its file, in bytes, if it is the member of an archive: a library that is
    /// mapped from inside an APK. Its path then ends in `!/` and the member's name, and file
    /// offsets count from the start of the member. `None` for a file that is the module.
    pub member: Option<Range<u64>>,
    /// Why the contents of its file could not be used, if its file could be opened and is an
    /// archive; without a path. [`Module::unreadable`] is then set.
    pub problem: Option<FileError>,
    /// Its bytes, for a symbolizer on this host.
    pub image: Option<ModuleImage>,
}

/// The bytes of a module, whose identity was proven.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ModuleImage {
    /// The open file; the archive if the module is a member of one. It is shared because clones
    /// of a `File` would share its position anyway: read it by offset.
    File(Arc<File>),
    /// The vDSO's image, copied out of the process.
    Bytes(Arc<[u8]>),
}
