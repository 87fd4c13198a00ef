//! Names of kernel functions, if the recorded kernel is the one that is running.
//!
//! Addresses in `/proc/kallsyms` hold for one boot only. So the kernel must be the same, by
//! build ID or, without one, by release; and its text must start at the same address. With
//! KASLR, the start address differs after a reboot.

use std::fs::File;
use std::io::BufReader;

use backsight_symbolize::Kallsyms;
use backsight_types::{AbsAddr, BuildId, Lookup, Module};

use crate::host::Host;

/// The kernel's symbols; `None` if they are not available.
#[derive(Debug, Default)]
pub(super) struct KernelSymbols(Option<Kallsyms>);

/// What the recording says about its kernel.
#[derive(Debug, Default)]
pub(super) struct RecordedKernel {
    pub(super) hostname: Option<String>,
    pub(super) os_release: Option<String>,
}

impl KernelSymbols {
    /// Reads the symbols of the host's kernel, if it is the recorded one and has its text at
    /// `text`.
    pub(super) fn of_host(
        host: &Host,
        recorded: &RecordedKernel,
        image: &Module,
        text: AbsAddr,
    ) -> Self {
        let list = host.kallsyms.as_ref();
        let Some(list) = list.filter(|_| is_running(host, recorded, image.build_id)) else {
            return Self(None);
        };
        let list = File::open(list).ok();
        let list = list.and_then(|list| Kallsyms::read(BufReader::new(list)).ok());
        Self(list.filter(|list| list.text() == Some(text)))
    }

    /// Returns the name of the function that contains an address.
    pub(super) fn name(&self, addr: AbsAddr, lookup: Lookup) -> Option<String> {
        let addr = match lookup {
            Lookup::Exact => addr,
            Lookup::Return => AbsAddr(addr.0.checked_sub(1)?),
        };
        let symbol = self.0.as_ref()?.at(addr)?;
        Some(symbol.name.to_owned())
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
