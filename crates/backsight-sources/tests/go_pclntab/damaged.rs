//! Real tables with changed bytes: nothing panics, all work is bounded, and unchanged
//! parts still give answers.

use std::sync::OnceLock;

use backsight_index::engine::CodeOffsets;
use backsight_sources::go_pclntab::GoTable;
use backsight_sources::{MappedPart, Memory};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::mapped::{Mapped, bytes_of};
use crate::{LIMITS, addresses};
use testkit::go::{Build, build};

/// A stripped program, and the address of its table.
struct Whole {
    bytes: Vec<u8>,
    table: u64,
    addresses: Vec<u64>,
    code: Vec<(u64, u64)>,
}

fn whole() -> Option<&'static Whole> {
    static WHOLE: OnceLock<Option<Whole>> = OnceLock::new();
    let make = || {
        let dir = tempfile::tempdir().expect("a directory");
        let twins = build(dir.path(), &Build::new("damaged", &[]));
        let twins = twins.map_err(|words| testkit::skip(&words)).ok()?;
        let bytes = bytes_of(&twins.stripped);
        let mapped = Mapped::new(&bytes);
        let (code, table) = (mapped.code.clone(), mapped.named.expect("a section"));
        let addresses = addresses(&code);
        drop(mapped);
        Some(Whole {
            bytes,
            table,
            addresses,
            code,
        })
    };
    WHOLE.get_or_init(make).as_ref()
}

