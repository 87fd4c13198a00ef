//! Names of kernel functions, when the kernel of the recording is the one that runs.
//!
//! Its addresses are of one boot. So it must be the same kernel, by its build ID or, in
//! a recording without one, by its release; and its code must begin at the same address,
//! which it does by chance only where kernels are not laid out at random.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use backsight_symbolize::Kallsyms;
use backsight_types::{AbsAddr, BuildId, Lookup, Module};
use nix::sys::utsname::uname;

use crate::file::open_text;

/// The names, if they are to be had.
#[derive(Debug, Default)]
pub(super) struct KernelSymbols(Option<Kallsyms>);

/// What the recording says of its kernel.
#[derive(Debug, Default)]
pub(super) struct RecordedKernel {
    pub(super) hostname: Option<String>,
    pub(super) os_release: Option<String>,
}

/// As large as the notes of a kernel come, many times over.
const MAX_NOTES: u64 = 1 << 20;

impl KernelSymbols {
    /// Reads the names of the running kernel, if `image` is mapped at `text` there.
    pub(super) fn of_running(recorded: &RecordedKernel, image: &Module, text: AbsAddr) -> Self {
        if !is_running(recorded, image.build_id) {
            return Self(None);
        }
        let list =
            File::open("/proc/kallsyms").and_then(|list| Kallsyms::read(BufReader::new(list)));
        // Hidden addresses are the same as none.
        Self(list.ok().filter(|list| list.text() == Some(text)))
    }

    /// Returns the name of the function that an address lies in.
    pub(super) fn name(&self, addr: AbsAddr, lookup: Lookup) -> Option<String> {
        let addr = match lookup {
            Lookup::Exact => addr,
            Lookup::Return => AbsAddr(addr.0.checked_sub(1)?),
        };
        let symbol = self.0.as_ref()?.at(addr)?;
        Some(symbol.name.to_owned())
    }
}

fn is_running(recorded: &RecordedKernel, build_id: Option<BuildId>) -> bool {
    if let Some(build_id) = build_id {
        return running_build_id() == Some(build_id);
    }
    let Ok(here) = uname() else { return false };
    let RecordedKernel {
        hostname,
        os_release,
    } = recorded;
    hostname.as_deref() == here.nodename().to_str()
        && os_release.as_deref() == here.release().to_str()
        && hostname.is_some()
        && os_release.is_some()
}

fn running_build_id() -> Option<BuildId> {
    use std::io::Read;
    let notes = open_text(Path::new("/sys/kernel/notes")).ok()?;
    let mut bytes = Vec::new();
    notes.take(MAX_NOTES).read_to_end(&mut bytes).ok()?;
    backsight_elf::build_id_in_notes(&bytes)
}
