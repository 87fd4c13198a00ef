//! Line tables of Go in any bytes: each lookup says what the laid out table says, and both
//! end.
#![no_main]

use backsight_index::engine::{
    CodeOffsets, MergeInput, NoSymbols, TableSymbols, UnitRanges, merge,
};
use backsight_sources::go_build_info::go_release;
use backsight_sources::go_pclntab::{GoLimits, GoTable, find_tables};
use backsight_sources::{MappedPart, Memory};
use libfuzzer_sys::fuzz_target;

const BASE: u64 = 0x1000;

fuzz_target!(|bytes: &[u8]| {
    let part = MappedPart {
        addr: BASE,
        bytes,
        is_writable: true,
    };
    let memory = Memory { parts: vec![part] };
    let _ = go_release(bytes, &memory);
    let limits = GoLimits {
        inline_depth: 16,
        name_bytes: 256,
    };
    let found = find_tables(&memory.parts).into_iter();
    for addr in found.chain([BASE]).take(3) {
        let Some(table) = GoTable::open(addr, &memory, &[], Some("go1.15")) else {
            continue;
        };
        let entries = table.some_entries(16, &memory);
        for entry in entries
            .iter()
            .flat_map(|entry| [*entry, entry.wrapping_add(7)])
        {
            let _ = table.look_up(entry, &memory, limits);
        }
        let first = entries.iter().min().copied().unwrap_or(0);
        let Some(code) = CodeOffsets::new([(first, first.saturating_add(1 << 20))].into_iter())
        else {
            continue;
        };
        let names = table.names(&memory);
        let mut units = table.units(&memory, &names, &code, limits);
        let mut claims = UnitRanges::default();
        let numbers: Vec<u32> = (0..units.parts.len() as u32).collect();
        units.claim(&mut claims, &numbers, &code);
        let symbols = TableSymbols {
            symbols: &NoSymbols,
            limited: false,
        };
        let merging = MergeInput {
            build_id: None,
            code,
            is_incomplete: false,
            inline_depth: 16,
            name_bytes: 256,
        };
        let _ = merge(
            std::mem::take(&mut units.parts),
            |_| claims,
            &symbols,
            merging,
        );
    }
});
