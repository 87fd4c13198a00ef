//! The symbol file of a library, made of the debug information of `full`.

use std::path::PathBuf;

use backsight_symbolize::SymbolFormat;
use backsight_types::{BuildId, DebugId};
use testkit::breakpad::{Level, Stretch, written};

use crate::ID;
use crate::common::symbol_files::levels;
use crate::common::{Fixture, at, symbolizer_of};

/// Returns the file of this format.
pub(crate) fn made(fixture: &Fixture, format: SymbolFormat) -> PathBuf {
    match format {
        SymbolFormat::Breakpad => fixture.write("a.sym", breakpad(fixture)),
        _ => fixture.path("a.gsym"),
    }
}

fn breakpad(fixture: &Fixture) -> String {
    let full = fixture.path("full");
    let (symbols, module) = symbolizer_of(&full);
    let all = crate::code_of(&full);
    let requests: Vec<_> = all.iter().map(|addr| at(module, *addr)).collect();
    let answers = symbols.symbolize(&requests);
    let stretches = all.iter().zip(&answers).filter_map(|(addr, answer)| {
        let levels = levels(answer)
            .into_iter()
            .map(|(name, file, line, _)| Level {
                name: name.unwrap_or_default(),
                place: file.map(|file| (file, line.unwrap_or(0))),
            });
        let levels: Vec<Level> = levels.collect();
        (!levels.is_empty()).then_some(Stretch {
            range: *addr..*addr + 1,
            levels,
        })
    });
    let id: BuildId = ID.parse().expect("digits");
    let module = format!("Linux x86_64 {} a", DebugId::of_build_id(&id)[0]);
    written(&module, Some(ID), &Stretch::joined(stretches))
}
