//! Files of the builder are read correctly by `readelf`.

use std::process::Command;

use testkit::elf::{Elf, Note, Program, SHT_PROGBITS, Section, Shape, Symbol};
use testkit::skip;
use testkit::tools::{Load, readelf_build_id, readelf_segments, tool};

/// A file with one of everything.
fn sample(shape: Shape) -> Elf {
    Elf::new(shape)
        .program(Program::load(5, 0x1000..0x1010, 0x40_1000))
        .program(Program {
            memory_size: 0x2000,
            ..Program::load(6, 0x2000..0x2004, 0x80_3000)
        })
        .note_segment(&[Note::stapsdt(), Note::gnu_build_id(&[0xa1; 20])], 4)
        .note_segment(&[Note::new("GNU", 5, &[7; 12])], 8)
        .bytes_at(0x1000, &[0xc3; 16])
        .bytes_at(0x2000, b"data")
        .section(Section {
            name: b".text".to_vec(),
            kind: SHT_PROGBITS,
            flags: 6,
            virt: 0x40_1000,
            align: 16,
            claimed_offset: Some(0x1000),
            claimed_size: Some(16),
            ..Section::default()
        })
        .note_section(".note.x", &[Note::gnu_build_id(&[0xb2; 8])], 4)
        .symbols(&[Symbol::function("first", 0x40_1000, 8)])
        .dynamic_symbols(&[Symbol::function("second", 0x40_1008, 8)])
}

#[test]
fn readelf_accepts_every_shape() {
    let Some(readelf) = tool("readelf") else {
        return skip("no readelf");
    };
    let dir = tempfile::tempdir().unwrap();
    for shape in Shape::ALL {
        let path = dir.path().join("sample");
        std::fs::write(&path, sample(shape).build()).unwrap();
        let load = |offset, virt, file_size, memory_size, flags: &str| Load {
            offset,
            virt,
            file_size,
            memory_size,
            flags: flags.to_owned(),
        };
        let want = [
            load(0x1000, 0x40_1000, 0x10, 0x10, "RE"),
            load(0x2000, 0x80_3000, 4, 0x2000, "RW"),
        ];
        assert_eq!(readelf_segments(&path).unwrap(), want, "{shape:?}");

        let mut command = Command::new(&readelf);
        let all = command.env("LC_ALL", "C").args(["-hlSsnW"]).arg(&path);
        let output = all.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{shape:?}: {text}");
        for word in ["first", "second", ".note.x", ".text", &"b2".repeat(8)] {
            assert!(text.contains(word), "{shape:?}: no {word} in {text}");
        }
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shape:?}");

        // Without sections it reads the notes of segments.
        std::fs::write(&path, sample(shape).without_sections().build()).unwrap();
        let id = readelf_build_id(&path).unwrap();
        assert_eq!(id, Some("a1".repeat(20)), "{shape:?}");
    }
}

#[test]
fn readelf_names_the_build_id_it_prints_first() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let elf = Elf::new(Shape::ELF64_LITTLE).note_segment(&[Note::gnu_build_id(&[0, 1, 0xff])], 4);
    std::fs::write(file.path(), elf.without_sections().build()).unwrap();
    match readelf_build_id(file.path()) {
        Some(id) => assert_eq!(id.as_deref(), Some("0001ff")),
        None => skip("no readelf"),
    }
}

#[test]
fn headers_claim_what_the_test_says() {
    use testkit::elf::Field;
    let elf = Elf::new(Shape::ELF64_LITTLE)
        .claim(Field::ProgramCount, 0xffff)
        .build();
    assert_eq!(elf[56..58], [0xff, 0xff]);
}
