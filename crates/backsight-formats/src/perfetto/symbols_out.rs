//! Writes symbols that are appended to a trace.

use std::collections::BTreeMap;
use std::io::{self, Write};

use backsight_profile::{Profile, ProfileFrame};
use prost::Message as _;

use super::places::SymbolPlaces;

/// A trace with one packet.
#[derive(Clone, PartialEq, prost::Message)]
struct Trace {
    #[prost(message, optional, tag = "1")]
    packet: Option<TracePacket>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TracePacket {
    #[prost(message, optional, tag = "61")]
    module_symbols: Option<ModuleSymbols>,
}

/// The symbols of a file. Path and build ID are those of the trace, byte for byte.
#[derive(Clone, PartialEq, prost::Message)]
struct ModuleSymbols {
    #[prost(bytes = "vec", tag = "1")]
    path: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    build_id: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    address_symbols: Vec<AddressSymbols>,
}

/// The call levels at an address, innermost first.
#[derive(Clone, PartialEq, prost::Message)]
struct AddressSymbols {
    // An address of 0 is written, too.
    #[prost(uint64, optional, tag = "1")]
    address: Option<u64>,
    #[prost(message, repeated, tag = "2")]
    lines: Vec<Line>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Line {
    #[prost(string, tag = "1")]
    function_name: String,
    #[prost(string, tag = "2")]
    source_file_name: String,
    #[prost(uint32, tag = "3")]
    line_number: u32,
}

/// Writes the functions and lines that the locations of `places` have in the profile: a
/// `ModuleSymbols` packet for each file. `cat TRACE SYMBOLS > SYMBOLIZED` adds them to the trace.
///
/// Returns how many addresses have symbols. Addresses without a function are not written, and keep
/// the name that the recorder had.
///
/// # Errors
///
/// Those of writing.
pub fn write_symbols(
    profile: &Profile,
    places: &SymbolPlaces,
    out: &mut impl Write,
) -> io::Result<usize> {
    let mut by_file: BTreeMap<u32, BTreeMap<u64, Vec<Line>>> = BTreeMap::new();
    for row in &places.rows {
        let Some(location) = profile.location(row.location) else {
            continue;
        };
        let frames = profile.frames_of(location);
        if frames.iter().any(|frame| frame.function.is_some()) {
            let lines = frames.iter().map(|frame| line_of(frame, profile));
            let addresses = by_file.entry(row.file).or_default();
            addresses.insert(row.rel_pc, lines.collect());
        }
    }
    let mut count = 0_usize;
    for (file, addresses) in by_file {
        let Some(file) = usize::try_from(file)
            .ok()
            .and_then(|at| places.files.get(at))
        else {
            continue;
        };
        count = count.saturating_add(addresses.len());
        let symbols = addresses
            .into_iter()
            .map(|(address, lines)| AddressSymbols {
                address: Some(address),
                lines,
            });
        let trace = Trace {
            packet: Some(TracePacket {
                module_symbols: Some(ModuleSymbols {
                    path: file.path.clone(),
                    build_id: file.build_id.clone(),
                    address_symbols: symbols.collect(),
                }),
            }),
        };
        out.write_all(&trace.encode_to_vec())?;
    }
    Ok(count)
}

fn line_of(frame: &ProfileFrame, profile: &Profile) -> Line {
    let text = |text| {
        let text = Option::and_then(text, |text| profile.strings.get(text));
        text.unwrap_or_default().to_owned()
    };
    Line {
        function_name: text(frame.function),
        source_file_name: text(frame.file),
        line_number: frame.line.unwrap_or_default(),
    }
}
