//! Names of kernel functions by their addresses, which hold for one boot.
//!
//! ```text
//!   the host's /proc/kallsyms            if its kernel is the recorded one
//!   DEBUG_DIR/.build-id/xx/rest/kallsyms as `perf record` keeps it, in ~/.debug by default
//! ```
//!
//! The host's kernel is the recorded one if it has its build ID; or, without one, its release, its
//! host name, and its text at the same address. A list that `perf` kept counts by the build ID in
//! its path.
//!
//! With KASLR, the text is elsewhere after a reboot. Then a list names the image, which is moved as
//! a whole, and nothing else.
//!
//! Code that the kernel made at run time, such as BPF programs, has its name in a record; and lines
//! that the recording has of it, or the host's kernel, if it still has that program there.

use std::io::BufReader;
use std::sync::Arc;

use backsight_symbolize::{BpfLines, Kallsyms, KernelCode, demangle};
use backsight_types::trace::{ChainEntry, Facts};
use backsight_types::{AbsAddr, BuildId, FileOffset, Lookup, Module};

use crate::find::ModuleFiles;
use crate::host::Host;

/// Bytes of a demangled name at most.
const MAX_NAME_BYTES: usize = 64 << 10;

/// What names the code of the recorded kernel by its address.
#[derive(Debug, Default)]
pub(super) struct KernelSymbols {
    /// `None` if no list is available.
    list: Option<Listed>,
    /// The lines of BPF programs that the recording has.
    bpf: BpfLines,
}

/// A list of symbols of the recorded kernel.
#[derive(Debug)]
struct Listed {
    symbols: Arc<Kallsyms>,
    /// What is added to a recorded address to get the one in the list: not 0 if the list is of
    /// another boot.
    shift: u64,
    is_of_host: bool,
}

/// A place in a function of the kernel.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct KernelFunction {
    pub(super) name: String,
    /// Its name in the list, if it was demangled.
    pub(super) linkage_name: Option<String>,
    /// How far behind its start the address is.
    pub(super) into: u64,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    pub(super) column: Option<u32>,
}

/// What the recording says about its kernel.
#[derive(Debug, Default)]
pub(super) struct RecordedKernel {
    pub(super) hostname: Option<String>,
    pub(super) os_release: Option<String>,
}

impl KernelSymbols {
    /// Reads the symbols of the recorded kernel, which has its text at `text`.
    pub(super) fn learn_image(
        &mut self,
        files: &ModuleFiles,
        recorded: &RecordedKernel,
        image: &Module,
        text: AbsAddr,
    ) {
        let host = of_host(files, recorded, image.build_id, text);
        let kept = || of_perf(files, image.build_id?, text);
        self.list = host.or_else(kept);
    }

    /// Takes the BPF programs that the recording describes.
    pub(super) fn learn_programs(&mut self, facts: &Facts) {
        if self.bpf.is_empty() && !facts.bpf_programs.is_empty() {
            self.bpf = BpfLines::new(&facts.bpf_programs, &facts.btf);
        }
    }

    /// Returns the number of lines of the recording's BPF programs whose file name is damaged.
    pub(super) fn unreadable_bpf_files(&self) -> u64 {
        self.bpf.unreadable_files()
    }

    /// Returns whether the recorded kernel is the host's, in the same boot.
    pub(super) fn are_of_host(&self) -> bool {
        self.list.as_ref().is_some_and(|list| list.is_of_host)
    }

    /// Returns the function of an address, which is this far behind the first byte of the module
    /// with this path.
    pub(super) fn function(
        &self,
        entry: &ChainEntry,
        path: &[u8],
        offset: FileOffset,
        files: &ModuleFiles,
    ) -> Option<KernelFunction> {
        let back = match entry.lookup {
            Lookup::Exact => 0,
            Lookup::Return => 1,
        };
        match made_code_of(path) {
            // Its record has its name. Other code may be there now.
            Some(name) => Some(self.made(name, entry.addr, offset, back, files)),
            None => self.listed(entry.addr, back),
        }
    }

    fn listed(&self, addr: AbsAddr, back: u64) -> Option<KernelFunction> {
        let list = self.list.as_ref()?;
        let at = AbsAddr(addr.0.checked_sub(back)?.wrapping_add(list.shift));
        let symbol = list.symbols.at(at)?;
        if list.shift != 0 && symbol.code() != KernelCode::Image {
            return None;
        }
        let listed = symbol.name.to_owned();
        let shown = demangle(&listed, MAX_NAME_BYTES);
        let (name, linkage_name) = match shown {
            Some(shown) => (shown, Some(listed)),
            None => (listed, None),
        };
        Some(KernelFunction {
            name,
            linkage_name,
            into: at.distance_from(symbol.start)?.saturating_add(back),
            ..KernelFunction::default()
        })
    }

    fn made(
        &self,
        name: &str,
        addr: AbsAddr,
        FileOffset(into): FileOffset,
        back: u64,
        files: &ModuleFiles,
    ) -> KernelFunction {
        let start = AbsAddr(addr.0.saturating_sub(into));
        let at = AbsAddr(addr.0.saturating_sub(back));
        let loaded = || {
            let running = self.are_of_host().then(|| files.running()).flatten();
            running?.bpf_source(name, start, at)
        };
        let source = self.bpf.at(name, start, at).or_else(loaded);
        KernelFunction {
            name: name.to_owned(),
            linkage_name: None,
            into,
            file: source.and_then(|source| source.file).map(str::to_owned),
            line: source.and_then(|source| source.line),
            column: source.and_then(|source| source.column),
        }
    }
}

/// Returns the name of code that the kernel made at run time, such as a BPF program, by the path of
/// its module: other modules are in brackets or have an absolute path.
fn made_code_of(path: &[u8]) -> Option<&str> {
    let name = str::from_utf8(path).ok()?;
    (!name.is_empty() && !name.starts_with(['[', '/'])).then_some(name)
}

fn of_host(
    files: &ModuleFiles,
    recorded: &RecordedKernel,
    build_id: Option<BuildId>,
    text: AbsAddr,
) -> Option<Listed> {
    let is_running = is_running(files.host(), recorded, build_id);
    let symbols = is_running.then(|| files.list_of_host()).flatten()?;
    let list = Listed::new(symbols, text)?;
    let is_same_boot = list.shift == 0;
    (is_same_boot || build_id.is_some()).then_some(Listed {
        is_of_host: is_same_boot,
        ..list
    })
}

/// Returns the list that `perf` kept when it recorded.
fn of_perf(files: &ModuleFiles, id: BuildId, text: AbsAddr) -> Option<Listed> {
    let list = backsight_symbolize::open_kallsyms(id, files.symbols())?;
    Listed::new(Arc::new(Kallsyms::read(BufReader::new(list)).ok()?), text)
}

impl Listed {
    /// A list for a recording that has the kernel's text at `text`.
    fn new(symbols: Arc<Kallsyms>, text: AbsAddr) -> Option<Self> {
        Some(Self {
            shift: symbols.text()?.0.wrapping_sub(text.0),
            symbols,
            is_of_host: false,
        })
    }
}

fn is_running(host: &Host, recorded: &RecordedKernel, build_id: Option<BuildId>) -> bool {
    if let Some(build_id) = build_id {
        return host.kernel_build_id == Some(build_id);
    }
    let RecordedKernel {
        hostname,
        os_release,
    } = recorded;
    *hostname == host.hostname
        && *os_release == host.kernel_release
        && hostname.is_some()
        && os_release.is_some()
}
