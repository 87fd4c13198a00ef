//! Headers are read in every word size and byte order, as they were written.

use backsight_elf::{Error, Headers};
use backsight_types::{Arch, FileOffset, Perms, Segment, VirtOffset};
use proptest::prelude::*;
use testkit::elf::{Bits, Elf, Field, Note, Order, Program, Shape};

#[test]
fn every_shape_reads_alike() {
    for shape in Shape::ALL {
        let bytes = Elf::new(shape)
            .machine(183)
            .program(Program {
                memory_size: 0x900,
                ..Program::load(6, 0x2000..0x2500, 0x8000_3000)
            })
            .program(Program {
                kind: 2, // PT_DYNAMIC
                ..Program::load(6, 0x2000..0x2100, 0x8000_3000)
            })
            .program(Program::load(5, 0x1240..0x1740, 0x2240))
            .note_segment(&[Note::gnu_build_id(&[1, 2, 3])], 4)
            .build();
        let headers = Headers::parse(bytes.as_slice()).unwrap();
        assert_eq!(headers.arch, Arch(183), "{shape:?}");
        let want = [
            segment(
                Perms::READ | Perms::WRITE,
                0x2000,
                0x8000_3000,
                0x500,
                0x900,
            ),
            segment(Perms::READ | Perms::EXECUTE, 0x1240, 0x2240, 0x500, 0x500),
        ];
        assert_eq!(headers.segments.as_slice(), want, "{shape:?}");
        assert_eq!(headers.build_id.unwrap().as_bytes(), [1, 2, 3], "{shape:?}");
    }
}

/// What `readelf -lnW` says of this file.
#[test]
fn a_file_of_another_machine_and_linker_reads_alike() {
    let bytes = testkit::fixture("elf/aarch64-lld.so");
    let headers = Headers::parse(bytes.as_slice()).unwrap();
    assert_eq!(headers.arch, Arch(183));
    let want = [
        segment(Perms::READ, 0, 0, 0x390, 0x390),
        segment(Perms::READ | Perms::EXECUTE, 0x390, 0x1_0390, 0x60, 0x60),
        segment(Perms::READ | Perms::WRITE, 0x3f0, 0x2_03f0, 0xf0, 0xc10),
    ];
    assert_eq!(headers.segments.as_slice(), want);
    let id = headers.build_id.unwrap().to_string();
    assert_eq!(id, "e65ddb9520383f0f89b86f0f28ea9316163853c9");
}

#[test]
fn bytes_may_lie_at_any_address_of_memory() {
    for shape in Shape::ALL {
        let note = [Note::gnu_build_id(&[7; 20])];
        let elf = Elf::new(shape).program(Program::load(5, 0..9, 0));
        let bytes = elf.note_segment(&note, 4).build();
        let want = Headers::parse(bytes.as_slice()).unwrap();
        for shift in 1..8 {
            let shifted = [&vec![0; shift], bytes.as_slice()].concat();
            let got = Headers::parse(&shifted[shift..]);
            assert_eq!(got.as_ref(), Ok(&want), "{shape:?} at {shift}");
        }
    }
}

#[test]
fn files_that_are_not_elf_are_refused() {
    let elf = Elf::new(Shape::ELF64_LITTLE).build();
    let mut other_magic = elf.clone();
    other_magic[3] = b'G';
    let mut other_class = elf.clone();
    other_class[4] = 3;
    let mut other_order = elf.clone();
    other_order[5] = 3;
    let malformed = |what| Err(Error::Malformed(what));
    let cases = [
        ("nothing", Vec::new(), Err(Error::NotElf)),
        (
            "a script",
            b"#!/bin/sh\nexit 0 # and more\n".to_vec(),
            Err(Error::NotElf),
        ),
        ("another magic number", other_magic, Err(Error::NotElf)),
        ("neither 32 nor 64 bits", other_class, Err(Error::NotElf)),
        (
            "no known byte order",
            other_order,
            malformed("the ELF header"),
        ),
        (
            "cut in the header",
            elf[..40].to_vec(),
            malformed("the ELF header"),
        ),
    ];
    for (name, bytes, want) in cases {
        assert_eq!(Headers::parse(bytes.as_slice()).map(drop), want, "{name}");
    }
}

#[test]
fn a_header_that_lies_is_malformed() {
    let elf = || Elf::new(Shape::ELF64_LITTLE).program(Program::load(5, 0..9, 0));
    let cases = [
        ("too many headers", Field::ProgramCount, 0xfffe),
        ("headers behind the end", Field::ProgramsOffset, 1 << 40),
        (
            "headers at the highest offset",
            Field::ProgramsOffset,
            u64::MAX,
        ),
        ("headers of another size", Field::ProgramSize, 32),
        ("a count that is in no section", Field::ProgramCount, 0xffff),
    ];
    for (name, field, value) in cases {
        let bytes = elf().without_sections().claim(field, value).build();
        let got = Headers::parse(bytes.as_slice());
        assert!(matches!(got, Err(Error::Malformed(_))), "{name}: {got:?}");
    }
}

#[test]
fn an_object_file_has_no_segments() {
    let bytes = Elf::new(Shape::ELF64_LITTLE).kind(1).build();
    let headers = Headers::parse(bytes.as_slice()).unwrap();
    assert_eq!(headers.segments.as_slice(), []);
    assert_eq!(headers.build_id, None);
}

fn segment(flags: Perms, offset: u64, virt: u64, file_size: u64, memory_size: u64) -> Segment {
    Segment {
        flags,
        file_offset: FileOffset(offset),
        virt_offset: VirtOffset(virt),
        file_size,
        memory_size,
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    (prop::bool::ANY, prop::bool::ANY).prop_map(|(wide, big)| Shape {
        bits: if wide { Bits::Elf64 } else { Bits::Elf32 },
        order: if big { Order::Big } else { Order::Little },
    })
}

prop_compose! {
    /// Any numbers that 32-bit files can hold too.
    fn program()(
        kind in 0_u32..8, flags: u32, offset: u32, virt: u32, file_size: u32, memory_size: u32,
    ) -> Program {
        Program {
            kind,
            flags,
            offset: offset.into(),
            virt: virt.into(),
            file_size: file_size.into(),
            memory_size: memory_size.into(),
            align: 4,
        }
    }
}

proptest! {
    #[test]
    fn loads_are_read_as_written(
        shape in shape(),
        programs in prop::collection::vec(program(), 0..12),
    ) {
        let elf = programs.iter().fold(Elf::new(shape), |elf, program| elf.program(*program));
        let headers = Headers::parse(elf.build().as_slice()).unwrap();
        let want: Vec<Segment> = programs
            .iter()
            .filter(|program| program.kind == testkit::elf::PT_LOAD)
            .map(|load| {
                let bit = |flag, perm| if load.flags & flag == 0 { Perms::NONE } else { perm };
                let flags = bit(4, Perms::READ) | bit(2, Perms::WRITE) | bit(1, Perms::EXECUTE);
                segment(flags, load.offset, load.virt, load.file_size, load.memory_size)
            })
            .collect();
        prop_assert_eq!(headers.segments.as_slice(), want);
    }
}
