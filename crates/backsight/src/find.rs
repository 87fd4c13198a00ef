//! Finds the file of a module that was captured earlier or on another machine.
//!
//! A capture has only the file's path, and another file may be at that path now or on this host.
//! So a file counts only if it has the module's build ID or, if the capture has none, its device
//! and inode, and was not written to since. It is looked for inside the given roots, on this host, and in debug directories (of
//! which perf's cache is one to the command). An unproven file is not used for names: no name is better than a wrong one.
//!
//! The process of an earlier recording is not used to find its files. Its PID may have been reused,
//! and the new process may have mapped a file with any build ID. If you know that the process is
//! still alive, name its root: `--root /proc/PID/root`. Who records opens them while the process
//! lives (`held_files.rs`).

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::BufReader;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use backsight_files::{ArchiveMember, By};
use backsight_symbolize::{Cause, Kallsyms, ModuleInput, Options, Symbolizer};
use backsight_types::{AbsAddr, BuildId, Device, Module, ModuleKind, Reason};
use nix::sys::stat::{major, minor};

use crate::held_files::HeldFiles;
use crate::host::Host;
use crate::jit::held_maps::HeldMaps;
use crate::kernel::{
    IMAGE_PATH, Installed, KernelFiles, KernelOptions, ModuleNames, RunningKernel, kernel_module_of,
};
use crate::lookup::Known;

/// Where the files of modules are looked for, and what proves their identity.
///
/// The default looks in the usual places of this machine, but does not treat any recording as
/// made here: use [`ModuleFiles::of_this_host`] for that.
#[derive(Clone, Debug, Default)]
pub struct ModuleFiles {
    options: Options,
    trust_paths: bool,
    /// Whether no file of a module is opened.
    is_closed: bool,
    /// When the recording was last written to.
    recorded_until: Option<SystemTime>,
    vmlinux: Option<PathBuf>,
    host: Host,
    /// Shared by copies, since listing it takes a while.
    kernel: Arc<HostKernel>,
    /// Files of processes that are being recorded. Shared by copies: the recorder fills it.
    held: Arc<HeldFiles>,
    held_maps: Arc<HeldMaps>,
}

/// What is known of the host's kernel, and of those that are installed.
#[derive(Debug, Default)]
struct HostKernel {
    installed: Installed,
    /// Its list of symbols, which the kernel takes a while to print. `None` if it cannot be read.
    list: OnceLock<Option<Arc<Kallsyms>>>,
    /// `None` if it lists no symbols for this user.
    running: OnceLock<Option<Arc<RunningKernel>>>,
}

impl ModuleFiles {
    /// Looks in the usual places of this machine, and uses its vDSO, kernel and host name.
    #[must_use]
    pub fn of_this_host() -> Self {
        Self::default().with_host(Host::this())
    }

    /// Sets what is known about this machine. Files of recordings made on it are proven by
    /// device and inode, too; its vDSO is used for modules with the same build ID; and its
    /// kernel's functions get names.
    #[must_use]
    pub fn with_host(self, host: Host) -> Self {
        let kernel = Arc::new(HostKernel {
            installed: Installed::all(host.kernel_release.as_deref()),
            ..HostKernel::default()
        });
        Self {
            host,
            kernel,
            ..self
        }
    }

