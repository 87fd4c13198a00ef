//! What is known about a machine; tells whether a recording was made on it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use backsight_elf::Headers;
use backsight_types::BuildId;
use backsight_types::trace::Mmap;
use nix::sys::utsname::uname;
use vma_query::{Filter, NameBuf, ProcMaps, VmaName};

/// Many times the size of a kernel's notes.
const MAX_NOTES_BYTES: u64 = 1 << 20;

/// A vDSO has a few pages.
const MAX_VDSO_BYTES: u64 = 1 << 20;

/// What is known about a machine.
///
/// [`Host::default`] has no information: no recording counts as made on it. [`Host::this`]
/// describes the machine that the program runs on.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Host {
    /// Its host name, as printed by `uname -n`.
    pub hostname: Option<String>,
    /// The release of its kernel, as printed by `uname -r`.
    pub kernel_release: Option<String>,
    /// Its architecture, as printed by `uname -m`.
    pub machine: Option<String>,
    /// The build ID of its kernel.
    pub kernel_build_id: Option<BuildId>,
    /// A file with its kernel's symbols, in the format of `/proc/kallsyms`. It is opened only
    /// when a recording of this kernel is read.
    pub kallsyms: Option<PathBuf>,
    /// The directory with `proc`, `sys`, `boot` and `lib` of its kernel. They are read only when
    /// an address of this kernel or of one of its modules, by build ID, is looked up that its
    /// files do not name.
    pub kernel_root: Option<PathBuf>,
    /// Where just-in-time compilers leave lists of names, `perf-PID.map`.
    pub perf_maps: Option<PathBuf>,
    /// The ELF image of its kernel's vDSO.
    pub vdso: Option<Arc<[u8]>>,
}

impl Host {
    /// Describes this machine, from `uname`, `/sys/kernel/notes` and the vDSO mapped into this
    /// process. Fields that cannot be read stay `None`.
    pub fn this() -> Self {
        let mut host = Self {
            kernel_build_id: running_build_id(),
            kallsyms: Some(PathBuf::from("/proc/kallsyms")),
            kernel_root: Some(PathBuf::from("/")),
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

    /// Returns the build ID of the vDSO image, if a mapping of a process of this boot is of the same
    /// one. Processes of 32 bits, which are mapped below 4 GiB, have another.
    pub(crate) fn vdso_like(&self, mapping: &Mmap) -> Option<BuildId> {
        const CLASS: usize = 4;
        const CLASS_64: u8 = 2;
        let image = self.vdso.as_ref()?;
        let is_64_bit = mapping.range.end.0 > u64::from(u32::MAX);
        let is_like = usize::try_from(mapping.range.size()) == Ok(image.len())
            && is_64_bit == (image.get(CLASS) == Some(&CLASS_64));
        let headers = is_like.then(|| Headers::parse(&image[..]).ok())??;
        headers.build_id
    }

    /// Returns the vDSO image, if it has this build ID.
    pub(crate) fn vdso_with(&self, wanted: BuildId) -> Option<Arc<[u8]>> {
        let image = self.vdso.as_ref()?;
        let headers = Headers::parse(&image[..]).ok()?;
        (headers.build_id == Some(wanted)).then(|| Arc::clone(image))
    }
}

fn running_build_id() -> Option<BuildId> {
    let notes = File::open("/sys/kernel/notes").ok()?;
    let mut bytes = Vec::new();
    notes.take(MAX_NOTES_BYTES).read_to_end(&mut bytes).ok()?;
    backsight_elf::build_id_in_notes(&bytes)
}

fn own_vdso() -> Option<Vec<u8>> {
    let maps = ProcMaps::open_self().ok()?;
    let (mut code, mut name) = (maps.vmas().only(Filter::EXECUTABLE), NameBuf::new());
    while let Some(Ok(vma)) = code.next_named(&mut name) {
        if name.name() != VmaName::Vdso {
            continue;
        }
        let size = vma.range().size().min(MAX_VDSO_BYTES);
        let mut image = vec![0; usize::try_from(size).ok()?];
        let memory = File::open("/proc/self/mem").ok()?;
        memory.read_exact_at(&mut image, vma.start.0).ok()?;
        return Some(image);
    }
    None
}
