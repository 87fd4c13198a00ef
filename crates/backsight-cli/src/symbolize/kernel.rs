//! `symbolize --kernel`: addresses of the kernel that runs here.

use std::io::Write;
use std::path::Path;

use backsight::{KernelOptions, LiveKernel};
use backsight_formats::ndjson::HeaderLine;

use super::accounted::Accounted;
use super::symbols::Symbols;
use crate::failure::{Failure, Result};
use crate::input::Addresses;
use crate::kernel_shortfalls;
use crate::sink::Sink;
use crate::tool::TOOL;

/// Symbolizes addresses, and returns the number of malformed entries of input.
pub(super) fn run(
    root: &Path,
    addresses: Addresses,
    symbols: &Symbols,
    sink: &mut Sink<impl Write>,
) -> Result<u64> {
    let options = KernelOptions::default()
        .with_root(root)
        .with_symbols(symbols.options())
        .with_vmlinux(symbols.vmlinux());
    let kernel = LiveKernel::open(options);
    let kernel = kernel.map_err(|error| Failure::Failed(error.to_string()))?;
    let mut live = Accounted::new(kernel, symbols);
    sink.header(&HeaderLine::new(TOOL))?;
    sink.set_end_mark(addresses.end_mark.as_deref());
    let malformed = addresses.each_batch(|batch| {
        sink.begin_batch(&batch.marks);
        let lookups = live.begin(batch.iter());
        live.answer(lookups, |answer| {
            sink.answer(answer, live.module_of(answer))
        })?;
        Ok(sink.flush()?)
    });
    kernel_shortfalls::report(live.kernel());
    malformed
}