/// Changes a copy of the mapped part that contains the table, from the table's start on.
fn with_changed(whole: &Whole, change: impl FnOnce(&mut Vec<u8>), ask: impl FnOnce(&Memory<'_>)) {
    let mapped = Mapped::new(&whole.bytes);
    let rest = mapped.memory.from(whole.table).expect("mapped");
    let mut changed = rest.to_vec();
    change(&mut changed);
    let table = MappedPart {
        addr: whole.table,
        bytes: &changed,
        is_writable: false,
    };
    // The first matching part is used.
    let mut parts = vec![table];
    parts.extend(mapped.memory.parts.iter().map(|part| {
        let before = usize::try_from(whole.table.saturating_sub(part.addr)).expect("small");
        let is_around = part.addr <= whole.table && before < part.bytes.len();
        let bytes = if is_around {
            &part.bytes[..before]
        } else {
            part.bytes
        };
        MappedPart { bytes, ..*part }
    }));
    ask(&Memory { parts });
}

/// Looks up some addresses, and lays out the whole table; returns how many have a name.
fn ask_all(whole: &Whole, memory: &Memory<'_>, table: &GoTable, lay_out: bool) -> usize {
    let mut named = 0;
    for addr in whole.addresses.iter().step_by(100) {
        let answer = table.look_up(*addr, memory, LIMITS);
        let name = answer.and_then(|answer| answer.levels.last()?.name.clone());
        named += usize::from(name.is_some());
    }
    if lay_out {
        let code = CodeOffsets::new(whole.code.iter().copied()).expect("little code");
        let names = table.names(memory);
        let units = table.units(memory, &names, &code, LIMITS);
        assert_eq!(units.parts.len(), table.functions().div_ceil(2048));
    }
    named
}

#[test]
fn changed_bytes_cost_no_more_than_their_answers() {
    let Some(whole) = whole() else { return };
    let mut runner = TestRunner::new(Config::with_cases(96));
    let size = 600_000_usize;
    let changes = prop::collection::vec((0..size, any::<u8>(), 0..4_usize), 1..12);
    let all = (changes, prop::bool::weighted(0.2));
    let outcome = runner.run(&all, |(changes, lay_out)| {
        let change = |bytes: &mut Vec<u8>| {
            for (at, byte, scale) in &changes {
                // Mostly bytes of counts and offsets.
                let at = at >> [0, 4, 9, 13][*scale];
                if let Some(place) = bytes.get_mut(at) {
                    *place = *byte;
                }
            }
        };
        with_changed(whole, change, |memory| {
            if let Some(table) = GoTable::open(whole.table, memory, &[], None) {
                ask_all(whole, memory, &table, lay_out);
            }
        });
        Ok(())
    });
    outcome.expect("no case fails");
}

#[test]
fn a_table_that_is_cut_off_answers_as_far_as_it_goes() {
    let Some(whole) = whole() else { return };
    for eighths in 0..=8 {
        let cut = |bytes: &mut Vec<u8>| {
            let size = bytes.len();
            bytes.truncate(size / 8 * eighths);
        };
        with_changed(whole, cut, |memory| {
            let table = GoTable::open(whole.table, memory, &[], None);
            let named = table.map(|table| ask_all(whole, memory, &table, true));
            assert_eq!(named.is_some(), eighths > 0 && named.is_some());
            if eighths == 8 {
                assert!(named > Some(30), "{named:?}");
            }
        });
    }
}

#[test]
fn functions_that_do_not_ascend_are_damage() {
    let Some(whole) = whole() else { return };
    let change = |bytes: &mut Vec<u8>| {
        let number = |at: usize| {
            let word = bytes[at..at + 8].try_into().expect("8 bytes");
            usize::try_from(u64::from_le_bytes(word)).expect("small")
        };
        let (count, functab) = (number(8), number(8 + 7 * 8));
        let middle = functab + count / 2 * 8;
        bytes[middle..middle + 4].copy_from_slice(&[0; 4]);
    };
    with_changed(whole, change, |memory| {
        let table = GoTable::open(whole.table, memory, &[], None).expect("half a table");
        assert!(table.is_damaged());
        let named = ask_all(whole, memory, &table, true);
        assert!(named > 10, "{named}");
    });
}

#[test]
fn a_function_without_a_readable_record_or_name_is_damage_by_either_way() {
    let Some(whole) = whole() else { return };
    for of_record in [true, false] {
        let mut number = 0;
        let change = |bytes: &mut Vec<u8>| {
            let word = |bytes: &[u8], at: usize, size: usize| {
                let digits = bytes[at..at + size].iter().rev();
                digits.fold(0, |value: usize, byte| (value << 8) | usize::from(*byte))
            };
            let functab = word(bytes, 64, 8);
            number = word(bytes, 8, 8) / 2;
            let link = functab + number * 8 + 4;
            let record = functab + word(bytes, link, 4);
            let at = if of_record { link } else { record + 4 };
            bytes[at..at + 4].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
        };
        let mut entries = Vec::new();
        with_changed(
            whole,
            |_| {},
            |memory| {
                let table = GoTable::open(whole.table, memory, &[], None).expect("sound");
                entries = table.some_entries(table.functions(), memory);
            },
        );
        let mut damaged = Vec::new();
        with_changed(whole, change, |memory| {
            let table = GoTable::open(whole.table, memory, &[], None).expect("a table");
            let answers = entries.iter().map(|entry| {
                let answer = table.look_up(*entry, memory, LIMITS);
                let answer = answer.expect("a function is there");
                let name = answer.levels.last().and_then(|level| level.name.as_ref());
                assert_eq!(name.is_none(), answer.is_damaged);
                answer.is_damaged
            });
            damaged.extend(answers);
            let code = CodeOffsets::new(whole.code.iter().copied()).expect("little code");
            let names = table.names(memory);
            let units = table.units(memory, &names, &code, LIMITS);
            assert!(units.parts.iter().any(|part| part.damaged));
        });
        let places = damaged.iter().enumerate().filter(|(_, damaged)| **damaged);
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        assert_eq!(places, [number]);
    }
}

#[test]
fn calls_that_lead_in_a_circle_leave_the_function() {
    let Some(whole) = whole() else { return };
    let mapped = Mapped::new(&whole.bytes);
    let table = mapped.open().expect("a table");
    let folded = whole.addresses.iter().copied().find(|addr| {
        let answer = table.look_up(*addr, &mapped.memory, LIMITS);
        answer.is_some_and(|answer| answer.levels.len() == 3)
    });
    let addr = folded.expect("two calls in one");
    let sound = table
        .look_up(addr, &mapped.memory, LIMITS)
        .expect("an answer");
    // Makes every row of every tree its own parent. The trees are before the table, in
    // the same part.
    let rows = table.tree_at(addr, &mapped.memory).expect("a tree");
    let mut bytes: Vec<Vec<u8>> = mapped
        .memory
        .parts
        .iter()
        .map(|part| part.bytes.to_vec())
        .collect();
    for (part, bytes) in mapped.memory.parts.iter().zip(&mut bytes) {
        let Some(at) = rows.checked_sub(part.addr) else {
            continue;
        };
        let at = usize::try_from(at).expect("small");
        if at < bytes.len() {
            for row in 0..64_u16 {
                let place = at + usize::from(row) * 20;
                bytes[place..place + 2].copy_from_slice(&row.to_le_bytes());
            }
        }
    }
    let parts = mapped.memory.parts.iter().zip(&bytes);
    let parts = parts
        .map(|(part, bytes)| MappedPart { bytes, ..*part })
        .collect();
    let memory = Memory { parts };
    let table = mapped
        .named
        .and_then(|addr| GoTable::open(addr, &memory, &[], None));
    let table = table.expect("a table");
    let answer = table.look_up(addr, &memory, LIMITS).expect("an answer");
    assert_eq!((answer.levels.len(), answer.is_damaged), (1, true));
    assert_eq!(
        answer.levels.last().expect("one").name,
        sound.levels.last().expect("one").name
    );
    ask_all(whole, &memory, &table, true);
}
