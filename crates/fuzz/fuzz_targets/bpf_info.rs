//! What a recording says of BPF programs: their descriptions and their type information.
#![no_main]

use std::io::Cursor;

use backsight_formats::perf_data::Reader;
use backsight_sources::bpf::BpfLines;
use backsight_types::AbsAddr;
use libfuzzer_sys::fuzz_target;

/// The features of the header: descriptions of programs, and type information.
const FEATURES: u64 = 1 << 25 | 1 << 26;

const HEADER: usize = 104;
const ATTR: usize = 128;
/// An attribute, and the position of its IDs.
const ATTRS: usize = ATTR + 16;

/// A recording with one event, one record, and these two sections.
fn recording(big: bool, programs: &[u8], btf: &[u8]) -> Vec<u8> {
    let long = |number: usize| match big {
        true => (number as u64).to_be_bytes(),
        false => (number as u64).to_le_bytes(),
    };
    let word = |number: u32| match big {
        true => number.to_be_bytes(),
        false => number.to_le_bytes(),
    };
    let mut all = match big {
        true => b"2ELIFREP".to_vec(),
        false => b"PERFILE2".to_vec(),
    };
    let data = HEADER + ATTRS;
    for number in [
        HEADER,
        ATTRS,
        HEADER,
        ATTRS,
        data,
        8,
        0,
        0,
        FEATURES as usize,
        0,
        0,
        0,
    ] {
        all.extend(long(number));
    }
    all.extend(word(1));
    all.extend(word(ATTR as u32));
    all.resize(data, 0);
    // The end of a round: the type, and in a word of two halves the size.
    all.extend(word(68));
    all.extend(match big {
        true => word(8),
        false => word(8 << 16),
    });
    let sections = all.len() + 32;
    for (at, size) in [(0, programs.len()), (programs.len(), btf.len())] {
        all.extend(long(sections + at));
        all.extend(long(size));
    }
    [&all, programs, btf].concat()
}

fuzz_target!(|bytes: &[u8]| {
    let [first, second, bytes @ ..] = bytes else {
        return;
    };
    let (programs, btf) = bytes.split_at(bytes.len() * usize::from(*second) / 255);
    let recording = recording(*first & 1 == 1, programs, btf);
    let mut reader = Reader::open(Cursor::new(recording)).expect("its header is sound");
    while let Some(event) = reader.next() {
        let _ = format!("{event:?}");
    }
    assert!(reader.problems().ends.is_empty(), "{:?}", reader.problems());
    let facts = reader.facts();
    let counts = facts.bpf_programs.iter();
    let count: usize = counts.map(|it| it.functions.len() + it.lines.len()).sum();
    // An array may be that of several, so that only each program is bounded.
    let most = facts.bpf_programs.len() * programs.len();
    assert!(count <= most, "{count} of {most}");
    let kept: usize = facts.btf.iter().map(|blob| blob.bytes.len()).sum();
    assert!(kept <= btf.len());
    let lines = BpfLines::new(&facts.bpf_programs, &facts.btf);
    for program in &facts.bpf_programs {
        for function in &program.functions {
            let tag = u64::from_be_bytes(function.tag);
            let name = format!("bpf_prog_{tag:016x}_f");
            for addr in [
                0,
                function.start.0,
                function.start.0.wrapping_add(9),
                u64::MAX,
            ] {
                let _ = format!("{:?}", lines.at(&name, function.start, AbsAddr(addr)));
            }
        }
    }
});
