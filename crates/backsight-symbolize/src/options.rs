//! How a symbolizer works, chosen once.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use backsight_files::Access;
use backsight_index::engine::Spelling;
use backsight_index::{IndexDir, ReadOptions, ViewOptions};

use crate::budget::Budget;
use crate::fetch::Fetch;
use crate::limits::Limits;
use crate::setters::setters;
use crate::symbol_files::SymbolFiles;

/// How a module's debug information is made searchable.
///
/// The answers are the same. Where a file contradicts itself (units that claim
/// what they do not hold, limits that are reached), they may differ in what they
/// leave out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tier {
    /// Unit by unit at first. Once enough addresses of a module were looked up that an index
    /// would have cost no more, the whole module is indexed.
    #[default]
    Auto,
    /// Unit by unit, each when an address first falls into it.
    Lazy,
    /// The whole module as one flat index, at its first lookup.
    Flat,
}

/// How a [`Symbolizer`](crate::Symbolizer) works.
///
/// ```
/// use backsight_symbolize::{Options, Tier};
///
/// let options = Options::default().with_inlines(false).with_tier(Tier::Flat);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Where separate debug files are looked for, each as
    /// `DIR/.build-id/xx/rest.debug`, and as the module's debug link says; the
    /// first that is proven to be the right one counts.
    pub debug_dirs: Vec<PathBuf>,
    /// The root directories that the modules' paths begin at, when it is not this
    /// process's own: those of containers, of an image or a chroot. Modules and separate
    /// files are looked for inside each, in this order, in each of `debug_dirs` and beside
    /// the module, then on the host. No symbolic link leads out of one. Wants `openat2`
    /// (Linux 5.6); without it, nothing is found inside.
    pub roots: Vec<PathBuf>,
    /// Fetch modules and debug files from elsewhere, by build ID: asked in this order when
    /// no directory has the file.
    pub fetchers: Vec<Arc<dyn Fetch>>,
    /// Symbol files in formats of their own (GSYM, Breakpad's). The one that says it is of
    /// a module's build ID is asked where the module's own files have no answer, and where
    /// they have a name alone; or alone, where there are none.
    pub symbol_files: Option<Arc<SymbolFiles>>,
    /// Whether files are opened by paths that stand in debug information: `.dwo`
    /// files, and the supplementary file of `dwz` other than by its build ID. They
    /// are used only if their content proves them, but the author of a file then chooses
    /// which paths of this host are tried.
    pub named_files: bool,
    /// Whether [`Frame::function`](crate::Frame::function) is demangled.
    pub demangle: bool,
    /// Whether inlined frames are given. Without them the physical function
    /// stands alone, at the line in it (not at the line inlined there).
    pub inlines: bool,
    /// Whether debug information is read. Without it a function's name comes from symbol tables,
    /// and from the function table of a Go program that has none; there are no lines and no inlined
    /// frames, no index is built or read, and of a large file only what leads to the names is
    /// touched. Symbol files that are named in `symbol_files` say what they know.
    pub debug_info: bool,
    /// What a hostile file may cost.
    pub limits: Limits,
    /// What may be kept between batches.
    pub budget: Budget,
    /// A directory of indexes. A module whose index is there is looked up in it, and
    /// none of its debug files are read: one that was [kept](IndexDir::keep) for its
    /// build ID, or one that was built from the same files. An index that is built is
    /// written to it, for these files alone, if the module has a build ID, all its debug
    /// information was found and is sound, no limit left something out, and none of the files can be
    /// changed by others than root and this process's user, nor is in one of `roots` alone.
    pub index_dir: Option<IndexDir>,
    /// How file bytes get into memory.
    pub access: Access,
    /// How debug information is made searchable.
    pub tier: Tier,
    /// The threads of a pool of the symbolizer's own, which is started when it first has more to
    /// do than one small batch in indexes. `None` uses rayon's current pool: the one whose
    /// `install` calls the symbolizer, or else the global one, which is then started, with a
    /// thread for each processor. With a number, the global pool is never started.
    pub threads: Option<NonZeroUsize>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            debug_dirs: vec![PathBuf::from("/usr/lib/debug")],
            roots: Vec::new(),
            fetchers: Vec::new(),
            symbol_files: None,
            named_files: true,
            demangle: true,
            inlines: true,
            debug_info: true,
            limits: Limits::default(),
            budget: Budget::default(),
            index_dir: None,
            access: Access::Auto,
            tier: Tier::Auto,
            threads: None,
        }
    }
}

impl Options {
    setters! {
        with_debug_dirs debug_dirs: Vec<PathBuf>,
        with_roots roots: Vec<PathBuf>,
        with_fetchers fetchers: Vec<Arc<dyn Fetch>>,
        with_symbol_files symbol_files: impl Into<Option<Arc<SymbolFiles>>>,
        with_named_files named_files: bool,
        with_demangle demangle: bool,
        with_inlines inlines: bool,
        with_debug_info debug_info: bool,
        with_limits limits: Limits,
        with_budget budget: Budget,
        with_index_dir index_dir: impl Into<Option<IndexDir>>,
        with_access access: Access,
        with_tier tier: Tier,
        with_threads threads: Option<NonZeroUsize>,
    }

    /// Returns how the answers of an index are shown.
    pub(crate) fn view(&self) -> ViewOptions {
        ViewOptions::default()
            .with_demangle(self.demangle)
            .with_inlines(self.inlines)
            .with_name_bytes(self.limits.name_bytes)
    }

    /// Returns how names are to be spelled.
    pub(crate) fn spelling(&self) -> Spelling {
        Spelling {
            demangle: self.demangle,
            limit: self.limits.name_bytes,
        }
    }
}

/// An index file is read as other files are.
impl From<&Options> for ReadOptions {
    fn from(options: &Options) -> Self {
        Self::default()
            .with_access(options.access)
            .with_file_bytes(options.limits.file_bytes)
    }
}
