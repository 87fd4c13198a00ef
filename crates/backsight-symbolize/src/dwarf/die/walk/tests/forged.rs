//! Units in which tags, attributes and forms are what chance makes them.

use gimli::{DwAt, Format};
use proptest::prelude::*;
use testkit::elf::{Elf, Order, SHT_PROGBITS, Section, Shape};

use super::ASKED;

/// Tag, whether it has children, attributes and their forms.
type Abbrev = (u16, bool, Vec<(u16, u16)>);

/// What chance makes of a unit.
#[derive(Clone, Debug)]
pub(super) struct Forged {
    version: u16,
    format: Format,
    shape: Shape,
    abbrevs: Vec<Abbrev>,
    pub(super) dies: Vec<u8>,
}

impl Forged {
    /// One inlined call that has only this attribute.
    pub(super) fn call(version: u16, attribute: DwAt, number: u64) -> Self {
        let attribute = (attribute.0, gimli::DW_FORM_data8.0);
        Self {
            version,
            format: Format::Dwarf32,
            shape: Shape::ELF64_LITTLE,
            abbrevs: vec![(gimli::DW_TAG_inlined_subroutine.0, false, vec![attribute])],
            dies: [&[1], &number.to_le_bytes()[..]].concat(),
        }
    }

    pub(super) fn build(&self) -> Vec<u8> {
        let mut abbrev = Vec::new();
        let put = |bytes: &mut Vec<u8>, value: u16| {
            let mut leb = [0; 3];
            let mut writer = &mut leb[..];
            let count = gimli::leb128::write::unsigned(&mut writer, value.into());
            bytes.extend(&leb[..count.expect("three bytes suffice")]);
        };
        for ((tag, has_children, attributes), code) in self.abbrevs.iter().zip(1..) {
            // One gap: what follows it is not in the dense part.
            put(&mut abbrev, if code > 4 { code + 300 } else { code });
            put(&mut abbrev, *tag);
            abbrev.push(u8::from(*has_children));
            for (name, form) in attributes {
                put(&mut abbrev, *name);
                put(&mut abbrev, *form);
                if *form == gimli::DW_FORM_implicit_const.0 {
                    abbrev.push(0x45);
                }
            }
            abbrev.extend([0, 0]);
        }
        abbrev.push(0);

        let big = self.shape.order == Order::Big;
        let number = |value: u64, size: usize| {
            let bytes = value.to_be_bytes()[8 - size..].to_vec();
            if big {
                bytes
            } else {
                bytes.into_iter().rev().collect()
            }
        };
        let offset_size = usize::from(self.format.word_size());
        let address_size = match self.shape.bits {
            testkit::elf::Bits::Elf32 => 4,
            testkit::elf::Bits::Elf64 => 8,
        };
        let mut body = number(self.version.into(), 2);
        if self.version >= 5 {
            body.extend([1, address_size]);
            body.extend(number(0, offset_size));
        } else {
            body.extend(number(0, offset_size));
            body.push(address_size);
        }
        body.extend(&self.dies);
        let mut info = Vec::new();
        if self.format == Format::Dwarf64 {
            info.extend([0xff; 4]);
        }
        info.extend(number(
            u64::try_from(body.len()).expect("small"),
            offset_size,
        ));
        info.extend(body);

        let section = |name: &str, bytes: Vec<u8>| Section {
            name: name.into(),
            kind: SHT_PROGBITS,
            bytes,
            align: 1,
            ..Section::default()
        };
        Elf::new(self.shape)
            .section(section(".debug_info", info))
            .section(section(".debug_abbrev", abbrev))
            .build()
    }
}

pub(super) fn forged() -> impl Strategy<Value = Forged> {
    let tag = prop_oneof![
        Just(0x2e_u16),
        Just(0x1d),
        Just(0x0b),
        Just(0x13),
        Just(0x11)
    ];
    let asked: Vec<u16> = ASKED.iter().map(|(name, _)| name.0).collect();
    let names = prop_oneof![
        4 => proptest::sample::select(asked),
        1 => Just(0x2007_u16),
        3 => 1..0x90_u16,
    ];
    let form = prop_oneof![
        20 => 1..0x2d_u16,
        2 => proptest::sample::select(vec![0x1f01_u16, 0x1f02, 0x1f20, 0x1f21]),
    ];
    let abbrev = (
        tag,
        any::<bool>(),
        prop::collection::vec((names, form), 0..6),
    );
    // Where an indirect form is DW_FORM_implicit_const, which has no value there, we and
    // gimli's reading say so, and gimli's skipping does not.
    let other = any::<u8>().prop_filter("implicit_const", |byte| byte & 0x7f != 0x21);
    let code = prop_oneof![6 => 0..6_u8, 1 => other];
    (
        2..=5_u16,
        any::<bool>(),
        0..Shape::ALL.len(),
        prop::collection::vec(abbrev, 1..8),
        prop::collection::vec(code, 0..400),
    )
        .prop_map(|(version, wide, shape, abbrevs, dies)| Forged {
            version,
            format: if wide {
                Format::Dwarf64
            } else {
                Format::Dwarf32
            },
            shape: Shape::ALL[shape],
            abbrevs,
            dies,
        })
}
