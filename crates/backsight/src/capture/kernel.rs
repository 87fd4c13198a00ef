//! Names of kernel functions, when the kernel of the recording is the one that runs.
//!
//! Its addresses are of one boot. So it must be the same kernel, by its build ID or, in
//! a recording without one, by its release; and its code must begin at the same address,
//! which it does by chance only where kernels are not laid out at random.

use std::fs::File;
use std::io::BufReader;

use backsight_symbolize::Kallsyms;
use backsight_types::{AbsAddr, BuildId, Lookup, Module};

use crate::host::Host;

/// How mappings name the kernel's image.
pub(super) const KERNEL_IMAGE: &[u8] = b"[kernel.kallsyms]";

/// The names, if they are to be had.
#[derive(Debug, Default)]
pub(super) struct KernelSymbols(Option<Kallsyms>);

/// What the recording says of its kernel.
#[derive(Debug, Default)]
pub(super) struct RecordedKernel {
    pub(super) hostname: Option<String>,
    pub(super) os_release: Option<String>,
}

impl KernelSymbols {
    /// Reads the names of the host's kernel, if `image` is mapped at `text` there.
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
        let list = File::open(list).and_then(|list| Kallsyms::read(BufReader::new(list)));
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
