//! The walk against gimli's, over files that compilers made and over units that
//! chance made.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "these numbers are the test's own"
)]

mod forged;

use std::sync::Arc;

use gimli::{Attribute, AttributeValue, DwAt, UnitOffset, UnitRef};
use proptest::prelude::*;

use forged::{Forged, forged};

use super::{CodeDie, CodeDies};
use crate::Limits;
use crate::dwarf::damage::Damage;
use crate::dwarf::die::fuel::Fuel;
use crate::dwarf::die::plan::DieKind;
use crate::dwarf::die::slice::Slice;
use crate::dwarf::die::text;
use crate::dwarf::die::values::ValueSlot;
use crate::dwarf::fault::Fault;
use crate::dwarf::files::sections::{DwarfSections, FileRole};
use crate::dwarf::units::root_die;
use crate::dwarf::units::unit::Unit;
use crate::dwarf::units::unit_file::{UnitFile, UnitFileKind};
use crate::dwarf::units::unit_list::UnitList;
use crate::elf::ElfFile;
use backsight_files::Image;

/// A DIE, by either walk.
#[derive(Debug, PartialEq)]
struct Seen<'d> {
    die: UnitOffset,
    depth: isize,
    /// The nearest function or inlined call around it.
    parent: Option<UnitOffset>,
    kind: DieKind,
    has_children: bool,
    attributes: Vec<(DwAt, AttributeValue<Slice<'d>>)>,
}

type Walked<'d> = (Vec<Seen<'d>>, Result<(), Fault>);

/// The attributes of which the walks must agree.
const ASKED: [(DwAt, [bool; 2]); 10] = [
    // In functions, in inlined calls.
    (gimli::DW_AT_low_pc, [true, true]),
    (gimli::DW_AT_high_pc, [true, true]),
    (gimli::DW_AT_ranges, [true, true]),
    (gimli::DW_AT_abstract_origin, [true, true]),
    (gimli::DW_AT_specification, [true, true]),
    (gimli::DW_AT_linkage_name, [true, false]),
    (gimli::DW_AT_name, [true, false]),
    (gimli::DW_AT_call_file, [false, true]),
    (gimli::DW_AT_call_line, [false, true]),
    (gimli::DW_AT_call_column, [false, true]),
];

fn is_asked(name: DwAt, kind: DieKind) -> bool {
    let column = usize::from(kind == DieKind::Inlined);
    let mut asked = ASKED.iter();
    kind != DieKind::Other && asked.any(|(asked, of)| *asked == name && of[column])
}

/// Only what a function needs of a value is compared.
fn plain<'d>(attr: &Attribute<Slice<'d>>) -> Option<AttributeValue<Slice<'d>>> {
    if let Some(number) = attr.udata_value() {
        return Some(AttributeValue::Udata(number));
    }
    let is_number = matches!(
        attr.name(),
        gimli::DW_AT_call_file | gimli::DW_AT_call_line | gimli::DW_AT_call_column
    );
    if is_number {
        return None;
    }
    Some(match attr.value() {
        AttributeValue::SecOffset(offset) => {
            AttributeValue::RangeListsRef(gimli::RawRangeListsOffset(offset))
        }
        value @ (AttributeValue::Addr(_)
        | AttributeValue::DebugAddrIndex(_)
        | AttributeValue::RangeListsRef(_)
        | AttributeValue::DebugRngListsIndex(_)
        | AttributeValue::UnitRef(_)
        | AttributeValue::DebugInfoRef(_)
        | AttributeValue::DebugInfoRefSup(_)
        | AttributeValue::String(_)
        | AttributeValue::DebugStrRef(_)
        | AttributeValue::DebugLineStrRef(_)
        | AttributeValue::DebugStrOffsetsIndex(_)
        | AttributeValue::DebugStrRefSup(_)) => value,
        _ => return None,
    })
}

