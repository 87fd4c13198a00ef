//! `normalize --kernel`: addresses of the kernel that runs here.

use std::io::Write;
use std::path::Path;

use backsight::{KernelOptions, RunningKernel};
use backsight_formats::ndjson::HeaderLine;
use backsight_symbolize::Options;

use crate::failure::{Failure, Result};
use crate::input::Addresses;
use crate::kernel_shortfalls;
use crate::sink::Sink;
use crate::tool::TOOL;

/// Normalizes addresses, and returns the number of malformed entries of input.
pub(super) fn run(
    root: &Path,
    symbols: Options,
    addresses: Addresses,
    sink: &mut Sink<impl Write>,
) -> Result<u64> {
    let options = KernelOptions::default()
        .with_root(root)
        .with_symbols(symbols);
    let kernel = RunningKernel::open(options);
    let kernel = kernel.map_err(|error| Failure::Failed(error.to_string()))?;
    sink.shows_places = true;
    sink.header(&HeaderLine::new(TOOL))?;
    sink.set_end_mark(addresses.end_mark.as_deref());
    let malformed = addresses.each_batch(|batch| {
        sink.begin_batch(&batch.marks);
        for (addr, lookup) in batch.iter() {
            let answer = kernel.answer(addr, lookup);
            let module = answer.module.and_then(|index| kernel.module(index));
            sink.answer(&answer, module)?;
        }
        Ok(sink.flush()?)
    });
    kernel_shortfalls::report(&kernel);
    malformed
}
