//! The addr2line crate: its `Context` over a mapped file.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use addr2line::Context;
use gimli::{DwarfSections, EndianSlice, LittleEndian, SectionId};
use memmap2::Mmap;
use object::read::CompressionFormat;
use object::{Object, ObjectSection};

use super::consumed::Consumed;

pub(crate) type Reader<'d> = EndianSlice<'d, LittleEndian>;

/// Which form of names is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Raw,
    Demangled,
}

/// Opens the file with the debug information, and calls `with` with the context.
pub(crate) fn open<R>(file: &Path, with: impl FnOnce(&Context<Reader<'_>>) -> R) -> R {
    let map = map(file);
    let object = object::File::parse(&*map).expect("a workload is an ELF file");
    let load = |id: SectionId| Ok::<_, gimli::Error>(section(&object, id.name()));
    let sections = DwarfSections::load(load).expect("loading cannot fail");
    let dwarf = sections.borrow(|bytes| EndianSlice::new(bytes, LittleEndian));
    let context = Context::from_dwarf(dwarf).expect("a workload has DWARF");
    with(&context)
}

#[expect(unsafe_code, reason = "mapping a file")]
pub(crate) fn map(file: &Path) -> Mmap {
    let file = File::open(file).expect("a workload's file");
    // SAFETY: no process writes to a workload while benches run; `cargo xtask workloads`
    // replaces files by renaming.
    unsafe { Mmap::map(&file) }.expect("a file can be mapped")
}

/// Returns the bytes of a section, decompressed with the same decoders as ours.
fn section<'d>(object: &object::File<'d>, name: &str) -> Cow<'d, [u8]> {
    let Some(section) = object.section_by_name(name) else {
        return Cow::Borrowed(&[]);
    };
    let data = section.compressed_data().expect("a workload's section");
    let mut bytes = Vec::new();
    match data.format {
        CompressionFormat::None => return Cow::Borrowed(data.data),
        CompressionFormat::Zlib => {
            bytes.reserve_exact(data.uncompressed_size as usize);
            let mut decoder = flate2::read::ZlibDecoder::new(data.data);
            decoder.read_to_end(&mut bytes).expect("zlib");
        }
        CompressionFormat::Zstandard => {
            let size = data.uncompressed_size as usize;
            bytes = zstd::bulk::decompress(data.data, size).expect("zstd");
        }
        other => panic!("{name} is compressed by {other:?}"),
    }
    Cow::Owned(bytes)
}

/// Looks up all addresses.
pub(crate) fn run(context: &Context<Reader<'_>>, names: Names, addrs: &[u64]) -> Consumed {
    let mut consumed = Consumed::default();
    for addr in addrs {
        let frames = context.find_frames(*addr).skip_all_loads();
        let mut frames = frames.expect("a workload's DWARF");
        while let Some(frame) = frames.next().expect("a workload's DWARF") {
            let name = frame.function.as_ref().map(|function| match names {
                Names::Raw => function.raw_name(),
                Names::Demangled => function.demangle(),
            });
            let name = name.map(|name| name.expect("UTF-8")).unwrap_or_default();
            let place = frame.location.as_ref();
            consumed.level(
                &name,
                place.and_then(|place| place.file).map(str::as_bytes),
                place.and_then(|place| place.line).unwrap_or(0),
                place.and_then(|place| place.column).unwrap_or(0),
            );
        }
    }
    consumed
}

/// Opens the file and looks up all addresses.
pub(crate) fn cold(file: &Path, addrs: &[u64]) -> Consumed {
    open(file, |context| run(context, Names::Demangled, addrs))
}