    /// Sets the options of the symbolizer, such as roots and debug directories.
    #[must_use]
    pub fn with_symbols(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// Sets whether a file is accepted by its path alone, if neither a build ID nor device and
    /// inode can prove its identity. Names may then be those of another version.
    #[must_use]
    pub fn with_trust_in_paths(self, trust_paths: bool) -> Self {
        Self {
            trust_paths,
            ..self
        }
    }

    /// Sets the file of the recording or capture, or the directory that `perf record --threads`
    /// wrote. A module's file that was last written to (`st_mtime`) after it is another one by
    /// now: `cp new.so old.so` keeps device and inode. A build ID proves it all the same.
    #[must_use]
    pub fn with_recording(self, path: impl AsRef<Path>) -> Self {
        let (path, data) = (path.as_ref(), path.as_ref().join("data"));
        let metadata = std::fs::metadata(data).or_else(|_| std::fs::metadata(path));
        let metadata = metadata.ok().filter(Metadata::is_file);
        Self {
            recorded_until: metadata.and_then(|it| it.modified().ok()),
            ..self
        }
    }

    /// Opens no file of a module: a recorder then has build IDs and offsets only, which are looked
    /// up elsewhere.
    #[must_use]
    pub fn without_files(self) -> Self {
        Self {
            is_closed: true,
            ..self
        }
    }

    /// Whether files of modules may be opened.
    pub(crate) fn may_open(&self) -> bool {
        !self.is_closed
    }

    /// Sets a file that is looked at before the usual places of `vmlinux`, as this host names it.
    /// It counts for a kernel with its build ID.
    #[must_use]
    pub fn with_vmlinux(self, vmlinux: Option<PathBuf>) -> Self {
        Self { vmlinux, ..self }
    }

    /// Returns the files of processes that are being recorded.
    pub(crate) fn held(&self) -> &HeldFiles {
        &self.held
    }

    /// Returns where processes that are being recorded leave lists of names.
    pub(crate) fn held_maps(&self) -> &HeldMaps {
        &self.held_maps
    }

    /// Returns the options of the symbolizer.
    pub fn symbols(&self) -> &Options {
        &self.options
    }

    /// Returns what is known about this machine.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Whether a file is accepted by its path alone if nothing better is known.
    pub(crate) fn trusts_paths(&self) -> bool {
        self.trust_paths
    }

    /// Adds a module to the symbolizer, with its file if it can be found.
    pub fn introduce(&self, symbolizer: &Symbolizer, module: &Module) -> Known {
        let found = match module.kind {
            ModuleKind::File => self.file_of(module),
            ModuleKind::Vdso => self.vdso_of(module),
            ModuleKind::Kernel => return self.introduce_kernel(symbolizer, module),
            ModuleKind::Anonymous => Err(Reason::Anonymous),
            // Nothing says where its bytes are.
            _ => Err(Reason::Unreadable),
        };
        match found {
            Ok((input, by_path_alone)) => Known {
                by_path_alone,
                ..Known::readable_in(symbolizer, input, module, self.roots_of(module))
            },
            Err(otherwise) => Known::by_build_id(symbolizer, module, otherwise),
        }
    }

    /// Returns the root directories in which debug files of a module are looked for, where they are
    /// not those of the options: that of the process which has mapped it.
    fn roots_of(&self, module: &Module) -> Option<Vec<PathBuf>> {
        let is_named = !self.options.roots.is_empty();
        let root = self.held.root_of(module).filter(|_| !is_named)?;
        Some(vec![root])
    }

    /// Adds the image or a module of a kernel, of this host or of another.
    fn introduce_kernel(&self, symbolizer: &Symbolizer, module: &Module) -> Known {
        let running = self.running_kernel(module);
        let names = running.and_then(|kernel| ModuleNames::of_captured(kernel, module));
        let files = KernelFiles {
            options: &self.options,
            installed: &self.kernel.installed,
            trust_paths: self.trust_paths,
            vmlinux: self.vmlinux.as_deref(),
            names,
        };
        files.introduce(symbolizer, module)
    }

    /// Returns the host's kernel, if the module may be its own.
    fn running_kernel(&self, module: &Module) -> Option<&Arc<RunningKernel>> {
        let is_image = module.path == IMAGE_PATH;
        if module.build_id.is_none() || is_image && module.build_id != self.host.kernel_build_id {
            return None;
        }
        self.running()
    }

    /// Returns the host's kernel, if it lists its symbols.
    pub(crate) fn running(&self) -> Option<&Arc<RunningKernel>> {
        let root = self.host.kernel_root.as_ref()?;
        let open = || {
            let options = KernelOptions::default()
                .with_root(root.clone())
                .with_symbols(self.options.clone())
                .with_vmlinux(self.vmlinux.clone());
            let is_same = self.host.kallsyms == Some(root.join("proc/kallsyms"));
            match self.list_of_host().filter(|_| is_same) {
                Some(list) => Some(RunningKernel::listed(options, list)),
                None => RunningKernel::open(options).ok(),
            }
        };
        let running = &self.kernel.running;
        running.get_or_init(|| open().map(Arc::new)).as_ref()
    }

    /// Returns the symbols that the host's kernel lists, if this user may see them.
    pub(crate) fn list_of_host(&self) -> Option<Arc<Kallsyms>> {
        let read = || {
            let list = File::open(self.host.kallsyms.as_ref()?).ok()?;
            Some(Arc::new(Kallsyms::read(BufReader::new(list)).ok()?))
        };
        self.kernel.list.get_or_init(read).clone()
    }

    /// Returns the build ID of the module of the host's kernel that has this path in a capture,
    /// if it is loaded at this address.
    pub(crate) fn build_id_of_loaded(&self, path: &[u8], start: AbsAddr) -> Option<BuildId> {
        let name = kernel_module_of(path)?;
        self.running()?.loaded_at(&name, start)?.build_id
    }

    fn file_of(&self, module: &Module) -> Result<(ModuleInput, bool), Reason> {
        if let Some(file) = self.held.of(module) {
            let path = Some(path_of(module).to_owned());
            return Ok((ModuleInput::File { file, path }, false));
        }
        let file = self.open(module)?;
        let by_path_alone =
            module.build_id.is_none() && !module.by_path && !is_same_file(&file, module);
        let input = ModuleInput::File {
            file: Arc::new(file),
            path: Some(path_of(module).to_owned()),
        };
        Ok((input, by_path_alone))
    }

    /// Opens the file of a module, if it is proven to be the module's. Of a module whose path is
    /// that of an archive's member, it is the archive, unless the member was extracted.
    ///
    /// # Errors
    /// The reason why there is no such file.
    pub fn open(&self, module: &Module) -> Result<File, Reason> {
        if let Some(file) = self.held.of(module) {
            return file.try_clone().map_err(|_| Reason::Unreadable);
        }
        let path = path_of(module);
        let refusal = self.held.refusal(module);
        if refusal == Some(Reason::IdentityUnproven) && !self.trust_paths {
            return Err(Reason::IdentityUnproven);
        }
        let otherwise = match module.deleted {
            true => Reason::Deleted,
            false => refusal.unwrap_or(Reason::Unreadable),
        };
        let Some(id) = module.build_id else {
            let found = self.open_same(module, path);
            return found.map_err(|reason| reason.unwrap_or(otherwise));
        };
        let found = backsight_symbolize::open_module(Some(path), id, &self.options);
        found.map_err(|error| match error.cause() {
            Cause::OtherBuild { .. } => Reason::IdentityUnproven,
            // A path without a leading `/`, such as `[heap]`, does not name a file of this host.
            _ if !path.is_absolute() => module.unreadable.unwrap_or(Reason::Unreadable),
            _ => otherwise,
        })
    }

    /// Opens the debug file of a module whose own file was found.
    pub fn open_debug_file(&self, file: &File, module: &Module) -> Option<File> {
        backsight_symbolize::open_debug_file(file, Some(path_of(module)), &self.options)
    }

    /// Opens the file with the module's device and inode; or the file at its path, if paths are
    /// trusted.
    fn open_same(&self, module: &Module, path: &Path) -> Result<File, Option<Reason>> {
        if !path.is_absolute() {
            return Err(Some(module.unreadable.unwrap_or(Reason::Unreadable)));
        }
        // Device and inode numbers of another machine prove nothing here; the capture marks such
        // modules.
        if module.unreadable == Some(Reason::IdentityUnproven) && !self.trust_paths {
            return Err(Some(Reason::IdentityUnproven));
        }
        let is_it = |file: &File| {
            let is_same = || {
                is_same_file(file, module)
                    && !self.is_written_since(file)
                    && self.held.is_unchanged(module, file)
            };
            self.trust_paths || is_same()
        };
        let roots = self.options.roots.iter();
        let mut inside = roots.filter_map(|root| {
            let open = |path: &Path| backsight_files::open_inside(root, path);
            ArchiveMember::open_archive_or_file(path, open).ok()
        });
        if let Some(file) = inside.find(is_it) {
            return Ok(file);
        }
        let open = |path: &Path| backsight_files::open(path, By::File);
        let file = ArchiveMember::open_archive_or_file(path, open).map_err(|_| None)?;
        match is_it(&file) {
            true => Ok(file),
            false => Err(Some(Reason::IdentityUnproven)),
        }
    }

    /// Whether a file was written to after the recording.
    fn is_written_since(&self, file: &File) -> bool {
        let until = || {
            let written = file.metadata().ok()?.modified().ok()?;
            Some(written > self.recorded_until?)
        };
        until().unwrap_or(false)
    }

    /// All processes under one kernel have the same vDSO image for a given ABI; the build ID
    /// tells whether this host's is the captured one.
    fn vdso_of(&self, module: &Module) -> Result<(ModuleInput, bool), Reason> {
        let wanted = module.build_id.ok_or(Reason::VdsoNoSymbols)?;
        let image = self.vdso_with(wanted).ok_or(Reason::VdsoNoSymbols)?;
        Ok((ModuleInput::Bytes(image), false))
    }

    /// Returns the vDSO image with this build ID: the host's, or that of a process that was
    /// recorded.
    pub(crate) fn vdso_with(&self, wanted: BuildId) -> Option<Arc<[u8]>> {
        let own = self.host.vdso_with(wanted);
        own.or_else(|| self.held.vdso(wanted))
    }
}

pub(crate) fn path_of(module: &Module) -> &Path {
    Path::new(OsStr::from_bytes(&module.path))
}

fn is_same_file(file: &File, module: &Module) -> bool {
    file.metadata().is_ok_and(|metadata| {
        let device = metadata.dev();
        let same = |number: u64, known: u32| number == u64::from(known);
        let Device {
            major: ma,
            minor: mi,
        } = module.device;
        module.inode != 0
            && metadata.ino() == module.inode
            && same(major(device), ma)
            && same(minor(device), mi)
    })
}