fn gimli_walk<'d>(unit: &Unit<'d>, from: Option<UnitOffset>) -> Walked<'d> {
    let mut seen = Vec::new();
    let mut open: Vec<(isize, UnitOffset)> = Vec::new();
    let mut walk = || {
        let abbreviations = unit.unit_file.dwarf.abbreviations(&unit.header)?;
        let mut entries = unit.header.entries_raw(&abbreviations, from)?;
        while !entries.is_empty() {
            let (die, depth) = (entries.next_offset(), entries.next_depth());
            let Some(abbrev) = entries.read_abbreviation()? else {
                if from.is_some() && entries.next_depth() <= 0 {
                    break;
                }
                continue;
            };
            while open.last().is_some_and(|(of, _)| *of >= depth) {
                open.pop();
            }
            let kind = match abbrev.tag() {
                gimli::DW_TAG_subprogram => DieKind::Function,
                gimli::DW_TAG_inlined_subroutine => DieKind::Inlined,
                _ => DieKind::Other,
            };
            let mut attributes = Vec::new();
            for spec in abbrev.attributes() {
                // The older name of the same.
                let name = match spec.name() {
                    gimli::DW_AT_MIPS_linkage_name => gimli::DW_AT_linkage_name,
                    name => name,
                };
                if is_asked(name, kind) {
                    let attr = entries.read_attribute(*spec)?;
                    attributes.retain(|(before, _)| *before != name);
                    attributes.extend(Some(name).zip(plain(&attr)));
                } else {
                    entries.skip_attributes(std::slice::from_ref(spec))?;
                }
            }
            if kind != DieKind::Other {
                attributes.sort_by_key(|(name, _)| name.0);
                seen.push(Seen {
                    die,
                    depth,
                    parent: open.last().map(|(_, die)| *die),
                    kind,
                    has_children: abbrev.has_children(),
                    attributes,
                });
                open.push((depth, die));
            }
            if from.is_some() && entries.next_depth() <= 0 {
                break;
            }
        }
        Ok(())
    };
    let result = walk();
    (seen, result)
}

fn our_walk<'d>(unit: &Unit<'d>, from: Option<UnitOffset>) -> Walked<'d> {
    let mut seen = Vec::new();
    let mut open: Vec<(isize, UnitOffset)> = Vec::new();
    let mut fuel = Fuel::of(u64::MAX);
    let mut walk = || {
        let mut dies = match from {
            Some(from) => CodeDies::of_subtree(from, unit)?,
            None => CodeDies::of_unit(unit)?,
        };
        while let Some(die) = dies.next(&mut fuel)? {
            while open.last().is_some_and(|(of, _)| *of >= die.closed) {
                open.pop();
            }
            seen.push(Seen {
                die: die.die,
                depth: die.depth,
                parent: open.last().map(|(_, die)| *die),
                kind: die.kind,
                has_children: die.has_children,
                attributes: attributes(die, unit),
            });
            if die.has_children {
                open.push((die.depth, die.die));
            }
        }
        Ok(())
    };
    let result = walk();
    (seen, result)
}

fn attributes<'d>(die: &CodeDie, unit: &Unit<'d>) -> Vec<(DwAt, AttributeValue<Slice<'d>>)> {
    let mut slots = vec![
        (gimli::DW_AT_low_pc, ValueSlot::Low),
        (gimli::DW_AT_high_pc, ValueSlot::High),
        (gimli::DW_AT_ranges, ValueSlot::Ranges),
        (gimli::DW_AT_abstract_origin, ValueSlot::Origin),
        (gimli::DW_AT_specification, ValueSlot::Specification),
    ];
    slots.extend(match die.kind {
        DieKind::Function => vec![
            (gimli::DW_AT_linkage_name, ValueSlot::LinkageName),
            (gimli::DW_AT_name, ValueSlot::Name),
        ],
        _ => Vec::new(),
    });
    let number = |number: u32| (number > 0).then_some(u64::from(number));
    let numbers = match die.kind {
        DieKind::Inlined => vec![
            (gimli::DW_AT_call_file, die.call_file(unit)),
            (gimli::DW_AT_call_line, number(die.call_line())),
            (gimli::DW_AT_call_column, number(die.call_column().into())),
        ],
        _ => Vec::new(),
    };
    // Of units whose root DIE cannot be read too.
    let bare = root_die::bare(&unit.header, &unit.unit_file);
    let bare = UnitRef::new(&unit.unit_file.dwarf, &bare);
    let values = slots.into_iter();
    let values = values.filter_map(|(name, slot)| {
        let value = text::to_attribute(die.values.get(slot), bare)?;
        Some((name, value))
    });
    let numbers = numbers.into_iter();
    let numbers = numbers.filter_map(|(name, value)| Some((name, AttributeValue::Udata(value?))));
    let mut attributes: Vec<_> = values.chain(numbers).collect();
    attributes.sort_by_key(|(name, _)| name.0);
    attributes
}

/// Takes away what only says that there is nothing to say: line and column 0, file 0
/// before DWARF 5, a line of more than 32 bits and a column of more than 16.
fn settle(walked: &mut Walked<'_>, unit: &Unit<'_>) {
    let own_file = unit.header.version() >= 5;
    for die in &mut walked.0 {
        die.attributes.retain(|(name, value)| {
            let said = match *name {
                gimli::DW_AT_call_file => u64::from(!own_file)..=u64::MAX,
                gimli::DW_AT_call_line => 1..=u32::MAX.into(),
                gimli::DW_AT_call_column => 1..=u16::MAX.into(),
                _ => return true,
            };
            matches!(value, AttributeValue::Udata(number) if said.contains(number))
        });
    }
}

