//! A module with its bytes at hand.

use std::fs::File;
use std::sync::Arc;

use backsight_types::Module;

/// A module, and its bytes where they could be had and were asked for.
#[derive(Debug)]
#[non_exhaustive]
pub struct NormalizedModule {
    /// Its identity and layout: what is handed to another host.
    pub module: Module,
    /// Its bytes, to be handed to a symbolizer on this host.
    pub image: Option<ModuleImage>,
}

/// The bytes of a module, whose identity was proven.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ModuleImage {
    /// The open file. Shared, as clones of a `File` would share its position
    /// anyway; read it by offset.
    File(Arc<File>),
    /// The vDSO's image, copied out of the process.
    Bytes(Arc<[u8]>),
}
