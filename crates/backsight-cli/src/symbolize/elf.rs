//! `symbolize -e`: addresses in one ELF file, without a process.

use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use backsight::{Known, Lookups};
use backsight_formats::ndjson::{AddressLine, HeaderLine};
use backsight_symbolize::{ModuleInput, Symbolizer};
use backsight_types::{
    AbsAddr, Device, FileOffset, Lookup, Module, ModuleIdx, ModuleKind, VirtOffset,
};
use nix::sys::stat::{major, minor};

use super::accounted::Accounted;
use super::addr_kind::AddrKindArg;
use super::symbols::Symbols;
use crate::failure::{Failure, Result};
use crate::file::{Shown, open_regular};
use crate::input::Addresses;
use crate::not_elf;
use crate::sink::Sink;
use crate::tool::TOOL;

/// Symbolizes addresses in a file, and returns the number of malformed lines of input.
pub(crate) fn run(
    path: &Path,
    kind: AddrKindArg,
    addresses: Addresses,
    symbols: &Symbols,
    sink: &mut Sink<impl Write>,
) -> Result<u64> {
    let file = open_regular(path).map_err(|error| Failure::io(Shown(path), &error))?;
    let module = describe(path, &file).map_err(|cause| Failure::of(Shown(path), cause))?;
    let symbolizer = Accounted::new(Symbolizer::new(symbols.options()), symbols);
    let input = ModuleInput::File {
        file: Arc::new(file),
        path: Some(path.to_owned()),
    };
    let known = Known::readable(&symbolizer, input, &module);
    if let Some(id) = known.id {
        let loaded = symbolizer.load(id);
        loaded.map_err(|error| Failure::of(Shown(path), error.cause()))?;
    }
    sink.shows_file_offsets = kind == AddrKindArg::Offset;
    sink.header(&HeaderLine::new(TOOL))?;
    sink.set_end_mark(addresses.end_mark.as_deref());
    addresses.each_batch(|batch| {
        sink.begin_batch(&batch.marks);
        let mut lookups = Lookups::default();
        for (addr, lookup) in batch.iter() {
            lookups.push(place(addr, lookup, kind, &module), Some(known));
        }
        symbolizer.answer(lookups, |answer| sink.answer(answer, Some(&module)))?;
        Ok(sink.flush()?)
    })
}

fn describe(path: &Path, file: &File) -> Result<Module, String> {
    let headers = backsight::headers(file, Some(path))
        .map_err(|error| not_elf::of_headers(&error, file, path))?;
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    let part = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Module::default()
        .with_kind(ModuleKind::File)
        .with_path(path.as_os_str().as_bytes().to_vec())
        .with_device(Device {
            major: part(major(metadata.dev())),
            minor: part(minor(metadata.dev())),
        })
        .with_inode(metadata.ino())
        .with_build_id(headers.build_id)
        .with_segments(Some(headers.segments))
        .with_arch(Some(headers.arch)))
}

/// Only the offset is set; there is no absolute address without a process.
fn place(
    AbsAddr(raw): AbsAddr,
    lookup: Lookup,
    kind: AddrKindArg,
    module: &Module,
) -> AddressLine<'static> {
    let (file_offset, virtual_offset) = match kind {
        AddrKindArg::Virtual => {
            let virt = VirtOffset(raw);
            let segments = module.segments.as_ref();
            let offset = segments.and_then(|segments| segments.file_offset_of(virt));
            (offset, Some(virt))
        }
        AddrKindArg::Offset => {
            let offset = FileOffset(raw);
            (Some(offset), module.virt_offset_of(offset))
        }
    };
    AddressLine {
        module: Some(ModuleIdx(0)),
        file_offset,
        virtual_offset,
        kind: Some(backsight_types::AddrKind::File),
        lookup,
        ..AddressLine::default()
    }
}
