//! Which note is the build ID, and which is not.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};

use backsight_elf::Headers;
use testkit::elf::{Elf, Field, Note, SHT_NOTE, Section, Shape};

fn build_id(bytes: &[u8]) -> Option<Vec<u8>> {
    let id = Headers::parse(bytes)
        .expect("headers that can be read")
        .build_id;
    id.map(|id| id.as_bytes().to_vec())
}

const ID: [u8; 4] = [0xb1, 0xd, 0x1d, 0];

#[test]
fn owner_and_type_decide() {
    let id = || Note::gnu_build_id(&ID);
    let abi_tag = || Note::new("GNU", 1, &[0; 16]);
    let of_owner = |owner: &[u8]| Note {
        owner: owner.to_vec(),
        ..id()
    };
    let cases = [
        ("alone", vec![id()], Some(ID)),
        (
            "behind a probe of type 3",
            vec![Note::stapsdt(), id()],
            Some(ID),
        ),
        (
            "behind notes of its owner",
            vec![abi_tag(), abi_tag(), id()],
            Some(ID),
        ),
        (
            "the first of two",
            vec![id(), Note::gnu_build_id(&[9; 20])],
            Some(ID),
        ),
        ("only a probe", vec![Note::stapsdt()], None),
        ("only the ABI tag", vec![abi_tag()], None),
        ("a longer owner", vec![of_owner(b"GNUX\0")], None),
        ("an owner without a name", vec![of_owner(b"")], None),
        ("no notes", Vec::new(), None),
    ];
    for shape in Shape::ALL {
        for (name, notes, want) in &cases {
            for align in [4, 8] {
                let want = want.map(Vec::from);
                let segment = Elf::new(shape).note_segment(notes, align).build();
                assert_eq!(build_id(&segment), want, "{name}, {shape:?}, segment");
                let section = Elf::new(shape).note_section(".note", notes, align).build();
                assert_eq!(build_id(&section), want, "{name}, {shape:?}, section");
            }
        }
    }
}

#[test]
fn segments_go_before_sections_and_sections_serve_alone() {
    let (first, second) = ([Note::gnu_build_id(&[1])], [Note::gnu_build_id(&[2])]);
    let new = || Elf::new(Shape::ELF64_LITTLE);
    let both = new()
        .note_section(".note", &second, 4)
        .note_segment(&first, 4);
    assert_eq!(build_id(&both.build()), Some(vec![1]));
    assert_eq!(
        build_id(&both.clone().without_sections().build()),
        Some(vec![1])
    );

    let none_in_segments = new()
        .note_segment(&[Note::stapsdt()], 4)
        .note_section(".note", &second, 4);
    assert_eq!(build_id(&none_in_segments.build()), Some(vec![2]));

    let two_segments = new()
        .note_segment(&[Note::stapsdt()], 8)
        .note_segment(&second, 4);
    assert_eq!(build_id(&two_segments.build()), Some(vec![2]));
}

#[test]
fn lengths_from_1_to_64_are_taken_and_others_passed_over() {
    for shape in Shape::ALL {
        for len in 1..=64 {
            let id: Vec<u8> = (1..=len).collect();
            let bytes = Elf::new(shape)
                .note_segment(&[Note::gnu_build_id(&id)], 4)
                .build();
            assert_eq!(build_id(&bytes), Some(id), "{shape:?}");
        }
        for len in [0, 65, 1000] {
            let wrong = Note::gnu_build_id(&vec![1; len]);
            let alone = Elf::new(shape)
                .note_segment(std::slice::from_ref(&wrong), 4)
                .build();
            assert_eq!(build_id(&alone), None, "{len}");
            let id = Note::gnu_build_id(&ID);
            let followed = Elf::new(shape).note_segment(&[wrong, id], 4).build();
            assert_eq!(build_id(&followed), Some(ID.to_vec()), "{len}");
        }
    }
}

#[test]
fn a_note_that_lies_is_no_build_id_and_costs_nothing_else() {
    let id = || Note::gnu_build_id(&ID);
    let size = |claimed| Note {
        claimed_size: Some(claimed),
        ..id()
    };
    let owner = |claimed| Note {
        claimed_owner_size: Some(claimed),
        ..id()
    };
    let cases = [
        ("longer than the segment", size(64)),
        ("the longest", size(u32::MAX)),
        ("an owner longer than the segment", owner(64)),
        ("the longest owner", owner(u32::MAX)),
        ("an owner of no length", owner(0)),
    ];
    for (name, note) in cases {
        let elf = Elf::new(Shape::ELF64_LITTLE).note_segment(&[note], 4);
        assert_eq!(build_id(&elf.build()), None, "{name}");
        let with_section = elf.note_section(".note", &[id()], 4).build();
        assert_eq!(build_id(&with_section), Some(ID.to_vec()), "{name}");
    }
}

#[test]
fn sections_that_lie_cost_the_build_id_alone() {
    let elf = || Elf::new(Shape::ELF64_LITTLE).note_section(".note", &[Note::gnu_build_id(&ID)], 4);
    let cases = [
        ("true", None, Some(ID.to_vec())),
        (
            "behind the end",
            Some((Field::SectionsOffset, 1 << 40)),
            None,
        ),
        ("of another size", Some((Field::SectionSize, 40)), None),
        (
            "more than the file has",
            Some((Field::SectionCount, 0xfeff)),
            None,
        ),
        // Then section 0 says how many, and it says none.
        ("counted elsewhere", Some((Field::SectionCount, 0)), None),
    ];
    for (name, lie, want) in cases {
        let elf = lie.map_or(elf(), |(field, value)| elf().claim(field, value));
        assert_eq!(build_id(&elf.build()), want, "{name}");
    }
}

#[test]
fn many_headers_for_the_same_notes_do_not_multiply_the_work() {
    // 60,000 sections that claim the same half mebibyte of empty notes: 2.6
    // thousand million notes, a minute's work, if each were looked at.
    let notes = vec![0; 1 << 19];
    let mut elf = Elf::new(Shape::ELF64_LITTLE).bytes_at(0x1000, &notes);
    for _ in 0..60_000 {
        elf = elf.section(Section {
            kind: SHT_NOTE,
            claimed_offset: Some(0x1000),
            claimed_size: Some(1 << 19),
            ..Section::default()
        });
    }
    let bytes = elf.build();
    let handed_out = Cell::new(0);
    let counted = Counted {
        bytes: io::Cursor::new(&bytes),
        handed_out: &handed_out,
    };
    let headers = Headers::read(counted).expect("headers that can be read");
    assert_eq!(headers.build_id, None);
    // The headers once, of 64 bytes each, and a mebibyte of notes.
    let handed_out = handed_out.get();
    assert!(handed_out > 60_000 * 64, "it counts: {handed_out}");
    assert!(handed_out < 60_000 * 64 * 2 + (1 << 20), "{handed_out}");
}

/// A file that counts the bytes it hands out.
#[derive(Debug)]
struct Counted<'d> {
    bytes: io::Cursor<&'d [u8]>,
    handed_out: &'d Cell<u64>,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(into)?;
        self.handed_out.set(self.handed_out.get() + read as u64);
        Ok(read)
    }
}

impl Seek for Counted<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}