/// Returns how many functions and inlined calls both walks saw.
fn compare(bytes: Vec<u8>, every: usize) -> usize {
    let elf = ElfFile::parse(Image::from(Arc::<[u8]>::from(bytes))).expect("an ELF file");
    let sections = DwarfSections::load(Arc::new(elf), FileRole::Main, |_| Ok(()));
    let sections = sections.expect("sections");
    let (limits, damage) = (Limits::default(), Damage::default());
    let unit_file = Arc::new(UnitFile::new(
        sections.dwarf(),
        UnitFileKind::Main,
        &limits,
        &damage,
    ));
    let units = UnitList::new(unit_file);
    let mut count = 0;
    for unit in units.iter().map(|tables| &tables.unit).step_by(every) {
        assert_same_root(unit);
        let mut theirs = gimli_walk(unit, None);
        settle(&mut theirs, unit);
        let ours = our_walk(unit, None);
        assert_same(&ours, &theirs);
        count += ours.0.len();
        for die in ours.0.iter().step_by(29) {
            let mut theirs = gimli_walk(unit, Some(die.die));
            settle(&mut theirs, unit);
            assert_same(&our_walk(unit, Some(die.die)), &theirs);
        }
    }
    count
}

/// Compares what root DIEs say that can be read: gimli takes a unit without one, and
/// refuses one whose line program is malformed.
fn assert_same_root(unit: &Unit<'_>) {
    let (Ok(theirs), Ok(root)) = (unit.unit_file.dwarf.unit(unit.header), unit.own_root()) else {
        return;
    };
    let ours = &root.unit;
    assert_eq!(ours.name, theirs.name);
    assert_eq!(ours.comp_dir, theirs.comp_dir);
    assert_eq!(ours.low_pc, theirs.low_pc);
    assert_eq!(ours.str_offsets_base, theirs.str_offsets_base);
    assert_eq!(ours.addr_base, theirs.addr_base);
    assert_eq!(ours.rnglists_base, theirs.rnglists_base);
    assert_eq!(ours.dwo_id, theirs.dwo_id);
    let lines = theirs.line_program.map(|lines| lines.header().offset());
    assert_eq!(root.line_program, lines);
}

fn assert_same<'d>(ours: &Walked<'d>, theirs: &Walked<'d>) {
    for (ours, theirs) in ours.0.iter().zip(&theirs.0) {
        assert_eq!(ours, theirs, "ours, then gimli's");
    }
    assert_eq!(ours.0.len(), theirs.0.len(), "{:?} {:?}", ours.1, theirs.1);
    assert_eq!(ours.1, theirs.1);
}

#[test]
fn units_of_compilers_read_as_gimli_reads_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let sources = [
        ("a.c", A_C),
        (
            "a.cpp",
            include_str!("../../../../tests/differential/words.cpp"),
        ),
        (
            "a.rs",
            include_str!("../../../../tests/differential/words.rs"),
        ),
    ];
    for (name, source) in sources {
        std::fs::write(dir.path().join(name), source).expect("written");
    }
    let commands = [
        "cc -gdwarf-2 -O1 -o a a.c",
        "cc -gdwarf-3 -O1 -o a a.c",
        "cc -gdwarf-4 -O1 -o a a.c",
        "cc -gdwarf-5 -O1 -o a a.c",
        "cc -gdwarf-5 -gdwarf64 -O1 -o a a.c",
        "g++ -g -O2 -o a a.cpp",
        "rustc -g -O --edition=2021 -o a a.rs",
    ];
    for command in commands {
        let mut words = command.split(' ');
        let mut tool = std::process::Command::new(words.next().expect("a tool"));
        let done = tool.args(words).current_dir(dir.path()).status();
        if !done.is_ok_and(|status| status.success()) {
            testkit::skip(command);
            continue;
        }
        let every = if command.ends_with(".c") { 1 } else { 37 };
        let count = compare(
            std::fs::read(dir.path().join("a")).expect("readable"),
            every,
        );
        assert!(count >= 3, "{count} by {command}");
    }
}

const A_C: &str = "
static inline __attribute__((always_inline)) int f(int x) { return x * x; }
struct s { int a; struct s *b; };
int main(int c, char **v) { struct s t = { f(c), 0 }; return t.a + f(3); }
";

/// Chance seldom makes the first number that has no room.
#[test]
fn where_a_call_is_reads_as_gimli_reads_it() {
    for version in 2..=5 {
        for what in [
            gimli::DW_AT_call_file,
            gimli::DW_AT_call_line,
            gimli::DW_AT_call_column,
        ] {
            for number in [0, 1, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX] {
                let forged = Forged::call(version, what, number);
                assert_eq!(compare(forged.build(), 1), 1, "{what} {number}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn forged_units_read_as_gimli_reads_them(forged in forged()) {
        if !forged.dies.is_empty() {
            compare(forged.build(), 1);
        }
    }
}
