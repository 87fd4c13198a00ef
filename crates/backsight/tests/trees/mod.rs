//! What the tests of made-up kernels share.

#![allow(dead_code, reason = "each test file uses its part")]

use backsight::symbolize::Options;
use backsight::types::{AbsAddr, FileOffset, Lookup, Outcome};
use backsight::{KernelOptions, LiveKernel, RunningKernel};
use testkit::kernel_tree::KernelTree;

pub(crate) fn options(tree: &KernelTree) -> KernelOptions {
    KernelOptions::default()
        .with_root(tree.root())
        // Nothing of this host counts.
        .with_symbols(Options::default().with_debug_dirs(vec!["/usr/lib/debug".into()]))
}

pub(crate) fn open(tree: &KernelTree) -> RunningKernel {
    RunningKernel::open(options(tree)).expect("a list of symbols")
}

/// Returns the module's path, the offset in it and the function of an address.
pub(crate) fn at(kernel: &RunningKernel, addr: u64) -> Option<(String, u64, Option<String>)> {
    let place = kernel.locate(AbsAddr(addr), Lookup::Exact);
    let Outcome::Located {
        module,
        file_offset: FileOffset(offset),
    } = place.outcome
    else {
        return None;
    };
    let module = kernel.module(module).expect("described");
    let name = place.symbol.map(|symbol| symbol.name.to_owned());
    Some((module.path_lossy().into_owned(), offset, name))
}

pub(crate) fn place(path: &str, offset: u64, name: &str) -> Option<(String, u64, Option<String>)> {
    let name = Some(name.to_owned()).filter(|name| !name.is_empty());
    Some((path.to_owned(), offset, name))
}

/// Returns the call levels of an address as `function file:line`, innermost first, and whether
/// the function begins where it should.
pub(crate) fn lines(kernel: &mut LiveKernel, addr: u64) -> Vec<String> {
    let found = kernel.begin([(AbsAddr(addr), Lookup::Exact)]);
    let found = found.look_up(kernel.symbolizer());
    let mut shown = Vec::new();
    let never = found.each(|answer| {
        for frame in &answer.frames {
            let file = frame.file.as_deref().unwrap_or("?");
            let file = file.rsplit('/').next().expect("a name");
            let line = frame.line.unwrap_or_default();
            let function = frame.function.as_deref().unwrap_or("?");
            shown.push(format!("{function} {file}:{line}"));
        }
        Ok::<(), std::convert::Infallible>(())
    });
    let Ok(()) = never;
    shown
}
