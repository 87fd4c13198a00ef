//! Whatever the bytes are, an answer comes back.

use backsight_elf::Headers;
use proptest::prelude::*;
use testkit::elf::{Elf, Note, Program, SHT_PROGBITS, Section, Shape};

fn sample(shape: Shape) -> Vec<u8> {
    Elf::new(shape)
        .program(Program::load(5, 0x200..0x210, 0x40_0200))
        .note_segment(&[Note::stapsdt(), Note::gnu_build_id(&[0xa1; 20])], 4)
        .note_section(".note", &[Note::gnu_build_id(&[0xb2; 20])], 8)
        .bytes_at(0x200, &[0xc3; 16])
        .section(Section {
            name: b".text".to_vec(),
            kind: SHT_PROGBITS,
            ..Section::default()
        })
        .build()
}

#[test]
fn a_file_cut_anywhere_gives_the_whole_truth_or_less() {
    for shape in Shape::ALL {
        let bytes = sample(shape);
        let whole = Headers::parse(bytes.as_slice()).unwrap();
        for len in 0..bytes.len() {
            // A note cut off may be replaced by the one of a section, but the
            // section headers come last in the file: no other ID can turn up.
            if let Ok(cut) = Headers::parse(&bytes[..len]) {
                assert_eq!(cut.segments, whole.segments, "{shape:?} at {len}");
                assert!(cut.build_id.is_none() || cut.build_id == whole.build_id);
            }
        }
    }
}

#[test]
fn each_byte_may_have_any_value() {
    for shape in Shape::ALL {
        let bytes = sample(shape);
        for at in 0..bytes.len() {
            for value in [0, 1, 0x7f, 0x80, 0xfe, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = value;
                let _ = Headers::parse(bytes.as_slice());
            }
        }
    }
}

proptest! {
    #[test]
    fn flipped_bytes_never_panic(
        shape in 0..Shape::ALL.len(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24),
    ) {
        let mut bytes = sample(Shape::ALL[shape]);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _ = Headers::parse(bytes.as_slice());
    }

    #[test]
    fn any_bytes_behind_the_magic_number_never_panic(
        class in 0_u8..4, order in 0_u8..4, rest: Vec<u8>,
    ) {
        let bytes = [b"\x7fELF".as_slice(), &[class, order, 1], &rest].concat();
        let _ = Headers::parse(bytes.as_slice());
    }
}
