//! The flags for looking up symbols that several commands share.

use std::path::{Path, PathBuf};

use backsight::{MapsOf, ModuleFiles};

use crate::debug_files::DebugFiles;
use crate::failure::{Done, Failure, Result};
use crate::fetchers::Fetchers;
use crate::jit_maps::JitMaps;
use crate::kept_indexes::KeptIndexes;
use crate::symbol_files::SymbolFilesFlag;
use crate::vmlinux::VmlinuxFlag;

/// How to look up symbols.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Symbols {
    #[command(flatten)]
    debug_files: DebugFiles,

    #[command(flatten)]
    pub(super) symbol_files: SymbolFilesFlag,

    #[command(flatten)]
    pub(super) vmlinux: VmlinuxFlag,

    #[command(flatten)]
    pub(super) index_dir: KeptIndexes,

    /// Whose lists of names of code that was made at run time are read (perf-PID.map,
    /// jit-PID.dump): of a recording, those beside it, in /tmp of each --root, and in /tmp;
    /// of a live process, its own. Another user may write there what they like
    #[arg(long, value_enum, value_name = "WHOSE", default_value_t)]
    jit_maps: JitMaps,

    /// Show only functions with code of their own, not those inlined into them
    #[arg(long)]
    no_inlines: bool,

    /// Look up names of functions alone, in symbol tables: no lines, no inlined functions, no debug
    /// information is read. Takes little time and memory for large files
    #[arg(long = "names", conflicts_with_all = ["no_inlines", "index_dir"])]
    names_alone: bool,

    /// Print on standard error where files were looked for, and why files that were found were
    /// not used
    #[arg(short, long)]
    pub(crate) verbose: bool,

    /// How the command spells that, where not `-v`.
    #[arg(skip)]
    verbose_flag: Option<&'static str>,

    /// The number of threads [default: the number of processors]
    #[arg(short, long, value_name = "N")]
    jobs: Option<usize>,
}

impl Symbols {
    /// The default lookup, with these flags for files.
    pub(crate) fn of(debug_files: DebugFiles, verbose: bool) -> Self {
        Self {
            debug_files,
            verbose,
            ..Self::default()
        }
    }

    /// With these symbol files.
    pub(crate) fn with_symbol_files(self, symbol_files: SymbolFilesFlag) -> Self {
        Self {
            symbol_files,
            ..self
        }
    }

    /// Whether symbol files were named.
    pub(crate) fn has_symbol_files(&self) -> bool {
        self.symbol_files.are_named()
    }

    /// The servers and buckets that are asked for files.
    pub(crate) fn fetchers(&self) -> &Fetchers {
        &self.debug_files.fetchers
    }

    /// Whose lists of names of code that was made at run time are read.
    pub(crate) fn maps_of(&self) -> MapsOf {
        self.jit_maps.into()
    }

    /// With the lists of these users.
    pub(crate) fn with_jit_maps(self, jit_maps: JitMaps) -> Self {
        Self { jit_maps, ..self }
    }

    /// In a command that spells `--verbose` so.
    pub(crate) fn with_verbose_flag(self, flag: &'static str) -> Self {
        Self {
            verbose_flag: Some(flag),
            ..self
        }
    }

    /// Returns the flag that shows more.
    pub(crate) fn verbose_flag(&self) -> &'static str {
        self.verbose_flag.unwrap_or("-v")
    }

    /// Reports files and directories that do not exist or cannot be used. The others are still
    /// used.
    pub(crate) fn check(&self) -> Done {
        let indexes = self.index_dir.check();
        let debug_files = self.debug_files.check();
        self.symbol_files.use_store(self.debug_files.store());
        let symbol_files = self.symbol_files.check();
        let checked = indexes.and(debug_files).and(symbol_files);
        checked.and(self.vmlinux.check())
    }

    /// As [`check`](Self::check), where files are found and no symbols are looked up.
    pub(crate) fn check_debug_files(&self) -> Done {
        self.debug_files.check()
    }

    /// Returns the file that the user named as the kernel's image.
    pub(crate) fn vmlinux(&self) -> Option<PathBuf> {
        self.vmlinux.path().map(Path::to_owned)
    }

    /// Sets the size of the thread pool.
    pub(crate) fn use_jobs(&self) -> Result<()> {
        let Some(jobs) = self.jobs else {
            return Ok(());
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs);
        let built = pool.build_global();
        built.map_err(|error| Failure::of(format_args!("-j {jobs}"), error))
    }

    /// Returns the options for the symbolizer.
    pub(crate) fn options(&self) -> backsight_symbolize::Options {
        self.debug_files
            .options()
            .with_symbol_files(self.symbol_files.files().cloned())
            .with_inlines(!self.no_inlines)
            .with_debug_info(!self.names_alone)
            .with_index_dir(self.index_dir.dir())
    }

    /// Returns where to find the files of modules in a capture, which this file has.
    pub(crate) fn files_of(&self, capture: &Path) -> ModuleFiles {
        self.files().with_recording(capture)
    }

    /// Returns the flag without which more functions are looked up, and what it leaves out.
    pub(crate) fn looks_up_less(&self) -> Option<&'static str> {
        match (self.no_inlines, self.names_alone) {
            (true, _) => Some("with --no-inlines, inlined functions are not looked up"),
            (_, true) => Some(
                "with --names, inlined functions are not looked up, nor is debug information read",
            ),
            _ => None,
        }
    }

    /// Returns where to find the files of modules of live processes.
    pub(crate) fn files(&self) -> ModuleFiles {
        ModuleFiles::of_this_host()
            .with_symbols(self.options())
            .with_trust_in_paths(self.debug_files.trust_paths)
            .with_vmlinux(self.vmlinux())
    }
}
