//! What is known of a machine, so that recordings that were made on it are told apart
//! from those of others.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use backsight_elf::Headers;
use backsight_types::BuildId;
use nix::sys::utsname::uname;
use vma_query::{Filter, NameBuf, ProcMaps, VmaName};

/// As large as the notes of a kernel come, many times over.
const MAX_NOTES: u64 = 1 << 20;

/// A vDSO has a few pages.
const MAX_VDSO: u64 = 1 << 20;

/// A machine, as far as it is known.
///
/// [`Host::default`] knows nothing: no recording is of it. [`Host::this`] looks at the
/// machine that it runs on.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Host {
    /// Its name, as `uname -n` says it.
    pub hostname: Option<String>,
    /// The release of its kernel, as `uname -r` says it.
    pub kernel_release: Option<String>,
    /// What it is called by `uname -m`.
    pub machine: Option<String>,
    /// The build ID of its kernel.
    pub kernel_build_id: Option<BuildId>,
    /// The list of its kernel's symbols, in the form of `/proc/kallsyms`. Opened when a
    /// recording of this kernel is read.
    pub kallsyms: Option<PathBuf>,
    /// Where just-in-time compilers leave lists of names, `perf-PID.map`.
    pub perf_maps: Option<PathBuf>,
    /// The ELF image that its kernel maps into each process.
    pub vdso: Option<Arc<[u8]>>,
}

impl Host {
    /// Looks at this machine: `uname`, `/sys/kernel/notes`, and what the kernel has mapped
    /// into this process. What cannot be read stays unknown.
    pub fn this() -> Self {
        let mut host = Self {
            kernel_build_id: running_build_id(),
            kallsyms: Some(PathBuf::from("/proc/kallsyms")),
            perf_maps: Some(PathBuf::from("/tmp")),
            vdso: own_vdso().map(Arc::from),
            ..Self::default()
        };
        if let Ok(here) = uname() {
            let text = |text: &std::ffi::OsStr| text.to_str().map(str::to_owned);
            host.hostname = text(here.nodename());
            host.kernel_release = text(here.release());
            host.machine = text(here.machine());
        }
        host
    }

    /// Returns the image of the vDSO, if it has this build ID.
    pub(crate) fn vdso_with(&self, wanted: BuildId) -> Option<Arc<[u8]>> {
        let image = self.vdso.as_ref()?;
        let headers = Headers::parse(&image[..]).ok()?;
        (headers.build_id == Some(wanted)).then(|| Arc::clone(image))
    }
}

fn running_build_id() -> Option<BuildId> {
    let notes = File::open("/sys/kernel/notes").ok()?;
    let mut bytes = Vec::new();
    notes.take(MAX_NOTES).read_to_end(&mut bytes).ok()?;
    backsight_elf::build_id_in_notes(&bytes)
}

fn own_vdso() -> Option<Vec<u8>> {
    let maps = ProcMaps::open_self().ok()?;
    let (mut code, mut name) = (maps.vmas().only(Filter::EXECUTABLE), NameBuf::new());
    while let Some(Ok(vma)) = code.next_named(&mut name) {
        if name.name() != VmaName::Vdso {
            continue;
        }
        let size = vma.range().size().min(MAX_VDSO);
        let mut image = vec![0; usize::try_from(size).ok()?];
        let memory = File::open("/proc/self/mem").ok()?;
        memory.read_exact_at(&mut image, vma.start.0).ok()?;
        return Some(image);
    }
    None
}
